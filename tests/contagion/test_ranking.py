"""Contagion centrality: by hand, against one DebtRank after another, and what it says of itself."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riskgraph as rg
from riskgraph.contagion.propagation import debtrank
from riskgraph.contagion.ranking import contagion_centrality
from riskgraph.errors import InputError
from tests import naive
from tests.contagion.test_propagation import WRAPPED, started
from tests.graphs import book, books, matrices, matrix_graph

COLUMNS = [
    "kind", "rank", "shock", "contagion", "loss_usd", "first_round_usd", "amplification", "vulnerability", "defaults",
    "total_debt_usd", "rounds", "starts_defaulted",
]  # fmt: skip


def test_two_banks_solved_on_paper():
    # A gone: B loses 1/4 (v = 2/7); B gone: A loses 1/2 (v = 5/7)
    rank = contagion_centrality(matrix_graph([[0, 5], [2, 0]], [10, 8], labels=["A", "B"]))
    frame = rank.to_frame()
    assert frame.columns.tolist() == COLUMNS
    assert frame["contagion"].to_dict() == pytest.approx({"B": 5 / 14, "A": 1 / 14})
    assert frame["loss_usd"].to_dict() == pytest.approx({"B": 5, "A": 2})
    assert frame["total_debt_usd"].to_dict() == {"B": 5, "A": 2}
    # each is hit by the other alone, and once: A loses 1/2 with B, B 1/4 with A
    assert frame["vulnerability"].to_dict() == rank.vulnerability.to_dict() == {"A": 0.5, "B": 0.25}
    assert frame["amplification"].tolist() == [1.0, 1.0]
    assert frame["rank"].to_dict() == {"B": 1, "A": 2}
    assert rank.spectral_radius == pytest.approx(math.sqrt(1 / 8), abs=1e-12)
    assert rank.scores.tolist() == frame["contagion"].reindex(["A", "B"]).tolist()


def test_a_book_by_hand():
    g = book(**{**WRAPPED, "onset": [0, 0, 0.2, 0.2], "debt": [0, 0, 15, 3]})
    rank = contagion_centrality(g)
    frame = rank.to_frame()
    # weights: k 10/50, m 40/50. e −10 %: k loses 0.25, m 0.06; k then passes (0.25 − 0.2)/0.8 = 0.0625 and so on
    assert frame.loc["asset:e", "first_round_usd"] == pytest.approx(10 * 0.25 + 40 * 0.06)
    # p = (h − 0.2)/0.8, h = 2.5 e, e = 0.1 + 0.4 p: e = 1.25 e, so it grows until k is gone: e = 0.5
    assert frame.loc["asset:e", "loss_usd"] == pytest.approx(10 + 40 * 0.3)
    assert frame.loc["asset:e", "defaults"] == 1
    # w −10 %: k loses 0.2 = h*, passes nothing
    assert frame.loc["asset:w", "loss_usd"] == pytest.approx(10 * 0.2)
    # k gone: e falls 0.4, w with it; m loses 0.24
    assert frame.loc["account:k", ["contagion", "loss_usd", "first_round_usd"]].tolist() == pytest.approx(
        [0.192, 9.6, 9.6]
    )
    assert frame.loc["account:m", ["contagion", "loss_usd", "defaults"]].tolist() == [0, 0, 0]
    assert frame.index.tolist() == ["asset:e", "asset:w", "account:k", "account:m"]
    assert frame["rank"].tolist() == [1, 2, 1, 2]
    assert frame["shock"].tolist() == [0.1, 0.1, 1, 1]
    assert rank.top("asset", 1).index.tolist() == ["asset:e"]
    assert "assets start from a fall of 10%, everything else from its wipe-out" in rank.notes
    assert "waves" in rank.road


def one_by_one(g, source, shock, **arguments):
    return debtrank(g, {g.labels[source]: shock}, **arguments)


@given(st.one_of(books(), matrices().map(lambda network: matrix_graph(*network))), st.data())
@settings(max_examples=60, deadline=None)
def test_all_at_once_is_one_by_one(g, data):
    model = data.draw(st.sampled_from([None, "linear", "threshold", "original", "nonlinear"]))
    arguments = {
        "model": model,
        "alpha": 1.5 if model == "nonlinear" else None,
        "damping": data.draw(st.sampled_from([1.0, 0.8])),
    }
    arguments["horizon"] = data.draw(st.sampled_from([None, None, 2]))
    rank = contagion_centrality(g, sources="all", asset_shock=0.2, **arguments)
    frame = rank.to_frame().reindex(g.labels)
    for at, label in enumerate(g.labels):
        row = frame.loc[label]
        if g.capital_usd[at] <= 0.0:
            assert row[["contagion", "loss_usd", "first_round_usd", "defaults"]].tolist() == [0, 0, 0, 0]
            assert row["starts_defaulted"]
            continue
        single = one_by_one(g, at, 0.2 if row["kind"] == "asset" else 1.0, **arguments)
        first = one_by_one(g, at, row["shock"], **{**arguments, "horizon": 1})
        assert row["contagion"] == pytest.approx(single.systemic_loss, abs=1e-12)
        assert row["loss_usd"] == pytest.approx(single.loss_usd, abs=1e-9)
        assert row["first_round_usd"] == pytest.approx(first.loss_usd, abs=1e-9)
        assert (row["defaults"], row["rounds"]) == (single.defaults, single.rounds)
        assert rank.baseline == pytest.approx(single.baseline, abs=1e-12)


@given(books())
@settings(max_examples=30, deadline=None)
def test_books_against_plain_loops(g):
    L, kinds, onset = g.leverage.toarray().tolist(), g.nodes["kind"].tolist(), g.onset.tolist()
    n = len(g)
    still = started(g, [0.0] * n)
    base = naive.debtrank(L, still, "liquidation", kinds, onset)
    quiet = sum(g.weight[i] * (base[i] - still[i]) for i in range(n))
    scores = contagion_centrality(g).scores
    for s in range(n):
        if g.capital_usd[s] <= 0.0:
            continue
        start = started(g, [(0.1 if kinds[s] == "asset" else 1.0) if i == s else 0.0 for i in range(n)])
        end = naive.debtrank(L, start, "liquidation", kinds, onset)
        assert scores[s] == pytest.approx(sum(g.weight[i] * (end[i] - start[i]) for i in range(n)) - quiet, abs=1e-9)


@given(st.one_of(books(), matrices().map(lambda network: matrix_graph(*network))), st.data())
@settings(max_examples=50, deadline=None)
def test_nobody_left_out_passes_the_bound(g, data):
    model = data.draw(st.sampled_from(["linear", "threshold", "original", g.default_model]))
    short = contagion_centrality(g, model=model, max_sources=1)
    full = contagion_centrality(g, model=model, sources="all")
    gone = np.isnan(short.scores)
    said = [note for note in short.notes if "has a contagion above" in note]
    assert len(said) == bool(gone.any())
    if gone.any():
        bound = float(said[0].split("above ")[1].split(" ")[0])
        assert full.scores[gone].max() <= bound + 1e-5 * abs(bound) + 1e-9
        assert g.debt_usd[gone].max() <= g.debt_usd[~gone & ~np.isin(g.kind, (1, 2))].max()


def test_many_blocks_and_leaving_columns_change_nothing(monkeypatch):
    rng = np.random.default_rng(7)
    A = np.where(rng.random((40, 40)) < 0.15, rng.exponential(4.0, (40, 40)), 0.0)
    np.fill_diagonal(A, 0.0)
    g = matrix_graph(A, rng.uniform(2, 30, 40))
    whole = contagion_centrality(g).to_frame()
    monkeypatch.setattr("riskgraph.contagion.roads.BLOCK_CELLS", 1)
    cut = contagion_centrality(g)
    assert "8 sources at a time" in cut.road
    assert (
        cut.to_frame()
        .drop(columns="rank")
        .sort_index()
        .round(12)
        .equals(whole.drop(columns="rank").sort_index().round(12))
    )


def test_equal_contagion_stands_by_label():
    g = matrix_graph(np.zeros((3, 3)), [1, 2, 3], labels=["c", "a", "b"])
    assert contagion_centrality(g).to_frame().index.tolist() == ["a", "b", "c"]


def test_sources_that_saturate_everything_are_equal_and_stand_by_label():
    # everybody is thrown over by anybody: the end state is the same but for the source's own weight
    g = matrix_graph([[0, 9, 9], [9, 0, 9], [9, 9, 0]], [3, 3, 3], labels=["c", "b", "a"])
    assert contagion_centrality(g).to_frame()["rank"].to_dict() == {"a": 1, "b": 2, "c": 3}


def test_accounts_that_pass_nothing_on_are_said_to():
    quiet = contagion_centrality(book(["asset", "account"], [[0, 0], [2, 0]]))
    assert any(note.startswith("all 1 accounts score 0") for note in quiet.notes)
    loud = contagion_centrality(book(["asset", "account"], [[0, 0.1], [2, 0]]))
    assert not any("score 0" in note for note in loud.notes)


def test_linear_above_one_says_that_it_does_not_tell_sources_apart():
    g = matrix_graph([[0, 9, 1], [9, 0, 3], [5, 5, 0]], [4, 5, 6])
    rank = contagion_centrality(g)
    assert rank.spectral_radius > 1
    assert "ranked by first_round_usd" in rank.notes[0] and rank.ranked_by == "first_round_usd"
    frame = rank.to_frame()
    assert frame["first_round_usd"].is_monotonic_decreasing and not frame["contagion"].is_monotonic_decreasing
    assert "in the first round)" in rank.summary()
    short, damped = contagion_centrality(g, horizon=1), contagion_centrality(g, damping=0.3)
    for other in (short, damped, contagion_centrality(g, model="original")):
        assert other.ranked_by == "contagion" and not any("ranked by" in note for note in other.notes)
        assert other.to_frame()["contagion"].is_monotonic_decreasing
    assert "model linear (δ = 0.3)" in damped.summary()


def test_some_sources_only():
    g = matrix_graph([[0, 5, 1], [2, 0, 1], [1, 1, 0]], [10, 8, 4], labels=["A", "B", "C"])
    rank = contagion_centrality(g, sources=["C", "A"])
    assert np.isnan(rank.scores).tolist() == [False, True, False]
    assert rank.to_frame()["contagion"].to_dict() == pytest.approx(
        contagion_centrality(g).to_frame()["contagion"].drop("B").to_dict()
    )


def test_groups_are_shocked_together():
    # C and A together: B loses 2/8 + 1/8; A holds 6 of 11, B 3 of 11, C 2 of 11
    g = matrix_graph([[0, 5, 1], [2, 0, 1], [1, 1, 0]], [10, 8, 4], labels=["A", "B", "C"])
    rank = contagion_centrality(g, sources={"two": ["C", "A"], "one": ["B"]})
    frame = rank.to_frame()
    assert frame.index.tolist() == ["one", "two"] and frame.index.name == "group"
    assert frame["kind"].tolist() == ["group", "group"] and frame["rank"].tolist() == [1, 2]
    assert frame.loc["two", "contagion"] == pytest.approx(3 / 11 * 3 / 8)
    assert frame.loc["two", "loss_usd"] == pytest.approx(3.0)
    alone = contagion_centrality(g).to_frame()
    same = ["contagion", "loss_usd", "first_round_usd", "amplification", "defaults", "rounds"]
    assert frame.loc["one", same].to_dict() == pytest.approx(alone.loc["B", same].to_dict())
    assert rank.vulnerability["B"] == pytest.approx(3 / 8)
    assert np.isnan(rank.scores).all() and len(rank.sources) == 0
    assert rank.top("group", 1).index.tolist() == ["one"]
    assert "2 groups of nodes as sources" in repr(rank) and "first among groups: one" in rank.summary()


def test_what_needs_a_score_for_every_node_refuses_groups():
    snap = rg.datasets.load("toy")
    graph = rg.exposure_graph(snap)
    rank = contagion_centrality(graph, sources={"all": list(graph.labels[:2])})
    for call in (lambda: rg.network_map(graph, ranking=rank), lambda: rg.collateral_reuse(snap, ranking=rank)):
        with pytest.raises(InputError, match="ranking: expected one whose sources are single nodes, got groups"):
            call()


@given(st.one_of(books(), matrices().map(lambda network: matrix_graph(*network))), st.data())
@settings(max_examples=40, deadline=None)
def test_any_group_is_one_shock_of_all_its_nodes(g, data):
    labels = data.draw(st.lists(st.sampled_from(list(g.labels)), min_size=1, max_size=3, unique=True))
    row = contagion_centrality(g, sources={"some": labels}, asset_shock=0.2).to_frame().loc["some"]
    kinds = dict(zip(g.labels, g.nodes["kind"], strict=True))
    together = debtrank(g, {label: 0.2 if kinds[label] == "asset" else 1.0 for label in labels})
    assert row["contagion"] == pytest.approx(together.systemic_loss, abs=1e-12)
    assert row["first_round_usd"] == pytest.approx(together.first_round_usd, abs=1e-9)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"sources": {}}, "sources: expected at least one group"),
        ({"sources": {1: ["A"], "1": ["B"]}}, "sources, names of groups: expected every label once, got '1'"),
        ({"sources": {"g": 5}}, "sources: expected a list of node labels for group 'g', got 5"),
        ({"sources": 5}, "sources: expected labels, 'all', or a mapping"),
        ({"max_sources": None}, "max_sources: expected a whole number"),
        ({"asset_shock": "x"}, "asset_shock: expected a fall above 0"),
        ({"horizon": math.nan}, "horizon: expected a whole number of at least 1, got nan"),
        ({"damping": "x"}, "damping: expected a number, got 'x'"),
        ({"sources": {"g": []}}, "sources: expected a list of node labels for group 'g'"),
        ({"sources": {"g": "A"}}, "sources: expected a list of node labels for group 'g', got 'A'"),
        ({"sources": {"g": ["A", "A"]}}, "sources, group 'g': expected every label once, got 'A' more than once"),
        ({"sources": {"g": ["A"], "h": ["Z"]}}, "sources, group 'h': expected labels of this graph, got 'Z'"),
        ({"sources": ["A", "Z"]}, "sources: expected labels of this graph, got 'Z'"),
        ({"sources": ["A", "A"]}, "sources: expected every label once, got 'A' more than once"),
        ({"sources": []}, "sources: expected at least one label, got none"),
        ({"asset_shock": 0.0}, "asset_shock: expected a fall above 0"),
        ({"max_sources": 0}, "max_sources: expected a whole number of at least 1"),
        ({"model": "liquidation"}, "model: 'liquidation' expected"),
    ],
)
def test_refused(arguments, words):
    with pytest.raises(InputError, match=words):
        contagion_centrality(matrix_graph([[0, 5], [2, 0]], [10, 8], labels=["A", "B"]), **arguments)
    with pytest.raises(InputError, match="kind: expected one of"):
        contagion_centrality(matrix_graph([[0]], [1.0])).top("bank")


def test_shows_itself_with_labels_escaped():
    evil = "</script><img src=x onerror=alert(1)>"
    g = matrix_graph([[0, 5], [2, 0]], [10, 8], labels=[evil, "B"])
    rank = contagion_centrality(g)
    assert "<img" not in rank._repr_html_()
    assert "first among nodes: B (0.3571)" in rank.summary()
    assert repr(rank) == "<Ranking: linear, 2 of 2 nodes as sources; λ₁ 0.3536, baseline 0, 0 notes>"


def test_a_graph_without_nodes():
    rank = contagion_centrality(matrix_graph([], []))
    assert len(rank.to_frame()) == 0 and rank.spectral_radius == 0.0
