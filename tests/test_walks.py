"""Katz, PageRank, HITS and SinkRank on bare matrices: by hand, every road to the same number, and what is too much."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.sparse import linalg as sparse_linalg

import riskgraph.walks_sinkrank
from riskgraph.contagion.perron import cyclic_classes
from riskgraph.errors import ConvergenceError
from riskgraph.walks import hits, katz, pagerank
from riskgraph.walks_sinkrank import sinkrank
from tests import naive
from tests.graphs import matrices


def scattered(n, links, seed, spread=1.0):
    """A random network of n nodes with about ``links`` links a node, lognormal weights."""
    rng = np.random.default_rng(seed)
    row, column = rng.integers(0, n, links * n), rng.integers(0, n, links * n)
    keep = row != column
    weight = rng.lognormal(0.0, spread, int(keep.sum()))
    return sparse.coo_array((weight, (row[keep], column[keep])), shape=(n, n)).tocsr()


def lending(accounts, hubs, seed):
    """A book: accounts hold hubs, and push them when they sell."""
    rng = np.random.default_rng(seed)
    row, column = np.repeat(np.arange(accounts), 3), rng.integers(0, hubs, 3 * accounts)
    held = sparse.coo_array((rng.lognormal(0.0, 1.0, len(row)), (row, column)), shape=(accounts, hubs)).tocsr()
    sold = sparse.coo_array((rng.lognormal(-8.0, 1.0, len(row)), (row, column)), shape=(accounts, hubs)).tocsr()
    return sparse.csr_array(sparse.block_array([[None, held], [sold.T, None]]))


def largest(matrix):
    """The largest part of a network that is strongly connected."""
    nodes = max(cyclic_classes(matrix).nodes, key=len)
    return sparse.csr_array(matrix[nodes][:, nodes])


# -- by hand ---------------------------------------------------------------------------------------------------------


def test_pagerank_of_three_on_paper():
    # A leans on B, B on C and on A alike, C on nothing: x = 0.05 + 0.85 (what comes in + x_C/3)
    rank = pagerank(sparse.csr_array([[0.0, 4.0, 0.0], [1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]))
    into = [rank[1] / 2, rank[0], rank[1] / 2]
    assert rank.tolist() == pytest.approx([0.05 + 0.85 * (part + rank[2] / 3) for part in into], abs=1e-13)
    assert rank.sum() == pytest.approx(1.0, abs=1e-15)


def test_hits_of_two_blocks_on_paper():
    # A and B both lean on C, 3 and 4; D on A: hub (3, 4)/7 of two thirds, authority C and A alone in their blocks
    matrix = sparse.csr_array([[0, 0, 3.0, 0], [0, 0, 4.0, 0], [0, 0, 0, 0], [9.0, 0, 0, 0]])
    hub, authority, blocks = hits(matrix)
    assert hub == pytest.approx([2 / 7, 8 / 21, np.nan, 1 / 3], nan_ok=True)
    assert authority == pytest.approx([0.5, np.nan, 0.5, np.nan], nan_ok=True)
    assert blocks == 2


def test_small_hubs_are_as_exact_as_large_ones():
    # B leans a billionth as much as A, on the same: its score is that share of A's, to the last digits
    matrix = np.zeros((4, 4))
    matrix[0, 2], matrix[0, 3], matrix[1, 3] = 1e9, 3e9, 1.0
    hub, authority, _ = hits(sparse.csr_array(matrix))
    assert hub[1] / hub[0] == pytest.approx(authority[3] / (1e9 * authority[2] + 3e9 * authority[3]), rel=1e-14)
    assert hub[1] / hub[0] == pytest.approx(0.3e-9, rel=1e-12)


def test_sinkrank_with_nodes_that_only_walk_in():
    # A and B owe each other; C owes A, D owes C and B alike: to A: 1 from B, 1 from C, 1.5 + … from D
    matrix = np.zeros((4, 4))
    matrix[1, 0], matrix[0, 1], matrix[0, 2], matrix[2, 3], matrix[1, 3] = 2, 5, 1, 3, 3
    # to A: B 1, C 1, D 1 + (1 + 1)/2 = 2; to B: A 1, C 2, D 1 + (2 + 0)/2 = 2; nobody comes to C and D
    assert sinkrank(sparse.csr_array(matrix)).tolist() == pytest.approx([3 / 4, 3 / 5, 0, 0])


# -- against plain loops, and every road against the others ----------------------------------------------------------


@given(matrices(most=7))
@settings(max_examples=60, deadline=None)
def test_against_plain_loops(network):
    A = network[0]
    matrix = sparse.csr_array(np.array(A, dtype=float).reshape(len(A), len(A)))
    matrix.eliminate_zeros()
    assert pagerank(matrix) == pytest.approx(naive.pagerank(A), abs=1e-12)
    assert pagerank(matrix, 0.5) == pytest.approx(naive.pagerank(A, 0.5), abs=1e-12)
    if len(A) > 1:
        assert sinkrank(matrix) == pytest.approx(naive.sinkrank(A), rel=1e-9)


@given(matrices(most=7), st.sampled_from(["factors", "products"]))
@settings(max_examples=60, deadline=None)
def test_every_road_of_sinkrank_against_plain_loops(network, road):
    A = network[0]
    matrix = sparse.csr_array(np.array(A, dtype=float).reshape(len(A), len(A)))
    matrix.eliminate_zeros()
    step = riskgraph.walks_sinkrank._steps(matrix)
    closed = riskgraph.walks_sinkrank._closed_class(step)
    assume(closed is not None and len(closed) > 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(riskgraph.walks_sinkrank, "DENSE", 0)
        patch.setattr(riskgraph.walks_sinkrank, "_falls_apart", lambda step: road == "factors")
        assert sinkrank(matrix) == pytest.approx(naive.sinkrank(A), rel=1e-9)


@pytest.mark.parametrize(
    ("matrix", "road"),
    [
        (scattered(400, 8, seed=2, spread=2.0), "_by_products"),
        (largest(lending(600, 12, seed=3)), "_by_factors"),
        (largest(scattered(500, 2, seed=4)), "_by_products"),
    ],
    ids=["random", "book", "thin"],
)
def test_large_networks_by_sparse_roads(matrix, road, monkeypatch):
    monkeypatch.setattr(riskgraph.walks_sinkrank, "DENSE", 1_000)
    full = sinkrank(matrix)
    taken = []
    for name in ("_by_products", "_by_factors", "_by_inverse"):
        real = getattr(riskgraph.walks_sinkrank, name)
        monkeypatch.setattr(
            riskgraph.walks_sinkrank, name, lambda *given, real=real, name=name: taken.append(name) or real(*given)
        )
    monkeypatch.setattr(riskgraph.walks_sinkrank, "DENSE", 0)
    assert sinkrank(matrix) == pytest.approx(full, rel=1e-10)
    assert taken == [road]


def test_a_full_matrix_where_nothing_sparse_will_do(monkeypatch):
    matrix = scattered(200, 5, seed=6)  # below the size from which sparse roads are taken
    full = sinkrank(matrix)
    monkeypatch.setattr(riskgraph.walks_sinkrank, "DENSE", 0)
    monkeypatch.setattr(riskgraph.walks_sinkrank, "WORK", 0)
    assert sinkrank(matrix) == pytest.approx(full, rel=1e-12)
    monkeypatch.setattr(riskgraph.walks_sinkrank, "DENSE_LATE", 0)
    assert np.isnan(sinkrank(matrix)).all()
    monkeypatch.setattr(riskgraph.walks_sinkrank, "NODES", 100)
    monkeypatch.setattr(riskgraph.walks_sinkrank, "DENSE_LATE", 3_000)
    assert np.isnan(sinkrank(matrix)).all()


@pytest.mark.parametrize("road", ["_by_inverse", "_by_factors"])
def test_where_rounding_has_eaten_the_answer_is_nan(road, monkeypatch):
    # twelve in a row: two valleys, and a pass between them that one walk in 1e45 crosses
    n = 12
    valley = np.diag(np.ones(n - 1), -1) + np.diag(np.ones(n - 1), 1)
    for i in range(5):
        valley[i + 1, i], valley[n - 2 - i, n - 1 - i] = 1e-9, 1e-9
    monkeypatch.setattr(riskgraph.walks_sinkrank, "_hitting", getattr(riskgraph.walks_sinkrank, road))
    assert np.isnan(sinkrank(sparse.csr_array(valley))).all()
    assert sinkrank(sparse.csr_array(valley > 0.0).astype(float)) == pytest.approx(
        naive.sinkrank((valley > 0.0).astype(float).tolist()), rel=1e-10
    )


def test_products_of_factors_stand_in_for_their_product():
    first, second = scattered(40, 3, seed=8), scattered(40, 3, seed=9)
    lazy = sparse_linalg.aslinearoperator(first) @ sparse_linalg.aslinearoperator(second)
    formed = sparse.csr_array(first @ second)
    assert pagerank(lazy) == pytest.approx(pagerank(formed), abs=1e-14)
    assert katz(lazy, 1e-3) == pytest.approx(katz(formed, 1e-3), rel=1e-13)


# -- what must hold --------------------------------------------------------------------------------------------------


def test_pagerank_solves_its_equation_on_a_large_network():
    matrix = scattered(3_000, 4, seed=5)
    rank = pagerank(matrix)
    total = np.asarray(matrix.sum(axis=1)).ravel()
    share = np.divide(rank, total, out=np.zeros(len(rank)), where=total > 0.0)
    again = 0.15 / 3_000 + 0.85 * (matrix.T @ share + rank[total == 0.0].sum() / 3_000)
    assert np.abs(again - rank).sum() <= 1e-13
    assert (rank >= 0.15 / 3_000).all()


@given(matrices(most=6), st.data())
@settings(max_examples=30, deadline=None)
def test_relabelling_and_units(network, data):
    A = np.array(network[0], dtype=float).reshape(len(network[0]), len(network[0]))
    order = np.array(data.draw(st.permutations(range(len(A)))), dtype=int)
    turned = sparse.csr_array(A[np.ix_(order, order)])
    for measure in (pagerank, sinkrank):
        plain = measure(sparse.csr_array(A))
        assert measure(turned) == pytest.approx(plain[order], rel=1e-9, nan_ok=True)
        assert measure(sparse.csr_array(1024.0 * A)) == pytest.approx(plain, rel=1e-12, nan_ok=True)


def test_none_one_and_no_links():
    empty = sparse.csr_array((0, 0))
    assert pagerank(empty).shape == sinkrank(empty).shape == katz(empty, 1.0).shape == (0,)
    one = sparse.csr_array((1, 1))
    assert (pagerank(one).tolist(), katz(one, 1.0).tolist(), np.isnan(sinkrank(one)).all()) == ([1.0], [1.0], True)
    three = sparse.csr_array((3, 3))
    assert pagerank(three) == pytest.approx([1 / 3] * 3)
    assert sinkrank(three).tolist() == [0, 0, 0]
    assert hits(three)[2] == 0 and np.isnan(hits(three)[0]).all()


def test_katz_says_where_it_did_not_settle(monkeypatch):
    monkeypatch.setattr("riskgraph.walks.ROUNDS", 50)
    with pytest.raises(ConvergenceError, match=r"katz: not settled to 1e-14 after 50 rounds"):
        katz(sparse.csr_array([[0.0, 1.0], [1.0, 0.0]]), 0.999)


def test_a_walk_that_swings_for_ever_takes_the_lazy_road(monkeypatch):
    # four in a row, links both ways: every other step is on the other side
    matrix = np.array([[0, 2, 0, 0], [1, 0, 3, 0], [0, 5, 0, 4], [0, 0, 7, 0.0]])
    monkeypatch.setattr(riskgraph.walks_sinkrank, "DENSE", 0)
    monkeypatch.setattr(riskgraph.walks_sinkrank, "_falls_apart", lambda step: False)
    assert sinkrank(sparse.csr_array(matrix)) == pytest.approx(naive.sinkrank(matrix.tolist()), rel=1e-11)
    monkeypatch.setattr(riskgraph.walks_sinkrank, "ROUNDS", 8)  # too few to forget: on to the factors
    assert sinkrank(sparse.csr_array(matrix)) == pytest.approx(naive.sinkrank(matrix.tolist()), rel=1e-12)
