"""Cross against isolated margin: which positions are healthy, what they lost, what margin is saved, solved by hand.

The two cascades are stood in for by what they would tell, so that the arithmetic of the comparison stands alone.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import riskgraph as rg
from riskgraph.margin import cross_margin
from tests import option_books
from tests.isolated_books import whales
from tests.perpetual_books import book

CLOSINGS = ["account", "protocol", "bucket", "asset", "side", "closed", "lost_usd"]
# Ann: 1 BTC (needs 400) and 4 ETH (needs 200), 1,200 of cash; Bob the other way round; Cat has nothing left.
ROWS = [
    ("ann", "BTC", "long", 1.0, 20_000.0),
    ("ann", "ETH", "long", 4.0, 1_000.0),
    ("ann", "USDC", "collateral", 1_200.0),
    ("bob", "BTC", "short", 1.0, 20_000.0),
    ("bob", "USDC", "collateral", 5_000.0),
    ("bob/x", "ETH", "long", 1.0, 1_000.0),
    ("bob/x", "USDC", "collateral", 100.0),
    ("cat", "ETH", "long", 1.0, 2_000.0),
    ("cat", "USDC", "collateral", 50.0),
]


@pytest.fixture
def stand_ins(monkeypatch):
    """Closings of both books, to be filled by the test; the snapshots that were run, in order."""
    told = SimpleNamespace(cross=[], isolated=[], snaps=[], asked=[])

    def cascade(snap, shock, *, follow):
        rows = told.isolated if told.snaps else told.cross
        told.snaps.append(snap)
        told.asked.append((dict(shock), follow))
        width = len(rows[0]) if rows else len(CLOSINGS)
        columns = [*CLOSINGS, "option_type", "strike", "expiry"][:width]
        return SimpleNamespace(closed_positions=pd.DataFrame(rows, columns=columns))

    monkeypatch.setattr(cross_margin, "liquidation_cascade", cascade)
    return told


def test_by_hand(stand_ins):
    """BTC −4 %: Ann's BTC bucket has 800 and lost 800, her ETH bucket keeps 400 against 200; cross: 400 against 584.

    Under cross both of her positions are closed, for 300 and 100; alone only BTC, for 310. Bob's ETH had a bucket of
    its own, healthy with 100 against 50, and loses 20 and 10 by the same fall. 100 + 20 − 10 of 420 in all.
    """
    stand_ins.cross = [
        ("ann", "hl", "", "BTC", "long", 0.5, 200.0),
        ("ann", "hl", "", "BTC", "long", 0.5, 100.0),
        ("ann", "hl", "", "ETH", "long", 4.0, 100.0),
        ("bob", "hl", "x", "ETH", "long", 1.0, 20.0),
        ("hl", "hl", "", "ETH", "long", 4.0, 7_000.0),
    ]
    stand_ins.isolated = [
        ("ann", "hl", "BTC long", "BTC", "long", 1.0, 310.0),
        ("bob", "hl", "x", "ETH", "long", 1.0, 10.0),
    ]
    found = rg.cross_margin_contagion(book(*ROWS), {"BTC": -0.04}, follow="none")
    assert stand_ins.asked == [({"BTC": -0.04}, "none")] * 2
    frame = found.positions.set_index(["account", "bucket"])
    assert frame["healthy"].to_dict() == {
        ("ann", "BTC long"): False,
        ("ann", "ETH long"): True,
        ("bob", "BTC short"): True,
        ("bob", "x"): True,
    }
    assert frame["health"].tolist() == pytest.approx([0.0, 2.0, 5_800.0 / 384.0, 2.0])
    assert frame["lost_cross_usd"].tolist() == [300.0, 100.0, 0.0, 20.0]
    assert frame["lost_isolated_usd"].tolist() == [310.0, 0.0, 0.0, 10.0]
    assert frame["closed_cross"].tolist() == [1.0, 4.0, 0.0, 1.0]
    assert found.index == pytest.approx((120.0 - 10.0) / 420.0)
    assert found.healthy_lost[["account", "asset", "lost_by_cross_usd"]].to_dict("list") == {
        "account": ["ann", "bob"],
        "asset": ["ETH", "ETH"],
        "lost_by_cross_usd": [100.0, 10.0],
    }
    assert found.margin_saved_usd == pytest.approx(0.0, abs=1e-9)  # by tiers every position needs what it needs
    assert found.requirements["cross_usd"].tolist() == pytest.approx([600.0, 450.0])


def test_accounts_worth_nothing_are_in_neither_book(stand_ins):
    found = rg.cross_margin_contagion(book(*ROWS), {"BTC": -0.04})
    assert found.left_out.to_dict("list") == {
        "account": ["cat"],
        "protocol": ["hl"],
        "equity_usd": [-950.0],
        "positions": [1],
    }
    assert [set(snap.positions["account"]) for snap in stand_ins.snaps] == [{"ann", "bob"}] * 2
    assert "1 accounts with equity of 0 or less are left out: cat at hl" in found.summary()


def test_nothing_lost_is_an_index_of_0_and_a_loss_alone_one_below_0(stand_ins):
    assert rg.cross_margin_contagion(book(*ROWS), {"BTC": -0.01}).index == 0.0
    stand_ins.snaps.clear()
    stand_ins.cross = [("ann", "hl", "", "BTC", "long", 1.0, 10.0)]
    stand_ins.isolated = [("ann", "hl", "ETH long", "ETH", "long", 1.0, 5.0)]
    found = rg.cross_margin_contagion(book(*ROWS), {"BTC": -0.04})
    assert found.index == -0.5
    assert found.healthy_lost["lost_by_cross_usd"].tolist() == [-5.0]


OPTIONS = [
    ("ann", "house", "ETH", "long", 2.0, *option_books.dead("call", 1_500.0)),
    ("ann", "house", "ETH", "long", 1.0, *option_books.dead("call", 1_900.0)),
    ("ann", "house", "ETH", "short", 3.0),
    ("ann", "house", "USDC", "collateral", 2_000.0),
]


def test_a_portfolio_saves_margin(stand_ins):
    """Scan range 300. Up: the calls gain 600 and 300, the futures lose 900; down they lose 600 and 100 and gain 900.

    Extreme, ±600, 35 %: 420 + 210 − 630 up, −350 − 35 + 630 down. Nothing is needed by the portfolio; alone the calls
    need 600 and 100, the futures 900.
    """
    found = rg.cross_margin_contagion(option_books.book(*OPTIONS), {"ETH": -0.1})
    assert found.margin_saved_usd == pytest.approx(1_600.0)
    assert found.requirements.to_dict("list") == {
        "account": ["ann"],
        "protocol": ["house"],
        "cross_usd": pytest.approx([0.0], abs=1e-9),
        "isolated_usd": pytest.approx([1_600.0]),
        "saved_usd": pytest.approx([1_600.0]),
    }


def test_contracts_that_are_not_told_apart_bear_by_share(stand_ins):
    """Calls need 600 and 100: 6/7 and 1/7 of 70; told apart each bears its own."""
    stand_ins.cross = [("ann", "house", "", "ETH", "long", 3.0, 70.0)]
    found = rg.cross_margin_contagion(option_books.book(*OPTIONS), {"ETH": -0.1})
    rows = found.positions.set_index("bucket")["lost_cross_usd"]
    assert rows[["ETH long call 1500 0", "ETH long call 1900 0"]].tolist() == pytest.approx([60.0, 10.0])
    assert "cross: 2 contracts not told apart by liquidations bear losses by share of margin" in found.notes
    stand_ins.snaps.clear()
    stand_ins.cross = [
        ("ann", "house", "", "ETH", "long", 1.0, 70.0, "call", 1_900.0, 0.0),
        ("ann", "house", "", "ETH", "short", 1.0, 5.0, "", np.nan, np.nan),
    ]
    found = rg.cross_margin_contagion(option_books.book(*OPTIONS), {"ETH": -0.1})
    rows = found.positions.set_index("bucket")["lost_cross_usd"]
    assert rows.to_dict() == {"ETH long call 1500 0": 0.0, "ETH long call 1900 0": 70.0, "ETH short": 5.0}
    assert len(found.notes) == 1


def test_what_it_shows(stand_ins):
    stand_ins.cross = [("ann", "hl", "", "ETH", "long", 4.0, 100.0)]
    found = rg.cross_margin_contagion(book(*ROWS[:5], ("<b>", "ETH", "long", 1.0), ("<b>", "USDC", "collateral", 9e3)),
                                      {"BTC": -0.04})  # fmt: skip
    assert repr(found) == "<CrossMargin: index 1 over 4 positions>"
    assert "4 positions of 3 accounts, 3 healthy at the shocked price" in found.summary()
    assert "forced closing costs healthy positions $100 under cross, $0 under isolated" in found.summary()
    assert found.to_frame() is found.positions
    shown = found._repr_html_()
    assert "<b>" not in shown
    assert "<td>ETH long</td>" in shown
    assert str(found.provenance).startswith("riskgraph 0.1.0, cross_margin_contagion(shock={'BTC': -0.04}, follow='b")


def test_books_that_cannot_be_compared(stand_ins):
    with pytest.raises(rg.InputError, match="expected longs or shorts in margin accounts, got none"):
        rg.cross_margin_contagion(rg.datasets.load("toy"), {"ETH": -0.1})
    with pytest.raises(rg.InputError, match="shock: expected assets of the snapshot, got 'DOGE'"):
        rg.cross_margin_contagion(book(*ROWS), {"DOGE": -0.1})
    with pytest.raises(rg.InputError, match="snap: expected a Snapshot"):
        rg.cross_margin_contagion(None, {"ETH": -0.1})


def test_health_of_whales_after_a_fall(stand_ins, shared_data):
    """Every bucket begins at the health of its account: what is healthy after a fall depends on its own asset alone."""
    snap = whales(shared_data, "2026-02-12 03:07")
    found = rg.cross_margin_contagion(snap, {"BTC": -0.1}, follow="none")
    before = rg.health(snap).set_index("account")["health"]
    frame = found.positions
    moved = frame["asset"] == "BTC"
    np.testing.assert_allclose(frame["health"][~moved], frame["account"].map(before)[~moved].astype(float), rtol=1e-9)
    rate = snap.markets.set_index("asset")["maintenance_margin"]["BTC"]
    own = frame["account"].map(before).astype(float)
    for side, gain in (("long", -0.1), ("short", 0.1)):
        rows = moved & (frame["side"] == side)
        np.testing.assert_allclose(frame["health"][rows], (own[rows] + gain / rate) / 0.9, rtol=1e-6, atol=1e-6)
    assert 0 < (~frame["healthy"]).sum() <= len(frame)
    assert found.margin_saved_usd == pytest.approx(0.0, abs=1e-6 * found.requirements["cross_usd"].sum())


def test_two_longs_through_both_cascades():
    """10 of 30 USD are left after BTC's fall, against 8 + 10: the backstop takes all; alone ETH has 15 against 10."""
    snap = rg.Snapshot(
        positions=pd.DataFrame({
            "account": "ann", "protocol": "perps", "asset": ["USDC", "BTC", "ETH"],
            "side": ["collateral", "long", "long"], "amount": [30.0, 10.0, 10.0], "entry_price": [None, 10.0, 10.0]}),
        assets=pd.DataFrame({"asset": ["USDC", "BTC", "ETH"], "price": [1.0, 10.0, 10.0]}),
        markets=pd.DataFrame({"protocol": "perps", "asset": ["BTC", "ETH"], "maintenance_margin": [0.1, 0.1]}),
    )  # fmt: skip
    found = rg.cross_margin_contagion(snap, {"BTC": -0.2})
    frame = found.positions.set_index("asset")
    assert frame["health"].to_dict() == pytest.approx({"BTC": -5.0 / 8.0, "ETH": 1.5})
    assert frame["lost_cross_usd"].to_dict() == pytest.approx({"BTC": 10.0 * 8 / 18, "ETH": 10.0 * 10 / 18})
    assert frame["lost_isolated_usd"].to_dict() == {"BTC": 0.0, "ETH": 0.0}
    assert found.index == pytest.approx(10 / 18)
    assert found.cross.conservation < 1e-12


def test_a_real_day_both_ways(shared_data):
    """Hyperliquid's largest accounts: a fall of 20 % of the four largest assets, one book against the other."""
    snap = whales(shared_data, "2026-02-12 03:07")
    found = rg.cross_margin_contagion(snap, dict.fromkeys(("BTC", "ETH", "SOL", "HYPE"), -0.2), follow="none")
    lost, healthy = found.positions, found.positions["healthy"]
    way = {name: lost.loc[healthy, f"lost_{name}_usd"].sum() for name in ("cross", "isolated")}
    assert found.index == pytest.approx((way["cross"] - way["isolated"]) / lost["lost_cross_usd"].sum())
    assert way["cross"] > 0.0
    assert max(found.cross.conservation, found.isolated.conservation) < 1e-9
