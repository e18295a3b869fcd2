import { penOf } from "./canvas.js";
import { element, part } from "./format.js";
import { MOST_MARKS, svgOf } from "./svg.js";

// What can be taken away: the picture as PNG at twice its size or as SVG, the table as CSV, a sheet for the printer.

/** @import { Camera, Point } from "./camera.js" */
/** @import { MapData } from "./data.js" */
/** @import { Written } from "./labels.js" */
/** @import { Theme } from "./paint.js" */
/** @import { Scene } from "./scene.js" */

/**
 * All that an export needs of the picture on screen.
 * @typedef {object} Picture
 * @property {MapData} data
 * @property {Scene} scene
 * @property {Camera} camera
 * @property {Theme} theme
 * @property {(i: number) => Point} place
 * @property {Written[]} names
 * @property {string} title
 * @property {string} source
 * @property {() => string} csv
 * @property {(context: CanvasRenderingContext2D, sharp: number) => void} draw
 */

const SHARP = 2;

/**
 * Hands a file to the reader.
 * @param {string} name
 * @param {Blob} blob
 */
function hand(name, blob) {
  const url = URL.createObjectURL(blob);
  const link = element("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

/**
 * Ties the buttons under Export to what they write.
 * @param {Pick<MapData, "digest">} data
 * @param {() => Picture} given
 * @param {(text: string) => void} say
 */
export function makeExports(data, given, say) {
  /** @param {string} end */
  const name = (end) => `network-map${data.digest ? "-" + data.digest.slice(0, 8) : ""}.${end}`;
  const takes = {
    "take-png": () => {
      const { camera, theme, title, source } = given();
      const canvas = element("canvas", {});
      const high = camera.height + 46;
      canvas.width = Math.round(camera.width * SHARP);
      canvas.height = Math.round(high * SHARP);
      const context = penOf(canvas);
      context.scale(SHARP, SHARP);
      context.fillStyle = theme.paper;
      context.fillRect(0, 0, camera.width, high);
      context.translate(0, 26);
      given().draw(context, SHARP);
      context.textBaseline = "alphabetic";
      context.textAlign = "start";
      context.fillStyle = theme.ink;
      context.font = "600 14px system-ui, Arial, sans-serif";
      context.fillText(title, 8, -9);
      context.fillStyle = theme.quiet;
      context.font = "10px system-ui, Arial, sans-serif";
      context.fillText(source, 8, camera.height + 14);
      canvas.toBlob((blob) => {
        if (blob) hand(name("png"), blob);
        say(blob ? "Picture saved" : "The picture is too large to be saved");
      }, "image/png");
    },
    "take-svg": () => {
      const parts = given();
      hand(name("svg"), new Blob([svgOf(parts)], { type: "image/svg+xml" }));
      const cut = parts.scene.nodes.length - MOST_MARKS;
      say(cut > 0 ? `SVG saved with the ${MOST_MARKS} largest marks; ${cut} smaller ones are left out` : "SVG saved");
    },
    "take-csv": () => { hand(name("csv"), new Blob(["\ufeff", given().csv()], { type: "text/csv;charset=utf-8" })); say("Table saved"); },
    "take-sheet": () => window.print(),
  };
  for (const [id, take] of Object.entries(takes)) part(id, HTMLButtonElement).addEventListener("click", take);
}
