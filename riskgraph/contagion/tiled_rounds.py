"""The rounds of a matrix graph in compiled tiles of eight columns: the same rounds, the same numbers, less waiting.

What ``spreading.spread`` does for a graph without a core, operation by operation; each column stops by itself, and
nothing depends on which columns share a tile or on the number of threads. The state of a tile stays in cache.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from riskgraph.arrays import Bools, Floats, Ints
from riskgraph.contagion import tiles
from riskgraph.contagion.lanes import WIDTH
from riskgraph.contagion.models import DEFAULTED, Transmission
from riskgraph.contagion.runs import Runs
from riskgraph.contagion.spreading import Rules, Spread, round_budget
from riskgraph.contagion.sweeping import Rows, arrays_of
from riskgraph.errors import ConvergenceError

__all__ = ["dealt_out", "in_threads", "sources_in_tiles", "spread_in_tiles"]

CHUNK = 64  # columns a thread takes at a time; fixed, so that nothing depends on the number of threads
HANDS = 32  # sums over sources are kept in so many parts, which together take less space than the tile of one thread


def spread_in_tiles(matrix: sparse.csr_array, passing: Transmission, start: Floats, rules: Rules) -> Spread:
    """Let every column of ``start``, shape (n, k), spread over a graph without a core.

    Parameters
    ----------
    matrix : csr_array, shape (n, n)
        Λ; in the model ``original`` its impact min(1, Λ).
    passing : Transmission
        Of all n nodes.

    Raises
    ------
    ConvergenceError
        The round budget ran out (never because of an explicit horizon).

    Examples
    --------
    B's wipe-out takes half of A's capital, and A's distress of 1/2 finds nobody:

    >>> every = np.ones(2, dtype=bool)
    >>> half = sparse.csr_array([[0.0, 0.5], [0.0, 0.0]])
    >>> run = spread_in_tiles(half, Transmission("linear", 0.0, np.zeros(2), every), np.array([[0.0], [1.0]]), Rules())
    >>> run.end[:, 0].tolist(), run.rounds.tolist()
    ([0.5, 1.0], [1])
    """
    n, k = start.shape
    flow = _Flow(arrays_of(matrix).rows, passing, rules, _budget(n, rules))
    out = Spread(np.empty((n, k)), np.empty((n, k)), np.zeros(k, dtype=np.int64), np.zeros(k, dtype=bool), ())

    def chunk(first_column: int) -> None:
        tile = _Tile(n)
        for low in range(first_column, min(first_column + CHUNK, k), WIDTH):
            part = slice(low, min(low + WIDTH, k))
            wanted = part.stop - low
            tile.start[:, :wanted] = start[:, part]
            out.rounds[part], out.converged[part] = flow.run(tile, wanted)
            out.end[:, part], out.first[:, part] = tile.end[:, :wanted], tile.first[:, :wanted]

    in_threads(chunk, range(0, k, CHUNK))
    return out


def sources_in_tiles(
    matrix: sparse.csr_array,
    passing: Transmission,
    started: Bools,
    sources: Ints,
    shock: Floats,
    weights: Floats,
    fell: Bools,
    rules: Rules,
) -> Runs:
    """Spread every source's shock on top of what starts defaulted; weighted sums instead of states.

    Parameters
    ----------
    matrix, passing
        As in :func:`spread_in_tiles`.
    started : ndarray of bool, shape (n,)
        Nodes that start at 1 beside every source.
    sources : ndarray of int, shape (k,)
    shock : ndarray, shape (k,)
        Distress of each source at the start, 0 to 1.
    weights : ndarray, shape (n, w)
    fell : ndarray of bool, shape (n,)
        Nodes that are not to be counted as defaults.
    """
    n, k = len(started), len(sources)
    flow = _Flow(arrays_of(matrix).rows, passing, rules, _budget(n, rules))
    found = Runs.unmoved(k, weights.shape[1], n)
    weights = np.ascontiguousarray(weights)

    def hand(lows: range, suffered: Floats) -> None:
        tile = _Tile(n)
        for low in lows:
            part = slice(low, min(low + WIDTH, k))
            at, lane = sources[part], np.arange(part.stop - low)
            tile.start[:] = started[:, None]
            tile.start[at, lane] = np.maximum(tile.start[at, lane], shock[part])
            found.rounds[part], found.converged[part] = flow.run(tile, len(lane))
            tiles.weigh(tile.end, tile.start, weights, found.end[part])
            tiles.weigh(tile.first, tile.start, weights, found.first[part])
            tiles.fallen(tile.end, fell, DEFAULTED, found.defaults[part])
            found.defaults[part] -= (tile.end[at, lane] >= DEFAULTED) & ~fell[at]
            tile.end[at, lane] = tile.start[at, lane]  # what is to be summed up is what the others suffer
            tiles.add_up(tile.end, tile.start, len(lane), suffered)

    found.suffered[:] = dealt_out(hand, range(0, k, WIDTH), n)
    return replace(found, road=f"rounds (one application of Λ each), compiled, {WIDTH} sources at a time")


def in_threads(step: Callable[[int], None], places: Iterable[int]) -> None:
    """Take every step, a thread a core; the parts are fixed, so that no result depends on their number."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(step, places))


