"""Venues of perpetuals in a naive cascade (``tests.naive.perpetuals`` holds the rule's calls).

Choices where METHODS and the conventions leave them:

- an account that lacks less than 1e-12 of what it needs and has was brought there by a call, or by a payment, and lacks
  nothing;
- accounts are tested when their turn comes, in order of labels, among those that stood there when the round began;
- what a round's calls close is told apart by call: an account's own longs less what counterparties' shorts lost to it;
- slippage is charged to the account after all calls, also where it has been closed out: what it cannot pay is debt;
- ``backstop`` and ADL move nothing in the market; shorts that are closed are bought under ``buy_impact`` alone.
"""

from __future__ import annotations

from fractions import Fraction

from tests.naive import calls, perpetuals

__all__ = ["Perpetuals"]

F = Fraction
SLACK = F(1, 10**12)


class Perpetuals:
    def __init__(self, run, protocol):
        self.run, self.book, self.protocol, self.closed = run, run.book, protocol, []
        self.settlement = self.book.term(protocol, "settlement_asset") or self.richest()

    def richest(self):
        """The collateral worth most there."""
        worth = {}
        for key, units in self.book.hold.items():
            if key[1] == self.protocol and key[4] == "collateral":
                worth[key[3]] = worth.get(key[3], 0.0) + units * self.book.price_there0(self.protocol, key[3])
        return min(worth, key=lambda asset: (-worth[asset], asset))

    def pending(self):
        return False

    def worth(self, prices):
        return 0.0

    def is_open(self, margin):
        return bool(self.book.rows(margin, "long") or self.book.rows(margin, "short"))

    def liquidatable(self, margin):
        shown = self.run.shown[self.protocol]
        required = calls.maintenance(self.book, margin, shown)
        held = self.book.rows(margin, "collateral").items()
        rounding = float(SLACK) * (required + sum(units * shown[asset] for asset, units in held))
        return self.is_open(margin) and required - calls.equity(self.book, margin, shown) > rounding

    def margins(self):
        return [margin for margin in self.book.margins() if margin[1] == self.protocol]

    # -- a round -------------------------------------------------------------------------------------------------------

    def play(self, when):
        """Close what must be closed, and note what of it goes to the market."""
        self.closed, venue = [], self.venue()
        for margin in self.margins():
            level = self.run.may_be_called_on(margin, when)
            if level is None:
                continue
            owner = margin[0], margin[2]
            account = venue.accounts[owner]
            while any(one.amount > 0 for one in account.positions):
                told = self.called(venue, owner, level or 1.0)
                if told["refused"]:
                    break
                self.run.round["events"] += 1
                self.run.note(margin, 0.0, float(told["seized_usd"]))
        self.write(venue)
        self.to_market()
        return []

    def venue(self):
        """The venue as it stands."""
        book, shown, own = self.book, self.run.shown[self.protocol], self.protocol
        assets = sorted(book.price0)
        numbers = (("fee", "liquidation_fee", 0.0), ("partial_share", "partial_share", 0.2),
                   ("partial_above", "partial_above_usd", 100_000.0),
                   ("backstop_share", "backstop_share", 2 / 3))  # fmt: skip
        ladders = {asset: calls.ladder(book, own, asset) for asset in assets}
        venue = perpetuals.Venue(
            name=own,
            marks={asset: F(shown[asset]) for asset in assets},
            tiers={asset: [(F(at), F(rate or 0.0)) for at, rate in steps] for asset, steps in ladders.items()},
            haircuts={asset: F(book.market_term(own, asset, "haircut", 0.0)) for asset in assets},
            settlement=self.settlement,
            accounts={},
            fund=F(self.run.reserve[own]),
            deficit=F(self.run.deficit[own]),
            rank=book.term(own, "adl_rank", "hyperliquid"),
            **{name: F(book.term(own, term, plain)) for name, term, plain in numbers},
        )
        for margin in self.margins():
            account = perpetuals.Account(margin[0], margin[2])
            account.cash = {asset: F(units) for asset, units in book.rows(margin, "collateral").items()}
            account.debt = {asset: F(units) for asset, units in book.rows(margin, "debt").items()}
            for side in ("long", "short"):
                for asset, units in book.rows(margin, side).items():
                    entry = F(book.entry[*margin, asset, side])
                    account.positions.append(perpetuals.Position(asset, side, F(units), entry))
            venue.accounts[margin[0], margin[2]] = account
        return venue

    def called(self, venue, owner, least):
        """One call, and of each asset the units that it put on the market (longs) or took from it (shorts).

        It is refused from ``least`` times the maintenance margin on.
        """
        before = totals(venue, owner)
        told = venue.call(*owner, least=F(least), slack=SLACK)
        if told["refused"] or told["stage"] == "backstop":
            return told
        after = totals(venue, owner)
        for whose, asset, side in sorted(before):
            facing = "others", asset, "short" if side == "long" else "long"
            if whose == "own":
                units = before[whose, asset, side] - after.get((whose, asset, side), F(0))
                units -= before.get(facing, F(0)) - after.get(facing, F(0))
                if units > 0:
                    self.closed.append((owner, asset, side, float(units)))
        return told

    def write(self, venue):
        """Carry the venue's state over into the holdings."""
        book = self.book
        for (owner, bucket), account in venue.accounts.items():
            margin = owner, self.protocol, bucket
            for side, held in (("collateral", account.cash), ("debt", account.debt)):
                for asset, units in held.items():
                    book.hold[*margin, asset, side] = float(units)
            for one in account.positions:
                book.hold[*margin, one.asset, one.side] = float(one.amount)
                book.entry[*margin, one.asset, one.side] = float(one.entry)
        self.run.reserve[self.protocol], self.run.deficit[self.protocol] = float(venue.fund), float(venue.deficit)

    def to_market(self):
        for _, asset, side, units in self.closed:
            if side == "long" or self.run.buy_impact:
                market = self.book.sold_as[asset]
                usd = units * self.book.price0[asset] * (1 if side == "long" else -1)
                self.run.forced[market] = self.run.forced.get(market, 0.0) + usd

    def charge(self):
        """Have every account pay what its orders moved the price by."""
        if not self.closed:
            return
        venue = self.venue()
        for owner, asset, side, units in self.closed:
            moved = 1 - self.run.average[self.book.sold_as[asset]]
            usd = F(units) * venue.marks[asset] * F(moved)
            if side == "long":
                sold, market = self.run.round["sold_usd"], self.book.sold_as[asset]
                sold[market] = sold.get(market, 0.0) + units * float(venue.marks[asset]) * (1 - moved)
            if side == "long" or self.run.buy_impact:
                venue.settle(venue.accounts[owner], -usd if side == "long" else usd)
        self.write(venue)


def totals(venue, owner):
    """Units by (own or others, asset, side), options left aside."""
    found = {}
    for key, account in venue.accounts.items():
        for one in account.positions:
            if getattr(one, "contract", None):
                continue
            whose = "own" if key == owner else "others", one.asset, one.side
            found[whose] = found.get(whose, F(0)) + one.amount
    return found
