"""What longs and shorts have made and what they need: PnL, haircuts of margin, requirements by tier or by scenario."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints, summed
from riskgraph.errors import Faults, InputError
from riskgraph.snapshot.book import term_grid
from riskgraph.snapshot.contracts import by_asset
from riskgraph.snapshot.options import option_rows
from riskgraph.snapshot.scanning import scan_risk_alone, scanned_rows

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = [
    "haircuts",
    "note_unmargined",
    "pairs_named",
    "requirement_alone",
    "settlement_of",
    "tier_requirement",
    "unrealised_pnl",
]


def unrealised_pnl(snap: Snapshot) -> Floats:
    """± amount · (price − entry_price) of every row, USD; 0 where no entry price is known, and for other sides.

    An option has none: it was paid for, and counts with its value (:func:`riskgraph.snapshot.options.option_usd`).
    """
    book = snap.book
    entry = np.where(option_rows(snap), np.nan, snap.table("positions").number("entry_price"))
    sign = book.rows("long").astype(np.float64) - book.rows("short").astype(np.float64)
    pnl: Floats = np.where(np.isnan(entry), 0.0, sign * book.amount * (book.price - np.nan_to_num(entry)))
    return pnl


def haircuts(snap: Snapshot) -> Floats:
    """Share of the value of every row of collateral that does not count as margin; 0 where none is given."""
    book = snap.book
    grid = np.nan_to_num(term_grid(snap.table("markets"), "haircut", _shape(snap)))
    pledged = book.rows("collateral")
    cut = np.zeros(len(book.usd))
    cut[pledged] = grid[book.protocol[pledged], book.asset[pledged]]
    return cut


def tier_requirement(snap: Snapshot, rows: Ints) -> Floats:
    r"""Maintenance margin of some long or short rows, USD, NaN where neither ``tiers`` nor ``markets`` say one.

    .. math:: \sum_n (\min(N, u_n) - l_n)^+ m_n

    with the notional N and tiers n from l_n to u_n at rate m_n (continuous by construction), else one rate. Options
    have none.
    """
    book, tiers, n_assets = snap.book, snap.table("tiers"), len(snap.labels("asset"))
    pair = book.protocol[rows].astype(np.int64) * n_assets + book.asset[rows]
    notional = book.usd[rows]
    flat = term_grid(snap.table("markets"), "maintenance_margin", _shape(snap)).ravel()[pair]
    required: Floats = np.where(option_rows(snap)[rows], np.nan, flat * notional)
    if not len(tiers):
        return required
    ladder = tiers.code("protocol").astype(np.int64) * n_assets + tiers.code("asset")
    start, rate = tiers.number("notional_from_usd"), tiers.number("maintenance_margin")
    # Complex numbers sort by real part, then imaginary part: one search finds ladder and tier at once.
    tier = np.searchsorted(ladder + 1j * start, pair + 1j * notional, side="right") - 1
    laddered = (
        ladder[tier] == pair
    )  # a first tier from 0 is below every notional; -1 is the last ladder, not the pair's
    laddered &= ~option_rows(snap)[rows]
    tier, notional = tier[laddered], notional[laddered]
    required[laddered] = _below(ladder, start, rate)[tier] + (notional - start[tier]) * rate[tier]
    return required


def requirement_alone(snap: Snapshot) -> Floats:
    """Maintenance margin of every long and short as though it stood alone, USD: NaN where none is told, else 0.

    By tier; under the rule ``portfolio_margin`` by the worst of the scenarios for that row, with nothing against it.
    """
    required = np.zeros(len(snap.book.usd))
    scanned = scanned_rows(snap)
    flat, alone = np.flatnonzero(snap.book.rows("long", "short") & ~scanned), np.flatnonzero(scanned)
    required[flat] = tier_requirement(snap, flat)
    if len(alone):
        risk, lacking = scan_risk_alone(snap, alone)
        required[alone] = np.where(lacking, np.nan, risk)
    return required


def settlement_of(snap: Snapshot, protocol: int) -> int:
    """Asset in which PnL and fees are settled at a venue: the given one, else the collateral that is worth most there.

    Raises
    ------
    InputError
        There is none, or it is worth nothing.
    """
    book, protocols, n_assets = snap.book, snap.table("protocols"), len(snap.labels("asset"))
    pledged = book.rows("collateral") & (book.protocol == protocol)
    usd = summed(book.asset[pledged], book.usd[pledged], n_assets)
    used = np.unique(book.asset[pledged])
    code = int(used[np.argmax(usd[used])]) if len(used) else -1
    for given in protocols.code("settlement_asset")[protocols.code("protocol") == protocol].tolist():
        code = given if given >= 0 else code
    shown = term_grid(snap.table("markets"), "price", _shape(snap))[protocol, code]
    if code < 0 or not (by_asset(snap, "price")[code] if np.isnan(shown) else shown) > 0.0:
        came = f"{snap.labels('asset')[code]}, which is worth nothing" if code >= 0 else "no collateral there"
        raise InputError(
            "protocols.settlement_asset: expected the asset in which PnL is settled (by default the collateral "
            f"worth most there), got {came}, at {snap.labels('protocol')[protocol]}"
        )
    return code


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


def _shape(snap: Snapshot) -> tuple[int, int]:
    return len(snap.labels("protocol")), len(snap.labels("asset"))


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
