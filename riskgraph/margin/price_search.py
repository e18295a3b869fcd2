"""Liquidation prices where health is no straight line in the price: knots, then brackets (METHODS 5).

Longs, shorts and options, and published remainders that count at the average threshold of the rows. Every margin
account is tried at a price of its own, all at once, by the same sums and margins that health is made of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints
from riskgraph.errors import ConvergenceError
from riskgraph.margin.close_calls import BAND
from riskgraph.margin.derivatives import derivative_margins
from riskgraph.margin.sums import sums_of
from riskgraph.snapshot.book import moving_pairs
from riskgraph.snapshot.scanning import scanned_rows
from riskgraph.snapshot.shocks import opened_today

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot
    from riskgraph.snapshot.tables import Table

__all__ = ["FURTHEST", "searched"]

FURTHEST = 2.0**30  # prices from a billionth of today's to a billion times that are looked at
GRID = 2.0 ** (np.arange(-80, 81) / 8.0)  # a thousandth to a thousand times, 9 % apart
ROUNDS = 200  # a bracket is halved in every third of them: more often than floats can tell apart

Gap = Callable[[Floats], Floats]
Knots = tuple[Ints, Floats]  # margin accounts and moves


def searched(snap: Snapshot, asset: int, unit: float, margins: Ints, due: Bools) -> tuple[Floats, Bools]:
    """Find the price move nearest to today at which each of some margin accounts becomes liquidatable, or stops being.

    Parameters
    ----------
    asset : int
        Code of the asset that moves.
    unit : float
        1 where prices are tried as multiples of today's, 0 where today's is 0 and they are tried as they are.
    margins : ndarray of int, shape (k,)
        Margin accounts, rising.
    due : ndarray of bool, shape (k,)
        Which of them are liquidatable today.

    Returns
    -------
    ndarray, shape (k,)
        The move (1: today's price), NaN where none reaches it. Between two knots (tiers, the price at which an average
        turns) one crossing is found; of a crossing below and one above the nearer, of equals the one below.
    ndarray of bool, shape (k,)
        Whether it is above that price that the account is liquidatable.
    """
    part = _only(snap, margins)
    moving = moving_pairs(part, asset)[part.book.pair]
    gap = _gap(part, moving, unit)
    knots = _knots(part, moving, unit)
    values = np.stack([gap(knots[:, at]) for at in range(knots.shape[1])], axis=1)
    low = values < 0.0
    today = (knots < unit).sum(axis=1)
    low[np.arange(len(margins)), today] = due  # exact, where floats may not be
    down, up = (_crossing(gap, knots, values, left, today) for left in _nearest(low, today, due))
    falls = np.isnan(up) | (unit - down <= up - unit)
    return np.where(falls, down, up), falls == due


def _only(snap: Snapshot, margins: Ints) -> Snapshot:
    """Keep the rows of some margin accounts; entry prices that are unknown are today's."""
    chosen = np.zeros(len(snap.book.margin_account) + 1, dtype=bool)  # the last: wallets
    chosen[margins] = True
    kept = chosen[snap.book.margin]
    positions = opened_today(snap) or snap.table("positions")
    return snap._with_tables({"positions": _rows(positions, kept)}, "some margin accounts")


def _rows(table: Table, kept: Bools) -> Table:
    return replace(
        table,
        length=int(kept.sum()),
        codes={name: codes[kept] for name, codes in table.codes.items()},
        numbers={name: values[kept] for name, values in table.numbers.items()},
        flags={name: flags[kept] for name, flags in table.flags.items()},
    )


def _gap(snap: Snapshot, moving: Bools, unit: float) -> Gap:
    """Say what each margin account has beyond its liquidation point, USD, with the asset at a price of its own."""
    book = snap.book
    base = np.where(moving & (unit == 0.0), 1.0, book.price)
    own_pair = np.arange(len(base))  # every row is a market of its own
    pledged, owed = (
        replace(leg, pair=np.flatnonzero(book.rows(side)).astype(np.uint32))
        for leg, side in ((book.pledged, "collateral"), (book.owed, "debt"))
    )
    trades = bool(book.trades.any())

    def gap(move: Floats) -> Floats:
        price = np.where(moving, base * move[book.margin], base)
        there = replace(book, pair=own_pair, pledged=pledged, owed=owed, pair_price=price)
        sums = sums_of(there)
        value = np.where(sums.debt > 0.0, sums.weighted - sums.burden, np.inf)
        if trades:
            margins = derivative_margins(snap._at_book(there), sums.collateral, sums.debt)
            value = np.where(margins.positions > 0, margins.equity - margins.maintenance, value)
        return value

    return gap


def _knots(snap: Snapshot, moving: Bools, unit: float) -> Floats:
    """Give moves between which the gap is a straight line, or at least turns nowhere: rising, shape (k, knots)."""
    n = len(snap.book.margin_account)
    ends = np.repeat(np.arange(n), 3), np.tile([1.0 / FURTHEST, unit, FURTHEST], n)
    listed = [ends, *_tiers(snap, moving, unit), *_turns(snap, moving, unit), *_grid(snap)]
    margin, move = np.concatenate([of for of, _ in listed]), np.concatenate([to for _, to in listed])
    inside = (move > 1.0 / FURTHEST) & (move < FURTHEST) & (np.abs(move - unit) > BAND)  # NaN: no such knot
    inside[: 3 * n] = True
    margin, move = margin[inside], move[inside]
    order = np.lexsort((move, margin))
    margin, move = margin[order], move[order]
    count = np.bincount(margin, minlength=n)
    place = np.arange(len(margin)) - np.repeat(np.cumsum(count) - count, count)
    knots = np.full((n, int(count.max(initial=0))), FURTHEST)
    knots[margin, place] = move
    return knots


