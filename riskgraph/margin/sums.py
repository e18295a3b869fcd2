"""Collateral and debt of every margin account, as they stand and as health counts them: two roads, the same bits."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from riskgraph.arrays import Floats, Ints, summed
from riskgraph.snapshot.book import Book
from riskgraph.snapshot.rows import Leg

__all__ = ["Sums", "in_parts", "sums_of"]

COMPILED_ROWS = 500_000  # rows of a side from which compiled code makes up for loading numba
PARTS = 8  # margin accounts are dealt out in so many runs, whatever the number of threads


@dataclass(frozen=True, eq=False)
class Sums:
    """Arrays of shape (n_margins,), USD: collateral, Σ value · threshold, debt, and Σ debt ÷ borrow factor.

    ``weighted`` is NaN where a threshold is missing on collateral, or where nothing says how a remainder counts.
    """

    collateral: Floats
    weighted: Floats
    debt: Floats
    burden: Floats


def sums_of(book: Book) -> Sums:
    """Sum rows over margin accounts, with the named remainders of published totals.

    An account's own threshold counts for its named remainder too, else the rows' average does; a remainder of debt
    counts as it stands, since nobody has said what it is owed in.
    """
    collateral, weighted = _added(book.pledged, book)
    debt, burden = _added(book.owed, book)
    if not book.named:
        return Sums(collateral, weighted, debt, burden)
    with np.errstate(divide="ignore", invalid="ignore"):
        average = np.where(collateral > 0.0, weighted / collateral, np.nan)
    rest, own = book.collateral_remainder, book.own_threshold
    collateral = collateral + rest
    by_rows = weighted + np.where(rest == 0.0, 0.0, rest * average)
    weighted = np.where(np.isnan(own), by_rows, collateral * np.nan_to_num(own))
    return Sums(collateral, weighted, debt + book.debt_remainder, burden + book.debt_remainder)


def _added(leg: Leg, book: Book) -> tuple[Floats, Floats]:
    """Sum of values, and of values times weights (the same array where there are no weights)."""
    n = len(book.margin_account)
    if len(leg.margin) >= COMPILED_ROWS:
        from riskgraph.margin.sums_kernel import add_up  # numba: loaded only where it is used

        plain = np.zeros(n)
        weighted = np.zeros(n) if len(leg.weight) else plain
        in_parts(
            lambda low, high: add_up(
                leg.margin, leg.amount, leg.pair, leg.weight, book.pair_price, low, high, plain, weighted
            ),
            leg.margin,
            n,
        )
        return plain, weighted
    usd = leg.amount * book.pair_price[leg.pair]
    plain = summed(leg.margin, usd, n)
    return plain, summed(leg.margin, usd * leg.weight, n) if len(leg.weight) else plain


def in_parts(step: Callable[[int, int], object], margin: Ints, n_margins: int) -> None:
    """Run a step over runs of rows on the threads that there are; a margin account's rows stay in one run."""
    bounds = np.searchsorted(margin, np.linspace(0, n_margins, PARTS + 1).astype(margin.dtype))
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(step, bounds[:-1], bounds[1:]))
