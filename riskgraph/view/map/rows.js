import { bare } from "./format.js";

// The table's rows without a page: columns, filter, order, and CSV that no spreadsheet takes for formulas.

/** Columns of the table that this map has values for: name, title, and the value of a node. */
export function columnsOf(data) {
  const score = (name) => (i) => data.scoreOf(i, name);
  const ranked = (name) => (i) => data.ranks.of(i, name);
  const all = [
    { name: "node", title: "Node", text: true, of: (i) => bare(data.labels[i], data.kindOf(i)) },
    { name: "kind", title: "Kind", text: true, of: (i) => data.kindOf(i) },
    { name: "exposure_usd", title: "Exposure", usd: true, of: (i) => data.node.size[i] },
    { name: "debt_usd", title: "Debt", usd: true, of: (i) => data.node.debt[i] },
    { name: "capital_usd", title: "Capital", usd: true, of: (i) => (data.kindOf(i) === "asset" ? NaN : data.node.capital[i]) },
  ];
  if (data.ranks) {
    all.push({ name: "contagion", title: "Contagion R", of: ranked("contagion") }, { name: "rank", title: "Rank", count: true, of: ranked("rank") });
    all.push({ name: "loss_usd", title: "Loss it causes", usd: true, of: ranked("loss_usd") });
  }
  if (data.scores.health) all.push({ name: "health", title: "Health", of: score("health") });
  if (data.scores.reused) all.push({ name: "reused_usd", title: "Reused", usd: true, of: score("reused") });
  if (data.states) all.push({ name: "state", title: "State", text: true, of: (i) => data.stateNames[data.states[i]] });
  return all;
}

/** Nodes whose name holds the words, in the order of a column; what has no value comes last either way. */
export function orderedRows(nodes, columns, { by, down, words }) {
  const wanted = words.trim().toLowerCase();
  const name = columns[0].of;
  const kept = wanted ? nodes.filter((i) => name(i).toLowerCase().includes(wanted)) : nodes.slice();
  const column = columns.find((one) => one.name === by) || columns[2];
  const value = new Map(kept.map((i) => [i, column.of(i)]));
  const missing = (i) => (column.text ? value.get(i) === "" : Number.isNaN(value.get(i)));
  const compare = column.text ? (p, q) => (p < q ? -1 : p > q ? 1 : 0) : (p, q) => p - q;
  return kept.sort((p, q) => {
    if (missing(p) || missing(q)) return Number(missing(p)) - Number(missing(q)) || p - q;
    return (down ? -1 : 1) * compare(value.get(p), value.get(q)) || p - q;
  });
}

/** One cell of CSV: quoted where it must be, and never the start of a formula. */
export function csvCell(value) {
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : "";
  const safe = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/u.test(value) ? "'" + value : value;
  return /[",\r\n\t]/u.test(safe) || safe !== value ? `"${safe.replace(/"/gu, '""')}"` : safe;
}

export function csvOf(rows, columns) {
  const lines = [columns.map((column) => column.name), ...rows.map((i) => columns.map((column) => column.of(i)))];
  return lines.map((cells) => cells.map(csvCell).join(",")).join("\r\n") + "\r\n";
}
