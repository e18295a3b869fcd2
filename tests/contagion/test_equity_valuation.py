"""Network valuation: by hand, against plain loops, beside DebtRank and clearing, and what must always hold."""

import math
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import sparse

from riskgraph.contagion import valuation_functions as at
from riskgraph.contagion.equity_valuation import network_valuation
from riskgraph.contagion.propagation import debtrank
from riskgraph.errors import ConvergenceError, InputError
from riskgraph.graph.exposure import ExposureGraph
from tests import naive
from tests.graphs import money

VALUATIONS = sorted(at.VALUATIONS)
EX_ANTE = ("black_cox", "exante_furfine", "merton")


@st.composite
def banks(draw, sigmas=(0.0, 0.02, 0.3, 5.0)):
    """Exposures, assets, liabilities, shock, σ and R of 1 to 5 nodes; some owe nothing, own nothing, start below 0."""
    n = draw(st.integers(1, 5))

    def each(*values):
        return [draw(st.sampled_from(values)) for _ in range(n)]

    A = [[0.0 if i == j else draw(money) for j in range(n)] for i in range(n)]
    assets, liabilities = each(0.0, 1.0, 5.0, 20.0, 37.3, 100.0), each(0.0, 0.0, 1.0, 3.0, 18.0, 40.0)
    return A, assets, liabilities, each(0.0, 0.1, 0.35, 1.0), each(*sigmas), each(0.0, 0.4, 1.0)


def valued(bank, valuation, *, pbar="total", **changed):
    A, assets, liabilities, shock, sigma, R = bank
    given = {"shock": shock, "volatility": sigma, "recovery": R} | changed
    return network_valuation(A, assets, liabilities, valuation=valuation, pbar=pbar, **given)


# -- by hand ---------------------------------------------------------------------------------------------------------

# A lends 6 to B, B lends 5 to C. E⁰ = 2, 3, 4; C loses 5 of its 13 and stands at −1, owing 5 to B and 4 to others
CHAIN = ([[0, 6, 0], [0, 0, 5], [0, 0, 0]], [10, 16, 13], [14, 12, 4])


@pytest.mark.parametrize(
    ("valuation", "lost", "more", "equity", "value"),
    [
        ("furfine", 5, {"recovery": 0.4}, [2, 0, -1], [1, 1, 0.4]),  # B stands at 0 and still pays in full
        ("furfine", 5, {"recovery": [0.0, 0.5, 0.2]}, [-1, -1, -1], [0, 0.5, 0.2]),
        ("eisenberg_noe", 5, {"pbar": "total"}, [2, 3 - 5 / 9, -1], [1, 1, 8 / 9]),
        ("eisenberg_noe", 5, {"pbar": "interbank"}, [2, 2, -1], [1, 1, 4 / 5]),
        ("linear", 5, {}, [-4, -2, -1], [0, 0, 0]),
        ("linear", 1, {}, [2 - 6 * 5 / 12, 3 - 5 / 4, 3], [0, 7 / 12, 3 / 4]),
    ],
)
def test_a_chain_of_three_solved_on_paper(valuation, lost, more, equity, value):
    run = network_valuation(*CHAIN, valuation=valuation, shock=[0, 0, lost / 13], **more)
    assert run.initial_equity.tolist() == [2, 3, 4]
    assert run.shocked_equity.tolist() == pytest.approx([2, 3, 4 - lost])
    assert run.equity.tolist() == pytest.approx(equity, abs=1e-12)
    assert run.value.tolist() == pytest.approx(value, abs=1e-12)
    assert run.loss_usd == pytest.approx(9 - lost - sum(equity))
    assert run.converged


# ln(K/Aᵉ) = −1/2 and σ = 1: P(K) = Φ(0), G(K) = 100 Φ(−1) = 15.8655; Black–Cox Φ(0) + e^½ Φ(−1) = 0.761578.
# Interbank p̄ = 40: K − p̄ = 20.6531, P = Φ(−1.07730) = 0.140673, G = 100 Φ(−2.07730) = 1.888663
@pytest.mark.parametrize(
    ("valuation", "pbar", "value"),
    [
        ("exante_furfine", "total", 1 - 0.6 * 0.5),
        ("black_cox", "total", 1 - 0.6 * 0.761578),
        ("merton", "total", 0.5 + 0.4 * 15.8655 / 60.6531),
        ("merton", "interbank", 0.5 + 0.4 * (15.8655 - 1.888663 - 20.6531 * (0.5 - 0.140673)) / 40),
    ],
)
def test_chance_of_default_solved_on_paper(valuation, pbar, value):
    external = 100 * math.exp(-0.5) - 40
    run = network_valuation(
        [[0, 40], [0, 0]], [0, 100], [0, external], valuation=valuation, volatility=1.0, recovery=0.4, pbar=pbar
    )
    assert run.value.iloc[1] == pytest.approx(value, abs=2e-6)
    assert run.equity.iloc[0] == pytest.approx(40 * value, abs=1e-4)


