"""Rows that a cascade may fill and the snapshot lacks: they are put in beforehand, at amount 0."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Floats, Ints, read_only, rising, stretches
from riskgraph.snapshot.schema import SIDES

if TYPE_CHECKING:
    from riskgraph.snapshot.rows import Rows
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["with_call_slots", "with_rows"]

_COLLATERAL, _WALLET = SIDES.index("collateral"), SIDES.index("wallet")


def with_call_slots(snap: Snapshot, levels: Floats, accepts: Floats) -> Snapshot:
    """Give every margin account that may be called a row for each token that its owner could post there.

    So does the account of a venue of positions itself, which may take over what was posted.

    Parameters
    ----------
    levels : ndarray, shape (n_protocols,)
        Call levels, NaN where no calls are made.
    accepts : ndarray, shape (n_protocols, n_assets)
        Whether a protocol takes an asset as collateral (above 0).
    """
    rows = snap.rows
    calls = ~np.isnan(levels)
    callable_margins = np.flatnonzero(calls[rows.margin_protocol])
    if not len(callable_margins):
        return snap
    n_accounts = len(snap.labels("account"))
    owners = np.zeros(n_accounts, dtype=np.bool_)
    owners[rows.margin_account[callable_margins]] = True
    source = np.flatnonzero(((rows.side == _WALLET) | (rows.side == _COLLATERAL)) & owners[rows.account])
    count = np.bincount(rows.account[source], minlength=n_accounts)
    first = np.cumsum(count) - count
    owner = rows.margin_account[callable_margins]
    at, which = stretches(first[owner], count[owner])
    margin, asset = callable_margins[which], rows.asset[source[at]]
    fine = accepts[rows.margin_protocol[margin], asset] > 0.0
    fine &= rows.margin[source[at]] != margin  # what stands there has its row
    margin, asset = margin[fine], asset[fine]
    taken = _own_accounts(snap)[rows.margin_protocol[margin]]
    posted = [(margin, asset), (taken[taken >= 0], asset[taken >= 0])]
    return with_rows(snap, [(*part, _COLLATERAL) for part in posted], "what calls may post")


def _own_accounts(snap: Snapshot) -> Ints:
    """Margin account in which every venue of positions holds what it takes over, -1 where there is none."""
    import pyarrow.compute as pc

    rows, own = snap.rows, np.full(len(snap.labels("protocol")), -1)
    known = pc.index_in(snap.labels("protocol"), value_set=snap.labels("account"))
    code = np.where(rows.trades, known.fill_null(-2).to_numpy(zero_copy_only=False), -2)
    mine = np.flatnonzero((rows.margin_account == code[rows.margin_protocol]) & (rows.margin_bucket < 0))
    own[rows.margin_protocol[mine]] = mine
    return own


def with_rows(snap: Snapshot, wanted: list[tuple[Ints, Ints, int]], what: str) -> Snapshot:
    """Put in rows at amount 0 of margin accounts in assets (-1: none) on a side, those that are not there yet."""
    width = len(snap.labels("asset")) * len(SIDES)
    keys = [(margin.astype(np.int64) * width + asset * len(SIDES) + side)[asset >= 0] for margin, asset, side in wanted]
    fresh = rising(np.concatenate(keys))
    if not len(fresh):
        return snap
    placed = np.flatnonzero(snap.rows.margin >= 0)
    there = snap.rows.margin[placed].astype(np.int64) * width + _within(snap.rows, placed)  # ascending
    at = np.searchsorted(there, fresh)
    new = np.append(there, -1)[at] != fresh
    margin, key = fresh[new] // width, fresh[new] % width
    return _with_keys(snap, margin, key, _places(snap.rows, placed, at[new], margin), what)


def _within(rows: Rows, at: Ints) -> Ints:
    """Order of rows within their margin account: by asset, then side."""
    return np.asarray(rows.asset[at].astype(np.int64) * len(SIDES) + rows.side[at])


def _with_keys(snap: Snapshot, margin: Ints, key: Ints, place: Ints, what: str) -> Snapshot:
    """Put in rows, each old and new one at its place."""
    if not len(margin):
        return snap
    rows, table = snap.rows, snap.table("positions")
    codes: dict[str, Any] = {
        "account": rows.margin_account[margin], "protocol": rows.margin_protocol[margin],
        "bucket": rows.margin_bucket[margin], "asset": key // len(SIDES), "side": key % len(SIDES),
    }  # fmt: skip
    n, fresh = len(table), len(margin)
    joined = {
        name: np.concatenate([old, codes[name] if name in codes else np.full(fresh, -1)]).astype(old.dtype)
        for name, old in table.codes.items()
    }
    numbers = {
        name: np.concatenate([old, np.full(fresh, 0.0 if name == "amount" else np.nan)])
        for name, old in table.numbers.items()
    }
    flags = {name: np.concatenate([old, np.full(fresh, -1, dtype=old.dtype)]) for name, old in table.flags.items()}
    order = np.empty(n + fresh, dtype=np.int64)
    order[place] = np.arange(n + fresh)
    merged = replace(
        table,
        length=n + fresh,
        codes={name: read_only(values[order]) for name, values in joined.items()},
        numbers={name: read_only(values[order]) for name, values in numbers.items()},
        flags={name: read_only(values[order]) for name, values in flags.items()},
    )
    return snap._with_tables({"positions": merged}, f"{fresh:,} empty rows for {what}")


def _places(rows: Rows, placed: Ints, at: Ints, margin: Ints) -> Ints:
    """Place of every old row and of every new one, before which ``at`` of the rows of margin accounts come."""
    n = len(rows.margin)
    after = np.append(placed, n)[at]
    where = np.where(
        np.append(rows.margin, -1)[after] == margin,
        after,
        placed[np.maximum(at - 1, 0)] + 1,  # the last of its account: every margin account has a row
    )
    shift = np.bincount(where, minlength=n + 1)[:n].cumsum()
    return np.concatenate([np.arange(n) + shift, where + np.arange(len(margin))])
