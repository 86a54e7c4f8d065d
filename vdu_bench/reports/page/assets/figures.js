// The figures of a task.

/** A card with a figure; empty figures are never made. */
function figureCard(title, says, ...parts) {
  const body = element("div", { class: "plot" });
  const card = element("section", { class: "card figure" }, element("h3", {}, title), says ? element("p", { class: "quiet" }, says) : null, ...parts, body);
  return { card, body };
}

const dashedLimit = "dashed line: the quality limit; beyond it a model counts as destroyed";

/** Two metrics against each other, a point a row; the two are chosen by the reader. */
function tradeoff(board, where, onPick) {
  const known = (index) => board.rows.filter((row) => finite(row.cells[index][VALUE])).length;
  const usable = board.columns.map((_, index) => index).filter((index) => known(index) > 1);
  if (usable.length < 2) return null;
  const pick = (wanted, other) => (usable.includes(wanted) ? wanted : usable.find((index) => index !== other));
  const axes = {};
  axes.y = pick(board.axes.forgetting, null);
  axes.x = pick(board.axes.distance === axes.y ? null : board.axes.distance, axes.y);
  const select = (axis, title) =>
    element(
      "label",
      { class: "facet" },
      title,
      element(
        "select",
        { "data-axis": axis, onchange: (event) => { axes[axis] = Number(event.target.value); redraw(); } },
        usable.map((index) => element("option", { value: index, selected: index === axes[axis] }, board.columns[index].quantity)),
      ),
    );
  const { card, body } = figureCard(
    "Trade-off",
    "A point is a row, with its 95 % intervals; small dots are seeds. Choose a point to go to its row.",
    element("div", { class: "tools" }, select("y", "Up"), select("x", "Across")),
  );
  where.append(card);
  const legend = element("div");
  card.append(legend);
  let current = null;
  function redraw() {
    const rows = board.rows.filter((row) => finite(row.cells[axes.x][VALUE]) && finite(row.cells[axes.y][VALUE]));
    legend.replaceChildren(legendOf(board, rows.map((row) => row.method), onPick));
    body.replaceChildren();
    const fresh = element("div", { class: "canvas" });
    body.append(fresh);
    const [x, y] = [board.columns[axes.x], board.columns[axes.y]];
    current = chart(fresh, (theme) => tradeoffSpec(board, rows, axes, theme, fresh.clientWidth), {
      label: `${board.variant}: ${y.quantity} against ${x.quantity}`,
      onPick,
    });
  }
  redraw();
  return { hover: (method) => current.hover(method) };
}

