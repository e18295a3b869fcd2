"""Markets in which a cascade sells: what has been sold, and what everything costs then (METHODS 5.5)."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.sparse import linalg as sparse_linalg

from riskgraph.arrays import Bools, Floats, Ints

if TYPE_CHECKING:
    from riskgraph.margin.cascade_book import CascadeBook
    from riskgraph.margin.price_curves import PriceCurves

__all__ = ["Markets"]

_LONGEST_CHAIN = 16  # steps of backing that are followed one by one


class Markets:
    """Prices as sales leave them.

    Attributes
    ----------
    base : Floats
        Price of every asset after the shock, before any sale.
    size : Floats
        What has been sold in every market so far, less what was bought: units at snapshot prices, USD.
    """

    def __init__(
        self,
        book: CascadeBook,
        moves: Floats,
        curves: PriceCurves,
        *,
        buy_impact: bool,
        recovery: float,
        cross_impact: Floats | None,
    ) -> None:
        self.book, self.curves = book, curves
        self.buy_impact, self.recovery, self.cross_impact = buy_impact, recovery, cross_impact
        self.base = book.start_price * (1.0 + moves)
        self.size = np.zeros(len(self.base))
        self.most = np.zeros(len(self.base))  # the largest s that every market has seen
        self.elsewhere: Bools = curves.market != np.arange(len(self.base))

    def sold(self) -> Floats:
        """Give s of every market, cross-impact included."""
        depth = self.curves.depth
        own = np.where(np.isfinite(depth) & ~self.elsewhere, self.size / depth, 0.0)
        return own if self.cross_impact is None else np.asarray(self.cross_impact @ own)

    def recover(self) -> None:
        """Let a share of the impact wear off before the next round."""
        self.size *= 1.0 - self.recovery

    @property
    def flooded(self) -> bool:
        """Whether a market in which prices recover is so far down that its price does not show it yet."""
        sold = self.sold()
        return self.recovery > 0.0 and bool(((sold > 0.0) & (self.curves.price(sold) <= 0.0)).any())

    def trade(self, asset: Ints, debt: Ints, sold: Floats, bought: Floats) -> Floats:
        """Sell units of ``asset``, and buy units of ``debt`` where that moves prices too.

        Returns
        -------
        ndarray, shape (n_assets,)
            Average price of the round's sales ÷ price before them, of every asset.
        """
        before = self.sold()
        sells, buys = self._legs(asset, debt)
        for which, what, units, sign in ((sells, asset, sold, 1.0), (buys, debt, bought, -1.0)):
            market = self.curves.market[what[which]]
            usd = units[which] * self.book.start_price[what[which]]
            self.size += sign * np.bincount(market, weights=usd, minlength=len(self.size))
        after = self.sold()
        self.most = np.maximum(self.most, after)
        return self._average(before, after)[self.curves.market]

    def _legs(self, asset: Ints, debt: Ints) -> tuple[Bools, Bools]:
        """Which calls sell collateral and which buy debt; of one family only the one that is not the numeraire."""
        if not self.buy_impact:
            return np.ones(len(asset), dtype=np.bool_), np.zeros(len(asset), dtype=np.bool_)
        families = self.book.snap.families
        apart = families.family[asset] != families.family[debt]
        is_base = self.curves.market[asset] == families.numeraire[families.family[asset]]
        return apart | ~is_base, apart | is_base

    def _average(self, before: Floats, after: Floats) -> Floats:
        ratio = np.ones(len(before))
        moved = np.flatnonzero(before != after)
        now = self.curves.prices(moved, before[moved])
        average = self.curves.averages(moved, before[moved], after[moved])
        ratio[moved] = np.divide(average, now, out=np.zeros(len(moved)), where=now > 0.0)
        return ratio

    def price(self) -> Floats:
        r"""Price of every asset: its own sales, what receipts have lost, and what stands behind it.

        .. math:: x = \text{rate} \cdot g(s) - 1, \qquad F = x + (1 + x) S^T F, \qquad p = p_{base} (1 + F)
        """
        x = self.book.receipt_rate * np.where(self.elsewhere, 1.0, self.curves.price(self.sold())) - 1.0
        if not x.any():
            return self.base.copy()
        return np.maximum(self.base * (1.0 + self._carried(x)), 0.0)

    def _carried(self, x: Floats) -> Floats:
        """Solve for F: backing without loops ends after as many steps as its longest chain has; else at once."""
        fall = x
        for _ in range(_LONGEST_CHAIN):
            before, fall = fall, np.asarray(x + (1.0 + x) * (self._behind @ fall))
            if np.array_equal(before, fall):
                return fall
        system = sparse.csc_array(sparse.eye_array(len(x)) - sparse.diags_array(1.0 + x) @ self._behind)
        return np.asarray(sparse_linalg.spsolve(system, x))

    @cached_property
    def _behind(self) -> sparse.csr_array:
        """Shares of what stands behind each token."""
        return sparse.csr_array(self.book.snap.families.asset_shares.T)
