"""Who bears what in a naive cascade: write-offs, socialised losses, wealth by bearer, and what is owed in the end.

Choices where METHODS 5.6 and the conventions leave them:

- wealth of protocols is reserve − deficit + what their own treasury took in fees, at market prices, and what their
  venue holds; rows whose account is the protocol itself are the protocol's. A loss of lenders outside the snapshot is
  in nobody's wealth (``outside``);
- bad debt at a venue of perpetuals is the deficit that the cascade added and what equity (with haircuts) lacks to 0.
"""

from __future__ import annotations

from tests.naive import calls
from tests.naive.cascade_book import BEARERS, TRADING
from tests.naive.portfolios import option_usd

__all__ = ["shortfall", "wealth_at", "write_off"]


def write_off(run, turns, bundles, shares):
    """Debts of accounts that closed, and all of whose bundles were accepted in full."""
    whole = dict.fromkeys(turns, True)
    for bundle, share in zip(bundles, shares, strict=True):
        if share < 1:
            whole[bundle["margin"]] = False
    lost = {}
    for margin, closes in turns.items():
        if closes and whole[margin]:
            for asset, units in run.book.rows(margin, "debt").items():
                lost[margin[1], asset] = lost.get((margin[1], asset), 0.0) + units
                run.book.hold[*margin, asset, "debt"] = 0.0
    for protocol, asset in sorted(lost):
        bear(run, protocol, asset, lost[protocol, asset])


def bear(run, protocol, asset, units):
    """Deficit, or reserve and then lenders of the asset, or lenders at once."""
    price, bearer = run.shown[protocol][asset], BEARERS[run.book.rule(protocol)]
    run.forgiven[asset] = run.forgiven.get(asset, 0.0) + units
    run.round["events"] += 1
    run.lose(units * price)
    if bearer == "deficit":
        run.deficit[protocol] += units * price
        return
    if bearer == "reserve":
        paid = min(run.reserve[protocol], units * price)
        run.reserve[protocol] -= paid
        units = units - paid / price if price > 0 else 0.0
    if units > 0:
        socialise(run, protocol, asset, units)


def socialise(run, protocol, asset, units):
    """Every claim on a reserve loses in proportion, and receipts of it in price."""
    supply = run.supply[protocol, asset] * run.kept[protocol, asset]
    if supply <= 0:
        return
    left = 1 - min(1.0, units / supply)
    sides = ("collateral", "deposit") if run.book.lends_collateral(protocol) else ("deposit",)
    inside = 0.0
    for key in run.book.hold:
        if key[1] == protocol and key[3] == asset and key[4] in sides:
            inside += (1 - left) * run.book.hold[key]
            run.book.hold[key] *= left
    run.forgiven[asset] = run.forgiven.get(asset, 0.0) - inside
    run.outside += (supply * (1 - left) - inside) * run.prices.now[asset]
    run.kept[protocol, asset] *= left
    for row in run.book.backing:
        if row["issuer"] == protocol and row["backed_by"] == asset and run.book.kind[row["token"]] == "receipt":
            run.prices.rate[row["token"]] *= left


def wealth_at(run, prices):
    """USD of each bearer at market prices: deposits are lenders', all other rows borrowers'."""
    found = {"borrowers": 0.0, "lenders": 0.0}
    found["protocols"] = sum(run.reserve.values()) - sum(run.deficit.values())
    found["liquidators"] = run.cash + sum(units * prices[asset] for asset, units in run.held.items())
    for key, units in run.book.hold.items():
        who = "protocols" if key[0] == key[1] else "lenders" if key[4] == "deposit" else "borrowers"
        found[who] += worth(run, key, units, prices[key[3]])
    for margin in {key[:3] for key in run.book.options}:
        who = "protocols" if margin[0] == margin[1] else "borrowers"
        found[who] += option_usd(run.book, margin, prices)
    found["protocols"] += sum(units * prices[asset] for (_, asset), units in run.treasury.items())
    found["protocols"] += sum(venue.worth(prices) for venue in run.venues.values())
    return found


def worth(run, key, units, price):
    if key[4] in ("long", "short"):
        return units * (price - run.book.entry[key]) * (1 if key[4] == "long" else -1)
    return -units * price if key[4] == "debt" else units * price


def shortfall(run):
    """What is owed beyond collateral at the last oracle prices, of every margin account."""
    total = 0.0
    for margin in run.book.margins():
        shown, traded = run.shown[margin[1]], run.book.rule(margin[1]) in TRADING
        if traded:
            total += max(0.0, -calls.equity(run.book, margin, shown))
            continue
        owed, held = (
            sum(units * shown[asset] for asset, units in run.book.rows(margin, side).items())
            for side in ("debt", "collateral")
        )
        total += max(0.0, owed - held)
    for protocol in run.book.protocols:
        if run.book.rule(protocol) in TRADING:
            total += run.deficit[protocol] - run.book.term(protocol, "deficit_usd", 0.0)
    return total
