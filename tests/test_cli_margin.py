"""Health and quotes on the command line give what the public calls give."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

import riskgraph as rg
from riskgraph import cli_output
from riskgraph.cli import main
from tests.terminal import book, said


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_output, "DELAY_S", 3600.0)  # on a slow machine progress would come between


def shocked(move: float) -> rg.Snapshot:
    return rg.datasets.load("toy").with_shock({"ETH": move})


def test_health_for_people_begins_with_the_weakest(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys, "calls", "toy", "--health", "--shock", "ETH=-0.4", "--top", "3").splitlines()
    assert lines[0] == "7 margin accounts: 1 insolvent, 2 liquidatable, 4 healthy"
    assert lines[2].split() == ["account", "protocol", "collateral", "debt", "health", "status"]
    assert [line.split()[:2] for line in lines[3:6]] == [["dave", "beta"], ["bob", "beta"], ["alice", "gamma"]]
    assert lines[3].split()[4:] == ["0.72", "insolvent"]
    assert lines[6] == ""


def test_health_for_machines_is_the_frame(capsys: pytest.CaptureFixture[str]) -> None:
    expected = rg.health(shocked(-0.4)).set_index(["account", "protocol"])
    data = json.loads(said(capsys, "calls", "toy", "--health", "--shock", "ETH=-0.4", "--json"))
    assert data["status"] == {"insolvent": 1, "liquidatable": 2, "called": 0, "healthy": 4}
    assert "shock: ETH -40.0%, followed by backing" in data["assumptions"]
    rows = list(csv.DictReader(io.StringIO(said(capsys, "calls", "toy", "--health", "--shock", "ETH=-0.4", "--csv"))))
    assert len(rows) == len(data["health"]) == len(expected)
    for row, told in zip(rows, data["health"], strict=True):
        real = expected.loc[(row["account"], row["protocol"])]
        assert float(row["health"]) == real["health"] and float(row["debt_usd"]) == real["debt_usd"]
        assert told["status"] == row["status"] == real["status"]


def test_quote_is_the_public_quote(capsys: pytest.CaptureFixture[str]) -> None:
    quote = rg.liquidation_quote(shocked(-0.4), "dave", "beta", repay=100.0)
    call = ("quote", "toy", "dave", "beta", "--shock", "ETH=-0.4", "--repay", "100")
    data = json.loads(said(capsys, *call, "--json"))
    for name in ("repaid", "seized", "health_before", "health_after", "bonus_usd", "refused", "liquidatable"):
        assert data[name] == getattr(quote, name)
    assert data["movements"] == quote.movements.to_dict("records")
    (row,) = csv.DictReader(io.StringIO(said(capsys, *call, "--csv")))
    assert float(row["seized"]) == quote.seized
    lines = said(capsys, *call).splitlines()
    assert lines[0] == quote.summary()
    assert ["health_before", "0.72"] in [line.split() for line in lines]


def test_a_refused_quote_is_an_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert "refused, healthy" in said(capsys, "quote", "toy", "dave", "beta")


def test_margin_calls_are_the_public_calls(capsys: pytest.CaptureFixture[str]) -> None:
    found = rg.margin_calls(rg.datasets.load("toy"), {"ETH": -0.35})
    call = ("calls", "toy", "--shock", "ETH=-0.35")
    data = json.loads(said(capsys, *call, "--json"))
    assert data["summary"] == found.summary()
    for name in ("calls", "payments", "wallets", "tokens", "donors"):
        assert len(data[name]) == len(getattr(found, name))
    (row,) = csv.DictReader(io.StringIO(said(capsys, *call, "--csv")))
    (real,) = found.to_frame().to_dict("records")
    for name in ("required_usd", "paid_usd", "unmet_usd", "health_after"):
        assert float(row[name]) == data["calls"][0][name] == real[name]
    lines = said(capsys, *call).splitlines()
    assert lines[0] == found.summary()
    assert "alice   gamma     0.975   1.25   $13.2k      $10.0k          $0 $3.20k         1.17 restricted" in lines


def test_a_book_without_call_levels_says_so(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = book(tmp_path / "plain")
    (folder / "markets.csv").write_text("protocol,asset,liquidation_threshold\nlend,ETH,0.8\n", encoding="utf-8")
    text = said(capsys, "calls", str(folder))
    assert text.startswith("0 calls on 0 accounts") and "no protocol has a call_level" in text


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (("calls", "toy", "--price", "ETH"), "--price: expected together with --health"),
        (("calls", "toy", "--health", "--topup", "first"), "--sharing, --follow, --topup: expected without --health"),
        (("calls", "toy", "--sharing", "mars"), "call_sharing: expected protocols of the snapshot, got mars"),
        (("calls", "toy", "--topup", "last"), "topup: expected 'first', 'never' or nothing, got 'last'"),
        (("calls", "toy", "--shock", "MOON=-0.1"), "shock: expected assets of the snapshot, got 'MOON'"),
        (("calls", "toy", "--shock", "ETH=-0.1", "--shock", "ETH=-0.2"), "--shock: expected one move of 'ETH'"),
        (("calls", "toy", "--health", "--shock", "ETH"), "--shock: expected ASSET=MOVE such as ETH=-0.3, got 'ETH'"),
        (("calls", "toy", "--health", "--shock", "ETH=low"), "--shock: expected ASSET=MOVE"),
        (("calls", "toy", "--health", "--shock", "ETH=-1"), "expected a relative move above -1"),
        (("calls", "toy", "--health", "--json", "--csv"), "expected one of them, got both"),
        (("calls", "toy", "--health", "--price", "MOON"), "MOON"),
        (("quote", "toy", "zoe", "beta"), "account: expected accounts with a position at beta, got 'zoe'"),
        (("quote", "toy", "dave", "mars"), "protocol: expected a protocol of the snapshot, got 'mars'"),
        (("quote", "toy", "dave", "beta", "--debt", "ETH"), "debt_asset: expected an asset that the account owes"),
        (("quote", "toy", "dave", "beta", "--repay", "-1"), "repay: expected amounts of at least 0"),
    ],
)
def test_refused_in_one_line(call: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(call) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and words in err, err