function tradeoffSpec(board, rows, axes, theme, width) {
  if (!rows.length) return null;
  const [x, y] = [board.columns[axes.x], board.columns[axes.y]];
  const at = (row, axis, part) => shownValue(board.columns[axes[axis]], row.cells[axes[axis]][part]);
  const own = (column, axis) => spanOf([...rows.map((row) => at(row, axis, VALUE)), ...(finite(column.bound) ? [column.bound] : [])], column);
  const scales = { x: own(x, "x"), y: own(y, "y") };
  const clamp = (axis, value) => Math.min(scales[axis].domain[1], Math.max(scales[axis].domain[0], value));
  const points = rows.map((row) => {
    const style = styleOf(row.method);
    const point = { method: row.method, color: style.color, shape: style.shape, tip: tipOf(board, row, [axes.x, axes.y]), label: tipOf(board, row, [axes.x, axes.y]).replaceAll("\n", ", "), front: row.front, lost: row.destroyed, name: row.method };
    for (const axis of ["x", "y"]) {
      point[axis] = at(row, axis, VALUE);
      const ends = [at(row, axis, LOW), at(row, axis, HIGH)];
      const whole = ends.every(finite);
      [point[`${axis}0`], point[`${axis}1`]] = ends.map((end) => clamp(axis, whole ? end : point[axis]));
    }
    return point;
  });
  const dots = rows.flatMap((row) =>
    row.dots[axes.x].map((value, seed) => ({ method: row.method, color: styleOf(row.method).color, x: value, y: shownValue(y, row.dots[axes.y][seed]) })),
  ).filter((dot) => ["x", "y"].every((axis) => finite(dot[axis]) && dot[axis] >= scales[axis].domain[0] && dot[axis] <= scales[axis].domain[1]));
  const channel = (field, axis, column) => ({ field, type: "quantitative", scale: scales[axis], title: axisTitle(column), axis: { tickCount: 6, format: scales[axis].type === "log" ? ",~r" : undefined, labelOverlap: true } });
  const place = { x: channel("x", "x", x), y: channel("y", "y", y) };
  const faded = { condition: { test: "hovered === null || datum.method === hovered", value: 0.75 }, value: 0.1 };
  const color = { field: "color", type: "nominal", scale: null };
  const front = axes.x === board.axes.distance && axes.y === board.axes.forgetting ? points.filter((point) => point.front) : [];
  const bounds = [["x", x], ["y", y]].filter(([axis, column]) => finite(column.bound) && column.bound >= scales[axis].domain[0] && column.bound <= scales[axis].domain[1]);
  return {
    width: "container", height: 380, autosize: { type: "fit", contains: "padding" }, config: theme.config, params: HOVERED,
    data: { values: points },
    layer: [
      ...bounds.map(([axis, column]) => ({ data: { values: [{ bound: column.bound, tip: dashedLimit }] }, mark: { type: "rule", strokeDash: [5, 4], color: theme.quiet, aria: false }, encoding: { [axis]: { field: "bound", type: "quantitative", scale: scales[axis] }, tooltip: { field: "tip" } } })),
      { data: { values: front }, mark: { type: "line", interpolate: "step-after", strokeDash: [2, 3], color: theme.quiet, aria: false }, encoding: { ...place, order: { field: "x", type: "quantitative" } } },
      { mark: { type: "rule", strokeWidth: 1.4, aria: false }, encoding: { ...place, x: { ...place.x, field: "x0" }, x2: { field: "x1" }, color, opacity: faded } },
      { mark: { type: "rule", strokeWidth: 1.4, aria: false }, encoding: { ...place, y: { ...place.y, field: "y0" }, y2: { field: "y1" }, color, opacity: faded } },
      { data: { values: dots }, mark: { type: "circle", size: 13, aria: false }, encoding: { ...place, color, opacity: { ...faded, condition: { ...faded.condition, value: 0.45 } } } },
      // Names lie under the points, which are what is pointed at.
      ...labelLayers(points, scales, place, theme, width - 70),
      { mark: { type: "point", filled: true, size: 150, strokeWidth: 1, cursor: "pointer" }, encoding: { ...place, ...markEncoding(theme) } },
      { transform: [{ filter: "datum.lost" }], mark: { type: "point", shape: "M-1,-1L1,1M1,-1L-1,1", size: 300, strokeWidth: 1.4, stroke: theme.text, aria: false, cursor: "pointer" }, encoding: { ...place, tooltip: { field: "tip" } } },
    ],
  };
}

