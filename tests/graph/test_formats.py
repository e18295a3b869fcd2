"""Frames, networkx and igraph: round trips lose nothing, row order is nothing, faults come all at once."""

import math

import igraph
import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskgraph.errors import InputError
from riskgraph.graph.exposure import ExposureGraph
from tests.graphs import book, books, matrices, matrix_graph

VECTORS = ("kind", "capital_usd", "weight", "loss_weight_usd", "assumed", "onset", "debt_usd", "size_usd")


def same(one, other):
    """Assert that two graphs agree bit for bit once both stand in label order."""
    assert sorted(one.labels) == sorted(other.labels)
    here, there = np.argsort(one.labels), np.argsort(other.labels)
    for name in VECTORS:
        left, right = getattr(one, name)[here], getattr(other, name)[there]
        assert left.dtype == right.dtype, name
        assert np.array_equal(left, right, equal_nan=left.dtype.kind == "f"), name
    for name in ("exposures", "leverage"):
        left, right = getattr(one, name).toarray(), getattr(other, name).toarray()
        assert (left[np.ix_(here, here)] == right[np.ix_(there, there)]).all(), name
    assert (one.default_model, one.notes, one.digest) == (other.default_model, other.notes, other.digest)


@given(st.one_of(books(), matrices().map(lambda network: matrix_graph(*network))))
@settings(max_examples=40, deadline=None)
def test_round_trips_lose_nothing(g):
    same(ExposureGraph.from_frames(*g.to_frames()), g)
    same(ExposureGraph.from_networkx(g.to_networkx()), g)
    same(ExposureGraph.from_igraph(g.to_igraph()), g)


def test_notes_digest_and_assumed_travel_too():
    plain = book(["asset", "account"], [[0, 0.1], [2, 0]], onset=[0, 0.4])
    g = ExposureGraph(
        **{name: getattr(plain, name) for name in (*VECTORS, "labels", "exposures", "leverage") if name != "assumed"},
        assumed=np.array([False, True]), default_model="liquidation", notes=("said so",), digest="abc",
    )  # fmt: skip
    for back in (
        ExposureGraph.from_frames(*g.to_frames()),
        ExposureGraph.from_networkx(g.to_networkx()),
        ExposureGraph.from_igraph(g.to_igraph()),
    ):
        same(back, g)
        assert back.notes == ("said so",)


NODES = pd.DataFrame({"node": ["B", "A", "C"], "capital_usd": [8.0, 10.0, -1.0], "lgd": [0.5, 1.0, 1.0]})
EDGES = pd.DataFrame({"creditor": ["A", "B", "C"], "debtor": ["B", "A", "A"], "usd": [5.0, 2.0, 3.0]})


def test_frames_by_hand():
    g = ExposureGraph.from_frames(NODES, EDGES)
    assert g.labels.tolist() == ["A", "B", "C"]
    assert g.leverage.toarray().tolist() == [[0, 0.25, 0], [0.25, 0, 0], [0, 0, 0]]  # C has no capital left
    assert g.weight.tolist() == [0.5, 0.2, 0.3]
    assert g.debt_usd.tolist() == [5, 5, 0]
    assert g.size_usd.tolist() == [5, 2, 3]
    assert g.loss_weight_usd.tolist() == [10, 8, 0]
    assert g.default_model == "linear"
    indexed = ExposureGraph.from_frames(NODES.set_index("node"), EDGES)
    same(indexed, g)


def test_row_order_changes_no_bit():
    g = ExposureGraph.from_frames(NODES, EDGES)
    turned = ExposureGraph.from_frames(NODES.iloc[[2, 0, 1]], EDGES.iloc[[1, 2, 0]])
    same(turned, g)
    assert turned.labels.tolist() == g.labels.tolist()
    assert turned.leverage.data.tobytes() == g.leverage.data.tobytes()


def test_kinds_come_in_order_and_three_kinds_are_a_book():
    nodes = pd.DataFrame(
        {"node": ["k", "p", "a"], "kind": ["account", "protocol", "asset"], "capital_usd": [10.0, 50.0, None]}
    )
    edges = pd.DataFrame({"creditor": ["k", "a"], "debtor": ["a", "k"], "usd": [20.0, 2.0], "leverage": [2.0, 0.1]})
    g = ExposureGraph.from_frames(nodes, edges)
    assert g.labels.tolist() == ["a", "p", "k"]
    assert g.default_model == "liquidation"
    assert g.loss_weight_usd.tolist() == [0, 50, 10]


def test_other_names_and_number_labels():
    h = nx.DiGraph()
    h.add_node(1, capital=10.0)
    h.add_node(2, capital=8)
    h.add_edge(1, 2, weight=5.0)
    g = ExposureGraph.from_networkx(h)
    assert (g.labels.tolist(), g.leverage.toarray().tolist()) == (["1", "2"], [[0, 0.5], [0, 0]])
    i = igraph.Graph(n=2, edges=[(0, 1)], directed=True)
    i.vs["capital_usd"], i.es["usd"] = [10.0, 8.0], [5.0]
    assert ExposureGraph.from_igraph(i).exposures.toarray().tolist() == [[0, 5], [0, 0]]


