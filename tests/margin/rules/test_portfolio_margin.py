"""Portfolio margin: shares solved by hand, against a search over scenarios written again, and what must always hold."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import riskgraph as rg
from tests.naive import span as naive_span
from tests.option_books import ASSETS, TERMS, dead

PRICES = dict(zip(ASSETS["asset"], ASSETS["price"], strict=True))


def book(*rows, protocol=None, **more):
    """Rows at one house: account, asset, side, amount, entry price, then an option's four terms; ETH scans 15 %."""
    filled = [(name, "house", *rest, *(None,) * (8 - len(rest))) for name, *rest in rows]
    names = ["account", "protocol", "asset", "side", "amount", "entry_price", "option_type", "strike", "expiry",
             "implied_vol"]  # fmt: skip
    frame = pd.DataFrame(filled, columns=names)
    frame = frame.astype(dict.fromkeys(["entry_price", "strike", "expiry", "implied_vol"], float))
    protocols = pd.DataFrame([{"protocol": "house", "rule": "portfolio_margin", **(protocol or {})}])
    return rg.Snapshot(positions=frame, assets=ASSETS, protocols=protocols, **more)


def amounts(snap):
    rows = snap.positions
    keys = zip(rows["account"], rows["asset"], rows["side"], rows["option_type"], strict=True)
    return {key: amount for key, amount in zip(keys, rows["amount"], strict=True) if amount}


def test_futures_are_reduced_until_the_margin_is_covered():
    """10 ETH at 2,000, scan 15 %: 3,000 required. From 2,040: PnL −400, margin 2,800, equity 2,400: health 0.8.

    A fifth is closed: 2 ETH, PnL −80, and 2,400 are required of an equity of 2,400.
    """
    snap = book(("ann", "ETH", "long", 10.0, 2_040.0), ("ann", "USDC", "collateral", 2_800.0))
    done = rg.liquidate(snap, "house", ["ann", "ann"])
    first = done.steps.iloc[0]
    assert (first["stage"], first["seized"], first["seized_usd"], first["realised_pnl_usd"]) == (
        "partial",
        2,
        4_000,
        -80,
    )
    assert (first["health_before"], first["health_after"]) == (0.8, 1.0)
    assert (first["collateral_asset"], first["side"], first["debt_asset"]) == ("ETH", "long", "USDC")
    assert done.steps["refused"].tolist() == ["", "healthy"]
    assert amounts(done.after) == {("ann", "ETH", "long", ""): 8.0, ("ann", "USDC", "collateral", ""): 2_720.0}
    assert rg.health(done.after)["health"].item() == pytest.approx(1.0, rel=1e-14)


def test_the_fee_makes_the_share_larger():
    """3,000 required of an equity of 2,400, 0.6 % of 20,000 = 120 to close all: 600 ÷ 2,880 = 5/24 is closed.

    The fee is 25, and 2,375 are left for 19/24 · 3,000 = 2,375.
    """
    snap = book(
        ("ann", "ETH", "short", 10.0, None),
        ("ann", "USDC", "collateral", 2_400.0),
        protocol={"liquidation_fee": 0.006, "reserve_usd": 1.0},
    )
    done = rg.liquidate(snap, "house", ["ann"])
    step = done.steps.iloc[0]
    assert step["seized"] == pytest.approx(10 * 5 / 24, rel=1e-14)
    assert (step["fee_usd"], step["bonus_usd"], step["health_after"]) == (25.0, 25.0, 1.0)
    assert amounts(done.after)["ann", "USDC", "collateral", ""] == 2_375.0
    assert done.after.protocols["reserve_usd"].tolist() == [26.0]


def test_options_and_futures_shrink_alike():
    """A call sold at expiry, struck at 1,900, stands at −100; 2 futures held. A fall costs 2 · 300 − 100 = 500.

    The extreme fall costs 35 % of 1,200 − 100 = 385. Of 500 there are 550 − 100 = 450: a tenth of both is closed, and
    buying back a tenth of the call costs 10.
    """
    snap = book(
        ("ann", "ETH", "long", 2.0, None),
        ("ann", "ETH", "short", 1.0, None, *dead("call", 1_900.0)),
        ("ann", "USDC", "collateral", 550.0),
    )
    done = rg.liquidate(snap, "house", ["ann"])
    step = done.steps.iloc[0]
    assert (step["health_before"], step["health_after"], step["realised_pnl_usd"]) == (0.9, 1.0, -10.0)
    assert step["seized_usd"] == 600.0 and math.isnan(step["seized"]) and step["collateral_asset"] == ""
    assert amounts(done.after) == {
        ("ann", "ETH", "long", ""): 1.8,
        ("ann", "ETH", "short", "call"): 0.9,
        ("ann", "USDC", "collateral", ""): 540.0,
    }
    assert rg.health(done.after)["health"].item() == pytest.approx(1.0, rel=1e-14)


def test_all_is_closed_where_nothing_less_helps():
    """No equity; or a fee of 20 % of 20,000, above the 3,000 of margin that closing frees, which takes the 900."""
    empty = book(("ann", "ETH", "long", 10.0, 2_010.0), ("ann", "USDC", "collateral", 100.0))
    step = rg.liquidate(empty, "house", ["ann"]).steps.iloc[0]
    assert (step["stage"], step["seized"], step["health_after"]) == ("full", 10.0, math.inf)
    dear = book(
        ("ann", "ETH", "long", 10.0, None), ("ann", "USDC", "collateral", 900.0), protocol={"liquidation_fee": 0.2}
    )
    done = rg.liquidate(dear, "house", ["ann"])
    assert (done.steps["stage"].item(), done.steps["fee_usd"].item()) == ("full", 900.0)
    assert amounts(done.after) == {}


