"""Who has something in which pair: lists that are searched where a price moved."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Bools, Ints, Places
from riskgraph.margin.account_states import FINE
from riskgraph.margin.cascade_book import COLLATERAL, DEBT
from riskgraph.margin.threads import in_parts

if TYPE_CHECKING:
    from riskgraph.margin.cascade_book import CascadeBook

__all__ = ["WatchLists"]

_MANY = 20_000  # accounts that have come since lists were written, from which on new ones are worth it
_FEW = 0.6  # share of the accounts that are left, below which new ones are
_MOST = 0.3  # share of all rows in pairs that moved from which on lists are not worth searching
_WORTH_SHARING = 100_000  # rows
_PARTS = 8  # pieces of work for threads
_OFTEN = 4  # rounds after which these are counted


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
        self._listed = self._since = 0
        self._loose: list[Ints] = []

    def woken(self, margins: Ints) -> None:
        """Take in accounts that were asleep."""
        if len(margins):
            self._loose.append(margins)

    def mark(self, wanted: Bools, stirred: Bools) -> None:
        """Mark who is awake and whose state is wanted in a pair; shape (collateral and debt, n_pairs, states).

        Where that is asked of states in the pairs of most rows, everybody is marked who is awake.
        """
        if self._rows_in[wanted[:, :, FINE]].sum() > _MOST * self._rows_in.sum():
            stirred |= (~self.asleep)[self.state]
            return
        self._renew()
        for margins in self._loose:
            stirred[margins] = True
        self._search(self._lists, wanted, stirred)

    @cached_property
    def _rows_in(self) -> Ints:
        """How many rows of collateral, and of debt, are in every pair."""
        rows, n = self.book.rows, len(self.book.rows.pair_asset)
        return np.stack([np.bincount(leg.pair, minlength=n) for leg in (rows.pledged, rows.owed)])

    def mark_sleepers(self, wanted: Bools, stirred: Bools) -> None:
        """Do the same with everybody."""
        if wanted.any():
            self._every = self._every or self._written(np.ones(len(self.asleep), dtype=np.bool_))
            self._search(self._every, wanted, stirred)

    def _search(self, lists: list[tuple[Ints, Ints, Ints]], wanted: Bools, stirred: Bools) -> None:
        from riskgraph.margin.state_kernel import mark_stirred

        for listed, one in zip(lists, wanted, strict=True):
            pairs = np.flatnonzero(one.any(axis=1))
            in_pairs = listed[0][pairs + 1] - listed[0][pairs]

            def step(_: int, at: slice, pairs: Ints = pairs, listed: Any = listed, one: Bools = one) -> None:
                first, margins, rows = listed
                mark_stirred(pairs[at], first, margins, rows, self.book.amount, one, self.state, stirred)

            in_parts(len(pairs), _PARTS, step, worth_sharing=int(in_pairs.sum()) > _WORTH_SHARING)

    def _renew(self) -> None:
        """Write lists anew where many have come, or, as is seen now and then, are asleep by now."""
        self._since += 1
        loose = sum(map(len, self._loose)) > _MANY
        if self._lists and not loose and self._since % _OFTEN:
            return
        n = int((~self.asleep)[self.state].sum())
        if not self._lists or loose or n < _FEW * self._listed:
            self._lists, self._listed, self._loose = self._written(~self.asleep), n, []

    def _written(self, awake: Bools) -> list[tuple[Ints, Ints, Ints]]:
        """Where each pair's begin, their margin accounts, and rows: of collateral in every pair, and of debt."""
        from riskgraph.margin.state_kernel import count_rows, list_rows

        rows, found = self.book.rows, []
        for side in (COLLATERAL, DEBT):
            first = np.zeros(len(rows.pair_asset) + 1, dtype=np.int64)
            columns = rows.side, rows.pair, rows.margin, side, awake, self.state
            count_rows(*columns, first)
            np.cumsum(first, out=first)
            margins, listed = np.empty((2, int(first[-1])), dtype=np.int32)
            list_rows(*columns, first[:-1].copy(), margins, listed)
            found.append((first, margins, listed))
        return found