def test_rounds_one_by_one():
    cut = [network_valuation(*CHAIN, valuation="linear", shock=[0, 0, 1 / 13], horizon=t) for t in (1, 2)]
    assert [run.equity.tolist() for run in cut] == [pytest.approx([2, 1.75, 3]), pytest.approx([-0.5, 1.75, 3])]
    assert [(run.rounds, run.converged) for run in cut] == [(1, False), (2, True)]
    assert cut[0].residual == pytest.approx(2.5 / 30)  # A: 10 + 6 on one side, 14 on the other


def test_of_many_solutions_the_greatest():
    # each owes the other 1 and has nothing else: every V from 0 to 1 is a solution
    for valuation in ("furfine", "eisenberg_noe"):
        run = network_valuation([[0, 1], [1, 0]], [0, 0], [0, 0], valuation=valuation, recovery=0.0)
        assert (run.value.tolist(), run.equity.tolist(), run.rounds) == ([1, 1], [0, 0], 0)


# -- against plain loops ---------------------------------------------------------------------------------------------


@given(banks(), st.sampled_from(["total", "interbank"]))
@settings(max_examples=80, deadline=None)
def test_every_valuation_against_plain_loops(bank, pbar):
    A, assets, liabilities, shock, sigma, R = bank
    for valuation in VALUATIONS:
        equity, value = naive.network_valuation(A, assets, liabilities, valuation, shock, sigma, R, pbar)
        run = valued(bank, valuation, pbar=pbar)
        assert run.after == pytest.approx(equity, abs=1e-9)
        assert run.worth == pytest.approx(value, abs=1e-9)


# -- beside DebtRank and clearing ------------------------------------------------------------------------------------


@given(banks(), st.sampled_from([0.0, 0.4]))
@settings(max_examples=60, deadline=None)
def test_linear_and_furfine_are_debtrank_in_dollars(bank, R):
    A, shock = bank[0], bank[3]
    run, step = valued(bank, "linear"), valued(bank, "furfine", recovery=R)
    E = run.before
    assume((np.abs(E) > 1e-9).all() and (np.abs(step.after) > 1e-9).all())  # at 0 the threshold model defaults
    lost = np.clip(np.divide(np.array(bank[1]) * shock, E, out=np.ones(len(E)), where=E > 0.0), 0.0, 1.0)
    for found, more in ((run, {}), (step, {"lgd": 1.0 - R})):
        model = "threshold" if more else "linear"
        distress = debtrank(ExposureGraph.from_matrix(A, E, **more), lost, model=model).end
        share = np.divide(found.after, E, out=np.zeros(len(E)), where=E > 0.0)
        assert 1.0 - np.clip(share, 0.0, 1.0) == pytest.approx(distress, abs=1e-9)


@given(banks(), st.sampled_from(["total", "interbank"]))
@settings(max_examples=60, deadline=None)
def test_eisenberg_noe_payments_clear(bank, pbar):
    # p = min(p̄, (e + Πᵀp)⁺): what reaches the claims is what there is (senior external liabilities taken off first)
    A, assets, liabilities, shock = (np.array(part) for part in bank[:4])
    run = valued(bank, "eisenberg_noe", pbar=pbar)
    ranked = run.sheets.pbar
    there = assets * (1.0 - shock) + A @ run.worth - (liabilities if pbar == "interbank" else 0.0)
    assert run.worth * ranked == pytest.approx(np.clip(there, 0.0, ranked), abs=1e-9)


