import { element, isolated, shown } from "./format.js";
import { glyph } from "./legend.js";

// Search with suggestions: names that begin with the words first, then names that hold them, the largest first.

/** @import { MapData } from "./data.js" */

const MOST_MATCHES = 8;

/**
 * Nodes whose names fit some words.
 * @param {Pick<MapData, "n" | "labels" | "kindOf">} data
 * @param {string} query
 * @returns {number[]}
 */
export function matches(data, query) {
  const wanted = query.trim().toLowerCase();
  if (!wanted) return [];
  const first = [];
  const inside = [];
  for (let i = 0; i < data.n && first.length < MOST_MATCHES; i++) {
    const label = data.labels[i].toLowerCase();
    const kind = data.kindOf(i) + ":";
    const at = label.indexOf(wanted);
    if (at === 0 || (label.startsWith(kind) && label.startsWith(wanted, kind.length))) first.push(i);
    else if (at > 0 && inside.length < MOST_MATCHES) inside.push(i);
  }
  return first.concat(inside).slice(0, MOST_MATCHES);
}

/**
 * Ties a field and its list of suggestions to what choosing a node does.
 * @param {HTMLInputElement} input
 * @param {HTMLElement} list
 * @param {MapData} data
 * @param {(i: number) => void} choose
 * @returns {{clear: () => void}}
 */
export function makeSearch(input, list, data, choose) {
  /** @type {number[]} */
  let found = [];
  let active = -1;
  const show = () => {
    list.replaceChildren(...found.map((i, row) => {
      const item = element("li", { role: "option", id: `suggestion-${row}`, "aria-selected": String(row === active) }, glyph(data.shapes[data.node.kind[i]]), " ",
        element("bdi", {}, shown(data.labels[i], data.kindOf(i), 40)));
      item.addEventListener("pointerdown", (event) => { event.preventDefault(); take(i); });
      return item;
    }));
    if (input.value.trim() && !found.length) list.append(element("li", { "aria-disabled": "true" }, "no such node"));
    list.hidden = !input.value.trim();
    input.setAttribute("aria-expanded", String(!list.hidden));
    if (active >= 0) input.setAttribute("aria-activedescendant", `suggestion-${active}`);
    else input.removeAttribute("aria-activedescendant");
  };
  const close = () => { list.hidden = true; input.setAttribute("aria-expanded", "false"); };
  /** @param {number} i */
  const take = (i) => { input.value = isolated(shown(data.labels[i], data.kindOf(i), 40)).slice(1, -1); close(); choose(i); };
  input.addEventListener("input", () => { found = matches(data, input.value); active = found.length ? 0 : -1; show(); });
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { close(); return; }
    if (event.key === "Enter" && found[active] !== undefined && !list.hidden) { event.preventDefault(); take(found[active]); return; }
    if (!["ArrowDown", "ArrowUp"].includes(event.key) || !found.length) return;
    event.preventDefault();
    active = (active + (event.key === "ArrowDown" ? 1 : found.length - 1)) % found.length;
    show();
  });
  return { clear() { input.value = ""; found = []; active = -1; close(); } };
}
