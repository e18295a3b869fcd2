"""Sums over margin accounts in compiled code; numba is loaded with this module, which only large books import.

Row after row, each product rounded before it is added: the bits are those of ``numpy.bincount``. Places have no sign
(``uint32``), since compiled code reads with a sign at half the speed.
"""

from __future__ import annotations

import numba

__all__ = ["add_up", "split"]


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
