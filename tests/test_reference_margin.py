"""Published margin tables and SPAN examples in the reference folder, from public snapshots through public calls.

Examples are recognised by what they hold, not by their names, so that the same tests judge examples not yet seen.
"""

from __future__ import annotations

import json
import math
import os
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import riskgraph as rg

pytestmark = pytest.mark.reference
ROOT = Path(__file__).resolve().parents[1]
FOLDER = Path(os.environ.get("RISKGRAPH_REFERENCE", ROOT / ".." / "shared" / "reference"))


def read(*place):
    file = FOLDER.joinpath(*place)
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


SPAN = read("liquidations", "span_16_scenarios.json")
MARGINS = read("liquidations", "margin_tables.json")
EXAMPLES = [e for e in read("published_examples.json").get("examples", []) if "SPAN" in e["topic"]]
PRICE = 400.0  # of the underlying, where an example names none: arrays and scan ranges in USD do not depend on it
ROUNDED = 5.0  # the book rounds 3,333 to 3,330


def table(found, *keys):
    for key in keys:
        found = found.get(key, {})
    return found or pytest.skip(f"no {' / '.join(keys)} under {FOLDER}")


def portfolios(legs, scan_range=None, strike=PRICE):
    """One account for each list of legs (side, contracts, what); an option is at ``strike`` with a month to go."""
    rows = []
    for at, account in enumerate(legs):
        for side, contracts, what in account:
            option = (what, strike, 1 / 12, 0.2) if what in ("call", "put") else (None,) * 4
            rows.append((f"account {at}", "house", "index", side, contracts, *option))
    columns = ["account", "protocol", "asset", "side", "amount", "option_type", "strike", "expiry", "implied_vol"]
    frame = pd.DataFrame(rows, columns=columns).astype({"strike": float, "expiry": float, "implied_vol": float})
    return rg.Snapshot(
        positions=frame,
        assets=pd.DataFrame({"asset": ["index"], "price": [PRICE], "scan_range": [scan_range]}).astype(
            {"scan_range": float}
        ),
        protocols=pd.DataFrame({"protocol": ["house"], "rule": ["portfolio_margin"]}),
    )


def published(arrays, strike=PRICE):
    """Frame of risk arrays by kind of contract (future, call, put), as ``span_margin`` takes it."""
    frame = pd.DataFrame(
        [
            ("index", None, np.nan, np.nan, *array) if what == "future" else ("index", what, strike, 1 / 12, *array)
            for what, array in arrays.items()
        ]
    )
    return frame.set_axis(["asset", "option_type", "strike", "expiry", *range(1, len(frame.columns) - 3)], axis=1)


# -- the sixteen scenarios ------------------------------------------------------------------------------------------


def test_the_scenarios_are_those_of_the_exchanges_in_their_order():
    wanted = pd.DataFrame(table(SPAN, "scenarios"))
    found = rg.span_margin(portfolios([[("long", 1.0, "future")]], 0.05)).definitions
    assert found["scenario"].tolist() == wanted["scenario"].tolist()
    for name, given in (
        ("price_scans", "price_move_in_scan_ranges"),
        ("volatility_scans", "volatility_move_in_scan_ranges"),
        ("weight", "share_of_loss_counted"),
    ):
        np.testing.assert_allclose(found[name], wanted[given], rtol=0, atol=1e-6)  # thirds are printed to six digits
    assert not found[["price_move", "volatility_move"]].any(axis=None)


def test_the_printed_sample():
    sample = table(SPAN, "sample")
    scan = sample["price_scan_range_usd"]
    future = rg.span_margin(portfolios([[("long", scan / 20.0, "future")]], 20.0 / PRICE))
    np.testing.assert_allclose(future.scenarios.iloc[0], sample["long_1_future"], rtol=0, atol=ROUNDED)
    assert future.scan_risk_usd.tolist() == pytest.approx([sample["scan_risk_long_future"]], rel=1e-12)
    call = [-gain for gain in sample["short_1_call_strike_410"]]
    arrays = published({"future": sample["long_1_future"], "call": call}, strike=410.0)
    legs = [[("long", 1.0, "future"), ("short", 1.0, "call")], [("short", 1.0, "call")]]
    span = rg.span_margin(portfolios(legs, strike=410.0), risk_arrays=arrays)
    assert span.scenarios.iloc[0].tolist() == sample["covered_write_sum"]
    assert span.scan_risk_usd.iloc[0] == sample["scan_risk_covered_write"]
    assert span.scenarios.iloc[1].tolist() == sample["short_1_call_strike_410"]


