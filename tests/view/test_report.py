"""The report: what stands in it, that nothing in it runs, that it compiles, and that it can be rebuilt."""

import re
import shutil
import subprocess

import pandas as pd
import pytest

import riskgraph as rg
from riskgraph.cli import main
from riskgraph.view.report.content import content_of
from tests.margin.test_cross_margin import ROWS, book
from tests.test_results import EVIL, evil


@pytest.fixture(scope="module")
def founder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    assert main(["report", "curve_founder_202308", "-o", str(folder / "out"), "--author", "A. Nalyst"]) == 0
    return folder / "out"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    page = tmp_path_factory.mktemp("hostile") / "report.html"
    return rg.write_report(page, evil(), shocks=[{"ETH": -0.4}], title=f"Title {EVIL}", author=f"{EVIL} Author")


def test_everything_stands_on_the_page(founder, opened):
    text = (founder / "report.html").read_text(encoding="utf-8")
    with opened(text) as watched:
        page = watched.page
        assert page.inner_text("h1") == "Risk report: curve_founder_202308"
        assert page.inner_text("header p").startswith("A. Nalyst · data of 2023-08-01 · riskgraph ")
        titles = page.locator("h2").all_inner_texts()
        words = "Data and assumptions, The network, Who matters, Collateral reuse, Margin calls, Cascades, Methods"
        assert titles == [*words.split(", "), "References", "Provenance"]
        assert page.locator(".headline dd").count() == 6
        assert "Caldarelli" in page.inner_text("#references") and "contagion_centrality" in page.inner_text(
            "#provenance"
        )
        assert page.evaluate("() => Array.from(document.images).every((one) => one.naturalWidth > 0)")
        page.locator("details summary", has_text="interactive").click()
        frame = page.frame_locator("iframe")
        frame.locator("#stage[data-renderer]").wait_for()
        assert frame.locator("#story option").count() == 4  # the ranking, and three falls of CRV
        page.emulate_media(media="print")
        assert page.pdf(format="A4")[:5] == b"%PDF-"


def test_the_same_input_gives_the_same_bytes(tmp_path):
    pages = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        page = rg.write_report(
            tmp_path / name / "report.html", rg.datasets.load("toy"), shocks={"ETH": -0.4}, title="T"
        )
        files = sorted(page.with_name("report_latex").iterdir())
        pages.append([page.read_bytes(), *((path.name, path.read_bytes()) for path in files)])
    assert pages[0] == pages[1]


def test_figures_are_those_of_the_calls():
    toy = rg.datasets.load("toy")
    content = content_of(toy, {"ETH": -0.4}, "T", "")
    cascade = rg.liquidation_cascade(toy, {"ETH": -0.4})
    assert content.figures["bad_debt_usd, ETH −40 %"] == cascade.bad_debt_usd
    assert content.figures["reuse_gross"] == rg.collateral_reuse(toy).totals["gross"]
    assert dict(content.headline)["Liquidated, ETH −40 %"] == str(int((cascade.accounts["seized_usd"] > 0).sum()))
    assert str(cascade.provenance) in content.calls


def test_cross_against_isolated_where_there_are_positions():
    snap = book(*ROWS)
    content = content_of(snap, {"BTC": -0.04}, "T", "")
    assert "Cross against isolated margin" in [section.title for section in content.sections]
    assert content.figures["cross margin index"] == rg.cross_margin_contagion(snap, {"BTC": -0.04}).index


def test_rebuild_agrees_and_sees_one_changed_number(founder, tmp_path, capsys):
    assert main(["rebuild", str(founder / "report.html")]) == 0
    assert re.fullmatch(r"all \d+ figures agree\n", capsys.readouterr().out)
    shutil.copytree(founder, tmp_path / "copy")
    table = tmp_path / "copy" / "report_snapshot" / "positions.parquet"
    frame = pd.read_parquet(table)
    frame.loc[0, "amount"] *= 1.001
    frame.to_parquet(table, index=False)
    assert main(["rebuild", str(tmp_path / "copy" / "report.html")]) == 1
    told = capsys.readouterr().out
    assert "figures differ" in told and "another digest" in told and "wallet_usd" in told
    assert (
        main(["rebuild", str(tmp_path / "copy" / "report.html"), "--snapshot", str(founder / "report_snapshot")]) == 0
    )
    shutil.rmtree(tmp_path / "copy" / "report_snapshot")
    capsys.readouterr()
    assert main(["rebuild", str(tmp_path / "copy" / "report.html")]) == 2
    said = capsys.readouterr().err
    assert "expected the snapshot of the report report.html, got nothing there" in said and said.count("\n") == 1


