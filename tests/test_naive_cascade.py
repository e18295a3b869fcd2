"""The oracle of cascades against numbers solved by hand (METHODS 5.3 and 5.7)."""

from __future__ import annotations

import math

import pandas as pd
import pytest

import riskgraph as rg
from tests.cascade_books import RULES, random_book
from tests.naive import calls, liquidation, pair_turns
from tests.naive.cascade import cascade
from tests.naive.cascade_book import Book, tables_of
from tests.naive.moving_prices import moves_of
from tests.naive.price_impact import average, curve_of, furthest, g


def near(value, rel=1e-13):
    return pytest.approx(value, rel=rel, abs=1e-12)


def toy(**liquidity):
    """100 ETH at 1 against a debt of 78; METHODS 5.7."""
    return rg.Snapshot(
        positions=pd.DataFrame({
            "account": ["ann", "ann"], "protocol": "lend", "asset": ["ETH", "USD"], "side": ["collateral", "debt"],
            "amount": [100.0, 78.0]}),
        assets=pd.DataFrame({"asset": ["ETH", "USD"], "price": [1.0, 1.0]}),
        protocols=pd.DataFrame({"protocol": ["lend"], "rule": ["lending"], "close_factor": [0.5]}),
        markets=pd.DataFrame({
            "protocol": ["lend"], "asset": ["ETH"], "liquidation_threshold": [0.85], "liquidation_bonus": [0.05]}),
        liquidity=pd.DataFrame({"asset": ["ETH"], "model": ["linear"], "depth_usd": [1000.0], **liquidity}),
    )  # fmt: skip


def test_toy_of_methods():
    done = cascade(tables_of(toy()), {"ETH": -0.1}, calls=False)
    first = done["rounds"][0]
    assert first["repaid_usd"] == near(39)
    assert first["seized_usd"] == near(45.5 * 0.9)
    assert first["sold_usd"] == {"ETH": near(45.5 * 0.879525)}
    assert [prices["ETH"] for prices in done["prices"][:3]] == [1.0, 0.9, near(0.85905)]
    assert done["holdings"]["ann", "lend", "", "ETH", "collateral"] == near(54.5)
    assert done["holdings"]["ann", "lend", "", "USD", "debt"] == near(39)
    assert len(done["rounds"]) == 2, "health is 1.0202 then"
    start, end = done["wealth"]["start"], done["wealth"]["end"]
    assert end["liquidators"] - start["liquidators"] == near(1.0183875)
    assert end["borrowers"] - start["borrowers"] == near(-14.181775)
    assert done["amplification"] == near((14.181775 - 1.0183875) / 10)
    assert done["bad_debt_usd"] == 0
    assert near(1.0203972, 1e-7) == 54.5 * 0.85905 * 0.85 / 39


def wallet_of_three(**protocols):
    """A (180, .8, 150), B (270, .75, 210), C (360, .9, 200) and a wallet of 30 USDC; METHODS 5.3."""
    venues = {"A": (180.0, 0.8, 150.0), "B": (270.0, 0.75, 210.0), "C": (360.0, 0.9, 200.0)}
    rows = [("ann", "", "USDC", "wallet", 30.0)]
    for name, (pledged, _, owed) in venues.items():
        rows += [("ann", name, "GOLD", "collateral", pledged), ("ann", name, "USDC", "debt", owed)]
    return rg.Snapshot(
        positions=pd.DataFrame(rows, columns=["account", "protocol", "asset", "side", "amount"]),
        assets=pd.DataFrame({"asset": ["GOLD", "USDC"], "price": [1.0, 1.0]}),
        protocols=pd.DataFrame({"protocol": list(venues), "rule": "lending", "call_level": 1.1, **protocols}),
        markets=pd.DataFrame({
            "protocol": list(venues), "asset": "GOLD",
            "liquidation_threshold": [threshold for _, threshold, _ in venues.values()]}),
    )  # fmt: skip


A, B, C = (("ann", name, "") for name in "ABC")


def test_calls_of_methods():
    told = calls.margin_calls(tables_of(wallet_of_three()))
    assert list(told) == [A, B]
    assert [told[one]["required_usd"] for one in (A, B)] == near([21 / 1.1, 28.5 / 1.1])
    assert [round(told[one]["required_usd"], 4) for one in (A, B)] == [19.0909, 25.9091]
    assert [told[one]["wallet_usd"] for one in (A, B)] == near([30 * 21 / 49.5, 30 * 28.5 / 49.5])
    assert [round(told[one]["wallet_usd"], 4) for one in (A, B)] == [12.7273, 17.2727]
    assert [told[one]["elsewhere_usd"] for one in (A, B)] == near([8.75, 38 / 3])
    assert [told[one]["unmet_usd"] for one in (A, B)] == [0, 0]
    assert [told[one]["after"] for one in (A, B)] == near([1.1, 1.1])


