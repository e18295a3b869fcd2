"""Faults between rows that a reader once found: each is refused, or no longer changes a number."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import riskgraph as rg
from riskgraph.errors import InputError

ASSETS = pd.DataFrame({"asset": ["ETH", "USDC"], "price": [1000.0, 1.0]})
MARKETS = pd.DataFrame({"protocol": ["p"], "asset": ["ETH"], "liquidation_threshold": [0.8]})


def rows(*given: tuple) -> pd.DataFrame:
    return pd.DataFrame(given, columns=["account", "protocol", "asset", "side", "amount"])


BOOK = rows(("a", "p", "ETH", "collateral", 10.0), ("a", "p", "USDC", "debt", 5000.0))


def book(**tables) -> rg.Snapshot:
    return rg.Snapshot(**{"positions": BOOK, "assets": ASSETS, "markets": MARKETS, **tables})


def test_a_filled_frame_handed_back_changes_nothing_and_pins_no_price():
    snap = book()
    assert snap.replace(markets=snap.markets).digest == snap.digest
    edited = snap.replace(markets=snap.markets.assign(liquidation_threshold=0.9))
    cheap = edited.replace(assets=ASSETS.assign(price=[500.0, 1.0]))
    assert cheap.book.usd.tolist() == [5000.0, 5000.0]
    assert book(markets=MARKETS.assign(price=990.0)).book.usd.tolist() == [9900.0, 5000.0]


def test_prices_that_tie_go_by_label_whatever_the_row_order():
    tied = rows(("a", "zed", "X", "collateral", 10.0), ("b", "abe", "X", "collateral", 20.0)).assign(usd=100.0)
    one, other = rg.Snapshot(positions=tied), rg.Snapshot(positions=tied[::-1])
    assert one.digest == other.digest and one.assets["price"].tolist() == other.assets["price"].tolist()


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        (
            {"positions": BOOK.assign(account=["a ", "a"])},
            r"positions.account: expected labels without spaces around them, got 'a ' \(row 1\)",
        ),
        (
            {
                "liquidity": pd.DataFrame(
                    {
                        "asset": ["ETH", "ETH"],
                        "model": ["linear", "table"],
                        "depth_usd": [1e9, np.nan],
                        "sold_usd": [np.nan, 100.0],
                        "price_fall": [np.nan, 0.1],
                    }
                )
            },
            "liquidity.model: expected one value for all rows of an asset, got several for ETH",
        ),
        (
            {
                "tiers": pd.DataFrame(
                    {"protocol": ["p"], "asset": ["ETH"], "notional_from_usd": [600.0], "maintenance_margin": [0.05]}
                )
            },
            "tiers.notional_from_usd: expected a first tier from 0, got 600 for ETH",
        ),
        (
            {
                "positions": pd.concat([BOOK, rows(("b", "", "ETH", "wallet", 1.0))]),
                "accounts": pd.DataFrame({"account": ["b"], "protocol": ["p"], "debt_remainder_usd": [1e6]}),
            },
            "accounts.debt_remainder_usd: expected one margin account .* got another number for b",
        ),
        (
            {
                "positions": pd.concat([BOOK, BOOK.assign(bucket="x")]),
                "accounts": pd.DataFrame({"account": ["a"], "protocol": ["p"], "debt_remainder_usd": [1.0]}),
            },
            "accounts.debt_remainder_usd: expected one margin account",
        ),
        (
            {
                "assets": pd.DataFrame({"asset": ["ETH", "USDC", "LP"], "price": 1.0}),
                "backing": pd.DataFrame(
                    {"token": ["LP", "LP"], "backed_by": ["ETH", "USDC"], "share": 0.5, "issuer": ["p", "q"]}
                ),
                "protocols": pd.DataFrame({"protocol": ["p", "q"]}),
            },
            "backing.issuer: expected one issuer a token, got several for LP",
        ),
        ({"positions": BOOK.assign(amount=pd.Series([10**25, 5], dtype=object))}, "positions.amount: expected"),
        ({"positions": {"account": ["a"]}}, "positions: expected a pandas DataFrame or an Arrow table, got dict"),
    ],
)
def test_refused(tables, words):
    with pytest.raises(InputError, match=words):
        book(**tables)


def test_spellings_that_differ_in_case_are_said():
    snap = book(positions=pd.concat([BOOK, rows(("A", "p", "ETH", "collateral", 1.0))]))
    assert "positions.account: a stand in more than one spelling (upper and lower case) and are taken as different" in (
        snap.assumptions
    )


def test_health_that_cannot_be_told_is_refused():
    accounts = pd.DataFrame({"account": ["a"], "protocol": ["p"], "collateral_remainder_usd": [100.0]})
    snap = book(positions=rows(("a", "p", "USDC", "debt", 5000.0)), accounts=accounts)
    with pytest.raises(InputError, match=r"accounts.liquidation_threshold: .* remainder alone, got none for a"):
        rg.health(snap)


def test_a_bankrupt_perpetual_account_without_margin_is_insolvent():
    positions = rows(("a", "p", "USDC", "collateral", 100.0), ("a", "p", "ETH", "long", 1.0))
    snap = book(
        positions=positions.assign(entry_price=[np.nan, 1500.0]),
        markets=pd.DataFrame({"protocol": ["p"], "asset": ["ETH"], "maintenance_margin": [0.0]}),
    )
    assert rg.health(snap)[["health", "status"]].values.tolist() == [[-np.inf, "insolvent"]]


def test_values_beyond_a_float_are_refused_and_tiny_equity_ends():
    with pytest.raises(InputError, match="beyond 1e308"):
        book().with_prices({"ETH": 1e308})
    for bad in ({"ETH": "dear"}, {"ETH": None}, None):
        with pytest.raises(InputError, match="prices: expected a mapping of assets to numbers"):
            book().with_prices(bad)
    tiny = book(positions=rows(("a", "p", "ETH", "deposit", 1e-312), ("b", "p", "ETH", "deposit", 1.0)))
    assert np.isfinite(rg.contagion_centrality(rg.exposure_graph(tiny)).effects.contagion).all()


def test_nobody_elses_files_are_written_over(tmp_path):
    import duckdb

    snap = book()
    (tmp_path / "lake").mkdir()
    pd.DataFrame({"x": [1]}).to_parquet(tmp_path / "lake" / "trades.parquet")
    with pytest.raises(InputError, match=r"expected a new folder or an earlier snapshot, got one with trades.parquet"):
        snap.write(tmp_path / "lake")
    with duckdb.connect(str(tmp_path / "mine.duckdb")) as connection:
        connection.execute("CREATE TABLE work AS SELECT 1 AS one")
    with pytest.raises(InputError, match="expected a new file or an earlier snapshot, got one with work"):
        snap.write(tmp_path / "mine.duckdb")
    (tmp_path / "text.duckdb").write_text("not a database")
    with pytest.raises(InputError, match="expected a new file or an earlier snapshot, got no DuckDB file"):
        snap.write(tmp_path / "text.duckdb")
    for name in ("fresh", "fresh.duckdb"):
        snap.write(tmp_path / name)
        snap.write(tmp_path / name)  # its own earlier snapshot is replaced
    assert sorted(path.name for path in (tmp_path / "lake").iterdir()) == ["trades.parquet"]


def test_a_ranking_of_another_graph_is_refused():
    snap = rg.datasets.load("toy")
    drawn, other = rg.exposure_graph(snap), rg.exposure_graph(snap, netting="none")
    with pytest.raises(InputError, match="got one of another graph"):
        rg.network_map(drawn, ranking=rg.contagion_centrality(other))
    rg.network_map(drawn, ranking=rg.contagion_centrality(rg.exposure_graph(snap)))


@pytest.mark.parametrize("call", [rg.contagion_centrality, lambda given: rg.debtrank(given, {})])
def test_a_snapshot_is_no_graph(call):
    with pytest.raises(InputError, match="graph: expected an ExposureGraph"):
        call(book())


@pytest.mark.parametrize("call", [rg.health, rg.exposure_graph, rg.collateral_reuse])
def test_a_graph_is_no_snapshot(call):
    with pytest.raises(InputError, match="snap: expected a Snapshot"):
        call(rg.exposure_graph(book()))


def test_provenance_tells_results_apart():
    snap = rg.datasets.load("toy")
    graphs = [rg.exposure_graph(snap), rg.exposure_graph(snap, netting="none", haircut=0.5)]
    told = [str(rg.contagion_centrality(graph).provenance) for graph in graphs]
    told += [str(rg.debtrank(graphs[0], {"asset:ETH": fall}).provenance) for fall in (0.1, 0.9)]
    told += [
        str(rg.network_map(graphs[0], ranking=rg.contagion_centrality(graphs[0], model=model)).provenance)
        for model in ("liquidation", "linear")
    ]
    assert len(set(told)) == len(told)
