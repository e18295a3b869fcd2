"""Compiled sweeps against dense algebra: vectors, tiles of eight columns, diagonals of an inverse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from riskgraph.contagion import tiles
from riskgraph.contagion.sweeping import arrays_of


@st.composite
def contractions(draw):
    """Matrices of 1 to 12 rows, entries ≥ 0, row sums below 1, some with entries on the diagonal."""
    n, seed = draw(st.integers(1, 12)), draw(st.integers(0, 10**6))
    random = np.random.default_rng(seed)
    A = random.random((n, n)) * (random.random((n, n)) < draw(st.sampled_from([0.1, 0.4, 0.9])))
    total = A.sum(axis=1)
    return A * (draw(st.sampled_from([0.3, 0.9])) / np.where(total > 0, total, 1.0))[:, None]


def laid_out(A):
    return arrays_of(sparse.csr_array(A))


def test_one_sweep_by_hand():
    # rows upwards: v0 = 1 + .5 · 2 = 2, then v1 = .25 · 2 = .5; downwards v1 = .25 · 4 = 1, then v0 = 1 + .5 · 1
    rows = laid_out([[0, 0.5], [0.25, 0]]).rows
    add, v = np.array([1.0, 0.0]), np.array([4.0, 2.0])
    assert tiles.sweep(*rows, add, v, False) == 2.0
    assert v.tolist() == [2.0, 0.5]
    v = np.array([4.0, 2.0])
    assert tiles.sweep(*rows, add, v, True) == 2.5
    assert v.tolist() == [1.5, 1.0]


def test_one_fall_by_hand():
    # row 0 is pinned; row 1 falls to .5 + .25 · 1, row 2 to .8 · .75
    rows = laid_out([[0, 0, 0], [0.5, 0, 0.25], [0, 0.8, 0]]).rows
    h = np.ones(3)
    assert tiles.lower(*rows, np.array([True, False, False]), h) == pytest.approx(0.4)
    np.testing.assert_allclose(h, [1.0, 0.75, 0.6])


@given(A=contractions(), deep=st.booleans(), poor=st.booleans())
@settings(max_examples=100)
def test_diagonals_of_an_inverse(A, deep, poor):
    n = len(A)
    M = np.linalg.inv(np.eye(n) - A)
    arrays, size = laid_out(A), M @ np.ones(n)
    right, share = (np.ones(n), np.full(n, 0.7)) if poor else (np.zeros(n), np.zeros(n))  # a poor start costs sweeps
    reach = A @ A @ size if deep else A @ size
    source, out, swept = np.arange(n)[::-1].copy(), np.full(n, np.nan), np.zeros(n, dtype=np.int64)
    rate = (A @ size / size).max()
    tiles.diagonals(
        *arrays.rows, *arrays.columns, deep, source, right, share, size, reach, rate / (1 - rate), 1e-13, 10_000,
        out, swept,
    )  # fmt: skip
    np.testing.assert_allclose(out, np.diag(M)[source] - 1.0, rtol=0, atol=1e-12)
    assert (swept >= 1).all()


def test_a_tile_without_enough_sweeps_says_so():
    A = np.array([[0.0, 0.9], [0.9, 0.0]])
    arrays, out, swept = laid_out(A), np.zeros(2), np.zeros(2, dtype=np.int64)
    nothing, one = np.zeros(2), np.ones(2)
    args = (*arrays.rows, *arrays.columns)
    tiles.diagonals(*args, False, np.arange(2), nothing, nothing, one, one, 9.0, 1e-13, 3, out, swept)
    assert swept.tolist() == [-1, -1]
    driven = laid_out([[0, 0.9, 0.1], [0.9, 0, 0.1], [0, 0, 0]])
    gained, count, swept = np.zeros((1, 1)), np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
    total = np.zeros(3)
    tiles.capped_columns(
        *driven.rows, *driven.columns, np.array([2]), np.ones(3), np.zeros(3), np.zeros(3), np.ones(3), 1e-13, 3,
        np.ones((3, 1)), np.ones(3), gained, count, total, swept,
    )  # fmt: skip
    assert swept.tolist() == [-1] and total.tolist() == [0.0] * 3


@given(A=contractions(), seed=st.integers(0, 10**6), strong=st.sampled_from([1.0, 3.0]))
@settings(max_examples=100)
def test_capped_columns(A, seed, strong):
    n = len(A)
    random = np.random.default_rng(seed)
    room = random.random(n) ** strong + 1e-3  # less room, more caps
    weights, level = random.random((n, 2)), room * random.choice([0.5, 1.0, np.inf], n)
    arrays, source = laid_out(A), np.sort(random.choice(n, random.integers(1, n + 1), replace=False))
    gained, count = np.zeros((len(source), 2)), np.zeros(len(source), dtype=np.int64)
    swept, total, expected = np.zeros(len(source), dtype=np.int64), np.full(n, 7.0), np.full(n, 7.0)
    tiles.capped_columns(
        *arrays.rows, *arrays.columns, source, room, np.ones(n), np.full(n, 0.3), np.ones(n), 1e-15, 10_000,
        weights, level, gained, count, total, swept,
    )  # fmt: skip
    for place, s in enumerate(source):
        d = np.zeros(n)
        for _ in range(2_000):
            d[s] = room[s]
            d = np.minimum(room, A @ d)
        d[s] = 0.0
        np.testing.assert_allclose(gained[place], d @ weights, rtol=1e-12, atol=1e-13)
        clear = np.abs(d - level) > 1e-12
        assert (d >= level)[clear].sum() <= count[place] <= (d >= level - 1e-12).sum()
        expected += d
    np.testing.assert_allclose(total, expected, rtol=1e-12)


@given(A=contractions(), seed=st.integers(0, 10**6), cap=st.booleans())
@settings(max_examples=50)
def test_one_round_gives_scipy_s_bits(A, seed, cap):
    n = len(A)
    random = np.random.default_rng(seed)
    passed, origin, state = (random.random((n, 8)) for _ in range(3))
    new, change = np.empty((n, 8)), np.empty((1, 8))
    tiles.one_round(*laid_out(A).rows, passed, origin, 0.8, cap, state, new, change)
    expected = origin + 0.8 * (sparse.csr_array(A) @ passed)
    expected = np.minimum(expected, 1.0) if cap else expected
    np.testing.assert_array_equal(new, expected)
    np.testing.assert_array_equal(change[0], np.abs(expected - state).max(axis=0))


def test_tables_of_eight_columns():
    random = np.random.default_rng(0)
    one, other, kept = random.random((5, 8)), random.random((5, 8)), np.zeros((5, 8))
    change = np.full((1, 8), 0.5)
    tiles.largest_gap(one, other, change)
    np.testing.assert_array_equal(change[0], np.maximum(0.5, np.abs(one - other).max(axis=0)))
    wanted = np.array([True, False, True, False, False, False, False, True])
    tiles.keep(one, wanted, kept)
    np.testing.assert_array_equal(kept, np.where(wanted, one, 0.0))
    weights, sums = random.random((5, 2)), np.zeros((3, 2))
    tiles.weigh(one, other, weights, sums)
    np.testing.assert_allclose(sums, ((one - other).T @ weights)[:3], rtol=1e-14)
    total = np.ones(5)
    tiles.add_up(one, other, 3, total)
    np.testing.assert_allclose(total, 1.0 + (one - other)[:, :3].sum(axis=1), rtol=1e-14)
    count = np.zeros(3, dtype=np.int64)
    fell = np.array([False, True, False, False, False])
    tiles.fallen(one, fell, 0.5, count)
    np.testing.assert_array_equal(count, ((one >= 0.5) & ~fell[:, None]).sum(axis=0)[:3])


def test_each_node_passes_on_once():
    state = np.zeros((3, 8))
    state[0, 0], state[1, 2] = 0.4, 0.7
    fresh, passed, woken = np.ones((3, 8), dtype=bool), np.empty((3, 8)), np.ones(8, dtype=bool)
    tiles.pass_on_once(state, fresh, passed, woken)
    np.testing.assert_array_equal(passed, state)
    assert np.flatnonzero(woken).tolist() == [0, 2]
    state[2, 0] = 0.1
    tiles.pass_on_once(state, fresh, passed, woken)
    assert passed.sum() == passed[2, 0] == 0.1
    assert np.flatnonzero(woken).tolist() == [0]
