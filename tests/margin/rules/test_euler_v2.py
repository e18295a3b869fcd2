"""Euler v2 solved by hand: the bonus is what health lacks, the debt is taken over, lenders bear the rest."""

from __future__ import annotations

import pytest

import riskgraph as rg
from riskgraph.errors import InputError
from tests.pairs import book, left, quote

TERMS = {"liquidation_threshold": 0.85}
MARKETS = {"ETH": TERMS, "BTC": TERMS}
VENUE = {"max_liquidation_discount": 0.15}


def vault(*rows, venue=None, **more):
    return book("euler_v2", *rows, venue={**VENUE, **(venue or {})}, markets=more.pop("markets", MARKETS), **more)


def test_the_discount_is_what_health_lacks_and_a_smaller_request_takes_pro_rata():
    """10 ETH count 8,500 against 8,750, health 34/35: all of it is repaid for 8,750 · 35/34 / 1,000 = 9.007353 ETH."""
    snap = vault(("ETH", "collateral", 10.0), ("USDC", "debt", 8_750.0))
    most = quote(snap)
    assert (most.refused, most.repaid, most.fee, most.written_off) == ("", 8_750.0, 0.0, False)
    assert (most.seized, most.health_before) == pytest.approx((8.75 * 35 / 34, 34 / 35), rel=1e-14)
    half = quote(snap, repay=4_375.0)
    assert (half.repaid, half.seized) == (4_375.0, pytest.approx(most.seized / 2, rel=1e-14))
    assert quote(snap, repay=8_750.01).refused == "E_ExcessiveRepayAmount"


def test_where_no_whole_unit_can_be_repaid_nothing_asked_is_all_and_takes_all():
    """1 USD of ETH buys .85 USD of a debt whose smallest unit is worth 20,000: 0 units, for all of the ETH."""
    rows = (("ETH", "collateral", 0.001), ("BTC", "debt", 1.0))
    snap = vault(*rows, decimals={"BTC": 0, "ETH": 18})
    for asked in ({}, {"repay": 0.0}):
        call = quote(snap, **asked)
        assert (call.refused, call.repaid, call.seized) == ("", 0.0, 0.001)


def test_a_health_of_exactly_one_is_a_violation_without_a_bonus():
    call = quote(vault(("ETH", "collateral", 10.0), ("USDC", "debt", 8_500.0)))
    assert (call.health_before, call.liquidatable, call.repaid, call.seized) == (1.0, True, 8_500.0, 8.5)


def test_the_largest_discount_and_bad_debt_that_lenders_share():
    """At 12,000 health is .708, the discount 15 %: 10 ETH for 8,500. Of 3,500 left three quarters are bob's."""
    rows = (("ETH", "collateral", 10.0), ("USDC", "debt", 12_000.0))
    lenders = (("bob", "USDC", "deposit", 15_000.0), ("cat", "USDC", "deposit", 5_000.0))
    done = rg.liquidate(vault(*rows, *lenders), "p", ["ann"])
    step = done.steps.iloc[0]
    assert (step["repaid"], step["seized"], step["bad_debt"], step["written_off"]) == (8_500.0, 10.0, 3_500.0, True)
    after = left(done.after)
    assert after["bob", "deposit", "USDC"] == 15_000.0 - 2_625.0
    assert after["cat", "deposit", "USDC"] == 5_000.0 - 875.0
    assert after["ann", "debt", "USDC"] == 0.0


@pytest.mark.parametrize(
    ("more", "venue"),
    [
        ((), {"socialise_debt": False}),
        ((), {"min_socialisation_value": 12_001.0}),
        ((("BTC", "collateral", 1e-9),), {}),  # any balance of any collateral, whatever it is worth
    ],
)
def test_bad_debt_stays_where_the_vault_does_not_share_it(more, venue):
    rows = (("ETH", "collateral", 10.0), ("USDC", "debt", 12_000.0), ("bob", "USDC", "deposit", 20_000.0))
    done = rg.liquidate(vault(*rows, *more, venue=venue, prices={"BTC": 0.0}), "p", ["ann"], collateral_asset="ETH")
    assert done.steps[["seized", "bad_debt", "written_off"]].values.tolist() == [[10.0, 3_500.0, False]]
    assert left(done.after)["ann", "debt", "USDC"] == 3_500.0
    assert left(done.after)["bob", "deposit", "USDC"] == 20_000.0


def test_the_liquidator_takes_debt_and_collateral_over():
    rows = (("ETH", "collateral", 10.0), ("USDC", "debt", 8_500.0), ("liz", "ETH", "collateral", 5.0))
    done = rg.liquidate(vault(*rows), "p", ["ann"], liquidator="liz")
    assert left(done.after) == {
        ("ann", "collateral", "ETH"): 1.5,
        ("ann", "debt", "USDC"): 0.0,
        ("liz", "collateral", "ETH"): 13.5,
        ("liz", "debt", "USDC"): 8_500.0,
    }
    assert quote(vault(*rows), liquidator="ann").refused == "E_SelfLiquidation"
    both = vault(*rows, ("liz", "USDC", "debt", 4_900.0))
    with pytest.raises(InputError, match="liquidator: expected an account that is not called in the same request"):
        rg.liquidate(both, "p", ["ann", "liz"], liquidator="liz")


def test_a_healthy_account_is_left_alone_and_any_request_is_excessive():
    healthy = vault(("ETH", "collateral", 10.0), ("USDC", "debt", 8_499.0))
    call = quote(healthy)
    assert (call.refused, call.liquidatable, call.repaid, call.seized) == ("", False, 0.0, 0.0)
    assert quote(healthy, repay=0.000001).refused == "E_ExcessiveRepayAmount"


def test_worthless_collateral_is_handed_over_for_nothing_and_worthless_debt_is_none():
    rows = (("ETH", "collateral", 2.0), ("USDC", "debt", 6.0), ("bob", "USDC", "deposit", 10.0))
    snap = vault(*rows, prices={"ETH": 0.0})
    done = rg.liquidate(snap, "p", ["ann"])
    assert done.steps[["repaid", "seized", "bad_debt", "written_off"]].values.tolist() == [[0.0, 2.0, 6.0, True]]
    assert left(done.after)["bob", "deposit", "USDC"] == 4.0
    assert quote(snap, repay=1.0).refused == "E_ExcessiveRepayAmount"
    free = quote(vault(*rows, prices={"USDC": 0.0}))
    assert (free.refused, free.liquidatable, free.seized) == ("", False, 0.0)


def test_amounts_are_cut_to_whole_units():
    """1 ETH counts 850 against 900.0000009 of 6 digits: health 850/900, 900 · 18/17 = 952.94 dollars of ETH, cut."""
    unit = {"decimals": {"ETH": 3, "USDC": 6}}
    call = quote(vault(("ETH", "collateral", 1.0), ("USDC", "debt", 900.0), **unit))
    assert (call.repaid, call.seized) == (900.0, 0.952)
    part = quote(vault(("ETH", "collateral", 1.0), ("USDC", "debt", 900.0), **unit), repay=450.0)
    assert part.seized == 0.476
