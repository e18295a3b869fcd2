"""The liquidation cascade again, straight from METHODS 5.1 to 5.8: one account at a time, dictionaries and loops.

``cascade(tables_of(snap), shock, **options)`` gives a dictionary (see the function). Nothing is rounded to decimals.
Choices where METHODS and the conventions leave them (further ones stand in the modules beside this one):

- liquidators buy the debt that they repay at the market price of the round's start (at the average price under
  ``buy_impact``) and sell at the average price: they hold nothing over rounds;
- ``repaid_usd`` and ``seized_usd`` of a round are at oracle prices, ``sold_usd`` at the average price;
- amplification where the first price move costs nothing is nan.
"""

from __future__ import annotations

import math

from tests.naive import calls as margin_calls
from tests.naive import cascade_losses as losses
from tests.naive import clearings, pair_turns
from tests.naive.cascade_book import PAIR_RULES, TRADING, Book
from tests.naive.moving_prices import Oracles, Prices, moves_of
from tests.naive.other_venues import Comet, Vaults
from tests.naive.perp_venues import Perpetuals
from tests.naive.portfolio_venues import Portfolios
from tests.naive.trove_venues import Troves

__all__ = ["NoEndError", "Run", "cascade"]

VENUES = {
    "compound_v3": Comet,
    "maker": Vaults,
    "liquity_v1": Troves,
    "liquity_v2": Troves,
    "perp": Perpetuals,
    "portfolio_margin": Portfolios,
}


class NoEndError(RuntimeError):
    """The rounds ran out: sales of a storefront under recovery, or auctions of lots worth less than dust."""


def cascade(tables, shock, **options):
    """Play a cascade to its end.

    Gives ``prices`` (list of asset -> price: before, after the shock, after round 0, …), ``rounds`` (list of
    dictionaries), ``holdings``, ``options`` (their keys end with the contract), ``treasury`` ((protocol, asset) ->
    units), ``bad_debt_usd``, ``written_off_usd``, ``reserve_usd`` and ``deficit_usd`` (by protocol), ``outside_usd``
    (written off lenders outside the snapshot), ``sold_units`` (to the market, net), ``forgiven`` (debts less claims)
    and ``held`` (by liquidators) by asset, ``reserves`` (units) and ``stock`` (asset -> units) of Compound v3 markets,
    ``wealth`` ("start", "shocked", "end" -> bearer -> USD), ``amplification``.
    """
    run = Run(tables, shock, **options)
    for when in range(run.max_rounds):
        run.play(when)
        if run.at_rest():
            return run.results()
    raise NoEndError(f"no end after {run.max_rounds} rounds")


