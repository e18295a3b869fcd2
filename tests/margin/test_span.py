"""SPAN margin solved by hand, against plain loops on random portfolios, and its properties."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riskgraph as rg
from tests import naive_span
from tests.option_books import ASSETS, CHARGES, COLUMNS, PIT, PRICES, ROWS, TERMS, book, dead

# -- by hand --------------------------------------------------------------------------------------------------------


def test_the_sixteen_moves_of_a_future():
    """2 BTC long at 20,000, scan range 10 %: a third is 2 · 2,000/3; extreme 2 · 4,000 · 35 % = 2,800."""
    span = rg.span_margin(book(("a", "house", "BTC", "long", 2.0)))
    third = 4_000.0 / 3.0
    thirds = [0, 0, 1, 1, -1, -1, 2, 2, -2, -2, 3, 3, -3, -3]
    assert span.scenarios.loc[("a", "house", "")].tolist() == pytest.approx([n * third for n in thirds] + [2800, -2800])
    assert span.requirement_usd.tolist() == [4_000.0]
    assert span.scenario.tolist() == [13]
    short = rg.span_margin(book(("a", "house", "BTC", "short", 2.0)))
    assert short.requirement_usd.tolist() == [4_000.0]
    assert short.scenario.tolist() == [11]


def test_a_call_sold_at_expiry():
    """Sold at 20,000 against a strike of 19,000: worth −1,000; at 22,000 it is −3,000, a loss of 2,000; at the extreme
    of 24,000 a loss of 4,000, of which 35 % count. So 2,000 of risk, and 2,000 − (−1,000) = 3,000 to be held in cash.
    """
    span = rg.span_margin(book(("a", "house", "BTC", "short", 1.0, *dead("call", 19_000.0))))
    (row,) = span.to_frame().to_dict("records")
    assert row["scan_risk_usd"] == row["risk_usd"] == 2_000.0
    assert row["scenario"] == 11
    assert row["net_option_value_usd"] == -1_000.0
    assert row["requirement_usd"] == 3_000.0
    assert span.scenarios.iloc[0, [12, 14, 15]].tolist() == pytest.approx([1_000.0, -1_400.0, 350.0])


def test_volatility_moves_price_an_option_that_has_time():
    """At the money Black-76 is F (2 Φ(σ√T/2) − 1), √T = 0.5 here; volatility .4 up to .6, down to .2."""

    def at_the_money(volatility):
        return 20_000.0 * math.erf(volatility / 4.0 / math.sqrt(2.0))

    span = rg.span_margin(book(("a", "house", "BTC", "long", 3.0, "put", 20_000.0, 0.25, 0.4)))
    up, down = (3.0 * (at_the_money(volatility) - at_the_money(0.4)) for volatility in (0.6, 0.2))
    assert span.scenarios.iloc[0, [0, 1]].tolist() == pytest.approx([up, down], rel=1e-12)
    assert span.net_option_value_usd.tolist() == pytest.approx([3.0 * at_the_money(0.4)], rel=1e-12)
    assert span.requirement_usd.iloc[0] < 0.0  # what is paid for cannot lose more than it is worth
    assert span.scenario.tolist() == [12]  # price up, volatility down


def test_one_family_is_one_commodity_and_others_add_up():
    """stETH short offsets ETH long scenario by scenario; BTC is margined apart.

    ETH family: 1 · 2,000 · .15 = 300 against 1 · 1,900 · .18 = 342: with all prices up one range 300 − 342 = −42.
    """
    rows = [
        ("a", "house", "ETH", "long", 1.0),
        ("a", "house", "stETH", "short", 1.0),
        ("a", "house", "BTC", "long", 1.0),
    ]
    span = rg.span_margin(book(*rows))
    families = span.families.set_index("family")
    assert families["scan_risk_usd"].to_dict() == pytest.approx({"BTC": 2_000.0, "ETH": 42.0})
    assert families["scenario"].to_dict() == {"BTC": 13, "ETH": 11}
    assert span.requirement_usd.tolist() == pytest.approx([2_042.0])
    assert span.scenario.tolist() == [13]  # that of the larger one
    assert span.scenarios.iloc[0, 12] == pytest.approx(-2_000.0 + 42.0)
    assert span.family_scenarios.loc[("a", "house", "", "ETH"), 11] == pytest.approx(-42.0)


def test_portfolios_are_margin_accounts():
    rows = [
        ("a", "house", "BTC", "long", 1.0),
        ("a", "house", "BTC", "short", 1.0),
        ("a", "house", "BTC", "long", 1.0, None, None, None, None, "iso"),
        ("a", "pit", "BTC", "short", 2.0),
        ("b", "house", "USDC", "collateral", 9.0),  # holds nothing long or short: no portfolio
        ("c", "perp", "BTC", "long", 1.0),
    ]
    span = rg.span_margin(book(*rows))
    assert span.requirement_usd.to_dict() == {
        ("a", "house", ""): 0,
        ("a", "house", "iso"): 2000,
        ("a", "pit", ""): 4000,
    }
    assert span.scenario.isna().tolist() == [True, False, False]
    assert len(span) == 3
    assert rg.span_margin(book(*rows), protocol="pit").requirement_usd.to_dict() == {("a", "pit", ""): 4000}
    priced = book(*rows, markets=pd.DataFrame({"protocol": ["pit"], "asset": ["BTC"], "price": [10_000.0]}))
    assert rg.span_margin(priced, protocol="pit").requirement_usd.tolist() == [2_000.0]


def test_charges_and_credits_by_hand():
    """Delta of what has no time left is all or nothing. Months: +1 BTC perpetual against −1 BTC of a call in the money
    at expiry 0: 20,000 of delta in each, 1 % of it is 200. Families: the ETH future is short 0.4 · 2,000 · .15 = 120 of
    price risk against BTC's net 0 → no spread; with another BTC long it is 2,000 against −120: both get 80 % of 120.
    Minimum: 1 call sold, 2 % of 20,000 = 400.
    """
    rows = [("a", "house", "BTC", "long", 1.0), ("a", "house", "BTC", "short", 1.0, *dead("call", 5_000.0))]
    months = rg.span_margin(book(*rows), inter_month=0.01)
    parts = months.to_frame()[["scan_risk_usd", "inter_month_usd", "risk_usd"]]
    assert parts.iloc[0].tolist() == pytest.approx([0.0, 200.0, 200.0], abs=1e-9)
    least = rg.span_margin(book(*rows), short_option_minimum={"BTC": 0.02})
    assert least.risk_usd.tolist() == [400.0]
    assert least.requirement_usd.tolist() == [400.0 + 15_000.0]
    rows = [("a", "house", "BTC", "long", 1.0), ("a", "house", "ETH", "short", 0.4)]
    spread = rg.span_margin(book(*rows), inter_commodity={("ETH", "BTC"): 0.8})
    families = spread.families.set_index("family")
    assert families["inter_commodity_usd"].to_dict() == pytest.approx({"BTC": 96.0, "ETH": 96.0})
    assert families["risk_usd"].to_dict() == pytest.approx({"BTC": 1_904.0, "ETH": 24.0})
    same_side = rg.span_margin(
        book(("a", "house", "BTC", "long", 1.0), ("a", "house", "ETH", "long", 0.4)),
        inter_commodity={("ETH", "BTC"): 0.8},
    )
    assert same_side.to_frame()["inter_commodity_usd"].tolist() == [0.0]


def test_published_arrays_take_the_place_of_the_model():
    future = [float(n) for n in range(-8, 8)]
    call = [float(n * n) for n in range(16)]
    arrays = pd.DataFrame([["BTC", None, None, None, *future], ["BTC", "call", 19_000.0, 0.0, *call]])
    arrays.columns = ["asset", "option_type", "strike", "expiry", *range(1, 17)]
    rows = [
        ("a", "house", "BTC", "long", 2.0),
        ("a", "house", "BTC", "short", 1.0, *dead("call", 19_000.0)),
        ("b", "house", "BTC", "long", 1.0, *dead("call", 21_000.0)),  # not published
    ]
    span = rg.span_margin(book(*rows), risk_arrays=arrays)
    assert span.scenarios.loc[("a", "house", "")].tolist() == [2 * f - c for f, c in zip(future, call, strict=True)]
    assert span.scenario.loc[("a", "house", "")] == 16
    assert span.requirement_usd.loc[("a", "house", "")] == 225 - 14 + 1_000.0
    assert span.scenarios.loc[("b", "house", ""), 11] == 1_000.0
    assert "risk_arrays: given for 2 of 3 contracts, Black-76 for the others" in span.notes
    unscanned = book(*rows[:2], assets=ASSETS[["asset", "price"]])  # nothing needs a scan range any more
    assert rg.span_margin(unscanned, risk_arrays=arrays).scenario.tolist() == [16]


def test_another_table_of_scenarios():
    table = pd.DataFrame({"price_move": [-0.5, 0.5], "volatility_move": [0.5, -0.5], "weight": [0.2, 1.0]})
    rows = [("a", "house", "BTC", "long", 1.0), ("b", "house", "BTC", "long", 1.0, "call", 20_000.0, 0.25, 0.4)]
    span = rg.span_margin(book(*rows, assets=ASSETS[["asset", "price"]]), scenarios=table)
    assert span.scenarios.loc[("a", "house", "")].tolist() == [-2_000.0, 10_000.0]
    now = naive_span.black76(20_000, 20_000, 0.25, 0.4, True)[0]
    moved = [
        0.2 * float(naive_span.black76(10_000, 20_000, 0.25, 0.6, True)[0] - now),
        float(naive_span.black76(30_000, 20_000, 0.25, 0.2, True)[0] - now),
    ]
    assert span.scenarios.loc[("b", "house", "")].tolist() == pytest.approx(moved, rel=1e-9)
    scaled = rg.span_margin(book(*rows), scenarios=table, volatility_term=lambda years: 2.0 * years)
    half = naive_span.black76(10_000, 20_000, 0.25, 0.5, True)[0]
    assert scaled.scenarios.loc[("b", "house", ""), 1] == pytest.approx(0.2 * float(half - now), rel=1e-9)
    again = rg.span_margin(book(*rows), scenarios=span.definitions)
    assert again.scenarios.equals(span.scenarios)
    classic = rg.span_margin(book(*rows))
    assert rg.span_margin(book(*rows), scenarios=classic.definitions).to_frame().equals(classic.to_frame())


def test_what_no_market_can_do_is_not_done_and_said():
    assets = ASSETS.assign(scan_range=0.6, volatility_scan=0.9)
    span = rg.span_margin(book(("a", "house", "BTC", "long", 1.0), assets=assets))
    assert span.scenarios.iloc[0, 15] == pytest.approx(-0.35 * 20_000.0)  # not 120 % of the price
    assert any("the price of 1 contracts fall by more than its whole price" in note for note in span.notes)
    option = rg.span_margin(book(("a", "house", "BTC", "long", 1.0, "call", 25_000.0, 1.0, 0.5), assets=assets))
    assert any("the volatility of 1 contracts fall below 0" in note for note in option.notes)
    assert option.scenarios.iloc[0, 13] == pytest.approx(-option.net_option_value_usd.iloc[0])


# -- against plain loops --------------------------------------------------------------------------------------------


def naive_families(rows, asked):
    """Parts of every portfolio's families by the plain loops, keyed as ``family_scenarios`` is."""
    listed = naive_span.scenarios(asked["extreme_move"], asked["extreme_cover"])
    pairs = [(*pair, share) for pair, share in (asked["inter_commodity"] or {}).items()]
    found = {}
    for account, protocol in sorted({row[:2] for row in rows}):
        mine = [
            dict(zip(COLUMNS[2:9], row[2:], strict=True)) | {"price": PRICES[protocol, row[2]]}
            for row in rows
            if row[:2] == (account, protocol)
        ]
        more = {"inter_month": asked["inter_month"], "pairs": pairs, "minimum": asked["short_option_minimum"]}
        for family, parts in naive_span.span(mine, TERMS, listed, asked["rate"], **more).items():
            found[account, protocol, "", family] = parts
    return found


