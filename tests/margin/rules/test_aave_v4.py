"""Aave v4 solved by hand: target health, growing bonus, dust on either side, premium and shares, deficit."""

from __future__ import annotations

import math

import pytest

import riskgraph as rg
from riskgraph.errors import InputError
from tests.pairs import book, left, quote

VENUE = {"target_health_factor": 1.0, "health_factor_for_max_bonus": 0.8, "liquidation_bonus_factor": 0.5}
TERMS = {"liquidation_threshold": 0.8, "liquidation_bonus": 0.05, "protocol_fee": 0.1}
MARKETS = {"ETH": TERMS, "BTC": TERMS}


def spoke(*rows, venue=VENUE, **more):
    return book("aave_v4", *rows, venue=venue, markets=more.pop("markets", MARKETS), **more)


def test_repays_to_the_target_with_a_bonus_in_whole_basis_points():
    """10 ETH count 8,000 against 8,500: health 16/17.

    Bonus: 2.5 % + 2.5 % · (1/17) / .2 = 3.235294 %, 3.23 % in whole basis points. To a health of 1: 8,500 · (1 − 16/17)
    = 500, over 1 − 1.0323 · .8 = .17416: 2,870.923289 for 2.963654 ETH; a tenth of the bonus is the fee.
    """
    call = quote(spoke(("ETH", "collateral", 10.0), ("USDC", "debt", 8_500.0)))
    repaid = 500 / 0.17416
    assert call.refused == "" and call.more["liquidation_bonus"] == 0.0323
    assert call.repaid == pytest.approx(repaid, rel=1e-14)
    assert call.seized == pytest.approx(repaid * 1.0323 / 1_000, rel=1e-14)
    assert call.fee == pytest.approx(repaid * 0.0323 / 1_000 / 10, rel=1e-13)
    assert (call.health_before, call.health_after) == pytest.approx((16 / 17, 1.0), rel=1e-14)


def test_the_bonus_stops_growing_where_health_is_low():
    """Health .8 and below earn 5 %; the target 1.1 needs (1.1 − .8) · 10,000 / (1.1 − .84) = 11,538, all 10,000."""
    snap = spoke(("ETH", "collateral", 10.0), ("USDC", "debt", 10_000.0), venue={**VENUE, "target_health_factor": 1.1})
    call = quote(snap)
    assert (call.more["liquidation_bonus"], call.seized) == (0.05, 10.0)
    assert call.repaid == pytest.approx(10_000 / 1.05)
    assert (call.written_off, call.health_after) == (True, math.inf)


def test_a_debt_left_as_dust_is_taken_whole_or_refused():
    """1.3 ETH count 1,040 against 1,050. 2.5 % + 2.5 % · .0095238 / .2 = 2.61 %; 10 / (1 − 1.0261 · .8) = 55.8 would
    leave 994: all 1,050 are taken for 1.077405 ETH, and 60 dollars are too few."""
    snap = spoke(("ETH", "collateral", 1.3), ("USDC", "debt", 1_050.0))
    call = quote(snap)
    assert (call.repaid, call.seized, call.health_after) == (1_050.0, pytest.approx(1.05 * 1.0261), math.inf)
    assert quote(snap, repay=60.0).refused == "MustNotLeaveDust"
    assert quote(snap, repay=1_050.0).repaid == 1_050.0


def test_collateral_left_as_dust_is_taken_whole_or_refused():
    """1.5 ETH against 2,500: 1,000 dollars would take 1.05 ETH and leave 450 dollars of it; all of it pays 1,428.57.

    The 1,071.43 that nothing is left for become a deficit, which no lender bears.
    """
    snap = spoke(("ETH", "collateral", 1.5), ("USDC", "debt", 2_500.0), ("bob", "USDC", "deposit", 9_000.0))
    assert quote(snap, repay=1_000.0).refused == "MustNotLeaveDust"
    call = quote(snap, repay=1_450.0)  # the least that clears the collateral
    assert (call.seized, call.repaid, call.written_off) == (1.5, pytest.approx(1_500 / 1.05), True)
    done = rg.liquidate(snap, "p", ["ann"])
    assert done.after.protocols["deficit_usd"][0] == pytest.approx(2_500 - 1_500 / 1.05)
    assert (left(done.after)["ann", "debt", "USDC"], left(done.after)["bob", "deposit", "USDC"]) == (0.0, 9_000.0)


