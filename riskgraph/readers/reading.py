"""The one door for data: a folder of tables, one long position table, or a DuckDB file."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riskgraph.errors import InputError
from riskgraph.readers.defillama import SECTIONS, snapshot_from_page, snapshot_from_sections
from riskgraph.readers.files import SUFFIXES, duckdb_tables, read_table, stem
from riskgraph.readers.long_table import from_positions, snapshot_from_long_table
from riskgraph.readers.morpho import ALLOCATIONS, BOOK_FILES, snapshot_from_allocations, snapshot_from_morpho
from riskgraph.readers.outside import columns_of
from riskgraph.snapshot.schema import TABLES
from riskgraph.snapshot.snapshot import Snapshot
from riskgraph.snapshot.store import META

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FORMATS", "read_snapshot"]

FORMATS = ("auto", "directory", "long", "duckdb", "morpho", "defillama")


def read_snapshot(
    path: str | os.PathLike[str],
    format: str = "auto",  # noqa: A002 - the public name
    *,
    totals: str | os.PathLike[str] | None = None,
    as_of: str | dt.date | None = None,
) -> Snapshot:
    """Read a snapshot from disk.

    Parameters
    ----------
    path : path
        A folder of tables named as in ``riskgraph.snapshot.schema`` (CSV, CSV.gz or Parquet), one long position table
        (CSV, CSV.gz or Parquet), a ``.duckdb`` file with tables of those names, or a known export (see Notes).
    format : {"auto", "directory", "long", "duckdb", "morpho", "defillama"}
        ``auto`` tells by the path, and by names of columns.
    totals : path, optional
        For a long table: a table of published totals (account, protocol, collateral_usd, debt_usd, and perhaps
        liq_threshold). What the rows do not explain is kept as a named remainder of the account.
    as_of : str or date, optional
        The moment shown, where the source does not say it.

    Returns
    -------
    Snapshot
        What was derived or left aside on the way stands in its ``assumptions``.

    Raises
    ------
    InputError
        Nothing there, not readable, or not what is expected; names the path, the table and the column.

    Notes
    -----
    A long table has the columns of ``positions`` (account, protocol, asset, side, amount or usd, …). Prices come from
    a table ``assets`` beside it, from a column ``price``, or from ``usd ÷ amount`` of its own rows; nobody guesses
    prices. A column ``liquidation_threshold`` or ``account_liq_threshold`` becomes the market's or the account's.

    ``morpho``: a folder with ``block1_markets_graphql.csv`` and ``block5_borrower_positions.csv`` (markets, borrowers,
    suppliers; each market is a protocol of its own with parent ``morpho_blue``), or a file of what vaults lend where.
    ``defillama``: the JSON page of a protocol, or a CSV of protocol, chain_section, date_unix, token, usd. Terms and
    receipts that are published apart from any book are read by :func:`riskgraph.read_relations`.
    """
    source = Path(path)
    if format not in FORMATS:
        raise InputError(f"format: expected one of {', '.join(FORMATS)}, got {format!r}")
    with _readable(source):
        is_there = source.exists()
    if not is_there:
        raise InputError(f"{source}: expected a file or a directory, got nothing there")
    kind = _told(source) if format == "auto" else format
    if totals is not None and kind != "long":
        raise InputError(f"totals: expected together with a long position table, got {source}")
    try:
        if kind == "directory":
            return _from_directory(source, as_of)
        if kind == "duckdb":
            return _from_tables(source, dict(duckdb_tables(source, {*TABLES, META})), as_of)
        if kind == "morpho":
            return (snapshot_from_morpho if source.is_dir() else snapshot_from_allocations)(source, as_of)
        if kind == "defillama":
            is_page = source.suffix.lower() == ".json"
            return (snapshot_from_page if is_page else snapshot_from_sections)(source, as_of)
        return snapshot_from_long_table(source, totals=None if totals is None else Path(totals), as_of=as_of)
    except InputError as error:
        if str(error).startswith(str(source)):
            raise
        raise InputError(f"{source}: {error}") from error


@contextmanager
def _readable(source: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"{source}: expected a file or a directory that can be read, got {error.strerror}") from error


def _told(source: Path) -> str:
    if source.is_dir():
        with _readable(source):
            names = {path.name for path in source.iterdir()}
        tables = {f"positions{suffix}" for suffix in SUFFIXES}
        return "morpho" if names.issuperset(BOOK_FILES) and not names & tables else "directory"
    if source.suffix == ".json":
        return "defillama"
    if source.suffix == ".csv":
        columns = set(columns_of(source))
        exports = (("morpho", ALLOCATIONS), ("defillama", SECTIONS))
        return next((name for name, needed in exports if columns.issuperset(needed)), "long")
    return "duckdb" if source.suffix == ".duckdb" else "long"


def _from_directory(folder: Path, as_of: str | dt.date | None) -> Snapshot:
    found: dict[str, Path] = {}
    tables: dict[str, Any] = {}
    with _readable(folder):
        paths = sorted(folder.iterdir())
    for path in paths:
        if not path.name.lower().endswith(SUFFIXES):
            continue
        name = stem(path)
        if name in found:
            raise InputError(f"{folder}: expected one file a table, got {found[name].name} and {path.name}")
        found[name] = path
        tables[name] = read_table(path) if name in TABLES or name == META else None
    return _from_tables(folder, tables, as_of)


def _from_tables(source: Path, tables: dict[str, Any], as_of: str | dt.date | None) -> Snapshot:
    """Make a snapshot of named Arrow tables; None stands for a table that is there but is none of ours."""
    if "positions" not in tables:
        raise InputError(f"{source}: expected a table positions, got {', '.join(sorted(tables)) or 'no tables'}")
    meta = tables.pop(META, None)
    notes: tuple[str, ...] = ()
    if meta is not None:
        moment, notes = _meta(meta)
        as_of = as_of or moment
    foreign = sorted(name for name, table in tables.items() if table is None)
    if foreign:
        notes = (*notes, f"not read (no table of a snapshot): {', '.join(foreign)}")
    ours = {name: table for name, table in tables.items() if table is not None}
    said = from_positions(ours)
    notes = (*notes, *said)
    return Snapshot(**ours, as_of=as_of, notes=notes)


def _meta(table: pa.Table) -> tuple[str | None, tuple[str, ...]]:
    """Read the moment and the notes that a snapshot on disk says of itself (see snapshot/store.py)."""
    known = ("as_of", "notes")
    if not set(known) & set(table.schema.names):
        raise InputError(f"{META}: expected the columns {' and '.join(known)}, got {', '.join(table.schema.names)}")
    row = dict.fromkeys(known) | (table.to_pylist() or [{}])[0]
    try:
        notes = json.loads(row["notes"] or "[]")
    except (TypeError, ValueError):
        notes = None
    if len(table) != 1 or not (isinstance(notes, list) and all(isinstance(note, str) for note in notes)):
        came = f"{len(table)} rows" if len(table) != 1 else repr(row["notes"])
        raise InputError(f"{META}.notes: expected one row with a JSON list of texts, got {came}")
    return str(row["as_of"] or "") or None, tuple(notes)
