"""Accounts whose calls cannot end before all collateral is gone, in compiled code; numba is loaded with this module.

What such an account offers is known without calling it: all of its collateral. Where nobody takes that, nothing about
the account changes from round to round but its value, and its calls need not be formed anew.
"""

from __future__ import annotations

import math

import numba
import numpy as np

__all__ = [
    "BUCKETS", "CLOSE", "DUE", "FINE", "GONE", "LOWEST", "SUNK", "add_up_sunk", "look_at", "pick_sunk", "row_classes", "sinks",
]  # fmt: skip

FINE, DUE, SUNK, CLOSE, GONE = range(5)  # what an account's look says; CLOSE: floats cannot tell
BUCKETS = 32  # sizes of offers by powers of 4
LOWEST = 10  # bucket of what is worth 1/2 to 2 USD
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
def look_at(margins, starts, stops, rows, pair_price, terms, venue, state):  # type: ignore[no-untyped-def]
    """Say of every account whether it is liquidatable, sunk, too close to tell, or has nothing to take or to repay."""
    sides, amounts, pairs, thresholds, _, weights, is_pledged, is_owed = rows
    for at in range(len(margins)):
        margin = margins[at]
        weighted = burden = 0.0
        held = owes = False
        for row in range(starts[margin], stops[margin]):
            if sides[row] == is_pledged:
                held = held or amounts[row] > 0.0
                if thresholds[row] == thresholds[row]:
                    weighted += amounts[row] * pair_price[pairs[row]] * thresholds[row]
            elif sides[row] == is_owed:
                owes = owes or amounts[row] > 0.0
                burden += amounts[row] * pair_price[pairs[row]] * (weights[row] if len(weights) else 1.0)
        if not (held and owes):
            state[margin] = GONE
        elif abs(weighted - burden) < _BAND * burden:
            state[margin] = CLOSE
        elif not weighted < burden:
            state[margin] = FINE
        elif sinks(starts[margin], stops[margin], rows, pair_price, terms[venue[margin]]):
            state[margin] = SUNK
        else:
            state[margin] = DUE


@numba.njit(cache=True, nogil=True, inline="always")
def _bucket(usd):  # type: ignore[no-untyped-def]
    return min(max((math.frexp(usd)[1] >> 1) + LOWEST, 0), BUCKETS - 1)


@numba.njit(cache=True, nogil=True)
def add_up_sunk(margins, starts, stops, classes, amounts, kind, usd_of, size_of, total):  # type: ignore[no-untyped-def]
    """Add up what accounts offer, all their collateral, by kind and bucket of USD; give how many offers there are.

    ``kind`` (-1: nobody takes it), ``usd_of`` and ``size_of`` (USD of a unit, at the oracle's and at the snapshot's
    price) are by class of rows.
    """
    found = 0
    for at in range(len(margins)):
        for row in range(starts[margins[at]], stops[margins[at]]):
            if classes[row] >= 0 and amounts[row] > 0.0:
                found += 1
                one = classes[row]
                if kind[one] >= 0:
                    total[kind[one], _bucket(amounts[row] * usd_of[one])] += amounts[row] * size_of[one]
    return found


@numba.njit(cache=True, nogil=True)
def pick_sunk(margins, starts, stops, classes, amounts, usd_of, cut, picked):  # type: ignore[no-untyped-def]
    """Mark the accounts that offer something worth at least what is the cut of its class."""
    for at in range(len(margins)):
        for row in range(starts[margins[at]], stops[margins[at]]):
            one = classes[row]
            if one >= 0 and amounts[row] > 0.0 and amounts[row] * usd_of[one] >= cut[one]:
                picked[at] = True
                break


@numba.njit(cache=True, nogil=True)
def row_classes(sides, pairs, bonuses, is_pledged, classes, pair_of, bonus_of):  # type: ignore[no-untyped-def]
    """Number the pairs and bonuses that rows of collateral have, in the order in which they are met; -1: other rows.

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
