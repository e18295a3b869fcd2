"""Collateral of accounts whose calls cannot end before all of it is gone, in compiled code; numba is loaded here.

What such an account offers is known without calling it: all of its collateral. Where nobody takes that, nothing about
the account changes from round to round but its value, and its calls need not be formed anew.
"""

from __future__ import annotations

import numba
import numpy as np

from riskgraph.margin.account_states import SUNK

__all__ = ["BUCKETS", "LOWEST", "add_up_sunk", "pick_among", "pick_sunk", "row_classes", "shelve_rows"]

BUCKETS = 64  # units of offers by powers of 2
LOWEST = -20  # the power of 2 with which the first of them begins; what is smaller is in it, too
_FIRST = 1023 + LOWEST


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
def shelve_rows(margins, starts, stops, classes, bits, state, cell, rows):  # type: ignore[no-untyped-def]
    """Put rows of accounts that are on sale into ``rows``, and in which ``cell`` each is; how many.

    Cells stand by class, and within it the largest bucket first.
    """
    found = 0
    for margin in margins:
        if state[margin] < SUNK:
            continue
        for row in range(starts[margin], stops[margin]):
            if classes[row] >= 0 and bits[row] > 0:
                bucket = min(max((bits[row] >> 52) - _FIRST, 0), BUCKETS - 1)
                cell[found], rows[found] = classes[row] * BUCKETS + BUCKETS - 1 - bucket, row
                found += 1
    return found


@numba.njit(cache=True, nogil=True)
def pick_sunk(first, ends, rows, least, margin, amounts, state, picked):  # type: ignore[no-untyped-def]
    """Put into ``picked`` the rows of sunk accounts that offer at least the units that their class says; how many.

    There may be more of them than it has room for. ``rows`` stand cell by cell, as they were shelved, between ``first``
    and ``ends``; amounts have not grown since.
    What is no longer on sale leaves its shelf.
    """
    found = 0
    bits = least.view(np.int64)
    for one in range(len(least)):
        if least[one] == np.inf:
            continue
        last = min(max((bits[one] >> 52) - _FIRST, 0), BUCKETS - 1)  # the bucket in which the least is
        for cell in range(one * BUCKETS, (one + 1) * BUCKETS - last):
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
