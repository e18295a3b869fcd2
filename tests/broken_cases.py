"""Broken tables and files, each with the words that its refusal must hold."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["ASSETS", "CASES", "FILES", "LONG_TABLES", "VALUES", "Case", "folder", "written"]

HEAD = "account,protocol,asset,side,amount"
POSITIONS = f"{HEAD}\nann,lend,ETH,collateral,10\nann,lend,USDC,debt,9000\n"
ASSETS = "asset,price\nETH,1500\nUSDC,1\n"
LONG = f"{HEAD},usd"
TOTALS = "account,protocol,collateral_usd,debt_usd"
BOOK = pa.table(
    {
        "account": ["ann", "ann"],
        "protocol": ["lend", "lend"],
        "asset": ["ETH", "USDC"],
        "side": ["collateral", "debt"],
        "amount": [10.0, 9000.0],
    }
)


class Case(NamedTuple):
    """Files to write, what to read of them, and words that the message must hold."""

    name: str
    files: dict[str, bytes]
    words: tuple[str, ...]
    target: str = ""
    options: tuple[str, ...] = ()


def _bytes(content: str | bytes) -> bytes:
    return content if isinstance(content, bytes) else content.encode()


def folder(
    name: str, *words: str, positions: str | bytes | None = POSITIONS, assets: str | bytes | None = ASSETS, **more: Any
) -> Case:
    """A folder of CSV tables."""
    tables = {"positions": positions, "assets": assets, **more}
    return Case(
        name, {f"{table}.csv": _bytes(content) for table, content in tables.items() if content is not None}, words
    )


def row(name: str, line: str, *words: str, head: str = HEAD) -> Case:
    """A folder whose positions have one row more (or another head and that row alone)."""
    return folder(name, *words, positions=f"{POSITIONS}{line}\n" if head == HEAD else f"{head}\n{line}\n")


def single(name: str, file: str, content: str | bytes, *words: str) -> Case:
    """One file, read by itself."""
    return Case(name, {file: _bytes(content)}, words, target=file)


def with_totals(name: str, totals: str, *words: str, usd: str = "15000") -> Case:
    """A long table and published totals beside it."""
    long = f"{LONG}\nann,lend,ETH,collateral,10,{usd}\nann,lend,USDC,debt,9000,9000\n"
    return Case(
        name, {"x.csv": long.encode(), "totals.csv": totals.encode()}, words, "x.csv", ("--totals", "totals.csv")
    )


def parquet(column: str, values: Any) -> bytes:
    """The book with one column exchanged, as Parquet."""
    sink = pa.BufferOutputStream()
    pq.write_table(BOOK.set_column(BOOK.schema.names.index(column), column, values), sink)
    return bytes(sink.getvalue().to_pybytes())


def parquets(name: str, content: bytes, *words: str) -> Case:
    """A folder with positions as Parquet."""
    return Case(name, {"positions.parquet": content, "assets.csv": ASSETS.encode()}, words)


FINE = parquet("amount", pa.array([10.0, 9000.0]))
DAMAGED = FINE[:60] + b"\xff" * 100 + FINE[160:]

COLUMNS = [
    folder("no_account", "positions", "no account", positions="protocol,asset,side,amount\nlend,ETH,collateral,1\n"),
    folder(
        "no_amount", "positions", "amount", "usd", "neither", positions="account,protocol,asset,side\na,l,ETH,debt\n"
    ),
    row("extra_column", "ann,lend,ETH,collateral,1,red", "positions", "colour", head=f"{HEAD},colour"),
    row(
        "twice_the_column",
        "ann,lend,ETH,collateral,1,1",
        "positions.csv",
        "'amount' more than once",
        head=f"{HEAD},amount",
    ),
    row(
        "capital_letter",
        "ann,lend,ETH,collateral,1",
        "positions",
        "no account",
        "Account",
        head=HEAD.replace("a", "A", 1),
    ),
    row("space_in_the_head", "a,lend,ETH,debt,1", "positions", "' asset'", head="account,protocol, asset,side,amount"),
    folder("semicolons", "positions.csv", "commas", positions=POSITIONS.replace(",", ";")),
    folder("no_price_column", "assets", "no price", assets="asset\nETH\nUSDC\n"),
    folder("market_without_asset", "markets", "no asset", markets="protocol,ltv\nlend,0.5\n"),
]
VALUES = [
    row("nan_amount", "bob,lend,ETH,collateral,nan", "positions.amount", "row 3"),
    row("empty_amount", "bob,lend,ETH,collateral,", "positions.amount", "nothing", "row 3"),
    row("infinite_amount", "bob,lend,ETH,collateral,inf", "positions.amount", "finite", "got inf", "row 3"),
    row("overflowing_amount", "bob,lend,ETH,collateral,1e400", "positions.amount", "got inf", "row 3"),
    row("value_beyond_floats", "bob,lend,ETH,collateral,1e308", "positions.amount", "amount × price", "row 3"),
    row("negative_amount", "bob,lend,ETH,collateral,-1", "positions.amount", "at least 0", "got -1.0", "row 3"),
    row("text_amount", "bob,lend,ETH,collateral,lots", "positions.amount", "'lots'", "row 3"),
    row("thousands_comma", 'bob,lend,ETH,collateral,"1,000"', "positions.amount", "'1,000'", "row 3"),
    folder("true_for_a_number", "positions.amount", "bool", positions=f"{HEAD}\nann,lend,ETH,collateral,true\n"),
    folder("date_for_a_number", "positions.amount", "date", positions=f"{HEAD}\nann,lend,ETH,collateral,2023-01-01\n"),
    row("unknown_asset", "bob,lend,DOGE,collateral,1", "positions.asset", "'DOGE'", "row 3"),
    row("unknown_side", "bob,lend,ETH,borrow,1", "positions.side", "collateral, debt", "'borrow'", "row 3"),
    row("side_with_a_space", "bob,lend,ETH, collateral,1", "positions.side", "' collateral'", "row 3"),
    row("empty_side", "bob,lend,ETH,,1", "positions.side", "nothing", "row 3"),
    row("empty_account", ",lend,ETH,collateral,1", "positions.account", "nothing", "row 3"),
    row("empty_asset", "bob,lend,,collateral,1", "positions.asset", "nothing", "row 3"),
    row("duplicate_key", "ann,lend,ETH,collateral,1", "positions", "account × protocol × asset × side", "row 3"),
    row("wallet_with_a_protocol", "bob,lend,ETH,wallet,1", "positions.protocol", "wallet", "row 3"),
    row("collateral_without_a_protocol", "bob,,ETH,collateral,1", "positions.protocol", "nothing", "row 3"),
    row(
        "entry_price_on_collateral",
        "a,lend,ETH,collateral,1,5",
        "positions.entry_price",
        "long",
        head=f"{HEAD},entry_price",
    ),
    row(
        "half_an_option", "a,v,ETH,long,1,call,9", "positions.expiry", "implied_vol", head=f"{HEAD},option_type,strike"
    ),
    row("label_of_asset_and_protocol", "bob,ETH,ETH,collateral,1", "assets.asset", "protocol", "ETH"),
    folder("negative_price", "assets.price", "-1500", "row 1", assets="asset,price\nETH,-1500\nUSDC,1\n"),
    folder("missing_price", "assets.price", "nothing", "row 1", assets="asset,price\nETH,\nUSDC,1\n"),
    folder("unknown_kind_of_asset", "assets.kind", "'coin'", assets="asset,price,kind\nETH,1500,coin\nUSDC,1,\n"),
    folder("duplicate_asset", "assets", "asset once", "row 3", assets=f"{ASSETS}ETH,1501\n"),
]
OTHER_TABLES = [
    folder("unknown_rule", "protocols.rule", "'aave_v9'", protocols="protocol,rule\nlend,aave_v9\n"),
    folder("unknown_kind_of_protocol", "protocols.kind", "'casino'", protocols="protocol,kind\nlend,casino\n"),
    folder(
        "flag_in_words", "protocols.lends_collateral", "'maybe'", protocols="protocol,lends_collateral\nlend,maybe\n"
    ),
    folder("call_level_below_one", "protocols.call_level", "0.5", protocols="protocol,call_level\nlend,0.5\n"),
    folder("unknown_protocol", "markets.protocol", "'nowhere'", markets="protocol,asset,ltv\nnowhere,ETH,0.5\n"),
    folder("percent_for_a_share", "markets.ltv", "at most 1", "85", markets="protocol,asset,ltv\nlend,ETH,85\n"),
    folder("unknown_account", "accounts.account", "'zed'", accounts="account,protocol\nzed,lend\n"),
    folder(
        "unknown_emode",
        "accounts.emode",
        "7",
        accounts="account,protocol,emode\nann,lend,7\n",
        emodes="protocol,category,asset,ltv\nlend,1,ETH,.9\n",
    ),
    folder("share_over_one", "backing.share", "1.5", "row 1", backing="token,backed_by,share\nETH,USDC,1.5\n"),
    folder("shares_sum_over_one", "backing.share", "1.4", backing="token,backed_by,share\nETH,USDC,.7\nETH,lend,.7\n"),
    folder("backs_itself", "backing.backed_by", "ETH", backing="token,backed_by,share\nETH,ETH,0.5\n"),
    folder(
        "loop_of_gain_one",
        "backing.share",
        "gain",
        "ETH, USDC",
        backing="token,backed_by,share\nETH,USDC,1\nUSDC,ETH,1\n",
    ),
    folder("unknown_backer", "backing.backed_by", "'GOLD'", backing="token,backed_by,share\nETH,GOLD,1\n"),
    folder("points_missing", "liquidity.sold_usd", "liquidity.price_fall", liquidity="asset,model\nETH,table\n"),
    folder("depth_missing", "liquidity.depth_usd", "nothing", liquidity="asset,model\nETH,linear\n"),
    folder("depth_of_zero", "liquidity.depth_usd", "above 0", liquidity="asset,model,depth_usd\nETH,linear,0\n"),
    folder("unknown_impact", "liquidity.model", "'cubic'", liquidity="asset,model,depth_usd\nETH,cubic,5\n"),
    folder("claim_on_itself", "claims.debtor", "lend", claims="creditor,debtor,usd\nlend,lend,5\n"),
    folder(
        "tier_over_one",
        "tiers.maintenance_margin",
        "2.0",
        tiers="protocol,asset,notional_from_usd,maintenance_margin\nlend,ETH,0,2\n",
    ),
    folder("moment_in_words", "as_of", "ISO 8601", "'yesterday'", snapshot="as_of,notes\nyesterday,[]\n"),
    folder("notes_not_json", "snapshot.notes", "'not json'", snapshot="as_of,notes\n,not json\n"),
    folder("notes_without_rows", "snapshot.notes", "0 rows", snapshot="as_of,notes\n"),
    folder("another_table_snapshot", "snapshot", "as_of", "when", snapshot="when\n1\n"),
]
FILES = [
    folder("empty_file", "positions.csv", "empty file", positions=""),
    folder("header_only", "positions", "at least one row", positions=f"{HEAD}\n"),
    folder("binary_junk", "positions.csv", "binary", positions=bytes(range(256)) * 8),
    folder("utf16", "positions.csv", "UTF-16", positions=POSITIONS.encode("utf-16")),
    folder("utf16_without_mark", "positions.csv", "UTF-16", positions=POSITIONS.encode("utf-16-le")),
    folder("latin1_label", "positions.csv", "UTF-8", positions=f"{POSITIONS}jörg,lend,ETH,debt,1\n".encode("latin-1")),
    folder("latin1_head", "positions.csv", "UTF-8", positions=POSITIONS.replace("amount", "größe").encode("latin-1")),
    folder(
        "latin1_number", "positions.csv", "UTF-8", "amount", positions=f"{POSITIONS}b,l,ETH,debt,1£\n".encode("latin-1")
    ),
    row("row_too_short", "bob,lend,ETH", "positions.csv", "Expected 5 columns, got 3"),
    row("row_too_long", "bob,lend,ETH,debt,1,2,3", "positions.csv", "Expected 5 columns, got 7"),
    row("quote_not_closed", '"bob,lend,ETH,debt,1', "positions.csv", "Expected 5 columns"),
    folder("folder_without_positions", "table positions", "got assets", positions=None),
    folder("folder_without_prices", "assets.price", "ETH, USDC", assets=None),
    Case("empty_folder", {}, ("table positions", "no tables")),
    Case(
        "two_files",
        {
            "positions.csv": POSITIONS.encode(),
            "positions.csv.gz": gzip.compress(POSITIONS.encode()),
            "assets.csv": ASSETS.encode(),
        },
        ("one file a table", "positions.csv.gz"),
    ),
    single("nothing_there", "other.csv", POSITIONS, "nix.csv", "neither")._replace(target="nix.csv"),
    single("spreadsheet", "x.xlsx", b"PK\x03\x04", "x.xlsx", ".csv", ".parquet"),
    single("spreadsheet_called_csv", "x.csv", b"PK\x03\x04" + b"\0" * 99, "x.csv", "spreadsheet"),
    single("parquet_called_csv", "x.csv", FINE, "x.csv", "Parquet"),
    single("gzip_called_csv", "x.csv", gzip.compress(POSITIONS.encode()), "x.csv", "gzip"),
    single("csv_called_gzip", "x.csv.gz", POSITIONS, "x.csv.gz", "cannot be read"),
    single("gzip_junk", "x.csv.gz", b"\x1f\x8b\x08junkjunkjunk", "x.csv.gz", "cannot be read"),
    single("gzip_cut_short", "x.csv.gz", gzip.compress(POSITIONS.encode())[:-6], "x.csv.gz", "Truncated"),
    single("page_not_found", "x.csv", "<!doctype html><p>404</p>\n", "positions", "no account, protocol, asset, side"),
    parquets("parquet_cut_short", FINE[:-30], "positions.parquet", "cannot be read"),
    parquets("parquet_damaged", DAMAGED, "positions.parquet", "cannot be read"),
    parquets("lists_for_numbers", parquet("amount", pa.array([[1.0], [2.0]])), "positions.amount", "list"),
    parquets("numbers_for_labels", parquet("asset", pa.array([1.5, 2.5])), "positions.asset", "double"),
    single("lists_for_labels", "x.parquet", parquet("asset", pa.array([["a"], ["b"]])), "positions.asset", "list"),
    single("duckdb_of_junk", "x.duckdb", bytes(range(256)) * 8, "x.duckdb", "DuckDB"),
    single("duckdb_empty", "x.duckdb", b"", "x.duckdb", "DuckDB"),
]
LONG_TABLES = [
    single("long_without_prices", "x.csv", POSITIONS, "assets.price", "no prices"),
    single(
        "long_two_prices", "x.csv", f"{LONG}\na,l,ETH,debt,1,10\nb,l,ETH,debt,1,20\n", "positions.usd", "from 10 to 20"
    ),
    single("long_usd_text", "x.csv", f"{LONG}\na,l,ETH,debt,1,$10\n", "positions.usd", "'$10'", "row 1"),
    single("long_price_text", "x.csv", f"{HEAD},price\na,l,ETH,debt,1,ten\n", "positions.price", "'ten'"),
    single("long_price_and_usd", "x.csv", f"{LONG},price\na,l,ETH,debt,1,10,10\n", "positions.price", "without usd"),
    single(
        "long_two_thresholds",
        "x.csv",
        f"{LONG},liq_threshold,account_liq_threshold\na,l,ETH,collateral,1,10,.8,.8\n",
        "positions",
        "one threshold column",
    ),
    single(
        "long_threshold_text",
        "x.csv",
        f"{LONG},liq_threshold\na,l,ETH,collateral,1,10,high\n",
        "positions.liq_threshold",
        "'high'",
    ),
    single(
        "long_threshold_percent",
        "x.csv",
        f"{LONG},liq_threshold\na,l,ETH,collateral,1,10,85\n",
        "positions.liq_threshold",
        "from 0 to 1",
        "85",
        "row 1",
    ),
    single(
        "long_threshold_twice",
        "x.csv",
        f"{LONG},account_liq_threshold\na,l,ETH,collateral,1,10,.7\na,l,USDC,collateral,1,1,.8\n",
        "positions.account_liq_threshold",
        "0.7 and 0.8",
        "a, l",
    ),
    single(
        "long_threshold_of_a_wallet",
        "x.csv",
        f"{LONG},account_liq_threshold\na,,ETH,wallet,1,10,.7\n",
        "positions.account_liq_threshold",
        "wallet",
        "row 1",
    ),
    single("long_column_twice", "x.csv", f"{HEAD},asset\na,l,ETH,debt,1,ETH\n", "x.csv", "'asset' more than once"),
    with_totals("totals_without_debt", "account,protocol,collateral_usd\nann,lend,1\n", "totals", "no debt_usd"),
    with_totals("totals_text", f"{TOTALS}\nann,lend,much,1\n", "totals.collateral_usd", "much", "row 1"),
    with_totals("totals_negative", f"{TOTALS}\nann,lend,-1,1\n", "totals.collateral_usd", "-1", "row 1"),
    with_totals("totals_of_another", f"{TOTALS}\nbob,lend,1,1\n", "totals", "bob at lend", "ann at lend"),
    with_totals(
        "totals_twice", f"{TOTALS}\nann,lend,1,1\nann,lend,1,1\n", "totals", "account × protocol once", "row 2"
    ),
    with_totals(
        "totals_percent", f"{TOTALS},liq_threshold\nann,lend,1,1,85\n", "totals.liquidation_threshold", "at most 1"
    ),
    with_totals(
        "totals_two_thresholds",
        f"{TOTALS},liq_threshold,liquidation_threshold\nann,lend,1,1,.8,.8\n",
        "totals",
        "one threshold column",
    ),
    with_totals("totals_beside_text", f"{TOTALS}\nann,lend,1,1\n", "positions.usd", "'abc'", usd="abc"),
    with_totals("totals_empty", "", "totals.csv", "empty file"),
]
CASES = [*COLUMNS, *VALUES, *OTHER_TABLES, *FILES, *LONG_TABLES]


def written(case: Case, where: Path) -> tuple[Path, list[str]]:
    """Write the files of a case; give what to read of them, and the options."""
    where.mkdir()
    for name, content in case.files.items():
        (where / name).write_bytes(content)
    options = [str(where / part) if part.endswith(".csv") else part for part in case.options]
    return (where / case.target if case.target else where), options
