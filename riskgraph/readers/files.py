"""CSV, Parquet and DuckDB files as Arrow tables; whatever cannot be read is an InputError that says why."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riskgraph.errors import InputError
from riskgraph.snapshot.schema import TABLES

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["SUFFIXES", "duckdb_tables", "read_table", "stem"]

SUFFIXES = (".csv", ".csv.gz", ".parquet", ".pq")
# Views are left out: what they show may lie outside the file.
_MAIN_TABLES = "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'main' ORDER BY 1"
_GZIP = b"\x1f\x8b"
_CONTENTS = {
    _GZIP: "gzip (its name should end in .csv.gz)",
    b"PAR1": "Parquet (its name should end in .parquet)",
    b"PK\x03\x04": "a spreadsheet or an archive",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
# Columns that hold labels in any table: read as text even where every label looks like a number.
_LABELS = sorted({c.name for schema in TABLES.values() for c in schema.columns if c.kind not in ("number", "flag")})
# Millions of different labels: one dictionary over the whole column is made faster than one a chunk is merged.
_MANY = ("account",)


def stem(path: Path) -> str:
    """File name without its known suffix."""
    return path.name.removesuffix(".gz").rsplit(".", 1)[0]


def read_table(path: Path) -> pa.Table:
    """Read one CSV (also gzip) or Parquet file, label columns dictionary-encoded.

    Raises
    ------
    InputError
        No such file, an empty file, not UTF-8, broken or truncated content, or a suffix that is not known.
    """
    if not path.is_file():
        came = "a directory" if path.is_dir() else "a device or a pipe" if path.exists() else "nothing there"
        raise InputError(f"{path}: expected a file, got {came}")
    if not path.name.lower().endswith(SUFFIXES):
        raise InputError(f"{path}: expected a file that ends in {', '.join(SUFFIXES)} or .duckdb")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: expected a table, got an empty file")
    is_csv = path.name.lower().endswith((".csv", ".csv.gz"))
    with _said(path):
        if is_csv:
            _refuse_other_content(path)
        table = _csv(path) if is_csv else _parquet(path)
        names = table.schema.names  # decodes them
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{path}: expected every column once, got {', '.join(map(repr, twice))} more than once")
    if is_csv:
        _refuse_other_text(table, path)
    return table


def _refuse_other_content(path: Path) -> None:
    """Tell by the first bytes what is no CSV, where the parser would only say that columns do not match."""
    with path.open("rb") as file:
        start = file.read(4096)
    packed = path.name.lower().endswith(".gz")
    for known, words in _CONTENTS.items():
        if start.startswith(known) and not (packed and known == _GZIP):
            raise InputError(f"{path}: expected CSV as UTF-8 text, got {words}")
    if not packed and b"\0" in start:
        raise InputError(f"{path}: expected CSV as UTF-8 text, got binary content or UTF-16 (zero bytes)")


def _refuse_other_text(table: pa.Table, path: Path) -> None:
    import pyarrow as pa

    names = table.schema.names
    if len(names) == 1 and any(mark in names[0] for mark in ";\t|"):
        raise InputError(f"{path}: expected columns separated by commas, got the one column {names[0]!r}")
    odd = [field.name for field in table.schema if pa.types.is_binary(field.type)]
    if odd:
        raise InputError(f"{path}: expected UTF-8 text, got other bytes in {', '.join(map(repr, odd))}")


def _csv(path: Path) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    few = pa.dictionary(pa.int32(), pa.string())
    types = {name: pa.string() if name in _MANY else few for name in _LABELS}
    options = csv.ConvertOptions(column_types=types, strings_can_be_null=False)
    return csv.read_csv(path, convert_options=options)


def _parquet(path: Path) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    stored = pq.read_schema(path)
    here = [name for name in _LABELS if name in stored.names and name not in _MANY]
    return pq.read_table(path, read_dictionary=[name for name in here if pa.types.is_string(stored.field(name).type)])


def duckdb_tables(path: Path, wanted: Collection[str]) -> Iterator[tuple[str, Any]]:
    """Give every wanted table of a DuckDB file as (name, Arrow table); other tables as (name, None)."""
    import duckdb

    if not path.is_file():
        raise InputError(f"{path}: expected a DuckDB file, got nothing there")
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            names = [row[0] for row in connection.execute(_MAIN_TABLES).fetchall()]
            for name in names:
                query = f'SELECT * FROM "{name}"'
                yield name, connection.sql(query).to_arrow_table() if name in wanted else None
    except duckdb.Error as error:
        raise InputError(
            f"{path}: expected a DuckDB file, got one that cannot be read ({_first_line(error)})"
        ) from error


@contextmanager
def _said(path: Path) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError, EOFError) as error:
        reason = _first_line(error)
        words = "not UTF-8 text" if "UTF8" in reason or isinstance(error, UnicodeDecodeError) else reason
        raise InputError(f"{path}: expected a readable table, got one that cannot be read ({words})") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
