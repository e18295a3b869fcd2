"""The border of fire sales: what is refused, what runs out, and what a result says of itself."""

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from riskgraph.contagion.deleveraging import fire_sale
from riskgraph.contagion.sale_rules import told_values
from riskgraph.errors import ConvergenceError, InputError
from riskgraph.graph.exposure import ExposureGraph

# A, B and C hold x and loans y (nobody buys loans); debts of 90, 80 and 0
BANKS = pd.DataFrame([[80.0, 20.0], [50.0, 50.0], [30.0, 0.0]], index=["A", "B", "C"], columns=["x", "y"])
EQUITY = pd.Series({"A": 10.0, "B": 20.0, "C": 30.0})
IMPACT = pd.Series({"x": 0.001, "y": 0.0})


def tight(**more):
    return {"model": "threshold", "max_leverage": {"A": 11.5, "B": 20, "C": 20}, "target_leverage": 10, **more}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"shock": {"z": 0.1}}, "shock: expected labels among 'x', 'y', each once, got unknown 'z'"),
        ({"shock": {"x": -0.1}}, r"shock: expected falls in \[0, 1\].*x = -0.1"),
        ({"shock": [0.1]}, "shock: expected one value or 2 of them"),
        ({"shock": None}, "shock: expected a number, numbers by label, or an array, got None"),
        ({"shock": {"x": math.nan}}, "got x = nan"),
        ({"equity": {"A": 1.0}}, "equity: expected labels among .* got none for 'B', 'C'"),
        ({"equity": [1.0, math.inf, 1.0]}, "equity: expected finite USD, got inf for 'B'"),
        ({"equity": [101.0, 20.0, 30.0]}, "equity: expected no more than the institution's holdings .* 101.0 for 'A'"),
        ({"equity": [-1.0, 0.0, -2.0]}, "expected at least one institution with equity above 0"),
        ({"price_impact": {"x": -1.0, "y": 0.0}}, "price_impact: expected finite values of at least 0"),
        ({"price_impact": {"x": "much", "y": 0}}, "price_impact: expected numbers"),
        ({"holdings": BANKS - 25}, "holdings: expected finite USD of at least 0, got -5.0 .rows A, C"),
        ({"holdings": [["a"]]}, "holdings: expected numbers, institutions × assets"),
        ({"holdings": BANKS.rename(columns={"y": "x"})}, "assets: expected 2 labels, each once"),
        ({"model": "sir"}, "model: expected one of leverage_targeting, threshold, got 'sir'"),
        ({"insolvent": "both"}, "insolvent: expected one of sell, hold, got 'both'"),
        ({"max_leverage": 10}, "max_leverage: expected only beside model='threshold', got 10"),
        ({"by": "account"}, "by: expected only beside a snapshot"),
        ({"model": "threshold"}, "max_leverage: expected the leverage .* got none"),
        (tight(max_leverage=0.5, target_leverage=None), "max_leverage: expected finite values of at least 1"),
        (tight(target_leverage=12), "target_leverage: expected values from 1 to max_leverage, got 12.0 for 'A'"),
        (tight(execution=2), r"execution: expected a share in \[0, 1\], got 2"),
        (tight(price_floor=0.5), "price_floor: expected only with impact='level_dependent'"),
        (tight(impact="level_dependent", price_floor=1.0), r"price_floor: expected a share in \[0, 1\), got 1.0"),
        (tight(impact="square"), "impact: expected linear or level_dependent, got 'square'"),
        (tight(max_rounds=0), "max_rounds: expected a whole number of at least 1, got 0"),
        (tight(tol=-1.0), "tol: expected a number of at least 0"),
        (tight(illiquid=["z"]), "illiquid: expected labels among 'x', 'y', got 'z'"),
        (tight(illiquid="y"), "illiquid: expected a list of labels, got 'y'"),
    ],
)
def test_refused(more, words):
    arguments = {"holdings": BANKS, "equity": EQUITY, "price_impact": IMPACT, "shock": {"y": 0.1}, **more}
    with pytest.raises(InputError, match=words):
        fire_sale(**arguments)


def test_a_budget_of_rounds_that_runs_out_is_an_error():
    with pytest.raises(ConvergenceError, match=r"after 1 round institutions would still sell 11.664 USD of 202"):
        fire_sale(BANKS, EQUITY, IMPACT, {"y": 0.1}, **tight(illiquid=["y"], max_rounds=1))


