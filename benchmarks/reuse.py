"""Collateral reuse of a book with many wrapped tokens, in matvecs of its accounts × tokens matrix.

The book: every account holds three collateral or deposit rows and one of debt in the family of the first. Families have
25 tokens: two bases, and wrappers that each stand on about eleven others of the family, older ones but for one share in
a hundred (so that there are loops of backing); every tenth token is an LP token that stands half on another family. A
token is listed at four protocols of fifty. The Snapshot and ``snap.book`` are there before anything is timed. Hotspots
are timed with a ranking that is given: ranking is another benchmark.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

import riskgraph as rg
from benchmarks.book import matvec_of
from benchmarks.timing import Size, best

__all__ = ["run", "wrapped_book"]

PROTOCOLS, LISTED, IN_FAMILY, BASES = 50, 4, 25, 2
LAST = "overlap"  # of the measures; what comes after is made of them
WRAPPERS = ("receipt", "staked", "debt_backed", "synthetic")


def wrapped_book(accounts: int, tokens: int, shares: int, seed: int = 1) -> rg.Snapshot:
    """Make a book of that many accounts, tokens and about that many backing shares."""
    rng = np.random.default_rng(seed)
    names = np.array([f"T{number:05d}" for number in range(tokens)], dtype=object)
    venues = np.array([f"P{number:02d}" for number in range(PROTOCOLS)], dtype=object)
    place = np.arange(tokens) % IN_FAMILY
    kind = np.array(WRAPPERS, dtype=object)[rng.integers(0, len(WRAPPERS), tokens)]
    kind[place % 10 == 9] = "lp"
    kind[place < BASES] = "base"
    return rg.Snapshot(
        positions=_positions(rng, accounts, names, venues),
        assets=pd.DataFrame({"asset": names, "price": 1.0, "kind": kind, "family": names[np.arange(tokens) - place]}),
        backing=_backing(rng, names, venues, kind == "lp", shares),
    )


def _positions(rng: np.random.Generator, accounts: int, names: np.ndarray, venues: np.ndarray) -> pd.DataFrame:
    token = (len(names) * rng.random((4, accounts)) ** 2).astype(np.int64)
    token[3] = token[0] - token[0] % IN_FAMILY + rng.integers(0, IN_FAMILY, accounts) % BASES
    venue = (token * 7 + rng.integers(0, LISTED, token.shape) * 13) % len(venues)
    usd = rng.lognormal(8.0, 2.0, token.shape)
    usd[3] = 0.3 * usd[0]
    frame = pd.DataFrame(
        {
            "account": np.tile(np.arange(accounts), 4),
            "protocol": venues[venue.ravel()],
            "asset": names[token.ravel()],
            "side": np.repeat(np.array(["collateral", "collateral", "deposit", "debt"], dtype=object), accounts),
            "amount": usd.ravel(),
        }
    ).drop_duplicates(["account", "protocol", "asset", "side"])
    return frame.assign(account="a" + frame["account"].astype(str))


def _backing(
    rng: np.random.Generator, names: np.ndarray, venues: np.ndarray, lp: np.ndarray, shares: int
) -> pd.DataFrame:
    n, many = len(names), 6 * shares
    token = rng.integers(0, n, many)
    place = token % IN_FAMILY
    other = rng.permutation(n // IN_FAMILY)[token // IN_FAMILY] * IN_FAMILY  # each LP family has one partner
    start = np.where(lp[token] & (rng.random(many) < 0.5), other, token - place)
    younger = rng.random(many) < 0.01
    behind = start + (np.where(younger, IN_FAMILY, place) * rng.random(many)).astype(np.int64)
    keep = (place >= BASES) & (token != behind) & (~lp[behind] | lp[token])
    pairs = pd.DataFrame({"token": token, "behind": behind})[keep].drop_duplicates().head(shares)
    token, behind = pairs["token"].to_numpy(), pairs["behind"].to_numpy()
    weight = rng.random(len(pairs)) + 0.1
    whole = np.bincount(token, weights=weight, minlength=n)[token]
    issuer = np.append(venues, "")[rng.integers(0, len(venues) + 1, n)]
    return pd.DataFrame(
        {"token": names[token], "backed_by": names[behind], "share": 0.98 * weight / whole, "issuer": issuer[token]}
    )


def run(size: Size) -> Iterator[str]:
    """Give one line a benchmark: what was measured, its ratio, and on what."""
    accounts, tokens, shares = (1_000_000, 5_000, 50_000) if size is Size.FULL else (20_000, 300, 3_000)
    snap = wrapped_book(accounts, tokens, shares)
    matvec = matvec_of(snap)
    loops = rg.collateral_reuse(snap).loops
    yield (
        f"reuse: {accounts:,} accounts, {tokens:,} tokens, {len(snap.backing):,} backing shares, {len(loops):,} loops; "
        f"one matvec takes {matvec * 1e3:.3f} ms"
    )
    none = rg.contagion_centrality(rg.exposure_graph(snap), sources=["asset:T00000"])
    total = 0.0
    for name, step in _steps(snap, none):
        seconds = best(step, runs=3)
        total += seconds
        yield f"reuse, {name}: {seconds / matvec:,.1f} matvecs"
        if name == LAST:
            yield f"reuse, all measures but chains: {total / matvec:,.1f} matvecs"


def _steps(snap: rg.Snapshot, ranking: rg.Ranking) -> Iterator[tuple[str, Callable[[], object]]]:
    """Each measure on its own, on a result of which it has computed nothing."""
    yield "measures (multipliers, totals, insolvent)", lambda: _told(rg.collateral_reuse(snap))
    measured = rg.collateral_reuse(snap, ranking=ranking)
    yield "unmatched", lambda: measured.unmatched
    yield "loops", lambda: measured.loops
    yield "looping", lambda: measured.looping
    yield "overlap", lambda: measured.overlap
    yield "break", lambda: measured.break_("T00000", 0.5)
    yield "hotspots, ranking given", lambda: replace(measured).hotspots


def _told(reuse: rg.CollateralReuse) -> object:
    return reuse.multipliers, dict(reuse.totals), reuse.insolvent