@pytest.mark.parametrize(
    ("nodes", "edges", "words"),
    [
        (NODES.drop(columns="capital_usd"), EDGES, [r"nodes.capital_usd: expected this column, got node, lgd"]),
        (NODES, EDGES.drop(columns=["usd"]), ["exposures.usd: expected this column"]),
        (NODES.assign(bonus=1), EDGES, ["nodes: expected only the columns .*, got bonus"]),
        (NODES.assign(node=["A", "A", "C"]), EDGES[2:], ["nodes.node: expected every label once, got 'A'"]),
        (NODES.assign(node=["B", "", "C"]), EDGES, ["nodes.node: expected a label", "exposures.creditor: .* got 'A'"]),
        (
            NODES.assign(capital_usd=[1, math.nan, math.inf]),
            EDGES,
            [r"capital_usd: expected a finite number, got .*rows 1, 2"],
        ),
        (NODES.assign(capital_usd=["x", 1, 2]), EDGES, ["capital_usd: expected a finite number, got 'x'"]),
        (NODES.assign(lgd=[2.0, 0, 0]), EDGES, ["lgd: expected a finite number of at least 0 and at most 1, got 2.0"]),
        (NODES.assign(kind=["bank", "node", "node"]), EDGES, ["nodes.kind: expected one of account, .* got 'bank'"]),
        (NODES.assign(onset=[0, 1.0, 0]), EDGES, [r"nodes.onset: expected a share below 1, got 1.0 \(row 1\)"]),
        (NODES.assign(weight=0.0), EDGES, ["nodes.weight: expected a sum above 0"]),
        (NODES.assign(assumed="yes"), EDGES, ["nodes.assumed: expected True or False, got 'yes'"]),
        (
            NODES,
            EDGES.assign(usd=[-1, 2, 3]),
            [r"exposures.usd: expected a finite number of at least 0, got -1 \(row 0\)"],
        ),
        (
            NODES,
            EDGES.assign(debtor=["A", "A", "Z"]),
            ["expected no exposure of a node to itself", "debtor: .* got 'Z'"],
        ),
        (NODES, pd.concat([EDGES, EDGES[:1]]), ["expected every pair of creditor and debtor once, got 'A' to 'B'"]),
        (NODES, EDGES.assign(leverage=1.0), ["nodes.lgd: expected no lgd beside a leverage column"]),
        (
            NODES.assign(kind="asset", capital_usd=None),
            EDGES,
            ["expected a leverage column where an asset without capital"],
        ),
    ],
)
def test_broken_frames_give_one_message(nodes, edges, words):
    with pytest.raises(InputError) as caught:
        ExposureGraph.from_frames(nodes, edges)
    for word in words:
        assert pytest.RaisesExc(InputError, match=word).matches(caught.value), (word, str(caught.value))


def test_undirected_and_parallel_edges_are_refused():
    with pytest.raises(InputError, match="expected a directed graph"):
        ExposureGraph.from_networkx(nx.Graph([(0, 1)]))
    with pytest.raises(InputError, match="expected a directed graph"):
        ExposureGraph.from_igraph(igraph.Graph(n=2, edges=[(0, 1)]))
    twice = nx.MultiDiGraph()
    twice.add_node("A", capital=1.0)
    twice.add_node("B", capital=1.0)
    twice.add_edges_from([("A", "B", {"usd": 1.0}), ("A", "B", {"usd": 2.0})])
    with pytest.raises(InputError, match="expected every pair of creditor and debtor once"):
        ExposureGraph.from_networkx(twice)
    with pytest.raises(InputError, match=r"nodes\.capital_usd: expected this column"):
        ExposureGraph.from_networkx(nx.DiGraph([(0, 1, {"usd": 1.0})]))


def test_a_frame_goes_by_its_labels():
    import pandas as pd

    A = pd.DataFrame([[0.0, 5.0], [2.0, 0.0]], index=["A", "B"], columns=["A", "B"])
    graph = ExposureGraph.from_matrix(A[["B", "A"]], pd.Series([8.0, 10.0], index=["B", "A"]))
    assert graph.labels.tolist() == ["A", "B"] and graph.capital_usd.tolist() == [10.0, 8.0]
    assert graph.leverage.toarray().tolist() == [[0.0, 0.5], [0.25, 0.0]]
    with pytest.raises(InputError, match="exposures: expected a frame with the same labels"):
        ExposureGraph.from_matrix(A.rename(columns={"B": "C"}), [1.0, 1.0])
    with pytest.raises(InputError, match="capital: expected a Series with the labels of the exposures"):
        ExposureGraph.from_matrix(A, pd.Series([8.0, 10.0], index=["B", "C"]))
    with pytest.raises(
        InputError, match=r"exposures: expected creditor rows .* got a frame with rows 'Debtor'; pass \.T"
    ):
        ExposureGraph.from_matrix(A.rename_axis(index="Debtor"), [1.0, 1.0])
    with pytest.raises(InputError, match=r"got a frame with columns 'creditors'; pass \.T"):
        ExposureGraph.from_matrix(A.rename_axis(columns="creditors"), [1.0, 1.0])
    named = A.rename_axis(index="creditor", columns="debtor")
    assert ExposureGraph.from_matrix(named, [10.0, 8.0]).labels.tolist() == ["A", "B"]


def test_a_series_names_the_rows_of_a_bare_matrix():
    A = np.array([[0.0, 5.0], [2.0, 0.0]])
    graph = ExposureGraph.from_matrix(A, pd.Series([10.0, 8.0], index=["B", "A"]))
    assert (graph.labels.tolist(), graph.capital_usd.tolist()) == (["B", "A"], [10.0, 8.0])
    assert graph.leverage.toarray().tolist() == [[0.0, 0.5], [0.25, 0.0]]
    assert ExposureGraph.from_matrix(A, pd.Series([10.0, 8.0])).labels.tolist() == ["0", "1"]
    given = ExposureGraph.from_matrix(A, pd.Series([10.0, 8.0], index=["B", "A"]), labels=["A", "B"])
    assert given.capital_usd.tolist() == [8.0, 10.0]
    with pytest.raises(InputError, match="expected every label once, got 'B' more than once"):
        ExposureGraph.from_matrix(A, pd.Series([10.0, 8.0], index=["B", "B"]))
