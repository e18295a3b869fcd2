"""What accounts offer of which all collateral is on sale, counted without calling them (rule ``lending``, METHODS 5.4).

In a long cascade most offers are refused in round after round, and those of accounts under water stay the same: all
that they have. Here they are added up by market and limit; calls are formed only for those that may be taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Floats, Ints
from riskgraph.margin.bundles import Bundles
from riskgraph.margin.cascade_book import COLLATERAL
from riskgraph.margin.market_clearing import Clearing, Kinds, takeable, whole_limits
from riskgraph.margin.threads import in_parts

if TYPE_CHECKING:
    from riskgraph.margin.lending_bundles import LendingCalls

__all__ = ["SunkOffers"]

_PARTS = 4  # sums are formed in so many parts and then added, whatever the machine has
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
        some = np.flatnonzero(takeable(whole))
        known, first, place = np.unique(
            np.stack([market[asset[some]].astype(np.int64), whole[some]]), axis=1, return_index=True, return_inverse=True
        )
        self.kind_of = np.full(len(asset), -1, dtype=np.int64)
        self.kind_of[some] = place.ravel()
        self.usd_of, self.size_of = net * shown, net * book.start_price[asset]
        self.kinds = Kinds(known[0], known[1], self.limit[some[first]], np.zeros(known.shape[1]))

    def _add_up(self) -> None:
        from riskgraph.margin.sunk_kernel import BUCKETS, add_up_sunk

        book, rows = self.lending.book, self.lending.classes.of_row
        parts = np.zeros((_PARTS, len(self.kinds), BUCKETS))
        found = np.zeros(_PARTS, dtype=np.int64)

        def step(number: int, at: slice) -> None:
            found[number] = add_up_sunk(
                self.margins[at], book.starts, book.stops, rows, book.amount, self.kind_of, self.usd_of, self.size_of,
                parts[number],
            )  # fmt: skip

        in_parts(len(self.margins), _PARTS, step)
        self.by_bucket, self.offered = parts.sum(axis=0), int(found.sum())
        self.kinds.size[:] = self.by_bucket.sum(axis=1)

    def taken(self, clearing: Clearing, place: Ints) -> tuple[Bundles, Ints]:
        """Form the calls on accounts of which something may be taken; give them and the kind of each.

        ``place`` says where in the clearing the kinds of this book are.
        """
        bucket = self._buckets(clearing, place)
        while True:
            made = self.lending.call(self._picked(clearing, place, bucket))[0]
            kind = self.kind_of[self.lending.classes.of_row[made.pledged]]
            short = self._short(made, kind, clearing.room[place], bucket)
            if not short.any():
                return made, np.where(kind >= 0, np.append(place, -1)[kind], -1)
            bucket[short] = np.maximum(bucket[short] - 2, 0)

    def _buckets(self, clearing: Clearing, place: Ints) -> Ints:
        """Lowest bucket of which something may be taken, by kind: the largest offers come first, then the smaller."""
        room = clearing.room[place]
        from_top = np.cumsum(self.by_bucket[:, ::-1], axis=1)[:, ::-1]
        enough = from_top * _SLACK >= room[:, None]
        found = np.where(enough.any(axis=1), enough.shape[1] - 1 - np.argmax(enough[:, ::-1], axis=1), 0)
        return np.where(clearing.part[place] > 0.0, 0, np.where(room > 0.0, found, enough.shape[1]))

    def _picked(self, clearing: Clearing, place: Ints, bucket: Ints) -> Ints:
        from riskgraph.margin.sunk_kernel import pick_sunk

        book, rows = self.lending.book, self.lending.classes.of_row
        picked = np.zeros(len(self.margins), dtype=np.bool_)
        cut = np.append(_lowest(bucket) * _SLACK, np.inf)[self.kind_of]
        if not np.isfinite(cut).any():
            return self.margins[:0]

        def step(_: int, at: slice) -> None:
            pick_sunk(self.margins[at], book.starts, book.stops, rows, book.amount, self.usd_of, cut, picked[at])

        in_parts(len(self.margins), _PARTS, step)
        return self.margins[picked]

    def _short(self, made: Bundles, kind: Ints, room: Floats, bucket: Ints) -> Floats:
        """Kinds of which the calls that were formed, split over several debts, may not be all that come first."""
        one = self.lending.classes.of_row[made.pledged]
        units = made.seized - made.fee
        usd = made.seized * self.usd_of[one]
        size = units * self.lending.book.start_price[self.lending.book.rows.asset[made.pledged]]
        sure = (kind >= 0) & (usd >= np.append(_lowest(bucket), np.inf)[kind])
        covered = np.bincount(kind[sure], weights=size[sure], minlength=len(room))
        return (room > 0.0) & (bucket > 0) & (covered < room)


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
    """Least USD of a bucket; above the last one nothing is."""
    from riskgraph.margin.sunk_kernel import BUCKETS, LOWEST

    return np.where(bucket <= 0, 0.0, np.where(bucket >= BUCKETS, np.inf, 2.0 ** (2.0 * (bucket - LOWEST) - 1.0)))
