// How a method is marked and how an interval is drawn in a cell.

const SVG = "http://www.w3.org/2000/svg";

function svgElement(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** A closed path through points in a square from -1 to 1. */
const closed = (points) => "M" + points.map(([x, y]) => `${x.toFixed(3)},${y.toFixed(3)}`).join("L") + "Z";

/** Corners at equal angles, the first one up; every second one at `inner` where it is given. */
function corners(count, radius, inner = radius, turn = 0) {
  return Array.from({ length: count }, (_, index) => {
    const angle = turn - Math.PI / 2 + (2 * Math.PI * index) / count;
    const reach = index % 2 ? inner : radius;
    return [reach * Math.cos(angle), reach * Math.sin(angle)];
  });
}

const turned = (points, angle) =>
  points.map(([x, y]) => [
    x * Math.cos(angle) - y * Math.sin(angle),
    x * Math.sin(angle) + y * Math.cos(angle),
  ]);

const PLUS = [
  [-0.36, -1], [0.36, -1], [0.36, -0.36], [1, -0.36], [1, 0.36], [0.36, 0.36],
  [0.36, 1], [-0.36, 1], [-0.36, 0.36], [-1, 0.36], [-1, -0.36], [-0.36, -0.36],
];
const TRIANGLE = [[0, -1], [1, 0.8], [-1, 0.8]];

// By matplotlib's names, as in the figures.
const SHAPES = {
  o: "M0.92,0A0.92,0.92,0,1,1,-0.92,0A0.92,0.92,0,1,1,0.92,0Z",
  s: closed([[-0.82, -0.82], [0.82, -0.82], [0.82, 0.82], [-0.82, 0.82]]),
  D: closed(corners(4, 1.08)),
  d: closed([[0, -1.15], [0.7, 0], [0, 1.15], [-0.7, 0]]),
  "^": closed(TRIANGLE),
  v: closed(turned(TRIANGLE, Math.PI)),
  "<": closed(turned(TRIANGLE, -Math.PI / 2)),
  ">": closed(turned(TRIANGLE, Math.PI / 2)),
  P: closed(PLUS),
  X: closed(turned(PLUS, Math.PI / 4)),
  p: closed(corners(5, 1.05)),
  H: closed(corners(6, 1.02, 1.02, Math.PI / 6)),
  "*": closed(corners(10, 1.25, 0.5)),
};

let methodStyles = {};

const darkScheme = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  const chosen = byId("theme").value;
  return chosen === "dark" || (chosen !== "light" && darkScheme.matches);
}

function styleOf(method) {
  const [light, dark, marker] = methodStyles[method] ?? ["#6e6e6e", "#a8a8a8", "o"];
  return { color: isDark() ? dark : light, shape: SHAPES[marker] ?? SHAPES.o, light, dark };
}

/** The method's marker, for tables and legends. */
function swatch(method) {
  const style = styleOf(method);
  return svgElement(
    "svg",
    { class: "swatch", viewBox: "-1.4 -1.4 2.8 2.8", "aria-hidden": "true" },
    svgElement("path", { d: style.shape, style: `--light: ${style.light}; --dark: ${style.dark}` }),
  );
}

/** A column's scale: a number to 0..1, logarithmic where the numbers span more than a few times. */
function columnScale(rows, index, unit) {
  const numbers = (some, parts) => some.flatMap((row) => parts.map((part) => row.cells[index][part])).filter(finite);
  // A model that is destroyed would squeeze all others into a corner, and so would an interval that says nothing.
  const sound = rows.filter((row) => !row.destroyed && row.status === "ok");
  const told = numbers(sound, [VALUE]).length ? sound : rows;
  const values = numbers(told, [VALUE]);
  if (!values.length) return null;
  let [low, high] = [Math.min(...values), Math.max(...values)];
  const log = unit !== "%" && low > 0 && high > WIDE * low;
  if (unit === "%") {
    [low, high] = [Math.min(0, low), high > 50 ? 100 : high];
  } else if (!log) {
    const [room, ends] = [0.5 * (high - low), numbers(told, [LOW, HIGH])];
    [low, high] = [Math.max(low - room, Math.min(low, ...ends)), Math.min(high + room, Math.max(high, ...ends))];
  }
  const place = (value) => (log ? Math.log(Math.max(value, Number.MIN_VALUE)) : value);
  const [from, to] = [place(low), place(high)];
  if (!(to > from)) return () => ({ at: 0.5, clipped: false });
  return (value) => {
    const at = (place(value) - from) / (to - from);
    return { at: Math.min(1, Math.max(0, at)), clipped: at < -1e-9 || at > 1 + 1e-9 };
  };
}

/** Over how many times its smallest number a scale becomes logarithmic. */
const WIDE = 4;

const BAR = 76;

/** The interval as a line with a dot; an open dot at the edge is beyond the column's scale. */
function intervalBar(cell, scale) {
  if (scale === null || !finite(cell[VALUE])) return null;
  const spot = scale(cell[VALUE]);
  const x = (at) => (4 + at * (BAR - 8)).toFixed(1);
  const drawing = svgElement("svg", { class: "bar", viewBox: `0 0 ${BAR} 10`, "aria-hidden": "true" });
  drawing.append(svgElement("line", { class: "rail", x1: 4, x2: BAR - 4, y1: 5, y2: 5 }));
  if (finite(cell[LOW]) && finite(cell[HIGH]) && cell[HIGH] > cell[LOW]) {
    const [low, high] = [scale(cell[LOW]).at, scale(cell[HIGH]).at];
    drawing.append(svgElement("line", { class: "reach", x1: x(low), x2: x(high), y1: 5, y2: 5 }));
  }
  drawing.append(svgElement("circle", { class: spot.clipped ? "dot beyond" : "dot", cx: x(spot.at), cy: 5, r: 3 }));
  return drawing;
}
