"""The Sankey picture: widths are USD, labels are text whatever they say and never lie on one another."""

import matplotlib as mpl
import pytest
from matplotlib.patches import PathPatch, Rectangle

import riskgraph as rg
from riskgraph.view.figures.flows import sankey

mpl.use("agg")
PATHS = [["ETH", "stETH", "aStETH", "collateral at gamma"], ["ETH", "stETH", "deposit at alpha"], ["DAI", "sDAI", "x"]]


@pytest.fixture
def drawn():
    from matplotlib import pyplot as plt

    yield sankey(PATHS, [50.0, 40.0, 1e-3], title="Chains", source="made by hand")
    plt.close("all")


def test_bands_are_as_wide_as_what_they_carry(drawn):
    """ETH → stETH carries 90, stETH → aStETH 50: bands start 90 to 50 wide."""
    width = {}
    for patch in drawn.patches:
        if isinstance(patch, PathPatch):
            corners = patch.get_path().vertices
            width[round(corners[0][0]), round(corners[3][0]), round(corners[0][1], 2)] = corners[7][1] - corners[0][1]
    from_eth = max(value for (start, _, _), value in width.items() if start == 0)
    from_steth = max(value for (start, end, _), value in width.items() if (start, end) == (1, 2))
    assert from_eth / from_steth == pytest.approx(90.0 / 50.0)
    bars = [patch for patch in drawn.patches if isinstance(patch, Rectangle)]
    assert len(bars) == len({node for path in PATHS for node in path})


def test_no_label_lies_on_another(drawn):
    figure = drawn.figure
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in drawn.texts[:-1]]
    for at, one in enumerate(boxes):
        assert not any(one.overlaps(other) for other in boxes[at + 1 :])


def test_hostile_labels_are_drawn_as_they_are():
    evil = r"$\frac{1}{0}$<script>"
    axes = sankey([[evil, "x"]], [1.0], title=evil)
    axes.figure.canvas.draw()  # as mathematics it would not draw
    assert evil in axes.texts[0].get_text()


@pytest.mark.parametrize(("paths", "usd"), [([["a"]], [1.0]), ([["a", "b"]], [0.0]), ([["a", "b"]], [])])
def test_what_is_no_flow_is_refused(paths, usd):
    with pytest.raises(rg.InputError, match="sankey: expected paths of two labels or more"):
        sankey(paths, usd)


def test_an_empty_picture_is_one():
    assert rg.collateral_reuse(rg.datasets.load("curve_founder_202308")).plot(top=1).texts


def test_reuse_draws_its_chains():
    axes = rg.collateral_reuse(rg.datasets.load("toy")).plot(top=3)
    assert {"ETH\n$360k", "collateral at gamma\n$120k"} <= {text.get_text() for text in axes.texts}