# -- examples of books ----------------------------------------------------------------------------------------------


def chosen(holds):
    found = [e for e in EXAMPLES if holds(e["inputs"], e["outputs"])]
    return [pytest.param(e, id=e["id"]) for e in found] or [
        pytest.param(None, marks=pytest.mark.skip(f"none under {FOLDER}"))
    ]


def by_scan_range(given, wanted):
    return "points" in given and "array_pnl" in wanted


def by_arrays(given, wanted):
    return any(key.endswith("_array") for key in given)


def test_every_span_example_is_one_that_some_test_runs():
    if not EXAMPLES:
        pytest.skip(f"no SPAN example under {FOLDER}")
    ways = (by_scan_range, by_arrays)
    assert [e["id"] for e in EXAMPLES if not any(way(e["inputs"], e["outputs"]) for way in ways)] == []


def legs_of(words):
    """Read the legs of ``long 1 future, short 1 call``; a future may carry the name of its index."""
    found = re.findall(r"(long|short) ([\d.]+) [^,]*?(future|call|put)", words)
    assert len(found) == words.count(",") + 1
    return [(side, float(count), what) for side, count, what in found]


@pytest.mark.parametrize("example", chosen(by_scan_range))
def test_scan_range_in_points(example):
    given, wanted = example["inputs"], example["outputs"]
    size, points = given["dollars_per_point"], given["points"]
    assert size * points == given["maintenance_margin"]
    legs = [[(side, count * size, what) for side, count, what in legs_of(given["position"])]]
    # the book counts the extreme move in full
    extreme = {"extreme_move": given["extreme_move_points"] / points, "extreme_cover": 1.0}
    span = rg.span_margin(portfolios(legs, points / PRICE), **extreme)
    np.testing.assert_allclose(span.scenarios.iloc[0], wanted["array_pnl"], rtol=0, atol=ROUNDED)
    assert span.requirement_usd.tolist() == pytest.approx([wanted["requirement"]], rel=1e-12)


@pytest.mark.parametrize("example", chosen(by_arrays))
def test_published_arrays(example):
    given, wanted = example["inputs"], example["outputs"]
    arrays, strike = {}, PRICE
    for key, array in given.items():
        named = re.fullmatch(r"(long|short)_1_(?:[a-z]+(\d+)_)?(future|call|put)_array", key)
        if named:
            side, digits, what = named.groups()
            arrays[what] = [gain if side == "long" else -gain for gain in array]
            strike = float(digits) if digits else strike
    names = [key.removesuffix("_array") for key in wanted if key.endswith("_array")]
    whole = legs_of(given["position"])
    for key, expected in wanted.items():
        alone = re.fullmatch(r"requirement_(long|short)_(future|call|put)_alone", key)
        if not (alone or key.removeprefix("requirement_").removesuffix("_array") in names):
            continue
        legs = [(alone[1], 1.0, alone[2])] if alone else whole
        span = rg.span_margin(portfolios([legs], strike=strike), risk_arrays=published(arrays, strike))
        if key.endswith("_array"):
            assert span.scenarios.iloc[0].tolist() == expected
        else:
            assert span.risk_usd.tolist() == [expected]
    assert names


# -- tiers ----------------------------------------------------------------------------------------------------------


def notionals(starts):
    """Sizes in every tier, at its start, and just beside it."""
    edges = np.array([start for start in starts if start] or [1e6], dtype=float)
    return np.unique(np.concatenate([[1.0], edges * 0.5, edges * (1 - 1e-9), edges, edges * (1 + 1e-9), edges * 3.7]))


def check_tiers(ladders):
    """Health of one long and one short for each size against rate · notional − deduction, deductions continuous."""
    rows, tiers, wanted = [], [], {}
    for asset, ladder in ladders.items():
        tiers += [("venue", asset, start, rate) for start, rate in ladder]
        for size in notionals([start for start, _ in ladder]):
            deduction = 0.0
            for (_, before), (start, rate) in pairwise(ladder):
                deduction += start * (rate - before) if size >= start else 0.0
            reached = [rate for start, rate in ladder if size >= start][-1]
            for side in ("long", "short"):
                account = f"{asset} {side} {size!r}"
                rows += [(account, "venue", asset, side, size), (account, "venue", "USDT", "collateral", 2e8)]
                wanted[account] = 2e8 / (size * reached - deduction)
    snap = rg.Snapshot(
        positions=pd.DataFrame(rows, columns=["account", "protocol", "asset", "side", "amount"]),
        assets=pd.DataFrame({"asset": [*ladders, "USDT"], "price": 1.0}),
        protocols=pd.DataFrame({"protocol": ["venue"], "rule": ["perp"]}),
        tiers=pd.DataFrame(tiers, columns=["protocol", "asset", "notional_from_usd", "maintenance_margin"]),
    )
    health = rg.health(snap).set_index("account")
    assert health["health"].to_dict() == pytest.approx(wanted, rel=1e-9)
    assert (health["status"].eq("healthy") == health["health"].ge(1.0)).all()
    return len(wanted)


