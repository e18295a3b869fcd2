"""Liquity v1 solved by hand and against the naive oracle."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

import riskgraph as rg
from riskgraph.errors import InputError
from tests import troves
from tests.naive import liquity as naive


def book(price: float, *rows: tuple, lusd: float = 1.0, market: dict | None = None, **terms: object) -> rg.Snapshot:
    """Rows are (account, ETH, LUSD) of troves and (account, LUSD) of depositors."""
    held = [(row[0], "ETH", "collateral", row[1]) for row in rows if len(row) == 3]
    held += [(row[0], "LUSD", "debt" if len(row) == 3 else "deposit", row[-1]) for row in rows]
    positions = pd.DataFrame(held, columns=["account", "asset", "side", "amount"]).assign(protocol="liq")
    markets = [{"protocol": "liq", "asset": "ETH", "liquidation_ratio": 1.1}]
    markets += [{"protocol": "liq", "asset": "LUSD", **market}] if market else []
    return rg.Snapshot(
        positions,
        assets=pd.DataFrame({"asset": ["ETH", "LUSD"], "price": [price, lusd]}),
        protocols=pd.DataFrame([{"protocol": "liq", "rule": "liquity_v1", **terms}]),
        markets=pd.DataFrame(markets),
    )


def amounts(snap: rg.Snapshot) -> dict[tuple[str, str, str], float]:
    rows = snap.positions.astype({"account": str, "side": str, "asset": str})
    found = rows.set_index(["account", "side", "asset"])["amount"]
    return found[found > 0.0].to_dict()


# A ratio of 1.0526 at 1,000 USD. Of 20 ETH 0.1 go to the caller; the pool may offset 9,500 of 19,000, half.
HALF = (("bad", 20.0, 19_000.0), ("big", 150.0, 50_000.0), ("mid", 50.0, 25_000.0), ("pat", 9_501.0))


def test_half_to_the_pool_half_to_other_troves_by_stake():
    """9.95 ETH and 9,500 LUSD each way; big holds three quarters of the stakes, so 7.4625 ETH and 7,125 LUSD."""
    done = rg.liquidate(book(1_000.0, *HALF), "liq", ["mid", "bad"])
    assert amounts(done.after) == pytest.approx(
        {
            ("big", "collateral", "ETH"): 157.4625,
            ("big", "debt", "LUSD"): 57_125.0,
            ("mid", "collateral", "ETH"): 52.4875,
            ("mid", "debt", "LUSD"): 27_375.0,
            ("pat", "deposit", "LUSD"): 1.0,
            ("pat", "deposit", "ETH"): 9.95,
        }
    )
    skipped, step = done.steps.iloc[0], done.steps.iloc[1]
    assert (skipped["refused"], skipped["liquidatable"], skipped["mode"]) == ("nothing to liquidate", False, "")
    assert (step["refused"], step["liquidatable"], step["mode"]) == ("", True, "offset and redistribution")
    wanted = {"offset": 9_500, "to_pool": 9.95, "redistributed_debt": 9_500, "redistributed_collateral": 9.95,
              "surplus": 0, "gas_collateral": 0.1, "gas_debt": 200, "pool": 9_500, "icr": 20 / 19, "tcr": 220 / 94,
              "repaid": 19_000, "seized": 20, "bonus_usd": 1_000, "bad_debt_usd": 0, "fee": 0}  # fmt: skip
    assert {name: step[name] for name in wanted} == pytest.approx(wanted)
    assert step["health_before"] == pytest.approx(20 / 19 / 1.1) and step["health_after"] == np.inf
    assert skipped["health_after"] == pytest.approx(52_487.5 / 27_375 / 1.1)  # after the whole batch


def test_recovery_mode_sends_each_ratio_its_own_way():
    """TCR 172/129.5 = 1.328. At 100 % the pool stays out; at 105 % it takes all; at 120 % it takes 110 %."""
    rows = [("a", 10.0, 10_000.0), ("b", 10.0, 9_500.0), ("c", 12.0, 10_000.0), ("big", 140.0, 100_000.0)]
    snap = book(1_000.0, *rows, ("pat", 50_000.0))
    done = rg.liquidate(snap, "liq", ["a", "b", "c", "big"])
    steps = done.steps.set_index("account")
    assert steps["recovery_mode"].all()
    assert steps["mode"].to_dict() == {"a": "redistribution", "b": "offset", "c": "capped offset", "big": ""}
    tcr = {"a": 172 / 129.5, "b": 171.95 / 129.5, "c": 161.95 / 120, "big": 149.95 / 110}
    assert steps["tcr"].to_dict() == pytest.approx(tcr)
    assert amounts(done.after) == pytest.approx(
        {
            ("c", "deposit", "ETH"): 1.0,  # 12 less 11
            ("big", "collateral", "ETH"): 149.95,
            ("big", "debt", "LUSD"): 110_000.0,
            ("pat", "deposit", "LUSD"): 30_500.0,
            ("pat", "deposit", "ETH"): 9.95 + 10.945,
        }
    )
    assert steps.loc["c", "seized"] == pytest.approx(11.0) and steps.loc["c", "bonus_usd"] == pytest.approx(1_000.0)


def test_without_enough_in_the_pool_recovery_mode_passes_over_what_is_above_110_percent():
    rows = [("c", 12.0, 10_000.0), ("big", 140.0, 100_000.0)]
    assert rg.liquidation_quote(book(1_000.0, *rows, ("pat", 10_000.5)), "c", "liq").refused == "nothing to liquidate"
    assert rg.liquidation_quote(book(1_000.0, *rows, ("pat", 10_001.0)), "c", "liq").refused == ""


def test_the_mode_switches_back_within_a_batch():
    """The first takes 110 of 305 ETH and 100,000 of 220,000 LUSD away: TCR 1.386 becomes 1.608, 130 % is healthy."""
    rows = [("x", 112.0, 100_000.0), ("y", 13.0, 10_000.0), ("big", 180.0, 110_000.0), ("pat", 200_001.0)]
    alone = rg.liquidation_quote(book(1_000.0, *rows), "y", "liq")
    assert (alone.refused, alone.more["mode"]) == ("", "capped offset")
    steps = rg.liquidate(book(1_000.0, *rows), "liq", ["x", "y"]).steps
    assert steps["mode"].tolist() == ["capped offset", ""] and steps["recovery_mode"].tolist() == [True, False]
    assert steps["tcr"].tolist() == pytest.approx([305 / 220, 193 / 120])


def test_the_last_trove_stays_and_a_batch_that_does_nothing_says_so():
    rows = [("a", 10.0, 10_000.0), ("b", 10.0, 9_500.0)]
    done = rg.liquidate(book(1_000.0, *rows), "liq", ["a", "b"])
    assert done.steps["refused"].tolist() == ["", "nothing to liquidate"]
    assert done.steps["liquidatable"].tolist() == [True, True]
    assert amounts(done.after) == {("b", "collateral", "ETH"): 19.95, ("b", "debt", "LUSD"): 19_500.0}
    again = rg.liquidate(done.after, "liq", ["b", "a"])
    assert again.steps["refused"].tolist() == ["nothing to liquidate"] * 2 and len(again.movements) == 0


@pytest.mark.parametrize(("debt", "refused"), [(10_000.0, "nothing to liquidate"), (10_000.000001, "")])
def test_exactly_at_the_minimum_ratio_a_trove_is_healthy(debt, refused):
    snap = book(1_000.0, ("edge", 11.0, debt), ("big", 100.0, 1_000.0))
    assert rg.liquidation_quote(snap, "edge", "liq").refused == refused


def test_what_a_trove_is_short_of_is_bad_debt_that_others_bear():
    snap = book(1_000.0, ("bad", 10.0, 12_500.0), ("big", 990.0, 100_000.0), ("pat", 2_501.0))
    quote = rg.liquidation_quote(snap, "bad", "liq")
    assert (quote.repaid, quote.seized, quote.bonus_usd, quote.fee) == (12_500.0, 10.0, 0.0, 0.0)
    assert (quote.bad_debt, quote.bad_debt_usd, quote.written_off) == (2_500.0, 2_500.0, True)
    assert dict(quote.more)["to_pool"] == pytest.approx(9.95 / 5)


def test_the_caller_is_paid_where_it_is_named():
    snap = book(1_000.0, *HALF)
    wallets = pd.concat([snap.positions, pd.DataFrame([{"account": "liz", "protocol": "", "asset": "ETH",
                                                        "side": "wallet", "amount": 1.0}])])  # fmt: skip
    done = rg.liquidate(snap.replace(positions=wallets), "liq", ["bad"], liquidator="liz")
    found = amounts(done.after)
    assert found["liz", "wallet", "ETH"] == pytest.approx(1.1) and found["liz", "wallet", "LUSD"] == 200.0


def test_debt_counts_at_par_whatever_it_trades_at():
    wanted = rg.liquidate(book(1_000.0, *HALF), "liq", ["bad"]).steps
    cheap = book(1_000.0, *HALF, lusd=0.9)
    assert any("LUSD counts at par (1 USD) at liq" in line for line in cheap.assumptions)
    assert cheap.totals_usd["debt"] == 94_000.0
    pd.testing.assert_frame_equal(rg.liquidate(cheap, "liq", ["bad"]).steps, wanted)
    depeg = book(1_000.0, *HALF).with_shock({"LUSD": -0.1})
    pd.testing.assert_frame_equal(rg.liquidate(depeg, "liq", ["bad"]).steps, wanted)
    pd.testing.assert_frame_equal(rg.liquidate(cheap.replace(markets=cheap.markets), "liq", ["bad"]).steps, wanted)
    told = book(1_000.0, *HALF, lusd=0.9, market={"price": 0.9})  # another rule than the contract's, and said so
    assert not any("at par" in line for line in told.assumptions)
    assert rg.liquidation_quote(told, "bad", "liq").refused == "nothing to liquidate"


def test_depositors_outside_share_in_the_pool():
    done = rg.liquidate(book(1_000.0, *HALF, stability_pool=19_002.0), "liq", ["bad"])
    found = amounts(done.after)
    assert found["pat", "deposit", "LUSD"] == pytest.approx(9_501 * 2 / 19_002)
    assert found["pat", "deposit", "ETH"] == pytest.approx(19.9 / 2)
    assert done.after.protocols.loc[0, "stability_pool"] == 2.0


def test_stakes_are_kept_for_the_next_batch():
    """After the first batch big holds 3 of 4 stakes as before, whatever collateral new troves bring."""
    first = rg.liquidate(book(1_000.0, *HALF), "liq", ["bad"]).after
    accounts = first.accounts.set_index("account")["stake"]
    assert accounts.to_dict() == {"big": 150.0, "mid": 50.0}
    assert first.protocols.loc[0, ["total_stakes_snapshot", "total_collateral_snapshot"]].tolist() == pytest.approx(
        [200.0, 209.95]
    )
    fresh = pd.DataFrame([("new", "ETH", "collateral", 209.95), ("new", "LUSD", "debt", 200_000.0)],
                         columns=["account", "asset", "side", "amount"]).assign(protocol="liq")  # fmt: skip
    more = first.replace(positions=pd.concat([first.positions, fresh]))
    left = amounts(rg.liquidate(more.with_prices({"ETH": 500.0}), "liq", ["mid"]).after)
    part = 52.4875 * 0.995  # of the trove of mid, to 150 stakes of big and 209.95 · 200/209.95 of new
    assert left["big", "collateral", "ETH"] == pytest.approx(157.4625 + part * 150 / 350)
    assert left["new", "collateral", "ETH"] == pytest.approx(209.95 + part * 200 / 350)


def test_troves_of_one_owner_stand_in_buckets():
    rows = [("ann", "1", 20.0, 19_000.0), ("ann", "2", 150.0, 50_000.0), ("bob", "", 50.0, 25_000.0)]
    held = [(who, at, "ETH", "collateral", coll) for who, at, coll, _ in rows]
    held += [(who, at, "LUSD", "debt", debt) for who, at, _, debt in rows]
    positions = pd.DataFrame(held, columns=["account", "bucket", "asset", "side", "amount"]).assign(protocol="liq")
    done = rg.liquidate(book(1_000.0, *HALF).replace(positions=positions), "liq", ["ann"], buckets=["1"])
    after = done.after.positions.set_index(["account", "bucket", "side"])["amount"]
    assert after["ann", "2", "debt"] == pytest.approx(50_000 + 19_000 * 0.75)
    assert after["bob", "", "collateral"] == pytest.approx(50 + 19.9 / 4)
    stakes = done.after.accounts.set_index("account")["stake"]
    assert stakes.to_dict() == {"ann": 150.0, "bob": 50.0}
    again = rg.liquidate(done.after.with_prices({"ETH": 500.0}), "liq", ["bob"]).after.positions
    left = again.set_index(["account", "bucket", "side"])["amount"]
    assert left["ann", "2", "debt"] == pytest.approx(94_000.0) and left["ann", "1", "debt"] == 0.0


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({"stability_pool": 9_000.0}, r"protocols.stability_pool: expected at least the deposits .* 9501, got 9000"),
        ({"total_stakes_snapshot": 1.0}, r"protocols.total_stakes_snapshot.*expected both or neither, got one for liq"),
    ],
)
def test_terms_that_contradict_one_another_are_named(terms, words):
    with pytest.raises(InputError, match=words):
        rg.liquidation_quote(book(1_000.0, *HALF, **terms), "bad", "liq")


def test_what_is_no_branch_is_refused():
    snap = book(1_000.0, *HALF)
    with pytest.raises(InputError, match="repay: expected what a call under rule liquity_v1 can be asked for"):
        rg.liquidation_quote(snap, "bad", "liq", repay=1.0)
    other = snap.positions.assign(account="more", asset="LUSD", side="collateral").head(1)
    two = book(1_000.0, *HALF, market={"liquidation_ratio": 1.1})
    with pytest.raises(InputError, match=r"positions.asset: expected one collateral asset at liq .*, got ETH, LUSD"):
        rg.liquidate(two.replace(positions=pd.concat([snap.positions, other])), "liq", ["bad"])
    named = pd.DataFrame([{"account": "bad", "protocol": "liq", "debt_remainder_usd": 5.0}])
    with pytest.raises(InputError, match=r"accounts.collateral_remainder_usd, .* expected none under rule liquity_v1"):
        rg.liquidate(snap.replace(accounts=named), "liq", ["bad"])


# -- against the oracle -----------------------------------------------------------------------------------------------


@given(troves.systems() | troves.systems(troves.RECOVERY))
@settings(max_examples=60)
def test_two_batches_are_the_oracles(given):
    snap, state = troves.snapshot(given, "liquity_v1"), troves.system(given)
    for order in given["batches"]:
        done = rg.liquidate(snap, troves.HERE, order)
        told, refused = naive.v1(state, order, given["price"], decimals=given["decimals"])
        troves.compare(done, state, told, refused)
        troves.as_told(state)
        snap = done.after
