"""Perpetuals: solved by hand, then every stage against an account-at-a-time oracle, then what must always hold."""

from __future__ import annotations

import copy
import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import riskgraph as rg
from riskgraph.margin.ledger import Request
from riskgraph.margin.rules.perp import Perp, adl_order
from tests.naive.perpetuals import ranked
from tests.perpetual_books import holdings, snapshot_of, venues

ASSETS = pd.DataFrame({"asset": ["BTC", "ETH", "USDC"], "price": [20_000.0, 1_000.0, 1.0]})
NUMBERS = ("seized_usd", "realised_pnl_usd", "fee_usd", "bonus_usd", "bad_debt_usd", "insurance_paid_usd", "adl_usd",
           "adl_closed_usd")  # fmt: skip


def book(*rows, assets=ASSETS, margins=(0.02, 0.05), **terms):
    """Rows: account (or account/bucket), asset, side, amount, entry price; maintenance 2 % for BTC, 5 % for ETH."""
    filled = [(*name.split("/"), "")[:2] + (*rest, None)[:4] for name, *rest in rows]
    frame = pd.DataFrame(filled, columns=["account", "bucket", "asset", "side", "amount", "entry_price"])
    return rg.Snapshot(
        positions=frame.assign(protocol="hl").astype({"entry_price": float}),
        assets=assets,
        protocols=pd.DataFrame([{"protocol": "hl", "rule": "perp", **terms}]),
        markets=pd.DataFrame({"protocol": "hl", "asset": ["BTC", "ETH"], "maintenance_margin": margins}),
    )


