"""Compound v3 in a cascade, by hand: absorption at the cost of reserves, and a storefront that brings them back."""

from __future__ import annotations

import pandas as pd
import pytest

import riskgraph as rg
from riskgraph.margin.rules.rule import Rule
from riskgraph.margin.rules.shelf import add_rule, remove_rule
from riskgraph.margin.venue_steps import ACTIONS, Steps
from riskgraph.snapshot.parameters import RuleDefault

TOKENS = {"ETH": (1_000.0, 0.85, 0.9), "LINK": (10.0, 0.8, 0.8)}  # price, threshold, factor


def book(accounts: dict, depth: dict | None = None, own: dict | None = None, tokens=TOKENS, **protocol) -> rg.Snapshot:
    """``accounts``: account -> ({collateral: units}, debt in USDC); ``own``: what the protocol holds itself."""
    rows = [
        (name, asset, side, amount)
        for name, (pledged, debt) in accounts.items()
        for side, assets in (("collateral", pledged), ("debt", {"USDC": debt}))
        for asset, amount in assets.items()
    ]
    rows += [("comet", asset, "deposit", amount) for asset, amount in (own or {}).items()]
    prices = {name: terms[0] for name, terms in tokens.items()} | {"USDC": 1.0}
    return rg.Snapshot(
        pd.DataFrame(rows, columns=["account", "asset", "side", "amount"]).assign(protocol="comet"),
        pd.DataFrame({"asset": list(prices), "price": list(prices.values())}),
        pd.DataFrame([{"protocol": "comet", "rule": "compound_v3", "base_asset": "USDC", **protocol}]),
        pd.DataFrame(
            {"protocol": "comet", "asset": name, "liquidation_threshold": terms[1], "liquidation_factor": terms[2]}
            for name, terms in tokens.items()
        ),
        liquidity=pd.DataFrame([(name, "linear", usd) for name, usd in (depth or {}).items()],
                               columns=["asset", "model", "depth_usd"]) if depth else None,
    )  # fmt: skip


def done(cascade: rg.Cascade) -> pd.DataFrame:
    steps = Steps.joined(cascade.run.desks[0].steps)
    frame = pd.DataFrame({name: getattr(steps, name) for name in Steps.__dataclass_fields__})
    return frame.assign(action=[ACTIONS[one] for one in steps.action])


def left(cascade: rg.Cascade) -> dict:
    """Units above 0 by account and side."""
    run = cascade.run
    names, rows = run.book.snap.labels("account").to_pylist(), run.book.rows
    sides = ("collateral", "debt", "deposit")
    held = zip(rows.account.tolist(), rows.side.tolist(), run.book.amount.tolist(), strict=True)
    return {(names[account], sides[side]): amount for account, side, amount in held if amount > 0.0}


def near(values):
    return pytest.approx(values, rel=1e-12, abs=1e-9)


