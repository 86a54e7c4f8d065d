// What the page holds, unpacked when it is looked at, and small helpers that all parts share.

const byId = (id) => document.getElementById(id);

/** An element; strings among the children become text and never markup, so that no name is taken for any. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

const hidden = (text) => element("span", { class: "hidden" }, text);

async function unpackedText(id) {
  if (!("DecompressionStream" in window)) throw new Error("this browser is too old for the page: it cannot unpack gzip");
  const bytes = Uint8Array.from(atob(byId(id).textContent), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

const kept = new Map();

/** What `make` gives, made once. */
function once(name, make) {
  if (!kept.has(name)) kept.set(name, make());
  return kept.get(name);
}

const unpacked = (id) => once(id, async () => JSON.parse(await unpackedText(id)));

const scriptAddress = async (id) =>
  URL.createObjectURL(new Blob([await unpackedText(id)], { type: "text/javascript" }));

const tableLibrary = () =>
  once("tables", async () => (await import(await scriptAddress("library-tables"))).default);

const plotLibrary = () =>
  once("plots", async () => {
    await import(await scriptAddress("library-plotting"));
    return globalThis.vegaEmbed;
  });

/** To a screen reader, and to nobody else. */
function announce(text) {
  byId("status").textContent = text;
}

const finite = (value) => typeof value === "number" && Number.isFinite(value);

// What stands in a row's cell; the same order as in Python.
const [VALUE, LOW, HIGH, TEXT, SPREAD, MARK, BEST, WHY] = [0, 1, 2, 3, 4, 5, 6, 7];

/** An address within the page: of a task, or of a row of it. */
const addressOf = (variant, method) =>
  "#" + [variant, ...(method === undefined ? [] : [method])].map(encodeURIComponent).join("/");
