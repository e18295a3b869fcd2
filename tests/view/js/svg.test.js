import assert from "node:assert/strict";
import test from "node:test";
import { escaped } from "./map/svg.js";

test("names cannot leave their place in the drawing", () => {
  assert.equal(escaped(`</text><script>alert("1")</script>&'`), "&lt;/text&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;");
  assert.equal(escaped("a\u0000b\ud800c"), "a\ufffdb\ufffdc");
  assert.equal(escaped("ħ → \u{1F600}"), "ħ → \u{1F600}");
});
