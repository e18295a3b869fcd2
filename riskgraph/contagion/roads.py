"""Which way all sources are computed: every road gives the numbers of the plain rounds, and says its name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import sparse

from riskgraph.arrays import Bools, Floats, Ints
from riskgraph.contagion.models import DEFAULTED
from riskgraph.contagion.runs import Runs
from riskgraph.contagion.spreading import Rules, System, spread

__all__ = ["taken"]

BLOCK_CELLS = 2_000_000  # nodes × columns held at once, 16 MB an array
COMPILED_CELLS = 10_000_000  # nodes × sources from which compiled waves make up for the seconds of their compilation
SOLVED_CELLS = 2_000_000  # the same for what is solved on the core of a book, where plain waves may take very long
TILED_CELLS = 2_000_000  # the same for the kernels of matrices, which compile faster


def taken(
    parts: System, started: Bools, node: Ints, start: sparse.csc_array, weights: Floats, fell: Bools, rules: Rules
) -> Runs:
    """Take the fastest road that this system and these sources allow.

    Parameters
    ----------
    started : ndarray of bool, shape (n,)
        Nodes that start at h = 1 beside every source.
    node : ndarray of int, shape (k,)
        Node number of each source, −1 where a source holds several nodes.
    start : csc_array, shape (n, k)
        What each source starts from.
    weights : ndarray, shape (n, w)
    fell : ndarray of bool, shape (n,)
        Nodes that are not to be counted as defaults.
    """
    cells = len(started) * len(node)
    alone = bool((node >= 0).all()) and rules.cap
    passing = parts.pass_rest.model
    if alone and parts.core_size and parts.rest_rest.nnz == 0:
        enough = SOLVED_CELLS if passing == "linear" and rules.horizon is None else COMPILED_CELLS
        if passing in ("linear", "liquidation") and cells >= enough:
            return _of_a_book(parts, started, node, start.data, weights, fell, rules)
    elif alone and not parts.core_size and cells >= TILED_CELLS:
        return _of_a_matrix(parts, started, node, start.data, weights, fell, rules)
    return _in_blocks(parts, started, start, weights, fell, rules)


def _of_a_book(
    parts: System, started: Bools, node: Ints, shock: Floats, weights: Floats, fell: Bools, rules: Rules
) -> Runs:
    from riskgraph.contagion import compiled  # numba: loaded only where it is used
    from riskgraph.contagion.core_road import CORE, at_the_core

    linear, why = parts.pass_rest.model == "linear", ""
    if linear and rules.horizon is None:
        why = f"the core has more than {CORE} nodes"
        if parts.core_size <= CORE:
            solved = at_the_core(parts, started, node, shock, weights, fell, rules.damping)
            if not isinstance(solved, str):
                return solved
            why = solved
    onset = np.zeros_like(parts.pass_rest.onset) if linear else parts.pass_rest.onset
    book = compiled.book_of(parts, rules.damping, onset, started[parts.rest])
    runs = compiled.run_sources(parts, book, started.astype(np.float64), node, shock, weights, fell, rules)
    return replace(runs, road=f"{runs.road} (not solved on the core: {why})") if why else runs


def _of_a_matrix(
    parts: System, started: Bools, node: Ints, shock: Floats, weights: Floats, fell: Bools, rules: Rules
) -> Runs:
    from riskgraph.contagion import columns, tiled_rounds  # numba: loaded only where it is used

    if parts.pass_rest.model == "linear" and rules.horizon is None:
        return columns.wiped_out_one_by_one(parts.impact, started, node, weights, fell, rules)
    return tiled_rounds.sources_in_tiles(parts.impact, parts.pass_rest, started, node, shock, weights, fell, rules)


def _in_blocks(
    parts: System, started: Bools, start: sparse.csc_array, weights: Floats, fell: Bools, rules: Rules
) -> Runs:
    """Spread a block of columns at a time; the plain road, and the only one for groups."""
    n, k = start.shape
    width = int(np.clip(BLOCK_CELLS // max(n, 1), 8, 256))
    end, first = np.zeros((k, weights.shape[1])), np.zeros((k, weights.shape[1]))
    defaults, rounds, converged = np.zeros(k, dtype=np.int64), np.zeros(k, dtype=np.int64), np.ones(k, dtype=bool)
    suffered = np.zeros(n)
    for low in range(0, k, width):
        at = slice(low, min(low + width, k))
        shocked = start[:, at].toarray()
        origin = np.maximum(shocked, started[:, None])
        run = spread(parts, origin, rules)
        moved, other = run.end - origin, shocked == 0.0
        end[at], first[at] = moved.T @ weights, (run.first - origin).T @ weights
        defaults[at] = ((run.end >= DEFAULTED) & ~fell[:, None] & other).sum(axis=0)
        rounds[at], converged[at] = run.rounds, run.converged
        suffered += (moved * other).sum(axis=1)
    return Runs(end, first, defaults, rounds, converged, suffered, _road(parts, width, rules, rounds))


def _road(parts: System, width: int, rules: Rules, rounds: Ints) -> str:
    if parts.pass_rest.model == "original":
        step = "rounds, every node passing on once"
    elif parts.core_size:
        step = "waves (accounts → assets and protocols, to the end of their own chain → accounts)"
    else:
        step = "rounds (one application of Λ each)"
    until = (
        f"{rules.horizon} at most" if rules.horizon is not None else f"until no h moves by more than {rules.tol:.0e}"
    )
    return f"{step}, {width} sources at a time, {until}; the longest took {int(rounds.max(initial=0)):,}"
