"""What holds for every pair rule: scaling, labels, order of rows, nothing asked, refusals, units that are conserved."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

import riskgraph as rg
from tests.margin_accounts import PAIR_RULES, VENUE, Asked, books_of_calls, snapshot, unit, user
from tests.naive.liquidation import MOST, euler_v2

RULES = pytest.mark.parametrize("rule", PAIR_RULES)
FEW = settings(max_examples=12, phases=[Phase.generate])
USD_TERMS = ("min_base_max_close_factor_threshold", "min_leftover_base")  # what a rule sets in USD


def call_all(snap, calls, **more):
    repay = [math.inf if asked.repay is MOST else float(asked.repay) for asked in calls]
    return rg.liquidate(snap, VENUE, [user(at) for at in range(len(calls))], repay=repay, **more)


def same(found: pd.DataFrame, expected: pd.DataFrame, rel=1e-9):
    pd.testing.assert_frame_equal(found, expected, rtol=rel, atol=0.0, check_dtype=False)


def rows_of(positions: pd.DataFrame) -> pd.DataFrame:
    keys = ["account", "protocol", "bucket", "side", "asset"]
    return positions.astype(dict.fromkeys(keys, str)).sort_values(keys).reset_index(drop=True)[[*keys, "amount"]]


# -- scaling -----------------------------------------------------------------------------------------------------------


def scaled(asked: Asked, factor: int) -> Asked:
    """The same account with all amounts times a number; tokens lose their decimals, of which there is no part."""

    def larger(token):
        terms = {
            name: value * factor if name in ("shares", "premium") else value for name, value in token.terms.items()
        }
        terms = {name: value for name, value in terms.items() if name not in ("exchange_rate", "ctokens")}
        return replace(token, amount=token.amount * factor, decimals=None, terms=terms)

    account = replace(
        asked.account,
        collaterals=tuple(larger(token) for token in asked.account.collaterals),
        debts=tuple(larger(token) for token in asked.account.debts),
    )
    repay = asked.repay if asked.repay is MOST else asked.repay * factor
    return replace(asked, account=account, repay=repay)


def with_thresholds(snap: rg.Snapshot, rule: str, factor: float) -> rg.Snapshot:
    """Every USD threshold of the rule times a number, and the least value that Euler shares out."""
    fixed = {"aave_v3": {"min_base_max_close_factor_threshold": 2000.0, "min_leftover_base": 1000.0},
             "aave_v4": {"min_leftover_base": 1000.0}, "euler_v2": {"min_socialisation_value": 1e-12}}  # fmt: skip
    protocols = snap.protocols
    for name in (*USD_TERMS, "min_socialisation_value"):
        given_here = protocols[name].astype(float).fillna(fixed.get(rule, {}).get(name, np.nan))
        protocols[name] = given_here * factor
    return snap.replace(protocols=protocols)


@RULES
@FEW
@given(data=st.data())
def test_all_amounts_and_usd_thresholds_times_k_scale_everything(rule, data):
    calls = data.draw(books_of_calls(rule, most=3))
    small = call_all(
        with_thresholds(snapshot([scaled(asked, 1) for asked in calls]), rule, 1.0), [scaled(a, 1) for a in calls]
    )
    k = data.draw(st.sampled_from([10, 1000, 10**6]))  # the digits stay, so that floats stay exact
    large = call_all(
        with_thresholds(snapshot([scaled(a, k) for a in calls]), rule, float(k)), [scaled(a, k) for a in calls]
    )
    amounts = ["repaid", "repaid_usd", "seized", "seized_usd", "fee", "fee_usd", "bad_debt", "bad_debt_usd"]
    same(large.steps[amounts], small.steps[amounts] * k)
    kept = ["account", "debt_asset", "collateral_asset", "liquidatable", "refused", "written_off"]
    same(large.steps[kept], small.steps[kept])
    same(large.steps[["health_before", "health_after"]], small.steps[["health_before", "health_after"]])
    before, after = rows_of(small.after.positions), rows_of(large.after.positions)
    same(after, before.assign(amount=before["amount"] * k))


# -- labels and order -----------------------------------------------------------------------------------------------


def renamed(asked: Asked, names: dict) -> Asked:
    new = lambda tokens: tuple(replace(token, label=names[token.label]) for token in tokens)  # noqa: E731
    return replace(
        asked,
        account=replace(asked.account, collaterals=new(asked.account.collaterals), debts=new(asked.account.debts)),
    )


def tied(asked: Asked) -> bool:
    """Whether a label decides which token is called."""
    sides = asked.account.collaterals, asked.account.debts
    return any(len({token.usd for token in tokens}) < len(tokens) for tokens in sides)


@RULES
@FEW
@given(data=st.data())
def test_new_labels_change_nothing_unless_one_broke_a_tie(rule, data):
    calls = data.draw(books_of_calls(rule, most=3))
    assume(not any(tied(asked) for asked in calls))
    old = sorted({t.label for asked in calls for t in (*asked.account.collaterals, *asked.account.debts)})
    names = dict(zip(old, data.draw(st.permutations([f"token{at}" for at in range(len(old))])), strict=True))
    back = {new: label for label, new in names.items()}
    plain = call_all(snapshot(calls), calls)
    other = call_all(snapshot([renamed(asked, names) for asked in calls]), calls)
    steps = other.steps.assign(**{name: other.steps[name].map(back) for name in ("debt_asset", "collateral_asset")})
    pd.testing.assert_frame_equal(steps, plain.steps)
    after = other.after.positions
    same(rows_of(after.assign(asset=after["asset"].astype(str).map(back))), rows_of(plain.after.positions), rel=1e-15)


@RULES
@FEW
@given(data=st.data())
def test_the_order_of_rows_changes_no_byte(rule, data):
    calls = data.draw(books_of_calls(rule, most=4))
    snap = snapshot(calls)
    names = ("positions", "assets", "markets", "protocols", "accounts", "emodes")
    tables = {name: getattr(snap, name) for name in names if len(getattr(snap, name))}
    order = {name: data.draw(st.permutations(range(len(frame)))) for name, frame in tables.items()}
    mixed = {name: frame.iloc[order[name]].reset_index(drop=True) for name, frame in tables.items()}
    plain, other = call_all(snap.replace(**tables), calls), call_all(snap.replace(**mixed), calls)
    pd.testing.assert_frame_equal(other.steps, plain.steps, check_exact=True)
    assert other.after.digest == plain.after.digest


# -- nothing asked, nothing done -------------------------------------------------------------------------------------


def goes_for_nothing(asked: Asked) -> bool:
    """Whether even the largest call of Euler v2 repays no whole unit: then nothing asked is all, and all is seized."""
    most = euler_v2(asked.account, asked.collateral, asked.debt)
    return most.repaid == 0 and most.seized > 0


@RULES
@FEW
@given(data=st.data())
def test_a_repayment_of_nothing_does_nothing(rule, data):
    calls = [replace(asked, repay=Fraction(0)) for asked in data.draw(books_of_calls(rule, most=4))]
    assume(not any(rule == "euler_v2" and goes_for_nothing(asked) for asked in calls))
    snap = snapshot(calls)
    done = call_all(snap, calls)
    assert (done.steps[["repaid", "seized", "fee"]] == 0.0).all(axis=None)
    written = done.movements[done.movements["why"] != "written off"]
    assert len(written) == 0
    if not done.steps["written_off"].any():
        assert done.after.digest == snap.digest


@RULES
@FEW
@given(data=st.data())
def test_a_refused_call_leaves_the_book_as_it_was(rule, data):
    calls = data.draw(books_of_calls(rule, most=4))
    snap = snapshot(calls)
    refused = call_all(snap, calls).steps["refused"] != ""
    assume(refused.any())
    who = [user(at) for at in np.flatnonzero(refused)]
    repay = [math.inf if calls[at].repay is MOST else float(calls[at].repay) for at in np.flatnonzero(refused)]
    done = rg.liquidate(snap, VENUE, who, repay=repay)
    assert (done.steps["refused"] != "").all()
    assert len(done.movements) == 0
    assert done.after.digest == snap.digest
    assert (done.steps[["repaid", "repaid_usd", "seized", "seized_usd", "bonus_usd", "fee", "fee_usd"]] == 0.0).all(
        axis=None
    )
    assert done.steps["health_after"].tolist() == done.steps["health_before"].tolist()


# -- conservation ---------------------------------------------------------------------------------------------------


RICH = 1e30  # of every token, in the liquidator's wallet


@RULES
@FEW
@given(data=st.data())
def test_units_are_conserved_over_accounts_liquidator_and_treasury(rule, data):
    """What all hold less what all owe stays, of every asset, but for what is written off."""
    calls = data.draw(books_of_calls(rule, most=4))
    snap = snapshot(calls)
    purse = {"account": "keeper", "protocol": "", "asset": snap.assets["asset"], "side": "wallet", "amount": RICH}
    rich = snap.replace(positions=pd.concat([snap.positions.astype(object), pd.DataFrame(purse).astype(object)]))
    done = call_all(rich, calls, liquidator="keeper")
    moves, steps = done.movements, done.steps
    grains = {  # shares, each of which is worth its index, and premium are rounded up to units one by one
        call.debt.label: float(unit(call.debt) * (1 + call.debt.terms.get("drawn_index", 1)))
        for call in calls
        if rule == "aave_v4"
    }
    kept = moves[moves["why"] != "written off"]
    net = kept["amount"].where(kept["side"] != "debt", -kept["amount"])
    for asset in snap.assets["asset"].astype(str):
        here = net[kept["asset"] == asset]
        room = 1e-9 * here.abs().sum() + len(calls) * grains.get(asset, 0.0)
        assert abs(here.sum()) <= room, (asset, here.tolist())
    users = [user(at) for at in range(len(calls))]
    for name, side, column in (("collateral_asset", "collateral", "seized"), ("debt_asset", "debt", "repaid")):
        moved = moves[(moves["side"] == side) & (moves["why"] == column) & moves["account"].isin(users)]
        by_step = steps[steps[column] > 0].set_index(["account", name])[column]
        found = -moved.set_index(["account", "asset"])["amount"]
        assert set(found.index) == set(by_step.index)
        for key, amount in by_step.items():
            grain = grains.get(key[1], 0.0) if side == "debt" else 0.0
            assert math.isclose(found[key], amount, rel_tol=1e-9, abs_tol=grain), (key, found[key], amount)