@given(banks(sigmas=(1e-9,)), st.sampled_from(["total", "interbank"]))
@settings(max_examples=40, deadline=None)
def test_without_chance_the_ex_ante_values_are_those_after_the_fact(bank, pbar):
    step, shared = valued(bank, "furfine"), valued(bank, "eisenberg_noe", pbar=pbar)
    assume((np.abs(step.after) > 1e-6).all() and (np.abs(shared.after) > 1e-6).all())
    for sigma in (bank[4], 0.0):
        for valuation in ("exante_furfine", "black_cox"):
            assert valued(bank, valuation, volatility=sigma).after == pytest.approx(step.after, abs=1e-6)
        whole = valued(bank, "merton", volatility=sigma, recovery=1.0, pbar=pbar)
        assert whole.after == pytest.approx(shared.after, abs=1e-6)


# -- what must hold --------------------------------------------------------------------------------------------------


@given(banks(), st.sampled_from(VALUATIONS), st.sampled_from(["total", "interbank"]), st.data())
@settings(max_examples=80, deadline=None)
def test_bounds_order_units_and_labels(bank, valuation, pbar, data):
    A, assets, liabilities, shock, sigma, R = (np.array(part) for part in bank)
    run = valued(bank, valuation, pbar=pbar)
    assert ((run.worth >= 0.0) & (run.worth <= 1.0)).all() and (run.after <= run.shocked).all()
    assert run.loss_usd == pytest.approx(float((A * (1.0 - run.worth)).sum()), abs=1e-9)  # nothing is lost on the way
    alone = A.sum(axis=1) == 0.0
    assert (run.after[alone] == run.shocked[alone]).all()
    worse = np.maximum(shock, data.draw(st.sampled_from([0.2, 0.6])))
    assert (valued(bank, valuation, pbar=pbar, shock=worse).after <= run.after + 1e-9).all()
    better = np.maximum(R, data.draw(st.sampled_from([0.3, 0.7])))
    assert (valued(bank, valuation, pbar=pbar, recovery=better).after >= run.after - 1e-9).all()
    scaled = valued((A * 1024, assets * 1024, liabilities * 1024, shock, sigma, R), valuation, pbar=pbar)
    assert scaled.after.tolist() == (run.after * 1024).tolist()
    order = np.array(data.draw(st.permutations(range(len(A)))), dtype=int)
    turned = (A[np.ix_(order, order)], *(part[order] for part in (assets, liabilities, shock, sigma, R)))
    assert valued(turned, valuation, pbar=pbar).after == pytest.approx(run.after[order], abs=1e-9)


@given(banks(), st.sampled_from(["total", "interbank"]))
@settings(max_examples=40, deadline=None)
def test_which_valuation_is_the_harsher(bank, pbar):
    by = {valuation: valued(bank, valuation, pbar=pbar).after for valuation in VALUATIONS}
    assert (by["black_cox"] <= by["exante_furfine"] + 1e-9).all()  # touching K on the way counts too
    assert (by["merton"] <= by["exante_furfine"] + 1e-9).all()  # R of what there is, not of the claim
    for valuation in ("eisenberg_noe", "merton"):
        assert (valued(bank, valuation, pbar="interbank").after <= valued(bank, valuation).after + 1e-9).all()


def sheets(n, *, assets=100.0, sigma=0.2, R=0.4, pbar=50.0, initial=50.0):
    full = [np.full(n, float(value)) for value in (assets, initial, pbar, R, sigma)]
    return at.BalanceSheets(*full, rounding=np.full(n, 1e-11))


@pytest.mark.parametrize("valuation", VALUATIONS)
def test_values_stay_in_bounds_and_rise_with_equity(valuation):
    near = [0.0, 1e-300, 1e-12, 1e-9, 1e-3, 1.0, 49.0, 99.0, 99.999999, 100.0 - 1e-13, 100.0, 101.0, 1e6, 1e300]
    equity = np.array(sorted([-value for value in near[1:]] + near))
    sizes, sigmas = [0.0, 1e-9, 50.0, 100.0, 1e12], [0.0, 1e-300, 1e-6, 0.2, 30.0, 1e200]
    for assets, pbar, sigma in product(sizes, sizes, sigmas):
        value = at.VALUATIONS[valuation](equity, sheets(len(equity), assets=assets, sigma=sigma, pbar=pbar))
        assert ((value >= 0.0) & (value <= 1.0)).all(), (assets, pbar, sigma)
        assert (np.diff(value) >= -1e-9).all(), (assets, pbar, sigma)


