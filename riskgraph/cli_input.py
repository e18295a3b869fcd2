"""What the command line takes in: a path or the name of a dataset, and places for output, checked before any work."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import riskgraph as rg
from riskgraph.cli_output import working
from riskgraph.errors import InputError

__all__ = ["check_book", "check_output", "moves_of", "one_format", "read"]

TABLE_SUFFIXES = (".csv", ".gz", ".parquet", ".pq", ".html", ".json")  # of files; a folder of such a name misleads


def read(path: str, totals: str | None = None, liquidity: str | None = None) -> rg.Snapshot:
    """Read what a path or the name of a dataset means; a path that exists goes first."""
    with working(f"reading {path}"):
        snap = _source(path, totals)
        return snap if liquidity is None else _with_liquidity(snap, liquidity)


def _source(path: str, totals: str | None) -> rg.Snapshot:
    if path == "":
        raise InputError("PATH: expected a file, a folder, or the name of a dataset, got an empty text")
    try:
        is_there = Path(path).exists()
    except OSError as error:
        raise InputError(f"{path}: expected a file or a folder, got what cannot be read ({error.strerror})") from error
    if is_there:
        return rg.read_snapshot(path, totals=totals)
    known = rg.datasets.names("book")
    check_book(path, path)
    if path not in known:
        raise InputError(
            f"{path}: expected a file, a folder, or one of the datasets {', '.join(known)}; found neither of that name"
        )
    if totals is not None:
        raise InputError(f"totals: expected together with a long position table, got the dataset {path}")
    book: rg.Snapshot = rg.datasets.load(path)
    return book


def check_book(name: str, where: str) -> None:
    """Refuse the name of a bundled network of banks, which no command takes."""
    if name in rg.datasets.names("interbank"):
        raise InputError(
            f"{where}: expected a book of positions, got {name!r}, a network of banks; "
            f"in Python: riskgraph.datasets.load({name!r})"
        )


def _with_liquidity(snap: rg.Snapshot, file: str) -> rg.Snapshot:
    from riskgraph.readers.files import read_table

    given = read_table(Path(file))
    try:
        return snap.replace(liquidity=given)
    except InputError as error:
        raise InputError(f"{file}: {error}") from error


def one_format(json: bool, csv: bool) -> None:
    """Refuse two formats at once."""
    if json and csv:
        raise InputError("--json, --csv: expected one of them, got both")


def check_output(path: str, source: str, *suffixes: str) -> None:
    """Refuse a place for output before any work is done for it; the suffix "" stands for a folder."""
    target = Path(path)
    wanted = " or ".join(suffix or "a folder" for suffix in suffixes)
    is_folder = "" in suffixes and target.suffix.lower() not in TABLE_SUFFIXES
    if target.suffix.lower() not in suffixes and not is_folder:
        raise InputError(f"{path}: expected a path to write ({wanted}), got {target.suffix or 'no suffix'}")
    if Path(source).exists() and target.exists() and target.samefile(source):
        raise InputError(f"{path}: expected another path than the input's, got the same")
    if not target.absolute().parent.is_dir():
        raise InputError(f"{path}: expected an existing folder to write into, got {target.absolute().parent}")


def moves_of(shock: Sequence[str] | None) -> dict[str, float]:
    """Read what ``--shock ASSET=MOVE`` says.

    >>> moves_of(["ETH=-0.3", "a=b=0.1"])
    {'ETH': -0.3, 'a=b': 0.1}
    """
    moves: dict[str, float] = {}
    for text in shock or ():
        name, sign, move = text.rpartition("=")
        try:
            value = float(move)
        except ValueError:
            sign = ""
        if not sign:
            raise InputError(f"--shock: expected ASSET=MOVE such as ETH=-0.3, got {text!r}")
        if name in moves:
            raise InputError(f"--shock: expected one move of {name!r}, got several")
        moves[name] = value
    return moves
