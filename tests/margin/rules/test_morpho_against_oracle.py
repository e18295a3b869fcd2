"""Morpho Blue against the oracle: one market, whose totals every call changes, and three terms to ask in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

import riskgraph as rg
from tests.margin_accounts import clipped
from tests.naive import liquidation as naive
from tests.naive.liquidation import SEIZE, SHARES

WORTH = st.floats(-2.0, 6.0).map(lambda power: Fraction(10.0**power))
LLTV = st.sampled_from(["0.385", "0.77", "0.86", "0.945", "0.98"]).map(Fraction)


@dataclass(frozen=True)
class Market:
    """A market in raw units, and borrowers as (collateral, shares, terms, asked)."""

    decimals: tuple[int, int]  # of loan and collateral
    price: Fraction  # loan tokens a whole collateral token
    lltv: Fraction
    rate: Fraction | None  # shares a raw unit of assets where totals are published
    borrowers: list

    @property
    def raw_price(self):
        return self.price * Fraction(10) ** (self.decimals[0] - self.decimals[1])

    def totals(self):
        """Assets supplied, assets and shares borrowed: what all borrowers owe and as much again.

        Where totals are not published, a share is worth what it is in a new market, whatever has been repaid: as if the
        market were endless.
        """
        shares = 2 * sum(shares for _, shares, _, _ in self.borrowers) + 10**9
        borrowed = math.floor(shares / (self.rate or 10**6))
        return (3 * borrowed, borrowed, shares) if self.rate else (3 * borrowed, 10**34, 10**40)

    def worth(self, shares):
        _, borrowed, total = self.totals()
        return -(-shares * (borrowed + 1) // (total + 10**6))


@st.composite
def markets(draw: st.DrawFn, most: int = 4) -> Market:
    """Health around 1, dust, nothing; debts of few enough digits that a float holds them."""
    decimals = draw(st.sampled_from([(6, 18), (6, 8), (8, 6), (6, 6)]))
    price = Fraction(draw(st.sampled_from(["1", "2", "0.5", "120.17", "1e-6", "1e9", "0"])))
    lltv = draw(LLTV)
    rate = draw(st.sampled_from([None, None, Fraction(10**6), Fraction(970_000), Fraction(999_983)]))
    borrowers = []
    for _ in range(draw(st.integers(1, most))):
        kind = draw(st.integers(0, 9))
        units = 10 ** decimals[1]
        collateral = kind if kind <= 1 else int(clipped(draw(WORTH) / (price or 1), decimals[1]) * units)
        room = math.floor(math.floor(collateral * price * Fraction(10) ** (decimals[0] - decimals[1])) * lltv)
        health = Fraction(draw(st.sampled_from([0.5, 0.9, 1.0, 1.0, 1.1]))).limit_denominator(100)
        debt = max(math.floor(room / health) + draw(st.sampled_from([-1, 0, 1])), 1) if kind != 2 else 1
        shares = int(clipped(Fraction(debt * 10**6 if rate is None else debt * rate), 0))
        terms = draw(st.sampled_from(["most", "repay", SEIZE, SHARES]))
        part = draw(st.sampled_from([Fraction(0), Fraction(1, 3), Fraction(1, 2), Fraction(1), Fraction(3, 2)]))
        whole = {SEIZE: collateral, SHARES: shares}.get(terms, debt)
        asked = int(clipped(whole * part, 0)) if draw(st.integers(0, 4)) else 1
        borrowers.append((collateral, shares, terms, asked))
    return Market(decimals, price, lltv, rate, borrowers)


def snapshot(market: Market) -> rg.Snapshot:
    loan, pledged = (10**decimals for decimals in market.decimals)
    rows = [("lender", "loan", "deposit", Fraction(market.totals()[0], loan))]
    for at, (collateral, shares, _, _) in enumerate(market.borrowers):
        rows += [(f"user{at}", "pledge", "collateral", Fraction(collateral, pledged))]
        rows += [(f"user{at}", "loan", "debt", Fraction(market.worth(shares), loan))]
    positions = pd.DataFrame(rows, columns=["account", "asset", "side", "amount"]).astype({"amount": float})
    assets = pd.DataFrame(
        {"asset": ["loan", "pledge"], "price": [1.0, float(market.price)], "decimals": list(market.decimals)}
    )
    terms = {"total_supply_assets": Fraction(market.totals()[0], loan)}
    accounts = None
    if market.rate is not None:
        terms |= {"total_borrow_assets": Fraction(market.totals()[1], loan), "total_borrow_shares": market.totals()[2]}
        accounts = pd.DataFrame(
            {"account": f"user{at}", "protocol": "market", "borrow_shares": float(borrower[1])}
            for at, borrower in enumerate(market.borrowers)
        )
    terms = {name: float(value) for name, value in terms.items()}
    return rg.Snapshot(
        positions.assign(protocol="market"),
        assets,
        pd.DataFrame([{"protocol": "market", "rule": "morpho_blue", **terms}]),
        pd.DataFrame({"protocol": ["market"], "asset": ["pledge"], "liquidation_threshold": [float(market.lltv)]}),
        accounts=accounts,
    )


def expected(market: Market, totals, borrower):
    """The oracle's call; units asked for are turned into shares, rounded down, all of them for all of the debt."""
    collateral, shares, terms, asked = borrower
    if terms == "repay":
        by_assets = asked * (totals[2] + 10**6) // (totals[1] + 1)
        terms, asked = SHARES, by_assets if asked > market.worth(shares) else min(by_assets, shares)
    return naive.morpho_blue(shares, totals, collateral, market.raw_price, market.lltv, asked, terms)


def close(found, wanted, unit=0):
    assert math.isclose(found, float(wanted), rel_tol=1e-9, abs_tol=float(unit)), (found, float(wanted))


def check(market: Market) -> None:
    """Calls on one borrower after another; each finds the totals that the one before has left."""
    loan, pledged = (10**decimals for decimals in market.decimals)
    snap, totals = snapshot(market), market.totals()
    lender = Fraction(totals[0], loan)
    for at, borrower in enumerate(market.borrowers):
        _, _, terms, asked = borrower
        call = expected(market, totals, borrower)
        scale = {"repay": loan, SEIZE: pledged, SHARES: 1}.get(terms)
        name = {SEIZE: "seize", SHARES: "repay_shares"}.get(terms, terms)
        words = {name: float(Fraction(asked, scale))} if scale else {}
        quote = rg.liquidation_quote(snap, f"user{at}", "market", **words)
        assert (quote.liquidatable, quote.refused) == (call.liquidatable, call.refused)
        close(quote.health_before, call.health)
        close(quote.repaid, 0 if call.refused else Fraction(call.repaid, loan))
        close(quote.seized, 0 if call.refused else Fraction(call.seized, pledged))
        done = rg.liquidate(snap, "market", [f"user{at}"], **words)
        snap = done.after
        if not call.refused:
            totals = call.more["totals"] if market.rate else totals
            lender -= Fraction(call.more["bad_debt"], loan)
            left = snap.positions.set_index(["account", "side"])["amount"]
            close(left[f"user{at}", "collateral"], Fraction(borrower[0] - call.seized, pledged))
            owed = -(-call.more["shares"] * (totals[1] + 1) // (totals[2] + 10**6))
            close(left[f"user{at}", "debt"], Fraction(owed, loan))
            close(left["lender", "deposit"], lender)


@settings(max_examples=40)
@given(markets())
def test_calls_do_what_the_contract_does(market):
    check(market)
