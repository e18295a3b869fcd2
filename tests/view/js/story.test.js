import assert from "node:assert/strict";
import test from "node:test";
import { countStates, statesAt, whyOf, whySentence } from "./map/story.js";

const story = { node: [0, 1, 0], frame: [1, 2, 4], state: [1, 2, 3], why: [[0, 3, 1, 0.25, "sales", 2], [2, 0, -1, 0, "shock", -1]] };

test("a state holds until the next change", () => {
  assert.deepEqual(Array.from(statesAt(story, 3, 0)), [0, 0, 0]);
  assert.deepEqual(Array.from(statesAt(story, 3, 3)), [1, 2, 0]);
  assert.deepEqual(Array.from(statesAt(story, 3, 9)), [3, 2, 0]);
});

test("nodes in each state", () => {
  assert.deepEqual(countStates([0, 2, 2, 3], ["a", "b", "c", "d"]), [1, 0, 2, 1]);
});

test("why an account fell", () => {
  const data = { labels: ["account:a", "asset:ETH", "account:s"], kindOf: (i) => ["account", "asset", "account"][i] };
  assert.equal(whyOf(story, 1), null);
  assert.equal(whyOf(undefined, 0), null);
  const bare = (text) => text.replace(/[\u2068\u2069]/gu, "");
  assert.equal(bare(whySentence(data, whyOf(story, 0))), "Could be liquidated from round 3 on: ETH had fallen by 25.0 % (sales), most of it sold by s.");
  assert.equal(bare(whySentence(data, whyOf(story, 2))), "Could be liquidated from round 0 on (shock).");
});
