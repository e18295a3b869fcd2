"""Which nodes are hubs, to which hub each other node belongs, and where hubs stand without touching."""

from __future__ import annotations

import random

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from riskgraph.arrays import Bools, Floats, Ints
from riskgraph.graph.exposure import ACCOUNT, ASSET, NODE, PROTOCOL

__all__ = ["anchors", "homes", "place_hubs", "separate"]

CORE = 300  # assets and protocols placed by the force layout, largest first
ALL_ACCOUNTS, LARGE_ACCOUNTS = 60, 30  # every account is a hub up to 60 of them, else the 30 largest
LARGE_NODES = 150  # nodes of a matrix
COMPONENTS = 100  # components without any of these get their largest node as hub
MARGIN = 9.0  # free space round each disc, where its name stands
ROUNDS = 400


def anchors(kind: Ints, exposures: sparse.csr_array) -> Bools:
    """Choose the hubs among nodes sorted by size: assets, protocols and large accounts that have any exposure.

    >>> a = sparse.csr_array(np.array([[0.0, 0, 0], [1, 0, 0], [0, 0, 0]]))
    >>> anchors(np.array([2, 0, 0]), a).tolist()
    [True, True, False]
    """
    linked = (np.diff(exposures.indptr) > 0) | (np.bincount(exposures.indices, minlength=len(kind)) > 0)
    hub = np.zeros(len(kind), dtype=np.bool_)
    hub[np.flatnonzero(linked & ((kind == ASSET) | (kind == PROTOCOL)))[:CORE]] = True
    accounts = np.flatnonzero(linked & (kind == ACCOUNT))
    hub[accounts[: ALL_ACCOUNTS if len(accounts) <= ALL_ACCOUNTS else LARGE_ACCOUNTS]] = True
    hub[np.flatnonzero(linked & (kind == NODE))[:LARGE_NODES]] = True
    _, component = sparse.csgraph.connected_components(exposures, directed=True, connection="weak")
    led = np.zeros(len(kind), dtype=np.bool_)
    led[component[hub]] = True
    left = np.flatnonzero(linked & ~led[component])
    _, first = np.unique(component[left], return_index=True)
    hub[left[np.sort(first)[:COMPONENTS]]] = True
    return hub


def homes(exposures: sparse.csr_array, hub: Bools) -> Ints:
    """Give each node that is no hub the hub of its largest exposure; −1 for hubs and nodes that no hub reaches.

    First what the node itself has at stake with a hub, then what a hub has at stake with it, then the home of its
    largest neighbour that has one. Ties go to the hub that comes first.

    >>> a = sparse.csr_array(np.array([[0.0, 0, 0, 0], [0, 0, 0, 0], [3, 4, 0, 0], [0, 0, 1, 0]]))
    >>> homes(a, np.array([True, True, False, False])).tolist()
    [-1, -1, 1, 1]
    """
    home = np.full(len(hub), -1, dtype=np.int64)
    own = np.where(hub, np.arange(len(hub)), -1)
    backward = sparse.csr_array(exposures.T)
    for matrix in (exposures, backward):
        best = _largest(matrix, own >= 0)
        take = (home < 0) & ~hub & (best >= 0)
        home[take] = best[take]
    both = sparse.csr_array(exposures + backward)
    while True:
        best = _largest(both, home >= 0)
        take = (home < 0) & ~hub & (best >= 0)
        if not take.any():
            return home
        home[take] = home[best[take]]


