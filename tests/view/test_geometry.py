"""Geometry of the page in light and dark, on paper and on a phone: nothing overlaps, nothing is cut."""

import errno
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import riskgraph as rg

SCREENS = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}},
    "narrow": {"viewport": {"width": 800, "height": 600}},
}
CUT = """() => Array.from(
  document.querySelectorAll("h1, h2, h3, p, dt, dd, button, label, output, legend li, figcaption"))
  .filter((one) => one.checkVisibility() && one.id !== "status" && one.scrollWidth > one.clientWidth + 1
    && getComputedStyle(one).overflow !== "visible")
  .map((one) => one.outerHTML.slice(0, 100))"""
BLOCKS = """() => ["header", "#controls", "#player", "#stage", "#coverage", "#legend", "#panel"].map((name) => {
  const one = document.querySelector(name); const box = one.getBoundingClientRect();
  return one.checkVisibility() ? [name, box.left, box.top, box.right, box.bottom] : null; }).filter(Boolean)"""


@pytest.fixture(scope="module")
def full_map():
    snap = rg.datasets.synthetic(accounts=300, assets=6, protocols=3, seed=2)
    graph = rg.exposure_graph(snap)
    asset = snap.labels("asset")[0].as_py()
    return rg.network_map(
        snap,
        ranking=rg.contagion_centrality(graph),
        cascade=rg.liquidation_cascade(snap, {asset: -0.3}),
        reuse=rg.collateral_reuse(snap),
    )


def crossing(boxes):
    """Pairs of boxes (name, left, top, right, bottom) that share more than a hair."""
    return [
        (one[0], other[0])
        for at, one in enumerate(boxes)
        for other in boxes[at + 1 :]
        if min(one[3], other[3]) - max(one[1], other[1]) > 1 and min(one[4], other[4]) - max(one[2], other[2]) > 1
    ]


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("story", [-1, 0])
def test_nothing_overlaps_and_nothing_is_cut(opened, full_map, screen, story):
    with opened(full_map.html, **SCREENS[screen]) as watched:
        watched.map("play", story, 0 if story < 0 else 2)
        watched.map("select", 0)
        watched.picture()
        page = watched.page
        assert page.evaluate(CUT) == []
        assert crossing(page.evaluate(BLOCKS)) == []
        wide = page.evaluate("() => [document.documentElement.scrollWidth, window.innerWidth]")
        assert wide[0] <= wide[1]
        names = [(k, n["left"], n["top"], n["right"], n["bottom"]) for k, n in enumerate(watched.map("names"))]
        assert crossing(names) == []


def test_paper_holds_picture_legend_and_facts(opened, full_map):
    with opened(full_map.html) as watched:
        watched.map("select", 0)
        watched.page.emulate_media(media="print")
        blocks = watched.page.evaluate(BLOCKS)
        assert [name for name, *_ in blocks] == ["header", "#player", "#stage", "#coverage", "#legend", "#panel"]
        assert crossing(blocks) == []


# -- maps that are hard to read ----------------------------------------------------------------------------------------


def graph_of(names, exposures=()):
    frame = pd.DataFrame(list(exposures), columns=["creditor", "debtor", "usd"])
    return rg.ExposureGraph.from_frames(pd.DataFrame({"node": names, "capital_usd": 1.0}), frame)


@pytest.mark.parametrize(
    "graph",
    [
        graph_of(["alone"]),
        graph_of([f"n{k}" for k in range(5_000)]),
        graph_of(["x" * 10_000, "y" * 9_999 + " z", "b"], [("x" * 10_000, "b", 5.0), ("b", "y" * 9_999 + " z", 1.0)]),
        graph_of(["a", "b"]),
    ],
    ids=["one node", "5,000 isolates", "labels of 10,000 characters", "no exposures"],
)
@pytest.mark.parametrize("screen", ["light", "phone"])
def test_hard_maps_still_read(opened, graph, screen):
    drawn = rg.network_map(graph)
    with opened(drawn.html, **SCREENS[screen]) as watched:
        page = watched.page
        watched.map("select", len(graph) - 1)
        assert page.evaluate("() => document.querySelector('#panel h2').textContent") == str(drawn.drawing.labels[-1])
        watched.map("select", -1)
        state = watched.map("state")
        assert state["drawn"] == len(graph)
        places = np.array(page.evaluate("(n) => Array.from({length: n}, (_, i) => networkMap.place(i))", len(graph)))
        box = page.locator("#stage").bounding_box()
        assert ((places >= 0) & (places <= [box["width"], box["height"]])).all()
        assert page.evaluate(CUT) == []
        wide = page.evaluate("() => [document.documentElement.scrollWidth, window.innerWidth]")
        assert wide[0] <= wide[1]


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    drawn = rg.network_map(graph_of(["a", "b"], [("a", "b", 1.0)]))

    def full(self, *_, **__):
        Path.touch(self)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(rg.InputError, match=r"map\.html.*No space left on device"):
        drawn.save(tmp_path / "map.html")
    assert list(tmp_path.iterdir()) == []
