"""Perpetuals solved by hand: every stage of a call, every published rank, what cannot be called."""

from __future__ import annotations

import math

import pandas as pd
import pytest

import riskgraph as rg
from riskgraph.margin.rules.perp import adl_order
from tests.perpetual_books import COINS, book, holdings_of


def test_a_large_position_is_closed_in_part_first_and_then_whole():
    """Long 10 BTC from 20,300 at 20,000: PnL −3,000, margin 6,200, equity 3,200 of 2 % · 200,000 = 4,000: health 0.8.

    Notional 200,000 > 100,000: 2 BTC are closed first, PnL −600, fee 0.1 % of 40,000 = 40. Equity 3,160 of 3,200,
    health .9875. The second order closes the 8 left: PnL −2,400, fee 160; 6,200 − 3,000 − 200 = 3,000 are left.
    """
    snap = book(
        ("ann", "BTC", "long", 10.0, 20_300.0),
        ("ann", "USDC", "collateral", 6_200.0),
        liquidation_fee=0.001,
        reserve_usd=50.0,
    )
    quote = rg.liquidation_quote(snap, "ann", "hl")
    assert (quote.collateral_asset, quote.debt_asset, quote.seized, quote.seized_usd) == ("BTC", "USDC", 2.0, 40_000.0)
    assert (quote.health_before, quote.health_after) == (0.8, 0.9875)
    assert (quote.fee, quote.fee_usd, quote.bonus_usd, quote.repaid_usd) == (0.002, 40.0, 40.0, 39_960.0)
    assert quote.more["stage"] == "partial" and quote.more["side"] == "long"
    assert quote.more["realised_pnl_usd"] == -600.0

    done = rg.liquidate(snap, "hl", ["ann"] * 3)
    assert done.steps["stage"].tolist() == ["partial", "full", ""]
    assert done.steps["refused"].tolist() == ["", "", "no position"]
    assert done.steps["seized"].tolist() == [2.0, 8.0, 0.0]
    assert holdings_of(done.after) == {("ann", "", "USDC", "collateral"): 3_000.0}
    assert done.after.protocols["reserve_usd"].tolist() == [250.0]
    assert done.after.accounts["partial_orders"].tolist() == [1.0]
    assert rg.health(done.after)["health"].tolist() == [math.inf]


def test_a_position_at_the_bound_is_closed_whole():
    snap = book(("ann", "BTC", "long", 5.0, None), ("ann", "USDC", "collateral", 1_500.0), partial_above_usd=100_000.0)
    assert rg.liquidation_quote(snap, "ann", "hl").more["stage"] == "full"
    smaller = snap.replace(protocols=snap.protocols.assign(partial_above_usd=99_999.0))
    assert rg.liquidation_quote(smaller, "ann", "hl").more["stage"] == "partial"


def test_a_cross_account_closes_its_largest_position_and_keeps_the_other():
    """BTC 20,000 · 2 % + ETH 10,000 · 5 % = 900; margin 1,000, PnL BTC −400, ETH short +200: equity 800.

    The BTC is sold: 800 of 500, healthy, and the short stays with its PnL unrealised: 1,000 − 400 in cash.
    Where ETH is named instead, 10,000 are closed: 1,200 in cash, 800 of 400.
    """
    rows = [
        ("ann", "BTC", "long", 1.0, 20_400.0),
        ("ann", "ETH", "short", 10.0, 1_020.0),
        ("ann", "USDC", "collateral", 1_000.0),
    ]
    done = rg.liquidate(book(*rows), "hl", ["ann", "ann"])
    assert done.steps["collateral_asset"].tolist() == ["BTC", ""]
    assert done.steps["refused"].tolist() == ["", "healthy"]
    assert done.steps["health_after"].tolist() == [1.6, 1.6]
    assert holdings_of(done.after) == {("ann", "", "ETH", "short"): 10.0, ("ann", "", "USDC", "collateral"): 600.0}

    named = rg.liquidate(book(*rows), "hl", ["ann"], collateral_asset="ETH")
    assert named.steps["side"].tolist() == ["short"]
    assert named.steps["health_after"].tolist() == [2.0]
    assert holdings_of(named.after) == {("ann", "", "BTC", "long"): 1.0, ("ann", "", "USDC", "collateral"): 1_200.0}


def test_of_two_equal_positions_the_first_label_and_then_the_long_is_closed():
    rows = [
        ("ann", "ETH", "long", 20.0), ("ann", "BTC", "short", 1.0), ("ann", "BTC", "long", 1.0),
        ("ann", "USDC", "collateral", 1_700.0),
    ]  # fmt: skip
    quote = rg.liquidation_quote(book(*rows), "ann", "hl")
    assert (quote.collateral_asset, quote.more["side"]) == ("BTC", "long")


