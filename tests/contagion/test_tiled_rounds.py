"""Rounds in compiled tiles: bit for bit the rounds of the block road, in every model."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from riskgraph.contagion import tiled_rounds
from riskgraph.contagion.models import DEFAULTED, transmission
from riskgraph.contagion.spreading import Rules, spread, system
from riskgraph.contagion.tiled_rounds import HANDS, dealt_out, sources_in_tiles, spread_in_tiles
from riskgraph.errors import ConvergenceError
from riskgraph.graph.exposure import ExposureGraph
from tests import naive
from tests.graphs import matrices, matrix_graph

MODELS = {"linear": 0.0, "nonlinear": 1.5, "threshold": 0.0, "original": 0.0}
RULES = st.fixed_dictionaries(
    {
        "damping": st.sampled_from([1.0, 0.8]),
        "horizon": st.sampled_from([None, None, 0, 1, 3]),
        "cap": st.sampled_from([True, True, False]),
        "tol": st.sampled_from([1e-12, 1e-6]),
    }
)


def both(graph, model, start, **rules):
    parts = system(graph, model, MODELS[model])
    passing = transmission(graph, model, MODELS[model])
    tiled = spread_in_tiles(parts.impact, passing, start, Rules(**rules))
    return tiled, spread(parts, start, Rules(**rules))


def assert_same(tiled, blocks):
    np.testing.assert_allclose(tiled.end, blocks.end, rtol=0, atol=1e-14)
    np.testing.assert_allclose(tiled.first, blocks.first, rtol=0, atol=1e-14)
    np.testing.assert_array_equal(tiled.rounds, blocks.rounds)
    np.testing.assert_array_equal(tiled.converged, blocks.converged)


def test_three_banks_solved_by_hand():
    # B loses .6 with A, C .5 with B; A .2 with C. A starts at 1, then C at .4
    graph = matrix_graph([[0, 0, 2], [6, 0, 0], [0, 5, 0]], [10.0, 10.0, 10.0])
    start = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 0.4]])
    runs = {model: both(graph, model, start)[0] for model in ("linear", "threshold", "original")}
    # linear, C at .4: A .2 C, B .6 A, C = .4 + .5 B = .4/.94
    c = 0.4 / 0.94
    np.testing.assert_allclose(runs["linear"].end.T, [[1, 0.6, 0.3], [0.2 * c, 0.12 * c, c]], atol=1e-12)
    # threshold: only A is down, and only B hears of it
    np.testing.assert_allclose(runs["threshold"].end.T, [[1, 0.6, 0], [0, 0, 0.4]], atol=1e-15)
    # original: C has passed its .4 on before it hears from B, and keeps what it hears
    np.testing.assert_allclose(runs["original"].end.T, [[1, 0.6, 0.3], [0.08, 0.048, 0.424]], atol=1e-15)
    assert runs["original"].rounds.tolist() == [3, 3]


@given(network=matrices(), model=st.sampled_from(sorted(MODELS)), rules=RULES, data=st.data())
@settings(max_examples=200)
def test_against_blocks(network, model, rules, data):
    graph = matrix_graph(*network)
    shares = st.lists(st.sampled_from([0.0, 0.0, 0.3, 1.0]), min_size=len(graph), max_size=len(graph))
    start = np.array([data.draw(shares) for _ in range(data.draw(st.integers(1, 3)))], dtype=float).T
    assert_same(*both(graph, model, start, **rules))


@given(network=matrices(), model=st.sampled_from(sorted(MODELS)))
@settings(max_examples=100)
def test_against_the_papers_loops(network, model):
    graph = matrix_graph(*network)
    n, L = len(graph), graph.leverage.toarray().tolist()
    tiled, _ = both(graph, model, np.eye(n))
    for s in range(n):
        start = [1.0 if i == s else 0.0 for i in range(n)]
        end = (
            naive.original_debtrank(L, start)
            if model == "original"
            else naive.debtrank(L, start, model=model, alpha=MODELS[model])
        )
        assert tiled.end[:, s] == pytest.approx(end, abs=1e-9)


@given(network=matrices(), model=st.sampled_from(sorted(MODELS)), data=st.data())
@settings(max_examples=100)
def test_what_is_suffered_against_the_papers_loops(network, model, data):
    graph = matrix_graph(*network)
    n, L = len(graph), graph.leverage.toarray().tolist()
    started = np.array(data.draw(st.lists(st.sampled_from([False, False, True]), min_size=n, max_size=n)))
    sources = np.array(data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=12)))
    parts, passing = system(graph, model, MODELS[model]), transmission(graph, model, MODELS[model])
    one, nothing = np.ones(len(sources)), np.zeros((n, 0))
    found = sources_in_tiles(parts.impact, passing, started, sources, one, nothing, started, Rules())
    suffered = [0.0] * n
    for s in sources:
        start = [1.0 if i == s or started[i] else 0.0 for i in range(n)]
        end = (
            naive.original_debtrank(L, start)
            if model == "original"
            else naive.debtrank(L, start, model=model, alpha=MODELS[model])
        )
        suffered = [suffered[i] + (end[i] - start[i] if i != s else 0.0) for i in range(n)]
    assert found.suffered == pytest.approx(suffered, abs=1e-9 * len(sources))
    assert (found.suffered[started] == 0.0).all()


@pytest.fixture(scope="module")
def network() -> ExposureGraph:
    """300 nodes of 20 debtors each; two start defaulted."""
    draw = np.random.default_rng(7)
    row = np.repeat(np.arange(300), 20)
    column = (row + draw.integers(1, 300, len(row))) % 300
    amount = sparse.csr_array((draw.lognormal(0.0, 1.0, len(row)), (row, column)), shape=(300, 300))
    capital = amount.sum(axis=1) * draw.uniform(0.4, 6.0, 300)
    capital[[5, 177]] = 0.0
    return ExposureGraph.from_matrix(amount, capital)


@pytest.mark.parametrize("model", MODELS)
def test_against_blocks_on_three_hundred_nodes(network, model):
    start = np.zeros((300, 70))
    start[np.arange(70) * 4, np.arange(70)] = 1.0
    start[:, ::3] *= 0.5
    tiled, blocks = both(network, model, start)
    assert_same(tiled, blocks)
    if model in ("linear", "nonlinear"):
        assert len(set(tiled.rounds[:8].tolist())) > 1  # columns of one tile stop by themselves


@pytest.mark.parametrize("model", MODELS)
def test_sources_are_weighted_sums_of_the_same_columns(network, model):
    passing = transmission(network, model, MODELS[model])
    matrix = system(network, model, MODELS[model]).impact
    started = np.isin(np.arange(300), [5, 177])
    sources = np.array([299, 0, 177, 12, 13, 14, 15, 16, 17, 18])
    shock = np.array([1.0, 0.4, 1.0, 1.0, 1.0, 0.2, 1.0, 1.0, 1.0, 1.0])
    weights = np.random.default_rng(1).random((300, 2)) * [1.0, 1e6]
    found = sources_in_tiles(matrix, passing, started, sources, shock, weights, started, Rules())
    start = np.repeat(started.astype(float)[:, None], len(sources), axis=1)
    start[sources, np.arange(10)] = np.maximum(start[sources, np.arange(10)], shock)
    run = spread_in_tiles(matrix, passing, start, Rules())
    np.testing.assert_allclose(found.end, (run.end - start).T @ weights, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.first, (run.first - start).T @ weights, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(found.rounds, run.rounds)
    down = (run.end >= DEFAULTED) & ~started[:, None]
    down[sources, np.arange(10)] = False
    np.testing.assert_array_equal(found.defaults, down.sum(axis=0))
    moved = run.end - start
    moved[sources, np.arange(10)] = 0.0  # two sources, shocked by less than all they have, lose more: not to others
    np.testing.assert_allclose(found.suffered, moved.sum(axis=1), rtol=1e-13, atol=0)
    assert found.converged.all() and "compiled" in found.road


@pytest.mark.parametrize("model", MODELS)
def test_nothing_depends_on_the_number_of_threads(network, model, monkeypatch):
    passing, matrix = transmission(network, model, MODELS[model]), system(network, model, MODELS[model]).impact
    nobody, weights = np.zeros(300, dtype=bool), np.ones((300, 1))
    runs = []
    for threads in (1, 2, 7):
        monkeypatch.setattr(tiled_rounds.os, "cpu_count", lambda threads=threads: threads)
        runs.append(sources_in_tiles(matrix, passing, nobody, np.arange(300), np.ones(300), weights, nobody, Rules()))
    assert runs[0].suffered.sum() > 100.0
    for run in runs[1:]:
        for name in ("end", "first", "defaults", "rounds", "suffered"):
            np.testing.assert_array_equal(getattr(run, name), getattr(runs[0], name))


def test_few_sums_are_held_however_many_the_places():
    dealt = []

    def hand(places, own):
        dealt.append(places)
        own[0] += len(places)
        own[1] += sum(places)

    assert dealt_out(hand, range(0, 100_000, 8), 2).tolist() == [12_500, sum(range(0, 100_000, 8))]
    assert len(dealt) == HANDS
    assert sorted(place for places in dealt for place in places) == list(range(0, 100_000, 8))
    assert dealt_out(hand, range(0), 3).tolist() == [0.0] * 3


def test_without_a_cap_distress_beyond_one_is_counted_and_goes_no_further():
    graph = matrix_graph([[0.0, 12.0], [1.0, 0.0]], [10.0, 10.0])
    tiled, blocks = both(graph, "linear", np.array([[0.0], [1.0]]), cap=False)
    assert_same(tiled, blocks)
    # A loses 1.2 with B, and B a tenth of what it has with A: what A lacks beyond its capital is not passed on
    assert tiled.end[:, 0].tolist() == pytest.approx([1.2, 1.1])


def test_a_budget_that_runs_out_is_said():
    graph = matrix_graph([[0.0, 9.0], [9.0, 0.0]], [10.0, 10.0])
    # A .81; B .9 + .729, so 1; A .9: the third round would still move it by .09
    with pytest.raises(ConvergenceError, match=r"still moved by 9\.0e-02 after 2 rounds \(tol 1e-12\)"):
        both(graph, "linear", np.array([[0.0], [0.9]]), max_rounds=2)
