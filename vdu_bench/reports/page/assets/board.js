// The leaderboard: a table that sorts, filters and searches.

const GROUP_NAMES = { forgetting: "Forgetting", quality: "Quality", robustness: "Robustness", cost: "Cost" };

const FACETS = [
  ["role", "Kind", (row) => row.role],
  ["regime", "Data", (row) => row.regime],
  ["state", "State", (row) => (row.status !== "ok" ? row.status : row.destroyed ? "destroyed" : "sound")],
  ["from", "Settings", (row) => row.from || "not known"],
];

/** Draws a board's table into `where`; returns what others do with it: `show(method)` and `onHover(listener)`. */
async function drawBoard(board, where, openDetails) {
  const DataTable = await tableLibrary();
  const table = element("table", { class: "board" }, element("caption", { class: "hidden" }, `Leaderboard of ${board.variant}`));
  const tools = element("div", { class: "tools" });
  where.append(tools, element("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": "Leaderboard" }, table));
  lastWhereEmpty(DataTable);
  const made = new DataTable(table, {
    data: board.rows,
    columns: [methodColumn(board, openDetails), ...board.columns.map((_, index) => metricColumn(board, index)), ...textColumns()],
    order: [],
    autoWidth: false,
    deferRender: true,
    paging: board.rows.length > 60,
    pageLength: 60,
    lengthChange: false,
    layout: { topStart: null, topEnd: null, bottomStart: "info", bottomEnd: board.rows.length > 60 ? "paging" : null },
    language: { info: "_TOTAL_ of _MAX_ rows", infoFiltered: "", infoEmpty: "no row", zeroRecords: "No row is like this." },
    createdRow: (line, row) => {
      line.dataset.method = row.method;
      line.tabIndex = -1;
      line.classList.toggle("reference", row.role === "reference");
      line.classList.toggle("lost", row.destroyed || row.status !== "ok");
    },
  });
  // What says it is a button is pressed by the space bar too; DataTables knows Enter alone.
  table.tHead.addEventListener("keydown", (event) => {
    if (event.key !== " " || !event.target.matches("[role=button]")) return;
    event.preventDefault();
    event.target.click();
  });
  const listeners = [];
  for (const kind of ["mouseover", "focusin"]) {
    table.tBodies[0].addEventListener(kind, (event) => {
      const line = event.target.closest("tr");
      for (const listener of listeners) listener(line?.dataset.method);
    });
  }
  table.tBodies[0].addEventListener("mouseleave", () => listeners.forEach((listener) => listener(undefined)));
  const clear = drawTools(board, made, tools);
  return {
    onHover: (listener) => listeners.push(listener),
    show: (method) => showRow(made, method, clear),
    remove: () => made.destroy(),
  };
}

// DataTables takes strings for markup, in titles, cells and what it searches; what a record says is text.
const escaped = (text) => text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
const safely = (shown) => (value, kind) => (kind === "display" ? shown(value) : kind === "filter" ? escaped(value) : value);

function methodColumn(board, openDetails) {
  return {
    title: "method",
    data: (row) => row.text,
    render: safely(() => ""),
    cellType: "th",
    className: "method",
    createdCell: (cell, _, row) => {
      cell.scope = "row";
      const open = element(
        "button",
        { type: "button", class: "name", "aria-haspopup": "dialog", onclick: () => openDetails(row.method) },
        row.text,
      );
      const meaning = row.destroyed ? "destroyed the model" : "on the Pareto front";
      const mark = row.mark ? element("abbr", { class: "mark", title: meaning }, row.mark, hidden(` ${meaning}`)) : null;
      cell.replaceChildren(swatch(row.method), open, ...(mark ? [" ", mark] : []));
    },
  };
}

function metricColumn(board, index) {
  const column = board.columns[index];
  const scale = columnScale(board.rows, index, column.unit);
  const says = { higher: "higher is better", lower: "lower is better", none: "no side is better" }[column.better];
  return {
    title: escaped(column.header),
    className: "number",
    type: "vdu",
    data: (row) => row.cells[index][VALUE],
    render: (value, kind, row) => (kind === "display" ? "" : kind === "filter" ? escaped(row.cells[index][TEXT]) : value),
    visible: column.main,
    createdCell: (cell, _, row) => {
      const found = row.cells[index];
      const value = element("span", { class: found[BEST] ? "value best" : "value" }, found[TEXT], found[BEST] ? hidden(" best") : "");
      const mark = found[MARK] ? element("abbr", { class: "mark", title: "not told from the best" }, found[MARK], hidden(" not told from the best")) : null;
      const spread = found[SPREAD] ? element("span", { class: "spread" }, found[SPREAD]) : null;
      const why = found[WHY] >= 0 ? board.words[found[WHY]] : "";
      if (why) cell.title = why;
      cell.replaceChildren(...[value, mark, spread, intervalBar(found, scale), why ? hidden(` ${why}`) : null].filter(Boolean));
    },
    name: column.name,
    ariaTitle: `${column.quantity}, ${says}`,
  };
}

