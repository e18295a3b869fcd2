"""The map on paper: every mark is inside the picture, as large as it is on the map."""

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

import riskgraph as rg
from riskgraph.view.figures.networks import network_picture


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
