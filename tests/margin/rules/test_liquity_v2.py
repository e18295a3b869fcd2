"""Liquity v2 solved by hand and against the naive oracle; what it shares with v1 is tested there."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings

import riskgraph as rg
from tests import troves
from tests.naive import liquity as naive


def book(price: float, *rows: tuple, ratio: float = 1.1, **terms: float) -> rg.Snapshot:
    """Rows are (account, WETH, BOLD) of troves; the pool is published."""
    held = [(name, "WETH", "collateral", coll) for name, coll, _ in rows]
    held += [(name, "BOLD", "debt", debt) for name, _, debt in rows]
    positions = pd.DataFrame(held, columns=["account", "asset", "side", "amount"]).assign(protocol="weth")
    return rg.Snapshot(
        positions,
        assets=pd.DataFrame({"asset": ["WETH", "BOLD"], "price": [price, 1.0]}),
        protocols=pd.DataFrame([{"protocol": "weth", "rule": "liquity_v2", **terms}]),
        markets=pd.DataFrame({"protocol": ["weth"], "asset": ["WETH"], "liquidation_ratio": [ratio]}),
    )


BAD, BIG = ("bad", 10.8, 10_000.0), ("big", 100.0, 20_000.0)


def test_penalties_are_capped_and_the_owner_may_claim_the_rest():
    """Half of 10.8 WETH matches the pool: gas .027, pool 5.25 of 5.373, so .123 may go on; others 5.5 of 5.523."""
    done = rg.liquidate(book(1_000.0, BAD, BIG, stability_pool=5_001.0), "weth", ["big", "bad"])
    wanted = {"offset": 5_000, "to_pool": 5.25, "redistributed_debt": 5_000, "redistributed_collateral": 5.5,
              "surplus": 0.023, "gas_collateral": 0.027, "gas_weth": 0.0375, "repaid": 10_000, "seized": 10.777,
              "bonus_usd": 777.0, "bad_debt": 0, "icr": 1.08, "tcr": 110.8 / 30}  # fmt: skip
    step = done.steps.iloc[1]
    assert {name: step[name] for name in wanted} == pytest.approx(wanted)
    assert done.steps["refused"].tolist() == ["NothingToLiquidate", ""] and not done.steps["recovery_mode"].any()
    after = done.after.positions.set_index(["account", "side"])["amount"]
    assert after["bad", "deposit"] == pytest.approx(0.023)
    assert (after["big", "collateral"], after["big", "debt"]) == pytest.approx((105.5, 25_000.0))
    assert done.after.protocols.loc[0, "stability_pool"] == 1.0


def test_nothing_is_paid_in_collateral_where_all_is_handed_on():
    quote = rg.liquidation_quote(book(1_000.0, BAD, BIG), "bad", "weth")
    assert (quote.more["mode"], quote.more["gas_collateral"], quote.more["gas_weth"]) == ("redistribution", 0.0, 0.0375)
    assert quote.seized == pytest.approx(10.8)  # below the cap of 11


def test_branches_of_staked_ether_have_their_own_terms():
    """At MCR 120 % and a penalty of 20 % on what is handed on: 11.9 of 12 that it may take."""
    rows = [("bad", 11.9, 10_000.0), BIG]
    quote = rg.liquidation_quote(book(1_000.0, *rows, ratio=1.2, penalty_redistribution=0.2), "bad", "weth")
    assert (quote.seized, quote.more["surplus"]) == (11.9, 0.0)
    capped = rg.liquidation_quote(book(1_000.0, *rows, ratio=1.2), "bad", "weth")
    assert (capped.seized, capped.more["surplus"]) == pytest.approx((11.0, 0.9))


def test_pay_in_collateral_is_at_most_two_units():
    rows = [("bad", 1_080.0, 1_000_000.0), ("big", 10_000.0, 20_000.0)]
    quote = rg.liquidation_quote(book(1_000.0, *rows, stability_pool=2_000_000.0), "bad", "weth")
    assert quote.more["gas_collateral"] == 2.0
    assert quote.more["to_pool"] == pytest.approx(1_050.0) and quote.more["surplus"] == pytest.approx(28.0)


def test_a_batch_that_would_close_the_last_trove_is_refused_whole():
    snap = book(1_000.0, BAD, ("worse", 10.0, 10_000.0), stability_pool=50_000.0)
    done = rg.liquidate(snap, "weth", ["worse", "bad"])
    assert done.steps["refused"].tolist() == ["OnlyOneTroveLeft"] * 2 and len(done.movements) == 0
    assert done.steps["liquidatable"].all() and (done.steps["repaid"] == 0.0).all()
    assert rg.liquidate(snap, "weth", ["worse"]).steps["refused"].tolist() == [""]


def test_nothing_to_liquidate_is_the_contracts_answer():
    assert rg.liquidate(book(1_000.0, BAD, BIG), "weth", ["big"]).steps["refused"].tolist() == ["NothingToLiquidate"]
    assert rg.liquidation_quote(book(1_000.0, ("edge", 11.0, 10_000.0), BIG), "edge", "weth").liquidatable is False


@given(troves.systems())
@settings(max_examples=50)
def test_two_batches_are_the_oracles(given):
    snap, state = troves.snapshot(given, "liquity_v2"), troves.system(given)
    for order in given["batches"]:
        done = rg.liquidate(snap, troves.HERE, order)
        told, refused = naive.v2(state, order, given["price"], decimals=given["decimals"])
        troves.compare(done, state, told, refused)
        troves.as_told(state)
        snap = done.after
