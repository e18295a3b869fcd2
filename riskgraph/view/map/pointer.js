import { toMap, toScreen, zoomAt } from "./camera.js";

// Mouse, touch and keys on the picture: drag, wheel, pinch, hover, click.

/** @import { Camera, Point } from "./camera.js" */
/** @import { MapData } from "./data.js" */
/** @import { Actions } from "./main.js" */
/** @import { Scene } from "./scene.js" */
/** @typedef {{node?: number, group?: number}} Found */

/**
 * The topmost mark under a point, else the group whose disc it is in.
 * @param {Camera} camera
 * @param {Pick<MapData, "node">} data
 * @param {Pick<Scene, "nodes" | "discs">} scene
 * @param {number} px
 * @param {number} py
 * @returns {Found}
 */
export function pick(camera, data, scene, px, py) {
  for (let at = scene.nodes.length - 1; at >= 0; at--) {
    const i = scene.nodes[at];
    const [x, y] = toScreen(camera, data.node.x[i], data.node.y[i]);
    const reach = Math.max(data.node.radius[i] * camera.scale, 3) + 1.5;
    if ((px - x) ** 2 + (py - y) ** 2 <= reach ** 2) return { node: i };
  }
  const [mx, my] = toMap(camera, px, py);
  for (const { hub } of scene.discs) {
    if (Math.hypot(mx - data.node.x[hub], my - data.node.y[hub]) <= data.node.disc[hub]) return { group: hub };
  }
  return {};
}

/**
 * Ties mouse, touch and keys on the picture to what they do.
 * @param {HTMLElement} stage
 * @param {Camera} camera
 * @param {Actions} act
 */
export function watchPointer(stage, camera, act) {
  /** @type {Map<number, Point>} */
  const down = new Map();
  let travelled = 0;
  /** @type {(event: MouseEvent) => Point} */
  const at = (event) => { const box = stage.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    stage.setPointerCapture(event.pointerId);
    down.set(event.pointerId, at(event));
    if (down.size === 1) travelled = 0;
  });
  stage.addEventListener("pointermove", (event) => {
    const now = at(event);
    const before = down.get(event.pointerId);
    if (!before) { act.hover(...now); return; }
    const other = Array.from(down.entries()).find(([id]) => id !== event.pointerId);
    travelled += Math.hypot(now[0] - before[0], now[1] - before[1]);
    down.set(event.pointerId, now);
    if (other) {
      /** @param {Point} p */
      const span = (p) => Math.max(Math.hypot(p[0] - other[1][0], p[1] - other[1][1]), 1);
      zoomAt(camera, span(now) / span(before), (now[0] + other[1][0]) / 2, (now[1] + other[1][1]) / 2);
    } else if (travelled > 3) {
      camera.x -= (now[0] - before[0]) / camera.scale;
      camera.y -= (now[1] - before[1]) / camera.scale;
    }
    act.moved();
  });
  /** @param {PointerEvent} event */
  const up = (event) => {
    const last = down.get(event.pointerId);
    down.delete(event.pointerId);
    if (last && event.type === "pointerup" && travelled <= 3 && !down.size) act.click(...at(event));
  };
  stage.addEventListener("pointerup", up);
  stage.addEventListener("pointercancel", up);
  stage.addEventListener("pointerleave", () => act.hover(-1, -1));
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoomAt(camera, Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.0016)), ...at(event));
    act.moved();
  }, { passive: false });
  stage.addEventListener("keydown", (event) => keys(event, camera, act));
}

/**
 * @param {KeyboardEvent} event
 * @param {Camera} camera
 * @param {Actions} act
 */
function keys(event, camera, act) {
  const step = 60 / camera.scale;
  /** @type {Point} */
  const middle = [camera.width / 2, camera.height / 2];
  /** @type {Record<string, () => void>} */
  const moves = {
    ArrowLeft: () => { camera.x -= step; }, ArrowRight: () => { camera.x += step; },
    ArrowUp: () => { camera.y -= step; }, ArrowDown: () => { camera.y += step; },
    "+": () => zoomAt(camera, 1.3, ...middle), "=": () => zoomAt(camera, 1.3, ...middle), "-": () => zoomAt(camera, 1 / 1.3, ...middle),
  };
  /** @type {Record<string, () => void>} */
  const others = { Escape: () => act.select(-1), 0: () => act.fit() };
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  /** @type {Record<string, Point>} */
  const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if (!event.shiftKey && Object.hasOwn(ways, event.key) && act.walk(...ways[event.key])) {
    event.preventDefault();
    return;
  }
  if (Object.hasOwn(others, event.key)) {
    event.preventDefault();
    others[event.key]();
  } else if (Object.hasOwn(moves, event.key)) {
    event.preventDefault();
    moves[event.key]();
    act.moved();
  }
}
