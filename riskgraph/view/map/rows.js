import { bare } from "./format.js";

// The table's rows without a page: columns, filter, order, and CSV that no spreadsheet takes for formulas.

/** @import { MapData } from "./data.js" */
/** @typedef {{by: string, down: boolean, words: string}} Order */

/**
 * A column of numbers, or of text.
 * @typedef {{name: string, title: string, text?: false, usd?: boolean, count?: boolean, of: (i: number) => number}} NumberColumn
 * @typedef {{name: string, title: string, text: true, of: (i: number) => string}} TextColumn
 * @typedef {NumberColumn | TextColumn} Column
 */

/**
 * Columns of the table that this map has values for; the first is the name.
 * @param {MapData} data
 * @returns {Column[]}
 */
export function columnsOf(data) {
  const { ranks, states } = data;
  /** @type {(name: string) => (i: number) => number} */
  const score = (name) => (i) => data.scoreOf(i, name);
  /** @type {(name: string) => (i: number) => number} */
  const ranked = (name) => (i) => (ranks ? ranks.of(i, name) : NaN);
  /** @type {Column[]} */
  const all = [
    { name: "node", title: "Node", text: true, of: (i) => bare(data.labels[i], data.kindOf(i)) },
    { name: "kind", title: "Kind", text: true, of: (i) => data.kindOf(i) },
    { name: "exposure_usd", title: "Exposure", usd: true, of: (i) => data.node.size[i] },
    { name: "debt_usd", title: "Debt", usd: true, of: (i) => data.node.debt[i] },
    { name: "capital_usd", title: "Capital", usd: true, of: (i) => (data.kindOf(i) === "asset" ? NaN : data.node.capital[i]) },
  ];
  if (ranks) {
    all.push({ name: "contagion", title: "Contagion R", of: ranked("contagion") }, { name: "rank", title: "Rank", count: true, of: ranked("rank") });
    all.push({ name: "loss_usd", title: "Loss it causes", usd: true, of: ranked("loss_usd") });
  }
  if (data.scores.health) all.push({ name: "health", title: "Health", of: score("health") });
  if (data.scores.reused) all.push({ name: "reused_usd", title: "Reused", usd: true, of: score("reused") });
  if (states) all.push({ name: "state", title: "State", text: true, of: (i) => data.stateNames[states[i]] });
  return all;
}

/**
 * Nodes whose name holds the words, in the order of a column; what has no value comes last either way.
 * @param {number[]} nodes
 * @param {Column[]} columns
 * @param {Order} order
 * @returns {number[]}
 */
export function orderedRows(nodes, columns, { by, down, words }) {
  const wanted = words.trim().toLowerCase();
  const name = columns[0].of;
  const kept = wanted ? nodes.filter((i) => String(name(i)).toLowerCase().includes(wanted)) : nodes.slice();
  const column = columns.find((one) => one.name === by) || columns[2];
  const found = kept.map((i) => ({ i, value: column.of(i) }));
  /** @param {string | number} value */
  const missing = (value) => value === "" || Number.isNaN(value);
  found.sort((p, q) => {
    if (missing(p.value) || missing(q.value)) return Number(missing(p.value)) - Number(missing(q.value)) || p.i - q.i;
    return (down ? -1 : 1) * (p.value < q.value ? -1 : p.value > q.value ? 1 : 0) || p.i - q.i;
  });
  return found.map(({ i }) => i);
}

/**
 * One cell of CSV: quoted where it must be, and never the start of a formula.
 * @param {string | number} value
 * @returns {string}
 */
export function csvCell(value) {
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : "";
  const safe = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/u.test(value) ? "'" + value : value;
  return /[",\r\n\t]/u.test(safe) || safe !== value ? `"${safe.replace(/"/gu, '""')}"` : safe;
}

/**
 * Rows as CSV, with a head.
 * @param {number[]} rows
 * @param {Column[]} columns
 * @returns {string}
 */
export function csvOf(rows, columns) {
  const lines = [columns.map((column) => column.name), ...rows.map((i) => columns.map((column) => column.of(i)))];
  return lines.map((cells) => cells.map(csvCell).join(",")).join("\r\n") + "\r\n";
}
