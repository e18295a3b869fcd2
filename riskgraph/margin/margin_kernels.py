"""Sums over margin accounts, and where straight lines of them are 0, in compiled code.

numba is loaded with this module, which only large books import. Row after row, each product rounded before it is added:
the bits are those of ``numpy.bincount``. Places have no sign (``uint32``): with a sign they are read at half the speed.
"""

from __future__ import annotations

import numba
import numpy as np

__all__ = ["add_up", "crossed", "split"]


@numba.njit(cache=True, nogil=True)
def add_up(margin, amount, pair, weight, price, first, plain, weighted):  # type: ignore[no-untyped-def]
    """Add the value of rows to their margin accounts (from ``first`` on), as it is and where there are weights so."""
    if len(weight) == 0:
        for row in range(len(margin)):
            plain[margin[row] - first] += amount[row] * price[pair[row]]
    else:
        for row in range(len(margin)):
            usd = amount[row] * price[pair[row]]
            plain[margin[row] - first] += usd
            weighted[margin[row] - first] += usd * weight[row]


@numba.njit(cache=True, nogil=True)
def split(margin, amount, pair, weight, price, moves, first, parts):  # type: ignore[no-untyped-def]
    """Add weighted values to what stands still (``parts[0]``) or to what moves (``parts[1]``)."""
    if len(weight) == 0:
        for row in range(len(margin)):
            parts[moves[pair[row]], margin[row] - first] += amount[row] * price[pair[row]]
    else:
        for row in range(len(margin)):
            parts[moves[pair[row]], margin[row] - first] += amount[row] * price[pair[row]] * weight[row]


@numba.njit(cache=True, nogil=True)
def crossed(pledged, owed, due, unit, cancelled, move, direction, doubtful):  # type: ignore[no-untyped-def]
    """Do what ``_crossed`` of ``liquidation_points`` does for lines given by their parts; mark where terms cancel."""
    for at in range(len(move)):
        move[at], direction[at] = np.nan, -1
        if pledged[1, at] == 0.0 and owed[1, at] == 0.0:
            continue
        base, slope = pledged[0, at] - owed[0, at], pledged[1, at] - owed[1, at]
        doubtful[at] = (abs(base) < cancelled * owed[0, at] and pledged[0, at] > 0.0) or (
            abs(slope) < cancelled * owed[1, at] and pledged[1, at] > 0.0
        )
        if slope != 0.0:
            x = -base / slope
            if 0.0 < x < np.inf:
                rises = slope < 0.0
                move[at] = min(x, unit) if due[at] == rises else max(x, unit)
                direction[at] = rises
