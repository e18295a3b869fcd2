"""Accounts whose calls cannot end before all collateral is gone, in compiled code; numba is loaded with this module.

What such an account offers is known without calling it: all of its collateral. Where nobody takes that, nothing about
the account changes from round to round but its value, and its calls need not be formed anew.
"""

from __future__ import annotations

import numba
import numpy as np

__all__ = [
    "BUCKETS", "CLOSE", "DUE", "FAR", "FINE", "GONE", "LOWEST", "NEAR", "SUNK", "add_up_sunk", "look_at",
    "mark_stirred", "pick_among", "pick_sunk", "plain_accounts", "row_classes", "shelve_rows", "sinks", "weigh_rows",
]  # fmt: skip

# What a look says of an account; NEAR and BRINK are near the edge of fine and of sunk, CLOSE: floats cannot tell.
FINE, NEAR, GONE, CLOSE, DUE, SUNK, BRINK = range(7)
FAR = 0.02  # by how much prices may move before those who are not near an edge are looked at
BUCKETS = 64  # units of offers by powers of 2
LOWEST = -20  # the power of 2 with which the first of them begins; what is smaller is in it, too
_FIRST = 1023 + LOWEST
_BAND = 1e-12  # of health about 1 in which floats do not decide (close_calls.BAND)


@numba.njit(cache=True, nogil=True, inline="always")
def sinks(start, stop, rows, pair_price, terms):  # type: ignore[no-untyped-def]
    """Whether every call leaves an account as unhealthy: what its collateral pays at most is less than its debt.

    Each call takes the same off both, so that this stays so until the collateral is gone. With several collaterals none
    may count for more than it pays (LT (1 + b) ≤ 1), or health could pass 1 on the way. No term may end the calls
    before: a target, or dust that must not be left.
    """
    sides, amounts, pairs, thresholds, bonuses, weights, is_pledged, is_owed = rows
    close_factor, _, small, least, target = terms
    if not (close_factor > 0.0 and least <= 0.0 and small <= 0.0 and target != target):
        return False
    pays = debt = weighted = 0.0
    counted = 0
    modest = True
    for row in range(start, stop):
        value = amounts[row] * pair_price[pairs[row]]
        if sides[row] == is_pledged:
            bonus = bonuses[row] if bonuses[row] == bonuses[row] else 0.0
            threshold = thresholds[row] if thresholds[row] == thresholds[row] else 0.0
            if amounts[row] == 0.0:
                continue
            if value <= 0.0:
                return False
            pays += value / (1.0 + bonus)
            weighted += value * threshold
            counted += 1
            modest = modest and threshold * (1.0 + bonus) <= 1.0
        elif sides[row] == is_owed:
            debt += value
            if len(weights) and weights[row] != 1.0:
                return False
    return counted > 0 and weighted < debt and pays < debt * (1.0 - 1e-9) and (counted == 1 or modest)


@numba.njit(cache=True, nogil=True)
def weigh_rows(rows, pays, counts, modest):  # type: ignore[no-untyped-def]
    """Say what a dollar of each row counts for in health, and what it pays at most in a call; of debt with the sign -.

    ``modest`` says whether a row leaves :func:`sinks` no more to ask than whether it holds something.
    """
    sides, _, _, thresholds, bonuses, weights, is_pledged, is_owed = rows
    for row in range(len(sides)):
        pays[row] = counts[row] = 0.0
        modest[row] = True
        if sides[row] == is_pledged:
            bonus = bonuses[row] if bonuses[row] == bonuses[row] else 0.0
            threshold = thresholds[row] if thresholds[row] == thresholds[row] else 0.0
            pays[row], counts[row] = 1.0 / (1.0 + bonus), threshold
            modest[row] = threshold * (1.0 + bonus) <= 1.0
        elif sides[row] == is_owed:
            weight = weights[row] if len(weights) else 1.0
            pays[row], counts[row], modest[row] = -1.0, -weight, weight == 1.0


@numba.njit(cache=True, nogil=True)
def plain_accounts(starts, stops, modest, terms, venue, plain):  # type: ignore[no-untyped-def]
    """Say of every account whether only amounts and prices decide if it sinks."""
    for margin in range(len(starts)):
        close_factor, _, small, least, target = terms[venue[margin]]
        fine = close_factor > 0.0 and least <= 0.0 and small <= 0.0 and target != target
        for row in range(starts[margin], stops[margin]):
            fine = fine and modest[row]
        plain[margin] = fine


@numba.njit(cache=True, nogil=True)
def look_at(margins, starts, stops, rows, weighed, pair_price, all_worth, terms, venue, state):  # type: ignore[no-untyped-def]
    """Say of every account whether it is liquidatable, sunk, too close to tell, or has nothing to take or to repay.

    ``weighed`` is what the two functions above give; ``all_worth`` says that no price is 0.
    """
    pays, counts, plain = weighed
    sides, amounts, pairs, _, _, _, is_pledged, is_owed = rows
    for at in range(len(margins)):
        margin = margins[at]
        start, stop = starts[margin], stops[margin]
        net = gross = 0.0
        for row in range(start, stop):
            value = amounts[row] * pair_price[pairs[row]] * counts[row]
            net += value
            gross += abs(value)
        if gross - abs(net) <= _BAND * gross:  # nothing of one side, or next to nothing
            held = owes = False
            for row in range(start, stop):
                held = held or (sides[row] == is_pledged and amounts[row] > 0.0)
                owes = owes or (sides[row] == is_owed and amounts[row] > 0.0)
            if not (held and owes):
                state[margin] = GONE
                continue
        if abs(net) < _BAND * gross:
            state[margin] = CLOSE
        elif net >= 0.0:
            state[margin] = FINE if (gross + net) * (1.0 - FAR) >= (gross - net) * (1.0 + FAR) else NEAR
        elif plain[margin] and all_worth:
            short = debt = 0.0
            for row in range(start, stop):
                value = amounts[row] * pair_price[pairs[row]] * pays[row]
                short -= value
                debt += max(-value, 0.0)
            if not short > debt * 1e-9:
                state[margin] = DUE
            else:
                state[margin] = SUNK if (debt - short) * (1.0 + FAR) <= debt * (1.0 - FAR) else BRINK
        else:
            state[margin] = BRINK if sinks(start, stop, rows, pair_price, terms[venue[margin]]) else DUE


