// The data block of the page, unpacked: typed arrays over all nodes and exposures, and who is exposed to whom.

/** @import { Shape } from "./legend.js" */
/** @import { State } from "./scene.js" */
/** @import { Story } from "./story.js" */
/** @typedef {Uint8Array | Uint16Array | Int32Array | Uint32Array | Float32Array | Float64Array} Numbers */
/** @typedef {"u1" | "u2" | "i4" | "u4" | "f4" | "f8"} NumberType as NumPy names them, little-endian */
/** @typedef {{nodes: number[], usd: number, side: string}} Chain a base asset first, the protocol last */
/** @typedef {Omit<Story, "node" | "frame" | "state"> & {node: string, frame: string, state: string}} PackedStory */

/**
 * The ranking as page.py writes it; its columns stand beside these, packed, under the names in types.
 * @typedef {object} Ranking
 * @property {string} name
 * @property {string} column the one that colours the map
 * @property {string} basis model, shocks and λ₁ in words
 * @property {string[]} colours of the classes, #rrggbb
 * @property {number[]} low least score of each class
 * @property {number[]} high
 * @property {number[]} counts
 * @property {string} rule
 * @property {Record<string, NumberType>} types
 * @property {string} classes packed u1
 * @property {string} node packed
 */

/**
 * The data block as page.py writes it; "packed" is base64 of the bytes of numbers.
 * @typedef {object} Block
 * @property {string} version
 * @property {string | null} digest
 * @property {string[]} labels the largest node first
 * @property {string[]} kinds
 * @property {Shape[]} shapes of the kinds
 * @property {string[]} kindColours #rrggbb
 * @property {string} unrankedColour #rrggbb
 * @property {number} budget most lines at rest
 * @property {NumberType} numberType of the numbers of nodes
 * @property {string[]} notes
 * @property {{exposures: number, usd: number, leftOut: number}} total
 * @property {Record<keyof Nodes, string>} nodes packed; disc for hubs only
 * @property {Record<keyof Edges, string>} edges packed
 * @property {Ranking | null} ranking
 * @property {string} asOf
 * @property {Record<string, {node: string, value: string}>} scores packed; no nodes where every node has a score
 * @property {Chain[]} chains
 * @property {{names: string[], colours: string[]}} states
 * @property {PackedStory[]} stories
 */

/**
 * One value a node: places and radii in map units, money in USD.
 * @typedef {object} Nodes
 * @property {Numbers} kind
 * @property {Numbers} x
 * @property {Numbers} y downwards
 * @property {Numbers} radius
 * @property {Numbers} disc radius of a hub's disc, 0 where it has none
 * @property {Numbers} home the hub a node stands round, -1 for none
 * @property {Numbers} flags 1 hub, 2 in a group, 4 capital assumed
 * @property {Numbers} size
 * @property {Numbers} capital
 * @property {Numbers} debt
 */

/** @typedef {{from: Numbers, to: Numbers, usd: Numbers}} Edges the largest exposure first */
/** @typedef {{start: Uint32Array, list: Uint32Array, of: (i: number) => Uint32Array}} Incident numbers of exposures */

/**
 * @typedef {object} Ranks
 * @property {Numbers} node those ranked
 * @property {Record<string, Numbers>} columns in their order
 * @property {Numbers} classes of every node, 255 where not ranked
 * @property {(i: number, name: string) => number} of NaN where not ranked
 */

/**
 * @typedef {object} Unpacked
 * @property {number} n
 * @property {Nodes} node
 * @property {Edges} edge
 * @property {Incident} incident
 * @property {Map<number, number[]>} groups small accounts by their hub
 * @property {Ranks | null} ranks
 * @property {Record<string, Map<number, number>>} scores
 * @property {(i: number, name: string) => number} scoreOf NaN where there is none
 * @property {Story[]} stories
 * @property {string[]} stateNames
 * @property {string[]} stateColours #rrggbb
 * @property {Uint8Array | null} states of every node, while a story is played
 * @property {(i: number) => boolean} isHub
 * @property {(i: number) => boolean} isGrouped
 * @property {(i: number) => boolean} isAssumed
 * @property {(i: number) => string} kindOf
 */

/** @typedef {Omit<Block, "scores" | "stories" | "states"> & Unpacked} MapData what all other modules read */

const TYPES = { u1: Uint8Array, u2: Uint16Array, i4: Int32Array, u4: Uint32Array, f4: Float32Array, f8: Float64Array };

/**
 * The numbers that stand in base64.
 * @param {string} text
 * @param {NumberType} type
 * @returns {Numbers}
 */
export function unpacked(text, type) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return new TYPES[type](bytes.buffer);
}

/**
 * Unpacks the page's data block.
 * @param {string} text JSON of a Block
 * @returns {MapData}
 */
