"""What accounts offer of which all collateral is on sale, counted without calling them (rule ``lending``, METHODS 5.4).

In a long cascade most offers are refused in round after round, and those of accounts under water stay the same: all
that they have. Here they are added up by market and limit; calls are formed only for those that may be taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Floats, Ints, rising, summed
from riskgraph.margin.bundles import Bundles
from riskgraph.margin.market_clearing import Clearing, Kinds, takeable, whole_limits

if TYPE_CHECKING:
    from riskgraph.margin.sunk_stock import SunkStock

__all__ = ["SunkOffers"]

_SHIFT = 41  # bits for a limit as a whole number
_BELOW = 40  # a unit may be worth 2^-40 USD and still have a bucket of its own
_USD_BUCKETS = 144
_SLACK = 1.0 - 1e-9  # what rounding may make of an offer's size
_SPLIT = 4.0  # how much smaller calls that are split over several debts are expected to be than what is on sale


class SunkOffers:
    """Offers of one round that are all of their accounts' collateral.

    Attributes
    ----------
    kinds : Kinds
        The offers added up by market and limit.
    """

    def __init__(self, stock: SunkStock, market: Ints) -> None:
        self.stock, self.calls = stock, stock.calls
        self._value(market)
        self._add_up()

    def _value(self, market: Ints) -> None:
        """Limit, kind and worth of a unit of every class of rows: a pair of protocol and asset, and a bonus."""
        book, classes = self.calls.book, self.calls.classes
        asset = book.rows.pair_asset[classes.pair]
        shown, price, factor = book.pair_price[classes.pair], book.price[asset], 1.0 + classes.bonus
        net = 1.0 - (1.0 - 1.0 / factor) * self.calls.fee_share[classes.pair]
        worth = net * price
        self.limit = np.divide(shown / factor, worth, out=np.full(len(asset), np.inf), where=worth > 0.0)
        whole = whole_limits(self.limit)
        some = np.flatnonzero(takeable(whole) & (shown > 0.0))
        known, first, place = np.unique(
            market[asset[some]].astype(np.int64) << _SHIFT | whole[some], return_index=True, return_inverse=True
        )
        self.kind_of = np.full(len(asset), -1, dtype=np.int64)
        self.kind_of[some] = place
        self.usd_of, self.size_of = net * shown, net * book.start_price[asset]
        self.kept = book.kept[classes.pair]  # of a unit in stock
        self.kinds = Kinds(known >> _SHIFT, whole[some[first]], self.limit[some[first]], np.zeros(len(known)))

    def _add_up(self) -> None:
        """Add up USD by kind and bucket."""
        units = self.stock.units
        some = np.flatnonzero((self.kind_of >= 0) & (units.sum(axis=1) > 0.0))
        n = units.shape[1]
        scale = np.floor(np.log2(self.usd_of[some] * self.kept[some])).astype(np.int64)
        bucket = np.clip(scale[:, None] + np.arange(n) + _BELOW, 0, _USD_BUCKETS - 1)
        bucket[:, 0] = 0  # whatever is smaller, too
        cell = self.kind_of[some, None] * _USD_BUCKETS + bucket
        size = self.size_of[some] * self.kept[some]
        usd = np.maximum(units[some], 0.0) * size[:, None]  # below 0: what rounding left of much
        by_cell = summed(cell.ravel(), usd.ravel(), len(self.kinds) * _USD_BUCKETS)
        self.by_bucket = by_cell.reshape(-1, _USD_BUCKETS)
        self.kinds.size[:] = self.by_bucket.sum(axis=1)

    def taken(self, clearing: Clearing, place: Ints) -> tuple[Bundles, Ints]:
        """Form the calls on accounts of which something may be taken; give them and the kind of each.

        ``place`` says where in the clearing the kinds of this book are.
        """
        bucket, room = self._buckets(clearing, place), clearing.room[place]
        wanted = _SPLIT * room  # USD to look for: calls split over several debts are smaller than what is on sale
        while True:
            rows, least, known = self._largest(_lowest(bucket), wanted)
            made = self.calls.call(rising(self.calls.book.rows.margin[rows].astype(np.int64)))[0]
            one = self.calls.classes.of_row[made.pledged]
            kind = self.kind_of[one]
            sure = np.flatnonzero((kind >= 0) & (made.seized * self.usd_of[one] >= least[kind]))
            covered = summed(kind[sure], made.seized[sure] * self.size_of[one[sure]], len(place))
            short = (room > 0.0) & (least[:-1] > 0.0) & (covered < room)
            if not short.any():
                return made, np.where(kind >= 0, np.append(place, -1)[kind], -1)
            wanted[short] *= _SPLIT
            lower = short & (known < wanted)
            bucket[lower] = np.maximum(bucket[lower] - 2, 0)

    def _largest(self, lowest: Floats, wanted: Floats) -> tuple[Ints, Floats, Floats]:
        """Find the largest rows of every kind that make up so many USD together, none below ``lowest``.

        Gives the rows, the least USD of one of them by kind (the last place: of no kind), and by kind USD of all rows
        that are not below ``lowest``.
        """
        rows = self._on_sale(np.append(lowest, np.inf))
        one = self.calls.classes.of_row[rows]
        units = self.calls.book.amount[rows] * self.kept[one]
        kind, usd, size = self.kind_of[one], units * self.usd_of[one], units * self.size_of[one]
        known = summed(kind, size, len(lowest))
        partly = np.flatnonzero((wanted > 0.0)[kind])
        order = partly[np.lexsort((-usd[partly], kind[partly]))]
        first = np.searchsorted(kind[order], np.arange(len(lowest)))
        through = np.append(0.0, np.cumsum(size[order]))
        last = np.searchsorted(through, through[first] + wanted) - 1  # with it there is enough
        enough = np.flatnonzero((wanted > 0.0) & (known >= wanted) & (last < np.append(first[1:], len(order))))
        least = np.append(lowest, np.inf)
        least[enough] = usd[order[np.maximum(last[enough], first[enough])]]
        return rows[usd >= least[kind]], least, known

    def _buckets(self, clearing: Clearing, place: Ints) -> Ints:
        """Lowest bucket of which something may be taken, by kind: the largest offers come first, then the smaller."""
        room = clearing.room[place]
        from_top = np.cumsum(self.by_bucket[:, ::-1], axis=1)[:, ::-1]
        enough = from_top * _SLACK >= room[:, None]
        found = np.where(enough.any(axis=1), _USD_BUCKETS - 1 - np.argmax(enough[:, ::-1], axis=1), 0)
        return np.where(clearing.part[place] > 0.0, 0, np.where(room > 0.0, found, _USD_BUCKETS))

    def _on_sale(self, least: Floats) -> Ints:
        """Rows that offer at least so much USD as their kind says, ascending."""
        usd = least[self.kind_of]
        some = np.isfinite(usd) & (self.stock.units.sum(axis=1) > 0.0)
        units = np.divide(usd, self.usd_of * self.kept, out=np.full(len(usd), np.inf), where=some) * _SLACK
        return self.stock.picked(units)


def _lowest(bucket: Ints) -> Floats:
    """Least USD of what is in a bucket; above the last one nothing is."""
    from riskgraph.margin.sunk_kernel import LOWEST

    exact = 2.0 ** (bucket - _BELOW + float(LOWEST))
    return np.where(bucket <= 0, 0.0, np.where(bucket >= _USD_BUCKETS, np.inf, exact))
