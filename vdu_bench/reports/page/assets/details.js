// What is behind a row: samples, numbers by seed, settings, costs, environment.

/** Opens the dialog of a row. `details` is the board's other part, unpacked when it is first asked for. */
async function openDetails(board, detailsId, method) {
  const details = await unpacked(detailsId);
  const row = board.rows.find((one) => one.method === method);
  const found = details.rows[method];
  if (!row || !found) return;
  const dialog = byId("details");
  const body = element("div", { class: "body" });
  const choice = element(
    "select",
    { id: "seed", onchange: () => fill() },
    found.cells.map((cell, index) => element("option", { value: index }, `${cell.seeds.sample}`)),
  );
  const fill = () => body.replaceChildren(...sections(board, row, found, details, Number(choice.value)).filter(Boolean));
  fill();
  dialog.replaceChildren(
    element(
      "header",
      {},
      element("h2", { id: "details-title" }, swatch(method), row.text),
      element("button", { type: "button", class: "close", "aria-label": "Close", onclick: () => dialog.close() }, "×"),
    ),
    element(
      "p",
      { class: "quiet facts" },
      [board.variant, row.role, `data: ${row.regime}`, row.destroyed ? "destroyed the model" : row.front ? "on the Pareto front" : ""].filter(Boolean).join(" · "),
      found.cells.length > 1 ? element("label", { class: "facet" }, "Seed", choice) : ` · seed ${found.cells[0].seeds.sample}`,
    ),
    body,
  );
  dialog.onclick = (event) => event.target === dialog && dialog.close();
  dialog.showModal();
  dialog.scrollTop = 0;
}

const part = (title, ...content) => element("section", {}, element("h3", {}, title), ...content);

function sections(board, row, found, details, index) {
  const cell = found.cells[index];
  const shared = (place) => (place === null ? null : details.shared[place]);
  const troubles = [...(cell.status === "ok" ? [] : [`${cell.status}: ${cell.reason || "no reason given"}`]), ...cell.warnings];
  return [
    troubles.length ? element("ul", { class: "notes" }, troubles.map((trouble) => element("li", { class: "alarm" }, trouble))) : null,
    part("Samples", samplesOf(cell, details, row)),
    part("Numbers", numbersOf(board, row, cell, found.cells.length)),
    part("Settings", settingsOf(row, found)),
    part("Costs", costsOf(cell, shared)),
    part("Environment", environmentOf(cell, shared)),
    ...cell.matrices.map((matrix) => part(matrix.name.replaceAll("_", " "), matrixOf(matrix))),
  ];
}

function samplesOf(cell, details, row) {
  const samples = cell.samples;
  if (samples === null) {
    const why = row.method === "real" ? "Real images have no samples." : "The store that the page was made from does not have these samples.";
    return element("p", { class: "quiet" }, why);
  }
  const before = samples.before === null ? null : details.befores[samples.before];
  const line = (title, address, shown) => {
    const count = shown === null ? "" : `, ${shown.filter(Boolean).length} of ${shown.length} judged to show the concept`;
    return element(
      "figure",
      { class: "strip" },
      element("figcaption", {}, title, count),
      element("div", { class: "frames", style: `--count: ${samples.count}` },
        element("img", { src: address, alt: `${samples.count} samples, ${title}${count}` }),
        shown === null ? null : element("div", { class: "flags", "aria-hidden": "true" }, shown.map((yes) => element("span", { class: yes ? "yes" : "no" }, yes ? "●" : "○"))),
      ),
    );
  };
  const isOriginal = row.method === "original";
  return element(
    "div",
    {},
    before && !isOriginal ? line("before, the original", before, samples.shown[0]) : null,
    line(isOriginal ? "the original" : "after", samples.after, samples.shown[1]),
    element("p", { class: "quiet" }, before && !isOriginal ? "Each column is the same noise. ● the judge sees the concept, ○ it does not." : "● the judge sees the concept, ○ it does not."),
  );
}

const plainTable = (heads, lines, caption) =>
  element(
    "div",
    { class: "scroll", role: "region", tabindex: "0", "aria-label": caption },
    element(
      "table",
      { class: "plain" },
      element("caption", { class: "hidden" }, caption),
      element("thead", {}, element("tr", {}, heads.map((head, place) => element("th", { scope: "col", class: lines.some((line) => place && typeof line[place] === "number") ? "number" : null }, head)))),
      element("tbody", {}, lines.map(([first, ...rest]) => element("tr", {}, element("th", { scope: "row" }, first), rest.map((one) => element("td", { class: typeof one === "number" ? "number" : null }, shownOf(one)))))),
    ),
  );

