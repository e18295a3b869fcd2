import assert from "node:assert/strict";
import test from "node:test";
import { sliderScale } from "./map/controls.js";
import { matches } from "./map/search.js";

const of = (...labels) => ({ n: labels.length, labels, kindOf: (i) => labels[i].split(":")[0] });

test("names that begin with the words come before larger ones that hold them", () => {
  const data = of("asset:wstETH", "protocol:Aave", "asset:ETH", "account:eth-whale");
  assert.deepEqual(matches(data, " eth "), [2, 3, 0]);
  assert.deepEqual(matches(data, "asset:e"), [2]);
  assert.deepEqual(matches(data, "  "), []);
  assert.deepEqual(matches(data, "no such"), []);
});

test("at most eight, and signs of patterns are plain signs", () => {
  assert.equal(matches(of(...Array.from({ length: 30 }, (_, k) => `account:a${k}`)), "a").length, 8);
  assert.deepEqual(matches(of("account:x.y", "account:xzy", "account:.*"), ".*"), [2]);
});

test("the slider runs by the logarithm from no filter to the largest size", () => {
  const usd = sliderScale({ node: { size: [1e6, 0, 100] } });
  assert.equal(usd(0), 0);
  assert.ok(Math.abs(usd(50) - 1e4) < 1e-6);
  assert.equal(usd(100), 1e6);
  assert.equal(sliderScale({ node: { size: [0] } })(70), 0);
});
