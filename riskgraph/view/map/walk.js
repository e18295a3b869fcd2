import { passes } from "./data.js";

// Round a chosen node: who is within one or two steps, and which neighbour lies in the direction of an arrow.

/** @import { MapData } from "./data.js" */
/** @import { State } from "./scene.js" */

/**
 * Nodes within so many exposures of a node, those that filters hide left out.
 * @param {MapData} data
 * @param {State} state
 * @param {number} start
 * @param {number} hops
 * @returns {Set<number>}
 */
export function within(data, state, start, hops) {
  const found = new Set([start]);
  let edge = [start];
  for (let step = 0; step < hops; step++) {
    /** @type {number[]} */
    const next = [];
    for (const i of edge) {
      for (const e of data.incident.of(i)) {
        const other = data.edge.from[e] === i ? data.edge.to[e] : data.edge.from[e];
        if (found.has(other) || !passes(data, state, other)) continue;
        found.add(other);
        next.push(other);
      }
    }
    edge = next;
  }
  return found;
}

/**
 * The neighbour that lies most in a direction: the smaller angle first, then the nearer; -1 where none does.
 * @param {MapData} data
 * @param {State} state
 * @param {number} from
 * @param {number} dx
 * @param {number} dy y points down
 * @returns {number}
 */
export function neighbourTowards(data, state, from, dx, dy) {
  let best = -1;
  let least = Infinity;
  for (const other of within(data, state, from, 1)) {
    if (other === from) continue;
    const [x, y] = [data.node.x[other] - data.node.x[from], data.node.y[other] - data.node.y[from]];
    const far = Math.hypot(x, y) || 1e-9;
    const along = (x * dx + y * dy) / far;
    if (along < 0.5) continue; // more than 60 degrees off
    const cost = far * (2 - along);
    if (cost < least || (cost === least && other < best)) [best, least] = [other, cost];
  }
  return best;
}