def test_the_fund_pays_and_nobody_is_deleveraged():
    """A call at expiry worth 200, and a future sold at 1,700: worth −100. All is closed; the fund has 40 of the 100."""
    snap = book(
        ("ann", "ETH", "long", 1.0, None, *dead("call", 1_800.0)),
        ("ann", "ETH", "short", 1.0, 1_700.0),
        ("bob", "ETH", "long", 5.0, 1_000.0),
        ("bob", "USDC", "collateral", 1.0),
        protocol={"reserve_usd": 40.0},
    )
    done = rg.liquidate(snap, "house", ["ann"])
    step = done.steps.iloc[0]
    assert (step["stage"], step["insurance_paid_usd"], step["adl_usd"], step["bad_debt_usd"]) == ("deficit", 40, 0, 60)
    assert done.after.protocols[["reserve_usd", "deficit_usd"]].to_numpy().tolist() == [[0.0, 60.0]]
    assert amounts(done.after) == {("bob", "ETH", "long", ""): 5.0, ("bob", "USDC", "collateral", ""): 1.0}


def test_what_options_are_sold_for_becomes_margin_cash_where_there_was_none():
    """A call worth 200 and a future bought at 2,150: worth 50. A fall costs 200 + 300, so that nine tenths are closed.

    They bring 180 − 135 = 45 in the house's settlement asset, what bob has there.
    """
    snap = book(
        ("ann", "ETH", "long", 1.0, None, *dead("call", 1_800.0)),
        ("ann", "ETH", "long", 1.0, 2_150.0),
        ("bob", "USDC", "collateral", 1.0),
    )
    done = rg.liquidate(snap, "house", ["ann"])
    assert (done.steps["health_before"].item(), done.steps["health_after"].item()) == (0.1, 1.0)
    assert amounts(done.after) == {
        ("ann", "ETH", "long", ""): 0.1,
        ("ann", "ETH", "long", "call"): 0.1,
        ("ann", "USDC", "collateral", ""): 45.0,
        ("bob", "USDC", "collateral", ""): 1.0,
    }


def test_calls_that_cannot_be_made_are_named():
    snap = book(("ann", "ETH", "long", 10.0), ("ann", "USDC", "collateral", 1.0), ("ann", "USDC", "long", 1.0))
    with pytest.raises(rg.InputError, match=r"assets\.scan_range: expected a value .* none for USDC at house"):
        rg.liquidation_quote(snap, "ann", "house")
    snap = book(("ann", "ETH", "long", 10.0), ("ann", "USDC", "collateral", 1.0))
    with pytest.raises(
        rg.InputError, match="collateral_asset: expected none, since a call under rule portfolio_margin"
    ):
        rg.liquidation_quote(snap, "ann", "house", collateral_asset="ETH")


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["BTC", "ETH", "stETH"]),
        st.sampled_from(["long", "short"]),
        st.sampled_from([0.0, 0.5, 1.0, 3.0]),
        st.one_of(
            st.sampled_from([(None,) * 4, (None,) * 4]),
            st.tuples(st.sampled_from(["call", "put"]), st.sampled_from([1_500.0, 2_000.0, 25_000.0]),
                      st.sampled_from([0.0, 0.25]), st.sampled_from([0.3, 0.9])),
        ),
    ).map(lambda row: (*row[:3], *row[3])),
    min_size=1, max_size=4, unique_by=lambda row: (row[0], row[1], *row[3:6]),
)  # fmt: skip


def risk(rows):
    """Requirement and option value of rows, by the oracle."""
    named = [dict(zip(("asset", "side", "amount", "option_type", "strike", "expiry", "implied_vol"), row, strict=True))
             | {"price": PRICES[row[0]]} for row in rows]  # fmt: skip
    found = naive_span.span(named, TERMS, naive_span.scenarios()).values()
    return sum(one["risk"] for one in found), sum(one["net_option_value"] for one in found)


@settings(max_examples=25, deadline=None)
@given(ROWS, st.sampled_from([0.3, 0.9, 1.0, 1.3]), st.sampled_from([0.0, 0.002, 0.05]))
def test_the_share_is_the_smallest_that_covers_what_is_then_required(rows, health, fee):
    required, options = risk(rows)
    cash = round(health * required - options, 6)
    assume(required > 1.0 and cash >= 0.0)
    snap = book(
        *((("ann", *row[:3], None, *row[3:])) for row in rows),
        ("ann", "USDC", "collateral", cash),
        protocol={"liquidation_fee": fee},
    )
    step = rg.liquidate(snap, "house", ["ann"]).steps.iloc[0]
    equity = cash + options
    assert step["health_before"] == pytest.approx(equity / required, rel=1e-9)
    assume(abs(equity / required - 1) > 1e-9)
    notional = sum(row[2] * PRICES[row[0]] for row in rows)

    def covers(share):
        left = risk([(*row[:2], row[2] * (1 - share), *row[3:]) for row in rows])[0]
        return equity - share * fee * notional >= left

    low, high = 0.0, 1.0
    for _ in range(30 if equity < required and covers(1.0) else 0):
        middle = (low + high) / 2
        low, high = (low, middle) if covers(middle) else (middle, high)
    assert (step["refused"] == "healthy") == (equity >= required)
    expected = 0.0 if equity >= required else high
    assert step["seized_usd"] == pytest.approx(expected * notional, rel=1e-6, abs=1e-6)
    assert step["fee_usd"] == pytest.approx(min(expected * fee * notional, max(equity, 0.0)), rel=1e-6, abs=1e-6)
