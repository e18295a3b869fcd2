"""Liquity in a cascade, by hand: a redistribution that tips a second borrower, the pool, recovery mode; then random."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import riskgraph as rg
from riskgraph.margin.venue_steps import ACTIONS, Steps


def book(troves: dict, pool: dict | None = None, rule="liquity_v1", stakes: dict | None = None, **terms) -> rg.Snapshot:
    """``troves``: account -> (collateral, debt), either None: no row; ``pool``: account -> deposit; ETH at 1,000."""
    rows = [
        (name, asset, side, amount)
        for name, amounts in troves.items()
        for (asset, side), amount in zip((("ETH", "collateral"), ("LUSD", "debt")), amounts, strict=True)
        if amount is not None
    ]
    rows += [(name, "LUSD", "deposit", amount) for name, amount in (pool or {}).items()]
    return rg.Snapshot(
        pd.DataFrame(rows, columns=["account", "asset", "side", "amount"]).assign(protocol="liquity"),
        pd.DataFrame({"asset": ["ETH", "LUSD"], "price": [1_000.0, 1.0]}),
        pd.DataFrame([{"protocol": "liquity", "rule": rule, **terms}]),
        pd.DataFrame([{"protocol": "liquity", "asset": "ETH", "liquidation_ratio": 1.1}]),
        accounts=pd.DataFrame([{"account": name, "protocol": "liquity", "stake": one} for name, one in stakes.items()])
        if stakes else None,
        liquidity=pd.DataFrame({"asset": ["ETH"], "model": ["linear"], "depth_usd": [1_000.0]}),
    )  # fmt: skip


def done(cascade: rg.Cascade) -> pd.DataFrame:
    steps = Steps.joined(cascade.run.desks[0].steps)
    frame = pd.DataFrame({name: getattr(steps, name) for name in Steps.__dataclass_fields__})
    return frame.assign(action=[ACTIONS[one] for one in steps.action])


def left(cascade: rg.Cascade) -> dict:
    """Units above 0 by account and side, of deposits by asset too."""
    run = cascade.run
    names, rows = run.book.snap.labels("account").to_pylist(), run.book.rows
    keys = [("collateral",), ("debt",), ("deposit", "ETH"), ("deposit", "LUSD")]
    place = rows.side + rows.asset * (rows.side == 2)
    held = zip(rows.account.tolist(), place.tolist(), run.book.amount.tolist(), strict=True)
    return {(names[account], *keys[at]): amount for account, at, amount in held if amount > 0.0}


def near(values):
    return pytest.approx(values, rel=1e-12, abs=1e-9)


def test_a_redistribution_tips_a_second_borrower():
    """ETH at 800, no pool. ann: 13 · 800 / 10,000 = 1.04. bob: 13.8125 · 800 / 10,000 = 1.105. cat has 96.6875 ETH.

    Round 0: 0.065 ETH of ann's 13 go to the caller, with 200 LUSD; bob's stake is 13.8125 / 110.5 = 1/8: he gets 1,250
    of debt and 12.935 / 8 = 1.616875 ETH, and stands at 15.429375 · 800 / 11,250 = 1.0972. No price has moved since.

    Round 1: bob is liquidated too; cat gets all but 0.5 % of his ETH: 96.6875 + 11.318125 + 15.352228125.
    """
    snap = book({"ann": (13.0, 10_000.0), "bob": (13.8125, 10_000.0), "cat": (96.6875, 20_000.0)})
    cascade = rg.liquidation_cascade(snap, {"ETH": -0.2})
    assert cascade.n_rounds == 2
    assert cascade.prices["ETH"].tolist() == [1_000.0, 800.0, 800.0, 800.0]
    assert left(cascade) == near({("cat", "collateral"): 123.357853125, ("cat", "debt"): 40_000.0})
    steps = done(cascade)[["number", "margin", "action", "seized", "repaid"]].to_numpy().tolist()
    assert steps == [
        [0, 0, "offset", near(0.065), 0.0],  # the caller's
        [0, 0, "redistributed", near(12.935), 10_000.0],
        [1, 1, "offset", near(0.077146875), 0.0],
        [1, 1, "redistributed", near(15.352228125), near(11_250.0)],
    ]
    triggers = cascade.triggers
    assert triggers[["round", "account", "cause"]].astype(object).to_numpy().tolist() == [
        [0, "ann", "shock"], [1, "bob", "redistribution"],
    ]  # fmt: skip
    gas = (0.065 + 0.077146875) * 800.0
    assert cascade.bearers["change_usd"].to_dict() == near(
        {"borrowers": -24_700.0 - gas, "lenders": 0.0, "protocol": -400.0, "liquidators": gas + 400.0, "market": 0.0}
    )
    assert cascade.bad_debt_usd == 0.0
    assert cascade.conservation <= 1e-9


def test_the_pool_offsets_what_it_can_and_hands_on_the_rest():
    """ann: 9 · 800 / 7,000 = 1.0286. The pool has 3,501, of which 1 stays: half is offset for half of 9 · 0.995 ETH.

    pat's 2,334 are two thirds of the pool: he pays 2,333.33 and gains 2.985 ETH. bob, the only other trove, gets the
    other half. lenders gain 4.4775 · 800 − 3,500 = 82.
    """
    snap = book({"ann": (9.0, 7_000.0), "bob": (100.0, 20_000.0)}, {"pat": 2_334.0, "sue": 1_167.0})
    cascade = rg.liquidation_cascade(snap, {"ETH": -0.2})
    assert left(cascade) == near({
        ("bob", "collateral"): 104.4775, ("bob", "debt"): 23_500.0,
        ("pat", "deposit", "LUSD"): 2_334.0 / 3_501.0, ("sue", "deposit", "LUSD"): 1_167.0 / 3_501.0,
        ("pat", "deposit", "ETH"): 2.985, ("sue", "deposit", "ETH"): 1.4925,
    })  # fmt: skip
    assert cascade.bearers.loc["lenders", "bonus_usd"] == near(4.4775 * 800.0 - 3_500.0)
    assert cascade.bearers.loc["lenders", "change_usd"] == near(82.0)
    assert cascade.conservation <= 1e-9


def test_a_published_pool_shares_with_depositors_elsewhere():
    """A pool of 7,001 of which pat has 1,750.25: a quarter of 7,000 offset is his, three quarters are outside."""
    snap = book({"ann": (9.0, 7_000.0), "bob": (100.0, 20_000.0)}, {"pat": 1_750.25}, stability_pool=7_001.0)
    cascade = rg.liquidation_cascade(snap, {"ETH": -0.2})
    assert left(cascade)["pat", "deposit", "LUSD"] == near(0.25)
    assert left(cascade)["pat", "deposit", "ETH"] == near(8.955 / 4.0)
    assert cascade.run.book.outside[0].tolist() == near([8.955 * 0.75, -5_250.0])
    assert cascade.conservation <= 1e-9


def test_the_pool_bears_what_a_trove_lacks():
    """ann: 8 · 800 = 6,400 against 7,000, all offset: the pool loses 600, and 32 more that are the caller's."""
    snap = book({"ann": (8.0, 7_000.0), "bob": (100.0, 20_000.0)}, {"pat": 10_000.0})
    cascade = rg.liquidation_cascade(snap, {"ETH": -0.2})
    assert cascade.bad_debt_usd == 0.0  # nothing is left on the books, and nothing was written off
    assert cascade.losses.to_dict("records") == [{"protocol": "liquity", "bearer": "lenders", "usd": near(600.0)}]
    assert cascade.bearers.loc["lenders", "bad_debt_usd"] == near(-632.0)
    assert cascade.conservation <= 1e-9