def test_the_donor_of_methods_stays_healthy():
    done = cascade(tables_of(wallet_of_three(topup="first")), {}, topup="first")
    pledged = done["holdings"]["ann", "C", "", "GOLD", "collateral"]
    assert pledged == near(360 - 8.75 - 38 / 3)
    assert pledged * 0.9 / 200 == near(1.523625)
    assert done["holdings"]["ann", "", "", "USDC", "wallet"] == 0
    assert done["rounds"][0]["issued"] == 2
    assert done["rounds"][0]["paid_usd"] == near(30 + 8.75 + 38 / 3)
    assert not any(one["liquidated"] for one in done["rounds"])
    assert len(done["rounds"]) == 2


def test_an_order_of_protocols_serves_one_after_the_other():
    """B is served in full (25.9091) from the wallet, A gets the rest (4.0909) and 15 · 1.1 ÷ 0.8 of C's gold."""
    told = calls.margin_calls(tables_of(wallet_of_three()), call_sharing=["B"])
    assert told[B]["wallet_usd"] == near(28.5 / 1.1)
    assert told[A]["wallet_usd"] == near(30 - 28.5 / 1.1)
    assert told[A]["elsewhere_usd"] == near((21 - 1.1 * (30 - 28.5 / 1.1)) / 0.8)
    assert told[B]["elsewhere_usd"] == 0


def test_without_topup_the_liquidatable_are_liquidated_and_not_asked():
    done = cascade(tables_of(wallet_of_three()), {})
    assert done["rounds"][0]["liquidated"] == {A, B}
    assert done["rounds"][0]["paid_usd"] == 0
    assert done["rounds"][0]["issued"] == 0


def test_grace_holds_liquidation_back():
    """Poor ann: nothing to pay with; called in round 0, liquidated in round 2."""
    poor = wallet_of_three(grace_rounds=2.0).replace(positions=pd.DataFrame({
        "account": "ann", "protocol": "A", "asset": ["GOLD", "USDC"], "side": ["collateral", "debt"],
        "amount": [180.0, 150.0]}))  # fmt: skip
    done = cascade(tables_of(poor), {})
    assert [one["issued"] for one in done["rounds"][:3]] == [1, 0, 0]
    assert [one["expired"] for one in done["rounds"][:3]] == [0, 0, 1]
    assert [bool(one["liquidated"]) for one in done["rounds"][:3]] == [False, False, True]


def test_closeout_goes_up_to_the_call_level():
    """Health 1.04: one half is repaid (LT 0.8, no bonus), health then is (150 − 60)·0.8 ÷ … beyond 1.1."""
    snap = wallet_of_three().replace(positions=pd.DataFrame({
        "account": "ann", "protocol": "A", "asset": ["GOLD", "USDC"], "side": ["collateral", "debt"],
        "amount": [156.0, 120.0]}))  # fmt: skip
    let_be = cascade(tables_of(snap), {})
    assert not any(one["liquidated"] for one in let_be["rounds"])
    closed = cascade(tables_of(snap), {}, closeout=True)
    assert closed["holdings"][(*A, "USDC", "debt")] == near(60)
    assert closed["holdings"][(*A, "GOLD", "collateral")] == near(96)
    assert 96 * 0.8 / 60 > 1.1


@pytest.mark.parametrize("model", ["linear", "exponential", "constant_product", "square_root"])
def test_impact_of_the_table_in_methods(model):
    """The average from 0, the inverse, and the integral by adding up."""
    curve = curve_of([{"model": model, "depth_usd": 1.0}])
    own = {
        "linear": (lambda s: 1 - s / 2 if s <= 1 else 1 / (2 * s), lambda f: f),
        "exponential": (lambda s: -math.expm1(-s) / s, lambda f: -math.log(1 - f)),
        "constant_product": (lambda s: 1 / (1 + s / 2), lambda f: 2 * ((1 - f) ** -0.5 - 1)),
        "square_root": (lambda s: 1 - 2 / 3 * math.sqrt(0.1 * s), lambda f: f * f / 0.1),
    }[model]
    for s in (0.001, 0.3, 0.9, 1.7):
        assert average(curve, 0, s) == near(own[0](s))
        steps = [g(curve, 0.2 + (s - 0.2) * (at + 0.5) / 4000) for at in range(4000)]
        assert average(curve, 0.2, s) == near(sum(steps) / 4000, 1e-6)
        assert average(curve, -s, s) == near(1.0)
    for fall in (0.01, 0.1, 0.4):
        assert g(curve, own[1](fall)) == near(1 - fall)
    reach = furthest(curve, 0.1, 0.9, 3.0)
    assert average(curve, 0.1, reach) / g(curve, 0.1) == near(0.9)


