import { chainsOf } from "./chains.js";
import { whyOf, whySentence } from "./story.js";
import { bare, element, isolated, money, percent, plural, score, shown, whole } from "./format.js";
import { glyph } from "./legend.js";
import { colourOf } from "./paint.js";
import { passes } from "./data.js";

// The side panel: what matters most, or one node, or one group of small accounts.

/** @import { Chain, MapData } from "./data.js" */
/** @import { Actions } from "./main.js" */
/** @import { State } from "./scene.js" */
/** @typedef {string | Node} Cell */
/** @typedef {[name: string, value: string]} Fact */
/** @typedef {{other: number, out: number, in: number}} Side what a node has at stake with another, and that with it, USD */

const LINKS = 10;

/**
 * Shows what is selected, or what matters most.
 * @param {HTMLElement} box
 * @param {MapData} data
 * @param {State} state
 * @param {Actions} act
 */
export function fillPanel(box, data, state, act) {
  box.replaceChildren();
  if (state.selected >= 0) nodePanel(box, data, state, act);
  else if (state.group >= 0) groupPanel(box, data, state, act);
  else overview(box, data, act);
  if (state.selected >= 0 || state.group >= 0) {
    box.append(element("h3", {}), element("button", { type: "button", onclick: () => act.select(-1) }, "Back to the overview"));
  }
}

/**
 * @param {MapData} data
 * @param {number} i
 * @param {Actions} act
 * @param {boolean} [long] whether the name is written in full
 * @returns {HTMLButtonElement}
 */
function link(data, i, act, long = false) {
  const name = long ? bare(data.labels[i], data.kindOf(i)) : shown(data.labels[i], data.kindOf(i), 28);
  const text = element("bdi", { title: data.labels[i] }, name);
  return element("button", { type: "button", class: "link", onclick: () => act.select(i) }, glyph(data.shapes[data.node.kind[i]], colourOf(data, i)), " ", text);
}

/**
 * @param {string[]} heads
 * @param {Cell[][]} rows
 * @returns {HTMLTableElement}
 */
function table(heads, rows) {
  const head = element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)));
  return element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows.map((cells) => element("tr", {}, ...cells.map((cell) => element("td", {}, cell))))));
}

/**
 * @param {HTMLElement} box
 * @param {MapData} data
 * @param {Actions} act
 */
function overview(box, data, act) {
  box.append(element("h2", {}, "What matters most"));
  const { ranks, ranking } = data;
  const codes = [2, 1, 0, 3].filter((code) => data.node.kind.includes(code));
  for (const code of codes) {
    const noun = data.kinds[code] + "s";
    /** @param {number} i */
    const value = (i) => (ranks && ranking ? ranks.of(i, ranking.column) : data.node.size[i]);
    const of = [];
    for (let i = 0; i < data.n; i++) if (data.node.kind[i] === code && Number.isFinite(value(i))) of.push(i);
    if (!of.length) continue;
    const best = of.sort((p, q) => value(q) - value(p) || p - q).slice(0, 5);
    if (ranks) {
      const shock = ranks.of(best[0], "shock");
      box.append(element("h3", {}, `${noun[0].toUpperCase()}${noun.slice(1)} by contagion`), element("p", { class: "quiet" }, shock < 1 ? `if each falls by ${percent(shock)}` : "if each is wiped out"));
      /** @param {number} i */
      const centrality = (i) => score(ranks.of(i, "contagion"));
      box.append(table([data.kinds[code], "R", "loss"], best.map((i) => [link(data, i, act), centrality(i), money(ranks.of(i, "loss_usd"))])));
    } else {
      box.append(element("h3", {}, `Largest ${noun}`), table([data.kinds[code], "exposure"], best.map((i) => [link(data, i, act), money(data.node.size[i])])));
    }
  }
  groupList(box, data, act);
  notes(box, data);
}

/**
 * @param {HTMLElement} box
 * @param {MapData} data
 * @param {Actions} act
 */
function groupList(box, data, act) {
  if (!data.groups.size) return;
  const hubs = Array.from(data.groups.keys()).sort((p, q) => membersOf(data, q).length - membersOf(data, p).length || p - q);
  const rows = hubs.map((hub) => [element("button", { type: "button", class: "link", onclick: () => act.group(hub) }, groupName(data, hub)), money(total(data, membersOf(data, hub)))]);
  box.append(element("details", {}, element("summary", {}, "Groups of small accounts"), table(["group", "exposure"], rows)));
}