export function readData(text) {
  /** @type {Block} */
  const raw = JSON.parse(text);
  const n = raw.labels.length;
  const node = readNodes(raw.nodes);
  const edge = { from: unpacked(raw.edges.from, raw.numberType), to: unpacked(raw.edges.to, raw.numberType), usd: unpacked(raw.edges.usd, "f4") };
  const known = scores(raw);
  return {
    ...raw, n, node, edge, incident: incident(n, edge), groups: groups(n, node), ranks: ranks(n, raw), scores: known,
    scoreOf: (i, name) => (known[name] ? (known[name].get(i) ?? NaN) : NaN),
    stories: raw.stories.map((story) => ({ ...story, node: unpacked(story.node, raw.numberType), frame: unpacked(story.frame, "u2"), state: unpacked(story.state, "u1") })),
    stateNames: raw.states.names,
    stateColours: raw.states.colours,
    states: null,
    isHub: (i) => (node.flags[i] & 1) === 1,
    isGrouped: (i) => (node.flags[i] & 2) === 2,
    isAssumed: (i) => (node.flags[i] & 4) === 4,
    kindOf: (i) => raw.kinds[node.kind[i]],
  };
}

/**
 * @param {Block["nodes"]} packed
 * @returns {Nodes}
 */
function readNodes(packed) {
  const flags = unpacked(packed.flags, "u1");
  return {
    flags,
    kind: unpacked(packed.kind, "u1"),
    x: unpacked(packed.x, "f4"),
    y: unpacked(packed.y, "f4"),
    radius: unpacked(packed.radius, "f4"),
    disc: discRadii(flags, unpacked(packed.disc, "f4")),
    home: unpacked(packed.home, "i4"),
    size: unpacked(packed.size, "f8"),
    capital: unpacked(packed.capital, "f8"),
    debt: unpacked(packed.debt, "f8"),
  };
}

/**
 * Whether the filters let a node through.
 * @param {MapData} data
 * @param {State} state
 * @param {number} i
 * @returns {boolean}
 */
export function passes(data, state, i) {
  return state.kinds.has(data.node.kind[i]) && data.node.size[i] >= state.least;
}

/**
 * Radii of the discs of hubs, 0 for all others.
 * @param {Numbers} flags
 * @param {Numbers} ofHubs
 * @returns {Float32Array}
 */
function discRadii(flags, ofHubs) {
  const disc = new Float32Array(flags.length);
  let next = 0;
  for (let i = 0; i < disc.length; i++) if (flags[i] & 1) disc[i] = ofHubs[next++];
  return disc;
}

/**
 * Exposures of each node, both directions, the largest first (they come sorted).
 * @param {number} n
 * @param {Edges} edge
 * @returns {Incident}
 */
function incident(n, edge) {
  const start = new Uint32Array(n + 1);
  const m = edge.usd.length;
  for (let e = 0; e < m; e++) { start[edge.from[e] + 1]++; start[edge.to[e] + 1]++; }
  for (let i = 0; i < n; i++) start[i + 1] += start[i];
  const next = start.slice();
  const list = new Uint32Array(2 * m);
  for (let e = 0; e < m; e++) { list[next[edge.from[e]]++] = e; list[next[edge.to[e]]++] = e; }
  return { start, list, of: (i) => list.subarray(start[i], start[i + 1]) };
}

/**
 * Members of each hub's disc that are folded into "n accounts of it".
 * @param {number} n
 * @param {Nodes} node
 * @returns {Map<number, number[]>}
 */
function groups(n, node) {
  /** @type {Map<number, number[]>} */
  const found = new Map();
  for (let i = 0; i < n; i++) {
    if ((node.flags[i] & 2) === 0) continue;
    const members = found.get(node.home[i]);
    if (members) members.push(i);
    else found.set(node.home[i], [i]);
  }
  return found;
}

/**
 * Scores that only some nodes have, by name.
 * @param {Block} block
 * @returns {Record<string, Map<number, number>>}
 */
function scores({ scores: given, numberType }) {
  /** @type {Record<string, Map<number, number>>} */
  const found = {};
  for (const [name, { node, value }] of Object.entries(given)) {
    const values = unpacked(value, "f4");
    const at = node ? unpacked(node, numberType) : values.keys();
    found[name] = new Map(Array.from(at, (i, row) => [i, values[row]]));
  }
  return found;
}

/**
 * @param {number} n
 * @param {Block} block
 * @returns {Ranks | null}
 */
function ranks(n, { ranking, numberType }) {
  if (!ranking) return null;
  const at = new Int32Array(n).fill(-1);
  const node = unpacked(ranking.node, numberType);
  node.forEach((i, row) => { at[i] = row; });
  /** @type {Record<string, Numbers>} */
  const columns = {};
  for (const [name, text] of Object.entries(ranking)) if (ranking.types[name]) columns[name] = unpacked(String(text), ranking.types[name]);
  return { node, columns, classes: unpacked(ranking.classes, "u1"), of: (i, name) => (at[i] < 0 ? NaN : columns[name][at[i]]) };
}
