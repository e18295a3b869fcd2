"""Longs and shorts: unrealised PnL, equity and maintenance margin of every margin account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints
from riskgraph.errors import Faults
from riskgraph.margin.contracts import by_asset
from riskgraph.margin.options import option_rows, option_usd
from riskgraph.margin.scanning import portfolio_requirement, scanned_rows
from riskgraph.snapshot.book import term_grid

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["DerivativeMargins", "derivative_margins", "note_unmargined", "pairs_named", "unrealised_pnl"]


@dataclass(frozen=True, eq=False)
class DerivativeMargins:
    """Per margin account: number of longs and shorts, equity and maintenance margin (USD); rows without a margin."""

    positions: Ints
    equity: Floats
    maintenance: Floats
    unmargined: Bools


def unrealised_pnl(snap: Snapshot) -> Floats:
    """± amount · (price − entry_price) of every row, USD; 0 where no entry price is known, and for other sides.

    An option has none: it was paid for, and counts with its value (:func:`riskgraph.margin.options.option_usd`).
    """
    book = snap.book
    entry = np.where(option_rows(snap), np.nan, snap.table("positions").number("entry_price"))
    sign = book.rows("long").astype(np.float64) - book.rows("short").astype(np.float64)
    pnl: Floats = np.where(np.isnan(entry), 0.0, sign * book.amount * (book.price - np.nan_to_num(entry)))
    return pnl


def derivative_margins(snap: Snapshot, collateral: Floats, debt: Floats) -> DerivativeMargins:
    r"""Equity and maintenance margin of the margin accounts that hold longs or shorts.

    .. math:: \text{equity} = \sum V (1 - \text{haircut}) + \sum \text{PnL} + \text{option value} - D, \qquad
              MM = \sum_k \sum_n (\min(N_k, u_n) - l_n)^+ m_n

    with tiers n of position notional N_k from l_n to u_n at rate m_n (continuous by construction). Where the rule is
    ``portfolio_margin``, MM is the SPAN requirement before net option value is taken off, which equity holds already
    (:func:`riskgraph.margin.scanning.portfolio_requirement`). No other rule margins options: their rows are unmargined.
    """
    book = snap.book
    shape = (len(snap.labels("protocol")), len(snap.labels("asset")))
    haircut = np.nan_to_num(term_grid(snap.table("markets"), "haircut", shape))
    pledged, traded, placed = book.rows("collateral"), book.rows("long", "short"), book.margin >= 0
    cut = np.zeros(len(book.usd))
    cut[pledged] = haircut[book.protocol[pledged], book.asset[pledged]] * book.usd[pledged]
    gained = unrealised_pnl(snap) + option_usd(snap)
    equity = collateral - book.by_margin(cut, pledged) + book.by_margin(gained, placed) - debt
    scanned, options = scanned_rows(snap), option_rows(snap)
    flat = np.flatnonzero(traded & ~scanned)
    required = np.zeros(len(book.usd))
    required[flat] = np.where(options[flat], np.nan, _required(snap, flat, shape))
    unmargined = np.isnan(required)
    maintenance = book.by_margin(np.nan_to_num(required), traded)
    if scanned.any():
        requirement, unmargined[scanned] = portfolio_requirement(snap, np.flatnonzero(scanned))
        maintenance = maintenance + requirement
    count = np.bincount(book.margin[traded], minlength=len(collateral))
    return DerivativeMargins(count, equity, maintenance, unmargined)


def note_unmargined(snap: Snapshot, rows: Bools, faults: Faults) -> None:
    """Note what rows without a maintenance margin lack, by table, column, asset and protocol."""
    if not rows.any():
        return
    scanned, options, asset = scanned_rows(snap), option_rows(snap), snap.book.asset
    price, volatility = (np.isnan(by_asset(snap, name))[asset] for name in ("scan_range", "volatility_scan"))
    everything = "for everything held long or short where the rule is portfolio_margin"
    for where, expected, lacking in (
        (
            "markets.maintenance_margin",
            "expected a value (in markets or tiers) for everything held long or short",
            ~scanned & ~options,
        ),
        ("positions.option_type", "expected options only where the rule is portfolio_margin", ~scanned & options),
        ("assets.scan_range", f"expected a value {everything}", scanned & price),
        ("assets.volatility_scan", "expected a value for options", scanned & options & volatility),
    ):
        if (rows & lacking).any():
            came = pairs_named(snap, rows & lacking)
            faults.add(where, expected, came if where == "positions.option_type" else f"none for {came}")


def pairs_named(snap: Snapshot, rows: Bools) -> str:
    """Name assets and protocols of some rows, the first five pairs."""
    book = snap.book
    pairs = np.unique(np.stack([book.protocol[rows], book.asset[rows]]), axis=1).T
    named = [f"{snap.labels('asset')[int(a)]} at {snap.labels('protocol')[int(p)]}" for p, a in pairs]
    return ", ".join(named[:5]) + (f" and {len(named) - 5} more" if len(named) > 5 else "")


def _required(snap: Snapshot, rows: Ints, shape: tuple[int, int]) -> Floats:
    """Maintenance margin of each long or short row (NaN where neither tiers nor markets say one)."""
    book, tiers = snap.book, snap.table("tiers")
    pair = book.protocol[rows].astype(np.int64) * shape[1] + book.asset[rows]
    notional = book.usd[rows]
    required: Floats = term_grid(snap.table("markets"), "maintenance_margin", shape).ravel()[pair] * notional
    if not len(tiers):
        return required
    ladder = tiers.code("protocol").astype(np.int64) * shape[1] + tiers.code("asset")
    start, rate = tiers.number("notional_from_usd"), tiers.number("maintenance_margin")
    # Complex numbers sort by real part, then imaginary part: one search finds ladder and tier at once.
    tier = np.searchsorted(ladder + 1j * start, pair + 1j * notional, side="right") - 1
    laddered = (
        ladder[tier] == pair
    )  # a first tier from 0 is below every notional; -1 is the last ladder, not the pair's
    tier, notional = tier[laddered], notional[laddered]
    required[laddered] = _below(ladder, start, rate)[tier] + (notional - start[tier]) * rate[tier]
    return required


def _below(ladder: Ints, start: Floats, rate: Floats) -> Floats:
    """Margin of the notional below the start of each tier: ladder by ladder, Σ width · rate of the tiers before it."""
    first = np.flatnonzero(np.append(True, np.diff(ladder) != 0))
    which = np.cumsum(np.append(True, np.diff(ladder) != 0)) - 1
    place = np.arange(len(ladder)) - first[which]
    inner = place[1:] > 0
    steps = np.zeros((len(first), int(place.max()) + 1))
    steps[which[1:][inner], place[1:][inner]] = (np.diff(start) * rate[:-1])[inner]
    below: Floats = steps.cumsum(axis=1)[which, place]
    return below
