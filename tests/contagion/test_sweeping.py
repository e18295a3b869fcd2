"""Where sweeps start and when they may stop: the slowest part found, the bound of the error kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from riskgraph.contagion import tiles
from riskgraph.contagion.sweeping import arrays_of, lowered, settled_below, sweeps_over
from tests.contagion.test_columns import random_leverage
from tests.contagion.test_tiles import contractions


def dense_sweep(A):
    """G = (I − L)⁻¹ U."""
    L = np.tril(A, -1)
    return np.linalg.inv(np.eye(len(A)) - L) @ (A - L)


def test_two_nodes_by_hand():
    # A = [[0, .5], [.25, 0]]: G = [[0, .5], [0, .125]], its slowest part r = (1, .25) dies out by .125 a sweep
    sweeps = sweeps_over(sparse.csr_array([[0.0, 0.5], [0.25, 0.0]]), 100)
    np.testing.assert_allclose(sweeps.right, [1.0, 0.25])
    assert sweeps.rate == pytest.approx(0.125)
    assert sweeps.gain == pytest.approx(1 / 7)
    # the other part has the eigenvalue 0: one sweep from A e_1 + share_1 · r is the whole A e_1 + A² e_1 + …
    x = np.array([0.5, 0.0])
    z = x + sweeps.share[1] * sweeps.right
    tiles.sweep(*sweeps.arrays.rows, x, z, False)
    np.testing.assert_allclose(z, [0.5 / 0.875, 0.125 / 0.875])


@given(A=contractions(), seed=st.integers(0, 1_000))
@settings(max_examples=100)
def test_the_bound_holds(A, seed):
    sweeps = sweeps_over(sparse.csr_array(A), 10_000)
    G = dense_sweep(A)
    norm = (np.abs(G) @ sweeps.size / sweeps.size).max()
    assert norm <= sweeps.rate <= norm * (1 + 1e-9) + 1e-300
    random = np.random.default_rng(seed)
    x, z = random.random(len(A)), random.random(len(A))
    exact = np.linalg.solve(np.eye(len(A)) - A, x)
    for _ in range(3):
        before = z.copy()
        tiles.sweep(*sweeps.arrays.rows, x, z, False)
        bound = sweeps.gain * (np.abs(z - before) / sweeps.size).max() * sweeps.size
        assert (np.abs(z - exact) <= bound + 1e-13).all()


def test_what_is_split_off_does_not_come_back():
    matrix = random_leverage(400)
    sweeps = sweeps_over(matrix, 10_000)
    assert sweeps.split
    A = matrix.toarray()
    exact = np.linalg.inv(np.eye(400) - A)
    x = A @ A[:, 7]
    z = {"split": x + sweeps.late[7] * sweeps.right, "plain": x.copy()}
    for start in z.values():
        for _ in range(6):
            tiles.sweep(*sweeps.arrays.rows, x, start, False)
    left = {name: np.abs(end - exact @ x).max() for name, end in z.items()}
    assert left["split"] < left["plain"] / 50


def test_no_cycle_no_slowest_part_and_no_sweep_too_many():
    sweeps = sweeps_over(sparse.csr_array([[0.0, 0.0], [5.0, 0.0]]), 100)
    assert not sweeps.split
    assert sweeps.rate == 0.0


def test_too_slow_is_said():
    assert sweeps_over(sparse.csr_array([[0.0, 0.999], [0.999, 0.0]]), 100_000) is None
    assert sweeps_over(sparse.csr_array([[0.0, 1.1], [1.1, 0.0]]), 500) is None


@given(A=contractions())
@settings(max_examples=50)
def test_settling_from_below_and_from_above(A):
    n = len(A)
    M = np.linalg.inv(np.eye(n) - A)
    rows = arrays_of(sparse.csr_array(A)).rows
    np.testing.assert_allclose(settled_below(rows, np.ones(n), 10_000), M @ np.ones(n), rtol=1e-13)
    pinned = np.zeros(n, dtype=bool)
    pinned[0] = True
    end = lowered(rows, pinned, np.ones(n), 10_000)
    free = np.flatnonzero(~pinned)
    expected = np.linalg.solve(np.eye(n - 1) - A[np.ix_(free, free)], A[free, 0])
    np.testing.assert_allclose(end[free], expected, rtol=1e-12, atol=1e-15)


def test_a_budget_that_runs_out_gives_nothing():
    rows = arrays_of(sparse.csr_array([[0.0, 0.9], [0.9, 0.0]])).rows
    assert settled_below(rows, np.ones(2), 5) is None
    assert lowered(rows, np.zeros(2, dtype=bool), np.ones(2), 5) is None
