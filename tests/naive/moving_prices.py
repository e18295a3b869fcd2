"""Prices in a naive cascade: shock, what follows, what sales do to markets, and what oracles show of it.

Choices where METHODS 5.1, 5.2 and 5.5 leave them:

- ``correlation`` is done for one named asset only;
- a market without a row of ``liquidity`` takes the curve of the shallowest token that is sold there;
- every token of a market is sold at its own price before the round's sales × average g ÷ g before them: what stands
  behind it counts as at the start of the round;
- the oracle of a round sees the market price at the start of rounds, after ``recovery``; ``history`` notes prices
  after the sales, before it.
"""

from __future__ import annotations

from tests.naive.price_impact import average, g

__all__ = ["Oracles", "Prices", "moves_of"]


def settled(shares, own, named=()):
    """F_t = x_t + (1 + x_t) Σ_u S_ut F_u, round and round until nothing changes; named tokens keep their x."""
    found = dict(own)
    while True:
        new = {}
        for token in own:
            behind = sum(share * found[other] for other, share in sorted(shares.get(token, {}).items()))
            new[token] = own[token] if token in named else own[token] + (1 + own[token]) * behind
        if all(abs(new[token] - found[token]) <= 1e-17 for token in own):
            return new
        found = new


def moves_of(book, shock, follow="backing", correlation=None):
    """Relative move of every asset in round 0."""
    moves = {asset: shock.get(asset, 0.0) for asset in book.price0}
    known = {asset for asset in book.price0 if book.kind[asset] != "basket"}
    if follow == "backing":
        return settled(book.shares, moves, named=shock)
    if follow == "family":
        for asset in known:
            moves[asset] = next((x for name, x in shock.items() if book.family[name] == book.family[asset]), 0.0)
    elif follow == "correlation":
        (name, size), *more = shock.items()
        if more:
            raise ValueError("the naive cascade follows the correlation with one asset only")
        for asset in known - {name}:
            beta = float(correlation.loc[asset, name]) * book.volatility[asset] / book.volatility[name]
            moves[asset] = beta * size
    return moves


class Prices:
    """Market prices, from cumulative sales (USD at snapshot prices) in each market and rates of receipts."""

    def __init__(self, book, moves, cross_impact=None):
        self.book, self.cross = book, dict(cross_impact or {})
        self.base = {asset: price * (1 + moves[asset]) for asset, price in book.price0.items()}
        self.rate = dict.fromkeys(book.price0, 1.0)
        self.sold = dict.fromkeys(set(book.sold_as.values()), 0.0)
        self.now = dict(self.base)

    def recover(self, share):
        """Buyers come back: part of what was sold is forgotten."""
        if share:
            self.sold = {market: (1 - share) * usd for market, usd in self.sold.items()}
            self.now = self.at(self.places())

    def places(self, more=None):
        """s of every market with a curve, cross-impact included; ``more`` is USD sold beside what is noted."""
        own = {}
        for market, usd in self.sold.items():
            curve = self.book.curves.get(market)
            own[market] = 0.0 if curve is None else (usd + (more or {}).get(market, 0.0)) / curve["depth"]
        found = {}
        for market in own:
            others = [other for other in sorted(own) if other != market]
            found[market] = own[market] + sum(self.cross.get((market, other), 0.0) * own[other] for other in others)
        return found

    def at(self, places):
        """Every asset's price with markets at some places."""
        own = {}
        for asset, rate in self.rate.items():
            curve = self.book.curves.get(asset) if self.book.sold_as[asset] == asset else None
            own[asset] = rate * g(curve, places[asset] if curve else 0.0) - 1
        fall = settled(self.book.shares, own)
        return {asset: self.base[asset] * (1 + fall[asset]) for asset in own}

    def sell(self, usd):
        """USD (at snapshot prices) sold in each market; gives average ÷ first price in each, and notes the sales."""
        before, after = self.places(), self.places(usd)
        for market, more in usd.items():
            self.sold[market] += more
        found = {}
        for market in self.sold:
            curve = self.book.curves.get(market)
            first = g(curve, before[market])
            found[market] = average(curve, before[market], after[market]) / first if first > 0 else 0.0
        return found

    def flooded(self):
        """Whether some market is at a price of 0 for what was sold: its recovery does not show yet."""
        places = self.places()
        return any(at > 0 and g(self.book.curves.get(market), at) <= 0 for market, at in places.items())

    def end_round(self):
        self.now = self.at(self.places())


class Oracles:
    """What each protocol shows: its snapshot price × a factor, late by some rounds, and deaf to small moves."""

    def __init__(self, book):
        self.book, self.past = book, []
        self.factor = {protocol: dict.fromkeys(book.price0, 1.0) for protocol in book.protocols}

    def look(self, prices):
        """A round begins with these market prices."""
        self.past.append(dict(prices))
        for protocol in self.factor:
            self.factor[protocol] = self.seen(protocol, len(self.past) - 1, self.factor[protocol])

    def seen(self, protocol, when, shown):
        """Factors that a protocol shows in a round, given those of the round before."""
        lag = int(self.book.term(protocol, "oracle_lag_rounds", 0))
        threshold = self.book.term(protocol, "oracle_deviation", 0.0)
        found = {}
        for asset, before in shown.items():
            at = min(when - lag, len(self.past) - 1)
            new = 1.0 if at < 0 else self.past[at][asset] / self.book.price0[asset]
            moved = abs(new / before - 1) > threshold if before else new != before
            found[asset] = new if moved and (protocol, asset) not in self.book.par else before
        return found

    def shown(self):
        """Protocol -> asset -> USD a unit."""
        return {
            protocol: {asset: self.book.price_there0(protocol, asset) * factor for asset, factor in factors.items()}
            for protocol, factors in self.factor.items()
        }

    def at_rest(self, tol):
        """Whether no protocol will show anything else if markets stay where they are."""
        for protocol, shown in self.factor.items():
            later = shown
            for more in range(1, int(self.book.term(protocol, "oracle_lag_rounds", 0)) + 2):
                later = self.seen(protocol, len(self.past) - 1 + more, later)
                if any(abs(later[asset] - shown[asset]) > tol * abs(shown[asset]) for asset in shown):
                    return False
        return True
