"""What each protocol's oracle shows in a round: late, or only after a move that is large enough (METHODS 5.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["OracleFeeds"]


class OracleFeeds:
    r"""Prices as protocols show them; what moves is the factor on what they showed in the snapshot.

    .. math:: f_t = p_{t - lag} / p_{snapshot}, \qquad \text{shown}_t = f_t \text{ where } |f_t / \text{shown} - 1| > d

    Attributes
    ----------
    lag, deviation : ndarray, shape (n_pairs,)
        Rounds by which a price is late, and the relative move from which it is updated; 0 for wallets.
    still : ndarray of bool, shape (n_pairs,)
        Debts that their contract counts at par, whatever they trade at.
    shown : ndarray, shape (n_pairs,)
        Factor that is shown now.
    """

    def __init__(self, snap: Snapshot, start_price: Floats) -> None:
        rows = snap.rows
        self.asset, self.start, self.start_price = rows.pair_asset, snap.book.pair_price, start_price
        self.still: Bools = rows.pair_at_par & ~_shown(snap)
        self.lag: Ints = np.ceil(_of_pairs(snap, "oracle_lag_rounds")).astype(np.int64)
        self.deviation = _of_pairs(snap, "oracle_deviation")
        self.longest = int(self.lag.max(initial=0))
        self.history = [np.ones(len(start_price))]  # factors of market prices: of the snapshot, then of each round
        self.shown = np.ones(len(self.asset))

    def show(self, price: Floats) -> Floats:
        """Take in the market prices of the next round; give what every pair shows then, USD a unit."""
        start = self.start_price
        self.history.append(np.divide(price, start, out=np.ones(len(price)), where=start > 0.0))
        self.shown = self._updated(self.history, self.shown)
        return np.asarray(self.start * self.shown)

    def pending(self) -> bool:
        """Whether some oracle will show another price although no market price moves any more."""
        history = list(self.history)
        for _ in range(self.longest):
            history.append(history[-1])
            if not np.array_equal(self._updated(history, self.shown), self.shown):
                return True
        return False

    def _updated(self, history: list[Floats], shown: Floats) -> Floats:
        seen = history[-1][self.asset]
        for lag in range(1, self.longest + 1):
            late = self.lag == lag
            seen[late] = history[max(len(history) - 1 - lag, 0)][self.asset[late]]
        with np.errstate(divide="ignore", invalid="ignore"):
            near = np.abs(seen / shown - 1.0) <= self.deviation
        return np.where((near & (self.deviation > 0.0)) | self.still, shown, seen)


def _shown(snap: Snapshot) -> Bools:
    """Which pairs have a price of their own in the table ``markets``."""
    found = np.zeros(len(snap.rows.pair_asset), dtype=np.bool_)
    markets = snap.table("markets")
    given = ~np.isnan(markets.number("price")) & (snap.rows.market_pair >= 0)
    found[snap.rows.market_pair[given]] = True
    return found


def _of_pairs(snap: Snapshot, name: str) -> Floats:
    """Give a column of ``protocols`` by pair, 0 for wallets and where nothing is given."""
    table, found = snap.table("protocols"), np.zeros(len(snap.labels("protocol")) + 1)
    found[table.code("protocol")] = np.nan_to_num(table.number(name))
    return found[snap.rows.pair_protocol]
