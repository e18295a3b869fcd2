// Where the picture is looked at from: map units to CSS pixels, y downwards in both.

/** @import { MapData } from "./data.js" */
/** @typedef {[x: number, y: number]} Point */
/**
 * What is in sight: the middle in map units, CSS pixels per map unit, and the picture's size in CSS pixels.
 * @typedef {{x: number, y: number, scale: number, width: number, height: number}} Camera
 */
/** @typedef {{left: number, right: number, top: number, bottom: number}} Box */

const PADDING = { x: 26, top: 44, bottom: 34 };

/**
 * A camera at the origin; fit points it at something.
 * @returns {Camera}
 */
export function makeCamera() {
  return { x: 0, y: 0, scale: 1, width: 1, height: 1 };
}

/**
 * The box round all marks and discs, in map units.
 * @param {Pick<MapData, "n" | "node">} data
 * @returns {Box}
 */
export function bounds(data) {
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let i = 0; i < data.n; i++) {
    const reach = Math.max(data.node.disc[i], data.node.radius[i] * 1.26);
    left = Math.min(left, data.node.x[i] - reach);
    right = Math.max(right, data.node.x[i] + reach);
    top = Math.min(top, data.node.y[i] - reach);
    bottom = Math.max(bottom, data.node.y[i] + reach);
  }
  return data.n ? { left, right, top, bottom } : { left: -1, right: 1, top: -1, bottom: 1 };
}

/**
 * Points the camera so that a box, in map units, fills the picture.
 * @param {Camera} camera
 * @param {Box} box
 */
export function fit(camera, box) {
  const wide = Math.max(camera.width - 2 * PADDING.x, 40);
  const high = Math.max(camera.height - PADDING.top - PADDING.bottom, 40);
  camera.scale = Math.min(wide / Math.max(box.right - box.left, 1), high / Math.max(box.bottom - box.top, 1), 4);
  camera.x = (box.left + box.right) / 2;
  camera.y = (box.top + box.bottom) / 2 - (PADDING.top - PADDING.bottom) / 2 / camera.scale;
}

/**
 * Map units to CSS pixels.
 * @param {Camera} camera
 * @param {number} x
 * @param {number} y
 * @returns {Point}
 */
export function toScreen(camera, x, y) {
  return [(x - camera.x) * camera.scale + camera.width / 2, (y - camera.y) * camera.scale + camera.height / 2];
}

/**
 * CSS pixels to map units.
 * @param {Camera} camera
 * @param {number} px
 * @param {number} py
 * @returns {Point}
 */
export function toMap(camera, px, py) {
  return [(px - camera.width / 2) / camera.scale + camera.x, (py - camera.height / 2) / camera.scale + camera.y];
}

/**
 * Zooms by a factor; what lies under the point, in CSS pixels, stays there.
 * @param {Camera} camera
 * @param {number} factor
 * @param {number} px
 * @param {number} py
 */
export function zoomAt(camera, factor, px, py) {
  const [x, y] = toMap(camera, px, py);
  camera.scale = Math.min(Math.max(camera.scale * factor, 0.02), 80);
  camera.x = x - (px - camera.width / 2) / camera.scale;
  camera.y = y - (py - camera.height / 2) / camera.scale;
}
