"""Morpho Blue solved by hand: the incentive, both ways of asking, shares, loss to lenders at once."""

from __future__ import annotations

import math

import pytest

import riskgraph as rg
from riskgraph.errors import InputError
from tests.pairs import book, left, quote

UNDERFLOW = "arithmetic underflow (asked for more than the position has)"
MARKETS = {"ETH": {"liquidation_threshold": 0.86}}
LIF = 1 / 0.958  # 1 / (1 − .3 · .14)


def market(*rows, markets=MARKETS, **more):
    return book("morpho_blue", *rows, markets=markets, **more)


def test_all_of_the_debt_in_one_call():
    """10 ETH count 8,600 against 9,000; all of it is repaid for 9,000 / .958 / 1,000 = 9.394572 ETH."""
    call = quote(market(("ETH", "collateral", 10.0), ("USDC", "debt", 9_000.0)))
    assert (call.refused, call.repaid, call.fee, call.written_off) == ("", 9_000.0, 0.0, False)
    assert call.seized == pytest.approx(9 * LIF) and call.more["liquidation_incentive_factor"] == pytest.approx(LIF)
    assert (call.health_before, call.health_after) == (pytest.approx(86 / 90), math.inf)


@pytest.mark.parametrize(
    ("lltv", "factor"),
    [(0.385, 1.15), (0.625, 1.12676), (0.77, 1.07411), (0.915, 1.02617), (0.945, 1.01678), (0.98, 1.00604)],
)
def test_the_incentive_follows_from_the_threshold(lltv, factor):
    snap = market(
        ("ETH", "collateral", 10.0), ("USDC", "debt", 9_900.0), markets={"ETH": {"liquidation_threshold": lltv}}
    )
    assert quote(snap).more["liquidation_incentive_factor"] == pytest.approx(factor, abs=5e-6)
    given = market(("ETH", "collateral", 10.0), ("USDC", "debt", 9_900.0),
                   markets={"ETH": {"liquidation_threshold": lltv, "liquidation_bonus": 0.02}})  # fmt: skip
    assert quote(given).more["liquidation_incentive_factor"] == 1.02


def test_debt_beyond_the_collateral_is_taken_from_all_lenders_at_once():
    """10 ETH pay 10,000 · .958 = 9,580 of 9,900; the other 320 come off 16,000 + 4,000 of lenders: 1.6 %."""
    snap = market(("ETH", "collateral", 10.0), ("USDC", "debt", 9_900.0), ("bob", "USDC", "deposit", 16_000.0),
                  ("cat", "USDC", "deposit", 4_000.0), venue={"supply_usd": 20_000.0})  # fmt: skip
    done = rg.liquidate(snap, "p", ["ann"])
    step = done.steps.iloc[0]
    assert (step["seized"], step["repaid"], step["bad_debt"], step["written_off"]) == (10.0, 9_580.0, 320.0, True)
    after = left(done.after)
    assert after["bob", "deposit", "USDC"] == pytest.approx(15_744.0)
    assert after["cat", "deposit", "USDC"] == pytest.approx(3_936.0)
    assert (after["ann", "debt", "USDC"], done.after.protocols["supply_usd"][0]) == (0.0, 19_680.0)


def test_one_unit_of_collateral_keeps_the_loss_unrealised():
    snap = market(("ETH", "collateral", 10.0), ("USDC", "debt", 9_900.0), ("bob", "USDC", "deposit", 20_000.0))
    done = rg.liquidate(snap, "p", ["ann"], seize=9.5)  # 9,500 · .958 = 9,101
    assert done.steps[["repaid", "bad_debt", "written_off"]].values.tolist() == [[9_101.0, 0.0, False]]
    assert left(done.after)["ann", "debt", "USDC"] == 799.0
    assert left(done.after)["bob", "deposit", "USDC"] == 20_000.0


def test_ways_of_asking_and_refusals():
    snap = market(("ETH", "collateral", 10.0), ("USDC", "debt", 9_000.0))
    assert quote(snap, seize=1.0).repaid == 958.0
    by_debt, by_shares = quote(snap, repay=958.0), quote(snap, repay_shares=958.0)  # one share a unit
    assert (by_debt.seized, by_shares.seized) == (1.0, 1.0)
    assert quote(snap, repay=9_000.0).repaid == quote(snap, repay_shares=9_000.0).repaid == 9_000.0
    for more in ({"repay": 9_001.0}, {"repay_shares": 9_001.0}, {"seize": 9.4}, {"seize": 11.0}):
        assert quote(snap, **more).refused == UNDERFLOW
    for zero in ({"repay": 0.0}, {"repay_shares": 0.0}, {"seize": 0.0}):
        assert quote(snap, **zero).refused == "inconsistent input"
    at_one = market(("ETH", "collateral", 10.0), ("USDC", "debt", 8_600.0))
    assert (quote(at_one).health_before, quote(at_one).refused) == (1.0, "healthy position")
    assert quote(market(("USDC", "debt", 5.0))).refused == "inconsistent input"  # nothing to seize
    with pytest.raises(InputError, match="repay, seize: expected one of them, got both"):
        quote(snap, repay=1.0, seize=1.0)


TOTALS = {"total_supply_assets": 150.0, "total_borrow_assets": 100.0, "total_borrow_shares": 90e6}
WHOLE = {
    "decimals": {"ETH": 0, "USDC": 0},
    "prices": {"ETH": 2.0},
    "markets": {"ETH": {"liquidation_threshold": 0.8}},
    "venue": TOTALS,
}


