"""Liquidation prices: solved by hand, published, against fractions tried one after another, and what must hold."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riskgraph as rg
from riskgraph.errors import InputError
from riskgraph.margin import sums
from tests.naive import prices as naive_prices
from tests.option_books import ROWS, dead
from tests.option_books import book as option_book

ASSETS = pd.DataFrame({"asset": ["BTC", "ETH", "USDC", "FREE"], "price": [20_000.0, 2_000.0, 1.0, 0.0]})
MARKETS = pd.DataFrame(
    {
        "protocol": "lend",
        "asset": ["BTC", "ETH", "USDC", "FREE"],
        "liquidation_threshold": [0.7, 0.8, 0.9, 0.5],
    }
)


def positions(*rows: tuple, **more) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["account", "protocol", "asset", "side", "amount"]).assign(**more)


def prices(snap: rg.Snapshot, asset: str) -> dict[str, tuple[float, str]]:
    frame = rg.liquidation_prices(snap, asset).astype({"direction": object})
    return {row.account: (row.price, row.direction) for row in frame.itertuples()}


def near(price: float, direction: str) -> tuple[object, str]:
    return (pytest.approx(price, rel=1e-12), direction)


NOTHING = (pytest.approx(math.nan, nan_ok=True), pytest.approx(math.nan, nan_ok=True))


def test_lending_by_hand():
    snap = rg.Snapshot(
        positions=positions(
            ("long", "lend", "ETH", "collateral", 10.0),  # 8 p = 12,000
            ("long", "lend", "USDC", "debt", 12_000.0),
            ("two", "lend", "ETH", "collateral", 10.0),  # 8 p + 14,000 = 20,000
            ("two", "lend", "BTC", "collateral", 1.0),
            ("two", "lend", "USDC", "debt", 20_000.0),
            ("short", "lend", "USDC", "collateral", 10_000.0),  # 9,000 = 2.5 p
            ("short", "lend", "ETH", "debt", 2.5),
            ("both", "lend", "ETH", "collateral", 10.0),  # 8 p = 2 p + 6,000
            ("both", "lend", "ETH", "debt", 2.0),
            ("both", "lend", "USDC", "debt", 6_000.0),
            ("down", "lend", "ETH", "collateral", 10.0),  # 8 p = 20,000: above today's price
            ("down", "lend", "USDC", "debt", 20_000.0),
            ("safe", "lend", "ETH", "collateral", 10.0),  # 8 p + 9,000 > 5,000 at every price
            ("safe", "lend", "USDC", "collateral", 10_000.0),
            ("safe", "lend", "USDC", "debt", 5_000.0),
            ("idle", "lend", "ETH", "collateral", 10.0),
            ("else", "lend", "BTC", "collateral", 1.0),
            ("else", "lend", "USDC", "debt", 1.0),
            ("lost", "lend", "ETH", "collateral", 8.0),  # 6.4 p < 8 p at every price
            ("lost", "lend", "ETH", "debt", 8.0),
            ("kept", "lend", "ETH", "deposit", 8.0),
        ),
        assets=ASSETS,
        markets=MARKETS,
    )
    assert prices(snap, "ETH") == {
        "long": near(1_500.0, "fall"),
        "two": near(750.0, "fall"),
        "short": near(3_600.0, "rise"),
        "both": near(1_000.0, "fall"),
        "down": near(2_500.0, "fall"),
        "safe": NOTHING,
        "idle": NOTHING,
        "else": NOTHING,
        "lost": NOTHING,
        "kept": NOTHING,
    }
    frame = rg.liquidation_prices(snap, "ETH").set_index("account")
    assert frame.loc["long", "fall"] == pytest.approx(-0.25)
    assert frame.loc["down", "fall"] == pytest.approx(0.25)  # it stops being liquidatable 25 % above
    assert frame["health"].to_dict() == rg.health(snap).set_index("account")["health"].to_dict()
    assert list(frame.columns) == ["protocol", "bucket", "health", "price", "direction", "fall"]


def test_own_prices_thresholds_and_remainders_by_hand():
    """A protocol that shows 1,000 for ETH at 2,000 moves along; own thresholds count for remainders too.

    ``own``: 0.5 · (10 p + 2,000) = 6,000. ``rest``: 10 ETH at 0.8 and 5,000 USDC at 0.9 with a remainder of 3,000 that
    counts at their average: (8 p + 4,500)(10 p + 8,000) = 12,000 (10 p + 5,000), the positive root of
    80 p² − 11,000 p − 24,000,000 = 0.
    """
    snap = rg.Snapshot(
        positions=positions(
            ("shown", "low", "ETH", "collateral", 10.0),  # 10 · 1,000 · 0.8 · f = 6,000
            ("shown", "low", "USDC", "debt", 6_000.0),
            ("own", "lend", "ETH", "collateral", 10.0),
            ("own", "lend", "USDC", "debt", 6_000.0),
            ("rest", "lend", "ETH", "collateral", 10.0),
            ("rest", "lend", "USDC", "collateral", 5_000.0),
            ("rest", "lend", "USDC", "debt", 12_000.0),
            ("more", "lend", "ETH", "collateral", 10.0),  # 8 p = 6,000 + 2,000
            ("more", "lend", "USDC", "debt", 6_000.0),
            ("less", "lend", "ETH", "collateral", 10.0),  # 8 p · (10 p − 5,000) / 10 p = 4,000
            ("less", "lend", "USDC", "debt", 4_000.0),
        ),
        assets=ASSETS,
        markets=pd.concat(
            [MARKETS, pd.DataFrame([{"protocol": "low", "asset": "ETH", "price": 1e3, "liquidation_threshold": 0.8}])]
        ),
        accounts=pd.DataFrame(
            {
                "account": ["own", "rest", "more", "less"],
                "protocol": "lend",
                "liquidation_threshold": [0.5, None, None, None],
                "collateral_remainder_usd": [2_000.0, 3_000.0, None, -5_000.0],
                "debt_remainder_usd": [None, None, 2_000.0, None],
            }
        ),
    )
    root = (11_000 + math.sqrt(11_000**2 + 4 * 80 * 24_000_000)) / 160
    assert prices(snap, "ETH") == {
        "shown": near(1_500.0, "fall"),
        "own": near(1_000.0, "fall"),
        "rest": near(root, "fall"),
        "more": near(1_000.0, "fall"),
        "less": near(1_000.0, "fall"),
    }


def test_ratios_borrow_factors_and_debts_at_par_by_hand():
    """Collateral ratio 150 %: 10 p / 1.5 = 8,000. Borrow factor 0.5: a debt of 2 ETH counts as 4: 4 p = 9,000.

    Maker counts its DAI at 1 USD wherever it trades; as collateral elsewhere DAI moves.
    """
    snap = rg.Snapshot(
        positions=positions(
            ("cdp", "maker", "ETH", "collateral", 10.0),
            ("cdp", "maker", "DAI", "debt", 8_000.0),
            ("owes", "euler", "DAI", "collateral", 10_000.0),
            ("owes", "euler", "ETH", "debt", 2.0),
        ),
        assets=pd.DataFrame({"asset": ["ETH", "DAI"], "price": [2_000.0, 0.95]}),
        protocols=pd.DataFrame({"protocol": ["maker", "euler"], "rule": ["maker", "euler_v1"]}),
        markets=pd.DataFrame(
            {
                "protocol": ["maker", "euler", "euler"],
                "asset": ["ETH", "DAI", "ETH"],
                "liquidation_ratio": [1.5, None, None],
                "liquidation_threshold": [None, 0.9, None],
                "borrow_factor": [None, None, 0.5],
            }
        ),
    )
    health = rg.health(snap).set_index("account")["health"]
    assert health.to_dict() == pytest.approx({"cdp": 20_000 / 1.5 / 8_000, "owes": 8.55 / 8}, rel=1e-15)
    assert prices(snap, "ETH") == {"cdp": near(1_200.0, "fall"), "owes": near(2_137.5, "rise")}
    assert prices(snap, "DAI") == {"cdp": NOTHING, "owes": near(8 / 9, "fall")}


def test_perpetuals_by_hand():
    """1,000 USDC, long 1 BTC from 20,000: 1,000 + p − 20,000 against 1 % to 10,000 and 5 % above.

    In the upper tier p − 19,000 = 100 + 0.05 (p − 10,000): p = 18,600 / 0.95 = 19,578.9. A short of 1 ETH from 2,000
    at 2 % with 500: 2,500 − p = 0.02 p. ``unknown`` has opened at an unknown price: at today's.
    """
    snap = rg.Snapshot(
        positions=positions(
            ("long", "perp", "USDC", "collateral", 1_000.0),
            ("long", "perp", "BTC", "long", 1.0),
            ("unknown", "perp", "USDC", "collateral", 1_000.0),
            ("unknown", "perp", "BTC", "long", 1.0),
            ("short", "perp", "USDC", "collateral", 500.0),
            ("short", "perp", "ETH", "short", 1.0),
            entry_price=[None, 20_000.0, None, None, None, 2_000.0],
        ),
        assets=ASSETS,
        markets=pd.DataFrame({"protocol": ["perp"], "asset": ["ETH"], "maintenance_margin": [0.02]}),
        tiers=pd.DataFrame(
            {"protocol": "perp", "asset": "BTC", "notional_from_usd": [0.0, 1e4], "maintenance_margin": [0.01, 0.05]}
        ),
    )
    upper = near(18_600 / 0.95, "fall")
    assert prices(snap, "BTC") == {"long": upper, "unknown": upper, "short": NOTHING}
    assert prices(snap, "ETH") == {"long": NOTHING, "unknown": NOTHING, "short": near(2_500 / 1.02, "rise")}


def test_of_two_prices_the_nearer_by_hand():
    """2 BTC and a debt of 29,000 against a short of 1 BTC from 20,000: equity 2 p − 29,000 − (p − 20,000) = p − 9,000.

    Of the short 1 % is needed to 25,000 USD, all of what it is worth beyond to 30,000, and five times as much beyond
    that (a rate above 1 is none, so two more rows of ETH are not needed: the short of 1.5 BTC does it). Equity is then
    0.5 p + 1,000, the margin 0.01 · 1.5 p, and above 30,000 USD of notional 300 + (1.5 p − 30,000): caught above
    30,700. It is caught below no price. With 5,000 more of debt equity is 0.5 p − 4,000: below 4,000 / 0.485, a fall of
    58.8 %, and above 25,700, a rise of 28.5 %: the rise is given.
    """
    rows = [
        ("one", "perp", "BTC", "collateral", 2.0),
        ("one", "perp", "USDC", "debt", 29_000.0),
        ("one", "perp", "BTC", "short", 1.5),
    ]
    rows += [("both", *rest) for _, *rest in rows]
    rows[4] = ("both", "perp", "USDC", "debt", 34_000.0)
    snap = rg.Snapshot(
        positions=positions(*rows, entry_price=[None, None, 20_000.0] * 2),
        assets=ASSETS,
        tiers=pd.DataFrame(
            {"protocol": "perp", "asset": "BTC", "notional_from_usd": [0.0, 3e4], "maintenance_margin": [0.01, 1.0]}
        ),
    )
    assert prices(snap, "BTC") == {"one": near(30_700.0, "rise"), "both": near(25_700.0, "rise")}


def test_options_and_portfolio_margin_by_hand():
    """A call sold at 19,000 that is about to expire costs p − 19,000, and 0.1 p more if the price rises by 10 %.

    With 4,100 USDC: 23,100 − p = 0.1 p. A put bought at 21,000 against a long of 1 BTC opened at 20,000 and 100 USDC:
    equity 100 + p − 20,000 + 21,000 − p = 1,100 up to 21,000 and p − 19,900 above it. Up to there a rise of 10 % ends
    above the strike for p over 19,090.9, and no scenario loses; from 21,000 on a fall of 10 % loses p − 21,000, up to
    23,333.3 and 0.1 p above: it is never caught.
    """
    snap = option_book(
        ("call", "house", "USDC", "collateral", 4_100.0),
        ("call", "house", "BTC", "short", 1.0, *dead("call", 19_000.0)),
        ("put", "house", "USDC", "collateral", 100.0),
        ("put", "house", "BTC", "long", 1.0, *dead("put", 21_000.0)),
        ("put", "house", "BTC", "long", 1.0),
        ("future", "house", "USDC", "collateral", 2_500.0),  # 2,500 + p − 20,000 = 0.1 p
        ("future", "house", "BTC", "long", 1.0),
    )
    expected = {"call": near(21_000.0, "rise"), "put": NOTHING, "future": near(17_500 / 0.9, "fall")}
    assert prices(snap, "BTC") == expected
    assert prices(snap, "ETH") == dict.fromkeys(expected, NOTHING)


@settings(max_examples=15)
@given(rows=ROWS, cash=st.sampled_from([100.0, 3_000.0, 20_000.0]))
def test_options_change_sides_at_the_price_and_nowhere_nearer(rows, cash):
    posted = [(account, at, "USDC", "collateral", cash) for account, at in sorted({row[:2] for row in rows})]
    snap = option_book(*rows, *posted)
    keys = ["account", "protocol"]
    frame = rg.liquidation_prices(snap, "BTC").astype(dict.fromkeys([*keys, "direction"], object)).set_index(keys)

    def caught(factor: float) -> pd.Series:
        status = rg.health(snap.with_prices({"BTC": 20_000.0 * factor})).astype(dict.fromkeys(keys, object))
        return status.set_index(keys)["status"].isin(["insolvent", "liquidatable"])

    now = caught(1.0)
    tried = {factor: caught(factor) for factor in 2.0 ** (np.arange(-16, 17) / 4.0)}
    for key, price, direction, fall in frame[["price", "direction", "fall"]].itertuples():
        reach = abs(fall) if not math.isnan(price) else math.inf
        assert all(state[key] == now[key] for factor, state in tried.items() if abs(factor - 1.0) < reach * (1 - 1e-9))
        if reach < 1e3:
            sides = [bool(caught(price / 20_000.0 * side)[key]) for side in (1 - 1e-9, 1 + 1e-9)]
            assert sides == [direction == "fall", direction == "rise"]


def test_prices_of_nothing():
    snap = rg.Snapshot(
        positions=positions(
            ("a", "lend", "USDC", "collateral", 100.0),  # 90 = 30 p
            ("a", "lend", "FREE", "debt", 30.0),
            ("b", "lend", "FREE", "collateral", 10.0),  # 5 p = 10
            ("b", "lend", "USDC", "debt", 10.0),
        ),
        assets=ASSETS,
        markets=MARKETS,
    )
    assert prices(snap, "FREE") == {"a": near(3.0, "rise"), "b": near(2.0, "fall")}
    assert rg.liquidation_prices(snap, "FREE")["fall"].isna().all()
    own = snap.replace(markets=MARKETS.assign(price=[None, None, None, 5.0]))
    with pytest.raises(InputError, match="expected none for FREE, whose price is 0"):
        rg.liquidation_prices(own, "FREE")
    blind = snap.replace(markets=MARKETS.iloc[:2])
    with pytest.raises(InputError, match=r"markets.liquidation_threshold: .* none for FREE at lend, USDC at lend"):
        rg.liquidation_prices(blind, "FREE")


def test_what_is_unknown_is_refused_by_name():
    snap = rg.Snapshot(positions=positions(("a", "lend", "ETH", "collateral", 1.0)), assets=ASSETS)
    with pytest.raises(InputError, match="asset: expected an asset of the snapshot, got 'XYZ'"):
        rg.liquidation_prices(snap, "XYZ")
    with pytest.raises(InputError, match="expected a Snapshot"):
        rg.liquidation_prices(3, "ETH")  # type: ignore[arg-type]


def test_published_liquidation_prices_of_the_founder():
    frame = rg.liquidation_prices(rg.datasets.load("curve_founder_202308"), "CRV").set_index("protocol")["price"]
    assert frame["aave_v2"] == pytest.approx(0.3767, abs=1e-4)
    assert frame["fraxlend"] == pytest.approx(0.357, abs=1e-4)


def test_what_cancels_is_nothing():
    """0.8 · 30 at 0.1 stands against a debt of 24 at 0.1, and 0.3 of a token against 3 at 0.1: no price is the last."""
    snap = rg.Snapshot(
        positions=positions(
            ("slope", "lend", "X", "collateral", 30.0),
            ("slope", "lend", "X", "debt", 24.0),
            ("slope", "lend", "Y", "debt", 0.7),
            ("slope", "lend", "Z", "collateral", 1.0),
            ("base", "lend", "X", "collateral", 1.0),
            ("base", "lend", "Y", "collateral", 3.0),
            ("base", "lend", "Z", "debt", 0.3),
        ),
        assets=pd.DataFrame({"asset": ["X", "Y", "Z"], "price": [0.1, 0.1, 1.0]}),
        markets=pd.DataFrame({"protocol": "lend", "asset": ["X", "Y", "Z"], "liquidation_threshold": [0.8, 1.0, 1.0]}),
    )
    assert 3 * 0.1 - 0.3 != 0.0  # floats see a rest
    assert rg.liquidation_prices(snap, "X")["price"].isna().all()


# -- against fractions ------------------------------------------------------------------------------------------------

SHOWN = 0.5  # the protocol "shows" has X at half its price
VALUES = st.integers(0, 300).map(lambda tenths: tenths / 10)
LEVELS = st.sampled_from([0.1, 0.5, 0.8, 0.85, 0.95])


@st.composite
def books(draw: st.DrawFn) -> tuple[rg.Snapshot, dict, dict]:
    """Draw a snapshot, its accounts and the terms of its protocols, as ``tests.naive.prices`` reads them."""
    price = {asset: draw(st.sampled_from([1e-12, 0.1, 1.0, 3.0, 1_500.0, 1e9])) for asset in "XYZ"}
    terms = {}
    for protocol in ("lend", "equal", "shows", "perp"):
        terms[protocol] = {asset: {"price": price[asset], "threshold": draw(LEVELS)} for asset in "XYZ"}
    terms["shows"]["X"]["price"] = price["X"] * SHOWN
    for asset in "XYZ":
        terms["perp"][asset] |= {"haircut": draw(st.sampled_from([0.0, 0.1])), "margin": 0.05}
    rates = draw(st.lists(st.sampled_from([0.01, 0.05, 0.2, 0.5, 1.0]), min_size=3, max_size=3).map(sorted))
    terms["perp"]["X"]["tiers"] = list(zip((0.0, 10.0, 25.0), rates, strict=True))
    accounts = {}
    for name in "abcdefgh"[: draw(st.integers(1, 8))]:
        protocol = draw(st.sampled_from(list(terms)))
        sides = ["collateral", "debt"] + ["long", "short"] * (protocol == "perp")
        chosen = draw(
            st.lists(st.tuples(st.sampled_from(sides), st.sampled_from("XYZ")), min_size=1, max_size=5, unique=True)
        )
        rows = []
        for side, asset in chosen:
            at = terms[protocol][asset]["price"]
            entry = draw(st.sampled_from([None, at * 0.9, at, at * 1.25])) if side in ("long", "short") else None
            rows.append((side, asset, draw(VALUES) / at, entry))
        account = {"rows": rows, "protocol": protocol}
        if protocol in ("lend", "equal"):
            account["own"] = draw(st.sampled_from([None, None, 0.5, 0.9]))
            account["debt_remainder"] = draw(st.sampled_from([0.0, 0.0, 2.0, -1.5]))
            if account["own"] is not None or any(side == "collateral" and amount for side, _, amount, _ in rows):
                account["collateral_remainder"] = draw(st.sampled_from([0.0, 0.0, 4.0, -0.5]))
        accounts[name] = account
    return built(price, terms, accounts), terms, accounts


def built(price: dict, terms: dict, accounts: dict) -> rg.Snapshot:
    rows = [
        (name, account["protocol"], asset, side, amount, entry)
        for name, account in accounts.items()
        for side, asset, amount, entry in account["rows"]
    ]
    frame = pd.DataFrame(rows, columns=["account", "protocol", "asset", "side", "amount", "entry_price"])
    markets = pd.DataFrame(
        [
            {
                "protocol": protocol,
                "asset": asset,
                "price": said["price"] if (protocol, asset) == ("shows", "X") else None,
                "liquidation_threshold": said["threshold"],
                "haircut": said.get("haircut"),
                "maintenance_margin": said.get("margin"),
            }
            for protocol, of_asset in terms.items()
            for asset, said in of_asset.items()
        ]
    )
    own = [
        {
            "account": name,
            "protocol": account["protocol"],
            "liquidation_threshold": account.get("own"),
            "collateral_remainder_usd": account.get("collateral_remainder", 0.0),
            "debt_remainder_usd": account.get("debt_remainder", 0.0),
        }
        for name, account in accounts.items()
    ]
    tiers = pd.DataFrame(terms["perp"]["X"]["tiers"], columns=["notional_from_usd", "maintenance_margin"])
    return rg.Snapshot(
        positions=frame.astype({"entry_price": float}),
        assets=pd.DataFrame({"asset": list(price), "price": list(price.values())}),
        protocols=pd.DataFrame(
            {
                "protocol": list(terms),
                "rule": ["aave_v3", "euler_v2", "lending", "perp"],
                "call_level": 1.2,
                "target_health": 1.3,
            }
        ),
        markets=markets.astype({"price": float, "haircut": float, "maintenance_margin": float}),
        accounts=pd.DataFrame(own).astype({"liquidation_threshold": float}),
        tiers=tiers.assign(protocol="perp", asset="X"),
    )


@settings(max_examples=60)
@given(book=books())
def test_statuses_are_those_of_fractions(book):
    snap, terms, accounts = book
    frame = rg.health(snap).set_index("account")["status"].to_dict()
    for name, account in accounts.items():
        protocol = account["protocol"]
        expected = naive_prices.status(account, terms[protocol], call_level=1.2, at_equality=protocol == "equal")
        assert frame[name] == expected, (name, account)


@settings(max_examples=40)
@given(book=books())
def test_prices_are_those_of_fractions_tried_one_after_another(book):
    snap, terms, accounts = book
    frame = rg.liquidation_prices(snap, "X").astype({"direction": object}).set_index("account")
    today = float(snap.assets.set_index("asset").loc["X", "price"])
    for name, account in accounts.items():
        of_protocol, equality = terms[account["protocol"]], account["protocol"] == "equal"
        expected = naive_prices.nearest_change(account, of_protocol, "X", equality)
        price, direction, fall = frame.loc[name, ["price", "direction", "fall"]]
        if math.isnan(price):
            assert expected is None, (account, float(expected))
            assert math.isnan(fall) and direction != direction
            continue
        factor = Fraction(price) / Fraction(today)
        below, above = (
            naive_prices.caught(account, of_protocol, "X", factor * Fraction(side), equality)
            for side in (1 - 1e-9, 1 + 1e-9)
        )
        assert (below, above) == ((True, False) if direction == "fall" else (False, True)), (account, price)
        assert fall == pytest.approx(float(factor) - 1.0, rel=1e-9, abs=1e-15)
        if expected is not None:  # nearer is what the steps of the other have missed, and is a change as just shown
            assert abs(factor - 1) <= abs(expected - 1) * (1 + Fraction(1e-9)) + Fraction(1e-12)


@settings(max_examples=20)
@given(book=books())
def test_either_side_of_the_price_says_so(book):
    snap, _, accounts = book
    frame = rg.liquidation_prices(snap, "X").astype({"direction": object}).set_index("account")
    for name in accounts:
        price, direction = frame.loc[name, ["price", "direction"]]
        if not math.isnan(price) and 1e-290 < price < 1e290:
            caught = [
                rg.health(snap.with_prices({"X": price * side})).set_index("account")["status"][name]
                in ("insolvent", "liquidatable")
                for side in (1.0 - 1e-9, 1.0 + 1e-9)
            ]
            assert caught == [direction == "fall", direction == "rise"]


@settings(max_examples=12)
@given(book=books(), seed=st.integers(0, 99))
def test_nothing_depends_on_the_order_of_rows(book, seed):
    snap = book[0]
    mixed = rg.Snapshot(
        positions=snap.positions.sample(frac=1.0, random_state=seed),
        **{name: getattr(snap, name).sample(frac=1.0, random_state=seed) for name in ("assets", "markets", "tiers")},
        protocols=snap.protocols,
        accounts=snap.accounts,
    )
    pd.testing.assert_frame_equal(rg.liquidation_prices(mixed, "X"), rg.liquidation_prices(snap, "X"))
    pd.testing.assert_frame_equal(rg.health(mixed), rg.health(snap))


def all_frames(snap: rg.Snapshot, *assets: str) -> list[pd.DataFrame]:
    return [rg.health(snap), *(rg.liquidation_prices(snap, asset) for asset in assets)]


def test_all_roads_give_the_same_bits():
    """NumPy or compiled, in one run of margin accounts or in many on several threads."""
    drawn = rg.datasets.synthetic(accounts=3_000, assets=30, protocols=5, seed=3)
    factor = np.where(drawn.markets["asset"] == "USDC", 0.75, np.nan)
    euler = drawn.replace(
        markets=drawn.markets.assign(borrow_factor=factor).drop(columns="liquidation_bonus"),
        protocols=drawn.protocols[["protocol"]].assign(rule="euler_v1"),
    )
    for snap in (drawn, euler):
        plain = all_frames(snap, "ETH", "USDC")
        assert sum(frame["price"].notna().sum() for frame in plain[1:]) > 1_000
        for patch in ({"COMPILED_ROWS": 0}, {"RUN": 100}, {"COMPILED_ROWS": 0, "RUN": 100}):
            with pytest.MonkeyPatch.context() as patched:
                for name, value in patch.items():
                    patched.setattr(sums, name, value)
                for one, other in zip(plain, all_frames(snap, "ETH", "USDC"), strict=True):
                    pd.testing.assert_frame_equal(one, other, check_exact=True)


@settings(max_examples=20)
@given(book=books())
def test_compiled_code_gives_the_same_bits_at_the_edges(book):
    plain = all_frames(book[0], "X", "Y")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sums, "COMPILED_ROWS", 0)
        for one, other in zip(plain, all_frames(book[0], "X", "Y"), strict=True):
            pd.testing.assert_frame_equal(one, other, check_exact=True)
