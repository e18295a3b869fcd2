"""The real stETH book of June 2023: published health factors rebuilt, and every group that differs explained."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import riskgraph as rg
from tests.conftest import DATA

FOLDER = DATA / "aave_steth_20230621"
KEY = ["account", "protocol"]
V2, V3 = "aave-v2-ethereum", "aave-v3-ethereum"
TOLERANCE = 1e-6
# Rows were valued at one ETH price; accounts read late in the list had their totals at a later one.
ETH_ROWS, ETH_TOTALS = 1719.89763743, 1719.57
DUST = 0.001 * ETH_ROWS  # the source leaves out remainders under a thousandth of an ETH
pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(not FOLDER.is_dir(), reason=f"real data are not on this machine (looked in {FOLDER})"),
]


@pytest.fixture(scope="module")
def published() -> pd.DataFrame:
    return pd.read_csv(FOLDER / "accounts.csv").set_index(KEY).sort_index()


def rebuilt(**options) -> pd.Series:
    snap = rg.read_snapshot(FOLDER / "positions_long.csv", **options)
    return rg.health(snap).astype(dict.fromkeys(KEY, object)).set_index(KEY)["health"].sort_index()


def agreeing(ours: pd.Series, published: pd.DataFrame) -> pd.Series:
    assert ours.index.equals(published.index)
    return (ours - published["healthf"]).abs() <= TOLERANCE * published["healthf"]


def test_it_loads_with_no_help_and_says_what_it_took():
    snap = rg.read_snapshot(FOLDER / "positions_long.csv")
    assert len(snap.table("positions")) == 4702 and len(snap.labels("account")) == 1803
    assert snap.totals_usd["collateral"] == pytest.approx(2_555_707_607, rel=1e-9)
    assert snap.totals_usd["debt"] == pytest.approx(1_280_602_772, rel=1e-9)
    assert snap.assets.set_index("asset").loc["OTHER", "kind"] == "basket"
    shown = snap.markets.set_index(["protocol", "asset"])["price"]
    assert shown[V2, "USDC"] == pytest.approx(0.9979246892) and shown[V3, "USDC"] == pytest.approx(1.00021167)
    said = "\n".join(snap.assumptions)
    for words in (
        "usd ÷ amount",
        "account_liq_threshold",
        "OTHER taken as a basket",
        "different prices for the same asset",
    ):
        assert words in said


def test_the_share_that_the_rows_allow(published):
    agrees = agreeing(rebuilt(), published)
    counts = agrees.groupby("protocol").agg(["sum", "count"])
    assert counts.loc[V2].tolist() == [1278, 1309]  # 97.6 %
    assert counts.loc[V3].tolist() == [249, 502]  # 49.6 %
    assert agrees.mean() == pytest.approx(0.843, abs=5e-4)


def test_with_published_totals_every_account_agrees(published):
    ours = rebuilt(totals=FOLDER / "accounts.csv")
    assert agreeing(ours, published).all()
    said = "\n".join(rg.read_snapshot(FOLDER / "positions_long.csv", totals=FOLDER / "accounts.csv").assumptions)
    assert "accounts.collateral_remainder_usd" in said and "accounts.debt_remainder_usd" in said


@pytest.mark.parametrize("options", [{}, {"totals": FOLDER / "accounts.csv"}], ids=["rows", "published totals"])
def test_the_status_of_every_margin_account_is_as_published(published, options):
    """From rows alone health differs in 284 of 1,811 accounts, by interest, dust and an ETH price; no status does."""
    frame = rg.health(rg.read_snapshot(FOLDER / "positions_long.csv", **options))
    ours = frame.astype(dict.fromkeys([*KEY, "status"], object)).set_index(KEY)["status"].sort_index()
    short = np.where(published["collateral_usd"] < published["debt_usd"], "insolvent", "liquidatable")
    expected = pd.Series(np.where(published["healthf"] < 1.0, short, "healthy"), index=published.index)
    assert ours.to_dict() == expected.to_dict()
    assert expected.value_counts().to_dict() == {"healthy": 1807, "liquidatable": 4}


def test_every_group_that_differs_is_explained(published):
    rows = pd.read_csv(FOLDER / "positions_long.csv")

    def sums(part: pd.DataFrame) -> pd.DataFrame:
        wide = part.pivot_table(index=KEY, columns="side", values="usd", aggfunc="sum")
        return wide.reindex(index=published.index, columns=["collateral", "debt"]).fillna(0.0)

    held = sums(rows)
    totals = published[["collateral_usd", "debt_usd"]].set_axis(["collateral", "debt"], axis=1)
    missing = totals - held
    on_v3 = published.index.get_level_values("protocol") == V3
    has_other = sums(rows[rows["asset"] == "OTHER"]) > 0
    has_busd = sums(rows[rows["asset"] == "BUSD"])["debt"] > 0
    ether = sums(rows[(rows["protocol"] == V3) & rows["asset"].isin(["wstETH", "rETH", "cbETH", "WETH"])])
    # A side with a remainder row sums to its total whatever the price; the others move with ETH.
    repriced = held - (1.0 - ETH_TOTALS / ETH_ROWS) * ether.where(~has_other, 0.0)
    threshold = published["liq_threshold"]
    differs = ~agreeing(rebuilt(), published)
    owes = held["debt"] > 0.0
    at_new_price = repriced["collateral"] * threshold / repriced["debt"].where(owes)
    moved = (at_new_price - published["healthf"]).abs() <= TOLERANCE * published["healthf"]
    on_v2 = differs & owes & ~on_v3
    not_enabled = on_v2 & (missing["collateral"] < -1e-3 * totals["collateral"])
    groups = {
        "debt without a row": differs & ~owes,
        "collateral that its owner has not enabled": not_enabled,
        "interest between two reads (BUSD)": on_v2 & has_busd & (missing["debt"] < -TOLERANCE * totals["debt"]),
        "collateral dust without a row": on_v2
        & (missing["collateral"] > TOLERANCE * totals["collateral"])
        & (missing["collateral"] <= DUST),
        "debt dust without a row": on_v2 & (missing["debt"] > TOLERANCE * totals["debt"]) & (missing["debt"] <= DUST),
        "ETH moved between rows and totals": differs & owes & on_v3 & moved,
        "ETH moved, and a row is missing": differs & owes & on_v3 & ~moved,
    }
    table = pd.DataFrame(groups)
    assert (table.sum(axis=1) == differs.astype(int)).all(), "groups must be exclusive and leave nothing out"
    counts = table.groupby("protocol").sum().T
    assert counts[V2].tolist() == [15, 2, 4, 6, 4, 0, 0]
    assert counts[V3].tolist() == [2, 0, 0, 0, 0, 248, 3]
    both = totals - repriced
    last = both[groups["ETH moved, and a row is missing"]]
    assert ((last > TOLERANCE * totals.loc[last.index]).sum(axis=1) == 1).all()
    assert (last.abs() < 1e-3 * totals.loc[last.index]).all().all()
    assert (totals["debt"][groups["debt without a row"]] < 1.04).all()


def test_the_spine_on_it(tmp_path: Path):
    snap = rg.read_snapshot(FOLDER / "positions_long.csv")
    graph = rg.exposure_graph(snap)
    assert graph.counts == {"account": 1803, "protocol": 2, "asset": 17}  # the basket is no node
    ranking = rg.contagion_centrality(graph).to_frame()
    assets = ranking[ranking["kind"] == "asset"].sort_values("rank")
    assert assets.index[0] in ("asset:stETH", "asset:wstETH")
    assert assets["first_round_usd"].iloc[0] == pytest.approx(209.6e6, rel=1e-3)  # METHODS 3.9
    onset = graph.onset[graph.kind == 0]
    assert np.median(onset) == pytest.approx(0.84, abs=0.005)  # METHODS 3.9: equity already lost when health is 1
    deep = snap.replace(liquidity=pd.DataFrame({"asset": ["stETH"], "model": ["linear"], "depth_usd": [1e9]}))
    assert rg.spectral_radius(rg.exposure_graph(deep)) == pytest.approx(1.67, abs=0.005)  # METHODS 3.9
    assert math.isfinite(rg.debtrank(rg.exposure_graph(deep), {"asset:stETH": 0.1}).loss_usd)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("aave_btc_collateral_20260224/positions_long_v3.csv", ["several summed in BTC(WBTC+cbBTC)", "got no prices"]),
        (
            "euler_v1_20221030/positions_long.csv",
            ["risk_adj_collateral_eth, risk_adj_liability_eth", "risk-adjusted values", "got no protocol, asset, side"],
        ),
    ],
)
def test_what_cannot_be_used_is_refused_for_what_it_is(path, words):
    with pytest.raises(rg.InputError) as caught:
        rg.read_snapshot(DATA / path)
    for word in words:
        assert word in str(caught.value)
