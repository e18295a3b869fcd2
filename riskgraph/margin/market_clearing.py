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
        _, first, place = np.unique(np.stack([market, whole]), axis=1, return_index=True, return_inverse=True)
        place = place.ravel()
        made = Kinds(market[first], whole[first], least[first], summed(place, size, len(first)))
        return made, place[: len(self)], place[len(self) :]


class Clearing:
    r"""One clearing of every market: which kinds of offers are taken, by those who look for profit (METHODS 5.4 iii).

    In each market the offers with the lowest limits r come first; taken is the largest Q with

    .. math:: A(Q) = \frac{1}{g(s_0)} \frac{1}{\Delta s} \int_{s_0}^{s_0 + \Delta s} g \ge r_{last}

    the last one partly where that makes ends meet, but no part below ``dust_usd``.

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
        order = np.lexsort((kinds.least, kinds.market))
        markets, first = np.unique(kinds.market[order], return_index=True)
        for one, these in zip(markets.tolist(), np.split(order, first[1:]), strict=False):  # without markets no kinds
            fits, width = _fitting(curves, one, float(sold[one]), kinds.size[these], kinds.least[these])
            self.part[these[:fits]] = 1.0
            if width > 0.0:
                self.room[these[fits : fits + 1]] = width * curves.depth[one]

    def shares(self, offers: Offers, kind: Ints) -> Floats:
        """Share of every offer that is taken, shape (n,); ``kind`` says which kind each is of, -1: of none."""
        share = self.part[kind]
        marginal = np.flatnonzero(self.room[kind] > 0.0)
        of_kind = kind[marginal]
        for one in np.flatnonzero(self.room > 0.0).tolist():
            at = _largest(offers, marginal[of_kind == one], self.room[one])
            share[at] = _filled(offers.size[at], offers.usd[at], self.room[one], self.dust_usd)
        return share


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


def _fitting(curves: PriceCurves, market: int, start: float, size: Floats, least: Floats) -> tuple[int, float]:
    """How many kinds, the lowest limit first, are taken whole; and how much s of the next one makes ends meet."""
    now = float(curves.price_at(market, start))
    if now <= 0.0:
        return 0, 0.0
    if not np.isfinite(curves.depth[market]):
        return len(size), 0.0
    through = np.cumsum(size) / curves.depth[market]
    loses = np.flatnonzero(np.asarray(curves.average(market, start, start + through)) / now < least * (1.0 - _ROUNDING))
    if not len(loses):
        return len(size), 0.0
    k = int(loses[0])
    before = float(through[k - 1]) if k else 0.0
    return k, curves.most(market, start, float(least[k]), float(through[k])) - before


def _largest(offers: Offers, at: Ints, room: float) -> Ints:
    """Give those offers of one limit that fill the room (USD), in order: the larger first, then by label."""
    usd, most = offers.usd[at], _FEW
    while most < len(at):  # few fit, mostly: the others need no order
        top = at[usd >= np.partition(usd, len(at) - most)[len(at) - most]]
        if offers.size[top].sum() > room:
            at = top
            break
        most *= 8
    usd = offers.usd[at]
    order = np.argsort(-usd)
    if (np.diff(usd[order]) == 0.0).any():
        order = np.lexsort((offers.debt[at], offers.collateral[at], offers.margin[at], -usd))
    return np.asarray(at[order])


def _filled(size: Floats, usd: Floats, room: float, dust_usd: float) -> Floats:
    """Fill room with offers one after another; the one that does not fit in part, unless that is dust."""
    through = np.cumsum(size)
    left = np.clip(np.divide(room - (through - size), size, out=np.ones(len(size)), where=size > 0.0), 0.0, 1.0)
    part = (left > 0.0) & (left < 1.0)
    left[part & (left * usd < dust_usd)] = 0.0
    return left
