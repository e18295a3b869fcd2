// Where the picture is looked at from: map units to CSS pixels, y downwards in both.

const PADDING = { x: 26, top: 44, bottom: 34 };

export function makeCamera() {
  return { x: 0, y: 0, scale: 1, width: 1, height: 1 };
}

export function bounds(data) {
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let i = 0; i < data.n; i++) {
    const reach = Math.max(data.node.disc[i], data.node.radius[i] * 1.26);
    left = Math.min(left, data.node.x[i] - reach);
    right = Math.max(right, data.node.x[i] + reach);
    top = Math.min(top, data.node.y[i] - reach);
    bottom = Math.max(bottom, data.node.y[i] + reach);
  }
  return data.n ? { left, right, top, bottom } : { left: -1, right: 1, top: -1, bottom: 1 };
}

export function fit(camera, box) {
  const wide = Math.max(camera.width - 2 * PADDING.x, 40);
  const high = Math.max(camera.height - PADDING.top - PADDING.bottom, 40);
  camera.scale = Math.min(wide / Math.max(box.right - box.left, 1), high / Math.max(box.bottom - box.top, 1), 4);
  camera.x = (box.left + box.right) / 2;
  camera.y = (box.top + box.bottom) / 2 - (PADDING.top - PADDING.bottom) / 2 / camera.scale;
}

export function toScreen(camera, x, y) {
  return [(x - camera.x) * camera.scale + camera.width / 2, (y - camera.y) * camera.scale + camera.height / 2];
}

export function toMap(camera, px, py) {
  return [(px - camera.width / 2) / camera.scale + camera.x, (py - camera.height / 2) / camera.scale + camera.y];
}

export function zoomAt(camera, factor, px, py) {
  const [x, y] = toMap(camera, px, py);
  camera.scale = Math.min(Math.max(camera.scale * factor, 0.02), 80);
  camera.x = x - (px - camera.width / 2) / camera.scale;
  camera.y = y - (py - camera.height / 2) / camera.scale;
}
