"""Frame for protocols in a cascade whose rule does not call pair by pair: what they do in a round, what they sell."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints, summed
from riskgraph.margin.call_desk import NEVER
from riskgraph.margin.market_clearing import Offers
from riskgraph.margin.rules.shelf import rule_named
from riskgraph.margin.terms import Terms
from riskgraph.margin.venue_steps import Steps
from riskgraph.snapshot.schema import SIDES

if TYPE_CHECKING:
    from riskgraph.margin.cascade_run import CascadeRun

__all__ = ["VenueDesk"]


class VenueDesk(ABC):
    """One protocol in a cascade.

    Attributes
    ----------
    run : CascadeRun
        Its ``book`` is changed, its ``flows`` and ``losses`` note who gains and bears.
    protocol : int
        Code of the protocol.
    acted : bool
        Whether the last round did anything here.
    refused : Counter
        Why accounts were not called in the last round, by the contract's reason.
    steps : list of Steps
        What was done so far.
    unpaid : ndarray, shape (n_margins,)
        USD of margin accounts worth less than nothing that nobody paid for.
    cost : ndarray, shape (n_offers,)
        Units of debt that buyers pay for the whole of each of the last offers: bought, where buying moves prices.
    pool : float, optional
        Units that are left of a published stability pool, once calls have gone through one.
    """

    pool: float | None = None

    def __init__(self, run: CascadeRun, protocol: int) -> None:
        self.run, self.book, self.protocol, self.acted = run, run.book, protocol, False
        name = run.book.snap.venues.rule[protocol]
        self.rule, self.terms = rule_named(name), Terms(run.book.snap, protocol, name)
        self.refused: Counter[str] = Counter()
        self.steps: list[Steps] = []
        self.cost: Floats = np.zeros(0)
        self.unpaid = np.zeros(len(run.book.rows.margin_account))

    @abstractmethod
    def act(self, number: int, due: Ints, shut: Ints) -> Offers:
        """Carry out the rule's calls on margin accounts that it finds liquidatable; give what the market is offered.

        ``shut`` are others that were called and did not pay in time; a rule that can do so closes them out.
        """

    @abstractmethod
    def take(self, number: int, offers: Offers, share: Floats, average: Floats) -> None:
        """Settle what the market has taken: the share of every offer, at ``average`` (by asset) × the price before."""

    def untouchable(self) -> Ints:
        """Margin accounts that no call can be made on, whatever their health."""
        return np.zeros(0, dtype=np.int64)

    def pending(self, number: int) -> bool:
        """Whether something will still happen here although no price moves."""
        return False

    def notes(self) -> list[str]:
        """Say what had to be assumed here, or was left undone."""
        return []

    # -- prices -------------------------------------------------------------------------------------------------------

    @cached_property
    def _pair(self) -> Ints:
        """Pair of the protocol and each asset, -1 where nothing stands in it."""
        rows, found = self.book.rows, np.full(self.book.shape[1], -1)
        mine = np.flatnonzero(rows.pair_protocol == self.protocol)
        found[rows.pair_asset[mine]] = mine
        return found

    def shown(self, asset: Ints) -> Floats:
        """Give prices of assets as the protocol shows them now, USD a unit."""
        pair = self._pair[asset]
        return np.where(pair >= 0, self.book.pair_price[pair], self.book.price[asset])

    # -- rows and grace -----------------------------------------------------------------------------------------------

    @cached_property
    def _placed(self) -> tuple[Ints, Ints]:
        """Rows of margin accounts here, and their keys of margin account, asset and side, ascending."""
        rows = self.book.rows
        mine = np.flatnonzero((rows.protocol == self.protocol) & (rows.margin >= 0))
        return mine, self._key(rows.margin[mine], rows.asset[mine], rows.side[mine])

    def _key(self, margin: Ints, asset: Ints, side: Ints | int) -> Ints:
        key: Ints = (margin.astype(np.int64) * self.book.shape[1] + asset) * len(SIDES) + side
        return key

    def rows_at(self, margin: Ints, asset: Ints, side: int) -> Ints:
        """Rows of margin accounts in assets on a side; they are there for certain (see ``venue_slots``)."""
        rows, keys = self._placed
        wanted = self._key(margin, asset, side)
        at = np.searchsorted(keys, wanted)
        assert np.array_equal(keys[at], wanted), "a row that was not put in beforehand"
        return rows[at]

    def protected(self, number: int) -> Bools:
        """Which margin accounts of the book a running call keeps from liquidation."""
        desk = self.run.desk
        if desk is None:
            return np.zeros(len(self.book.rows.margin_account), dtype=np.bool_)
        until = desk.issued + desk.terms.grace[self.book.rows.margin_protocol]
        return np.asarray((desk.issued != NEVER) & (number < until))

    # -- what is offered ----------------------------------------------------------------------------------------------

    def offers(self, margin: Ints, asset: Ints, debt: Ints, units: Floats, price: Floats, limit: Floats) -> Offers:
        """Offer units of assets at oracle prices, each to be taken from an average price of ``limit`` on."""
        market, size = self.run.markets.curves.market[asset], units * self.book.start_price[asset]
        ready = np.ones(len(units), dtype=np.bool_)
        return Offers(market, units, size, units * price, limit, margin, asset, debt, ready)

    def nothing(self) -> Offers:
        """Offer nothing."""
        none, zero = np.zeros(0, dtype=np.int64), np.zeros(0)
        self.cost = zero
        return self.offers(none, none, none, zero, zero, zero)

    def limit(self, price: Floats, asset: Ints) -> Floats:
        """Price at which units are sold (USD) ÷ market price: from which average price of its sales a buyer gains."""
        now = self.book.price[asset]
        return np.divide(price, now, out=np.where(price > 0.0, np.inf, 0.0), where=now > 0.0)

    def sell(self, asset: Ints, debt: Ints, units: Floats, paid: Floats, average: Floats) -> Floats:
        """Sell stock of the protocol to liquidators, who sell it on at once; give what that brought, USD.

        ``paid`` is what they pay for each lot, units of debt.
        """
        book, flows = self.book, self.run.flows
        proceeds = units * book.price[asset] * average[asset]
        brought, worth = float(proceeds.sum()), float(units @ book.price[asset])
        sold, cost = (summed(which, part, book.shape[1]) for which, part in ((asset, units), (debt, paid)))
        book.venue[self.protocol] += cost - sold
        book.liquidator -= cost
        book.market += sold
        book.cash["liquidators"] += brought
        book.cash["market"] -= brought
        flows.move("bonus", "protocol", "liquidators", worth - float(paid @ book.price[debt]))
        flows.move("mark_to_market", "liquidators", "market", worth - brought)
        return proceeds

    def to_system(self, usd: float) -> None:
        """Let the protocol's surplus gain (or lose, below 0): what it does not cover is a deficit, made good first."""
        book, at = self.book, self.protocol
        stands = float(book.reserve[at]) - float(book.deficit[at]) + usd
        book.reserve[at], book.deficit[at] = max(stands, 0.0), max(-stands, 0.0)
