"""Maker by hand (holes, dust, the falling price, who gets what), then against a plain reading of the contracts."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riskgraph as rg
from riskgraph.margin.dutch_auction import Auction, AuctionTerms
from riskgraph.margin.ledger import Ledger, Request
from riskgraph.margin.rules.maker import Maker
from tests.naive import auctions as naive

ILK = {"liquidation_ratio": 1.5, "chop": 1.1, "buf": 1.2, "cut": 0.9, "step": 100.0, "hole": 1e6}


def book(vaults: dict, ilks: dict | None = None, prices: dict | None = None, decimals=None, **system) -> rg.Snapshot:
    """``vaults``: account -> (collateral asset, ink, debt); ``ilks``: collateral asset -> its terms."""
    ilks = ilks or {"ETH": ILK}
    prices = {"ETH": 1_000.0, "DAI": 1.0} | (prices or {})
    rows = [
        (name, asset, side, amount)
        for name, (asset, ink, debt) in vaults.items()
        for asset, side, amount in ((asset, "collateral", ink), ("DAI", "debt", debt))
    ]
    positions = pd.DataFrame(rows, columns=["account", "asset", "side", "amount"]).assign(protocol="maker")
    assets = pd.DataFrame({"asset": list(prices), "price": list(prices.values()), "decimals": decimals})
    return rg.Snapshot(
        positions,
        assets.astype({"decimals": float}),
        pd.DataFrame([{"protocol": "maker", "rule": "maker", **system}]),
        pd.DataFrame([{"protocol": "maker", "asset": name, **terms} for name, terms in ilks.items()]),
    )


def held(snap: rg.Snapshot) -> dict:
    """Everything that stands at an amount above 0, by account, side and asset."""
    frame = snap.positions[snap.positions["amount"] > 0.0]
    return {tuple(key): amount for *key, amount in frame[["account", "side", "asset", "amount"]].to_numpy().tolist()}


def last(done: rg.Liquidated) -> dict:
    return done.steps.iloc[-1].to_dict()


# -- solved by hand ---------------------------------------------------------------------------------------------------


def test_three_vaults_and_a_hole():
    """Room for 16,500 of tab at a penalty of 10 %, so 15,000 of debt: ann's 9,000, then 6,000 of bob's 20,000."""
    snap = book(
        {"ann": ("ETH", 12.0, 9_000.0), "bob": ("ETH", 25.0, 20_000.0), "cat": ("ETH", 15.0, 10_000.0)},
        {"ETH": ILK | {"liquidation_ratio": 1.6, "tip": 50.0, "chip": 0.01, "dust": 1_000.0}},
        hole=16_500.0,
        reserve_usd=200.0,
    )
    done = rg.liquidate(snap, "maker", ["ann", "bob", "cat"])
    steps = done.steps.set_index("account")
    assert steps["refused"].to_dict() == {"ann": "", "bob": "", "cat": "liquidation-limit-hit"}
    assert steps["liquidatable"].to_dict() == {"ann": True, "bob": True, "cat": True}  # 1,000 / 1.6 · 15 = 9,375
    assert steps["repaid"].tolist() == [9_000.0, 6_000.0, 0.0]
    assert steps["seized"].tolist() == [12.0, 7.5, 0.0]  # 25 · 6 / 20
    assert steps["tab"].tolist() == [9_900.0, 6_600.0, 0.0]
    assert steps["top"].tolist() == [1_200.0, 1_200.0, 0.0]
    assert steps["keeper_pay"].tolist() == [149.0, 116.0, 0.0]
    assert steps["health_before"].tolist() == pytest.approx([0.8333333333333334, 0.78125, 0.9375])
    assert steps["health_after"].tolist() == pytest.approx([np.inf, 0.78125, 0.9375])  # 17.5 against 14,000
    assert held(done.after) == {
        ("maker", "deposit", "ETH"): 19.5,
        ("bob", "collateral", "ETH"): 17.5,
        ("bob", "debt", "DAI"): 14_000.0,
        ("cat", "collateral", "ETH"): 15.0,
        ("cat", "debt", "DAI"): 10_000.0,
    }
    system = done.after.protocols.iloc[0]
    assert (system["dirt"], system["reserve_usd"], system["deficit_usd"]) == (16_500.0, 0.0, 65.0)  # 200 − 265
    assert done.after.markets.set_index("asset").loc["ETH", "dirt"] == 16_500.0
    auctions = done.auctions.set_index("account")
    assert auctions["auction"].to_dict() == {"ann": 1, "bob": 2}
    assert auctions["state"].to_dict() == {"ann": "open", "bob": "open"}

    # 250 seconds later the price is 1,200 · .9² = 972; 5 ETH of bob's lot bring 4,860, which makes room again
    sold = rg.auction_take(done, "bob", seconds=250, amount=5.0)
    assert (last(sold)["paid"], last(sold)["tab_left"], last(sold)["lot_left"]) == (4_860.0, 1_740.0, 2.5)
    assert sold.after.protocols["dirt"].iloc[0] == 11_640.0
    assert last(sold)["bonus_usd"] == 5.0 * (1_000.0 - 972.0)
    # the next buyer wants all of it: 1,740 / 972 = 1.790123 ETH pay the rest, .709877 ETH are bob's again
    sold = rg.auction_take(sold, "bob", seconds=299)
    assert last(sold)["bought"] == pytest.approx(1_740.0 / 972.0)
    assert last(sold)["returned"] == pytest.approx(2.5 - 1_740.0 / 972.0)
    assert sold.auctions.set_index("account")["state"].to_dict() == {"ann": "open", "bob": "closed"}
    assert held(sold.after)["bob", "deposit", "ETH"] == pytest.approx(0.709876543)
    assert held(sold.after)["bob", "collateral", "ETH"] == 17.5  # what comes back does not stand against the debt
    assert held(sold.after)["maker", "deposit", "ETH"] == 12.0
    system = sold.after.protocols.iloc[0]
    assert (system["dirt"], system["reserve_usd"], system["deficit_usd"]) == (9_900.0, 535.0, 0.0)  # −65 + 600
    # ann's is sold late, at 1,200 · .9⁶ = 637.7292: 12 ETH bring 7,652.75, and 1,347.25 of 9,000 are lost
    sold = rg.auction_take(sold, "ann", seconds=600)
    assert (last(sold)["price"], last(sold)["written_off"]) == (637.7292, True)
    assert last(sold)["bad_debt"] == last(sold)["bad_debt_usd"] == pytest.approx(9_000.0 - 7_652.7504)
    assert sold.auctions.set_index("account").loc["ann", ["tab", "lot"]].tolist() == pytest.approx([2_247.2496, 0.0])
    system = sold.after.protocols.iloc[0]
    assert (system["dirt"], system["reserve_usd"]) == (0.0, 0.0)
    assert system["deficit_usd"] == pytest.approx(9_000.0 - 7_652.7504 - 535.0)
    assert ("maker", "deposit", "ETH") not in held(sold.after)
    assert sold.steps["call"].tolist() == [1, 2, 3, 4, 5, 6]
    assert rg.auction_take(sold, "ann", seconds=700).steps["refused"].iloc[-1] == "not-running-auction"


def test_what_a_vault_may_not_be_left_with():
    """Debt 10,000, dust 4,000, at most as much debt as there is room for: either all goes, or 4,000 on both sides."""
    vault = {"ann": ("ETH", 12.0, 10_000.0)}
    dusty = "dusty-auction-from-partial-liquidation"
    for hole, reason, due in (
        (7_800.0, "", 10_000.0),  # room for 7,000 would leave 3,000
        (6_700.0, "", 6_000.0),
        (4_500.0, "", 4_000.0),
        (4_499.0, dusty, 0.0),
        (100.0, "liquidation-limit-hit", 0.0),
    ):
        terms = {"ETH": ILK | {"dust": 4_000.0, "hole": hole, "dirt": 100.0}}
        quote = rg.liquidation_quote(book(vault, terms), "ann", "maker")
        assert (quote.refused, quote.liquidatable) == (reason, True)
        assert (quote.repaid, quote.seized) == (due, 12.0 * due / 10_000.0)


def test_the_global_hole_counts_what_all_markets_have_in_auction():
    ilks = {"ETH": ILK | {"dirt": 4_000.0}, "BTC": ILK | {"dirt": 5_000.0}}
    vaults = {"ann": ("ETH", 12.0, 10_000.0)}
    snap = book(vaults, ilks, {"BTC": 20_000.0}, hole=10_100.0)
    assert rg.liquidation_quote(snap, "ann", "maker").more["tab"] == pytest.approx(1_100.0)
    snap = book(vaults, ilks, {"BTC": 20_000.0}, hole=10_100.0, dirt=7_900.0)  # what is given goes before their sum
    assert rg.liquidation_quote(snap, "ann", "maker").more["tab"] == pytest.approx(2_200.0)
    assert rg.liquidate(snap, "maker", ["ann"]).after.protocols["dirt"].iloc[0] == pytest.approx(10_100.0)


def test_health_of_exactly_one_is_safe_and_par_is_what_a_unit_of_debt_counts_for():
    safe = book({"ann": ("ETH", 15.0, 10_000.0)}, prices={"DAI": 1.05})
    quote = rg.liquidation_quote(safe, "ann", "maker")
    assert (quote.health_before, quote.liquidatable, quote.refused) == (1.0, False, "not-unsafe")
    unsafe = book({"ann": ("ETH", 15.0, 10_000.0001)}, prices={"DAI": 0.5})
    quote = rg.liquidation_quote(unsafe, "ann", "maker")
    assert (quote.liquidatable, quote.refused, quote.repaid_usd) == (True, "", 10_000.0001)
    own_par = book({"ann": ("ETH", 15.0, 10_000.0001)}, {"ETH": ILK, "DAI": {"price": 0.9}}, {"DAI": 0.5})
    assert rg.liquidation_quote(own_par, "ann", "maker").health_before == pytest.approx(10_000.0 / 9_000.00009)


def test_what_is_worth_nothing_or_not_there():
    worthless = book({"ann": ("ETH", 15.0, 10_000.0)}, prices={"ETH": 0.0})
    assert rg.liquidation_quote(worthless, "ann", "maker").refused == "not-unsafe"  # the contract asks for spot > 0
    empty = book({"ann": ("ETH", 0.0, 10_000.0)})
    quote = rg.liquidation_quote(empty, "ann", "maker")
    assert (quote.liquidatable, quote.refused) == (True, "null-auction")
    bare = rg.Snapshot(
        pd.DataFrame({"account": ["ann"], "protocol": ["maker"], "asset": ["DAI"], "side": ["debt"], "amount": [5.0]}),
        pd.DataFrame({"asset": ["DAI"], "price": [1.0]}),
        pd.DataFrame({"protocol": ["maker"], "rule": ["maker"]}),
    )
    assert rg.liquidation_quote(bare, "ann", "maker").refused == "null-auction"


def test_the_least_tab_that_a_purchase_may_leave():
    """Tab 11,000, chost 4,400, price 1,200: 6 ETH would leave 3,800, so 6,600 are paid; then it is all or nothing."""
    snap = book({"ann": ("ETH", 12.0, 10_000.0)}, {"ETH": ILK | {"dust": 4_000.0, "hole": 11_000.0}})
    done = rg.liquidate(snap, "maker", ["ann"])
    less = rg.auction_take(done, "ann", seconds=0, amount=5.5)
    assert (last(less)["bought"], last(less)["tab_left"]) == (5.5, 4_400.0)
    cut = rg.auction_take(done, "ann", seconds=0, amount=6.0)
    assert (last(cut)["bought"], last(cut)["paid"], last(cut)["tab_left"]) == (5.5, 6_600.0, 4_400.0)
    refused = rg.auction_take(cut, "ann", seconds=0, amount=1.0)
    assert (last(refused)["refused"], last(refused)["paid"]) == ("no-partial-purchase", 0.0)
    assert last(rg.auction_take(cut, "ann", seconds=0, amount=0.0))["refused"] == ""  # 4,400 stay, which is not less
    assert refused.after is cut.after
    assert held(refused.after)["maker", "deposit", "ETH"] == 6.5
    whole = rg.auction_take(refused, "ann", seconds=0, amount=100.0)
    assert (last(whole)["paid"], last(whole)["bought"]) == (4_400.0, pytest.approx(4_400.0 / 1_200.0))
    assert held(whole.after) == {("ann", "deposit", "ETH"): pytest.approx(6.5 - 4_400.0 / 1_200.0)}


@pytest.mark.parametrize(
    ("terms", "seconds", "price", "reset"),
    [
        ({"cut": 0.9, "step": 100.0}, 99, 1_200.0, 900),  # .9⁸ = .43, .9⁹ = .387 below .4
        ({"cut": 0.9, "step": 100.0}, 100, 1_080.0, 900),
        ({"auction_price": "linear", "tau": 1_000.0}, 250, 900.0, 601),
        ({"auction_price": "exponential", "cut": 0.99}, 2, 1_176.12, 92),  # .99⁹¹ = .4007
        ({"cut": 1.0, "step": 1.0, "tail": 500.0}, 500, 1_200.0, 501),
    ],
)
def test_how_prices_fall_and_when_an_auction_must_be_started_again(terms, seconds, price, reset):
    done = rg.liquidate(book({"ann": ("ETH", 12.0, 10_000.0)}, {"ETH": ILK | terms}), "maker", ["ann"])
    step = last(rg.auction_take(done, "ann", seconds=seconds, amount=1.0))
    assert (step["refused"], step["price"], step["paid"]) == ("", pytest.approx(price), pytest.approx(price))
    assert last(rg.auction_take(done, "ann", seconds=reset - 1, amount=1.0))["refused"] == ""
    refused = rg.auction_take(done, "ann", seconds=reset, amount=1.0)
    assert (last(refused)["refused"], refused.auctions["state"].iloc[0]) == ("needs-reset", "open")
    assert refused.auctions["seconds"].iloc[0] == reset


def test_a_named_liquidator_is_paid_and_pays():
    snap = book({"ann": ("ETH", 12.0, 10_000.0)}, {"ETH": ILK | {"tip": 100.0}})
    wallet = pd.DataFrame([{"account": "kim", "protocol": "", "asset": "DAI", "side": "wallet", "amount": 500.0}])
    snap = snap.replace(positions=pd.concat([snap.positions, wallet]))
    done = rg.liquidate(snap, "maker", ["ann"], liquidator="kim")
    assert held(done.after)["kim", "wallet", "DAI"] == 600.0
    sold = rg.auction_take(done, "ann", seconds=0, amount=0.25, liquidator="kim")
    assert held(sold.after)["kim", "wallet", "DAI"] == 300.0
    assert held(sold.after)["kim", "wallet", "ETH"] == 0.25
    with pytest.raises(rg.InputError, match="wallet of kim that holds what the calls take, got 900 DAI too little"):
        rg.auction_take(sold, "ann", seconds=0, amount=1.0, liquidator="kim")


def test_several_vaults_of_one_account_stand_in_buckets():
    rows = [
        ("ann", "v1", "ETH", "collateral", 12.0),
        ("ann", "v1", "DAI", "debt", 10_000.0),
        ("ann", "v2", "ETH", "collateral", 14.0),
        ("ann", "v2", "DAI", "debt", 12_000.0),
    ]
    positions = pd.DataFrame(rows, columns=["account", "bucket", "asset", "side", "amount"]).assign(protocol="maker")
    snap = book({"bob": ("ETH", 1.0, 1.0)}).replace(positions=positions)
    done = rg.liquidate(snap, "maker", ["ann", "ann"], buckets=["v1", "v2"])
    assert done.auctions["bucket"].tolist() == ["v1", "v2"]
    with pytest.raises(rg.InputError, match=r"auction: expected which of the open ones of ann is meant \(1, 2\)"):
        rg.auction_take(done, "ann", seconds=0)
    sold = rg.auction_take(done, "ann", seconds=0, auction=1)
    back = sold.after.positions.query("account == 'ann' and side == 'deposit'")
    assert back[["bucket", "asset"]].to_numpy().tolist() == [["v1", "ETH"]]
    assert back["amount"].iloc[0] == pytest.approx(12.0 - 11_000.0 / 1_200.0)
    assert last(rg.auction_take(sold, "ann", seconds=0))["auction"] == 2  # the only one that is open
    with pytest.raises(rg.InputError, match=r"auction: expected one of ann \(1, 2\), got 3"):
        rg.auction_take(sold, "ann", seconds=0, auction=3)
    cross = pd.DataFrame({"account": "ann", "protocol": "maker", "asset": ["ETH", "BTC", "DAI"],
                          "side": ["collateral", "collateral", "debt"], "amount": [1.0, 1.0, 1e6]})  # fmt: skip
    merged = book({"bob": ("ETH", 1.0, 1.0)}, {"ETH": ILK, "BTC": ILK}, {"BTC": 1.0}).replace(positions=cross)
    with pytest.raises(rg.InputError, match=r"vaults of one collateral each at maker .* got several for ann"):
        rg.liquidation_quote(merged, "ann", "maker")


def test_bad_input_is_named():
    snap = book({"ann": ("ETH", 12.0, 10_000.0), "bob": ("ETH", 20.0, 10_000.0)})
    done = rg.liquidate(snap, "maker", ["ann", "bob"])
    later = rg.auction_take(done, "ann", seconds=50, amount=1.0)
    for message, made, call in (
        ("account: expected an account whose collateral went to auction, got 'bob'", done, {"account": "bob"}),
        ("seconds: expected a whole number of at least 50", later, {"seconds": 49}),
        ("seconds: expected a whole number of at least 0, .* got 1.5", done, {"seconds": 1.5}),
        ("seconds: expected amounts of at least 0", done, {"seconds": -1}),
        ("amount: expected amounts of at least 0", done, {"amount": -1.0}),
        ("amount: expected amounts of at least 0", done, {"amount": float("nan")}),
        ("liquidator: expected an account of the snapshot, got 'kim'", done, {"liquidator": "kim"}),
        ("liquidated: expected what rg.liquidate gives, got Snapshot", snap, {}),
    ):
        with pytest.raises(rg.InputError, match=message):
            rg.auction_take(made, **({"account": "ann", "seconds": 0} | call))
    with pytest.raises(rg.InputError, match=r"repay: expected what a call under rule maker can be asked for"):
        rg.liquidation_quote(snap, "ann", "maker", repay=1.0)
    for shape, name in (("linear", "tau"), ("exponential", "cut")):
        terms = {key: value for key, value in ILK.items() if key != "cut"} | {"auction_price": shape}
        done = rg.liquidate(book({"ann": ("ETH", 12.0, 10_000.0)}, {"ETH": terms}), "maker", ["ann"])
        with pytest.raises(rg.InputError, match=f"markets.{name}: expected a value where auction_price is {shape}"):
            rg.auction_take(done, "ann", seconds=0)


# -- against a plain reading of the contracts -------------------------------------------------------------------------


def said(number: float) -> Fraction:
    """The decimal that a float stands for."""
    return Fraction(repr(float(number)))


def close(found, expected) -> bool:
    """Equal to 1e-9, or to a smallest unit of what the contract counts in."""
    return abs(Fraction(float(found)) - expected) <= max(abs(expected) * Fraction(1, 10**9), Fraction(1, 10**17))


SHAPES = st.sampled_from(
    [
        {"auction_price": "stairstep", "cut": 0.95, "step": 60.0},
        {"auction_price": "stairstep", "cut": 0.5, "step": 7.0},
        {"auction_price": "linear", "tau": 600.0},
        {"auction_price": "exponential", "cut": 0.995},
    ]
)
LIMITS = {"tail": st.sampled_from([0.0, 300.0, 8_400.0]), "cusp": st.sampled_from([0.0, 0.25, 0.5])}


@settings(max_examples=400)
@given(data=st.data(), digits=st.booleans(), shape=SHAPES)
def test_purchases_one_after_another_are_those_of_the_contract(data, digits, shape):
    limits = {name: data.draw(values, name) for name, values in LIMITS.items()}
    dust = data.draw(st.sampled_from([0.0, 10.0, 900.0, 2_000.0]), "dust")
    top = said(data.draw(st.sampled_from([1e-12, 0.37, 1_200.0, 1e9]), "top"))
    tab = said(data.draw(st.integers(1, 4_000), "tab") / 4)
    worth = said(data.draw(st.sampled_from([0.3, 1.0, 1.25, 7.0]), "worth"))
    lot = naive.cut_to(tab * worth / top, 18) + Fraction(1, 10**18)
    terms = {name: said(shape[name]) if name in shape else np.nan for name in ("cut", "step", "tau")}
    rules = AuctionTerms(
        shape["auction_price"],
        **terms,
        tail=said(limits["tail"]),
        cusp=said(limits["cusp"]),
        chost=said(dust) * said(1.13),
    )
    ours = Auction(1, "ann", "maker", "", "DAI", "ETH", top, lot, tab, tab / said(1.13), digits)
    theirs = {"top": top, "lot": lot, "tab": tab}
    curve = {"how": shape["auction_price"], **terms, "tail": said(limits["tail"]), "cusp": said(limits["cusp"])}
    curve |= {"dust": said(dust), "chop": said(1.13)}
    seconds = 0
    for _ in range(data.draw(st.integers(1, 4), "purchases")):
        seconds += data.draw(st.sampled_from([0, 1, 59, 60, 299, 300, 301]), "seconds")
        asked = data.draw(st.sampled_from([None, 0, Fraction(1, 10), Fraction(1, 2), Fraction(9, 10), 1, 3]), "asked")
        amount = None if asked is None else naive.cut_to(asked * theirs["lot"], 18)
        reason, price, paid, bought, back = naive.take(theirs, curve, seconds, amount, digits)
        made = rules.take(ours, seconds, np.inf if amount is None else amount)
        assert made.refused == reason
        if not reason or reason == "no-partial-purchase":
            assert close(made.price, price)
        assert close(made.paid, paid)
        assert close(made.bought, bought)
        assert close(made.returned, back)
        assert close(made.auction.lot, theirs["lot"])
        assert close(made.auction.tab, theirs["tab"])
        assert made.auction.paid + made.auction.tab == tab
        assert made.auction.bought + made.auction.returned + made.auction.lot == lot
        ours = made.auction


PRICES = {"ETH": [1e-12, 20.0, 1_000.0, 1e9], "BTC": [0.5, 40_000.0]}


@st.composite
def vaults(draw):
    """Ilks with prices and terms, vaults around their liquidation ratio, and the order in which they are called."""
    ilks, prices = {}, {}
    for name, choices in PRICES.items():
        prices[name] = draw(st.sampled_from(choices))
        ilks[name] = {
            "rate": draw(st.sampled_from([1.0, 1.0175, 1.25])),
            "liquidation_ratio": draw(st.sampled_from([1.3, 1.45, 1.5])),
            "chop": draw(st.sampled_from([1.0, 1.13])),
            "dust": draw(st.sampled_from([0.0, 5.0, 400.0])),
            "hole": draw(st.sampled_from([0.0, 300.0, 1_100.0, 1e6])),
            "dirt": draw(st.sampled_from([0.0, 100.0, 300.0])),
            "buf": 1.2,
            "tip": draw(st.sampled_from([0.0, 3.0])),
            "chip": draw(st.sampled_from([0.0, 0.001])),
        }
    held = {}
    for name in ("ann", "bob", "cat", "dan")[: draw(st.integers(1, 4))]:
        ilk = draw(st.sampled_from(list(ilks)))
        debt = draw(st.sampled_from([0.01, 4.0, 400.0, 777.77, 1_000.0]))
        health = draw(st.sampled_from([0.0, 0.4, 0.99, 1.0, 1.0, 1.01]))
        ink = float(said(debt) * said(health) * said(ilks[ilk]["liquidation_ratio"]) / said(prices[ilk]))
        held[name] = (ilk, ink, debt)
    order = draw(st.lists(st.sampled_from(list(held)), min_size=1, max_size=6))
    return held, ilks, prices, draw(st.sampled_from([250.0, 900.0, 1e6])), order


@settings(max_examples=40)
@given(vaults(), st.booleans())
def test_auctions_start_as_the_contract_starts_them(drawn, digits):
    held_by, ilks, prices, hole, order = drawn
    snap = book(held_by, ilks, prices, 18 if digits else None, hole=hole)
    system = {"hole": said(hole), "dirt": sum(said(ilk["dirt"]) for ilk in ilks.values())}
    terms = {
        name: {key: said(value) for key, value in ilk.items()}
        | {"price": said(prices[name]), "mat": said(ilk["liquidation_ratio"])}
        for name, ilk in ilks.items()
    }
    left = {name: {"ink": said(ink), "debt": said(debt)} for name, (_, ink, debt) in held_by.items()}
    done = rg.liquidate(snap, "maker", order)
    total, coins, number = {name: Fraction(0) for name in ilks}, Fraction(0), 0
    for name, (_, step) in zip(order, done.steps.iterrows(), strict=True):
        ilk = held_by[name][0]
        reason, auction = naive.bark(system, terms[ilk], left[name], digits)
        assert (step["refused"], step["liquidatable"]) == (reason, reason != "not-unsafe")
        if reason:
            assert (step["repaid"], step["seized"], step["keeper_pay"], step["auction"]) == (0.0, 0.0, 0.0, 0)
            continue
        number += 1
        coins += auction["coin"]
        total[ilk] += auction["lot"]
        assert step["auction"] == number
        for ours, theirs in (
            ("repaid", "due"),
            ("seized", "lot"),
            ("tab", "tab"),
            ("top", "top"),
            ("keeper_pay", "coin"),
        ):
            assert close(step[ours], auction[theirs]), ours
    rows = done.after.positions.set_index(["account", "side", "asset"])["amount"]
    for name, (ilk, ink, debt) in held_by.items():
        assert close(rows[name, "collateral", ilk], left[name]["ink"]) or abs(
            said(rows[name, "collateral", ilk]) - left[name]["ink"]
        ) <= said(ink) * Fraction(1, 10**15)
        assert abs(said(rows[name, "debt", "DAI"]) - left[name]["debt"]) <= said(debt) * Fraction(1, 10**15)
    for ilk, amount in total.items():
        assert close(rows.get(("maker", "deposit", ilk), 0.0), amount)
        assert close(done.after.markets.set_index("asset").loc[ilk, "dirt"], terms[ilk]["dirt"])
    if number:
        assert close(done.after.protocols["dirt"].iloc[0], system["dirt"])
    assert close(np.nan_to_num(done.after.protocols["deficit_usd"].astype(float).iloc[0]), coins)


@settings(max_examples=15)
@given(vaults(), st.data())
def test_nothing_is_lost_between_vaults_auctions_buyers_and_the_system(drawn, data):
    held_by, ilks, prices, hole, order = drawn
    done = rg.liquidate(book(held_by, ilks, prices, hole=hole), "maker", order)
    start = done.before.positions.groupby("asset")["amount"].sum()
    sold, gains = dict.fromkeys(ilks, 0.0), -done.steps["keeper_pay"].sum()
    seconds = 0
    for _ in range(data.draw(st.integers(1, 3), "purchases")):
        running = done.auctions[done.auctions["state"] == "open"]
        if running.empty:
            break
        one = running.iloc[data.draw(st.integers(0, len(running) - 1), "which")]
        seconds += data.draw(st.sampled_from([0, 90, 900]), "seconds")
        amount = data.draw(st.sampled_from([None, one["lot"] / 3]), "amount")
        done = rg.auction_take(done, one["account"], seconds=seconds, amount=amount, auction=int(one["auction"]))
        sold[one["collateral_asset"]] += last(done)["bought"]
    end = done.after.positions.groupby("asset")["amount"].sum()
    for ilk in set(ilks) & set(start.index):
        assert end[ilk] + sold[ilk] == pytest.approx(start[ilk], rel=1e-12)
    auctions, system = done.auctions, done.after.protocols.iloc[0]
    over = auctions[auctions["state"] == "closed"]
    gains += (over["paid"] - over["due"]).sum()
    stands = np.nan_to_num(float(system["reserve_usd"])) - np.nan_to_num(float(system["deficit_usd"]))
    assert stands == pytest.approx(gains, rel=1e-9, abs=1e-9)
    treasury = done.after.positions.query("account == 'maker'").set_index("asset")["amount"]
    for ilk in treasury.index:
        still = auctions[(auctions["collateral_asset"] == ilk) & (auctions["state"] == "open")]["lot"].sum()
        assert treasury[ilk] == pytest.approx(still, rel=1e-15)


def test_whole_books_in_floats_are_the_single_calls():
    snap = book(
        {"ann": ("ETH", 12.0, 9_000.0), "bob": ("ETH", 25.0, 20_000.0), "cat": ("ETH", 15.0, 9_000.0)},
        {"ETH": ILK | {"rate": 1.03, "tip": 50.0, "chip": 0.01, "dust": 1_000.0}},
        decimals=18,
        hole=16_500.0,
    )
    single = rg.liquidate(snap, "maker", ["cat", "ann", "bob"]).steps
    ledger = Ledger(snap, 0, Maker(), np.arange(3), exact=False)
    nothing = np.full(3, np.nan)
    ledger.rule.carry_out(ledger, Request(np.array([2, 0, 1]), np.full(3, -1), np.full(3, -1), nothing, nothing))
    whole = pd.concat([pd.DataFrame(step) for step in ledger.steps])
    assert whole["refused"].tolist() == single["refused"].tolist() == ["not-unsafe", "", ""]
    for name in ("health_before", "health_after", "repaid", "seized", "tab", "top", "keeper_pay"):
        assert whole[name].tolist() == pytest.approx(single[name].tolist(), rel=1e-12), name
    lots = [float(one.lot) for one in ledger.auctions]
    assert lots == pytest.approx(single["seized"].tolist()[1:], rel=1e-12)