def test_recovery_mode_takes_troves_above_the_ratio_and_owners_keep_what_is_above():
    """ETH at 800: (9 + 17.5) · 800 / 16,000 = 1.325 < 1.5. ann, at 1.2, is below that, and the pool covers her 6,000.

    Seized is 1.1 · 6,000 / 800 = 8.25 ETH, of which 0.04125 are the caller's; 0.75 are ann's. bob alone is at 1.4.
    """
    snap = book({"ann": (9.0, 6_000.0), "bob": (17.5, 10_000.0)}, {"pat": 8_000.0})
    cascade = rg.liquidation_cascade(snap, {"ETH": -0.2})
    assert left(cascade) == near({
        ("bob", "collateral"): 17.5, ("bob", "debt"): 10_000.0, ("ann", "deposit", "ETH"): 0.75,
        ("pat", "deposit", "LUSD"): 2_000.0, ("pat", "deposit", "ETH"): 8.20875,
    })  # fmt: skip
    assert cascade.run.book.liquidator.tolist() == near([0.04125, 200.0])
    assert cascade.n_rounds == 1
    assert cascade.conservation <= 1e-9


def test_the_last_trove_stays():
    """Both are below 1.1: under v1 the last is passed over, under v2 the caller leaves it out."""
    for rule in ("liquity_v1", "liquity_v2"):
        terms = {} if rule == "liquity_v1" else {"critical_collateral_ratio": 1.5}
        cascade = rg.liquidation_cascade(
            book({"ann": (9.0, 7_000.0), "bob": (9.1, 7_000.0)}, rule=rule, **terms), {"ETH": -0.2}
        )
        assert left(cascade)["bob", "debt"] == near(14_000.0)
        assert ("ann", "debt") not in left(cascade)
        assert cascade.n_rounds == 1
        assert cascade.conservation <= 1e-9


