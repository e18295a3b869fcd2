"""All sources of a matrix graph at once: equal to one wipe-out after another, whatever the road."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from riskgraph.contagion import columns, explosive, tiled_rounds
from riskgraph.contagion.columns import wiped_out_one_by_one
from riskgraph.contagion.models import DEFAULTED, Transmission
from riskgraph.contagion.perron import perron_root
from riskgraph.contagion.spreading import Rules
from riskgraph.contagion.sweeping import squares_pay
from riskgraph.contagion.tiled_rounds import spread_in_tiles
from riskgraph.errors import ConvergenceError, InputError
from tests import naive


def found(L, *, started=None, sources=None, weights=None, fell=None, **rules):
    """The function under test on lists, all nodes as sources unless said, a weight of 1 for each node apart."""
    matrix = sparse.csr_array(np.array(L, dtype=float))
    n = matrix.shape[0]
    nobody = np.zeros(n, dtype=bool)
    return wiped_out_one_by_one(
        matrix,
        nobody if started is None else np.array(started, dtype=bool),
        np.arange(n) if sources is None else np.array(sources, dtype=np.int64),
        np.eye(n) if weights is None else np.array(weights, dtype=float),
        nobody if fell is None else np.array(fell, dtype=bool),
        Rules(**rules),
    )


def random_leverage(n, *, low=0.1, high=0.95, degree=20, seed=0):
    """Random borrowers, lognormal amounts, row sums evenly drawn."""
    draw = np.random.default_rng(seed)
    row = np.repeat(np.arange(n), degree)
    column = draw.integers(0, n - 1, n * degree)
    column += column >= row  # nobody owes himself
    amount = sparse.csr_array((draw.lognormal(0.0, 1.0, n * degree), (row, column)), shape=(n, n))
    return sparse.csr_array(sparse.diags_array(draw.uniform(low, high, n) / amount.sum(axis=1)) @ amount)


def by_rounds(matrix, started, weights, fell):
    """End, first round, defaults of every source and what all suffer, by plain rounds until nothing moves."""
    n = matrix.shape[0]
    start = np.repeat(started.astype(float)[:, None], n, axis=1)
    start[np.arange(n), np.arange(n)] = 1.0
    every = Transmission("linear", 0.0, np.zeros(n), np.ones(n, dtype=bool))
    run = spread_in_tiles(matrix, every, start, Rules(tol=1e-16))
    down = (run.end >= DEFAULTED) & ~fell[:, None]
    down[np.arange(n), np.arange(n)] = False
    moved = run.end - start  # nothing for a source itself, which starts at 1
    return moved.T @ weights, (run.first - start).T @ weights, down.sum(axis=0), moved.sum(axis=1)


# -- solved by hand ---------------------------------------------------------------------------------------------------


def test_three_banks():
    # A loses .5 with B and .2 with C; B .25 with A; C .4 with B
    run = found([[0, 0.5, 0.2], [0.25, 0, 0], [0, 0.4, 0]])
    # A down: B .25, C .4 · .25. B down: C .4, A .5 + .2 · .4. C down: A = .5 B + .2 and B = A/4, so A = .2/.875
    np.testing.assert_allclose(run.end, [[0, 0.25, 0.1], [0.58, 0, 0.4], [8 / 35, 2 / 35, 0]], rtol=0, atol=1e-15)
    np.testing.assert_allclose(run.first, [[0, 0.25, 0], [0.5, 0, 0.4], [0.2, 0, 0]], rtol=0, atol=1e-16)
    np.testing.assert_allclose(run.suffered, [0.58 + 8 / 35, 0.25 + 2 / 35, 0.5], rtol=1e-15)
    assert run.defaults.tolist() == [0, 0, 0]
    assert run.converged.all()
    assert "diagonal" in run.road


def test_an_explosive_loop_and_who_stands_beside_it():
    # X and Y lose 1.25 of their capital with one another, X a tenth with V; Z loses .5 with X and .2 with V
    run = found([[0, 1.25, 0, 0.1], [1.25, 0, 0, 0], [0.5, 0, 0, 0.2], [0, 0, 0, 0]])
    np.testing.assert_allclose(
        run.end, [[0, 1, 0.5, 0], [1, 0, 0.5, 0], [0, 0, 0, 0], [1, 1, 0.7, 0]], rtol=0, atol=1e-15
    )
    # Z ends at .5 with X, with Y, and at .7 with V; V itself loses nothing to anybody
    np.testing.assert_allclose(run.suffered, [2, 2, 1.7, 0], rtol=0, atol=1e-15)
    assert run.defaults.tolist() == [1, 1, 0, 2]
    assert "1 explosive loop" in run.road


def test_a_node_that_caps_holds_the_others_down():
    # B loses all it has with A and .5 with C; D loses .8 with B: wiping out A leaves B at 1, and D at .8
    run = found([[0, 0, 0, 0], [1.2, 0, 0.5, 0], [0.3, 0, 0, 0], [0, 0.8, 0, 0]])
    np.testing.assert_allclose(
        run.end, [[0, 1, 0.3, 0.8], [0, 0, 0, 0.8], [0, 0.5, 0, 0.4], [0, 0, 0, 0]], rtol=0, atol=1e-15
    )
    np.testing.assert_allclose(run.suffered, [0, 1.5, 0.3, 2.0], rtol=0, atol=1e-15)
    assert run.defaults.tolist() == [1, 0, 0, 0]
    assert "column by column" in run.road


def test_what_starts_defaulted_is_left_in_for_the_caller_to_take_off():
    # S starts at 1 and takes .5 of A; A takes .4 of B
    L = [[0, 0, 0], [0.5, 0, 0], [0, 0.4, 0]]
    run = found(L, started=[1, 0, 0], weights=[[1.0], [10.0], [100.0]], fell=[1, 0, 0])
    # S itself adds nothing: 10 · .5 + 100 · .2. A: its own loss is the shock, 100 · .4. B: its baseline loss is gone
    np.testing.assert_allclose(run.end[:, 0], [25.0, 40.0, 5.0], rtol=1e-15)
    np.testing.assert_allclose(run.first[:, 0], [5.0, 40.0, 5.0], rtol=1e-15)
    # A loses .5 with S, in S's run and in B's; B .2 in S's run and .4 in A's
    np.testing.assert_allclose(run.suffered, [0.0, 1.0, 0.6], rtol=1e-15)


def test_a_row_sum_of_exactly_one_is_a_default():
    run = found([[0, 0, 0], [1.0, 0, 0], [0, 1.0, 0]])
    assert run.defaults.tolist() == [2, 1, 0]
    assert run.end.tolist() == [[0, 1, 1], [0, 0, 1], [0, 0, 0]]


# -- against the loops of the paper -----------------------------------------------------------------------------------

share = st.sampled_from([0.0, 0.0, 0.0, 0.05, 0.2, 0.5, 1.0, 2.5])


@st.composite
def networks(draw):
    """Λ of 1 to 6 nodes: cycles, chains, row sums of exactly 1, λ₁ on both sides of 1; who starts defaulted."""
    n = draw(st.integers(1, 6))
    acyclic = draw(st.booleans())
    L = [[0.0 if i == j or (acyclic and j > i) else draw(share) for j in range(n)] for i in range(n)]
    if draw(st.booleans()):
        L = [[x / (sum(row) or 1.0) for x in row] for row in L]
    return L, [draw(st.sampled_from([False, False, False, True])) for _ in range(n)]


@given(network=networks(), damping=st.sampled_from([1.0, 0.8]))
@settings(max_examples=300)
def test_against_the_paper_s_loops(network, damping):
    L, started = network
    n = len(L)
    run = found(L, started=started, damping=damping, fell=started)
    close = 1e-9 if "plain" in run.road else 1e-12
    suffered = [0.0] * n
    for s in range(n):
        start = [1.0 if i == s or started[i] else 0.0 for i in range(n)]
        end = naive.debtrank(L, start, damping=damping)
        once = naive.debtrank_rounds(L, start, 1, damping=damping)
        assert run.end[s] == pytest.approx([a - b for a, b in zip(end, start, strict=True)], abs=close)
        assert run.first[s] == pytest.approx([a - b for a, b in zip(once, start, strict=True)], abs=1e-14)
        fallen = [i for i in range(n) if end[i] >= naive.DEFAULT_SHARE and i != s and not started[i]]
        assert run.defaults[s] == len(fallen)
        suffered = [suffered[i] + (end[i] - start[i] if i != s else 0.0) for i in range(n)]
    assert run.suffered == pytest.approx(suffered, abs=close * n)
    assert (run.suffered[np.array(started)] == 0.0).all()


@given(network=networks(), data=st.data())
@settings(max_examples=100)
def test_what_is_suffered_is_the_sum_over_the_sources_one_by_one(network, data):
    L, started = network
    n = len(L)
    sources = data.draw(st.lists(st.integers(0, n - 1), max_size=2 * n))  # in any order, some more than once
    run, expected = found(L, started=started, sources=sources), np.zeros(n)
    for place, s in enumerate(sources):
        one = found(L, started=started, sources=[s])
        # one source alone: each node's share of the end, which counts the baseline's loss of the source off itself
        np.testing.assert_allclose(one.suffered, one.end[0], rtol=0, atol=1e-12)
        np.testing.assert_allclose(run.end[place], one.end[0], rtol=0, atol=1e-9)
        expected += one.suffered
    np.testing.assert_allclose(run.suffered, expected, rtol=0, atol=1e-9)


MEDIUM = {
    "rows below 1": ({}, 0.0, "diagonal"),
    "rows above 1, λ₁ below": ({"low": 0.2, "high": 1.4}, 0.0, "column by column"),
    "explosive": ({}, 1.5, "explosive"),
    "explosive, few links": ({"degree": 3, "seed": 4}, 1.2, "explosive"),
    "rows below 1, some started": ({"seed": 2}, 0.0, "diagonal"),
    "explosive, some started": ({"seed": 3}, 1.5, "explosive"),
}


@pytest.mark.parametrize("case", MEDIUM)
def test_against_rounds_on_three_hundred_nodes(case):
    drawn, radius, road = MEDIUM[case]
    matrix = random_leverage(300, **drawn)
    if radius:
        matrix = sparse.csr_array(matrix * (radius / perron_root(matrix)))
    draw = np.random.default_rng(5)
    started = draw.random(300) < (0.02 if "started" in case else 0.0)
    weights = draw.lognormal(0.0, 1.0, (300, 2)) * [1.0 / 500.0, 1e6]
    run = wiped_out_one_by_one(matrix, started, np.arange(300), weights, started, Rules())
    end, first, defaults, suffered = by_rounds(matrix, started, weights, started)
    # where nothing saturates also each figure by itself; the rounds add up to 1e-16 a node by themselves
    np.testing.assert_allclose(run.end, end, rtol=1e-12 if road == "diagonal" else 1e-10, atol=0)
    np.testing.assert_allclose(run.end / weights.sum(axis=0), end / weights.sum(axis=0), rtol=0, atol=1e-13)
    np.testing.assert_allclose(run.first, first, rtol=1e-12, atol=0)
    np.testing.assert_allclose(run.suffered, suffered, rtol=1e-12 if road == "diagonal" else 1e-10, atol=0)
    np.testing.assert_array_equal(run.defaults, defaults)
    assert road in run.road and "plain" not in run.road
    assert run.rounds.max() < 80


@pytest.mark.parametrize("case", ["rows below 1", "rows above 1, λ₁ below", "explosive, some started"])
def test_nothing_depends_on_the_number_of_threads(case, monkeypatch):
    drawn, radius, road = MEDIUM[case]
    matrix = random_leverage(300, **drawn)
    matrix = sparse.csr_array(matrix * (radius / perron_root(matrix))) if radius else matrix
    started, weights = np.arange(300) == (7 if "started" in case else -1), np.ones((300, 1))
    runs = []
    for threads in (1, 2, 7):
        monkeypatch.setattr(tiled_rounds.os, "cpu_count", lambda threads=threads: threads)
        runs.append(wiped_out_one_by_one(matrix, started, np.arange(300), weights, started, Rules()))
    assert road in runs[0].road and runs[0].suffered.any()
    for run in runs[1:]:
        for name in ("end", "first", "defaults", "rounds", "suffered"):
            np.testing.assert_array_equal(getattr(run, name), getattr(runs[0], name))


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_defaults_do_not_hang_on_weights(weight):
    matrix, nobody, weights = random_leverage(300, low=0.2, high=1.4), np.zeros(300, dtype=bool), np.zeros((300, 1))
    weights[17] = weight
    run = wiped_out_one_by_one(matrix, nobody, np.arange(300), weights, nobody, Rules())
    end, _, defaults, suffered = by_rounds(matrix, nobody, weights, nobody)
    np.testing.assert_allclose(run.end, end, rtol=1e-11, atol=1e-15)
    np.testing.assert_allclose(run.suffered, suffered, rtol=1e-10)
    np.testing.assert_array_equal(run.defaults, defaults)


def test_a_hub_is_no_reason_to_square_the_matrix():
    n = 200
    L = np.zeros((n, n))
    L[1:, 0], L[0, 1:] = 0.5, 0.9 / (n - 1)
    matrix, nobody, weights = sparse.csr_array(L), np.zeros(n, dtype=bool), np.ones((n, 1))
    assert not squares_pay(matrix, np.arange(n))
    assert squares_pay(random_leverage(2_000), np.arange(2_000))
    run = wiped_out_one_by_one(matrix, nobody, np.arange(n), weights, nobody, Rules())
    end, _, _, suffered = by_rounds(matrix, nobody, weights, nobody)
    np.testing.assert_allclose(run.end, end, rtol=1e-12)
    np.testing.assert_allclose(run.suffered, suffered, rtol=1e-12)


# -- properties -------------------------------------------------------------------------------------------------------


def test_order_units_and_labels_change_nothing():
    matrix, nobody = random_leverage(150, degree=6, high=1.2), np.zeros(150, dtype=bool)
    weights = np.random.default_rng(1).random((150, 1))
    whole = wiped_out_one_by_one(matrix, nobody, np.arange(150), weights, nobody, Rules())
    again = wiped_out_one_by_one(matrix, nobody, np.arange(150), weights, nobody, Rules())
    np.testing.assert_array_equal(whole.end, again.end)
    np.testing.assert_array_equal(whole.suffered, again.suffered)
    some = np.array([77, 3, 149, 20])
    part = wiped_out_one_by_one(matrix, nobody, some, weights * 1e9, nobody, Rules())
    np.testing.assert_allclose(part.end, whole.end[some] * 1e9, rtol=1e-12)
    mixed = np.random.default_rng(2).permutation(150)
    turned = sparse.csr_array(matrix[mixed][:, mixed])
    other = wiped_out_one_by_one(turned, nobody, np.arange(150), weights[mixed], nobody, Rules())
    np.testing.assert_allclose(other.end, whole.end[mixed], rtol=1e-12)
    np.testing.assert_allclose(other.suffered, whole.suffered[mixed], rtol=1e-12)


def test_isolated_nodes_neither_lose_nor_cause():
    L = np.zeros((5, 5))
    L[0, 1], L[1, 0] = 0.5, 0.25
    run = found(L)
    assert run.end[2:].tolist() == [[0.0] * 5] * 3
    assert (run.end[:, 2:] == 0.0).all()
    assert run.suffered[2:].tolist() == [0.0] * 3


@given(network=networks())
@settings(max_examples=60)
def test_bounds_and_more_leverage_never_hurts_less(network):
    L, started = network
    low, high = found(L, started=started, damping=0.7), found(L, started=started)
    for run in (low, high):
        assert (run.end >= -2e-13).all() and (run.end <= 1.0 + 1e-12).all()
        assert (run.first <= run.end + 1e-12).all()
        # a loss is caused by a source and suffered by a node: the same losses, added up both ways
        np.testing.assert_allclose(run.suffered, run.end.sum(axis=0), rtol=0, atol=1e-11)
        assert (run.suffered >= -1e-12).all() and (run.suffered <= len(L) - 1 + 1e-11).all()
    assert (high.end >= low.end - 1e-9).all()
    assert (high.suffered >= low.suffered - 1e-8).all()


def test_no_nodes_no_edges_no_sources():
    assert found(np.zeros((1, 1))).end.tolist() == [[0.0]]
    assert found(np.zeros((3, 3))).defaults.tolist() == [0, 0, 0]
    none = found(np.zeros((3, 3)), sources=[])
    assert none.end.shape == (0, 3) and none.road == "no sources" and none.suffered.tolist() == [0.0] * 3


# -- where the fast road ends -----------------------------------------------------------------------------------------


def test_a_critical_loop_takes_the_plain_road_and_says_so():
    # A and B lose with one another exactly as much as they have; C loses .5 with A; D owes to nobody
    L = [[0, 1.0, 0, 0], [1.0, 0, 0, 0], [0.5, 0, 0, 0.3], [0, 0, 0, 0]]
    run = found(L)
    assert run.end.tolist() == [[0, 1, 0.5, 0], [1, 0, 0.5, 0], [0, 0, 0, 0], [0, 0, 0.3, 0]]
    assert run.suffered.tolist() == [1, 1, 1.3, 0]
    assert "2 sources by plain rounds, since they reach a loop whose λ₁ lies within 1e-06 of 1" in run.road


def test_loops_that_die_out_too_slowly_take_the_plain_road():
    ring = np.zeros((4, 4))
    ring[np.arange(4), (np.arange(4) + 1) % 4] = 0.998
    run = found(ring)
    assert "too slow to be bounded" in run.road
    np.testing.assert_allclose(run.end[0], [0, 0.998**3, 0.998**2, 0.998], rtol=0, atol=1e-12)
    np.testing.assert_allclose(run.suffered, [0.998**3 + 0.998**2 + 0.998] * 4, rtol=0, atol=1e-11)


@pytest.mark.parametrize("radius", [0.0, 1.5])
def test_sources_that_do_not_settle_take_the_plain_road(monkeypatch, radius):
    monkeypatch.setattr(columns, "SWEEPS", 400)  # enough for the vectors, and the columns get none
    matrix, nobody, weights = random_leverage(60, degree=5, high=1.2 if radius else 0.9), np.zeros(60, bool), np.eye(60)
    if radius:
        matrix = sparse.csr_array(matrix * (radius / perron_root(matrix)))
    kernel = "capped_columns" if radius else "diagonals"
    monkeypatch.setattr(columns.tiles, kernel, lambda *arrays: arrays[-1].fill(-1))
    run = wiped_out_one_by_one(matrix, nobody, np.arange(60), weights, nobody, Rules())
    end, _, defaults, suffered = by_rounds(matrix, nobody, weights, nobody)
    np.testing.assert_allclose(run.end, end, rtol=0, atol=1e-10)
    np.testing.assert_allclose(run.suffered, suffered, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(run.defaults, defaults)
    assert "400 sweeps did not settle them" in run.road


@pytest.mark.parametrize("most", ["MOST_LOOPS", "MOST_GROUPS", "FALLS"])
def test_too_many_loops_or_groups_take_the_plain_road(monkeypatch, most):
    monkeypatch.setattr(explosive, most, 1)
    # two explosive pairs, (0, 1) and (2, 3); 4 owes to both, 5 to the first, 6 to none but 7
    L = np.zeros((8, 8))
    L[0, 1] = L[1, 0] = 1.3
    L[2, 3] = L[3, 2] = 1.2
    L[0, 4] = L[2, 4] = L[1, 5] = L[7, 6] = 0.25
    L[7, 0] = L[7, 2] = 0.3
    run = found(L)
    end, _, defaults, suffered = by_rounds(sparse.csr_array(L), np.zeros(8, bool), np.eye(8), np.zeros(8, bool))
    np.testing.assert_allclose(run.end, end, rtol=0, atol=1e-10)
    np.testing.assert_allclose(run.suffered, suffered, rtol=0, atol=1e-10)
    np.testing.assert_array_equal(run.defaults, defaults)
    assert "plain rounds" in run.road


# -- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rules", [{"cap": False}, {"horizon": 3}])
def test_rules_that_it_does_not_know(rules):
    with pytest.raises(InputError, match="rules: expected cap=True and no horizon"):
        found([[0.0, 0.5], [0.5, 0.0]], **rules)


def test_a_budget_of_plain_rounds_that_runs_out_is_said():
    L = [[0, 1.0, 0.01], [1.0, 0, 0], [0, 0, 0]]
    with pytest.raises(ConvergenceError, match="after 3 rounds"):
        found(L, max_rounds=3)