def test_a_measured_table_that_is_a_linear_market():
    rows = [{"model": "table", "sold_usd": x, "price_fall": x / 2000, "price_kind": "average"} for x in (100.0, 200.0)]
    curve = curve_of(rows)
    assert curve["depth"] == near(1000)
    assert g(curve, 0.1) == near(0.9)
    assert average(curve, 0.0, 0.15) == near(1 - 0.075)
    assert g(curve, 0.25) == near(0.85 * (0.85 / 0.95))
    marginal = curve_of([{**row, "price_fall": 2 * row["price_fall"], "price_kind": "marginal"} for row in rows])
    assert [g(marginal, x) for x in (0.05, 0.15)] == near([0.95, 0.85])


def test_a_table_with_a_dent_takes_its_majorant():
    """Proceeds 90, 185 (a gain), 250: the corner at 100 lies under the chord 0 to 200."""
    sizes = [(100.0, 0.1), (200.0, 1 - 185 / 200), (300.0, 1 - 250 / 300)]
    curve = curve_of(
        [{"model": "table", "sold_usd": x, "price_fall": fall, "price_kind": "average"} for x, fall in sizes]
    )
    assert [x for x, _ in curve["points"]] == [0.0, 100.0, 250.0]
    assert [price for _, price in curve["points"]] == near([1.0, 0.925, 0.65])


def net_units(holdings):
    found = {}
    for key, units in holdings.items():
        sign = {"debt": -1, "long": 0, "short": 0}.get(key[4], 1)
        found[key[3]] = found.get(key[3], 0.0) + sign * units
    return found


@pytest.mark.parametrize("calls", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_units_are_conserved_in_random_books(seed, calls):
    case = random_book(seed, 25, calls=calls)
    done = cascade(tables_of(case.snap), case.shock, **case.options)
    start, end = net_units(Book(tables_of(case.snap)).hold), net_units(done["holdings"])
    for asset, units in start.items():
        kept = sum(part for (_, name), part in done["treasury"].items() if name == asset)
        after = end[asset] + kept + done["sold_units"].get(asset, 0.0) - done["forgiven"].get(asset, 0.0)
        assert after == pytest.approx(units, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_terms_are_read_as_the_package_reads_them(seed):
    """Health of every account, and the first call on every liquidatable one, at shocked prices."""
    case = random_book(seed, 20, others=("comet", "maker", "liquity1", "liquity2", "perps"))
    snap = case.snap.with_shock(case.shock)
    moves = moves_of(Book(tables_of(case.snap)), case.shock)
    book = Book(tables_of(snap))
    assert book.price0 == near({name: price * (1 + moves[name]) for name, price in tables_prices(case.snap).items()})
    told = rg.health(snap).set_index(["account", "protocol", "bucket"])["health"]
    for margin in book.margins():
        shown = {asset: book.price_there0(margin[1], asset) for asset in book.price0}
        assert calls.health(book, margin, shown) == near(told[margin], 1e-11)
        held = {side: book.rows(margin, side) for side in ("collateral", "debt")}
        if margin[1] not in RULES or not all(held.values()) or not pair_turns.liquidatable(book, margin, shown):
            continue
        account = pair_turns.account_of(book, margin, shown, held)
        pair = liquidation.largest(account.collaterals), liquidation.largest(account.debts)
        made = pair_turns.RULES[book.rule(margin[1])](account, *pair)
        quote = rg.liquidation_quote(snap, margin[0], margin[1], bucket=margin[2])
        assert (made.refused == "") == (quote.refused == "")
        if not made.refused:
            assert [float(made.repaid), float(made.seized)] == near([quote.repaid, quote.seized], 1e-11)


def tables_prices(snap):
    return dict(zip(snap.assets["asset"], snap.assets["price"], strict=True))
