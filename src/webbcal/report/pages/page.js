"use strict";
// Tables: a click on the head of a column sorts by it, another one the other way round.
const keyOf = (row, column) => {
  const cell = row.cells[column];
  const text = cell.dataset.sort ?? cell.textContent.trim();
  const number = Number(text);
  return text !== "" && Number.isFinite(number) ? number : text.toLowerCase();
};
const compare = (a, b) => {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
};
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.firstElementChild.addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...table.tBodies[0].rows];
    const keys = new Map(rows.map((row) => [row, keyOf(row, column)]));
    rows.sort((a, b) => (down ? -1 : 1) * compare(keys.get(a), keys.get(b)));
    table.tBodies[0].append(...rows);
  }));
}
// Pictures: a click shows one alone, another one in its own size.
const viewer = document.querySelector("dialog");
if (viewer) {
  const shown = viewer.querySelector("img");
  for (const button of document.querySelectorAll("button.enlarge")) {
    button.addEventListener("click", () => {
      const picture = button.querySelector("img");
      shown.className = "";
      shown.src = picture.src;
      shown.alt = picture.alt;
      viewer.showModal();
    });
  }
  shown.addEventListener("click", () => shown.classList.toggle("full"));
  viewer.querySelector("button").addEventListener("click", () => viewer.close());
}
// On paper nothing is folded away.
const folded = () => [...document.querySelectorAll("details:not([open])")];
let unfolded = [];
addEventListener("beforeprint", () => { unfolded = folded(); unfolded.forEach((part) => { part.open = true; }); });
addEventListener("afterprint", () => { unfolded.forEach((part) => { part.open = false; }); });
