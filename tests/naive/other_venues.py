"""Compound v3 and Maker in a naive cascade: one protocol each, over the rounds (Liquity: ``trove_venues``).

Each venue has ``play(when)`` (calls of a round; gives what it offers in the clearing), ``liquidatable(margin)``,
``pending()`` (auctions that keep the cascade open) and ``worth(prices)`` (wealth of the protocol beside its reserve in
USD). Choices where METHODS and the conventions leave them:

- Compound v3: reserves are units of the base asset, from ``reserves``, else ``reserve_usd`` ÷ the snapshot's price; a
  ``reserve_usd`` that is given moves with them, and is not counted twice as wealth. What is absorbed beyond the
  collateral's worth at oracle prices counts as written off. The storefront's room is taken by what it offers first;
  what the protocol's own account held in the snapshot is not for sale;
- Maker: no keeper's pay for a reset; a partly accepted lot is cut in all its amounts, whatever ``chost`` says; pay of
  keepers is cash of liquidators at the market price of the debt token; ``dirt`` falls as auctions are paid;
  an auction started or reset in a round is offered in it, where its first price is below the market; what the system
  loses or gains is settled when the auction is over.
"""

from __future__ import annotations

from fractions import Fraction

from tests.naive import auctions, clearings, pair_turns

__all__ = ["Comet", "Vaults"]

F = Fraction


class Comet:
    def __init__(self, run, protocol):
        self.run, self.book, self.protocol = run, run.book, protocol
        owed = {key[3] for key in self.book.hold if key[1] == protocol and key[4] == "debt"}
        self.base = self.book.term(protocol, "base_asset") or min(owed)
        price, usd = self.book.price_there0(protocol, self.base), self.book.term(protocol, "reserve_usd")
        self.reserves = self.book.term(protocol, "reserves", (usd or 0.0) / price)
        self.given, self.stock = usd is not None, {}

    def liquidatable(self, margin):
        return pair_turns.liquidatable(self.book, margin, self.run.shown[self.protocol])

    def pending(self):
        return False

    def worth(self, prices):
        held = sum(units * prices[asset] for asset, units in self.stock.items())
        return self.reserves * prices[self.base] + held - self.run.reserve[self.protocol]

    def earn(self, units):
        price, before = self.run.shown[self.protocol][self.base], self.reserves
        self.reserves += units
        if self.given:
            gain = (max(self.reserves, 0.0) - max(before, 0.0)) * price
            self.run.reserve[self.protocol] = max(self.run.reserve[self.protocol] + gain, 0.0)

    def play(self, when):
        for margin in self.book.margins():
            if margin[1] == self.protocol and self.run.may_be_called_on(margin, when) == 0.0:
                self.absorb(margin)
        return self.storefront()

    def absorb(self, margin):
        """All collateral and all debt at once."""
        shown = self.run.shown[self.protocol]
        held, owed = self.book.rows(margin, "collateral"), self.book.rows(margin, "debt")
        if not held or not owed or not self.liquidatable(margin):
            return
        market = {"price": F(shown[self.base]), "decimals": None, "supply_index": F(1)}
        goods = [
            {
                "amount": F(units), "price": F(shown[asset]), "decimals": None,
                "threshold": F(self.book.threshold(margin, asset)),
                "factor": F(self.book.market_term(self.protocol, asset, "liquidation_factor")),
            }
            for asset, units in held.items()
        ]  # fmt: skip
        refused, paid_out, surplus = auctions.absorb(market, goods, F(owed[self.base]))
        if refused:
            return
        worth = sum(units * shown[asset] for asset, units in held.items())
        for asset, units in held.items():
            self.stock[asset] = self.stock.get(asset, 0.0) + units
            self.book.hold[*margin, asset, "collateral"] = 0.0
        self.book.hold[*margin, self.base, "debt"] = 0.0
        if surplus > 0:
            self.book.add(margin, self.base, "deposit", float(surplus))
        self.earn(-float(paid_out))
        self.run.lose(max(float(paid_out) * shown[self.base] - worth, 0.0))
        self.run.round["events"] += 1
        self.run.note(margin, owed[self.base] * shown[self.base], worth)

    def storefront(self):
        """Held collateral at its discount, while reserves are under target."""
        shown, book, bundles = self.run.shown[self.protocol], self.book, []
        room = book.term(self.protocol, "target_reserves", 5_000_000.0) - self.reserves
        for asset in sorted(self.stock):
            penalty = 1 - book.market_term(self.protocol, asset, "liquidation_factor")
            price = shown[asset] * (1 - book.term(self.protocol, "storefront_price_factor", 0.5) * penalty)
            if room <= 0 or price <= 0 or self.stock[asset] <= 0:
                continue
            units = min(self.stock[asset], room * shown[self.base] / price)
            paid = units * price / shown[self.base]
            room -= paid
            bundle = {
                "margin": (self.protocol, self.protocol, ""), "collateral": asset, "debt": self.base,
                "units": units, "repaid": paid, "surcharge": 0.0, "usd": units * shown[asset],
                "limit": clearings.limit_of(F(price), 1, self.run.prices.now[asset]), "settle": self.sold,
            }  # fmt: skip
            bundles.append(bundle | clearings.trades_of(book, asset, units, self.base, paid, self.run.buy_impact))
        return bundles

    def sold(self, bundle, share):
        left = self.stock[bundle["collateral"]] - share * bundle["units"]
        self.stock[bundle["collateral"]] = left if left > 1e-13 * bundle["units"] else 0.0
        self.earn(share * bundle["repaid"])