@settings(max_examples=60)
@given(ROWS, CHARGES)
def test_against_plain_loops(rows, asked):
    span = rg.span_margin(book(*rows, markets=PIT), **asked)
    wanted = naive_families(rows, asked)
    assert set(span.family_scenarios.index) == set(wanted)
    near = 1e-9 * sum(row[4] * PRICES[row[1], row[2]] for row in rows) + 1e-9
    families = span.families.set_index(["account", "protocol", "bucket", "family"])
    for key, parts in wanted.items():
        assert span.family_scenarios.loc[key].tolist() == pytest.approx(parts.pop("profit"), rel=0, abs=near)
        for name, value in parts.items():
            assert families.loc[key, f"{name}_usd"] == pytest.approx(value, rel=0, abs=near), name
    total = sum(parts["requirement"] for parts in wanted.values())
    assert span.requirement_usd.sum() == pytest.approx(total, rel=0, abs=10 * near)


# -- properties -----------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(ROWS, st.randoms(use_true_random=False))
def test_order_of_rows_changes_no_byte(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    one, other = rg.span_margin(book(*rows)), rg.span_margin(book(*shuffled))
    assert one.to_frame().equals(other.to_frame())
    assert one.family_scenarios.equals(other.family_scenarios)


@settings(max_examples=40)
@given(ROWS)
def test_portfolios_together_need_no_more_risk_than_apart_and_money_scales(rows):
    snap = book(*rows)
    span = rg.span_margin(snap)
    assert (span.scan_risk_usd >= 0.0).all()
    assert span.scenario.isna().equals(span.family_scenarios.ge(0.0).all(axis=1).groupby(level=[0, 1, 2]).all())
    merged = {}
    for row in rows:
        key = ("all", "house", *row[2:4], *row[5:])
        merged[key] = merged.get(key, 0.0) + row[4]
    kept = {key[:7]: None for key in merged}
    if len(kept) == len(merged):  # the key of a position leaves its volatility out
        together = rg.span_margin(book(*((*key[:4], amount, *key[4:]) for key, amount in merged.items())))
        assert together.scan_risk_usd.sum() <= span.scan_risk_usd.sum() * (1 + 1e-12) + 1e-9
    large = rg.span_margin(book(*((*row[:4], row[4] * 1024.0, *row[5:]) for row in rows)))
    assert (large.requirement_usd == 1024.0 * span.requirement_usd).all()


def test_an_option_and_its_opposite_stand_for_the_future():
    """A call held and a put sold at one strike are a future: same profit in every scenario (put-call parity)."""
    both = ("call", 21_000.0, 0.3, 0.6), ("put", 21_000.0, 0.3, 0.6)
    synthetic = [("a", "house", "BTC", "long", 1.0, *both[0]), ("a", "house", "BTC", "short", 1.0, *both[1])]
    span = rg.span_margin(book(*synthetic, ("b", "house", "BTC", "long", 1.0)))
    profit = span.scenarios
    assert profit.loc[("a", "house", "")].tolist() == pytest.approx(profit.loc[("b", "house", "")].tolist(), abs=1e-8)
    assert span.net_option_value_usd.loc[("a", "house", "")] == pytest.approx(20_000.0 - 21_000.0)