def amounts(snap):
    rows = snap.positions
    keys = zip(rows["account"], rows["bucket"], rows["asset"], rows["side"], strict=True)
    return {key: amount for key, amount in zip(keys, rows["amount"], strict=True) if amount}


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
    assert amounts(done.after) == {("ann", "", "USDC", "collateral"): 3_000.0}
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
    assert amounts(done.after) == {("ann", "", "ETH", "short"): 10.0, ("ann", "", "USDC", "collateral"): 600.0}

    named = rg.liquidate(book(*rows), "hl", ["ann"], collateral_asset="ETH")
    assert named.steps["side"].tolist() == ["short"]
    assert named.steps["health_after"].tolist() == [2.0]
    assert amounts(named.after) == {("ann", "", "BTC", "long"): 1.0, ("ann", "", "USDC", "collateral"): 1_200.0}


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
    before, after = amounts(snap), amounts(done.after)
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
    assert amounts(done.after) == {
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
    assert amounts(done.after) == {("bob", "", "BTC", "short"): 1.0, ("bob", "", "USDC", "collateral"): 100.0}


def test_three_counterparties_pay_in_the_order_of_their_ranks():
    """Ann is long 6 BTC from 20,200 with 300 of margin: worth −900. The fund has 300, so that 600 are missing, 100 a
    BTC: the bankruptcy price is 20,100. Shorts, entry ÷ mark · notional ÷ account value:

    - cat: 2 from 22,000, margin 1,000, worth 5,000:  1.1  · 40,000 / 5,000  = 8.8
    - bob: 3 from 21,000, margin 5,000, worth 8,000:  1.05 · 60,000 / 8,000  = 7.875
    - dan: 4 from 24,000, margin 4,000, worth 20,000: 1.2  · 80,000 / 20,000 = 4.8
    - eve is long, and fay, short with nothing left, has no account to pay from.

    Cat is closed (2), then bob (3), and dan for 1: they pay 200, 300 and 100.
    """
    snap = book(
        ("ann", "BTC", "long", 6.0, 20_200.0), ("ann", "USDC", "collateral", 300.0),
        ("bob", "BTC", "short", 3.0, 21_000.0), ("bob", "USDC", "collateral", 5_000.0),
        ("cat", "BTC", "short", 2.0, 22_000.0), ("cat", "USDC", "collateral", 1_000.0),
        ("dan", "BTC", "short", 4.0, 24_000.0), ("dan", "USDC", "collateral", 4_000.0),
        ("eve", "BTC", "long", 3.0, 10_000.0), ("eve", "USDC", "collateral", 10.0),
        ("fay", "BTC", "short", 1.0, 19_000.0), ("fay", "USDC", "collateral", 900.0),
        reserve_usd=300.0,
    )  # fmt: skip
    order = adl_order(snap, "hl", "BTC", "short")
    assert order["account"].tolist() == ["cat", "bob", "dan"]
    assert order["score"].tolist() == pytest.approx([8.8, 7.875, 4.8], rel=1e-14)

    done = rg.liquidate(snap, "hl", ["ann"])
    step = done.steps.iloc[0]
    assert (step["stage"], step["insurance_paid_usd"], step["adl_usd"], step["bad_debt_usd"]) == ("adl", 300, 600, 0)
    assert step["adl_closed_usd"] == 120_000.0
    closed = done.movements[done.movements["why"] == "auto-deleveraged"].set_index("account")["amount"]
    assert closed.to_dict() == {"cat": -2.0, "bob": -3.0, "dan": -1.0} and closed.index.tolist() == [
        "cat",
        "bob",
        "dan",
    ]
    after = amounts(done.after)
    assert after["cat", "", "USDC", "collateral"] == 1_000 + 2 * (22_000 - 20_100)
    assert after["bob", "", "USDC", "collateral"] == 5_000 + 3 * (21_000 - 20_100)
    assert after["dan", "", "USDC", "collateral"] == 4_000 + 1 * (24_000 - 20_100)
    assert after["dan", "", "BTC", "short"] == 3.0
    assert not any(key[0] == "ann" for key in after)
    assert done.after.protocols["reserve_usd"].tolist() == [0.0]


def test_what_counterparties_cannot_pay_is_bad_debt():
    """Ann, short 2 BTC from 19,000 with 1,000 of margin, is worth −1,000. Bob, long 1, could pay 500, and is worth 200;
    the other BTC finds nobody. 800 are left as a deficit, on top of the 5 that stood."""
    snap = book(
        ("ann", "BTC", "short", 2.0, 19_000.0), ("ann", "USDC", "collateral", 1_000.0),
        ("bob", "BTC", "long", 1.0, None), ("bob", "USDC", "collateral", 200.0),
        deficit_usd=5.0,
    )  # fmt: skip
    done = rg.liquidate(snap, "hl", ["ann"])
    step = done.steps.iloc[0]
    assert (step["adl_usd"], step["bad_debt_usd"], step["adl_closed_usd"]) == (200.0, 800.0, 20_000.0)
    assert step["written_off"] and step["bad_debt"] == 800.0
    assert done.after.protocols["deficit_usd"].tolist() == [805.0]
    assert amounts(done.after) == {}


def test_the_shortfall_is_shared_by_maintenance_margin():
    """Ann is worth −90: BTC asks 400 and ETH 50 of margin, so that 80 fall on BTC, where bob is, and 10 on ETH."""
    snap = book(
        ("ann", "BTC", "long", 1.0, 20_190.0), ("ann", "ETH", "long", 1.0, None), ("ann", "USDC", "collateral", 100.0),
        ("bob", "BTC", "short", 9.0, None), ("bob", "USDC", "collateral", 1_000.0),
    )  # fmt: skip
    step = rg.liquidate(snap, "hl", ["ann"]).steps.iloc[0]
    assert (step["adl_usd"], step["bad_debt_usd"]) == (80.0, 10.0)


@pytest.mark.parametrize(
    ("form", "scores"),
    [
        ("hyperliquid", {"ann": 1.25 * 100 / 50, "bob": 100 / 40, "cat": 100 / 110 * 100 / 20}),
        ("binance", {"ann": 20 / 30 * (5 / 50), "bob": 0.0, "cat": 0.0}),
        ("okx", {"ann": 0.25 / (50 / 5), "bob": 0.0, "cat": -(10 / 110) * (20 / 5)}),
        ("bitmex", {"ann": 0.25 * (100 / 50), "bob": 0.0, "cat": -(10 / 110) / (100 / 20)}),
    ],
)
def test_every_published_rank(form, scores):
    """Longs of 1 at 100, 5 % of maintenance: ann from 80, worth 50; bob from nobody knows where, worth 40; cat from
    110, worth 20. Of equals, the first label is first."""
    snap = book(
        ("ann", "BTC", "long", 1.0, 80.0), ("ann", "USDC", "collateral", 30.0),
        ("bob", "BTC", "long", 1.0, None), ("bob", "USDC", "collateral", 40.0),
        ("cat", "BTC", "long", 1.0, 110.0), ("cat", "USDC", "collateral", 30.0),
        assets=ASSETS.assign(price=[100.0, 1_000.0, 1.0]), margins=(0.05, 0.05), adl_rank=form,
    )  # fmt: skip
    order = adl_order(snap, "hl", "BTC", "long")
    assert dict(zip(order["account"], order["score"], strict=True)) == pytest.approx(scores, rel=1e-14)
    assert order["account"].tolist() == sorted(scores, key=lambda name: (-scores[name], name))


def test_losses_take_the_settlement_token_first_then_the_largest_and_then_are_owed():
    """Closing the BTC loses 700: 100 USDC, then 500 of ETH (at 1,000); 100 are owed. The short's PnL covers that."""
    snap = book(
        ("ann", "BTC", "long", 1.0, 20_700.0), ("ann", "ETH", "short", 1.0, 1_500.0),
        ("ann", "USDC", "collateral", 100.0), ("ann", "ETH", "collateral", 0.5),
        settlement_asset="USDC",
    )  # fmt: skip
    done = rg.liquidate(snap, "hl", ["ann"], collateral_asset="BTC")
    assert amounts(done.after) == {("ann", "", "ETH", "short"): 1.0, ("ann", "", "USDC", "debt"): 100.0}
    named = rg.liquidate(snap, "hl", ["ann"], collateral_asset="ETH")
    assert amounts(named.after)["ann", "", "USDC", "collateral"] == 600.0


def test_the_settlement_asset_is_the_largest_collateral_unless_one_is_given():
    rows = [("ann", "BTC", "long", 1.0, 19_950.0), ("ann", "ETH", "collateral", 0.35),
            ("bob", "USDC", "collateral", 349.0)]  # fmt: skip
    assert rg.liquidation_quote(book(*rows), "ann", "hl").debt_asset == "ETH"
    assert rg.liquidation_quote(book(*rows, settlement_asset="USDC"), "ann", "hl").debt_asset == "USDC"
    with pytest.raises(rg.InputError, match=r"protocols\.settlement_asset: expected the asset .* no collateral there"):
        rg.liquidation_quote(book(rows[0]), "ann", "hl")
    with pytest.raises(rg.InputError, match="USDC, which is worth nothing, at hl"):
        worthless = ASSETS.assign(price=[20_000.0, 1_000.0, 0.0])
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


# -- against the oracle ------------------------------------------------------------------------------------------------


def check_step(step, told, venue):
    assert (step["refused"], step["stage"]) == (told["refused"], told["stage"])
    assert step["health_before"] == pytest.approx(told["health_before"], rel=1e-12)
    assert step["health_after"] == pytest.approx(told["health_after"], rel=1e-12)
    for name in NUMBERS:
        assert step[name] == pytest.approx(float(told[name]), rel=1e-12), name
    if "seized" in told:
        assert (step["collateral_asset"], step["side"]) == (told["asset"], told["side"])
        assert step["seized"] == pytest.approx(float(told["seized"]), rel=1e-12)


CALLS = st.lists(st.integers(0, 4), min_size=1, max_size=5)


def keys_of(venue, picks):
    keys = list(venue.accounts)
    return [keys[at % len(keys)] for at in picks]


@settings(max_examples=60, deadline=None)
@given(venues(), CALLS)
def test_every_call_does_what_the_oracle_does(venue, picks):
    snap, calls = snapshot_of(venue), keys_of(venue, picks)
    done = rg.liquidate(snap, "hl", [owner for owner, _ in calls], buckets=[bucket for _, bucket in calls])
    told = [venue.call(*key) for key in calls]
    for (_, step), one in zip(done.steps.iterrows(), told, strict=True):
        check_step(step, one, venue)
    assert amounts(done.after) == pytest.approx(holdings(venue), rel=1e-12, abs=0.0)
    assert done.after.protocols["reserve_usd"].item() == pytest.approx(float(venue.fund), rel=1e-12)
    assert done.after.protocols["deficit_usd"].item() == pytest.approx(float(venue.deficit), rel=1e-12)


@settings(max_examples=40, deadline=None)
@given(venues(), st.sampled_from(["AAA", "BBB"]), st.sampled_from(["long", "short"]))
def test_the_order_of_deleveraging_is_the_oracles(venue, asset, side):
    expected = ranked(venue, asset, side)
    found = adl_order(snapshot_of(venue), "hl", asset, side)
    scores = [float(score) for _, _, score in expected]
    assert found["score"].tolist() == pytest.approx(scores, rel=1e-12)
    places = [(account.owner, account.bucket) for account, _, _ in expected]
    assert list(zip(found["account"], found["bucket"], strict=True)) == places


@settings(max_examples=20, deadline=None)
@given(venues(), st.sampled_from(["AAA", "BBB", "CCC"]))
def test_a_named_position_is_the_one_that_is_closed(venue, asset):
    snap, before = snapshot_of(venue), copy.deepcopy(venue)
    for (owner, bucket), account in before.accounts.items():
        if any(one.asset == asset for one in account.positions):
            done = rg.liquidate(snap, "hl", [owner, owner], buckets=[bucket] * 2, collateral_asset=asset)
            here = copy.deepcopy(before)
            for _, step in done.steps.iterrows():
                check_step(step, here.call(owner, bucket, asset), here)


# -- what always holds -------------------------------------------------------------------------------------------------


def wealth(snap, marks):
    """Σ value of all accounts + fund − deficit, and the gross size of what is in it."""
    rows = snap.positions
    price = rows["asset"].astype(object).map({asset: float(mark) for asset, mark in marks.items()})
    side = rows["side"].astype(object)
    cash = side.map({"collateral": 1.0, "debt": -1.0}).fillna(0.0) * rows["amount"] * price
    turn = side.map({"long": 1.0, "short": -1.0}).fillna(0.0)
    pnl = (rows["amount"] * turn * (price - rows["entry_price"])).fillna(0.0)
    fund, deficit = snap.protocols[["reserve_usd", "deficit_usd"]].to_numpy()[0]
    gross = (rows["amount"] * (price + rows["entry_price"].fillna(0.0))).sum() + fund + deficit
    return cash.sum() + pnl.sum() + fund - deficit, gross


@settings(max_examples=60, deadline=None)
@given(venues(), CALLS)
def test_no_call_makes_or_loses_money(venue, picks):
    snap, calls, before = snapshot_of(venue), keys_of(venue, picks), venue.wealth()
    done = rg.liquidate(snap, "hl", [owner for owner, _ in calls], buckets=[bucket for _, bucket in calls])
    total, gross = wealth(snap, venue.marks)
    assert wealth(done.after, venue.marks)[0] == pytest.approx(total, abs=1e-12 * gross)
    for key in calls:
        venue.call(*key)
    assert venue.wealth() == before


@settings(max_examples=20, deadline=None)
@given(venues(), CALLS, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_no_bit(venue, picks, random):
    calls = keys_of(venue, picks)
    words = {"accounts": [owner for owner, _ in calls], "buckets": [bucket for _, bucket in calls]}
    one = rg.liquidate(snapshot_of(venue), "hl", **words)
    other = rg.liquidate(snapshot_of(venue, order=lambda n: random.sample(range(n), n)), "hl", **words)
    pd.testing.assert_frame_equal(one.steps, other.steps, check_exact=True)
    pd.testing.assert_frame_equal(one.movements, other.movements, check_exact=True)
    assert one.after.digest == other.after.digest


def scaled(venue, factor):
    """Every amount and every USD threshold times a factor."""
    venue = copy.deepcopy(venue)
    for account in venue.accounts.values():
        for side in (account.cash, account.debt):
            side.update({token: units * factor for token, units in side.items()})
        for one in account.positions:
            one.amount *= factor
    venue.tiers = {asset: [(start * factor, rate) for start, rate in ladder] for asset, ladder in venue.tiers.items()}
    venue.fund, venue.partial_above = venue.fund * factor, venue.partial_above * factor
    return venue


@settings(max_examples=20, deadline=None)
@given(venues(), CALLS)
def test_scaling_all_amounts_and_thresholds_scales_all_usd(venue, picks):
    assume(venue.rank != "binance")  # max(1, wallet) has a dollar in it that nobody can set
    calls = keys_of(venue, picks)
    words = {"accounts": [owner for owner, _ in calls], "buckets": [bucket for _, bucket in calls]}
    one = rg.liquidate(snapshot_of(venue), "hl", **words).steps
    other = rg.liquidate(snapshot_of(scaled(venue, Fraction(10))), "hl", **words).steps
    for name in one:
        grows = name.endswith("_usd") or name in ("repaid", "seized", "bad_debt", "fee")
        if one[name].dtype.kind == "f":
            factor = 10.0 if grows else 1.0
            assert other[name].to_numpy() == pytest.approx(one[name].to_numpy() * factor, rel=1e-12, nan_ok=True), name
        else:
            assert other[name].tolist() == one[name].tolist(), name


@settings(max_examples=20, deadline=None)
@given(venues(), CALLS)
def test_floats_for_whole_books_say_the_same_away_from_every_bound(venue, picks):
    calls = keys_of(venue, picks)
    assume(all(_apart(venue, key) for key in calls[:1]))
    snap, rule = snapshot_of(venue), Perp()
    book = snap.book
    owners, buckets = snap.labels("account").to_pylist(), [*snap.labels("bucket").to_pylist(), ""]
    place = {(owners[a], buckets[b]): at for at, (a, b) in enumerate(zip(book.margin_account, book.margin_bucket,
                                                                        strict=True))}  # fmt: skip
    wanted = np.array([place[calls[0]]])
    margins = rule.touched(snap, 0, wanted)
    ledger = rule.open_ledger(snap, 0, margins, exact=False)
    none = np.full(1, -1)
    rule.carry_out(
        ledger, Request(np.searchsorted(margins, wanted), none, none, np.full(1, np.inf), np.full(1, np.nan))
    )
    told = venue.call(*calls[0])
    (step,) = ledger.steps
    assert (step["refused"][0], step["stage"][0]) == (told["refused"], told["stage"])
    for name in NUMBERS:
        assert step[name][0] == pytest.approx(float(told[name]), rel=1e-6, abs=1e-6), name


def _apart(venue, key):
    account = venue.accounts[key]
    value, equity, required = venue.value(account), venue.equity(account), venue.maintenance(account)
    size = sum((abs(units * venue.marks[token]) for token, units in [*account.cash.items(), *account.debt.items()]), 0)
    size += sum((venue.notional(one) + abs(one.pnl(venue.marks[one.asset])) for one in account.positions), Fraction(0))
    bounds = (value, equity - required, equity - venue.backstop_share * required)
    notionals = [abs(venue.notional(one) - venue.partial_above) for one in account.positions]
    return 0 < size < 10**6 and all(abs(gap) > size / 10**6 for gap in (*bounds, *notionals))


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
    assert amounts(one) == pytest.approx(amounts(whole.after), rel=1e-12)
    assert one.protocols["deficit_usd"].tolist() == pytest.approx(whole.after.protocols["deficit_usd"].tolist())
