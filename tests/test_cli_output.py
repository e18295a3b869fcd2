"""What the command line puts out: labels as text, tables that fit, pipes that close, progress, missing values."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from pathlib import Path

import pandas as pd
import pytest

from riskgraph import cli_output
from riskgraph.cli import main
from riskgraph.cli_output import as_csv, as_json, safe, table, working
from tests.terminal import PROGRAM, book, in_terminal, plain, said

ADDRESS = "0x" + "0123456789abcdef" * 2 + "01234567"  # as long as an account's address is: 42 characters


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_output, "DELAY_S", 3600.0)  # on a slow machine progress would come between


# -- labels that nobody has vetted ------------------------------------------------------------------------------------

HOSTILE = "[red]\x1b[31m\x07a\u202eb[/red]:)"


def test_labels_are_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = str(book(tmp_path / "in", account=HOSTILE, protocol="[/]\x9b31m"))
    for command in ("info", "validate", "rank", "reuse"):
        text = said(capsys, command, where, "--assumptions")
        assert [c for c in text if not c.isprintable() and c != "\n"] == []
    assert "[red]\\x1b[31m\\x07a\\u202eb[/red]:)" in said(capsys, "rank", where)
    nodes = [row["node"] for row in json.loads(said(capsys, "rank", where, "--json"))["ranking"]]
    assert {f"account:{HOSTILE}", "protocol:[/]\x9b31m"} <= set(nodes)
    assert HOSTILE in said(capsys, "rank", where, "--csv")  # for machines, as it is


@pytest.mark.parametrize("form", [[], ["--csv"], ["--json"]], ids=["text", "csv", "json"])
def test_a_terminal_gets_no_control_characters(form: list[str], tmp_path: Path) -> None:
    where = str(book(tmp_path / "in", account=HOSTILE))
    raw = in_terminal("rank", where, *form)
    assert "\\x1b[31m\\x07a" in raw or "\\u001b[31m\\u0007a" in raw
    assert set(re.findall(r"\x1b\[[0-9;]*m", raw)) <= {"\x1b[1m", "\x1b[0m"}  # bold heads are ours
    assert [c for c in raw if not c.isprintable() and c not in "\r\n\x1b"] == []


def test_an_error_is_one_line_whatever_the_label(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = book(tmp_path / "in")
    with (where / "positions.csv").open("a", encoding="utf-8") as file:
        file.write('ann,lend,"GO\x1b[2J\nLD",collateral,1\n')
    assert main(["rank", str(where)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "\x1b" not in err and "GO\\x1b[2J" in err


# -- pipes and terminals ----------------------------------------------------------------------------------------------


def test_a_terminal_of_80_columns(tmp_path: Path) -> None:
    lines = plain(in_terminal("rank", str(book(tmp_path / "in", account=ADDRESS))))
    drawn = [line for line in lines if not line.startswith("  ")]  # notes are sentences: the terminal folds them
    assert max(len(line.rstrip()) for line in drawn) <= 80
    assert any(ADDRESS in line for line in drawn)


def test_a_pipe_gets_whole_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "a name much too long for any table " * 4
    lines = said(capsys, "rank", str(book(tmp_path / "in", account=name.strip()))).splitlines()
    assert any(name.strip() in line for line in lines)
    assert [line for line in lines if line != line.rstrip()] == []


def test_a_reader_that_goes_away_is_no_error() -> None:
    with subprocess.Popen([*PROGRAM, "rank", "toy"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.wait() == 141
        said = process.stderr.read().decode().splitlines()
        assert all(line.startswith("riskgraph: ") and line.endswith(" …") for line in said)  # a slow machine's progress


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device /dev/full of Linux")
def test_a_full_disk_is_said() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*PROGRAM, "rank", "toy"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("riskgraph: standard output: cannot be written")
    assert "Traceback" not in done.stderr


def test_a_terminal_without_unicode() -> None:
    env = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    for form in ([], ["--json"]):
        done = subprocess.run([*PROGRAM, "rank", "toy", *form], capture_output=True, env=env, check=False)
        assert done.returncode == 0 and done.stdout.isascii()
    json.loads(done.stdout)


def test_progress_is_said_on_stderr_only(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    shown = threading.Event()
    monkeypatch.setattr(cli_output, "DELAY_S", 0.0)
    real = cli_output.say

    def say(message: str) -> None:
        real(message)
        shown.set()

    monkeypatch.setattr(cli_output, "say", say)
    with working("reading\x1b[2J a book"):
        assert shown.wait(60)
    assert capsys.readouterr() == ("", "riskgraph: reading\\x1b[2J a book …\n")


def test_quick_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with working("blinking"):
        pass
    assert capsys.readouterr() == ("", "")


def test_verbose_says_the_steps_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rank", "toy", "--json", "-v"]) == 0
    out, err = capsys.readouterr()
    json.loads(out)
    assert [line.split(":")[0] for line in err.splitlines()] == ["reading toy", "making the graph", "ranking 13 nodes"]
    said(capsys, "info", "toy")  # and it does not stay on


def test_missing_values() -> None:
    frame = pd.DataFrame({"a": [1.5, float("nan")], "b": ["x", None], "c": pd.array([1, None], dtype="Int64")})
    assert json.loads(as_json(frame)) == [{"a": 1.5, "b": "x", "c": 1}, {"a": None, "b": None, "c": None}]
    assert as_csv(frame) == "a,b,c\n1.5,x,1\n,,\n"


def test_markup_in_a_cell_is_text() -> None:
    cells = table({"[b]head[/b]": False}, [["[link=x]y[/link]"]]).columns[0]
    assert str(cells.header) == "[b]head[/b]" and [str(cell) for cell in cells.cells] == ["[link=x]y[/link]"]
    assert safe("tab\there") == "tab\\there"
