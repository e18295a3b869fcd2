"""The result of collateral reuse: hotspots, what is refused, how it shows itself, and a real book."""

import json

import numpy as np
import pandas as pd
import pytest

import riskgraph as rg
from tests.reuse_books import book, measures, methods_book


def test_hotspots_are_the_product_within_their_kind():
    snap = rg.datasets.load("toy")
    ranking = rg.contagion_centrality(rg.exposure_graph(snap))
    hot = rg.collateral_reuse(snap, ranking=ranking).hotspots
    contagion = ranking.to_frame()["contagion"].reindex(hot.index)
    assert (hot["contagion"] == contagion).all()
    assert (hot["hotspot"] == hot["reused_usd"] * contagion).all()
    for _, group in hot.groupby("kind"):
        assert group["hotspot"].is_monotonic_decreasing
        assert group["rank"].tolist() == sorted(group["rank"])
        assert set(group["rank_reused"][group["reused_usd"] == group["reused_usd"].max()]) == {1}
    assert hot["kind"].drop_duplicates().tolist() == ["asset", "protocol", "account"]
    pd.testing.assert_frame_equal(hot, rg.collateral_reuse(snap).hotspots)  # the default ranking is the same one
    few = rg.contagion_centrality(rg.exposure_graph(snap), sources=["account:bob", "asset:ETH"])
    partly = rg.collateral_reuse(snap, ranking=few).hotspots
    assert partly["rank"].notna().sum() == 2
    assert partly.loc["account:alice", "reused_usd"] == 120_000.0
    assert partly.loc[["account:alice"], "hotspot"].isna().all()


def test_what_is_refused():
    snap = methods_book()
    other = rg.contagion_centrality(rg.exposure_graph(rg.datasets.load("toy")))
    with pytest.raises(rg.InputError, match="ranking: expected one of this snapshot"):
        rg.collateral_reuse(snap, ranking=other)
    reuse = rg.collateral_reuse(snap)
    with pytest.raises(rg.InputError, match="chains: expected top of at least 1, got 0"):
        reuse.chains(0)
    with pytest.raises(rg.InputError, match=r"fall: expected a share above 0 and below 1, got 1\.0"):
        reuse.break_("ETH", 1.0)
    with pytest.raises(rg.InputError, match="expected assets of the snapshot, got 'DOGE'"):
        reuse.break_("DOGE", 0.1)


def test_hostile_labels_stay_text():
    evil = "<script>alert(1)</script>"
    reuse = rg.collateral_reuse(book([("A", "lend", evil, "collateral", 10.0)], {evil: "base"}, []))
    assert "<script>" not in reuse._repr_html_()
    assert "<script>" not in reuse.break_(evil, 0.1)._repr_html_()
    assert "\n" not in repr(reuse)
    assert json.loads(json.dumps(dict(reuse.totals)))["gross"] == 10.0
    assert reuse.provenance.call == "collateral_reuse"


# -- a real book -----------------------------------------------------------------------------------------------------


def test_the_steth_book_of_june_2023(shared_data):
    path = shared_data / "aave_steth_20230621" / "positions_long.csv"
    reuse = rg.collateral_reuse(rg.read_snapshot(path))
    frame = pd.read_csv(path)
    eth = ["stETH", "wstETH", "rETH", "cbETH", "WETH"]
    collateral = frame[frame["side"].eq("collateral")]
    owned = collateral[collateral["asset"].isin(eth)].groupby("account")["usd"].sum()
    owed = frame[frame["side"].eq("debt") & frame["asset"].isin(eth)].groupby("account")["usd"].sum()
    both = pd.concat([owned, owed], axis=1).fillna(0.0).min(axis=1)
    assert reuse.insolvent.empty
    gross, again, looped, unique = measures(reuse, "WETH")
    assert gross == pytest.approx(owned.sum(), rel=1e-9)
    assert again == 0.0  # no receipts in this book
    assert looped == pytest.approx(both.sum(), rel=1e-9)
    assert unique == pytest.approx(owned.sum() - both.sum(), rel=1e-9)
    assert reuse.totals["rows"] == pytest.approx(collateral["usd"].sum(), rel=1e-9)
    direct = 0.1 * collateral["usd"][collateral["asset"].isin(["stETH", "wstETH"])].sum()
    assert reuse.break_("stETH", 0.1).loss_usd == pytest.approx(direct, rel=1e-9)  # 209.6 M USD
    hot = reuse.hotspots
    assert hot.index[0] == "asset:stETH"
    assert np.isclose(hot["reused_usd"][hot["kind"] == "account"].sum(), reuse.totals["reused"], rtol=1e-12)
