"""Every form that a book comes in gives the same snapshot, and whatever was taken from where is said."""

from __future__ import annotations

import gzip
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from riskgraph.errors import InputError
from riskgraph.readers.reading import read_snapshot
from riskgraph.snapshot.snapshot import Snapshot

ROWS = pd.DataFrame(
    {
        "account": ["0xA1", "0xA1", "0xB2", "0xB2"],
        "protocol": ["one", "one", "two", ""],
        "asset": ["stETH", "USDC", "stETH", "USDC"],
        "side": ["collateral", "debt", "collateral", "wallet"],
        "amount": [100.0, 120_000.0, 1.5, 7.0],
        "usd": [200_000.0, 120_000.0, 3_000.0, 7.0],
    }
)


def write(frame: pd.DataFrame, path: Path) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix == ".gz":
        path.write_bytes(gzip.compress(frame.to_csv(index=False).encode()))
    else:
        frame.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("name", ["book.csv", "book.csv.gz", "book.parquet", "BOOK.CSV"])
def test_long_tables_of_every_kind_are_one_book(name, tmp_path):
    assert read_snapshot(write(ROWS, tmp_path / name)).digest == Snapshot(positions=ROWS).digest


def test_a_directory_of_csv_files_and_what_it_leaves_aside(tmp_path):
    assets = pd.DataFrame({"asset": ["USDC", "stETH"], "price": [1.0, 2000.0]})
    write(ROWS.drop(columns="usd"), tmp_path / "positions.csv")
    write(assets, tmp_path / "assets.parquet")
    write(assets, tmp_path / "figures.csv")
    (tmp_path / "README.md").write_text("not a table")
    snap = read_snapshot(tmp_path, as_of="2024-05-01")
    assert snap.digest == Snapshot(positions=ROWS.drop(columns="usd"), assets=assets, as_of="2024-05-01").digest
    assert "not read (no table of a snapshot): figures" in snap.assumptions


def test_a_duckdb_file_that_somebody_else_made(tmp_path):
    path = tmp_path / "book.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.register("rows", pa.Table.from_pandas(ROWS))
        connection.execute("CREATE TABLE positions AS SELECT * FROM rows")
        connection.execute("CREATE TABLE scratch AS SELECT 1 AS one")
    snap = read_snapshot(path)
    assert snap.digest == Snapshot(positions=ROWS).digest
    assert "not read (no table of a snapshot): scratch" in snap.assumptions


def test_prices_from_a_table_beside_or_from_a_column(tmp_path):
    write(pd.DataFrame({"asset": ["USDC", "stETH"], "price": [1.0, 1990.0]}), tmp_path / "one" / "assets.csv")
    beside = read_snapshot(write(ROWS.drop(columns="usd"), tmp_path / "one" / "rows.csv"))
    assert beside.assets.set_index("asset")["price"].to_dict() == {"USDC": 1.0, "stETH": 1990.0}
    assert "assets: read from assets.csv beside rows.csv" in beside.assumptions
    priced = ROWS.drop(columns="usd").assign(price=[2000.0, 1.0, 2000.0, 1.0])
    column = read_snapshot(write(priced, tmp_path / "two" / "rows.csv"))
    assert column.assets.set_index("asset")["price"].to_dict() == {"USDC": 1.0, "stETH": 2000.0}
    with pytest.raises(InputError, match=r"rows.csv: assets.price: expected a table assets beside it"):
        read_snapshot(write(ROWS.drop(columns="usd"), tmp_path / "three" / "rows.csv"))


@pytest.mark.parametrize(
    ("column", "values", "table", "found"),
    [
        ("account_liq_threshold", [0.8, None, 0.75, None], "accounts", {"0xA1": 0.8, "0xB2": 0.75}),
        ("liquidation_threshold", [0.8, None, 0.75, None], "markets", {"one": 0.8, "two": 0.75}),
    ],
)
def test_thresholds_go_where_they_belong(column, values, table, found, tmp_path):
    snap = read_snapshot(write(ROWS.assign(**{column: values}), tmp_path / "rows.csv"))
    frame = getattr(snap, table).dropna(subset="liquidation_threshold")
    assert frame.set_index("account" if table == "accounts" else "protocol")["liquidation_threshold"].to_dict() == found
    assert f"{table}.liquidation_threshold: taken from the column {column} of the position rows" in snap.assumptions


