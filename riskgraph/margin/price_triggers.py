"""Prices between which nothing about an account can change, row by row: who is looked at again when some have moved.

An account is fine while its collateral counts for more than it owes. What it has to spare is shared equally by its
rows: each may lose its share, by the price of its pair, whatever becomes of the others. A row that is worth less than
its share may fall to nothing, so that an asset in ruins wakes nobody who has enough of others. Of accounts that are
sunk the same holds the other way round.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Bools, Floats
from riskgraph.margin.account_states import QUIET
from riskgraph.margin.cascade_book import COLLATERAL, DEBT
from riskgraph.margin.threads import in_parts

if TYPE_CHECKING:
    from riskgraph.margin.cascade_book import CascadeBook

__all__ = ["PriceTriggers"]

_PARTS = 8  # pieces of work for threads
_WORTH_SHARING = 100_000  # rows


class PriceTriggers:
    """Triggers of all rows of collateral and debt, pair by pair.

    Attributes
    ----------
    place : ndarray of int32, shape (n_rows,)
        Where a row's triggers are, -1 for rows that have none.
    low, high : ndarray of float32
        What a unit may fall and rise to before the account is looked at.
    """

    def __init__(self, book: CascadeBook) -> None:
        from riskgraph.margin.trigger_kernel import count_rows, list_rows

        rows, n = book.rows, len(book.rows.pair_asset)
        self.first = np.zeros(2 * n + 1, dtype=np.int64)
        columns = rows.side, rows.pair, rows.margin, COLLATERAL, DEBT, n
        count_rows(*columns, self.first)
        np.cumsum(self.first, out=self.first)
        size = int(self.first[-1])
        self.margins = np.empty(size, dtype=np.int32)
        self.place = np.full(len(rows.side), -1, dtype=np.int32)
        list_rows(*columns, self.first[:-1].copy(), self.margins, self.place)
        self.low = np.full(size, -np.inf, dtype=np.float32)
        self.high = np.full(size, np.inf, dtype=np.float32)
        self._last = np.full(2 * n, np.nan)

    @property
    def columns(self) -> tuple[Any, ...]:
        """Triggers as compiled code writes them."""
        return self.place, self.low, self.high

    def mark(self, worth: Floats, stirred: Bools) -> bool:
        """Mark whose triggers are passed; say whether any price has moved since this was asked.

        ``worth`` is that of a unit of collateral by pair, then of debt.
        """
        from riskgraph.margin.trigger_kernel import mark_passed

        moved = ~(np.abs(worth - self._last) <= QUIET * self._last)
        self._last = np.where(moved, worth, self._last)
        groups = np.flatnonzero(moved)
        n = int((self.first[groups + 1] - self.first[groups]).sum())

        def step(_: int, at: slice) -> None:
            mark_passed(groups[at], self.first, self.margins, self.low, self.high, worth, stirred)

        in_parts(len(groups), _PARTS, step, worth_sharing=n > _WORTH_SHARING)
        return len(groups) > 0
