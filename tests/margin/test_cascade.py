"""Cascades solved by hand, and what must hold of every one (METHODS 5.4 to 5.8)."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import riskgraph as rg
from tests.cascade_books import random_book


def book(rows, prices, markets, **tables):
    """Positions as (account, protocol, asset, side, amount); markets as (protocol, asset, threshold, bonus)."""
    columns = ["protocol", "asset", "liquidation_threshold", "liquidation_bonus"]
    return rg.Snapshot(
        positions=pd.DataFrame(rows, columns=["account", "protocol", "asset", "side", "amount"]),
        assets=pd.DataFrame({"asset": list(prices), "price": list(prices.values())}),
        markets=pd.DataFrame(markets, columns=columns),
        **tables,
    )


def toy(**tables):
    """100 ETH at 1 against 78, threshold 0.85, bonus 5 % (METHODS 5.7)."""
    rows = [("ann", "lend", "ETH", "collateral", 100.0), ("ann", "lend", "USD", "debt", 78.0)]
    return book(rows, {"ETH": 1.0, "USD": 1.0}, [("lend", "ETH", 0.85, 0.05)], **tables)


def depth(asset, model="linear", usd=1000.0):
    return pd.DataFrame({"asset": [asset], "model": [model], "depth_usd": [usd]})


def near(value, rel=1e-12):
    return pytest.approx(value, rel=rel, abs=1e-12)


def test_toy_to_the_last_digit():
    done = rg.liquidation_cascade(toy(liquidity=depth("ETH")), {"ETH": -0.1})
    assert done.prices["ETH"].tolist() == near([1.0, 0.9, 0.85905])
    one = done.liquidations.iloc[0]
    assert (one["repaid"], one["seized"], one["proceeds_usd"]) == near((39.0, 45.5, 45.5 * 0.879525))
    change = done.bearers["change_usd"]
    assert change["liquidators"] == near(1.0183875)
    assert change["borrowers"] == near(-14.181775)
    assert change["market"] == near(-0.9316125)
    assert change.sum() == near(100.0 * (0.85905 - 1.0))
    assert done.accounts["health_after"].tolist() == near([54.5 * 0.85905 * 0.85 / 39.0])
    assert done.amplification == near((14.181775 - 1.0183875) / 10.0)
    assert done.n_rounds == 1
    assert done.bad_debt_usd == 0.0


@pytest.mark.parametrize(
    ("model", "price", "average"),
    [
        ("linear", 1 - 0.0455, 1 - 0.0455 / 2),
        ("exponential", math.exp(-0.0455), (1 - math.exp(-0.0455)) / 0.0455),
        ("constant_product", (1 + 0.0455 / 2) ** -2, 1 / (1 + 0.0455 / 2)),
        ("square_root", 1 - math.sqrt(0.1 * 0.0455), 1 - 2 / 3 * math.sqrt(0.1 * 0.0455)),
    ],
)
def test_impact_models_on_the_toy(model, price, average):
    """45.5 units at the snapshot price of 1 are s = 0.0455 of a depth of 1,000."""
    done = rg.liquidation_cascade(toy(liquidity=depth("ETH", model)), {"ETH": -0.1})
    if model != "square_root":  # there the fall alone takes health below 1 again
        assert done.prices["ETH"].iloc[2] == near(0.9 * price)
    assert done.liquidations["proceeds_usd"].iloc[0] == near(45.5 * 0.9 * average)


def test_measured_table():
    """Average falls of 5 % at 100 and 10 % at 200 are a linear market of depth 1,000 between the midpoints."""
    table = pd.DataFrame(
        {
            "asset": "ETH",
            "model": "table",
            "sold_usd": [100.0, 200.0],
            "price_fall": [0.05, 0.1],
            "price_kind": "average",
        }
    )
    done = rg.liquidation_cascade(toy(liquidity=table), {"ETH": -0.1})
    # 0 to 100 bring 95, 100 to 200 bring 85: g is 0.95 at 50 and 0.85 at 150; at 45.5 it is 1 − 0.05 · 45.5 / 50
    assert done.prices["ETH"].iloc[2] == near(0.9 * (1.0 - 0.05 * 45.5 / 50.0))
    far = rg.liquidation_cascade(toy(liquidity=table.assign(sold_usd=[5.0, 10.0])), {"ETH": -0.1})
    assert any("extrapolated" in line for line in far.assumptions)


def test_three_assets_one_after_another():
    """ETH falls; ann's sale of ETH takes stETH, which it backs, down; that tips bob, whose sale of stETH tips carol.

    ann: 39 repaid, 45.5 ETH sold, ETH 0.9 → 0.9 · (1 − 0.455) = 0.4905 at depth 100. stETH is worth what ETH is times
    its own sales, wstETH what stETH is. Rounds: 0 ann, 1 everybody whose threshold that passes.
    """
    rows = [
        ("ann", "lend", "ETH", "collateral", 100.0), ("ann", "lend", "USD", "debt", 78.0),
        ("bob", "lend", "stETH", "collateral", 10.0), ("bob", "lend", "USD", "debt", 6.0),
        ("carol", "lend", "wstETH", "collateral", 10.0), ("carol", "lend", "USD", "debt", 3.0),
    ]  # fmt: skip
    markets = [("lend", name, 0.85, 0.05) for name in ("ETH", "stETH", "wstETH")]
    liquidity = pd.DataFrame({"asset": ["ETH", "stETH"], "model": "linear", "depth_usd": [100.0, 20.0]})
    snap = book(rows, {"ETH": 1.0, "stETH": 1.0, "wstETH": 1.0, "USD": 1.0}, markets, liquidity=liquidity)
    done = rg.liquidation_cascade(snap, {"ETH": -0.1}, liquidators="always")
    tipped = done.triggers.set_index("account")
    assert tipped["round"].to_dict() == {"ann": 0, "bob": 1, "carol": 2}
    assert tipped["cause"].to_dict() == {"ann": "shock", "bob": "sales", "carol": "sales"}
    assert tipped["seller"].astype(object).to_dict()["bob"] == "ann"
    prices = done.prices
    assert prices["ETH"].iloc[2] == near(0.9 * (1 - 0.455))
    assert prices["stETH"].iloc[2] == near(0.9 * (1 - 0.455))
    # stETH after bob: what ETH is, times 1 − what was sold of it ÷ 20; wstETH is redeemed into stETH
    bob = done.liquidations[done.liquidations["account"] == "bob"]["seized"].iloc[0]
    assert prices["stETH"].iloc[3] == near(prices["ETH"].iloc[3] * (1 - bob / 20.0))
    assert prices["wstETH"].to_numpy() == near(prices["stETH"].to_numpy())
    assert done.conservation < 1e-12


def test_a_socialised_loss_reaches_a_receipt_and_then_a_third_protocol():
    """ann's debt of 90 at ``lend`` is left with 40: a loss of 40 / 1.05 less, the rest, over 100 supplied.

    40 ETH at 1 (after a fall of 60 %) pay 40 / 1.05 = 38.095 of 90; 51.905 of 100 USD that lenders own are gone, so a
    lUSD is worth 0.48095. bob pledged 100 of them against 60 at ``third``: 100 · 0.48095 · 0.8 < 60 in round 1.
    """
    rows = [
        ("ann", "lend", "ETH", "collateral", 100.0), ("ann", "lend", "USD", "debt", 90.0),
        ("bob", "lend", "USD", "deposit", 100.0),
        ("bob", "third", "lUSD", "collateral", 100.0), ("bob", "third", "USD", "debt", 60.0),
    ]  # fmt: skip
    snap = rg.Snapshot(
        positions=pd.DataFrame(rows, columns=["account", "protocol", "asset", "side", "amount"]),
        assets=pd.DataFrame({
            "asset": ["ETH", "USD", "lUSD"], "price": [1.0, 1.0, 1.0], "kind": ["base", "stable", "receipt"],
            "family": ["ETH", "USD", "USD"]}),
        protocols=pd.DataFrame({"protocol": ["lend", "third"], "supply_usd": [100.0, 1000.0],
                                "lends_collateral": [False, False], "close_factor": [1.0, 1.0]}),
        markets=pd.DataFrame([("lend", "ETH", 0.9, 0.05), ("third", "lUSD", 0.8, 0.0)],
                             columns=["protocol", "asset", "liquidation_threshold", "liquidation_bonus"]),
        backing=pd.DataFrame({"token": ["lUSD"], "backed_by": ["USD"], "share": [1.0], "issuer": ["lend"]}),
    )  # fmt: skip
    done = rg.liquidation_cascade(snap, {"ETH": -0.6})
    left = 90.0 - 40.0 / 1.05
    assert done.prices["lUSD"].tolist()[:3] == near([1.0, 1.0, 1.0 - left / 100.0])
    assert done.triggers.set_index("account")["cause"].to_dict() == {"ann": "shock", "bob": "socialised loss"}
    losses = done.losses.set_index(["protocol", "bearer"])["usd"]
    assert losses["lend", "lenders"] == near(left)
    # bob's receipts pay 48.095 of 60; what is left is the third protocol's lenders' loss
    assert losses["third", "lenders"] == near(60.0 - 100.0 * (1.0 - left / 100.0))
    assert done.conservation < 1e-12


def test_bad_debt_in_closed_form():
    """Without impact every account below 1 with one collateral ends at max(0, debt − collateral ÷ (1 + bonus))."""
    rng = np.random.default_rng(3)
    n, bonus = 400, 0.07
    debt = rng.uniform(1e3, 1e5, n)
    health = rng.uniform(0.9, 2.0, n)
    units = debt * health / 0.8 / 2000.0
    rows = [(f"u{at:03d}", "lend", "ETH", "collateral", units[at]) for at in range(n)]
    rows += [(f"u{at:03d}", "lend", "USD", "debt", debt[at]) for at in range(n)]
    snap = book(rows, {"ETH": 2000.0, "USD": 1.0}, [("lend", "ETH", 0.8, bonus)])
    last = 0.0
    for fall in (0.1, 0.25, 0.4, 0.6, 0.8):
        done = rg.liquidation_cascade(snap, {"ETH": -fall}, liquidators="always")
        value = units * 2000.0 * (1.0 - fall)
        short = np.where(value * 0.8 < debt, np.maximum(0.0, debt - value / (1.0 + bonus)), 0.0)
        assert done.bad_debt_usd == near(short.sum(), 1e-9)
        assert done.n_rounds == 1, "no second round of prices without impact"
        assert done.bad_debt_usd >= last, "bad debt grows with the fall"
        last = done.bad_debt_usd


@pytest.mark.parametrize("seed", range(4))
def test_units_and_money_are_conserved(seed):
    case = random_book(seed, 60, calls=bool(seed % 2))
    done = rg.liquidation_cascade(case.snap, case.shock, **case.options)
    assert done.conservation < 1e-9
    frame = done.bearers
    scale = frame.abs().to_numpy().max()
    for name in ("bonus_usd", "fee_usd", "bad_debt_usd"):
        assert abs(frame[name].sum()) <= 1e-9 * scale
    parts = frame[["mark_to_market_usd", "bonus_usd", "fee_usd", "bad_debt_usd"]].sum(axis=1)
    assert np.allclose(parts, frame["change_usd"], rtol=0.0, atol=1e-9 * scale)


def test_amounts_in_other_units_of_money():
    """Ten times all amounts and depths are ten times all USD, at the same prices."""
    small, large = toy(liquidity=depth("ETH")), toy(liquidity=depth("ETH", usd=10_000.0))
    frame = large.positions
    large = large.replace(positions=frame.assign(amount=frame["amount"] * 10.0))
    one = rg.liquidation_cascade(small, {"ETH": -0.15})
    ten = rg.liquidation_cascade(large, {"ETH": -0.15}, dust_usd=10.0)
    assert ten.prices.to_numpy() == near(one.prices.to_numpy())
    assert ten.loss_usd == near(10.0 * one.loss_usd)


def test_oracles_that_are_late():
    """With a lag of 1 the fall is seen in round 1, with a deviation of 20 % a fall of 10 % never."""
    late = toy(protocols=pd.DataFrame({"protocol": ["lend"], "oracle_lag_rounds": [1.0]}))
    done = rg.liquidation_cascade(late, {"ETH": -0.1})
    assert done.liquidations["round"].tolist() == [1]
    deaf = toy(protocols=pd.DataFrame({"protocol": ["lend"], "oracle_deviation": [0.2]}))
    assert rg.liquidation_cascade(deaf, {"ETH": -0.1}).n_rounds == 0


def test_profitable_liquidators_stop_where_the_sale_eats_the_bonus():
    """Average price 1 − s / 2 ≥ 1 / 1.05 up to s = 2 (1 − 1 / 1.05): of a depth of 100, 9.52 ETH of 45.5 are taken."""
    done = rg.liquidation_cascade(toy(liquidity=depth("ETH", usd=100.0)), {"ETH": -0.1})
    first = done.liquidations.iloc[0]
    most = 2.0 * (1.0 - 1.0 / 1.05) * 100.0
    assert first["seized"] == near(most, 1e-9)
    assert first["liquidator_usd"] == pytest.approx(0.0, abs=1e-9)
    always = rg.liquidation_cascade(toy(liquidity=depth("ETH", usd=100.0)), {"ETH": -0.1}, liquidators="always")
    assert always.liquidations["seized"].iloc[0] == near(45.5)
    assert always.liquidations["liquidator_usd"].iloc[0] < 0.0


@pytest.mark.parametrize(
    ("shock", "options", "words"),
    [
        ({"ETH": -1.0}, {}, "above -1"),
        ({"ETH": math.inf}, {}, "above -1"),
        ({"BTC": -0.1}, {}, "assets of the snapshot"),
        ({"ETH": -0.1}, {"liquidators": "sometimes"}, "liquidators: expected 'profitable' or 'always'"),
        ({"ETH": -0.1}, {"recovery": 1.5}, "recovery"),
        ({"ETH": -0.1}, {"dust_usd": -1.0}, "dust_usd"),
        ({"ETH": -0.1}, {"max_rounds": 0}, "max_rounds"),
        ({"ETH": -0.1}, {"call_sharing": ["nowhere"]}, "call_sharing: expected protocols of the snapshot"),
        ({"ETH": -0.1}, {"topup": "last"}, "topup"),
        ({"ETH": -0.1}, {"cross_impact": pd.DataFrame({"BTC": [1.0]}, index=["ETH"])}, "cross_impact"),
    ],
)
def test_bad_input_is_refused_by_name(shock, options, words):
    with pytest.raises(rg.InputError, match=words):
        rg.liquidation_cascade(toy(), shock, **options)


def test_what_was_assumed_is_said():
    done = rg.liquidation_cascade(toy(), {"ETH": -0.1})
    assert any("infinite depth" in line and "ETH" in line for line in done.assumptions)
    with pytest.raises(rg.ConvergenceError, match="rounds ran out"):
        rg.liquidation_cascade(toy(liquidity=depth("ETH")), {"ETH": -0.1}, max_rounds=1)


def test_results_show_themselves():
    done = rg.liquidation_cascade(toy(liquidity=depth("ETH")), {"ETH": -0.1})
    assert "1 margin account" in done.summary()
    assert "<table" in done._repr_html_()
    assert done.provenance.digest == toy(liquidity=depth("ETH")).digest
    assert str(done.provenance).startswith("riskgraph")
    assert done.to_frame().equals(done.rounds)
