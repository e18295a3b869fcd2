"""What holds of both rules of troves: conservation, order, floats as fractions, batches on one ledger."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riskgraph as rg
from riskgraph.margin.ledger import Ledger, Request
from riskgraph.margin.liquidation_calls import steps_frame
from riskgraph.margin.rules.shelf import rule_named
from tests import troves

RULES = pytest.mark.parametrize("rule", ["liquity_v1", "liquity_v2"])


@RULES
@given(given=troves.systems(), shuffled=st.randoms(use_true_random=False))
@settings(max_examples=20)
def test_units_are_conserved_and_the_order_of_rows_changes_nothing(rule, given, shuffled):
    snap, order = troves.snapshot(given, rule), given["batches"][0]
    done = rg.liquidate(snap, troves.HERE, order)
    assert done.after.digest == rg.liquidate(troves.shuffled(snap, shuffled), troves.HERE, order).after.digest
    moved = done.movements.groupby(["asset", "side"])["amount"].sum()
    gas, outside = done.steps["gas_collateral"].sum(), troves.gain_outside(done, given)
    claims = moved.get(("ETH", "deposit"), 0.0) + gas + outside
    dust = 1e-12 * snap.positions["amount"].sum() + 30 * 10.0 ** -(given["decimals"] or 300)
    assert moved.get(("ETH", "collateral"), 0.0) == pytest.approx(-claims, abs=dust)
    assert moved.get(("USD", "debt"), 0.0) == pytest.approx(-done.steps["offset"].sum(), abs=dust)


def random_book(rule: str) -> tuple[rg.Snapshot, list[str]]:
    """60 troves from far below the minimum ratio to above it, and a pool of a tenth of their debt."""
    rng = np.random.default_rng(7)
    debt = np.round(rng.lognormal(10.0, 2.0, 60), 2)
    held = np.round(debt * rng.uniform(0.7, 1.5, 60) / 1_000.0, 6)
    names = [f"t{at:02}" for at in range(60)]
    rows = [(name, "ETH", "collateral", amount) for name, amount in zip(names, held, strict=True)]
    rows += [(name, "USD", "debt", amount) for name, amount in zip(names, debt, strict=True)]
    rows.append(("pat", "USD", "deposit", round(debt.sum() / 10.0, 2)))
    positions = pd.DataFrame(rows, columns=["account", "asset", "side", "amount"]).assign(protocol="p")
    snap = rg.Snapshot(
        positions,
        assets=pd.DataFrame({"asset": ["ETH", "USD"], "price": [1_000.0, 1.0]}),
        protocols=pd.DataFrame({"protocol": ["p"], "rule": [rule]}),
        markets=pd.DataFrame({"protocol": ["p"], "asset": ["ETH"], "liquidation_ratio": [1.1]}),
    )
    return snap, names


def request(ledger: Ledger, names: list[str]) -> Request:
    place = {name: at for at, name in enumerate(ledger.place(np.arange(len(ledger.margins)))["account"])}
    nowhere, nothing = np.full(len(names), -1), np.full(len(names), np.nan)
    return Request(np.array([place[name] for name in names]), nowhere, nowhere, nothing, nothing)


@RULES
def test_two_batches_on_one_ledger_of_floats_are_two_exact_ones(rule):
    snap, names = random_book(rule)
    first = rg.liquidate(snap, "p", names[:30])
    second = rg.liquidate(first.after, "p", names[30:59])
    ledger = Ledger(snap, 0, rule_named(rule), np.arange(len(snap.book.margin_account)), exact=False)
    for batch in (names[:30], names[30:59]):
        ledger.rule.carry_out(ledger, request(ledger, batch))
    wanted = pd.concat([first.steps, second.steps], ignore_index=True)
    columns = [name for name in wanted if name not in ("call",)]
    pd.testing.assert_frame_equal(steps_frame(ledger)[columns], wanted[columns], rtol=1e-9)
    assert set(wanted["mode"]) >= {"offset", "redistribution", ""} and (wanted["refused"] == "").sum() > 20
