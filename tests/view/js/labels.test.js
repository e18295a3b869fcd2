import assert from "node:assert/strict";
import test from "node:test";
import { drawLabels } from "./map/labels.js";

// A pen whose letters are all 6 pixels wide, and nodes that are assets of radius 5 unless said otherwise.
const pen = () => ({ measureText: (text) => ({ width: 6 * Array.from(text).length }), fillText() {}, strokeText() {}, fillRect() {}, setTransform() {}, clearRect() {} });
const theme = { paper: "#ffffff", ink: "#000000", quiet: "#777777" };
const camera = { x: 200, y: 150, scale: 1, width: 400, height: 300 };

function written(nodes, chosen = {}, scene = {}) {
  const column = (name, rest) => nodes.map((one) => one[name] ?? rest);
  const kinds = column("kind", "asset");
  const data = {
    labels: nodes.map((one, i) => `${kinds[i]}:${one.name}`), kindOf: (i) => kinds[i], isHub: (i) => nodes[i].hub ?? false,
    shapes: ["circle"], kindColours: ["#ffffff"], states: null, ranks: null, ranking: null,
    node: { kind: nodes.map(() => 0), x: column("x"), y: column("y"), radius: column("radius", 5), disc: column("disc", 0) },
  };
  const texts = [];
  const state = { selected: -1, hovered: -1, ...chosen };
  const boxes = drawLabels(pen(), camera, 0, data, state, { nodes: nodes.map((_, i) => i), discs: [], near: null, ...scene }, theme, undefined, texts);
  return { boxes, texts };
}

const apart = (p, q) => p.right <= q.left || q.right <= p.left || p.bottom <= q.top || q.bottom <= p.top;

test("a name stands below its mark where there is room, else above it", () => {
  assert.ok(written([{ name: "ETH", x: 200, y: 150 }]).boxes[0].top > 155);
  assert.ok(written([{ name: "ETH", x: 200, y: 292 }]).boxes[0].bottom < 287);
});

test("names cross no other name, no mark and no edge", () => {
  const nodes = Array.from({ length: 40 }, (_, k) => ({ name: `T${k}`, x: 20 + 19 * (k % 20), y: 140 + 25 * Math.floor(k / 20) }));
  const { boxes } = written(nodes);
  assert.ok(boxes.length > 5 && boxes.length <= 40);
  boxes.forEach((box, k) => {
    assert.ok(box.left >= 2 && box.right <= 398 && box.top >= 2 && box.bottom <= 298);
    for (const other of boxes.slice(k + 1)) assert.ok(apart(box, other));
    for (const { x, y } of nodes) assert.ok(apart(box, { left: x - 5, right: x + 5, top: y - 5, bottom: y + 5 }));
  });
});

test("where one name fits, the chosen node has it", () => {
  const close = [{ name: "first", x: 200, y: 280 }, { name: "other", x: 201, y: 280 }];
  assert.equal(written(close).boxes[0].of, 0);
  assert.equal(written(close, { selected: 1 }).boxes[0].of, 1);
});

test("a large mark carries its name itself, a small account none", () => {
  const large = written([{ name: "ETH", x: 200, y: 150, radius: 60 }]);
  assert.deepEqual(large.boxes, []);
  assert.deepEqual(large.texts.map(({ text, x, y, fill }) => [text, x, y, fill]), [["ETH", 200, 150, "#1b2430"]]);
  assert.deepEqual(written([{ name: "a", kind: "account", x: 200, y: 150 }]).texts, []);
});

test("a hub says how many small accounts stand round it, and dimmed nodes say nothing", () => {
  const hub = [{ name: "P", kind: "protocol", x: 200, y: 150, hub: true, disc: 40 }, { name: "ETH", x: 60, y: 60 }];
  const { texts } = written(hub, {}, { discs: [{ hub: 0, count: 1200, open: false }], near: new Set([0]) });
  assert.deepEqual(texts.map(({ text }) => text), ["P", "1,200 small accounts"]);
});
