import assert from "node:assert/strict";
import test from "node:test";
import { passes, readData } from "./map/data.js";

const ARRAYS = { u1: Uint8Array, u2: Uint16Array, i4: Int32Array, u4: Uint32Array, f4: Float32Array, f8: Float64Array };
const packed = (type, ...values) => Buffer.from(new ARRAYS[type](values).buffer).toString("base64");

// A hub, the protocol 0, with two accounts round it: the capital of 1 is assumed, 2 is in the group.
const block = {
  labels: ["protocol:P", "account:a", "account:b"], kinds: ["account", "protocol", "asset", "node"], shapes: ["circle", "square", "diamond", "circle"],
  numberType: "u2", chains: [], states: { names: ["same", "hit"], colours: ["#000000", "#ffffff"] },
  nodes: {
    kind: packed("u1", 1, 0, 0), x: packed("f4", 0, 5, -5), y: packed("f4", 0, 1, 2), radius: packed("f4", 4, 1, 1), disc: packed("f4", 9),
    home: packed("i4", -1, 0, 0), flags: packed("u1", 1, 4, 2), size: packed("f8", 30, 20, 10), capital: packed("f8", 3, 2, 1), debt: packed("f8", 0, 0.5, 0),
  },
  edges: { from: packed("u2", 1, 2, 0), to: packed("u2", 0, 0, 1), usd: packed("f4", 20, 10, 5) },
  ranking: { types: { contagion: "f8", rank: "u4" }, node: packed("u2", 0, 2), classes: packed("u1", 1, 255, 0), contagion: packed("f8", 0.5, 0.25), rank: packed("u4", 1, 2) },
  scores: { health: { node: packed("u2", 2), value: packed("f4", 1.5) }, impact: { node: "", value: packed("f4", 1, 2, 3) } },
  stories: [{ kind: "cascade", name: "c", frames: [], node: packed("u2", 2), frame: packed("u2", 1), state: packed("u1", 1), why: [] }],
};
const data = readData(JSON.stringify(block));

test("nodes, their flags and the discs of hubs", () => {
  assert.equal(data.n, 3);
  assert.deepEqual([0, 1, 2].map(data.kindOf), ["protocol", "account", "account"]);
  assert.deepEqual([0, 1, 2].map(data.isHub), [true, false, false]);
  assert.deepEqual([0, 1, 2].map(data.isAssumed), [false, true, false]);
  assert.deepEqual(Array.from(data.node.disc), [9, 0, 0]);
  assert.deepEqual(Array.from(data.groups), [[0, [2]]]);
});

test("every exposure stands at both of its ends, the largest first", () => {
  assert.deepEqual([0, 1, 2].map((i) => Array.from(data.incident.of(i))), [[0, 1, 2], [0, 2], [1]]);
});

test("what a node has no score for is NaN, never 0", () => {
  assert.deepEqual([0, 1, 2].map((i) => data.scoreOf(i, "health")), [NaN, NaN, 1.5]);
  assert.deepEqual([0, 1, 2].map((i) => data.scoreOf(i, "impact")), [1, 2, 3]);
  assert.ok(Number.isNaN(data.scoreOf(0, "reused")));
  assert.deepEqual([0, 1, 2].map((i) => data.ranks.of(i, "contagion")), [0.5, NaN, 0.25]);
  assert.deepEqual([0, 1, 2].map((i) => data.ranks.of(i, "rank")), [1, NaN, 2]);
});

test("a story is unpacked, and none is played at first", () => {
  assert.deepEqual([data.stories[0].node, data.stories[0].frame, data.stories[0].state].map((values) => Array.from(values)), [[2], [1], [1]]);
  assert.equal(data.states, null);
});

test("a map without a ranking", () => {
  assert.equal(readData(JSON.stringify({ ...block, ranking: null })).ranks, null);
});

test("filters: the kind, and the least size itself", () => {
  const state = { kinds: new Set([0]), least: 20 };
  assert.deepEqual([0, 1, 2].map((i) => passes(data, state, i)), [false, true, false]);
});