/**
 * @param {HTMLElement} box
 * @param {MapData} data
 */
function notes(box, data) {
  if (data.notes.length) {
    box.append(element("details", {}, element("summary", {}, plural(data.notes.length, "assumption")), element("ul", {}, ...data.notes.map((note) => element("li", {}, note)))));
  }
  const digest = data.digest ? `data ${data.digest.slice(0, 16)}` : "data without digest";
  box.append(element("p", { class: "quiet" }, `riskgraph ${data.version}, ${digest}`));
}

/**
 * @param {Pick<MapData, "groups">} data
 * @param {number} hub
 * @returns {number[]}
 */
const membersOf = (data, hub) => data.groups.get(hub) ?? [];

/**
 * "38 small accounts of stETH".
 * @param {MapData} data
 * @param {number} hub
 * @returns {string}
 */
export function groupName(data, hub) {
  const noun = data.node.kind[hub] === 3 ? "node" : "account";
  return `${plural(membersOf(data, hub).length, "small " + noun)} of ${isolated(shown(data.labels[hub], data.kindOf(hub)))}`;
}

/**
 * @param {MapData} data
 * @param {number[]} members
 * @returns {number} USD
 */
const total = (data, members) => members.reduce((sum, i) => sum + data.node.size[i], 0);

/**
 * @param {HTMLElement} box
 * @param {MapData} data
 * @param {State} state
 * @param {Actions} act
 */
function groupPanel(box, data, state, act) {
  const hub = state.group;
  const members = membersOf(data, hub);
  const open = state.open.has(hub);
  box.append(element("h2", {}, groupName(data, hub)), element("p", {}, "Accounts whose largest exposure is ", link(data, hub, act), "."));
  box.append(element("button", { type: "button", id: "open-group", "aria-expanded": String(open), onclick: () => act.group(hub) }, open ? "Close the group" : "Open the group"));
  box.append(element("dl", {}, ...pairs([["Exposure together", money(total(data, members))], ["Debt together", money(members.reduce((sum, i) => sum + data.node.debt[i], 0))]])));
  box.append(element("h3", {}, "Largest of them"), table(["account", "exposure"], members.slice(0, LINKS).map((i) => [link(data, i, act), money(data.node.size[i])])));
}

/**
 * @param {Fact[]} list
 * @returns {HTMLElement[]}
 */
const pairs = (list) => list.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]);

/**
 * @param {HTMLElement} box
 * @param {MapData} data
 * @param {State} state
 * @param {Actions} act
 */
function nodePanel(box, data, state, act) {
  const i = state.selected;
  const kind = data.kindOf(i);
  box.append(element("h2", {}, element("bdi", {}, bare(data.labels[i], kind))), element("p", { class: "quiet" }, glyph(data.shapes[data.node.kind[i]], colourOf(data, i)), ` ${kind}`));
  const sides = counterparties(data, i);
  /** @type {Fact[]} */
  const facts = [["Size on the map", money(data.node.size[i])], ["Exposed to others", money(sides.out)], ["Others exposed to it", money(sides.in)]];
  if (kind !== "asset") facts.push([kind === "protocol" ? "Capital" : "Equity", money(data.node.capital[i]) + (data.isAssumed(i) ? " (assumed)" : "")]);
  facts.push(["Debt", money(data.node.debt[i])]);
  box.append(element("dl", {}, ...pairs(facts.concat(scoreFacts(data, i), rankFacts(data, i, kind)))));
  storyFacts(box, data, state, i);
  hopsControl(box, state, act);
  chainList(box, data, i, act);
  const hidden = sides.list.filter((side) => !passes(data, state, side.other)).length;
  box.append(element("h3", {}, sides.list.length ? `Counterparties: ${whole(Math.min(LINKS, sides.list.length))} of ${whole(sides.list.length)}` : "No counterparties"));
  if (hidden) box.append(element("p", { class: "quiet" }, `${plural(hidden, "counterparty").replace("partys", "parties")} hidden by the filters`));
  if (sides.list.length) {
    const rows = sides.list.slice(0, LINKS).map((side) => [link(data, side.other, act), side.out ? money(side.out) : "–", side.in ? money(side.in) : "–"]);
    box.append(table(["node", "stake in it", "its stake"], rows));
  }
}

