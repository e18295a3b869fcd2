"""Every pair rule against the oracle of the contracts: what calls on accounts do, and what they leave."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riskgraph as rg
from tests.margin_accounts import PAIR_RULES, VENUE, books_of_calls, requests, snapshot, user
from tests.naive import liquidation as naive

WAD = 1e-18  # what contracts round health to


def close(found, expected, what, least=0.0):
    wanted = float(expected)
    assert math.isclose(found, wanted, rel_tol=1e-9, abs_tol=least), f"{what}: {found!r}, expected {wanted!r}"


def expected(asked):
    return getattr(naive, asked.rule)(asked.account, asked.collateral, asked.debt, asked.repay)


def agree(step, asked):
    """Compare what a quote or a step says of a call with the oracle; give the oracle's call."""
    call = expected(asked)
    assert (step.collateral_asset, step.debt_asset) == (asked.collateral.label, asked.debt.label)
    assert step.liquidatable == call.liquidatable
    assert step.refused == call.refused
    close(step.health_before, call.health, "health", least=WAD)
    for name in ("repaid", "seized", "fee"):
        close(getattr(step, name), 0 if call.refused else getattr(call, name), name)
    if asked.rule == "euler_v1":
        close(step.fee_usd, call.more.get("surcharge", 0) * asked.debt.price, "surcharge")
    return call


def leaves(after, asked, call, who):
    """Compare the holdings that a call leaves with the oracle."""
    taken, paid = (0, 0) if call.refused else (call.seized, call.more.get("cleared", call.repaid))
    for label, amount in naive.left(asked.account.collaterals, asked.collateral, taken).items():
        close(after[who, "collateral", label], amount, f"collateral {label} after")
    for label, amount in naive.left(asked.account.debts, asked.debt, paid).items():
        close(after[who, "debt", label], amount - call.written_off.get(label, 0), f"debt {label} after")


def check_book(calls):
    """One call on each account, all at once."""
    snap = snapshot(calls)
    repay = [math.inf if asked.repay is naive.MOST else float(asked.repay) for asked in calls]
    done = rg.liquidate(snap, VENUE, [user(at) for at in range(len(calls))], repay=repay)
    after = done.after.positions.set_index(["account", "side", "asset"])["amount"].to_dict()
    lost = done.movements[done.movements["why"] == "written off"]
    for at, (step, asked) in enumerate(zip(done.steps.itertuples(), calls, strict=True)):
        call = agree(step, asked)
        assert set(lost.loc[lost["account"] == user(at), "asset"]) == set(call.written_off)
        leaves(after, asked, call, user(at))


@pytest.mark.parametrize("rule", sorted(PAIR_RULES))
@settings(max_examples=30)
@given(data=st.data())
def test_calls_do_what_the_contract_does(rule, data):
    check_book(data.draw(books_of_calls(rule)))


@pytest.mark.parametrize("rule", sorted(PAIR_RULES))
@settings(max_examples=15)
@given(data=st.data())
def test_a_quote_on_a_named_pair(rule, data):
    from dataclasses import replace

    [asked] = data.draw(books_of_calls(rule, most=1))
    debt = data.draw(st.sampled_from(asked.account.debts))
    collateral = data.draw(st.sampled_from(asked.account.collaterals))
    asked = replace(asked, debt=debt, collateral=collateral, repay=data.draw(requests(debt)))
    agree(rg.liquidation_quote(snapshot([asked]), user(0), VENUE, **asked.words()), asked)
