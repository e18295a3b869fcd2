import assert from "node:assert/strict";
import test from "node:test";
import { chainLines, chainsOf } from "./map/chains.js";

const many = { n: 50, chains: Array.from({ length: 20 }, (_, k) => ({ nodes: [0, k + 1], usd: 100 - k, side: "supply" })) };

test("the twelve largest chains of a node, or as many as asked for", () => {
  assert.deepEqual(chainsOf(many, 0).map((chain) => chain.usd), Array.from({ length: 12 }, (_, k) => 100 - k));
  assert.equal(chainsOf(many, 0, Infinity).length, 20);
  assert.equal(chainLines(many, 0).length, 12);
});

test("both directions of a pair are one line, and a step to itself is none", () => {
  const data = { n: 3, chains: [{ nodes: [0, 1], usd: 4 }, { nodes: [1, 0], usd: 3 }, { nodes: [0, 0, 2], usd: 1 }] };
  assert.deepEqual(chainLines(data, 0).map(({ a, b, usd }) => [a, b, usd]), [[0, 1, 7], [0, 2, 1]]);
  assert.deepEqual(chainLines(data, -1), []);
});
