import { element, money, plural, score, whole } from "./format.js";
import { glyph } from "./legend.js";
import { colourOf } from "./paint.js";
import { columnsOf, csvOf, orderedRows } from "./rows.js";
import { passes } from "./data.js";

// The table of all nodes that pass the filters: sorted by any column, synced with the selection, for every reader.

const PAGE = 100;

export function makeTable(data, state, act) {
  const [box, words, more, count, toggle, stage, legend] = ["rows", "words", "more", "row-count", "as-table", "stage", "legend"].map((id) => document.getElementById(id));
  const table = document.getElementById("node-table");
  const order = { by: "exposure_usd", down: true, words: "" };
  let shown = PAGE;
  let rows = [];

  const cell = (column, i) => {
    const value = column.of(i);
    if (column.name === "node") {
      const link = element("button", { type: "button", class: "link", onclick: () => act.select(i) }, glyph(data.shapes[data.node.kind[i]], colourOf(data, i)), " ", element("bdi", {}, value));
      return element("th", { scope: "row" }, link);
    }
    if (column.text) return element("td", { class: "text" }, value);
    if (Number.isNaN(value)) return element("td", {}, "–");
    return element("td", {}, column.usd ? money(value) : column.count ? whole(value) : score(value));
  };
  const head = (column) => {
    const sorted = column.name === order.by;
    const sort = () => {
      order.down = sorted ? !order.down : !column.text;
      order.by = column.name;
      fill();
      table.querySelector(`[data-column="${column.name}"]`).focus();
    };
    const button = element("button", { type: "button", class: "link", "data-column": column.name, onclick: sort }, column.title, sorted ? (order.down ? " ▼" : " ▲") : "");
    return element("th", { scope: "col", "aria-sort": sorted ? (order.down ? "descending" : "ascending") : "none" }, button);
  };
  const fill = () => {
    if (box.hidden) return;
    const columns = columnsOf(data);
    const nodes = [];
    for (let i = 0; i < data.n; i++) if (passes(data, state, i)) nodes.push(i);
    rows = orderedRows(nodes, columns, order);
    const listed = rows.slice(0, shown).map((i) => element("tr", { "aria-selected": String(i === state.selected), "data-node": String(i) }, ...columns.map((column) => cell(column, i))));
    table.tHead.replaceChildren(element("tr", {}, ...columns.map(head)));
    table.tBodies[0].replaceChildren(...listed);
    count.textContent = `${whole(Math.min(shown, rows.length))} of ${plural(rows.length, "node")}`;
    more.hidden = rows.length <= shown;
  };
  words.addEventListener("input", () => { order.words = words.value; shown = PAGE; fill(); });
  more.addEventListener("click", () => { shown += PAGE; fill(); });
  toggle.addEventListener("click", () => {
    box.hidden = !box.hidden;
    stage.hidden = legend.hidden = !box.hidden;
    toggle.setAttribute("aria-pressed", String(!box.hidden));
    toggle.textContent = box.hidden ? "Table" : "Map";
    fill();
  });
  return { fill, csv: () => { const columns = columnsOf(data); const nodes = []; for (let i = 0; i < data.n; i++) if (passes(data, state, i)) nodes.push(i); return csvOf(orderedRows(nodes, columns, order), columns); } };
}