def _tiers(snap: Snapshot, moving: Bools, unit: float) -> Iterator[Knots]:
    """Give the moves at which the notional of a long or short enters a tier."""
    book, tiers = snap.book, snap.table("tiers")
    traded = np.flatnonzero(moving & book.rows("long", "short"))
    notional = book.amount[traded] * (book.price[traded] if unit else 1.0)
    for protocol, asset, start in zip(
        tiers.code("protocol"), tiers.code("asset"), tiers.number("notional_from_usd"), strict=True
    ):
        mine = (book.protocol[traded] == protocol) & (book.asset[traded] == asset) & (notional > 0.0)
        yield book.margin[traded[mine]], start / notional[mine]


def _turns(snap: Snapshot, moving: Bools, unit: float) -> Iterator[Knots]:
    r"""Give the moves at which the gap of an account with a remainder turns, or its debt begins.

    With rows of weighted and plain collateral :math:`r_0 + r_1 x` and :math:`c_0 + c_1 x`, a remainder R that counts
    at their ratio, and debt :math:`e_0 + e_1 x`, the gap has slope 0 at

    .. math:: (c_0 + c_1 x)^2 = R \frac{r_1 c_0 - r_0 c_1}{e_1 - r_1}
    """
    book = snap.book
    if not book.named:
        return
    usd = book.amount * np.where(moving & (unit == 0.0), 1.0, book.price)
    pledged, owed = book.rows("collateral"), book.rows("debt")
    weight = np.ones(len(usd))
    if len(book.owed.weight):
        weight[owed] = book.owed.weight
    c0, c1 = (book.by_margin(usd, pledged & where) for where in (~moving, moving))
    r0, r1 = (book.by_margin(usd * np.nan_to_num(book.threshold), pledged & where) for where in (~moving, moving))
    d0, d1 = (book.by_margin(usd, owed & where) for where in (~moving, moving))
    e1 = book.by_margin(usd * weight, owed & moving)
    everyone = np.arange(len(c0))
    with np.errstate(divide="ignore", invalid="ignore"):
        yield everyone, (np.sqrt(book.collateral_remainder * (r1 * c0 - r0 * c1) / (e1 - r1)) - c0) / c1
        yield everyone, -(d0 + book.debt_remainder) / d1


def _grid(snap: Snapshot) -> Iterator[Knots]:
    """Options curve and portfolio margin bends at prices that nobody lists: moves close to one another instead."""
    book = snap.book
    curved = book.rows("long", "short") & (snap.table("positions").code("option_type") >= 0)
    curved |= scanned_rows(snap)
    margins = np.unique(book.margin[curved])
    for move in GRID if len(margins) else ():
        yield margins, np.full(len(margins), move)


def _nearest(low: Bools, today: Ints, due: Bools) -> tuple[Ints, Ints]:
    """Left knot of the first interval below and above today's price in which the state changes, -1 where none does."""
    other, column = low != due[:, None], np.arange(low.shape[1])
    before, after = other & (column < today[:, None]), other & (column > today[:, None])
    below = np.where(before.any(axis=1), low.shape[1] - 1 - np.argmax(before[:, ::-1], axis=1), -1)
    above = np.where(after.any(axis=1), np.argmax(after, axis=1) - 1, -1)
    return below, above


def _crossing(gap: Gap, knots: Floats, values: Floats, left: Ints, today: Ints) -> Floats:
    """Move at which the gap changes its sign between a knot and the next: false position (Illinois), else bisection."""
    rows = np.arange(len(knots))
    low, high = knots[rows, left], knots[rows, (left + 1) % knots.shape[1]]
    at_low, at_high = values[rows, left], values[rows, (left + 1) % knots.shape[1]]
    # Floats see no change where health today is 1 up to rounding: that is where it changes.
    settled = (left < 0) | ((at_low < 0.0) == (at_high < 0.0))
    found = np.where(left < 0, np.nan, knots[rows, today])
    for count in range(ROUNDS):
        if settled.all():
            break
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            middle = (low * at_high - high * at_low) / (at_high - at_low)
            even = ~((middle > low) & (middle < high)) | (count % 3 == 2)
        half = np.where(low > 0.0, np.sqrt(low) * np.sqrt(high), high / 4.0)
        middle = np.where(even, half, middle)
        value = gap(np.where(settled, 1.0, middle))
        to_low = (value < 0.0) == (at_low < 0.0)
        # the end that stays for a second time counts half, so that both ends close in
        at_high = np.where(to_low, at_high / 2.0, value)
        at_low = np.where(to_low, value, at_low / 2.0)
        low, high = np.where(to_low, middle, low), np.where(to_low, high, middle)
        over = ~settled & ((value == 0.0) | (high - low <= 4.0 * np.spacing(high)))
        found[over], settled = middle[over], settled | over
    if not settled.all():
        open_still = int((~settled).sum())
        raise ConvergenceError(f"prices of {open_still:,} margin accounts still moved after {ROUNDS} rounds")
    return found
