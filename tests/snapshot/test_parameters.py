"""The table of rule parameters: complete, within its own ranges, and the page and the schema made from it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pandas as pd
import pytest

from riskgraph.errors import InputError
from riskgraph.snapshot.parameters import PARAMETERS, RULES
from riskgraph.snapshot.schema import TABLES
from riskgraph.snapshot.snapshot import Snapshot

ROOT = Path(__file__).resolve().parents[2]
VALUES = {"choice": lambda one: one.choices[0], "flag": lambda one: True, "asset": lambda one: "ETH"}


def snapshot(rule: str, **tables: dict) -> Snapshot:
    positions = pd.DataFrame(
        {"account": "a", "protocol": "p", "asset": ["ETH", "USD"], "side": ["collateral", "debt"], "amount": [1.0, 1.0]}
    )
    given = {"protocols": {}, **tables}
    given["protocols"] = {"protocol": ["p"], "rule": [rule], **given["protocols"]}
    frames = {name: pd.DataFrame(columns) for name, columns in given.items()}
    return Snapshot(positions, pd.DataFrame({"asset": ["ETH", "USD"], "price": [2.0, 1.0]}), **frames)


def keys(table: str) -> dict:
    return {"markets": {"protocol": ["p"], "asset": ["ETH"]}, "accounts": {"account": ["a"], "protocol": ["p"]}}.get(
        table, {}
    )


@pytest.mark.parametrize("one", PARAMETERS.values(), ids=lambda one: f"{one.table}.{one.name}")
def test_every_parameter_says_what_it_is_and_stands_within_its_range(one):
    column = TABLES[one.table][one.name]
    assert one.meaning and one.rules and set(one.rules) <= set(RULES)
    assert (column.kind, column.low, column.high, column.choices) == (one.kind, one.low, one.high, one.choices)
    for rule, default in one.by_rule.items():
        assert not (default.value is not None and default.otherwise), rule  # either a number or words
        if isinstance(default.value, float) and one.kind == "number":
            assert (one.low is None or default.value >= one.low) and (one.high is None or default.value <= one.high)
            assert not (one.open_low and default.value == one.low)
        elif isinstance(default.value, str):
            assert default.value in one.choices


@pytest.mark.parametrize("one", PARAMETERS.values(), ids=lambda one: f"{one.table}.{one.name}")
def test_accepted_under_its_rules_and_refused_by_name_under_another(one):
    high = one.high if one.high is not None else (one.low or 0.0) + 1.0
    value = VALUES[one.kind](one) if one.kind in VALUES else high
    given = {one.table: {**keys(one.table), one.name: [value]}}
    for rule in one.rules:
        snapshot(rule, **given)
    other = next((rule for rule in RULES if rule not in one.by_rule), None)
    if other:
        with pytest.raises(InputError, match=rf"{one.table}\.{one.name}: expected a value only where the rule is .*"
                                             rf"got one for p \(rule {other}\)"):  # fmt: skip
            snapshot(other, **given)


@pytest.mark.parametrize("one", [p for p in PARAMETERS.values() if p.kind == "number" and p.low is not None],
                         ids=lambda one: f"{one.table}.{one.name}")  # fmt: skip
def test_out_of_range_is_refused_by_name(one):
    for value in [one.low - 0.5, *([one.high + 0.5] if one.high is not None else [])]:
        with pytest.raises(InputError, match=rf"{one.table}\.{one.name}: expected a"):
            snapshot(one.rules[0], **{one.table: {**keys(one.table), one.name: [value]}})


def test_an_unknown_rule_is_refused_with_those_that_there_are():
    with pytest.raises(InputError, match=r"protocols\.rule: expected one of lending, .*, got 'aave_v9'"):
        snapshot("aave_v9")


def test_an_unknown_parameter_is_refused_by_name():
    with pytest.raises(InputError, match=r"protocols: expected only the columns .*, got close_faktor"):
        snapshot("aave_v3", protocols={"close_faktor": [0.5]})


def test_defaults_that_no_contract_fixes_are_said():
    assert "protocols.close_factor: taken as 0.5 (rule lending) for p" in snapshot("lending").assumptions
    assert not any(
        "close_factor" in line for line in snapshot("lending", protocols={"close_factor": [0.5]}).assumptions
    )
    assert not any("close_factor" in line for line in snapshot("aave_v3").assumptions)  # a constant of the contract


def test_a_threshold_over_one_by_one_plus_bonus_is_accepted_and_said():
    terms = {**keys("markets"), "liquidation_threshold": [0.96], "liquidation_bonus": [0.05]}
    said = [line for line in snapshot("lending", markets=terms).assumptions if "lowers health" in line]
    assert said == [
        "markets.liquidation_threshold: at or over 1 ÷ (1 + liquidation_bonus) for ETH at p; a liquidation call there "
        "lowers health even from 1"
    ]
    fine = {**terms, "liquidation_threshold": [0.95]}
    assert not any("lowers health" in line for line in snapshot("lending", markets=fine).assumptions)


def test_the_page_of_parameters_is_the_table():
    spec = importlib.util.spec_from_file_location("make_parameters", ROOT / "docs" / "make_parameters.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    assert (ROOT / "docs" / "parameters.md").read_text(encoding="utf-8") == made.page()
