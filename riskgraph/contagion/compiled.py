"""The waves of a book in compiled code: the arrays laid out for the kernel, and many sources on all cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from scipy import sparse

from riskgraph.arrays import Bools, Floats, Ints
from riskgraph.contagion.models import DEFAULTED
from riskgraph.contagion.runs import Runs
from riskgraph.contagion.spreading import Rules, System, round_budget
from riskgraph.contagion.wave_arrays import Arrays, Csr, Near, Weights, Work, workspace
from riskgraph.contagion.wave_kernel import spread_each
from riskgraph.errors import ConvergenceError

__all__ = ["LANES", "book_of", "by_lane", "near_accounts", "plain", "run_sources", "sum_of"]

T = TypeVar("T")

LANES = 8  # sources are dealt out to so many lanes, whatever the number of threads: no sum depends on that
FOLDED_CORE = 3_000  # largest core whose inverse is held


def book_of(parts: System, damping: float, onset: Floats, started: Bools) -> Arrays:
    """Lay a system out for the kernel: damping folded in, what starts defaulted pulled no further."""
    chain = sparse.csr_array(parts.core_core * damping)
    push = sparse.csr_array((parts.core_rest * damping).T)
    pull = sparse.csr_array(sparse.diags_array(np.where(started, 0.0, damping)) @ parts.rest_core)
    pull.eliminate_zeros()
    total = np.asarray(pull.sum(axis=1), dtype=np.float64).ravel()
    moving = total > 0.0
    safe = np.where(moving, total, 1.0)  # an account that nothing pulls is in no list
    pushing = moving & (np.diff(push.indptr) > 0)
    prompt = pushing & (onset == 0.0)
    # Bounds are drawn a little low, so that rounding in a row sum never hides an account that a wave does reach.
    reach, cap = onset / safe * (1.0 - 1e-9), 1.0 / safe * (1.0 - 1e-9)
    return Arrays(
        chain=plain(chain),
        push=plain(push),
        pull=plain(pull),
        onset=np.ascontiguousarray(onset),
        total=safe,
        prompt=np.flatnonzero(prompt),
        late=near_accounts(pull, reach, pushing & ~prompt),
        capped=near_accounts(pull, cap, moving),
        prompt_capped=near_accounts(pull, cap, prompt),
        steepest=pull.max(axis=0).toarray().ravel() if pull.nnz else np.zeros(pull.shape[1]),
        ahead=_ahead(chain, push[prompt], pull[prompt]),
    )


def near_accounts(pull: sparse.csr_array, level: Floats, wanted: Bools) -> Near:
    """List the wanted accounts under every core node that pulls them, by their level."""
    n, nodes = pull.shape
    row = np.repeat(np.arange(n), np.diff(pull.indptr))
    kept = wanted[row]
    node = pull.indices[kept].astype(np.int64)
    by_level = np.argsort(level, kind="stable")
    place = np.empty(n, dtype=np.int64)
    place[by_level] = np.arange(n)
    key = np.sort(node * n + place[row[kept]])  # one sort of numbers: several times as fast as by two columns
    ptr = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(np.bincount(node, minlength=nodes))))
    accounts = by_level[key % n] if n else by_level
    return Near(ptr, accounts, level[accounts])


def _ahead(chain: sparse.csr_array, push: sparse.csr_array, pull: sparse.csr_array) -> Floats:
    """Transpose of (I − K)⁻¹, K = chain + pushᵀ·pull of the prompt accounts; empty where K is no contraction."""
    m = chain.shape[0]
    nothing = np.zeros((0, 0))
    if not 0 < m <= FOLDED_CORE:
        return nothing
    gain = (chain + push.T @ pull).toarray()
    try:
        inverse = np.linalg.inv(np.eye(m) - gain)
    except np.linalg.LinAlgError:
        return nothing
    # the inverse of I − K with K ≥ 0 has no negative entry exactly where the spectral radius of K is below 1
    return np.ascontiguousarray(inverse.T) if np.isfinite(inverse).all() and inverse.min() > -1e-12 else nothing


def plain(matrix: Any) -> Csr:
    """Lay a CSR matrix out for the kernels, columns sorted."""
    matrix.sort_indices()
    return Csr(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64), matrix.data)


def run_sources(
    parts: System, book: Arrays, start: Floats, sources: Ints, shock: Floats, weights: Floats, fell: Bools, rules: Rules
) -> Runs:
    """Spread every source's shock on top of ``start``; the same end states as the block road, source by source.

    Parameters
    ----------
    start : ndarray, shape (n,)
        What starts defaulted (1) and what does not (0).
    sources : ndarray of int, shape (k,)
        Node numbers, none of them started.
    shock : ndarray, shape (k,)
        1 for every account: it is wiped out and stays so.
    weights : ndarray, shape (n, w)
    fell : ndarray of bool, shape (n,)
        Nodes that are not to be counted as defaults.

    Raises
    ------
    ConvergenceError
        A source used up the round budget.
    """
    k, core = len(sources), np.zeros(len(start), dtype=bool)
    core[parts.core] = True
    number = np.where(core, np.cumsum(core) - 1, np.cumsum(~core) - 1)
    push = sparse.csr_array((book.push.val, book.push.idx, book.push.ptr), shape=(len(book.onset), parts.core_size))
    base_push = push.T @ start[parts.rest]
    summed = _weights(parts, book, weights, fell)
    out = (np.zeros((k, weights.shape[1])), np.zeros((k, weights.shape[1])), np.zeros((k, 3), dtype=np.int64))
    budget = rules.max_rounds if rules.max_rounds is not None else round_budget(parts.size)
    horizon = -1 if rules.horizon is None else rules.horizon

    def lane(part: slice) -> Work:
        work = workspace(parts.core_size, len(book.onset))
        results = [np.ascontiguousarray(array[part]) for array in out]
        spread_each(
            book, summed, work, number[sources[part]], core[sources[part]], shock[part], start[parts.core], base_push,
            rules.tol, horizon, budget, *results,
        )  # fmt: skip
        for array, result in zip(out, results, strict=True):
            array[part] = result
        return work

    works = by_lane(lane, k)
    defaults, rounds, state = out[2].T
    if (state < 0).any():
        raise ConvergenceError(
            f"distress still moved after {budget} rounds (tol {rules.tol:.0e}) for {(state < 0).sum()} sources"
        )
    return Runs(out[0], out[1], defaults, rounds, state == 1, _suffered(parts, book, start, works, k), _road(rounds))


def _road(rounds: Ints) -> str:
    return (
        "waves (accounts → assets and protocols, to the end of their own chain → accounts), compiled, looking only at "
        "accounts within reach, leaping ahead where none passes its onset or its wipe-out; "
        f"the longest took {int(rounds.max(initial=0)):,}"
    )


def by_lane(lane: Callable[[slice], T], k: int) -> list[T]:
    """Run every lane on the threads that there are; results in the order of lanes.

    A lane takes sources far apart: neighbours often take equally long, and so fall to different threads.
    """
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(lane, (slice(first, None, LANES) for first in range(min(LANES, k)))))


def sum_of(terms: Iterable[Floats], like: Floats) -> Floats:
    """Sum arrays in their order; zeros of the shape of ``like`` where there are none."""
    total = np.zeros_like(like)
    for term in terms:
        total += term
    return total


def _suffered(parts: System, book: Arrays, start: Floats, works: list[Work], k: int) -> Floats:
    """Sum distress beyond the start over the sources that are not the node itself; what starts defaulted has none."""
    inner = start[parts.core]
    moves, own = sum_of((w.moves for w in works), inner), sum_of((w.own for w in works), inner)
    pull = sparse.csr_array((book.pull.val, book.pull.idx, book.pull.ptr), shape=(len(book.onset), len(inner)))
    suffered = np.zeros(len(start))
    suffered[parts.core] = moves - own
    suffered[parts.rest] = pull @ moves - sum_of((w.missed for w in works), book.onset)
    suffered[start > 0.0] = 0.0
    return suffered


def _weights(parts: System, book: Arrays, weights: Floats, fell: Bools) -> Weights:
    inner, outer = np.ascontiguousarray(weights[parts.core]), np.ascontiguousarray(weights[parts.rest])
    pull = sparse.csr_array((book.pull.val, book.pull.idx, book.pull.ptr), shape=(len(outer), len(inner)))
    linear = np.ascontiguousarray((pull.T @ outer) + inner)  # what the weights make of core distress while nothing caps
    return Weights(linear, inner, outer, fell[parts.core], fell[parts.rest], DEFAULTED)
