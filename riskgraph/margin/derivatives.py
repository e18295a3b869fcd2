"""Longs and shorts: equity and maintenance margin of every margin account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints
from riskgraph.snapshot.options import option_usd
from riskgraph.snapshot.requirements import haircuts, tier_requirement, unrealised_pnl
from riskgraph.snapshot.scanning import portfolio_requirement, scanned_rows

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["DerivativeMargins", "derivative_margins"]


@dataclass(frozen=True, eq=False)
class DerivativeMargins:
    """Per margin account: number of longs and shorts, equity and maintenance margin (USD); rows without a margin."""

    positions: Ints
    equity: Floats
    maintenance: Floats
    unmargined: Bools


def derivative_margins(snap: Snapshot, collateral: Floats, debt: Floats) -> DerivativeMargins:
    r"""Equity and maintenance margin of the margin accounts that hold longs or shorts.

    .. math:: \text{equity} = \sum V (1 - \text{haircut}) + \sum \text{PnL} + \text{option value} - D, \qquad
              MM = \sum_k \sum_n (\min(N_k, u_n) - l_n)^+ m_n

    with tiers n of position notional N_k from l_n to u_n at rate m_n (continuous by construction). Where the rule is
    ``portfolio_margin``, MM is the SPAN requirement before net option value is taken off, which equity holds already
    (:func:`riskgraph.snapshot.scanning.portfolio_requirement`). No other rule margins options: their rows are
    unmargined.
    """
    book = snap.book
    pledged, traded, placed = book.rows("collateral"), book.rows("long", "short"), book.margin >= 0
    gained = unrealised_pnl(snap) + option_usd(snap)
    equity = collateral - book.by_margin(haircuts(snap) * book.usd, pledged) + book.by_margin(gained, placed) - debt
    scanned = scanned_rows(snap)
    flat = np.flatnonzero(traded & ~scanned)
    required = np.zeros(len(book.usd))
    required[flat] = tier_requirement(snap, flat)
    unmargined = np.isnan(required)
    maintenance = book.by_margin(np.nan_to_num(required), traded)
    if scanned.any():
        requirement, unmargined[scanned] = portfolio_requirement(snap, np.flatnonzero(scanned))
        maintenance = maintenance + requirement
    count = np.bincount(book.margin[traded], minlength=len(collateral))
    return DerivativeMargins(count, equity, maintenance, unmargined)
