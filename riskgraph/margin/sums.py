"""Collateral and debt of every margin account, as they stand and as health counts them: two roads, the same bits.

Margin accounts are taken in runs of neighbours: their rows lie together, what is formed on the way stays in cache, and
each run is a piece of work for one thread. No sum crosses a run, so that nothing depends on their size.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from riskgraph.arrays import Floats, Places, summed
from riskgraph.snapshot.book import Book
from riskgraph.snapshot.rows import Leg

__all__ = ["Run", "Sums", "in_runs", "is_large", "split_by_asset", "sums_of"]

COMPILED_ROWS = 1_000_000  # rows of collateral and debt from which compiled code makes up for loading numba
RUN = 2**16  # margin accounts of a run


@dataclass(frozen=True, eq=False)
class Run:
    """Some neighbouring margin accounts of a book and their rows of collateral and of debt."""

    book: Book
    margins: slice
    legs: tuple[Leg, Leg]

    def __len__(self) -> int:
        return int(self.margins.stop - self.margins.start)


@dataclass(frozen=True, eq=False)
class Sums:
    """Collateral, Σ value · threshold, debt, and Σ debt ÷ borrow factor of margin accounts, USD.

    ``weighted`` is NaN where a threshold is missing on collateral, or where nothing says how a remainder counts.
    """

    collateral: Floats
    weighted: Floats
    debt: Floats
    burden: Floats


def in_runs(book: Book, step: Callable[[Run], None]) -> None:
    """Take a step for every run of a book, on the threads that there are."""
    runs = list(_runs(book))
    if len(runs) < 2:
        for run in runs:
            step(run)
        return
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(step, runs))


def _runs(book: Book) -> Iterator[Run]:
    n = len(book.margin_account)
    ends = np.append(np.arange(0, n, RUN, dtype=np.uint32), np.uint32(n))
    bounds = [np.searchsorted(leg.margin, ends) for leg in (book.pledged, book.owed)]
    for at, (low, high) in enumerate(pairwise(ends)):
        pledged, owed = (slice(int(bound[at]), int(bound[at + 1])) for bound in bounds)
        yield Run(book, slice(int(low), int(high)), (book.pledged.part(pledged), book.owed.part(owed)))


def sums_of(book: Book, also: Callable[[slice, Sums], None] | None = None) -> Sums:
    """Sum the rows of every margin account, with the named remainders of published totals.

    ``also`` is given the sums of each run of margin accounts while they are in cache.
    """
    n = len(book.margin_account)
    collateral, weighted, debt = np.zeros(n), np.zeros(n), np.zeros(n)
    burden = np.zeros(n) if len(book.owed.weight) else debt

    def step(run: Run) -> None:
        at = run.margins
        sums = Sums(collateral[at], weighted[at], debt[at], burden[at])
        _add_up(run, run.legs[0], sums.collateral, sums.weighted)
        _add_up(run, run.legs[1], sums.debt, sums.burden)
        if book.named:
            _add_remainders(run, sums)
        if also is not None:
            also(at, sums)

    in_runs(book, step)
    return Sums(collateral, weighted, debt, burden)


def _add_up(run: Run, leg: Leg, plain: Floats, weighted: Floats) -> None:
    """Sum values, and values times weights where there are any, into arrays of zeros."""
    book, first = run.book, np.uint32(run.margins.start)
    if is_large(book):
        from riskgraph.margin.margin_kernels import add_up  # numba: loaded only where it is used

        add_up(leg.margin, leg.amount, leg.pair, leg.weight, book.pair_price, first, plain, weighted)
        return
    usd, margin = leg.amount * book.pair_price[leg.pair], leg.margin - first
    plain[:] = summed(margin, usd, len(run))
    if len(leg.weight):
        weighted[:] = summed(margin, usd * leg.weight, len(run))


def _add_remainders(run: Run, sums: Sums) -> None:
    """Add published totals less rows.

    An account's own threshold counts for its remainder too, else the rows' average does; a remainder of debt counts as
    it stands, since nobody has said what it is owed in.
    """
    book, at = run.book, run.margins
    rest, own = book.collateral_remainder[at], book.own_threshold[at]
    with np.errstate(divide="ignore", invalid="ignore"):
        average = np.where(sums.collateral > 0.0, sums.weighted / sums.collateral, np.nan)
    sums.collateral[:] += rest
    by_rows = sums.weighted + np.where(rest == 0.0, 0.0, rest * average)
    sums.weighted[:] = np.where(np.isnan(own), by_rows, sums.collateral * np.nan_to_num(own))
    sums.debt[:] += book.debt_remainder[at]
    if len(book.owed.weight):  # else burden is debt
        sums.burden[:] += book.debt_remainder[at]


def split_by_asset(run: Run, moves: Places, pair_price: Floats) -> tuple[Floats, Floats]:
    """Weighted collateral and weighted debt of rows, each in two parts: where ``moves`` is 0 and where it is 1.

    Arrays of shape (2, margin accounts of the run), USD at the given prices of pairs; remainders are in neither.
    """
    return _parted(run, run.legs[0], moves, pair_price), _parted(run, run.legs[1], moves, pair_price)


def _parted(run: Run, leg: Leg, moves: Places, pair_price: Floats) -> Floats:
    n, first = len(run), np.uint32(run.margins.start)
    if is_large(run.book):
        from riskgraph.margin.margin_kernels import split  # numba: loaded only where it is used

        parts = np.zeros((2, n))
        split(leg.margin, leg.amount, leg.pair, leg.weight, pair_price, moves, first, parts)
        return parts
    value = leg.amount * pair_price[leg.pair]
    if len(leg.weight):
        value *= leg.weight
    return summed(leg.margin - first + np.uint32(n) * moves[leg.pair], value, 2 * n).reshape(2, n)


def is_large(book: Book) -> bool:
    """Whether compiled code is worth its loading."""
    return len(book.pledged.margin) + len(book.owed.margin) >= COMPILED_ROWS
