"""The closed map on axes, for paper: marks, the strongest lines, names of the largest that do not touch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.view.style import SHAPES, UNRANKED_COLOUR, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["network_picture"]

MARKS = {"circle": "o", "square": "s", "diamond": "D"}
MOST_LINES, MOST_NAMES = 400, 18


def network_picture(drawing: Any, ax: Axes) -> Axes:
    """Draw what a map shows when it is opened; ``drawing`` has its layout, lines, colours and labels."""
    from matplotlib.collections import LineCollection
    from matplotlib.patches import Circle

    layout, kinds = drawing.layout, ("account", "protocol", "asset", "node")
    lines = drawing.lines()
    few = slice(0, MOST_LINES)
    ends = [
        ((layout.x[a], -layout.y[a]), (layout.x[b], -layout.y[b]))
        for a, b in zip(lines.a[few], lines.b[few], strict=True)
    ]
    ax.add_collection(LineCollection(ends, colors="#64748b", linewidths=0.4, alpha=0.35, zorder=1))
    colours = np.array([colour or UNRANKED_COLOUR for colour in drawing.colours], dtype=object)
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
    seen = ~layout.grouped
    for kind in np.unique(drawing.kind):
        at = np.flatnonzero((drawing.kind == kind) & seen)
        sizes = np.maximum((2.0 * layout.radius[at] * unit) ** 2 * 0.8, 2.0)
        ax.scatter(layout.x[at], -layout.y[at], s=sizes, c=list(colours[at]), marker=MARKS[SHAPES[int(kind)]],
                   edgecolors="#3a4553", linewidths=0.4, zorder=2)  # fmt: skip
    taken: list[tuple[float, float]] = []
    span = max(float(np.ptp(layout.x)), float(np.ptp(layout.y)), 1.0) if len(layout.x) else 1.0
    for i in np.flatnonzero(layout.hub)[: 4 * MOST_NAMES]:
        x, y = float(layout.x[i]), -float(layout.y[i]) - float(layout.radius[i])
        if len(taken) >= MOST_NAMES or any(abs(x - p) < 0.16 * span and abs(y - q) < 0.035 * span for p, q in taken):
            continue
        taken.append((x, y))
        name = shown(str(drawing.labels[i]), kinds[int(drawing.kind[i])], 16)
        ax.text(x, y, name, fontsize=6, ha="center", va="top", color="#1b2430", parse_math=False, zorder=3)
    return ax


def _points_per_unit(ax: Axes) -> float:
    """How many points a unit of the map takes on the page, once the axes have its shape."""
    ax.apply_aspect()
    box, (low, high) = ax.get_window_extent(), ax.get_ylim()
    return float(box.height * 72.0 / ax.figure.dpi / max(high - low, 1e-9))
