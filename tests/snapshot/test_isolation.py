"""Isolated margin: solved by hand, equity and health kept in random books, what stays and what is left out."""

from __future__ import annotations

import pandas as pd
import pytest

import riskgraph as rg
from riskgraph.snapshot.isolation import isolation_of
from tests import option_books, perpetual_books
from tests.isolated_books import ANN, equities
from tests.perpetual_books import book


def units(snap, *sides):
    rows = snap.positions
    rows = rows[rows["side"].isin(sides) & (rows["amount"] > 0.0)]
    keys = zip(rows["account"], rows["bucket"], rows["asset"], rows["side"], strict=True)
    return dict(zip(keys, rows["amount"], strict=True))


# -- by hand --------------------------------------------------------------------------------------------------------


def test_two_positions_under_tiers():
    """BTC needs 1 % to 10,000 and 2 % above: 300; ETH 5 %: 500. Equity 3,000 + 1,000: 3/8 and 5/8 of 4,000."""
    tiers = pd.DataFrame(
        {
            "protocol": "hl",
            "asset": "BTC",
            "notional_from_usd": [0.0, 10_000.0],
            "maintenance_margin": [0.01, 0.02],
        }
    )
    found = book(*ANN).replace(tiers=tiers).isolated()
    assert units(found, "collateral") == pytest.approx(
        {("ann", "BTC long", "USDC", "collateral"): 1_500.0, ("ann", "ETH short", "USDC", "collateral"): 2_500.0}
    )
    assert units(found, "long", "short") == {
        ("ann", "BTC long", "BTC", "long"): 1.0,
        ("ann", "ETH short", "ETH", "short"): 10.0,
    }
    traded = found.positions["side"].isin(["long", "short"])
    assert found.positions[traded]["entry_price"].tolist() == [20_000.0, 1_000.0]
    assert rg.health(found)["health"].tolist() == pytest.approx([5.0, 5.0])
    assert "2 positions of 1 cross accounts in buckets" in found.notes[-1]


def test_initial_margin_goes_before_maintenance_where_all_positions_have_it():
    """10 % of 20,000 and 5 % of 10,000: 2,000 and 500 of 2,500; with none for ETH maintenance again: 400 and 500."""
    initial = pd.DataFrame(
        {"protocol": "hl", "asset": ["BTC", "ETH"], "maintenance_margin": [0.02, 0.05], "initial_margin": [0.1, 0.05]}
    )
    isolation = isolation_of(book(*ANN).replace(markets=initial))
    assert isolation.share.tolist() == pytest.approx([0.8, 0.2])
    assert isolation.positions["by_initial"].all()
    part = isolation_of(book(*ANN).replace(markets=initial.assign(initial_margin=[0.1, None])))
    assert part.share.tolist() == pytest.approx([4.0 / 9.0, 5.0 / 9.0])
    assert not part.positions["by_initial"].any()


def test_tokens_go_along_in_proportion_and_haircuts_count_once():
    """2,000 USDC and 2 ETH at 1,000 of which 25 % do not count: 3,500 and a gain of 1,000; BTC's 4/9 of it are 2,000.

    Each token is scaled by 4,500 · share / 3,500, so that a bucket counts for 4,500 · share.
    """
    rows = [*ANN[:2], ("ann", "USDC", "collateral", 2_000.0), ("ann", "ETH", "collateral", 2.0)]
    markets = pd.DataFrame(
        {"protocol": "hl", "asset": ["BTC", "ETH"], "maintenance_margin": [0.02, 0.05], "haircut": [None, 0.25]}
    )
    found = book(*rows).replace(markets=markets).isolated()
    scale = 4_500.0 / 3_500.0
    assert units(found, "collateral") == pytest.approx(
        {
            ("ann", bucket, asset, "collateral"): amount * scale * share
            for bucket, share in (("BTC long", 4.0 / 9.0), ("ETH short", 5.0 / 9.0))
            for asset, amount in (("USDC", 2_000.0), ("ETH", 2.0))
        }
    )
    assert equities(found)[0] == pytest.approx({("ann", "BTC long"): 2_000.0, ("ann", "ETH short"): 2_500.0})


