"""λ₁ of a book by its core: by hand, against the whole matrix, and which books take which way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

import riskgraph as rg
from riskgraph.contagion import roots
from riskgraph.contagion.perron import perron_root
from riskgraph.contagion.roots import leverage_root
from tests.graphs import book, books, matrix_graph

# asset a and protocol p drive one another (0.5 · 0.3); u and w hand a's fall back to it (0.1 · 2.5 + 0.3 · 0.8),
# and z hears of a and hands nothing back
HAND = [[0, 0.5, 0.1, 0.3, 0], [0.3, 0, 0, 0, 0], [2.5, 0, 0, 0, 0], [0.8, 0, 0, 0, 0], [0.7, 0, 0, 0, 0]]
KINDS = ["asset", "protocol", "account", "account", "account"]


@pytest.fixture
def asked(monkeypatch):
    """Sizes of the matrices whose root is asked for."""
    sizes = []

    def root(matrix):
        sizes.append(matrix.shape[0])
        return perron_root(matrix)

    monkeypatch.setattr(roots, "perron_root", root)
    return sizes


def test_a_book_by_hand(asked):
    # λ x_p = 0.3 x_a and λ x_a = 0.5 x_p + (0.25 + 0.24) x_a / λ, hence λ² = 0.15 + 0.49
    assert leverage_root(book(KINDS, HAND)) == pytest.approx(0.8, abs=1e-12)
    assert asked == [4]  # twice the core of two


@given(graph=books())
@settings(max_examples=300, deadline=None)
def test_any_book_has_the_root_of_its_matrix(graph):
    assert leverage_root(graph) == pytest.approx(perron_root(graph.leverage), rel=1e-9, abs=1e-12)


@given(graph=books(), times=st.sampled_from([1e-3, 0.4, 3.0, 250.0]))
@settings(max_examples=100, deadline=None)
def test_leverage_times_a_number_gives_the_root_times_it(graph, times):
    scaled = replace(graph, leverage=sparse.csr_array(graph.leverage * times))
    assert leverage_root(scaled) == pytest.approx(times * leverage_root(graph), rel=1e-9, abs=1e-12)


def test_a_book_of_hundreds_by_its_core(asked):
    graph = rg.exposure_graph(rg.datasets.synthetic(accounts=500))
    core = int((graph.kind != roots.ACCOUNT).sum())
    expected = perron_root(graph.leverage)
    assert expected > 0.0
    assert leverage_root(graph) == pytest.approx(expected, rel=1e-10)
    assert asked == [2 * core]
    assert 2 * core < len(graph)


def test_a_book_without_feedback_has_no_root(asked):
    # accounts lose with the asset and hand nothing back
    L = [[0, 0.5, 0, 0, 0], [0, 0, 0, 0, 0], [2.5, 0, 0, 0, 0], [0.8, 0.1, 0, 0, 0], [0, 0.3, 0, 0, 0]]
    assert leverage_root(book(KINDS, L)) == 0.0
    assert asked == [4]


# -- what takes the whole matrix -------------------------------------------------------------------------------------


def test_a_book_without_accounts(asked):
    # e backs f by 0.9, f backs e by 0.4: λ² = 0.36; p hears of both and moves neither
    L = [[0, 0.4, 0], [0.9, 0, 0], [0.2, 0.7, 0]]
    assert leverage_root(book(["asset", "asset", "protocol"], L)) == pytest.approx(0.6, abs=1e-12)
    assert asked == [3]


def test_a_core_larger_than_its_accounts(asked):
    L = [[0, 0.5, 0.1], [0.3, 0, 0], [3.4, 0, 0]]  # λ² = 0.15 + 0.34
    assert leverage_root(book(["asset", "protocol", "account"], L)) == pytest.approx(0.7, abs=1e-12)
    assert asked == [3]


def test_accounts_that_touch_one_another(asked):
    # u and w by themselves: λ² = 1.6 · 0.9, more than by the core
    L = np.array(HAND)
    L[2:, :2] = 0.0
    L[2, 3], L[3, 2] = 1.6, 0.9
    assert leverage_root(book(KINDS, L)) == pytest.approx(1.2, abs=1e-12)
    assert asked == [5]


def test_kindless_nodes(asked):
    # B owes A half of A's capital, A owes B a quarter of B's: λ² = 1/8, and C holds what nobody hears of
    graph = matrix_graph([[0, 5, 0], [2, 0, 0], [0, 0, 0]], [10, 8, 1])
    assert leverage_root(graph) == pytest.approx(np.sqrt(1 / 8), abs=1e-12)
    mixed = book(["node", "asset", "account", "account", "account"], HAND)
    assert leverage_root(mixed) == pytest.approx(0.8, abs=1e-12)
    assert asked == [3, 5]