def test_thresholds_of_rows_that_follow_the_account(tmp_path):
    """Two accounts at one protocol with one asset and two thresholds: they are the accounts' own."""
    rows = pd.concat([ROWS, ROWS.iloc[[0]].assign(account="0xC3")]).assign(
        liquidation_threshold=[0.8, None, 0.75, None, 0.9]
    )
    snap = read_snapshot(write(rows, tmp_path / "rows.csv"))
    assert snap.accounts.set_index("account")["liquidation_threshold"].to_dict() == {
        "0xA1": 0.8,
        "0xB2": 0.75,
        "0xC3": 0.9,
    }


def test_totals_become_named_remainders(tmp_path):
    rows = write(ROWS.assign(account_liq_threshold=[0.8, None, 0.75, None]), tmp_path / "rows.csv")
    totals = pd.DataFrame(
        {
            "account": ["0xA1", "0xB2"],
            "protocol": ["one", "two"],
            "collateral_usd": [200_100.0, 2_900.0],
            "debt_usd": [120_000.0, 10.0],
            "liq_threshold": [0.8, 0.75],
            "emode": [0, 0],
        }
    )
    from riskgraph.margin.account_health import health

    snap = read_snapshot(rows, totals=write(totals, tmp_path / "accounts.csv"))
    frame = health(snap).set_index("account")
    assert frame["collateral_usd"].tolist() == [200_100.0, 2_900.0] and frame["debt_usd"].tolist() == [120_000.0, 10.0]
    assert frame["health"].tolist() == pytest.approx([200_100.0 * 0.8 / 120_000.0, 2_900.0 * 0.75 / 10.0])
    said = "\n".join(snap.assumptions)
    assert "published collateral less the rows', from accounts.csv: 2 accounts, +100.00 and -100.00" in said
    assert "not read from accounts.csv: emode" in said
    # Totals are of collateral and debt; who only lends may stand in them, with nothing, or not.
    lends = {"account": ["0xC3"], "protocol": ["one"], "asset": ["USDC"], "side": ["deposit"], "amount": [9.0]}
    lender = write(pd.concat([ROWS, pd.DataFrame({**lends, "usd": [9.0]})]), tmp_path / "with_lender.csv")
    nothing = pd.DataFrame({"account": ["0xC3"], "protocol": ["one"], "collateral_usd": [0.0], "debt_usd": [0.0]})
    for more in (totals, pd.concat([totals, nothing])):
        kept = read_snapshot(lender, totals=write(more.drop(columns="liq_threshold"), tmp_path / "more.csv"))
        assert "0xC3" in kept.labels("account").to_pylist()
    with pytest.raises(InputError, match=r"none in the totals, got 0xB2 at two"):
        read_snapshot(rows, totals=write(totals.iloc[[0]], tmp_path / "fewer.csv"))
    with pytest.raises(InputError, match=r"expected every account of both files, none in positions, got 0xZ9 at one"):
        read_snapshot(rows, totals=write(totals.assign(account=["0xZ9", "0xB2"]), tmp_path / "other.csv"))
    with pytest.raises(InputError, match=r"totals.liquidation_threshold: expected the rows' 0.8, got 0.5 for 0xA1"):
        read_snapshot(rows, totals=write(totals.assign(liq_threshold=0.5), tmp_path / "third.csv"))


def test_formats_can_be_named_and_only_known_ones(tmp_path):
    path = write(ROWS, tmp_path / "rows.csv")
    assert read_snapshot(path, format="long").digest == read_snapshot(path).digest
    with pytest.raises(
        InputError, match="format: expected one of auto, directory, long, duckdb, morpho, defillama, got 'xml'"
    ):
        read_snapshot(path, format="xml")


def test_a_folder_may_hold_the_long_table_itself(tmp_path):
    """What works as one file works in a folder, beside more tables; alone, it says which of them it leaves out."""
    rows = write(ROWS.assign(account_liq_threshold=[0.8, None, 0.75, None]), tmp_path / "positions.csv")
    depth = pd.DataFrame({"asset": ["stETH"], "model": ["linear"], "depth_usd": [1e6]})
    write(depth, tmp_path / "liquidity.csv")
    snap = read_snapshot(tmp_path)
    assert snap.accounts["liquidation_threshold"].tolist() == [0.8, 0.75]
    assert snap.liquidity["depth_usd"].tolist() == [1e6]
    alone = read_snapshot(rows)
    assert "not read beside positions.csv: liquidity.csv (name the folder to read them all)" in alone.assumptions
    write(pd.DataFrame({"account": ["0xA1"], "protocol": ["one"], "label": ["Ann"]}), tmp_path / "accounts.csv")
    with pytest.raises(InputError, match="expected thresholds in the table accounts alone"):
        read_snapshot(tmp_path)