def test_debts_and_published_remainders_are_in_equity():
    """3,000 + 1,000 of gain − 500 owed + 400 that nobody knows what they are in: 3,900."""
    accounts = pd.DataFrame({"account": ["ann"], "protocol": ["hl"], "collateral_remainder_usd": [400.0]})
    snap = book(*ANN, ("ann", "ETH", "debt", 0.5)).replace(accounts=accounts)
    found = snap.isolated()
    assert equities(snap)[0] == pytest.approx({("ann", ""): 3_900.0})
    assert sum(equities(found)[0].values()) == pytest.approx(3_900.0)
    assert units(found, "debt") == {}
    assert not found.accounts["collateral_remainder_usd"].notna().any()


def test_an_account_that_posts_nothing_gets_what_the_venue_settles_in():
    rows = [("ann", "BTC", "long", 1.0, 15_000.0), ("ann", "USDC", "debt", 1_000.0)]
    found = book(*rows, settlement_asset="USDC").isolated()
    assert units(found, "collateral") == {("ann", "BTC long", "USDC", "collateral"): 4_000.0}
    assert "margin of 1 accounts that post nothing of value stands in the settlement asset" in found.notes[-1]
    with pytest.raises(rg.InputError, match=r"protocols\.settlement_asset: .* no collateral there, at hl"):
        book(*rows).isolated()


def test_options_count_with_their_value():
    """At 2,000: a call at 1,500 is worth 500 a unit, of which 2 are held; one at 1,900 sold is worth 100.

    Scan risk alone, 15 % of 2,000: the calls held lose 600 (300 each, value 500), the call sold 300, the future 300:
    6, 3 and 3 twelfths of 2,000 cash + 1,000 − 100 = 2,900. The calls held have 1,450 and are worth 1,000.
    """
    snap = option_books.book(
        ("ann", "house", "ETH", "long", 2.0, *option_books.dead("call", 1_500.0)),
        ("ann", "house", "ETH", "short", 1.0, *option_books.dead("call", 1_900.0)),
        ("ann", "house", "ETH", "long", 1.0),
        ("ann", "house", "USDC", "collateral", 2_000.0),
    )
    found = snap.isolated()
    buckets = {"ETH long": 725.0, "ETH long call 1500 0": 450.0, "ETH short call 1900 0": 825.0}
    assert units(found, "collateral") == pytest.approx(
        {("ann", bucket, "USDC", "collateral"): amount for bucket, amount in buckets.items()}
    )
    assert equities(found)[0] == pytest.approx(
        {("ann", "ETH long"): 725.0, ("ann", "ETH long call 1500 0"): 1_450.0, ("ann", "ETH short call 1900 0"): 725.0}
    )
    assert equities(found)[1] == pytest.approx(
        {("ann", "ETH long"): 300.0, ("ann", "ETH long call 1500 0"): 600.0, ("ann", "ETH short call 1900 0"): 300.0}
    )


def test_an_option_that_is_worth_more_than_its_share_owes_the_rest():
    """The same without cash: 900 of equity, 450 for calls worth 1,000: 550 owed."""
    snap = option_books.book(
        ("ann", "house", "ETH", "long", 2.0, *option_books.dead("call", 1_500.0)),
        ("ann", "house", "ETH", "short", 1.0, *option_books.dead("call", 1_900.0)),
        ("ann", "house", "ETH", "long", 1.0),
        ("bob", "house", "USDC", "collateral", 1.0),
    )
    found = snap.isolated()
    assert units(found, "debt") == pytest.approx({("ann", "ETH long call 1500 0", "USDC", "debt"): 550.0})
    assert sum(equities(found)[0].values()) == pytest.approx(900.0 + 1.0)
    assert "the buckets of 1 options owe" in found.notes[-1]


# -- what stays, and what is left out -------------------------------------------------------------------------------


