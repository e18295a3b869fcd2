"""Answers of a book to small shocks above a state that stands still: all of it linear, caps taken one source at a time.

Compiled by numba, which is loaded with this module: nothing imports it before many sources are asked for.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from riskgraph.contagion.wave_kernel import WITHIN, _copy, _many, _row, _solved

__all__ = ["answer_each", "slopes"]

INNER: Any = numba.njit(**WITHIN)
EASY = 60  # rounds in which what runs over may be taken off, before the capped nodes are held in a system of their own
MANY = 20_000  # listed accounts from which rounds over them take longer than a few systems
NEWTON = 100  # steps in which the capped nodes of one source must be found


@numba.njit(cache=True, nogil=True)
def slopes(pull, push, started, core, matrix, constant, capped):  # type: ignore[no-untyped-def]
    """Split what accounts hand back to the core: ``matrix`` from the uncapped, ``constant`` from the others.

    Give the number of capped accounts and mark them.
    """
    count = 0
    for i in range(len(started)):
        capped[i] = started[i] or _row(pull, i, core) >= 1.0
        count += capped[i]
        for e in range(push.ptr[i], push.ptr[i + 1]):
            a = push.idx[e]
            if capped[i]:
                constant[a] += push.val[e]
            else:
                for f in range(pull.ptr[i], pull.ptr[i + 1]):
                    matrix[a, pull.idx[f]] += push.val[e] * pull.val[f]
    return count


@INNER
def _listed(answers, scratch, source):  # type: ignore[no-untyped-def]
    """List the accounts that the move carries to their cap or over it."""
    scratch.mark[0] += 1
    near, count = answers.near, 0
    if _many(near, scratch.move, 1.0, len(answers.room)):
        for i in range(len(answers.room)):
            if answers.room[i] > 0.0 and i != source:
                scratch.capped[count] = i
                count += _row(answers.pull, i, scratch.move) >= answers.room[i] - 1e-9
        return count
    for a in range(len(scratch.move)):
        for place in range(near.ptr[a], near.ptr[a + 1]):
            if near.level[place] >= scratch.move[a]:
                break
            i = near.account[place]
            if i != source and scratch.seen[i] != scratch.mark[0]:
                scratch.seen[i] = scratch.mark[0]
                if _row(answers.pull, i, scratch.move) >= answers.room[i] - 1e-9:
                    scratch.capped[count] = i
                    count += 1
    return count


@INNER
def _still(answers, scratch, count):  # type: ignore[no-untyped-def]
    """Keep of the listed those that a smaller move still carries to their cap."""
    kept = 0
    for at in range(count):
        i = scratch.capped[at]
        if _row(answers.pull, i, scratch.move) >= answers.room[i] - 1e-9:
            scratch.capped[kept] = i
            kept += 1
    return kept


@INNER
def _over(answers, scratch, i):  # type: ignore[no-untyped-def]
    """By how much the move carries account i over its cap; 0 where it does not."""
    return max(0.0, _row(answers.pull, i, scratch.move) - answers.room[i])


@INNER
def _fixed(answers, scratch, i):  # type: ignore[no-untyped-def]
    """Hold account i at 1: it answers no core move, and hands on all that it had room for."""
    for e in range(answers.push.ptr[i], answers.push.ptr[i + 1]):
        a = answers.push.idx[e]
        if answers.room_core[a] > 0.0:
            scratch.right[a] += answers.push.val[e] * answers.room[i]
            for f in range(answers.pull.ptr[i], answers.pull.ptr[i + 1]):
                scratch.matrix[a, answers.pull.idx[f]] += answers.push.val[e] * answers.pull.val[f]


@INNER
def _laid_out(answers, scratch, source, count):  # type: ignore[no-untyped-def]
    """Write the linear system of the move with all that are over their cap held at 1; give their number.

    A core node is held where its own equation, at the move so far, asks for more than it has room for.
    """
    m, held = len(scratch.move), 0
    for a in range(m):
        for b in range(m):
            scratch.matrix[a, b] = answers.system[a, b]
        scratch.right[a] = scratch.push[a] if answers.room_core[a] > 0.0 else 0.0
    if answers.hears:
        for at in range(count):
            if _over(answers, scratch, scratch.capped[at]) > 0.0:
                held += 1
                _fixed(answers, scratch, scratch.capped[at])
        if source >= 0:
            _fixed(answers, scratch, source)
    for a in range(m):
        asked = scratch.right[a] + scratch.move[a]
        for b in range(m):
            asked -= scratch.matrix[a, b] * scratch.move[b]
        if answers.room_core[a] > 0.0 and asked >= answers.room_core[a]:
            held += 1
            for b in range(m):
                scratch.matrix[a, b] = 0.0
            scratch.matrix[a, a] = 1.0
            scratch.right[a] = answers.room_core[a]
    return held


@INNER
def _eased(answers, scratch, source, source_core, count):  # type: ignore[no-untyped-def]
    """Find the move under caps by taking off, round after round, what runs over; False where that takes too long.

    No round comes out above the first move, so that nobody outside the list is ever over. A core source that ends wiped
    out is held by the share of its own column that does so; where another core node runs over, this is given up.
    """
    m, before = len(scratch.move), np.inf
    for _ in range(EASY):
        _copy(scratch.right, scratch.push)
        for at in range(count if answers.hears else 0):
            i = scratch.capped[at]
            over = _over(answers, scratch, i)
            for e in range(answers.push.ptr[i], answers.push.ptr[i + 1] if over > 0.0 else 0):
                scratch.right[answers.push.idx[e]] -= answers.push.val[e] * over
        if source >= 0 and answers.hears:
            over = _row(answers.pull, source, scratch.move) - answers.room[source]
            for e in range(answers.push.ptr[source], answers.push.ptr[source + 1]):
                scratch.right[answers.push.idx[e]] -= answers.push.val[e] * over
        for b in range(m):
            scratch.matrix[0, b] = 0.0
        for a in range(m):
            if scratch.right[a] != 0.0:
                for b in range(m):
                    scratch.matrix[0, b] += scratch.right[a] * answers.inverse[a, b]
        if source_core >= 0 and scratch.matrix[0, source_core] > answers.room_core[source_core] > 0.0:
            back = answers.inverse[source_core, source_core]
            beyond = (scratch.matrix[0, source_core] - answers.room_core[source_core]) / back
            for b in range(m):
                scratch.matrix[0, b] -= beyond * answers.inverse[source_core, b]
            scratch.matrix[0, source_core] = answers.room_core[source_core]
        change = 0.0
        for b in range(m):
            change = max(change, abs(scratch.matrix[0, b] - scratch.move[b]))
            scratch.move[b] = scratch.matrix[0, b]
            if scratch.move[b] > answers.room_core[b] > 0.0:
                return False
        if change <= 1e-15:
            return True
        if change > 0.7 * before:
            return change <= 1e-14
        before = change
    return False


@INNER
def _capped(answers, scratch, source, count):  # type: ignore[no-untyped-def]
    """Find the move under caps by Newton steps from above (the answer is concave); who is left listed, −1 if it fails.

    Who is over the cap is held at it; the move gets smaller, fewer are over, until the same ones are.
    """
    before = -1
    for _ in range(NEWTON):
        held = _laid_out(answers, scratch, source, count)
        if held == before:
            return count
        before = held
        if not _solved(scratch.matrix, scratch.right):
            return -1
        _copy(scratch.move, scratch.right)
        count = _still(answers, scratch, count)
    return -1


@INNER
def _moved(answers, scratch, source, source_core, shock):  # type: ignore[no-untyped-def]
    """Core move of a source while nothing is capped; False where a core node is carried over its cap."""
    m = len(scratch.move)
    for a in range(m):
        scratch.move[a], scratch.push[a] = 0.0, 0.0
    if source_core >= 0:
        scratch.push[source_core] = shock
        back, room = answers.inverse[source_core, source_core], answers.room_core[source_core]
        full = shock * back > room > 0.0  # it ends wiped out: as if its own equation had that much to give, and no more
        for b in range(m):
            scratch.move[b] = (room / back if full else shock) * answers.inverse[source_core, b]
        if full:
            scratch.move[source_core] = room
    elif answers.room[source] > 0.0 or not answers.hears:
        for e in range(answers.push.ptr[source], answers.push.ptr[source + 1]):
            a = answers.push.idx[e]
            if not answers.hears:
                scratch.push[a] += answers.push.val[e]
            for b in range(m):
                scratch.move[b] += answers.push.val[e] * answers.inverse[a, b]
        if answers.hears:  # held at 1: it does not answer what comes back to it
            scale = answers.room[source] / (1.0 + _row(answers.pull, source, scratch.move))
            for b in range(m):
                scratch.move[b] *= scale
    for a in range(m):  # noqa: SIM110 (a loop is what numba compiles best)
        if scratch.move[a] > answers.room_core[a] and answers.room_core[a] > 0.0:
            return False
    return True


@INNER
def _answered(answers, scratch, source, source_core, shock, out):  # type: ignore[no-untyped-def]
    """Sum what one source does, into ``out``; give the fallen, −1 where caps could not be found."""
    m = len(scratch.move)
    free = _moved(answers, scratch, source, source_core, shock)
    count, fallen = _listed(answers, scratch, source), 0
    if not free or (count and answers.hears):
        if free and count < MANY and _eased(answers, scratch, source, source_core, count):
            count = _still(answers, scratch, count)
        else:
            _moved(answers, scratch, source, source_core, shock)
            count = _capped(answers, scratch, source, _listed(answers, scratch, source))
        if count < 0:
            return -1
    for w in range(len(out)):
        out[w] = answers.floor[w]
        for a in range(m):
            out[w] += answers.linear[a, w] * scratch.move[a]
    for a in range(m):
        room = answers.room_core[a]
        fallen += room > 1e-9 and scratch.move[a] >= room - 1e-9 and not answers.fell_core[a] and a != source_core
        scratch.moves[a] += scratch.move[a]
    for at in range(count):
        i = scratch.capped[at]
        beyond = _over(answers, scratch, i)
        fallen += answers.room[i] > 1e-9 and not answers.fell[i]
        scratch.missed[i] += beyond
        for w in range(len(out)):
            out[w] -= answers.outer[i, w] * beyond
    fallen += answers.fallen
    if source_core >= 0:
        scratch.own[source_core] += scratch.move[source_core]
        fallen -= answers.room_core[source_core] <= 1e-9 and not answers.fell_core[source_core]
        for w in range(len(out)):
            out[w] -= answers.inner[source_core, w] * shock
    else:
        heard = _row(answers.pull, source, scratch.move) if answers.room[source] > 0.0 else 0.0
        scratch.missed[source] += heard
        fallen -= answers.room[source] <= 1e-9 and not answers.fell[source]
        for w in range(len(out)):
            out[w] -= answers.outer[source, w] * (1.0 - answers.room[source] + heard)
    return fallen


@INNER
def _quick(answers, scratch, source, out):  # type: ignore[no-untyped-def]
    """Sum what an account does without writing down the core's move; False where somebody may be capped by it."""
    low, high = answers.push.ptr[source], answers.push.ptr[source + 1]
    strain, back = 0.0, 0.0
    for e in range(low, high):
        a = answers.push.idx[e]
        strain += answers.push.val[e] * answers.strain[a]
        for f in range(answers.pull.ptr[source], answers.pull.ptr[source + 1]):
            back += answers.push.val[e] * answers.inverse[a, answers.pull.idx[f]] * answers.pull.val[f]
    scale = answers.room[source] / (1.0 + back) if answers.hears else 1.0
    if not scale * strain < 1.0:
        return False
    heard = scale * back if answers.room[source] > 0.0 else 0.0
    for w in range(len(out)):
        out[w] = answers.floor[w] - answers.outer[source, w] * (1.0 - answers.room[source] + heard)
    for e in range(low, high):
        a = answers.push.idx[e]
        scratch.pushed[a] += scale * answers.push.val[e]
        for w in range(len(out)):
            out[w] += scale * answers.push.val[e] * answers.gains[a, w]
    scratch.missed[source] += heard
    return True


@numba.njit(cache=True, nogil=True)
def answer_each(answers, scratch, number, in_core, shock, end, fallen):  # type: ignore[no-untyped-def]
    """Answer each source in turn."""
    for s in range(len(number)):
        source, source_core = -1, -1
        if in_core[s]:
            source_core = number[s]
        else:
            source = number[s]
            if _quick(answers, scratch, source, end[s]):
                fallen[s] = answers.fallen - (answers.room[source] <= 1e-9 and not answers.fell[source])
                continue
        fallen[s] = _answered(answers, scratch, source, source_core, shock[s], end[s])
