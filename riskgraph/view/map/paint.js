// From a scene to the bytes that a renderer draws: colours of the theme and the classes, pens, line widths.

/** @import { Camera, Point } from "./camera.js" */
/** @import { MapData } from "./data.js" */
/** @import { Scene, State } from "./scene.js" */
/** @typedef {"paper" | "ink" | "quiet" | "edge" | "sum" | "disc" | "ring" | "outline" | "accent"} Pen */
/** @typedef {Record<Pen, string>} Theme colours as CSS has them */
/** @typedef {{count: number, place: Float32Array, fill: Uint8Array, stroke: Uint8Array, pen: Float32Array}} Marks */
/** @typedef {{count: number, place: Float32Array, fill: Uint8Array, width: Float32Array}} Strokes */
/** @typedef {{discs: Marks, lines: Strokes, nodes: Marks}} Painted */
/** @typedef {(context: CanvasRenderingContext2D, shape: number, x: number, y: number, r: number) => void} Outline */

/** @type {Pen[]} */
const NAMES = ["paper", "ink", "quiet", "edge", "sum", "disc", "ring", "outline", "accent"];

/**
 * The colours of the page as it is shown now, light or dark.
 * @returns {Theme}
 */
export function readTheme() {
  const style = getComputedStyle(document.documentElement);
  const colours = NAMES.map((name) => [name, style.getPropertyValue("--" + name).trim()]);
  return /** @type {Theme} */ (Object.fromEntries(colours));
}

const SHAPES = { circle: 0, square: 1, diamond: 2 };

/**
 * Red, green and blue, 0 to 255.
 * @param {string} hex
 * @returns {number[]}
 */
const bytes = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

/**
 * CSS colour of a node: its state while a story is played, else its class, or its kind where there is no ranking.
 * @param {MapData} data
 * @param {number} i
 * @returns {string}
 */
export function colourOf(data, i) {
  if (data.states) return data.stateColours[data.states[i]];
  if (!data.ranks || !data.ranking) return data.kindColours[data.node.kind[i]];
  const code = data.ranks.classes[i];
  return code === 255 ? data.unrankedColour : data.ranking.colours[code];
}

/**
 * Hatches over the marks of nodes whose state is not the first: dots, stripes, a lattice; so that it holds in print.
 * @param {CanvasRenderingContext2D} context
 * @param {Camera} camera
 * @param {MapData} data
 * @param {Scene} scene
 * @param {(i: number) => Point} place
 * @param {Outline} outline
 */
export function hatch(context, camera, data, scene, place, outline) {
  if (!data.states) return;
  for (const i of scene.nodes) {
    const state = data.states[i];
    const r = data.node.radius[i] * camera.scale;
    if (!state || r < 4) continue;
    const [x, y] = place(i);
    if (x < -r || y < -r || x > camera.width + r || y > camera.height + r) continue;
    context.save();
    outline(context, SHAPES[data.shapes[data.node.kind[i]]], x, y, r);
    context.clip();
    context.strokeStyle = context.fillStyle = state === 3 ? "rgb(255 255 255 / 0.75)" : "rgb(27 36 48 / 0.7)";
    context.lineWidth = 1.4;
    context.beginPath();
    if (state === 1) for (let dx = -r; dx < r; dx += 5) for (let dy = -r; dy < r; dy += 5) context.rect(x + dx, y + dy, 1.6, 1.6);
    else for (let d = -2 * r; d < 2 * r; d += 5) { context.moveTo(x + d - r, y - r); context.lineTo(x + d + r, y + r); }
    if (state === 3) for (let d = -2 * r; d < 2 * r; d += 5) { context.moveTo(x + d + r, y - r); context.lineTo(x + d - r, y + r); }
    if (state === 1) context.fill();
    else context.stroke();
    context.restore();
  }
}

/**
 * @param {number} count
 * @returns {Marks}
 */
function marks(count) {
  return { count, place: new Float32Array(4 * count), fill: new Uint8Array(4 * count), stroke: new Uint8Array(4 * count), pen: new Float32Array(2 * count) };
}

