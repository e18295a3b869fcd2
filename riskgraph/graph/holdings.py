"""What each account holds and owes, net by family, and what it has claims on (METHODS 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from riskgraph.arrays import Bools, Floats, Ints, summed
from riskgraph.errors import InputError
from riskgraph.snapshot.families import Families
from riskgraph.snapshot.frames import protocol_terms
from riskgraph.snapshot.options import option_usd, stands_for
from riskgraph.snapshot.requirements import unrealised_pnl

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["NETTING", "Holdings", "holdings_of", "netted", "treasuries"]

NETTING = ("family", "asset", "none")


@dataclass(frozen=True, eq=False)
class Holdings:
    """Accounts' assets, debts and claims in USD.

    ``long`` and ``short`` are accounts × assets (baskets left out), ``claims`` accounts × protocols; ``equity``,
    ``assets_usd`` and ``debt_usd`` have shape (n_accounts,) and count everything, baskets and remainders included.
    """

    long: sparse.csr_array
    short: sparse.csr_array
    claims: sparse.csr_array
    equity: Floats
    assets_usd: Floats
    debt_usd: Floats


def holdings_of(snap: Snapshot) -> Holdings:
    r"""Sum positions by account; a receipt and the deposit that it stands for count once.

    .. math:: E = \sum \text{collateral} + \text{deposits} + \text{wallet} + \text{option value} + \sum \text{PnL}
              - \sum \text{debt}

    A long or short row stands for its notional, an option for delta times that: a put held is a short.
    """
    book = snap.book
    n_accounts, n_protocols, n_assets = (len(snap.labels(d)) for d in ("account", "protocol", "asset"))
    owned, owed = book.rows("collateral", "deposit", "wallet"), book.rows("debt")
    assets_usd = book.by_account(book.usd, owned, n_accounts) + _by_account(snap, book.collateral_remainder, n_accounts)
    debt_usd = book.by_account(book.usd, owed, n_accounts) + _by_account(snap, book.debt_remainder, n_accounts)
    twice = _counted_twice(snap)
    traded = book.rows("long", "short")
    gained = book.by_account(unrealised_pnl(snap) + option_usd(snap), traded, n_accounts)
    equity = assets_usd + gained - debt_usd - summed(twice.account, twice.usd, n_accounts)
    known = ~snap.families.is_kind("basket")[book.asset]
    long, short = (
        _matrix(book.account, book.asset, usd, known & (usd > 0.0), (n_accounts, n_assets)) for usd in stands_for(snap)
    )
    off = sparse.csr_array((twice.usd, (twice.account, twice.asset)), shape=(n_accounts, n_assets))
    claims = _claims(snap, (n_accounts, n_protocols))
    off_claims = sparse.csr_array((twice.usd, (twice.account, twice.protocol)), shape=(n_accounts, n_protocols))
    return Holdings(_positive(long - off), short, _positive(claims - off_claims), equity, assets_usd, debt_usd)


def netted(held: Holdings, families: Families, netting: str) -> sparse.csr_array:
    """Net holding of each account in each asset, USD (see METHODS 2, netting)."""
    if netting == "none":
        return held.long
    difference = sparse.csr_array(held.long - held.short)
    if netting == "asset":
        return _positive(difference)
    if netting != "family":
        raise InputError(f"netting: expected one of {', '.join(NETTING)}, got {netting!r}")
    n_assets = difference.shape[1]
    base = np.zeros(n_assets, dtype=bool)
    base[families.numeraire] = True
    members = _positive(sparse.csr_array(difference @ sparse.diags_array((~base).astype(np.float64))))
    to_base = sparse.csr_array(
        (np.ones(n_assets), (np.arange(n_assets), families.numeraire[families.family])), shape=(n_assets, n_assets)
    )
    return sparse.csr_array(members + _positive(sparse.csr_array(difference @ to_base)))


def treasuries(snap: Snapshot) -> sparse.csr_array:
    """Which account is which protocol's treasury, protocols × accounts, 1 where it is.

    An account that carries a protocol's label and only holds (wallet and deposit rows) is that protocol's own: its
    holdings are the protocol's to lose, and it is no node of its own.
    """
    import pyarrow.compute as pc

    book, accounts, protocols = snap.book, snap.labels("account"), snap.labels("protocol")
    same = pc.index_in(protocols, value_set=accounts).fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    traded = book.rows("collateral", "debt", "long", "short")
    only_holds = np.bincount(book.account[traded], minlength=len(accounts)) == 0
    owner = np.flatnonzero((same >= 0) & np.append(only_holds, False)[same])
    return sparse.csr_array((np.ones(len(owner)), (owner, same[owner])), shape=(len(protocols), len(accounts)))


@dataclass(frozen=True, eq=False)
class _Twice:
    """Own rows at an issuer that a receipt in the same hands stands for: taken off once."""

    account: Ints
    protocol: Ints
    asset: Ints
    usd: Floats


def _counted_twice(snap: Snapshot) -> _Twice:
    """Smaller of receipt value and own rows of the underlying at its issuer, per account, issuer and underlying."""
    book, families = snap.book, snap.families
    n_assets = len(families.kind)
    shares = sparse.coo_array(families.asset_shares)
    is_receipt = families.is_kind("receipt") & (families.issuer >= 0)
    relation = is_receipt[shares.col]
    token, under, share = shares.col[relation], shares.row[relation], shares.data[relation]
    empty = np.zeros(0, dtype=np.int64)
    if not len(token):
        return _Twice(empty, empty, empty, np.zeros(0))
    pair = families.issuer[token].astype(np.int64) * n_assets + under  # issuer × underlying
    held = np.flatnonzero(book.rows("collateral", "deposit", "wallet") & is_receipt[book.asset])
    spread = sparse.csr_array((share, (token, np.arange(len(token)))), shape=(n_assets, len(token)))[
        book.asset[held], :
    ].tocoo()
    width = len(snap.labels("protocol")) * n_assets
    receipt_key = book.account[held].astype(np.int64)[spread.row] * width + pair[spread.col]
    receipt_usd = book.usd[held][spread.row] * spread.data
    own = np.flatnonzero(
        book.rows("collateral", "deposit") & np.isin(book.protocol.astype(np.int64) * n_assets + book.asset, pair)
    )
    own_key = (
        book.account[own].astype(np.int64) * width + book.protocol[own].astype(np.int64) * n_assets + book.asset[own]
    )
    keys = np.intersect1d(receipt_key, own_key)
    usd = np.minimum(_summed(keys, receipt_key, receipt_usd), _summed(keys, own_key, book.usd[own]))
    return _Twice(keys // width, keys % width // n_assets, keys % n_assets, usd)


def _summed(keys: Ints, key: Ints, usd: Floats) -> Floats:
    at = np.searchsorted(keys, key)
    at[at == len(keys)] = 0
    found = keys[at] == key if len(keys) else np.zeros(len(key), dtype=bool)
    return summed(at[found], usd[found], len(keys))


def _claims(snap: Snapshot, shape: tuple[int, int]) -> sparse.csr_array:
    """Deposits, and collateral where the rule lends it out, with the named remainder of such collateral."""
    book = snap.book
    lends = np.array([*protocol_terms(snap)[2], False])
    claim = book.rows("deposit") | (book.rows("collateral") & lends[book.protocol])
    rows = _matrix(book.account, book.protocol, book.usd, claim & (book.protocol >= 0), shape)
    lent = lends[book.margin_protocol]
    return sparse.csr_array(
        rows + _matrix(book.margin_account, book.margin_protocol, book.collateral_remainder, lent, shape)
    )


def _by_account(snap: Snapshot, of_margin: Floats, n_accounts: int) -> Floats:
    return summed(snap.book.margin_account, of_margin, n_accounts)


def _matrix(rows: Ints, columns: Ints, usd: Floats, where: Bools, shape: tuple[int, int]) -> sparse.csr_array:
    return sparse.csr_array((usd[where], (rows[where], columns[where])), shape=shape)


def _positive(matrix: sparse.csr_array) -> sparse.csr_array:
    matrix = sparse.csr_array(matrix, copy=True)
    matrix.sum_duplicates()
    matrix.data = np.maximum(matrix.data, 0.0)
    matrix.eliminate_zeros()
    return matrix
