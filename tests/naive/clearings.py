"""Clearing of markets in one round: who finds it worth while to buy what was seized (METHODS 5.4 iii, iv).

A *bundle* is a dictionary: ``margin``, ``collateral``, ``debt`` (labels), ``limit`` (the least average price ÷ market
price before the round at which it pays, a fraction where it is exact), ``usd`` (of what is offered, at oracle prices),
``sale`` and ``purchase`` (USD at snapshot prices that it sells in its collateral's market and buys in its debt's).

Choices where METHODS and the conventions leave them:

- limits that are equal to 12 digits are ties; a limit without cost is 0, one at a market price of 0 is never met;
- under ``buy_impact`` a bundle that sells nothing in its collateral's market (its debt is bought on its own market)
  is accepted while its limit is at most 1: the market's sales do not touch it;
- what perpetual venues sell comes first, in full, and counts in A(Q).
"""

from __future__ import annotations

import math
from fractions import Fraction

from tests.naive.price_impact import average, furthest, g

__all__ = ["accepted", "limit_of", "trades_of"]


def limit_of(cost, units, price):
    """Cost (USD) ÷ what the units are worth in the market."""
    if cost <= 0:
        return Fraction(0)
    worth = Fraction(units) * Fraction(price)
    return Fraction(cost) / worth if worth > 0 else math.inf


def trades_of(book, collateral, units, debt, repaid, buy_impact):
    """What a bundle sells in its collateral's market and buys in its debt's, USD at snapshot prices."""
    sale, purchase = units * book.price0[collateral], repaid * book.price0[debt]
    if not buy_impact:
        return {"sale": sale, "purchase": 0.0}
    if book.family[collateral] == book.family[debt]:  # one leg alone: on their own pair
        if book.sold_as[collateral] == book.numeraire[collateral]:
            return {"sale": 0.0, "purchase": purchase}
        return {"sale": sale, "purchase": 0.0}
    return {"sale": sale, "purchase": purchase}


def accepted(book, prices, bundles, forced, liquidators, dust_usd):
    """Share of each bundle that is accepted, by its place in the list; ``forced``: USD that is sold in any case."""
    if liquidators == "always":
        return [1.0] * len(bundles)
    found = [0.0] * len(bundles)
    places = prices.places()
    for market in sorted({book.sold_as[bundle["collateral"]] for bundle in bundles}):
        here = [at for at, bundle in enumerate(bundles) if book.sold_as[bundle["collateral"]] == market]
        here.sort(key=lambda at: order(bundles[at]))
        shares = clear(book, market, places[market], [bundles[at] for at in here], forced.get(market, 0.0), dust_usd)
        for at, share in zip(here, shares, strict=True):
            found[at] = share
    return found


def order(bundle):
    return (
        float(f"{float(bundle['limit']):.11e}"),
        -bundle["usd"],
        bundle["margin"],
        bundle["collateral"],
        bundle["debt"],
    )


def clear(book, market, start, bundles, sold, dust_usd):
    """Shares accepted of one market's bundles in their order."""
    curve, shares, open_for_more = book.curves.get(market), [], True

    def ratio(usd):
        first = g(curve, start)
        depth = curve["depth"] if curve else 1.0
        return average(curve, start, start + usd / depth) / first if first > 0 else 0.0

    for bundle in bundles:
        size, limit, share = bundle["sale"], float(bundle["limit"]), 0.0
        if not open_for_more:
            pass
        elif (size == 0 and limit <= 1) or (size > 0 and ratio(sold + size) >= limit):
            share = 1.0
        else:
            open_for_more = False
            if curve and size > 0 and ratio(sold) > limit:
                reach = furthest(curve, start, limit, start + (sold + size) / curve["depth"])
                share = ((reach - start) * curve["depth"] - sold) / size
            if share * bundle["usd"] < dust_usd:  # also below 0: those before it took more than it could bear
                share = 0.0
        sold += share * size
        shares.append(share)
    return shares
