"""Ticks from files and streams."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest

import riskgraph as rg

LONG = "time,asset,price\n1,ETH,1900\n1,BTC,27000\n2,ETH,1890\n2,ETH,1880\n"
TICKS = [("1", {"ETH": 1900.0, "BTC": 27000.0}), ("2", {"ETH": 1890.0}), ("2", {"ETH": 1880.0})]


def read(text: str) -> list:
    return list(rg.read_ticks(io.StringIO(text)))


def test_long_csv_joins_rows_of_one_time() -> None:
    assert read(LONG) == TICKS
    assert read("\ufeff" + LONG.replace("\n", "\r\n") + "\n\n") == TICKS
    assert read('price,time,asset\n5,1,"a,b"\n') == [("1", {"a,b": 5.0})]


def test_wide_csv_is_a_tick_a_row() -> None:
    text = "time,ETH,BTC\n2023-06-21,1900,27000\n2023-06-22,,26000\n2023-06-22,1800,\n"
    assert read(text) == [
        ("2023-06-21", {"ETH": 1900.0, "BTC": 27000.0}),
        ("2023-06-22", {"BTC": 26000.0}), ("2023-06-22", {"ETH": 1800.0}),
    ]  # fmt: skip


def test_json_lines() -> None:
    text = (
        '{"time": 1, "asset": "ETH", "price": 1900}\n{"price": 27000.5, "time": 1, "asset": "BTC"}\n'
        '{"time": 1, "prices": {"ETH": 1890}}\n\n{"time": 1, "asset": "ETH", "price": 1}\n'
    )
    assert read(text) == [(1, {"ETH": 1900.0, "BTC": 27000.5}), (1, {"ETH": 1890.0}), (1, {"ETH": 1.0})]


def test_files_plain_and_packed_and_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, packed = tmp_path / "t.csv", tmp_path / "t.csv.gz"
    plain.write_text(LONG, encoding="utf-8")
    packed.write_bytes(gzip.compress(LONG.encode()))
    assert list(rg.read_ticks(plain)) == list(rg.read_ticks(str(packed))) == TICKS
    monkeypatch.setattr("sys.stdin", io.StringIO(LONG))
    assert list(rg.read_ticks("-")) == TICKS


def test_lines_are_read_as_they_are_asked_for() -> None:
    class Stream:
        def __init__(self) -> None:
            self.left = iter(["time,ETH\n", "1,2\n", "2,3\n"])
            self.given = 0

        def readline(self) -> str:
            self.given += 1
            return next(self.left, "")

    stream = Stream()
    ticks = rg.read_ticks(stream)  # type: ignore[arg-type]
    assert next(ticks) == ("1", {"ETH": 2.0}) and stream.given == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "ticks: expected ticks, got nothing"),
        ("\n \n", "expected ticks, got nothing"),
        ("when,asset,price\n", "ticks, line 1: expected a header time,asset,price or time and a column an asset"),
        ("time\n1\n", "line 1: expected a header"),
        ("time,ETH,ETH\n", "line 1: expected a header"),
        ("time,ETH,\n", "line 1: expected a header"),
        ("[1]\n", "line 1: expected a header"),
        ("time,asset,price\n1,ETH\n", "line 2: expected 3 cells, got 2"),
        ("time,asset,price\n1,ETH,\n", "line 2: price: expected a number, got ''"),
        ("time,asset,price\n1,ETH,1\n\n2,ETH,high\n", "line 4: price: expected a number, got 'high'"),
        ('time,asset,price\n1,"ETH,1\n', "line 2: expected one row of CSV"),
        ("time,ETH\n1,x\n", "line 2: price: expected a number, got 'x'"),
        ('{"time": 1}\n', "line 1: expected an object with time, asset and price, or with time and prices"),
        ('{"time": 1, "asset": "E", "price": 1}\n{"time"\n', "line 2: expected one JSON object a line"),
        ('{"time": 1, "asset": "E", "price": true}\n', "line 1: price: expected a number, got True"),
        ('{"time": 1, "asset": 3, "price": 1}\n', "line 1: expected an object"),
        ('{"time": 1, "prices": {"E": null}}\n', "line 1: price: expected a number, got None"),
        ('{"a":' * 100_000 + "\n", "line 1: expected one JSON object a line"),
    ],
)
def test_refused_with_file_and_line(text: str, words: str) -> None:
    with pytest.raises(rg.InputError) as error:
        read(text)
    assert words in str(error.value)


def test_files_that_are_refused(tmp_path: Path) -> None:
    with pytest.raises(rg.InputError, match="nothing there"):
        rg.read_ticks(tmp_path / "none.csv")
    with pytest.raises(rg.InputError, match="a directory"):
        rg.read_ticks(tmp_path)
    with pytest.raises(rg.InputError, match="expected a path, '-' or an open text stream, got int"):
        rg.read_ticks(3)  # type: ignore[arg-type]
    for name, content in (
        ("latin.csv", b"time,ETH\n1,\xff\n"),
        ("not.csv.gz", b"time,ETH\n1,2\n"),
        ("cut.csv.gz", gzip.compress(b"time,ETH\n" + b"1,2\n" * 10_000)[:-20]),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(rg.InputError, match=f"{name}, line .* expected UTF-8 text"):
            list(rg.read_ticks(tmp_path / name))


def test_from_a_file_to_crossings() -> None:
    ticks = rg.read_ticks(io.StringIO("time,ETH\n2023-06-21,1490\n2023-06-22,1510\n"))
    found = list(rg.monitor(rg.datasets.load("toy"), ticks))
    assert [(c.time, c.kind, c.account) for c in found] == [
        ("2023-06-21", "liquidatable", "bob"), ("2023-06-22", "recovered", "bob"),
    ]  # fmt: skip
