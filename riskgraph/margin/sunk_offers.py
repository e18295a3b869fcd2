"""What accounts offer of which all collateral is on sale, counted without calling them (rule ``lending``, METHODS 5.4).

In a long cascade most offers are refused in round after round, and those of accounts under water stay the same: all
that they have. Here they are added up by market and limit; calls are formed only for those that may be taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Floats, Ints, summed
from riskgraph.margin.bundles import Bundles
from riskgraph.margin.cascade_book import COLLATERAL
from riskgraph.margin.market_clearing import Clearing, Kinds, takeable, whole_limits
from riskgraph.margin.threads import in_parts

if TYPE_CHECKING:
    from riskgraph.margin.lending_bundles import LendingCalls

__all__ = ["SunkOffers"]

_PARTS = 4  # sums are formed in so many parts and then added, whatever the machine has
_BELOW = 20  # a unit may be worth 4^-20 USD and still have a bucket of its own
_USD_BUCKETS = 72
_SLACK = 1.0 - 1e-9  # what rounding may make of an offer's size


class SunkOffers:
    """Offers of one round that are all of their accounts' collateral.

    Attributes
    ----------
    margins : Ints
        The accounts, ascending.
    kinds : Kinds
        Their offers added up by market and limit.
    offered : int
        How many they are: collaterals of accounts.
    """

    def __init__(self, lending: LendingCalls, margins: Ints, market: Ints) -> None:
        self.lending, self.margins = lending, margins
        self._value(market)
        self._add_up()

    def _value(self, market: Ints) -> None:
        """Limit, kind and worth of a unit of every class of rows: a pair of protocol and asset, and a bonus."""
        book, classes = self.lending.book, self.lending.classes
        asset = book.rows.pair_asset[classes.pair]
        shown, price, factor = book.pair_price[classes.pair], book.price[asset], 1.0 + classes.bonus
        net = 1.0 - (1.0 - 1.0 / factor) * self.lending.fee_share[classes.pair]
        worth = net * price
        self.limit = np.divide(shown / factor, worth, out=np.full(len(asset), np.inf), where=worth > 0.0)
        whole = whole_limits(self.limit)
        some = np.flatnonzero(takeable(whole) & (shown > 0.0))
        known, first, place = np.unique(
            np.stack([market[asset[some]].astype(np.int64), whole[some]]), axis=1, return_index=True, return_inverse=True
        )
        self.kind_of = np.full(len(asset), -1, dtype=np.int64)
        self.kind_of[some] = place.ravel()
        self.usd_of, self.size_of = net * shown, net * book.start_price[asset]
        self.kinds = Kinds(known[0], known[1], self.limit[some[first]], np.zeros(known.shape[1]))

    def _add_up(self) -> None:
        """Add up units by class and bucket, then USD by kind and bucket."""
        from riskgraph.margin.sunk_kernel import BUCKETS, add_up_sunk

        book, rows = self.lending.book, self.lending.classes.of_row
        parts = np.zeros((_PARTS, len(self.kind_of), BUCKETS))
        found = np.zeros(_PARTS, dtype=np.int64)
        bits = book.amount.view(np.int64)

        def step(number: int, at: slice) -> None:
            found[number] = add_up_sunk(
                self.margins[at], book.starts, book.stops, rows, bits, book.amount, parts[number]
            )  # fmt: skip

        in_parts(len(self.margins), _PARTS, step)
        self.offered = int(found.sum())
        units = parts.sum(axis=0)
        some = np.flatnonzero((self.kind_of >= 0) & (units.sum(axis=1) > 0.0))
        scale = np.floor(np.log2(self.usd_of[some]) / 2.0).astype(np.int64)
        bucket = np.clip(scale[:, None] + np.arange(BUCKETS) + _BELOW, 0, _USD_BUCKETS - 1)
        bucket[:, 0] = 0  # whatever is smaller, too
        cell = self.kind_of[some, None] * _USD_BUCKETS + bucket
        usd = units[some] * self.size_of[some, None]
        by_cell = summed(cell.ravel(), usd.ravel(), len(self.kinds) * _USD_BUCKETS)
        self.by_bucket = by_cell.reshape(-1, _USD_BUCKETS)
        self.kinds.size[:] = self.by_bucket.sum(axis=1)

    def taken(self, clearing: Clearing, place: Ints) -> tuple[Bundles, Ints]:
        """Form the calls on accounts of which something may be taken; give them and the kind of each.

        ``place`` says where in the clearing the kinds of this book are.
        """
        bucket = self._buckets(clearing, place)
        while True:
            least = np.append(_lowest(bucket), np.inf)
            made = self.lending.call(self._picked(least))[0]
            one = self.lending.classes.of_row[made.pledged]
            kind = self.kind_of[one]
            sure = np.flatnonzero((kind >= 0) & (made.seized * self.usd_of[one] >= least[kind]))
            covered = summed(kind[sure], made.seized[sure] * self.size_of[one[sure]], len(place))
            short = (clearing.room[place] > 0.0) & (bucket > 0) & (covered < clearing.room[place])
            if not short.any():
                return made, np.where(kind >= 0, np.append(place, -1)[kind], -1)
            bucket[short] = np.maximum(bucket[short] - 2, 0)  # calls split over several debts are smaller

    def _buckets(self, clearing: Clearing, place: Ints) -> Ints:
        """Lowest bucket of which something may be taken, by kind: the largest offers come first, then the smaller."""
        room = clearing.room[place]
        from_top = np.cumsum(self.by_bucket[:, ::-1], axis=1)[:, ::-1]
        enough = from_top * _SLACK >= room[:, None]
        found = np.where(enough.any(axis=1), _USD_BUCKETS - 1 - np.argmax(enough[:, ::-1], axis=1), 0)
        return np.where(clearing.part[place] > 0.0, 0, np.where(room > 0.0, found, _USD_BUCKETS))

    def _picked(self, least: Floats) -> Ints:
        """Accounts that offer something of at least so much USD as its kind says, ascending."""
        from riskgraph.margin.sunk_kernel import pick_sunk

        book, rows = self.lending.book, self.lending.classes.of_row
        usd = least[self.kind_of]
        units = np.divide(usd, self.usd_of, out=np.full(len(usd), np.inf), where=np.isfinite(usd)) * _SLACK
        picked = np.zeros(len(self.margins), dtype=np.bool_)
        if not np.isfinite(units).any():
            return self.margins[:0]

        def step(_: int, at: slice) -> None:
            pick_sunk(self.margins[at], book.starts, book.stops, rows, book.amount, units, picked[at])

        in_parts(len(self.margins), _PARTS, step)
        return self.margins[picked]


class RowClasses:
    """Pairs and bonuses of rows of collateral: what one unit offers for how much is the same within each."""

    def __init__(self, lending: LendingCalls) -> None:
        from riskgraph.margin.sunk_kernel import row_classes

        held = lending.book.rows
        self.of_row = np.empty(len(held.side), dtype=np.int32)
        room = 2 * len(held.pair_asset) + 64
        while True:
            pair, bonus = np.zeros(room, dtype=np.int64), np.zeros(room)
            n = row_classes(held.side, held.pair, held.bonus, COLLATERAL, self.of_row, pair, bonus)
            if n >= 0:
                break
            room *= 4
        self.pair, self.bonus = pair[:n], bonus[:n]


def _lowest(bucket: Ints) -> Floats:
    """Least USD of what is in a bucket; above the last one nothing is."""
    exact = 2.0 ** (2.0 * (bucket - _BELOW) - 21.0)
    return np.where(bucket <= 0, 0.0, np.where(bucket >= _USD_BUCKETS, np.inf, exact))
