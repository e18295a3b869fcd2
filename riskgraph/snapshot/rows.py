"""What a book is apart from its prices: rows, margin accounts, and the terms that they stand under."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints, Places, read_only, summed
from riskgraph.snapshot.prices import par_debts
from riskgraph.snapshot.schema import SIDES

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot
    from riskgraph.snapshot.tables import Table

__all__ = ["FEW", "Leg", "Rows", "is_side", "rows_of"]

_SIDE = {name: code for code, name in enumerate(SIDES)}
FEW = 2.0**-64  # units are added up so much smaller, so that no sum of them is beyond a float


def is_side(*sides: str) -> Bools:
    """Which codes of sides are one of these, shape (number of sides,)."""
    wanted = np.zeros(len(SIDES), dtype=bool)
    wanted[[_SIDE[side] for side in sides]] = True
    return wanted


@dataclass(frozen=True, eq=False)
class Leg:
    """Rows of one side alone, in the order of rows, as the kernels read them.

    ``margin``, ``amount`` and ``pair`` are those of the rows; ``weight`` is what a dollar counts for in health: of
    collateral its threshold (NaN where none is given), of debt 1 ÷ borrow factor, empty where every debt counts for 1.
    """

    margin: Places
    amount: Floats
    pair: Places
    weight: Floats

    def part(self, rows: slice) -> Leg:
        """Take some of the rows."""
        weight = self.weight[rows] if len(self.weight) else self.weight
        return Leg(self.margin[rows], self.amount[rows], self.pair[rows], weight)


@dataclass(frozen=True, eq=False)
class Rows:
    """Position rows, margin accounts and used markets (*pairs* of protocol and asset) of a snapshot, without prices.

    Row arrays, shape (n_rows,), sorted by account, protocol, bucket, asset, side: ``account``, ``protocol`` (-1 for
    wallets), ``asset``, ``side`` (codes into ``schema.SIDES``), ``amount``, ``pair``, ``margin`` (margin account of the
    row, -1: wallet), ``threshold`` and ``bonus`` (NaN where none is given).

    Margin account arrays, shape (n_margins,): ``margin_account``, ``margin_protocol``, ``margin_bucket`` (-1: cross),
    ``collateral_remainder`` and ``debt_remainder`` (published totals less rows, USD), ``own_threshold`` (NaN: none).
    ``pledged`` and ``owed`` are the rows of collateral and debt alone.

    Pair arrays, shape (n_pairs,): ``pair_protocol`` (-1: wallets), ``pair_asset``, ``pair_units`` (units that stand
    there, times ``FEW``), ``pair_threshold``, ``pair_ratio`` and ``pair_factor`` (liquidation threshold, liquidation
    ratio and borrow factor of the market, NaN where none is given), ``pair_at_par`` (a debt that its contract counts
    at 1 USD where ``markets`` shows no price); ``market_pair`` is the pair of every row of the table ``markets``, -1
    where no position is in it.

    ``trades`` says of each protocol whether longs or shorts stand there, ``named`` whether any margin account has a
    remainder or a threshold of its own.
    """

    account: Ints
    protocol: Ints
    asset: Ints
    side: Ints
    amount: Floats
    pair: Ints
    margin: Ints
    threshold: Floats
    bonus: Floats
    margin_account: Ints
    margin_protocol: Ints
    margin_bucket: Ints
    collateral_remainder: Floats
    debt_remainder: Floats
    own_threshold: Floats
    pledged: Leg
    owed: Leg
    pair_protocol: Ints
    pair_asset: Ints
    pair_units: Floats
    pair_threshold: Floats
    pair_ratio: Floats
    pair_factor: Floats
    pair_at_par: Bools
    market_pair: Ints
    trades: Bools
    named: bool

    def rows(self, *sides: str) -> Bools:
        """Which rows are of one of the sides."""
        found: Bools = is_side(*sides)[self.side]
        return found

    def by_margin(self, values: Floats, where: Bools) -> Floats:
        """Sum row values over each margin account."""
        return summed(self.margin[where], values[where], len(self.margin_account))

    def by_account(self, values: Floats, where: Bools, n_accounts: int) -> Floats:
        """Sum row values over each account."""
        return summed(self.account[where], values[where], n_accounts)


def rows_of(snap: Snapshot) -> Rows:
    """Lay out the rows of a snapshot with margin accounts and terms."""
    positions, accounts, markets = (snap.table(name) for name in ("positions", "accounts", "markets"))
    n_protocols, n_assets = len(snap.labels("protocol")), len(snap.labels("asset"))
    account, protocol, asset = (positions.code(name) for name in ("account", "protocol", "asset"))
    side, amount = positions.code("side").astype(np.int8), positions.number("amount")
    margin, first = _margins(account, protocol, positions.code("bucket"))
    key, place = _pairs(protocol, asset, n_protocols, n_assets)
    pair = place[(protocol + np.int64(1)) * n_assets + asset]
    market_pair = place[(markets.code("protocol") + np.int64(1)) * n_assets + markets.code("asset")]
    given, ratio, bonus, factor = (
        _of_pairs(markets, column, market_pair, len(key))
        for column in ("liquidation_threshold", "liquidation_ratio", "liquidation_bonus", "borrow_factor")
    )
    match = _matches(accounts, account[first], protocol[first], n_protocols)
    own = _own(accounts, "liquidation_threshold", match, np.nan)
    of_pair = np.where(np.isnan(given), 1.0 / ratio, given)  # of a CDP: 1 ÷ liquidation ratio
    category = _categories(snap, match)
    threshold = _of_rows(snap, "liquidation_threshold", of_pair[pair], margin, asset, category)
    has_own = ~np.isnan(own)
    if has_own.any():
        threshold = np.where((margin >= 0) & has_own[margin], own[margin], threshold)
    once = _first_of_pair(account[first], protocol[first])  # a total is the pair's, not each bucket's
    collateral_remainder, debt_remainder = (
        np.where(once, _own(accounts, column, match, 0.0), 0.0)
        for column in ("collateral_remainder_usd", "debt_remainder_usd")
    )
    arrays = {
        "account": account,
        "protocol": protocol,
        "asset": asset,
        "side": side,
        "amount": amount,
        "pair": pair,
        "margin": margin,
        "threshold": threshold,
        "bonus": _of_rows(snap, "liquidation_bonus", bonus[pair], margin, asset, category),
        "margin_account": account[first],
        "margin_protocol": protocol[first],
        "margin_bucket": positions.code("bucket")[first],
        "collateral_remainder": collateral_remainder,
        "debt_remainder": debt_remainder,
        "own_threshold": own,
        "pair_protocol": (key // n_assets - 1).astype(np.int32),
        "pair_asset": (key % n_assets).astype(np.int32),
        "pair_units": summed(pair, amount * FEW, len(key)),
        "pair_threshold": given,
        "pair_ratio": ratio,
        "pair_factor": factor,
        "pair_at_par": np.isin(key - n_assets, par_debts(snap._built.tables)),  # the first line of keys: wallets
        "market_pair": market_pair,
        "trades": _trades(side, protocol, n_protocols),
    }
    pledged, owed = (np.flatnonzero(side == _SIDE[name]) for name in ("collateral", "debt"))
    weighs = not np.isnan(factor).all()
    counted = 1.0 / np.where(np.isnan(factor), 1.0, factor)[pair[owed]] if weighs else np.zeros(0)
    return Rows(
        **{name: read_only(array) for name, array in arrays.items()},
        pledged=_leg(pledged, margin, amount, pair, threshold[pledged]),
        owed=_leg(owed, margin, amount, pair, counted),
        named=bool(has_own.any() or collateral_remainder.any() or debt_remainder.any()),
    )


def _leg(rows: Ints, margin: Ints, amount: Floats, pair: Ints, weight: Floats) -> Leg:
    places = (read_only(array[rows].astype(np.uint32)) for array in (margin, pair))
    return Leg(next(places), read_only(amount[rows]), next(places), read_only(weight))


def _pairs(protocol: Ints, asset: Ints, n_protocols: int, n_assets: int) -> tuple[Ints, Ints]:
    """Give keys to the pairs of protocol and asset that some row stands in, and to every key its number (-1: none)."""
    used = np.zeros((n_protocols + 1) * n_assets, dtype=bool)  # the first line of keys is that of wallets
    used[(protocol + np.int64(1)) * n_assets + asset] = True
    return np.flatnonzero(used), np.where(used, np.cumsum(used) - 1, -1).astype(np.int32)


def _of_pairs(markets: Table, column: str, market_pair: Ints, n_pairs: int) -> Floats:
    values = np.full(n_pairs, np.nan)
    if column in markets.numbers:
        used = market_pair >= 0
        values[market_pair[used]] = markets.number(column)[used]
    return values


def _trades(side: Ints, protocol: Ints, n_protocols: int) -> Bools:
    traded = np.flatnonzero((side == _SIDE["long"]) | (side == _SIDE["short"]))
    found: Bools = np.bincount(protocol[traded], minlength=n_protocols) > 0
    return found


def _margins(account: Ints, protocol: Ints, bucket: Ints) -> tuple[Ints, Ints]:
    """Margin account of every row (-1: wallet) and the first row of every margin account."""
    change = np.ones(len(account), dtype=bool)
    change[1:] = (account[1:] != account[:-1]) | (protocol[1:] != protocol[:-1]) | (bucket[1:] != bucket[:-1])
    placed = protocol >= 0
    opens = change & placed
    return np.where(placed, np.cumsum(opens, dtype=np.int32) - 1, -1).astype(np.int32), np.flatnonzero(opens)


def _first_of_pair(account: Ints, protocol: Ints) -> Bools:
    first = np.ones(len(account), dtype=bool)
    first[1:] = (account[1:] != account[:-1]) | (protocol[1:] != protocol[:-1])
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


def _of_rows(
    snap: Snapshot, column: str, values: Floats, margin: Ints, asset: Ints, category: tuple[Ints, Ints] | None
) -> Floats:
    """Term of every row: its e-mode category's where the account is in one, else the market's (``values``)."""
    emodes = snap.table("emodes")
    if category is not None and column in emodes.numbers:
        ids, row_category = category
        special = np.full((int(ids.max(initial=-1)) + 2, len(snap.labels("asset"))), np.nan)  # last: no category
        special[ids, emodes.code("asset")] = emodes.number(column)
        placed = margin >= 0
        found = special[row_category[margin[placed]], asset[placed]]
        values[placed] = np.where(np.isnan(found), values[placed], found)
    return values


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
