"""Sums over margin accounts in compiled code; numba is loaded with this module, which only large books import."""

from __future__ import annotations

import numba

__all__ = ["add_up", "split"]


@numba.njit(cache=True, nogil=True)
def add_up(margin, amount, pair, weight, price, low, high, plain, weighted):  # type: ignore[no-untyped-def]
    """Add the value of rows from low to high to their margin accounts, as it is and weighted (where there are weights).

    Row after row, each product rounded before it is added: the bits are those of ``numpy.bincount``.
    """
    if len(weight) == 0:
        for row in range(low, high):
            plain[margin[row]] += amount[row] * price[pair[row]]
    else:
        for row in range(low, high):
            usd = amount[row] * price[pair[row]]
            plain[margin[row]] += usd
            weighted[margin[row]] += usd * weight[row]


@numba.njit(cache=True, nogil=True)
def split(margin, amount, pair, weight, price, moves, low, high, parts):  # type: ignore[no-untyped-def]
    """Add weighted values to what stands still (``parts[0]``) or to what moves (``parts[1]``)."""
    if len(weight) == 0:
        for row in range(low, high):
            parts[moves[pair[row]], margin[row]] += amount[row] * price[pair[row]]
    else:
        for row in range(low, high):
            parts[moves[pair[row]], margin[row]] += amount[row] * price[pair[row]] * weight[row]
