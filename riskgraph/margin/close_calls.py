"""Health so close to a level that rounding could decide: decided again in exact rational arithmetic.

The terms are read as the shortest decimals of the stored floats, which is what was written: 3 tokens at 0.1 against a
debt of 0.3 have a health of exactly 1, where floats say 1.0000000000000002.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints, Places
from riskgraph.margin.derivatives import DerivativeMargins
from riskgraph.margin.sums import Sums
from riskgraph.snapshot.book import Book, term_grid
from riskgraph.snapshot.frames import protocol_terms
from riskgraph.snapshot.rows import Leg

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["BAND", "below_one", "cancelling", "exact_line", "settle"]

# Share of everything that is added up within which floats do not decide: rounding of some 4,000 rows stays below it.
BAND = 1e-12


@dataclass(frozen=True)
class _Exact:
    """Health is ``value`` ÷ ``need``; short of money is who has ``worth`` less than ``owed``."""

    value: Fraction
    need: Fraction
    worth: Fraction
    owed: Fraction
    traded: bool

    def against(self, level: Fraction) -> int:
        """-1, 0 or 1: health below, at or above a level."""
        if self.need > 0:
            gap = self.value - level * self.need
            return (gap > 0) - (gap < 0)
        return -1 if self.traded and self.value < 0 else 1

    @property
    def health(self) -> float:
        """Health as a float, rounded to the nearest."""
        if self.need > 0:
            ratio = self.value / self.need
            return float(ratio) if abs(ratio) < 2**1023 else (np.inf if ratio > 0 else -np.inf)
        return -np.inf if self.traded and self.value < 0 else np.inf


def settle(
    snap: Snapshot,
    sums: Sums,
    derivatives: DerivativeMargins | None,
    level: Floats,
    health: Floats,
    low: Ints,
    short: Bools,
) -> None:
    """Put ``health`` on the right side of 1 and of the call levels, and ``short`` right, where floats cannot tell.

    Parameters
    ----------
    level : ndarray, shape (n_protocols,)
        Health below which each protocol calls for margin, NaN where it does not.
    health : ndarray, shape (n_margins,)
        What floats make of it; changed in place, so that every comparison with 1 or with a call level is exact.
        Options and portfolio margin keep what floats say: their models have no rational values.
    low : ndarray of int, shape (k,)
        Margin accounts, rising; all that are below a level or within the band of one are among them, and all whose
        terms may cancel.
    short : ndarray of bool, shape (k,)
        Which of them are worth less than they owe; changed in place.
    """
    close = _close(snap, sums, derivatives, level, health, low)
    for margin, exact in _decided(snap, derivatives, low[close]):
        found, place = exact.health, np.searchsorted(low, margin)
        for at in (1.0, float(level[snap.book.margin_protocol[margin]])):
            if not np.isnan(at):
                side = exact.against(_said(at))
                wrong = (found > at) - (found < at) != side
                found = float(np.nextafter(at, at + side)) if wrong and side else at if wrong else found
        health[margin], short[place] = found, exact.worth < exact.owed


def below_one(snap: Snapshot, margins: Ints) -> Bools:
    """Which margin accounts, ascending and without longs, shorts and options, have a health below 1, exactly."""
    return np.array([exact.against(Fraction(1)) < 0 for _, exact in _decided(snap, None, margins)], dtype=np.bool_)


def cancelling(book: Book, derivatives: DerivativeMargins | None) -> Bools | None:
    """Mark the margin accounts that add up terms of both signs, so that little may be left of much; None: nobody."""
    if not book.named and derivatives is None:
        return None
    odd = (book.collateral_remainder < 0.0) | (book.debt_remainder < 0.0)
    return odd if derivatives is None else odd | (derivatives.positions > 0)


def _close(
    snap: Snapshot, sums: Sums, derivatives: DerivativeMargins | None, level: Floats, health: Floats, low: Ints
) -> Bools:
    """Which are within the band of 1, of their call level, or of owing just what they have."""
    book = snap.book
    value, worth, debt = health[low], sums.collateral[low], sums.debt[low]
    calls = level[book.margin_protocol[low]]
    close = (np.abs(value - 1.0) < BAND) | (np.abs(value - calls) < BAND * calls)  # NaN: no call, cannot be told
    held = np.abs(worth) + debt
    close |= (np.abs(worth - debt) <= BAND * held) & (held > 0.0)  # of nothing there is nothing to decide
    odd = cancelling(book, derivatives)
    if odd is not None:
        close[odd[low]] |= _close_after_cancelling(snap, sums, derivatives, level, low[odd[low]])
    close &= ~np.isnan(value)
    return close


def _close_after_cancelling(
    snap: Snapshot, sums: Sums, derivatives: DerivativeMargins | None, level: Floats, at: Ints
) -> Bools:
    """Take the band of those whose terms cancel as a share of the terms, not of what is left of them."""
    book = snap.book
    terms = np.abs(sums.collateral) + np.abs(sums.debt) + sums.burden
    terms += 2.0 * (np.abs(book.collateral_remainder) + np.abs(book.debt_remainder))
    value, need, worth = np.array(sums.weighted), np.array(sums.burden), sums.collateral - sums.debt
    if derivatives is not None:
        traded = derivatives.positions > 0
        rows = book.rows("long", "short")
        entry = np.nan_to_num(snap.table("positions").number("entry_price"))
        terms += book.by_margin(book.amount * (book.price + entry), rows)
        value[traded], need[traded] = derivatives.equity[traded], derivatives.maintenance[traded]
        worth = np.where(traded, derivatives.equity, worth)
    close: Bools = (np.abs(worth) <= BAND * terms)[at]
    for of_margin in (np.ones(len(at)), level[book.margin_protocol[at]]):
        close |= np.abs(value[at] - of_margin * need[at]) <= BAND * (terms[at] + np.abs(need[at]))
    return close & (terms[at] > 0.0)


def _said(value: float) -> Fraction:
    """Read a float as the shortest decimal that is it."""
    return Fraction(repr(float(value)))


def _decided(snap: Snapshot, derivatives: DerivativeMargins | None, margins: Ints) -> Iterator[tuple[int, _Exact]]:
    """Give the exact terms of each of the margin accounts that have any."""
    traded = np.zeros(len(margins), dtype=bool) if derivatives is None else derivatives.positions[margins] > 0
    for margin in margins[~traded]:
        yield int(margin), _lent(snap.book, int(margin))
    if traded.any():
        yield from _Traded(snap).decided(margins[traded])


def _rows(leg: Leg, margin: int) -> Iterator[tuple[int, int]]:
    """Give row and pair of every row of a margin account in a leg."""
    low, high = np.searchsorted(leg.margin, np.array([margin, margin + 1], dtype=leg.margin.dtype))
    for row in range(low, high):
        yield row, int(leg.pair[row])


def _held(book: Book, margin: int) -> tuple[Fraction, Fraction]:
    """Collateral and debt with their remainders."""
    collateral = _said(book.collateral_remainder[margin])
    debt = _said(book.debt_remainder[margin])
    for row, pair in _rows(book.pledged, margin):
        collateral += _said(book.pledged.amount[row]) * _said(book.pair_price[pair])
    for row, pair in _rows(book.owed, margin):
        debt += _said(book.owed.amount[row]) * _said(book.pair_price[pair])
    return collateral, debt


def _lent(book: Book, margin: int) -> _Exact:
    """Exact terms of a margin account that has no longs or shorts, by the formula of ``sums_of``."""
    collateral, debt = _held(book, margin)
    rest, own = _said(book.collateral_remainder[margin]), float(book.own_threshold[margin])
    weighted, burden = Fraction(0), debt
    if not np.isnan(own):
        weighted = collateral * _said(own)
    else:
        for row, pair in _rows(book.pledged, margin):
            usd = _said(book.pledged.amount[row]) * _said(book.pair_price[pair])
            weighted += usd * _threshold(book, pair, float(book.pledged.weight[row]))
        weighted += rest * weighted / (collateral - rest) if rest else 0
    for row, pair in _rows(book.owed, margin):
        burden += _said(book.owed.amount[row]) * _said(book.pair_price[pair]) * (1 / _factor(book, pair) - 1)
    return _Exact(weighted, burden if debt > 0 else Fraction(0), collateral, debt, traded=False)


def exact_line(book: Book, margin: int, moves: Places, pair_price: Floats) -> tuple[float, float]:
    """Weighted collateral less weighted debt, no longs or shorts: of pairs where ``moves`` is 0 and where it is 1."""
    own = float(book.own_threshold[margin])
    parts = [-_said(book.debt_remainder[margin]), Fraction(0)]
    if not np.isnan(own):
        parts[0] += _said(own) * _said(book.collateral_remainder[margin])
    for row, pair in _rows(book.pledged, margin):
        usd = _said(book.pledged.amount[row]) * _said(pair_price[pair])
        weight = _threshold(book, pair, float(book.pledged.weight[row])) if np.isnan(own) else _said(own)
        parts[moves[pair]] += usd * weight
    for row, pair in _rows(book.owed, margin):
        usd = _said(book.owed.amount[row]) * _said(pair_price[pair])
        parts[moves[pair]] -= usd / _factor(book, pair)
    return float(parts[0]), float(parts[1])


def _factor(book: Book, pair: int) -> Fraction:
    """Borrow factor, 1 where none is given."""
    factor = float(book.pair_factor[pair])
    return Fraction(1) if np.isnan(factor) else _said(factor)


def _threshold(book: Book, pair: int, weight: float) -> Fraction:
    """Threshold of collateral: as it was written, or 1 ÷ the liquidation ratio that it comes from."""
    ratio = float(book.pair_ratio[pair])
    if np.isnan(book.pair_threshold[pair]) and not np.isnan(ratio) and weight == 1.0 / ratio:
        return 1 / _said(ratio)
    return _said(weight)


class _Traded:
    """Exact equity and maintenance margin, by the formula of ``derivative_margins``."""

    def __init__(self, snap: Snapshot) -> None:
        shape = (len(snap.labels("protocol")), len(snap.labels("asset")))
        markets, tiers = snap.table("markets"), snap.table("tiers")
        self.snap, self.positions = snap, snap.table("positions")
        self.haircut = term_grid(markets, "haircut", shape)
        self.flat = term_grid(markets, "maintenance_margin", shape)
        self.portfolio = np.array([rule == "portfolio_margin" for rule in protocol_terms(snap)[1]])
        self.ladder: dict[tuple[int, int], list[tuple[Fraction, Fraction]]] = {}
        columns = (tiers.code("protocol"), tiers.code("asset"), tiers.number("notional_from_usd"))
        for protocol, asset, start, rate in zip(*columns, tiers.number("maintenance_margin"), strict=True):
            self.ladder.setdefault((int(protocol), int(asset)), []).append((_said(start), _said(rate)))

    def decided(self, margins: Ints) -> Iterator[tuple[int, _Exact]]:
        """Give the exact terms of each margin account but those whose model has no rational values."""
        book = self.snap.book
        wanted = np.zeros(len(book.margin_account) + 1, dtype=bool)
        wanted[margins] = ~self.portfolio[book.margin_protocol[margins]]
        rows = np.flatnonzero(wanted[book.margin] & book.rows("long", "short"))
        by_margin: dict[int, list[int]] = {}
        for row in rows:
            by_margin.setdefault(int(book.margin[row]), []).append(int(row))
        for margin, mine in by_margin.items():
            if (self.positions.code("option_type")[mine] < 0).all():
                yield margin, self._exact(margin, mine)

    def _exact(self, margin: int, rows: list[int]) -> _Exact:
        book, sides = self.snap.book, self.snap.book.rows("long")
        collateral, debt = _held(book, margin)
        equity, required = collateral - debt, Fraction(0)
        for row, pair in _rows(book.pledged, margin):
            cut = float(self.haircut[book.pair_protocol[pair], book.pair_asset[pair]])
            if not np.isnan(cut):
                equity -= _said(cut) * _said(book.pledged.amount[row]) * _said(book.pair_price[pair])
        entry = self.positions.number("entry_price")
        for row in rows:
            amount, price = _said(book.amount[row]), _said(book.price[row])
            if not np.isnan(entry[row]):
                equity += (1 if sides[row] else -1) * amount * (price - _said(entry[row]))
            required += self._maintenance((int(book.protocol[row]), int(book.asset[row])), amount * price)
        return _Exact(equity, required, equity, Fraction(0), traded=True)

    def _maintenance(self, pair: tuple[int, int], notional: Fraction) -> Fraction:
        ladder = self.ladder.get(pair)
        if ladder is None:
            return _said(self.flat[pair]) * notional
        ends = [start for start, _ in ladder[1:]]
        total = Fraction(0)
        for at, (start, rate) in enumerate(ladder):
            top = min(notional, ends[at]) if at < len(ends) else notional
            total += max(top - start, Fraction(0)) * rate
        return total
