import { toScreen } from "./camera.js";

// The same picture by Canvas2D, where there is no WebGL2.

const css = (bytes, i) => `rgb(${bytes[4 * i]} ${bytes[4 * i + 1]} ${bytes[4 * i + 2]} / ${bytes[4 * i + 3] / 255})`;

export function canvasRenderer(canvas) {
  const context = canvas.getContext("2d");
  let picture = null;
  return {
    name: "canvas2d",
    fill(next) { picture = next; },
    draw(camera, ratio) {
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.clearRect(0, 0, camera.width, camera.height);
      drawMarks(context, camera, picture.discs);
      drawLines(context, camera, picture.lines);
      drawMarks(context, camera, picture.nodes);
    },
  };
}

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

// Circle, square, diamond of equal area.
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
