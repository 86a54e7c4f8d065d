// What all figures share: a theme, a hint under the pointer, and drawing again when the theme changes.

const drawn = new Set();

function themeOf() {
  const style = getComputedStyle(document.body);
  const color = (name) => {
    // Custom properties are not resolved by themselves, and a plot knows plain colours alone.
    const probe = element("span", { style: `color: var(${name})`, hidden: true });
    document.body.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  };
  const [text, quiet, line] = ["--text", "--quiet", "--line"].map(color);
  return {
    text,
    quiet,
    line,
    ground: color("--card"),
    config: {
      background: null,
      font: style.fontFamily,
      axis: {
        labelColor: quiet, titleColor: text, gridColor: line, domainColor: line, tickColor: line,
        labelFontSize: 12, titleFontSize: 12, titleFontWeight: 500, titlePadding: 8, labelFont: style.fontFamily, titleFont: style.fontFamily,
        gridOpacity: 0.7,
      },
      view: { stroke: null },
      text: { font: style.fontFamily },
    },
  };
}

/**
 * Draws what `specOf` makes of the theme, and again when that changes.
 *
 * @param where - an empty element.
 * @param specOf - theme to a Vega-Lite specification, or null for nothing to draw.
 * @param options - `label` for screen readers; `onPick(method)` for a click on what belongs to a row.
 * @returns `hover(method)`, which shows a row's marks.
 */
function chart(where, specOf, { label, onPick }) {
  const one = { view: null, where };
  one.draw = async () => {
    const embed = await plotLibrary();
    const spec = specOf(themeOf());
    if (spec === null || !where.isConnected) return;
    one.view?.finalize();
    const made = await embed(where, spec, {
      renderer: "svg",
      actions: { export: true, source: false, compiled: false, editor: false },
      downloadFileName: label,
      tooltip: hint,
    });
    one.view = made.view;
    where.querySelector("svg.marks")?.setAttribute("aria-label", label);
    nameMenu(where, label);
    made.view.addEventListener("click", (_, item) => item?.datum?.method !== undefined && onPick?.(item.datum.method));
    where.dataset.ready = "true";
  };
  drawn.add(one);
  one.done = one.draw();
  return {
    done: one.done,
    hover: (method) => one.view?.signal("hovered", method ?? null).runAsync(),
  };
}

/** Vega's menu is three dots without a name. */
function nameMenu(where, label) {
  where.querySelector("summary")?.setAttribute("aria-label", `Save the figure ${label}`);
  where.querySelector("details")?.setAttribute("title", "Save the figure");
}

function redrawAll() {
  for (const one of [...drawn]) {
    if (!one.where.isConnected) {
      one.view?.finalize();
      drawn.delete(one);
    } else one.draw();
  }
}

/** Vega's hint, as text alone. */
function hint(_, event, __, value) {
  const tip = byId("tip");
  tip.hidden = !value;
  if (!value) return;
  tip.textContent = String(value);
  const [width, height] = [tip.offsetWidth, tip.offsetHeight];
  tip.style.left = `${Math.max(4, Math.min(event.clientX + 14, innerWidth - width - 8))}px`;
  tip.style.top = `${event.clientY + height + 22 > innerHeight ? event.clientY - height - 12 : event.clientY + 16}px`;
}

addEventListener("keydown", (event) => {
  if (event.key === "Escape") byId("tip").hidden = true;
});

/** What stands under the pointer on a row. */
function tipOf(board, row, indices) {
  const lines = indices.map((index) => {
    const cell = row.cells[index];
    return `${board.columns[index].quantity}: ${[cell[TEXT], cell[SPREAD]].filter(Boolean).join(" ")}`;
  });
  const state = row.destroyed ? ["destroyed the model"] : row.front ? ["on the Pareto front"] : [];
  return [row.text, ...lines, ...state].join("\n");
}

// Below, a method that has made a concept more frequent is drawn at the edge: it would squeeze all others.
const FLOOR = -100;
const shownValue = (column, value) => (column.unit === "%" && finite(value) ? Math.max(FLOOR, value) : value);

/** A scale's domain and kind for numbers: logarithmic where they span more than a few times. */
function spanOf(numbers, column) {
  const found = numbers.filter(finite);
  const [low, high] = [Math.min(...found), Math.max(...found)];
  if (column.unit !== "%" && low > 0 && high > WIDE * low) {
    return { type: "log", domain: [low / 1.3, high * 1.3], nice: false };
  }
  if (column.unit === "%" && column.better !== "none" && low >= 0 && high <= 100) {
    const margin = Math.max(2, 0.08 * (high - low));
    return { type: "linear", domain: [Math.max(-3, low - margin), Math.min(104, high + margin)], nice: false };
  }
  const margin = 0.08 * (high - low) || Math.max(1, 0.1 * Math.abs(high));
  return { type: "linear", domain: [low - margin, high + margin], nice: false };
}

function axisTitle(column) {
  const side = { higher: "higher is better", lower: "lower is better", none: "" }[column.better];
  return [column.quantity, side].filter(Boolean).join(", ");
}

/** The marks' common look: a method's colour and shape, fainter while another row is looked at. */
function markEncoding(theme) {
  return {
    color: { field: "color", type: "nominal", scale: null },
    shape: { field: "shape", type: "nominal", scale: null },
    stroke: { value: theme.ground },
    opacity: { condition: { test: "hovered === null || datum.method === hovered", value: 1 }, value: 0.18 },
    tooltip: { field: "tip", type: "nominal" },
    description: { field: "label", type: "nominal" },
  };
}

const HOVERED = [{ name: "hovered", value: null }];

/** Methods as links to their rows, for the keyboard and for telling colours. */
function legendOf(board, methods, onPick) {
  return element(
    "ul",
    { class: "legend", "aria-label": "Rows of the figure" },
    methods.map((method) =>
      element(
        "li",
        {},
        element(
          "a",
          {
            href: addressOf(board.variant, method),
            onclick: (event) => {
              event.preventDefault();
              onPick(method);
            },
          },
          swatch(method),
          method,
        ),
      ),
    ),
  );
}