def _largest(matrix: sparse.csr_array, allowed: Bools) -> Ints:
    """Column of the largest entry of each row among the allowed columns, the first of equals; −1 without any."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    keep = allowed[matrix.indices] & (matrix.data > 0.0)
    rows, columns, data = rows[keep], matrix.indices[keep], matrix.data[keep]
    order = np.lexsort((columns, -data, rows))
    rows, columns = rows[order], columns[order]
    first = np.flatnonzero(np.diff(rows, prepend=-1))
    best = np.full(matrix.shape[0], -1, dtype=np.int64)
    best[rows[first]] = columns[first]
    return best


def place_hubs(at: Ints, exposures: sparse.csr_array, home: Ints, disc: Floats) -> tuple[Floats, Floats]:
    """Place the hubs ``at`` so that strongly linked ones stand near each other and no two discs overlap."""
    if len(at) == 0:
        return np.zeros(0), np.zeros(0)
    room = disc[at] + MARGIN
    points = _forces(len(at), *_links(at, exposures, home))
    points -= points.mean(axis=0)
    spread = np.sqrt((points**2).sum(axis=1).mean())
    if spread > 0.0:
        points *= np.sqrt((room**2).sum()) / spread  # discs then cover about the half of the picture
    points = separate(points * np.array([1.25, 1.0]), room)  # screens are wider than high
    middle = ((points - room[:, None]).min(axis=0) + (points + room[:, None]).max(axis=0)) / 2.0
    return points[:, 0] - middle[0], points[:, 1] - middle[1]


def _links(at: Ints, exposures: sparse.csr_array, home: Ints) -> tuple[Ints, Ints, Floats]:
    """Sum exposures hub to hub, those of small nodes at their home; weight = log of the sum, 0.1 to 1."""
    number = np.full(len(home), -1, dtype=np.int64)
    number[at] = np.arange(len(at))
    number = np.where(home >= 0, number[home], number)
    coo = exposures.tocoo()
    a, b = number[coo.row], number[coo.col]
    keep = (a != b) & (a >= 0) & (b >= 0) & (coo.data > 0.0)
    low, high = np.minimum(a, b)[keep], np.maximum(a, b)[keep]
    order = np.lexsort((coo.data[keep], high, low))
    pair, inverse = np.unique((low * len(at) + high)[order], return_inverse=True)
    usd = np.bincount(inverse, weights=coo.data[keep][order], minlength=len(pair))
    share = usd / usd.max(initial=1e-300)
    weight = np.round(np.clip(1.0 + np.log10(np.maximum(share, 1e-300)) / 4.0, 0.1, 1.0), 6)
    return pair // len(at), pair % len(at), weight


def _forces(n: int, low: Ints, high: Ints, weight: Floats) -> Floats:
    """Let links pull and nodes push (Fruchterman–Reingold) from a fixed spiral, so that no random start is needed.

    igraph jitters every step with random numbers, whatever the start: they come from a generator of our own, and
    Python's, which igraph uses unless told otherwise, is put back.
    """
    import igraph

    turn = np.arange(n) * np.pi * (3.0 - np.sqrt(5.0))
    start = np.sqrt(np.arange(n) + 0.5)[:, None] * np.column_stack([np.cos(turn), np.sin(turn)])
    if n < 2:
        return np.zeros((n, 2))
    graph = igraph.Graph(n=n, edges=np.column_stack([low, high]).tolist())
    igraph.set_random_number_generator(random.Random(1))
    try:
        layout = graph.layout_fruchterman_reingold(
            weights=weight.tolist(), niter=600, seed=np.round(start, 9).tolist(), grid=False
        )
    finally:
        igraph.set_random_number_generator(random)
    return np.array([[round(x, 6), round(y, 6)] for x, y in layout.coords], dtype=np.float64)


def separate(points: Floats, room: Floats) -> Floats:
    """Push circles apart until none overlap, keeping them together.

    Each round draws all circles one per cent towards the middle and moves every overlapping pair apart, the smaller
    one more. Pairs come from a KD-tree, each searched from its larger circle. If the rounds end with an
    overlap, the picture is stretched by the least factor that removes it: the result never overlaps.

    >>> separate(np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([3.0, 3.0])).round(6).tolist()
    [[-2.5, 0.0], [3.5, 0.0]]
    """
    points = np.array(points, dtype=np.float64)
    area = room**2
    for step in range(ROUNDS):
        pull = 0.01 if len(room) > 2 and step < ROUNDS // 2 else 0.0
        points -= pull * (points - np.average(points, axis=0, weights=area))
        small, large = _near(points, room)
        gap = points[small] - points[large]
        distance = np.hypot(gap[:, 0], gap[:, 1])
        missing = room[small] + room[large] - distance
        hit = missing > 1e-9
        if not hit.any():
            if pull == 0.0:
                break
            continue
        small, large, gap, distance, missing = small[hit], large[hit], gap[hit], distance[hit], missing[hit]
        away = np.where(distance[:, None] > 1e-9, gap / np.maximum(distance, 1e-9)[:, None], _aside(small))
        give = area[large] / (area[small] + area[large])
        for axis in (0, 1):
            moved = np.bincount(small, weights=give * missing * away[:, axis], minlength=len(room))
            points[:, axis] += moved - np.bincount(large, (1 - give) * missing * away[:, axis], minlength=len(room))
    return _stretched(points, room)


def _near(points: Floats, room: Floats) -> tuple[Ints, Ints]:
    """Pairs (smaller, larger) that may overlap: seen from the larger circle, within twice its radius."""
    order = np.argsort(-room, kind="stable")
    position = np.empty_like(order)
    position[order] = np.arange(len(order))
    found = cKDTree(points).query_ball_point(points, 2.0 * room, return_sorted=True)
    large = np.repeat(np.arange(len(room)), [len(near) for near in found])
    small = np.array([other for near in found for other in near], dtype=np.int64)
    keep = position[small] > position[large]
    return small[keep], large[keep]


def _aside(number: Ints) -> Floats:
    """Give fixed directions in which circles leave that stand on the same point."""
    turn = (number + 1) * 2.399963
    return np.column_stack([np.cos(turn), np.sin(turn)])


def _stretched(points: Floats, room: Floats) -> Floats:
    """Stretch by the least factor after which no two circles overlap."""
    small, large = _near(points, room)
    gap = points[small] - points[large]
    need = (room[small] + room[large]) / np.maximum(np.hypot(gap[:, 0], gap[:, 1]), 1e-9)
    factor = float(need.max(initial=1.0))
    return points * (factor if factor > 1.0 + 1e-9 else 1.0)
