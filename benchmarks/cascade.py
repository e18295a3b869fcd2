"""Cascades over a book: each in matvecs of the accounts × assets matrix of the same book, whole and by round.

The Snapshot and its layout are there before anything is timed; frames are made when asked for, and here nobody asks.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

import riskgraph as rg
from benchmarks.book import matvec_of
from benchmarks.timing import Size
from riskgraph.margin.cascade_round import Round
from riskgraph.margin.cascade_run import CascadeRun

__all__ = ["run"]

FALL = -0.4


def run(size: Size) -> Iterator[str]:
    """Give one line a benchmark: what was measured, its ratio, and on what."""
    accounts = 1_000_000 if size is Size.FULL else 20_000
    snap = rg.datasets.synthetic(accounts=accounts, assets=200, protocols=50, seed=1)
    matvec = matvec_of(snap)
    pledged = snap.book.rows("collateral")
    usd = pd.Series(snap.book.usd[pledged]).groupby(snap.book.asset[pledged]).sum()
    names = [snap.labels("asset")[int(code)].as_py() for code in usd.nlargest(3).index]
    others = [snap.labels("asset")[int(code)].as_py() for code in usd.nlargest(13).index[10:]]
    called = snap.replace(protocols=snap.protocols.assign(call_level=1.1, target_health=1.25))
    called.book.pair_price.sum()
    yield (
        f"cascade: {len(snap.book.margin_account):,} margin accounts, {int(snap.book.rows('wallet').sum()):,} wallets; "
        f"one matvec takes {matvec * 1e3:.3f} ms"
    )
    largest, smaller = f"{', '.join(names)} {FALL:+.0%}", f"{', '.join(others)} {FALL:+.0%}"
    for what, book, assets, options in (
        (f"{largest}, calls off", snap, names, {"calls": False}),
        (f"{largest}, calls off, liquidators always", snap, names, {"calls": False, "liquidators": "always"}),
        (f"{smaller}, calls off", snap, others, {"calls": False}),
        (f"{largest}, calls on", called, names, {}),
        (f"{smaller}, calls on", called, others, {}),
    ):
        rg.liquidation_cascade(book, dict.fromkeys(assets, FALL), **options)  # compiles what is not compiled yet
        seconds, rounds, done = _timed(book, assets, options)
        yield (
            f"{what}: {seconds / matvec:,.0f} matvecs, {len(rounds)} rounds, the median "
            f"{np.median(rounds) / matvec:.1f}; conservation {done.conservation:.0e}"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    yield f"peak memory of this process so far: {peak:.2f} GiB"


def _timed(snap: rg.Snapshot, assets: list[str], options: dict[str, Any]) -> tuple[float, list[float], rg.Cascade]:
    """Seconds of a cascade and of each of its rounds."""
    rounds: list[float] = []
    played = CascadeRun._round

    def watched(run: CascadeRun, number: int) -> Round:
        start = perf_counter()
        done = played(run, number)
        rounds.append(perf_counter() - start)
        return done

    CascadeRun._round = watched  # type: ignore[method-assign]
    try:
        start = perf_counter()
        done = rg.liquidation_cascade(snap, dict.fromkeys(assets, FALL), **options)
        return perf_counter() - start, rounds, done
    finally:
        CascadeRun._round = played  # type: ignore[method-assign]
