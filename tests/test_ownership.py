"""Cross-holdings: by hand, against the paper's algorithm in plain loops, conservation, and what is refused."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from riskgraph import ownership
from riskgraph.errors import ConvergenceError, InputError
from riskgraph.ownership import cross_holdings
from tests import naive

FOLDER = Path(
    os.environ.get("RISKGRAPH_REFERENCE", Path(__file__).resolve().parents[1] / ".." / "shared" / "reference")
)

# 0 owns half of 1, 1 a quarter of 2, 2 nothing: v = (1·(D0 + D1/2 + D2/8), 1/2·(D1 + D2/4), 3/4·D2)
CHAIN = [[0, 0.5, 0], [0, 0, 0.25], [0, 0, 0]]


def test_a_chain_by_hand():
    held = cross_holdings(CHAIN, primitive_assets=[4, 8, 16], labels=["a", "b", "c"])
    assert held.self_holdings.to_dict() == {"a": 1.0, "b": 0.5, "c": 0.75}
    assert held.dependency.to_numpy().tolist() == [[1, 0.5, 0.125], [0, 0.5, 0.125], [0, 0, 0.75]]
    assert held.dependence_on("c").to_dict() == {"a": 0.125, "b": 0.125, "c": 0.75}
    assert held.values.to_dict() == {"a": 10.0, "b": 6.0, "c": 12.0}
    assert held.waves == () and not held.failed.any()


def test_waves_by_hand():
    # c falls short of 13 by itself; its cost of 8 takes 1 of b's 6 and 1 of a's 10; b at 5 < 5.5 fails in turn, its
    # cost of 4 takes 2 of a's 9: a, at 7, stays above its 7
    limits, costs = {"a": 7.0, "b": 5.5, "c": 13.0}, {"a": 100.0, "b": 4.0, "c": 8.0}
    held = cross_holdings(
        CHAIN, primitive_assets=[4, 8, 16], labels=["a", "b", "c"], thresholds=limits, failure_costs=costs
    )
    assert held.waves == (("c",), ("b",))
    assert held.values.to_dict() == {"a": 7.0, "b": 3.0, "c": 6.0}
    assert held.values.sum() == 28 - 12
    frame = held.to_frame()
    assert frame["wave"].tolist() == [0, 2, 1] and frame["cost_usd"].tolist() == [0, 4, 8]
    assert frame["initial_usd"].tolist() == [10, 6, 12]


def test_units_and_prices():
    D = pd.DataFrame([[1.0, 0.0], [0.0, 2.0], [4.0, 2.0]], index=["a", "b", "c"], columns=["gold", "land"])
    held = cross_holdings(
        CHAIN, primitive_assets=D.iloc[::-1], prices={"land": 4.0, "gold": 2.0}, labels=["a", "b", "c"]
    )
    assert held.primitive_usd.tolist() == [2.0, 8.0, 16.0]
    fixed = cross_holdings(sparse.csr_array(CHAIN), primitive_assets=D.to_numpy(), prices=[2, 4])
    assert fixed.values.tolist() == held.values.tolist()


@pytest.mark.reference
def test_the_reference_with_two_organisations():
    if not (FOLDER / "published_examples.json").is_file():
        pytest.skip(f"no reference examples at {FOLDER} (set RISKGRAPH_REFERENCE)")
    examples = json.loads((FOLDER / "published_examples.json").read_text(encoding="utf-8"))["examples"]
    case = next(one for one in examples if one["id"] == "elliott_golub_jackson_2org")
    held = cross_holdings(case["inputs"]["C"])
    assert np.diag(held.self_holdings).tolist() == case["outputs"]["C_hat"]
    assert held.dependency.to_numpy() == pytest.approx(np.array(case["outputs"]["A"]), abs=1e-15)


@st.composite
def networks(draw):
    """C with column sums up to 1 where holders are open, primitive assets, thresholds and costs."""
    n = draw(st.integers(1, 5))
    raw = [[0.0 if i == j else draw(st.sampled_from([0.0, 0.0, 1.0, 3.0])) for j in range(n)] for i in range(n)]
    C = [[0.0] * n for _ in range(n)]
    for j in range(n):
        total = sum(raw[i][j] for i in range(n))
        part = draw(st.sampled_from([0.1, 0.45, 0.83]))
        for i in range(n):
            C[i][j] = part * raw[i][j] / total if total else 0.0
    D = [draw(st.sampled_from([0.0, 1.3, 4.7, 20.9])) for _ in range(n)]
    limits = [draw(st.sampled_from([0.0, 0.77, 2.31, 6.13, 15.7])) for _ in range(n)]
    return C, D, limits, [draw(st.sampled_from([0.0, 0.51, 3.3, 17.0])) for _ in range(n)]


@given(networks())
@settings(max_examples=120, deadline=None)
def test_against_the_paper_in_plain_loops(network):
    C, D, limits, costs = network
    held = cross_holdings(C, primitive_assets=D, thresholds=limits, failure_costs=costs)
    v, borne, waves = naive.cross_holdings(C, D, limits, costs)
    assert held.values.tolist() == pytest.approx(v, abs=1e-9)
    assert held.cost.tolist() == borne
    assert held.waves == tuple(tuple(str(i) for i in wave) for wave in waves)


@given(networks(), st.data())
@settings(max_examples=60, deadline=None)
def test_conservation_order_and_units(network, data):
    C, D, limits, costs = (np.array(part) for part in network)
    held = cross_holdings(C, primitive_assets=D, thresholds=limits, failure_costs=costs)
    A = held.dependency.to_numpy()
    assert A.sum(axis=0) == pytest.approx(np.ones(len(D)), abs=1e-12) and (A >= 0.0).all()
    assert held.values.sum() == pytest.approx(D.sum() - held.cost.sum(), abs=1e-9)
    assert held.values.to_numpy() == pytest.approx(A @ (D - held.cost), abs=1e-9)
    for at, label in enumerate(held.labels):
        assert held.dependence_on(label).to_numpy() == pytest.approx(A[:, at], abs=1e-14)
    # it is a solution: below the threshold are those that failed, and only they (costs only lower values)
    assert ((held.values.to_numpy() < limits - 1e-9) <= held.failed.to_numpy()).all()
    assert (held.failed.to_numpy() <= (held.values.to_numpy() < limits + 1e-9)).all()
    order = np.array(data.draw(st.permutations(range(len(D)))), dtype=int)
    turned = cross_holdings(
        C[np.ix_(order, order)], primitive_assets=D[order], thresholds=limits[order], failure_costs=costs[order]
    )
    assert turned.wave.tolist() == held.wave[order].tolist()
    assert turned.values.to_numpy() == pytest.approx(held.values.to_numpy()[order], abs=1e-9)
    scaled = cross_holdings(C, primitive_assets=D * 1024, thresholds=limits * 1024, failure_costs=costs * 1024)
    assert scaled.values.tolist() == (held.values * 1024).tolist()


@given(networks(), st.sampled_from([0.5, 0.9]))
@settings(max_examples=40, deadline=None)
def test_lower_primitive_values_fail_no_fewer(network, factor):
    C, D, limits, costs = network
    high = cross_holdings(C, primitive_assets=D, thresholds=limits, failure_costs=costs)
    low = cross_holdings(C, primitive_assets=[factor * d for d in D], thresholds=limits, failure_costs=costs)
    assert (high.failed <= low.failed).all()
    assert (low.values <= high.values + 1e-9).all()


@given(networks())
@settings(max_examples=40, deadline=None)
def test_the_series_gives_what_the_factors_give(network):
    C, D, limits, costs = network
    D[0] = -D[0]
    plain = cross_holdings(C, primitive_assets=D, thresholds=limits, failure_costs=costs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ownership, "FACTORED", 0)
        summed = cross_holdings(C, primitive_assets=D, thresholds=limits, failure_costs=costs)
    assert summed.values.tolist() == pytest.approx(plain.values.tolist(), rel=1e-12, abs=1e-12)
    assert summed.wave.tolist() == plain.wave.tolist()


def test_a_series_without_end_is_an_error(monkeypatch):
    monkeypatch.setattr(ownership, "FACTORED", 0)
    monkeypatch.setattr(ownership, "ROUNDS", 50)
    with pytest.raises(ConvergenceError, match=r"values still grew by [1-9].* a round after 50 rounds"):
        cross_holdings([[0, 0.99], [0.99, 0]], primitive_assets=[1.0, 1.0])


def test_one_at_its_threshold_stands():
    held = cross_holdings([[0, 0.1], [0.2, 0]], primitive_assets=[0.3, 0.6], thresholds=-1, failure_costs=1)
    again = cross_holdings(
        [[0, 0.1], [0.2, 0]], primitive_assets=[0.1 * 3, 0.2 * 3], thresholds=held.values, failure_costs=1
    )
    assert not again.failed.any()


def test_an_isolated_organisation_is_worth_what_it_owns():
    held = cross_holdings(
        np.pad(np.array(CHAIN), (0, 1)), primitive_assets=[4, 8, 16, 5], thresholds=20, failure_costs=3
    )
    assert held.values["3"] == 2.0 and held.dependence_on("3").tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (
            {"C": [[0, 1.0], [1.0, 0]]},
            "C: shares: expected somebody outside to own everyone in the end, got '0', '1'",
        ),
        ({"C": [[0, 0.5], [-0.5, 0]]}, r"shares: expected shares in \[0, 1\], got -0.5 for '1'"),
        ({"C": [[0, math.nan], [0.5, 0]]}, r"expected shares in \[0, 1\], got nan for '0'"),
        ({"C": [[0.1, 0.5], [0.5, 0]]}, "expected nobody to hold itself, got 0.1 for '0'"),
        ({"C": [[0, 0.5, 0.6], [0.5, 0, 0.6], [0, 0, 0]]}, "expected columns that sum to at most 1, got 1.2 for '2'"),
        ({"C": [[0, 0.5]]}, "expected n × n shares"),
        ({"C": [["a"]]}, "C: expected a square matrix of shares"),
        ({"C": pd.DataFrame([[0.0]], index=["a"], columns=["b"])}, "C: expected a frame with the same labels"),
        ({"labels": ["a", "a"]}, "n labels, each once"),
        ({"primitive_assets": [1.0, math.inf]}, "primitive_assets: expected finite USD, got inf"),
        ({"primitive_assets": None, "prices": [1.0]}, "prices: expected primitive_assets beside them"),
        ({"primitive_assets": None, "thresholds": 1, "failure_costs": 1}, "primitive_assets: expected the values"),
        (
            {"primitive_assets": [[1.0, 2.0], [0.0, 3.0]]},
            "units of each asset beside prices, got a matrix and no prices",
        ),
        ({"primitive_assets": pd.DataFrame([[1.0], [2.0]])}, "one value in USD for each of 2 organisations, or units"),
        ({"primitive_assets": [[1.0]], "prices": [1.0]}, "primitive_assets: expected 2 rows"),
        ({"thresholds": 1.0}, "thresholds, failure_costs: expected both or neither"),
        (
            {"thresholds": math.nan, "failure_costs": -1},
            "thresholds: expected finite USD, got nan .* of at least 0, got -1",
        ),
    ],
)
def test_refused(more, words):
    with pytest.raises(InputError, match=words):
        cross_holdings(**{"C": [[0, 0.5], [0.5, 0]], "primitive_assets": [1.0, 1.0], **more})


def test_owned_in_the_end_is_enough():
    # 1 is wholly owned by 0, who is held from outside: legal, and worth nothing to anybody but 0's owners
    held = cross_holdings([[0, 1.0], [0, 0]], primitive_assets=[1.0, 2.0])
    assert held.values.tolist() == [3.0, 0.0]


def test_bounded_and_shown(monkeypatch):
    held = cross_holdings(CHAIN, primitive_assets=[4, 8, 16], labels=["<b>a</b>", "b", "c"])
    assert repr(held) == "<CrossHoldings: 3 organisations, 2 links; value $28, 0 failed>"
    assert "&lt;b&gt;a" in held._repr_html_() and "<b>a" not in held._repr_html_()
    assert "owners outside hold 0.5 to 1 of each (smallest, largest)" in held.summary()
    told = dict(held.provenance.arguments)
    assert told.pop("C").startswith("3 organisations, 2 links, digest ")
    assert told == {
        "primitive_assets": {"<b>a</b>": 4.0, "b": 8.0, "c": 16.0}, "prices": None, "thresholds": None,
        "failure_costs": None,
    }  # fmt: skip
    units = cross_holdings(CHAIN, primitive_assets=np.eye(3), prices=2, thresholds=[0.1, 1.7, 0], failure_costs=1)
    told = dict(units.provenance.arguments)
    assert told.pop("primitive_assets").startswith("3 × 3 units, digest ") and told.pop("C")
    assert told == {"prices": 2.0, "thresholds": {"0": 0.1, "1": 1.7, "2": 0.0}, "failure_costs": 1.0}
    assert "failed: 1 in 1 wave, costs $1" in units.summary()
    with pytest.raises(ValueError, match="read-only"):
        held.market[0] = 0.0
    with pytest.raises(InputError, match=r"label: expected one of .* got 'z'"):
        held.dependence_on("z")
    bare = cross_holdings(CHAIN)
    assert bare.to_frame()["value_usd"].isna().all() and repr(bare) == "<CrossHoldings: 3 organisations, 2 links>"
    with pytest.raises(InputError, match=r"values: expected primitive_assets in the call"):
        bare.values  # noqa: B018
    monkeypatch.setattr(ownership, "DENSE", 2)
    with pytest.raises(InputError, match="dependency: expected at most 2 organisations, got 3"):
        held.dependency  # noqa: B018