def test_says_what_it_assumed():
    sale = fire_sale(BANKS, [10.0, -5.0, 30.0], IMPACT, {"y": 0.1, "x": 0.9})
    words = " ".join(sale.notes)
    assert (
        "0 or less before any fall at 1 institution; everything is sold there once a fall has hit, none of it" in words
    )
    assert "sold in 'y' without price impact (depth" in words and math.isnan(sale.indirect_vulnerability["B"])
    loud = fire_sale(BANKS, EQUITY, 0.01, {"x": 0.9})
    assert loud.outcome.indirect.sum() > 160 * (1 - 0.9)  # more than is left of x: the linear price has gone below 0
    assert loud.notes[-1] == (
        "price_fall: sales take 'x' to a price of 0 or below (linear impact): losses exceed what is held; read them as "
        "'the market breaks'"
    )
    gone = fire_sale(BANKS, EQUITY, 1.0, {"y": 0.1}, **tight(insolvent="hold"))
    assert gone.notes == ("price_fall: sales take 'x', 'y' to a price of 0 (linear impact)",)
    resolved = fire_sale(BANKS, [10.0, -5.0, -1.0], IMPACT, {"y": 0.1}, insolvent="hold")
    assert "at 2 institutions; nothing is sold there" in resolved.notes[0]
    early = fire_sale(BANKS, EQUITY, IMPACT, {}, model="threshold", max_leverage=4)
    assert early.rounds > 0 and "max_leverage: 2 institutions above it before any fall" in " ".join(early.notes)


def test_the_summary_says_what_rule_was_in_force():
    one = fire_sale(BANKS, EQUITY, IMPACT, {"y": 0.1}, model="threshold", max_leverage=10)
    lines = one.summary().splitlines()
    assert lines[0].endswith("; 1 asset shocked")
    assert lines[1] == (
        "sells above λmax = 10 (assets ÷ equity) down to λb = 0.95 λmax; linear impact, execution α = 0.5"
    )
    form = {"impact": "level_dependent", "price_floor": 0.25, "execution": 1}
    other = fire_sale(BANKS, EQUITY, IMPACT, {"y": 0.1}, **tight(**form))
    assert other.summary().splitlines()[1] == (
        "sells above λmax = 11.5 to 20 (assets ÷ equity) down to λb = 10; level-dependent impact (price floor 0.25), "
        "execution α = 1"
    )
    assert "λmax" not in fire_sale(BANKS, EQUITY, IMPACT, {"x": 0.1, "y": 0.1}).summary()


def test_the_provenance_has_what_was_in_force():
    told = fire_sale(BANKS, EQUITY, IMPACT, {"y": 0.1}).provenance.arguments
    assert told["holdings"].startswith("3 institutions, 2 assets, $230, digest ")
    assert told["equity"] == {"A": 10.0, "B": 20.0, "C": 30.0} and told["price_impact"] == {"x": 0.001, "y": 0.0}
    assert told["shock"] == {"y": 0.1} and "by" not in told and "tol" not in told
    assert (told["model"], told["insolvent"]) == ("leverage_targeting", "sell")
    turned = fire_sale(BANKS.iloc[::-1, ::-1], EQUITY, IMPACT, {"y": 0.1}).provenance.arguments
    assert dict(turned) == dict(told)
    moved = fire_sale(BANKS.assign(y=[20.0, 50.0, 1.0]), EQUITY, IMPACT, {"y": 0.1}).provenance.arguments
    assert moved["holdings"].split("digest")[1] != told["holdings"].split("digest")[1]
    limit = fire_sale(BANKS, EQUITY, 0.0, {"y": 0.1}, model="threshold", max_leverage=20, illiquid=["y"]).provenance
    last = dict(list(limit.arguments.items())[-7:])
    assert limit.arguments["price_impact"] == 0.0
    assert last == {
        "max_leverage": 20.0, "target_leverage": 19.0, "illiquid": ["y"], "impact": "linear", "execution": 0.5,
        "tol": 1e-12, "max_rounds": 10_000,
    }  # fmt: skip


def test_many_values_are_told_by_count_sum_and_digest():
    names = np.array([f"n{k}" for k in range(30)], dtype=object)
    values = np.arange(30.0)
    told = told_values(values, names)
    assert told.startswith("30 values, sum 435, digest ")
    assert told == told_values(values[::-1].copy(), names[::-1].copy()) != told_values(values[::-1].copy(), names)
    assert told_values(np.full(30, 2.5), names) == 2.5


def test_what_is_no_matrix_is_named():
    graph = ExposureGraph.from_matrix([[0.0, 5.0], [2.0, 0.0]], [10.0, 8.0])
    with pytest.raises(InputError, match=r"holdings: expected a Snapshot, or USD as a frame.* assets, got Exposure"):
        fire_sale(graph, EQUITY, IMPACT, {"y": 0.1})
    banks = SimpleNamespace(holdings=BANKS)
    with pytest.raises(InputError, match=r"assets; an Interbank has it in \.holdings, got SimpleNamespace"):
        fire_sale(banks, EQUITY, IMPACT, {"y": 0.1})
