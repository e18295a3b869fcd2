"""Price moves: who follows whom."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riskgraph.errors import InputError
from riskgraph.snapshot.snapshot import Snapshot


def book(**assets) -> Snapshot:
    """ETH <- stETH <- wstETH and rETH; a basket; an LP of half ETH; stETH priced apart by one protocol."""
    names = ["ETH", "stETH", "wstETH", "rETH", "USDC", "LP", "OTHER"]
    return Snapshot(
        positions=pd.DataFrame({"account": "a", "protocol": "p", "asset": names, "side": "collateral", "amount": 1.0}),
        assets=pd.DataFrame(
            {
                "asset": names,
                "price": [2000.0, 1990.0, 2200.0, 2100.0, 1.0, 50.0, 1.0],
                "kind": ["base", "staked", "staked", "staked", "stable", "lp", "basket"],
                "family": ["ETH", "ETH", "ETH", "ETH", "USDC", "LP", ""],
                **assets,
            }
        ),
        markets=pd.DataFrame({"protocol": ["p"], "asset": ["stETH"], "price": [1980.0]}),
        backing=pd.DataFrame(
            {
                "token": ["stETH", "wstETH", "rETH", "LP"],
                "backed_by": ["ETH", "stETH", "ETH", "ETH"],
                "share": [1.0, 1.0, 1.0, 0.5],
            }
        ),
    )


def moves(snap: Snapshot, shock: dict, **options) -> dict:
    before, after = (each.assets.set_index("asset")["price"] for each in (snap, snap.with_shock(shock, **options)))
    return (after / before - 1.0).round(12).to_dict()


def test_backing_follows_up_the_chain_and_never_down_or_across():
    expected = {"ETH": 0.0, "stETH": -0.1, "wstETH": -0.1, "rETH": 0.0, "USDC": 0.0, "LP": 0.0, "OTHER": 0.0}
    assert moves(book(), {"stETH": -0.1}) == expected
    fall = {"ETH": -0.2, "stETH": -0.2, "wstETH": -0.2, "rETH": -0.2, "USDC": 0.0, "LP": -0.1, "OTHER": 0.0}
    assert moves(book(), {"ETH": -0.2}) == fall


def test_a_named_asset_keeps_its_own_total_move():
    both = moves(book(), {"ETH": -0.2, "stETH": -0.3})
    assert (both["ETH"], both["stETH"], both["wstETH"], both["rETH"]) == (-0.2, -0.3, -0.3, -0.2)


def test_family_and_none():
    assert moves(book(), {"stETH": -0.1}, follow="family") == {
        **dict.fromkeys(["ETH", "stETH", "wstETH", "rETH"], -0.1),
        **dict.fromkeys(["USDC", "LP", "OTHER"], 0.0),
    }
    assert moves(book(), {"ETH": -0.1}, follow="none")["stETH"] == 0.0
    with pytest.raises(InputError, match="one move for the family ETH"):
        book().with_shock({"ETH": -0.1, "stETH": -0.2}, follow="family")


def test_correlation_is_a_regression():
    names = ["ETH", "stETH", "wstETH", "rETH", "USDC", "LP"]
    rho = pd.DataFrame(np.eye(6), names, names)
    rho.loc["ETH", "LP"] = rho.loc["LP", "ETH"] = 0.5
    snap = book(volatility=[0.8, 0.8, 0.8, 0.8, 0.01, 0.4, np.nan])
    found = moves(snap, {"ETH": -0.2}, follow="correlation", correlation=rho)
    assert found["LP"] == pytest.approx(0.5 * 0.4 / 0.8 * -0.2)
    assert found["stETH"] == found["OTHER"] == 0.0
    with pytest.raises(InputError, match="correlation: expected a frame"):
        snap.with_shock({"ETH": -0.2}, follow="correlation")
    with pytest.raises(InputError, match=r"assets.volatility: expected a value for every asset, got none for ETH"):
        book().with_shock({"ETH": -0.2}, follow="correlation", correlation=rho)


def test_market_prices_move_by_the_same_factor():
    shown = book().with_shock({"stETH": -0.1}).markets.set_index("asset")["price"]
    assert shown["stETH"] == pytest.approx(1782.0, rel=1e-14)
    assert book().with_prices({"stETH": 995.0}).markets.set_index("asset")["price"]["stETH"] == pytest.approx(990.0)


@pytest.mark.parametrize(
    ("shock", "words"),
    [
        ({"XYZ": -0.1}, "expected assets of the snapshot, got 'XYZ'"),
        ({"ETH": -1.0}, "ETH: expected a relative move above -1, got -1.0"),
        ({"ETH": float("nan")}, "ETH: expected a relative move above -1, got nan"),
        ({"OTHER": -0.1}, "OTHER: expected an asset whose tokens are known, got a basket"),
    ],
)
def test_bad_shocks(shock, words):
    with pytest.raises(InputError, match=words):
        book().with_shock(shock)


def test_bad_prices_and_follow():
    with pytest.raises(InputError, match="ETH: expected a price of at least 0"):
        book().with_prices({"ETH": -1.0})
    with pytest.raises(InputError, match="follow: expected one of backing"):
        book().with_shock({"ETH": -0.1}, follow="sideways")


def test_every_shock_is_said():
    assert any("stETH -10.0%" in line for line in book().with_shock({"stETH": -0.1}).assumptions)
