"""Collateral and debt of every margin account, as they stand and as health counts them: two roads, the same bits."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskgraph.arrays import Floats, summed
from riskgraph.snapshot.book import Book
from riskgraph.snapshot.rows import Leg

__all__ = ["Sums", "split_by_asset", "sums_of"]

COMPILED_ROWS = 1_000_000  # rows of collateral and debt from which compiled code makes up for loading numba
RUNS = 8  # margin accounts are dealt out in so many runs, whatever the number of threads; no sum depends on that


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
    added = _compiled(book) if _is_large(book) else [_added(book, leg) for leg in book.legs]
    (collateral, weighted), (debt, burden) = added
    if not book.named:
        return Sums(collateral, weighted, debt, burden)
    with np.errstate(divide="ignore", invalid="ignore"):
        average = np.where(collateral > 0.0, weighted / collateral, np.nan)
    rest, own = book.collateral_remainder, book.own_threshold
    collateral = collateral + rest
    by_rows = weighted + np.where(rest == 0.0, 0.0, rest * average)
    weighted = np.where(np.isnan(own), by_rows, collateral * np.nan_to_num(own))
    return Sums(collateral, weighted, debt + book.debt_remainder, burden + book.debt_remainder)


def _added(book: Book, leg: Leg) -> tuple[Floats, Floats]:
    """Sum of values, and of values times weights (the same array where there are no weights)."""
    n = len(book.margin_account)
    usd = leg.amount * book.pair_price[leg.pair]
    plain = summed(leg.margin, usd, n)
    return plain, summed(leg.margin, usd * leg.weight, n) if len(leg.weight) else plain


def _compiled(book: Book) -> list[tuple[Floats, Floats]]:
    """Do the same in compiled code."""
    from riskgraph.margin.sums_kernel import add_up  # numba: loaded only where it is used

    n = len(book.margin_account)
    plain = [np.zeros(n) for _ in book.legs]
    totals = [(total, np.zeros(n) if len(leg.weight) else total) for total, leg in zip(plain, book.legs, strict=True)]

    def step(which: int, low: int, high: int) -> None:
        leg = book.legs[which]
        add_up(leg.margin, leg.amount, leg.pair, leg.weight, book.pair_price, low, high, *totals[which])

    _in_runs(book, step)
    return totals


def split_by_asset(book: Book, asset: int, pair_price: Floats) -> list[Floats]:
    """Weighted collateral and weighted debt of rows, each in two parts: of other assets, of this one.

    Arrays of shape (2, n_margins), USD at the given prices; remainders are in neither.
    """
    n, moves = len(book.margin_account), (book.pair_asset == asset).astype(np.uint8)
    if not _is_large(book):
        return [_parted(leg, moves, pair_price, n) for leg in book.legs]
    from riskgraph.margin.sums_kernel import split  # numba: loaded only where it is used

    parts = [np.zeros((2, n)) for _ in book.legs]

    def step(which: int, low: int, high: int) -> None:
        leg = book.legs[which]
        split(leg.margin, leg.amount, leg.pair, leg.weight, pair_price, moves, low, high, parts[which])

    _in_runs(book, step)
    return parts


def _parted(leg: Leg, moves: NDArray[np.uint8], pair_price: Floats, n: int) -> Floats:
    value = leg.amount * pair_price[leg.pair]
    if len(leg.weight):
        value *= leg.weight
    return summed(leg.margin + np.int64(n) * moves[leg.pair], value, 2 * n).reshape(2, n)


def _is_large(book: Book) -> bool:
    return sum(len(leg.margin) for leg in book.legs) >= COMPILED_ROWS


def _in_runs(book: Book, step: Callable[[int, int, int], None]) -> None:
    """Give each leg's rows to a step, run after run of margin accounts, on the threads that there are."""
    ends = np.linspace(0, len(book.margin_account), RUNS + 1).astype(np.uint32)
    bounds = [np.searchsorted(leg.margin, ends) for leg in book.legs]

    def run(at: int) -> None:
        for which, bound in enumerate(bounds):
            step(which, bound[at], bound[at + 1])

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(run, range(RUNS)))
