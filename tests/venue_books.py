"""Venues of perpetuals for cascades: what is left in one, random ones, and the oracle that plays them by rounds."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

import riskgraph as rg
from tests.naive.perpetuals import Account, Position, Venue
from tests.perpetual_books import holdings

__all__ = ["left", "played", "random_venue"]


def left(cascade: rg.Cascade) -> dict:
    """Units above 0 by account (and bucket), asset and side."""
    run = cascade.run
    rows, snap = run.book.rows, run.book.snap
    names = {name: [*snap.labels(name).to_pylist(), ""] for name in ("account", "asset", "bucket")}
    bucket = snap.table("positions").code("bucket")
    sides = ("collateral", "debt", "deposit", "long", "short", "wallet")
    found = {}
    for at in np.flatnonzero(run.book.amount > 0.0).tolist():
        key = names["account"][rows.account[at]], names["bucket"][bucket[at]]
        found[*key, names["asset"][rows.asset[at]], sides[rows.side[at]]] = run.book.amount[at]
    return found


def random_venue(seed: int, accounts: int = 12) -> Venue:
    """Accounts around the edge of what they need, some beyond; continuous numbers, so that no comparison is close."""
    rng = np.random.default_rng(seed)

    def number(low, high):
        return Fraction(repr(round(float(rng.uniform(low, high)), 9)))

    marks = {name: number(5.0, 30.0) for name in ("AAA", "BBB", "CCC")} | {"USDX": Fraction(1), "GOLD": number(50, 60)}
    venue = Venue(
        name="hl", marks=marks, haircuts={"GOLD": number(0.02, 0.1)}, settlement="USDX", accounts={},
        tiers={name: [(Fraction(0), number(0.01, 0.05)), (number(50, 200), number(0.06, 0.2))] for name in marks
               if name not in ("USDX", "GOLD")},
        fund=Fraction(0) if seed % 3 == 0 else number(0.0, 150.0), fee=number(0.0, 0.02),
        partial_share=number(0.1, 0.5), partial_above=number(50.0, 500.0),
        backstop_share=Fraction(0) if seed % 4 == 0 else number(0.3, 0.9),
        rank=("hyperliquid", "binance", "okx", "bitmex")[seed % 4],
    )  # fmt: skip
    keys = [(f"a{at:02d}", "x" if rng.uniform() < 0.2 else "") for at in range(accounts)]
    keys += [("hl", "")] * int(rng.integers(2))
    for owner, bucket in keys:
        account = venue.accounts[owner, bucket] = Account(owner, bucket)
        sides = [(asset, side) for asset in ("AAA", "BBB", "CCC") for side in ("long", "short") if rng.uniform() < 0.35]
        for asset, side in sides or [("AAA", "long")]:
            entry = None if rng.uniform() < 0.2 else venue.marks[asset] * number(0.6, 1.4)
            account.positions.append(Position(asset, side, number(0.5, 40.0), entry and Fraction(repr(float(entry)))))
        if rng.uniform() < 0.4:
            account.cash["GOLD"] = number(0.0, 3.0)
        lacking = number(-2.5, 2.5) * venue.maintenance(account) - venue.equity(account)
        side = account.cash if lacking > 0 else account.debt
        side["USDX"] = Fraction(repr(float(abs(lacking))))
    return venue


def played(venue: Venue) -> int:
    """Rounds of the oracle: who is liquidatable at its turn is called until it is not; orders are forgotten then."""
    for number in range(100):
        venue.cooling = set()
        before = holdings(venue)
        for key in sorted(venue.accounts):
            while is_due(venue, key) and not venue.call(*key)["refused"]:
                pass
        if holdings(venue) == before:
            return number
    raise AssertionError("no end")


def is_due(venue: Venue, key) -> bool:
    account = venue.accounts[key]
    is_open = any(one.amount > 0 for one in account.positions)
    return is_open and (venue.equity(account) < venue.maintenance(account) or venue.value(account) < 0)
