"""The interactive network map: one offline page that shows who matters and why."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.errors import InputError
from riskgraph.files import writing
from riskgraph.graph.exposure import KINDS, ExposureGraph
from riskgraph.provenance import Provenance
from riskgraph.showing import Showing
from riskgraph.view.drawing import Drawing, draw
from riskgraph.view.facts import Facts
from riskgraph.view.figures.networks import network_picture
from riskgraph.view.figures.saving import picture_bytes
from riskgraph.view.given import Given
from riskgraph.view.page import map_page
from riskgraph.view.pyvis_page import pyvis_html, pyvis_network
from riskgraph.view.style import TITLE, check_length, money, written

if TYPE_CHECKING:
    import pandas as pd
    from pyvis.network import Network

    from riskgraph.contagion.ranking import Ranking
    from riskgraph.margin.cascade_results import Cascade
    from riskgraph.reuse_results import CollateralReuse
    from riskgraph.snapshot.snapshot import Snapshot
    from riskgraph.view.what_if import WhatIf

__all__ = ["NetworkMap", "network_map"]

BACKENDS = (None, "pyvis")
SIZE = (9.0, 6.4)  # of the picture in a notebook, inches
INLINE_BYTES = 2_000_000  # a larger page is not put into a notebook


@dataclass(frozen=True, eq=False, repr=False)
class NetworkMap(Showing):
    """A drawn network; save it, show it in a notebook, or take its numbers.

    Attributes
    ----------
    drawing : Drawing
        Nodes, positions, classes and exposures as drawn.
    facts : Facts
        Health, eigenvector scores, chains and stories, as far as they were given.
    backend : str or None
        None for the package's own page, ``pyvis`` for a pyvis page.
    provenance : Provenance
        Version, digest of the data, call.
    title : str
        What stands above the map.
    """

    drawing: Drawing
    facts: Facts
    backend: str | None
    provenance: Provenance
    title: str = TITLE

    @cached_property
    def html(self) -> str:
        """The page: one file that asks for nothing from outside, the same text for the same input."""
        if self.backend == "pyvis":
            return pyvis_html(self.drawing, self.title)
        return map_page(self.drawing, self.title, self.facts)

    def save(self, path: str | Path) -> Path:
        """Write the page, beside its place first and then renamed, so that no half-written file is left.

        Raises
        ------
        InputError
            The folder is missing, the path is a folder, or it cannot be written.
        """
        with writing(path) as beside:
            beside.write_text(self.html, encoding="utf-8", newline="\n")
        return Path(path)

    def to_pyvis(self) -> Network:
        """Give a pyvis Network at the same positions, physics off.

        Raises
        ------
        InputError
            More than 1,000 nodes.
        """
        return pyvis_network(self.drawing)

    def to_frame(self) -> pd.DataFrame:
        """One row a node by label: kind, size_usd, x, y, radius, hub, home (label of its hub), grouped, ``class_``."""
        import pandas as pd

        drawing, layout = self.drawing, self.drawing.layout
        index = pd.Index(drawing.labels, name="node")
        home = [drawing.labels[h] if h >= 0 else None for h in layout.home]
        columns: dict[str, Any] = {
            "kind": np.array(KINDS, dtype=object)[drawing.kind],
            "size_usd": drawing.size,
            "x": layout.x,
            "y": layout.y,
            "radius": layout.radius,
            "hub": layout.hub,
            "home": np.array(home, dtype=object),
            "grouped": layout.grouped,
        }
        if drawing.classes is not None:
            columns["class_"] = drawing.classes.codes
        return pd.DataFrame(columns, index=index)

    def summary(self) -> dict[str, Any]:
        """Say what is drawn, in numbers: nodes by kind, exposures, hubs, grouped nodes, lines, what colours."""
        drawing, lines = self.drawing, self.drawing.lines()
        return {
            **{f"{kind}s": count for kind, count in drawing.counts.items()},
            "exposures": drawing.total_exposures,
            "exposure_usd": drawing.total_usd,
            "hubs": int(drawing.layout.hub.sum()),
            "grouped": int(drawing.layout.grouped.sum()),
            "lines": len(lines.usd),
            "left_out": drawing.left_out,
            "colour": "kind" if drawing.scores is None else drawing.scores.name,
            **({"stories": ", ".join(story.name for story in self.facts.stories)} if self.facts.stories else {}),
            **({"chains": len(self.facts.chains)} if self.facts.chains else {}),
        }

    def __repr__(self) -> str:
        return f"<NetworkMap: {self.drawing.headline()}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name.replace('_', ' '))}</th>"
            f"<td style='text-align:right'>{_written(name, value)}</td></tr>"
            for name, value in self.summary().items()
        )
        basis = "" if self.drawing.scores is None else f"<p>{html.escape(self.drawing.scores.basis)}</p>"
        return f"<table>{rows}</table>{basis}{self._picture()}{self._frame()}"

    def _picture(self) -> str:
        """Give the closed map as an image: notebooks that are not trusted take out a drawing, not an image."""
        data = base64.b64encode(self._png).decode()
        alt = html.escape(f"Network map: {self.drawing.headline()}")
        return f'<img alt="{alt}" style="width:100%;max-width:900px" src="data:image/png;base64,{data}">'

    @cached_property
    def _png(self) -> bytes:
        return picture_bytes(lambda ax: network_picture(self.drawing, ax, lines=1_500, names=40), "png", SIZE)

    def _frame(self) -> str:
        """Put the page in a frame that may run its script and nothing else; too large a page is only named."""
        if len(self.html) > INLINE_BYTES:
            return "<p>The interactive map is larger than 2 MB: write it with .save(path) and open that file.</p>"
        return (
            f'<iframe sandbox="allow-scripts allow-downloads" title="{written(self.title)}" '
            'style="width:100%;height:720px;border:1px solid #ccc" '
            f'srcdoc="{html.escape(self.html)}"></iframe>'
        )


def network_map(
    graph_or_snapshot: ExposureGraph | Snapshot,
    *,
    ranking: Ranking | None = None,
    cascade: Cascade | Sequence[Cascade] | None = None,
    reuse: CollateralReuse | None = None,
    what_if: bool | Sequence[str] | WhatIf | None = None,
    top: int | None = None,
    backend: str | None = None,
    title: str = TITLE,
) -> NetworkMap:
    """Draw a network as one interactive page that works offline.

    Assets are diamonds, protocols squares, accounts circles; the area is the exposure, the colour the contagion
    centrality in classes by rank (the kind, without a ranking). Hubs are placed by their links, small accounts
    round their largest exposure and in groups that open on a click.

    Parameters
    ----------
    graph_or_snapshot : ExposureGraph or Snapshot
        A snapshot is turned into its graph by :func:`riskgraph.exposure_graph` with its defaults.
    ranking : Ranking, optional
        From :func:`riskgraph.contagion_centrality` on the same graph.
    cascade : Cascade or sequence of Cascade, optional
        From :func:`riskgraph.liquidation_cascade` on the same data: played round by round, with why each account fell.
    reuse : CollateralReuse, optional
        From :func:`riskgraph.collateral_reuse` on the same data: chains of the selected asset, drawn over the map.
    what_if : True, sequence of str or WhatIf, optional
        Falls from 0 to 80 % of the three assets that most collateral stands on (True), or of those named, each played
        to its end beforehand: a slider moves through them offline. Needs a snapshot (as the first argument, or that of
        ``cascade`` or ``reuse``); a grid of your own comes from ``riskgraph.view.what_if.what_if_grid``.
    top : int, optional
        Keep only the ``top`` largest accounts (or nodes of a matrix) beside all assets and protocols; the page says
        how many are left out.
    backend : {None, "pyvis"}
        ``pyvis`` writes a pyvis page instead, for at most 1,000 nodes.
    title : str, optional
        What stands above the map and in the browser's tab, at most 300 characters.

    Raises
    ------
    InputError
        Something else than a graph or a snapshot; a ranking, a cascade, a reuse or a grid of other data; an unknown
        backend; a title that is too long.

    Examples
    --------
    >>> from riskgraph.graph.exposure import ExposureGraph
    >>> g = ExposureGraph.from_matrix([[0, 5], [2, 0]], [10, 8], labels=["A", "B"])
    >>> drawn = network_map(g)
    >>> drawn
    <NetworkMap: 2 nodes; 2 exposures of $7.00>
    >>> drawn.html.startswith("<!doctype html>")
    True
    """
    graph = _graph(graph_or_snapshot)
    if backend not in BACKENDS:
        raise InputError(f"backend: expected None or 'pyvis', got {backend!r}")
    check_length("title", title)
    snap = None if isinstance(graph_or_snapshot, ExposureGraph) else graph_or_snapshot
    given = Given(snap, cascade, reuse, what_if)
    given.check(graph.digest)
    drawing = draw(graph, ranking, top)
    ranked = str(getattr(ranking, "provenance", None))
    arguments = {"ranking": ranked, "top": top, "backend": backend, **given.told()}
    if title != TITLE:
        arguments["title"] = title
    facts = given.facts(graph, drawing.labels)
    return NetworkMap(drawing, facts, backend, Provenance("network_map", graph.digest, arguments), title)


def _graph(given: Any) -> ExposureGraph:
    if isinstance(given, ExposureGraph):
        return given
    from riskgraph.snapshot.snapshot import Snapshot

    if not isinstance(given, Snapshot):
        raise InputError(f"network_map: expected an ExposureGraph or a Snapshot, got {type(given).__name__}")
    from riskgraph.graph.book import exposure_graph

    return exposure_graph(given)


def _written(name: str, value: Any) -> str:
    if name.endswith("_usd"):
        return money(value)
    return f"{value:,}" if isinstance(value, int) else html.escape(str(value))
