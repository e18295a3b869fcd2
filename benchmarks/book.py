"""All sources of a book of a million accounts, in matvecs of its accounts × assets matrix."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import numpy as np
from scipy import sparse

import riskgraph as rg
from benchmarks.timing import Size, best

__all__ = ["matvec_of", "run"]

# Depths are multiplied by these, so that λ₁ is about 0.5 and 5; as they come it is 1.9.
CALM, WILD = 19.2, 0.133


def matvec_of(snap: rg.Snapshot) -> float:
    """Seconds of one SciPy product of the accounts × assets matrix (USD) with a vector."""
    book = snap.book
    shape = (len(snap.labels("account")), len(snap.labels("asset")))
    matrix = sparse.csr_array((book.usd, (book.account, book.asset)), shape=shape)
    vector = np.ones(shape[1])
    return best(lambda: matrix @ vector, runs=20)


def run(size: Size) -> Iterator[str]:
    """Give one line a benchmark: what was measured, its ratio, and on what."""
    accounts = 1_000_000 if size is Size.FULL else 20_000
    snap = rg.datasets.synthetic(accounts=accounts, assets=200, protocols=50, seed=1)
    matvec = matvec_of(snap)
    yield f"book of {accounts:,} accounts, 200 assets, 50 protocols; one matvec takes {matvec * 1e3:.3f} ms"
    for name, factor, arguments in (
        ("linear, all nodes", CALM, {"model": "linear", "sources": "all"}),
        ("linear, 250 assets and protocols", WILD, {"model": "linear", "sources": "core"}),
        ("liquidation (the default ranking)", 1.0, {}),
        ("liquidation, 250 assets and protocols", 1.0, {"sources": "core"}),
    ):
        depths = snap.liquidity.assign(depth_usd=snap.liquidity["depth_usd"] * factor)
        graph = rg.exposure_graph(snap.replace(liquidity=depths) if factor != 1.0 else snap)
        if arguments.get("sources") == "core":
            arguments["sources"] = [label for label in graph.labels if not label.startswith("account:")]
        once = rg.contagion_centrality(graph, **arguments)  # compiles what is not compiled yet
        seconds = best(lambda graph=graph, arguments=arguments: rg.contagion_centrality(graph, **arguments), runs=3)
        yield (
            f"{name}: {len(once.sources):,} sources at λ₁ = {once.spectral_radius:.3g} in {seconds / matvec:,.0f} "
            f"matvecs ({seconds:.2f} s); {once.road}"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    yield f"peak memory of this process so far: {peak:.2f} GiB"
