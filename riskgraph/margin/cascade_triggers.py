"""What tipped an account: the asset whose move cost it most, and who sold that before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Floats, Ints
from riskgraph.margin.cascade_book import COLLATERAL, DEBT, LONG, SHORT

if TYPE_CHECKING:
    import pandas as pd

    from riskgraph.margin.cascade_book import CascadeBook
    from riskgraph.margin.cascade_run import CascadeRun

__all__ = ["CAUSES", "Tipped"]

CAUSES = ("shock", "sales", "socialised loss", "redistribution")
_SAME = 1e-9  # a price this close to what the shock alone makes of it was moved by nothing else


@dataclass(frozen=True, eq=False)
class Tipped:
    """Margin accounts that became liquidatable in a round for the first time, and their rows as they stood then."""

    margin: Ints
    rows: Ints
    place: Ints
    amount: Floats
    receipt_rate: Floats

    @classmethod
    def of(cls, book: CascadeBook, margins: Ints) -> Tipped:
        """Keep what is needed to say later what tipped them."""
        rows, place = book.rows_of(margins)
        return cls(margins, rows, place, book.units_of(rows), book.receipt_rate.copy())

    def __len__(self) -> int:
        return len(self.margin)

    def worst(self, run: CascadeRun, shown: Floats) -> Ints:
        """Row of each account that lost it most: weighted value at the snapshot's prices less that at those shown."""
        book, rows = run.book, self.rows
        held, pair = book.rows, book.rows.pair[rows]
        counted = np.isin(held.side[rows], (COLLATERAL, DEBT, LONG, SHORT))
        weight = np.where(held.side[rows] == COLLATERAL, np.nan_to_num(held.threshold[rows], nan=1.0), 1.0)
        moved = book.start_pair_price[pair] - shown[pair]
        lost = np.where(counted, weight * self.amount * book.sign[rows] * moved, -np.inf)
        order = np.lexsort((held.asset[rows], -lost, self.place))
        return np.asarray(rows[order[np.searchsorted(self.place[order], np.arange(len(self.margin)))]])

    def frame(self, run: CascadeRun, number: int) -> pd.DataFrame:
        """Give a row an account: what moved most against it, why that moved, and who sold most of it before."""
        import pandas as pd

        from riskgraph.margin.cascade_frames import labels_of, margins_named

        book, shown = run.book, run.rounds[number].shown
        worst = self.worst(run, shown)
        asset, pair = book.rows.asset[worst], book.rows.pair[worst]
        start = book.start_pair_price[pair]
        fall = 1.0 - np.divide(shown[pair], start, out=np.ones(len(pair)), where=start > 0.0)
        cause = self._causes(run, number, asset, fall)
        seller = np.where(cause == 1, _sellers(run, number, asset, self.margin), -1)
        owner, venue = (
            np.where(seller >= 0, codes[np.maximum(seller, 0)], -1)
            for codes in (book.rows.margin_account, book.rows.margin_protocol)
        )
        return pd.DataFrame(
            {
                "round": np.full(len(self), number),
                **margins_named(run, self.margin),
                "asset": labels_of(run, "asset", asset),
                "fall": fall,
                "cause": np.array(CAUSES, dtype=object)[cause],
                "seller": labels_of(run, "account", owner),
                "seller_protocol": labels_of(run, "protocol", venue),
            }
        )

    def _causes(self, run: CascadeRun, number: int, asset: Ints, fall: Floats) -> Ints:
        base, start = run.markets.base[asset], run.book.start_price[asset]
        by_shock = 1.0 - np.divide(base, start, out=np.ones(len(start)), where=start > 0.0)
        further = fall > by_shock + _SAME
        still = ((np.abs(fall) <= _SAME) | (run.handed[self.margin] >= 0)) & (number > 0)
        return np.select([further & (self.receipt_rate[asset] < 1.0), further, still], [2, 1, 3], 0)


def _sellers(run: CascadeRun, number: int, asset: Ints, margins: Ints) -> Ints:
    """Who sold most of what moved each asset in the last round with sales before this one, itself apart; -1: nobody.

    What moved it is what was sold in its own market, else in those of the assets that stand behind it.
    """
    market, rows = run.markets.curves.market, run.book.rows
    made = next((done for done in reversed(run.rounds[:number]) if len(done.made)), None)
    if made is None:
        return np.full(len(asset), -1)
    sold = market[rows.asset[made.made.pledged]]
    usd = made.made.seized * made.taken * run.book.start_price[rows.asset[made.made.pledged]]
    order = np.lexsort((-made.made.margin, usd))
    largest, most = np.full(len(market), -1), np.zeros(len(market))
    largest[sold[order]], most[sold[order]] = made.made.margin[order], usd[order]
    for one in np.unique(asset).tolist():
        if most[market[one]] <= 0.0:
            behind = _behind(run, one)
            if len(behind):
                best = market[behind[int(np.argmax(most[market[behind]]))]]
                largest[market[one]], most[market[one]] = largest[best], most[best]
    seller = np.where(most[market[asset]] > 0.0, largest[market[asset]], -1)
    return np.where(seller == margins, -1, seller)


def _behind(run: CascadeRun, asset: int) -> Ints:
    """Find the assets that stand behind one, directly or through others."""
    shares = run.book.snap.families.asset_shares.tocsc()
    seen: set[int] = set()
    todo = [asset]
    while todo:
        token = todo.pop()
        fresh = set(shares.indices[shares.indptr[token] : shares.indptr[token + 1]].tolist()) - seen - {asset}
        seen |= fresh
        todo += sorted(fresh)
    return np.array(sorted(seen), dtype=np.int64)
