import { element, money, part, plural, score, whole } from "./format.js";
import { glyph } from "./legend.js";
import { colourOf } from "./paint.js";
import { columnsOf, csvOf, orderedRows } from "./rows.js";
import { passes } from "./data.js";

// The table of all nodes that pass the filters: sorted by any column, synced with the selection, for every reader.

/** @import { MapData } from "./data.js" */
/** @import { Actions } from "./main.js" */
/** @import { Column, Order } from "./rows.js" */
/** @import { State } from "./scene.js" */

const PAGE = 100;

/**
 * Ties the table to data and selection: fill shows what there is now, csv writes all of it.
 * @param {MapData} data
 * @param {State} state
 * @param {Actions} act
 * @returns {{fill: () => void, csv: () => string}}
 */
export function makeTable(data, state, act) {
  const [box, stage, legend, count] = ["rows", "stage", "legend", "row-count"].map((id) => part(id, HTMLElement));
  const words = part("words", HTMLInputElement);
  const [more, toggle] = ["more", "as-table"].map((id) => part(id, HTMLButtonElement));
  const table = part("node-table", HTMLTableElement);
  const [head, body] = [table.createTHead(), table.tBodies[0] ?? table.createTBody()];
  /** @type {Order} */
  const order = { by: "exposure_usd", down: true, words: "" };
  let shown = PAGE;
  /** @type {(column: Column, i: number) => HTMLElement} */
  const cell = (column, i) => {
    if (column.name === "node") {
      const link = element("button", { type: "button", class: "link", onclick: () => act.select(i) }, glyph(data.shapes[data.node.kind[i]], colourOf(data, i)), " ", element("bdi", {}, String(column.of(i))));
      return element("th", { scope: "row" }, link);
    }
    if (column.text) return element("td", { class: "text" }, column.of(i));
    const value = column.of(i);
    if (Number.isNaN(value)) return element("td", {}, "–");
    return element("td", {}, column.usd ? money(value) : column.count ? whole(value) : score(value));
  };
  /** @param {Column} column */
  const heading = (column) => {
    const sorted = column.name === order.by;
    const sort = () => {
      order.down = sorted ? !order.down : !column.text;
      order.by = column.name;
      fill();
      const again = table.querySelector(`[data-column="${column.name}"]`);
      if (again instanceof HTMLElement) again.focus();
    };
    const button = element("button", { type: "button", class: "link", "data-column": column.name, onclick: sort }, column.title, sorted ? (order.down ? " ▼" : " ▲") : "");
    return element("th", { scope: "col", "aria-sort": sorted ? (order.down ? "descending" : "ascending") : "none" }, button);
  };
  /** @param {Column[]} columns */
  const listed = (columns) => {
    const nodes = [];
    for (let i = 0; i < data.n; i++) if (passes(data, state, i)) nodes.push(i);
    return orderedRows(nodes, columns, order);
  };
  const fill = () => {
    if (box.hidden) return;
    const columns = columnsOf(data);
    const rows = listed(columns);
    const first = rows.slice(0, shown).map((i) => element("tr", { "aria-selected": String(i === state.selected), "data-node": String(i) }, ...columns.map((column) => cell(column, i))));
    head.replaceChildren(element("tr", {}, ...columns.map(heading)));
    body.replaceChildren(...first);
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
  const csv = () => {
    const columns = columnsOf(data);
    return csvOf(listed(columns), columns);
  };
  return { fill, csv };
}