function shownOf(value) {
  if (value === null || value === undefined) return "n/a";
  if (typeof value === "number") return value.toLocaleString("en", { maximumSignificantDigits: 4, useGrouping: Math.abs(value) >= 10000 });
  return typeof value === "string" ? value : value instanceof Node ? value : JSON.stringify(value);
}

function numbersOf(board, row, cell, seeds) {
  const lines = board.columns.map((column, index) => {
    const [text, spread] = [row.cells[index][TEXT], row.cells[index][SPREAD]];
    const name = element("span", { title: column.label }, column.header);
    return [name, text, spread, ...(seeds > 1 ? [cell.numbers[index]] : [])];
  });
  return plainTable(["metric", seeds > 1 ? "over the seeds" : "value", "95 % interval", ...(seeds > 1 ? ["this seed"] : [])], lines, "Numbers");
}

function settingsOf(row, found) {
  const names = Object.keys(found.settings);
  const come = { default: "the method's defaults", task: "given by the task", tuned: "found by a search", published: "as published", command: "given by who ran it" };
  const origin = [row.from ? `Settings: ${come[row.from] ?? row.from}.` : "How the settings were come by is not known.", row.tuning ? `The search took ${row.tuning}.` : ""];
  const lines = names.map((name) => [name, typeof found.settings[name] === "string" ? found.settings[name] : JSON.stringify(found.settings[name]), found.changed.includes(name) ? "differs from the default" : ""]);
  return element("div", {}, element("p", { class: "quiet" }, origin.filter(Boolean).join(" ")), names.length ? plainTable(["setting", "value", ""], lines, "Settings") : null);
}

const COSTS = {
  unlearn_seconds: "unlearning, seconds",
  nfe_forward: "evaluations, forward",
  nfe_backward: "evaluations, backward",
  unlearn_peak_mib: "peak memory, MiB",
  sample_seconds: "sampling, seconds",
};

function costsOf(cell, shared) {
  const ledger = shared(cell.ledger);
  const lines = Object.entries(cell.timings).map(([name, value]) => [COSTS[name] ?? name.replaceAll("_", " "), value]);
  lines.push(...Object.entries(ledger ?? {}).map(([name, value]) => [name.replaceAll("_", " "), typeof value === "boolean" ? (value ? "used" : "not used") : value]));
  const probes = Object.entries(shared(cell.probes) ?? {}).map(([probe, took]) => [probe, Object.entries(took).filter(([, count]) => count).map(([name, count]) => `${count.toLocaleString("en")} ${name.replaceAll("_", " ")}`).join(", ") || "nothing"]);
  return element(
    "div",
    {},
    ledger === null ? element("p", { class: "quiet" }, "What data the method saw is not known.") : null,
    plainTable(["what", "amount"], lines, "Costs"),
    probes.length ? element("details", { class: "more" }, element("summary", {}, "What measuring took"), plainTable(["probe", "evaluations and images"], probes, "What measuring took")) : null,
  );
}

/** Nested data as lines of a name and a value. */
const flattened = (data, before = "") =>
  Object.entries(data).flatMap(([name, value]) =>
    value !== null && typeof value === "object" && !Array.isArray(value) ? flattened(value, `${before}${name}.`) : [[`${before}${name}`, value === true ? "yes" : value === false ? "no" : typeof value === "number" ? String(value) : value]],
  );

function environmentOf(cell, shared) {
  const environment = shared(cell.environment);
  const seeds = Object.entries(cell.seeds).map(([name, seed]) => [`${name} seed`, seed === null ? "not known" : String(seed)]);
  return element(
    "div",
    {},
    environment === null ? element("p", { class: "quiet" }, "Not recorded.") : plainTable(["what", "which"], flattened(environment), "Environment"),
    element("details", { class: "more" }, element("summary", {}, "Seeds and addresses of stages"), plainTable(["what", "which"], [...seeds, ...Object.entries(cell.stages)], "Seeds and addresses of stages")),
  );
}

function matrixOf(matrix) {
  const lines = matrix.rows.map((name, line) => [name, ...matrix.columns.map((_, index) => `${shownOf(matrix.sides[0][line][index])} → ${shownOf(matrix.sides[1][line][index])}`)]);
  return element("div", {}, element("p", { class: "quiet" }, `Before → after${matrix.unit ? `, in ${matrix.unit}` : ""}.`), plainTable(["", ...matrix.columns], lines, matrix.name));
}
