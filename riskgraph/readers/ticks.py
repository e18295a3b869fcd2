"""Price ticks from a file or a stream, line by line: nothing waits for the end of what may have none."""

from __future__ import annotations

import csv
import gzip
import json
import os
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from riskgraph.errors import InputError

__all__ = ["read_ticks"]

LONG = ("time", "asset", "price")
Tick = tuple[Any, dict[str, float]]


def read_ticks(source: str | os.PathLike[str] | TextIO) -> Iterator[Tick]:
    r"""Read price ticks as :func:`riskgraph.monitor` takes them: pairs of a time and prices by asset.

    Lines are read as they are asked for. Three forms are told apart by the first line:

    - CSV with the header ``time,asset,price``. Neighbouring rows of one time are one tick (prices of one moment move
      together), which is complete when another time comes; an asset that stands there again begins a new tick.
    - CSV with the header ``time`` and a column an asset, a row a tick; where a cell is empty the price stays.
    - JSON lines: ``{"time": …, "asset": …, "price": …}``, joined in the same way, or ``{"time": …, "prices": {…}}``, a
      tick each.

    Parameters
    ----------
    source : path, "-" or text stream
        A file (UTF-8; gzip where its name ends in .gz), standard input, or anything open that gives lines.

    Yields
    ------
    tuple
        Time (a text from CSV, a text or number from JSON) and a dict of asset to price, USD a unit.

    Raises
    ------
    InputError
        There is no such file, at once; later, naming file and line: a header or a line that is none of these, or a
        price that is no number. Order, assets and signs are judged by :func:`riskgraph.monitor`.

    Examples
    --------
    >>> import io, riskgraph as rg
    >>> list(rg.read_ticks(io.StringIO("time,asset,price\n1,ETH,1900\n1,BTC,27000\n2,ETH,1890\n")))
    [('1', {'ETH': 1900.0, 'BTC': 27000.0}), ('2', {'ETH': 1890.0})]
    """
    if isinstance(source, str | os.PathLike):
        name = "standard input" if str(source) == "-" else str(source)
        if str(source) != "-":
            _check_file(Path(source))
    elif hasattr(source, "readline"):
        name = str(getattr(source, "name", "ticks"))
    else:
        raise InputError(f"ticks: expected a path, '-' or an open text stream, got {type(source).__name__}")
    return _ticks(source, name)


def _check_file(path: Path) -> None:
    try:
        is_there, is_folder = path.exists(), path.is_dir()
    except (OSError, ValueError) as error:
        raise InputError(f"{str(path)!r}: expected a file of ticks, got what cannot be read ({error})") from error
    if not is_there or is_folder:
        raise InputError(f"{path}: expected a file of ticks, got {'a directory' if is_folder else 'nothing there'}")


def _ticks(source: Any, name: str) -> Iterator[Tick]:
    with _lines(source, name) as lines:
        first = next((line for line in lines if line[1].strip()), None)
        if first is None:
            raise InputError(f"{name}: expected ticks, got nothing")
        rows = _json_rows if first[1].lstrip().startswith("{") else _csv_rows
        yield from _joined(rows(_chain(first, lines), name))


@contextmanager
def _lines(source: Any, name: str) -> Iterator[Iterator[tuple[int, str]]]:
    """Give numbered lines, without a byte order mark; what cannot be read is said."""
    with _opened(source, name) as stream:

        def numbered() -> Iterator[tuple[int, str]]:
            number = 0
            try:
                for number, line in enumerate(iter(stream.readline, ""), start=1):
                    yield number, line.removeprefix("\ufeff") if number == 1 else line
            except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
                raise InputError(
                    f"{name}, line {number + 1}: expected UTF-8 text, got what cannot be read ({error})"
                ) from error

        yield numbered()


@contextmanager
def _opened(source: Any, name: str) -> Iterator[TextIO]:
    if not isinstance(source, str | os.PathLike):
        yield source
        return
    if str(source) == "-":
        yield sys.stdin
        return
    path = Path(source)
    try:
        packed = path.name.lower().endswith(".gz")
        opened = gzip.open if packed else open
        stream = opened(path, "rt", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({error.strerror or error})") from error
    with stream:
        yield stream


def _chain(first: tuple[int, str], rest: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    yield first
    yield from rest


Row = tuple[Any, dict[str, float], bool]  # time, prices, whether it is a tick of its own


def _joined(rows: Iterable[Row]) -> Iterator[Tick]:
    """Put neighbouring rows of one time together."""
    time: Any = None
    prices: dict[str, float] = {}
    for at, told, whole in rows:
        if prices and (whole or at != time or any(name in prices for name in told)):
            yield time, prices
            prices = {}
        if whole:
            yield at, told
        else:
            time, prices = at, {**prices, **told}
    if prices:
        yield time, prices


def _csv_rows(lines: Iterator[tuple[int, str]], name: str) -> Iterator[Row]:
    """Rows of either form of CSV; a line is a row, so that no quoted field runs over its end."""
    number, line = next(lines)
    header = [cell.strip() for cell in _cells(line, name, number)]
    is_long = sorted(header) == sorted(LONG)
    if not is_long and (header.count("time") != 1 or len(set(header)) < len(header) or len(header) < 2 or "" in header):
        raise InputError(
            f"{name}, line {number}: expected a header time,asset,price or time and a column an asset, each once, or "
            f"JSON lines, got {line.strip()[:80]!r}"
        )
    for number, line in lines:
        if not line.strip():
            continue
        cells = _cells(line, name, number)
        if len(cells) != len(header):
            raise InputError(f"{name}, line {number}: expected {len(header)} cells, got {len(cells)}")
        row = dict(zip(header, cells, strict=True))
        time = row.pop("time").strip()
        where = f"{name}, line {number}"
        if is_long:
            yield time, {row["asset"].strip(): _price(row["price"], where)}, False
        else:
            yield time, {asset: _price(cell, where) for asset, cell in row.items() if cell.strip()}, True


def _cells(line: str, name: str, number: int) -> list[str]:
    try:
        (cells,) = csv.reader([line.rstrip("\r\n")], strict=True)
    except (csv.Error, ValueError) as error:
        raise InputError(
            f"{name}, line {number}: expected one row of CSV, got {line.strip()[:80]!r} ({error})"
        ) from error
    return cells


def _json_rows(lines: Iterator[tuple[int, str]], name: str) -> Iterator[Row]:
    for number, line in lines:
        if not line.strip():
            continue
        where = f"{name}, line {number}"
        try:
            told = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{where}: expected one JSON object a line, got {line.strip()[:80]!r}") from error
        if isinstance(told, dict) and set(told) == set(LONG) and isinstance(told["asset"], str):
            yield told["time"], {told["asset"]: _price(told["price"], where)}, False
        elif isinstance(told, dict) and set(told) == {"time", "prices"} and isinstance(told["prices"], dict):
            yield told["time"], {asset: _price(price, where) for asset, price in told["prices"].items()}, True
        else:
            raise InputError(
                f"{where}: expected an object with time, asset and price, or with time and prices, got "
                f"{line.strip()[:80]!r}"
            )


def _price(told: Any, where: str) -> float:
    if not isinstance(told, bool):
        try:
            return float(told)
        except (TypeError, ValueError, OverflowError):
            pass
    raise InputError(f"{where}: price: expected a number, got {told!r}")
