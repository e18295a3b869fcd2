"""Cascades and the watch on the command line give what the public calls give."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pytest

import riskgraph as rg
from riskgraph import cli_output
from riskgraph.cli import main
from riskgraph.cli_margin_pages import CASCADE_FRAMES
from tests.terminal import book, said

CALL = ("cascade", "toy", "--shock", "ETH=-0.4")
TICKS = "time,ETH\n1,1490\n2,1510\n"


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_output, "DELAY_S", 3600.0)  # on a slow machine progress would come between


@pytest.fixture(scope="module")
def found() -> rg.Cascade:
    return rg.liquidation_cascade(rg.datasets.load("toy"), {"ETH": -0.4})


def test_a_cascade_is_the_public_cascade(capsys: pytest.CaptureFixture[str], found: rg.Cascade) -> None:
    data = json.loads(said(capsys, *CALL, "--json"))
    for name in ("n_rounds", "bad_debt_usd", "loss_usd", "amplification", "conservation"):
        assert data[name] == getattr(found, name)
    for name in CASCADE_FRAMES:
        assert len(data[name]) == len(getattr(found, name))
    rows = list(csv.DictReader(io.StringIO(said(capsys, *CALL, "--csv"))))
    assert [float(row["repaid_usd"]) for row in rows] == found.rounds["repaid_usd"].tolist()
    text = said(capsys, *CALL)
    assert text.splitlines()[0] == found.summary()
    for heading in ("rounds (the first 10 of 12)", "prices that moved", "accounts, the largest bad debt first",
                    "who bears bad debt", "change of wealth", "notes and assumptions"):  # fmt: skip
        assert heading in text


def test_options_reach_the_cascade(capsys: pytest.CaptureFixture[str]) -> None:
    options = {"calls": False, "liquidators": "always", "follow": "none", "recovery": 0.5, "dust_usd": 5.0,
               "closeout": True, "topup": "first", "buy_impact": True, "call_sharing": ["gamma", "beta"]}  # fmt: skip
    real = rg.liquidation_cascade(rg.datasets.load("toy"), {"ETH": -0.4}, **options)
    data = json.loads(said(
        capsys, *CALL, "--json", "--no-calls", "--liquidators", "always", "--follow", "none", "--recovery", "0.5",
        "--dust", "5", "--closeout", "--topup", "first", "--buy-impact", "--sharing", "gamma", "--sharing", "beta",
    ))  # fmt: skip
    assert data["loss_usd"] == real.loss_usd and data["n_rounds"] == real.n_rounds


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_every_table_is_written(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], found: rg.Cascade
) -> None:
    out = tmp_path / "fall"
    for _ in range(2):  # over an earlier one too
        said(capsys, *CALL, "--out", str(out), *(["--parquet"] if form == "parquet" else []))
        assert {path.name for path in out.iterdir()} == {*(f"{name}.{form}" for name in CASCADE_FRAMES), "cascade.json"}
    read = pd.read_csv if form == "csv" else pd.read_parquet
    assert read(out / f"rounds.{form}")["repaid_usd"].tolist() == found.rounds["repaid_usd"].tolist()
    assert read(out / f"prices.{form}")["round"].tolist() == list(range(-1, len(found.prices) - 1))
    assert read(out / f"bearers.{form}")["bearer"].tolist()[0] == "borrowers"
    assert json.loads((out / "cascade.json").read_text(encoding="utf-8"))["loss_usd"] == found.loss_usd


def test_watch_says_what_the_monitor_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "ticks.csv"
    file.write_text(TICKS, encoding="utf-8")
    crossings = [asdict(one) for one in rg.monitor(rg.datasets.load("toy"), rg.read_ticks(file))]
    assert [json.loads(line) for line in said(capsys, "watch", "toy", str(file), "--json").splitlines()] == crossings
    rows = list(csv.DictReader(io.StringIO(said(capsys, "watch", "toy", str(file), "--csv"))))
    assert [(row["kind"], float(row["health"])) for row in rows] == [(c["kind"], c["health"]) for c in crossings]
    assert said(capsys, "watch", "toy", str(file)).splitlines() == [
        "1  liquidatable  bob at beta: health 1.333 → 0.9933, by ETH",
        "2  recovered     bob at beta: health 0.9933 → 1.007, by ETH",
        "2 ticks, 2 crossings",
    ]


def test_watch_takes_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (("watch", "toy"), ("watch", "toy", "-")):
        monkeypatch.setattr("sys.stdin", io.StringIO(TICKS))
        assert said(capsys, *arguments).endswith("2 ticks, 2 crossings\n")


def test_labels_are_obeyed_by_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, file = book(tmp_path / "odd", "\x1b[31mred"), tmp_path / "ticks.csv"
    pd.DataFrame({"protocol": ["lend"], "asset": ["ETH"], "liquidation_threshold": [0.8]}).to_csv(
        folder / "markets.csv", index=False
    )
    file.write_text("time,ETH\n1,1000\n", encoding="utf-8")
    for arguments in (("watch", str(folder), str(file)), ("cascade", str(folder), "--shock", "ETH=-0.4")):
        text = said(capsys, *arguments)
        assert "\x1b" not in text and "\\x1b[31mred" in text


def test_what_was_seen_before_a_bad_tick_stands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "ticks.csv"
    file.write_text("time,ETH\n1,1490\n2,-1\n", encoding="utf-8")
    assert main(("watch", "toy", str(file))) == 2
    out, err = capsys.readouterr()
    assert out == "1  liquidatable  bob at beta: health 1.333 → 0.9933, by ETH\n"
    assert err == "riskgraph: tick 2: price of ETH: expected a number of at least 0 (USD a unit), got -1.0\n"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (("cascade", "toy"), "cascade: expected --shock ASSET=MOVE such as ETH=-0.3, got none"),
        ((*CALL, "--json", "--csv"), "expected one of them, got both"),
        ((*CALL, "--liquidators", "never"), "liquidators: expected 'profitable' or 'always', got 'never'"),
        ((*CALL, "--recovery", "2"), "recovery: expected a share from 0 to 1, got 2.0"),
        ((*CALL, "--follow", "fashion"), "follow: expected one of"),
        ((*CALL, "--follow", "correlation"), "correlation: expected a frame"),
        ((*CALL, "--max-rounds", "0"), "max_rounds: expected at least 1, got 0"),
        ((*CALL, "--max-rounds", "1"), "1 rounds ran out"),
        ((*CALL, "--parquet"), "--parquet: expected together with --out"),
        ((*CALL, "--sharing", "mars"), "call_sharing: expected protocols of the snapshot, got mars"),
        (("cascade", "toy", "--shock", "ETH=-1"), "expected a relative move above -1"),
        (("watch", "toy", "none.csv"), "none.csv: expected a file of ticks, got nothing there"),
        (("watch", "mars", "-"), "mars: expected a file, a folder"),
        (("watch", "toy", "-", "--json", "--csv"), "expected one of them, got both"),
    ],
)
def test_refused_in_one_line(call: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(call) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and words in err, err


def test_nothing_is_half_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "mine"
    kept.mkdir()
    (kept / "notes.txt").write_text("mine", encoding="utf-8")
    for call, words in (
        ((*CALL, "--max-rounds", "1", "--out", str(tmp_path / "fall")), "1 rounds ran out"),
        ((*CALL, "--out", str(kept)), "notes.txt"),
        ((*CALL, "--out", str(tmp_path / "none" / "fall")), "expected an existing folder to write into"),
        ((*CALL, "--out", str(tmp_path / "fall.csv")), "expected a path to write (a folder)"),
    ):
        assert main(call) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.count("\n") == 1 and words in err, err
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "notes.txt"]
