import { chainLines } from "./chains.js";
import { passes } from "./data.js";
import { money, whole, percent } from "./format.js";
import { within } from "./walk.js";

// What is on the picture after filters, groups and selection: marks, lines within the budget, and what they stand for.

/** @import { MapData } from "./data.js" */

/**
 * What the reader has chosen; nodes, groups (by hub) and stories by number, -1 for none.
 * @typedef {object} State
 * @property {Set<number>} kinds shown
 * @property {number} least size shown, USD
 * @property {Set<number>} open groups
 * @property {number} selected node
 * @property {number} group
 * @property {number} hovered node
 * @property {number} hops steps round the selected node, 0 for the whole network
 * @property {number} story
 * @property {number} frame
 */

/**
 * A line between two nodes: one exposure (direct), a sum of count of them, or a piece of a chain.
 * @typedef {{a: number, b: number, usd: number, direct: boolean, count?: number, chain?: boolean}} Line
 */
/** @typedef {Line & {count: number}} Folded */
/** @typedef {{hub: number, count: number, open: boolean}} Disc */
/** @typedef {Record<"direct" | "directUsd" | "sums" | "summed" | "summedUsd", number>} Counted */
/** @typedef {Counted & Record<"within" | "withinUsd" | "total" | "totalUsd", number>} Coverage numbers of exposures, USD */

/**
 * @typedef {object} Scene
 * @property {number[]} nodes drawn, the largest first
 * @property {Disc[]} discs
 * @property {Line[]} lines
 * @property {Line[]} own those of the selected node
 * @property {Set<number> | null} near the selected node; all else is dimmed
 * @property {Coverage} coverage
 */

/**
 * Nothing chosen, every kind shown.
 * @param {MapData} data
 * @returns {State}
 */
export function freshState(data) {
  return { kinds: new Set(data.kinds.keys()), least: 0, open: new Set(), selected: -1, group: -1, hovered: -1, hops: 0, story: -1, frame: 0 };
}

/**
 * Whether a node has a mark of its own.
 * @param {MapData} data
 * @param {State} state
 * @param {number} i
 * @returns {boolean}
 */
export function isDrawn(data, state, i) {
  if (i === state.selected) return true;
  return passes(data, state, i) && (!data.isGrouped(i) || state.open.has(data.node.home[i]));
}

/**
 * What a state shows of the data.
 * @param {MapData} data
 * @param {State} state
 * @returns {Scene}
 */
export function buildScene(data, state) {
  const round = state.hops && state.selected >= 0 ? within(data, state, state.selected, state.hops) : null;
  const nodes = [];
  for (let i = 0; i < data.n; i++) if (round ? round.has(i) : isDrawn(data, state, i)) nodes.push(i);
  const folded = fold(data, state);
  if (round) return { nodes, discs: [], lines: among(data, round), own: chainLines(data, state.selected), near: round, coverage: folded.coverage };
  const rest = { nodes, discs: discs(data, state), lines: folded.lines, coverage: folded.coverage };
  if (state.selected < 0) return { ...rest, own: [], near: null };
  const own = neighbourhood(data, state);
  const chains = chainLines(data, state.selected);
  for (const line of chains) own.near.add(line.a).add(line.b);
  return { ...rest, own: chains.length ? chains : own.lines, near: own.near };
}

/**
 * Hub to hub one by one, everything else as sums between hubs, the largest up to the budget.
 * @param {MapData} data
 * @param {State} state
 * @returns {{lines: Folded[], coverage: Coverage}}
 */
function fold(data, state) {
  const { from, to, usd } = data.edge;
  const { home } = data.node;
  /** @type {Map<number, Folded>} */
  const sums = new Map();
  let inside = 0, insideUsd = 0;
  for (let e = 0; e < usd.length; e++) {
    if (!passes(data, state, from[e]) || !passes(data, state, to[e])) continue;
    const direct = data.isHub(from[e]) && data.isHub(to[e]);
    const a = data.isHub(from[e]) ? from[e] : home[from[e]];
    const b = data.isHub(to[e]) ? to[e] : home[to[e]];
    if (a < 0 || b < 0) continue; // stands apart, without a hub: in no line
    if (a === b) { inside++; insideUsd += usd[e]; continue; }
    const key = (Math.min(a, b) * data.n + Math.max(a, b)) * 2 + (direct ? 0 : 1);
    const line = sums.get(key);
    if (line) { line.usd += usd[e]; line.count++; }
    else sums.set(key, { a: Math.min(a, b), b: Math.max(a, b), usd: usd[e], count: 1, direct });
  }
  const all = Array.from(sums.values()).filter((line) => passes(data, state, line.a) && passes(data, state, line.b));
  all.sort((p, q) => q.usd - p.usd || p.a - q.a || p.b - q.b);
  const lines = all.slice(0, data.budget);
  return { lines, coverage: { ...counted(lines), within: inside, withinUsd: insideUsd, total: data.total.exposures, totalUsd: data.total.usd } };
}

