import { toScreen } from "./camera.js";

// The same picture by Canvas2D, where there is no WebGL2.

/** @import { Camera } from "./camera.js" */
/** @import { Renderer } from "./gl.js" */
/** @import { Marks, Painted, Strokes } from "./paint.js" */

/**
 * @param {Uint8Array} bytes
 * @param {number} i
 */
const css = (bytes, i) => `rgb(${bytes[4 * i]} ${bytes[4 * i + 1]} ${bytes[4 * i + 2]} / ${bytes[4 * i + 3] / 255})`;

/**
 * The pen of a canvas; an error where the browser gives none.
 * @param {HTMLCanvasElement} canvas
 * @returns {CanvasRenderingContext2D}
 */
export function penOf(canvas) {
  const context = canvas.getContext("2d");
  if (!context) throw new Error("this browser draws on no canvas");
  return context;
}

/**
 * Draws by Canvas2D.
 * @param {HTMLCanvasElement} canvas
 * @returns {Renderer}
 */
export function canvasRenderer(canvas) {
  const context = penOf(canvas);
  /** @type {Painted | null} */
  let picture = null;
  return {
    name: "canvas2d",
    fill(next) { picture = next; },
    draw(camera, ratio) {
      if (!picture) return;
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.clearRect(0, 0, camera.width, camera.height);
      drawMarks(context, camera, picture.discs);
      drawLines(context, camera, picture.lines);
      drawMarks(context, camera, picture.nodes);
    },
  };
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Camera} camera
 * @param {Strokes} lines
 */
function drawLines(context, camera, lines) {
  for (let i = 0; i < lines.count; i++) {
    context.beginPath();
    context.moveTo(...toScreen(camera, lines.place[4 * i], lines.place[4 * i + 1]));
    context.lineTo(...toScreen(camera, lines.place[4 * i + 2], lines.place[4 * i + 3]));
    context.lineWidth = lines.width[i];
    context.strokeStyle = css(lines.fill, i);
    context.stroke();
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Camera} camera
 * @param {Marks} marks
 */
function drawMarks(context, camera, marks) {
  for (let i = 0; i < marks.count; i++) {
    const [x, y] = toScreen(camera, marks.place[4 * i], marks.place[4 * i + 1]);
    const r = Math.max(marks.place[4 * i + 2] * camera.scale, marks.pen[2 * i + 1]);
    if (x < -2 * r || y < -2 * r || x > camera.width + 2 * r || y > camera.height + 2 * r) continue;
    outline(context, marks.place[4 * i + 3], x, y, r);
    context.fillStyle = css(marks.fill, i);
    context.fill();
    if (marks.pen[2 * i] > 0) {
      context.lineWidth = marks.pen[2 * i];
      context.strokeStyle = css(marks.stroke, i);
      context.stroke();
    }
  }
}

/**
 * The path of a circle, square or diamond, all of equal area.
 * @param {CanvasRenderingContext2D} context
 * @param {number} shape 0 circle, 1 square, 2 diamond
 * @param {number} x
 * @param {number} y
 * @param {number} r of the circle
 */
export function outline(context, shape, x, y, r) {
  context.beginPath();
  if (shape === 0) {
    context.arc(x, y, r, 0, 2 * Math.PI);
  } else if (shape === 1) {
    const half = r * 0.8862;
    context.rect(x - half, y - half, 2 * half, 2 * half);
  } else {
    const tip = r * 1.2533;
    context.moveTo(x, y - tip);
    context.lineTo(x + tip, y);
    context.lineTo(x, y + tip);
    context.lineTo(x - tip, y);
    context.closePath();
  }
}
