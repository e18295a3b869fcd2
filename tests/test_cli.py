"""The command line gives what the public calls give, to people and to machines."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from pathlib import Path

import pandas as pd
import pytest

import riskgraph as rg
from riskgraph import cli_output
from riskgraph.cli import main
from tests.terminal import PROGRAM, book, said


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_output, "DELAY_S", 3600.0)  # on a slow machine progress would come between


# -- the same numbers as the public calls -----------------------------------------------------------------------------


def test_rank_as_json_is_the_ranking(capsys: pytest.CaptureFixture[str]) -> None:
    graph = rg.exposure_graph(rg.datasets.load("toy"), netting="asset", haircut=0.05, default_capital=0.02)
    ranking = rg.contagion_centrality(graph, model="nonlinear", alpha=2.0, asset_shock=0.2, horizon=3, damping=0.9)
    options = "--model nonlinear --alpha 2 --asset-shock 0.2 --horizon 3 --damping 0.9 --netting asset --haircut 0.05"
    data = json.loads(said(capsys, "rank", "toy", *options.split(), "--default-capital", "0.02", "--json"))
    assert data["spectral_radius"] == ranking.spectral_radius
    assert (data["model"], data["asset_shock"], data["baseline"]) == ("nonlinear", 0.2, ranking.baseline)
    frame = ranking.to_frame().reset_index().astype(object)
    assert data["ranking"] == frame.where(frame.notna(), None).to_dict("records")  # JSON has no NaN
    assert set(ranking.notes) <= set(data["notes"])


def test_rank_as_csv_is_the_ranking(capsys: pytest.CaptureFixture[str]) -> None:
    expected = rg.contagion_centrality(rg.exposure_graph(rg.datasets.load("toy"))).to_frame()
    read = list(csv.DictReader(io.StringIO(said(capsys, "rank", "toy", "--csv"))))
    assert [row["node"] for row in read] == list(expected.index)
    for name in ("contagion", "loss_usd", "first_round_usd", "total_debt_usd"):
        assert [float(row[name]) for row in read] == expected[name].tolist()  # to the last bit
    assert [int(row["rank"]) for row in read] == expected["rank"].tolist()


def test_rank_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    ranking = rg.contagion_centrality(rg.exposure_graph(rg.datasets.load("toy")))
    lines = said(capsys, "rank", "toy").splitlines()
    assert f"spectral radius λ₁ = {ranking.spectral_radius:.6g}" in lines[1]
    heads = [at for at, line in enumerate(lines) if line.endswith((" by a fall of 10%", " by a wipe-out"))]
    assert [lines[at].split(":")[0] for at in heads] == ["assets", "protocols", "accounts"]
    for at, kind in zip(heads, ("asset", "protocol", "account"), strict=True):
        assert lines[at + 2].split() == ["#", kind, "contagion", "loss", "wave", "debt"]
        best = ranking.top(kind, 1)
        expected = ["1", best.index[0].removeprefix(f"{kind}:"), f"{best['contagion'].iloc[0]:.4g}"]
        assert lines[at + 3].split()[:3] == expected


def test_top_holds_for_each_kind(capsys: pytest.CaptureFixture[str]) -> None:
    data = json.loads(said(capsys, "rank", "toy", "--top", "2", "--json"))
    assert [(row["kind"], row["rank"]) for row in data["ranking"]] == [
        (kind, rank) for kind in ("asset", "protocol", "account") for rank in (1, 2)
    ]


def test_rank_of_a_real_book(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys, "rank", str(shared_data / "aave_steth_20230621" / "positions_long.csv")).splitlines()
    first = lines[next(at for at, line in enumerate(lines) if line.startswith("# ")) + 1].split()
    assert first[0] == "1" and first[1] in ("stETH", "wstETH")
    assert any("λ₁" in line for line in lines)


def test_equal_scores_are_not_put_in_an_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = book(tmp_path / "in")
    more = pd.read_csv(where / "positions.csv").assign(account="bob", amount=[20, 9500])
    more.to_csv(where / "positions.csv", mode="a", header=False, index=False)
    lines = said(capsys, "rank", str(where)).splitlines()
    at = lines.index("accounts: 2, each by a wipe-out")
    assert "no order among them" in lines[at + 1]
    assert [line.split()[:2] for line in lines[at + 4 : at + 6]] == [
        ["=", "bob"],
        ["=", "ann"],
    ]  # the larger debt first


def test_liquidity_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = book(tmp_path / "in")
    before = json.loads(said(capsys, "rank", str(where), "--json"))
    (tmp_path / "depths.csv").write_text("asset,model,depth_usd\nETH,linear,20000\n", encoding="utf-8")
    after = json.loads(said(capsys, "rank", str(where), "--liquidity", str(tmp_path / "depths.csv"), "--json"))
    assert "no depth is known" in before["notes"][0]
    assert "no depth is known" not in after["notes"][0]
    # 9,000 USD sold into a depth of 20,000 is a fall of 0.45, and equity of 6,000 rests 2.5 times on ETH. Slippage of
    # 22.5 % leaves lenders 2,025 short of 15,000 supplied + 90 set aside, and 15,000 of them are ann's: 2.5 times too.
    expected = (2.5 * (0.45 + 2025 / 15090)) ** 0.5
    assert (before["spectral_radius"], after["spectral_radius"]) == (0.0, pytest.approx(expected, rel=1e-9))


def test_totals_beside_a_long_table(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shared_data / "aave_steth_20230621"
    arguments = (str(folder / "positions_long.csv"), "--totals", str(folder / "accounts.csv"), "--json")
    data = json.loads(said(capsys, "validate", *arguments))
    assert any("collateral_remainder_usd" in line for line in data["assumptions"])
    assert data["digest"] == rg.read_snapshot(arguments[0], totals=arguments[2]).digest


def test_info(capsys: pytest.CaptureFixture[str]) -> None:
    snap = rg.datasets.load("toy")
    data = json.loads(said(capsys, "info", "toy", "--json"))
    assert data["digest"] == snap.digest and data["usd"] == dict(snap.totals_usd)
    assert (data["positions"], data["accounts"], data["protocols"], data["assets"]) == (14, 5, 3, 5)
    assert data["as_of"] is None and data["assumptions"] == list(snap.assumptions)
    named = dict(line.split(",", 1) for line in said(capsys, "info", "toy", "--csv").splitlines())
    assert named["debt_usd"] == "182000.0" and named["as_of"] == ""
    assert snap.digest in said(capsys, "info", "toy")


def test_validate_says_what_can_be_computed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "health: 7 healthy" in said(capsys, "validate", "toy")
    where = str(book(tmp_path / "in"))
    assert "cannot be told: markets.liquidation_threshold" in said(capsys, "validate", where)
    assert json.loads(said(capsys, "validate", where, "--json"))["valid"] is True


def test_notes_are_cut_only_where_that_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = book(tmp_path / "in")
    assumed = rg.read_snapshot(where).assumptions
    short, whole = (said(capsys, "info", str(where), *more) for more in ([], ["--assumptions"]))
    assert len(assumed) > 4 and f"and {len(assumed) - 4} more" in short
    assert all(line in whole for line in assumed) and " more" not in whole


def test_reuse(capsys: pytest.CaptureFixture[str]) -> None:
    result = rg.collateral_reuse(rg.datasets.load("toy"))
    data = json.loads(said(capsys, "reuse", "toy", "--json"))
    assert data["totals"] == dict(result.totals)
    assert [row["asset"] for row in data["multipliers"]] == list(result.multipliers.index)
    assert [row["node"] for row in data["hotspots"]] == list(result.hotspots.index)
    read = csv.DictReader(io.StringIO(said(capsys, "reuse", "toy", "--csv")))
    assert [float(row["multiplier"]) for row in read] == result.multipliers["multiplier"].tolist()
    assert "hotspots among protocols" in said(capsys, "reuse", "toy")


def test_reuse_with_a_fall_orders_chains_and_files(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    result = rg.collateral_reuse(rg.datasets.load("toy"))
    asked = ["--shock", "stETH=-0.2", "--orders", "--chains", "2", "--links", "0"]
    data = json.loads(said(capsys, "reuse", "toy", *asked, "--json"))
    assert [row["path"] for row in data["chains"]] == result.chains(2, links=0)["path"].tolist()
    assert data["break"]["loss_usd"] == pytest.approx(result.break_("stETH", 0.2).loss_usd)
    assert len(data["hotspot_orders"]) == len(result.hotspot_orders())
    page = said(capsys, "reuse", "toy", *asked)
    assert "stETH falls by 20.0%: holders lose" in page and "Spearman" in page
    picture, out = tmp_path / "chains.svg", tmp_path / "tables"
    for _ in range(2):  # and again over what is there, to the same bytes
        said(capsys, "reuse", "toy", "--shock", "stETH=-0.2", "--picture", str(picture), "-o", str(out))
        now = {path.name: path.read_bytes() for path in [picture, *out.iterdir()]}
        assert b"<svg" in now["chains.svg"] and {"overlap.csv", "break_holders.csv", "reuse.json"} <= set(now)
    before = now
    said(capsys, "reuse", "toy", "--shock", "stETH=-0.2", "--picture", str(picture), "-o", str(out))
    assert {path.name: path.read_bytes() for path in [picture, *out.iterdir()]} == before
    said(capsys, "reuse", "toy", "-o", str(out))  # nothing breaks now: tables of a break would belong to nothing
    assert {path.name for path in out.iterdir()} & {"break_holders.csv", "overlap.csv"} == {"overlap.csv"}
    said(capsys, "reuse", "toy", "-o", str(tmp_path / "parquet"), "--parquet")
    assert len(pd.read_parquet(tmp_path / "parquet" / "overlap.parquet")) == len(result.overlap)


# -- what is written --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("out", ["book", "book.duckdb"])
def test_convert_keeps_the_digest(out: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    digest = rg.datasets.load("toy").digest
    assert digest in said(capsys, "convert", "toy", str(tmp_path / out))
    assert rg.read_snapshot(tmp_path / out).digest == digest
    assert [path.name for path in tmp_path.iterdir()] == [out]


def test_map_is_the_page_of_the_public_call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graph = rg.exposure_graph(rg.datasets.load("toy"))
    rg.network_map(graph, ranking=rg.contagion_centrality(graph), top=3).save(tmp_path / "ours.html")
    assert "3 accounts" in said(capsys, "map", "toy", "-o", str(tmp_path / "theirs.html"), "--top", "3")
    assert (tmp_path / "theirs.html").read_bytes() == (tmp_path / "ours.html").read_bytes()


def test_datasets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = {row["name"]: row["description"] for row in json.loads(said(capsys, "datasets", "--json"))}
    assert listed == {name: rg.datasets.describe(name) for name in rg.datasets.names()}
    text = said(capsys, "datasets")
    assert all(name in text and line in text for name, line in listed.items())
    said(capsys, "datasets", "synthetic", "--accounts", "40", "--seed", "7", "-o", str(tmp_path / "book"))
    assert rg.read_snapshot(tmp_path / "book").digest == rg.datasets.synthetic(accounts=40, seed=7).digest


@pytest.mark.parametrize("name", rg.datasets.names("interbank"))
@pytest.mark.parametrize("command", ["info", "validate", "rank", "reuse", "map", "convert", "datasets"])
def test_a_network_of_banks_is_no_book(
    name: str, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = {"map": ["-o", "a.html"], "convert": ["a"], "datasets": ["-o", "a"]}.get(command, [])
    assert main([command, name, *(str(tmp_path / word) if word[0] == "a" else word for word in out)]) == 2
    where = "datasets" if command == "datasets" else name
    assert capsys.readouterr() == (
        "",
        f"riskgraph: {where}: expected a book of positions, got {name!r}, a network of banks; "
        f"in Python: riskgraph.datasets.load({name!r})\n",
    )
    assert not list(tmp_path.iterdir())


def test_a_path_goes_before_a_dataset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    book(tmp_path / "toy")
    assert json.loads(said(capsys, "info", "toy", "--json"))["positions"] == 14
    monkeypatch.chdir(tmp_path)
    assert json.loads(said(capsys, "info", "toy", "--json"))["positions"] == 2


def test_a_map_with_everything(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "toy.html"
    told = said(capsys, "map", "toy", "-o", str(out), "--shock", "ETH=-0.4", "--what-if", "stETH", "--reuse")
    assert told.startswith(f"{out}: NetworkMap: 5 accounts")
    page = out.read_text(encoding="utf-8")
    assert "Cascade: ETH −40 %" in page and "What if stETH falls" in page and '"side":"collateral"' in page
    assert main(["map", "toy", "-o", str(tmp_path / "no.html"), "--what-if", "DOGE"]) == 2
    assert "what_if: expected assets of the snapshot, got 'DOGE'" in capsys.readouterr().err
    assert not (tmp_path / "no.html").exists()


# -- the program ------------------------------------------------------------------------------------------------------


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "--help")
    assert text == said(capsys)
    commands = {line.split()[0] for line in text.split("Commands:")[1].splitlines() if line.strip()}
    assert commands == {
        "info",
        "validate",
        "rank",
        "reuse",
        "calls",
        "quote",
        "cascade",
        "watch",
        "map",
        "report",
        "rebuild",
        "convert",
        "datasets",
    }
    assert said(capsys, "--version") == f"riskgraph {rg.__version__}\n"
    for command in commands:
        assert f"riskgraph {command}" in said(capsys, command, "--help")


def test_as_a_module() -> None:
    done = subprocess.run([*PROGRAM, "info", "toy", "--json"], capture_output=True, text=True, check=False)
    assert (done.returncode, json.loads(done.stdout)["positions"]) == (0, 14)


def test_what_nobody_foresaw_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(rg, "exposure_graph", fails)
    with pytest.raises(ZeroDivisionError, match="a fault of ours"):
        main(["rank", "toy"])


def test_no_solution_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fails(*_: object, **__: object) -> None:
        raise rg.ConvergenceError("distress still moved\nafter 100 rounds")

    monkeypatch.setattr(rg, "contagion_centrality", fails)
    assert main(["rank", "toy"]) == 2
    assert capsys.readouterr() == ("", "riskgraph: distress still moved after 100 rounds\n")


def test_interrupted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def stops(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(rg, "exposure_graph", stops)
    assert main(["rank", "toy"]) == 130
    assert capsys.readouterr().out == ""
