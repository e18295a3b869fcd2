"""The rounds of a cascade (METHODS 5.1 to 5.7): oracles, calls, liquidations, one clearing a market, losses, prices."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints
from riskgraph.errors import ConvergenceError
from riskgraph.margin.account_health import MarginAccounts, check_told, formed, liquidatable
from riskgraph.margin.call_desk import CallDesk, CallRound
from riskgraph.margin.cascade_book import COLLATERAL, LONG, SHORT, CascadeBook
from riskgraph.margin.cascade_flows import Flows
from riskgraph.margin.cascade_losses import LossBook
from riskgraph.margin.cascade_round import Round, Terms
from riskgraph.margin.cascade_triggers import Tipped
from riskgraph.margin.claim_rows import ClaimRows
from riskgraph.margin.closed_positions import ClosedPositions
from riskgraph.margin.lending_bundles import LendingCalls
from riskgraph.margin.lending_states import LendingStates
from riskgraph.margin.oracle_feeds import OracleFeeds
from riskgraph.margin.recovery import due_in_recovery
from riskgraph.margin.round_sales import RoundSales
from riskgraph.margin.rules.position_rule import PositionRule
from riskgraph.margin.rules.shelf import rule_named
from riskgraph.margin.venue_desks import desks_of
from riskgraph.margin.venue_steps import Steps

if TYPE_CHECKING:
    from riskgraph.margin.cascade_markets import Markets
    from riskgraph.margin.derivatives import DerivativeMargins
    from riskgraph.margin.standings import Standings
    from riskgraph.margin.venue_desk import VenueDesk

__all__ = ["CascadeRun"]

_ROUNDING = 1e-12  # share of what an account of longs and shorts needs and has by which it may seem to lack something


class CascadeRun:
    """One cascade from its shock to its end."""

    def __init__(self, book: CascadeBook, markets: Markets, terms: Terms, desk: CallDesk | None) -> None:
        self.book, self.markets, self.terms, self.desk = book, markets, terms, desk
        self.feeds = OracleFeeds(book.snap, book.start_price)
        self.flows = Flows()
        self.losses = LossBook(book, self.flows)
        self.lending = LendingCalls(book, terms.dust_usd)
        self.states = LendingStates(self.lending, desk)
        self.rounds: list[Round] = []
        self.start_units = book.units(book.held)
        self.first_due = np.full(len(book.rows.margin_account), -1)
        self.never_due = np.ones(len(book.rows.margin_account), dtype=np.bool_)
        self.handed = np.full(
            len(book.rows.margin_account), -1
        )  # round in which others' debt was last handed on to each
        self.desks: dict[int, VenueDesk] = desks_of(self)
        self.sales = RoundSales(self)

    # -- the loop -----------------------------------------------------------------------------------------------------

    def play(self) -> None:
        """Play rounds until one brings nothing."""
        price = self.final_price = self.markets.price()
        if self.states.alone:
            self.book.scale_claims_later(ClaimRows(self.book))
        self.holdings = self.book.by_bearer(self.book.held)
        self.start_wealth = self.book.wealth(self.holdings, self.book.start_price)
        self.shock_wealth = self.book.wealth(self.holdings, price)
        self._revalue(self.book.start_price, price)
        while True:
            number = len(self.rounds)
            self.book.price = price
            self.book.pair_price = self.feeds.show(price)
            self.rounds.append(done := self._round(number))
            done.after = self.markets.price()
            self.markets.recover()
            fresh = self.markets.price() if self.markets.recovery else done.after
            self._revalue(price, fresh)
            if not (done.active or self._moved(price, fresh) or self._waiting(number)):
                self._end(fresh)
                return
            price = fresh
            if number + 1 >= self.terms.max_rounds:
                change = float(np.nanmax(np.abs(fresh / np.where(self.book.price > 0, self.book.price, 1.0) - 1.0)))
                raise ConvergenceError(
                    f"cascade: {number + 1} rounds ran out and something still happens (a price moved by {change:.1e})"
                )

    def _end(self, price: Floats) -> None:
        self.final_price = self.book.price = price
        self.book.settle_claims()
        counted = self.book.counted()  # every row again: what no movement says shows here
        self.rounds[-1].gap = max(self.rounds[-1].gap, self._gap(counted))
        self.holdings = self.book.by_bearer(counted)
        self.end_wealth = self.book.wealth(self.holdings, price)
        self.alone = self.states.alone
        del self.sales, self.states, self.lending  # for playing only; they point back here, and would wait for a sweep

    @cached_property
    def end(self) -> MarginAccounts:
        """Health of every margin account at the end."""
        return formed(self.book.view())

    @cached_property
    def steps(self) -> Steps:
        """What was done by the end where a rule does not call pair by pair, in the order of protocols."""
        return Steps.joined([step for desk in self.desks.values() for step in desk.steps])

    @property
    def unpaid(self) -> Floats:
        """USD by margin account of longs and shorts that nobody paid when it was ruined: the venues' deficits."""
        return sum((desk.unpaid for desk in self.desks.values()), np.zeros(len(self.first_due)))

    @cached_property
    def closed_positions(self) -> ClosedPositions:
        """Longs and shorts that were closed by force by the end, in the order of protocols and rounds."""
        from riskgraph.margin.position_desk import PositionDesk

        desks = [desk for desk in self.desks.values() if isinstance(desk, PositionDesk)]
        return ClosedPositions.joined([part for desk in desks for part in desk.closed])

    @property
    def notes(self) -> tuple[str, ...]:
        """What protocols whose rule does not call pair by pair had to assume, or left undone."""
        return tuple(note for desk in self.desks.values() for note in desk.notes())

    @property
    def played(self) -> int:
        """How many rounds there were up to the last in which something happened."""
        active = [done.number for done in self.rounds if done.active]
        return active[-1] + 1 if active else 0

    def _moved(self, before: Floats, after: Floats) -> bool:
        return bool((np.abs(after - before) > self.terms.tol * before).any())

    def _waiting(self, number: int) -> bool:
        if self.feeds.pending() or (self.desk is not None and self.desk.pending(number)):
            return True
        if self.markets.flooded:
            return True
        return any(desk.pending(number) for desk in self.desks.values())

    def _round(self, number: int) -> Round:
        done = Round(number, self.book.price.copy(), self.book.pair_price.copy())
        stock = self.book.market.copy()
        shut = np.zeros(0, dtype=np.int64)
        stands, below, due = self._standing(first=number == 0)
        if self.desk is not None:
            done.calls = self.desk.make(number, stands, below)
            if self._paid(done.calls):
                stands, below, due = self._standing()
                self.desk.look_again(stands)
            due, shut = self.desk.shut(number, stands, due)
        self._note_due(done, due)
        self.sales.carry_out(done, due, shut)
        self._keep_calls(done)
        self._account(done)
        done.sold_usd = float(np.maximum(self.book.market - stock, 0.0) @ self.book.start_price)
        return done

    def _standing(self, first: bool = False) -> tuple[Standings, Bools, Bools]:
        """How accounts stand at the prices that are shown; who is liquidatable; of whom there is something to take."""
        if self.states.alone:
            return self.states, *self.states.look()
        margins, below = self._looked_at(first)
        return margins, below, self._with_collateral(margins, below)

    def _looked_at(self, first: bool = False) -> tuple[MarginAccounts, Bools]:
        """Form health at the prices that are shown; say of whom the rule's own test holds."""
        view = self.book.view()
        margins = formed(view)
        if first:
            check_told(view, margins)
        if margins.derivatives is not None:
            _cover(margins, margins.derivatives)
        due = np.zeros(len(margins.health), dtype=np.bool_)
        due[margins.low[liquidatable(view, margins)]] = True
        pools = {protocol: desk.pool for protocol, desk in self.desks.items() if desk.pool is not None}
        due[due_in_recovery(view, margins.collateral, margins.debt, pools)] = True
        for desk in self.desks.values():
            due[desk.untouchable()] = False
        traded = np.flatnonzero(due & self.trading)
        due[traded[~self._pledges(traded)]] = False  # no position is left that a call could close
        return margins, due

    def _with_collateral(self, margins: MarginAccounts, below: Bools) -> Bools:
        """Leave out accounts of which nothing is left to take, whatever it would be worth."""
        bare = np.flatnonzero(below & ~(margins.collateral > 0.0))
        due = below.copy()
        due[bare[~self._pledges(bare)]] = False
        return due

    @cached_property
    def trading(self) -> Bools:
        """Margin accounts of which longs and shorts are taken, not collateral."""
        names = self.book.snap.venues.rule
        venues = np.array([isinstance(rule_named(name), PositionRule) for name in names], dtype=np.bool_)
        return np.asarray(venues[self.book.rows.margin_protocol])

    def _pledges(self, margins: Ints) -> Bools:
        """Whether margin accounts have anything to take, worth something or not: collateral, or open positions."""
        rows, place = self.book.rows_of(margins)
        side, some = self.book.rows.side[rows], self.book.amount[rows] > 0.0
        is_open = np.isin(side, (LONG, SHORT))
        held = some & np.where(self.trading[margins][place], is_open, side == COLLATERAL)
        return np.asarray(np.bincount(place[held], minlength=len(margins)) > 0)

    def _paid(self, calls: CallRound) -> bool:
        """Move what was paid; say whether something was."""
        paid = calls.paid
        if paid is None or not len(paid.units):
            return False
        self.book.add(
            np.append(paid.giver, paid.taker), np.append(-paid.units, np.where(paid.repays, -paid.units, paid.units))
        )
        return True

    def _keep_calls(self, done: Round) -> None:
        """Keep of the open calls those that were made, paid, ended in liquidation or ran out in this round."""
        if self.desk is None or done.calls is None:
            return
        asked = done.calls
        done.unmet_usd = float(asked.unmet_usd.sum()) + asked.others_usd
        margin = asked.calls.margin
        ends = asked.issued + self.desk.terms.grace[self.book.rows.margin_protocol[margin]]
        over = ends == done.number
        done.expired = bool((over & (asked.issued < done.number)).any())
        kept = (asked.issued == done.number) | over
        if asked.paid is not None:
            kept[asked.paid.call] = True
        hit = np.zeros(len(self.first_due), dtype=np.bool_)
        hit[done.made.margin] = True
        done.calls = asked.part(np.flatnonzero(kept | hit[margin]))

    # -- accounts -----------------------------------------------------------------------------------------------------

    def _note_due(self, done: Round, due: Bools) -> None:
        fresh = np.flatnonzero(due & self.never_due)
        self.first_due[fresh], self.never_due[fresh] = done.number, False
        self.last_due = due
        if len(fresh):
            done.tipped = Tipped.of(self.book, fresh)

    def _account(self, done: Round) -> None:
        """Check that what left one bearer came to another, and value every bearer at the market's prices."""
        done.gap = self._gap(self.book.held)
        self.holdings = self.book.by_bearer(self.book.held)

    def _gap(self, held: Floats) -> float:
        """Largest relative gap between the units of an asset that there were, and those that there are."""
        gap = np.abs(self.book.units(held) - self.start_units)
        scale = np.maximum(np.abs(self.start_units), np.abs(held).sum(axis=0))
        return float(np.divide(gap, scale, out=np.zeros(len(gap)), where=scale > 0.0).max(initial=0.0))

    def _revalue(self, before: Floats, after: Floats) -> None:
        """Note what a move of prices does to every bearer."""
        for bearer, units in self.holdings.items():
            self.flows.gain("mark_to_market", bearer, float(units @ (after - before)))
        worth = self.book.positions_usd(before), self.book.positions_usd(after)
        for bearer, was, now in zip(("borrowers", "protocol"), *worth, strict=True):
            self.flows.move("mark_to_market", "market", bearer, now - was)


def _cover(margins: MarginAccounts, known: DerivativeMargins) -> None:
    """Let those who lack what they need by rounding alone have it: a call or a payment left them right there."""
    lacks: Floats = known.maintenance - known.equity
    met = (known.positions > 0) & (margins.health < 1.0)
    met &= lacks <= _ROUNDING * (known.maintenance + margins.collateral)
    margins.health[met] = np.where(known.maintenance[met] > 0.0, 1.0, np.inf)
