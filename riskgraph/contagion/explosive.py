r"""Loops that feed themselves (λ₁ ≥ 1), and the state above which everything ends that reaches them.

:math:`h = \min(1, h_0 + \Lambda h)` with :math:`h_0 \ge 0` has exactly one solution that is 0 off what is within reach
of the support of :math:`h_0`. Let h be the greatest, g another one, and t the largest number with g ≥ t h; t > 0, since
whatever is reached ends above 0. If t < 1, then :math:`F(x) = \min(1, h_0 + \Lambda x)`, monotone and concave with
:math:`F(0) = \min(1, h_0)`, gives :math:`g = F(g) \ge F(th) \ge t h + (1 - t)\min(1, h_0)`: g exceeds t h where
:math:`h_0 > 0`, then wherever :math:`\Lambda` passes that gain on (a node at its cap has g = 1 > t), and so at every
reached node. Then t was not the largest: a contradiction. So any method that converges finds the end of the rounds.

A source therefore drives every explosive component that it reaches up to where caps hold it: its end state lies above
T, the greatest solution of :math:`T = \min(1, \mathrm{started} + \Lambda T)` on what these components and the started
nodes reach. Above T, on the nodes that T leaves uncapped, Λ has a spectral radius below 1. On most networks all
sources reach the same components; where the sets differ, sources are grouped by them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from riskgraph.arrays import Bools, Floats, Ints
from riskgraph.contagion.perron import class_blocks, cyclic_classes, perron_pair
from riskgraph.contagion.sweeping import arrays_of, lowered
from riskgraph.errors import ConvergenceError

__all__ = ["Floor", "Plain", "floors"]

NEAR = 1e-6  # distance of a component's λ₁ from 1 within which nothing is known for certain
MOST_LOOPS = 32  # components that may have to be told apart
MOST_GROUPS = 4  # groups of sources that are worth a state of their own
FALLS = 20_000  # sweeps from above that a state T may take


@dataclass(frozen=True, eq=False)
class Floor:
    """Sources that end above one state T."""

    places: Ints  # of the sources in the list that was asked for
    level: Floats  # (n,) T
    free: Ints  # nodes that T leaves uncapped and that the sources may still move
    explosive: int  # components that hold T up


@dataclass(frozen=True, eq=False)
class Plain:
    """Sources that no such state is known for, and why."""

    places: Ints
    why: str


@dataclass(frozen=True, eq=False)
class _Loops:
    wakes: list[Bools]  # for each explosive or critical component: the nodes that reach it
    nodes: list[Ints]
    critical: list[bool]


def floors(matrix: sparse.csr_array, started: Bools, sources: Ints) -> Iterator[Floor | Plain]:
    """Group sources by the explosive components that they reach, a state T for each group.

    Parameters
    ----------
    matrix : csr_array, shape (n, n)
        Λ with damping folded in, no stored zeros.
    started : ndarray of bool, shape (n,)
    sources : ndarray of int, shape (k,)
    """
    loops = _loops(matrix)
    everything = np.arange(len(sources))
    if loops is None:
        yield Plain(everything, f"more than {MOST_LOOPS} loops with λ₁ of 1 or more")
        return
    lost = np.zeros(len(sources), dtype=bool)
    for wakes, critical in zip(loops.wakes, loops.critical, strict=True):
        if critical:
            lost |= wakes[sources] | bool(wakes[started].any())
    if lost.any():
        yield Plain(everything[lost], f"they reach a loop whose λ₁ lies within {NEAR:.0e} of 1")
    mask = np.zeros(len(sources), dtype=np.int64)
    for bit, (wakes, critical) in enumerate(zip(loops.wakes, loops.critical, strict=True)):
        if not critical:
            mask |= (wakes[sources] | bool(wakes[started].any())).astype(np.int64) << bit
    kinds, counts = np.unique(mask[~lost], return_counts=True)
    by_size = kinds[np.argsort(-counts, kind="stable")]
    for kind in by_size[:MOST_GROUPS]:
        yield _floor(matrix, started, loops, int(kind), everything[~lost & (mask == kind)])
    rest = ~lost & np.isin(mask, by_size[MOST_GROUPS:])
    if rest.any():
        yield Plain(everything[rest], f"they reach other sets of explosive loops than most ({MOST_GROUPS} sets)")


def _loops(matrix: sparse.csr_array) -> _Loops | None:
    """Find the components with λ₁ not clearly below 1, and who reaches them; None where there are too many."""
    classes = cyclic_classes(matrix)
    found = _Loops([], [], [])
    for nodes, block in zip(classes.nodes, class_blocks(matrix, classes), strict=True):
        # the root is no larger than the largest row sum or the largest column sum
        if min(block.sum(axis=1).max(), block.sum(axis=0).max()) <= 1.0 - NEAR:
            continue
        try:
            root = perron_pair(block)[0]
        except ConvergenceError:
            root = 1.0  # not known: treated as if it lay at 1
        if root <= 1.0 - NEAR:
            continue
        if len(found.nodes) == MOST_LOOPS:
            return None
        found.nodes.append(nodes)
        found.critical.append(root < 1.0 + NEAR)
        found.wakes.append(_reached(matrix, nodes))
    return found


def _floor(matrix: sparse.csr_array, started: Bools, loops: _Loops, kind: int, places: Ints) -> Floor | Plain:
    n = matrix.shape[0]
    woken = [bit for bit in range(len(loops.nodes)) if kind >> bit & 1]
    level = np.zeros(n)
    if woken or started.any():
        seeds = np.concatenate((np.flatnonzero(started), *(loops.nodes[bit] for bit in woken)))
        within = _reached(sparse.csr_array(matrix.T), seeds)
        lowest = lowered(arrays_of(matrix).rows, started, within.astype(np.float64), FALLS)
        if lowest is None:
            return Plain(places, f"the state that they all end above took more than {FALLS:,} sweeps")
        level = lowest
    free = (level < 1.0) & ~started
    for bit, wakes in enumerate(loops.wakes):
        if bit not in woken:
            free &= ~wakes  # these sources do not reach what reaches a component that they leave asleep
    return Floor(places, level, np.flatnonzero(free), len(woken))


def _reached(links: sparse.csr_array, seeds: Ints) -> Bools:
    """Nodes within reach of some seeds along row → column, the seeds among them: one search from a node beside."""
    n = links.shape[0]
    indices = np.concatenate((links.indices, seeds.astype(links.indices.dtype)))
    indptr = np.concatenate((links.indptr, [links.nnz + len(seeds)]))
    beside = sparse.csr_array((np.ones(len(indices)), indices, indptr), shape=(n + 1, n + 1))
    found = csgraph.breadth_first_order(beside, n, directed=True, return_predecessors=False)
    reached = np.zeros(n + 1, dtype=bool)
    reached[found] = True
    return reached[:n]
