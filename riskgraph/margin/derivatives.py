"""Longs and shorts of perpetuals: unrealised PnL, equity and maintenance margin of every margin account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints
from riskgraph.errors import InputError
from riskgraph.snapshot.book import term_grid

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["DerivativeMargins", "derivative_margins", "refuse_options", "unrealised_pnl"]


@dataclass(frozen=True, eq=False)
class DerivativeMargins:
    """Per margin account: number of longs and shorts, equity and maintenance margin (USD); rows without a margin."""

    positions: Ints
    equity: Floats
    maintenance: Floats
    unmargined: Bools


def refuse_options(snap: Snapshot) -> None:
    """Say that option positions have no health or equity yet: their value needs the option model."""
    positions = snap.table("positions")
    options = positions.code("option_type") >= 0
    if options.any():
        rows = int(options.sum())
        raise InputError(
            f"positions.option_type: expected no options (they are not valued yet), got {rows:,} rows of them"
        )


def unrealised_pnl(snap: Snapshot) -> Floats:
    """± amount · (price − entry_price) of every row, USD; 0 where no entry price is known, and for other sides."""
    book = snap.book
    entry = snap.table("positions").number("entry_price")
    sign = book.rows("long").astype(np.float64) - book.rows("short").astype(np.float64)
    pnl: Floats = np.where(np.isnan(entry), 0.0, sign * book.amount * (book.price - np.nan_to_num(entry)))
    return pnl


def derivative_margins(snap: Snapshot, collateral: Floats, debt: Floats) -> DerivativeMargins:
    r"""Equity and maintenance margin of the margin accounts that hold longs or shorts.

    .. math:: \text{equity} = \sum V (1 - \text{haircut}) + \sum \text{PnL} - D, \qquad
              MM = \sum_k \sum_n (\min(N_k, u_n) - l_n)^+ m_n

    with tiers n of position notional N_k from l_n to u_n at rate m_n (continuous by construction).
    """
    refuse_options(snap)
    book = snap.book
    shape = (len(snap.labels("protocol")), len(snap.labels("asset")))
    haircut = np.nan_to_num(term_grid(snap.table("markets"), "haircut", shape))
    pledged, traded = book.rows("collateral"), book.rows("long", "short")
    cut = np.zeros(len(book.usd))
    cut[pledged] = haircut[book.protocol[pledged], book.asset[pledged]] * book.usd[pledged]
    placed = book.margin >= 0
    equity = collateral - book.by_margin(cut, pledged) + book.by_margin(unrealised_pnl(snap), placed) - debt
    required = np.zeros(len(book.usd))
    required[traded] = _required(snap, np.flatnonzero(traded), shape)
    unmargined = np.isnan(required)
    maintenance = book.by_margin(np.nan_to_num(required), traded)
    count = np.bincount(book.margin[traded], minlength=len(collateral))
    return DerivativeMargins(count, equity, maintenance, unmargined)


def _required(snap: Snapshot, rows: Ints, shape: tuple[int, int]) -> Floats:
    """Maintenance margin of each long or short row (NaN where neither tiers nor markets say one)."""
    book = snap.book
    pair = book.protocol[rows].astype(np.int64) * shape[1] + book.asset[rows]
    flat = term_grid(snap.table("markets"), "maintenance_margin", shape).ravel()[pair]
    required = flat * book.usd[rows]
    tiers = snap.table("tiers")
    tier_pair = tiers.code("protocol").astype(np.int64) * shape[1] + tiers.code("asset")
    for which in np.unique(tier_pair):
        mine, ladder = pair == which, tier_pair == which
        start, rate = tiers.number("notional_from_usd")[ladder], tiers.number("maintenance_margin")[ladder]
        width = np.diff(np.append(start, np.inf))
        notional = book.usd[rows[mine], None]
        required[mine] = (np.clip(notional - start, 0.0, width) * rate).sum(axis=1)
    result: Floats = required
    return result