def test_v2_caps_the_penalty_of_what_is_handed_on():
    """ETH at 800. ann: 10 · 800 / 7,500 = 1.0667, no pool: bob gets 7,500 and all, since 1.1 · 7,500 = 8,250 > 8,000.

    At a penalty of at most 5 % he would get 7,875 / 800 = 9.84375 ETH, and 0.15625 are ann's.
    """
    snap = book({"ann": (10.0, 7_500.0), "bob": (100.0, 20_000.0)}, rule="liquity_v2", critical_collateral_ratio=1.5)
    assert left(rg.liquidation_cascade(snap, {"ETH": -0.2}))["bob", "collateral"] == near(110.0)
    snap = book({"ann": (10.0, 7_500.0), "bob": (100.0, 20_000.0)}, rule="liquity_v2", critical_collateral_ratio=1.5,
                penalty_redistribution=0.05)  # fmt: skip
    cascade = rg.liquidation_cascade(snap, {"ETH": -0.2})
    assert left(cascade)["bob", "collateral"] == near(109.84375)
    assert left(cascade)["ann", "deposit", "ETH"] == near(0.15625)
    assert cascade.conservation <= 1e-9


def test_debt_goes_into_troves_that_had_none():
    """cat has 117 ETH and no debt, not even a row: nine tenths of ann's debt are hers then."""
    snap = book({"ann": (13.0, 10_000.0), "bob": (13.0, 2_000.0), "cat": (117.0, None)})
    cascade = rg.liquidation_cascade(snap, {"ETH": -0.2})
    assert left(cascade)["cat", "debt"] == near(9_000.0)
    assert cascade.conservation <= 1e-9


@pytest.mark.parametrize("rule", ["liquity_v1", "liquity_v2"])
@pytest.mark.parametrize("seed", range(10))
def test_a_round_is_the_batch_of_single_calls(seed, rule):
    """The first round leaves what ``rg.liquidate`` leaves of the due troves in their order."""
    rng = np.random.default_rng(seed)
    names = [f"t{at:02d}" for at in range(12)]
    debts = rng.uniform(2_000.0, 50_000.0, 12)
    ratios = rng.uniform(1.0, 1.9, 12) if seed % 2 else rng.uniform(1.05, 4.0, 12)
    ratios[2] = 1.03
    troves = {name: (debt * ratio / 800.0, debt) for name, debt, ratio in zip(names, debts, ratios, strict=True)}
    stakes = {name: rng.uniform(1.0, 50.0) for name in names} if seed % 3 == 0 else None
    if stakes:
        stakes = {"total_stakes_snapshot": sum(stakes.values()), "total_collateral_snapshot": 300.0}, stakes
    terms = (stakes[0] if stakes else {}) | ({} if rule == "liquity_v1" else {"critical_collateral_ratio": 1.5})
    pool = {"t03": rng.uniform(0.0, 4e4), "pat": rng.uniform(0.0, 4e4)}
    snap = book(troves, pool, rule, stakes[1] if stakes else None, **terms)
    cascade = rg.liquidation_cascade(snap, {"ETH": -0.2})
    shocked = snap.with_shock({"ETH": -0.2})
    due = rg.health(shocked).query("status != 'healthy'")["account"].astype(str).tolist()
    single = rg.liquidate(shocked, "liquity", due).steps
    first = done(cascade).query("number == 0")
    took = single[single["refused"] == ""]
    assert len(took) > 0
    assert cascade.conservation <= 1e-9
    for action, debt, collateral in (
        ("offset", took["offset"], took["to_pool"] + took["gas_collateral"]),
        ("redistributed", took["redistributed_debt"], took["redistributed_collateral"]),
        ("returned", 0.0 * took["surplus"], took["surplus"]),
    ):
        mine = first[first["action"] == action]
        some = (debt > 0.0) | (collateral > 0.0)
        assert mine["repaid"].tolist() == pytest.approx(debt[some].tolist(), rel=1e-9, abs=1e-9)
        assert mine["seized"].tolist() == pytest.approx(collateral[some].tolist(), rel=1e-9, abs=1e-9)


def test_a_cascade_says_that_redemptions_are_left_out():
    cascade = rg.liquidation_cascade(book({"ann": (13.0, 10_000.0), "bob": (100.0, 20_000.0)}), {})
    assert any(note.startswith("liquity: redemptions") for note in cascade.run.notes)
