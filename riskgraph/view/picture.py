"""The closed map as one SVG, for notebooks and readers that run no scripts."""

from __future__ import annotations

import numpy as np

from riskgraph.graph.exposure import ASSET, KINDS, PROTOCOL
from riskgraph.view.drawing import BUDGET, Drawing
from riskgraph.view.style import UNRANKED_COLOUR, shown, written

__all__ = ["map_picture"]

WIDTH = 900.0  # CSS pixels
MARKS = 5000
NAMES = 60


def map_picture(drawing: Drawing) -> str:
    """Draw the closed map: discs, the strongest lines, marks, and the names of the hubs that fit.

    More than 5,000 marks are cut to the largest; the map itself has all of them.
    """
    layout = drawing.layout
    if not len(drawing.labels):
        return '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 20"><text x="4" y="14">no nodes</text></svg>'
    reach = np.maximum(layout.disc, layout.radius * 1.26)
    left, right = float((layout.x - reach).min()), float((layout.x + reach).max())
    top, bottom = float((layout.y - reach).min()), float((layout.y + reach).max())
    pad = 0.04 * max(right - left, bottom - top)
    width, height = right - left + 2 * pad, bottom - top + 2 * pad
    unit = width / WIDTH  # map units in one pixel
    body = [*_discs(drawing, unit), *_lines(drawing, unit), *_marks(drawing, unit), *_names(drawing, unit)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="100%" role="img" aria-label="Network map" '
        f'style="max-width:{WIDTH:.0f}px;background:#fff" '
        f'viewBox="{left - pad:.2f} {top - pad:.2f} {width:.2f} {height:.2f}">{"".join(body)}</svg>'
    )


def _discs(drawing: Drawing, unit: float) -> list[str]:
    layout = drawing.layout
    return [
        f'<circle cx="{layout.x[h]:.2f}" cy="{layout.y[h]:.2f}" r="{layout.disc[h]:.2f}" fill="#e3e9f0" '
        f'stroke="#b4c0cd" stroke-width="{unit:.3f}"/>'
        for h in np.unique(layout.home[layout.grouped])
    ]


def _lines(drawing: Drawing, unit: float) -> list[str]:
    lines, layout = drawing.lines(), drawing.layout
    usd = lines.usd[:BUDGET]
    if not len(usd):
        return []
    span = np.log(usd.max() / usd.min()) or 1.0
    strength = (np.log(usd / usd.min()) / span) ** 2 if usd.max() > usd.min() else np.ones(len(usd))
    return [
        f'<line x1="{layout.x[a]:.2f}" y1="{layout.y[a]:.2f}" x2="{layout.x[b]:.2f}" y2="{layout.y[b]:.2f}" '
        f'stroke="{"#9db2cc" if folded else "#64748b"}" stroke-opacity="{0.18 + 0.5 * s:.2f}" '
        f'stroke-width="{(0.5 + 3.5 * s) * unit:.3f}"/>'
        for a, b, folded, s in zip(lines.a[:BUDGET], lines.b[:BUDGET], lines.folded[:BUDGET], strength, strict=True)
    ][::-1]


def _marks(drawing: Drawing, unit: float) -> list[str]:
    layout = drawing.layout
    marks = []
    for i in np.flatnonzero(~layout.grouped)[:MARKS]:
        x, y, r = float(layout.x[i]), float(layout.y[i]), max(float(layout.radius[i]), 1.3 * unit)
        paint = f'fill="{drawing.colours[i] or UNRANKED_COLOUR}" stroke="#3a4553" stroke-width="{0.8 * unit:.3f}"'
        if drawing.kind[i] == ASSET:
            t = 1.2533 * r
            path = f"M{x:.2f} {y - t:.2f}L{x + t:.2f} {y:.2f}L{x:.2f} {y + t:.2f}L{x - t:.2f} {y:.2f}Z"
            marks.append(f'<path d="{path}" {paint}/>')
        elif drawing.kind[i] == PROTOCOL:
            h = 0.8862 * r
            marks.append(f'<rect x="{x - h:.2f}" y="{y - h:.2f}" width="{2 * h:.2f}" height="{2 * h:.2f}" {paint}/>')
        else:
            marks.append(f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{r:.2f}" {paint}/>')
    return marks


def _names(drawing: Drawing, unit: float) -> list[str]:
    """Names of hubs, assets and protocols first, each only where it lies on no other name."""
    layout, size = drawing.layout, 13.0 * unit
    look = f'text-anchor="middle" fill="#1b2430" stroke="#fff" stroke-width="{3 * unit:.2f}" paint-order="stroke"'
    core = (drawing.kind == ASSET) | (drawing.kind == PROTOCOL)
    at = np.flatnonzero(layout.hub)
    taken: list[tuple[float, float, float]] = []
    names = []
    for i in at[np.argsort(~core[at], kind="stable")]:
        name = shown(str(drawing.labels[i]), KINDS[drawing.kind[i]])
        half = 0.31 * size * len(name)
        x, y = float(layout.x[i]), float(layout.y[i] - max(layout.disc[i], 1.26 * layout.radius[i]) - 0.4 * size)
        if len(taken) < NAMES and all(abs(x - u) > half + w or abs(y - v) > 1.1 * size for u, v, w in taken):
            taken.append((x, y, half))
            names.append(
                f'<text x="{x:.2f}" y="{y:.2f}" font-size="{size:.2f}" font-weight="{600 if core[i] else 400}" '
                f'font-family="system-ui, Arial, sans-serif" {look}>\u2068{written(name)}\u2069</text>'
            )
    return names
