"""Compound v3 by hand (who pays what, the surplus, the storefront), then against a plain reading of the contract."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riskgraph as rg
from riskgraph.margin.ledger import Ledger, Request
from riskgraph.margin.rules.compound_v3 import CompoundV3
from tests.naive import auctions as naive

# asset: price, threshold, factor
TOKENS = {"ETH": (2_000.0, 0.85, 0.95), "LINK": (10.0, 0.8, 0.9), "UNI": (5.0, 0.75, 0.75)}


def book(
    accounts: dict, tokens: dict | None = None, decimals: dict | None = None, price=1.0, **protocol
) -> rg.Snapshot:
    """``accounts``: account -> ({collateral asset: amount}, debt in USDC)."""
    tokens, decimals = tokens or TOKENS, decimals or {}
    rows = [
        (name, asset, side, amount)
        for name, (pledged, debt) in accounts.items()
        for side, assets in (("collateral", pledged), ("debt", {"USDC": debt}))
        for asset, amount in assets.items()
    ]
    positions = pd.DataFrame(rows, columns=["account", "asset", "side", "amount"]).assign(protocol="comet")
    prices = {name: terms[0] for name, terms in tokens.items()} | {"USDC": price}
    digits = [float(decimals.get(name, np.nan)) for name in prices]
    return rg.Snapshot(
        positions,
        pd.DataFrame({"asset": list(prices), "price": list(prices.values()), "decimals": digits}),
        pd.DataFrame([{"protocol": "comet", "rule": "compound_v3", "base_asset": "USDC", **protocol}]),
        pd.DataFrame(
            {"protocol": "comet", "asset": name, "liquidation_threshold": terms[1], "liquidation_factor": terms[2]}
            for name, terms in tokens.items()
        ),
    )


def held(snap: rg.Snapshot) -> dict:
    """Everything that stands at an amount above 0, by account, side and asset."""
    frame = snap.positions[snap.positions["amount"] > 0.0]
    return {tuple(key): amount for *key, amount in frame[["account", "side", "asset", "amount"]].to_numpy().tolist()}


# -- solved by hand ---------------------------------------------------------------------------------------------------


def test_a_surplus_a_loss_within_the_penalty_and_a_bad_debt():
    """Collateral of 20,000 and 1,000 counts for 17,000 + 800 in health, and is absorbed at 19,000 + 900 = 19,900.

    ann owes 18,000: 1,900 are hers. bob owes 20,500: above 19,900, below 21,000. cat owes 23,000: 2,000 above.
    """
    pledged = {"ETH": 10.0, "LINK": 100.0}
    debts = {"ann": 18_000.0, "bob": 20_500.0, "cat": 23_000.0}
    snap = book({name: (pledged, debt) for name, debt in debts.items()}, reserves=30_000.0, reserve_usd=31_000.0)
    done = rg.liquidate(snap, "comet", ["cat", "ann", "bob"])
    steps = done.steps.set_index("account").loc[["ann", "bob", "cat"]]
    assert steps["refused"].tolist() == ["", "", ""]
    assert steps["health_before"].tolist() == pytest.approx([178 / 180, 178 / 205, 178 / 230])
    assert np.isinf(steps["health_after"]).all()
    assert steps["repaid"].tolist() == [18_000.0, 20_500.0, 23_000.0]
    assert steps["base_paid_out"].tolist() == [19_900.0, 20_500.0, 23_000.0]
    assert steps["surplus"].tolist() == [1_900.0, 0.0, 0.0]
    assert steps["seized"].isna().all()
    assert (steps["collateral_asset"] == "").all()
    assert steps["seized_usd"].tolist() == [21_000.0] * 3
    assert steps["bonus_usd"].tolist() == [1_100.0, 500.0, 0.0]
    assert steps["bad_debt_usd"].tolist() == [0.0, 0.0, 2_000.0]
    assert steps["written_off"].tolist() == [False, False, True]
    assert steps["uncovered_usd"].tolist() == [0.0, 600.0, 3_100.0]
    assert done.steps["reserves"].tolist() == [7_000.0, -12_900.0, -33_400.0]
    assert held(done.after) == {
        ("ann", "deposit", "USDC"): 1_900.0,
        ("comet", "deposit", "ETH"): 30.0,
        ("comet", "deposit", "LINK"): 300.0,
    }
    protocol = done.after.protocols.iloc[0]
    assert (protocol["reserves"], protocol["reserve_usd"]) == (-33_400.0, 1_000.0)  # 1,000 were not of these reserves
    assert rg.liquidate(done.after, "comet", ["ann"]).steps["refused"].tolist() == ["NotLiquidatable"]


def test_one_collateral_is_told_in_units():
    quote = rg.liquidation_quote(book({"ann": ({"ETH": 10.0, "LINK": 0.0}, 18_000.0)}), "ann", "comet")
    assert (quote.collateral_asset, quote.seized, quote.debt_asset) == ("ETH", 10.0, "USDC")
    assert (quote.bonus_usd, quote.bonus) == (1_000.0, 0.5)  # of 20,000, 19,000 go to the account
    assert quote.movements[["account", "side", "asset", "amount", "why"]].to_numpy().tolist() == [
        ["ann", "collateral", "ETH", -10.0, "absorbed"],
        ["comet", "deposit", "ETH", 10.0, "absorbed"],
        ["ann", "debt", "USDC", -18_000.0, "absorbed"],
        ["ann", "deposit", "USDC", 1_000.0, "surplus"],
    ]


def test_health_of_exactly_one_is_not_liquidatable():
    for debt, reason in ((17_000.0, "NotLiquidatable"), (17_000.000001, "")):
        assert rg.liquidation_quote(book({"ann": ({"ETH": 10.0}, debt)}), "ann", "comet").refused == reason


def test_values_are_rounded_down_to_eight_digits_and_supplies_to_whole_principal():
    """1e-8 of debt at a price of .5 is worth 0 to the contract, so that nothing can be liquidated."""
    rounds = {"ETH": 18, "USDC": 8}
    dust = book({"ann": ({"ETH": 0.0}, 1e-8)}, decimals=rounds, price=0.5)
    assert rg.liquidation_quote(dust, "ann", "comet").refused == "NotLiquidatable"
    assert rg.liquidation_quote(book({"ann": ({"ETH": 0.0}, 1e-8)}, price=0.5), "ann", "comet").refused == ""
    # surplus 1,000.00 at an index of 1.7: 588.23 whole units of principal, worth 999.99
    snap = book({"ann": ({"ETH": 10.0}, 18_000.0)}, decimals={"USDC": 2}, base_supply_index=1.7)
    quote = rg.liquidation_quote(snap, "ann", "comet")
    assert (quote.more["base_paid_out"], quote.more["surplus"]) == (19_000.0, 999.99)


def test_an_oracle_without_a_price_refuses():
    tokens = TOKENS | {"LINK": (0.0, 0.8, 0.9)}
    pledged = {"ETH": 1.0, "LINK": 5.0}
    quote = rg.liquidation_quote(book({"ann": (pledged, 5_000.0)}, tokens), "ann", "comet")
    assert (quote.liquidatable, quote.refused, quote.repaid) == (True, "BadPrice", 0.0)
    assert rg.liquidation_quote(book({"ann": (pledged, 500.0)}, tokens), "ann", "comet").refused == "NotLiquidatable"
    tiny = TOKENS | {"LINK": (1e-12, 0.8, 0.9)}  # a feed of 8 digits shows 0
    assert rg.liquidation_quote(book({"ann": (pledged, 5_000.0)}, tiny), "ann", "comet").refused == ""
    digits = {"LINK": 18}
    assert rg.liquidation_quote(book({"ann": (pledged, 5_000.0)}, tiny, digits), "ann", "comet").refused == "BadPrice"


def test_the_storefront_sells_while_reserves_are_below_target():
    """Half of a penalty of 10 % is the buyer's: LINK at 9.50. 300 LINK are held, reserves are 2,400 below target."""
    snap = book({"comet": ({}, 0.0)}, reserves=-400.0, target_reserves=2_000.0)
    snap = snap.replace(positions=snap.positions.assign(asset="LINK", side="deposit", amount=300.0))
    sale = rg.buy_collateral(snap, "comet", "LINK", base=1_900.0)
    assert (sale.refused, sale.price, sale.quoted, sale.bought) == ("", 9.5, 200.0, 200.0)
    assert (sale.paid_usd, sale.bought_usd, sale.bonus_usd) == (1_900.0, 2_000.0, 100.0)
    assert (sale.reserves_before, sale.reserves_after) == (-400.0, 1_500.0)
    assert held(sale.after) == {("comet", "deposit", "LINK"): 100.0}
    assert sale.movements[["account", "asset", "amount", "why"]].to_numpy().tolist() == [
        ["comet", "LINK", -200.0, "bought"]
    ]
    short = rg.buy_collateral(sale.after, "comet", "LINK", base=950.01)
    assert (short.refused, short.bought, short.paid, short.reserves_after) == (
        "InsufficientReserves",
        0.0,
        0.0,
        1_500.0,
    )
    assert short.quoted == pytest.approx(100.00105263)
    assert short.after is sale.after
    rest = rg.buy_collateral(sale.after, "comet", "LINK", base=950.0)
    assert (rest.refused, held(rest.after), rest.reserves_after) == ("", {}, 2_450.0)
    assert rg.buy_collateral(rest.after, "comet", "LINK", base=1.0).refused == "NotForSale"
    at = snap.replace(protocols=snap.protocols.assign(reserves=2_000.0))
    assert rg.buy_collateral(at, "comet", "LINK", base=1.0).refused == "NotForSale"
    assert rg.buy_collateral(snap, "comet", "ETH", base=1.0).refused == "InsufficientReserves"
    assert "refused, NotForSale" in repr(rg.buy_collateral(at, "comet", "LINK", base=1.0))
    assert sale.to_frame()[["bought", "bonus_usd"]].to_numpy().tolist() == [[200.0, 100.0]]


