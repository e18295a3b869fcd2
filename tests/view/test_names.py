"""Names on the picture: beside their marks, inside the window, none over another or over another node's mark."""

import itertools

import numpy as np
import pytest

import riskgraph as rg
from riskgraph.graph.exposure import KINDS
from tests.view.maps import hostile_map, synthetic_map

KIND = {name: code for code, name in enumerate(KINDS)}


def founder_map():
    graph = rg.exposure_graph(rg.datasets.load("curve_founder_202308"))
    return rg.network_map(graph, ranking=rg.contagion_centrality(graph))


def crossing(one, other):
    return (
        one["left"] < other["right"]
        and other["left"] < one["right"]
        and one["top"] < other["bottom"]
        and other["top"] < one["bottom"]
    )


@pytest.mark.parametrize("made", [synthetic_map, founder_map, hostile_map])
def test_names_overlap_nothing(opened, made):
    drawn = made()
    drawing = drawn.drawing
    with opened(drawn.html) as watched:
        names = watched.map("names")
        stage = watched.page.locator("#stage").bounding_box()
        scale = watched.map("discOf", int(np.argmax(drawing.layout.disc))) / drawing.layout.disc.max()
        assert names
        for name in names:
            assert name["left"] >= 0 and name["right"] <= stage["width"]
            assert name["top"] >= 0 and name["bottom"] <= stage["height"]
        for one, other in itertools.combinations(names, 2):
            assert not crossing(one, other), (one, other)
        core = np.flatnonzero((drawing.kind == KIND["asset"]) | (drawing.kind == KIND["protocol"]))
        for at in core:
            x, y = watched.map("place", int(at))
            r = 0.7 * drawing.layout.radius[at] * scale  # what is filled whatever the shape
            mark = {"left": x - r, "right": x + r, "top": y - r, "bottom": y + r}
            for name in names:
                assert name["of"] == at or not crossing(name, mark), (drawing.labels[at], drawing.labels[name["of"]])


def test_the_founder_map_names_every_node(opened):
    """Ten nodes: each is named, beside its mark or in it."""
    drawn = founder_map()
    with opened(drawn.html) as watched:
        beside = {name["of"] for name in watched.map("names")}
        scale = watched.map("discOf", 0) / drawn.drawing.layout.disc[0]
        inside = {at for at, r in enumerate(drawn.drawing.layout.radius * scale) if r > 40 and at not in beside}
        assert beside | inside == set(range(10))
        assert len(inside) == 3  # CRV, Aave and the borrower are large enough to carry their names
