"""A snapshot on disk: a folder of Parquet files, or one DuckDB file (read back in readers/)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from riskgraph.errors import InputError
from riskgraph.files import writing, writing_folder
from riskgraph.provenance import VERSION
from riskgraph.snapshot.schema import TABLES

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["META", "write_snapshot"]

META = "snapshot"  # the file or table that says as_of, notes, and what wrote it


def write_snapshot(snap: Snapshot, path: str | os.PathLike[str]) -> None:
    """Write every stored table; whole or not at all. A path that ends in ``.duckdb`` becomes one DuckDB file.

    Raises
    ------
    InputError
        The path cannot be written to, or is a folder that holds other things.
    """
    if Path(path).suffix == ".duckdb":
        _write_duckdb(snap, path)
    else:
        _write_parquet(snap, path)


def _check_replaceable(path: Path) -> None:
    """Refuse to write over a DuckDB file that is not an earlier snapshot."""
    import duckdb

    if not path.is_file():
        return
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            listed = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    except duckdb.Error as error:
        message = f"{path}: expected a new file or an earlier snapshot, got no DuckDB file"
        raise InputError(message) from error
    names = {row[0] for row in listed}
    foreign = sorted(names - {*TABLES, META})
    if foreign or META not in names:
        came = ", ".join(foreign[:5]) or "no snapshot"
        raise InputError(f"{path}: expected a new file or an earlier snapshot, got one with {came}")


def _meta(snap: Snapshot) -> dict[str, str]:
    return {
        "as_of": snap.as_of or "",
        "notes": json.dumps(list(snap.notes), ensure_ascii=False),
        "digest": snap.digest,
        "riskgraph": VERSION,
    }


def _write_parquet(snap: Snapshot, path: str | os.PathLike[str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with writing_folder(path, {f"{name}.parquet" for name in (*TABLES, META)}) as folder:
        for name, table in snap._built.tables.items():
            if len(table):
                pq.write_table(table.arrow(), folder / f"{name}.parquet", compression="zstd")
        pq.write_table(pa.table({key: [value] for key, value in _meta(snap).items()}), folder / f"{META}.parquet")


def _write_duckdb(snap: Snapshot, path: str | os.PathLike[str]) -> None:
    import duckdb
    import pyarrow as pa

    _check_replaceable(Path(path))
    with writing(path) as beside, duckdb.connect(str(beside)) as connection:
        for name, table in snap._built.tables.items():
            if len(table):
                connection.register("incoming", table.arrow())
                connection.execute(f'CREATE TABLE "{name}" AS SELECT * FROM incoming')
                connection.unregister("incoming")
        connection.register("incoming", pa.table({key: [value] for key, value in _meta(snap).items()}))
        connection.execute(f'CREATE TABLE "{META}" AS SELECT * FROM incoming')
        connection.unregister("incoming")
        connection.execute("CHECKPOINT")