def test_prices_at_the_storefront():
    tokens = {"UP": (1.1e-8, 0.5, 0.5), "NO": (0.0, 0.5, 0.5), "ALL": (3.0, 0.0, 0.0)}
    snap = book({"ann": ({"UP": 1.0, "NO": 1.0, "ALL": 1.0}, 1.0)}, tokens, {"UP": 18}, storefront_price_factor=1.0)
    refused = {name: rg.buy_collateral(snap, "comet", name, base=1.0).refused for name in tokens}
    assert refused == {"UP": "Panic(0x12)", "NO": "BadPrice", "ALL": "Panic(0x12)"}  # 1e-8 · .5 and 3 · 0 are 0
    # 7 · (1 − .5 · .1) = 6.65 exactly; a price of 8 digits: .33333333 · .95 = .31666666
    for price, discounted in ((7.0, 6.65), (0.33333333, 0.31666666)):
        snap = book({"ann": ({"A": 1.0}, 1.0)}, {"A": (price, 0.5, 0.9)}, {"A": 18})
        assert rg.buy_collateral(snap, "comet", "A", base=1.0).price == discounted


def test_reserves_come_from_usd_where_no_units_are_given():
    snap = book({"ann": ({"ETH": 10.0}, 18_000.0)}, price=1.25, reserve_usd=50_000.0)
    done = rg.liquidate(snap, "comet", ["ann"])
    protocol = done.after.protocols.iloc[0]
    assert (protocol["reserves"], protocol["reserve_usd"]) == (22_000.0, 27_500.0)  # 40,000 − 18,000
    sale = rg.buy_collateral(done.after, "comet", "ETH", base=780.0)
    assert (sale.bought, sale.price) == (0.5, 1_950.0)
    assert sale.after.protocols[["reserves", "reserve_usd"]].to_numpy().tolist() == [[22_780.0, 28_475.0]]


