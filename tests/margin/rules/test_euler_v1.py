"""Euler v1 solved by hand: risk-adjusted health, discount with booster, a target of 1.25, reserves paid on top."""

from __future__ import annotations

from fractions import Fraction

import pytest

import riskgraph as rg
from tests.pairs import book, left, quote

MARKETS = {"ETH": {"liquidation_threshold": 0.8}, "USDC": {"borrow_factor": 0.8}}
ROWS = (("ETH", "collateral", 10.0), ("USDC", "debt", 6_600.0))


def venue(*rows, markets=MARKETS, **more):
    return book("euler_v1", *rows, markets=markets, **more)


def to_target(discount: Fraction) -> Fraction:
    """10 ETH count 8,000 against 6,600 / .8 = 8,250: (1.25 · 8,250 − 8,000) / (1.25 / .8 − .8 / (1 − d))."""
    return Fraction(4625, 2) / (Fraction(25, 16) - Fraction(4, 5) / (1 - discount))


def test_repays_to_a_health_of_five_quarters_at_two_percent_and_what_health_lacks():
    """Health 32/33: the discount is .02 + 1/33; 3,211.24 are repaid, 2 % of that go to reserves on top."""
    discount = Fraction(1, 50) + Fraction(1, 33)
    done = rg.liquidate(venue(*ROWS), "p", ["ann"])
    step = done.steps.iloc[0]
    repaid = float(to_target(discount))
    assert (step["refused"], step["written_off"]) == ("", False)
    assert step["discount"] == pytest.approx(float(discount), rel=1e-14)
    assert step["repaid"] == pytest.approx(repaid, rel=1e-14)
    assert step["seized"] == pytest.approx(repaid / 1_000 / float(1 - discount), rel=1e-14)
    assert step["health_before"] == pytest.approx(32 / 33) and step["health_after"] == pytest.approx(1.25, rel=1e-14)
    assert step["reserve_fee"] == pytest.approx(0.02 * repaid) == pytest.approx(step["fee_usd"])
    after = left(done.after)
    assert after["p", "deposit", "USDC"] == pytest.approx(0.02 * repaid)
    assert after["ann", "debt", "USDC"] == pytest.approx(6_600.0 - repaid)


def test_the_booster_at_most_doubles_and_the_discount_stops_at_a_fifth():
    boosted = quote(venue(*ROWS, venue={"discount_booster": 0.025}))
    assert boosted.more["discount"] == pytest.approx(0.02 + 1 / 33 + 0.025)
    near = quote(venue(("ETH", "collateral", 10.0), ("USDC", "debt", 6_400.1), venue={"discount_booster": 0.025}))
    assert near.more["discount"] == pytest.approx(2 * (0.02 + 1 - 8_000 / 8_000.125))
    deep = quote(venue(("ETH", "collateral", 10.0), ("USDC", "debt", 9_000.0)))
    assert (deep.more["discount"], deep.seized) == (0.2, 10.0)  # all 10 ETH pay 8,000
    assert (deep.repaid, deep.bad_debt, deep.written_off) == (8_000.0, 1_000.0, False)


def test_where_no_repayment_reaches_the_target_all_debt_may_be_repaid():
    """A factor of 1 at the largest discount of a fifth: 1.25 − 1 / .8 = 0."""
    markets = {"ETH": {"liquidation_threshold": 1.0}}
    call = quote(venue(("ETH", "collateral", 20.0), ("BTC", "collateral", 0.0), ("USDC", "debt", 30_000.0),
                       markets={**markets, "BTC": {"liquidation_threshold": 0.5}}))  # fmt: skip
    assert (call.more["discount"], call.repaid, call.seized) == (0.2, 16_000.0, 20.0)
    mild = quote(venue(("ETH", "collateral", 20.0), ("USDC", "debt", 20_400.0),
                       markets={"ETH": {"liquidation_threshold": 1.0}}, venue={"base_discount": 0.18}))  # fmt: skip
    assert mild.more["discount"] == pytest.approx(0.18 + 1 - 20 / 20.4)
    assert mild.seized == pytest.approx(20.0) and mild.repaid == pytest.approx(20_000 * (20 / 20.4 - 0.18))


def test_a_request_counts_the_reserves_fee_in():
    """Of 1,020 dollars 1,000 are repaid, for 1,000 / (.98 − 1/33) = 1,052.97 dollars of ETH."""
    call = quote(venue(*ROWS), repay=1_020.0)
    assert (call.repaid, call.more["reserve_fee"]) == (1_000.0, 20.0)
    assert call.seized == pytest.approx(1 / (0.98 - 1 / 33))
    most = float(to_target(Fraction(1, 50) + Fraction(1, 33))) * 1.02
    assert quote(venue(*ROWS), repay=most).refused == ""
    assert quote(venue(*ROWS), repay=most * 1.0001).refused == "e/liq/excessive-repay-amount"


def test_the_liquidator_takes_over_the_debt_with_the_fee():
    done = rg.liquidate(venue(*ROWS, ("liz", "ETH", "collateral", 9.0)), "p", ["ann"], repay=1_020.0, liquidator="liz")
    after = left(done.after)
    assert after["liz", "debt", "USDC"] == 1_020.0
    assert after["liz", "collateral", "ETH"] == pytest.approx(9.0 + 1 / (0.98 - 1 / 33))
    assert after["p", "deposit", "USDC"] == 20.0
    assert quote(venue(*ROWS), liquidator="ann").refused == "e/liq/self-liquidation"


def test_a_healthy_account_is_left_alone_and_any_request_is_excessive():
    at_one = venue(("ETH", "collateral", 10.0), ("USDC", "debt", 6_400.0))
    call = quote(at_one)
    assert (call.health_before, call.liquidatable, call.refused, call.repaid) == (1.0, False, "", 0.0)
    assert quote(at_one, repay=1.0).refused == "e/liq/excessive-repay-amount"


def test_nothing_is_repaid_for_worthless_collateral_and_worthless_debt_is_none():
    dead = quote(venue(*ROWS, prices={"ETH": 0.0}))
    assert (dead.refused, dead.liquidatable, dead.repaid, dead.seized, dead.bad_debt) == ("", True, 0.0, 0.0, 6_600.0)
    free = quote(venue(*ROWS, prices={"USDC": 0.0}))
    assert (free.refused, free.liquidatable, free.seized) == ("", False, 0.0)


def test_amounts_are_cut_to_whole_1e_minus_18_whatever_the_token():
    """1e-16 dollars are 100 of the smallest parts: 100 / 1.02 = 98.04, 98 repaid, and 2 for reserves."""
    call = quote(venue(*ROWS, decimals={"ETH": 6, "USDC": 2}), repay=1e-16)
    assert (call.repaid, call.more["reserve_fee"]) == (98e-18, 2e-18)
    assert call.seized == 0.0  # 98 / 1,000 / .949697 = .103
    assert quote(venue(*ROWS), repay=1e-16).repaid == pytest.approx(1e-16 / 1.02)
