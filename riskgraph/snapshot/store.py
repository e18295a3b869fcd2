"""A snapshot on disk: a folder of Parquet files, or one DuckDB file (read back in readers/)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from riskgraph.files import writing, writing_folder
from riskgraph.provenance import VERSION

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

    with writing_folder(path) as folder:
        for name, table in snap._built.tables.items():
            if len(table):
                pq.write_table(table.arrow(), folder / f"{name}.parquet", compression="zstd")
        pq.write_table(pa.table({key: [value] for key, value in _meta(snap).items()}), folder / f"{META}.parquet")


def _write_duckdb(snap: Snapshot, path: str | os.PathLike[str]) -> None:
    import duckdb
    import pyarrow as pa

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