def test_a_named_liquidator_pays_for_what_it_buys():
    rows = [("comet", "comet", "LINK", "deposit", 300.0), ("kim", "", "USDC", "wallet", 100.0)]
    positions = pd.DataFrame(rows, columns=["account", "protocol", "asset", "side", "amount"])
    snap = book({"ann": ({}, 0.0)}).replace(positions=positions)
    sale = rg.buy_collateral(snap, "comet", "LINK", base=95.0, liquidator="kim")
    assert (held(sale.after)["kim", "wallet", "USDC"], held(sale.after)["kim", "wallet", "LINK"]) == (5.0, 10.0)
    with pytest.raises(rg.InputError, match="wallet of kim that holds what the calls take"):
        rg.buy_collateral(sale.after, "comet", "LINK", base=95.0, liquidator="kim")


def test_bad_input_is_named():
    snap = book({"ann": ({"ETH": 10.0}, 18_000.0)})
    for message, call in (
        ("protocol: expected a protocol of the snapshot, got 'aave'", {"protocol": "aave"}),
        ("asset: expected an asset of the snapshot, got 'DOGE'", {"asset": "DOGE"}),
        ("asset: expected a collateral asset, got 'USDC', the base asset of comet", {"asset": "USDC"}),
        ("base: expected amounts of at least 0", {"base": -1.0}),
        ("base: expected a finite number of units", {"base": np.inf}),
        ("liquidator: expected an account of the snapshot, got 'kim'", {"liquidator": "kim"}),
    ):
        with pytest.raises(rg.InputError, match=message):
            rg.buy_collateral(snap, **({"protocol": "comet", "asset": "ETH", "base": 1.0} | call))
    other = snap.replace(protocols=pd.DataFrame({"protocol": ["comet"], "rule": ["lending"]}), markets=None)
    with pytest.raises(rg.InputError, match="protocol: expected one under rule compound_v3, got 'comet' under lending"):
        rg.buy_collateral(other, "comet", "ETH", base=1.0)
    with pytest.raises(
        rg.InputError, match="collateral_asset: expected none, since rule compound_v3 takes all at once"
    ):
        rg.liquidation_quote(snap, "ann", "comet", collateral_asset="ETH")
    with pytest.raises(rg.InputError, match="repay: expected what a call under rule compound_v3 can be asked for"):
        rg.liquidation_quote(snap, "ann", "comet", repay=1.0)
    nameless = snap.replace(markets=snap.markets.drop(columns="liquidation_factor"))
    with pytest.raises(
        rg.InputError, match=r"markets.liquidation_factor: expected a value .* got none for ETH at comet"
    ):
        rg.liquidation_quote(nameless, "ann", "comet")
    bare = snap.replace(protocols=pd.DataFrame({"protocol": ["comet"], "rule": ["compound_v3"]}))
    assert rg.liquidation_quote(bare, "ann", "comet").debt_asset == "USDC"  # the one asset that is owed there
    owed = bare.positions.replace({"asset": {"ETH": "USDC", "USDC": "LINK"}}).assign(side="debt")
    with pytest.raises(rg.InputError, match=r"protocols.base_asset: expected a value .* at comet, got LINK, USDC"):
        rg.liquidation_quote(bare.replace(positions=owed), "ann", "comet")
    with pytest.raises(rg.InputError, match=r"expected debts at comet .* in USDC alone, its base asset, got LINK"):
        rg.liquidation_quote(snap.replace(positions=owed), "ann", "comet")