def test_a_barrier_far_below_the_assets_keeps_its_digits():
    # K = 2⁻³⁰ beside Aᵉ = 128 is exact in E = 128 − 2⁻³⁰: ln(K/Aᵉ) = −37 ln 2
    equity = np.array([128.0 - 2.0**-30])
    chance = naive.normal_cdf((-37 * math.log(2) + 32.0) / 8.0)
    found = at.exante_furfine(equity, sheets(1, assets=128.0, sigma=8.0, R=0.0))
    assert found[0] == pytest.approx(1.0 - chance, abs=1e-14)


def test_small_claims_beside_large_assets_keep_their_digits():
    # for small p̄ the mean of P over it is P: V = 1 − P(K) to first order, where the closed form has lost every digit
    equity = np.array([-20.0, 0.0, 10.0, 30.0])
    found = at.merton(equity, sheets(4, pbar=1e-10, sigma=0.3, R=1.0))
    wanted = [1.0 - naive.merton_default(100.0 - one, 100.0, 0.3) for one in equity]
    assert found == pytest.approx(wanted, abs=1e-11)
    # and the two roads, points and closed form, meet
    for width in (0.3 - 1e-9, 0.3 + 1e-9):
        pbar = 90.0 * -math.expm1(-width)
        wanted = naive.claim_value("merton", 10.0, 50.0, 100.0, pbar, 0.3, 0.6, 0.0)
        assert at.merton(np.array([10.0]), sheets(1, pbar=pbar, sigma=0.3, R=0.6))[0] == pytest.approx(
            wanted, abs=1e-14
        )


# -- what comes in ---------------------------------------------------------------------------------------------------


def test_ways_to_give_the_same_network():
    A, assets, liabilities = (np.array(part, dtype=float) for part in CHAIN)
    names = ["x", "y", "z"]
    frame = pd.DataFrame(A, index=names, columns=names)[["z", "x", "y"]]
    by_label = [dict(zip(names, part, strict=True)) for part in (assets, liabilities)]
    backwards = pd.Series(assets, index=names)[::-1]
    graph = ExposureGraph.from_matrix(A, [2, 3, 4], labels=names)
    loss = {"z": 1 / 13}
    runs = [
        network_valuation(frame, assets, liabilities, valuation="linear", shock=loss),
        network_valuation(frame, backwards, by_label[1], valuation="linear", shock=pd.Series(loss)),
        network_valuation(A, pd.Series(assets, index=names), liabilities, valuation="linear", shock=loss),
        network_valuation(graph.exposures, *by_label, valuation="linear", shock=loss, labels=graph.labels),
        network_valuation(sparse.coo_array(A), assets, liabilities, valuation="linear", shock=[0, 0, 1 / 13]),
    ]
    assert len({run.after.tobytes() for run in runs}) == 1
    assert [list(run.equity.index) for run in runs] == [names] * 4 + [["0", "1", "2"]]
    # a Series that names its nodes gives the matrix its labels
    turned = network_valuation(A[::-1, ::-1], backwards, liabilities[::-1], valuation="linear", shock=loss)
    assert turned.equity[names].tolist() == pytest.approx(runs[0].equity.tolist(), abs=1e-14)


def test_nobody_and_one_alone():
    assert len(network_valuation(np.zeros((0, 0)), [], [], valuation="furfine").equity) == 0
    one = network_valuation([[0]], [5], [7], valuation="black_cox", volatility=0.1, recovery=0.3)
    assert (one.equity.tolist(), one.value.tolist(), one.defaults) == ([-2], [pytest.approx(0.3)], 0)


def test_a_valuation_of_ones_own():
    seen = []

    def halved(equity, sheets):
        seen.append((equity.copy(), sheets))
        assert not equity.flags.writeable and not sheets.pbar.flags.writeable
        return np.where(equity >= sheets.initial_equity, 1.0, 0.5)

    run = network_valuation(*CHAIN, valuation=halved, shock={"2": 1 / 13}, volatility=0.1)
    assert run.equity.tolist() == pytest.approx([2 - 3, 3 - 2.5, 3])
    assert (run.valuation, run.value.tolist()) == ("halved", [0.5, 0.5, 0.5])
    assert seen[0][0].tolist() == pytest.approx([2, 3, 3])
    given = seen[0][1]
    assert given.external_assets.tolist() == pytest.approx([10, 16, 12])
    assert (given.pbar.tolist(), given.sigma.tolist()) == ([14, 18, 9], [0.1] * 3)


