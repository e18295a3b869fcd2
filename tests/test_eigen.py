"""Eigenvector family: by hand, against plain loops, and what it says where a vector does not exist."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import sparse

import riskgraph as rg
import riskgraph.walks_sinkrank
from riskgraph.contagion.perron import perron_root
from riskgraph.eigen import MEASURES, centrality, fluidity, spectral_radius
from riskgraph.eigen_study import FACTORED_MEASURES
from riskgraph.errors import InputError
from riskgraph.graph.exposure import ExposureGraph
from tests import naive
from tests.graphs import books, matrices, matrix_graph

networks = st.one_of(books(), matrices(most=7).map(lambda network: matrix_graph(*network)))


def lists(matrix):
    return matrix.toarray().tolist()


# -- by hand ---------------------------------------------------------------------------------------------------------


def test_a_cycle_of_three_solved_on_paper():
    # A leans 2 on B, B 0.5 on C, C 1 on A: λ₁³ = 1; right: x_A = 2 x_B, x_B = x_C/2, x_C = x_A
    g = matrix_graph([[0, 8, 0], [0, 0, 1], [6, 0, 0]], [4, 2, 6], labels=["A", "B", "C"])
    assert spectral_radius(g) == pytest.approx(1.0, abs=1e-12)
    frame = centrality(g, ["vulnerability", "impact", "in_exposure", "out_exposure", "katz"])
    assert frame["vulnerability"].tolist() == pytest.approx([0.4, 0.2, 0.4])
    # left: y_B = 2 y_A, y_C = y_B/2, y_A = y_C
    assert frame["impact"].tolist() == pytest.approx([0.25, 0.5, 0.25])
    assert frame["in_exposure"].tolist() == [6, 8, 1]
    assert frame["out_exposure"].tolist() == [8, 1, 6]
    # α = 1/2: k_A = 1 + k_C/2, k_B = 1 + k_A, k_C = 1 + k_B/4
    assert frame["katz"].tolist() == pytest.approx([13 / 7, 20 / 7, 12 / 7])
    assert frame.attrs["notes"] == ["katz: α = 0.5, λ₁ = 1"]


def test_sinkrank_by_hand():
    # A owes B 3; B owes A 2 and C 1; C owes A 5 (columns owe). To B: from A 1, from C 2; to C: from B 1/3 + 2/3·(2 + …)
    g = matrix_graph([[0, 2, 5], [3, 0, 0], [0, 1, 0]], [9, 9, 9], labels=["A", "B", "C"])
    # to C: t_B = 1 + 2/3 t_A, t_A = 1 + t_B: t_B = 5, t_A = 6
    assert centrality(g, "sinkrank")["sinkrank"].tolist() == pytest.approx([6 / 7, 2 / 3, 2 / 11])


def test_two_components_each_have_their_own_vectors():
    # A ↔ B and C ↔ D ↔ E by themselves, F holds A and lies on no cycle
    A = np.zeros((6, 6))
    A[0, 1], A[1, 0], A[2, 3], A[3, 2], A[3, 4], A[4, 3], A[5, 0] = 4, 1, 9, 9, 9, 9, 3
    frame = centrality(matrix_graph(A, [1, 1, 3, 3, 3, 2]), ["vulnerability", "impact"])
    assert frame["vulnerability"].iloc[:2].tolist() == pytest.approx([0.4 * 2 / 3, 0.4 / 3])
    assert frame["vulnerability"].iloc[2:5].sum() == pytest.approx(0.6)
    assert math.isnan(frame["vulnerability"].iloc[5])
    assert "2 strongly connected components with a cycle hold 5 of 6 nodes" in frame.attrs["notes"][0]


def test_an_acyclic_network_has_a_stated_answer():
    g = matrix_graph([[0, 6, 0], [0, 0, 4], [0, 0, 0]], [4, 8, 5], labels=["A", "B", "C"])
    assert spectral_radius(g) == 0.0
    frame = centrality(g)
    assert frame[["impact", "vulnerability"]].isna().all(axis=None)
    assert any("no cycle, so λ₁ = 0" in note for note in frame.attrs["notes"])
    # α = 1: C sets off itself, 0.5 in B, and 1.5 times that in A
    assert frame["katz"].tolist() == pytest.approx([1, 2.5, 2.25])
    # B owes A, C owes B: every walk ends at A, who owes nobody; from B 1 step, from C 2
    assert frame["sinkrank"].tolist() == pytest.approx([2 / 3, 0, 0])
    assert any("sinkrank is 0 for 2 of 3 nodes" in note for note in frame.attrs["notes"])


def test_susceptibility_is_nothing_or_at_least_one_and_its_mean_may_pass_one():
    # a ring A → B → C → A of wipe-outs: 1 + 1/4! + … walks from the one before, 1/2 + 1/5! + … from the one before that
    ring = matrix_graph([[0, 0, 6], [4, 0, 0], [0, 2, 0]], [5, 4, 1], labels=["A", "B", "C"])
    ways = sum(1 / math.factorial(length) for length in range(1, 25) if length % 3)
    assert centrality(ring, "susceptibility")["susceptibility"].tolist() == pytest.approx([ways] * 3, rel=1e-14)
    assert fluidity(ring) == pytest.approx(ways, rel=1e-14) and ways > 1.0


# -- against plain loops ---------------------------------------------------------------------------------------------


@given(networks)
@settings(max_examples=60, deadline=None)
def test_perron_against_plain_loops(g):
    L = lists(g.leverage)
    root = naive.spectral_radius(L)
    assert spectral_radius(g) == pytest.approx(root, rel=1e-9, abs=1e-12)
    frame = centrality(g, ["vulnerability", "impact"])
    groups = naive.strong_components(L)
    on_cycle = sum(map(len, groups))
    for name, matrix in (("vulnerability", L), ("impact", np.array(L).T.tolist())):
        expected = np.full(len(g), np.nan)
        for nodes in groups:
            _, x = naive.perron(matrix, nodes)
            expected[nodes] = [x[i] * len(nodes) / on_cycle for i in nodes]
        assert frame[name].to_numpy() == pytest.approx(expected, abs=1e-8, nan_ok=True)


@given(networks)
@settings(max_examples=60, deadline=None)
def test_walks_against_plain_loops(g):
    L, A = lists(g.leverage), lists(g.exposures)
    frame = centrality(g)
    alpha = 0.5 / frame.attrs["spectral_radius"] if frame.attrs["spectral_radius"] else 1.0
    assert frame["katz"].to_numpy() == pytest.approx(naive.katz(L, alpha), rel=1e-9)
    assert frame["pagerank"].to_numpy() == pytest.approx(naive.pagerank(L), abs=1e-12)
    if len(g) > 1:
        assert frame["sinkrank"].to_numpy() == pytest.approx(naive.sinkrank(A), rel=1e-9)
    else:
        assert frame["sinkrank"].isna().all()
    assert frame["susceptibility"].to_numpy() == pytest.approx(naive.susceptibility(L), abs=1e-9)
    assert frame["diffusion"].to_numpy() == pytest.approx(naive.diffusion(L), abs=1e-9)
    assert fluidity(g) == pytest.approx(np.mean(naive.susceptibility(L)), abs=1e-9)


@given(networks)
@settings(max_examples=40, deadline=None)
def test_hub_and_authority_answer_one_another(g):
    frame, A = centrality(g, ["hub", "authority"]), g.exposures.toarray()
    hub, authority = frame["hub"].fillna(0.0).to_numpy(), frame["authority"].fillna(0.0).to_numpy()
    if not A.any():
        assert frame.isna().all(axis=None)
        return
    assert (hub.sum(), authority.sum()) == pytest.approx((1, 1))
    for answer, vector in ((A @ authority, hub), (A.T @ hub, authority)):
        # within one block the answer is a multiple of the vector; blocks are told apart by what they share
        ratio = answer[vector > 0] / vector[vector > 0]
        if not any("blocks" in note for note in frame.attrs["notes"]):
            assert ratio == pytest.approx(np.full(len(ratio), ratio[0]), rel=1e-6)
        assert (answer[vector == 0] == 0).all()


# -- what must hold --------------------------------------------------------------------------------------------------


@given(matrices(most=6, capital=st.sampled_from([1.0, 4.0, 10.0])), st.data())
@settings(max_examples=30, deadline=None)
def test_relabelling_changes_nothing(network, data):
    A, E = np.array(network[0]), np.array(network[1])
    order = np.array(data.draw(st.permutations(range(len(E)))), dtype=int)
    labels = np.array([f"n{i}" for i in range(len(E))])
    plain = centrality(matrix_graph(A, E, labels=labels))
    turned = centrality(matrix_graph(A[np.ix_(order, order)], E[order], labels=labels[order])).reindex(labels)
    for name in plain.columns:
        assert turned[name].to_numpy() == pytest.approx(plain[name].to_numpy(), rel=1e-7, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("n", [300, 4_000])
def test_large_roots_by_both_roads(n, monkeypatch):
    rng = np.random.default_rng(n)
    row, column = rng.integers(0, n, 6 * n), rng.integers(0, n, 6 * n)
    keep = row != column
    L = sparse.coo_array((rng.exponential(0.2, keep.sum()), (row[keep], column[keep])), shape=(n, n)).tocsr()
    products = perron_root(L) if n > 2_500 else None
    monkeypatch.setattr("riskgraph.contagion.perron.FACTORED", 0 if n <= 2_500 else 2_500)
    by_products = perron_root(L) if products is None else products
    monkeypatch.setattr("riskgraph.contagion.perron.FACTORED", 2_500 if n <= 2_500 else 0)
    again = perron_root(L)
    assert by_products == pytest.approx(again, rel=1e-10)
    # an upper and a lower bound that any positive vector gives, after some plain rounds
    x = np.ones(n)
    for _ in range(300):
        x = L @ x + 0.1 * x
        x /= x.sum()
    inside = x > 1e-200
    ratio = (L @ x)[inside] / x[inside]
    assert again <= ratio.max() * (1 + 1e-9)


def test_capital_of_every_size_has_a_root():
    # A leans 1e9 on B, B 4e-9 on A: λ₁ = 2; and a cycle a million times weaker beside it
    L = np.zeros((4, 4))
    L[0, 1], L[1, 0], L[2, 3], L[3, 2] = 1e9, 4e-9, 1e-6, 1e-6
    assert perron_root(sparse.csr_array(L)) == pytest.approx(2.0, rel=1e-12)


def test_what_is_too_large_is_nan_and_said(monkeypatch):
    # A, B and C owe one another; D only holds A
    g = matrix_graph([[0, 8, 1, 0], [4, 0, 4, 0], [6, 6, 0, 0], [1, 0, 0, 0]], [4, 2, 3, 9])
    monkeypatch.setattr(riskgraph.walks_sinkrank, "DENSE", 2)
    monkeypatch.setattr(riskgraph.walks_sinkrank, "NODES", 2)
    monkeypatch.setattr(riskgraph.walks_sinkrank, "BOOK_NODES", 2)
    frame = centrality(g, "sinkrank_component")
    assert frame.isna().all(axis=None)
    assert frame.attrs["notes"][0] == "sinkrank_component is NaN for 1 nodes that are alone in their component"
    assert frame.attrs["notes"][1].startswith("sinkrank_component is NaN for 3 nodes: walks end up among more than")
    # all walks end up at D, who owes nobody: that is a class of one
    assert centrality(g, "sinkrank")["sinkrank"].iloc[3] > 0.0
    turned = matrix_graph(g.exposures.toarray().T, [4, 2, 3, 9])
    frame = centrality(turned, "sinkrank")
    assert frame.isna().all(axis=None)
    assert frame.attrs["notes"][0].startswith("sinkrank is NaN: walks end up among more than")


def test_no_links_have_a_stated_answer():
    frame = centrality(matrix_graph(np.zeros((3, 3)), [4, 8, 5], labels=["A", "B", "C"]))
    nothing = ["impact", "vulnerability", "hub", "authority", "sinkrank_component"]
    assert frame[nothing].isna().all(axis=None)
    assert frame["katz"].tolist() == [1, 1, 1]
    assert frame["pagerank"].tolist() == pytest.approx([1 / 3] * 3)
    zeros = frame.columns.difference([*nothing, "katz", "pagerank"])
    assert (frame[zeros] == 0.0).all(axis=None)
    said = " ".join(frame.attrs["notes"])
    for words in (
        "impact and vulnerability are NaN: no cycle",
        "hub is NaN for 3 nodes that hold nothing, authority for 3 that owe nothing",
        "sinkrank is 0 for 3 of 3 nodes that some node cannot reach",
        "sinkrank_component is NaN for 3 nodes that are alone",
        "susceptibility is 0 for 3 of 3 nodes that no other wipes out by itself, diffusion for 3",
    ):
        assert words in said


@given(books())
@settings(max_examples=40, deadline=None)
def test_a_projection_in_factors_gives_what_its_matrix_gives(g):
    network = g.project("account")
    names = list(FACTORED_MEASURES)
    formed = centrality(network, names)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("riskgraph.eigen_study.FORMED", 0)
        factored = centrality(network, names)
        with pytest.raises(
            InputError, match=r"expected some of impact, .* on a projection .*, got hub, susceptibility"
        ):
            centrality(network, ["impact", "hub", "susceptibility"])
    for name in names:
        assert factored[name].to_numpy() == pytest.approx(formed[name].to_numpy(), rel=1e-8, abs=1e-11, nan_ok=True)
    assert factored.attrs["notes"] == formed.attrs["notes"]
    assert factored.attrs["spectral_radius"] == formed.attrs["spectral_radius"]


def test_one_node_and_no_node():
    one = centrality(matrix_graph([[0]], [1.0]))
    assert one["pagerank"].tolist() == [1.0]
    assert one["katz"].tolist() == [1.0]
    assert one.loc["0", ["in_exposure", "susceptibility", "diffusion"]].tolist() == [0, 0, 0]
    none = ExposureGraph.from_frames(
        pd.DataFrame({"node": [], "capital_usd": []}), pd.DataFrame({"creditor": [], "debtor": [], "usd": []})
    )
    assert centrality(none).shape == (0, len(MEASURES))
    assert spectral_radius(none) == 0.0


@given(networks, st.floats(0.01, 0.95))
@settings(max_examples=20, deadline=None)
def test_katz_takes_any_alpha_below_its_limit(g, share):
    radius = spectral_radius(g)
    assume(radius > 0.0)
    frame = centrality(g, "katz", katz_alpha=share / radius)
    expected = naive.katz(lists(g.leverage), share / radius)
    assert frame["katz"].to_numpy() == pytest.approx(expected, rel=1e-7)


def test_refused():
    g = matrix_graph([[0, 5], [2, 0]], [10, 25])
    with pytest.raises(InputError, match=r"katz_alpha: expected a number above 0 and below 1/λ₁ = 5, got 5\.5"):
        centrality(g, katz_alpha=5.5)
    with pytest.raises(InputError, match=r"measures: expected names from impact, .* got closeness"):
        centrality(g, ["closeness"])


@pytest.mark.parametrize("call", [centrality, fluidity, spectral_radius])
def test_what_is_no_graph_is_refused_and_a_network_of_banks_says_where_its_own_is(call):
    banks = rg.datasets.load("interbank_textbook", example="barucca_ring")
    with pytest.raises(
        InputError, match=r"^graph: expected an ExposureGraph .*, got Interbank; its network is \.graph$"
    ):
        call(banks)
    for given_instead in (None, [[0, 5], [2, 0]], banks.exposures):
        with pytest.raises(InputError, match=rf"^graph: expected .* got {type(given_instead).__name__}$"):
            call(given_instead)
    call(banks.graph)


def test_accounts_that_hold_one_another_have_no_factors(monkeypatch):
    nodes = pd.DataFrame({"node": ["k", "m"], "kind": ["account", "account"], "capital_usd": [20.0, 30.0]})
    edges = pd.DataFrame({"creditor": ["k", "m"], "debtor": ["m", "k"], "usd": [5.0, 6.0]})
    network = ExposureGraph.from_frames(nodes, edges).project("account")
    formed = centrality(network, "pagerank")
    monkeypatch.setattr("riskgraph.eigen_study.FORMED", 1)
    assert centrality(network, "pagerank")["pagerank"].tolist() == pytest.approx(formed["pagerank"].tolist())
    with pytest.raises(InputError, match=r"expected none of impact, vulnerability on more than 1 accounts"):
        centrality(network, "impact")
