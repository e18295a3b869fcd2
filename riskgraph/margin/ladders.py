"""Maintenance margin by tiers of notional, on exact numbers or floats."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Floats
from riskgraph.margin.rounding import Amounts
from riskgraph.snapshot.book import term_grid

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["deductions_of", "margin_of", "tier_grid"]


def tier_grid(snap: Snapshot, protocol: int) -> tuple[Floats, Floats]:
    """Rate and lower bound (USD) of every tier of every asset at a protocol, shape (n_assets, n_tiers).

    An asset without tiers has one, at the rate of ``markets.maintenance_margin``; NaN beyond an asset's last tier, and
    where neither table says a rate.
    """
    tiers = snap.table("tiers")
    mine = tiers.code("protocol") == protocol
    asset = tiers.code("asset")[mine]  # ascending, and bounds within an asset too: the table's order of rows
    step = np.arange(len(asset)) - np.searchsorted(asset, asset)
    rate = np.full((len(snap.labels("asset")), int(step.max(initial=0)) + 1), np.nan)
    start = np.full(rate.shape, np.nan)
    rate[asset, step] = tiers.number("maintenance_margin")[mine]
    start[asset, step] = tiers.number("notional_from_usd")[mine]
    shape = (len(snap.labels("protocol")), len(rate))
    flat = np.isnan(rate[:, 0])
    rate[flat, 0] = term_grid(snap.table("markets"), "maintenance_margin", shape)[protocol, flat]
    start[flat, 0] = 0.0
    return rate, start


def deductions_of(rate: Amounts, start: Amounts) -> tuple[Amounts, Amounts]:
    r"""Rates and deductions (USD) that make margins continuous from tier to tier, both 0 where there is no tier (NaN).

    .. math:: d_n = d_{n-1} + l_n (m_n - m_{n-1}), \qquad d_0 = 0

    References
    ----------
    .. [1] Hyperliquid documentation, "Margin tiers"; Binance, "maintenance amount".

    Examples
    --------
    1 % to 10,000 USD and 5 % above: 10,000 · 4 % = 400.

    >>> deductions_of(np.array([[0.01, 0.05]]), np.array([[0.0, 10_000.0]]))[1].tolist()
    [[0.0, 400.0]]
    """
    real = np.asarray((rate == rate) & (start == start), dtype=np.bool_)  # NaN is not itself
    rates, starts = np.where(real, rate, 0), np.where(real, start, 0)
    steps = starts * np.diff(rates, axis=1, prepend=rates[:, :1])
    return rates, np.where(real, np.cumsum(steps, axis=1), 0)


def margin_of(notional: Amounts, rates: Amounts, deductions: Amounts) -> Amounts:
    r"""Maintenance margin of positions, USD; ``notional`` (n,), rates and deductions (n, n_tiers).

    .. math:: MM = \max_n (N m_n - d_n)

    Rates rise from tier to tier, so that the tier which N is in is the one that asks most.

    >>> margin_of(np.array([20_000.0]), np.array([[0.01, 0.05]]), np.array([[0.0, 400.0]])).tolist()
    [600.0]
    """
    asked: Amounts = np.max(notional[:, None] * rates - deductions, axis=1)
    return asked