@pytest.mark.parametrize(
    ("own", "words"),
    [
        (lambda E, sheets: E, r"valuation: expected values in \[0, 1\], got 2.0 at equity 2 \(node 'x'\), 3.0 at"),
        (lambda E, sheets: np.full(len(E), np.nan), r"expected values in \[0, 1\], got nan"),
        (lambda E, sheets: ["high"] * 3, "valuation: expected 3 numbers in node order, got could not convert"),
        (lambda E, sheets: 1.0, r"expected 3 values in node order, got shape \(\)"),
        (lambda E, sheets: np.where(E < 3, 1.0, 0.5), "expected values that do not rise .* equity of node 'x' by"),
    ],
)
def test_a_valuation_of_ones_own_is_checked(own, words):
    with pytest.raises(InputError, match=words):
        network_valuation(*CHAIN, valuation=own, labels=["x", "y", "z"])


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"valuation": "mertn"}, "valuation: expected one of furfine, linear, .* or a callable, got 'mertn'"),
        *(({"valuation": name}, f"volatility: expected σ .* for '{name}', got None") for name in EX_ANTE),
        ({"external_assets": [1, 2]}, "external_assets: expected 3 values in node order"),
        ({"external_assets": [1, -2, 3]}, "external_assets: expected finite values of at least 0, got 1 = -2.0$"),
        ({"external_assets": [1, math.inf, 3]}, "external_assets: .* got 1 = inf"),
        ({"external_liabilities": {"0": 1, "1": 2}}, "external_liabilities: .* for every node, got none for '2'"),
        ({"external_liabilities": {"0": 1, "1": 2, "2": 3, "4": 3}}, "external_liabilities: .* labels .* got '4'"),
        ({"external_liabilities": 3.0}, r"external_liabilities: expected 3 values in node order, got shape \(\)"),
        ({"external_liabilities": ["a", 1, 2]}, "external_liabilities: expected numbers"),
        ({"exposures": [[0, 1, 0], [0, 2, 0], [0, 0, 0]]}, "exposures: expected no exposure of a node to itself"),
        ({"exposures": [[0, -1, 0], [0, 0, 0], [0, 0, 0]]}, "exposures: expected finite USD of at least 0"),
        ({"exposures": [["a", "b"], [0, 0]]}, "exposures: expected a matrix of numbers, got could not convert"),
        ({"exposures": None}, "exposures: expected a matrix of numbers, got object of type 'NoneType'"),
        ({"exposures": np.zeros((3, 2))}, "exposures: expected a square matrix"),
        ({"exposures": ExposureGraph.from_matrix([[0]], [1])}, "exposures: expected a matrix, got an ExposureGraph"),
        ({"shock": 1.5}, r"shock: expected values in \[0, 1\], got 0 = 1.5"),
        ({"shock": {"Z": 0.5}}, "shock: expected labels of this graph, got 'Z'"),
        ({"shock": "a"}, "shock: expected a mapping of labels to numbers, or an array, got 'a'"),
        ({"recovery": {"0": 0.5}}, "recovery: expected a number for every node, got none for '1', '2'"),
        ({"recovery": [0, 0, math.nan]}, "recovery: .* got 2 = nan"),
        ({"volatility": -0.1}, "volatility: expected finite values of at least 0, got 0 = -0.1"),
        ({"volatility": math.nan}, "volatility: expected finite values of at least 0, got 0 = nan"),
        ({"pbar": "senior"}, "pbar: expected 'total' or 'interbank', got 'senior'"),
        ({"labels": ["a", "b"]}, "labels: expected 3 labels, got 2"),
        ({"labels": ["a", "b", "a"]}, "expected every label once, got 'a' more than once"),
        ({"tol": 0.0}, "tol: expected a number between 0 and 1"),
        ({"horizon": 0}, "horizon: expected a whole number of at least 1, got 0"),
    ],
)
def test_refused(changed, words):
    names = ("exposures", "external_assets", "external_liabilities")
    given = {**dict(zip(names, CHAIN, strict=True)), "valuation": "linear"} | changed
    with pytest.raises(InputError, match=words):
        network_valuation(**given)


def test_a_budget_that_runs_out_is_an_error_with_its_numbers():
    ring = ([[0, 5], [5, 0]], [10, 10], [5, 5])
    with pytest.raises(ConvergenceError, match=r"moved by .* of a balance sheet after 3 rounds \(tol 1e-14\)"):
        network_valuation(*ring, valuation="linear", shock=[0.1, 0], max_rounds=3)