class Run:
    """The state of a cascade."""

    def __init__(
        self, tables, shock, *, calls=True, call_sharing="pro_rata", topup=None, closeout=False,
        liquidators="profitable", follow="backing", correlation=None, cross_impact=None, buy_impact=False,
        recovery=0.0, dust_usd=1.0, tol=1e-9, max_rounds=5000, round_seconds=600.0,
    ):  # fmt: skip
        self.book = Book(tables)
        self.calls, self.sharing, self.topup, self.closeout = calls, call_sharing, topup, closeout
        self.liquidators, self.buy_impact, self.recovery = liquidators, buy_impact, recovery
        self.dust_usd, self.tol, self.max_rounds, self.round_seconds = dust_usd, tol, max_rounds, round_seconds
        book = self.book
        self.reserve = {name: book.term(name, "reserve_usd", 0.0) for name in book.protocols}
        self.deficit = {name: book.term(name, "deficit_usd", 0.0) for name in book.protocols}
        self.treasury, self.cash, self.written_off, self.outside = {}, 0.0, 0.0, 0.0
        self.sold_units = {}  # by asset, what went to the market less what came from it or from liquidators' stock
        self.forgiven = {}  # by asset, units of debt written off less units of claims taken off
        self.supply = {pair: book.supply0(*pair) for pair in sorted({(key[1], key[3]) for key in book.hold if key[1]})}
        self.kept = dict.fromkeys(self.supply, 1.0)  # share of claims that socialised losses have left
        self.prices = Prices(book, moves_of(book, shock, follow, correlation), cross_impact)
        self.oracles, self.history = Oracles(book), [dict(book.price0), dict(self.prices.now)]
        self.rounds, self.open_calls, self.held = [], {}, {}
        venues = {name: VENUES[book.rule(name)] for name in sorted(book.protocols) if book.rule(name) in VENUES}
        self.venues = {name: kind(self, name) for name, kind in venues.items() if self.stands(name)}
        self.wealth = {"start": losses.wealth_at(self, book.price0), "shocked": losses.wealth_at(self, self.prices.now)}

    def stands(self, protocol):
        """Whether anybody owes or trades at a protocol."""
        every = [*self.book.hold, *self.book.options]
        return any(key[1] == protocol and key[4] in ("debt", "long", "short") for key in every)

    # -- a round -------------------------------------------------------------------------------------------------------

    def play(self, when):
        """One round, (a) to (g)."""
        if when:
            self.prices.recover(self.recovery)
        self.oracles.look(self.prices.now)
        self.shown = self.oracles.shown()
        self.round = {
            "issued": 0, "paid_usd": 0.0, "expired": 0, "liquidated": set(), "repaid_usd": 0.0, "seized_usd": 0.0,
            "sold_usd": {}, "written_off_usd": 0.0, "events": 0,
        }  # fmt: skip
        self.rounds.append(self.round)
        if self.calls:
            margin_calls.play(self, when)
        self.forced = {}  # USD at snapshot prices sold in any case, by market
        turns, bundles = self.pair_turns(when)
        for venue in self.venues.values():
            bundles += venue.play(when)
        shares = clearings.accepted(self.book, self.prices, bundles, self.forced, self.liquidators, self.dust_usd)
        self.settle(bundles, shares)
        for venue in self.venues.values():
            if self.book.rule(venue.protocol) in TRADING:
                venue.charge()
        losses.write_off(self, turns, bundles, shares)
        self.prices.end_round()
        self.history.append(dict(self.prices.now))

    def is_liquidatable(self, margin):
        """By the rule's own test, at this round's oracle prices."""
        if margin[1] in self.venues:
            return self.venues[margin[1]].liquidatable(margin)
        return pair_turns.liquidatable(self.book, margin, self.shown[margin[1]])

    def may_be_called_on(self, margin, when):
        """None while grace protects the account, else the health to which it is closed out (0: by its rule alone)."""
        call = self.open_calls.get(margin)
        if call and when < call["expires"]:
            return None
        closes = call and self.closeout and not self.is_liquidatable(margin)
        return self.book.term(margin[1], "call_level") if closes else 0.0

    def pair_turns(self, when):
        """What liquidators would call on every account, and what they would sell of it."""
        turns, bundles = {}, []
        for margin in self.book.margins(*PAIR_RULES):
            level = self.may_be_called_on(margin, when)
            if level is None:
                continue
            shown = self.shown[margin[1]]
            found, closes = pair_turns.turn(self.book, margin, shown, self.dust_usd, close_to=level or None)
            if found:
                turns[margin] = closes
                bundles += [self.bundle(margin, *pair, parts) for pair, parts in found.items()]
        return turns, bundles

    def bundle(self, margin, collateral, debt, parts):
        shown, units = self.shown[margin[1]], parts["seized"] - parts["fee"]
        cost = (parts["repaid"] + parts["surcharge"]) * pair_turns.exact(shown[debt])
        amounts = {name: float(part) for name, part in parts.items()}
        trades = clearings.trades_of(
            self.book, collateral, float(units), debt, amounts["repaid"] + amounts["surcharge"], self.buy_impact
        )
        return {
            "margin": margin, "collateral": collateral, "debt": debt, **amounts, **trades, "units": float(units),
            "limit": clearings.limit_of(cost, units, self.prices.now[collateral]),
            "usd": float(units) * shown[collateral], "settle": self.settle_pair,
        }  # fmt: skip

    def settle(self, bundles, shares):
        """Carry out what was accepted, each in its share, and let every seller of a market have the same price."""
        usd = dict(self.forced)
        for bundle, share in zip(bundles, shares, strict=True):
            for side, asset, sign in (("sale", "collateral", 1), ("purchase", "debt", -1)):
                market = self.book.sold_as[bundle[asset]]
                usd[market] = usd.get(market, 0.0) + sign * share * bundle[side]
        before = dict(self.prices.now)
        self.average = self.prices.sell(usd)
        for bundle, share in zip(bundles, shares, strict=True):
            if share > 0:
                self.round["events"] += 1
                self.trade(bundle, share, before)
                bundle["settle"](bundle, share)

    def trade(self, bundle, share, before):
        """The liquidator sells what it got, and buys what it pays with."""
        collateral, debt = bundle["collateral"], bundle["debt"]
        market, other = self.book.sold_as[collateral], self.book.sold_as[debt]
        price = before[collateral] * (self.average[market] if bundle["sale"] else 1.0)
        gained = share * bundle["units"] * price
        for asset, units in ((collateral, bundle["units"]), (debt, -bundle["repaid"] - bundle["surcharge"])):
            self.sold_units[asset] = self.sold_units.get(asset, 0.0) + share * units
        paid = share * (bundle["repaid"] + bundle["surcharge"]) * before[debt]
        self.cash += gained - paid * (self.average[other] if bundle["purchase"] else 1.0)
        self.round["sold_usd"][market] = self.round["sold_usd"].get(market, 0.0) + gained

    def settle_pair(self, bundle, share):
        margin, shown = bundle["margin"], self.shown[bundle["margin"][1]]
        self.book.add(margin, bundle["collateral"], "collateral", -share * bundle["seized"])
        self.book.add(margin, bundle["debt"], "debt", -share * bundle["repaid"])
        self.earn(margin[1], bundle["collateral"], share * bundle["fee"])
        self.earn(margin[1], bundle["debt"], share * bundle["surcharge"])
        self.note(margin, share * bundle["repaid"] * shown[bundle["debt"]],
                  share * bundle["seized"] * shown[bundle["collateral"]])  # fmt: skip

    def note(self, margin, repaid_usd, seized_usd):
        self.round["liquidated"].add(margin)
        self.round["repaid_usd"] += repaid_usd
        self.round["seized_usd"] += seized_usd

    def earn(self, protocol, asset, units):
        self.treasury[protocol, asset] = self.treasury.get((protocol, asset), 0.0) + units

    def lose(self, usd):
        """Count what is written off."""
        self.round["written_off_usd"] += usd
        self.written_off += usd

    # -- the end -------------------------------------------------------------------------------------------------------

    def at_rest(self):
        """Nothing happened, no price moved, nothing is pending, and oracles have nothing new to show."""
        if self.round["events"] or any(venue.pending() for venue in self.venues.values()):
            return False
        if any(when["expires"] > len(self.rounds) - 1 for when in self.open_calls.values()):
            return False
        if self.recovery and self.prices.flooded():
            return False
        before, after = self.history[-2:]
        if any(abs(after[asset] - before[asset]) > self.tol * before[asset] for asset in after):
            return False
        return self.oracles.at_rest(self.tol)

    def results(self):
        self.wealth["end"] = losses.wealth_at(self, self.prices.now)
        start, shocked, end = (sum(self.wealth[when].values()) for when in ("start", "shocked", "end"))
        return {
            "prices": self.history, "rounds": self.rounds, "holdings": dict(self.book.hold),
            "options": dict(self.book.options), "treasury": self.treasury,
            "bad_debt_usd": self.written_off + losses.shortfall(self), "written_off_usd": self.written_off,
            "reserve_usd": self.reserve, "deficit_usd": self.deficit, "outside_usd": self.outside,
            "sold_units": self.sold_units, "forgiven": self.forgiven, "held": self.held,
            "reserves": {name: one.reserves for name, one in self.venues.items() if isinstance(one, Comet)},
            "stock": {name: one.stock for name, one in self.venues.items() if isinstance(one, Comet)},
            "wealth": self.wealth, "amplification": (start - end) / (start - shocked) if start != shocked else math.nan,
        }  # fmt: skip
