"""The pyvis page: the same network by another library, offline, with labels that stay text."""

import pytest

import riskgraph as rg
from riskgraph.errors import InputError
from riskgraph.view.style import SHAPES
from tests.view.maps import elements, hostile_map, hostile_snapshot, synthetic


@pytest.fixture(scope="module")
def drawn():
    graph = rg.exposure_graph(hostile_snapshot())
    return rg.network_map(graph, ranking=rg.contagion_centrality(graph), backend="pyvis")


def test_a_pyvis_network_of_the_same_nodes_and_exposures(drawn):
    network, drawing = drawn.to_pyvis(), drawn.drawing
    assert len(network.nodes) == len(drawing.labels)
    edges = {(edge["from"], edge["to"]) for edge in network.edges}
    coo = drawing.exposures.tocoo()
    assert edges == set(zip(coo.row.tolist(), coo.col.tolist(), strict=True))
    shapes = {"circle": "dot", "square": "square", "diamond": "diamond"}
    for i, node in enumerate(network.nodes):
        assert str(drawing.labels[i]) in node["title"]
        assert node["shape"] == shapes[SHAPES[drawing.kind[i]]]
        assert node["x"] == pytest.approx(3 * drawing.layout.x[i])
        assert node["color"] == drawing.colours[i]
    assert network.options.physics.enabled is False


def test_the_pyvis_page_links_to_nothing(drawn):
    for tag, attributes in elements(drawn.html):
        assert not {"src", "href"} & set(attributes), tag


def test_the_pyvis_page_shows_hostile_labels_as_text(opened, drawn):
    with opened(drawn.html) as watched:
        watched.page.wait_for_selector("#mynetwork canvas")
        assert watched.page.evaluate("() => typeof window.ran") == "undefined"
        assert watched.page.evaluate("() => document.images.length") == 0
        titles = watched.page.evaluate("() => nodes.get().map((node) => node.title)")
        assert [title.split("\u2069\n")[0].removeprefix("\u2068") for title in titles] == [
            str(label) for label in drawn.drawing.labels
        ]


def test_the_same_bytes_again(drawn):
    graph = rg.exposure_graph(hostile_snapshot(-1))
    again = rg.network_map(graph, ranking=rg.contagion_centrality(graph), backend="pyvis")
    assert again.html == drawn.html


def test_more_than_a_thousand_nodes_are_refused(tmp_path):
    graph, ranking = synthetic(1000)
    large = rg.network_map(graph, ranking=ranking, backend="pyvis")
    with pytest.raises(InputError, match="pyvis: expected at most 1,000 nodes, got 1,0"):
        large.to_pyvis()
    with pytest.raises(InputError, match="at most 1,000 nodes"):
        large.save(tmp_path / "map.html")
    assert list(tmp_path.iterdir()) == []
    small = rg.network_map(graph, ranking=ranking, backend="pyvis", top=100)
    assert len(small.to_pyvis().nodes) == len(small.drawing.labels) < 200


def test_the_usual_map_gives_a_pyvis_network_too():
    assert len(hostile_map().to_pyvis().nodes) == len(hostile_map().drawing.labels)
