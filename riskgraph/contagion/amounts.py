"""How results and provenances of a network write sums of money and numbers by node."""

from __future__ import annotations

import numpy as np

from riskgraph.arrays import Floats, Labels

__all__ = ["between", "told_usd", "usd"]

SHOWN = 20  # up to so many numbers are told one by one
ROUNDING = 1e-12


def usd(value: float, beside: float = 0.0) -> str:
    """Write a sum: ``$1,235``, ``−$3.05``; six digits below 1,000; ``$0`` for what is rounding ``beside`` a larger one.

    >>> usd(1234.56), usd(-3.05), usd(-1e-9, beside=1e6)
    ('$1,235', '−$3.05', '$0')
    """
    size = abs(value)
    if size <= ROUNDING * abs(beside):
        return "$0"
    digits = f"{size:,.0f}" if size >= 1000.0 else f"{size:.6g}"
    return f"−${digits}" if value < 0.0 else f"${digits}"


def between(values: Floats) -> str:
    """Write one number where all are equal, else the least and the largest."""
    if not len(values):
        return "none"
    low, high = float(values.min()), float(values.max())
    return f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}"


def told_usd(values: Floats, labels: Labels) -> dict[str, float] | str:
    """Give USD by label, or how many and their sum where they are many."""
    if len(values) <= SHOWN:
        return {str(label): float(value) for label, value in zip(labels, values, strict=True)}
    return f"{len(values):,} values, sum ${float(np.sort(values).sum()):.12g}"
