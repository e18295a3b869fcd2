import { isolated, shown, whole } from "./format.js";
import { toScreen } from "./camera.js";
import { colourOf } from "./paint.js";

// Names on the picture: the most important first, each where it overlaps nothing, else not at all.

/** @import { Box, Camera } from "./camera.js" */
/** @import { MapData } from "./data.js" */
/** @import { Theme } from "./paint.js" */
/** @import { Scene, State } from "./scene.js" */
/** @typedef {Box & {of: number, disc?: boolean}} Taken room that is taken: of a node, or of the disc of hub -1 - of */
/** @typedef {{text: string, x: number, y: number, size: number, weight: number, fill: string}} Written one line, CSS pixels */

const MOST_NAMES = 90;
/** @type {Written[] | null} */
let sink = null; // where lines go, beside the picture

/**
 * Selected and hovered nodes first, then assets and protocols, then the other hubs, each by size.
 * @param {MapData} data
 * @param {State} state
 * @param {Scene} scene
 * @returns {number[]}
 */
function wanted(data, state, scene) {
  /** @param {number} i */
  const core = (i) => data.kindOf(i) === "asset" || data.kindOf(i) === "protocol";
  /** @param {number} i */
  const rank = (i) => (i === state.selected || i === state.hovered ? 0 : core(i) ? 1 : data.isHub(i) ? 2 : 3);
  const few = scene.nodes.filter((i) => rank(i) < 3 && (!scene.near || scene.near.has(i) || rank(i) === 0));
  return few.sort((p, q) => rank(p) - rank(q) || p - q).slice(0, 4 * MOST_NAMES);
}

/**
 * Writes names beside marks, and gives their boxes in CSS pixels of the picture.
 * @param {CanvasRenderingContext2D} context
 * @param {Camera} camera
 * @param {number} ratio device pixels in a CSS pixel; 0 leaves the context as it is
 * @param {MapData} data
 * @param {State} state
 * @param {Scene} scene
 * @param {Theme} theme
 * @param {(context: CanvasRenderingContext2D) => void} [under] draws what lies below them
 * @param {Written[] | null} [texts] takes every line that is written
 * @returns {Taken[]}
 */
export function drawLabels(context, camera, ratio, data, state, scene, theme, under = () => {}, texts = null) {
  if (ratio) {
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, camera.width, camera.height);
  }
  under(context);
  sink = texts;
  context.lineJoin = "round";
  const taken = marksOf(camera, data, scene);
  const marks = taken.length;
  const counts = new Map(scene.discs.map((disc) => [disc.hub, disc.count]));
  let drawn = 0;
  for (const i of wanted(data, state, scene)) {
    if (drawn >= MOST_NAMES) break;
    const lines = [shown(data.labels[i], data.kindOf(i))];
    const small = counts.get(i);
    if (small !== undefined) lines.push(`${whole(small)} small ${data.node.kind[i] === 3 ? "nodes" : "accounts"}`);
    const strong = data.kindOf(i) !== "account" || i === state.selected;
    const inside = writeInside(context, camera, data, i, lines[0], strong);
    if (inside) lines.shift();
    if (lines.length && place(context, camera, data, i, lines, strong && !inside, taken, theme)) drawn++;
    else if (inside) drawn++;
  }
  return taken.slice(marks);
}

/**
 * @param {boolean} strong
 * @param {number} size CSS pixels
 * @returns {string}
 */
function font(strong, size) {
  return `${strong ? 600 : 400} ${size}px system-ui, "Segoe UI", Roboto, Arial, sans-serif`;
}

/**
 * @param {number} row
 * @param {boolean} strong
 * @returns {string}
 */
const lineFont = (row, strong) => (row === 0 ? font(strong, strong ? 12.5 : 11.5) : font(false, 11));

/**
 * Large marks keep their room: a name of another node never lies on them.
 * @param {Camera} camera
 * @param {MapData} data
 * @param {Scene} scene
 * @returns {Taken[]}
 */
function marksOf(camera, data, scene) {
  /** @type {Taken[]} */
  const taken = [];
  for (const i of scene.nodes) {
    if (!data.isHub(i) && data.kindOf(i) !== "asset" && data.kindOf(i) !== "protocol") continue;
    const r = data.node.radius[i] * camera.scale;
    const [x, y] = toScreen(camera, data.node.x[i], data.node.y[i]);
    taken.push({ left: x - r, right: x + r, top: y - r, bottom: y + r, of: i });
    const d = data.node.disc[i] * camera.scale * 0.9;
    if (d > r) taken.push({ left: x - d, right: x + d, top: y - d, bottom: y + d, of: -1 - i, disc: true });
  }
  return taken;
}

// Share of a mark's radius that a line of text may take to either side of its middle.
const ROOM = { circle: 0.82, square: 0.84, diamond: 0.62 };

