import { element, isolated, part, percent, plural, shown, whole } from "./format.js";

// Cascades and what-ifs: a slider over their frames, which colours the map by states and tells the figures.

/** @import { Actions } from "./main.js" */
/** @import { MapData, Numbers } from "./data.js" */
/** @import { State } from "./scene.js" */
/** @typedef {{label: string, figures: [name: string, value: string][]}} Frame */
/** @typedef {[node: number, round: number, asset: number, fall: number, cause: string, seller: number]} Trigger -1 for no node */
/** @typedef {{round: number, asset: number, fall: number, cause: string, seller: number}} Why */

/**
 * Changes of state, sorted by frame; a node's state is what its last change says.
 * @typedef {object} Story
 * @property {string} kind cascade or what-if
 * @property {string} name
 * @property {Frame[]} frames
 * @property {Numbers} node
 * @property {Numbers} frame
 * @property {Numbers} state
 * @property {Trigger[]} why
 */

/**
 * @typedef {object} Player
 * @property {(at: number, frame: number) => void} choose
 * @property {() => void} reset
 * @property {() => string} said what is shown, in words
 */

const NONE = "No story";
const PACE = 900; // milliseconds a frame is shown

/**
 * State of every node at a frame: what the last change up to it says.
 * @param {{node: ArrayLike<number>, frame: ArrayLike<number>, state: ArrayLike<number>}} story
 * @param {number} n
 * @param {number} frame
 * @returns {Uint8Array}
 */
export function statesAt(story, n, frame) {
  const states = new Uint8Array(n);
  for (let k = 0; k < story.node.length && story.frame[k] <= frame; k++) states[story.node[k]] = story.state[k];
  return states;
}

/**
 * Nodes in each state.
 * @param {Uint8Array} states
 * @param {string[]} names
 * @returns {number[]}
 */
export function countStates(states, names) {
  const counts = names.map(() => 0);
  for (const state of states) counts[state]++;
  return counts;
}

/**
 * Why an account fell; null where the story does not know.
 * @param {Pick<Story, "why"> | undefined} story
 * @param {number} i
 * @returns {Why | null}
 */
export function whyOf(story, i) {
  const row = story && story.why.find((one) => one[0] === i);
  if (!row) return null;
  const [, round, asset, fall, cause, seller] = row;
  return { round, asset, fall, cause, seller };
}

/**
 * The same in words.
 * @param {Pick<MapData, "labels" | "kindOf">} data
 * @param {Why} why
 * @returns {string}
 */
export function whySentence(data, why) {
  /** @param {number} i */
  const name = (i) => isolated(shown(data.labels[i], data.kindOf(i), 28));
  const when = `Could be liquidated from round ${whole(why.round)} on`;
  const what = why.asset >= 0 ? `: ${name(why.asset)} had fallen by ${percent(why.fall)}` : "";
  const who = why.seller >= 0 ? `, most of it sold by ${name(why.seller)}` : "";
  return `${when}${what} (${why.cause})${who}.`;
}

/**
 * Ties the player of the page to the state; nothing of it is shown where there is no story.
 * @param {MapData} data
 * @param {State} state
 * @param {Actions} act
 * @returns {Player}
 */
export function makePlayer(data, state, act) {
  const box = part("player", HTMLElement);
  const choice = part("story", HTMLSelectElement);
  const play = part("play", HTMLButtonElement);
  const slider = part("frame", HTMLInputElement);
  const title = part("frame-name", HTMLOutputElement);
  const figures = part("figures", HTMLDListElement);
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let timer;
  if (!data.stories.length) return { choose() {}, reset() {}, said: () => NONE };
  box.hidden = false;
  choice.append(element("option", { value: "-1" }, data.ranking ? "Contagion ranking" : "Exposures"));
  data.stories.forEach((story, at) => choice.append(element("option", { value: String(at) }, story.name)));
  const story = () => data.stories[state.story];
  const stop = () => {
    clearInterval(timer);
    timer = undefined;
    play.textContent = "Play";
    play.setAttribute("aria-pressed", "false");
  };
  const show = () => {
    const told = story();
    for (const one of [play, slider, title, figures]) one.hidden = !told;
    if (!told) return;
    slider.max = String(told.frames.length - 1);
    slider.value = String(state.frame);
    slider.setAttribute("aria-valuetext", told.frames[state.frame].label);
    title.textContent = told.frames[state.frame].label;
    figures.replaceChildren(...told.frames[state.frame].figures.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
  };
  /** @param {number} frame */
  const go = (frame) => {
    state.frame = frame;
    show();
    act.story();
  };
  const step = () => {
    if (state.frame + 1 >= story().frames.length) stop();
    else go(state.frame + 1);
  };
  choice.addEventListener("change", () => { stop(); state.story = Number(choice.value); go(0); });
  slider.addEventListener("input", () => { stop(); go(Number(slider.value)); });
  play.addEventListener("click", () => {
    if (timer) { stop(); return; }
    if (state.frame + 1 >= story().frames.length) go(0);
    play.textContent = "Pause";
    play.setAttribute("aria-pressed", "true");
    timer = setInterval(step, PACE);
  });
  show();
  return {
    choose(at, frame) { stop(); choice.value = String(at); state.story = at; go(frame); },
    reset() { stop(); choice.value = "-1"; show(); },
    said() {
      if (!story() || !data.states) return NONE;
      const counts = countStates(data.states, data.stateNames).map((count, k) => `${plural(count, "node")} ${data.stateNames[k]}`);
      return `${story().name}, ${story().frames[state.frame].label}: ${counts.slice(1).join(", ")}`;
    },
  };
}
