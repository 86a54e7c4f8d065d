// What methods do with how much data.

function amountsCard(table, where, onPlace) {
  const card = element("section", { class: "card" }, element("h3", {}, "By how much data"));
  where.append(card);
  if (table.why) {
    card.append(element("p", {}, "These records cannot stand in one table: ", table.why));
    return;
  }
  card.append(element("p", { class: "quiet" }, table.caption));
  const head = element(
    "thead",
    {},
    element("tr", {}, element("td"), table.regimes.map(([regime, count]) => element("th", { scope: "colgroup", colspan: count }, regime.replaceAll("_", " ")))),
    element("tr", {}, element("th", { scope: "col" }, "method"), table.amounts.map((amount) => element("th", { scope: "col" }, amount))),
  );
  const body = element(
    "tbody",
    {},
    table.rows.map((row) =>
      element(
        "tr",
        { class: row.reference ? "reference" : null },
        element("th", { scope: "row", class: "method" }, swatch(row.method), row.name),
        row.cells.map((cell) => amountCell(cell, onPlace)),
      ),
    ),
  );
  card.append(
    element(
      "div",
      { class: "scroll", role: "region", tabindex: "0", "aria-label": "By how much data" },
      element("table", { class: "amounts" }, element("caption", { class: "hidden" }, `${table.setup}, by how much data`), head, body),
    ),
    notesList(table.notes.map((note) => [note, note.startsWith("⊗")])),
  );
}

function amountCell(cell, onPlace) {
  const numbers = cell.numbers.map(([value, spread, mark, best]) =>
    element("span", { class: "line" }, element("span", { class: best ? "value best" : "value" }, value), mark, spread ? element("span", { class: "spread" }, " ", spread) : ""),
  );
  if (cell.place === null) return element("td", { class: "number", title: cell.why || null }, numbers, cell.why ? hidden(cell.why) : "");
  const [variant, method] = cell.place;
  return element(
    "td",
    { class: "number" },
    element(
      "a",
      {
        href: addressOf(variant, method),
        onclick: (event) => {
          event.preventDefault();
          onPlace(variant, method);
        },
      },
      numbers,
    ),
  );
}

/** Sentences under a table; those that warn come with a mark that is not colour alone. */
function notesList(notes) {
  if (!notes.length) return null;
  const list = element("ul", { class: "notes" }, notes.map(([note, alarm]) => element("li", { class: alarm ? "alarm" : null }, note)));
  return element("details", { class: "more", open: notes.length < 9 }, element("summary", {}, `Notes (${notes.length})`), list);
}
