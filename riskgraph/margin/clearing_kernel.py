"""Large clearings in compiled code: offers added up by their limits, and claims scaled. numba is loaded here."""

from __future__ import annotations

import numba
import numpy as np

__all__ = ["add_up_limits", "scale_all_claims", "scale_claims"]


@numba.njit(cache=True, nogil=True)
def add_up_limits(market, limit, size, units, market_of, limit_of, total, kind):  # type: ignore[no-untyped-def]
    """Add up sizes of offers by market and limit; give how many kinds there are, -1 where there is no room for them.

    Limits count as equal that are in whole multiples of 1 ÷ ``units``. ``market_of``, ``limit_of`` (of the first offer)
    and ``total`` come out in the order in which kinds are met; ``kind`` says of every offer which it is, -1 above 1.
    """
    n = len(total)
    slots = np.full(4 * n, -1, dtype=np.int64)
    whole = np.empty(n, dtype=np.int64)
    mask = np.uint64(len(slots) - 1)
    found = 0
    for at in range(len(market)):
        rounded = np.round(limit[at] * units) if limit[at] < 2.0 else 2.0 * units
        if rounded > units:
            kind[at] = -1
            continue
        key = np.int64(rounded)
        mixed = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(market[at]) * np.uint64(0xC2B2AE3D27D4EB4F)
        slot = (mixed >> np.uint64(17)) & mask
        while True:
            which = slots[slot]
            if which < 0:
                if found == n:
                    return -1
                slots[slot] = which = found
                market_of[found], limit_of[found], whole[found] = market[at], limit[at], key
                found += 1
            if market_of[which] == market[at] and whole[which] == key:
                total[which] += size[at]
                kind[at] = which
                break
            slot = (slot + np.uint64(1)) & mask
    return found


@numba.njit(cache=True, nogil=True)
def scale_claims(pairs, first, claims, sides, own, is_pledged, factor, amount, lost):  # type: ignore[no-untyped-def]
    """Scale the claims of some pairs by the factor of each, and add up by kind and pair what they lose.

    ``claims`` stand pair by pair, ``first`` says where each begins.
    """
    for pair in pairs:
        by = factor[pair]
        for at in range(first[pair], first[pair + 1]):
            row = claims[at]
            before = amount[row]
            after = before * by
            amount[row] = after
            kind = (1 if sides[row] == is_pledged else 0) + (2 if own[row] else 0)
            lost[kind, pair] += before - after


@numba.njit(cache=True, nogil=True)
def scale_all_claims(claims, pair_of, sides, own, is_pledged, factor, amount, lost):  # type: ignore[no-untyped-def]
    """Do the same where most claims are in such pairs: row after row."""
    for at in range(len(claims)):
        row = claims[at]
        pair = pair_of[row]
        by = factor[pair]
        if by < 1.0:
            before = amount[row]
            after = before * by
            amount[row] = after
            kind = (1 if sides[row] == is_pledged else 0) + (2 if own[row] else 0)
            lost[kind, pair] += before - after
