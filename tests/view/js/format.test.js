import assert from "node:assert/strict";
import test from "node:test";
import { bare, money, percent, plural, score, shown } from "./map/format.js";

test("money keeps three digits, also where rounding reaches the next unit", () => {
  const wanted = [[0, "$0"], [0.004, "<$0.01"], [9.994, "$9.99"], [9.996, "$10.0"], [999.4, "$999"], [999.5, "$1.00k"], [999449, "$999k"], [999500, "$1.00m"],
    [-2.5e9, "−$2.50bn"], [1.234e15, "$1,234tn"], [NaN, "n/a"], [-Infinity, "−∞"]];
  for (const [usd, text] of wanted) assert.equal(money(usd), text);
});

test("scores, shares and counts", () => {
  assert.equal(score(0.123456), "0.123");
  assert.equal(score(0.00001234), "1.2e−5");
  assert.equal(score(250000), "250k");
  assert.equal(score(Infinity), "n/a");
  assert.equal(percent(0.0004), "<0.1 %");
  assert.equal(percent(0), "0.0 %");
  assert.equal(percent(0.25), "25.0 %");
  assert.equal(plural(1, "node"), "1 node");
  assert.equal(plural(1234, "node"), "1,234 nodes");
});

test("a label loses its own kind in front, and nothing else", () => {
  assert.equal(bare("asset:ETH", "asset"), "ETH");
  assert.equal(bare("account:ETH", "asset"), "account:ETH");
  assert.equal(bare("asset:", "asset"), "asset:");
});

test("long names lose their middle, addresses all but their ends, and no sign is cut in two", () => {
  assert.equal(shown("account:0x" + "ab".repeat(20), "account"), "0xabab…abab");
  assert.equal(shown("asset:" + "abcdefghij", "asset", 5), "ab…ij");
  assert.equal(Array.from(shown("asset:" + "\u{1F600}".repeat(30), "asset", 7)).length, 7);
  assert.doesNotMatch(shown("asset:" + "\u{1F600}".repeat(30), "asset", 7), /[\ud800-\udfff]/u);
  assert.equal(shown("asset:a \n b", "asset"), "a b");
});