def test_no_deficit_while_other_collateral_is_active():
    rows = (("ETH", "collateral", 1.5), ("BTC", "collateral", 0.001), ("USDC", "debt", 2_500.0))
    call = quote(spoke(*rows), collateral_asset="ETH")
    assert (call.seized, call.written_off, call.bad_debt) == (1.5, False, 0.0)
    dead = quote(spoke(*rows, prices={"BTC": 0.0}), collateral_asset="ETH")  # worth nothing, but still active
    assert (dead.seized, dead.written_off, dead.bad_debt > 0.0) == (1.5, False, True)


def test_premium_first_then_whole_drawn_shares():
    """105 dollars: a premium of 5 and 100 / 1.1 = 90.909091 shares. Of 10 dollars 5 repay the premium and 5 / 1.1 =
    4.545454 whole shares, worth 4.9999994: 5 are paid for them, and 95.0000006 stay owed."""
    markets = {"ETH": TERMS, "USDC": {"drawn_index": 1.1}}
    snap = spoke(("ETH", "collateral", 0.125), ("USDC", "debt", 105.0), venue={**VENUE, "min_leftover_base": 0.0},
                 markets=markets, decimals={"ETH": 18, "USDC": 6}, accounts={"ann": {"premium": 5.0}})  # fmt: skip
    call = quote(snap, repay=10.0)
    assert (call.repaid, call.more["premium_liquidated"]) == (10.0, 5.0)
    assert call.more["drawn_shares_liquidated"] == 4_545_454.0
    done = rg.liquidate(snap, "p", ["ann", "ann"], repay=[3.0, 4.0])
    assert done.steps["premium_liquidated"].tolist() == [3.0, 2.0]  # what is left of 5
    assert done.after.accounts["premium"].tolist() == [0.0]
    assert left(done.after)["ann", "debt", "USDC"] == pytest.approx(98.0, abs=2e-6)
    with pytest.raises(InputError, match=r"accounts.premium: expected at most what the account owes, got more for ann"):
        quote(spoke(("ETH", "collateral", 0.1), ("USDC", "debt", 105.0), accounts={"ann": {"premium": 106.0}}))


def test_worthless_collateral_goes_for_nothing_and_worthless_debt_is_no_debt():
    rows = (("ETH", "collateral", 2.0), ("USDC", "debt", 6_000.0))
    gone = quote(spoke(*rows, prices={"ETH": 0.0}))
    assert (gone.refused, gone.repaid, gone.seized, gone.written_off, gone.bad_debt) == ("", 0.0, 2.0, True, 6_000.0)
    assert quote(spoke(*rows, prices={"USDC": 0.0})).refused == "HealthFactorNotBelowThreshold"


def test_refusals_in_the_contracts_order():
    at_one = spoke(("ETH", "collateral", 2.0), ("USDC", "debt", 1_600.0))
    assert (quote(at_one).health_before, quote(at_one).refused) == (1.0, "HealthFactorNotBelowThreshold")
    assert quote(at_one, repay=0.0).refused == "InvalidDebtToCover"
    assert quote(at_one, liquidator="ann").refused == "SelfLiquidation"
    assert quote(spoke(("USDC", "debt", 1.0))).refused == "ReserveNotSupplied"
    assert quote(spoke(("ETH", "collateral", 1.0))).refused == "ReserveNotBorrowed"
    off = {"ETH": {**TERMS, "liquidation_threshold": 0.0}}
    assert quote(spoke(("ETH", "collateral", 1.0), ("USDC", "debt", 1.0), markets=off)).refused == (
        "ReserveNotEnabledAsCollateral"
    )


def test_the_target_and_the_bonus_curve_must_be_given():
    for name in VENUE:
        bare = {key: value for key, value in VENUE.items() if key != name}
        with pytest.raises(InputError, match=rf"protocols.{name}: expected a value \(rule aave_v4"):
            quote(spoke(("ETH", "collateral", 1.0), ("USDC", "debt", 900.0), venue=bare))
