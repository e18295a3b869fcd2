"""What a SPAN margin tells of itself, and what it refuses, by name."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import riskgraph as rg
from tests.option_books import ASSETS, book


def test_it_tells_what_it_is():
    span = rg.span_margin(book(("a", "house", "BTC", "long", 2.0), ("b", "pit", "ETH", "short", 1.0)), inter_month=0.1)
    assert repr(span) == "<SpanMargin: 2 portfolios in 2 product families; $4,300 required>"
    told = span.summary()
    assert "required: $4,300 = $4,300 of risk less a net option value of $0" in told
    assert "largest: $4,000 of a at house, set by scenario 13" in told
    assert "note: short_option_minimum, inter_commodity: 0, no rates given" in told
    assert span.provenance.arguments["inter_month"] == 0.1
    assert span.provenance.digest
    nothing = rg.span_margin(book(("a", "house", "BTC", "long", 0.0))).summary()
    assert "largest: $0 of a at house, no scenario brings a loss" in nothing
    assert span._repr_html_().count("<tr") == 3
    with pytest.raises(ValueError, match="read-only"):
        span.profit[0, 0] = 1.0


OPTION_ROW = ("a", "house", "BTC", "long", 1.0, "call", 19_000.0, 0.1, 0.5)
ARRAYS = pd.DataFrame({"asset": ["BTC"], **{str(n): [0.0] for n in range(1, 17)}})


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"protocol": "nowhere"}, "protocol: expected one of house, perp, pit, got 'nowhere'"),
        ({"protocol": "perp"}, "protocol: expected one with rule portfolio_margin, got 'perp' with rule perp"),
        ({"protocol": "pit"}, "positions.side: expected portfolios of long or short rows at pit, got none"),
        ({"rate": math.nan}, r"rate: expected a finite number \(share a year\), got nan"),
        ({"extreme_move": -1.0}, "extreme_move: expected price scan ranges, at least 0, got -1.0"),
        ({"extreme_cover": 1.5}, r"extreme_cover: expected a share in \[0, 1\], got 1.5"),
        ({"inter_month": 2.0}, r"inter_month: expected a share in \[0, 1\], got 2.0"),
        ({"inter_month": {"LTC": 0.1}}, "inter_month: expected families among BTC, ETH, USDC, got 'LTC'"),
        ({"short_option_minimum": "a"}, "short_option_minimum: expected a share"),
        ({"inter_commodity": {("BTC", "LTC"): 0.1}}, "inter_commodity: expected pairs of two families"),
        ({"inter_commodity": {("BTC", "BTC"): 0.1}}, "inter_commodity: expected pairs of two families"),
        ({"inter_commodity": 0.5}, "inter_commodity: expected credit rates by pair of families, got 0.5"),
        ({"scenarios": [0.1]}, "scenarios: expected a DataFrame, got list"),
        ({"scenarios": pd.DataFrame({"weight": [1.0]})}, "scenarios: expected rows with a column price_move"),
        ({"scenarios": pd.DataFrame({"price": [1.0]})}, "scenarios: expected only the columns scenario, price_move"),
        (
            {"scenarios": pd.DataFrame({"price_move": [0.1, -1.1]})},
            r"scenarios.price_move: expected finite numbers in \[-1, inf\], got -1.1 \(row 2\)",
        ),
        (
            {"scenarios": pd.DataFrame({"price_move": [0.1]}), "extreme_move": 3.0},
            "extreme_move, extreme_cover: expected neither beside scenarios",
        ),
        ({"volatility_term": lambda years: 0.0 / years * math.inf}, "volatility_term: expected a finite factor"),
        ({"risk_arrays": 3}, "risk_arrays: expected a DataFrame, got int"),
        ({"risk_arrays": ARRAYS.drop(columns="7")}, "risk_arrays: expected the columns asset, 1 to 16 and"),
        ({"risk_arrays": ARRAYS.assign(delta=1.0)}, "risk_arrays: expected the columns asset, 1 to 16 and"),
        ({"risk_arrays": ARRAYS.assign(**{"3": math.nan})}, r"risk_arrays.3: expected finite USD a unit.* \(row 1\)"),
        ({"risk_arrays": ARRAYS.assign(option_type="call")}, "risk_arrays.strike: expected it for options"),
        (
            {"risk_arrays": ARRAYS.assign(option_type="straddle")},
            "risk_arrays.option_type: expected call, put or nothing",
        ),
        ({"risk_arrays": pd.concat([ARRAYS, ARRAYS])}, r"risk_arrays: expected every contract once.* \(row 2\)"),
    ],
)
def test_arguments_that_cannot_be(asked, message):
    snap = book(OPTION_ROW, ("b", "perp", "BTC", "long", 1.0))
    with np.errstate(invalid="ignore"), pytest.raises(rg.InputError, match=message):
        rg.span_margin(snap, **asked)


def test_scan_ranges_that_are_missing_are_named():
    rows = [OPTION_ROW, ("a", "house", "ETH", "short", 1.0), ("a", "house", "USDC", "long", 1.0)]
    assets = ASSETS.assign(volatility_scan=None)
    message = (
        "assets.scan_range: expected a value for every product that a scan range moves, got none for USDC; "
        "assets.volatility_scan: expected a value for every option whose volatility a scan range moves, "
        "got none for BTC"
    )
    with pytest.raises(rg.InputError) as refused:
        rg.span_margin(book(*rows, assets=assets))
    assert str(refused.value) == message
    with pytest.raises(
        rg.InputError, match=r"assets.scan_range: .* got none for USDC at house; assets.volatility_scan"
    ):
        rg.health(book(*rows, assets=assets))
    futures = book(*rows[1:2], assets=assets)
    assert rg.span_margin(futures).requirement_usd.tolist() == [300.0]  # futures need no volatility scan range
    bare = book(
        ("a", "house", "BTC", "long", 1.0), ("a", "house", "ETH", "short", 1.0), assets=ASSETS[["asset", "price"]]
    )
    arrays = pd.concat([ARRAYS, ARRAYS.assign(asset="ETH")])
    assert rg.span_margin(bare, risk_arrays=arrays).requirement_usd.tolist() == [0.0]
    with pytest.raises(rg.InputError, match=r"assets.scan_range: .* none for BTC, ETH"):
        rg.span_margin(bare, risk_arrays=arrays, inter_commodity={("ETH", "BTC"): 0.5})


def test_options_need_a_rule_that_margins_them():
    perp = book(OPTION_ROW, protocols=pd.DataFrame({"protocol": ["house"], "rule": ["perp"]}))
    with pytest.raises(
        rg.InputError, match="option_type: expected options only where the rule is portfolio_margin, got BTC"
    ):
        rg.health(perp)
    with pytest.raises(rg.InputError, match="expected portfolios of long or short rows at a protocol with rule"):
        rg.span_margin(perp)
    assert rg.exposure_graph(perp).nodes.loc["account:a", "capital_usd"] > 0.0  # their value is known all the same
    assert rg.span_margin(book(OPTION_ROW, protocols=None)).size  # where options stand, the rule is taken so
