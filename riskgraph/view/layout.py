r"""Where the marks of a map stand.

Hubs (assets, protocols, large accounts) are placed by igraph and pushed apart until none overlap; every other node
stands in a sunflower disc round its largest exposure; nodes without any exposure stand in rows below. Nothing is
drawn at random, and nothing of size hubs × hubs is formed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from riskgraph.arrays import Bools, Floats, Ints, read_only
from riskgraph.graph.exposure import ACCOUNT, ASSET, NODE, PROTOCOL
from riskgraph.view.hubs import anchors, homes, place_hubs

__all__ = ["Layout", "arrange", "radii", "sunflower"]

LARGEST = 34.0  # radius of the largest mark, in map units
SMALLEST = 1.8
SMALLEST_CORE = 4.5  # assets and protocols are never mere dots
GAP = 2.2
GOLDEN = np.pi * (3.0 - np.sqrt(5.0))
SINGLE = 400  # small accounts drawn one by one at the start
UNGROUPED = 150  # up to so many, none is folded into a group
SMALLEST_GROUP = 4
NAMED, NAME_WIDTH = 24, 58.0  # a row of so few nodes leaves each the room for its name


@dataclass(frozen=True, eq=False)
class Layout:
    """Positions and grouping, in map units with y growing downwards.

    Attributes
    ----------
    x, y, radius : ndarray, shape (n,)
        Centre and radius of every mark, rounded to 1e-4.
    hub : ndarray of bool, shape (n,)
        Placed by the force layout, and never folded away.
    home : ndarray of int, shape (n,)
        Hub in whose disc a node stands; −1 for hubs and for nodes that stand apart.
    grouped : ndarray of bool, shape (n,)
        Hidden in "n accounts of its home" until the group is opened.
    disc : ndarray, shape (n,)
        Radius of the disc round each hub with all its nodes; 0 elsewhere.
    """

    x: Floats
    y: Floats
    radius: Floats
    hub: Bools
    home: Ints
    grouped: Bools
    disc: Floats

    def __post_init__(self) -> None:
        for name in ("x", "y", "radius", "disc"):
            object.__setattr__(self, name, np.round(getattr(self, name), 4))
        for name in ("x", "y", "radius", "hub", "home", "grouped", "disc"):
            read_only(getattr(self, name))


def arrange(kind: Ints, size: Floats, exposures: sparse.csr_array) -> Layout:
    """Lay out nodes that come sorted by size and then label.

    Parameters
    ----------
    kind : ndarray of int, shape (n,)
        Codes into ``riskgraph.graph.exposure.KINDS``.
    size : ndarray, shape (n,)
        USD; the area of a mark is proportional to it, above a smallest mark.
    exposures : csr_array, shape (n, n)
        USD, rows lose; only positive entries count.

    Examples
    --------
    Two banks that lend to each other stand side by side, the third apart from them:

    >>> a = sparse.csr_array(np.array([[0.0, 5, 0], [2, 0, 0], [0, 0, 0]]))
    >>> layout = arrange(np.array([3, 3, 3]), np.array([5.0, 2.0, 0.0]), a)
    >>> layout.hub.tolist(), layout.home.tolist()
    ([True, True, False], [-1, -1, -1])
    """
    radius = radii(kind, size)
    hub = anchors(kind, exposures)
    home = homes(exposures, hub)
    x, y, disc = np.zeros(len(kind)), np.zeros(len(kind)), np.zeros(len(kind))
    order = np.argsort(home, kind="stable")
    starts = np.searchsorted(home[order], np.flatnonzero(hub))
    ends = np.searchsorted(home[order], np.flatnonzero(hub), side="right")
    for h, start, end in zip(np.flatnonzero(hub), starts, ends, strict=True):
        members = order[start:end]
        x[members], y[members], disc[h] = sunflower(radius[members], float(radius[h]))
    at = np.flatnonzero(hub)
    x[at], y[at] = place_hubs(at, exposures, home, disc)
    inside = np.flatnonzero(home >= 0)
    x[inside] += x[home[inside]]
    y[inside] += y[home[inside]]
    apart = np.flatnonzero(~hub & (home < 0))
    x[apart], y[apart] = _rows(radius[apart], x[at], y[at], disc[at])
    return Layout(x, y, radius, hub, home, _grouped(kind, home), disc)


def radii(kind: Ints, size: Floats) -> Floats:
    """Radius by area: ``LARGEST·√(size / largest size)``, never under the smallest mark of its kind.

    >>> radii(np.array([2, 0, 0]), np.array([100.0, 25.0, 0.0])).tolist()
    [34.0, 17.0, 1.8]
    """
    most = size.max(initial=0.0)
    share = np.maximum(size, 0.0) / most if most > 0.0 else np.zeros(len(size))
    least = np.where((kind == ASSET) | (kind == PROTOCOL), SMALLEST_CORE, SMALLEST)
    if most <= 0.0:
        least = np.maximum(least, SMALLEST_CORE)
    return np.maximum(LARGEST * np.sqrt(share), least)


def sunflower(radius: Floats, hub_radius: float) -> tuple[Floats, Floats, float]:
    r"""Stand marks round a hub, the first ones innermost, each with the area that it needs.

    .. math:: \rho_k = \sqrt{\rho_0^2 + f \sum_{j \le k} (r_j + g)^2}, \qquad \varphi_k = k \pi (3 - \sqrt 5)

    Returns
    -------
    x, y : ndarray, shape (m,)
        Relative to the hub.
    disc : float
        Radius of the circle that holds the hub and all marks.

    References
    ----------
    .. [1] Vogel (1979), A better way to construct the sunflower head, Math. Biosciences 44.

    Examples
    --------
    >>> x, y, disc = sunflower(np.array([2.0, 1.0]), 10.0)
    >>> bool(np.hypot(x, y).min() >= 12.0), bool(disc > np.hypot(x, y).max())
    (True, True)
    """
    if not len(radius):
        return np.zeros(0), np.zeros(0), hub_radius
    start = 1.26 * hub_radius + GAP + float(radius[0])  # 1.26: the tips of a diamond
    need = (radius + 0.35) ** 2
    reach = np.sqrt(start**2 + 1.75 * (np.cumsum(need) - 0.5 * need))
    angle = np.arange(len(radius)) * GOLDEN
    disc = float((reach + radius).max()) + GAP
    return reach * np.cos(angle), reach * np.sin(angle), disc


def _rows(radius: Floats, x: Floats, y: Floats, disc: Floats) -> tuple[Floats, Floats]:
    """Stand nodes without exposures in rows below the picture, as wide as it is."""
    if not len(radius):
        return np.zeros(0), np.zeros(0)
    left, right = float((x - disc).min(initial=0.0)), float((x + disc).max(initial=0.0))
    step = 2.0 * float(radius.max()) + GAP
    if len(radius) <= NAMED:
        step = max(step, NAME_WIDTH)
    bottom = float((y + disc).max(initial=0.0)) + 30.0 + 0.5 * step
    columns = max(int((right - left) / step), int(np.ceil(np.sqrt(4 * len(radius)))), 1)
    columns = min(columns, len(radius))
    at = np.arange(len(radius))
    across = (left + right) / 2.0 + (at % columns - (columns - 1) / 2.0) * step
    down = bottom + (at // columns) * step
    return across.astype(np.float64), down.astype(np.float64)


def _grouped(kind: Ints, home: Ints) -> Bools:
    """Mark nodes of a disc that are folded into a group: all but the largest, where there are many."""
    small = np.flatnonzero((home >= 0) & ((kind == ACCOUNT) | (kind == NODE)))
    grouped = np.zeros(len(kind), dtype=np.bool_)
    if len(small) <= UNGROUPED:
        return grouped
    grouped[small[SINGLE if len(small) > 2 * SINGLE else len(small) // 2 :]] = True
    counts = np.bincount(home[grouped], minlength=len(kind))
    inside = np.flatnonzero(grouped)
    grouped[inside[counts[home[inside]] < SMALLEST_GROUP]] = False
    return grouped
