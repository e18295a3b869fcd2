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


# -- orders under other weights, and a break played on ---------------------------------------------------------------


def test_orders_of_hotspots_against_scipy_and_by_hand():
    """Weight 1 orders by reused USD alone, weight 0 by contagion alone, ½ is the product's own order."""
    reuse = rg.collateral_reuse(rg.datasets.load("toy"))
    orders = reuse.hotspot_orders((0.0, 0.5, 1.0), top=2).set_index(["kind", "order"])
    for kind, nodes in reuse.hotspots.groupby("kind"):
        hot = nodes[nodes["contagion"].notna()]
        own = orders.loc[(kind, "reused^0.5 × contagion^0.5")]
        assert own["nodes"] == len(hot)
        assert own["spearman"] == pytest.approx(1.0)
        assert own["top_shared"] == 1.0
        for name, column in (("reused^1 × contagion^0", "reused_usd"), ("reused^0 × contagion^1", "contagion")):
            told = orders.loc[(kind, name)]
            one, other = hot["hotspot"].rank(), hot[column].rank()
            assert told["spearman"] == pytest.approx(one.corr(other), abs=1e-12)  # Pearson's of the ranks
            first = [set(ranks.sort_values(ascending=False, kind="stable").index[:2]) for ranks in (one, other)]
            assert told["top_shared"] == len(first[0] & first[1]) / 2
    for wrong in ({"weights": (1.5,)}, {"weights": (float("nan"),)}, {"top": 0}):
        with pytest.raises(rg.InputError, match="hotspot_orders: expected weights from 0 to 1 and top of at least 1"):
            reuse.hotspot_orders(**wrong)


def test_a_break_and_the_cascade_that_follows_it():
    """stETH −20 % in the toy book: 81,600 of loss before any sale, 233,616.15 once all is sold out (METHODS 5.7)."""
    broken = rg.collateral_reuse(rg.datasets.load("toy")).break_("stETH", 0.2)
    cascade = broken.cascade()
    table = broken.beside(cascade)
    assert table.loc["fall", "loss_usd"] == pytest.approx(81_600.0)
    assert table.loc["cascade", "loss_usd"] == pytest.approx(233_616.15, abs=0.005)
    assert table["bad_debt_usd"].tolist() == pytest.approx([0.0, 13_998.15], abs=0.005)
    assert table["liquidated"].tolist() == [0, 3]
    assert table.loc["fall", "price"] == pytest.approx(1_600.0)
    assert table.loc["cascade", "rounds"] == cascade.n_rounds == 13
    other = rg.liquidation_cascade(rg.datasets.load("toy"), {"ETH": -0.2})
    with pytest.raises(rg.InputError, match=r"cascade: expected one of this snapshot with the shock \{'stETH': -0.2\}"):
        broken.beside(other)
