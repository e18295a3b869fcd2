"""Cascade player, what-if, chains, table, walks and exports of the map, in a real Chromium without a network."""

import csv
import io
import xml.dom.minidom

import numpy as np
import pandas as pd
import pytest

import riskgraph as rg
from riskgraph.view.style import STATE_COLOURS, money
from tests.view.maps import MARKUP, bare_name, hostile_snapshot
from tests.view.pixels import colour_at


@pytest.fixture(scope="module")
def toy_map():
    snap = rg.datasets.load("toy")
    graph = rg.exposure_graph(snap)
    ranking = rg.contagion_centrality(graph)
    return rg.network_map(
        graph,
        ranking=ranking,
        cascade=rg.liquidation_cascade(snap, {"ETH": -0.4}),
        reuse=rg.collateral_reuse(snap, ranking=ranking),
        what_if=["ETH"],
    )


@pytest.fixture(scope="module")
def played(opened, toy_map):
    with opened(toy_map.html) as watched:
        yield watched


@pytest.fixture
def toy(played):
    if played.page.is_visible("#rows"):
        played.page.click("#as-table")
    played.page.click("#reset")
    played.picture()
    return played


def number(toy_map, label):
    return list(toy_map.drawing.labels).index(label)


def test_the_slider_shows_states_figures_and_why(toy, toy_map):
    page, story = toy.page, toy_map.facts.stories[0]
    assert not page.is_visible("#frame") and toy.map("counts") is None
    page.select_option("#story", "0")
    assert page.is_visible("#frame") and page.inner_text("#frame-name") == "before"
    page.focus("#frame")
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    assert page.inner_text("#frame-name") == story.frames[2][0] == "after round 0"
    parts = "(one) => Array.from(one.children, (part) => part.textContent)"
    pairs = f"() => Array.from(document.querySelectorAll('#figures div'), {parts})"
    told = page.evaluate(pairs)
    assert told == [list(pair) for pair in story.frames[2][1]]
    bob = number(toy_map, "account:bob")  # cannot repay all of it at beta
    assert toy.map("stateOf", bob) == 3 and toy.map("stateOf", number(toy_map, "account:carol")) == 0
    assert sum(toy.map("counts")) == len(toy_map.drawing.labels)
    toy.map("select", bob)
    assert page.inner_text("#state") == "ruined after round 0"
    assert page.inner_text("#why").replace("\u2068", "").replace("\u2069", "") == (
        "Could be liquidated from round 0 on: ETH had fallen by 40.0 % (shock)."
    )
    legend = page.inner_text("#legend")
    assert all(word in legend for word in ("unchanged", "under strain", "hit", "ruined"))


def test_a_state_colours_its_mark(toy, toy_map):
    toy.map("play", 0, 1)
    toy.page.evaluate("() => { document.getElementById('names').style.visibility = 'hidden'; }")
    toy.picture()
    i = number(toy_map, "asset:ETH")
    seen = colour_at(toy.page, *toy.spot(i))
    wanted = [int(STATE_COLOURS[2][at : at + 2], 16) for at in (1, 3, 5)]
    toy.page.evaluate("() => { document.getElementById('names').style.visibility = ''; }")
    assert np.abs(np.array(seen[:3]) - wanted).max() <= 3


def test_play_runs_to_the_end_and_stops(toy, toy_map):
    toy.page.select_option("#story", "1")
    toy.page.evaluate("() => networkMap.play(1, 7)")
    toy.page.click("#play")
    toy.page.wait_for_function("() => document.getElementById('play').textContent === 'Play'", timeout=5_000)
    assert toy.page.inner_text("#frame-name") == "ETH −80 %"


def test_chains_of_the_selected_asset(toy, toy_map):
    toy.map("select", number(toy_map, "asset:wstETH"))
    chains = [chain for chain in toy_map.facts.chains if number(toy_map, "asset:wstETH") in chain["nodes"]]
    assert chains
    rows = toy.page.locator("#panel table").first.locator("tbody tr")
    assert rows.count() == len(chains)
    assert rows.nth(0).locator("td").nth(1).inner_text() == money(chains[0]["usd"])
    assert toy.page.locator("#panel h3").first.inner_text() == "Chains of reuse through it"


def test_arrows_walk_to_neighbours_and_steps_narrow_the_view(toy, toy_map):
    start = number(toy_map, "asset:ETH")
    toy.map("select", start)
    toy.page.focus("#stage")
    linked = set(
        np.flatnonzero(np.asarray((toy_map.drawing.exposures + toy_map.drawing.exposures.T)[[start]].todense()).ravel())
    )
    seen = set()
    for key in ("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"):
        toy.map("select", start)
        toy.page.focus("#stage")
        toy.page.keyboard.press(key)
        seen.add(toy.map("state")["selected"])
    assert seen - {start} and seen - {start} <= linked
    toy.map("select", start)
    toy.page.get_by_role("button", name="1 step").click()
    assert toy.map("state")["drawn"] == len(linked) + 1
    toy.page.get_by_role("button", name="2 steps").click()
    assert toy.map("state")["drawn"] >= len(linked) + 1
    toy.page.get_by_role("button", name="all").click()
    assert toy.map("state")["drawn"] == len(toy_map.drawing.labels)