def test_lending_buckets_wallets_and_the_venue_stay_as_they_are():
    rows = [
        *ANN,
        ("ann/x", "BTC", "short", 2.0, 21_000.0),
        ("ann/x", "USDC", "collateral", 700.0),
        ("hl", "BTC", "short", 1.0, 20_500.0),
        ("hl", "USDC", "collateral", 9_000.0),
        ("cat", "USDC", "collateral", 5.0),
    ]
    frame = book(*rows).positions
    more = pd.DataFrame(
        {
            "account": ["bob", "bob", "ann"],
            "protocol": ["lend", "lend", ""],
            "asset": ["ETH", "USDC", "USDC"],
            "side": ["collateral", "debt", "wallet"],
            "amount": [3.0, 900.0, 50.0],
        }
    )
    snap = book(*rows).replace(positions=pd.concat([frame, more], ignore_index=True))
    found = snap.isolated()

    def others(one):
        rows = one.positions
        return rows[~((rows["account"] == "ann") & (rows["protocol"] == "hl") & (rows["bucket"] != "x"))].to_dict(
            "list"
        )

    assert str(others(found)) == str(others(snap))
    assert set(found.positions[found.positions["account"] == "ann"]["bucket"]) == {"", "x", "BTC long", "ETH short"}
    assert isolation_of(found).after.digest == found.digest


def test_buckets_never_meet_one_that_is_there():
    taken = [("ann/BTC long", "BTC", "long", 1.0, 1.0), ("ann/BTC long", "USDC", "collateral", 5.0)]
    found = book(*ANN, *taken).isolated()
    assert set(rg.health(found)["bucket"]) == {"BTC long", "BTC long (from cross)", "ETH short"}


def test_accounts_that_are_worth_nothing_are_left_out_and_said():
    broke = [(f"b{at}", "ETH", "long", 1.0, 1_000.0 + 100.0 * at) for at in range(7)]
    cash = [(f"b{at}", "USDC", "collateral", 100.0) for at in range(7)]
    accounts = pd.DataFrame({"account": ["b0", "b3"], "protocol": "hl", "label": ["lucky", "not"]})
    snap = book(*ANN, *broke, *cash).replace(accounts=accounts)
    isolation = isolation_of(snap)
    assert isolation.accounts_left_out.to_dict("list") == {
        "account": [f"b{at}" for at in range(1, 7)],
        "protocol": ["hl"] * 6,
        "equity_usd": [0.0, -100.0, -200.0, -300.0, -400.0, -500.0],
        "positions": [1] * 6,
    }
    said = (
        "6 accounts with equity of 0 or less are left out: b1 at hl, b2 at hl, b3 at hl, b4 at hl, b5 at hl and 1 more"
    )
    assert said in isolation.after.notes[-1]
    assert set(isolation.after.positions["account"]) == {"ann", "b0"}
    assert isolation.after.accounts["account"].tolist() == ["b0"]
    assert set(isolation.positions["account"]) == {"ann", "b0"}


def test_a_venue_stays_what_it_was_when_all_its_accounts_are_left_out():
    snap = rg.Snapshot(
        positions=pd.DataFrame(
            {
                "account": ["ann", "bob"],
                "protocol": ["hl", "lend"],
                "asset": ["BTC", "USDC"],
                "side": ["long", "collateral"],
                "amount": [1.0, 5.0],
            }
        ),
        assets=perpetual_books.COINS,
        markets=pd.DataFrame({"protocol": "hl", "asset": ["BTC"], "maintenance_margin": [0.1]}),
    )
    found = snap.isolated()
    assert found.protocols.set_index("protocol")["rule"].to_dict() == {"hl": "perp", "lend": "lending"}
    assert found.positions["account"].tolist() == ["bob"]
    alone = snap.replace(positions=snap.positions.iloc[:1])
    with pytest.raises(rg.InputError, match=r"isolated: expected an account with equity above 0 .* ann at hl"):
        alone.isolated()


def test_a_margin_that_nobody_tells_is_refused():
    with pytest.raises(rg.InputError, match=r"markets\.maintenance_margin: .* none for ETH at hl"):
        book(*ANN, margins=(0.02, None)).isolated()


def test_a_book_without_positions_says_so():
    lending = rg.datasets.load("toy")
    found = lending.isolated()
    assert found.digest == lending.digest
    assert found.notes[-1].startswith("isolated: 0 positions of 0 cross accounts")
