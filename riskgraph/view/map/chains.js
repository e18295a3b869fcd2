// Chains of reuse: from a base asset through its wrappers to the protocol where the value stands.

/** @import { Chain, MapData } from "./data.js" */
/** @import { Line } from "./scene.js" */

const MOST = 12;

/**
 * Chains that pass a node, those that carry most first.
 * @param {Pick<MapData, "chains">} data
 * @param {number} i node, -1 for none
 * @param {number} [most]
 * @returns {Chain[]}
 */
export function chainsOf(data, i, most = MOST) {
  return i < 0 ? [] : data.chains.filter((chain) => chain.nodes.includes(i)).slice(0, most);
}

/**
 * Lines of the chains of a node, each pair of nodes once with what all of them carry.
 * @param {Pick<MapData, "chains" | "n">} data
 * @param {number} i node, -1 for none
 * @returns {Line[]}
 */
export function chainLines(data, i) {
  /** @type {Map<number, Line>} */
  const sums = new Map();
  for (const { nodes, usd } of chainsOf(data, i)) {
    for (let k = 1; k < nodes.length; k++) {
      const [a, b] = [nodes[k - 1], nodes[k]];
      if (a === b) continue;
      const key = Math.min(a, b) * data.n + Math.max(a, b);
      const line = sums.get(key);
      if (line) line.usd += usd;
      else sums.set(key, { a, b, usd, direct: true, chain: true });
    }
  }
  return Array.from(sums.values());
}
