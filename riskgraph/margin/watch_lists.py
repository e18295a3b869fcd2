"""Who has something in which pair: lists that are searched where a price moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from riskgraph.arrays import Bools, Ints, Places
from riskgraph.margin.cascade_book import COLLATERAL, DEBT

if TYPE_CHECKING:
    from riskgraph.margin.cascade_book import CascadeBook

__all__ = ["WatchLists"]

_MANY = 20_000  # accounts that have come since lists were written, from which on new ones are worth it
_FEW = 0.7  # share of the accounts that are left, below which new ones are


class WatchLists:
    """Rows of margin accounts pair by pair: of all of them, and of those about whom a price may change something.

    Attributes
    ----------
    asleep : Bools
        States of those whom hardly any move of prices wakes, by state.
    """

    def __init__(self, book: CascadeBook, state: Places, asleep: Bools) -> None:
        self.book, self.state, self.asleep = book, state, asleep
        self._every: list[tuple[Ints, Ints, Ints]] = []
        self._lists: list[tuple[Ints, Ints, Ints]] = []
        self._listed = 0
        self._loose: list[Ints] = []

    def woken(self, margins: Ints) -> None:
        """Take in accounts that were asleep."""
        if len(margins):
            self._loose.append(margins)

    def mark(self, wanted: Bools, stirred: Bools) -> None:
        """Mark who is awake and whose state is wanted in a pair; shape (collateral and debt, n_pairs, states)."""
        self._renew()
        for margins in self._loose:
            stirred[margins] = True
        self._search(self._lists, wanted, stirred)

    def mark_sleepers(self, wanted: Bools, stirred: Bools) -> None:
        """Do the same with everybody."""
        if wanted.any():
            self._every = self._every or self._written(np.ones(len(self.state) + 1, dtype=np.bool_))
            self._search(self._every, wanted, stirred)

    def _search(self, lists: list[tuple[Ints, Ints, Ints]], wanted: Bools, stirred: Bools) -> None:
        from riskgraph.margin.state_kernel import mark_stirred

        for listed, one in zip(lists, wanted, strict=True):
            pairs = np.flatnonzero(one.any(axis=1))
            mark_stirred(pairs, *listed, self.book.amount, one, self.state, stirred)

    def _renew(self) -> None:
        """Write lists anew where many have come, or are asleep by now."""
        awake = ~self.asleep[self.state]
        n = int(np.count_nonzero(awake))
        if not self._lists or sum(map(len, self._loose)) > _MANY or n < _FEW * self._listed:
            self._lists, self._listed, self._loose = self._written(np.append(awake, False)), n, []

    def _written(self, awake: Bools) -> list[tuple[Ints, Ints, Ints]]:
        """Where each pair's begin, their margin accounts, and rows: of collateral in every pair, and of debt."""
        rows, n, found = self.book.rows, len(self.book.rows.pair_asset), []
        for side in (COLLATERAL, DEBT):
            at = np.flatnonzero((rows.side == side) & awake[rows.margin]).astype(np.int32)
            listed = sparse.csr_array((at, rows.pair[at], np.array([0, len(at)])), shape=(1, n)).tocsc()
            found.append((listed.indptr, rows.margin[listed.data], listed.data))
        return found