# -- against a plain reading of the contract --------------------------------------------------------------------------


def said(number: float) -> Fraction:
    """The decimal that a float stands for."""
    return Fraction(repr(float(number)))


def close(found, expected, unit=Fraction(1, 10**17)) -> bool:
    return abs(Fraction(float(found)) - expected) <= max(abs(expected) * Fraction(1, 10**9), unit)


@st.composite
def markets(draw):
    """A market and its accounts: up to 3 collaterals, debts around what they may stand against, decimals or none."""
    decimals = {name: draw(st.sampled_from([None, 8, 18])) for name in TOKENS} | {
        "USDC": draw(st.sampled_from([None, 6, 18]))
    }
    tokens = {}
    for name in TOKENS:
        price = draw(st.sampled_from([0.0, 1e-12, 0.31415927, 5.0, 5.0, 2_000.0, 1e9]))
        threshold = draw(st.sampled_from([0.7, 0.85, 0.9]))
        tokens[name] = (price, threshold, draw(st.sampled_from([0.75, 0.93, 0.95, 1.0])))
    base = draw(st.sampled_from([1.0, 0.98689962, 861.25050917, 1e-12]))
    accounts = {}
    for name in ("ann", "bob", "cat")[: draw(st.integers(1, 3))]:
        chosen = draw(st.lists(st.sampled_from(list(tokens)), max_size=3, unique=True))
        pledged = {token: draw(st.sampled_from([0.0, 1e-6, 1.0, 1_234.5678])) for token in chosen}
        weighted = sum(said(amount) * said(tokens[t][0]) * said(tokens[t][1]) for t, amount in pledged.items())
        share = draw(st.sampled_from([Fraction(1), Fraction(99, 100), Fraction(101, 100), Fraction(3, 2), Fraction(5)]))
        debt = float(naive.cut_to(weighted * share / said(base), 6)) or draw(st.sampled_from([0.0, 0.000001, 77.0]))
        accounts[name] = (pledged, debt)
    protocol = {
        "base_supply_index": draw(st.sampled_from([1.0, 1.046288263042456])),
        "reserves": draw(st.sampled_from([-50.0, 0.0, 1_000.0, 1e7])),
        "target_reserves": draw(st.sampled_from([0.0, 1_000.0, 5e6])),
        "storefront_price_factor": draw(st.sampled_from([0.0, 0.5, 0.6, 1.0])),
    }
    return accounts, tokens, {k: v for k, v in decimals.items() if v is not None}, base, protocol


def token(tokens: dict, decimals: dict, name: str) -> dict:
    price, threshold, factor = tokens[name]
    terms = {"price": said(price), "threshold": said(threshold), "factor": said(factor)}
    return terms | {"decimals": decimals.get(name)}