def test_the_table_sorts_filters_and_follows_the_selection(toy, toy_map):
    page = toy.page
    page.click("#as-table")
    assert not page.is_visible("#stage")
    assert page.inner_text("#row-count") == f"{len(toy_map.drawing.labels)} of {len(toy_map.drawing.labels)} nodes"
    sizes = [
        toy_map.drawing.size[int(row.get_attribute("data-node"))] for row in page.locator("#node-table tbody tr").all()
    ]
    assert sizes == sorted(sizes, reverse=True)
    page.click('[data-column="health"]')
    page.click('[data-column="health"]')
    assert page.locator("th[aria-sort=ascending]").inner_text().startswith("Health")
    first = int(page.locator("#node-table tbody tr").first.get_attribute("data-node"))
    health = toy_map.facts.scores["health"]
    assert first == int(np.nanargmin(health))
    page.fill("#words", "ETH")
    names = page.locator("#node-table tbody th bdi").all_inner_texts()
    assert names and all("eth" in name.lower() for name in names)
    page.locator("#node-table tbody button").first.click()
    chosen = toy.map("state")["selected"]
    assert page.locator('#node-table tr[aria-selected="true"]').get_attribute("data-node") == str(chosen)
    assert page.inner_text("#panel h2") == bare_name(toy_map.drawing, chosen)
    page.fill("#words", "")


def test_exports_are_what_is_on_screen(toy, toy_map, tmp_path):
    page = toy.page
    toy.map("play", 0, 3)
    drawing = xml.dom.minidom.parseString(toy.map("svg"))
    shapes = [tag for tag in ("circle", "rect", "path") for _ in drawing.getElementsByTagName(tag)]
    assert len(shapes) > len(toy_map.drawing.labels)
    assert "url(#" in toy.map("svg")
    rows = list(csv.DictReader(io.StringIO(toy.map("csv"))))
    assert len(rows) == len(toy_map.drawing.labels)
    assert {row["state"] for row in rows} >= {"hit", "unchanged"}
    assert max(float(row["exposure_usd"]) for row in rows) == toy_map.drawing.size.max()
    page.click("#exports summary")
    sizes = {}
    for button, end in (("#take-png", "png"), ("#take-svg", "svg"), ("#take-csv", "csv")):
        with page.expect_download() as got:
            page.click(button)
        file = tmp_path / f"a.{end}"
        got.value.save_as(file)
        assert got.value.suggested_filename.endswith(f".{end}")
        sizes[end] = file.read_bytes()
    assert sizes["png"].startswith(b"\x89PNG")
    width = int.from_bytes(sizes["png"][16:20])
    assert width == 2 * page.evaluate("() => document.getElementById('stage').clientWidth")
    assert sizes["svg"].decode() == toy.map("svg")
    assert sizes["csv"].decode("utf-8-sig") == toy.map("csv")
    page.click("#exports summary")


def test_hostile_names_run_nowhere_and_start_no_formula(opened):
    snap = hostile_snapshot()
    assets = snap.assets.astype({"asset": object})
    pairs = snap.positions.query("side == 'collateral'")[["protocol", "asset"]].drop_duplicates()
    snap = snap.replace(markets=pairs.assign(liquidation_threshold=0.9, liquidation_bonus=0.05))
    graph = rg.exposure_graph(snap)
    drawn = rg.network_map(
        snap,
        ranking=rg.contagion_centrality(graph),
        cascade=rg.liquidation_cascade(snap, {assets["asset"][0]: -0.5}),
        reuse=rg.collateral_reuse(snap),
    )
    with opened(drawn.html) as watched:
        watched.page.select_option("#story", "0")
        for frame in range(len(drawn.facts.stories[0].frames)):
            watched.map("play", 0, frame)
        watched.page.click("#as-table")
        assert watched.page.locator("#node-table tbody tr").count() == len(drawn.drawing.labels)
        parsed = xml.dom.minidom.parseString(watched.map("svg"))
        assert not parsed.getElementsByTagName("script") and not parsed.getElementsByTagName("img")
        rows = list(csv.reader(io.StringIO(watched.map("csv"))))
        assert any(MARKUP in row[0] for row in rows)
        assert watched.page.evaluate("() => [typeof window.ran, document.scripts.length]") == ["undefined", 2]


def test_cells_of_csv_are_no_formulas(opened):
    names = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", 'quo"te, and comma']
    graph = rg.ExposureGraph.from_frames(
        pd.DataFrame({"node": names, "capital_usd": 1.0}),
        pd.DataFrame({"creditor": names[:-1], "debtor": names[1:], "usd": 1.0}),
    )
    with opened(rg.network_map(graph).html) as watched:
        cells = [row[0] for row in csv.reader(io.StringIO(watched.map("csv")))][1:]
    assert sorted(cells) == sorted([*(f"'{name}" for name in names[:-1]), names[-1]])


def test_a_sheet_for_the_printer_says_what_and_of_when(opened):
    snap = rg.datasets.load("curve_founder_202308")
    with opened(rg.network_map(snap).html) as watched:
        watched.page.emulate_media(media="print")
        assert watched.page.inner_text("#source") == f"data of 2023-08-01, digest {snap.digest[:16]}"
        assert not watched.page.is_visible("#controls") and watched.page.is_visible("#legend")
        assert watched.page.pdf(format="A4")[:5] == b"%PDF-"
