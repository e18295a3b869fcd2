"""The compiled road gives the numbers of one shock after another, on any book and on a larger one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riskgraph as rg
from riskgraph.contagion import sources
from riskgraph.errors import ConvergenceError
from tests.graphs import books, matrix_graph

ARGUMENTS = st.fixed_dictionaries(
    {
        "model": st.sampled_from(["liquidation", "linear"]),
        "damping": st.sampled_from([1.0, 0.8]),
        "horizon": st.sampled_from([None, None, 1, 2]),
    }
)


@pytest.fixture(scope="module", autouse=True)
def _always_compiled():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "COMPILED_CELLS", 0)
        yield


@given(graph=books(), arguments=ARGUMENTS)
@settings(max_examples=150)
def test_against_one_shock_after_another(graph, arguments):
    ranking = rg.contagion_centrality(graph, sources="all", asset_shock=0.2, **arguments)
    frame = ranking.to_frame().reindex(graph.labels)
    for label, row in frame.iterrows():
        if row["starts_defaulted"]:
            assert row[["contagion", "loss_usd", "first_round_usd", "defaults"]].tolist() == [0, 0, 0, 0]
            continue
        alone = rg.debtrank(graph, {label: row["shock"]}, **arguments)
        first = rg.debtrank(graph, {label: row["shock"]}, **{**arguments, "horizon": 1})
        assert row["contagion"] == pytest.approx(alone.systemic_loss, abs=1e-10)
        assert row["loss_usd"] == pytest.approx(alone.loss_usd, abs=1e-8)
        assert row["first_round_usd"] == pytest.approx(first.loss_usd, abs=1e-9)
        assert row["defaults"] == alone.defaults
    if ranking.effects.rounds.max(initial=0) and not frame["starts_defaulted"].all():
        assert "compiled" in ranking.road


@pytest.mark.parametrize("model", ["liquidation", "linear"])
def test_against_blocks_on_a_book_of_thousands(model, monkeypatch):
    graph = rg.exposure_graph(rg.datasets.synthetic(accounts=1_500, seed=3))
    compiled = rg.contagion_centrality(graph, model=model)
    again = rg.contagion_centrality(graph, model=model)
    np.testing.assert_array_equal(compiled.effects.contagion, again.effects.contagion)  # threads change no bit
    monkeypatch.setattr(sources, "COMPILED_CELLS", 10**18)
    blocks = rg.contagion_centrality(graph, model=model)
    assert "compiled" in compiled.road and "compiled" not in blocks.road
    np.testing.assert_allclose(compiled.effects.contagion, blocks.effects.contagion, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(compiled.effects.first_round_usd, blocks.effects.first_round_usd, rtol=1e-9, atol=1e-3)
    np.testing.assert_array_equal(compiled.effects.defaults, blocks.effects.defaults)


def test_other_models_and_matrices_keep_the_block_road():
    graph = rg.exposure_graph(rg.datasets.synthetic(accounts=50, seed=3))
    assert "compiled" not in rg.contagion_centrality(graph, model="threshold").road
    matrix = matrix_graph([[0.0, 0.5], [0.25, 0.0]], [10.0, 10.0])
    assert "compiled" not in rg.contagion_centrality(matrix).road


def test_a_budget_that_runs_out_is_said(monkeypatch):
    graph = rg.exposure_graph(rg.datasets.synthetic(accounts=300, seed=0))
    import riskgraph.contagion.compiled as compiled

    monkeypatch.setattr(compiled, "round_budget", lambda n: 2)
    with pytest.raises(ConvergenceError, match="after 2 rounds"):
        rg.contagion_centrality(graph)
