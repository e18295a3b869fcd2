"""One clearing a market and round: which of the calls are worth making, and at what average price all of them sell."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints, summed

if TYPE_CHECKING:
    from riskgraph.margin.price_curves import PriceCurves

__all__ = ["Offers", "accepted_parts"]

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


def accepted_parts(offers: Offers, curves: PriceCurves, sold: Floats, dust_usd: float) -> Floats:
    r"""Share of every offer that is taken by those who look for profit (METHODS 5.4 iii), shape (n,).

    In each market the offers with the lowest limits r come first; taken is the largest Q with

    .. math:: A(Q) = \frac{1}{g(s_0)} \frac{1}{\Delta s} \int_{s_0}^{s_0 + \Delta s} g \ge r_{last}

    the last one partly where that makes ends meet, but no part below ``dust_usd``. ``sold`` is s of every market.
    """
    share = np.zeros(len(offers))
    kind, market, least, size = _kinds(offers)
    part, room = np.zeros(len(market) + 1), np.zeros(len(market) + 1)  # the last: of offers that nobody takes
    order = np.lexsort((least, market))
    markets, first = np.unique(market[order], return_index=True)
    for one, kinds in zip(markets.tolist(), np.split(order, first[1:]), strict=False):  # without markets no kinds
        fits, width = _fitting(curves, one, float(sold[one]), size[kinds], least[kinds])
        part[kinds[:fits]] = 1.0
        room[kinds[fits : fits + 1]] = width
    share = part[kind]
    marginal = np.flatnonzero(room[kind] > 0.0)
    of_kind = kind[marginal]
    for one in np.flatnonzero(room > 0.0).tolist():
        at = _largest(offers, marginal[of_kind == one], room[one] * curves.depth[market[one]])
        share[at] = _filled(offers.size[at] / curves.depth[market[one]], offers.usd[at], room[one], dust_usd)
    return share


def _kinds(offers: Offers) -> tuple[Ints, Ints, Floats, Floats]:
    """Tell kinds of offers (one market, one limit): which kind each is; market, limit and whole size of every kind.

    One bonus is one limit, whatever rounding made of it. Limits above 1 are of no kind (-1): sales never raise the
    price that they are made at.
    """
    if len(offers) >= WORTH_COMPILING:
        from riskgraph.margin.clearing_kernel import add_up_limits  # numba: loaded only where it is used

        market, least, total = np.zeros(_MOST_KINDS, dtype=np.int64), np.zeros(_MOST_KINDS), np.zeros(_MOST_KINDS)
        kind = np.empty(len(offers), dtype=np.int32)
        n = add_up_limits(offers.market, offers.limit, offers.size, _UNITS, market, least, total, kind)
        if n >= 0:
            return kind, market[:n], least[:n], total[:n]
    limit = np.round(np.minimum(offers.limit, 4.0) * _UNITS).astype(np.int64)
    some = np.flatnonzero(limit <= _UNITS)
    known, place = np.unique(np.stack([offers.market[some].astype(np.int64), limit[some]]), axis=1, return_inverse=True)
    place = place.ravel()
    kind = np.full(len(offers), -1, dtype=np.int32)
    kind[some] = place
    least = np.zeros(known.shape[1])
    least[place[::-1]] = offers.limit[some[::-1]]  # of the first of each kind
    return kind, known[0], least, summed(place, offers.size[some], known.shape[1])


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
