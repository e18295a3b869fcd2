"""The same network as a pyvis page, for small graphs and for people who go on by hand."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.errors import InputError
from riskgraph.graph.exposure import KINDS
from riskgraph.view.drawing import Drawing
from riskgraph.view.style import SHAPES, UNRANKED_COLOUR, money, shown, written

if TYPE_CHECKING:
    from pyvis.network import Network

__all__ = ["LIMIT", "pyvis_html", "pyvis_network"]

LIMIT = 1000  # nodes; above it such pages take minutes to open


def pyvis_network(drawing: Drawing) -> Network:
    """Build a pyvis Network at the map's positions, physics off, from at most 1,000 nodes.

    Raises
    ------
    InputError
        More than 1,000 nodes.
    """
    from pyvis.network import Network

    n = len(drawing.labels)
    if n > LIMIT:
        raise InputError(f"pyvis: expected at most {LIMIT:,} nodes, got {n:,}; use top=… or the default backend")
    network = Network(height="800px", width="100%", directed=True, cdn_resources="in_line")
    network.toggle_physics(False)
    layout = drawing.layout
    vis_shapes = {"circle": "dot", "square": "square", "diamond": "diamond"}
    for i in range(n):
        label, kind = str(drawing.labels[i]), KINDS[drawing.kind[i]]
        network.add_node(
            i,
            label=f"\u2068{shown(label, kind)}\u2069" if layout.hub[i] else " ",
            title=f"\u2068{label}\u2069\n{kind}, exposure {money(drawing.size[i])}",
            x=3.0 * float(layout.x[i]),
            y=3.0 * float(layout.y[i]),
            size=3.0 * float(layout.radius[i]),
            shape=vis_shapes[SHAPES[drawing.kind[i]]],
            color=drawing.colours[i] or UNRANKED_COLOUR,
        )
    coo = drawing.exposures.tocoo()
    most = np.log1p(coo.data.max(initial=0.0)) or 1.0
    for creditor, debtor, usd in zip(coo.row.tolist(), coo.col.tolist(), coo.data.tolist(), strict=True):
        network.add_edge(creditor, debtor, title=money(usd), width=float(0.3 + 3.0 * (np.log1p(usd) / most) ** 4))
    return network


def pyvis_html(drawing: Drawing, title: str) -> str:
    """Write the pyvis page as one offline file: what pyvis links from a CDN is taken out."""
    text: str = pyvis_network(drawing).generate_html(notebook=False)
    text = re.sub(r"<link\b[^>]*https?://[^>]*>", "", text)
    text = re.sub(r"<script\b[^>]*\bsrc\s*=\s*[\"'](?:https?:)?//[^>]*>\s*</script>", "", text)
    return text.replace("<head>", f"<head><title>{written(title)}</title>", 1)
