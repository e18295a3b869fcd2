"""Health and liquidation prices of a book: each call in matvecs of the accounts × assets matrix of the same book.

The Snapshot and ``snap.book`` are there before anything is timed. A tick is what a monitor does: new prices for some
assets, then the health of every margin account; nothing of it has been computed before, since no two ticks are alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count, pairwise
from time import perf_counter

import pandas as pd

import riskgraph as rg
from benchmarks.book import matvec_of
from benchmarks.timing import Size, best

__all__ = ["run"]

RUNS = 7


def run(size: Size) -> Iterator[str]:
    """Give one line a benchmark: what was measured, its ratio, and on what."""
    accounts = 1_000_000 if size is Size.FULL else 20_000
    snap = rg.datasets.synthetic(accounts=accounts, assets=200, protocols=50, seed=1)
    matvec = matvec_of(snap)
    first = best(lambda: rg.health(snap), runs=1)  # compiles what is not compiled yet
    yield (
        f"health: {len(snap.book.margin_account):,} margin accounts of {accounts:,} accounts; one matvec takes "
        f"{matvec * 1e3:.3f} ms; the first call, compiled code compiled or loaded: {first:.2f} s"
    )
    largest = snap.book.rows("collateral")
    usd = pd.Series(snap.book.usd[largest]).groupby(snap.book.asset[largest]).sum()
    asset = snap.labels("asset")[int(usd.idxmax())].as_py()
    for name, step in (
        ("health of every margin account", lambda: rg.health(snap)),
        ("tick: prices, then health", _tick(snap, asset)),
        (f"liquidation prices of {asset}", lambda: rg.liquidation_prices(snap, asset)),
    ):
        step()
        yield f"{name}: {best(step, runs=RUNS) / matvec:,.2f} matvecs"
    crossed, seconds = _watched(snap, asset)
    yield f"tick of the monitor, {crossed / RUNS:,.0f} crossings each: {seconds / matvec:,.2f} matvecs"


def _watched(snap: rg.Snapshot, asset: str) -> tuple[int, float]:
    """Crossings, and the shortest time from one tick to the monitor's asking for the next."""
    price = float(snap.assets.set_index("asset").loc[asset, "price"])
    asked: list[float] = []

    def ticks() -> Iterator[tuple[int, dict[str, float]]]:
        for number in range(1, RUNS + 1):
            asked.append(perf_counter())
            yield number, {asset: price * (1.0 - 1e-4 * number)}
        asked.append(perf_counter())

    crossed = sum(1 for _ in rg.monitor(snap, ticks()))
    return crossed, min(later - earlier for earlier, later in pairwise(asked))


def _tick(snap: rg.Snapshot, asset: str) -> Callable[[], object]:
    price = float(snap.assets.set_index("asset").loc[asset, "price"])
    ticks = count(1)
    return lambda: rg.health(snap.with_prices({asset: price * (1.0 - 1e-4 * next(ticks))}))
