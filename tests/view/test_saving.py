"""A saved map is whole or not there, and what cannot be drawn is refused in words."""

from types import SimpleNamespace

import pytest

import riskgraph as rg
from riskgraph.errors import InputError
from riskgraph.graph.exposure import ExposureGraph
from tests.view.maps import hostile_map, hostile_snapshot, synthetic


def test_save_writes_the_page_and_leaves_nothing_else(tmp_path):
    path = hostile_map().save(tmp_path / "map.html")
    assert path.read_bytes() == hostile_map().html.encode()
    assert [entry.name for entry in tmp_path.iterdir()] == ["map.html"]
    hostile_map().save(str(path))
    assert [entry.name for entry in tmp_path.iterdir()] == ["map.html"]


@pytest.mark.parametrize("backend", [None, "pyvis"])
def test_a_broken_letter_in_a_label_is_no_broken_file(tmp_path, backend):
    graph = ExposureGraph.from_matrix([[0.0, 5.0], [2.0, 0.0]], [10.0, 8.0], labels=["half \ud800", "\x00\x1b"])
    drawn = rg.network_map(graph, backend=backend)
    drawn.save(tmp_path / "map.html")
    drawn._repr_html_().encode("utf-8")


@pytest.mark.parametrize("place", ["", "absent/map.html"])
def test_save_refuses_a_place_that_is_none(tmp_path, place):
    with pytest.raises(InputError, match="expected"):
        hostile_map().save(tmp_path / place)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"cascade": object()}, "cascade: expected a Cascade, got object"),
        ({"reuse": object()}, "reuse: expected a CollateralReuse, got object"),
        ({"what_if": True}, "what_if: expected a Snapshot to play falls on, or a grid of them, got only a graph"),
        ({"backend": "gravis"}, "backend: expected None or 'pyvis', got 'gravis'"),
        ({"top": 0}, "top: expected a whole number of at least 1, got 0"),
        ({"top": 2.5}, "top: expected a whole number of at least 1, got 2.5"),
        ({"top": True}, "top: expected a whole number"),
        ({"ranking": 3}, "ranking: expected what contagion_centrality gives, got int"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments, said):
    with pytest.raises(InputError, match=said):
        rg.network_map(synthetic()[0], **arguments)


def test_a_ranking_of_another_graph_is_refused():
    with pytest.raises(InputError, match="ranking: expected one of the graph that is drawn"):
        rg.network_map(rg.exposure_graph(hostile_snapshot()), ranking=synthetic()[1])


def test_a_ranking_without_a_column_is_refused():
    ranking = synthetic()[1]
    short = SimpleNamespace(
        to_frame=lambda: ranking.to_frame().drop(columns="loss_usd"),
        model="liquidation", spectral_radius=0.5, asset_shock=0.1,
    )  # fmt: skip
    with pytest.raises(InputError, match="ranking: expected a column 'loss_usd'"):
        rg.network_map(synthetic()[0], ranking=short)


def test_something_else_than_a_graph_is_refused():
    with pytest.raises(InputError, match="expected an ExposureGraph or a Snapshot, got dict"):
        rg.network_map({"a": 1})
