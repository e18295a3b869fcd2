import assert from "node:assert/strict";
import test from "node:test";
import { chainLines, chainsOf } from "./map/chains.js";
import { neighbourTowards, within } from "./map/walk.js";

// 0 – 1 – 2 and 0 – 3: 1 lies right of 0, 3 below it, 2 right of 1.
const edges = [[0, 1], [1, 2], [0, 3]];
const data = {
  n: 4,
  node: { kind: [0, 0, 0, 0], size: [1, 1, 1, 1], x: [0, 10, 20, 0], y: [0, 0, 0, 10] },
  edge: { from: edges.map(([a]) => a), to: edges.map(([, b]) => b) },
  incident: { of: (i) => edges.map((_, e) => e).filter((e) => edges[e].includes(i)) },
  chains: [{ nodes: [0, 1, 2], usd: 5 }, { nodes: [0, 1], usd: 2 }, { nodes: [3], usd: 1 }],
};
const state = { kinds: new Set([0]), least: 0 };

test("within one and two steps", () => {
  assert.deepEqual(Array.from(within(data, state, 0, 1)).sort(), [0, 1, 3]);
  assert.deepEqual(Array.from(within(data, state, 0, 2)).sort(), [0, 1, 2, 3]);
  assert.deepEqual(Array.from(within(data, { kinds: new Set(), least: 0 }, 0, 2)), [0]);
});

test("arrows find the neighbour in their direction and no other", () => {
  assert.equal(neighbourTowards(data, state, 0, 1, 0), 1);
  assert.equal(neighbourTowards(data, state, 0, 0, 1), 3);
  assert.equal(neighbourTowards(data, state, 0, -1, 0), -1);
});

test("chains through a node, and their lines each once", () => {
  assert.equal(chainsOf(data, 1).length, 2);
  assert.deepEqual(chainsOf(data, -1), []);
  assert.deepEqual(chainLines(data, 1).map(({ a, b, usd }) => [a, b, usd]), [[0, 1, 7], [1, 2, 5]]);
});
