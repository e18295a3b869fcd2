"""Compound v2 solved by hand: refused instead of cut, seizing in cTokens, a share of all of it for reserves."""

from __future__ import annotations

import math

import pytest

import riskgraph as rg
from tests.pairs import book, left, quote

TERMS = {"liquidation_threshold": 0.75, "liquidation_bonus": 0.08}
MARKETS = {"ETH": TERMS, "BTC": TERMS}


def market(*rows, markets=MARKETS, **more):
    return book("compound_v2", *rows, markets=markets, **more)


def test_the_close_factor_the_incentive_and_the_reserves_share():
    """10 ETH count 7,500 against 8,000. Half, 4,000, takes 4,000 · 1.08 / 1,000 = 4.32 ETH, of it 2.8 % for reserves:
    .12096. Then 5.68 · 750 / 4,000 = 1.065."""
    done = rg.liquidate(market(("ETH", "collateral", 10.0), ("USDC", "debt", 8_000.0)), "p", ["ann"])
    step = done.steps.iloc[0]
    assert (step["refused"], step["repaid"], step["seized"]) == ("", 4_000.0, 4.32)
    assert step["fee"] == pytest.approx(0.12096) and math.isnan(step["seized_ctokens"])
    assert (step["health_before"], step["health_after"]) == (0.9375, 1.065)
    assert left(done.after)["p", "deposit", "ETH"] == pytest.approx(0.12096)


def test_what_is_too_much_is_refused_and_nothing_asked_means_the_most_that_is_not():
    """4 ETH pay 4,000 / 1.08 = 3,703.70 of 8,000: half of the debt would seize 4.32."""
    snap = market(("ETH", "collateral", 4.0), ("USDC", "debt", 8_000.0))
    assert quote(snap, repay=4_001.0).refused == "TOO_MUCH_REPAY"
    assert quote(snap, repay=4_000.0).refused == "LIQUIDATE_SEIZE_TOO_MUCH"
    assert quote(snap, repay=0.0).refused == "LiquidateCloseAmountIsZero"
    assert quote(snap, liquidator="ann").refused == "LiquidateLiquidatorIsBorrower"
    most = quote(snap)
    assert (most.refused, most.seized, most.written_off) == ("", 4.0, False)
    assert (most.repaid, most.bad_debt) == pytest.approx((4_000 / 1.08, 8_000 - 4_000 / 1.08))


def test_an_account_that_pledges_nothing():
    snap = market(("USDC", "debt", 8_000.0))
    assert (quote(snap).refused, quote(snap, repay=1.0).refused) == ("LIQUIDATE_SEIZE_TOO_MUCH",) * 2


def test_one_factor_borrows_and_liquidates_and_exactly_one_is_healthy():
    snap = market(("ETH", "collateral", 4.0), ("USDC", "debt", 3_000.0))
    assert (quote(snap).health_before, quote(snap).refused) == (1.0, "INSUFFICIENT_SHORTFALL")


def test_whole_ctokens():
    """A cToken is worth .02 ETH, 20 dollars: a dollar seizes 1.08 / 20 = .054 of them, 5,400,000 smallest parts.

    .000007 dollars seize 37.8, 37 parts, of which 2.8 % are 1.036, 1 part. Where 3 parts are held, 1e-6 dollars are too
    much: 5 parts.
    """
    markets = {"ETH": {**TERMS, "exchange_rate": 0.02}}
    unit = {"decimals": {"ETH": 18, "USDC": 6}, "markets": markets}
    snap = market(("ETH", "collateral", 10.0), ("USDC", "debt", 8_000.0), **unit)
    one, dust = quote(snap, repay=1.0), quote(snap, repay=7e-6)
    assert (one.more["seized_ctokens"], one.more["reserve_ctokens"], one.seized) == (0.054, 0.001512, 0.00108)
    assert (dust.more["seized_ctokens"], dust.more["reserve_ctokens"]) == (37e-8, 1e-8)
    assert (dust.seized, dust.fee) == (37e-8 * 0.02, 1e-8 * 0.02)
    few = market(("ETH", "collateral", 3e-8 * 0.02), ("USDC", "debt", 2.0), **unit)
    assert quote(few).refused == "LiquidateCloseAmountIsZero"
    assert quote(few, repay=1e-6).refused == "LIQUIDATE_SEIZE_TOO_MUCH"


def test_products_are_cut_to_18_digits_on_the_way():
    """A debt at 1e-4 dollars of 18 decimals for cTokens of 20,000 dollars: 1.08e-4 / 20,000 = 5.4e-9 cTokens a unit.

    In 1e-8 parts for 1e-18 units that is 5.4e-19, which the contract cuts to 0: it seizes nothing. At 1e-3 dollars it
    is 5.4e-18, cut to 5e-18: 1,000 units seize 5e-5 cTokens instead of 5.4e-5.
    """
    markets = {"BTC": {**TERMS, "exchange_rate": 1.0}}
    rows = (("BTC", "collateral", 1.0), ("DAI", "debt", 2e8))
    unit = {"decimals": {"BTC": 8, "DAI": 18}, "markets": markets}
    nothing = quote(market(*rows, prices={"DAI": 1e-4}, **unit), repay=1_000.0)
    assert (nothing.refused, nothing.more["seized_ctokens"]) == ("", 0.0)
    little = quote(market(*rows, prices={"DAI": 1e-3}, **unit), repay=1_000.0)
    assert little.more["seized_ctokens"] == 5e-5


def test_a_market_that_is_wound_up_is_repaid_in_full_without_a_shortfall():
    markets = {**MARKETS, "DAI": {"deprecated": True}, "USDC": {"deprecated": False}}
    rows = (("ETH", "collateral", 10.0), ("DAI", "debt", 2_000.0), ("USDC", "debt", 1_000.0))
    snap = market(*rows, markets=markets)
    full = quote(snap, debt_asset="DAI")
    assert (full.refused, full.liquidatable, full.repaid, full.seized) == ("", True, 2_000.0, 2.16)
    assert quote(snap, debt_asset="DAI", repay=2_001.0).refused == "Can not repay more than the total borrow"
    assert quote(snap, debt_asset="USDC").refused == "INSUFFICIENT_SHORTFALL"


def test_without_every_price_the_comptroller_refuses():
    """An oracle that shows 0 has no price: collateral or debt worth nothing cannot be liquidated, nor can the rest."""
    rows = (("ETH", "collateral", 2.0), ("BTC", "collateral", 0.1), ("USDC", "debt", 6_000.0))
    for dead in ("ETH", "BTC", "USDC"):
        call = quote(market(*rows, prices={dead: 0.0}), collateral_asset="ETH")
        assert (call.refused, call.liquidatable, call.seized) == ("PRICE_ERROR", False, 0.0)
    empty = (("ETH", "collateral", 2.0), ("BTC", "collateral", 0.0), ("USDC", "debt", 6_000.0))  # no BTC is left
    assert quote(market(*empty, prices={"BTC": 0.0}), collateral_asset="BTC").refused == "PRICE_ERROR"
    assert quote(market(*empty, prices={"BTC": 0.0}), collateral_asset="ETH").refused != "PRICE_ERROR"