/**
 * The picture as the numbers that a renderer takes.
 * @param {MapData} data
 * @param {State} state
 * @param {Scene} scene
 * @param {Theme} theme
 * @returns {Painted}
 */
export function paint(data, state, scene, theme) {
  return { discs: paintDiscs(data, state, scene, theme), lines: paintLines(data, scene, theme), nodes: paintNodes(data, state, scene, theme) };
}

/**
 * @param {MapData} data
 * @param {State} state
 * @param {Scene} scene
 * @param {Theme} theme
 * @returns {Marks}
 */
function paintDiscs(data, state, scene, theme) {
  const out = marks(scene.discs.length);
  scene.discs.forEach(({ hub, open }, at) => {
    const dim = scene.near && !scene.near.has(hub) ? 0.5 : 1;
    out.place.set([data.node.x[hub], data.node.y[hub], data.node.disc[hub], 0], 4 * at);
    out.fill.set([...bytes(theme.disc), 255 * (open ? 0.35 : 0.85) * dim], 4 * at);
    out.stroke.set([...bytes(state.group === hub ? theme.accent : theme.ring), 255 * dim], 4 * at);
    out.pen.set([state.group === hub ? 2.5 : 1, 2], 2 * at);
  });
  return out;
}

/**
 * @param {MapData} data
 * @param {Scene} scene
 * @param {Theme} theme
 * @returns {Strokes}
 */
function paintLines(data, scene, theme) {
  const all = scene.near ? scene.lines.concat(scene.own) : scene.lines;
  const out = { count: all.length, place: new Float32Array(4 * all.length), fill: new Uint8Array(4 * all.length), width: new Float32Array(all.length) };
  let [low, high] = [Infinity, 0];
  for (const line of all) { low = Math.min(low, line.usd); high = Math.max(high, line.usd); }
  const span = Math.log(high / low) || 1;
  const { x, y } = data.node;
  // Weak lines first, so that strong ones lie on top; the lines of the selected node last.
  const first = scene.lines.length - 1;
  all.forEach((line, i) => {
    const at = i <= first ? first - i : i;
    const own = i > first;
    const strength = high > low ? Math.log(line.usd / low) / span : 1;
    out.place.set([x[line.a], y[line.a], x[line.b], y[line.b]], 4 * at);
    out.width[at] = 0.5 + 3.5 * strength ** 2;
    const base = own ? 0.9 : (line.direct ? 0.16 : 0.2) + 0.5 * strength ** 2;
    out.fill.set([...bytes(own ? theme.accent : line.direct ? theme.edge : theme.sum), 255 * base * (scene.near && !own ? 0.16 : 1)], 4 * at);
  });
  return out;
}

/**
 * @param {MapData} data
 * @param {State} state
 * @param {Scene} scene
 * @param {Theme} theme
 * @returns {Marks}
 */
function paintNodes(data, state, scene, theme) {
  const out = marks(scene.nodes.length);
  /** @type {Map<string, number[]>} */
  const known = new Map();
  /** @param {string} hex */
  const rgb = (hex) => {
    const found = known.get(hex) ?? bytes(hex);
    known.set(hex, found);
    return found;
  };
  scene.nodes.forEach((i, at) => {
    const chosen = i === state.selected;
    const alpha = scene.near && !scene.near.has(i) ? 0.22 : 1;
    out.place.set([data.node.x[i], data.node.y[i], data.node.radius[i], SHAPES[data.shapes[data.node.kind[i]]]], 4 * at);
    out.fill.set([...rgb(colourOf(data, i)), 255 * alpha], 4 * at);
    out.stroke.set([...rgb(chosen ? theme.accent : theme.outline), 255 * alpha], 4 * at);
    out.pen.set([chosen ? 3 : data.isHub(i) ? 1.2 : 0.7, data.isHub(i) ? 3 : 1.3], 2 * at);
  });
  return out;
}