def test_hostile_names_run_nowhere(hostile, opened):
    with opened(hostile.read_text(encoding="utf-8")) as watched:
        assert watched.page.evaluate("() => document.querySelector('h1').textContent") == f"Title {EVIL}"
        assert watched.page.evaluate("() => document.scripts.length") == 1  # the data alone
    text = hostile.with_name("report_latex").joinpath("report.tex").read_text(encoding="utf-8")
    assert "\\input{" not in text and "<script>" not in text


@pytest.mark.skipif(shutil.which("latexmk") is None, reason="no program named latexmk on this machine")
@pytest.mark.parametrize("which", ["founder", "hostile"])
def test_the_paper_compiles(which, request, tmp_path):
    made = request.getfixturevalue(which)
    folder = made / "report_latex" if which == "founder" else made.with_name("report_latex")
    shutil.copytree(folder, tmp_path / "tex")
    command = ["latexmk", "-pdf", "-interaction=nonstopmode", "-halt-on-error", "report.tex"]
    done = subprocess.run(command, cwd=tmp_path / "tex", capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    assert (tmp_path / "tex" / "report.pdf").read_bytes()[:5] == b"%PDF-"
    assert "Citation" not in (tmp_path / "tex" / "report.log").read_text(errors="replace").split("LaTeX Warning")[-1]


@pytest.mark.parametrize(
    ("path", "arguments", "says"),
    [
        (".", {}, "expected the path of a file to write, got a directory"),
        ("a.pdf", {}, r"expected a path to write \(\.html\), got \.pdf"),
        ("none/a.html", {}, "none"),
        ("a.html", {"title": "x" * 10_000}, "title: expected at most 300 characters, got 10,000"),
        ("a.html", {"author": "x" * 301}, "author: expected at most 300 characters, got 301"),
        ("a.html", {"shocks": {"DOGE": -0.1}}, "DOGE"),
        ("a.html", {"shocks": []}, "shocks: expected mappings of assets to moves"),
        ("a.html", {"shocks": [{"ETH": -0.1}, {"ETH": -0.1}]}, "expected each once .*got twice: ETH −10 %"),
        ("a.html", {"shocks": [{"ETH": "half"}]}, "shocks: expected numbers such as -0.3 as moves, got .*half"),
    ],
)
def test_what_cannot_be_written_is_said_and_leaves_nothing(tmp_path, path, arguments, says):
    with pytest.raises(rg.InputError, match=says):
        rg.write_report(tmp_path / path, rg.datasets.load("toy"), **arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_somebody_else_stops_all_three(tmp_path):
    (tmp_path / "a_snapshot").mkdir()
    (tmp_path / "a_snapshot" / "mine.txt").write_text("kept")
    with pytest.raises(rg.InputError, match=r"got one with mine\.txt"):
        rg.write_report(tmp_path / "a.html", rg.datasets.load("toy"))
    assert [path.name for path in sorted(tmp_path.rglob("*"))] == ["a_snapshot", "mine.txt"]


def test_the_command_takes_a_folder_away_that_it_made_for_nothing(tmp_path, capsys):
    snap = rg.datasets.load("toy")
    bad = snap.protocols.assign(call_level=2.0, target_health=1.5)
    snap.replace(protocols=bad).write(tmp_path / "book")
    for out in ("new/out", "old"):
        (tmp_path / "old").mkdir(exist_ok=True)
        assert main(["report", str(tmp_path / "book"), "-o", str(tmp_path / out)]) == 2
        assert "protocols.target_health: expected at least the call_level" in capsys.readouterr().err
        assert sorted(path.name for path in tmp_path.iterdir()) == ["book", "old"]
        assert not list((tmp_path / "old").iterdir())


def test_a_report_with_fewer_pictures_replaces_one_with_more(tmp_path):
    snap, page = rg.datasets.load("toy"), tmp_path / "a.html"
    rg.write_report(page, snap, shocks={"ETH": -0.4})
    more = {path.name for path in (tmp_path / "a_latex").iterdir()}
    rg.write_report(page, snap, shocks={"ETH": 0.0})
    fewer = {path.name for path in (tmp_path / "a_latex").iterdir()}
    assert fewer < more and {"report.tex", "references.bib"} <= fewer


def test_a_page_that_is_no_report(tmp_path):
    (tmp_path / "a.html").write_text("<html></html>")
    with pytest.raises(rg.InputError, match="expected a report that riskgraph wrote, got a page without snapshot"):
        rg.rebuild_report(tmp_path / "a.html")
    with pytest.raises(rg.InputError, match="expected a report, got nothing there"):
        rg.rebuild_report(tmp_path / "b.html")