/**
 * @param {Folded[]} lines
 * @returns {Counted}
 */
function counted(lines) {
  const seen = { direct: 0, directUsd: 0, sums: 0, summed: 0, summedUsd: 0 };
  for (const line of lines) {
    if (line.direct) { seen.direct += line.count; seen.directUsd += line.usd; }
    else { seen.sums++; seen.summed += line.count; seen.summedUsd += line.usd; }
  }
  return seen;
}

/**
 * What the picture shows of all exposures, in words.
 * @param {MapData} data
 * @param {Coverage} coverage
 * @returns {string}
 */
export function coverageText(data, coverage) {
  /** @param {number} usd */
  const share = (usd) => percent(coverage.totalUsd > 0 ? usd / coverage.totalUsd : 0) + " of value";
  const covered = coverage.direct + coverage.summed + coverage.within;
  const coveredUsd = coverage.directUsd + coverage.summedUsd + coverage.withinUsd;
  const parts = [`${whole(covered)} of ${whole(coverage.total)} exposures, ${share(coveredUsd)}, shown: ${whole(coverage.direct)} as single lines`];
  if (coverage.summed) parts.push(`${whole(coverage.summed)} in ${whole(coverage.sums)} pale lines (sums of small accounts)`);
  if (coverage.within) parts.push(`${whole(coverage.within)} inside discs`);
  let text = parts.join(", ");
  if (data.total.leftOut) text += `. ${whole(data.total.leftOut)} smaller nodes are left out of this map`;
  return text + ". Total " + money(coverage.totalUsd) + ".";
}

/**
 * Every exposure of the selected node: lines to drawn nodes, sums to closed groups.
 * @param {MapData} data
 * @param {State} state
 * @returns {{near: Set<number>, lines: Line[]}}
 */
function neighbourhood(data, state) {
  const s = state.selected;
  const near = new Set([s]);
  /** @type {Map<number, Line>} */
  const found = new Map();
  for (const e of data.incident.of(s)) {
    let other = data.edge.from[e] === s ? data.edge.to[e] : data.edge.from[e];
    if (!passes(data, state, other)) continue;
    if (!isDrawn(data, state, other)) other = data.node.home[other];
    near.add(other);
    if (other === s) continue;
    const line = found.get(other);
    if (line) line.usd += data.edge.usd[e];
    else found.set(other, { a: s, b: other, usd: data.edge.usd[e], direct: true });
  }
  return { near, lines: Array.from(found.values()) };
}

/**
 * Every exposure among some nodes, both directions together: whole, whatever the budget.
 * @param {MapData} data
 * @param {Set<number>} round
 * @returns {Line[]}
 */
function among(data, round) {
  /** @type {Map<number, Line>} */
  const sums = new Map();
  for (const i of round) {
    for (const e of data.incident.of(i)) {
      if (data.edge.from[e] !== i || !round.has(data.edge.to[e])) continue;
      const [a, b] = [Math.min(i, data.edge.to[e]), Math.max(i, data.edge.to[e])];
      const line = sums.get(a * data.n + b);
      if (line) line.usd += data.edge.usd[e];
      else sums.set(a * data.n + b, { a, b, usd: data.edge.usd[e], direct: true });
    }
  }
  return Array.from(sums.values()).sort((p, q) => q.usd - p.usd || p.a - q.a || p.b - q.b);
}

/**
 * @param {MapData} data
 * @param {State} state
 * @returns {Disc[]}
 */
function discs(data, state) {
  /** @type {Disc[]} */
  const found = [];
  for (const [hub, members] of data.groups) {
    if (!passes(data, state, hub)) continue;
    let count = 0;
    for (const i of members) if (passes(data, state, i)) count++;
    if (count) found.push({ hub, count, open: state.open.has(hub) });
  }
  return found;
}
