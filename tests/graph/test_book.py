"""From positions to edges: a book solved by hand, the naive oracle, and what must hold of every book."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from riskgraph.errors import InputError
from riskgraph.graph.book import exposure_graph
from riskgraph.margin.account_health import health
from riskgraph.snapshot.snapshot import Snapshot
from tests import naive
from tests.books import books


def rows_of(snap: Snapshot) -> list[dict]:
    frame = snap.positions.astype(dict.fromkeys(("account", "protocol", "bucket", "asset", "side"), object))
    price = snap.assets.set_index("asset")["price"]
    return [
        {**row, "usd": row["amount"] * price[row["asset"]]}
        for row in frame[["account", "protocol", "bucket", "asset", "side", "amount"]].to_dict("records")
    ]


def terms_of(snap: Snapshot) -> dict:
    return {(row["protocol"], row["asset"]): row for row in snap.markets.to_dict("records")}


def edges_of(graph) -> dict:
    matrix = graph.leverage.tocoo()
    return {
        (graph.labels[i], graph.labels[j]): value
        for i, j, value in zip(matrix.row, matrix.col, matrix.data, strict=True)
    }


def loop_book(debt_asset: str = "ETH", **more) -> Snapshot:
    """One looper: 150 wstETH-value of a staked token against a debt of 50 of the base, all at price 1."""
    return Snapshot(
        positions=pd.DataFrame(
            {
                "account": ["ann", "ann"],
                "protocol": ["lend", "lend"],
                "asset": ["wstETH", debt_asset],
                "side": ["collateral", "debt"],
                "amount": [150.0, 50.0],
            }
        ),
        assets=pd.DataFrame(
            {
                "asset": ["ETH", "wstETH", "USDC"],
                "price": 1.0,
                "kind": ["base", "staked", "stable"],
                "family": ["ETH", "ETH", "USDC"],
            }
        ),
        **more,
    )


def test_a_looper_by_hand():
    """METHODS 2: 150 wstETH against a debt of 50 ETH is 150 in wstETH and 100 in ETH."""
    graph = exposure_graph(loop_book())
    ann = graph.index(["account:ann"])[0]
    assert graph.capital_usd[ann] == 100.0
    holdings = graph.exposures[[ann], :].toarray().ravel()
    assert holdings[graph.index(["asset:wstETH", "asset:ETH", "asset:USDC"])].tolist() == [150.0, 100.0, 0.0]
    assert ("asset:wstETH", "asset:ETH") not in edges_of(graph)  # the look-through is in the row already
    by_asset = exposure_graph(loop_book(), netting="asset")
    assert edges_of(by_asset)["asset:wstETH", "asset:ETH"] == 1.0
    assert ("account:ann", "asset:ETH") not in edges_of(by_asset)


def test_sales_and_lenders_by_hand():
    """Debt 50 USDC, bonus 10 %, depth 1000: sale 55, impact 5.5 %, slippage 2.75 %; lenders lose 50 - .9725 · 50."""
    snap = loop_book(
        "USDC",
        markets=pd.DataFrame(
            {"protocol": ["lend"], "asset": ["wstETH"], "liquidation_bonus": [0.1], "liquidation_threshold": [0.8]}
        ),
        liquidity=pd.DataFrame({"asset": ["wstETH"], "model": ["linear"], "depth_usd": [1000.0]}),
        protocols=pd.DataFrame({"protocol": ["lend"], "reserve_usd": [10.0], "supply_usd": [190.0]}),
    )
    graph = exposure_graph(snap)
    edges = edges_of(graph)
    assert edges["asset:wstETH", "account:ann"] == pytest.approx(0.055, rel=1e-14)
    assert edges["protocol:lend", "account:ann"] == pytest.approx((50.0 - 0.9725 * 50.0) / 200.0, rel=1e-12)
    # HF = 150 · .8 / 50 = 2.4; a fall of 1 - 1/2.4 takes 87.5 of its 100 of equity.
    assert graph.onset[graph.index(["account:ann"])[0]] == pytest.approx(0.875, rel=1e-14)


def test_a_treasury_is_the_protocols_own():
    """vault holds 40 ETH and a deposit of 60 USDC with lend: a fifth and three tenths of its capital of 200."""
    rows = [
        ("vault", "", "ETH", "wallet", 40.0),
        ("vault", "lend", "USDC", "deposit", 60.0),
        ("vault", "vault", "USDC", "deposit", 5.0),
        ("ann", "vault", "USDC", "deposit", 90.0),
    ]
    snap = Snapshot(
        positions=pd.DataFrame(rows, columns=["account", "protocol", "asset", "side", "amount"]),
        assets=pd.DataFrame({"asset": ["ETH", "USDC"], "price": 1.0}),
        protocols=pd.DataFrame({"protocol": ["vault"], "reserve_usd": [50.0], "supply_usd": [150.0]}),
    )
    graph = exposure_graph(snap)
    edges = edges_of(graph)
    assert "account:vault" not in graph.labels and graph.counts == {"account": 1, "protocol": 2, "asset": 2}
    assert edges["protocol:vault", "asset:ETH"] == 0.2
    assert edges["protocol:vault", "protocol:lend"] == 0.3
    assert edges["protocol:vault", "asset:USDC"] == 65.0 / 200.0
    assert edges["account:ann", "protocol:vault"] == 1.0
    assert ("protocol:vault", "protocol:vault") not in edges
    assert any("labelled vault are taken as those protocols' own holdings" in line for line in graph.notes)
    # One that pledges or borrows is an account like any other.
    pledged = pd.concat(
        [snap.positions, snap.positions.iloc[[0]].assign(account="vault", protocol="lend", side="collateral")]
    )
    assert "account:vault" in exposure_graph(snap.replace(positions=pledged)).labels


@given(books())
@settings(max_examples=50, deadline=None)
@pytest.mark.parametrize("netting", ["family", "asset", "none"])
def test_naive(netting, snap):
    graph = exposure_graph(snap, netting=netting)
    protocols = {row["protocol"]: row for row in snap.protocols.to_dict("records")}
    depth = {row["asset"]: row["depth_usd"] for row in snap.liquidity.to_dict("records")}
    claims = [(row["creditor"], row["debtor"], row["usd"]) for row in snap.claims.to_dict("records")]
    edges, equity, capital, onset = naive.exposure_edges(
        rows_of(snap), terms_of(snap), protocols, claims, depth, netting
    )
    ours = edges_of(graph)
    scale = max([1.0, *edges.values()])
    for pair in sorted(set(edges) | set(ours)):
        assert ours.get(pair, 0.0) == pytest.approx(edges.get(pair, 0.0), rel=1e-9, abs=1e-11 * scale), pair
    for label, value, start in zip(graph.labels, graph.capital_usd, graph.onset, strict=True):
        kind, _, name = label.partition(":")
        if kind == "account":
            assert value == pytest.approx(equity[name], rel=1e-9, abs=1e-6)
            assert start == pytest.approx(onset[name], rel=1e-6, abs=1e-9)
        if kind == "protocol" and capital[name] > 0.0:
            assert value == pytest.approx(capital[name], rel=1e-12)


@given(books())
@settings(max_examples=50, deadline=None)
def test_health_naive(snap):
    expected = naive.health(rows_of(snap), terms_of(snap))
    frame = health(snap)
    assert len(frame) == len(expected)
    for row in frame.to_dict("records"):
        assert row["health"] == pytest.approx(expected[row["account"], row["protocol"], row["bucket"]], rel=1e-9)


@given(books())
@settings(max_examples=40, deadline=None)
def test_properties(snap):
    graph = exposure_graph(snap)
    n_assets = graph.counts.get("asset", 0)
    assert (graph.leverage.data > 0.0).all() and np.isfinite(graph.leverage.data).all()
    assert graph.leverage.diagonal().sum() == 0.0
    accounts = np.flatnonzero(graph.kind == 0)
    assert graph.leverage[accounts, :][:, accounts].nnz == 0
    # Losses are passed on, never multiplied: all claims on a protocol together are at most its capital.
    claims = graph.exposures[accounts, :][:, n_assets : n_assets + graph.counts["protocol"]].sum(axis=0)
    capital = graph.capital_usd[n_assets : n_assets + graph.counts["protocol"]]
    assert (np.asarray(claims) <= np.nan_to_num(capital) * (1.0 + 1e-12)).all()
    assert graph.weight.sum() == pytest.approx(1.0)
    doubled = exposure_graph(
        snap.replace(
            positions=snap.positions.assign(amount=snap.positions["amount"] * 2.0),
            liquidity=snap.liquidity.assign(depth_usd=snap.liquidity["depth_usd"] * 2.0)
            if len(snap.liquidity)
            else None,
            protocols=snap.protocols.assign(
                reserve_usd=snap.protocols["reserve_usd"] * 2.0, supply_usd=snap.protocols["supply_usd"] * 2.0
            ),
            claims=snap.claims.assign(usd=snap.claims["usd"] * 2.0),
        )
    )
    np.testing.assert_allclose(doubled.leverage.toarray(), graph.leverage.toarray(), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(doubled.exposures.toarray(), 2.0 * graph.exposures.toarray(), rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize(
    "arguments", [{"netting": "half"}, {"haircut": 1.5}, {"haircut": float("nan")}, {"default_capital": -0.1}]
)
def test_bad_arguments(arguments):
    with pytest.raises(InputError, match=next(iter(arguments))):
        exposure_graph(loop_book(), **arguments)
