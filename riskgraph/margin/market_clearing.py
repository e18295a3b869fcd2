"""One clearing a market and round: which of the calls are worth making, and at what average price all of them sell."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints, summed

if TYPE_CHECKING:
    from riskgraph.margin.price_curves import PriceCurves

__all__ = ["Clearing", "Kinds", "Offers", "kinds_of", "takeable", "whole_limits"]

_UNITS = 1e12  # of limits: a call without bonus at the oracle's own price breaks even, whatever rounding makes of it
_ROUNDING = 1e-12
_FEW = 1_024
_MOST_KINDS = 2**14
WORTH_COMPILING = 2_000  # offers from which compiled code makes up for loading numba


@dataclass(frozen=True, eq=False)
class Offers:
    """What would be sold in a round; arrays of shape (n,).

    ``market`` (asset in whose market it is sold), ``units`` (of ``collateral``), ``size`` (units · snapshot price, USD:
    what moves the curve), ``usd`` (at the oracle's price), ``limit`` (average price of the round's sales ÷ price before
    them from which the seller gains), and what orders equals: ``margin``, ``collateral`` and ``debt`` (codes).
    ``ready`` says what is taken where nobody looks for profit.
    """

    market: Ints
    units: Floats
    size: Floats
    usd: Floats
    limit: Floats
    margin: Ints
    collateral: Ints
    debt: Ints
    ready: Bools

    def __len__(self) -> int:
        return len(self.market)

    @classmethod
    def joined(cls, parts: list[Offers]) -> Offers:
        """Put several together, in their order."""
        if len(parts) == 1:
            return parts[0]
        return cls(**{one.name: np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(cls)})


@dataclass(frozen=True, eq=False)
class Kinds:
    """Offers of one market and one limit, added up; arrays of shape (k,).

    One bonus is one limit, whatever rounding made of it: limits are equal that are the same whole number of 1e-12.
    """

    market: Ints
    whole: Ints
    least: Floats
    size: Floats

    def __len__(self) -> int:
        return len(self.market)

    def joined(self, other: Kinds) -> tuple[Kinds, Ints, Ints]:
        """Put two together; give what they make, and where in it the kinds of both are."""
        market, whole, least, size = (
            np.concatenate([getattr(self, one.name), getattr(other, one.name)]) for one in fields(self)
        )
        _, first, place = np.unique(market.astype(np.int64) << 41 | whole, return_index=True, return_inverse=True)
        made = Kinds(market[first], whole[first], least[first], summed(place, size, len(first)))
        return made, place[: len(self)], place[len(self) :]


class Clearing:
    r"""One clearing of every market: which kinds of offers are taken, by those who look for profit (METHODS 5.4 iii).

    In each market the offers with the lowest limits r come first; taken is the largest Q with

    .. math:: A(Q) = \frac{1}{g(s_0)} \frac{1}{\Delta s} \int_{s_0}^{s_0 + \Delta s} g \ge r_{last}

    the last one partly where that makes ends meet, but no part below ``dust_usd``. Where the price is 0 already, A is 0
    and what costs nothing is taken.

    Attributes
    ----------
    kinds : Kinds
    part : ndarray, shape (k + 1,)
        1 for kinds that are taken whole; the last place is of offers that nobody takes.
    room : ndarray, shape (k + 1,)
        USD (at snapshot prices) for which there is room of the one kind of each market that is taken in part.
    """

    def __init__(self, kinds: Kinds, curves: PriceCurves, sold: Floats, dust_usd: float) -> None:
        self.kinds, self.dust_usd = kinds, dust_usd
        self.part, self.room = np.zeros(len(kinds) + 1), np.zeros(len(kinds) + 1)
        if not len(kinds):
            return
        order = np.lexsort((kinds.least, kinds.market))
        market, least = kinds.market[order], kinds.least[order]
        first = np.flatnonzero(np.append(True, market[1:] != market[:-1]))
        ends = np.append(first[1:], len(order))
        start, depth = sold[market], curves.depth[market]
        through = _running(kinds.size[order], first, ends) / depth
        now = curves.prices(market, start)
        average = np.divide(curves.averages(market, start, start + through), now, out=np.zeros(len(now)), where=now > 0)
        loses = np.isfinite(depth) & (average < least * (1.0 - _ROUNDING))
        fails = np.minimum.reduceat(np.where(loses, np.arange(len(order)), len(order)), first)
        stops = np.minimum(fails, ends)
        self.part[order[np.arange(len(order)) < np.repeat(stops, ends - first)]] = 1.0
        partly, begin = fails[fails < ends], first[fails < ends]
        partly, begin = partly[now[partly] > 0.0], begin[now[partly] > 0.0]
        before = np.where(partly > begin, through[partly - 1], 0.0)
        width = curves.widest(market[partly], start[partly], least[partly], through[partly]) - before
        self.room[order[partly]] = np.maximum(width, 0.0) * depth[partly]

    def shares(self, offers: Offers, kind: Ints) -> Floats:
        """Share of every offer that is taken, shape (n,); ``kind`` says which kind each is of, -1: of none.

        Of a kind that is taken in part the larger offers come first, then by label; the one that does not fit in part,
        unless that is dust.
        """
        share = self.part[kind]
        at = np.flatnonzero(self.room[kind] > 0.0)
        at = at[self._may_fit(kind[at], offers.usd[at], offers.size[at])]
        if not len(at):
            return share
        keys = (offers.debt, offers.collateral, offers.margin, -offers.usd, kind)
        at = at[np.lexsort(tuple(key[at] for key in keys))]
        size, first = offers.size[at], np.flatnonzero(np.append(True, np.diff(kind[at]) != 0))
        through = _running(size, first, np.append(first[1:], len(at)))
        left = self.room[kind[at]] - (through - size)
        left = np.clip(np.divide(left, size, out=np.ones(len(size)), where=size > 0.0), 0.0, 1.0)
        left[(left > 0.0) & (left < 1.0) & (left * offers.usd[at] < self.dust_usd)] = 0.0
        share[at] = left
        return share

    def _may_fit(self, kind: Ints, usd: Floats, size: Floats) -> Bools:
        """Leave out the offers before which larger ones fill all the room: the others need no order."""
        if len(kind) < _FEW:
            return np.ones(len(kind), dtype=np.bool_)
        bucket = usd.view(np.int64) >> 53  # powers of 4
        bucket -= bucket.min()
        width = int(bucket.max()) + 1
        usd_of = summed(kind * width + bucket, size, len(self.room) * width).reshape(-1, width)
        from_top = np.cumsum(usd_of[:, ::-1], axis=1)[:, ::-1]
        enough = from_top * (1.0 - 1e-9) > self.room[:, None]
        lowest = np.where(enough.any(axis=1), width - 1 - np.argmax(enough[:, ::-1], axis=1), 0)
        return np.asarray(bucket >= lowest[kind])


def _running(values: Floats, first: Ints, ends: Ints) -> Floats:
    """Give running sums of values from each place in ``first`` to the end that belongs to it."""
    found = np.array(values)
    for low, high in zip(first.tolist(), ends.tolist(), strict=True):
        if high > low + 1:
            np.cumsum(values[low:high], out=found[low:high])
    return found


def whole_limits(limit: Floats) -> Ints:
    """Limits as whole numbers of 1e-12; those above 1 all as a number above that: sales never raise their own price."""
    return np.asarray(np.round(np.minimum(limit, 4.0) * _UNITS).astype(np.int64))


def takeable(whole: Ints) -> Bools:
    """Which limits, as whole numbers, somebody may take."""
    return np.asarray(whole <= _UNITS)


def kinds_of(offers: Offers) -> tuple[Kinds, Ints]:
    """Tell kinds of offers, and which kind each offer is of; -1 for limits above 1."""
    if len(offers) >= WORTH_COMPILING:
        from riskgraph.margin.clearing_kernel import add_up_limits  # numba: loaded only where it is used

        market, least, total = np.zeros(_MOST_KINDS, dtype=np.int64), np.zeros(_MOST_KINDS), np.zeros(_MOST_KINDS)
        kind = np.empty(len(offers), dtype=np.int32)
        n = add_up_limits(offers.market, offers.limit, offers.size, _UNITS, market, least, total, kind)
        if n >= 0:
            return Kinds(market[:n], whole_limits(least[:n]), least[:n], total[:n]), kind
    limit = whole_limits(offers.limit)
    some = np.flatnonzero(takeable(limit))
    known, place = np.unique(np.stack([offers.market[some].astype(np.int64), limit[some]]), axis=1, return_inverse=True)
    place = place.ravel()
    kind = np.full(len(offers), -1, dtype=np.int32)
    kind[some] = place
    least = np.zeros(known.shape[1])
    least[place[::-1]] = offers.limit[some[::-1]]  # of the first of each kind
    return Kinds(known[0], known[1], least, summed(place, offers.size[some], known.shape[1])), kind
