"""Collateral that is on sale as a whole, added up by pair and bonus, and found again by its size."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from riskgraph.arrays import Floats, Ints, Places
from riskgraph.margin.cascade_book import COLLATERAL

if TYPE_CHECKING:
    from riskgraph.margin.lending_bundles import LendingCalls

__all__ = ["RowClasses", "SunkStock"]


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
        self._start = calls.book.snap.rows.amount
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

    @cached_property
    def shelves(self) -> tuple[Ints, Ints, Ints]:
        """Where each cell of rows begins and ends, and the rows: by class, and by bucket of the units at the start.

        The largest come first. Who looks through them takes out what is gone.
        """
        from riskgraph.margin.sunk_kernel import BUCKETS, shelve_rows

        cell = np.empty(len(self.of_row), dtype=np.int32)
        shelve_rows(self.of_row, self._start.view(np.int64), cell)
        at = np.flatnonzero(cell >= 0).astype(np.int32)
        shape = (1, len(self) * BUCKETS)
        shelved = sparse.csr_array((at, cell[at], np.array([0, len(at)])), shape=shape).tocsc()
        return shelved.indptr[:-1], shelved.indptr[1:].copy(), shelved.data


class SunkStock:
    """All collateral of accounts that are sunk.

    Attributes
    ----------
    units : ndarray, shape (n_classes, buckets)
        Units by class of rows, and by bucket of the units of one row.
    count : int
        How many collaterals of accounts that is.
    """

    def __init__(self, calls: LendingCalls, state: Places) -> None:
        from riskgraph.margin.sunk_kernel import BUCKETS

        self.calls, self.book, self.state = calls, calls.book, state
        self.units = np.zeros((len(calls.classes), BUCKETS))
        self.count = 0

    def add(self, margins: Ints, sign: float) -> None:
        """Add what accounts have as it stands now, or with -1 take it away."""
        from riskgraph.margin.sunk_kernel import add_up_sunk

        if len(margins):
            book, rows = self.book, self.calls.classes.of_row
            found = add_up_sunk(
                margins, book.starts, book.stops, rows, book.amount.view(np.int64), book.amount, sign, self.units
            )
            self.count += int(sign) * int(found)

    def scale(self, factor: Floats) -> None:
        """Follow claims that were scaled, by pair: collateral that is lent out."""
        pair = self.calls.classes.pair
        lent = self.book.lends[self.book.rows.pair_protocol[pair]]
        self.units *= np.where(lent, factor[pair], 1.0)[:, None]

    def picked(self, least: Floats, *, grown: bool) -> Ints:
        """Accounts, ascending, that offer at least so many units of something as its class says.

        ``grown`` says that some amounts may have grown since the start.
        """
        from riskgraph.margin.sunk_kernel import pick_sunk

        shelves = self.calls.classes.shelves
        found = np.zeros(4096, dtype=np.int32)
        margin = self.book.rows.margin
        while (n := pick_sunk(*shelves, least, grown, margin, self.book.amount, self.state, found)) > len(found):
            found = np.zeros(n, dtype=np.int32)
        return np.unique(margin[found[:n]]).astype(np.int64)