class Vaults:
    """Maker: lots under the hammer are dictionaries."""

    def __init__(self, run, protocol):
        self.run, self.book, self.protocol = run, run.book, protocol
        self.lots = []
        ilks = [asset for name, asset in self.book.markets if name == protocol]
        self.dirt = {ilk: self.term(ilk, "dirt", 0.0) for ilk in ilks}
        self.all_dirt = self.book.term(protocol, "dirt", sum(self.dirt.values()))

    def term(self, ilk, name, otherwise=None):
        return self.book.market_term(self.protocol, ilk, name, otherwise)

    def liquidatable(self, margin):
        return pair_turns.liquidatable(self.book, margin, self.run.shown[self.protocol])

    def pending(self):
        return bool(self.lots)

    def worth(self, prices):
        total = 0.0
        for lot in self.lots:
            par = self.run.shown[self.protocol][lot["debt"]]
            total += lot["lot"] * prices[lot["ilk"]] + (lot["paid"] - lot["due"]) * par
        return total

    def to_system(self, usd):
        stands = self.run.reserve[self.protocol] - self.run.deficit[self.protocol] + usd
        self.run.reserve[self.protocol], self.run.deficit[self.protocol] = max(stands, 0.0), max(-stands, 0.0)

    def play(self, when):
        for margin in self.book.margins():
            if margin[1] == self.protocol and self.run.may_be_called_on(margin, when) == 0.0:
                self.bark(margin, when)
        return [bundle for lot in self.lots for bundle in self.offered(lot, when)]

    def bark(self, margin, when):
        """Start an auction of a vault's collateral."""
        held, owed = self.book.rows(margin, "collateral"), self.book.rows(margin, "debt")
        if not held or not owed:
            return
        ((ilk, ink),), ((debt, owes),) = held.items(), owed.items()
        shown = self.run.shown[self.protocol]
        par, defaults = shown[debt], {"rate": 1.0, "chop": 1.13, "dust": 0.0, "hole": 4e7, "buf": 1.2, "tip": 0.0,
                                      "chip": 0.0}  # fmt: skip
        terms = {name: F(self.term(ilk, name, value)) for name, value in defaults.items()}
        terms |= {"price": F(shown[ilk]) / F(par), "mat": 1 / F(self.book.threshold(margin, ilk))}
        terms |= {"dirt": F(self.dirt[ilk])}
        system = {"hole": F(self.book.term(self.protocol, "hole", 1e8)), "dirt": F(self.all_dirt)}
        vault = {"ink": F(ink), "debt": F(owes)}
        refused, made = auctions.bark(system, terms, vault, digits=False)
        if refused:
            return
        self.all_dirt, self.dirt[ilk] = float(system["dirt"]), float(terms["dirt"])
        self.book.hold[*margin, ilk, "collateral"] = float(vault["ink"])
        self.book.hold[*margin, debt, "debt"] = float(vault["debt"])
        lot = {name: float(value) for name, value in made.items()}
        self.lots.append({**lot, "margin": margin, "ilk": ilk, "debt": debt, "start": when, "paid": 0.0})
        self.to_system(-lot["coin"] * par)
        self.run.cash += lot["coin"] * self.run.prices.now[debt]
        self.run.round["events"] += 1
        self.run.note(margin, lot["due"] * par, lot["lot"] * shown[ilk])

    def price(self, lot, when):
        """Units of debt a unit of collateral, at the auction's age."""
        ilk, seconds = lot["ilk"], (when - lot["start"]) * self.run.round_seconds
        shape = self.term(ilk, "auction_price", "stairstep")
        if shape == "linear":
            return lot["top"] * max(0.0, 1 - seconds / self.term(ilk, "tau"))
        if shape == "exponential":
            return lot["top"] * self.term(ilk, "cut") ** seconds
        return lot["top"] * self.term(ilk, "cut", 0.99) ** (seconds // self.term(ilk, "step", 90.0))

    def offered(self, lot, when):
        """Reset what is too old or too cheap, and offer what costs no more than the market."""
        ilk, debt, shown = lot["ilk"], lot["debt"], self.run.shown[self.protocol]
        old = (when - lot["start"]) * self.run.round_seconds > self.term(ilk, "tail", 8400.0)
        if old or self.price(lot, when) < self.term(ilk, "cusp", 0.4) * lot["top"]:
            lot |= {"start": when, "top": shown[ilk] / shown[debt] * self.term(ilk, "buf", 1.2)}
        price = self.price(lot, when)
        if price <= 0 or price * shown[debt] > self.run.prices.now[ilk]:
            return []
        units = min(lot["lot"], lot["tab"] / price)
        return [
            {
                "margin": lot["margin"], "collateral": ilk, "debt": debt, "units": units, "repaid": units * price,
                "surcharge": 0.0, "usd": units * shown[ilk], "lot": lot, "settle": self.taken,
                "limit": clearings.limit_of(F(price) * F(shown[debt]), 1, self.run.prices.now[ilk]),
                **clearings.trades_of(self.book, ilk, units, debt, units * price, self.run.buy_impact),
            }
        ]  # fmt: skip

    def taken(self, bundle, share):
        """Money for collateral; when one of both is used up the auction is over."""
        lot, paid = bundle["lot"], share * bundle["repaid"]
        lot["lot"] -= share * bundle["units"]
        lot["tab"] -= paid
        lot["paid"] += paid
        sold_out, raised = (lot[name] <= 1e-13 * bundle[size] for name, size in (("lot", "units"), ("tab", "repaid")))
        over = sold_out or raised
        gone = paid + (lot["tab"] if over else 0.0)
        self.dirt[lot["ilk"]] -= gone
        self.all_dirt -= gone
        if not over:
            return
        self.lots.remove(lot)
        par = self.run.shown[self.protocol][lot["debt"]]
        if not sold_out:
            self.book.add(lot["margin"], lot["ilk"], "deposit", lot["lot"])
        self.to_system((lot["paid"] - lot["due"]) * par)
        self.run.lose(max(lot["due"] - lot["paid"], 0.0) * par)
