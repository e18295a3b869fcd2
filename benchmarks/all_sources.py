"""Every node's wipe-out on a matrix graph: all sources at once against one after another with SciPy.

The loop is what the formula says, ``h = min(1, h + Λ d)`` with one sparse product a round, until no h moves by more
than 1e-12, as the package's own rounds do. It is timed on 100 evenly chosen sources and scaled to all of them; ours is
timed on all. Both give the same thing: Σ weight · (h(T) − h(0)) of every source.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

import numpy as np
from scipy import sparse

from benchmarks.timing import Size, best
from riskgraph.arrays import Floats, Ints
from riskgraph.contagion.models import DEFAULTED, Transmission
from riskgraph.contagion.perron import perron_root
from riskgraph.contagion.spreading import Rules

__all__ = ["random_leverage", "run"]

SAMPLE = 100
DEGREE = 20
SEED = 20
GROWTH = 1.5  # λ₁ of the explosive networks
ALPHA = 1.0

Step = Callable[[Floats], Floats]


def run(size: Size) -> Iterator[str]:
    """Give one line a network and model: seconds of the loop, of ours, their ratio, and how far they differ."""
    sizes = (2_000, 10_000) if size is Size.FULL else (300,)
    start = time.perf_counter()
    _warm_up()
    yield (
        f"all sources: {DEGREE} edges a node, {os.cpu_count()} threads, the loop on {SAMPLE} sources and scaled; "
        f"compiling or loading compiled code {time.perf_counter() - start:.1f} s, not counted below"
    )
    for n in sizes:
        calm = random_leverage(n)
        yield _linear(f"linear, n = {n:,}, row sums below 1", calm)
        explosive = sparse.csr_array(calm * (GROWTH / perron_root(calm)))
        yield _linear(f"linear, n = {n:,}, λ₁ = {GROWTH}", explosive)
    calm = random_leverage(sizes[0])
    for model in ("nonlinear", "threshold", "original"):
        # at row sums below 1 nobody falls and nothing spreads in the threshold model: there, five times as much
        yield _other(
            f"{model}, n = {sizes[0]:,}", sparse.csr_array(calm * 5.0) if model == "threshold" else calm, model
        )


def random_leverage(n: int) -> sparse.csr_array:
    """Draw Λ: 20 random debtors a node, lognormal amounts, row sums evenly from 0.1 to 0.95; a fixed seed."""
    draw = np.random.default_rng(SEED)
    row = np.repeat(np.arange(n), DEGREE)
    column = draw.integers(0, n - 1, n * DEGREE)
    column += column >= row  # nobody owes himself
    amount = sparse.csr_array((draw.lognormal(0.0, 1.0, n * DEGREE), (row, column)), shape=(n, n))
    return sparse.csr_array(sparse.diags_array(draw.uniform(0.1, 0.95, n) / amount.sum(axis=1)) @ amount)


def _linear(name: str, matrix: sparse.csr_array) -> str:
    from riskgraph.contagion.columns import wiped_out_one_by_one

    n, weights = matrix.shape[0], _weights(matrix.shape[0])
    nobody = np.zeros(n, dtype=bool)
    taken = best(lambda: wiped_out_one_by_one(matrix, nobody, np.arange(n), weights, nobody, Rules()))
    found = wiped_out_one_by_one(matrix, nobody, np.arange(n), weights, nobody, Rules())
    return _line(name, matrix, "linear", found.end[:, 0], taken) + f"; {found.road}"


def _other(name: str, matrix: sparse.csr_array, model: str) -> str:
    from riskgraph.contagion.tiled_rounds import sources_in_tiles

    n, weights = matrix.shape[0], _weights(matrix.shape[0])
    nobody = np.zeros(n, dtype=bool)
    matrix = sparse.csr_array(matrix.minimum(1.0)) if model == "original" else matrix
    passing = Transmission(model, ALPHA, np.zeros(n), np.ones(n, dtype=bool))
    args = (matrix, passing, nobody, np.arange(n), np.ones(n), weights, nobody, Rules())
    taken = best(lambda: sources_in_tiles(*args))
    return _line(name, matrix, model, sources_in_tiles(*args).end[:, 0], taken)


def _line(name: str, matrix: sparse.csr_array, model: str, found: Floats, taken: float) -> str:
    n, weights = matrix.shape[0], _weights(matrix.shape[0])[:, 0]
    sample = np.linspace(0, n - 1, SAMPLE).astype(np.int64)
    start = time.perf_counter()
    for s in sample:
        _loop(matrix, int(s), model)
    loop = (time.perf_counter() - start) * n / SAMPLE
    apart = _apart(matrix, model, sample, weights, found)
    return (
        f"{name}: loop {loop:.2f} s, ours {taken:.3f} s, {loop / taken:.1f} times as fast; largest difference {apart}"
    )


def _apart(matrix: sparse.csr_array, model: str, sample: Ints, weights: Floats, found: Floats) -> str:
    """Compare with the loop: in the linear model run on until it stands still, since ours leaves less than 1e-12."""
    tol = 0.0 if model == "linear" else 1e-12
    scores = []
    for s in sample:
        end = _loop(matrix, int(s), model, tol=tol)
        end[s] = 0.0
        scores.append(float(weights @ end))
    gap = np.abs(found[sample] - scores)
    return f"{gap.max():.1e} (relative {(gap / np.array(scores)).max(initial=0.0, where=np.array(scores) > 0.0):.1e})"


def _loop(matrix: sparse.csr_array, source: int, model: str, tol: float = 1e-12) -> Floats:
    """One source by the formula of METHODS 3, one SciPy product a round."""
    h = np.zeros(matrix.shape[0])
    h[source] = 1.0
    if model == "original":
        return _once(matrix, h)
    passed = _passed(model, h)
    sent = passed
    while True:
        new = np.minimum(1.0, h + matrix @ sent)
        now = _passed(model, new)
        moved = max(float((new - h).max()), float((now - passed).max()))
        sent, h, passed = now - passed, new, now
        if moved <= tol:
            return h


def _passed(model: str, h: Floats) -> Floats:
    if model == "nonlinear":
        return np.asarray(h * np.exp(ALPHA * (h - 1.0)))
    return (h >= DEFAULTED).astype(np.float64) if model == "threshold" else h


def _once(matrix: sparse.csr_array, h: Floats) -> Floats:
    fresh = np.ones(len(h), dtype=bool)
    while True:
        now = fresh & (h > 0.0)
        if not now.any():
            return h
        fresh &= ~now
        h = np.minimum(1.0, h + matrix @ np.where(now, h, 0.0))


def _weights(n: int) -> Floats:
    """Shares of value, and the same in USD."""
    share = np.random.default_rng(SEED + 1).lognormal(0.0, 1.0, n)
    return np.stack([share / share.sum(), share * 1e9], axis=1)


def _warm_up() -> None:
    small = random_leverage(40)
    for factor in (1.0, 3.0):
        _linear("", sparse.csr_array(small * factor))
    for model in ("nonlinear", "threshold", "original"):
        _other("", small, model)
