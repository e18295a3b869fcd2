"""What an account that is wiped out sells, in whose market, and what its lenders lose (METHODS 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from riskgraph.arrays import Bools, Floats, read_only
from riskgraph.margin.account_health import margin_accounts
from riskgraph.margin.impact import depths
from riskgraph.snapshot.families import Families

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["Sales", "sales_of"]


@dataclass(frozen=True, eq=False)
class Sales:
    """Forced sales of a wipe-out.

    ``usd`` (assets × accounts) is what reaches each market that has a depth, ``share`` the same over that depth;
    ``lender_loss`` (protocols × accounts) what is lost of the debt, USD; ``unpriced`` the USD that
    would be sold in each asset without a depth; ``no_bonus`` the collateral rows whose bonus was taken as 0.
    """

    usd: sparse.csr_array
    share: sparse.csr_array
    lender_loss: sparse.csr_array
    unpriced: Floats
    no_bonus: int


def sales_of(snap: Snapshot, netting: str, haircut: float | None) -> Sales:
    r"""Sales per margin account, netted like holdings, and the lenders' loss at the slippage that they cause.

    .. math:: \text{sale}_{kb} = V_{kb} \min(1, D_k (1 + bonus_k) / V_k), \qquad
              \text{loss}_k = (D_k - (1 - c_k) \min(V_k, D_k))^+, \qquad
              c_k = \min(1, \tfrac12 \max_b \text{sale}_{kb} / \text{depth}_b)
    """
    book, families = snap.book, snap.families
    margins = margin_accounts(snap)
    n_margins, n_assets = len(margins.debt), len(families.kind)
    pledged = book.rows("collateral") & ~families.is_kind("basket")[book.asset]
    bonus = _bonus(snap, pledged, n_margins)
    with np.errstate(divide="ignore", invalid="ignore"):
        fraction = np.where(
            margins.collateral > 0.0, np.minimum(1.0, margins.debt * (1.0 + bonus) / margins.collateral), 0.0
        )
        repaid = np.where(margins.debt > 0.0, np.minimum(1.0, margins.collateral / (margins.debt * (1.0 + bonus))), 0.0)
    rows = np.flatnonzero(pledged & (np.append(margins.debt, 0.0)[book.margin] > 0.0))
    sold_usd = book.usd[rows] * np.maximum(fraction, 0.0)[book.margin[rows]]
    market = families.sold_as[book.asset[rows]]
    sold = sparse.csr_array((sold_usd, (book.margin[rows], market)), shape=(n_margins, n_assets))
    owed = np.flatnonzero(book.rows("debt") & ~families.is_kind("basket")[book.asset])
    paid_usd = book.usd[owed] * np.maximum(repaid, 0.0)[book.margin[owed]]
    paid = sparse.csr_array((paid_usd, (book.margin[owed], book.asset[owed])), shape=(n_margins, n_assets))
    net = _net_sales(sold, paid, families, netting)
    depth = depths(snap)
    deep = np.isfinite(depth)
    priced = _without_zeros(net @ sparse.diags_array(deep.astype(np.float64)))
    share = _without_zeros(net @ sparse.diags_array(np.where(deep, 1.0 / depth, 0.0)))
    loss = _lender_loss(margins.debt, margins.collateral, share, haircut)
    n_accounts = len(snap.labels("account"))
    to_account = sparse.csr_array(
        (np.ones(n_margins), (book.margin_account, np.arange(n_margins))), shape=(n_accounts, n_margins)
    )
    to_protocol = sparse.csr_array(
        (loss, (book.margin_protocol, book.margin_account)), shape=(len(snap.labels("protocol")), n_accounts)
    )
    unpriced = np.where(np.isfinite(depth), 0.0, np.asarray(net.sum(axis=0)).ravel())
    blind = int((pledged & np.isnan(book.bonus) & (np.append(margins.debt, 0.0)[book.margin] > 0.0)).sum())
    return Sales(_by_asset(to_account @ priced), _by_asset(to_account @ share), to_protocol, read_only(unpriced), blind)


def _net_sales(sold: sparse.csr_array, paid: sparse.csr_array, families: Families, netting: str) -> sparse.csr_array:
    """Give what reaches each market: gross, net of the same asset's debt repaid, or by family against its numeraire."""
    if netting == "none":
        return sold
    if netting == "asset":
        return _positive(sparse.csr_array(sold - paid))
    n = sold.shape[1]
    base = np.zeros(n, dtype=bool)
    base[families.numeraire] = True
    to_base = sparse.csr_array((np.ones(n), (np.arange(n), families.numeraire[families.family])), shape=(n, n))
    members = sparse.csr_array(sold @ sparse.diags_array((~base).astype(np.float64)))
    return sparse.csr_array(members + _positive(sparse.csr_array((sold - paid) @ to_base)))


def _bonus(snap: Snapshot, pledged: Bools, n_margins: int) -> Floats:
    """Value-weighted bonus of each margin account's collateral, 0 where none is given."""
    book = snap.book
    value = book.by_margin(book.usd, pledged)
    weighted = book.by_margin(book.usd * np.nan_to_num(book.bonus), pledged)
    return np.divide(weighted, value, out=np.zeros(n_margins), where=value > 0.0)


def _lender_loss(debt: Floats, collateral: Floats, share: sparse.csr_array, haircut: float | None) -> Floats:
    if haircut is not None:
        lost = np.full(len(debt), haircut)
    else:
        lost = np.minimum(1.0, 0.5 * np.asarray(share.max(axis=1).todense()).ravel())
    return np.maximum(debt - (1.0 - lost) * np.clip(collateral, 0.0, np.maximum(debt, 0.0)), 0.0)


def _by_asset(by_account: Any) -> sparse.csr_array:
    return sparse.csr_array(by_account.T)


def _without_zeros(matrix: Any) -> sparse.csr_array:
    cleaned: sparse.csr_array = sparse.csr_array(matrix)
    cleaned.eliminate_zeros()
    return cleaned


def _positive(matrix: sparse.csr_array) -> sparse.csr_array:
    matrix.data = np.maximum(matrix.data, 0.0)
    matrix.eliminate_zeros()
    return matrix