def test_an_isolated_position_uses_its_own_margin_alone():
    """Bucket x: 1 BTC with 300 of 400: closed, 300 stay there. The cross account, with 20,000, is not touched."""
    snap = book(
        ("ann/x", "BTC", "long", 1.0, None),
        ("ann/x", "USDC", "collateral", 300.0),
        ("ann", "ETH", "long", 1.0, None),
        ("ann", "USDC", "collateral", 20_000.0),
    )
    done = rg.liquidate(snap, "hl", ["ann", "ann"], buckets=["x", ""])
    assert done.steps["stage"].tolist() == ["full", ""]
    assert done.steps["refused"].tolist() == ["", "healthy"]
    before, after = holdings_of(snap), holdings_of(done.after)
    assert before.pop(("ann", "x", "BTC", "long")) == 1.0
    assert before == after


def test_a_cooldown_is_its_owners_in_every_bucket():
    rows = [(f"ann/{bucket}", asset, side, amount) for bucket in "xyz"
            for asset, side, amount in (("BTC", "long", 10.0), ("USDC", "collateral", 3_000.0))]  # fmt: skip
    done = rg.liquidate(book(*rows), "hl", ["ann"] * 3, buckets=["y", "x", "z"])
    assert done.steps["stage"].tolist() == ["partial", "full", "full"]


def test_the_backstop_takes_positions_and_margin():
    """Margin 1,000, BTC 1 from 20,700 (−700), ETH short 1 at 1,000: equity 300 of 400 + 50, under two thirds.

    The venue's own account, long 1 BTC from 18,000 before, then holds 2 from 19,000, and 300 more of margin.
    """
    snap = book(
        ("ann", "BTC", "long", 1.0, 20_700.0),
        ("ann", "ETH", "short", 1.0, 1_000.0),
        ("ann", "USDC", "collateral", 1_000.0),
        ("hl", "BTC", "long", 1.0, 18_000.0),
        ("hl", "USDC", "collateral", 50.0),
        backstop_share=0.7,
    )
    done = rg.liquidate(snap, "hl", ["ann"])
    step = done.steps.iloc[0]
    assert (step["stage"], step["seized_usd"], step["bonus_usd"], step["fee_usd"]) == ("backstop", 21_000, 300, 0)
    assert step["collateral_asset"] == "" and math.isnan(step["seized"])
    assert holdings_of(done.after) == {
        ("hl", "", "BTC", "long"): 2.0,
        ("hl", "", "ETH", "short"): 1.0,
        ("hl", "", "USDC", "collateral"): 350.0,
    }
    entries = done.after.positions.set_index(["account", "asset"])["entry_price"]
    assert entries["hl", "BTC"] == 19_000.0 and entries["hl", "ETH"] == 1_000.0
    assert set(done.movements["why"]) == {"realised PnL", "taken over"}


def test_without_a_backstop_the_order_goes_to_the_market():
    rows = [("ann", "BTC", "long", 1.0, None), ("ann", "USDC", "collateral", 10.0)]
    assert rg.liquidation_quote(book(*rows), "ann", "hl").more["stage"] == "backstop"
    assert rg.liquidation_quote(book(*rows, backstop_share=0.0), "ann", "hl").more["stage"] == "full"
    own = [("hl", *rest) for _, *rest in rows]  # the backstop cannot take over from itself
    assert rg.liquidation_quote(book(*own), "hl", "hl").more["stage"] == "full"


def test_the_fund_pays_a_shortfall_and_nobody_is_deleveraged():
    """Margin 100, 1 BTC from 20,150: worth −50. The fund of 70 pays 50."""
    snap = book(
        ("ann", "BTC", "long", 1.0, 20_150.0), ("ann", "USDC", "collateral", 100.0),
        ("bob", "BTC", "short", 1.0, 20_150.0), ("bob", "USDC", "collateral", 100.0),
        reserve_usd=70.0,
    )  # fmt: skip
    done = rg.liquidate(snap, "hl", ["ann"])
    step = done.steps.iloc[0]
    assert (step["stage"], step["insurance_paid_usd"], step["adl_usd"], step["bad_debt_usd"]) == ("insurance", 50, 0, 0)
    assert done.after.protocols["reserve_usd"].tolist() == [20.0]
    assert holdings_of(done.after) == {("bob", "", "BTC", "short"): 1.0, ("bob", "", "USDC", "collateral"): 100.0}


def test_losses_take_the_settlement_token_first_then_the_largest_and_then_are_owed():
    """Closing the BTC loses 700: 100 USDC, then 500 of ETH (at 1,000); 100 are owed. The short's PnL covers that."""
    snap = book(
        ("ann", "BTC", "long", 1.0, 20_700.0), ("ann", "ETH", "short", 1.0, 1_500.0),
        ("ann", "USDC", "collateral", 100.0), ("ann", "ETH", "collateral", 0.5),
        settlement_asset="USDC",
    )  # fmt: skip
    done = rg.liquidate(snap, "hl", ["ann"], collateral_asset="BTC")
    assert holdings_of(done.after) == {("ann", "", "ETH", "short"): 1.0, ("ann", "", "USDC", "debt"): 100.0}
    named = rg.liquidate(snap, "hl", ["ann"], collateral_asset="ETH")
    assert holdings_of(named.after)["ann", "", "USDC", "collateral"] == 600.0


