"""Calls of one round on the accounts of one protocol: each account called until its rule is content, then added up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints, summed
from riskgraph.margin.call_requests import Request
from riskgraph.margin.cascade_book import COLLATERAL, DEBT, CascadeBook
from riskgraph.margin.ledger import Ledger
from riskgraph.margin.pair_calls import pair_of
from riskgraph.margin.rounding import Amounts
from riskgraph.margin.terms import Terms

if TYPE_CHECKING:
    from riskgraph.margin.rules.rule import Pair, PairCall, PairRule

__all__ = ["Bundles", "CallLedger", "call_accounts"]

NOTHING = 1e-12  # share of debt and of collateral below which a call is rounding: nobody makes it
# What a contract keeps for its own rounding and bookkeeping; a cascade works on amounts that are not rounded.
_BOOKKEEPING = ("borrow_shares", "total_borrow_assets", "total_borrow_shares", "premium")


@dataclass(frozen=True, eq=False)
class Bundles:
    """Calls added up by account, collateral and debt; arrays of shape (n,).

    ``pledged`` and ``owed`` are rows of the book, ``margin`` margin accounts; ``seized`` (units of collateral, the
    protocol's ``fee`` included), ``repaid`` and ``surcharge`` (units of debt that the liquidator pays), ``cleared``
    (units by which the debt falls). ``closes`` says of the account that its last call writes off what is left.
    """

    margin: Ints
    pledged: Ints
    owed: Ints
    seized: Floats
    fee: Floats
    repaid: Floats
    surcharge: Floats
    cleared: Floats
    closes: Bools

    def __len__(self) -> int:
        return len(self.margin)

    def part(self, which: Ints) -> Bundles:
        """Give some of them."""
        return Bundles(**{one.name: getattr(self, one.name)[which] for one in fields(self)})

    @classmethod
    def joined(cls, parts: list[Bundles]) -> Bundles:
        """Put several together, in their order."""
        if len(parts) == 1:
            return parts[0]
        if not parts:
            none, zero = np.zeros(0, dtype=np.int64), np.zeros(0)
            return cls(none, none, none, zero, zero, zero, zero, zero, np.zeros(0, dtype=np.bool_))
        return cls(**{one.name: np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(cls)})


class CallLedger(Ledger):
    """Books of the accounts that are called in a round: floats, unrounded, none of what others hold is looked at."""

    def __init__(self, book: CascadeBook, protocol: int, rule: PairRule, margins: Ints) -> None:
        rows, place = book.rows_of(margins)
        mine = np.isin(book.rows.side[rows], (COLLATERAL, DEBT))
        self._picked = rows[mine], place[mine]
        held = book.rows
        self.snap, self.rule, self.margins, self.book = book.snap, rule, margins, book
        self.terms = _Unrounded(book.snap, protocol, rule.name)
        self.numbers = _floats
        self.row, self.margin, self.asset, self.side = self._rows()
        last = self.row < 0
        self.amount = np.where(last, 0.0, book.units_of(self.row))
        self.price = np.where(last, 0.0, book.pair_price[held.pair[self.row]])
        self.scales = np.zeros(len(book.start_price) + 1)
        self.scale = np.zeros(len(self.row))
        self.threshold = self._thresholds(np.where(last, np.nan, held.threshold[self.row]))
        self.bonus = np.where(last, np.nan, held.bonus[self.row])
        self.weight = self._debt_weights()
        self.extra_collateral, self.extra_weighted, self.extra_debt = self._remainders()
        self.changed, self.changed_margins = {}, {}

    def _rows(self) -> tuple[Ints, Ints, Ints, Ints]:
        rows, place = self._picked
        held = self.book.rows
        parts = (rows, place, held.asset[rows], held.side[rows].astype(np.int64))
        row, margin, asset, side = (np.append(part, -1) for part in parts)
        return row, margin, asset, side

    def _remainders(self) -> tuple[Amounts, Amounts, Amounts]:
        held = self.book.rows
        collateral, debt = held.collateral_remainder[self.margins], held.debt_remainder[self.margins]
        if not collateral.any():
            return collateral, collateral, debt
        value, mine = self.amount * self.price, self.side == COLLATERAL
        weighted, whole = self.summed(value * self.threshold, mine), self.summed(value, mine)
        average = np.divide(weighted, whole, out=np.zeros(len(whole)), where=whole > 0.0)
        own = held.own_threshold[self.margins]
        return collateral, collateral * np.where(np.isnan(own), average, own), debt

    def values(self) -> Amounts:
        """USD of every row."""
        value: Floats = self.amount * self.price
        return value

    def summed(self, values: Amounts, rows: Bools) -> Amounts:
        """Sum row values by margin account."""
        return summed(self.margin[rows], values[rows], len(self.margins))

    def of_accounts(self, name: str, margin: Ints) -> Amounts:
        """Give a parameter of margin accounts; NaN where nothing is given or where it is bookkeeping."""
        if name in _BOOKKEEPING:
            return np.full(len(margin), np.nan)
        return super().of_accounts(name, margin)

    def now(self, table: str, name: str, of: str = "", otherwise: Any = 0) -> Any:
        """Give what a parameter stands at: reserve and deficit as the cascade has left them."""
        if name in _BOOKKEEPING:
            return otherwise
        if table == "protocols" and name in ("reserve_usd", "deficit_usd"):
            return float((self.book.reserve if name == "reserve_usd" else self.book.deficit)[self.terms.protocol])
        return super().now(table, name, of, otherwise)

    def _largest_row(self, rows: Ints) -> Ints:
        """Row with the largest USD of every margin account, of those that hold something."""
        return super()._largest_row(rows[self.amount[rows] > 0.0])

    def part(self, keep: Bools) -> CallLedger:
        """Give the books of some of the accounts, as they stand here."""
        fresh = object.__new__(CallLedger)
        fresh.__dict__.update(self.__dict__)
        place = np.append(np.where(keep, np.cumsum(keep) - 1, -1), -1)
        rows = np.append(np.flatnonzero(keep[self.margin[:-1]]), len(self.margin) - 1)
        for name in ("row", "asset", "side", "amount", "price", "scale", "threshold", "bonus", "weight"):
            setattr(fresh, name, getattr(self, name)[rows])
        fresh.margin = place[self.margin[rows]]
        fresh.margins = self.margins[keep]
        for name in ("extra_collateral", "extra_weighted", "extra_debt"):
            setattr(fresh, name, getattr(self, name)[keep])
        return fresh


class _Unrounded(Terms):
    """Terms of a rule, without those that only serve rounding."""

    def of_assets(self, name: str, assets: Ints) -> Floats:
        """Give a parameter of the protocol's market in each asset."""
        if name == "drawn_index":
            return np.ones(len(assets))
        return super().of_assets(name, assets)


def _floats(values: Any) -> Amounts:
    found: Floats = np.atleast_1d(np.asarray(values, dtype=np.float64))
    return found


def call_accounts(
    book: CascadeBook, protocol: int, rule: PairRule, margins: Ints, dust_usd: float, level: float | None = None
) -> tuple[Bundles, Counter[str]]:
    """Call accounts again and again at the same prices until the rule's own test fails, or nothing is left to take.

    Where ``level`` is given accounts are closed out: called until their health reaches it, whatever the rule's test.

    Returns
    -------
    Bundles, Counter
        The calls, in the order of margin accounts; and how many accounts' turns ended with a refusal, by reason.
    """
    ledger = CallLedger(book, protocol, rule, margins)
    made: list[_Wave] = []
    refused: Counter[str] = Counter()
    while len(ledger.margins):
        everyone = np.arange(len(ledger.margins))
        nothing, most = np.full(len(everyone), np.nan), np.full(len(everyone), np.inf)
        request = Request(everyone, np.full(len(everyone), -1), np.full(len(everyone), -1), most, nothing)
        at, pledged, owed = pair_of(ledger, rule, request)
        due = _due(at, level) & (at.collateral > 0.0) & (at.debt > 0.0)
        if not due.any():
            break
        if not due.all():
            ledger = ledger.part(due)
            continue
        if level is not None:
            at = _forced(at)
        wave = _Wave.of(ledger, rule.call(at), at, pledged, owed, dust_usd)
        refused.update(reason for reason in wave.refused.tolist() if reason)
        made.append(wave)
        goes_on = wave.carry_out(ledger)
        if not goes_on.all():
            ledger = ledger.part(goes_on)
    return _added_up(made), refused


def _due(at: Pair, level: float | None) -> Bools:
    below: Bools = at.liquidatable if level is None else np.asarray(at.weighted_usd < level * at.owed_usd)
    return below


def _forced(at: Pair) -> Pair:
    from dataclasses import replace

    return replace(at, liquidatable=np.ones(len(at.liquidatable), dtype=np.bool_))


@dataclass(frozen=True, eq=False)
class _Wave:
    """One call on each of some accounts; rows are places in the ledger that it was made on."""

    margin: Ints
    pledged: Ints
    owed: Ints
    pledged_row: Ints
    owed_row: Ints
    seized: Floats
    fee: Floats
    repaid: Floats
    surcharge: Floats
    cleared: Floats
    closes: Bools
    refused: Any
    something: Bools

    @classmethod
    def of(cls, ledger: CallLedger, made: PairCall, at: Pair, pledged: Ints, owed: Ints, dust_usd: float) -> _Wave:
        """Read what a rule says of its calls; debts of dust are taken in full."""
        done = np.asarray(made.refused == "", dtype=np.bool_)
        seized, fee, repaid = (np.where(done, part, 0.0) for part in (made.seized, made.fee, made.repaid))
        cleared = repaid if made.cleared is None else np.where(done, made.cleared, 0.0)
        surcharge = np.zeros(len(done)) if made.surcharge is None else np.where(done, made.surcharge, 0.0)
        dust = done & (at.debt_usd < dust_usd) & (cleared > 0.0)
        more = np.minimum(
            np.divide(at.debt, cleared, out=np.ones(len(done)), where=dust),
            np.divide(at.collateral, seized, out=np.full(len(done), np.inf), where=dust & (seized > 0.0)),
        )
        factor = np.where(dust, np.maximum(more, 1.0), 1.0)
        closes = np.asarray(made.closes, dtype=np.bool_) & done
        if ledger.rule.bearer != "none":  # the rule decided before dust was taken in full
            closes |= dust & ~at.other_collateral & (seized * factor >= at.collateral * (1.0 - 1e-15))
        return cls(
            margin=ledger.margins,
            pledged=pledged,
            owed=owed,
            pledged_row=ledger.row[pledged],
            owed_row=ledger.row[owed],
            seized=seized * factor,
            fee=fee * factor,
            repaid=repaid * factor,
            surcharge=surcharge * factor,
            cleared=cleared * factor,
            closes=closes,
            refused=made.refused,
            something=(cleared > NOTHING * at.debt) | (seized > NOTHING * at.collateral),
        )

    def carry_out(self, ledger: CallLedger) -> Bools:
        """Change the ledger; say of each account whether another call makes sense."""
        for rows, less in ((self.pledged, self.seized), (self.owed, self.cleared)):
            left = ledger.amount[rows] - less
            ledger.amount[rows] = np.where(left > 1e-15 * ledger.amount[rows], left, 0.0)  # less is rounding
        return np.asarray((self.refused == "") & self.something & ~self.closes)


def _added_up(waves: list[_Wave]) -> Bundles:
    """Add up the calls of every account on the same collateral and debt."""
    if not waves:
        return Bundles.joined([])
    some = np.flatnonzero(np.concatenate([one.something for one in waves]))
    pledged, owed = (_column(waves, name)[some] for name in ("pledged_row", "owed_row"))
    order = np.lexsort((owed, pledged))  # rows are in the order of margin accounts; waves keep theirs
    pledged, owed, some = pledged[order], owed[order], some[order]
    first = np.flatnonzero(np.append(True, (np.diff(pledged) != 0) | (np.diff(owed) != 0))[: len(pledged)])

    def total(name: str) -> Floats:
        return np.add.reduceat(_column(waves, name)[some], first) if len(first) else np.zeros(0)

    margin = _column(waves, "margin")[some][first]
    closing = np.concatenate([one.margin[one.closes] for one in waves])
    return Bundles(
        margin=margin,
        pledged=pledged[first],
        owed=owed[first],
        seized=total("seized"),
        fee=total("fee"),
        repaid=total("repaid"),
        surcharge=total("surcharge"),
        cleared=total("cleared"),
        closes=np.isin(margin, closing),
    )


def _column(waves: list[_Wave], name: str) -> Any:
    return np.concatenate([getattr(one, name) for one in waves])
