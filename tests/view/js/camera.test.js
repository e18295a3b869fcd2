import assert from "node:assert/strict";
import test from "node:test";
import { bounds, fit, makeCamera, toMap, toScreen, zoomAt } from "./map/camera.js";

const near = (found, wanted) => found.forEach((value, k) => assert.ok(Math.abs(value - wanted[k]) < 1e-9, `${found} is not ${wanted}`));
const camera = (more) => Object.assign(makeCamera(), { width: 800, height: 600 }, more);

test("the middle of the picture is where the camera stands", () => {
  assert.deepEqual(toScreen(camera({ x: 3, y: -2, scale: 5 }), 3, -2), [400, 300]);
  assert.deepEqual(toScreen(camera({ scale: 2 }), 10, 20), [420, 340]); // y downwards in both
});

test("from the map to the screen and back", () => {
  const at = camera({ x: 7, y: 11, scale: 0.3 });
  near(toMap(at, ...toScreen(at, -40, 25)), [-40, 25]);
});

test("what lies under the pointer stays there, also where the zoom ends", () => {
  for (const factor of [1.3, 1 / 1.3, 1e6, 1e-6]) {
    const at = camera({ x: 1, y: 2, scale: 1 });
    const before = toMap(at, 100, 550);
    zoomAt(at, factor, 100, 550);
    near(toMap(at, 100, 550), before);
    assert.ok(at.scale >= 0.02 && at.scale <= 80);
  }
});

test("the box holds marks with their corners, and discs", () => {
  const node = { x: [0, 100], y: [0, 10], radius: [10, 1], disc: [0, 30] };
  assert.deepEqual(bounds({ n: 2, node }), { left: -12.6, right: 130, top: -20, bottom: 40 });
  assert.deepEqual(bounds({ n: 0, node }), { left: -1, right: 1, top: -1, bottom: 1 });
});

test("a box that is fitted lies inside the picture, and touches an edge of its room", () => {
  for (const box of [{ left: -1000, right: 3000, top: 0, bottom: 10 }, { left: 0, right: 10, top: -5000, bottom: 0 }]) {
    const at = camera();
    fit(at, box);
    const [left, top] = toScreen(at, box.left, box.top);
    const [right, bottom] = toScreen(at, box.right, box.bottom);
    assert.ok(left >= 26 - 1e-9 && right <= 774 + 1e-9 && top >= 44 - 1e-9 && bottom <= 566 + 1e-9);
    assert.ok(Math.abs(right - left - 748) < 1e-9 || Math.abs(bottom - top - 522) < 1e-9);
  }
  const one = camera();
  fit(one, { left: 5, right: 5, top: 5, bottom: 5 });
  assert.equal(one.scale, 4); // a single point is not blown up
});
