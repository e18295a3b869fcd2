"""Clearing: by hand, against plain iteration, and what must hold on every network."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from riskgraph.contagion.settlement import clearing
from riskgraph.errors import InputError
from riskgraph.graph.exposure import ExposureGraph
from tests import naive

SENIORITIES = ("equal", "senior", "junior")
WHICH = ("greatest", "least")
# A owes B 6 and C 2, B owes C 5, C owes A 4
THREE = ([[0, 6, 2], [0, 0, 5], [4, 0, 0]], [1, 1, 2])

money = st.sampled_from([0.0, 0.0, 0.0, 0.5, 1.0, 2.0, 3.7, 9.0])
cash_of = st.sampled_from([0.0, 0.0, 0.5, 1.0, 2.5, 4.0, 10.0])
outside_of = st.sampled_from([0.0, 0.0, 0.5, 1.0, 2.0, 6.0, 15.0])
recovery = st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0, 1.0])


@st.composite
def networks(draw, most=5):
    """Debts, external assets and external liabilities of 1 to ``most`` banks; some alone, some owing nothing."""
    n = draw(st.integers(1, most))
    owes = [[0.0 if i == j else draw(money) for j in range(n)] for i in range(n)]
    outside = [draw(outside_of) for _ in range(n)] if draw(st.booleans()) else [0.0] * n
    return owes, [draw(cash_of) for _ in range(n)], outside


@st.composite
def terms(draw):
    return {
        "seniority": draw(st.sampled_from(SENIORITIES)),
        "external_recovery": draw(recovery),
        "interbank_recovery": draw(recovery),
        "which": draw(st.sampled_from(WHICH)),
    }


# -- by hand ---------------------------------------------------------------------------------------------------------


def test_three_banks_solved_on_paper():
    # A has 1 + 4 for 8 and fails; B then gets 6/8 of 5, has 4.75 for 5 and fails, too; C has 2 + 1.25 + 4.75 for 4
    run = clearing(*THREE, labels=["A", "B", "C"])
    assert run.payments.to_dict() == pytest.approx({"A": 5, "B": 4.75, "C": 4}, rel=1e-14)
    assert run.equity.to_dict() == pytest.approx({"A": -3, "B": -0.25, "C": 4}, rel=1e-13)
    assert run.recovery.to_dict() == pytest.approx({"A": 0.625, "B": 0.95, "C": 1}, rel=1e-14)
    assert run.defaulted.to_dict() == {"A": True, "B": True, "C": False}
    assert (run.levels.tolist()[:2], run.levels.isna().tolist()) == ([0, 1], [False, False, True])
    assert (run.rounds, run.default_costs, run.notes) == (2, pytest.approx(0, abs=1e-14), ())


def test_three_banks_with_default_costs():
    # A pays 1/2 + 4/2, B 1/2 + (6/8 · 2.5)/2; C still has 2 + 0.625 + 1.4375
    run = clearing(*THREE, external_recovery=0.5, interbank_recovery=0.5)
    assert run.payments.tolist() == pytest.approx([2.5, 1.4375, 4], rel=1e-14)
    assert run.default_costs == pytest.approx(2.5 + 1.4375, rel=1e-13)
    assert run.equity.tolist() == pytest.approx([-3, 1 + 1.875 - 5, 0.0625], rel=1e-13)


@pytest.mark.parametrize(
    ("seniority", "banks", "others"),
    [
        # p_A = 5 + 0.4 p_B, p_B = 0.4 p_A
        ("equal", [0.4 * 125 / 21, 0.4 * 50 / 21], [0.6 * 125 / 21, 0.6 * 50 / 21]),
        # others take A's 5 and all that B would get
        ("senior", [0, 0], [5, 0]),
        # the banks pay each other in full, the others get what is left of 5 + 2 and of 4
        ("junior", [4, 2], [3, 2]),
    ],
)
def test_two_banks_under_each_seniority(seniority, banks, others):
    # A owes B 4 and others 6 and has 5; B owes A 2 and others 3 and has nothing
    run = clearing([[0, 4], [2, 0]], [5, 0], external_liabilities=[6, 3], seniority=seniority)
    assert run.interbank_payments.tolist() == pytest.approx(banks, rel=1e-13)
    assert run.external_payments.tolist() == pytest.approx(others, rel=1e-13)
    assert run.payments.tolist() == pytest.approx(np.add(banks, others).tolist(), rel=1e-13)
    assert run.defaulted.all()


def test_greatest_and_least_where_money_goes_round():
    # q_A = (q_B − 1)⁺, q_B = 1 + q_A: any q_B from 1 to 2
    book = ([[0, 2], [2, 0]], [0, 1])
    more = {"external_liabilities": [1, 0], "seniority": "senior"}
    assert clearing(*book, **more).interbank_payments.tolist() == [1, 2]
    assert clearing(*book, **more, which="least").interbank_payments.tolist() == [0, 1]
    assert clearing([[0, 1], [1, 0]], [0, 0]).payments.tolist() == [1, 1]
    assert clearing([[0, 1], [1, 0]], [0, 0], which="least").payments.tolist() == [0, 0]


def test_a_bank_with_exactly_what_it_owes_pays_it():
    costs = {"external_recovery": 0.5, "interbank_recovery": 0.5}
    for which in WHICH:  # iteration up from zero stops at (1, 1), where A has 1 + 1 for 2
        run = clearing([[0, 2], [2.2, 0]], [1, 1], which=which, **costs)
        assert run.payments.tolist() == [2, 2.2]
    apart = [clearing([[0, 2.2], [2.2, 0]], [1, 1], which=which, **costs) for which in WHICH]
    assert [run.payments.tolist() for run in apart] == [[2.2, 2.2], [1, 1]]
    # 0.1 + 0.2 is more than 0.3 in floating point
    run = clearing([[0, 0.1 + 0.2, 0], [0, 0, 0], [0.1, 0, 0]], [0.2, 0, 0.1], **costs)
    assert run.defaulted.tolist() == [False] * 3
    short = clearing([[0, 0.3 + 1e-15], [0, 0]], [0.3, 0], **costs)
    assert (short.defaulted.any(), short.payments.iloc[0]) == (False, 0.3 + 1e-15)
    assert short.notes == (
        "1 bank counted as paying in full, lacking less than 1e-12 of what it owes, owns and is owed",
    )
    assert clearing([[0, 0.3 + 1e-9], [0, 0]], [0.3, 0], **costs).payments.iloc[0] == pytest.approx(0.15)


def test_the_least_vector_says_when_each_bank_proved_good():
    # C pays from its own 4; B then has 4 for 3, of which 2 would reach A if B failed; A then has 3 for 3
    run = clearing([[0, 0, 3], [3, 0, 0], [0, 4, 0]], [0, 0, 4], which="least", interbank_recovery=0.5)
    assert (run.levels.tolist(), run.rounds) == ([2, 1, 0], 2)
    costly = clearing(
        [[0, 0, 3], [3, 0, 0], [0, 4, 0]], [0, 0, 3.9], which="least", external_recovery=0, interbank_recovery=0
    )
    assert (costly.payments.tolist(), costly.rounds, costly.levels.isna().all()) == ([0, 0, 0], 0, True)


# -- against plain iteration -------------------------------------------------------------------------------------------


@given(networks(), recovery, recovery)
@settings(max_examples=200, deadline=None)
def test_against_plain_iteration(network, alpha, beta):
    for seniority in SENIORITIES:
        for which in WHICH:
            paid, failed, moved = naive.clearing(*network, seniority, alpha, beta, which, rounds=5_000)
            if moved > 1e-13:  # a plain iteration that crawls is no oracle
                continue
            run = clearing(
                *network[:2],
                external_liabilities=network[2],
                seniority=seniority,
                external_recovery=alpha,
                interbank_recovery=beta,
                which=which,
            )
            assert run.payments.tolist() == pytest.approx(paid, rel=1e-9, abs=1e-9)
            assert run.defaulted.tolist() == failed


# -- what must hold ----------------------------------------------------------------------------------------------------


@given(networks(), terms())
@settings(max_examples=80, deadline=None)
def test_bounds_and_order(network, how):
    owes, cash, outside = network
    run = clearing(owes, cash, external_liabilities=outside, **how)
    owed = run.owed_interbank + run.owed_external
    assert (run.payments >= 0).all() and (run.payments <= owed).all()
    assert run.recovery.between(0, 1).all()
    assert (run.recovery[owed == 0] == 1).all()
    assert (run.payments[~run.defaulted] == owed[~run.fails]).all()
    high, low = (clearing(owes, cash, external_liabilities=outside, **{**how, "which": which}) for which in WHICH)
    assert (high.payments >= low.payments - 1e-12).all()
    assert (low.fails | ~high.fails).all()


@given(networks(), terms(), st.data())
@settings(max_examples=80, deadline=None)
def test_more_cash_never_pays_less(network, how, data):
    owes, cash, outside = network
    richer = [c + data.draw(st.sampled_from([0.0, 0.25, 3.0])) for c in cash]
    run = clearing(owes, cash, external_liabilities=outside, **how)
    more = clearing(owes, richer, external_liabilities=outside, **how)
    assert (more.payments >= run.payments - 1e-11).all()
    assert (run.fails | ~more.fails).all()


@given(networks(), terms())
@settings(max_examples=80, deadline=None)
def test_no_money_comes_from_nowhere(network, how):
    owes, cash, outside = network
    run = clearing(owes, cash, external_liabilities=outside, **how)
    assert run.incoming.sum() == pytest.approx(run.interbank_payments.sum(), abs=1e-10)
    kept = run.equity[~run.defaulted].sum()
    assert run.external_payments.sum() + kept + run.default_costs == pytest.approx(sum(cash), abs=1e-10)
    if how["external_recovery"] == how["interbank_recovery"] == 1.0:
        assert run.default_costs == pytest.approx(0, abs=1e-10)


@given(networks(), terms(), st.data())
@settings(max_examples=60, deadline=None)
def test_labels_units_and_isolated_banks(network, how, data):
    owes, cash, outside = (np.array(part) for part in network)
    run = clearing(owes, cash, external_liabilities=outside, **how)
    order = np.array(data.draw(st.permutations(range(len(cash)))), dtype=int)
    turned = clearing(owes[np.ix_(order, order)], cash[order], external_liabilities=outside[order], **how)
    assert turned.payments.tolist() == pytest.approx(run.payments.iloc[order].tolist(), abs=1e-11)
    assert turned.fails.tolist() == run.fails[order].tolist()
    scaled = clearing(owes * 1024, cash * 1024, external_liabilities=outside * 1024, **how)
    assert scaled.payments.tolist() == (1024 * run.payments).tolist()
    alone = (owes.sum(axis=0) == 0) & (owes.sum(axis=1) == 0)
    own = np.where(cash >= outside, outside, how["external_recovery"] * cash)
    assert run.payments[alone].tolist() == own[alone].tolist()


def test_every_form_of_input_gives_equal_bits():
    names = ["A", "B", "C"]
    frame = pd.DataFrame(THREE[0], index=names, columns=names)
    cash, outside = pd.Series([1.0, 1, 2], index=names), pd.Series([0.5, 0, 1], index=names)
    ways = [
        clearing(frame, cash, external_liabilities=outside),
        clearing(frame[["C", "A", "B"]], cash[["B", "C", "A"]], external_liabilities=outside[["C", "B", "A"]]),
        clearing(THREE[0], cash, external_liabilities=outside[["C", "B", "A"]]),
        clearing(np.array(THREE[0]), THREE[1], external_liabilities=[0.5, 0, 1], labels=names),
        clearing(sparse.coo_array(np.array(THREE[0])), THREE[1], external_liabilities=outside),
    ]
    assert len({way.payments.to_numpy().tobytes() for way in ways}) == 1
    assert all(way.payments.index.tolist() == names for way in ways)


def test_input_stays_as_it_was():
    owes = sparse.csr_array((np.array([2.0, 0.0, 1.0, 1.0]), np.array([1, 1, 0, 0]), np.array([0, 2, 4])), shape=(2, 2))
    cash = np.array([1.0, 1.0])
    run = clearing(owes, cash)
    assert (owes.nnz, cash.flags.writeable, owes.data.flags.writeable) == (4, True, True)
    assert run.payments.tolist() == [2, 2]


def test_empty_and_single():
    assert clearing(np.zeros((0, 0)), []).payments.tolist() == []
    run = clearing([[0]], [3], external_liabilities=[4], external_recovery=0.5)
    assert (run.payments.tolist(), run.equity.tolist(), run.levels.tolist()) == ([1.5], [-1], [0])


# -- what is refused, and what is said -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"seniority": "first"}, "seniority: expected one of equal, senior, junior, got 'first'"),
        ({"which": "both"}, "which: expected one of greatest, least, got 'both'"),
        ({"external_recovery": 1.5}, r"external_recovery: expected one share in \[0, 1\], got 1.5"),
        ({"interbank_recovery": float("nan")}, r"interbank_recovery: expected one share in \[0, 1\], got nan"),
        ({"interbank_recovery": "1"}, r"interbank_recovery: expected one share in \[0, 1\], got '1'"),
        ({"external_recovery": [1, 1, 1]}, "external_recovery: expected one share"),
    ],
)
def test_refused(arguments, words):
    with pytest.raises(InputError, match=words):
        clearing(*THREE, **arguments)


def test_shows_itself():
    run = clearing(*THREE, labels=["<b>A</b>", "B", "C"], external_recovery=0.5)
    assert repr(run) == "<Clearing: greatest, 3 banks; 2 defaults, 2 rounds, $12.375 paid>"
    assert "&lt;b&gt;A" in run._repr_html_() and "<b>A" not in run._repr_html_()
    assert "defaults: 2 in 2 rounds" in run.summary()
    assert "defaults: 2 (1 round up from no payment)" in clearing(*THREE, which="least").summary()
    frame = run.to_frame()
    assert frame.index.tolist() == ["<b>A</b>", "B", "C"]
    assert frame["payment"].sum() == pytest.approx(run.payments.sum())
    assert str(frame["level"].dtype) == "Int64"
    assert str(run.provenance) == (
        "riskgraph 0.1.0, clearing(liabilities='3 banks, 4 debts, $17', "
        "external_assets={'<b>A</b>': 1.0, 'B': 1.0, 'C': 2.0}, "
        "external_liabilities={'<b>A</b>': 0.0, 'B': 0.0, 'C': 0.0}, seniority='equal', "
        "external_recovery=0.5, interbank_recovery=1.0, "
        "which='greatest') on data without digest"
    )
    with pytest.raises(ValueError, match="read-only"):
        run.paid_interbank[0] = 0.0


def test_the_summary_says_the_terms_and_no_cents_that_are_not_there():
    lines = clearing(*THREE).summary().splitlines()  # A lacks 3, B a quarter
    assert lines == [
        "Clearing, greatest vector, external liabilities equal, 3 banks",
        "left in default: α = 1 of external assets, β = 1 of what banks pay",
        "defaults: 2 in 2 rounds",
        "paid: $13.75 of $17 owed",
        "lost by banks: $3.25, by others: $0",
    ]
    costly = clearing(*THREE, external_recovery=0.5, interbank_recovery=0.5).summary().splitlines()
    assert costly[1] == "left in default: α = 0.5 of external assets, β = 0.5 of what banks pay"
    assert costly[-1] == "destroyed by default costs: $3.9375"
    one = clearing([[0]], [3], external_liabilities=[4])
    assert repr(one) == "<Clearing: greatest, 1 bank; 1 default, 1 round, $3 paid>"
    assert "defaults: 1 in 1 round\n" in one.summary()
    dear = clearing([[0, 2e6], [0, 0]], [1e6 + 1, 0], external_recovery=0.5)
    assert "paid: $500,000 of $2,000,000 owed" in dear.summary()


def test_a_frame_of_exposures_is_no_frame_of_debts():
    names = ["A", "B", "C"]
    owed = pd.DataFrame(THREE[0], index=pd.Index(names, name="debtor"), columns=pd.Index(names, name="creditor"))
    assert clearing(owed, THREE[1]).payments.tolist() == pytest.approx([5, 4.75, 4])
    with pytest.raises(InputError, match=r"liabilities: expected debtor rows .* with rows 'creditor'; pass \.T"):
        clearing(owed.T, THREE[1])


def test_a_matrix_and_a_series_give_the_same_labels_as_in_a_graph():
    owed = sparse.csr_array(np.array(THREE[0]))
    cash = pd.Series(THREE[1], index=["C", "A", "B"])
    graph = ExposureGraph.from_matrix(owed.T, cash)
    assert clearing(owed, cash).payments.index.tolist() == graph.labels.tolist() == ["C", "A", "B"]


def test_mappings_go_by_label():
    names = ["A", "B", "C"]
    cash, outside = {"C": 2, "A": 1, "B": 1}, {"B": 0, "C": 1, "A": 0.5}
    run = clearing(THREE[0], cash, external_liabilities=outside, labels=names)
    wanted = clearing(THREE[0], THREE[1], external_liabilities=[0.5, 0, 1], labels=names)
    assert run.payments.to_numpy().tobytes() == wanted.payments.to_numpy().tobytes()
    with pytest.raises(InputError, match=r"external_assets: .*label once, got \['0', '1', '2', 'B01'\] on one side"):
        clearing(THREE[0], {"B01": 2})
