"""The waves of a book in compiled code, one source after another, visiting only the accounts within reach."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from scipy import sparse

from riskgraph.arrays import Bools, Floats, Ints
from riskgraph.contagion.models import DEFAULTED
from riskgraph.contagion.spreading import Rules, System, round_budget
from riskgraph.errors import ConvergenceError

__all__ = ["Book", "Runs", "book_of", "run_sources"]

CHUNK = 64  # sources a thread takes at a time; fixed, so that nothing depends on the number of threads


@dataclass(frozen=True, eq=False)
class Book:
    """Arrays of a three-kind graph as the kernel reads them: core nodes c, accounts i.

    ``chain`` is Λ among core nodes (CSR), ``push`` what each account's wipe-out does to core nodes (accounts × core,
    CSR), ``pull`` what core nodes do to accounts (accounts × core, CSR). ``order``/``reach`` list the accounts that
    push anything by the least core distress at which they can begin, ``cap_order``/``cap`` all accounts by the least
    at which they can be wiped out (both bounds from row sums); ``steepest`` is the largest pull of each core node.
    """

    chain: tuple[Ints, Ints, Floats]
    push: tuple[Ints, Ints, Floats]
    pull: tuple[Ints, Ints, Floats]
    onset: Floats
    order: Ints
    reach: Floats
    cap_order: Ints
    cap: Floats
    steepest: Floats


@dataclass(frozen=True, eq=False)
class Runs:
    """Results by source: ``end`` and ``first`` are sums of weight × distress beyond the start, shape (k, weights)."""

    end: Floats
    first: Floats
    defaults: Ints
    rounds: Ints
    converged: Bools


def book_of(parts: System, damping: float, onset: Floats, started: Bools) -> Book:
    """Lay a system out for the kernel: damping folded in, what starts defaulted pulled no further."""
    chain = sparse.csr_array(parts.core_core * damping)
    push = sparse.csr_array((parts.core_rest * damping).T)
    pull = sparse.csr_array(sparse.diags_array(np.where(started, 0.0, damping)) @ parts.rest_core)
    pull.eliminate_zeros()
    total = np.asarray(pull.sum(axis=1), dtype=np.float64).ravel()
    nothing = np.full(len(total), np.inf)
    cap = np.divide(1.0, total, out=nothing.copy(), where=total > 0.0)
    reach = np.divide(onset, total, out=nothing, where=total > 0.0)
    # Bounds are drawn a little low, so that rounding in a row sum never hides an account that a wave does reach.
    reach, cap = reach * (1.0 - 1e-9), cap * (1.0 - 1e-9)
    pushing = np.flatnonzero((np.diff(push.indptr) > 0) & np.isfinite(reach))
    order = pushing[np.argsort(reach[pushing], kind="stable")]
    cap_order = np.argsort(cap, kind="stable")
    steepest = pull.max(axis=0).toarray().ravel() if pull.nnz else np.zeros(pull.shape[1])
    return Book(
        chain=_plain(chain),
        push=_plain(push),
        pull=_plain(pull),
        onset=np.ascontiguousarray(onset),
        order=order,
        reach=reach[order],
        cap_order=cap_order,
        cap=cap[cap_order],
        steepest=steepest,
    )


def _plain(matrix: Any) -> tuple[Ints, Ints, Floats]:
    matrix.sort_indices()
    return matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64), matrix.data


def run_sources(
    parts: System, book: Book, start: Floats, sources: Ints, shock: Floats, weights: Floats, fell: Bools, rules: Rules
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
    base_push = np.zeros(parts.core_size)
    for account in np.flatnonzero(start[parts.rest]):
        low, high = book.push[0][account], book.push[0][account + 1]
        base_push[book.push[1][low:high]] += book.push[2][low:high]
    inner, outer = np.ascontiguousarray(weights[parts.core]), np.ascontiguousarray(weights[parts.rest])
    pull = sparse.csr_array((book.pull[2], book.pull[1], book.pull[0]), shape=(len(outer), len(inner)))
    linear = np.ascontiguousarray((pull.T @ outer) + inner)  # what the weights make of core distress while nothing caps
    out = (np.zeros((k, weights.shape[1])), np.zeros((k, weights.shape[1])), np.zeros((k, 4), dtype=np.int64))
    budget = rules.max_rounds if rules.max_rounds is not None else round_budget(parts.size)
    horizon = -1 if rules.horizon is None else rules.horizon

    def chunk(low: int) -> None:
        part = slice(low, low + CHUNK)
        _spread(
            number[sources[part]], core[sources[part]], shock[part], start[parts.core], base_push,
            *book.chain, *book.push, *book.pull, book.onset, book.order, book.reach, book.cap_order, book.cap,
            book.steepest, linear, inner, outer, fell[parts.core], fell[parts.rest],
            rules.tol, horizon, budget, DEFAULTED, *(array[part] for array in out),
        )  # fmt: skip

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(chunk, range(0, k, CHUNK)))
    defaults, rounds, converged, spent = out[2].T
    if spent.any():
        raise ConvergenceError(
            f"distress still moved after {budget} rounds (tol {rules.tol:.0e}) for {spent.sum()} sources"
        )
    return Runs(out[0], out[1], defaults, rounds, converged == 1)


@numba.njit(cache=True, nogil=True)
def _settled(core, shock, push, ptr, idx, val, scratch, tol, budget):  # type: ignore[no-untyped-def]
    """Core distress at the end of its own chain, in place; False where the budget ran out."""
    m = len(core)
    for _ in range(max(budget, m + 1)):
        change = 0.0
        for a in range(m):
            h = shock[a] + push[a]
            for e in range(ptr[a], ptr[a + 1]):
                h += val[e] * core[idx[e]]
            scratch[a] = min(1.0, h)
            change = max(change, abs(scratch[a] - core[a]))
        core[:] = scratch
        if change <= tol:
            return True
    return False


@numba.njit(cache=True, nogil=True)
def _weighed(core, start, source, linear, inner, outer, ptr, idx, val, cap_order, cap, out):  # type: ignore[no-untyped-def]
    """Sum weights × distress beyond the start: linear in core distress, less what caps cut off."""
    for w in range(len(out)):
        total = 0.0
        for a in range(len(core)):
            total += linear[a, w] * core[a] - inner[a, w] * start[a]
        out[w] = total
    top = core.max() if len(core) else 0.0
    for place in range(len(cap)):
        if cap[place] >= top:
            break
        i = cap_order[place]
        if i != source:
            h = 0.0
            for e in range(ptr[i], ptr[i + 1]):
                h += val[e] * core[idx[e]]
            if h > 1.0:
                for w in range(len(out)):
                    out[w] -= outer[i, w] * (h - 1.0)
    if source >= 0:  # its own loss is the shock
        h = 0.0
        for e in range(ptr[source], ptr[source + 1]):
            h += val[e] * core[idx[e]]
        for w in range(len(out)):
            out[w] -= outer[source, w] * h


@numba.njit(cache=True, nogil=True)
def _fallen(core, source_core, source, fell_core, fell, ptr, idx, val, cap_order, cap, level):  # type: ignore[no-untyped-def]
    """Count nodes at or above ``level``, the source and those that fell anyway left out."""
    count = 0
    top = core.max() if len(core) else 0.0
    for a in range(len(core)):
        if core[a] >= level and not fell_core[a] and a != source_core:
            count += 1
    for place in range(len(cap)):
        if cap[place] * level > top:
            break
        i = cap_order[place]
        if i != source and not fell[i]:
            h = 0.0
            for e in range(ptr[i], ptr[i + 1]):
                h += val[e] * core[idx[e]]
            if h >= level:
                count += 1
    return count


@numba.njit(cache=True, nogil=True)
def _spread(  # type: ignore[no-untyped-def]
    number, in_core, shock, base, base_push, chain_ptr, chain_idx, chain_val, push_ptr, push_idx, push_val,
    pull_ptr, pull_idx, pull_val, onset, order, reach, cap_order, cap, steepest, linear, inner, outer,
    fell_core, fell, tol, horizon, budget, level, out_end, out_first, out_counts,
):  # fmt: skip
    """Waves of each source in turn; see ``spreading._Waves``, whose rules of stopping these are."""
    m = len(base)
    sent = np.zeros(len(onset))  # what accounts passed on in the last wave
    start, core, new = np.zeros(m), np.zeros(m), np.zeros(m)
    fixed, push, scratch = np.zeros(m), np.zeros(m), np.zeros(m)
    for s in range(len(number)):
        start[:] = base
        fixed[:] = base_push
        source, source_core = -1, -1
        if in_core[s]:
            source_core = number[s]
            start[source_core] = shock[s]
        else:
            source = number[s]
            passed = min(1.0, max(0.0, (shock[s] - onset[source]) / (1.0 - onset[source])))
            for e in range(push_ptr[source], push_ptr[source + 1]):
                fixed[push_idx[e]] += push_val[e] * passed
        core[:] = start
        push[:] = fixed
        visited, done = 0, 0
        while True:
            new[:] = core
            if not _settled(new, start, push, chain_ptr, chain_idx, chain_val, scratch, tol, budget):
                out_counts[s, 3] = 1
                break
            change = 0.0
            for a in range(m):
                moved = new[a] - (core[a] if done else 0.0)
                change = max(change, abs(new[a] - core[a]), steepest[a] * moved)
            push[:] = fixed
            top = new.max() if m else 0.0
            place = 0
            while place < len(order) and reach[place] < top:
                i = order[place]
                place += 1
                if i == source:
                    continue
                h = 0.0
                for e in range(pull_ptr[i], pull_ptr[i + 1]):
                    h += pull_val[e] * new[pull_idx[e]]
                p = min(1.0, max(0.0, (min(h, 1.0) - onset[i]) * (1.0 / (1.0 - onset[i]))))
                change = max(change, abs(p - sent[i]))
                sent[i] = p
                if p > 0.0:
                    for e in range(push_ptr[i], push_ptr[i + 1]):
                        push[push_idx[e]] += push_val[e] * p
            visited = max(visited, place)
            if change <= tol or done == horizon:
                out_counts[s, 2] = 1 if change <= tol else 0
                break
            if done == budget:
                out_counts[s, 3] = 1
                break
            core[:] = new
            done += 1
            if done == 1:
                _weighed(
                    core,
                    start,
                    source,
                    linear,
                    inner,
                    outer,
                    pull_ptr,
                    pull_idx,
                    pull_val,
                    cap_order,
                    cap,
                    out_first[s],
                )
        if done:
            _weighed(
                core, start, source, linear, inner, outer, pull_ptr, pull_idx, pull_val, cap_order, cap, out_end[s]
            )
        out_counts[s, 0] = _fallen(
            core, source_core, source, fell_core, fell, pull_ptr, pull_idx, pull_val, cap_order, cap, level
        ) if done else 0  # fmt: skip
        out_counts[s, 1] = done
        for place in range(visited):
            sent[order[place]] = 0.0
