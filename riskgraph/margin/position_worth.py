"""What the longs and shorts of a book are worth at market prices while a cascade runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Bools, Floats
from riskgraph.snapshot.black76 import option_value
from riskgraph.snapshot.options import CALL, option_rows
from riskgraph.snapshot.schema import SIDES

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["PositionWorth"]


class PositionWorth:
    """Longs and shorts of a snapshot: what closing them at given prices would bring.

    Futures bring ± (price − entry price) a unit, options are worth their Black-76 value. Whatever owners gain by them
    the market loses: somebody has the other side, in the book or outside.
    """

    def __init__(self, snap: Snapshot) -> None:
        rows, positions = snap.rows, snap.table("positions")
        traded, options = rows.rows("long", "short"), option_rows(snap)
        self.futures, self.options = np.flatnonzero(traded & ~options), np.flatnonzero(traded & options)
        self.asset = rows.asset
        self.sign = np.where(rows.side == SIDES.index("short"), -1.0, 1.0)
        names = ("strike", "expiry", "implied_vol")
        self._strike, self._expiry, self._volatility = (positions.number(name)[self.options] for name in names)
        self._calls = positions.code("option_type")[self.options] == CALL

    def entries(self, given: Floats, price: Floats) -> Floats:
        """Entry price of every row: the given one, for futures without one what they stand at now."""
        found = np.array(given)
        found[self.futures] = np.where(np.isnan(given), price, given)[self.futures]
        return found

    def usd(self, amount: Floats, entry: Floats, price: Floats, apart: Bools) -> tuple[float, float]:
        """USD that all of them are worth, and those ``apart``; ``price`` by asset, the others by row."""
        at, options = self.futures, self.options
        gained = self.sign[at] * amount[at] * (price[self.asset[at]] - entry[at])
        own, whole = float(gained[apart[at]].sum()), float(gained.sum())
        if len(options):
            terms = self._strike, self._expiry, self._volatility, self._calls
            value = self.sign[options] * amount[options] * option_value(price[self.asset[options]], *terms)
            own, whole = own + float(value[apart[options]].sum()), whole + float(value.sum())
        return whole - own, own
