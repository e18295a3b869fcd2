// The data block of the page, unpacked: typed arrays over all nodes and exposures, and who is exposed to whom.

const TYPES = { u1: Uint8Array, u2: Uint16Array, i4: Int32Array, u4: Uint32Array, f4: Float32Array, f8: Float64Array };

export function unpacked(text, type) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return new TYPES[type](bytes.buffer);
}

export function readData(text) {
  const raw = JSON.parse(text);
  const n = raw.labels.length;
  const node = {};
  for (const [name, type] of [["kind", "u1"], ["x", "f4"], ["y", "f4"], ["radius", "f4"],
    ["home", "i4"], ["flags", "u1"], ["size", "f8"], ["capital", "f8"], ["debt", "f8"]]) {
    node[name] = unpacked(raw.nodes[name], type);
  }
  node.disc = discRadii(node.flags, unpacked(raw.nodes.disc, "f4"));
  const edge = { from: unpacked(raw.edges.from, raw.numberType), to: unpacked(raw.edges.to, raw.numberType), usd: unpacked(raw.edges.usd, "f4") };
  const data = { ...raw, n, node, edge, incident: incident(n, edge), groups: groups(n, node), ranks: ranks(n, raw) };
  data.scores = scores(raw);
  data.scoreOf = (i, name) => (data.scores[name] ? (data.scores[name].get(i) ?? NaN) : NaN);
  data.stories = raw.stories.map((story) => ({ ...story, node: unpacked(story.node, raw.numberType), frame: unpacked(story.frame, "u2"), state: unpacked(story.state, "u1") }));
  data.stateNames = raw.states.names;
  data.stateColours = raw.states.colours;
  data.states = null; // of every node, while a story is played
  data.isHub = (i) => (node.flags[i] & 1) === 1;
  data.isGrouped = (i) => (node.flags[i] & 2) === 2;
  data.isAssumed = (i) => (node.flags[i] & 4) === 4;
  data.kindOf = (i) => raw.kinds[node.kind[i]];
  return data;
}

// Whether the filters let a node through.
export function passes(data, state, i) {
  return state.kinds.has(data.node.kind[i]) && data.node.size[i] >= state.least;
}

// Radii of the discs of hubs, 0 for all others.
function discRadii(flags, ofHubs) {
  const disc = new Float32Array(flags.length);
  let next = 0;
  for (let i = 0; i < disc.length; i++) if (flags[i] & 1) disc[i] = ofHubs[next++];
  return disc;
}

// Exposures of each node, both directions, the largest first (they come sorted).
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

// Members of each hub's disc that are folded into "n accounts of it".
function groups(n, node) {
  const found = new Map();
  for (let i = 0; i < n; i++) {
    if ((node.flags[i] & 2) === 0) continue;
    if (!found.has(node.home[i])) found.set(node.home[i], []);
    found.get(node.home[i]).push(i);
  }
  return found;
}

// Scores that only some nodes have, by name.
function scores({ scores: given, numberType }) {
  const found = {};
  for (const [name, { node, value }] of Object.entries(given)) {
    const values = unpacked(value, "f4");
    const at = node ? unpacked(node, numberType) : values.keys();
    found[name] = new Map(Array.from(at, (i, row) => [i, values[row]]));
  }
  return found;
}

function ranks(n, { ranking, numberType }) {
  if (!ranking) return null;
  const at = new Int32Array(n).fill(-1);
  const node = unpacked(ranking.node, numberType);
  node.forEach((i, row) => { at[i] = row; });
  const columns = {};
  for (const [name, type] of Object.entries(ranking.types)) columns[name] = unpacked(ranking[name], type);
  return { node, columns, classes: unpacked(ranking.classes, "u1"), of: (i, name) => (at[i] < 0 ? NaN : columns[name][at[i]]) };
}
