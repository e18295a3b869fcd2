import { bare, element, money, part, plural, score, shown } from "./format.js";
import { readData } from "./data.js";
import { buildScene, coverageText, freshState, isDrawn } from "./scene.js";
import { bounds, fit, makeCamera, toScreen, zoomAt } from "./camera.js";
import { webglRenderer } from "./gl.js";
import { canvasRenderer, outline, penOf } from "./canvas.js";
import { hatch, paint, readTheme } from "./paint.js";
import { drawLabels } from "./labels.js";
import { fillLegend } from "./legend.js";
import { fillPanel, groupName } from "./panel.js";
import { makeSearch } from "./search.js";
import { makeFilters } from "./controls.js";
import { countStates, makePlayer, statesAt } from "./story.js";
import { makeTable } from "./table.js";
import { makeExports } from "./export.js";
import { svgOf } from "./svg.js";
import { neighbourTowards } from "./walk.js";
import { pick, watchPointer } from "./pointer.js";

// Puts the parts together: one state, one scene made from it, one picture painted from that.

/** @import { Camera, Point } from "./camera.js" */
/** @import { Picture } from "./export.js" */
/** @import { Renderer } from "./gl.js" */
/** @import { Taken, Written } from "./labels.js" */
/** @import { Found } from "./pointer.js" */

/**
 * What the reader can do; points are CSS pixels of the picture.
 * @typedef {object} Actions
 * @property {(i: number) => void} select a node, -1 for none
 * @property {(hub: number) => void} group opens or closes one
 * @property {(px: number, py: number) => void} hover negative where the pointer has left
 * @property {(px: number, py: number) => void} click
 * @property {(steps: number) => void} hops
 * @property {(dx: number, dy: number) => boolean} walk to the neighbour that lies there; false where nothing is selected
 * @property {() => void} story
 * @property {() => void} moved
 * @property {() => void} fit
 */

/** @typedef {{marks: HTMLCanvasElement, names: HTMLCanvasElement, renderer: Renderer, context: CanvasRenderingContext2D}} Layers */

// Milliseconds a full picture may take; where two were slower, the last one is moved and redrawn only at rest.
const SLOW = 30;
const HIDDEN = 1000; // longer than that no picture takes: the page was out of sight
const REST = 140;

/** @param {string} id */
const byId = (id) => part(id, HTMLElement);
const data = readData(byId("data").textContent ?? "");
const state = freshState(data);
const camera = makeCamera();
const box = bounds(data);
const stage = byId("stage");
let theme = readTheme();
let scene = buildScene(data, state);
let layers = makeLayers(true);
/** @type {Taken[]} */
let names = []; // boxes of the names on screen
/** @type {Camera | null} */
let drawnAt = null; // the camera of the picture on screen
let pending = 0;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let resting;
let slow = 0; // full pictures that took too long
let touched = false; // whether the reader has moved the picture

/**
 * @param {boolean} tryWebgl
 * @returns {Layers}
 */
function makeLayers(tryWebgl) {
  let marks = element("canvas", { id: "marks", "aria-hidden": "true" });
  let renderer = tryWebgl ? webglRenderer(marks) : null;
  if (!renderer) {
    marks = element("canvas", { id: "marks", "aria-hidden": "true" }); // a canvas never changes its kind
    renderer = canvasRenderer(marks);
  }
  const written = element("canvas", { id: "names", "aria-hidden": "true" });
  byId("layers").replaceChildren(marks, written);
  stage.dataset.renderer = renderer.name;
  marks.addEventListener("webglcontextlost", (event) => {
    event.preventDefault();
    layers = makeLayers(false);
    resize();
  });
  return { marks, names: written, renderer, context: penOf(written) };
}

function ratio() {
  return Math.min(window.devicePixelRatio || 1, 2);
}

function resize() {
  camera.width = stage.clientWidth;
  camera.height = stage.clientHeight;
  for (const canvas of [layers.marks, layers.names]) {
    canvas.width = Math.max(Math.round(camera.width * ratio()), 1);
    canvas.height = Math.max(Math.round(camera.height * ratio()), 1);
    canvas.style.width = camera.width + "px";
    canvas.style.height = camera.height + "px";
  }
  if (!touched) fit(camera, box);
  refill();
}

