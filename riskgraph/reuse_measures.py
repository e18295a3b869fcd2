"""Kernels of collateral reuse: gross, rehypothecated, looped and unique collateral (METHODS 6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from riskgraph.arrays import Bools, Floats, Ints, read_only
from riskgraph.graph.holdings import holdings_of
from riskgraph.reuse_matching import Matching, Tracing, cells_of, match, sums, trace

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["Measures", "by_end", "measure"]

_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class Measures:
    """G, H, B of solvent accounts, and where the reused dollars stand; USD.

    ``rows`` are the collateral and deposit rows that count (numbers into the book), ``reused_row`` what of each is a
    second use or looped. ``gross``, ``rehypothecated``, ``looped``, ``insolvent`` have shape (n_ends,). ``account_*``
    are accounts × families: c, h, B and d. ``equity`` has shape (n_accounts,).
    """

    tracing: Tracing
    matching: Matching
    rows: Ints
    reused_row: Floats
    gross: Floats
    rehypothecated: Floats
    looped: Floats
    insolvent: Floats
    account_gross: sparse.csr_array
    account_second: sparse.csr_array
    account_looped: sparse.csr_array
    account_debt: sparse.csr_array
    equity: Floats
    basket_usd: float
    untraced_usd: float
    insolvent_usd: float
    posted_usd: float

    @property
    def unique(self) -> Floats:
        """U of every end, USD."""
        return np.maximum(self.gross - self.rehypothecated - self.looped, 0.0)  # below 0 by rounding only


def measure(snap: Snapshot) -> Measures:
    r"""Gross, rehypothecated and looped collateral of a snapshot's solvent accounts.

    .. math:: h_i = \sum_t r_{it} m_t, \quad B_i = \min(c_i - h_i, d_i), \quad G = \sum c, \; H = \sum h, \;
              B = \sum B_i, \; U = G - H - B
    """
    book, families = snap.book, snap.families
    n_accounts, n_protocols, n_assets = (len(snap.labels(d)) for d in ("account", "protocol", "asset"))
    equity = holdings_of(snap).equity
    solvent = equity[book.account] > 0.0
    posted = book.rows("collateral", "deposit")
    basket = families.is_kind("basket")[book.asset]
    use, apart = posted & solvent & ~basket, posted & ~solvent

    def summed(where: Bools, rows: Ints, columns: Ints, shape: tuple[int, int]) -> sparse.csr_array:
        return sparse.csr_array((book.usd[where], (rows[where], columns[where])), shape=shape)

    by_account = summed(use, book.account, book.asset, (n_accounts, n_assets))
    owed = summed(book.rows("debt") & solvent, book.account, book.asset, (n_accounts, n_assets))
    placed = summed(use, book.asset, book.protocol, (n_assets, n_protocols))
    held = solvent & book.rows("collateral", "deposit", "wallet")
    tracing = trace(families)
    held_usd = sums(book.asset[held], book.usd[held], n_assets)
    matching = match(families, tracing, held_usd, placed)
    to_groups = tracing.to_groups
    traced, second = (sparse.csr_array(part @ to_groups) for part in (tracing.shares, matching.second))
    gross, again, debt = (sparse.csr_array(part) for part in (by_account @ traced, by_account @ second, owed @ traced))
    free = sparse.csr_array((gross - again).maximum(0.0))  # below 0 by rounding only: second ≤ traced
    looped = sparse.csr_array(free.minimum(debt))
    rows = np.flatnonzero(use)
    of_asset = sums(book.asset[use], book.usd[use], n_assets)
    of_end, twice = tracing.shares.T @ of_asset, matching.second.T @ of_asset
    missing = 1.0 - np.asarray(tracing.shares.sum(axis=1)).ravel()
    by_family = np.asarray(looped.sum(axis=0), dtype=np.float64).ravel()
    lost = sums(book.asset[apart], book.usd[apart], n_assets)
    return Measures(
        tracing=tracing,
        matching=matching,
        rows=read_only(rows),
        reused_row=read_only(
            _reused(book.usd[rows], book.account[rows], book.asset[rows], (free, looped), (traced, second))
        ),
        gross=of_end,
        rehypothecated=twice,
        looped=_divided(by_family, np.maximum(of_end - twice, 0.0), tracing.group),
        insolvent=tracing.shares.T @ lost,
        account_gross=gross,
        account_second=again,
        account_looped=looped,
        account_debt=debt,
        equity=equity,
        basket_usd=float(book.usd[posted & solvent & basket].sum()),
        untraced_usd=float((of_asset * np.where(missing > _ROUNDING, missing, 0.0)).sum()),
        insolvent_usd=float(book.usd[apart].sum()),
        posted_usd=float(book.usd[posted].sum()),
    )


def _reused(
    usd: Floats,
    account: Ints,
    asset: Ints,
    loops: tuple[sparse.csr_array, sparse.csr_array],
    shares: tuple[sparse.csr_array, sparse.csr_array],
) -> Floats:
    """Reused USD of every row: its second use, and its part of what its account has looped in each family."""
    free, looped = loops
    traced, second = shares
    cells = sparse.coo_array(looped)
    known = cells.data > 0.0
    where = (cells.row[known], cells.col[known])
    part = sparse.csr_array((cells.data[known] / cells_of(free, *where), where), shape=looped.shape)
    rest = sparse.csr_array((traced - second).maximum(0.0))
    by_loop: Floats = np.asarray(part[account, :].multiply(rest[asset, :]).sum(axis=1)).ravel()
    reused: Floats = usd * (np.asarray(second.sum(axis=1)).ravel()[asset] + by_loop)
    return reused


def _divided(of_family: Floats, weight: Floats, group: Ints) -> Floats:
    """Divide a family's USD over its ends in proportion to a weight."""
    total = sums(group, weight, len(of_family))[group]
    return np.divide(of_family[group] * weight, total, out=np.zeros(len(group)), where=total > 0.0)


def by_end(measures: Measures, of_asset: Floats) -> tuple[Floats, Floats]:
    """Rest USD of tokens on what stands behind them, in proportion to value: on every asset, and on every end.

    The ends add up to what came in; an asset on the way has what passes through it.
    """
    tracing = measures.tracing
    whole = np.asarray(tracing.shares.sum(axis=1)).ravel()
    unit = np.divide(of_asset, whole, out=np.zeros(len(whole)), where=whole > 0.0)
    return whole * (tracing.passing.T @ unit), tracing.shares.T @ unit
