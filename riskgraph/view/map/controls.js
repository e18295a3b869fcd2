import { money } from "./format.js";
import { fillKinds } from "./legend.js";

// Filters by kind and by least exposure; the slider runs over the logarithm of size.

export function sliderScale(data) {
  let [low, high] = [Infinity, 0];
  for (const size of data.node.size) if (size > 0) { low = Math.min(low, size); high = Math.max(high, size); }
  return (step) => (step <= 0 || high === 0 ? 0 : Math.min(low * (high / low) ** (step / 100), high));
}

export function makeFilters(data, state, changed) {
  const slider = document.getElementById("least");
  const output = document.getElementById("least-usd");
  const usd = sliderScale(data);
  slider.addEventListener("input", () => {
    state.least = usd(Number(slider.value));
    output.textContent = money(state.least);
    slider.setAttribute("aria-valuetext", "from " + money(state.least));
    changed();
  });
  const box = document.getElementById("kinds");
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
