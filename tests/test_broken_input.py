"""Broken tables and files: each is refused in one line that names what to mend, and leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

import riskgraph as rg
from riskgraph import cli_output
from riskgraph.cli import main
from tests.broken_cases import ASSETS, CASES, FILES, LONG_TABLES, VALUES, Case, folder, written


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_output, "DELAY_S", 3600.0)  # on a slow machine a line of progress would come between


def _refusal(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on standard error; nothing else may have been said."""
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("riskgraph: ") and said.err.endswith("\n") and said.err.count("\n") == 1, said.err
    return said.err


def _names(where: Path) -> list[str]:
    return sorted(path.name for path in where.iterdir())


def _tree(where: Path) -> dict[str, bytes]:
    return {str(path.relative_to(where)): path.read_bytes() for path in sorted(where.rglob("*")) if path.is_file()}


def test_names_are_unique_and_many() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) >= 40


def test_the_book_that_is_broken_here_is_fine_before(tmp_path: Path) -> None:
    source, _ = written(folder("fine"), tmp_path / "in")
    assert main(["convert", str(source), str(tmp_path / "out")]) == 0
    assert rg.read_snapshot(tmp_path / "out").digest == rg.read_snapshot(source).digest


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_refused_in_one_line(case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, options = written(case, tmp_path / "in")
    before = _tree(tmp_path)
    for out in ("out", "out.duckdb"):
        assert main(["convert", str(source), str(tmp_path / out), *options]) == 2
        message = _refusal(capsys)
        assert [word for word in case.words if word not in message] == [], message
        assert str(source) in message or str(tmp_path / "in") in message  # which file, among many
    assert _tree(tmp_path) == before
    assert _names(tmp_path) == ["in"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_refused_by_the_library(case: Case, tmp_path: Path) -> None:
    source, options = written(case, tmp_path / "in")
    with pytest.raises(rg.InputError):
        rg.read_snapshot(source, totals=options[1] if options else None)


@pytest.mark.parametrize("command", ["info", "validate", "rank", "reuse"])
@pytest.mark.parametrize("form", [[], ["--json"], ["--csv"]], ids=["text", "json", "csv"])
def test_every_command_refuses(
    command: str, form: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, _ = written(VALUES[0], tmp_path / "in")
    assert main([command, str(source), *form]) == 2
    assert "positions.amount" in _refusal(capsys)


def test_map_leaves_no_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, _ = written(VALUES[0], tmp_path / "in")
    page = tmp_path / "map.html"
    page.write_text("an earlier map", encoding="utf-8")
    assert main(["map", str(source), "-o", str(page)]) == 2
    assert "positions.amount" in _refusal(capsys)
    assert page.read_text(encoding="utf-8") == "an earlier map"
    assert _names(tmp_path) == ["in", "map.html"]


@pytest.mark.parametrize("case", [FILES[2], VALUES[5], LONG_TABLES[0]], ids=lambda case: case.name)
def test_refused_by_the_program(case: Case, tmp_path: Path) -> None:
    source, _ = written(case, tmp_path / "in")
    command = [sys.executable, "-m", "riskgraph", "convert", str(source), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    said = [line for line in done.stderr.splitlines() if not line.endswith(" …")]  # progress, where starting is slow
    assert (done.returncode, done.stdout, len(said)) == (2, "", 1)
    assert said[0].startswith("riskgraph: ") and all(word in said[0] for word in case.words)
    assert _names(tmp_path) == ["in"]


def test_a_folder_in_place_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "assets.csv").write_text(ASSETS, encoding="utf-8")
    (tmp_path / "positions.csv").mkdir()
    assert main(["info", str(tmp_path)]) == 2
    assert "positions.csv: expected a file, got a directory" in _refusal(capsys)


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        ([], ["table positions", "no tables"]),
        (["CREATE TABLE trades (a INTEGER)"], ["table positions", "trades"]),
        (["CREATE SCHEMA s", "CREATE TABLE s.positions (a INTEGER)"], ["table positions", "no tables"]),
        (["CREATE TABLE p AS SELECT 1 AS a", "CREATE VIEW positions AS SELECT * FROM p"], ["table positions", "got p"]),
        (
            [
                "CREATE TABLE positions AS SELECT 'a' account, 'l' protocol, 'ETH' asset, 'debt' side, -1.5 amount",
                "CREATE TABLE assets AS SELECT 'ETH' asset, 1500 price",
            ],
            ["positions.amount", "-1.5", "row 1"],
        ),
    ],
    ids=["without_tables", "other_tables", "other_schema", "a_view", "negative_amount"],
)
def test_duckdb(statements: list[str], words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with duckdb.connect(str(tmp_path / "x.duckdb")) as connection:
        for statement in statements:
            connection.execute(statement)
    assert main(["info", str(tmp_path / "x.duckdb")]) == 2
    message = _refusal(capsys)
    assert [word for word in ["x.duckdb", *words] if word not in message] == [], message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["info", "no_such_dataset"], ["no_such_dataset", "file", "folder", "toy", "curve_founder_202308"]),
        (["info", ""], ["PATH", "empty"]),
        (["info", "x" * 300], ["xxx", "too long"]),
        (["rank"], ["PATH", "riskgraph rank --help"]),
        (["frobnicate"], ["frobnicate", "riskgraph --help"]),
        (["rank", "toy", "--top", "many"], ["--top"]),
        (["rank", "toy", "--top", "0"], ["--top"]),
        (["rank", "toy", "--json", "--csv"], ["--json", "--csv"]),
        (["rank", "toy", "--model", "x"], ["model", "liquidation", "'x'"]),
        (["rank", "toy", "--netting", "x"], ["netting", "family", "'x'"]),
        (["rank", "toy", "--asset-shock", "1.5"], ["asset_shock", "1.5"]),
        (["rank", "toy", "--asset-shock", "nan"], ["asset_shock", "nan"]),
        (["rank", "toy", "--haircut", "-1"], ["haircut", "-1"]),
        (["rank", "toy", "--horizon", "0"], ["horizon", "at least 1"]),
        (["rank", "toy", "--totals", "t.csv"], ["totals", "dataset toy"]),
        (["rank", "toy", "--liquidity", "none.csv"], ["none.csv", "nothing there"]),
        (["map", "toy"], ["--out"]),
        (["map", "toy", "-o", "map.csv"], ["map.csv", ".html"]),
        (["map", "toy", "-o", "none/map.html"], ["none/map.html", "existing folder"]),
        (["convert", "toy", "book.csv"], ["book.csv", "folder", ".duckdb"]),
        (["convert", "toy", "none/book"], ["none/book", "existing folder"]),
        (["datasets", "nix"], ["toy", "'nix'"]),
        (["datasets", "toy", "--seed", "1", "-o", "book"], ["toy", "seed"]),
        (["datasets", "synthetic", "--seed", "1"], ["--seed", "--out"]),
        (["datasets", "synthetic", "--accounts", "0", "-o", "book"], ["accounts", "0"]),
        (["datasets", "-o", "book"], ["name", "toy"]),
    ],
    ids=lambda part: "_".join(part)[:40] if part and "PATH" not in part else None,
)
def test_arguments(
    arguments: list[str],
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    message = _refusal(capsys)
    assert [word for word in words if word not in message] == [], message
    assert _names(tmp_path) == []


def test_input_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = tmp_path / "book"
    assert main(["convert", "toy", str(book)]) == 0
    capsys.readouterr()
    before = _tree(tmp_path)
    assert main(["convert", str(book), str(tmp_path / "." / "book")]) == 2
    assert "another path than the input" in _refusal(capsys)
    assert _tree(tmp_path) == before


def test_a_folder_with_other_files_is_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.tex").write_text("years of work", encoding="utf-8")
    assert main(["convert", "toy", str(tmp_path)]) == 2
    assert "thesis.tex" in _refusal(capsys)
    assert _tree(tmp_path) == {"thesis.tex": b"years of work"}


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (
            "euler_v1_20221030/positions_long.csv",
            ["risk_adj_collateral_eth", "risk_adj_liability_eth", "no protocol, asset, side"],
        ),
        (
            "aave_btc_collateral_20260224/positions_long_v3.csv",
            ["positions.asset", "BTC(WBTC+cbBTC)", "assets.price", "no prices"],
        ),
    ],
)
def test_real_files_that_cannot_be_used(
    file: str, words: list[str], shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", str(shared_data / file)]) == 2
    message = _refusal(capsys)
    assert [word for word in words if word not in message] == [], message