def test_shares_round_for_the_pool():
    """101 units against 91e6 shares, virtual ones included: 50e6 shares are 55.49, 56 units; 30 at 2 count 48.

    Seizing 10: 20 / 1.06383 = 18.8, 19 units are 17,118,811.9, one more share; they are worth 19.0000002, 20 units.
    Then 81 against 73,881,188: the other 32,881,188 shares are 36.05, 37 units.
    """
    rows = (("ETH", "collateral", 30.0), ("USDC", "debt", 56.0), ("bob", "USDC", "deposit", 150.0))
    snap = market(*rows, accounts={"ann": {"borrow_shares": 50e6}}, **WHOLE)
    done = rg.liquidate(snap, "p", ["ann"], seize=10.0)
    step = done.steps.iloc[0]
    assert (step["repaid"], step["repaid_shares"], step["seized"]) == (20.0, 17_118_812.0, 10.0)
    after, totals = left(done.after), done.after.protocols.iloc[0]
    assert after["ann", "debt", "USDC"] == 37.0
    assert done.after.accounts["borrow_shares"].tolist() == [32_881_188.0]
    assert [totals[name] for name in TOTALS] == [150.0, 80.0, 72_881_188.0]
    # all 30: 60 / 1.06383 = 56.4, 57 units are more shares than there are; by shares 55 · 1.06383 / 2 = 29.25, 29
    assert quote(snap, seize=30.0).refused == UNDERFLOW
    assert (quote(snap).seized, quote(snap).repaid) == (29.0, 56.0)


def test_bad_debt_leaves_totals_and_shares():
    """20 at 2 pay 40 / 1.06383 = 37.6, 38 units: 34,237,624 shares for 39 units; 15,762,376 are left, 62 : 56,762,376
    a share, 17.22, 18 units that 150 of lenders' claims bear."""
    rows = (("ETH", "collateral", 20.0), ("USDC", "debt", 56.0), ("bob", "USDC", "deposit", 150.0))
    done = rg.liquidate(market(*rows, accounts={"ann": {"borrow_shares": 50e6}}, **WHOLE), "p", ["ann"])
    step = done.steps.iloc[0]
    assert (step["seized"], step["repaid"], step["repaid_shares"]) == (20.0, 39.0, 34_237_624.0)
    assert (step["bad_debt"], step["bad_debt_shares"], step["written_off"]) == (18.0, 15_762_376.0, True)
    totals = done.after.protocols.iloc[0]
    assert [totals[name] for name in TOTALS] == [132.0, 43.0, 40e6]
    assert (left(done.after)["bob", "deposit", "USDC"], left(done.after)["ann", "debt", "USDC"]) == (132.0, 0.0)
    assert done.after.accounts["borrow_shares"].tolist() == [0.0]


def test_each_call_meets_the_totals_that_the_last_one_left():
    rows = [(who, *row) for who in ("ann", "eve") for row in (("ETH", "collateral", 20.0), ("USDC", "debt", 50.0))]
    shares = {"ann": {"borrow_shares": 45e6}, "eve": {"borrow_shares": 45e6}}
    done = rg.liquidate(market(*rows, accounts=shares, **WHOLE), "p", ["ann", "eve"], repay_shares=30e6)
    one = quote(done.before, "ann", repay_shares=30e6)
    two = rg.liquidate(done.before, "p", ["ann"], repay_shares=30e6).after
    assert done.steps["repaid"].tolist() == [one.repaid, quote(two, "eve", repay_shares=30e6).repaid]
    assert done.after.protocols["total_borrow_shares"].tolist() == [30e6]


def test_worthless_collateral_goes_for_nothing_and_worthless_debt_is_healthy():
    rows = (("ETH", "collateral", 2.0), ("USDC", "debt", 6.0), ("bob", "USDC", "deposit", 10.0))
    done = rg.liquidate(market(*rows, prices={"ETH": 0.0}), "p", ["ann"])
    assert done.steps[["repaid", "seized", "bad_debt"]].values.tolist() == [[0.0, 2.0, 6.0]]
    assert left(done.after)["bob", "deposit", "USDC"] == 4.0
    assert quote(market(*rows, prices={"ETH": 0.0}), repay_shares=1.0).refused == UNDERFLOW
    assert quote(market(*rows, prices={"USDC": 0.0})).refused == "healthy position"


def test_totals_and_shares_that_do_not_belong_together_are_named():
    rows = (("ETH", "collateral", 20.0), ("USDC", "debt", 56.0))
    with pytest.raises(InputError, match=r"accounts.borrow_shares: expected shares that are worth .* others for ann"):
        quote(market(*rows, accounts={"ann": {"borrow_shares": 70e6}}, **WHOLE))
    lone = {**WHOLE, "venue": {"total_borrow_shares": 90e6}}
    with pytest.raises(InputError, match=r"expected both or neither, got only total_borrow_shares for p"):
        quote(market(*rows, **lone))
    with pytest.raises(InputError, match=r"total_borrow_assets: expected at least the 159 units .* got 100 at p"):
        quote(market(*rows, ("eve", "USDC", "debt", 103.0), **WHOLE))
    with pytest.raises(InputError, match=r"total_borrow_assets: expected one loan token .* got DAI, USDC at p"):
        quote(market(*rows, ("bob", "DAI", "debt", 1.0), **WHOLE))