@settings(max_examples=60)
@given(markets(), st.data())
def test_absorption_and_sale_are_those_of_the_contract(drawn, data):
    accounts, tokens, decimals, base, protocol = drawn
    market = {
        "price": said(base),
        "decimals": decimals.get("USDC"),
        "supply_index": said(protocol["base_supply_index"]),
        "target": said(protocol["target_reserves"]),
        "store": said(protocol["storefront_price_factor"]),
    }
    snap = book(accounts, tokens, decimals, base, **protocol)
    done = rg.liquidate(snap, "comet", list(accounts))
    reserves, kept = said(protocol["reserves"]), dict.fromkeys(tokens, Fraction(0))
    rows = done.after.positions.set_index(["account", "side", "asset"])["amount"]
    for (name, (pledged, debt)), (_, step) in zip(accounts.items(), done.steps.iterrows(), strict=True):
        ones = [token(tokens, decimals, asset) | {"amount": said(amount)} for asset, amount in pledged.items()]
        reason, paid, surplus = naive.absorb(market, ones, said(debt))
        assert step["refused"] == reason
        assert close(step["base_paid_out"], paid)
        assert close(step["surplus"], surplus)
        assert close(rows.get((name, "deposit", "USDC"), 0.0), surplus)
        reserves -= paid
        assert close(step["reserves"], reserves)
        assert rows[name, "debt", "USDC"] == (debt if reason else 0.0)
        for asset, amount in pledged.items():
            assert rows[name, "collateral", asset] == (amount if reason else 0.0)
            kept[asset] += 0 if reason else said(amount)
    for asset, amount in kept.items():
        assert close(rows.get(("comet", "deposit", asset), 0.0), amount)
    asset = data.draw(st.sampled_from(list(tokens)), "bought")
    offered = data.draw(st.sampled_from([0.0, 0.5, 20.0, 3_000.0, 1e9]), "offered")
    good = token(tokens, decimals, asset)
    reason, quoted, bought = naive.buy(market, good, kept[asset], said(float(reserves)), said(offered))
    sale = rg.buy_collateral(done.after, "comet", asset, base=offered)
    assert sale.refused == reason
    assert close(sale.quoted, quoted)
    assert close(sale.bought, bought)
    assert close(sale.reserves_after, reserves + (0 if reason else said(offered)))


@settings(max_examples=15)
@given(markets())
def test_nothing_is_lost_between_accounts_and_protocol(drawn):
    accounts, tokens, decimals, base, protocol = drawn
    done = rg.liquidate(book(accounts, tokens, decimals, base, **protocol), "comet", list(accounts)[::-1])
    amounts = [snap.positions.groupby(["asset"])["amount"].sum() for snap in (done.before, done.after)]
    for asset in tokens:
        assert amounts[1].get(asset, 0.0) == pytest.approx(amounts[0].get(asset, 0.0), rel=1e-12)
    usd = done.steps[["seized_usd", "base_paid_out", "bonus_usd", "bad_debt_usd"]].sum()
    assert usd["bonus_usd"] - usd["bad_debt_usd"] == pytest.approx(
        usd["seized_usd"] - usd["base_paid_out"] * base, rel=1e-9, abs=1e-6
    )


def test_whole_books_in_floats_are_the_single_calls():
    pledged = {"ETH": 10.0, "LINK": 100.0}
    accounts = {name: (pledged, debt) for name, debt in (("ann", 18_000.0), ("bob", 17_000.0), ("cat", 23_000.0))}
    snap = book(accounts, decimals={"ETH": 18, "LINK": 18, "USDC": 6}, base_supply_index=1.046288263042456)
    single = rg.liquidate(snap, "comet", ["cat", "bob", "ann"]).steps
    ledger = Ledger(snap, 0, CompoundV3(), np.arange(3), exact=False)
    nothing = np.full(3, np.nan)
    ledger.rule.carry_out(ledger, Request(np.array([2, 1, 0]), np.full(3, -1), np.full(3, -1), nothing, nothing))
    whole = pd.concat([pd.DataFrame(step) for step in ledger.steps])
    assert whole["refused"].tolist() == single["refused"].tolist() == ["", "NotLiquidatable", ""]
    for name in ("health_before", "base_paid_out", "surplus", "seized_usd", "bad_debt_usd", "reserves"):
        assert whole[name].tolist() == pytest.approx(single[name].tolist(), rel=1e-12), name
