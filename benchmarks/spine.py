"""From a book to its graph: each step in matvecs of the accounts × assets matrix of the same book."""

from __future__ import annotations

from collections.abc import Iterator

import riskgraph as rg
from benchmarks.book import matvec_of
from benchmarks.timing import Size, best
from riskgraph.snapshot.frames import categories_of
from riskgraph.snapshot.rows import rows_of

__all__ = ["run"]


def run(size: Size) -> Iterator[str]:
    """Give one line a benchmark: what was measured, its ratio, and on what."""
    accounts = 1_000_000 if size is Size.FULL else 20_000
    snap = rg.datasets.synthetic(accounts=accounts, assets=200, protocols=50, seed=1)
    matvec = matvec_of(snap)
    yield f"book: {snap!r}; one matvec takes {matvec * 1e3:.3f} ms"
    for name, step in (
        ("rows, margin accounts and thresholds", lambda: rows_of(snap)),
        ("labels as categories", lambda: categories_of(snap)),
        ("exposure graph", lambda: rg.exposure_graph(snap)),
    ):
        yield f"{name}: {best(step) / matvec:,.1f} matvecs"
    yield _against_one_by_one()


def _against_one_by_one() -> str:
    """All sources of a small book at once against one shock after another, both by the package."""
    graph = rg.exposure_graph(rg.datasets.synthetic(accounts=500, seed=1))
    together = best(lambda: rg.contagion_centrality(graph, sources="all"))
    shocks = [{label: 0.1 if label.startswith("asset:") else 1.0} for label in graph.labels]
    alone = best(lambda: [rg.debtrank(graph, shock) for shock in shocks], runs=1)
    return f"{len(graph)} sources at once: {alone / together:.1f} times as fast as one by one"
