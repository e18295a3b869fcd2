"""The closed map on axes, for paper and notebooks: marks, the strongest lines, names of hubs that do not touch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Floats
from riskgraph.view.style import SHAPES, UNRANKED_COLOUR, encodable, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from riskgraph.view.drawing import Drawing

__all__ = ["network_picture"]

KINDS = ("account", "protocol", "asset", "node")  # by code
CORE = (1, 2)
MARKS = {"circle": "o", "square": "s", "diamond": "D"}
FONT_PT = {True: 8.0, False: 6.0}  # by whether the picture is as wide as a screen
SCREEN_IN = 8.0
LOWEST = {"circle": 0.93, "square": 0.93, "diamond": 1.3}  # of the radius: where a mark ends
WIDTH_EM, HEIGHT_EM = 0.62, 1.25  # of a letter, and of a line, at most


def network_picture(drawing: Drawing, ax: Axes, *, lines: int = 400, names: int = 18) -> Axes:
    """Draw what a map shows when it is opened: at most so many lines and names, and every mark outside of groups."""
    from matplotlib.collections import LineCollection
    from matplotlib.patches import Circle

    layout, drawn = drawing.layout, drawing.lines()
    ends = [
        ((layout.x[a], -layout.y[a]), (layout.x[b], -layout.y[b]))
        for a, b in zip(drawn.a[:lines], drawn.b[:lines], strict=True)
    ]
    ax.add_collection(
        LineCollection(ends, colors="#64748b", linewidths=_widths(drawn.usd[:lines]), alpha=0.35, zorder=1)
    )
    for hub in np.flatnonzero(layout.disc > layout.radius):
        ax.add_patch(
            Circle((layout.x[hub], -layout.y[hub]), layout.disc[hub], facecolor="#e3e9f0", linewidth=0, zorder=0)
        )
    reach = np.maximum(layout.disc, 1.3 * layout.radius)
    if len(layout.x):
        ax.set_xlim(float((layout.x - reach).min()), float((layout.x + reach).max()))
        ax.set_ylim(float((-layout.y - reach).min()), float((-layout.y + reach).max()))
    ax.set_aspect("equal")
    ax.axis("off")
    unit = _points_per_unit(ax)
    colours = np.array([colour or UNRANKED_COLOUR for colour in drawing.colours], dtype=object)
    for kind in np.unique(drawing.kind):
        at = np.flatnonzero((drawing.kind == kind) & ~layout.grouped)
        sizes = np.maximum((2.0 * layout.radius[at] * unit) ** 2 * 0.8, 2.0)
        ax.scatter(layout.x[at], -layout.y[at], s=sizes, c=list(colours[at]), marker=MARKS[SHAPES[int(kind)]],
                   edgecolors="#3a4553", linewidths=0.4, zorder=2)  # fmt: skip
    _write_names(drawing, ax, unit, names)
    return ax


def _widths(usd: Floats) -> Floats:
    """Give points by the logarithm of USD: 0.3 the weakest, 1.6 the strongest."""
    if not len(usd) or usd.max() <= usd.min():
        return np.full(len(usd), 0.4)
    return np.asarray(0.3 + 1.3 * (np.log(usd / usd.min()) / np.log(usd.max() / usd.min())) ** 2)


def _write_names(drawing: Drawing, ax: Axes, unit: float, most: int) -> None:
    """Write names below hubs, assets and protocols first, each only where it lies on no other."""
    from matplotlib.patheffects import withStroke

    layout, box, halo = drawing.layout, ax.get_window_extent(), [withStroke(linewidth=1.6, foreground="#ffffff")]
    font = FONT_PT[bool(box.width / ax.figure.dpi > 0.8 * SCREEN_IN)]
    core = np.isin(drawing.kind, CORE)
    hubs = np.flatnonzero(layout.hub)
    taken: list[tuple[float, float, float]] = []
    for i in hubs[np.argsort(~core[hubs], kind="stable")]:
        name = encodable(shown(str(drawing.labels[i]), KINDS[int(drawing.kind[i])], 16))
        half, height = 0.5 * WIDTH_EM * font * len(name) / unit, HEIGHT_EM * font / unit
        x, y = float(layout.x[i]), -float(layout.y[i]) - LOWEST[SHAPES[int(drawing.kind[i])]] * float(layout.radius[i])
        if len(taken) < most and all(abs(x - u) > half + w or abs(y - v) > height for u, v, w in taken):
            taken.append((x, y, half))
            ax.text(x, y, name, fontsize=font, ha="center", va="top", color="#1b2430", parse_math=False, zorder=3,
                    path_effects=halo)  # fmt: skip


def _points_per_unit(ax: Axes) -> float:
    """How many points a unit of the map takes on the page, once the axes have its shape."""
    ax.apply_aspect()
    box, (low, high) = ax.get_window_extent(), ax.get_ylim()
    return float(box.height * 72.0 / ax.figure.dpi / max(high - low, 1e-9))
