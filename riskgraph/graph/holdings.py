"""What each account holds and owes, net by family, and what it has claims on (METHODS 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from riskgraph.arrays import Bools, Floats, Ints, summed
from riskgraph.errors import InputError
from riskgraph.margin.threads import by_owner
from riskgraph.snapshot.families import Families
from riskgraph.snapshot.frames import protocol_terms
from riskgraph.snapshot.options import option_usd, stands_for
from riskgraph.snapshot.requirements import unrealised_pnl
from riskgraph.snapshot.rows import is_side

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["NETTING", "Holdings", "Twice", "Worth", "holdings_of", "netted", "treasuries", "worth_of"]

NETTING = ("family", "asset", "none")
_PARTS = 8  # stretches of rows that threads share


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


@dataclass(frozen=True, eq=False)
class Twice:
    """Own rows at an issuer that a receipt in the same hands stands for: taken off once."""

    account: Ints
    protocol: Ints
    asset: Ints
    usd: Floats


@dataclass(frozen=True, eq=False)
class Worth:
    """What accounts have and owe in USD, shape (n_accounts,), and the rows that count once only."""

    equity: Floats
    assets_usd: Floats
    debt_usd: Floats
    twice: Twice


def worth_of(snap: Snapshot) -> Worth:
    r"""Sum positions by account; a receipt and the deposit that it stands for count once.

    .. math:: E = \sum \text{collateral} + \text{deposits} + \text{wallet} + \text{option value} + \sum \text{PnL}
              - \sum \text{debt}
    """
    from riskgraph.graph.holdings_kernel import sums_by_account

    book, n_accounts = snap.book, len(snap.labels("account"))
    sign = is_side("collateral", "deposit", "wallet").astype(np.int8) - is_side("debt").astype(np.int8)
    assets_usd, debt_usd = sums_by_account(book.account, book.side, book.usd, sign, n_accounts)
    if book.named:
        assets_usd += _by_account(snap, book.collateral_remainder, n_accounts)
        debt_usd += _by_account(snap, book.debt_remainder, n_accounts)
    twice = _counted_twice(snap)
    equity = assets_usd - debt_usd - summed(twice.account, twice.usd, n_accounts)
    if book.trades.any():
        traded = book.rows("long", "short")
        equity += book.by_account(unrealised_pnl(snap) + option_usd(snap), traded, n_accounts)
    return Worth(equity, assets_usd, debt_usd, twice)


def holdings_of(snap: Snapshot) -> Holdings:
    """Lay out what accounts hold, owe and have claims on as matrices; equity as :func:`worth_of` has it.

    A long or short row stands for its notional, an option for delta times that: a put held is a short.
    """
    book = snap.book
    n_accounts, n_protocols, n_assets = (len(snap.labels(d)) for d in ("account", "protocol", "asset"))
    worth = worth_of(snap)
    twice = worth.twice
    known = ~snap.families.is_kind("basket")[book.asset]
    long, short = (
        _matrix(book.account, book.asset, usd, known & (usd > 0.0), (n_accounts, n_assets)) for usd in stands_for(snap)
    )
    off = sparse.csr_array((twice.usd, (twice.account, twice.asset)), shape=(n_accounts, n_assets))
    claims = _claims(snap, (n_accounts, n_protocols))
    off_claims = sparse.csr_array((twice.usd, (twice.account, twice.protocol)), shape=(n_accounts, n_protocols))
    return Holdings(
        _positive(long - off),
        short,
        _positive(claims - off_claims),
        worth.equity,
        worth.assets_usd,
        worth.debt_usd,
    )


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


def _counted_twice(snap: Snapshot) -> Twice:
    """Smaller of receipt value and own rows of the underlying at its issuer, per account, issuer and underlying."""
    book, families = snap.book, snap.families
    n_assets = len(families.kind)
    shares = sparse.coo_array(families.asset_shares)
    is_receipt = families.is_kind("receipt") & (families.issuer >= 0)
    relation = is_receipt[shares.col] & (shares.data > 0.0)
    token, under, share = shares.col[relation], shares.row[relation], shares.data[relation]
    if not len(token):
        empty = np.zeros(0, dtype=np.int64)
        return Twice(empty, empty, empty, np.zeros(0))
    from riskgraph.graph.holdings_kernel import counted_twice

    key, pool = np.unique(families.issuer[token].astype(np.int64) * n_assets + under, return_inverse=True)
    by_token, by_under = np.argsort(token, kind="stable"), np.argsort(key % n_assets, kind="stable")
    places = np.arange(n_assets + 1)
    claims = (np.searchsorted(token[by_token], places), pool[by_token], share[by_token])
    deposits = (np.searchsorted((key % n_assets)[by_under], places), (key // n_assets)[by_under], by_under)
    held, own = is_side("collateral", "deposit", "wallet"), is_side("collateral", "deposit")
    found: list[tuple[Ints, Ints, Floats]] = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))] * _PARTS

    def step(number: int, part: slice) -> None:
        rows = tuple(of[part] for of in (book.account, book.side, book.asset, book.protocol, book.usd))
        found[number] = counted_twice(rows, held, own, claims, deposits, len(key))

    by_owner(book.account, _PARTS, step)
    account, at, usd = (np.concatenate(column) for column in zip(*found, strict=True))
    return Twice(account, key[at] // n_assets, key[at] % n_assets, usd)


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