def test_a_slow_approach_is_not_cut_short():
    # λ₁ = 0.999: changes are below any tolerance long before the limit h = (I − Λ)⁻¹h₀ is near
    E = 5 / 0.999
    run = network_valuation([[0, 5], [5, 0]], [E, E], [0, 0], valuation="linear", shock=[1e-6 / E, 0], tol=1e-12)
    h = np.linalg.solve([[1, -0.999], [-0.999, 1]], [1e-6 / E, 0])
    assert 1.0 - run.after / E == pytest.approx(h, rel=0, abs=2e-11)


def test_strong_and_weak_links_in_turn_are_not_taken_for_a_fast_approach():
    # λ = 2 one way and 0.45 back: 0.9 a turn, of which every other round shows only the 0.45
    run = network_valuation([[0, 20], [4.5, 0]], [5, 25.5], [10.5, 0], valuation="linear", shock=[2e-3, 0], tol=1e-6)
    assert run.before.tolist() == [10, 10]
    left = np.abs(run.after - [10 - 0.1, 10 - 0.045]) / [40, 50]
    assert left.max() <= 1e-6 and run.converged


def test_what_rounding_leaves_is_no_equity():
    # 0.3 against 0.1 + 0.2 is −5.6e-17, the other way round +5.6e-17: nobody defaults, or stands, by that
    for assets, owed, noise in ((0.3, (0.1, 0.2), -1), (0.1 + 0.2, (0.3, 0.0), 1)):
        given = ([[0, owed[0], 0], [0, 0, 0], [0, owed[1], 0]], [0, assets, 0], [0, 0, 0])
        assert np.sign(network_valuation(*given, valuation="linear").before[1]) == noise
        by = {name: network_valuation(*given, valuation=name, recovery=0.0, volatility=0.0) for name in VALUATIONS}
        assert [by[name].worth[1] for name in ("furfine", "exante_furfine", "merton")] == [1, 1, 1]
        assert [by[name].worth[1] for name in ("linear", "black_cox")] == [0, 0]


def test_shows_itself():
    run = network_valuation(
        *CHAIN, valuation="linear", shock=[0, 0, 1 / 13], labels=["<b>A</b>", "B", "C"], recovery=0.5, volatility=0.1
    )
    assert repr(run) == "<Valuation: linear, 3 nodes; loss $3.75 beyond the shock, 1 default, 2 rounds>"
    assert "&lt;b&gt;A" in run._repr_html_() and "<b>A" not in run._repr_html_()
    assert "stood still" in run.summary() and "linear has no use for recovery" in run.summary()
    assert run.notes[0] == "linear has no use for volatility"
    frame = run.to_frame()
    assert frame.columns.tolist() == ["initial_equity", "shocked_equity", "equity", "value", "loss_usd"]
    assert frame["loss_usd"].sum() == pytest.approx(run.loss_usd)
    assert "'C': 0.07692307692307693}, volatility=0.1, recovery=0.5, pbar='total'" in str(run.provenance)
    with pytest.raises(ValueError, match="read-only"):
        run.after[0] = 0.0
    cut = network_valuation(*CHAIN, valuation="furfine", shock=[0, 0, 1], recovery=0.0, horizon=1)
    assert "cut off by the horizon" in repr(cut) and "residual" in cut.summary()


def test_the_summary_says_what_was_in_force_and_whose_the_loss_is():
    # C stands at −1, B's 5 and A's 6 are gone: 9 − 5 = 4 become −7, of which −4 − 2 − 1 below 0
    run = network_valuation(*CHAIN, valuation="linear", shock=[0, 0, 5 / 13], recovery=0.5)
    assert run.summary().splitlines()[:4] == [
        "network valuation, linear, 3 nodes",
        "shock: $5 of $39 external assets, at 1 node",
        "equity: $9 before, $4 with the shock, −$7 with contagion",
        "loss beyond the shock: $11, of which borne by equity $5, below zero $6 (counted again at every creditor)",
    ]
    more = {"volatility": [0.1, 0.2, 0.3], "recovery": 0.4, "pbar": "interbank"}
    first = [network_valuation(*CHAIN, valuation=name, **more).summary().splitlines()[:2] for name in VALUATIONS]
    assert [line for line, _ in first] == [
        "network valuation, black_cox (σ = 0.1 to 0.3, R = 0.4), 3 nodes",
        "network valuation, eisenberg_noe (p̄ interbank), 3 nodes",
        "network valuation, exante_furfine (σ = 0.1 to 0.3, R = 0.4), 3 nodes",
        "network valuation, furfine (R = 0.4), 3 nodes",
        "network valuation, linear, 3 nodes",
        "network valuation, merton (σ = 0.1 to 0.3, R = 0.4, p̄ interbank), 3 nodes",
    ]
    assert {shock for _, shock in first} == {"shock: none"}
    own = network_valuation([[0]], [5], [3], valuation=lambda E, sheets: np.ones(1)).summary()
    assert "<lambda> (R = 1, p̄ total), 1 node\n" in own and "borne" not in own


