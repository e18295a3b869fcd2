"""Every road gives the numbers of one shock after another, on any book and any matrix, and says what it did."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riskgraph as rg
from riskgraph.contagion import compiled, core_road, roads
from riskgraph.errors import ConvergenceError
from tests import naive
from tests.graphs import book, books, matrices, matrix_graph

MODELS = st.sampled_from(["liquidation", "linear", "linear", "nonlinear", "threshold", "original"])
ARGUMENTS = {"damping": st.sampled_from([1.0, 0.8]), "horizon": st.sampled_from([None, None, None, 1, 2])}


@pytest.fixture(scope="module", autouse=True)
def _never_the_plain_road_for_its_size():
    with pytest.MonkeyPatch.context() as patch:
        for name in ("COMPILED_CELLS", "SOLVED_CELLS", "TILED_CELLS"):
            patch.setattr(roads, name, 0)
        yield


def plainly(graph, **arguments):
    with pytest.MonkeyPatch.context() as patch:
        for name in ("COMPILED_CELLS", "SOLVED_CELLS", "TILED_CELLS"):
            patch.setattr(roads, name, 10**18)
        return rg.contagion_centrality(graph, **arguments)


def one_after_another(graph, ranking, **arguments):
    """Every source by itself: its own numbers, and what all nodes suffer on the way."""
    frame = ranking.to_frame().reindex(graph.labels)
    moved, others = np.zeros(len(graph)), np.zeros(len(graph))
    for at, (label, row) in enumerate(frame.iterrows()):
        if row["starts_defaulted"]:
            assert row[["contagion", "loss_usd", "first_round_usd", "defaults"]].tolist() == [0, 0, 0, 0]
            continue
        alone = rg.debtrank(graph, {label: row["shock"]}, **arguments)
        first = rg.debtrank(graph, {label: row["shock"]}, **{**arguments, "horizon": 1})
        assert row["contagion"] == pytest.approx(alone.systemic_loss, abs=1e-9)
        assert row["loss_usd"] == pytest.approx(alone.loss_usd, abs=1e-7)
        assert row["first_round_usd"] == pytest.approx(first.loss_usd, abs=1e-8)
        assert row["defaults"] == alone.defaults
        if abs(first.loss_usd) > 1e-6:
            assert row["amplification"] == pytest.approx(alone.amplification, rel=1e-6, abs=1e-6, nan_ok=True)
        else:
            assert np.isnan(row["amplification"]) or abs(row["first_round_usd"]) < 1e-6
        here = np.arange(len(graph)) != at
        moved += np.where(here, alone.end - alone.baseline_end, 0.0)
        others += here
    mean = np.divide(moved, others, out=np.full(len(graph), np.nan), where=others > 0)
    np.testing.assert_allclose(ranking.vulnerability, mean, atol=1e-8)


@given(graph=books(), data=st.data())
@settings(max_examples=200, deadline=None)
def test_any_book_against_one_shock_after_another(graph, data):
    model = data.draw(MODELS)
    arguments = {name: data.draw(values) for name, values in ARGUMENTS.items()}
    arguments |= {"model": model, "alpha": 1.5 if model == "nonlinear" else None}
    ranking = rg.contagion_centrality(graph, sources="all", asset_shock=0.2, **arguments)
    one_after_another(graph, ranking, **arguments)


@given(network=matrices(), data=st.data())
@settings(max_examples=200, deadline=None)
def test_any_matrix_against_one_shock_after_another(network, data):
    model = data.draw(st.sampled_from(["linear", "linear", "nonlinear", "threshold", "original"]))
    arguments = {name: data.draw(values) for name, values in ARGUMENTS.items()}
    arguments |= {"model": model, "alpha": 1.5 if model == "nonlinear" else None}
    graph = matrix_graph(*network)
    ranking = rg.contagion_centrality(graph, sources="all", **arguments)
    one_after_another(graph, ranking, **arguments)


@pytest.mark.parametrize(
    ("model", "said"), [("liquidation", "accounts within reach"), ("linear", "solved on the core")]
)
def test_a_book_of_thousands_against_blocks(model, said):
    graph = rg.exposure_graph(rg.datasets.synthetic(accounts=1_500, seed=3))
    fast, again = (rg.contagion_centrality(graph, model=model) for _ in range(2))
    np.testing.assert_array_equal(fast.effects.contagion, again.effects.contagion)  # threads change no bit
    np.testing.assert_array_equal(fast.effects.vulnerability, again.effects.vulnerability)
    blocks = plainly(graph, model=model)
    assert said in fast.road and "sources at a time" in blocks.road
    for name in ("contagion", "vulnerability"):
        np.testing.assert_allclose(getattr(fast.effects, name), getattr(blocks.effects, name), rtol=1e-8, atol=1e-11)
    np.testing.assert_allclose(fast.effects.first_round_usd, blocks.effects.first_round_usd, rtol=1e-9, atol=1e-3)
    np.testing.assert_array_equal(fast.effects.defaults, blocks.effects.defaults)


@pytest.mark.parametrize("scale", [0.1, 0.6, 3.0])
def test_the_core_road_below_and_above_one(scale):
    # sales that move prices little, hardly less than they cost, and far more: λ₁ on both sides of 1
    snap = rg.datasets.synthetic(accounts=400, seed=5)
    depths = snap.liquidity.assign(depth_usd=snap.liquidity["depth_usd"] / scale)
    graph = rg.exposure_graph(snap.replace(liquidity=depths))
    fast = rg.contagion_centrality(graph, model="linear", sources="all")
    assert "solved on the core" in fast.road
    assert ("drive the book" in fast.road) == (fast.spectral_radius > 1.0)
    blocks = plainly(graph, model="linear", sources="all")
    np.testing.assert_allclose(fast.effects.contagion, blocks.effects.contagion, atol=1e-8)
    np.testing.assert_array_equal(fast.effects.defaults, blocks.effects.defaults)


def test_where_nothing_saturates_the_core_gives_twelve_digits():
    L = [[0, 0, 0.02, 0.01], [0.3, 0, 0.01, 0.05], [0.7, 0.2, 0, 0], [0.4, 0.5, 0, 0]]
    graph = book(["asset", "asset", "account", "account"], L, capital=[np.nan, np.nan, 8.0, 30.0])
    ranking = rg.contagion_centrality(graph, model="linear", sources="all")
    assert "solved on the core" in ranking.road
    for at, shock in enumerate([0.1, 0.1, 1.0, 1.0]):
        start = [shock if i == at else 0.0 for i in range(4)]
        end = naive.debtrank(graph.leverage.toarray().tolist(), start)
        expected = sum(v * (e - s) for v, e, s in zip(graph.weight, end, start, strict=True))
        assert ranking.scores[at] == pytest.approx(expected, abs=1e-14)


def test_a_book_too_wide_for_the_core_walks_and_says_why(monkeypatch):
    graph = rg.exposure_graph(rg.datasets.synthetic(accounts=100, seed=3))
    solved = rg.contagion_centrality(graph, model="linear")
    monkeypatch.setattr(core_road, "CORE", 3)
    walked = rg.contagion_centrality(graph, model="linear")
    assert "not solved on the core: the core has more than 3 nodes" in walked.road
    np.testing.assert_allclose(walked.effects.contagion, solved.effects.contagion, atol=1e-9)


def test_a_component_at_one_is_walked_and_said_to_be():
    # w sells into e what e's fall takes from it: exactly as much comes back
    graph = book(["asset", "account"], [[0, 0.5], [2.0, 0]], capital=[np.nan, 10.0])
    ranking = rg.contagion_centrality(graph, model="linear", horizon=None, damping=1.0)
    assert "too near to 1" in ranking.road


def test_leaps_and_waves_end_alike(monkeypatch):
    graph = rg.exposure_graph(rg.datasets.synthetic(accounts=3_000, seed=0))
    leaping = rg.contagion_centrality(graph, max_sources=50)
    monkeypatch.setattr(compiled, "FOLDED_CORE", 0)  # every account is followed, none taken out beforehand
    followed = rg.contagion_centrality(graph, max_sources=50)
    assert followed.effects.rounds.sum() > leaping.effects.rounds.sum()
    np.testing.assert_allclose(followed.effects.contagion, leaping.effects.contagion, atol=1e-10)


def test_a_budget_that_runs_out_is_said(monkeypatch):
    graph = rg.exposure_graph(rg.datasets.synthetic(accounts=300, seed=0))
    monkeypatch.setattr(compiled, "round_budget", lambda n: 2)
    with pytest.raises(ConvergenceError, match="after 2 rounds"):
        rg.contagion_centrality(graph)


def test_a_chain_that_feeds_itself_is_walked_and_said_to_be():
    # the two assets back one another more than whole: no first wave to solve
    L = [[0, 1.2, 0.01], [1.2, 0, 0.0], [0.5, 0.5, 0]]
    graph = book(["asset", "asset", "account"], L, capital=[np.nan, np.nan, 8.0])
    ranking = rg.contagion_centrality(graph, model="linear")
    assert "the chain among assets and protocols alone has λ₁ of at least 1" in ranking.road
    plain = plainly(graph, model="linear")
    np.testing.assert_allclose(ranking.effects.first_round_usd, plain.effects.first_round_usd, rtol=1e-9)


def test_a_source_that_adds_nothing_to_a_baseline_adds_nothing():
    rng = np.random.default_rng(0)
    A = np.where(rng.random((60, 60)) < 0.1, rng.exponential(1.0, (60, 60)), 0.0)
    np.fill_diagonal(A, 0.0)
    A[:, 30:] = A[30:] = 0.0  # the second half has no claims, and nobody has any on it
    capital = A.sum(axis=1) * 2 + 0.3
    capital[:4] = -1.0
    for ranking in (contagion(matrix_graph(A, capital)) for contagion in (rg.contagion_centrality, plainly)):
        frame = ranking.to_frame().loc[[str(node) for node in range(30, 60)]]
        assert (frame["first_round_usd"] == 0.0).all()
        assert (frame[["contagion", "loss_usd"]].abs() < 1e-9).all(axis=None)
        assert frame["amplification"].isna().all()