def dealt_out(hand: Callable[[range, Floats], None], places: range, n: int) -> Floats:
    """Deal places out to a fixed number of hands, each with a sum of shape (n,) of its own; the sums added in order."""

    def play(first: int) -> Floats:
        own = np.zeros(n)
        hand(places[first::HANDS], own)
        return own

    total = np.zeros(n)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for own in pool.map(play, range(min(HANDS, len(places)))):
            total += own
    return total


def _budget(n: int, rules: Rules) -> int:
    return rules.max_rounds if rules.max_rounds is not None else round_budget(n)


class _Tile:
    """Working space of one thread: tables of shape (n, 8), used again and again, since new ones cost page faults."""

    def __init__(self, n: int) -> None:
        self.start, self.state, self.new = np.zeros((n, WIDTH)), np.empty((n, WIDTH)), np.empty((n, WIDTH))
        self.sent, self.passed = np.empty((n, WIDTH)), np.empty((n, WIDTH))
        self.end, self.first = np.empty((n, WIDTH)), np.empty((n, WIDTH))
        self.fresh = np.empty((n, WIDTH), dtype=bool)
        self.change = np.empty((1, WIDTH))

    def begin(self) -> None:
        """Put every table at the start."""
        self.state[:], self.end[:], self.first[:] = self.start, self.start, self.start
        self.fresh[:] = True


@dataclass(frozen=True, eq=False)
class _Flow:
    """Rounds of one tile after another over one matrix."""

    rows: Rows
    passing: Transmission
    rules: Rules
    budget: int

    def run(self, tile: _Tile, wanted: int) -> tuple[Ints, Bools]:
        """Spread ``tile.start``, whose first ``wanted`` columns count; rounds, and whether each stood still."""
        rounds, converged = np.zeros(WIDTH, dtype=np.int64), np.zeros(WIDTH, dtype=bool)
        moving = np.arange(WIDTH) < wanted
        tile.begin()
        if self.passing.model != "original":
            tile.sent = self._passed(tile.state, tile.sent)
        done = 0
        while True:
            still = self._round(tile)
            # a horizon that falls on the last moving round is told apart from one that cuts by looking one further
            stop = moving & (still | (done == self.rules.horizon))
            if stop.any():
                tiles.keep(tile.state, stop, tile.end)
                rounds[stop], converged[stop] = done, still[stop]
                moving &= ~stop
            if not moving.any():
                return rounds[:wanted], converged[:wanted]
            if done == self.budget:
                raise ConvergenceError(
                    f"distress still moved by {tile.change[0, moving].max():.1e} after {done} rounds "
                    f"(tol {self.rules.tol:.0e}); allow more with max_rounds, or look at a given number with horizon"
                )
            tile.state, tile.new, done = tile.new, tile.state, done + 1
            if done == 1:
                tiles.keep(tile.state, moving, tile.first)

    def _round(self, tile: _Tile) -> Bools:
        """Put the next state into ``tile.new``; the lanes whose present state was the last."""
        rules = self.rules
        if self.passing.model == "original":
            woken = np.zeros(WIDTH, dtype=bool)
            tiles.pass_on_once(tile.state, tile.fresh, tile.sent, woken)
            tiles.one_round(
                *self.rows, tile.sent, tile.state, rules.damping, rules.cap, tile.state, tile.new, tile.change
            )
            return ~woken
        tiles.one_round(*self.rows, tile.sent, tile.start, rules.damping, rules.cap, tile.state, tile.new, tile.change)
        passed = self._passed(tile.new, tile.passed)
        if passed is not tile.new:  # a small move of h can be a large one of what is passed on
            tiles.largest_gap(passed, tile.sent, tile.change)
            tile.passed = tile.sent
        tile.sent = passed
        still: Bools = tile.change[0] <= rules.tol
        return still

    def _passed(self, state: Floats, out: Floats) -> Floats:
        """Give what is passed on at a state: the state itself, or another table as ``Transmission`` fills it."""
        passing = self.passing
        if not self.rules.cap:
            state = np.minimum(state, 1.0)  # nobody passes on more than its whole wipe-out
        if passing.model == "linear" or not passing.bends.any():
            return state
        if passing.model == "nonlinear" and passing.bends.all():
            np.subtract(state, 1.0, out=out)
            np.multiply(passing.alpha, out, out=out)
            np.exp(out, out=out)
            return np.multiply(state, out, out=out)
        out[:] = passing(state)
        return out
