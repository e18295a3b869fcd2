import { bare, element, money, plural, score, shown } from "./format.js";
import { readData } from "./data.js";
import { buildScene, coverageText, freshState, isDrawn } from "./scene.js";
import { bounds, fit, makeCamera, toScreen, zoomAt } from "./camera.js";
import { webglRenderer } from "./gl.js";
import { canvasRenderer } from "./canvas.js";
import { paint, readTheme } from "./paint.js";
import { drawLabels } from "./labels.js";
import { fillLegend } from "./legend.js";
import { fillPanel, groupName } from "./panel.js";
import { makeSearch } from "./search.js";
import { makeFilters } from "./controls.js";
import { pick, watchPointer } from "./pointer.js";

// Puts the parts together: one state, one scene made from it, one picture painted from that.

// Milliseconds a full picture may take; where two were slower, the last one is moved and redrawn only at rest.
const SLOW = 30;
const HIDDEN = 1000; // longer than that no picture takes: the page was out of sight
const REST = 140;

const byId = (id) => document.getElementById(id);
const data = readData(byId("data").textContent);
const state = freshState(data);
const camera = makeCamera();
const box = bounds(data);
const stage = byId("stage");
let theme = readTheme();
let scene = buildScene(data, state);
let layers = makeLayers(true);
let names = []; // boxes of the names on screen
let drawnAt = null; // the camera of the picture on screen
let pending = 0;
let resting = 0;
let slow = 0; // full pictures that took too long
let touched = false; // whether the reader has moved the picture

function makeLayers(tryWebgl) {
  let marks = element("canvas", { id: "marks", "aria-hidden": "true" });
  let renderer = tryWebgl ? webglRenderer(marks) : null;
  if (!renderer) {
    marks = element("canvas", { id: "marks", "aria-hidden": "true" }); // a canvas never changes its kind
    renderer = canvasRenderer(marks);
  }
  const names = element("canvas", { id: "names", "aria-hidden": "true" });
  byId("layers").replaceChildren(marks, names);
  stage.dataset.renderer = renderer.name;
  marks.addEventListener("webglcontextlost", (event) => {
    event.preventDefault();
    layers = makeLayers(false);
    resize();
  });
  return { marks, names, renderer, context: names.getContext("2d") };
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
  refill();
}

function redraw() {
  if (!pending) pending = requestAnimationFrame(frame);
}

function frame(now) {
  pending = 0;
  clearTimeout(resting);
  resting = 0;
  if (slow > 1 && drawnAt) {
    movePicture();
    resting = setTimeout(() => { drawnAt = null; redraw(); }, REST);
    return;
  }
  for (const canvas of [layers.marks, layers.names]) canvas.style.transform = "";
  layers.renderer.draw(camera, ratio());
  drawnAt = { ...camera };
  drawNames();
  requestAnimationFrame((next) => { if (next - now > SLOW && next - now < HIDDEN) slow++; });
}

function movePicture() {
  const k = camera.scale / drawnAt.scale;
  const [x, y] = toScreen(camera, drawnAt.x - drawnAt.width / 2 / drawnAt.scale, drawnAt.y - drawnAt.height / 2 / drawnAt.scale);
  for (const canvas of [layers.marks, layers.names]) canvas.style.transform = `translate(${x}px, ${y}px) scale(${k})`;
}

function drawNames() {
  names = drawLabels(layers.context, camera, ratio(), data, state, scene, theme);
}

function describe(i) {
  const kind = data.kindOf(i);
  const rank = data.ranks && Number.isFinite(data.ranks.of(i, "contagion")) ? `, R ${score(data.ranks.of(i, "contagion"))}` : "";
  return `${kind}, exposure ${money(data.node.size[i])}${rank}`;
}

function showTip(found, px, py) {
  const tip = byId("tip");
  tip.hidden = found.node === undefined && found.group === undefined;
  stage.style.cursor = tip.hidden ? "" : "pointer";
  if (tip.hidden) return;
  if (found.node !== undefined) {
    tip.replaceChildren(element("bdi", {}, bare(data.labels[found.node], data.kindOf(found.node))), element("p", {}, describe(found.node)));
  } else {
    tip.replaceChildren(groupName(data, found.group), element("p", {}, state.open.has(found.group) ? "click to close" : "click to open"));
  }
  const right = px > camera.width / 2;
  tip.style.left = right ? "" : px + 14 + "px";
  tip.style.right = right ? camera.width - px + 14 + "px" : "";
  tip.style.top = Math.min(py + 14, camera.height - tip.offsetHeight - 4) + "px";
}

function say(text) {
  byId("status").textContent = text;
}

const act = {
  select(i) {
    state.selected = i;
    state.group = -1;
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
  moved() { touched = true; byId("tip").hidden = true; redraw(); },
  fit() { touched = false; fit(camera, box); redraw(); },
};

// Moves the picture only where the node would be out of sight.
function bring(i) {
  const [x, y] = toScreen(camera, data.node.x[i], data.node.y[i]);
  if (x > 20 && y > 20 && x < camera.width - 20 && y < camera.height - 20) return;
  camera.x = data.node.x[i];
  camera.y = data.node.y[i];
  touched = true;
}

const filters = makeFilters(data, state, changed);
const search = makeSearch(byId("query"), byId("suggestions"), data, act.select);
fillLegend(byId("legend"), data);
watchPointer(stage, camera, act);
byId("closer").addEventListener("click", () => { zoomAt(camera, 1.4, camera.width / 2, camera.height / 2); act.moved(); });
byId("farther").addEventListener("click", () => { zoomAt(camera, 1 / 1.4, camera.width / 2, camera.height / 2); act.moved(); });
byId("reset").addEventListener("click", () => {
  Object.assign(state, freshState(data));
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
window.networkMap = Object.freeze({
  labels: data.labels,
  place: (i) => toScreen(camera, data.node.x[i], data.node.y[i]),
  state: () => ({ selected: state.selected, open: Array.from(state.open), least: state.least, drawn: scene.nodes.length, lines: scene.lines.length, coverage: { ...scene.coverage } }),
  isDrawn: (i) => isDrawn(data, state, i),
  discOf: (i) => data.node.disc[i] * camera.scale,
  select: act.select,
  names: () => names.map((box) => ({ ...box })),
  written: { money, shown },
});
