"""Maker in a cascade, by hand: auctions over rounds, limits, losses of the system; barks against single calls."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import riskgraph as rg
from riskgraph.margin import auction_limits
from riskgraph.margin.venue_steps import ACTIONS, Steps

ILK = {"liquidation_ratio": 1.5, "chop": 1.1, "buf": 1.2, "cut": 0.9, "step": 600.0, "tail": 6_000.0}


def book(vaults: dict, depth=None, ilks: dict | None = None, others=(), prices=None, **system) -> rg.Snapshot:
    """``vaults``: account -> (collateral asset, ink, debt); ``others``: more rows of positions."""
    ilks = ilks or {"ETH": ILK}
    rows = [
        (name, "maker", asset, side, amount)
        for name, (asset, ink, debt) in vaults.items()
        for asset, side, amount in ((asset, "collateral", ink), ("DAI", "debt", debt))
    ]
    prices = {"ETH": 1_000.0, "DAI": 1.0} | (prices or {})
    protocols = [{"protocol": "maker", "rule": "maker", **system}]
    markets = [{"protocol": "maker", "asset": name, **terms} for name, terms in ilks.items()]
    if others:
        protocols.append({"protocol": "lend", "rule": "lending"})
        markets.append({"protocol": "lend", "asset": "ETH", "liquidation_threshold": 0.8, "liquidation_bonus": 0.0})
    return rg.Snapshot(
        pd.DataFrame([*rows, *others], columns=["account", "protocol", "asset", "side", "amount"]),
        pd.DataFrame({"asset": list(prices), "price": list(prices.values())}),
        pd.DataFrame(protocols),
        pd.DataFrame(markets),
        liquidity=pd.DataFrame({"asset": ["ETH"], "model": ["linear"], "depth_usd": [depth]}) if depth else None,
    )


def done(cascade: rg.Cascade, action: str = "") -> pd.DataFrame:
    steps = Steps.joined(cascade.run.desks[cascade.run.book.snap.labels("protocol").index("maker").as_py()].steps)
    frame = pd.DataFrame({name: getattr(steps, name) for name in Steps.__dataclass_fields__})
    frame = frame.assign(action=[ACTIONS[one] for one in steps.action])
    return frame[frame["action"] == action] if action else frame


def near(values):
    return pytest.approx(values, rel=1e-12, abs=1e-9)


def test_an_auction_spans_rounds_while_its_price_and_the_markets_fall():
    """ETH falls from 1,000 to 800; a linear market of 100,000 USD, where 5.6 ETH (at 1,000) move the price by 5.6 %.

    ann's 15 ETH may carry 15 · 800 / 1.5 = 8,000 and owe 9,000: all goes up for 9,900 at 800 · 1.2 = 960. Each round
    the price falls by a tenth: 864, then 777.6, the first below 800. 9,900 / 777.6 = 12.7315 ETH are offered; at 0.972
    of the market's 2 · (1 − 0.972) = 0.056 of depth is taken: 5.6 ETH for 4,354.56, which bring as much. ETH 755.2.

    Round 3: 699.84; the tab left, 5,545.44, buys 7.923868 ETH, all of which are taken: from s = 0.056 to 0.13523868, on
    average 800 · (1 − 0.09561934) = 723.504527. 9.4 − 7.923868 = 1.476132 ETH are ann's again; the system has 900.
    """
    snap = book({"ann": ("ETH", 15.0, 9_000.0)}, 100_000.0)
    cascade = rg.liquidation_cascade(snap, {"ETH": -0.2})
    last = 5_545.44 / 699.84
    end = 0.056 + last / 100.0
    average = 800.0 * (1.0 - (0.056 + end) / 2.0)
    assert (last, end, average) == pytest.approx((7.923868, 0.13523868, 723.504527), rel=1e-7)
    assert cascade.prices["ETH"].tolist() == near([1_000.0, 800.0, 800.0, 800.0, 755.2, 800.0 * (1.0 - end)])
    steps = done(cascade)
    assert steps["action"].tolist() == ["auctioned", "sold", "sold", "returned"]
    assert steps["number"].tolist() == [0, 2, 3, 3]
    assert steps["seized"].tolist() == near([15.0, 5.6, last, 9.4 - last])
    assert steps["repaid"].tolist() == near([9_000.0, 4_354.56, 5_545.44, 0.0])
    assert steps["proceeds_usd"].tolist() == near([0.0, 4_354.56, last * average, 0.0])
    assert cascade.n_rounds == 4
    run = cascade.run
    assert (run.book.reserve[0], run.book.deficit[0]) == near((900.0, 0.0))
    assert run.book.amount[run.book.amount > 0.0].tolist() == near([9.4 - last])
    assert run.desks[0].whole.tolist() == near([1e8, 0.0])
    assert cascade.bad_debt_usd == 0.0
    # ann: 15 · 1,000 − 9,000 before, a deposit of 1.476132 ETH after, which counts as a lender's. Liquidators: 0, then
    # what 699.84 is below the average.
    price = 800.0 * (1.0 - end)
    assert cascade.bearers["change_usd"].to_dict() == near(
        {"borrowers": -6_000.0, "lenders": (9.4 - last) * price, "protocol": 900.0,
         "liquidators": last * average - 5_545.44,
         "market": (5.6 + last) * price - 4_354.56 - last * average}
    )  # fmt: skip
    assert cascade.conservation <= 1e-9
    assert run.notes == ()


def test_room_that_a_sale_makes_is_the_next_vaults():
    """Room for 9,900 of tab: ann's 9,000 take all of it; bob waits until her lot is sold in round 2, without impact.

    12.7315 ETH at 777.6 raise 9,900 in round 2; bob goes up in round 3 and is sold in round 5.
    """
    vaults = {"ann": ("ETH", 15.0, 9_000.0), "bob": ("ETH", 15.0, 9_000.0)}
    cascade = rg.liquidation_cascade(book(vaults, hole=9_900.0), {"ETH": -0.2})
    steps = done(cascade)
    assert steps[["number", "action", "margin"]].to_numpy().tolist() == [
        [0, "auctioned", 0], [2, "sold", 0], [2, "returned", 0],
        [3, "auctioned", 1], [5, "sold", 1], [5, "returned", 1],
    ]  # fmt: skip
    assert [done.refused["liquidation-limit-hit"] for done in cascade.run.rounds[:4]] == [1, 1, 1, 0]
    assert steps["proceeds_usd"].sum() == near(2.0 * 9_900.0 / 777.6 * 800.0)
    assert cascade.conservation <= 1e-9


def test_a_lot_that_brings_less_than_the_debt_costs_the_surplus_then_the_deficit():
    """10 ETH at 800 against 9,000, pay of 100 + 1 % of 9,900 = 199 for the keeper, a surplus of 500.

    Sold at 777.6 in round 2: 7,776 of 9,900. The system lacks 9,000 − 7,776 = 1,224; 500 − 199 = 301 are there.
    """
    ilk = ILK | {"tip": 100.0, "chip": 0.01}
    snap = book({"ann": ("ETH", 10.0, 9_000.0)}, ilks={"ETH": ilk}, reserve_usd=500.0)
    cascade = rg.liquidation_cascade(snap, {"ETH": -0.2})
    assert (cascade.run.book.reserve[0], cascade.run.book.deficit[0]) == near((0.0, 923.0))
    assert cascade.bad_debt_usd == near(1_224.0)
    assert cascade.losses.set_index("bearer")["usd"].to_dict() == near({"reserve": 301.0, "deficit": 923.0})
    assert cascade.run.desks[0].whole[1] == near(0.0)  # what nobody will pay is in auction no more
    bearers = cascade.bearers
    assert bearers["change_usd"].to_dict() == near(
        {"borrowers": -1_000.0, "lenders": 0.0, "protocol": -1_423.0, "liquidators": 199.0 + 224.0, "market": 0.0}
    )
    assert bearers.loc["protocol", "bad_debt_usd"] == near(-1_224.0)
    assert cascade.conservation <= 1e-9


def test_an_auction_starts_anew_from_what_the_oracle_shows_then():
    """tail 600 s: at an age of 1,200 the auction starts anew. The oracle is one round late: it shows 1,000 first.

    Round 0: the oracle shows 1,000; nothing is unsafe. Round 1: 800, up at 960. Round 2: 864. Round 3: started anew at
    960. Round 4: 864; round 5: anew. So it goes on: prices stay, nobody ever buys, and the cascade says so.
    """
    snap = book({"ann": ("ETH", 15.0, 9_000.0)}, ilks={"ETH": ILK | {"tail": 600.0}}, oracle_lag_rounds=1.0)
    cascade = rg.liquidation_cascade(snap, {"ETH": -0.2})
    desk = cascade.run.desks[0]
    assert done(cascade)["number"].tolist() == [1]
    assert (desk.open.top[0], desk.open.start[0], desk.open.stuck[0]) == (960.0, 3, True)
    assert len(cascade.run.rounds) == 4
    assert len(cascade.run.notes) == 1
    assert cascade.run.notes[0].startswith("maker: 1 auctions still open at the end, for 9,900 of debt and penalty")
    assert cascade.conservation <= 1e-9


def test_prices_that_never_fall_end_a_cascade_at_once():
    """A round of 0 seconds: no auction is ever cheaper than at its start."""
    cascade = rg.liquidation_cascade(book({"ann": ("ETH", 15.0, 9_000.0)}), {"ETH": -0.2}, round_seconds=0.0)
    assert len(cascade.run.rounds) == 2
    assert len(cascade.run.desks[0].open) == 1


@pytest.mark.parametrize("model, terms, rounds", [
    # 960 · 0.5^(600 t / 1,200): 960, 678.8 in round 1
    ("exponential", {"cut": 0.5 ** (1.0 / 1_200.0)}, 1),
    # 960 · (1 − 600 t / 6,000): 864 in round 1, 768 in round 2
    ("linear", {"tau": 6_000.0}, 2),
    # steps of 1,500 s: 960 until 1,200 s, 768 from 1,800 s, in round 3
    ("stairstep", {"cut": 0.8, "step": 1_500.0}, 3),
])  # fmt: skip
def test_curves(model, terms, rounds):
    """The first round in which the price is at most 800."""
    ilk = {name: value for name, value in ILK.items() if name not in ("cut", "step")} | terms
    snap = book({"ann": ("ETH", 15.0, 9_000.0)}, ilks={"ETH": ilk | {"auction_price": model}})
    cascade = rg.liquidation_cascade(snap, {"ETH": -0.2})
    sold = done(cascade, "sold")
    price = {"exponential": 960.0 * 0.5**0.5, "linear": 768.0, "stairstep": 768.0}[model]
    assert sold["number"].tolist() == [rounds]
    assert sold["seized"].tolist() == near([9_900.0 / price])


def test_a_price_that_nobody_can_tell_is_refused_by_name():
    ilk = {name: value for name, value in ILK.items() if name != "cut"} | {"auction_price": "linear"}
    snap = book({"ann": ("ETH", 15.0, 9_000.0)}, ilks={"ETH": ilk})
    with pytest.raises(
        rg.InputError, match=r"markets\.tau: expected a value where auction_price is linear.*ETH at maker"
    ):
        rg.liquidation_cascade(snap, {"ETH": -0.2})


def test_auctions_whose_oracle_shows_no_price_are_closed_at_a_loss():
    """zoe's 200 ETH at lend are sold at any price: at a depth of 100,000 that is s = 2, a price of 0 from round 1 on.

    ann's lot is up since round 0 at 960; in round 9 its price would be below 0.4 · 960, and no new one can be formed.
    """
    others = [("zoe", "lend", "ETH", "collateral", 200.0), ("zoe", "lend", "DAI", "debt", 159_000.0)]
    snap = book({"ann": ("ETH", 15.0, 9_000.0)}, 100_000.0, others=others)
    cascade = rg.liquidation_cascade(snap, {"ETH": -0.2}, liquidators="always")
    assert cascade.prices["ETH"].iloc[-1] == 0.0
    desk = cascade.run.desks[1]
    assert desk.worthless == 1
    assert len(desk.open) == 0
    assert desk.whole[1] == near(0.0)
    assert cascade.run.losses.written_off[0] == near(9_000.0)
    assert len(cascade.run.rounds) == 11  # 0.9⁹ < 0.4 in round 9; round 10 brings nothing
    assert cascade.run.notes == ("maker: 1 auctions closed unsold, their oracle shows no price",)
    assert cascade.conservation <= 1e-9


def test_vaults_of_several_kinds_of_collateral_are_refused_by_name():
    snap = book({"ann": ("ETH", 15.0, 9_000.0)}, ilks={"ETH": ILK, "BTC": ILK}, prices={"BTC": 1_000.0})
    frame = pd.concat([snap.positions, pd.DataFrame([{
        "account": "ann", "protocol": "maker", "asset": "BTC", "side": "collateral", "amount": 1.0}])])  # fmt: skip
    snap = snap.replace(positions=frame[["account", "protocol", "asset", "side", "amount"]])
    with pytest.raises(rg.InputError, match=r"positions\.bucket: expected vaults of one collateral each at maker.*ann"):
        rg.liquidation_cascade(snap, {"ETH": -0.3})


# -- against single calls ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_barks_are_those_of_single_calls(seed, compiled, monkeypatch):
    """One round of a cascade puts up what ``rg.liquidate`` does, vault by vault, under limits that bind."""
    if compiled:
        monkeypatch.setattr(auction_limits, "WORTH_COMPILING", 1)
    rng = np.random.default_rng(seed)
    names = [f"v{at:02d}" for at in range(25)]
    assets = [("ETH", "BTC")[rng.integers(2)] for _ in names]
    debts = rng.uniform(500.0, 9_000.0, len(names))
    vaults = {name: (asset, debt / rng.uniform(700.0, 900.0), debt)
              for name, asset, debt in zip(names, assets, debts, strict=True)}  # fmt: skip
    ilks = {name: {**ILK, "rate": 1.25, "tip": 10.0, "chip": 0.01, "dust": 2_000.0, "hole": rng.uniform(1e4, 6e4)}
            for name in ("ETH", "BTC")}  # fmt: skip
    snap = book(vaults, ilks=ilks, prices={"BTC": 1_000.0}, hole=rng.uniform(2e4, 1e5))
    single = rg.liquidate(snap, "maker", names)
    cascade = rg.liquidation_cascade(snap, {}, round_seconds=0.0)
    first = done(cascade, "auctioned").query("number == 0").set_index("margin")
    wanted = single.steps[single.steps["refused"] == ""].set_index(
        pd.Index(np.flatnonzero(single.steps["refused"] == ""))
    )
    assert len(wanted) < len(names)
    assert first.index.tolist() == wanted.index.tolist()
    assert first["seized"].tolist() == pytest.approx(wanted["seized"].tolist(), rel=1e-9)
    assert first["repaid"].tolist() == pytest.approx(wanted["repaid"].tolist(), rel=1e-9)
    reasons = single.steps["refused"][lambda column: ~column.isin(["", "not-unsafe"])].value_counts().to_dict()
    assert dict(cascade.run.rounds[0].refused) == reasons