function refill() {
  layers.renderer.fill(paint(data, state, scene, theme));
  drawnAt = null;
  redraw();
}

// Everything that a filter, a group or a selection changes.
function changed() {
  scene = buildScene(data, state);
  byId("coverage").textContent = coverageText(data, scene.coverage);
  fillPanel(byId("panel"), data, state, act);
  nodeTable.fill();
  refill();
}

function redraw() {
  if (!pending) pending = requestAnimationFrame(frame);
}

/** @param {number} now milliseconds */
function frame(now) {
  pending = 0;
  clearTimeout(resting);
  resting = undefined;
  if (slow > 1 && drawnAt) {
    movePicture(drawnAt);
    resting = setTimeout(() => { drawnAt = null; redraw(); }, REST);
    return;
  }
  for (const canvas of [layers.marks, layers.names]) canvas.style.transform = "";
  layers.renderer.draw(camera, ratio());
  drawnAt = { ...camera };
  drawNames();
  requestAnimationFrame((next) => { if (next - now > SLOW && next - now < HIDDEN) slow++; });
}

/** @param {Camera} was of the picture on screen */
function movePicture(was) {
  const k = camera.scale / was.scale;
  const [x, y] = toScreen(camera, was.x - was.width / 2 / was.scale, was.y - was.height / 2 / was.scale);
  for (const canvas of [layers.marks, layers.names]) canvas.style.transform = `translate(${x}px, ${y}px) scale(${k})`;
}

function drawNames() {
  names = drawLabels(layers.context, camera, ratio(), data, state, scene, theme, hatched);
}

/** @type {(i: number) => Point} */
const spotOf = (i) => toScreen(camera, data.node.x[i], data.node.y[i]);
/** @param {CanvasRenderingContext2D} context */
const hatched = (context) => hatch(context, camera, data, scene, spotOf, outline);

/**
 * All that an export needs; a canvas of its own is drawn at any sharpness.
 * @returns {Picture}
 */
function picture() {
  /** @type {Written[]} */
  const texts = [];
  const scratch = penOf(element("canvas", {}));
  drawLabels(scratch, camera, 0, data, state, scene, theme, undefined, texts);
  return {
    data, scene, camera, theme, place: spotOf, names: texts, title: document.title, source: byId("source").textContent ?? "", csv: nodeTable.csv,
    draw(context, sharp) {
      const marks = element("canvas", { width: String(camera.width * sharp), height: String(camera.height * sharp) });
      const renderer = canvasRenderer(marks);
      renderer.fill(paint(data, state, scene, theme));
      renderer.draw(camera, sharp);
      context.drawImage(marks, 0, 0, camera.width, camera.height);
      drawLabels(context, camera, 0, data, state, scene, theme, hatched);
    },
  };
}

/** @param {number} i */
function describe(i) {
  const kind = data.kindOf(i);
  const rank = data.ranks && Number.isFinite(data.ranks.of(i, "contagion")) ? `, R ${score(data.ranks.of(i, "contagion"))}` : "";
  return `${kind}, exposure ${money(data.node.size[i])}${rank}`;
}

/**
 * @param {Found} found
 * @param {number} px
 * @param {number} py
 */
function showTip(found, px, py) {
  const tip = byId("tip");
  tip.hidden = found.node === undefined && found.group === undefined;
  stage.style.cursor = tip.hidden ? "" : "pointer";
  if (found.node !== undefined) {
    tip.replaceChildren(element("bdi", {}, bare(data.labels[found.node], data.kindOf(found.node))), element("p", {}, describe(found.node)));
  } else if (found.group !== undefined) {
    tip.replaceChildren(groupName(data, found.group), element("p", {}, state.open.has(found.group) ? "click to close" : "click to open"));
  }
  if (tip.hidden) return;
  const right = px > camera.width / 2;
  tip.style.left = right ? "" : px + 14 + "px";
  tip.style.right = right ? camera.width - px + 14 + "px" : "";
  tip.style.top = Math.min(py + 14, camera.height - tip.offsetHeight - 4) + "px";
}

/** @param {string} text */
function say(text) {
  byId("status").textContent = text;
}

