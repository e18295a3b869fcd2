"""Centralities of one random network against igraph's, with and without what igraph takes to read the matrix."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse

import riskgraph as rg
from benchmarks.timing import Size, best

__all__ = ["run"]


def run(size: Size) -> Iterator[str]:
    """Give one line a benchmark: what was measured, its ratio, and on what."""
    nodes = 10_000 if size is Size.FULL else 1_000
    graph = _network(nodes, 10 * nodes)
    vector = np.ones(nodes)
    matvec = best(lambda: graph.leverage @ vector, runs=20)
    yield f"eigen: {graph!r}; one matvec takes {matvec * 1e3:.3f} ms"
    yield from _against_igraph(graph)
    for name, step in (
        ("spectral radius", lambda: rg.spectral_radius(graph)),
        ("impact and vulnerability", lambda: rg.centrality(graph, ["impact", "vulnerability"])),
        ("katz, λ₁ included", lambda: rg.centrality(graph, "katz")),
        ("susceptibility and diffusion", lambda: rg.centrality(graph, ["susceptibility", "diffusion"])),
    ):
        yield f"{name}: {best(step) / matvec:,.0f} matvecs"
    seconds = best(lambda: rg.centrality(graph, "sinkrank"), runs=1)
    yield f"sinkrank: {seconds:.1f} s, {seconds / matvec / nodes:,.1f} matvecs a node"


def _network(nodes: int, links: int) -> rg.ExposureGraph:
    """A random network, lognormal exposures, capital around half to twice of what is held."""
    rng = np.random.default_rng(7)
    row, column = rng.integers(0, nodes, links), rng.integers(0, nodes, links)
    keep = row != column
    held = sparse.coo_array((rng.lognormal(0.0, 1.0, int(keep.sum())), (row[keep], column[keep])), shape=(nodes, nodes))
    capital = np.asarray(held.sum(axis=1)).ravel() * rng.uniform(0.5, 2.0, nodes) + 1.0
    return rg.ExposureGraph.from_matrix(held.tocsr(), capital)


def _against_igraph(graph: rg.ExposureGraph) -> Iterator[str]:
    """Eigenvector centrality, PageRank and hubs by both; each of ours reads the sparse matrix as it is."""
    import igraph

    matrix = graph.leverage

    def read() -> igraph.Graph:
        entries = matrix.tocoo()
        made = igraph.Graph(n=len(graph), edges=np.column_stack([entries.row, entries.col]), directed=True)
        made.es["weight"] = entries.data
        return made

    theirs = read()
    reading = best(read)
    pairs = (
        ("impact", "eigenvector_centrality", lambda: theirs.eigenvector_centrality(directed=True, weights="weight")),
        ("pagerank", "pagerank", lambda: theirs.pagerank(weights="weight", implementation="prpack")),
        ("hub", "hub_score", lambda: theirs.hub_score(weights="weight")),
    )
    for measure, name, step in pairs:
        ours, peer = best(lambda: rg.centrality(graph, measure)), best(step)  # noqa: B023
        gap = _gap(rg.centrality(graph, measure)[measure].to_numpy(), np.array(step()))
        told = f"largest relative difference {gap:.0e}" if measure != "hub" else "hubs of A (ours) and of Λ (theirs)"
        yield (
            f"{measure}: {(reading + peer) / ours:.1f} times as fast as igraph's {name}, {peer / ours:.1f} times "
            f"without its reading of the matrix; {told}"
        )


def _gap(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Largest difference relative to the largest score, both scaled to sum 1; nodes on no cycle left out."""
    known = np.isfinite(ours)
    ours, theirs = ours[known] / ours[known].sum(), theirs[known] / theirs[known].sum()
    return float(np.abs(ours - theirs).max() / ours.max())
