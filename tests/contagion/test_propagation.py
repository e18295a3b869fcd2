"""DebtRank: by hand, against plain loops, and what must hold on every network."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from riskgraph.contagion.propagation import debtrank
from riskgraph.errors import ConvergenceError, InputError
from riskgraph.graph.exposure import ExposureGraph
from tests import naive
from tests.graphs import book, books, matrices, matrix_graph

shares = st.sampled_from([0.0, 0.0, 0.1, 0.35, 0.8, 1.0])
TWO = ([[0, 5], [2, 0]], [10, 8])


def started(graph, shock):
    return [1.0 if c <= 0.0 else float(x) for c, x in zip(graph.capital_usd, shock, strict=True)]


# -- by hand ---------------------------------------------------------------------------------------------------------


def test_two_banks_solved_on_paper():
    # h_A = h_B/2, h_B = 1/2 + h_A/4: h_B = 4/7, h_A = 2/7; v = 5/7, 2/7
    run = debtrank(matrix_graph(*TWO, labels=["A", "B"]), {"B": 0.5})
    assert run.distress.to_dict() == pytest.approx({"A": 2 / 7, "B": 4 / 7}, abs=1e-11)
    assert run.systemic_loss == pytest.approx(5 / 7 * 2 / 7 + 2 / 7 * (4 / 7 - 1 / 2), abs=1e-11)
    assert run.loss_usd == pytest.approx(10 * 2 / 7 + 8 / 14, abs=1e-9)
    assert (run.converged, run.defaults, run.baseline) == (True, 0, 0.0)
    # the first round takes 1/4 of A's 10 and comes back to nobody yet
    assert run.first_round_usd == pytest.approx(2.5) and run.first.tolist() == [0.25, 0.5]
    assert run.amplification == pytest.approx((20 / 7 + 4 / 7) / 2.5)


def test_a_chain_of_three_stops_after_two_rounds():
    # B holds 4 of C (capital 8), A holds 6 of B (capital 4): C gone takes half of B, and 1.5 · 0.5 of A
    g = matrix_graph([[0, 6, 0], [0, 0, 4], [0, 0, 0]], [4, 8, 5], labels=["A", "B", "C"])
    run = debtrank(g, {"C": 1.0}, history=True)
    assert run.history.tolist() == [[0, 0, 1], [0, 0.5, 1], [0.75, 0.5, 1]]
    assert run.rounds == 2
    cut = debtrank(g, {"C": 1.0}, horizon=1)
    assert (cut.distress.tolist(), cut.converged) == ([0, 0.5, 1], False)
    assert debtrank(g, {"C": 1.0}, horizon=2).converged
    assert debtrank(g, {"C": 1.0}, damping=0.5).distress.tolist() == [0.1875, 0.25, 1]
    assert debtrank(g, {"C": 1.0}, model="threshold").distress.tolist() == [0, 0.5, 1]
    halved = 0.5 * math.exp(2 * -0.5)
    assert debtrank(g, {"C": 1.0}, model="nonlinear", alpha=2).distress.tolist() == [1.5 * halved, 0.5, 1]
    # the original caps each impact at 1: half of B is passed on whole
    assert debtrank(g, {"C": 1.0}, model="original").distress.tolist() == [0.5, 0.5, 1]


def test_the_original_passes_on_once_only():
    # A → B → A: B hears 0.25 of A's 1 and answers half of that, A is inactive by then and full
    g = matrix_graph(*TWO, labels=["A", "B"])
    assert debtrank(g, {"A": 0.4}, model="original").distress.to_dict() == pytest.approx({"A": 0.45, "B": 0.1})


# a wrapper w on ETH e (share 1), an account k (capital 10, h* = 1/2) with 20 of w and 5 of e, whose sale moves e by 0.4
WRAPPED = {
    "kinds": ["asset", "asset", "account", "account"],
    "leverage": [[0, 0, 0.4, 0], [1, 0, 0, 0], [0.5, 2, 0, 0], [0.6, 0, 0, 0]],
    "capital": [math.nan, math.nan, 10, 40],
    "onset": [0, 0, 0.5, 0.2],
    "labels": ["asset:e", "asset:w", "account:k", "account:m"],
}


def test_liquidation_waves_by_hand():
    g = book(**WRAPPED)
    # wave 1: e falls 0.1, w with it; k loses 0.5·0.1 + 2·0.1 = 0.25 < h*: sells nothing; m loses 0.06
    calm = debtrank(g, {"asset:e": 0.1}, history=True)
    assert calm.distress.round(12).tolist() == [0.1, 0.1, 0.25, 0.06]
    assert calm.rounds == 1
    # 0.24: k loses 0.6, sells p = 0.2 of its wipe-out: e falls 0.24 + 0.08 = 0.32; k 0.8, p 0.6: e 0.48; k full: e 0.64
    run = debtrank(g, {"asset:e": 0.24}, history=True)
    assert run.history.round(12).tolist() == [
        [0.24, 0, 0, 0],
        [0.24, 0.24, 0.6, 0.144],
        [0.32, 0.32, 0.8, 0.192],
        [0.48, 0.48, 1.0, 0.288],
        [0.64, 0.64, 1.0, 0.384],
    ]
    assert (run.rounds, run.defaults) == (4, 1)
    assert run.loss_usd == pytest.approx(10 + 40 * 0.384)
    assert debtrank(g, {"asset:e": 0.24}, horizon=2).distress.round(12).tolist() == [0.32, 0.32, 0.8, 0.192]


def test_an_account_that_starts_defaulted_is_the_baseline():
    g = book(
        **{
            **WRAPPED,
            "capital": [math.nan, math.nan, -1, 40],
            "leverage": [[0, 0, 0.4, 0], [1, 0, 0, 0], [0] * 4, [0.6, 0, 0, 0]],
        }
    )
    quiet = debtrank(g, {})
    assert quiet.distress.round(12).tolist() == [0.4, 0.4, 1.0, 0.24]
    assert (quiet.systemic_loss, quiet.loss_usd) == (0.0, 0.0)
    assert quiet.baseline == pytest.approx(0.24)  # all weight is on m
    more = debtrank(g, {"asset:e": 0.1})
    assert more.systemic_loss == pytest.approx(0.06)
    assert debtrank(g, {"account:k": 1.0}).systemic_loss == 0.0


def test_a_shocked_node_that_the_baseline_had_taken_scores_below_zero():
    # B, gone from the start, takes 0.8 of A; wiping A out as well moves that 0.8 from contagion into the shock
    g = matrix_graph([[0, 8], [0, 0]], [10, 0], labels=["A", "B"])
    run = debtrank(g, {"A": 1.0})
    assert (run.baseline, run.systemic_loss) == (pytest.approx(0.8), pytest.approx(-0.8))


# -- against plain loops ---------------------------------------------------------------------------------------------


@given(matrices(), st.data())
@settings(max_examples=60, deadline=None)
def test_matrices_against_plain_loops(network, data):
    g = matrix_graph(*network)
    shock = [data.draw(shares) for _ in network[1]]
    L = g.leverage.toarray().tolist()
    start = started(g, shock)
    for model, alpha in (("linear", 0.0), ("nonlinear", 2.5), ("threshold", 0.0)):
        mine = debtrank(g, shock, model=model, alpha=alpha if model == "nonlinear" else None)
        assert mine.end == pytest.approx(naive.debtrank(L, start, model, alpha=alpha), abs=1e-9)
    assert debtrank(g, shock, model="original").end == pytest.approx(naive.original_debtrank(L, start), abs=1e-12)
    damped = debtrank(g, shock, damping=0.6, horizon=3)
    assert damped.end == pytest.approx(naive.debtrank_rounds(L, start, 3, damping=0.6), abs=1e-12)


@given(books(), st.data())
@settings(max_examples=60, deadline=None)
def test_books_against_plain_loops(g, data):
    shock = [data.draw(shares) for _ in range(len(g))]
    L, kinds, onset = g.leverage.toarray().tolist(), g.nodes["kind"].tolist(), g.onset.tolist()
    start = started(g, shock)
    for model in ("liquidation", "linear", "threshold", "nonlinear"):
        alpha = 1.5 if model == "nonlinear" else 0.0
        mine = debtrank(g, shock, model=model, alpha=alpha or None)
        assert mine.end == pytest.approx(naive.debtrank(L, start, model, kinds, onset, alpha), abs=1e-9)
    for count in (1, 2):
        mine = debtrank(g, shock, horizon=count, damping=0.9)
        assert mine.end == pytest.approx(naive.waves(L, start, kinds, onset, count, damping=0.9), abs=1e-9)


# -- what must hold --------------------------------------------------------------------------------------------------


@given(books(), st.data())
@settings(max_examples=40, deadline=None)
def test_bounds_and_order(g, data):
    small = [data.draw(shares) for _ in range(len(g))]
    large = [max(x, data.draw(shares)) for x in small]
    low, high = debtrank(g, small), debtrank(g, large)
    assert (low.end >= low.start).all() and (high.end <= 1.0).all()
    assert (low.end <= high.end + 1e-9).all()


@given(matrices(), st.data())
@settings(max_examples=40, deadline=None)
def test_labels_units_and_isolated_nodes(network, data):
    A, E = network
    shock = np.array([data.draw(shares) for _ in E])
    run = debtrank(matrix_graph(A, E), shock)
    order = np.array(data.draw(st.permutations(range(len(E)))), dtype=int)
    turned = debtrank(matrix_graph(np.array(A)[np.ix_(order, order)], np.array(E)[order]), shock[order])
    assert turned.end == pytest.approx(run.end[order], abs=1e-10)
    scaled = debtrank(matrix_graph(np.array(A) * 1024, np.array(E) * 1024), shock)
    assert scaled.end.tolist() == run.end.tolist()
    assert scaled.loss_usd == pytest.approx(1024 * run.loss_usd, abs=1e-6)
    alone = np.array(A).sum(axis=1) == 0.0
    assert (run.end[alone] == run.start[alone]).all()


@given(matrices(), st.sampled_from(["linear", "nonlinear", "threshold"]), st.data())
@settings(max_examples=60, deadline=None)
def test_without_a_cap_what_is_suffered_beyond_it_is_counted_and_goes_no_further(network, model, data):
    g = matrix_graph(*network)
    L, power = g.leverage.toarray(), {"alpha": 1.5} if model == "nonlinear" else {}
    shock = [data.draw(shares) for _ in network[1]]
    capped = debtrank(g, shock, model=model, **power)
    passed = [naive.passes_on(model, "node", h, alpha=1.5 if power else 0.0) for h in capped.end]
    open_ended = debtrank(g, shock, model=model, cap=False, **power)
    assert open_ended.end == pytest.approx(capped.start + L @ passed, rel=1e-9, abs=1e-9)
    assert np.minimum(open_ended.end, 1.0) == pytest.approx(capped.end, abs=1e-9)


@given(matrices(capital=st.sampled_from([10.0, 33.0, 100.0])), st.data())
@settings(max_examples=30, deadline=None)
def test_where_nobody_is_wiped_out_it_is_the_linear_solve(network, data):
    g = matrix_graph(*network)
    L = g.leverage.toarray()
    shock = np.array([data.draw(shares) for _ in network[1]])
    assume(abs(np.linalg.eigvals(L)).max() < 0.97)
    solved = np.linalg.solve(np.eye(len(L)) - L, shock)
    assume(solved.max() <= 1.0)
    assert debtrank(g, shock).end == pytest.approx(solved, abs=1e-9)


def test_empty_single_and_edgeless_networks():
    one = debtrank(matrix_graph([[0]], [5.0]), [0.3])
    assert (one.distress.tolist(), one.systemic_loss, one.rounds) == ([0.3], 0.0, 0)
    none = debtrank(ExposureGraph.from_matrix(np.zeros((3, 3)), [1, 0, -2]), {"0": 0.5})
    assert (none.distress.tolist(), none.loss_usd) == ([0.5, 1, 1], 0.0)


def test_equal_shocks_give_equal_bits_however_they_are_given():
    g = matrix_graph([[0, 5, 1], [2, 0, 3], [4, 1, 0]], [10, 8, 9], labels=["A", "B", "C"])
    ways = [{"B": 0.5, "C": 0.1}, {"C": 0.1, "B": 0.5}, pd.Series({"C": 0.1, "B": 0.5}), [0, 0.5, 0.1]]
    assert len({debtrank(g, way).end.tobytes() for way in ways}) == 1


# -- what is refused, and what is said -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shock", "arguments", "words"),
    [
        ({"Z": 0.5}, {}, "expected labels of this graph, got 'Z'"),
        ({"A": 1.5}, {}, r"expected values in \[0, 1\], got A = 1.5"),
        ({"A": math.nan}, {}, "got A = nan"),
        ([0.1], {}, "expected 2 values in node order"),
        ({}, {"model": "sir"}, "expected one of linear, original"),
        ({}, {"model": "nonlinear"}, "alpha: expected a finite number"),
        ({}, {"alpha": 2.0}, "alpha: expected none for model 'linear'"),
        ({}, {"model": "liquidation"}, "expected a graph of accounts, protocols and assets"),
        ({}, {"damping": -1.0}, r"damping: expected a share in \[0, 1\], got -1"),
        ({}, {"horizon": 0}, "horizon: expected a whole number of at least 1, got 0"),
        ({}, {"horizon": 1.5}, "horizon: expected a whole number of at least 1, got 1.5"),
        ({}, {"tol": 0.0}, "tol: expected a number between 0 and 1"),
        ({}, {"damping": 2.0}, r"damping: expected a share in \[0, 1\], got 2"),
        ("A", {}, "shock: expected a mapping of labels to numbers"),
        ({"A": None}, {}, "shock: expected numbers"),
    ],
)
def test_refused(shock, arguments, words):
    with pytest.raises(InputError, match=words):
        debtrank(matrix_graph(*TWO, labels=["A", "B"]), shock, **arguments)


def test_a_budget_that_runs_out_is_an_error_with_its_numbers():
    with pytest.raises(ConvergenceError, match=r"moved by .* after 3 rounds \(tol 1e-12\)"):
        debtrank(matrix_graph(*TWO, labels=["A", "B"]), {"A": 0.5}, max_rounds=3)


def test_shows_itself():
    g = matrix_graph(*TWO, labels=["<b>A</b>", "B"])
    run = debtrank(g, {"B": 0.5})
    assert repr(run) == (
        f"<Propagation: model linear, 2 nodes; contagion {run.systemic_loss:.4g}, loss $3, 0 defaults, "
        f"{run.rounds} rounds>"
    )
    assert "&lt;b&gt;A" in run._repr_html_() and "<b>A" not in run._repr_html_()
    assert "stood still" in run.summary()
    frame = run.to_frame()
    assert frame.columns.tolist() == ["kind", "shock", "distress", "baseline", "loss_usd"]
    assert frame["loss_usd"].sum() == pytest.approx(run.loss_usd)
    assert str(run.provenance).startswith("riskgraph 0.1.0, debtrank(graph='ExposureGraph: 2 nodes")
    assert "shock={'B': 0.5}, model='linear'" in str(run.provenance)
    with pytest.raises(ValueError, match="read-only"):
        run.end[0] = 0.0


def test_says_its_terms_and_what_to_know():
    g = matrix_graph([[0, 9.0, 1.0], [9.0, 0, 2.0], [1.0, 1.0, 0]], [4.0, 5.0, -1.0])
    run = debtrank(g, {"0": 0.2}, damping=0.9)
    assert "model linear (δ = 0.9)" in run.summary() and "note: " in run.summary()
    assert run.notes[0].startswith("1 node without capital starts defaulted")
    assert "any shock then grows until caps bind" in run.notes[1]
    capped = debtrank(g, {"0": 0.2}, model="nonlinear", alpha=2.0, horizon=1, cap=False)
    assert "model nonlinear (α = 2, at most 1 round, losses beyond capital counted)" in capped.summary()
    assert len(capped.notes) == 1
    # all that A loses is in the baseline already: no first loss to be a multiple of
    assert math.isnan(debtrank(g, {"2": 1.0}).amplification)
