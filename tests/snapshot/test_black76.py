"""Black-76 solved by hand, printed in books, against decimals, and at every edge."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskgraph.snapshot.black76 import option_delta, option_value
from tests.naive import span as naive_span

SIZES = st.one_of(
    st.sampled_from([0.0, 1e-12, 1.0, 1e9]),
    st.floats(-12.0, 9.0).map(lambda power: 10.0**power),
    st.floats(90.0, 110.0),
)
STRIKES = SIZES.filter(bool)
EXPIRIES = st.one_of(st.sampled_from([0.0, 1e-9, 1.0]), st.floats(0.0, 5.0))
VOLATILITIES = st.one_of(st.sampled_from([0.0, 1e-9, 1e6, 1e200]), st.floats(0.0, 5.0))
RATES = st.sampled_from([0.0, 0.07, -0.01])
OPTIONS = (SIZES, STRIKES, EXPIRIES, VOLATILITIES, st.booleans(), RATES)


def test_by_hand():
    """F = 100, K = 80, σ√T = ln(100/80): d1 = 1 + s/2, d2 = 1 − s/2 with s = 0.22314355."""
    s = math.log(100 / 80)
    call = 100 * 0.5 * math.erfc(-(1 + s / 2) / math.sqrt(2)) - 80 * 0.5 * math.erfc(-(1 - s / 2) / math.sqrt(2))
    assert option_value(100.0, 80.0, 0.25, 2 * s, True) == pytest.approx(call, rel=1e-14)
    assert option_value(100.0, 80.0, 0.25, 2 * s, False) == pytest.approx(call - 20.0, rel=1e-12)


@pytest.mark.parametrize(
    ("terms", "printed"),
    [
        # Hull, Options, Futures, and Other Derivatives: European put on crude oil futures
        ((20.0, 20.0, 4 / 12, 0.25, False, 0.09), 1.12),
        # Haug, The Complete Guide to Option Pricing Formulas: Brent futures, call and put
        ((19.0, 19.0, 0.75, 0.28, True, 0.10), 1.7011),
        ((19.0, 19.0, 0.75, 0.28, False, 0.10), 1.7011),
    ],
)
def test_as_printed_in_books(terms, printed):
    digits = len(str(printed).split(".")[1])
    assert round(float(option_value(*terms)), digits) == printed


@given(*OPTIONS)
def test_against_decimals(price, strike, expiry, volatility, is_call, rate):
    value, delta = naive_span.black76(price, strike, expiry, volatility, is_call, rate)
    near = 4e-15 * max(price, strike) * math.exp(-rate * expiry)
    assert option_value(price, strike, expiry, volatility, is_call, rate) == pytest.approx(
        float(value), rel=0, abs=near
    )
    # delta is as sensitive to the logarithms of F and K as they are large against the deviation
    deviation = volatility * math.sqrt(expiry)
    blur = 4e-15 * (1 + 60 / deviation) if deviation and price else 4e-15
    assert option_delta(price, strike, expiry, volatility, is_call, rate) == pytest.approx(
        float(delta), rel=0, abs=blur
    )


@given(*OPTIONS)
def test_bounds_and_parity(price, strike, expiry, volatility, is_call, rate):
    terms = (price, strike, expiry, volatility)
    discount = math.exp(-rate * expiry)
    call, put = option_value(*terms, [True, False], rate)
    scale = 4e-15 * max(price, strike) * discount
    assert call - put == pytest.approx(discount * (price - strike), rel=0, abs=scale)
    assert discount * max(price - strike, 0.0) - scale <= call <= discount * price + scale
    assert discount * max(strike - price, 0.0) - scale <= put <= discount * strike + scale
    up, down = option_delta(*terms, [True, False], rate)
    assert 0.0 <= up <= discount
    assert up - down == pytest.approx(discount, rel=1e-15)
    more = option_value(price, strike, expiry, volatility * 1.5 + 0.01, is_call, rate)
    assert more >= option_value(*terms, is_call, rate) - scale


@pytest.mark.parametrize(
    ("terms", "call", "put"),
    [
        ((100.0, 90.0, 0.0, 0.5), 10.0, 0.0),  # at expiry
        ((100.0, 90.0, 2.0, 0.0), 10.0, 0.0),  # without volatility
        ((90.0, 100.0, 0.0, 0.0), 0.0, 10.0),
        ((0.0, 90.0, 2.0, 0.5), 0.0, 90.0),  # worth nothing for good
        ((0.0, 90.0, 2.0, 1e300), 0.0, 90.0),
        ((100.0, 90.0, 2.0, 1e300), 100.0, 90.0),  # volatility without bound
        ((100.0, 90.0, 2.0, math.inf), 100.0, 90.0),
        ((1e-12, 1e9, 1.0, 0.5), 0.0, 1e9),
        ((1e9, 1e-12, 1.0, 0.5), 1e9, 0.0),
        ((1e-12, 1e-12, 0.0, 0.5), 0.0, 0.0),
    ],
)
def test_edges(terms, call, put):
    assert option_value(*terms, [True, False]).tolist() == [call, put]


def test_delta_where_nothing_can_happen_any_more():
    assert option_delta([90.0, 100.0, 110.0, 0.0], 100.0, 0.0, 0.4, True).tolist() == [0.0, 0.5, 1.0, 0.0]
    assert option_delta([90.0, 100.0, 110.0, 0.0], 100.0, 1.0, 0.0, False).tolist() == [-1.0, -0.5, 0.0, -1.0]


def test_shapes_broadcast_and_gaps_stay_gaps():
    value = option_value([[100.0], [90.0]], [80.0, 90.0, 100.0], 0.5, 0.3, True)
    assert value.shape == (2, 3)
    assert value[1, 2] == option_value(90.0, 100.0, 0.5, 0.3, True)
    assert np.isnan(
        option_value([np.nan, 1.0, 1.0, 1.0], [1.0, np.nan, 1.0, 1.0], 1.0, [1.0, 1.0, np.nan, 0.0], True)
    ).tolist() == [True, True, True, False]


@given(st.floats(50.0, 150.0), st.floats(0.05, 2.0), st.floats(0.1, 1.5), st.booleans())
def test_delta_is_the_slope_of_value(price, expiry, volatility, is_call):
    step = 1e-4
    up, down = option_value([price + step, price - step], 100.0, expiry, volatility, is_call, 0.03)
    slope = option_delta(price, 100.0, expiry, volatility, is_call, 0.03)
    assert slope == pytest.approx((up - down) / (2 * step), rel=0, abs=1e-7)
