"""The book: position rows with prices, thresholds and margin accounts as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints, read_only, summed
from riskgraph.snapshot.prices import market_price, par_debts
from riskgraph.snapshot.schema import SIDES

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot
    from riskgraph.snapshot.tables import Table

__all__ = ["Book", "book_of", "term_grid"]

_SIDE = {name: code for code, name in enumerate(SIDES)}


@dataclass(frozen=True, eq=False)
class Book:
    """Position rows and margin accounts of a snapshot.

    Row arrays, shape (n_rows,), sorted by account, protocol, bucket, asset, side: ``account``, ``protocol`` (-1 for
    wallets),
    ``asset``, ``side`` (codes into ``schema.SIDES``), ``amount``, ``price`` (USD a unit, as the row's protocol shows
    it), ``usd``, ``margin`` (margin account of the row, -1: wallet), ``threshold`` and ``bonus`` (NaN where none is
    given).

    Margin account arrays, shape (n_margins,): ``margin_account``, ``margin_protocol``, ``margin_bucket`` (-1: cross),
    ``collateral_remainder`` and ``debt_remainder`` (published totals less rows, USD), ``own_threshold`` (NaN: none).
    """

    account: Ints
    protocol: Ints
    asset: Ints
    side: Ints
    amount: Floats
    price: Floats
    usd: Floats
    margin: Ints
    threshold: Floats
    bonus: Floats
    margin_account: Ints
    margin_protocol: Ints
    margin_bucket: Ints
    collateral_remainder: Floats
    debt_remainder: Floats
    own_threshold: Floats

    def rows(self, *sides: str) -> Bools:
        """Which rows are of one of the sides."""
        return np.isin(self.side, [_SIDE[side] for side in sides])

    def by_margin(self, values: Floats, where: Bools) -> Floats:
        """Sum row values over each margin account."""
        return summed(self.margin[where], values[where], len(self.margin_account))

    def by_account(self, values: Floats, where: Bools, n_accounts: int) -> Floats:
        """Sum row values over each account."""
        return summed(self.account[where], values[where], n_accounts)


def book_of(snap: Snapshot) -> Book:
    """Lay out the rows of a snapshot with prices, thresholds and margin accounts."""
    positions = snap.table("positions")
    n_protocols, n_assets = len(snap.labels("protocol")), len(snap.labels("asset"))
    account, protocol, asset = (positions.code(name) for name in ("account", "protocol", "asset"))
    at_par = par_debts(snap._built.tables)
    price = market_price(positions, snap.table("assets"), snap.table("markets"), n_protocols, at_par)
    margin, first = _margins(account, protocol, positions.code("bucket"))
    accounts = snap.table("accounts")
    match = _matches(accounts, account[first], protocol[first], n_protocols)
    threshold, bonus = _terms(snap, margin, protocol, asset, match, (n_protocols, n_assets))
    own = _own(accounts, "liquidation_threshold", match, np.nan)
    placed = margin >= 0
    threshold[placed] = np.where(np.isnan(own[margin[placed]]), threshold[placed], own[margin[placed]])
    once = _first_of_pair(account[first], protocol[first])  # a total is the pair's, not each bucket's
    amount = positions.number("amount")
    arrays = {
        "account": account,
        "protocol": protocol,
        "asset": asset,
        "side": positions.code("side"),
        "amount": amount,
        "price": price,
        "usd": amount * price,
        "margin": margin,
        "threshold": threshold,
        "bonus": bonus,
        "margin_account": account[first],
        "margin_protocol": protocol[first],
        "margin_bucket": positions.code("bucket")[first],
        "collateral_remainder": np.where(once, _own(accounts, "collateral_remainder_usd", match, 0.0), 0.0),
        "debt_remainder": np.where(once, _own(accounts, "debt_remainder_usd", match, 0.0), 0.0),
        "own_threshold": own,
    }
    return Book(**{name: read_only(array) for name, array in arrays.items()})


def term_grid(table: Table, column: str, shape: tuple[int, int]) -> Floats:
    """Spread a column of ``markets`` over protocols × assets; NaN where nothing is given."""
    grid = np.full(shape, np.nan)
    if column in table.numbers:
        grid[table.code("protocol"), table.code("asset")] = table.number(column)
    return grid


def _margins(account: Ints, protocol: Ints, bucket: Ints) -> tuple[Ints, Ints]:
    """Margin account of every row (-1: wallet) and the first row of every margin account."""
    change = np.ones(len(account), dtype=bool)
    change[1:] = (np.diff(account) != 0) | (np.diff(protocol) != 0) | (np.diff(bucket) != 0)
    placed = protocol >= 0
    first = np.flatnonzero(change & placed)
    margin = np.cumsum(change & placed) - 1
    return np.where(placed, margin, -1).astype(np.int32), first


def _first_of_pair(account: Ints, protocol: Ints) -> Bools:
    first = np.ones(len(account), dtype=bool)
    first[1:] = (np.diff(account) != 0) | (np.diff(protocol) != 0)
    return first


def _matches(accounts: Table, account: Ints, protocol: Ints, n_protocols: int) -> Ints:
    """Row of the table ``accounts`` for each margin account, -1 where there is none."""
    if not len(accounts):
        return np.full(len(account), -1, dtype=np.int64)
    known = accounts.code("account").astype(np.int64) * n_protocols + accounts.code("protocol")
    wanted = account.astype(np.int64) * n_protocols + protocol
    at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return np.where(known[at] == wanted, at, -1)


def _own(accounts: Table, column: str, match: Ints, default: float) -> Floats:
    values = np.full(len(match), default)
    if len(accounts) and column in accounts.numbers:
        found = match >= 0
        values[found] = accounts.number(column, default)[match[found]]
    return values


def _terms(
    snap: Snapshot, margin: Ints, protocol: Ints, asset: Ints, match: Ints, shape: tuple[int, int]
) -> tuple[Floats, Floats]:
    """Threshold and bonus of every row: e-mode category where the account is in one, else the market's."""
    markets, emodes = snap.table("markets"), snap.table("emodes")
    result = []
    category = _categories(snap, match)
    for column in ("liquidation_threshold", "liquidation_bonus"):
        grid = np.vstack([term_grid(markets, column, shape), np.full((1, shape[1]), np.nan)])  # code -1: wallets
        values = grid[protocol, asset]
        if category is not None and column in emodes.numbers:
            ids, row_category = category
            special = np.full((int(ids.max(initial=-1)) + 2, shape[1]), np.nan)  # the last row: no category
            special[ids, emodes.code("asset")] = emodes.number(column)
            placed = margin >= 0
            found = special[row_category[margin[placed]], asset[placed]]
            values[placed] = np.where(np.isnan(found), values[placed], found)
        result.append(values)
    return result[0], result[1]


def _categories(snap: Snapshot, match: Ints) -> tuple[Ints, Ints] | None:
    """Give a number to every (protocol, e-mode category), and it for each row of ``emodes`` and each margin account."""
    emodes, accounts = snap.table("emodes"), snap.table("accounts")
    if not len(emodes) or "emode" not in accounts.codes:
        return None
    pairs = list(zip(emodes.code("protocol").tolist(), emodes.text("category"), strict=True))
    number = {pair: at for at, pair in enumerate(sorted(set(pairs)))}
    names = [*accounts.labels["emode"].to_pylist(), ""]
    used = np.stack([accounts.code("protocol"), accounts.code("emode")], axis=1)
    unique, inverse = np.unique(used, axis=0, return_inverse=True)
    ids = np.array([number.get((int(p), names[e]), -1) for p, e in unique])
    of_account = np.append(ids[inverse.ravel()], -1)  # match -1: no row in accounts
    return np.array([number[pair] for pair in pairs]), of_account[match]