/** @type {[name: string, title: string, written: (value: number) => string][]} */
const SCORES = [["health", "Lowest health factor", score], ["impact", "Eigenvector: impact", score], ["vulnerability", "Eigenvector: vulnerability", score], ["reused", "Reused", money]];

/**
 * @param {MapData} data
 * @param {number} i
 * @returns {Fact[]}
 */
function scoreFacts(data, i) {
  return SCORES.filter(([name]) => Number.isFinite(data.scoreOf(i, name))).map(([name, title, written]) => [title, written(data.scoreOf(i, name))]);
}

/**
 * @param {HTMLElement} box
 * @param {MapData} data
 * @param {State} state
 * @param {number} i
 */
function storyFacts(box, data, state, i) {
  const story = data.stories[state.story];
  if (!story || !data.states) return;
  box.append(element("p", { id: "state" }, element("strong", {}, `${data.stateNames[data.states[i]]}`), ` ${story.frames[state.frame].label}`));
  const why = whyOf(story, i);
  if (why) box.append(element("p", { id: "why" }, whySentence(data, why)));
}

/**
 * @param {HTMLElement} box
 * @param {State} state
 * @param {Actions} act
 */
function hopsControl(box, state, act) {
  const choice = element("div", { id: "hops", role: "group", "aria-label": "How much of the network" });
  ["all", "1 step", "2 steps"].forEach((name, hops) => {
    choice.append(element("button", { type: "button", "aria-pressed": String(state.hops === hops), onclick: () => act.hops(hops) }, name));
  });
  box.append(choice);
}

/**
 * @param {HTMLElement} box
 * @param {MapData} data
 * @param {number} i
 * @param {Actions} act
 */
function chainList(box, data, i, act) {
  const chains = chainsOf(data, i);
  if (!chains.length) return;
  const all = chainsOf(data, i, Infinity).length;
  box.append(element("h3", {}, `Chains of reuse through it${all > chains.length ? `: the largest ${chains.length} of ${all}` : ""}`));
  /** @param {Chain} chain */
  const path = (chain) => element("span", {}, ...chain.nodes.flatMap((node, k) => [k ? " → " : "", link(data, node, act)]), element("small", { class: "quiet" }, ` ${chain.side}`));
  box.append(table(["from base to protocol", "USD"], chains.map((chain) => [path(chain), money(chain.usd)])));
}

/**
 * @param {MapData} data
 * @param {number} i
 * @param {string} kind
 * @returns {Fact[]}
 */
function rankFacts(data, i, kind) {
  const { ranks } = data;
  if (!ranks) return [];
  /** @param {string} name */
  const value = (name) => ranks.of(i, name);
  if (!Number.isFinite(value("contagion"))) return [["Contagion", "not ranked"]];
  return [
    ["Shock", value("shock") < 1 ? `falls by ${percent(value("shock"))}` : "wiped out"],
    ["Contagion centrality R", score(value("contagion"))],
    [`Rank among ${kind}s`, whole(value("rank"))],
    ["Loss it causes", money(value("loss_usd"))],
    ["of it in the first wave", money(value("first_round_usd"))],
    ["Other defaults", whole(value("defaults"))],
  ];
}

/**
 * By other node: what i has at stake with it (out), and what it has at stake with i (in).
 * @param {Pick<MapData, "incident" | "edge">} data
 * @param {number} i
 * @returns {{out: number, in: number, list: Side[]}} the largest first
 */
export function counterparties(data, i) {
  /** @type {Map<number, Side>} */
  const found = new Map();
  const sum = { out: 0, in: 0 };
  for (const e of data.incident.of(i)) {
    const away = data.edge.from[e] === i;
    const other = away ? data.edge.to[e] : data.edge.from[e];
    const side = found.get(other) ?? { other, out: 0, in: 0 };
    found.set(other, side);
    side[away ? "out" : "in"] += data.edge.usd[e];
    sum[away ? "out" : "in"] += data.edge.usd[e];
  }
  const list = Array.from(found.values()).sort((p, q) => q.out + q.in - p.out - p.in || p.other - q.other);
  return { ...sum, list };
}