/** Names beside their points, where there is room for them: each on the side where it meets the fewest others. */
function labelLayers(points, scales, place, theme, width) {
  if (points.length > 40) return [];
  const share = (axis, value) => {
    const log = scales[axis].type === "log" ? Math.log : (number) => number;
    const [from, to] = scales[axis].domain.map(log);
    return (log(value) - from) / (to - from);
  };
  const spots = points.map((point) => ({ left: width * share("x", point.x), top: 330 * (1 - share("y", point.y)), long: 6.2 * point.name.length }));
  const sides = { right: [11, 4, "left"], left: [-11, 4, "right"], up: [0, -11, "center"], down: [0, 19, "center"] };
  const box = (spot, [dx, dy, align]) => {
    const left = spot.left + dx - (align === "right" ? spot.long : align === "center" ? spot.long / 2 : 0);
    return [left, spot.top + dy - 10, left + spot.long, spot.top + dy + 3];
  };
  const meet = (a, b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
  const taken = spots.map((spot) => [spot.left - 7, spot.top - 7, spot.left + 7, spot.top + 7]);
  const groups = {};
  points.forEach((point, index) => {
    const cost = (side) => {
      const own = box(spots[index], sides[side]);
      const outside = own[0] < -10 || own[2] > width + 10 || own[1] < -8 || own[3] > 335;
      return taken.filter((other, which) => which !== index && meet(own, other)).length + 4 * outside;
    };
    const best = Object.keys(sides).reduce((kept, side) => (cost(side) < cost(kept) ? side : kept));
    // Where there is no room there is no name: it is under the pointer, and below the figure.
    if (cost(best) < (points.length > 10 ? 1 : 3)) {
      (groups[best] ??= []).push(point);
      taken.push(box(spots[index], sides[best]));
    }
  });
  // Over points that are near they say what a point does. Each twice: a rim of the ground's colour keeps a name apart from the lines under it.
  const looks = [{ stroke: theme.ground, strokeWidth: 3, strokeJoin: "round" }, {}];
  return looks.flatMap((look) =>
    Object.entries(groups).map(([side, values]) => ({
      data: { values },
      mark: { type: "text", align: sides[side][2], dx: sides[side][0], dy: sides[side][1] - 4, baseline: "middle", fontSize: 11.5, aria: false, ...look },
      encoding: { x: place.x, y: place.y, text: { field: "name" }, tooltip: { field: "tip" }, color: { value: theme.text }, opacity: { condition: { test: "hovered === null || datum.method === hovered", value: 0.9 }, value: 0.12 } },
    })),
  );
}

/** Lines of methods over a number. `lines`: by method, pairs of number and value; `column` says what the values are. */
function linesSpec(lines, axis, column, theme) {
  const values = Object.entries(lines).flatMap(([method, points]) =>
    points.filter(([x, y]) => finite(x) && finite(y)).map(([x, y, low, high, row]) => ({
      line: method, method: row ?? method, color: styleOf(method).color, shape: styleOf(method).shape, x, y: shownValue(column, y),
      low: shownValue(column, finite(low) ? low : y), high: shownValue(column, finite(high) ? high : y),
      tip: `${method}\n${axis}: ${x}\n${column.quantity}: ${Number(y.toPrecision(4))}`,
      label: `${method}, ${axis} ${x}: ${Number(y.toPrecision(4))}`,
    })),
  );
  if (!values.length) return null;
  const xs = values.map((value) => value.x);
  const wide = Math.min(...xs) > 0 && Math.max(...xs) > 8 * Math.min(...xs);
  const scale = spanOf(values.flatMap((value) => [value.y]), column);
  const clamp = (value) => Math.min(scale.domain[1], Math.max(scale.domain[0], value));
  for (const value of values) [value.low, value.high] = [clamp(value.low), clamp(value.high)];
  const places = [...new Set(xs)].sort((a, b) => a - b);
  const place = {
    x: { field: "x", type: "quantitative", title: axis, scale: { type: wide ? "log" : "linear", ...(wide ? {} : { zero: false }), nice: false, padding: 14 }, axis: { values: places.length < 9 ? places : undefined, format: ",~r", grid: false, labelOverlap: true } },
    y: { field: "y", type: "quantitative", title: axisTitle(column), scale, axis: { tickCount: 5, format: scale.type === "log" ? ",~r" : undefined, labelOverlap: true } },
  };
  const color = { field: "color", type: "nominal", scale: null };
  const faded = { condition: { test: "hovered === null || datum.method === hovered || datum.line === hovered", value: 1 }, value: 0.2 };
  return {
    width: "container", height: 260, autosize: { type: "fit", contains: "padding" }, config: theme.config, params: HOVERED, data: { values },
    layer: [
      { mark: { type: "line", strokeWidth: 1.8, aria: false }, encoding: { ...place, color, detail: { field: "line" }, opacity: faded } },
      { mark: { type: "rule", strokeWidth: 1.2, aria: false }, encoding: { ...place, y: { ...place.y, field: "low" }, y2: { field: "high" }, color, opacity: faded } },
      { mark: { type: "point", filled: true, size: 90, strokeWidth: 1, cursor: "pointer" }, encoding: { ...place, ...markEncoding(theme), opacity: faded } },
    ],
  };
}

function linesFigure(board, where, { title, says, axis, column, lines, onPick }) {
  const methods = Object.keys(lines).filter((method) => lines[method].some(([x, y]) => finite(x) && finite(y)));
  if (!methods.length) return null;
  const { card, body } = figureCard(title, says);
  where.append(card);
  const fresh = element("div", { class: "canvas" });
  body.append(fresh);
  card.append(legendOf(board, methods, onPick));
  return chart(fresh, (theme) => linesSpec(lines, axis, column, theme), { label: `${board.variant}: ${title}`, onPick });
}

/** Forgetting against distance along a setting that was swept, a curve for each method. */
function frontier(board, where, onPick) {
  const { distance, forgetting } = board.axes;
  if (!board.sweeps.length || distance === null || forgetting === null) return null;
  const rowOf = Object.fromEntries(board.rows.map((row) => [row.method, row]));
  const points = board.sweeps.flatMap((curve) =>
    curve.points.map(([value, method], order) => ({ curve, value, method, order, row: rowOf[method] })),
  ).filter(({ row }) => finite(row?.cells[distance][VALUE]) && finite(row?.cells[forgetting][VALUE]));
  if (points.length < 2) return null;
  const settings = [...new Set(board.sweeps.map((curve) => curve.setting))].join(", ");
  const { card, body } = figureCard("Frontiers", `Rows that differ in ${settings} alone, joined in its order: what a method reaches, not one point of it.`);
  where.append(card);
  const fresh = element("div", { class: "canvas" });
  body.append(fresh);
  card.append(legendOf(board, [...new Set(board.sweeps.map((curve) => curve.name))], onPick));
  const [x, y] = [board.columns[distance], board.columns[forgetting]];
  const specOf = (theme) => {
    const values = points.map(({ curve, value, method, order, row }) => ({
      line: curve.name, method, order, ...styleOf(curve.name), value: `${value}`,
      x: row.cells[distance][VALUE], y: shownValue(y, row.cells[forgetting][VALUE]),
      tip: `${curve.setting} = ${value}\n${tipOf(board, row, [distance, forgetting])}`,
      label: `${curve.setting} = ${value}, ${tipOf(board, row, [distance, forgetting]).replaceAll("\n", ", ")}`,
    }));
    const [scaleX, scaleY] = [spanOf(values.map((one) => one.x), x), spanOf(values.map((one) => one.y), y)];
    const place = {
      x: { field: "x", type: "quantitative", scale: scaleX, title: axisTitle(x), axis: { tickCount: 6, format: scaleX.type === "log" ? ",~r" : undefined, labelOverlap: true } },
      y: { field: "y", type: "quantitative", scale: scaleY, title: axisTitle(y), axis: { tickCount: 5, labelOverlap: true } },
    };
    const marks = markEncoding(theme);
    return {
      width: "container", height: 320, autosize: { type: "fit", contains: "padding" }, config: theme.config, params: HOVERED, data: { values },
      layer: [
        { mark: { type: "line", strokeWidth: 1.6, aria: false }, encoding: { ...place, detail: { field: "line" }, order: { field: "order", type: "quantitative" }, color: marks.color } },
        { mark: { type: "point", filled: true, size: 90, strokeWidth: 1, cursor: "pointer" }, encoding: { ...place, ...marks } },
        ...(values.length > 30 ? [] : [{ mark: { type: "text", dx: 8, dy: 9, fontSize: 10.5, align: "left", aria: false }, encoding: { ...place, text: { field: "value" }, tooltip: { field: "tip" }, color: { value: theme.quiet } } }]),
      ],
    };
  };
  return chart(fresh, specOf, { label: `${board.variant}: frontiers`, onPick });
}

/** Metrics that differ in a number of their names, and matrices over numbers: what returns after so many steps. */
function curves(board, where, onPick) {
  const made = [];
  for (const one of board.series) {
    const column = { quantity: one.unit ? `${one.title} (${one.unit})` : one.title, unit: one.unit, better: one.better };
    const lines = Object.fromEntries(board.rows.map((row) => [row.method, one.places.map(([x, index]) => [x, ...row.cells[index].slice(VALUE, HIGH + 1)])]));
    made.push(linesFigure(board, where, { title: one.title, says: "", axis: "N", column, lines, onPick }));
  }
  for (const one of board.curves) {
    const column = { quantity: one.unit ? `${one.title} (${one.unit})` : one.title, unit: one.unit, better: "none" };
    const all = one.rows.original ? one.rows : { original: one.before, ...one.rows };
    const lines = Object.fromEntries(Object.entries(all).map(([method, ys]) => [method, one.places.map((x, index) => [x, ys[index]])]));
    made.push(linesFigure(board, where, { title: one.title, says: "Means over the seeds.", axis: one.axis, column, lines, onPick }));
  }
  return made.filter(Boolean);
}