@numba.njit(cache=True, nogil=True)
def mark_stirred(first, accounts, moved, wanted, other, of_other, state, stirred):  # type: ignore[no-untyped-def]
    """Mark accounts of state ``wanted`` in pairs that ``moved``, and of state ``of_other`` where ``other`` says so.

    ``first`` says where each pair's accounts begin.
    """
    for pair in range(len(moved)):
        if moved[pair] or other[pair]:
            for at in range(first[pair], first[pair + 1]):
                here = state[accounts[at]]
                if (moved[pair] and here == wanted) or (other[pair] and here == of_other):
                    stirred[accounts[at]] = True


@numba.njit(cache=True, nogil=True)
def add_up_sunk(margins, starts, stops, classes, bits, amounts, sign, total, count):  # type: ignore[no-untyped-def]
    """Add up what accounts offer, all their collateral, by class of rows and bucket of units; and how many they are.

    ``bits`` are those of the amounts: their exponents make the buckets.
    """
    for at in range(len(margins)):
        for row in range(starts[margins[at]], stops[margins[at]]):
            one = classes[row]
            if one >= 0 and bits[row] > 0:
                count[one] += 1 if sign > 0.0 else -1
                total[one, min(max((bits[row] >> 52) - _FIRST, 0), BUCKETS - 1)] += sign * amounts[row]


@numba.njit(cache=True, nogil=True)
def shelve_rows(classes, bits, margin, state, cell):  # type: ignore[no-untyped-def]
    """Say of every row that is on sale in which cell it is: by class, and the largest bucket first; -1: not on sale."""
    for row in range(len(classes)):
        cell[row] = -1
        if classes[row] >= 0 and bits[row] > 0 and state[margin[row]] >= SUNK:
            bucket = min(max((bits[row] >> 52) - _FIRST, 0), BUCKETS - 1)
            cell[row] = classes[row] * BUCKETS + BUCKETS - 1 - bucket


@numba.njit(cache=True, nogil=True)
def pick_sunk(first, ends, rows, least, margin, amounts, state, picked):  # type: ignore[no-untyped-def]
    """Put into ``picked`` the rows of sunk accounts that offer at least the units that their class says; how many.

    There may be more of them than it has room for. ``rows`` stand cell by cell, as they were shelved, between ``first``
    and ``ends``; amounts have not grown since.
    What is no longer on sale leaves its shelf.
    """
    found = 0
    for one in range(len(least)):
        if least[one] == np.inf:
            continue
        for cell in range(one * BUCKETS, (one + 1) * BUCKETS):
            bucket = (one + 1) * BUCKETS - 1 - cell
            if bucket < BUCKETS - 1 and 2.0 ** (bucket + LOWEST + 1.0) < least[one]:
                break
            kept = first[cell]
            for at in range(first[cell], ends[cell]):
                row = rows[at]
                if state[margin[row]] < SUNK or amounts[row] <= 0.0:
                    continue
                rows[kept] = row
                kept += 1
                if amounts[row] >= least[one]:
                    if found < len(picked):
                        picked[found] = row
                    found += 1
            ends[cell] = kept
    return found


@numba.njit(cache=True, nogil=True)
def pick_among(margins, starts, stops, classes, amounts, least, state, picked):  # type: ignore[no-untyped-def]
    """Do the same among some accounts: put into ``picked`` the rows of those that are sunk; how many there are."""
    found = 0
    for at in range(len(margins)):
        if state[margins[at]] < SUNK:
            continue
        for row in range(starts[margins[at]], stops[margins[at]]):
            one = classes[row]
            if one >= 0 and amounts[row] > 0.0 and amounts[row] >= least[one]:
                if found < len(picked):
                    picked[found] = row
                found += 1
    return found


@numba.njit(cache=True, nogil=True)
def row_classes(sides, pairs, bonuses, is_pledged, classes, pair_of, bonus_of):  # type: ignore[no-untyped-def]
    """Give every pair and bonus of rows of collateral a number, in the order in which they are met; -1: other rows.

    Gives how many there are, -1 where ``pair_of`` and ``bonus_of`` have no room for them.
    """
    size = 16
    while size < 4 * len(pair_of):
        size *= 2
    slots = np.full(size, -1, dtype=np.int64)
    found = 0
    for row in range(len(sides)):
        classes[row] = -1
        if sides[row] != is_pledged:
            continue
        bonus = bonuses[row] if bonuses[row] == bonuses[row] else 0.0
        slot = (pairs[row] * 2654435761 + np.int64(bonus * 1e6) * 40503) & (size - 1)
        while True:
            which = slots[slot]
            if which < 0:
                if found == len(pair_of):
                    return -1
                slots[slot] = which = found
                pair_of[found], bonus_of[found] = pairs[row], bonus
                found += 1
            if pair_of[which] == pairs[row] and bonus_of[which] == bonus:
                classes[row] = which
                break
            slot = (slot + 1) & (size - 1)
    return found
