"""Auto-deleveraging solved by hand: who is closed out first under every published rank, and what they pay."""

from __future__ import annotations

import pytest

import riskgraph as rg
from riskgraph.margin.rules.perp import adl_order
from tests.perpetual_books import COINS, book, holdings_of


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
    after = holdings_of(done.after)
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
    assert holdings_of(done.after) == {}


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
        assets=COINS.assign(price=[100.0, 1_000.0, 1.0]), margins=(0.05, 0.05), adl_rank=form,
    )  # fmt: skip
    order = adl_order(snap, "hl", "BTC", "long")
    assert dict(zip(order["account"], order["score"], strict=True)) == pytest.approx(scores, rel=1e-14)
    assert order["account"].tolist() == sorted(scores, key=lambda name: (-scores[name], name))
