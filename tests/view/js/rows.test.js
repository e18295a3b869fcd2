import assert from "node:assert/strict";
import test from "node:test";
import { columnsOf, csvCell, csvOf, orderedRows } from "./map/rows.js";

const data = {
  labels: ["asset:ETH", "account:=1+1", "account:b"],
  node: { size: [3, 5, 4], debt: [0, 2, 1], capital: [9, 3, 3] },
  kindOf: (i) => ["asset", "account", "account"][i],
  ranks: null,
  scores: { health: new Map([[1, 1.5]]) },
  scoreOf: (i, name) => data.scores[name].get(i) ?? NaN,
  states: null,
};
const columns = columnsOf(data);

test("columns are those that the map has values for", () => {
  assert.deepEqual(columns.map((one) => one.name), ["node", "kind", "exposure_usd", "debt_usd", "capital_usd", "health"]);
});

test("rows are sorted both ways, what has no value last", () => {
  assert.deepEqual(orderedRows([0, 1, 2], columns, { by: "exposure_usd", down: true, words: "" }), [1, 2, 0]);
  assert.deepEqual(orderedRows([0, 1, 2], columns, { by: "exposure_usd", down: false, words: "" }), [0, 2, 1]);
  assert.deepEqual(orderedRows([0, 1, 2], columns, { by: "health", down: true, words: "" }), [1, 0, 2]);
  assert.deepEqual(orderedRows([0, 1, 2], columns, { by: "health", down: false, words: "" }), [1, 0, 2]);
  assert.deepEqual(orderedRows([0, 1, 2], columns, { by: "node", down: false, words: " ET" }), [0]);
});

test("equal values keep the order of nodes", () => {
  assert.deepEqual(orderedRows([2, 1], columns, { by: "capital_usd", down: true, words: "" }), [1, 2]);
});

test("no cell starts a formula", () => {
  for (const start of ["=", "+", "-", "@", "\t", "\r", "＝"]) assert.match(csvCell(start + "1"), /^"'/u);
  assert.equal(csvCell('a"b'), '"a""b"');
  assert.equal(csvCell("a,b"), '"a,b"');
  assert.equal(csvCell(-1.5), "-1.5");
  assert.equal(csvCell(NaN), "");
});

test("the table as CSV", () => {
  assert.equal(csvOf([1], columns), "node,kind,exposure_usd,debt_usd,capital_usd,health\r\n\"'=1+1\",account,5,2,3,1.5\r\n");
});