def test_maintenance_is_half_the_initial_margin_at_the_largest_leverage():
    ladders = table(MARGINS, "hyperliquid_margin_tiers", "tiers")
    tiers = {asset: [(start, 0.5 / leverage) for start, leverage in ladder] for asset, ladder in ladders.items()}
    assert check_tiers(tiers) >= 10 * len(tiers)


def test_maintenance_by_bracket_with_its_amount():
    brackets = [key for key in MARGINS if "binance" in key]
    ladders = {key: table(MARGINS, key, "tiers") for key in brackets}
    tiers = {}
    for key, ladder in ladders.items():
        ends = [end for end, *_ in ladder]
        tiers[key] = list(zip([0.0, *ends[:-1]], [rate for *_, rate in ladder], strict=True))
    if not tiers:
        pytest.skip(f"no brackets under {FOLDER}")
    assert check_tiers(tiers) >= 50


# -- a portfolio margin of 24 scenarios -----------------------------------------------------------------------------


def normal_cdf(x):
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def call_value(price, strike, years, volatility):
    deviation = volatility * math.sqrt(years)
    d1 = math.log(price / strike) / deviation + deviation / 2.0
    return price * normal_cdf(d1) - strike * normal_cdf(d1 - deviation)


@pytest.mark.parametrize("days", [7.0, 30.0, 90.0])
def test_a_table_of_24_scenarios(days):
    """1 future long and 5 calls sold at 70,000; the shock of volatility grows the shorter an option runs."""
    rows = table(MARGINS, "paradex_portfolio_margin_scenarios", "rows")
    assert table(MARGINS, "paradex_portfolio_margin_scenarios", "vol_scaling").startswith(
        "(30/max(1,dte))**p, p=0.30 if"
    )

    def term(years):
        remaining = np.maximum(365.0 * years, 1.0)
        return (30.0 / remaining) ** np.where(365.0 * years < 30.0, 0.30, 0.13)

    power = 0.30 if days < 30.0 else 0.13
    years, price, volatility = days / 365.0, 70_000.0, 0.6
    profit = []
    for move, shock, weight in rows:
        shocked = volatility * (1.0 + shock * (30.0 / max(1.0, days)) ** power)
        sold = call_value(price * (1.0 + move), price, years, shocked) - call_value(price, price, years, volatility)
        profit.append(weight * (price * move - 5.0 * sold))
    frame = pd.DataFrame(rows, columns=["price_move", "volatility_move", "weight"])
    columns = ["account", "protocol", "asset", "side", "amount", "option_type", "strike", "expiry", "implied_vol"]
    legs = [
        ("both", "house", "BTC", "long", 1.0, None, np.nan, np.nan, np.nan),
        ("both", "house", "BTC", "short", 5.0, "call", price, years, volatility),
        ("future", "house", "BTC", "long", 1.0, None, np.nan, np.nan, np.nan),
    ]
    snap = rg.Snapshot(
        positions=pd.DataFrame(legs, columns=columns),
        assets=pd.DataFrame({"asset": ["BTC"], "price": [price]}),
        protocols=pd.DataFrame({"protocol": ["house"], "rule": ["portfolio_margin"]}),
    )
    span = rg.span_margin(snap, scenarios=frame, volatility_term=term)
    assert span.scenarios.loc[("both", "house", "")].tolist() == pytest.approx(profit, rel=1e-9)
    assert span.scan_risk_usd.loc[("both", "house", "")] == pytest.approx(-min(profit), rel=1e-9)
    assert span.scenario.loc[("both", "house", "")] == 1 + int(np.argmin(profit))
    worst = max(-move * weight for move, _, weight in rows)
    assert span.scan_risk_usd.loc[("future", "house", "")] == pytest.approx(price * worst, rel=1e-12)
