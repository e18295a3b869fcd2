"""Liquidations of one round: calls on all who are due, one clearing a market, and what both sides get (METHODS 5.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints, distinct
from riskgraph.margin.bundles import Bundles, call_accounts
from riskgraph.margin.lending_bundles import WORTH_COMPILING
from riskgraph.margin.market_clearing import Clearing, Kinds, Offers, kinds_of
from riskgraph.margin.rules.rule import PairRule
from riskgraph.margin.rules.shelf import rule_named
from riskgraph.margin.sunk_offers import SunkOffers

if TYPE_CHECKING:
    from riskgraph.margin.cascade_round import Round
    from riskgraph.margin.cascade_run import CascadeRun
    from riskgraph.margin.sunk_stock import SunkStock

__all__ = ["RoundSales"]


class RoundSales:
    """What is called, sold, settled and written off in the rounds of a cascade."""

    def __init__(self, run: CascadeRun) -> None:
        self.run = run

    def carry_out(self, done: Round, due: Bools, shut: Ints) -> None:
        """Call all due accounts, clear every market once, and carry out what was taken."""
        book, parts = self.run.book, []
        at, venue, stock = np.zeros(0, dtype=np.int64), book.rows.margin_protocol, None
        profitable = self.run.terms.profitable
        if self.run.states.alone:
            stock, others = self.run.states.apart() if profitable else (None, np.flatnonzero(due))
        else:
            at = np.flatnonzero(due)
            plain = self.run.lending.mine[venue[at]]
            plain &= np.count_nonzero(plain) >= WORTH_COMPILING
            others, at = at[plain], at[~plain]
        if len(others):
            if profitable and not self.run.states.alone:
                stock, others = self.run.states.parted(others)
            made, dusty = self.run.lending.call(others)
            parts.append(made)
            done.refused["dust left"] += dusty
        for protocol in np.unique(np.append(venue[at], venue[shut])).tolist():
            rule = rule_named(book.snap.venues.rule[protocol])
            if not isinstance(rule, PairRule):
                continue
            for margins, level in (
                (at[venue[at] == protocol], None),
                (shut[venue[shut] == protocol], self._level(protocol)),
            ):
                if len(margins):
                    made, refused = call_accounts(book, protocol, rule, margins, self.run.terms.dust_usd, level)
                    parts.append(made)
                    done.refused.update(refused)
        made = Bundles.joined(parts)
        offers = [self._offers(made)]
        for protocol, desk in self.run.desks.items():
            offers.append(desk.act(done.number, at[venue[at] == protocol], shut[venue[shut] == protocol]))
            done.refused.update(desk.refused)
        done.offered = distinct(made.pledged) + (stock.count if stock is not None else 0)
        if stock is not None and stock.count:
            made, *shares = self._parts_with(made, offers, stock)
        else:
            shares = self._parts(offers)
        self._clear(done, made, offers, shares)

    def _level(self, protocol: int) -> float | None:
        return float(self.run.desk.terms.level[protocol]) if self.run.desk is not None else None

    def _parts(self, offers: list[Offers]) -> list[Floats]:
        """Share of every offer that is taken, by part."""
        whole = Offers.joined(offers)
        if self.run.terms.profitable:
            kinds, kind = kinds_of(whole)
            share = self._clearing(kinds).shares(whole, kind)
        else:
            share = np.where(whole.ready, 1.0, 0.0)
        return np.split(share, np.cumsum([len(part) for part in offers])[:-1])

    def _clearing(self, kinds: Kinds) -> Clearing:
        return Clearing(kinds, self.run.markets.curves, self.run.markets.sold(), self.run.terms.dust_usd)

    def _parts_with(self, made: Bundles, offers: list[Offers], stock: SunkStock) -> tuple[Any, ...]:
        """Clear offers together with those that are only added up; of these calls are formed where some are taken."""
        sunk = SunkOffers(stock, self.run.markets.curves.market)
        kinds, kind = kinds_of(Offers.joined(offers))
        kinds, place, sunk_place = kinds.joined(sunk.kinds)
        clearing = self._clearing(kinds)
        more, more_kind = sunk.taken(clearing, sunk_place)
        parts = [*offers, self._offers(more)]
        every = np.concatenate([np.append(place, -1)[kind], more_kind])
        share = clearing.shares(Offers.joined(parts), every)
        first, *others, last = np.split(share, np.cumsum([len(part) for part in parts])[:-1])
        return Bundles.joined([made, more]), np.append(first, last), *others

    def _clear(self, done: Round, made: Bundles, offers: list[Offers], shares: list[Floats]) -> None:
        """Sell what is taken in every market at one average price, and settle both sides."""
        book, (every, *others) = self.run.book, shares
        some = np.flatnonzero(every > 0.0)
        done.made, done.taken = made.part(some), every[some]
        asset, debt = book.rows.asset[done.made.pledged], book.rows.asset[done.made.owed]
        if self.run.states.alone:
            self.run.states.pull(done.made.margin)
        sold = (done.made.seized - done.made.fee) * done.taken
        more = [part.units * one for part, one in zip(offers[1:], others, strict=True)]
        cost = [desk.cost * one for desk, one in zip(self.run.desks.values(), others, strict=True)]
        average = self.run.markets.trade(
            np.concatenate([asset, *(part.collateral for part in offers[1:])]),
            np.concatenate([debt, *(part.debt for part in offers[1:])]),
            np.concatenate([sold, *more]),
            np.concatenate([(done.made.repaid + done.made.surcharge) * done.taken, *cost]),
        )
        done.proceeds = sold * book.price[asset] * average[asset]
        self._settle(done.made, done.taken, asset, debt, sold, done.proceeds)
        self._write_off(made, every)
        for desk, part, one in zip(self.run.desks.values(), offers[1:], others, strict=True):
            desk.take(done.number, part, one, average)
            done.acted |= desk.acted

    def _offers(self, made: Bundles) -> Offers:
        """Give what liquidators would sell, and from which average price on they gain."""
        book = self.run.book
        pledged, owed = book.rows.pair[made.pledged], book.rows.pair[made.owed]
        asset, debt = book.rows.asset[made.pledged], book.rows.asset[made.owed]
        units = made.seized - made.fee
        usd, cost = units * book.pair_price[pledged], (made.repaid + made.surcharge) * book.pair_price[owed]
        worth = units * book.price[asset]
        with np.errstate(divide="ignore", invalid="ignore"):
            limit = np.where(worth > 0.0, cost / worth, np.where(cost > 0.0, np.inf, 0.0))
        size = units * book.start_price[asset]
        ready = np.ones(len(made), dtype=np.bool_)
        return Offers(self.run.markets.curves.market[asset], units, size, usd, limit, made.margin, asset, debt, ready)

    def _settle(self, made: Bundles, taken: Floats, asset: Ints, debt: Ints, sold: Floats, proceeds: Floats) -> None:
        """Move collateral, debt, fees and money."""
        book, n = self.run.book, self.run.book.shape[1]
        book.add(np.append(made.pledged, made.owed), -np.append(made.seized * taken, made.cleared * taken))
        paid = (made.repaid + made.surcharge) * taken
        book.liquidator -= np.bincount(debt, weights=paid, minlength=n)
        book.market += np.bincount(asset, weights=sold, minlength=n)
        book.cash["liquidators"] += float(proceeds.sum())
        book.cash["market"] -= float(proceeds.sum())
        self._note_transfers(made, taken, book.price[asset], book.price[debt], sold, proceeds)
        venue = book.rows.margin_protocol[made.margin]
        size = book.shape[0] * n
        kept = np.bincount(venue * n + asset, weights=made.fee * taken, minlength=size)
        gained = (made.repaid + made.surcharge - made.cleared) * taken
        book.venue += (kept + np.bincount(venue * n + debt, weights=gained, minlength=size)).reshape(book.shape)

    def _note_transfers(
        self, made: Bundles, taken: Floats, price: Floats, debt_price: Floats, sold: Floats, proceeds: Floats
    ) -> None:
        """Note who gained by bonus and fee at market prices, and what the sale itself cost."""
        paid, cleared = (made.repaid + made.surcharge) * taken, made.cleared * taken
        bonus = float((sold * price - paid * debt_price).sum())
        fee = float((made.fee * taken * price + (paid - cleared) * debt_price).sum())
        slipped = float((sold * price - proceeds).sum())
        self.run.flows.move("bonus", "borrowers", "liquidators", bonus)
        self.run.flows.move("fee", "borrowers", "protocol", fee)
        self.run.flows.move("mark_to_market", "liquidators", "market", slipped)

    def _write_off(self, made: Bundles, taken: Floats) -> None:
        """Write off what the rule writes off, where every call on the account was carried out in full."""
        if not made.closes.any():
            return
        closed = np.zeros(len(self.run.first_due), dtype=np.bool_)
        closed[made.margin[made.closes]] = True
        closed[made.margin[taken < 1.0]] = False
        self.run.losses.write_off(np.flatnonzero(closed))
