"""Compiled sweeps over a sparse matrix: single vectors, and tiles of eight columns that stay in cache.

A *sweep* renews the rows of a vector in place, one after another (Gauss–Seidel): with L the part of A left of the
diagonal and U the rest, it applies :math:`G = (I - L)^{-1}U`. A *round* renews all rows from the old vector (Jacobi),
which is what the models of METHODS 3 are defined by.
"""

# Compiled by numba, which is loaded with this module: nothing imports it before many sources are asked for.
from __future__ import annotations

import numba
import numpy as np

from riskgraph.contagion.lanes import WIDTH, alike, apart, lanes_of, larger, plus, put, smaller

__all__ = [
    "add_up",
    "capped_columns",
    "diagonals",
    "fallen",
    "keep",
    "largest_gap",
    "lower",
    "one_round",
    "pass_on_once",
    "sweep",
    "weigh",
]


@numba.njit(cache=True, nogil=True)
def sweep(ptr, idx, val, add, v, down):  # type: ignore[no-untyped-def]
    """Renew v = add + A v in place, rows upwards or downwards; the largest change."""
    n, change = len(v), 0.0
    for k in range(n):
        i = n - 1 - k if down else k
        total = add[i]
        for e in range(ptr[i], ptr[i + 1]):
            total += val[e] * v[idx[e]]
        change = max(change, abs(total - v[i]))
        v[i] = total
    return change


@numba.njit(cache=True, nogil=True)
def lower(ptr, idx, val, pinned, h):  # type: ignore[no-untyped-def]
    """Renew h = min(1, A h) in place, except where it is pinned; the largest fall."""
    fall = 0.0
    for i in range(len(h)):
        if not pinned[i]:
            total = 0.0
            for e in range(ptr[i], ptr[i + 1]):
                total += val[e] * h[idx[e]]
            total = min(1.0, total)
            fall = max(fall, h[i] - total)
            h[i] = total
    return fall


@numba.njit(cache=True, nogil=True)
def diagonals(  # type: ignore[no-untyped-def]
    ptr, idx, val, col_ptr, col_idx, col_val, deep, source, right, share, size, reach, gain, tol, budget, out, swept
):
    """Give the diagonal of (I − A)⁻¹ − I at some sources, eight at a time.

    With A² e_s (``deep``) or A e_s as right-hand side x, z = (I − A)⁻¹ x is found by sweeps that start from
    x + share_s · right, and row s of A² or A ends the sum. A lane is done when its error is bounded by ``tol`` times
    the diagonal: |z − z*| ≤ gain · size · max(|last change| ÷ size), and reach_s is row s of A² or A times ``size``.
    A tile whose budget runs out says so by −1 in ``swept``.
    """
    n, k = len(size), len(source)
    x, z = np.zeros((n, WIDTH)), np.empty((n, WIDTH))
    change = np.empty((1, WIDTH))
    for low in range(0, k, WIDTH):
        x[:] = 0.0
        for c in range(WIDTH):
            s = source[min(low + c, k - 1)]
            change[0, c] = share[s]
            for e in range(col_ptr[s], col_ptr[s + 1]):
                j = col_idx[e]
                if deep:
                    for f in range(col_ptr[j], col_ptr[j + 1]):
                        x[col_idx[f], c] += col_val[f] * col_val[e]
                else:
                    x[j, c] += col_val[e]
        shares = lanes_of(change, 0)
        for i in range(n):
            put(z, i, plus(lanes_of(x, i), right[i], shares))
        done, settled = 0, False
        while done < budget and not settled:
            moved = alike(0.0)
            for i in range(n):
                total = lanes_of(x, i)
                for e in range(ptr[i], ptr[i + 1]):
                    total = plus(total, val[e], lanes_of(z, idx[e]))
                moved = larger(moved, plus(alike(0.0), 1.0 / size[i], apart(total, lanes_of(z, i))))
                put(z, i, total)
            put(change, 0, moved)
            done, settled = done + 1, True
            for c in range(WIDTH):
                s = source[min(low + c, k - 1)]
                settled = settled and gain * change[0, c] * reach[s] <= tol * (1.0 + z[s, c])
        for c in range(min(WIDTH, k - low)):
            s = source[low + c]
            total = x[s, c] if deep else 0.0
            for e in range(ptr[s], ptr[s + 1]):
                i = idx[e]
                part = x[i, c] if deep else z[i, c]
                if deep:
                    for f in range(ptr[i], ptr[i + 1]):
                        part += val[f] * z[idx[f], c]
                total += val[e] * (part + (1.0 if i == s else 0.0))
            out[low + c] = total
            swept[low + c] = done if settled else -1


