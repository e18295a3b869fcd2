"""Waves of a book in compiled code, one source after another, looking only at accounts that a wave can reach.

Compiled by numba, which is loaded with this module: nothing imports it before many sources are asked for. The whole
kernel stands in one file, longer than a file should be: numba's cache sees a change in the file of the function that
is called, not in those that it calls. Who edits this one touches ``core_kernel`` too, which borrows from it.
"""

from __future__ import annotations

from typing import Any

import numba

__all__ = ["WITHIN", "spread_each"]

# An account is asleep while even the largest fall since it was last looked at leaves it short of its onset; it wakes
# this much too early, so that rounding never keeps it asleep.
EARLY = 1e-9
LOOK = 3  # waves between two tries to leap ahead
FAR = 1e4  # a leap is for what is far above the tolerance; the last digits come by waves
SCATTERED = 8  # an account reached through a list costs about so many read in the order of memory
MANY = 4_096  # newly listed accounts from which reading them in the order of memory makes up for listing all again


# Called from compiled code only: without the wrappers for calls from Python they compile in half the time.
WITHIN: dict[str, Any] = {"nogil": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
INNER: Any = numba.njit(**WITHIN)


@INNER
def _row(matrix, i, core):  # type: ignore[no-untyped-def]
    """One row of a sparse matrix times core distress (of ``pull``: what reaches account i, before the cap)."""
    h = 0.0
    for e in range(matrix.ptr[i], matrix.ptr[i + 1]):
        h += matrix.val[e] * core[matrix.idx[e]]
    return h


@INNER
def _copy(to, values):  # type: ignore[no-untyped-def]
    """Overwrite one array by another (compiles in a fraction of the time of a slice assignment)."""
    for a in range(len(to)):
        to[a] = values[a]


@INNER
def _passes(h, onset):  # type: ignore[no-untyped-def]
    """Share of its wipe-out that an account passes on at distress h."""
    return max(0.0, (h - onset) * (1.0 / (1.0 - onset))) if h < 1.0 else 1.0


@INNER
def _settled(book, work, tol, budget):  # type: ignore[no-untyped-def]
    """Core distress ``new`` at the end of its own chain, in place; False where the budget ran out."""
    m = len(work.new)
    for _ in range(max(budget, m + 1)):
        change = 0.0
        for a in range(m):
            h = work.start[a] + work.push[a] + _row(book.chain, a, work.new)
            work.scratch[a] = min(1.0, h)
            change = max(change, abs(work.scratch[a] - work.new[a]))
        _copy(work.new, work.scratch)
        if change <= tol:
            return True
    return False


@INNER
def _many(near, moves, share, n):  # type: ignore[no-untyped-def]
    """Whether so many listed accounts lie below the moves (times ``share``) that going through all is quicker."""
    total = 0
    for a in range(len(moves)):
        low, high = near.ptr[a], near.ptr[a + 1]
        while low < high:  # bisection: levels rise
            middle = (low + high) // 2
            if near.level[middle] * share < moves[a]:
                low = middle + 1
            else:
                high = middle
        total += low - near.ptr[a]
    return total * SCATTERED > n


@INNER
def _cut(book, weights, work, i, out, final):  # type: ignore[no-untyped-def]
    """Take off the sums what account i is spared by its cap; 1 if it fell."""
    h = _row(book.pull, i, work.core)
    if h > 1.0:
        if final:
            work.missed[i] += h - 1.0
        for w in range(len(out)):
            out[w] -= weights.outer[i, w] * (h - 1.0)
    return 1 if h >= weights.level and not weights.fell[i] else 0


@INNER
def _weighed(book, weights, work, source, source_core, out, final):  # type: ignore[no-untyped-def]
    """Sum weights × distress beyond the start: linear in core distress, less what caps cut off; count the fallen.

    A capped account holds some core node whose distress is above 1/(its row sum): only such holders are looked at.
    """
    core, near, count = work.core, book.capped, 0
    work.mark[0] += 1
    for w in range(len(out)):
        total = 0.0
        for a in range(len(core)):
            total += weights.linear[a, w] * core[a] - weights.inner[a, w] * work.start[a]
        out[w] = total
    if final and source_core >= 0:
        work.own[source_core] += core[source_core]
    many = _many(near, core, weights.level, len(book.onset))
    for i in range(len(book.onset) if many else 0):
        if i != source:
            count += _cut(book, weights, work, i, out, final)
    for a in range(len(core)):
        if final:
            work.moves[a] += core[a]
        if core[a] >= weights.level and not weights.fell_core[a] and a != source_core:
            count += 1
        for place in range(near.ptr[a], near.ptr[a] if many else near.ptr[a + 1]):
            if near.level[place] * weights.level > core[a]:
                break
            i = near.account[place]
            if i != source and work.seen[i] != work.mark[0]:
                work.seen[i] = work.mark[0]
                count += _cut(book, weights, work, i, out, final)
    if source >= 0:  # its own loss is the shock
        h = _row(book.pull, source, core)
        if final:
            work.missed[source] += h
        for w in range(len(out)):
            out[w] -= weights.outer[source, w] * h
    return count


@INNER
def _list(book, work, mine, count):  # type: ignore[no-untyped-def]
    """List the late accounts that core distress ``new`` reaches for the first time."""
    near, known = book.late, count
    for a in range(len(work.new)):
        while work.place[a] < near.ptr[a + 1] and near.level[work.place[a]] < work.new[a]:
            i = near.account[work.place[a]]
            work.place[a] += 1
            if work.stamp[i] != mine:
                work.stamp[i] = mine
                work.sent[i], work.wake[i] = 0.0, -1.0
                work.listed[count] = i
                count += 1
    if count - known > MANY:  # the same list again, in the order of memory
        count = 0
        for i in range(len(work.stamp)):
            if work.stamp[i] == mine and work.sent[i] < 1.0:
                work.listed[count] = i
                count += 1
    return count


@INNER
def _told(book, work, count, growth):  # type: ignore[no-untyped-def]
    """Let the listed accounts hear of ``new`` and renew ``push``; give the listed that are left and the largest move.

    Who passes everything on moves to ``fixed`` and leaves the list: no later wave changes it any more.
    """
    _copy(work.push, work.fixed)
    kept, change = 0, 0.0
    for at in range(count):
        i = work.listed[at]
        if work.wake[i] > growth:
            work.listed[kept] = i
            kept += 1
            continue
        h = _row(book.pull, i, work.new)
        p = _passes(h, book.onset[i])
        change = max(change, abs(p - work.sent[i]))
        work.sent[i] = p
        for e in range(book.push.ptr[i], book.push.ptr[i + 1] if p > 0.0 else 0):
            work.push[book.push.idx[e]] += book.push.val[e] * p
            if p >= 1.0:
                work.fixed[book.push.idx[e]] += book.push.val[e]
        if p <= 0.0:
            away = (book.onset[i] - h) / book.total[i] - EARLY
            work.wake[i] = growth + away if away > 0.0 else -1.0
        if p < 1.0:
            work.listed[kept] = i
            kept += 1
    return kept, change


@INNER
def _solved(matrix, right):  # type: ignore[no-untyped-def]
    """Solve in place by elimination without pivoting; False unless all pivots are positive.

    I − K with K ≥ 0 has positive pivots exactly where the spectral radius of K is below 1, and then no rounding grows.
    """
    m = len(right)
    for k in range(m):
        if matrix[k, k] <= 1e-9:
            return False
        for i in range(k + 1, m):
            if matrix[i, k] != 0.0:
                factor = matrix[i, k] / matrix[k, k]
                for j in range(k + 1, m):
                    matrix[i, j] -= factor * matrix[k, j]
                right[i] -= factor * right[k]
    for k in range(m - 1, -1, -1):
        for j in range(k + 1, m):
            right[k] -= matrix[k, j] * right[j]
        right[k] /= matrix[k, k]
    return True


@INNER
def _leaped(book, work, count):  # type: ignore[no-untyped-def]
    """Where waves would end if no account passed its onset or its wipe-out any more; False if that is no lower bound.

    With the regions held, what accounts pass on is linear, and never above the truth while none of them would pass on
    more than everything: the least solution of that system then lies between here and the end of the waves.
    """
    m, matrix, ahead = len(work.core), work.matrix, work.scratch
    for a in range(m):
        for b in range(m):
            matrix[a, b] = 0.0
        ahead[a] = work.start[a] + work.fixed[a]
        for e in range(book.chain.ptr[a], book.chain.ptr[a + 1]):
            matrix[a, book.chain.idx[e]] -= book.chain.val[e]
    for at in range(count):
        i = work.listed[at]
        if work.sent[i] > 0.0:
            steep = 1.0 / (1.0 - book.onset[i])
            for e in range(book.push.ptr[i], book.push.ptr[i + 1]):
                a = book.push.idx[e]
                ahead[a] -= book.push.val[e] * steep * book.onset[i]
                for f in range(book.pull.ptr[i], book.pull.ptr[i + 1]):
                    matrix[a, book.pull.idx[f]] -= book.push.val[e] * steep * book.pull.val[f]
    for a in range(m):
        if work.core[a] >= 1.0:  # it stays there: distress only grows
            for b in range(m):
                matrix[a, b] = 0.0
            ahead[a] = 1.0
        matrix[a, a] += 1.0
    if not _solved(matrix, ahead):
        return False
    for a in range(m):
        if ahead[a] > 1.0 or ahead[a] < work.core[a] - 1e-12:
            return False
    for at in range(count):
        i = work.listed[at]
        if work.sent[i] > 0.0 and _row(book.pull, i, ahead) > 1.0:
            return False
    return True


@INNER
def _begun(book, work, number, in_core, shock, base, base_push):  # type: ignore[no-untyped-def]
    """Lay out a source's shock; give its number as an account and as a core node, −1 where it is not one."""
    _copy(work.start, base)
    _copy(work.fixed, base_push)
    source, source_core = -1, -1
    if in_core:
        source_core = number
        work.start[number] = shock
    else:
        source = number
        passed = _passes(shock, book.onset[number])
        for e in range(book.push.ptr[number], book.push.ptr[number + 1]):
            work.fixed[book.push.idx[e]] += book.push.val[e] * passed
    return source, source_core


@INNER
def _reset(book, work, source):  # type: ignore[no-untyped-def]
    """Begin a pass over the accounts: nobody listed, the source never to be; its mark."""
    work.mark[0] += 1
    _copy(work.core, work.start)
    _copy(work.push, work.fixed)
    for a in range(len(work.core)):
        work.place[a] = book.late.ptr[a]
    if source >= 0:
        work.stamp[source], work.sent[source] = work.mark[0], 1.0
    return work.mark[0]


@INNER
def _moved(book, work, first):  # type: ignore[no-untyped-def]
    """Largest fall of a core node since accounts last heard of it, and largest move that it makes anywhere."""
    change, step = 0.0, 0.0
    for a in range(len(work.core)):
        moved = work.new[a] - (0.0 if first else work.core[a])
        step = max(step, moved)
        change = max(change, abs(work.new[a] - work.core[a]), book.steepest[a] * moved)
    return step, change


@INNER
def _folded(book, work, source, tol, budget):  # type: ignore[no-untyped-def]
    """End state with the prompt accounts taken out of the system beforehand; waves taken, −1 where a cap forbids it.

    Only late accounts are followed. The way there stays below the end of the waves as long as nothing that was folded
    in is capped, and since distress only grows, the end itself shows whether anything was.
    """
    if len(book.ahead) == 0 or (source >= 0 and book.onset[source] == 0.0):
        return -1
    mine, m = _reset(book, work, source), len(work.core)
    for a in range(m):
        work.push[a] = work.start[a] + work.fixed[a]
        work.core[a] = 0.0
    count, done, growth, change = 0, 0, 0.0, 1.0
    while change > tol:
        _copy(work.new, work.core)
        for a in range(m):
            if work.push[a] != 0.0:
                for b in range(m):
                    work.new[b] += book.ahead[a, b] * work.push[a]
        step, change = _moved(book, work, False)
        growth += step
        for a in range(m):
            work.push[a] = 0.0  # here: what is pushed beyond the last wave
            if work.new[a] > 1.0 or done == budget:
                return -1
        _copy(work.core, work.new)
        count = _list(book, work, mine, count)
        for at in range(count):
            i = work.listed[at]
            if work.wake[i] <= growth:
                h = _row(book.pull, i, work.new)
                p = _passes(h, book.onset[i])
                change = max(change, abs(p - work.sent[i]))
                for e in range(book.push.ptr[i], book.push.ptr[i + 1]):
                    work.push[book.push.idx[e]] += book.push.val[e] * (p - work.sent[i])
                work.sent[i] = p
                away = (book.onset[i] - h) / book.total[i] - EARLY
                work.wake[i] = growth + away if away > 0.0 else -1.0
        done += 1
    near = book.prompt_capped
    for a in range(m):
        for place in range(near.ptr[a], near.ptr[a + 1]):
            if near.level[place] >= work.core[a]:
                break
            if _row(book.pull, near.account[place], work.core) > 1.0:
                return -1
    return done


@INNER
def _waves(book, weights, work, source, source_core, tol, horizon, budget, first):  # type: ignore[no-untyped-def]
    """Wave after wave, with leaps where many accounts move: waves taken, and 1 converged, 0 cut, −1 out of budget."""
    mine, m = _reset(book, work, source), len(work.core)
    count = 0
    for i in book.prompt:
        if work.stamp[i] != mine:
            work.stamp[i] = mine
            work.sent[i], work.wake[i] = 0.0, -1.0
            work.listed[count] = i
            count += 1
    done, growth, change, seek = 0, 0.0, 1.0, LOOK
    while True:
        _copy(work.new, work.core)
        leaping = done == seek and horizon < 0 and change > FAR * tol and count * LOOK > m * m
        if leaping:
            leaping = _leaped(book, work, count)
        if done == seek:
            seek += 2 if leaping else LOOK
        if leaping:
            _copy(work.new, work.scratch)
        elif not _settled(book, work, tol, budget):
            return done, -1
        step, change = _moved(book, work, done == 0)
        growth += step
        count, told = _told(book, work, _list(book, work, mine, count), growth)
        change = max(change, told)
        if change <= tol or done == horizon:
            return done, 1 if change <= tol else 0
        if done == budget:
            return done, -1
        _copy(work.core, work.new)
        done += 1
        if done == 1:
            _weighed(book, weights, work, source, source_core, first, False)


@numba.njit(cache=True, nogil=True)
def spread_each(  # type: ignore[no-untyped-def]
    book, weights, work, number, in_core, shock, base, base_push, tol, horizon, budget, end, first, counts
):
    """Spread each source in turn; see ``spreading._Waves``, whose rules of stopping these are."""
    for s in range(len(number)):
        source, source_core = _begun(book, work, number[s], in_core[s], shock[s], base, base_push)
        done = -1
        if horizon < 0:
            _reset(book, work, source)
            _copy(work.new, work.core)
            if _settled(book, work, tol, budget):
                _copy(work.core, work.new)
                _weighed(book, weights, work, source, source_core, first[s], False)
                done = _folded(book, work, source, tol, budget)
        counts[s, 2] = 1
        if done < 0:
            done, counts[s, 2] = _waves(book, weights, work, source, source_core, tol, horizon, budget, first[s])
        if done:
            counts[s, 0] = _weighed(book, weights, work, source, source_core, end[s], True)
        counts[s, 1] = done