def test_two_accounts_are_absorbed_and_the_storefront_sells_over_two_rounds_until_the_target_is_reached():
    """ETH falls from 1,000 to 800; a linear market of 100,000 USD, which 10 ETH (10,000 USD at 1,000) move by 10 %.

    Round 0: 10 ETH count for 6,800. ann owes 6,900: absorbed for 8,000 · 0.9 = 7,200, 300 of it hers. bob owes 8,500:
    absorbed for that, 500 more than 8,000. Paid out 15,700: reserves 6,000 − 15,700 = −9,700. The discount is half of
    the penalty: 800 · 0.95 = 760. Up to the target 11,020 are lacking, for 14.5 ETH. At an average of 0.95 (s = 0.1)
    buyers gain nothing any more: 10 ETH go for 7,600 and bring 7,600. Reserves −2,100, ETH 800 · 0.9 = 720.

    Round 1: 720 · 0.95 = 684, 3,420 are lacking, for 5 ETH. They are sold from s = 0.1 to 0.15 at 800 · 0.875 = 700:
    3,500. Reserves 1,320, the target; ETH 680; 5 ETH stay with the protocol.
    """
    accounts = {"ann": ({"ETH": 10.0}, 6_900.0), "bob": ({"ETH": 10.0}, 8_500.0)}
    snap = book(accounts, {"ETH": 100_000.0}, tokens={"ETH": TOKENS["ETH"]}, reserves=6_000.0, target_reserves=1_320.0)
    cascade = rg.liquidation_cascade(snap, {"ETH": -0.2})
    assert cascade.prices["ETH"].tolist() == near([1_000.0, 800.0, 720.0, 680.0])
    assert cascade.n_rounds == 2
    desk = cascade.run.desks[0]
    assert (desk.reserves, desk.stock[0]) == near((1_320.0, 5.0))
    steps = done(cascade)
    assert steps["action"].tolist() == ["absorbed", "absorbed", "sold", "sold"]
    assert steps["number"].tolist() == [0, 0, 0, 1]
    assert steps["seized"].tolist() == near([10.0, 10.0, 10.0, 5.0])
    assert steps["repaid"].tolist() == near([6_900.0, 8_500.0, 7_600.0, 3_420.0])
    assert steps["proceeds_usd"].tolist() == near([0.0, 0.0, 7_600.0, 3_500.0])
    assert cascade.bad_debt_usd == near(500.0)
    assert cascade.losses.to_dict("records") == [{"protocol": "comet", "bearer": "reserve", "usd": near(500.0)}]
    assert left(cascade) == near({("ann", "deposit"): 300.0})
    # Borrowers lose 20 · 200, a penalty of 800, 300 that ann has as a deposit now, and are forgiven 500. The protocol
    # gets 800, bears 500, gives discounts of 400 and 5 · 36 = 180, and holds 10 ETH while they fall by 80, then 5 while
    # they fall by 40. Buyers get the discounts and lose 400 and 100 by selling at 760 and 700. The market gains 500 by
    # that, holds 10 ETH, then 15.
    bearers = cascade.bearers
    assert bearers["mark_to_market_usd"].to_dict() == near(
        {"borrowers": -4_000.0, "lenders": 0.0, "protocol": -1_000.0, "liquidators": -500.0, "market": -900.0}
    )
    assert bearers["fee_usd"].to_dict() == near(
        {"borrowers": -1_100.0, "lenders": 300.0, "protocol": 800.0, "liquidators": 0.0, "market": 0.0}
    )
    assert bearers.loc["protocol", ["bonus_usd", "bad_debt_usd"]].tolist() == near([-580.0, -500.0])
    assert bearers["change_usd"].to_dict() == near(
        {"borrowers": -4_600.0, "lenders": 300.0, "protocol": -1_280.0, "liquidators": 80.0, "market": -900.0}
    )
    assert cascade.amplification == near((4_300.0 + 1_280.0 - 80.0) / 4_000.0)
    assert cascade.conservation <= 1e-9


def test_reserves_in_dollars_are_units_at_the_snapshots_price_and_move_with_what_is_paid():
    """4,000 USD; bob's 8,500 leave −4,500 units and 0 USD; all 10 ETH are sold at 760: 7,600, 3,100 then."""
    snap = book({"bob": ({"ETH": 10.0}, 8_500.0)}, reserve_usd=4_000.0, target_reserves=1e6)
    cascade = rg.liquidation_cascade(snap, {"ETH": -0.2})
    assert cascade.run.desks[0].reserves == near(3_100.0)
    assert cascade.run.book.reserve.tolist() == near([3_100.0])
    assert cascade.conservation <= 1e-9


def test_above_its_target_the_protocol_keeps_what_it_took():
    """Reserves 10,000 − 7,200 = 2,800, above a target of 2,000: nothing is sold and no price moves."""
    snap = book({"ann": ({"ETH": 10.0}, 6_900.0)}, {"ETH": 1e5}, reserves=10_000.0, target_reserves=2_000.0)
    cascade = rg.liquidation_cascade(snap, {"ETH": -0.2})
    assert cascade.run.desks[0].stock.tolist() == [10.0, 0.0, 0.0]
    assert cascade.prices["ETH"].tolist() == [1_000.0, 800.0, 800.0]
    assert cascade.bearers.loc["protocol", "change_usd"] == near(800.0)


def test_assets_are_offered_by_label_each_as_far_as_the_ones_before_leave_room():
    """LINK at 8 goes for 8 · (1 − 0.5 · 0.2) = 7.2, ETH at 800 for 760.

    cat: 5 ETH · 800 · 0.85 + 1,000 LINK · 8 · 0.8 = 9,800 against 10,000. Credit 5 · 800 · 0.9 + 1,000 · 8 · 0.8 =
    10,000: paid out, reserves are 4,040 − 10,000. To a target of 0 are 5,960 lacking: 5 ETH (3,800), 300 LINK (2,160).
    """
    snap = book({"cat": ({"ETH": 5.0, "LINK": 1_000.0}, 10_000.0)}, reserves=4_040.0, target_reserves=0.0)
    cascade = rg.liquidation_cascade(snap, {"ETH": -0.2, "LINK": -0.2})
    sold = done(cascade).query("action == 'sold'")
    assert sold["collateral"].tolist() == [0, 1]
    assert sold["seized"].tolist() == near([5.0, 300.0])
    assert sold["repaid"].tolist() == near([3_800.0, 2_160.0])
    assert cascade.run.desks[0].stock.tolist() == near([0.0, 700.0, 0.0])
    assert cascade.run.desks[0].reserves == near(0.0)
    absorbed = done(cascade).query("action == 'absorbed'")  # 10,000 of debt by value: 4,000 and 8,000
    assert absorbed["repaid"].tolist() == near([10_000.0 / 3.0, 20_000.0 / 3.0])


