"""Kernels of collateral reuse: gross, rehypothecated, looped and unique collateral (METHODS 6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from riskgraph.arrays import Floats, Ints, read_only, summed
from riskgraph.graph.holdings import Worth, worth_of
from riskgraph.margin.threads import by_owner
from riskgraph.reuse_matching import Matching, Tracing, match, sums, trace
from riskgraph.snapshot.rows import is_side

if TYPE_CHECKING:
    from riskgraph.snapshot.book import Book
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["Cells", "Measures", "by_asset", "by_end", "measure", "placed_by"]

_ROUNDING = 1e-12
_PARTS = 8  # stretches of rows that threads share


@dataclass(frozen=True, eq=False)
class Cells:
    """Accounts in the families that they hold, sorted by both: c, h and d in USD, shape (n_cells,)."""

    account: Ints
    family: Ints
    gross: Floats
    second: Floats
    debt: Floats

    @property
    def free(self) -> Floats:
        """Collateral that is no second use, c − h; below 0 by rounding only."""
        return np.maximum(self.gross - self.second, 0.0)

    @property
    def looped(self) -> Floats:
        """What borrowed funds of the family can have bought, B."""
        return np.minimum(self.free, self.debt)


@dataclass(frozen=True, eq=False)
class Measures:
    """G, H, B of solvent accounts, and where the reused dollars stand; USD.

    ``use`` says of every row of the book what it is: 1 collateral or a deposit that counts, 2 debt that does, else 0;
    ``of_pair`` is what counts by pair of protocol and asset, ``reused_row`` what of each row is a second use or looped.
    ``gross``, ``rehypothecated``, ``looped``, ``insolvent`` have shape (n_ends,), ``account_posted`` and
    ``account_debt`` (collateral and deposits, and debt, whatever the token) shape (n_accounts,).
    """

    tracing: Tracing
    matching: Matching
    use: Ints
    of_pair: Floats
    reused_row: Floats
    gross: Floats
    rehypothecated: Floats
    looped: Floats
    insolvent: Floats
    cells: Cells
    worth: Worth
    account_posted: Floats
    account_debt: Floats
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
    from riskgraph.reuse_kernel import sort_rows_out

    book, families, n_assets = snap.book, snap.families, len(snap.labels("asset"))
    worth, basket = worth_of(snap), families.is_kind("basket")
    kinds = is_side("collateral", "deposit") + 2 * is_side("debt") + 3 * is_side("wallet")
    rows = (book.account, book.side, book.asset, book.pair, book.usd)
    use, of_pair, wallets, apart, posted, owed, whole, baskets = sort_rows_out(
        rows, kinds, worth.equity > 0.0, basket, len(book.pair_asset)
    )
    tracing = trace(families)
    of_asset = summed(book.pair_asset, of_pair, n_assets)
    matching = match(families, tracing, of_asset + wallets, placed_by(snap, of_pair))
    cells, reused = _by_row(book, use, tracing, matching)
    of_end, twice = tracing.shares.T @ of_asset, matching.second.T @ of_asset
    missing = 1.0 - np.asarray(tracing.shares.sum(axis=1)).ravel()
    by_family = summed(cells.family, cells.looped, int(tracing.group.max(initial=-1)) + 1)
    return Measures(
        tracing=tracing,
        matching=matching,
        use=read_only(use),
        of_pair=read_only(of_pair),
        reused_row=read_only(reused),
        gross=of_end,
        rehypothecated=twice,
        looped=_divided(by_family, np.maximum(of_end - twice, 0.0), tracing.group),
        insolvent=tracing.shares.T @ apart,
        cells=cells,
        worth=worth,
        account_posted=read_only(posted),
        account_debt=read_only(owed),
        basket_usd=baskets,
        untraced_usd=float((of_asset * np.where(missing > _ROUNDING, missing, 0.0)).sum()),
        insolvent_usd=float(apart.sum()),
        posted_usd=whole,
    )


def placed_by(snap: Snapshot, of_pair: Floats) -> sparse.csr_array:
    """Rows that count by asset and protocol, USD."""
    book, shape = snap.book, (len(snap.labels("asset")), len(snap.labels("protocol")))
    known = (of_pair > 0.0) & (book.pair_protocol >= 0)
    return sparse.csr_array((of_pair[known], (book.pair_asset[known], book.pair_protocol[known])), shape=shape)


def _by_row(book: Book, use: Ints, tracing: Tracing, matching: Matching) -> tuple[Cells, Floats]:
    """Cells of accounts, and reused USD of every row: its second use, and its part of what its account has looped."""
    from riskgraph.reuse_kernel import reused_rows

    to_groups = tracing.to_groups
    traced, second = (by_asset(shares @ to_groups) for shares in (tracing.shares, matching.second))
    reused = np.zeros(len(use))
    cells: list[tuple[np.ndarray, ...]] = [()] * _PARTS

    def step(number: int, rows: slice) -> None:
        row_arrays = (book.account[rows], book.asset[rows], book.usd[rows], use[rows])
        cells[number] = reused_rows(*row_arrays, traced, second, to_groups.shape[1], reused[rows])

    by_owner(book.account, _PARTS, step)
    return Cells(*(np.concatenate(column) for column in zip(*cells, strict=True))), reused


def by_asset(matrix: sparse.csr_array) -> tuple[Ints, Ints, Floats]:
    """Rows of a matrix as the kernels read them: start, column and value, columns ascending."""
    rows = sparse.csr_array(matrix)
    rows.sort_indices()
    return rows.indptr.astype(np.int64), rows.indices.astype(np.int64), rows.data


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
