"""Venues of longs and shorts in a cascade, by hand: cross margin, fund, deleveraging, backstop, what is sold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import riskgraph as rg
from riskgraph.margin.closed_positions import closed_frame
from tests.venue_books import left

PRICES = {"BTC": 20_000.0, "ETH": 1_000.0, "USDC": 1.0}


def book(*rows, depth=None, rule="perp", markets=None, assets=None, accounts=None, **terms) -> rg.Snapshot:
    """Rows: account (or account/bucket), asset, side, amount, entry price; maintenance 2 % for BTC, 5 % for ETH."""
    filled = [(*name.split("/"), "")[:2] + (*rest, None)[:4] for name, *rest in rows]
    frame = pd.DataFrame(filled, columns=["account", "bucket", "asset", "side", "amount", "entry_price"])
    if markets is None:
        markets = pd.DataFrame({"protocol": "hl", "asset": ["BTC", "ETH"], "maintenance_margin": [0.02, 0.05]})
    return rg.Snapshot(
        frame.assign(protocol="hl").astype({"entry_price": float}),
        pd.DataFrame({"asset": list(PRICES), "price": list(PRICES.values()), **(assets or {})}),
        pd.DataFrame([{"protocol": "hl", "rule": rule, **terms}]),
        markets if len(markets) else None,
        accounts=accounts,
        liquidity=pd.DataFrame([(name, "linear", usd) for name, usd in (depth or {}).items()],
                               columns=["asset", "model", "depth_usd"]) if depth else None,
    )  # fmt: skip


def near(values):
    return pytest.approx(values, rel=1e-12, abs=1e-8)


def test_a_healthy_position_is_closed_with_a_failing_one():
    """BTC falls by 17 % to 16,600. ann's 4,000 are 600 then, for 332 + 500 = 832 that both positions need.

    BTC, the larger, goes first, for a fee of 1 %: 166; 434 are less than ETH's 500, which costs 100. 1 BTC (20,000 of a
    depth of a million) is sold at 0.99 of 16,600, so 166 below the mark; BTC falls to 16,268. 168 are left of 4,000.
    """
    rows = (
        ("ann", "BTC", "long", 1.0, 20_000.0),
        ("ann", "ETH", "long", 10.0, 1_000.0),
        ("ann", "USDC", "collateral", 4e3),
    )
    cascade = rg.liquidation_cascade(book(*rows, depth={"BTC": 1e6}, liquidation_fee=0.01), {"BTC": -0.17})
    assert cascade.n_rounds == 1
    assert left(cascade) == near({("ann", "", "USDC", "collateral"): 168.0})
    assert cascade.prices["BTC"].tolist() == near([20_000.0, 16_600.0, 16_268.0])
    closed = closed_frame(cascade.run)
    assert closed[["asset", "side", "action", "closed", "sold"]].astype(object).to_numpy().tolist() == [
        ["BTC", "long", "closed", 1.0, 1.0], ["ETH", "long", "closed", 10.0, 10.0],
    ]  # fmt: skip
    assert closed["lost_usd"].tolist() == near([332.0, 100.0])
    assert cascade.run.closed_positions.lost_by_margin(2).tolist() == near([432.0, 0.0])  # ann, and the backstop
    assert cascade.bearers["change_usd"].to_dict() == near(
        {"borrowers": -3_832.0, "lenders": 0.0, "protocol": 266.0, "liquidators": 0.0, "market": 3_566.0}
    )
    assert cascade.bearers["fee_usd"].to_dict() == near(
        {"borrowers": -266.0, "lenders": 0.0, "protocol": 266.0, "liquidators": 0.0, "market": 0.0}
    )
    assert cascade.amplification == near((3_832.0 - 266.0) / 3_400.0)
    assert cascade.run.book.reserve.tolist() == near([266.0])
    assert cascade.conservation <= 1e-9


def test_each_in_its_bucket_only_the_failing_one_is_closed():
    """The same 4,000, 2,222.22 of it beside ETH (500 of 900 that both need): that bucket is never touched."""
    rows = (
        ("ann/b", "BTC", "long", 1.0, 20_000.0), ("ann/b", "USDC", "collateral", 4_000.0 * 4.0 / 9.0),
        ("ann/e", "ETH", "long", 10.0, 1_000.0), ("ann/e", "USDC", "collateral", 4_000.0 * 5.0 / 9.0),
    )  # fmt: skip
    cascade = rg.liquidation_cascade(book(*rows, liquidation_fee=0.01, reserve_usd=1e4), {"BTC": -0.17})
    closed = closed_frame(cascade.run)
    assert closed[["bucket", "asset", "lost_usd"]].astype(object).to_numpy().tolist() == [["b", "BTC", 0.0]]
    assert left(cascade)["ann", "e", "ETH", "long"] == 10.0
    assert cascade.run.book.reserve.tolist() == near([1e4 - (3_400.0 - 16_000.0 / 9.0)])
    assert cascade.losses.to_dict("records") == [
        {"protocol": "hl", "bearer": "reserve", "usd": near(3_400.0 - 16_000.0 / 9.0)}
    ]
    assert cascade.conservation <= 1e-9


def test_three_counterparties_are_deleveraged_in_their_order():
    """BTC falls to 16,000: ann, long 3 at 20,000, has 6,000 − 12,000. The fund pays 1,500; 4,500 are 1,500 a unit.

    bob: 20/16 · 16,000 / (4,000 + 4,000) = 2.5; cat: 18/16 · 24,000 / (13,000 + 3,000) = 1.6875; dan: 32,000/32,000.
    So bob's 1, cat's 1.5 and 0.5 of dan's 2 are closed at 16,000, and pay 1,500, 2,250 and 750. Nothing is sold.
    """
    rows = (
        ("ann", "BTC", "long", 3.0, 20_000.0), ("ann", "USDC", "collateral", 6_000.0),
        ("bob", "BTC", "short", 1.0, 20_000.0), ("bob", "USDC", "collateral", 4_000.0),
        ("cat", "BTC", "short", 1.5, 18_000.0), ("cat", "USDC", "collateral", 13_000.0),
        ("dan", "BTC", "short", 2.0, 16_000.0), ("dan", "USDC", "collateral", 32_000.0),
    )  # fmt: skip
    snap = book(*rows, depth={"BTC": 1e5}, reserve_usd=1_500.0)
    cascade = rg.liquidation_cascade(snap, {"BTC": -0.2})
    assert left(cascade) == near({
        ("bob", "", "USDC", "collateral"): 6_500.0, ("cat", "", "USDC", "collateral"): 13_750.0,
        ("dan", "", "USDC", "collateral"): 31_250.0, ("dan", "", "BTC", "short"): 1.5,
    })  # fmt: skip
    assert cascade.prices["BTC"].tolist() == near([20_000.0, 16_000.0, 16_000.0])
    closed = closed_frame(cascade.run)
    assert closed[["account", "action", "closed", "sold", "lost_usd"]].astype(object).to_numpy().tolist() == [
        ["bob", "auto-deleveraged", 1.0, 0.0, near(1_500.0)],
        ["cat", "auto-deleveraged", 1.5, 0.0, near(2_250.0)],
        ["dan", "auto-deleveraged", 0.5, 0.0, near(750.0)],
        ["ann", "closed", 3.0, 0.0, 0.0],
    ]
    assert cascade.losses.set_index("bearer")["usd"].to_dict() == near({"reserve": 1_500.0, "adl": 4_500.0})
    assert (cascade.run.book.reserve[0], cascade.run.book.deficit[0], cascade.bad_debt_usd) == near((0.0, 0.0, 0.0))
    # 6,000 that ann lacks are made good, of which 4,500 are other borrowers'.
    assert cascade.bearers.loc["borrowers", "bad_debt_usd"] == near(6_000.0 - 4_500.0)
    assert cascade.bearers.loc["protocol", "change_usd"] == near(-1_500.0)
    assert cascade.conservation <= 1e-9


def test_what_counterparties_do_not_match_is_sold():
    """Only bob's 1 of ann's 3 is matched: 2 BTC go to the market at 1 − 0.04 / 2, and ann, who has nothing, owes that.

    No fund: bob pays a third of 6,000, 4,000 are a deficit. 2 · 16,000 · 0.02 = 640 are ann's debt at the end.
    """
    rows = (
        ("ann", "BTC", "long", 3.0, 20_000.0), ("ann", "USDC", "collateral", 6_000.0),
        ("bob", "BTC", "short", 1.0, 20_000.0), ("bob", "USDC", "collateral", 4_000.0),
    )  # fmt: skip
    cascade = rg.liquidation_cascade(book(*rows, depth={"BTC": 1e6}), {"BTC": -0.2})
    assert closed_frame(cascade.run)["sold"].tolist() == near([0.0, 2.0])
    assert cascade.prices["BTC"].iloc[-1] == near(16_000.0 * 0.96)
    assert left(cascade) == near({("ann", "", "USDC", "debt"): 640.0, ("bob", "", "USDC", "collateral"): 6_000.0})
    assert cascade.run.book.deficit.tolist() == near([4_000.0])
    assert cascade.bad_debt_usd == near(4_640.0)
    assert cascade.losses.set_index("bearer")["usd"].to_dict() == near(
        {"deficit": 4_000.0, "adl": 2_000.0, "open": 640.0}
    )
    assert cascade.conservation <= 1e-9


def test_the_backstop_takes_over_and_may_have_to_sell_itself():
    """BTC falls to 16,400: ann's 3,700 are 100, below 2/3 of 328. hl, not in the snapshot, gets 1 BTC and the 100.

    Round 1: hl is below 328 itself and sells: 1 BTC at 0.99, 164 below the mark, 64 more than it has.
    """
    rows = ("ann", "BTC", "long", 1.0, 20_000.0), ("ann", "USDC", "collateral", 3_700.0)
    cascade = rg.liquidation_cascade(book(*rows, depth={"BTC": 1e6}), {"BTC": -0.18})
    closed = closed_frame(cascade.run)
    assert closed[["round", "account", "action", "sold", "lost_usd"]].astype(object).to_numpy().tolist() == [
        [0, "ann", "taken over", 0.0, near(100.0)], [1, "hl", "closed", 1.0, near(164.0)],
    ]  # fmt: skip
    assert left(cascade) == near({("hl", "", "USDC", "debt"): 64.0})
    assert cascade.bad_debt_usd == near(64.0)
    assert cascade.bearers["change_usd"].to_dict() == near(
        {"borrowers": -3_700.0, "lenders": 0.0, "protocol": -64.0, "liquidators": 0.0, "market": 3_764.0}
    )
    assert cascade.bearers["bonus_usd"].to_dict() == near(
        {"borrowers": -100.0, "lenders": 0.0, "protocol": 100.0, "liquidators": 0.0, "market": 0.0}
    )
    assert cascade.conservation <= 1e-9


def test_the_backstop_keeps_what_it_can_carry_at_an_average_entry_price():
    """hl is long 1 BTC at 20,000 with 20,000; it takes over 1 more at 16,400: an average of 18,200."""
    rows = (
        ("ann", "BTC", "long", 1.0, 20_000.0), ("ann", "USDC", "collateral", 3_700.0),
        ("hl", "BTC", "long", 1.0, 20_000.0), ("hl", "USDC", "collateral", 20_000.0),
    )  # fmt: skip
    cascade = rg.liquidation_cascade(book(*rows), {"BTC": -0.18})
    assert left(cascade) == near({("hl", "", "USDC", "collateral"): 20_100.0, ("hl", "", "BTC", "long"): 2.0})
    run = cascade.run
    assert run.book.entry[np.flatnonzero(run.book.amount == 2.0)].tolist() == near([18_200.0])
    assert cascade.conservation <= 1e-9


def test_fees_of_the_accounts_before_pay_for_the_ones_after():
    """ann pays 1 % of 16,600, which is there when zed lacks 100 of it; if he comes first, nobody has paid yet."""
    for ruined, insured in (("zed", 100.0), ("abe", 0.0)):
        rows = (
            ("ann", "BTC", "long", 1.0, 20_000.0), ("ann", "USDC", "collateral", 3_700.0),
            (ruined, "ETH", "short", 1.0, 900.0), (ruined, "USDC", "collateral", 0.0),
        )  # fmt: skip
        cascade = rg.liquidation_cascade(book(*rows, liquidation_fee=0.01, backstop_share=0.0), {"BTC": -0.17})
        assert (cascade.run.book.reserve[0], cascade.run.book.deficit[0]) == near((166.0 - insured, 100.0 - insured))
        assert cascade.conservation <= 1e-9


def test_a_large_position_is_closed_in_part_and_then_whole_within_a_round():
    """10 BTC, 166,000: an order for a fifth, then, still below 2 % of the rest, one for all. The fee is 1 ‰ of it.

    A next round forgets the order: bob, whom ann's sale tips, gets a partial one again.
    """
    rows = ("ann", "BTC", "long", 10.0, 20_000.0), ("ann", "USDC", "collateral", 36_500.0)
    cascade = rg.liquidation_cascade(book(*rows, liquidation_fee=0.001), {"BTC": -0.17})
    assert closed_frame(cascade.run)["closed"].tolist() == near([2.0, 8.0])
    assert left(cascade) == near({("ann", "", "USDC", "collateral"): 2_500.0 - 166.0})
    cooling = pd.DataFrame({"account": ["ann"], "protocol": ["hl"], "partial_orders": [1.0]})
    cascade = rg.liquidation_cascade(book(*rows, accounts=cooling), {"BTC": -0.17})
    assert closed_frame(cascade.run)["closed"].tolist() == near([10.0])


def test_an_oracle_that_is_late_settles_at_its_own_mark():
    """Round 0: hl still shows 20,000. zoe's 31,000 are repaid for 31,000 · 1.05 / 16,600 BTC, which are sold.

    Round 1: hl shows 16,600, while the market is lower. ann's 3,700 are 300 there, between 2/3 of 332 and 332: all of
    it is closed at 16,600 for 83, and sold from s = 0.0392169 to 0.0592169, at 0.989592 of the market's price before.
    The rest of 16,600, 172.77, comes off what she has.
    """
    rows = ("ann", "BTC", "long", 1.0, 20_000.0), ("ann", "USDC", "collateral", 3_700.0)
    snap = book(*rows, depth={"BTC": 1e6}, oracle_lag_rounds=1.0, liquidation_fee=0.005)
    lend = pd.DataFrame([
        {"account": "zoe", "protocol": "lend", "asset": "BTC", "side": "collateral", "amount": 2.0},
        {"account": "zoe", "protocol": "lend", "asset": "USDC", "side": "debt", "amount": 31_000.0},
    ])  # fmt: skip
    venue = pd.DataFrame([{"protocol": "lend", "rule": "lending", "close_factor": 1.0}])
    terms = pd.DataFrame(
        [{"protocol": "lend", "asset": "BTC", "liquidation_threshold": 0.8, "liquidation_bonus": 0.05}]
    )
    snap = snap.replace(
        positions=pd.concat([snap.table("positions").frame(), lend]),
        protocols=pd.concat([snap.table("protocols").frame(), venue]),
        markets=pd.concat([snap.table("markets").frame(), terms]),
    )
    cascade = rg.liquidation_cascade(snap, {"BTC": -0.17})
    closed = closed_frame(cascade.run)
    assert closed[["round", "price"]].to_numpy().tolist() == [[1, near(16_600.0)]]
    start = 31_000.0 * 1.05 / 16_600.0 / 50.0  # a depth of 50 BTC at 20,000
    end = start + 0.02
    assert cascade.prices["BTC"].iloc[2] == near(16_600.0 * (1.0 - start))
    ratio = (1.0 - (start + end) / 2.0) / (1.0 - start)
    assert (start, ratio) == pytest.approx((0.0392169, 0.989592), rel=1e-6)
    assert closed["lost_usd"].tolist() == near([83.0 + 16_600.0 * (1.0 - ratio)])
    assert left(cascade)["ann", "", "USDC", "collateral"] == near(300.0 - 83.0 - 16_600.0 * (1.0 - ratio))
    assert cascade.conservation <= 1e-9


def test_shorts_are_bought_where_buying_moves_prices():
    """ETH rises by 20 % to 1,200; ann, short 100 at 1,000 with 25,000, has 5,000 for 6,000. Bought up by 10 % of depth.

    s = −0.1: ETH at 1,320, on average 1,260: 6,000 more than the mark, of which 1,000 stay a debt.
    """
    rows = ("ann", "ETH", "short", 100.0, 1_000.0), ("ann", "USDC", "collateral", 25_000.0)
    snap = book(*rows, depth={"ETH": 1e6}, partial_above_usd=1e9)
    cascade = rg.liquidation_cascade(snap, {"ETH": 0.2}, buy_impact=True)
    assert cascade.prices["ETH"].tolist() == near([1_000.0, 1_200.0, 1_320.0])
    assert left(cascade) == near({("ann", "", "USDC", "debt"): 1_000.0})
    assert cascade.conservation <= 1e-9
    cascade = rg.liquidation_cascade(snap, {"ETH": 0.2})
    assert cascade.prices["ETH"].tolist() == near([1_000.0, 1_200.0, 1_200.0])
    assert left(cascade) == near({("ann", "", "USDC", "collateral"): 5_000.0})


SCANNED = {"scan_range": [0.1, 0.1, np.nan], "volatility_scan": [0.05, 0.05, np.nan]}


def test_portfolio_margin_closes_the_same_share_of_everything():
    """10 ETH need a tenth of their price. At 900: 1,800 − 1,000 = 800 against 900: a ninth is closed."""
    rows = ("ann", "ETH", "long", 10.0, 1_000.0), ("ann", "USDC", "collateral", 1_800.0)
    snap = book(*rows, rule="portfolio_margin", markets=pd.DataFrame(), assets=SCANNED)
    cascade = rg.liquidation_cascade(snap, {"ETH": -0.1})
    assert left(cascade) == near({
        ("ann", "", "USDC", "collateral"): 1_800.0 - 1_000.0 / 9.0, ("ann", "", "ETH", "long"): 80.0 / 9.0,
    })  # fmt: skip
    assert cascade.n_rounds == 1
    assert cascade.conservation <= 1e-9


def test_portfolio_margin_goes_on_while_its_own_sales_cost_margin():
    """With a market to sell in the account ends where equity is what is required, and all sums add up."""
    rows = ("ann", "ETH", "long", 10.0, 1_000.0), ("ann", "USDC", "collateral", 1_800.0)
    snap = book(*rows, rule="portfolio_margin", markets=pd.DataFrame(), assets=SCANNED, depth={"ETH": 1e5})
    cascade = rg.liquidation_cascade(snap, {"ETH": -0.1})
    units, price = left(cascade)["ann", "", "ETH", "long"], cascade.prices["ETH"].iloc[-1]
    equity = left(cascade)["ann", "", "USDC", "collateral"] + units * (price - 1_000.0)
    assert equity == pytest.approx(units * price * 0.1, rel=1e-9)
    assert 2 < cascade.n_rounds < 60
    assert price == pytest.approx(900.0 * (1.0 - (10.0 - units) / 100.0), rel=1e-9)
    assert cascade.conservation <= 1e-9


def test_options_are_settled_at_their_value_and_sold_nowhere():
    positions = pd.DataFrame([
        ("ann", "ETH", "short", 10.0, None, "put", 1_000.0, 0.25, 0.8),
        ("ann", "ETH", "long", 2.0, 1_000.0, None, None, None, None),
        ("ann", "USDC", "collateral", 2_800.0, None, None, None, None, None),
    ], columns=["account", "asset", "side", "amount", "entry_price", "option_type", "strike", "expiry",
                "implied_vol"])  # fmt: skip
    numbers = dict.fromkeys(("entry_price", "strike", "expiry", "implied_vol"), float)
    snap = book(("ann", "ETH", "long", 1.0, 1.0), ("ann", "USDC", "collateral", 1.0), rule="portfolio_margin",
                markets=pd.DataFrame(), assets=SCANNED, depth={"ETH": 1e6})  # fmt: skip
    snap = snap.replace(positions=positions.assign(protocol="hl").astype(numbers))
    cascade = rg.liquidation_cascade(snap, {"ETH": -0.15})
    closed = closed_frame(cascade.run)
    assert set(closed["option_type"]) == {"put", ""}
    assert closed.loc[closed["option_type"] == "put", "sold"].tolist() == [0.0] * int(
        (closed["option_type"] == "put").sum()
    )
    assert (closed.loc[closed["option_type"] == "", "sold"] > 0.0).all()
    assert cascade.conservation <= 1e-9


def test_frames_of_a_called_account_that_is_closed_when_grace_is_over():
    """BTC −9 %: bob is 900 short of nothing and is closed in round 1; ann, 700 against 364, is restricted."""
    rows = (
        ("ann", "USDC", "collateral", 2_500.0), ("ann", "BTC", "long", 1.0, 20_000.0),
        ("bob", "USDC", "collateral", 900.0), ("bob", "BTC", "long", 1.0, 20_000.0),
    )  # fmt: skip
    snap = book(*rows, call_level=2.0, target_health=3.0, grace_rounds=1.0)
    cascade = rg.liquidation_cascade(snap, {"BTC": -0.09})
    calls = cascade.calls.astype({"account": object}).set_index(["round", "account"])["outcome"]
    assert calls.to_dict() == {
        (0, "ann"): "called", (0, "bob"): "called", (1, "ann"): "restricted", (1, "bob"): "liquidating",
    }  # fmt: skip
    (closed,) = cascade.liquidations.to_dict("records")
    assert (closed["account"], closed["seized_usd"], closed["bonus_usd"]) == ("bob", 18_200.0, 0.0)
    assert cascade.rounds["bonus_usd"].sum() == cascade.bearers["bonus_usd"].abs().sum() == 0.0
    assert not any(line.startswith("closeout") for line in cascade.assumptions)


def test_a_venue_closes_out_who_was_called_and_did_not_pay():
    """BTC −9 %: 1,200 against 364 + 500. In round 1 BTC, the larger, is closed: 1,200 against 500 pass 1.5."""
    rows = (
        ("ann", "USDC", "collateral", 3_000.0), ("ann", "BTC", "long", 1.0, 20_000.0),
        ("ann", "ETH", "long", 10.0, 1_000.0),
    )  # fmt: skip
    snap = book(*rows, call_level=1.5, target_health=1.5, grace_rounds=1.0)
    cascade = rg.liquidation_cascade(snap, {"BTC": -0.09}, closeout=True)
    assert left(cascade) == near({("ann", "", "USDC", "collateral"): 1_200.0, ("ann", "", "ETH", "long"): 10.0})
    assert cascade.calls["outcome"].tolist() == ["called", "liquidating"]
    assert cascade.liquidations[["round", "action", "seized_usd"]].to_numpy().tolist() == [[1, "closed", 18_200.0]]
    assert cascade.conservation <= 1e-9
    kept = rg.liquidation_cascade(snap, {"BTC": -0.09})
    assert kept.calls["outcome"].tolist() == ["called", "restricted"]
    assert not len(kept.liquidations)
    paid = snap.replace(positions=pd.concat([snap.positions, pd.DataFrame([{
        "account": "ann", "asset": "USDC", "side": "wallet", "amount": 200.0}])], ignore_index=True))  # fmt: skip
    met = rg.liquidation_cascade(paid, {"BTC": -0.09}, closeout=True)
    assert met.calls["outcome"].tolist() == ["cured"], "1.5 · 864 − 1,200 = 96 were lacking"
    assert not len(met.liquidations)


def test_a_portfolio_is_closed_out_by_the_share_that_passes_the_call_level():
    """10 ETH at 900: 1,000 against 900. 1.25 · 900 = 1,125 are asked for: 125 ÷ 1,125, a ninth, is closed."""
    rows = ("ann", "ETH", "long", 10.0, 1_000.0), ("ann", "USDC", "collateral", 2_000.0)
    terms = {"call_level": 1.25, "target_health": 1.5, "grace_rounds": 1.0}
    snap = book(*rows, rule="portfolio_margin", markets=pd.DataFrame(), assets=SCANNED, **terms)
    cascade = rg.liquidation_cascade(snap, {"ETH": -0.1}, closeout=True)
    assert left(cascade) == near({
        ("ann", "", "USDC", "collateral"): 2_000.0 - 1_000.0 / 9.0, ("ann", "", "ETH", "long"): 80.0 / 9.0,
    })  # fmt: skip
    assert cascade.run.end.health.tolist() == near([1.25])
    assert cascade.n_rounds == 3, "called, closed, cured"


def test_a_contract_that_takes_accounts_by_its_own_test_closes_nobody_out():
    """900 of ETH count for 810 against 750: called at 1.2, and absorbed by nobody."""
    snap = rg.Snapshot(
        pd.DataFrame(
            [("ann", "comet", "ETH", "collateral", 10.0), ("ann", "comet", "USDC", "debt", 7_500.0)],
            columns=["account", "protocol", "asset", "side", "amount"],
        ),
        pd.DataFrame({"asset": ["ETH", "USDC"], "price": [1_000.0, 1.0]}),
        pd.DataFrame([{"protocol": "comet", "rule": "compound_v3", "call_level": 1.2, "reserves": 1e4}]),
        pd.DataFrame([{"protocol": "comet", "asset": "ETH", "liquidation_threshold": 0.9, "liquidation_factor": 0.95}]),
    )
    cascade = rg.liquidation_cascade(snap, {"ETH": -0.1}, closeout=True)
    assert not len(cascade.liquidations)
    assert [line.split(",")[0] for line in cascade.assumptions if line.startswith("closeout")] == [
        "closeout: does not reach comet"
    ]
    for silent in (
        rg.liquidation_cascade(snap, {"ETH": -0.1}),
        rg.liquidation_cascade(snap, {"ETH": 0.1}, closeout=True),  # nobody is called
    ):
        assert not any(line.startswith("closeout") for line in silent.assumptions)
