"""Rows that are claims of lenders, scaled all together when losses are shared."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from riskgraph.arrays import Bools, Floats, Ints, summed
from riskgraph.margin.cascade_book import COLLATERAL, DEPOSIT
from riskgraph.margin.threads import in_parts

if TYPE_CHECKING:
    from riskgraph.margin.cascade_book import CascadeBook

__all__ = ["ClaimRows"]

WORTH_COMPILING = 100_000  # claims from which compiled code makes up for loading numba
_PARTS = 4  # sums are formed in so many parts and then added, whatever the machine has
_FEW = 0.2  # share of all claims up to which it is quicker to go from pair to pair


class ClaimRows:
    """Deposits, and collateral where it is lent out.

    Attributes
    ----------
    mask : Bools
        Which rows of the book they are.
    rows : Ints
        The same rows, ascending.
    """

    def __init__(self, book: CascadeBook) -> None:
        self.book, held = book, book.rows
        lent = np.append(book.lends, False)[held.protocol]
        self.mask: Bools = ((held.side == DEPOSIT) & (held.protocol >= 0)) | ((held.side == COLLATERAL) & lent)
        self.rows: Ints = np.flatnonzero(self.mask)

    def scale(self, factor: Floats) -> tuple[Floats, Floats]:
        """Multiply claims by the factors (at most 1) of their pairs; give what is lost, and what of that is pledged.

        Both are units by pair.
        """
        book = self.book
        if book.claims is self:
            lost = self._scaled_later(factor)
        else:
            lost = self._scaled_at_once(factor) if len(self.rows) >= WORTH_COMPILING else self._scaled(factor)
        deposits, collateral, own = lost[0], lost[1], lost[2] + lost[3]
        for holder, units in enumerate((collateral, deposits, own)):
            book.held[holder] -= summed(book.rows.pair_asset, units, book.shape[1])
        return deposits + collateral + own, collateral + lost[3]

    # -- later --------------------------------------------------------------------------------------------------------

    def count(self) -> None:
        """Add up claims by kind and pair; from now on the sums are carried on from movement to movement."""
        self._totals = self._by_kind(self.rows, self.book.amount[self.rows])

    def _by_kind(self, rows: Ints, units: Floats) -> Floats:
        """Add up units by kind (deposits, collateral, both of protocols themselves) and pair, shape (4, n_pairs)."""
        held, n = self.book.rows, len(self.book.left)
        pledged, own = held.side[rows] == COLLATERAL, self.book.treasury[rows]
        return summed((pledged + 2 * own) * np.int64(n) + held.pair[rows], units, 4 * n).reshape(4, n)

    def moved(self, rows: Ints, units: Floats) -> None:
        """Note units that came to rows, or left them."""
        mine = self.mask[rows]
        self._totals += self._by_kind(rows[mine], units[mine])

    def _scaled_later(self, factor: Floats) -> Floats:
        """Note by pair what is left; where that is nothing, rows say so at once."""
        lost = self._totals * (1.0 - factor)
        self._totals = self._totals * factor
        self.book.left *= factor
        gone = np.flatnonzero(factor <= 0.0)
        if len(gone):
            first, claims = self._by_pair
            rows = np.concatenate([claims[first[pair] : first[pair + 1]] for pair in gone.tolist()])
            self.book.amount[rows] = 0.0
            self.book.stirred[self.book.rows.margin[rows]] = True
            self.book.left[gone] = 1.0
            self.gone.append(gone)
        return lost

    @cached_property
    def gone(self) -> list[Ints]:
        """Pairs of which no claim is left, since somebody last asked."""
        return []

    # -- at once ------------------------------------------------------------------------------------------------------

    def _scaled(self, factor: Floats) -> Floats:
        """Scale; give units that are lost by kind and pair."""
        book = self.book
        before = book.amount[self.rows]
        after = before * factor[book.rows.pair[self.rows]]
        book.amount[self.rows] = after
        return self._by_kind(self.rows, before - after)

    def _scaled_at_once(self, factor: Floats) -> Floats:
        from riskgraph.margin.clearing_kernel import scale_all_claims, scale_claims  # numba: loaded only where used

        book, pairs = self.book, np.flatnonzero(factor < 1.0)
        first, claims = self._by_pair
        n = int((first[pairs + 1] - first[pairs]).sum())
        columns = book.rows.side, book.treasury, COLLATERAL, factor, book.amount
        lost = np.zeros((_PARTS, 4, len(factor)))

        def step(number: int, at: slice) -> None:
            scale_claims(pairs[at], first, claims, *columns, lost[number])

        def every(number: int, at: slice) -> None:
            scale_all_claims(self.rows[at], book.rows.pair, *columns, lost[number])

        if n < _FEW * len(claims):
            in_parts(len(pairs), _PARTS, step, worth_sharing=n >= WORTH_COMPILING)
        else:
            in_parts(len(claims), _PARTS, every)
        total: Floats = lost.sum(axis=0)
        return total

    @cached_property
    def _by_pair(self) -> tuple[Ints, Ints]:
        """Where the claims of every pair begin, and claims pair by pair."""
        at, pair = self.rows.astype(np.int32), self.book.rows.pair[self.rows]
        shape = (1, len(self.book.rows.pair_asset))
        listed = sparse.csr_array((at, pair, np.array([0, len(at)])), shape=shape).tocsc()
        return listed.indptr, listed.data
