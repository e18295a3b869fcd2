import { element, isolated, percent, plural, shown, whole } from "./format.js";

// Cascades and what-ifs: a slider over their frames, which colours the map by states and tells the figures.

const PACE = 900; // milliseconds a frame is shown

/**
 * State of every node at a frame: what the last change up to it says.
 * @param {{node: ArrayLike<number>, frame: ArrayLike<number>, state: ArrayLike<number>}} story
 * @param {number} n @param {number} frame
 * @returns {Uint8Array}
 */
export function statesAt(story, n, frame) {
  const states = new Uint8Array(n);
  for (let k = 0; k < story.node.length && story.frame[k] <= frame; k++) states[story.node[k]] = story.state[k];
  return states;
}

/** Nodes in each state. */
export function countStates(states, names) {
  const counts = names.map(() => 0);
  for (const state of states) counts[state]++;
  return counts;
}

/** Says why an account fell, as pieces of text and nodes; null where the story does not know. */
export function whyOf(story, i) {
  const row = story && story.why.find((one) => one[0] === i);
  if (!row) return null;
  const [, round, asset, fall, cause, seller] = row;
  return { round, asset, fall, cause, seller };
}

export function whySentence(data, why) {
  const name = (i) => isolated(shown(data.labels[i], data.kindOf(i), 28));
  const when = `Could be liquidated from round ${whole(why.round)} on`;
  const what = why.asset >= 0 ? `: ${name(why.asset)} had fallen by ${percent(why.fall)}` : "";
  const who = why.seller >= 0 ? `, most of it sold by ${name(why.seller)}` : "";
  return `${when}${what} (${why.cause})${who}.`;
}

export function makePlayer(data, state, act) {
  const box = document.getElementById("player");
  const [choice, play, slider, title, figures] = ["story", "play", "frame", "frame-name", "figures"].map((id) => document.getElementById(id));
  let timer = 0;
  if (!data.stories.length) return { reset() {}, show() {} };
  box.hidden = false;
  choice.append(element("option", { value: "-1" }, data.ranking ? "Contagion ranking" : "Exposures"));
  data.stories.forEach((story, at) => choice.append(element("option", { value: String(at) }, story.name)));
  const story = () => data.stories[state.story];
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    play.textContent = "Play";
    play.setAttribute("aria-pressed", "false");
  };
  const show = () => {
    const told = story();
    for (const part of [play, slider, title, figures]) part.hidden = !told;
    if (!told) return;
    slider.max = String(told.frames.length - 1);
    slider.value = String(state.frame);
    slider.setAttribute("aria-valuetext", told.frames[state.frame].label);
    title.textContent = told.frames[state.frame].label;
    figures.replaceChildren(...told.frames[state.frame].figures.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
  };
  const go = (frame) => {
    state.frame = frame;
    show();
    act.story();
  };
  const step = () => {
    if (state.frame + 1 >= story().frames.length) return stop();
    return go(state.frame + 1);
  };
  choice.addEventListener("change", () => { stop(); state.story = Number(choice.value); go(0); });
  slider.addEventListener("input", () => { stop(); go(Number(slider.value)); });
  play.addEventListener("click", () => {
    if (timer) return stop();
    if (state.frame + 1 >= story().frames.length) go(0);
    play.textContent = "Pause";
    play.setAttribute("aria-pressed", "true");
    timer = setInterval(step, PACE);
    return undefined;
  });
  show();
  return {
    show,
    choose(at, frame) { stop(); choice.value = String(at); state.story = at; go(frame); },
    reset() { stop(); choice.value = "-1"; show(); },
    said: () => (story() ? `${story().name}, ${story().frames[state.frame].label}: ${countStates(data.states, data.stateNames).map((count, k) => `${plural(count, "node")} ${data.stateNames[k]}`).slice(1).join(", ")}` : "No story"),
  };
}