/**
 * A mark that is large enough carries its name itself, in ink that can be read on its colour.
 * @param {CanvasRenderingContext2D} context
 * @param {Camera} camera
 * @param {MapData} data
 * @param {number} i
 * @param {string} line
 * @param {boolean} strong
 * @returns {boolean}
 */
function writeInside(context, camera, data, i, line, strong) {
  context.font = lineFont(0, strong);
  const half = data.node.radius[i] * camera.scale * ROOM[data.shapes[data.node.kind[i]]];
  if (context.measureText(isolated(line)).width / 2 > half || half < 9) return false;
  const [x, y] = toScreen(camera, data.node.x[i], data.node.y[i]);
  if (x < -half || x > camera.width + half || y < -half || y > camera.height + half) return false;
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(colourOf(data, i).slice(at, at + 2), 16));
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillStyle = 0.299 * r + 0.587 * g + 0.114 * b < 140 ? "#ffffff" : "#1b2430";
  context.fillText(isolated(line), x, y);
  if (sink) sink.push({ text: line, x, y, size: strong ? 12.5 : 11.5, weight: strong ? 600 : 400, fill: String(context.fillStyle) });
  return true;
}

/**
 * Finds room for some lines beside a node, and writes them; false where there is none.
 * @param {CanvasRenderingContext2D} context
 * @param {Camera} camera
 * @param {MapData} data
 * @param {number} i
 * @param {string[]} lines
 * @param {boolean} strong
 * @param {Taken[]} taken
 * @param {Theme} theme
 * @returns {boolean}
 */
function place(context, camera, data, i, lines, strong, taken, theme) {
  const [x, y] = toScreen(camera, data.node.x[i], data.node.y[i]);
  const widths = lines.map((line, row) => {
    context.font = lineFont(row, strong);
    return context.measureText(isolated(line)).width;
  });
  const width = Math.max(...widths) + 4;
  const height = 14 * lines.length;
  const mark = data.node.radius[i] * camera.scale * 1.26;
  const disc = Math.max(data.node.disc[i] * camera.scale, mark);
  const beside = [disc + width / 2 + 4, 0];
  const [above, below] = [[0, -disc - height / 2 - 3], [0, disc + height / 2 + 3]];
  const within = disc > mark ? [[0, mark + height / 2 + 2], [0, -mark - height / 2 - 2]] : [];
  const around = [below, above, beside, [-beside[0], 0]];
  // On clear paper if there is any, then on the node's own small accounts, then wherever no mark is hidden.
  /** @type {[spots: number[][], paper: boolean, discs: boolean][]} */
  const tries = [[around, false, true], [within, true, false], [around, true, false]];
  for (const [spots, paper, discs] of tries) {
    for (const [dx, dy] of spots) {
      const box = { left: x + dx - width / 2, right: x + dx + width / 2, top: y + dy - height / 2, bottom: y + dy + height / 2, of: i };
      if (box.left < 2 || box.right > camera.width - 2 || box.top < 2 || box.bottom > camera.height - 2) continue;
      if (taken.some((other) => (discs || !other.disc) && other.of !== -1 - i && crosses(box, other))) continue;
      taken.push(box);
      if (paper) plate(context, box, theme);
      write(context, lines, x + dx, box.top, strong, theme);
      return true;
    }
  }
  return false;
}

/**
 * @param {Box} one
 * @param {Box} other
 * @returns {boolean}
 */
const crosses = (one, other) =>
  other.left < one.right && one.left < other.right && other.top < one.bottom && one.top < other.bottom;

/**
 * A name that lies on small accounts or lines gets paper to lie on.
 * @param {CanvasRenderingContext2D} context
 * @param {Box} box
 * @param {Theme} theme
 */
function plate(context, box, theme) {
  context.globalAlpha = 0.82;
  context.fillStyle = theme.paper;
  context.fillRect(box.left - 1, box.top, box.right - box.left + 2, box.bottom - box.top);
  context.globalAlpha = 1;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {string[]} lines
 * @param {number} x
 * @param {number} top
 * @param {boolean} strong
 * @param {Theme} theme
 */
function write(context, lines, x, top, strong, theme) {
  context.textAlign = "center";
  context.textBaseline = "middle";
  lines.forEach((line, row) => {
    context.font = lineFont(row, strong);
    context.lineWidth = 3.5;
    context.strokeStyle = theme.paper;
    context.strokeText(isolated(line), x, top + 7 + 14 * row);
    context.fillStyle = row === 0 ? theme.ink : theme.quiet;
    context.fillText(isolated(line), x, top + 7 + 14 * row);
    if (sink) sink.push({ text: line, x, y: top + 7 + 14 * row, size: row ? 11 : strong ? 12.5 : 11.5, weight: row === 0 && strong ? 600 : 400, fill: String(context.fillStyle) });
  });
}
