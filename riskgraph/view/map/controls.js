import { money, part } from "./format.js";
import { fillKinds } from "./legend.js";

// Filters by kind and by least exposure; the slider runs over the logarithm of size.

/** @import { MapData } from "./data.js" */
/** @import { State } from "./scene.js" */

/**
 * USD at a step of the slider, 0 to 100, by the logarithm of size.
 * @param {Pick<MapData, "node">} data
 * @returns {(step: number) => number}
 */
export function sliderScale(data) {
  let [low, high] = [Infinity, 0];
  for (const size of data.node.size) if (size > 0) { low = Math.min(low, size); high = Math.max(high, size); }
  return (step) => (step <= 0 || high === 0 ? 0 : Math.min(low * (high / low) ** (step / 100), high));
}

/**
 * Ties the filters of the page to the state.
 * @param {MapData} data
 * @param {State} state
 * @param {() => void} changed
 * @returns {{reset: () => void}}
 */
export function makeFilters(data, state, changed) {
  const slider = part("least", HTMLInputElement);
  const output = part("least-usd", HTMLOutputElement);
  const usd = sliderScale(data);
  slider.addEventListener("input", () => {
    state.least = usd(Number(slider.value));
    output.textContent = money(state.least);
    slider.setAttribute("aria-valuetext", "from " + money(state.least));
    changed();
  });
  const box = part("kinds", HTMLFieldSetElement);
  fillKinds(box, data, (kind, on) => {
    if (on) state.kinds.add(kind);
    else state.kinds.delete(kind);
    changed();
  });
  return {
    reset() {
      slider.value = "0";
      output.textContent = "$0";
      for (const input of box.querySelectorAll("input")) input.checked = true;
    },
  };
}