/** @type {Actions} */
const act = {
  select(i) {
    state.selected = i;
    state.group = -1;
    if (i < 0) state.hops = 0;
    if (i >= 0) bring(i);
    changed();
    byId("panel").scrollTop = 0;
    say(i < 0 ? "Selection cleared" : `Selected ${data.labels[i]}, ${describe(i)}`);
  },
  group(hub) {
    const opening = !state.open.has(hub);
    if (opening) state.open.add(hub);
    else state.open.delete(hub);
    state.selected = -1;
    state.group = hub;
    changed();
    say(`${groupName(data, hub)} ${opening ? "opened" : "closed"}`);
  },
  hover(px, py) {
    const found = px < 0 ? {} : pick(camera, data, scene, px, py);
    const now = found.node === undefined ? -1 : found.node;
    showTip(found, px, py);
    if (now === state.hovered) return;
    state.hovered = now;
    if (!resting) drawNames();
  },
  click(px, py) {
    const found = pick(camera, data, scene, px, py);
    if (found.node !== undefined) act.select(found.node);
    else if (found.group !== undefined) act.group(found.group);
    else if (state.selected >= 0 || state.group >= 0) act.select(-1);
  },
  hops(steps) {
    state.hops = steps;
    changed();
    byId("hops").querySelectorAll("button")[steps]?.focus();
    say(steps ? `${plural(scene.nodes.length, "node")} within ${plural(steps, "step")}` : "The whole network");
  },
  walk(dx, dy) {
    if (state.selected < 0) return false;
    const next = neighbourTowards(data, state, state.selected, dx, dy);
    if (next >= 0) act.select(next);
    else say("No neighbour in this direction");
    return true;
  },
  story() {
    data.states = state.story >= 0 ? statesAt(data.stories[state.story], data.n, state.frame) : null;
    fillLegend(byId("legend"), data, state);
    changed();
    say(player.said());
  },
  moved() { touched = true; byId("tip").hidden = true; redraw(); },
  fit() { touched = false; fit(camera, box); redraw(); },
};

/**
 * Moves the picture only where the node would be out of sight.
 * @param {number} i
 */
function bring(i) {
  const [x, y] = toScreen(camera, data.node.x[i], data.node.y[i]);
  if (x > 20 && y > 20 && x < camera.width - 20 && y < camera.height - 20) return;
  camera.x = data.node.x[i];
  camera.y = data.node.y[i];
  touched = true;
}

const filters = makeFilters(data, state, changed);
const search = makeSearch(part("query", HTMLInputElement), byId("suggestions"), data, act.select);
fillLegend(byId("legend"), data, state);
const nodeTable = makeTable(data, state, act);
const player = makePlayer(data, state, act);
makeExports(data, picture, say);
watchPointer(stage, camera, act);
byId("closer").addEventListener("click", () => { zoomAt(camera, 1.4, camera.width / 2, camera.height / 2); act.moved(); });
byId("farther").addEventListener("click", () => { zoomAt(camera, 1 / 1.4, camera.width / 2, camera.height / 2); act.moved(); });
byId("reset").addEventListener("click", () => {
  Object.assign(state, freshState(data));
  data.states = null;
  player.reset();
  fillLegend(byId("legend"), data, state);
  filters.reset();
  search.clear();
  act.fit();
  changed();
  say(`Reset: ${plural(scene.nodes.length, "node")} drawn`);
});
new ResizeObserver(resize).observe(stage);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { theme = readTheme(); refill(); });
changed();

// For scripts that stand beside the page: where things are, and what is chosen.
const offered = Object.freeze({
  labels: data.labels,
  place: spotOf,
  state: () => ({ selected: state.selected, open: Array.from(state.open), least: state.least, drawn: scene.nodes.length, lines: scene.lines.length, coverage: { ...scene.coverage } }),
  /** @param {number} i */
  isDrawn: (i) => isDrawn(data, state, i),
  /** @param {number} i */
  discOf: (i) => data.node.disc[i] * camera.scale,
  select: act.select,
  names: () => names.map((one) => ({ ...one })),
  written: { money, shown },
  play: player.choose,
  /** @param {number} i */
  stateOf: (i) => (data.states ? data.states[i] : -1),
  counts: () => (data.states ? countStates(data.states, data.stateNames) : null),
  svg: () => svgOf(picture()),
  csv: () => nodeTable.csv(),
});
Object.assign(window, { networkMap: offered });