function textColumns() {
  const plain = (title, text) => ({
    title,
    data: text,
    visible: false,
    className: "text",
    render: safely(() => ""),
    createdCell: (cell, value) => (cell.textContent = value),
  });
  return [
    plain("data", (row) => row.regime),
    plain("seeds", (row) => row.seeds),
    plain("status", (row) => row.status),
    plain("settings", (row) => row.settings.join(", ")),
    plain("from", (row) => row.from),
    plain("tuning", (row) => row.tuning),
  ];
}

/** Numbers sort with those that are missing last, whichever way. */
function lastWhereEmpty(DataTable) {
  const compare = (sign) => (a, b) => (finite(a) && finite(b) ? sign * (a - b) : finite(a) ? -1 : finite(b) ? 1 : 0);
  DataTable.type("vdu", { order: { asc: compare(1), desc: compare(-1) } });
}

/** Search, filters and which columns are shown; returns what takes all filters away. */
function drawTools(board, made, tools) {
  const search = element("input", {
    type: "search",
    id: "search",
    placeholder: "Search rows",
    "aria-label": "Search rows",
    oninput: () => made.search(search.value).draw(),
  });
  const chosen = {};
  const selects = FACETS.map(([key, title, of]) => {
    const values = [...new Set(board.rows.map(of))].sort();
    if (values.length < 2) return null;
    const options = ["all", ...values].map((value, place) => element("option", { value: place ? value : "" }, value));
    const select = element("select", { "data-facet": key, onchange: () => { chosen[key] = select.value; made.draw(); } }, options);
    return element("label", { class: "facet" }, title, select);
  });
  made.search.fixed("facets", (_, row) => FACETS.every(([key, , of]) => !chosen[key] || of(row) === chosen[key]));
  const reset = element("button", { type: "button", class: "plain", onclick: () => clear() }, "Reset");
  tools.append(search, ...selects.filter(Boolean), reset, columnChoice(board, made));
  function clear() {
    search.value = "";
    for (const select of tools.querySelectorAll("select")) select.value = "";
    for (const key of Object.keys(chosen)) delete chosen[key];
    made.search("").order([]).draw();
  }
  return clear;
}

function columnChoice(board, made) {
  const groups = Object.keys(GROUP_NAMES).filter((group) => board.columns.some((column) => column.group === group));
  const choices = [
    ["Main", (column) => column.main, false],
    ...groups.map((group) => [GROUP_NAMES[group], (column) => column.group === group, false]),
    ["Run", () => false, true],
    ["All", () => true, true],
  ];
  const buttons = choices.map(([name, metrics, texts], place) =>
    element("button", { type: "button", "aria-pressed": place === 0 ? "true" : "false", onclick: () => choose(name, metrics, texts) }, name),
  );
  function choose(name, metrics, texts) {
    const shown = board.columns.map(metrics);
    made.columns().every(function (index) {
      const inside = index === 0 || (index <= shown.length ? shown[index - 1] : texts);
      this.visible(inside, false);
    });
    made.columns.adjust();
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.textContent === name));
  }
  return element("div", { class: "choice", role: "group", "aria-label": "Columns" }, buttons);
}

/** Brings a row to the reader: its page, its place, the focus. */
function showRow(made, method, clear) {
  const find = () => made.rows({ order: "current", search: "applied" }).data().toArray().findIndex((row) => row.method === method);
  if (find() < 0) clear();
  const place = find();
  if (place < 0) return;
  const length = made.page.len();
  if (length > 0) made.page(Math.floor(place / length)).draw("page");
  const line = made.row((_, row) => row.method === method).node();
  for (const other of made.table().body().querySelectorAll(".chosen")) other.classList.remove("chosen");
  line.classList.add("chosen");
  line.scrollIntoView({ block: "center", inline: "start", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  line.focus({ preventScroll: true });
  announce(`row ${method}`);
}
