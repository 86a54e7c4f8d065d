// For keyboards and screen readers, what the theme leaves out.
document.addEventListener("DOMContentLoaded", () => {
  for (const caption of document.querySelectorAll(".caption[role=heading]")) caption.setAttribute("aria-level", "2");
  document.querySelector(".sidebar-drawer")?.setAttribute("aria-label", "Documents");
  document.querySelector(".toc-drawer")?.setAttribute("aria-label", "On this page");

  // What is wider than the page is scrolled, and not every browser lets a keyboard do that by itself.
  const reach = () => {
    for (const block of document.querySelectorAll("pre, .table-wrapper")) {
      if (block.scrollWidth > block.clientWidth) block.tabIndex = 0;
      else block.removeAttribute("tabindex");
    }
  };
  reach();
  addEventListener("resize", reach);
});