def test_the_settlement_asset_is_the_largest_collateral_unless_one_is_given():
    rows = [("ann", "BTC", "long", 1.0, 19_950.0), ("ann", "ETH", "collateral", 0.35),
            ("bob", "USDC", "collateral", 349.0)]  # fmt: skip
    assert rg.liquidation_quote(book(*rows), "ann", "hl").debt_asset == "ETH"
    assert rg.liquidation_quote(book(*rows, settlement_asset="USDC"), "ann", "hl").debt_asset == "USDC"
    empty = [(*one[:3], 0.0) if one[2] == "collateral" else one for one in rows]  # of equals, the first label
    assert rg.liquidation_quote(book(*empty), "ann", "hl").debt_asset == "ETH"
    with pytest.raises(rg.InputError, match=r"protocols\.settlement_asset: expected the asset .* no collateral there"):
        rg.liquidation_quote(book(rows[0]), "ann", "hl")
    with pytest.raises(rg.InputError, match="USDC, which is worth nothing, at hl"):
        worthless = COINS.assign(price=[20_000.0, 1_000.0, 0.0])
        rg.liquidation_quote(book(*rows, assets=worthless, settlement_asset="USDC"), "ann", "hl")


def test_calls_that_cannot_be_made_are_named():
    rows = [("ann", "BTC", "long", 1.0, None), ("ann", "USDC", "collateral", 300.0), ("bob", "USDC", "collateral", 1.0)]
    snap = book(*rows)
    for words, match in (
        ({"debt_asset": "USDC"}, "debt_asset: expected none, since a call under rule perp names none"),
        ({"collateral_asset": "USDC"}, "collateral_asset: expected an asset that the account trades, got 'USDC'"),
        ({"repay": 1.0}, r"repay: expected what a call under rule perp can be asked for \(nothing: it takes all\)"),
        ({"liquidator": "bob"}, "liquidator: expected none, since orders under rule perp go to the market"),
    ):
        with pytest.raises(rg.InputError, match=match):
            rg.liquidation_quote(snap, "ann", "hl", **words)
    assert rg.liquidation_quote(snap, "bob", "hl").refused == "no position"
    with pytest.raises(rg.InputError, match=r"markets\.maintenance_margin.*none for ETH at hl"):
        lacking = book(*rows, ("ann", "ETH", "long", 1.0))
        rg.liquidation_quote(lacking.replace(markets=snap.markets[snap.markets["asset"] == "BTC"]), "ann", "hl")
    with pytest.raises(rg.InputError, match=r"collateral_remainder_usd, debt_remainder_usd: expected none .* ann"):
        remainder = pd.DataFrame({"account": ["ann"], "protocol": ["hl"], "collateral_remainder_usd": [5.0]})
        rg.liquidation_quote(snap.replace(accounts=remainder), "ann", "hl")
    for words, match in (
        (("hl", "BTC", "up"), "side: expected one of long, short, got 'up'"),
        (("lh", "BTC", "long"), "protocol: expected one of the snapshot, got 'lh'"),
        (("hl", "BCT", "long"), "asset: expected one of the snapshot, got 'BCT'"),
    ):
        with pytest.raises(rg.InputError, match=match):
            adl_order(snap, *words)
    assert adl_order(snap, "hl", "ETH", "long").empty


def test_calls_one_by_one_through_the_snapshots_they_leave():
    """Ann's order, bob's backstop, cat's ruin (dan and the backstop are deleveraged), ann again: one run or four."""
    snap = book(
        ("ann", "BTC", "long", 10.0, 20_300.0), ("ann", "USDC", "collateral", 6_200.0),
        ("bob", "BTC", "short", 2.0, 19_900.0), ("bob", "USDC", "collateral", 500.0),
        ("cat", "BTC", "long", 6.0, 20_250.0), ("cat", "USDC", "collateral", 500.0),
        ("dan", "BTC", "short", 3.0, 21_000.0), ("dan", "USDC", "collateral", 5_000.0),
        liquidation_fee=0.001, reserve_usd=300.0, settlement_asset="USDC",
    )  # fmt: skip
    whole = rg.liquidate(snap, "hl", ["ann", "bob", "cat", "ann"])
    assert whole.steps["stage"].tolist() == ["partial", "backstop", "adl", "full"]
    closed = whole.movements[whole.movements["why"] == "auto-deleveraged"]
    assert closed["account"].tolist() == ["hl", "dan"]
    one, parts = snap, []
    for account in ("ann", "bob", "cat", "ann"):
        done = rg.liquidate(one, "hl", [account])
        one = done.after
        parts.append(done.steps)
    numbers = [name for name in whole.steps if whole.steps[name].dtype.kind == "f" and name != "call"]
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True)[numbers], whole.steps[numbers], rtol=1e-12)
    assert holdings_of(one) == pytest.approx(holdings_of(whole.after), rel=1e-12)
    assert one.protocols["deficit_usd"].tolist() == pytest.approx(whole.after.protocols["deficit_usd"].tolist())