def test_what_the_protocol_held_before_is_for_sale_too():
    """8 ETH of its own from an earlier absorption, reserves 1,900 under target: 2 ETH at 1,000 · 0.95."""
    snap = book({"ann": ({"ETH": 10.0}, 100.0)}, own={"ETH": 8.0}, reserves=0.0, target_reserves=1_900.0)
    cascade = rg.liquidation_cascade(snap, {})
    assert left(cascade)["comet", "deposit"] == near(6.0)
    bearers = cascade.bearers
    assert bearers["change_usd"].to_dict() == near(
        {"borrowers": 0.0, "lenders": 0.0, "protocol": -100.0, "liquidators": 100.0, "market": 0.0}
    )
    assert cascade.conservation <= 1e-9


def test_everybody_sells_at_any_price_where_nobody_looks_for_profit():
    """Half the depth: 14.5 ETH move s by 0.29, 1 − 0.145 = 0.855 is what they bring on average, at a price of 0.95."""
    accounts = {"ann": ({"ETH": 10.0}, 6_900.0), "bob": ({"ETH": 10.0}, 8_500.0)}
    snap = book(accounts, {"ETH": 50_000.0}, reserves=6_000.0, target_reserves=1_320.0)
    cascade = rg.liquidation_cascade(snap, {"ETH": -0.2}, liquidators="always")
    sold = done(cascade).query("action == 'sold'")
    assert sold["seized"].tolist() == near([14.5])
    assert sold["proceeds_usd"].tolist() == near([14.5 * 800.0 * 0.855])
    assert cascade.bearers.loc["liquidators", "change_usd"] == near(14.5 * 800.0 * (0.855 - 0.95))
    assert cascade.conservation <= 1e-9


def test_collateral_without_a_price_is_not_absorbed():
    """The contract refuses a price of 0: ann, who owes 9,000 against 8,500, keeps her 10 ETH for that of her LINK."""
    snap = book(
        {"ann": ({"ETH": 10.0, "LINK": 100.0}, 9_000.0)}, tokens=TOKENS | {"LINK": (0.0, 0.8, 0.8)}, reserves=0.0
    )
    cascade = rg.liquidation_cascade(snap, {})
    assert cascade.run.desks[0].stock.tolist() == [0.0, 0.0, 0.0]
    assert cascade.run.rounds[0].refused == {"BadPrice": 1}


def test_debts_in_another_asset_are_refused_by_name():
    snap = book({"ann": ({"ETH": 10.0}, 9_000.0)})
    frame = pd.concat([snap.positions, pd.DataFrame([{
        "account": "ann", "protocol": "comet", "asset": "LINK", "side": "debt", "amount": 1.0}])])  # fmt: skip
    with pytest.raises(rg.InputError, match=r"positions\.asset: expected debts at comet .* in USDC alone.* got LINK"):
        rg.liquidation_cascade(snap.replace(positions=frame[["account", "protocol", "asset", "side", "amount"]]), {})


def test_a_rule_from_outside_that_is_no_pair_rule_is_refused_by_name():
    class Odd(Rule):
        name = "odd"

        def carry_out(self, ledger, request):
            raise NotImplementedError

    add_rule(Odd(), shared={("markets", "liquidation_threshold"): RuleDefault()})
    try:
        snap = rg.Snapshot(
            pd.DataFrame({"account": "ann", "protocol": "there", "asset": ["ETH", "USDC"],
                          "side": ["collateral", "debt"], "amount": [1.0, 900.0]}),
            pd.DataFrame({"asset": ["ETH", "USDC"], "price": [1_000.0, 1.0]}),
            pd.DataFrame({"protocol": ["there"], "rule": ["odd"]}),
            pd.DataFrame({"protocol": ["there"], "asset": ["ETH"], "liquidation_threshold": [0.8]}),
        )  # fmt: skip
        with pytest.raises(
            rg.InputError, match=r"protocols\.rule: expected a rule that calls pair by pair.*odd at there"
        ):
            rg.liquidation_cascade(snap, {})
    finally:
        remove_rule("odd")
