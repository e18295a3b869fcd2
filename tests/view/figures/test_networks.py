"""The map on paper: every mark is inside the picture, as large as it is on the map."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure

import riskgraph as rg
from riskgraph.view.figures.networks import network_picture
from riskgraph.view.figures.saving import picture_bytes


@pytest.mark.parametrize("accounts", [30, 400])
def test_marks_are_inside_and_to_scale(accounts):
    graph = rg.exposure_graph(rg.datasets.synthetic(accounts=accounts, seed=1))
    drawing = rg.network_map(graph, ranking=rg.contagion_centrality(graph)).drawing
    axes = network_picture(drawing, Figure(figsize=(5.2, 3.4)).subplots())
    marks = [found for found in axes.collections if isinstance(found, PathCollection)]
    assert sum(len(found.get_offsets()) for found in marks) == int((~drawing.layout.grouped).sum())
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    reach = 1.25 * drawing.layout.radius[~drawing.layout.grouped]
    x, y = drawing.layout.x[~drawing.layout.grouped], -drawing.layout.y[~drawing.layout.grouped]
    assert (x - reach >= left).all() and (x + reach <= right).all()
    assert (y - reach >= low).all() and (y + reach <= high).all()
    axes.apply_aspect()
    points = axes.get_window_extent().height * 72.0 / axes.figure.dpi / (high - low)
    largest = max(found.get_sizes().max() for found in marks)
    assert largest == pytest.approx(0.8 * (2.0 * drawing.layout.radius.max() * points) ** 2, rel=0.02)
    assert np.isfinite(largest)


@pytest.mark.parametrize(("size", "names"), [((5.2, 3.4), 18), ((9.0, 6.4), 40)])
def test_names_touch_no_other_and_the_core_comes_first(size, names):
    graph = rg.exposure_graph(rg.datasets.synthetic(accounts=3_000, seed=0))
    figure = Figure(figsize=size)
    axes = network_picture(rg.network_map(graph).drawing, figure.subplots(), names=names)
    canvas = FigureCanvasAgg(figure)
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in axes.texts]
    assert 12 <= len(boxes) <= names
    assert not any(one.overlaps(other) for k, one in enumerate(boxes) for other in boxes[:k])
    assert {"ETH", "stETH", "lend_1", "USDC"} <= {text.get_text() for text in axes.texts}


def test_stronger_lines_are_wider():
    drawing = rg.network_map(rg.datasets.load("toy")).drawing
    axes = network_picture(drawing, Figure(figsize=(5.2, 3.4)).subplots())
    (lines,) = [found for found in axes.collections if isinstance(found, LineCollection)]
    widths = lines.get_linewidths()
    assert widths[0] == max(widths) > min(widths) > 0.0  # lines come strongest first


def test_names_of_strangers_are_drawn_as_they_stand():
    labels = ["$\\frac{1}{0}$", "\u202eturned", "a" * 10_000, "two\nlines", chr(0xD800), ""]
    graph = rg.ExposureGraph.from_matrix(np.ones((6, 6)) - np.eye(6), np.ones(6), labels=labels)
    picture = picture_bytes(lambda ax: network_picture(rg.network_map(graph).drawing, ax), "png", (5.2, 3.4))
    assert picture[:4] == b"\x89PNG"
