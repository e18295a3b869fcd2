import { isolated } from "./format.js";
import { colourOf } from "./paint.js";

// The picture as SVG text: the same marks, lines and names as on screen. Every label is escaped.

/** @import { Picture } from "./export.js" */
/** @import { Shape } from "./legend.js" */

export const MOST_MARKS = 5000;

/**
 * Text that no reader of XML takes for markup; what XML cannot hold becomes U+FFFD.
 * @param {string} text
 * @returns {string}
 */
export function escaped(text) {
  /** @type {Record<string, string>} */
  const marks = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return text.replace(/[&<>"']/gu, (mark) => marks[mark]).replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ud800-\udfff\ufffe\uffff]/gu, "\ufffd");
}

/**
 * @param {number} value
 * @returns {string}
 */
const round = (value) => String(Math.round(value * 100) / 100);

/**
 * @param {Shape} shape
 * @param {number} x
 * @param {number} y
 * @param {number} r
 * @returns {string} an element that is not closed yet
 */
function outlineOf(shape, x, y, r) {
  if (shape === "circle") return `<circle cx="${round(x)}" cy="${round(y)}" r="${round(r)}"`;
  if (shape === "square") return `<rect x="${round(x - 0.8862 * r)}" y="${round(y - 0.8862 * r)}" width="${round(1.7724 * r)}" height="${round(1.7724 * r)}"`;
  const tip = 1.2533 * r;
  return `<path d="M${round(x)} ${round(y - tip)}L${round(x + tip)} ${round(y)}L${round(x)} ${round(y + tip)}L${round(x - tip)} ${round(y)}z"`;
}

const HATCH = ["", "strain", "hit", "ruined"]; // by state

/**
 * The picture as SVG.
 * @param {Pick<Picture, "data" | "scene" | "camera" | "theme" | "names" | "place" | "title" | "source">} given
 * @returns {string}
 */
export function svgOf({ data, scene, camera, theme, names, place, title, source }) {
  const { width, height, scale } = camera;
  const high = height + 46;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${round(width)}" height="${round(high)}" viewBox="0 -26 ${round(width)} ${round(high)}" font-family="system-ui, Arial, sans-serif">`,
    `<title>${escaped(title)}</title>`,
    '<defs><pattern id="strain" width="5" height="5" patternUnits="userSpaceOnUse"><circle cx="2" cy="2" r="0.9" fill="#1b2430"/></pattern>',
    '<pattern id="hit" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M0 0V5" stroke="#1b2430" stroke-width="1.6"/></pattern>',
    '<pattern id="ruined" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M0 0V6M0 0H6" stroke="#ffffff" stroke-width="1.4"/></pattern></defs>',
    `<rect x="0" y="-26" width="${round(width)}" height="${round(high)}" fill="${theme.paper}"/>`,
    `<text x="8" y="-9" font-size="14" font-weight="600" fill="${theme.ink}">${escaped(title)}</text>`,
  ];
  for (const { hub } of scene.discs) {
    const [x, y] = place(hub);
    parts.push(`${outlineOf("circle", x, y, Math.max(data.node.disc[hub] * scale, 2))} fill="${theme.disc}" stroke="${theme.ring}"/>`);
  }
  for (const line of scene.lines.concat(scene.own)) {
    const [[ax, ay], [bx, by]] = [place(line.a), place(line.b)];
    const own = scene.own.includes(line);
    parts.push(`<path d="M${round(ax)} ${round(ay)}L${round(bx)} ${round(by)}" stroke="${own ? theme.accent : line.direct ? theme.edge : theme.sum}" stroke-opacity="${own ? 0.9 : 0.3}" stroke-width="${line.direct ? 1.2 : 0.8}"/>`);
  }
  for (const i of scene.nodes.slice(0, MOST_MARKS)) {
    const [x, y] = place(i);
    const shape = data.shapes[data.node.kind[i]];
    const r = Math.max(data.node.radius[i] * scale, data.isHub(i) ? 3 : 1.3);
    parts.push(`${outlineOf(shape, x, y, r)} fill="${colourOf(data, i)}" stroke="${theme.outline}" stroke-width="${data.isHub(i) ? 1.2 : 0.7}"/>`);
    if (data.states && data.states[i] && r >= 4) parts.push(`${outlineOf(shape, x, y, r)} fill="url(#${HATCH[data.states[i]]})"/>`);
  }
  for (const { text, x, y, size, weight, fill } of names) {
    parts.push(`<text x="${round(x)}" y="${round(y)}" font-size="${size}" font-weight="${weight}" fill="${fill}" text-anchor="middle" dominant-baseline="central">${escaped(isolated(text))}</text>`);
  }
  parts.push(`<text x="8" y="${round(height + 12)}" font-size="10" fill="${theme.quiet}">${escaped(source)}</text></svg>\n`);
  return parts.join("\n");
}
