// Marks and lines by WebGL2: one instanced square a mark with its shape cut out in the shader, one a line.

/** @import { Camera } from "./camera.js" */
/** @import { Painted } from "./paint.js" */
/** @typedef {"place" | "fill" | "stroke" | "pen" | "width"} AttributeName */
/** @typedef {[name: AttributeName, size: number, type: number]} Attribute */
/** @typedef {Partial<Record<AttributeName, Float32Array | Uint8Array>> & {count: number}} Values */
/** @typedef {{array: WebGLVertexArrayObject, count: number, fill: (values: Values) => void}} Batch */

/**
 * What draws on a canvas: ratio is device pixels per CSS pixel.
 * @typedef {{name: string, fill: (picture: Painted) => void, draw: (camera: Camera, ratio: number) => void}} Renderer
 */

const MARK_VERTEX = `#version 300 es
layout(location=0) in vec4 mark; layout(location=1) in vec4 fill; layout(location=2) in vec4 stroke; layout(location=3) in vec2 pen;
uniform vec4 view; uniform vec2 size;
out vec2 at; flat out float radius; flat out float shape; flat out float line; flat out vec4 inner; flat out vec4 outer;
void main() {
  vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1) * 2.0 - 1.0;
  radius = max(mark.z * view.z, pen.y);
  float reach = radius * 1.2534 + pen.x + 1.5;
  at = corner * reach; shape = mark.w; line = pen.x; inner = fill; outer = stroke;
  vec2 px = (mark.xy - view.xy) * view.z + size * 0.5 + at;
  gl_Position = vec4((px / size * 2.0 - 1.0) * vec2(1.0, -1.0), 0.0, 1.0);
}`;

const MARK_FRAGMENT = `#version 300 es
precision highp float;
in vec2 at; flat in float radius; flat in float shape; flat in float line; flat in vec4 inner; flat in vec4 outer;
uniform float ratio; out vec4 colour;
float far(vec2 p) {
  if (shape < 0.5) return length(p) - radius;
  if (shape < 1.5) return max(abs(p.x), abs(p.y)) - radius * 0.8862;
  return (abs(p.x) + abs(p.y) - radius * 1.2533) * 0.7071;
}
void main() {
  float d = far(at) * ratio;
  float cover = clamp(0.5 - (d - line * ratio * 0.5), 0.0, 1.0);
  float body = clamp(0.5 - (d + line * ratio * 0.5), 0.0, 1.0);
  vec4 paint = mix(outer, inner, line > 0.0 ? body : 1.0);
  colour = vec4(paint.rgb * paint.a, paint.a) * cover;
}`;

const LINE_VERTEX = `#version 300 es
layout(location=0) in vec4 ends; layout(location=1) in vec4 fill; layout(location=2) in float width;
uniform vec4 view; uniform vec2 size;
out float across; flat out float half_; flat out vec4 inner;
void main() {
  vec2 a = (ends.xy - view.xy) * view.z + size * 0.5, b = (ends.zw - view.xy) * view.z + size * 0.5;
  vec2 along = normalize(b - a + vec2(1e-6, 0.0));
  float side = float(gl_VertexID & 1) * 2.0 - 1.0;
  half_ = width * 0.5; across = side * (half_ + 1.0); inner = fill;
  vec2 px = ((gl_VertexID >> 1) == 0 ? a : b) + vec2(-along.y, along.x) * across;
  gl_Position = vec4((px / size * 2.0 - 1.0) * vec2(1.0, -1.0), 0.0, 1.0);
}`;

const LINE_FRAGMENT = `#version 300 es
precision highp float;
in float across; flat in float half_; flat in vec4 inner; uniform float ratio; out vec4 colour;
void main() {
  float cover = clamp((half_ - abs(across)) * ratio + 0.5, 0.0, 1.0);
  colour = vec4(inner.rgb * inner.a, inner.a) * cover;
}`;

/**
 * @param {WebGL2RenderingContext} gl
 * @param {string} vertex
 * @param {string} fragment
 */
function program(gl, vertex, fragment) {
  const made = gl.createProgram();
  for (const [type, source] of /** @type {[number, string][]} */ ([[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]])) {
    const shader = gl.createShader(type);
    if (!shader) return null;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(made, shader);
  }
  gl.linkProgram(made);
  if (!gl.getProgramParameter(made, gl.LINK_STATUS)) return null;
  return { made, view: gl.getUniformLocation(made, "view"), size: gl.getUniformLocation(made, "size"), ratio: gl.getUniformLocation(made, "ratio") };
}

/**
 * @param {WebGL2RenderingContext} gl
 * @param {Attribute[]} parts
 * @returns {Batch}
 */
function batch(gl, parts) {
  const array = gl.createVertexArray();
  const buffers = parts.map(() => gl.createBuffer());
  gl.bindVertexArray(array);
  parts.forEach(([, size, type], i) => {
    gl.bindBuffer(gl.ARRAY_BUFFER, buffers[i]);
    gl.enableVertexAttribArray(i);
    gl.vertexAttribPointer(i, size, type, type === gl.UNSIGNED_BYTE, 0, 0);
    gl.vertexAttribDivisor(i, 1);
  });
  return {
    array,
    count: 0,
    fill(values) {
      this.count = values.count;
      for (const [i, [name]] of parts.entries()) {
        gl.bindBuffer(gl.ARRAY_BUFFER, buffers[i]);
        gl.bufferData(gl.ARRAY_BUFFER, values[name] ?? null, gl.DYNAMIC_DRAW);
      }
    },
  };
}

/**
 * Draws by WebGL2; null where the browser has none.
 * @param {HTMLCanvasElement} canvas
 * @returns {Renderer | null}
 */
export function webglRenderer(canvas) {
  const gl = canvas.getContext("webgl2", { antialias: false, premultipliedAlpha: true, alpha: true });
  if (!gl) return null;
  const marks = program(gl, MARK_VERTEX, MARK_FRAGMENT);
  const lines = program(gl, LINE_VERTEX, LINE_FRAGMENT);
  if (!marks || !lines) return null;
  const mark = () => batch(gl, [["place", 4, gl.FLOAT], ["fill", 4, gl.UNSIGNED_BYTE], ["stroke", 4, gl.UNSIGNED_BYTE], ["pen", 2, gl.FLOAT]]);
  const batches = { discs: mark(), lines: batch(gl, [["place", 4, gl.FLOAT], ["fill", 4, gl.UNSIGNED_BYTE], ["width", 1, gl.FLOAT]]), nodes: mark() };
  gl.enable(gl.BLEND);
  gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  return {
    name: "webgl2",
    fill(picture) {
      batches.discs.fill(picture.discs);
      batches.lines.fill(picture.lines);
      batches.nodes.fill(picture.nodes);
    },
    draw(camera, ratio) {
      gl.viewport(0, 0, canvas.width, canvas.height);
      gl.clearColor(0, 0, 0, 0);
      gl.clear(gl.COLOR_BUFFER_BIT);
      for (const { drawn, used } of [{ drawn: batches.discs, used: marks }, { drawn: batches.lines, used: lines }, { drawn: batches.nodes, used: marks }]) {
        if (!drawn.count) continue;
        gl.useProgram(used.made);
        gl.uniform4f(used.view, camera.x, camera.y, camera.scale, 0);
        gl.uniform2f(used.size, camera.width, camera.height);
        gl.uniform1f(used.ratio, ratio);
        gl.bindVertexArray(drawn.array);
        gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, drawn.count);
      }
    },
  };
}
