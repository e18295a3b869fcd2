"""Margin calls round by round: who is called, who pays, whose grace is over (METHODS 5.3)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints, rising
from riskgraph.margin.call_sources import Donors, OpenCalls, Paid, has_money, paid_by_owners
from riskgraph.margin.cascade_book import COLLATERAL
from riskgraph.margin.standings import MET

if TYPE_CHECKING:
    from riskgraph.margin.calling_terms import CallTerms
    from riskgraph.margin.cascade_book import CascadeBook
    from riskgraph.margin.standings import Standing, Standings

__all__ = ["NEVER", "CallDesk", "CallRound"]

NEVER = -1


@dataclass(frozen=True, eq=False)
class CallRound:
    """Calls of a round: arrays by open call, and what was paid.

    ``issued`` is the round in which a call was made, ``health`` that of the account when it was, ``required_usd`` the
    least repayment that cures, ``target`` and shortfall as in :class:`OpenCalls`; ``paid`` None where nobody is called.
    Calls to which nothing can happen may be left out; ``others_usd`` is the least repayment that would cure those.
    """

    calls: OpenCalls
    issued: Ints
    health: Floats
    required_usd: Floats
    paid: Paid | None
    cured: Ints
    others_usd: float = 0.0

    @property
    def unmet_usd(self) -> Floats:
        """Least repayment that would still cure each call, USD."""
        lacking = self.paid.unmet if self.paid is not None else self.calls.shortfall
        short = self.calls.shortfall > 0.0
        return np.asarray(
            self.required_usd * np.divide(lacking, self.calls.shortfall, out=np.zeros(len(short)), where=short)
        )

    def part(self, which: Ints) -> CallRound:
        """Give some of the calls, those that were paid among them."""
        paid = self.paid
        if paid is not None:
            place = np.full(len(self.calls), -1)
            place[which] = np.arange(len(which))
            paid = replace(paid, call=place[paid.call], unmet=paid.unmet[which])
        return CallRound(
            self.calls.part(which), self.issued[which], self.health[which], self.required_usd[which], paid, self.cured,
            self.others_usd,
        )  # fmt: skip


class CallDesk:
    """State of every margin account: round in which its open call was issued, or none.

    ``closeout`` says whether accounts whose grace is over are closed out.
    """

    def __init__(self, book: CascadeBook, terms: CallTerms, *, closeout: bool = False) -> None:
        self.book, self.terms, self.closeout = book, terms, closeout
        rows = book.rows
        self.issued = np.full(len(rows.margin_account), NEVER)
        self._ever: list[Ints] = []  # margin accounts that got a call, as they did
        self.level = terms.level[rows.margin_protocol]
        self.target = terms.target[rows.margin_protocol]
        self.posted, self.given = self._counts()

    def _counts(self) -> tuple[Floats, Floats]:
        """Give what a dollar counts for in rows of collateral: where it is posted (0: not taken), where it is given."""
        rows, accepts = self.book.rows, self.terms.accepts
        mine = np.flatnonzero((rows.side == COLLATERAL) & ~np.isnan(self.terms.target)[rows.protocol])
        posted, given = np.zeros(len(rows.side)), np.zeros(len(rows.side))
        venue, asset = rows.protocol[mine], rows.asset[mine]
        given[mine] = np.where(rows.trades[venue], accepts[venue, asset], np.nan_to_num(rows.threshold[mine]))
        posted[mine] = np.where(accepts[venue, asset] > 0.0, given[mine], 0.0)
        return posted, given

    @cached_property
    def at_once(self) -> bool:
        """Whether nobody who is liquidatable is asked before, or protected while a call runs."""
        calls = ~np.isnan(self.terms.level)
        return not (self.terms.first[calls].any() or self.terms.grace[calls].any())

    def make(self, now: int, margins: Standings, due: Bools) -> CallRound:
        """Make calls and have them paid; ``due`` says which margin accounts their rule liquidates."""
        low = self.below(margins)
        protocol = self.book.rows.margin_protocol
        cured = self._lapsed(margins)
        at_once = due[low] & (self.terms.grace[protocol[low]] == 0) & ~self.terms.first[protocol[low]]
        open_now = low[~at_once]
        fresh = self.issued[open_now] == NEVER
        self.issued[open_now[fresh]] = now
        self._ever.append(open_now[fresh])
        donors = self._donors(margins, open_now, due)
        some = np.ones(len(open_now), dtype=np.bool_)
        if margins.looked_at is not None and self.at_once and not self.closeout:
            # nothing happens in this round to a call that is old, and that nobody can pay
            some = fresh | has_money(self.book, open_now, donors)
        others, open_now = open_now[~some], open_now[some]
        stands = margins.standing(open_now)
        calls = self._open(margins, open_now, stands)
        paid = None
        if len(open_now):
            paid = paid_by_owners(self.book, calls, donors, self.posted, self.given, self.terms.in_order)
        others_usd = float(self.asked(margins, others)[1].sum()) + margins.resting_usd
        return CallRound(calls, self.issued[open_now].copy(), stands.health, self._required(calls), paid, cured,
                         others_usd)  # fmt: skip

    def _open(self, margins: Standings, at: Ints, stands: Standing) -> OpenCalls:
        return OpenCalls(at, self._shortfall(margins, at, stands), self.target[at],
                         self.terms.rank[self.book.rows.margin_protocol[at]], self._traded(margins, at))  # fmt: skip

    def below(self, margins: Standings) -> Ints:
        """Margin accounts below their call level; one that was just paid up to it is not."""
        return margins.below(self.level)

    @property
    def called(self) -> Ints:
        """Margin accounts with a call, ascending."""
        every = rising(np.concatenate([np.zeros(0, dtype=np.int64), *self._ever]))
        self._ever = [every[self.issued[every] != NEVER]]
        return self._ever[0]

    def _lapsed(self, margins: Standings) -> Ints:
        """Take back the calls on accounts that are no longer below their level; give them."""
        seen = margins.looked_at
        at = self.called if seen is None else seen[self.issued[seen] != NEVER]
        cured = at[~margins.still_below(at, self.level)]
        self.issued[cured] = NEVER
        return cured

    def look_again(self, margins: Standings) -> None:
        """Take back calls that payments have met."""
        self._lapsed(margins)

    def _traded(self, margins: Standings, at: Ints) -> Bools:
        if margins.derivatives is None:
            return np.zeros(len(at), dtype=np.bool_)
        return np.asarray(margins.derivatives.positions[at] > 0)

    def _shortfall(self, margins: Standings, at: Ints, stands: Standing) -> Floats:
        """T · D − W, or T · MM − equity, of some margin accounts; weighted USD."""
        target = self.target[at]
        lacking = target * stands.burden - stands.weighted
        if margins.derivatives is not None:
            known = margins.derivatives
            by_margin = target * known.maintenance[at] - known.equity[at]
            lacking = np.where(self._traded(margins, at), by_margin, lacking)
        return np.asarray(lacking)

    def asked(self, margins: Standings, at: Ints) -> tuple[Floats, Floats, Floats]:
        """Shortfall (weighted USD), least repayment (USD) and what a dollar of repayment cures, of margin accounts."""
        whole = self._open(margins, at, margins.standing(at))
        return whole.shortfall, self._required(whole), whole.cured_by_a_dollar

    @staticmethod
    def _required(calls: OpenCalls) -> Floats:
        return np.asarray(np.maximum(calls.shortfall, 0.0) / calls.cured_by_a_dollar)

    def _donors(self, margins: Standings, called: Ints, due: Bools) -> Donors:
        """Margin accounts of the same owners without a call, with more than their target asks for."""
        owns = np.zeros(len(self.book.owners.several), dtype=np.bool_)
        owns[self.book.rows.margin_account[called]] = True
        at = self.book.owners.margins_of(np.flatnonzero(owns & self.book.owners.several))
        at = at[(self.issued[at] == NEVER) & ~due[at]]
        at = at[~self._traded(margins, at)]
        stands = margins.standing(at)
        with np.errstate(invalid="ignore"):
            excess = stands.weighted - self.target[at] * stands.burden  # NaN: no target, nothing to give
        idle = stands.debt <= 0.0  # at a venue of positions no weight is told
        excess = np.where(idle, np.inf, excess)
        gives = idle | (excess > MET * stands.weighted)  # less is what rounding left of a payment
        return Donors(at[gives], excess[gives], stands.collateral[gives])

    def shut(self, now: int, margins: Standings, due: Bools) -> tuple[Bools, Ints]:
        """Which of the due accounts are not protected by grace; and, with ``closeout``, who is called and expired."""
        called = self.called if self.closeout or not self.at_once else np.zeros(0, dtype=np.int64)
        expired = now >= self._ends(called)
        fair = due.copy()
        fair[called[~expired]] = False
        at = called[expired & ~due[called]] if self.closeout else called[:0]
        return fair, at[margins.standing(at).health < self.level[at] * (1.0 - MET)]

    def _ends(self, called: Ints) -> Ints:
        """Round in which the grace of each of some open calls is over."""
        grace = self.terms.grace[self.book.rows.margin_protocol[called]]
        return np.asarray(self.issued[called] + grace)

    def pending(self, now: int) -> bool:
        """Whether somebody's grace still runs."""
        return not self.at_once and bool((now < self._ends(self.called)).any())
