import { element, money, plural, score, whole } from "./format.js";

// What colours, shapes, sizes and lines mean, with the number of nodes in each class.

/** @import { MapData } from "./data.js" */
/** @import { State } from "./scene.js" */
/** @import { Story } from "./story.js" */
/** @typedef {"circle" | "square" | "diamond"} Shape */

/** @type {Record<Shape, string>} */
const OUTLINES = { circle: "M7 1.2a5.8 5.8 0 1 0 .01 0z", square: "M1.9 1.9h10.2v10.2h-10.2z", diamond: "M7 0.5L13.5 7L7 13.5L0.5 7z" };
const SVG = "http://www.w3.org/2000/svg";

/**
 * A small mark of a shape, for a legend or a link.
 * @param {Shape} shape
 * @param {string} [fill] a CSS colour
 * @returns {SVGSVGElement}
 */
export function glyph(shape, fill) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "glyph");
  svg.setAttribute("viewBox", "0 0 14 14");
  svg.setAttribute("aria-hidden", "true");
  const mark = document.createElementNS(SVG, "path");
  mark.setAttribute("d", OUTLINES[shape]);
  mark.setAttribute("fill", fill || "none");
  mark.setAttribute("stroke", "currentColor");
  svg.append(mark);
  return svg;
}

/**
 * @param {string} colour
 * @param {string} text
 * @param {number} count
 * @returns {HTMLLIElement}
 */
function swatch(colour, text, count) {
  const bar = element("span", { class: "swatch" });
  bar.style.backgroundColor = colour;
  return element("li", {}, bar, text, document.createElement("br"), element("small", {}, plural(count, "node")));
}

/**
 * Colour and hatch of each state, with the number of nodes in it.
 * @param {HTMLElement} box
 * @param {MapData} data
 * @param {Uint8Array} states
 * @param {Story} story
 * @param {number} frame
 */
function stateLegend(box, data, states, story, frame) {
  const counts = data.stateNames.map(() => 0);
  for (const state of states) counts[state]++;
  const meaning = ["", "an asset fell by 1 %, an account was called, somebody was liquidated at a protocol", "an asset fell by 10 %, an account was liquidated, a reserve bears a loss", "an asset fell by half, an account cannot repay, lenders lose"];
  const items = data.stateNames.map((name, k) => {
    const item = swatch(data.stateColours[k], name, counts[k]);
    item.firstElementChild?.classList.add(`state-${k}`);
    if (meaning[k]) item.setAttribute("title", meaning[k]);
    return item;
  });
  box.append(element("p", {}, element("strong", {}, story.name), ` · ${story.frames[frame].label}`), element("ol", {}, ...items));
  box.append(element("p", { class: "quiet" }, `Under strain: ${meaning[1]}. Hit: ${meaning[2]}. Ruined: ${meaning[3]}.`));
}

/**
 * What the colours mean now: states, classes of the ranking, or kinds.
 * @param {HTMLElement} box
 * @param {MapData} data
 * @param {State} state
 */
export function fillLegend(box, data, state) {
  box.replaceChildren();
  if (data.states) { stateLegend(box, data, data.states, data.stories[state.story], state.frame); return; }
  const { ranking } = data;
  if (!ranking) {
    box.append(element("p", {}, "Colour: kind only (this map was made without a ranking)."));
  } else {
    const value = ranking.column === "contagion" ? score : money;
    const unranked = data.n - ranking.counts.reduce((sum, count) => sum + count, 0);
    const list = ranking.colours.map((colour, k) => swatch(colour, range(value, ranking.low[k], ranking.high[k]), ranking.counts[k]));
    if (unranked) list.push(swatch(data.unrankedColour, "not ranked", unranked));
    box.append(element("p", {}, element("strong", {}, ranking.name), ` · ${ranking.rule} · `, element("span", { class: "quiet" }, ranking.basis)));
    box.append(element("ol", {}, ...list));
  }
  const discs = data.groups.size ? " Pale discs: small accounts round their largest exposure; click one to open it." : "";
  box.append(element("p", { class: "quiet" }, "Area: exposure, above a smallest mark. Line width: log of exposure." + discs));
}

/**
 * @param {(value: number) => string} value
 * @param {number} low
 * @param {number} high
 * @returns {string}
 */
function range(value, low, high) {
  const [from, to] = [value(low), value(high)];
  return from === to ? from : `${from} – ${to}`;
}

/**
 * A box to tick for each kind, with how many there are.
 * @param {HTMLElement} box
 * @param {MapData} data
 * @param {(kind: number, on: boolean) => void} toggled
 */
export function fillKinds(box, data, toggled) {
  /** @type {Map<number, number>} */
  const counts = new Map();
  for (const kind of data.node.kind) counts.set(kind, (counts.get(kind) || 0) + 1);
  for (const kind of [2, 1, 0, 3].filter((code) => counts.has(code))) {
    const count = counts.get(kind) ?? 0;
    const input = element("input", { type: "checkbox", "data-kind": data.kinds[kind] });
    input.checked = true;
    input.addEventListener("change", () => toggled(kind, input.checked));
    const fill = data.ranking ? "none" : data.kindColours[kind];
    const noun = data.kinds[kind] + (count === 1 ? "" : "s");
    box.append(element("label", {}, input, glyph(data.shapes[kind], fill), noun, element("span", { class: "quiet" }, whole(count))));
  }
}
