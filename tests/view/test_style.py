"""Classes, numbers and names."""

import colorsys
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskgraph.view.style import KIND_COLOURS, PALETTE, UNRANKED, digits, money, rank_classes, shown

FEW = st.sampled_from([0.0, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 8.0, 9.0, float("nan")])
SCORES = st.lists(FEW | st.floats(0, 10))


def test_hand_solved_thinning():
    classes = rank_classes(np.arange(1.0, 1001.0))
    assert classes.counts.tolist() == [500, 300, 150, 40, 7, 2, 1]
    assert classes.low.tolist() == [1, 501, 801, 951, 991, 998, 1000]
    assert classes.high.tolist() == [500, 800, 950, 990, 997, 999, 1000]
    assert "50, 80, 95, 99, 99.7, 99.9 %" in classes.rule


def test_zeros_have_a_class_of_their_own():
    classes = rank_classes(np.concatenate([np.zeros(700), np.arange(1.0, 1001.0)]))
    assert classes.counts.tolist() == [700, 500, 300, 150, 40, 7, 3]
    assert classes.high[0] == 0.0
    assert classes.low[1] == 1.0
    assert "above 0" in classes.rule


def test_a_heavy_tail_tells_the_largest_apart():
    classes = rank_classes(np.random.default_rng(0).pareto(0.7, 3000))
    top = np.argsort(-np.random.default_rng(0).pareto(0.7, 3000))[:45]
    assert len(set(classes.codes[top].tolist())) >= 3
    assert len(classes.counts) == 7
    assert (np.diff(classes.counts) < 0).all()


@given(SCORES)
def test_classes_are_ordered_whole_and_never_part_equals(scores):
    scores = np.array(scores, dtype=float)
    classes = rank_classes(scores)
    ranked = np.isfinite(scores)
    assert (classes.codes[~ranked] == UNRANKED).all()
    assert classes.counts.sum() == ranked.sum()
    assert (classes.counts > 0).all()
    assert len(classes.counts) == len(classes.colours) <= 7
    assert len(set(classes.colours)) == len(classes.colours)
    for k, (low, high, count) in enumerate(zip(classes.low, classes.high, classes.counts, strict=True)):
        own = scores[classes.codes == k]
        assert (own.min(), own.max(), len(own)) == (low, high, count)
        assert not np.isin(scores[ranked & (classes.codes != k)], own).any()
    assert (classes.high[:-1] < classes.low[1:]).all()
    differing = len(np.unique(scores[ranked]))
    assert len(classes.counts) == differing if differing <= 7 else len(classes.counts) >= 2


@given(st.lists(st.floats(0, 10), min_size=2, max_size=60), st.randoms())
def test_classes_do_not_depend_on_the_order(scores, shuffled):
    order = list(range(len(scores)))
    shuffled.shuffle(order)
    scores = np.array(scores)
    assert rank_classes(scores).codes[order].tolist() == rank_classes(scores[order]).codes.tolist()


def test_nothing_but_zeros_is_pale_and_nothing_ranked_is_no_class():
    assert rank_classes(np.zeros(5)).colours == (PALETTE[0],)
    assert rank_classes(np.full(5, 2.0)).colours == (PALETTE[-1],)
    assert len(rank_classes(np.full(3, np.nan)).counts) == 0


def luminance(colour):
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_scale_darkens_from_class_to_class():
    lights = [luminance(colour) for colour in PALETTE]
    assert all(light > 1.15 * dark for light, dark in itertools.pairwise(lights))


def test_kinds_have_three_hues():
    hues = [colorsys.rgb_to_hsv(*(int(c[k : k + 2], 16) / 255 for k in (1, 3, 5)))[0] for c in KIND_COLOURS[:3]]
    assert min(abs(a - b) for k, a in enumerate(hues) for b in hues[:k]) > 0.08


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (0.0, "$0"), (0.004, "<$0.01"), (-0.004, "−<$0.01"), (0.125, "$0.13"), (9.994, "$9.99"), (9.995, "$10.0"),
        (999.44, "$999"), (999.45, "$1.00k"), (1_234_567.0, "$1.23m"), (-31_500.0, "−$31.5k"), (2.5e15, "$2,500tn"),
        (float("inf"), "∞"), (float("-inf"), "−∞"), (float("nan"), "n/a"),
    ],
)  # fmt: skip
def test_money_as_a_person_says_it(usd, text):
    assert money(usd) == text


@given(st.text(max_size=60), st.integers(4, 40))
def test_names_are_never_too_long(label, limit):
    assert len(shown(label, "account", limit)) <= max(limit, 11)
    if not label.startswith("account:"):
        assert shown(f"account:{label}x", "account", limit) == shown(f"{label}x", "account", limit)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32)))
def test_twelve_digits_are_kept_and_the_last_bits_not(values):
    values = np.array(values, dtype=float)
    assert np.allclose(digits(values), values, rtol=1e-11, atol=0.0)
    assert digits(np.nextafter(0.3, 1) + np.zeros(1)).tolist() == [0.3]