@numba.njit(cache=True, nogil=True)
def capped_columns(  # type: ignore[no-untyped-def]
    ptr, idx, val, col_ptr, col_idx, col_val, source, room, right, share, size, enough, budget,
    weights, level, out, count, total, swept,
):  # fmt: skip
    """Solve d = min(room, A d) with d_s held at room_s, eight sources at a time (ascending); sum weights · d off s.

    Sweeps start near the uncapped column: room_s (e_s + A e_s + share_s · right). They end when no row of the tile
    moves by more than ``enough`` · size. ``count`` is the number of other rows that end at their ``level`` or above;
    to ``total`` every d off s is added. A tile whose budget runs out says so by −1 in ``swept`` and adds nothing.
    """
    n, k = len(size), len(source)
    z = np.empty((n, WIDTH))
    row = np.empty((1, WIDTH))
    for low in range(0, k, WIDTH):
        for c in range(WIDTH):
            s = source[min(low + c, k - 1)]
            row[0, c] = room[s] * share[s] / (1.0 + share[s] * right[s])
        shares = lanes_of(row, 0)
        for i in range(n):
            put(z, i, plus(alike(0.0), right[i], shares))
        for c in range(WIDTH):
            s = source[min(low + c, k - 1)]
            for e in range(col_ptr[s], col_ptr[s + 1]):
                z[col_idx[e], c] += col_val[e] * room[s]
            z[s, c] = room[s]
        done, settled = 0, False
        while done < budget and not settled:
            moved = alike(0.0)
            lane = 0
            for i in range(n):
                new = alike(0.0)
                for e in range(ptr[i], ptr[i + 1]):
                    new = plus(new, val[e], lanes_of(z, idx[e]))
                new = smaller(new, alike(room[i]))
                if lane < WIDTH and i == source[min(low + lane, k - 1)]:
                    put(row, 0, new)
                    while lane < WIDTH and i == source[min(low + lane, k - 1)]:
                        row[0, lane] = room[i]
                        lane += 1
                    new = lanes_of(row, 0)
                moved = larger(moved, plus(alike(0.0), 1.0 / size[i], apart(new, lanes_of(z, i))))
                put(z, i, new)
            put(row, 0, moved)
            done, settled = done + 1, True
            for c in range(WIDTH):
                settled = settled and row[0, c] <= enough
        for c in range(min(WIDTH, k - low)):
            z[source[low + c], c] = 0.0
            swept[low + c] = done if settled else -1
        for w in range(weights.shape[1]):
            gained = alike(0.0)
            for i in range(n):
                gained = plus(gained, weights[i, w], lanes_of(z, i))
            put(row, 0, gained)
            for c in range(min(WIDTH, k - low)):
                out[low + c, w] = row[0, c]
        for i in range(n):
            beyond = 0.0
            for c in range(min(WIDTH, k - low)):
                beyond += z[i, c]
                if z[i, c] >= level[i]:
                    count[low + c] += 1
            if settled:
                total[i] += beyond


@numba.njit(cache=True, nogil=True)
def one_round(ptr, idx, val, passed, origin, damping, cap, state, new, change):  # type: ignore[no-untyped-def]
    """Put origin + damping · A passed, capped at 1 if asked, into ``new``; the largest change of each lane."""
    moved = alike(0.0)
    for i in range(len(state)):
        total = alike(0.0)
        for e in range(ptr[i], ptr[i + 1]):
            total = plus(total, val[e], lanes_of(passed, idx[e]))
        total = plus(lanes_of(origin, i), damping, total)
        if cap:
            total = smaller(total, alike(1.0))
        moved = larger(moved, apart(total, lanes_of(state, i)))
        put(new, i, total)
    put(change, 0, moved)


@numba.njit(cache=True, nogil=True)
def pass_on_once(state, fresh, passed, woken):  # type: ignore[no-untyped-def]
    """Let every node that has any distress for the first time pass it on; say in which lanes one has."""
    woken[:] = False
    for i in range(len(state)):
        for c in range(WIDTH):
            now = fresh[i, c] and state[i, c] > 0.0
            passed[i, c] = state[i, c] if now else 0.0
            if now:
                fresh[i, c] = False
                woken[c] = True


@numba.njit(cache=True, nogil=True)
def largest_gap(one, other, change):  # type: ignore[no-untyped-def]
    """Raise ``change`` to the largest distance of two tables, lane by lane."""
    gap = lanes_of(change, 0)
    for i in range(len(one)):
        gap = larger(gap, apart(lanes_of(one, i), lanes_of(other, i)))
    put(change, 0, gap)


@numba.njit(cache=True, nogil=True)
def keep(state, wanted, kept):  # type: ignore[no-untyped-def]
    """Copy the wanted lanes."""
    for i in range(len(state)):
        for c in range(WIDTH):
            if wanted[c]:
                kept[i, c] = state[i, c]


@numba.njit(cache=True, nogil=True)
def weigh(end, start, weights, out):  # type: ignore[no-untyped-def]
    """Sum weights · (end − start) of each lane, for each column of weights."""
    row = np.empty((1, WIDTH))
    for w in range(weights.shape[1]):
        total = alike(0.0)
        for i in range(len(end)):
            total = plus(total, weights[i, w], plus(lanes_of(end, i), -1.0, lanes_of(start, i)))
        put(row, 0, total)
        for c in range(len(out)):
            out[c, w] = row[0, c]


@numba.njit(cache=True, nogil=True)
def add_up(end, start, lanes, total):  # type: ignore[no-untyped-def]
    """Add end − start of the first lanes to ``total``, row by row."""
    for i in range(len(end)):
        moved = 0.0
        for c in range(lanes):
            moved += end[i, c] - start[i, c]
        total[i] += moved


@numba.njit(cache=True, nogil=True)
def fallen(end, fell, level, out):  # type: ignore[no-untyped-def]
    """Count the rows of each lane at ``level`` or above that had not fallen anyway."""
    out[:] = 0
    for i in range(len(end)):
        if not fell[i]:
            for c in range(len(out)):
                if end[i, c] >= level:
                    out[c] += 1
