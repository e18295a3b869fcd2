"""One shock on a large matrix graph, in SciPy products with the same matrix, one a round."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse

import riskgraph as rg
from benchmarks.timing import Size, best

__all__ = ["run"]

DEGREE = 10


def run(size: Size) -> Iterator[str]:
    """Give one line a model: seconds of the whole call over (rounds × one product), bank names looked up included."""
    nodes = 100_000 if size is Size.FULL else 2_000
    rng = np.random.default_rng(11)
    edges = DEGREE * nodes
    row, column = rng.integers(0, nodes, edges), rng.integers(0, nodes, edges)
    apart = row != column
    exposures = sparse.csr_array((rng.lognormal(size=edges)[apart], (row[apart], column[apart])), shape=(nodes, nodes))
    capital = np.asarray(exposures.sum(axis=1)).ravel() * rng.uniform(1.05, 4.0, nodes) + 1.0
    graph = rg.ExposureGraph.from_matrix(exposures, capital)
    vector = rng.random(nodes)
    product = best(lambda: graph.leverage @ vector, runs=20)
    shock = {str(node): 1.0 for node in range(0, nodes, nodes // 100)}
    for model, more in (("linear", {}), ("nonlinear", {"alpha": 1.0}), ("threshold", {}), ("original", {})):
        run_once = rg.debtrank(graph, shock, model=model, **more)
        seconds = best(lambda model=model, more=more: rg.debtrank(graph, shock, model=model, **more), runs=5)
        ratio = seconds / (max(run_once.rounds, 1) * product)
        yield (
            f"one shock of 100 nodes, {model}, {nodes:,} nodes and {graph.exposures.nnz:,} edges: {run_once.rounds} "
            f"rounds in {ratio:.2f} × as many products of {product * 1e3:.2f} ms"
        )
