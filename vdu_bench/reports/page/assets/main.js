// Which task is shown, and how its parts go together.

let current = { index: -1, table: null };
// A window's name says the task, too: of several, one is found again.
const pageTitle = document.title;

function followTheme() {
  const choice = byId("theme");
  const set = (value) => {
    document.documentElement.style.colorScheme = value;
    document.documentElement.classList.toggle("dark", isDark());
  };
  try {
    const before = localStorage.getItem("vdu-bench-theme");
    if ([...choice.options].some((option) => option.value === before)) choice.value = before;
  } catch {
    // A page from disk may have no storage: the theme is then the system's at each opening.
  }
  choice.addEventListener("change", () => {
    set(choice.value);
    try {
      localStorage.setItem("vdu-bench-theme", choice.value);
    } catch {
      // As above.
    }
    redrawAll();
  });
  darkScheme.addEventListener("change", () => {
    set(choice.value);
    redrawAll();
  });
  set(choice.value);
}

const partsOfAddress = () => location.hash.slice(1).split("/").map((part) => {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
});

async function follow(index) {
  const [variant, method] = partsOfAddress();
  const wanted = index.boards.findIndex((board) => board.variant === variant);
  const first = index.boards.reduce((most, board, place, all) => (board.rows > all[most].rows ? place : most), 0);
  const place = wanted >= 0 ? wanted : current.index >= 0 ? current.index : first;
  if (place !== current.index) await showTask(index, place);
  if (method !== undefined && wanted >= 0) current.table.show(method);
}

async function showTask(index, place) {
  const main = byId("main");
  main.setAttribute("aria-busy", "true");
  current.table?.remove();
  const board = await unpacked(`board-${place}`);
  const details = (method) => openDetails(board, `details-${place}`, method);
  const table = element("section", { class: "card" }, element("h3", {}, "Leaderboard"));
  const scale = index.boards[place].scale;
  main.replaceChildren(
    element("header", { class: "task" }, element("h2", {}, board.variant, scale ? element("span", { class: "badge" }, scale) : null), element("p", { class: "quiet" }, board.caption)),
    table,
  );
  current = { index: place, table: await drawBoard(board, table, details) };
  const notes = notesList(board.notes);
  if (notes) table.append(notes);
  markTask(index, place);
  const go = (method) => goTo(board.variant, method);
  const grid = element("div", { class: "grid" });
  main.append(grid);
  const figures = [tradeoff(board, grid, go), frontier(board, grid, go), ...curves(board, grid, go)].filter(Boolean);
  current.table.onHover((method) => figures.forEach((figure) => figure.hover(method)));
  if (board.amounts) amountsCard(await unpacked(board.amounts), main, goTo);
  main.setAttribute("aria-busy", "false");
  document.documentElement.dataset.ready = board.variant;
}

/** To a row, of this task or of another one; the address changes with it, so that it can be sent to somebody. */
function goTo(variant, method) {
  const address = addressOf(variant, method);
  // The same address again is no change that anybody is told of.
  if (location.hash === address) current.table.show(method);
  else location.hash = address;
}

function markTask(index, place) {
  for (const link of document.querySelectorAll("#task-links a")) {
    if (link.getAttribute("href") === addressOf(index.boards[place].variant)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const choice = byId("task-choice");
  if (choice) choice.value = String(place);
  document.title = `${index.boards[place].variant}, ${pageTitle}`;
  announce(`task ${index.boards[place].variant}`);
}

async function start() {
  followTheme();
  const index = await unpacked("index");
  methodStyles = index.styles;
  if (!index.boards.length) return;
  byId("task-choice")?.addEventListener("change", (event) => {
    location.hash = addressOf(index.boards[event.target.value].variant);
  });
  addEventListener("hashchange", () => follow(index));
  await follow(index);
}

start().catch((error) => {
  byId("main").replaceChildren(element("p", { class: "card" }, `The page cannot be shown: ${error.message}`));
  throw error;
});
