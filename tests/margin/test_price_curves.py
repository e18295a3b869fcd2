"""Price curves: METHODS' own table by hand, against numerical quadrature, splitting, bounds of a sale, real quotes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

import riskgraph as rg
from riskgraph.errors import InputError
from riskgraph.margin.impact import table_depth
from riskgraph.margin.price_curves import curves_of

TOKENS = ("CRV", "ETH", "LDO", "MKR", "UNI", "USDC", "stETH", "wstETH")
MODELS = {"ETH": "linear", "CRV": "exponential", "LDO": "constant_product", "MKR": "square_root", "UNI": "table"}
PRICES = {"CRV": 0.5, "ETH": 2000.0, "LDO": 2.0, "MKR": 1500.0, "UNI": 6.0, "USDC": 1.0, "stETH": 1990.0}
QUOTES = [(100.0, 0.02), (250.0, 0.07), (400.0, 0.09), (900.0, 0.3)]  # average falls: the third lies off the majorant
DEPTHS = {"ETH": 1e6, "CRV": 2e5, "LDO": 3e4, "MKR": 4e5}


def book(liquidity, tokens=TOKENS):
    positions = pd.DataFrame({"account": "a", "protocol": "", "asset": tokens, "side": "wallet", "amount": 1.0})
    assets = pd.DataFrame({"asset": tokens, "price": [PRICES.get(token, 2290.0) for token in tokens]})
    return rg.Snapshot(positions=positions, assets=assets, liquidity=pd.DataFrame(liquidity))


def points(asset, quotes, kind="average"):
    return [{"asset": asset, "model": "table", "sold_usd": x, "price_fall": a, "price_kind": kind} for x, a in quotes]


def flat(asset, model, depth):
    return {"asset": asset, "model": model, "depth_usd": depth}


SNAP = book([*(flat(name, MODELS[name], depth) for name, depth in DEPTHS.items()), *points("UNI", QUOTES)])
CURVES = curves_of(SNAP)
CODE = {name: at for at, name in enumerate(SNAP.labels("asset").to_pylist())}
ALL = st.sampled_from(sorted(MODELS))
SIZES = st.floats(-15.0, 15.0) | st.sampled_from([0.0, 1.0, -1.0, 10.0, 0.1, 1e-9, -1e-9])


def by_formula(model, s):
    """METHODS 5.5, column g(s), of the four models with a formula."""
    return {
        "linear": lambda: max(1.0 - s, 0.0),
        "exponential": lambda: np.exp(-s),
        "constant_product": lambda: (1.0 + s / 2.0) ** -2,
        "square_root": lambda: max(1.0 - np.sqrt(0.1 * s), 0.0),
    }[model]()


def by_average(model, s):
    """METHODS 5.5, column average from 0."""
    return {
        "linear": lambda: 1.0 - s / 2.0 if s <= 1.0 else 1.0 / (2.0 * s),
        "exponential": lambda: (1.0 - np.exp(-s)) / s,
        "constant_product": lambda: 1.0 / (1.0 + s / 2.0),
        "square_root": lambda: 1.0 - 2.0 / 3.0 * np.sqrt(0.1 * s),
    }[model]()


def by_fall(model, fall):
    """METHODS 5.5, column s for a fall f."""
    return {
        "linear": lambda: fall,
        "exponential": lambda: -np.log(1.0 - fall),
        "constant_product": lambda: 2.0 * ((1.0 - fall) ** -0.5 - 1.0),
        "square_root": lambda: fall**2 / 0.1,
    }[model]()


# -- by hand --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(DEPTHS))
@pytest.mark.parametrize("size", [0.001, 0.1, 0.5, 1.0, 3.0, 9.0])
def test_the_table_of_the_methods(name, size):
    at, model = CODE[name], MODELS[name]
    assert CURVES.price_at(at, size) == pytest.approx(by_formula(model, size), rel=1e-12, abs=1e-15)
    assert CURVES.average(at, 0.0, size) == pytest.approx(by_average(model, size), rel=1e-12)
    assert CURVES.proceeds_at(at, size) == pytest.approx(size * by_average(model, size), rel=1e-12)
    fall = min(size / 10.0, 0.9)
    assert CURVES.price_at(at, float(by_fall(model, fall))) == pytest.approx(1.0 - fall, rel=1e-12)


def test_toy_of_the_methods():
    """45.5 ETH sold into a depth of 1,000 after a fall of 10 %: price .85905, average .879525."""
    toy = rg.Snapshot(
        positions=pd.DataFrame({"account": ["a"], "protocol": [""], "asset": ["X"], "side": ["wallet"], "amount": 1.0}),
        assets=pd.DataFrame({"asset": ["X"], "price": [1.0]}),
        liquidity=pd.DataFrame([flat("X", "linear", 1000.0)]),
    )
    curves = curves_of(toy)
    s = 45.5 * curves.unit_usd / curves.depth
    assert 0.9 * curves.price(s)[0] == pytest.approx(0.85905, rel=1e-14)
    assert 0.9 * curves.average(0, 0.0, float(s[0])) == pytest.approx(0.879525, rel=1e-14)


def test_a_measured_table_by_hand():
    """Falls of 5 % and 10 % on average at 100 and 200: slopes .95 and .85 at 50 and 150; depth 1,000."""
    curves = curves_of(book(points("ETH", [(100.0, 0.05), (200.0, 0.1)])))
    at = CODE["ETH"]
    assert curves.depth[at] == pytest.approx(1000.0)
    sizes = np.array([0.0, 0.025, 0.05, 0.1, 0.15, 0.25, 0.35])
    beyond = 0.85 / 0.95  # for every 0.1 sold
    wanted = [1.0, 0.975, 0.95, 0.9, 0.85, 0.85 * beyond, 0.85 * beyond**2]
    np.testing.assert_allclose(curves.price_at(at, sizes), wanted, rtol=1e-12)
    rate = -np.log(beyond) / 0.1
    area = 0.05 * 0.975 + 0.1 * 0.9 + 0.85 * (1.0 - beyond) / rate
    assert curves.proceeds_at(at, 0.25) == pytest.approx(area, rel=1e-12)
    assert curves.extrapolated(np.full(len(TOKENS), 0.15 * (1.0 + 1e-12))).tolist() == [
        name == "ETH" for name in TOKENS
    ]
    assert not curves.extrapolated(np.full(len(TOKENS), 0.149)).any()
    assert curves.extrapolated(np.full(len(TOKENS), -0.2))[at]


def test_marginal_tables_are_straight_between_their_points_and_may_reach_0():
    curves = curves_of(book(points("ETH", [(100.0, 0.1), (200.0, 0.1), (300.0, 1.0)], kind="marginal")))
    at = CODE["ETH"]
    np.testing.assert_allclose(
        curves.price_at(at, np.array([0.05, 0.1, 0.15, 0.25, 0.3, 7.0])), [0.95, 0.9, 0.9, 0.45, 0.0, 0.0], atol=1e-12
    )
    assert curves.proceeds_at(at, 50.0) == pytest.approx(0.095 + 0.09 + 0.045, rel=1e-12)
    assert curves.most(at, 0.1, 1.0, 9.0) == pytest.approx(0.1)  # flat until 200 are sold
    assert curves.most(at, 0.05, 1.0, 9.0) == 0.0


def test_marginal_falls_that_shrink_are_refused():
    with pytest.raises(InputError, match=r"liquidity\.price_fall: .*smaller one at sold_usd 200 for ETH"):
        curves_of(book(points("ETH", [(100.0, 0.2), (200.0, 0.1)], kind="marginal")))


def test_tokens_that_are_redeemed_share_a_market():
    curves = curves_of(book([flat("stETH", "exponential", 5e6), flat("wstETH", "linear", 1.0)]))
    staked, wrapped = CODE["stETH"], CODE["wstETH"]
    assert curves.market[wrapped] == staked
    assert curves.depth[wrapped] == 5e6
    assert curves.models[wrapped] == "exponential"
    assert curves.unit_usd[wrapped] == 2290.0
    only = curves_of(book(points("wstETH", QUOTES)))  # its underlying takes its table
    sizes = np.linspace(-0.5, 3.0, 15)
    np.testing.assert_array_equal(only.price_at(staked, sizes), only.price_at(wrapped, sizes))
    np.testing.assert_array_equal(only.price_at(staked, sizes), CURVES.price_at(CODE["UNI"], sizes))
    assert only.depth[staked] == table_depth(*np.array(QUOTES).T, "average")


def test_without_liquidity_there_is_no_impact():
    curves = curves_of(book([flat("ETH", "linear", 5.0)]))
    coin = CODE["USDC"]
    assert curves.depth[coin] == np.inf
    assert (curves.price_at(coin, 9.0), curves.proceeds_at(coin, 9.0), curves.average(coin, 1.0, 2.0)) == (1, 9.0, 1)
    assert (curves.most(coin, 0.0, 1.0, 7.0), curves.most(coin, 0.0, 1.1, 7.0)) == (7.0, 0.0)
    assert curves.most(coin, 0.0, 0.5, np.inf) == np.inf


def test_how_much_can_be_sold_by_hand():
    """Linear from .2: an average of .9 · .8 at .16 more, .4 · .8 at 1 more (.8² / 2); constant product from 0."""
    eth, ldo = CODE["ETH"], CODE["LDO"]
    assert CURVES.most(eth, 0.2, 0.9, 5.0) == pytest.approx(0.16, rel=1e-14)
    assert CURVES.most(eth, 0.2, 0.4, 5.0) == pytest.approx(1.0, rel=1e-14)
    assert CURVES.most(ldo, 0.0, 0.8, 5.0) == pytest.approx(0.5, rel=1e-14)
    assert CURVES.most(eth, 0.2, 0.9, 0.1) == 0.1
    assert CURVES.most(eth, 2.0, 0.9, 7.0) == 7.0  # at a price of 0 nothing falls any further
    assert CURVES.most(eth, -3.0, 1.0, 9.0) == 2.0  # bought 3: the price stays at twice until 2 of them are sold
    assert CURVES.most(eth, 0.0, 1.0, 9.0) == 0.0


# -- against quadrature ---------------------------------------------------------------------------------------------


def knots_of(name):
    turns = CURVES.curve(CODE[name]).turns
    return [*-turns[::-1], 0.0, *turns]


def integral(name, start, end):
    """∫ g by quadrature between every two bends."""
    at = CODE[name]
    low, high = sorted((start, end))
    edges = [low, *(knot for knot in knots_of(name) if low < knot < high), high]
    parts = [
        quad(lambda s: CURVES.price_at(at, float(s)), left, right, epsabs=1e-14, epsrel=1e-13, limit=200)[0]
        for left, right in pairwise(edges)
    ]
    return sum(parts) if start <= end else -sum(parts)


@given(ALL, SIZES, SIZES)
@settings(max_examples=200)
def test_averages_and_proceeds_against_quadrature(name, start, end):
    at = CODE[name]
    assume(start != end)
    area = integral(name, start, end)
    assert CURVES.average(at, start, end) * (end - start) == pytest.approx(area, rel=1e-10, abs=1e-11)
    assert CURVES.proceeds_at(at, end) == pytest.approx(integral(name, 0.0, end), rel=1e-10, abs=1e-11)
    assert CURVES.average(at, start, end) == CURVES.average(at, end, start)


@given(ALL, st.floats(0.0, 12.0), st.sampled_from([0.0, 1e-15, 1e-12, 1e-9, 1e-6]))
def test_averages_over_next_to_nothing(name, start, width):
    at, end = CODE[name], start + width
    found = CURVES.average(at, start, end)
    high, low = CURVES.price_at(at, start), CURVES.price_at(at, end)
    assert low * (1.0 - 1e-12) <= found <= high * (1.0 + 1e-12)
    if start == end:
        assert found == high
    if name == "MKR" and start < 0.01:  # a root bends: no straight line
        roots = [np.sqrt(0.1 * start), np.sqrt(0.1 * end)]
        bent = roots[0] ** 2 + roots[0] * roots[1] + roots[1] ** 2
        assert found == pytest.approx(1.0 - bent / (1.5 * max(sum(roots), 1e-300)), rel=1e-12)
    else:
        assert found == pytest.approx((high + low) / 2.0, rel=1e-9, abs=1e-12)


@given(ALL, st.lists(SIZES, min_size=3, max_size=6).map(sorted))
def test_splitting_a_sale_changes_nothing(name, stops):
    at = CODE[name]
    steps = [CURVES.average(at, a, b) * (b - a) for a, b in pairwise(stops)]
    whole = CURVES.average(at, stops[0], stops[-1]) * (stops[-1] - stops[0])
    assert sum(steps) == pytest.approx(whole, rel=1e-12, abs=1e-13)
    assert CURVES.proceeds_at(at, stops[-1]) - CURVES.proceeds_at(at, stops[0]) == pytest.approx(
        whole, rel=1e-12, abs=1e-13
    )


# -- properties -----------------------------------------------------------------------------------------------------


@given(ALL, SIZES)
def test_the_curve_is_odd_about_1_and_falls(name, size):
    at = CODE[name]
    assert CURVES.price_at(at, -size) == pytest.approx(2.0 - CURVES.price_at(at, size), rel=1e-15)
    assert CURVES.proceeds_at(at, -abs(size)) == pytest.approx(
        -(2.0 * abs(size) - CURVES.proceeds_at(at, abs(size))), rel=1e-12
    )
    assert CURVES.price_at(at, size + 0.01) <= CURVES.price_at(at, size)


@given(st.lists(SIZES, min_size=len(TOKENS), max_size=len(TOKENS)).map(np.array))
def test_all_markets_at_once_are_each_alone(sizes):
    alone = [(CURVES.price_at(at, float(s)), CURVES.proceeds_at(at, float(s))) for at, s in enumerate(sizes)]
    np.testing.assert_array_equal(np.transpose(alone), [CURVES.price(sizes), CURVES.proceeds(sizes)])
    for name in MODELS:
        prices = [CURVES.average(CODE[name], 0.3, float(s)) for s in sizes]
        np.testing.assert_array_equal(CURVES.average(CODE[name], 0.3, sizes), prices)


@given(ALL, SIZES, st.floats(0.01, 1.0, exclude_max=True), st.floats(1e-6, 1e9))
@settings(max_examples=300)
def test_most_is_the_last_size_that_earns_enough(name, start, least, upto):
    at = CODE[name]
    before = CURVES.price_at(at, start)
    width = CURVES.most(at, start, least, upto)
    assert 0.0 <= width <= upto
    assume(before > 1e-12)
    # start + width is rounded: what that does to the average of next to nothing is no fault of the width
    slack = 1e-9 + 4e-16 * (1.0 + abs(start)) / max(width, 1e-300)
    earned = CURVES.average(at, start, start + width) / before
    assert earned >= least - slack
    if width < upto:
        assert earned == pytest.approx(least, abs=slack)
        assert CURVES.average(at, start, start + width * 1.01 + 1e-9) / before < least + slack
    assert CURVES.most(at, start, least, np.inf) >= width * (1.0 - 1e-9) - 1e-12


def test_scaling_a_book_scales_nothing_in_s():
    scaled = curves_of(
        book([*(flat(name, MODELS[name], 7.0 * depth) for name, depth in DEPTHS.items()),
              *points("UNI", [(7.0 * x, a) for x, a in QUOTES])])
    )  # fmt: skip
    sizes = np.linspace(-1.0, 4.0, len(TOKENS))
    np.testing.assert_allclose(scaled.price(sizes), CURVES.price(sizes), rtol=1e-12)
    np.testing.assert_allclose(scaled.depth, 7.0 * CURVES.depth, rtol=1e-12)


# -- real quotes ----------------------------------------------------------------------------------------------------


def test_quotes_of_an_exchange_aggregator(shared_data):
    """What a sale earns is never less than quoted, within one step of the sizes that were asked for."""
    quotes = pd.read_csv(shared_data / "liquidity_depth" / "oneinch_quotes_readable.csv.gz")
    pairs = quotes[(quotes["t"] == "USDC") & (quotes["s"].isin(["wstETH", "WBTC", "sfrxETH", "TUSD"]))]
    units = {"wstETH": 2290.0, "WBTC": 37_000.0, "sfrxETH": 2110.0, "TUSD": 1.0}
    pairs = pairs.assign(sold=pairs["amt"] * pairs["s"].map(units), fall=pairs["price_impact"].clip(0.0, 1.0))
    rows = pairs.groupby(["s", "sold"], as_index=False)["fall"].median()
    tokens = sorted(rows["s"].unique())
    assert len(tokens) >= 2
    table = [row for name in tokens for row in points(name, rows[rows["s"] == name][["sold", "fall"]].to_numpy())]
    snap = book(table, tokens=tokens)
    curves = curves_of(snap)
    for name in tokens:
        at, asked = snap.labels("asset").to_pylist().index(name), rows[rows["s"] == name]
        s = asked["sold"].to_numpy() / curves.depth[at]
        earned = curves.average(at, 0.0, s)
        assert np.isfinite(curves.depth[at])
        assert curves.price_at(at, 0.1) == pytest.approx(0.9, rel=1e-9)
        assert (np.diff(earned) <= 1e-12).all()
        # joining slopes at midpoints moves proceeds by less than one step's fall
        assert np.quantile((1.0 - asked["fall"].to_numpy()) - earned, 0.95) < 0.05