@pytest.mark.parametrize("valuation", VALUATIONS)
def test_full_recovery_is_said_where_it_takes_the_network_away(valuation):
    run = network_valuation(*CHAIN, valuation=valuation, shock=[0, 0, 5 / 13], volatility=0.2)
    idle = f"recovery is 1: in {valuation} a default costs creditors nothing, so the network adds nothing"
    assert (idle in run.notes) == (run.loss_usd == 0.0) == (valuation in ("furfine", "exante_furfine", "black_cox"))
    some = network_valuation(*CHAIN, valuation=valuation, volatility=0.2, recovery=[1, 1, 0.9])
    assert not any("recovery is 1" in note for note in some.notes)


def test_who_starts_insolvent_is_said():
    # B has 3 − 5 = −2 without any shock, A holds 4 of its 5: A loses 4 · 2/5
    run = network_valuation([[0, 4], [0, 0]], [5, 3], [6, 1], valuation="eisenberg_noe", labels=["A", "B"])
    assert run.equity.to_dict() == pytest.approx({"A": 3 - 1.6, "B": -2})
    assert run.notes == (
        "1 node starts with equity below 0 before any shock ('B', −$2); "
        "what that costs creditors is part of the loss beyond the shock",
    )
    assert run.notes[0] in run.summary() and run.defaults == 0
    assert network_valuation(*CHAIN, valuation="linear").notes == ()


def test_the_provenance_knows_the_network():
    A, assets, liabilities = (np.array(part, dtype=float) for part in CHAIN)
    names = ["x", "y", "z"]

    def told(order, **changed):
        given = {"A": A, "assets": assets, "liabilities": liabilities} | changed
        run = network_valuation(
            given["A"][np.ix_(order, order)], given["assets"][order], given["liabilities"][order],
            valuation="linear", labels=[names[at] for at in order],
        )  # fmt: skip
        return run.provenance.arguments

    first = told([0, 1, 2])
    assert first["exposures"] == "3 nodes, 2 exposures, $11"
    assert first["external_assets"] == {"x": 10, "y": 16, "z": 13}
    assert first["external_liabilities"] == {"x": 14, "y": 12, "z": 4}
    assert told([2, 0, 1]) == first
    changes = (
        {"A": 2 * A},
        {"A": A.T},
        {"assets": assets[::-1]},
        {"liabilities": liabilities + np.array([0, 0, 1e-9])},
    )
    assert len({first["network"], *(told([0, 1, 2], **change)["network"] for change in changes)}) == 5
    many = network_valuation(np.zeros((30, 30)), np.arange(30.0), np.ones(30), valuation="linear").provenance.arguments
    assert many["external_assets"] == "30 values, sum $435"


def test_a_frame_of_debts_is_no_frame_of_exposures():
    names = ["x", "y", "z"]
    owed = pd.DataFrame(
        np.transpose(CHAIN[0]), index=pd.Index(names, name="debtor"), columns=pd.Index(names, name="creditor")
    )
    right = network_valuation(owed.T, *CHAIN[1:], valuation="linear")
    assert right.initial_equity.tolist() == [2, 3, 4]
    with pytest.raises(
        InputError, match=r"exposures: expected creditor rows .* got a frame with rows 'debtor'; pass .T"
    ):
        network_valuation(owed, *CHAIN[1:], valuation="linear")
    with pytest.raises(InputError, match=r"got a frame with columns 'creditor'; pass \.T"):
        network_valuation(owed.rename_axis(index=None), *CHAIN[1:], valuation="linear")
