"""Option rows of a snapshot: what they are worth, and how much of their underlying they stand for (METHODS 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Bools, Floats
from riskgraph.snapshot.black76 import option_delta, option_value

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["CALL", "option_notes", "option_rows", "option_usd", "stands_for"]

CALL = 0  # code of calls in positions.option_type


def option_rows(snap: Snapshot) -> Bools:
    """Which position rows are options."""
    rows: Bools = snap.table("positions").code("option_type") >= 0
    return rows


def option_usd(snap: Snapshot, rate: float = 0.0) -> Floats:
    r"""Value every option row to its holder, USD: below 0 when short, 0 for rows that are no options.

    .. math:: \pm\, \text{amount} \cdot \text{Black76}(F, K, T, \sigma, r)

    The forward F is the asset's price as the row's protocol shows it.
    """
    book, options = snap.book, np.flatnonzero(option_rows(snap))
    usd = np.zeros(len(book.usd))
    usd[options] = (_sign(snap) * book.amount)[options] * option_value(*_terms(snap, options), rate)
    return usd


def stands_for(snap: Snapshot) -> tuple[Floats, Floats]:
    r"""USD of its asset that each row stands for, held and owed (or short): at least 0, one of them 0.

    .. math:: \pm\, \text{amount} \cdot F \cdot \Delta, \qquad \Delta = 1 \text{ for what is no option}

    To first order the holder loses the first, and gains the second, times the relative fall of the asset: a put held
    stands for a short.
    """
    book, options = snap.book, np.flatnonzero(option_rows(snap))
    signed = np.where(book.rows("debt", "short"), -book.usd, book.usd)
    signed[options] *= option_delta(*_terms(snap, options))
    return np.maximum(signed, 0.0), np.maximum(-signed, 0.0)


def option_notes(snap: Snapshot) -> list[str]:
    """Say how option rows count in equity and exposure; nothing where there are none."""
    count = int(option_rows(snap).sum())
    if not count:
        return []
    return [
        f"positions.option_type: {count:,} option rows count with their Black-76 value in equity (rate 0, forward = "
        "the asset's price) and with delta × amount × price in exposures; what a large fall adds to that (gamma, "
        "volatility) is not in them"
    ]


def _sign(snap: Snapshot) -> Floats:
    sign: Floats = snap.book.rows("long").astype(np.float64) - snap.book.rows("short").astype(np.float64)
    return sign


def _terms(snap: Snapshot, rows: np.ndarray) -> tuple[Floats, Floats, Floats, Floats, Bools]:
    """Price, strike, expiry, volatility and whether it is a call, of some option rows."""
    positions = snap.table("positions")
    strike, expiry, volatility = (positions.number(name)[rows] for name in ("strike", "expiry", "implied_vol"))
    return snap.book.price[rows], strike, expiry, volatility, positions.code("option_type")[rows] == CALL
