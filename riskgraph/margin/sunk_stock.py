"""Collateral that is on sale as a whole, added up by pair and bonus, and found again by its size."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from riskgraph.arrays import Floats, Ints, Places, rising
from riskgraph.margin.cascade_book import COLLATERAL

if TYPE_CHECKING:
    from riskgraph.margin.lending_bundles import LendingCalls

__all__ = ["RowClasses", "SunkStock"]

_MANY = 4_000  # accounts that are looked through one by one; more are shelved
_MOST_SHELVES = 16


class RowClasses:
    """Pairs and bonuses of rows of collateral: what one unit is offered for is the same within each.

    Attributes
    ----------
    of_row : ndarray of int32, shape (n_rows,)
        Class of every row of collateral, -1 for others.
    pair, bonus : ndarray, shape (n_classes,)
    """

    def __init__(self, calls: LendingCalls) -> None:
        from riskgraph.margin.sunk_kernel import row_classes

        held = calls.book.rows
        self.of_row = np.empty(len(held.side), dtype=np.int32)
        room = 2 * len(held.pair_asset) + 64
        while True:
            pair, bonus = np.zeros(room, dtype=np.int64), np.zeros(room)
            n = row_classes(held.side, held.pair, held.bonus, COLLATERAL, self.of_row, pair, bonus)
            if n >= 0:
                break
            room *= 4
        self.pair, self.bonus = pair[:n], bonus[:n]

    def __len__(self) -> int:
        return len(self.pair)


class SunkStock:
    """All collateral of accounts that are sunk, of one round or (``lasts``) from round to round.

    Attributes
    ----------
    units : ndarray, shape (n_classes, buckets)
        Units by class of rows, and by bucket of the units of one row; of claims as they were before lenders lost.
    """

    def __init__(self, calls: LendingCalls, state: Places, *, lasts: bool) -> None:
        from riskgraph.margin.sunk_kernel import BUCKETS

        self.calls, self.book, self.state, self.lasts = calls, calls.book, state, lasts
        self.units = np.zeros((len(calls.classes), BUCKETS))
        self._counts = np.zeros(len(calls.classes), dtype=np.int64)
        self._loose: list[Ints] = []  # accounts that have come since rows were shelved
        self._shelves: list[tuple[Ints, Ints, Ints]] = []

    @property
    def count(self) -> int:
        """How many collaterals of accounts that is."""
        return int(self._counts.sum())

    def add(self, margins: Ints, sign: float) -> None:
        """Add what accounts have as it stands now, or with -1 take it away."""
        from riskgraph.margin.sunk_kernel import add_up_sunk

        if len(margins):
            book, rows = self.book, self.calls.classes.of_row
            add_up_sunk(
                margins, book.starts, book.stops, rows, book.amount.view(np.int64), book.amount, sign,
                self.units, self._counts,
            )  # fmt: skip
            if sign > 0.0:
                self._loose.append(margins)

    def empty(self, pairs: Ints) -> None:
        """Forget what was lent out in pairs of which no claim is left."""
        mine = np.isin(self.calls.classes.pair, pairs) & self.book.lent[self.calls.classes.pair]
        self.units[mine], self._counts[mine] = 0.0, 0

    def picked(self, least: Floats) -> Ints:
        """Rows, ascending, that offer at least so many units as their class says."""
        from riskgraph.margin.sunk_kernel import pick_among, pick_sunk

        book = self.book
        if self.lasts and sum(len(part) for part in self._loose) > _MANY:
            self._put_on_shelves()
        among = np.concatenate([np.zeros(0, dtype=np.int64), *self._loose])
        account, row = (among, book.starts, book.stops), (self.calls.classes.of_row, book.amount)
        loose = _filled(pick_among, *account, *row, least, self.state)
        margin = book.rows.margin
        found = [_filled(pick_sunk, *shelf, least, margin, book.amount, self.state) for shelf in self._shelves]
        return rising(np.concatenate([loose, *found]))

    def _put_on_shelves(self) -> None:
        """Shelve who has come; when there are too many shelves, everybody anew."""
        margins = rising(np.concatenate(self._loose))
        if len(self._shelves) >= _MOST_SHELVES:
            self._shelves, margins = [], np.arange(len(self.state))
        self._shelves.append(self._shelved(margins))
        self._loose = []

    def _shelved(self, margins: Ints) -> tuple[Ints, Ints, Ints]:
        """Where each cell of rows on sale begins and ends, and the rows: by class and bucket, the largest first."""
        from riskgraph.margin.sunk_kernel import BUCKETS, shelve_rows

        classes, book = self.calls.classes, self.book
        n = int((book.stops[margins] - book.starts[margins]).sum())
        cell, rows = np.empty((2, n), dtype=np.int32)
        bits = book.amount.view(np.int64)
        n = shelve_rows(margins, book.starts, book.stops, classes.of_row, bits, self.state, cell, rows)
        shape = (1, len(classes) * BUCKETS)
        shelved = sparse.csr_array((rows[:n], cell[:n], np.array([0, n])), shape=shape).tocsc()
        return shelved.indptr[:-1], shelved.indptr[1:].copy(), shelved.data


def _filled(pick: Callable[..., int], *columns: Any) -> Ints:
    """Pick into an array that is large enough."""
    found: Ints = np.zeros(4_096, dtype=np.int32)
    while (n := pick(*columns, found)) > len(found):
        found = np.zeros(n, dtype=np.int32)
    return found[:n]
