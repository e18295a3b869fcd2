"""The linear system of a set of defaulters: every road gives the solution, and its bound holds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from riskgraph.contagion import shares
from riskgraph.contagion.shares import solved
from riskgraph.errors import ConvergenceError

ROADS = {
    "dense": {"DENSE": 10_000},
    "krylov on the block": {"DENSE": 0, "NARROW": 2.0},
    "krylov on all rows": {"DENSE": 0, "NARROW": -1.0},
    "lu on the block": {"DENSE": 0, "NARROW": 2.0, "WIDTHS": ()},
    "lu on all rows": {"DENSE": 0, "NARROW": -1.0, "WIDTHS": ()},
}


def system(seed, n, kinds=3):
    """Claims, gains, offsets and unknowns at random: a bank passes on at most 95 % of what comes in."""
    rng = np.random.default_rng(seed)
    W = rng.exponential(1.0, (n, n)) * (rng.random((n, n)) < min(1.0, kinds / n))
    np.fill_diagonal(W, 0.0)
    owed = np.maximum(W.sum(axis=0), 1e-3) * np.exp(rng.normal(0.0, 1.0, n))
    gain = 0.95 / np.maximum(owed, W.sum(axis=0))
    return sparse.csr_array(W), gain, rng.random(n) * (rng.random(n) < 0.7), rng.random(n) < 0.6


def by_hand(W, gain, offset, unknown):
    M = np.where(unknown[:, None], gain[:, None] * W.toarray(), 0.0)
    return np.linalg.solve(np.eye(len(gain)) - M, np.where(unknown, offset, 1.0))


def test_two_banks_on_paper():
    # z_0 = 0.1 + (2 z_1 + 1)/10, z_1 = 0.3 + 4 z_0/8: z_0 = 0.2 + 0.2 z_1, z_1 = 0.3 + 0.5 z_0
    W = sparse.csr_array(np.array([[0.0, 2, 1], [4, 0, 0], [0, 0, 0]]))
    now = solved(W, np.array([0.1, 0.125, 0.0]), np.array([0.1, 0.3, 0.0]), np.array([True, True, False]), np.ones(3))
    assert now.share == pytest.approx([0.26 / 0.9, 0.3 + 0.13 / 0.9, 1.0], rel=1e-14)
    assert now.incoming == pytest.approx([2 * now.share[1] + 1, 4 * now.share[0], 0], rel=1e-14)
    assert now.error == 0.0


@pytest.mark.parametrize("road", ROADS)
@given(st.integers(0, 10_000), st.sampled_from([1, 2, 7, 40]), st.sampled_from([1, 3, 10]))
@settings(max_examples=25, deadline=None)
def test_every_road_against_a_dense_solve(road, seed, n, kinds):
    W, gain, offset, unknown = system(seed, n, kinds)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ROADS[road].items():
            patch.setattr(shares, name, value)
        now = solved(W, gain, offset, unknown, np.ones(n))
    exact = by_hand(W, gain, offset, unknown)  # to rounding of its largest number: pivots lose digits of small ones
    assert now.share == pytest.approx(exact, rel=1e-12, abs=1e-15 * np.abs(exact).max())
    assert now.incoming == pytest.approx(W @ now.share, rel=1e-13, abs=1e-15)


@given(st.integers(0, 10_000), st.sampled_from([30, 60]), st.sampled_from([0.5, 1e-3, 1e-9]))
@settings(max_examples=40, deadline=None)
def test_an_early_end_is_as_close_as_it_says(seed, n, wanted):
    W, gain, offset, unknown = system(seed, n, 10)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shares, "DENSE", 0)
        patch.setattr(shares, "WIDTHS", (2,) * 30)
        now = solved(W, gain, offset, unknown, np.ones(n), lambda _, error: error < wanted)
    exact = by_hand(W, gain, offset, unknown)
    assert now.error < wanted
    assert (np.abs(now.share - exact)[unknown] <= (now.error * now.share + 1e-12)[unknown]).all()
    assert (np.abs(now.incoming - W @ exact) <= now.error * now.incoming + 1e-12).all()


def test_a_long_ring_needs_the_direct_road():
    # cash enters at 0 and loses 1/10,000 at each bank: GMRES would need a direction a bank
    n = 2_000
    W = sparse.csr_array((np.ones(n), (np.arange(n), (np.arange(n) - 1) % n)), shape=(n, n))
    gain = np.full(n, 0.9999)
    now = solved(W, gain, np.where(np.arange(n) == 0, 1e-3, 0.0), np.full(n, True), np.ones(n))
    first = 1e-3 / (1.0 - 0.9999**n)
    assert now.share == pytest.approx(first * 0.9999 ** np.arange(n), rel=1e-11)


@pytest.mark.parametrize("dense", [150, 0])
def test_a_closed_set_is_an_error_and_no_number(dense, monkeypatch):
    monkeypatch.setattr(shares, "DENSE", dense)
    W = sparse.csr_array(np.array([[0.0, 1], [1, 0]]))
    with pytest.raises(ConvergenceError, match="shares paid by 2 defaulters"):
        solved(W, np.ones(2), np.array([0.5, 0.25]), np.array([True, True]), np.ones(2))
