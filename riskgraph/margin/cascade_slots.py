"""Rows that a cascade may fill and the snapshot lacks: they are put in beforehand, at amount 0."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Floats, Ints, read_only
from riskgraph.snapshot.schema import SIDES

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["with_call_slots", "with_rows"]

_COLLATERAL, _WALLET = SIDES.index("collateral"), SIDES.index("wallet")


def with_call_slots(snap: Snapshot, levels: Floats, accepts: Floats) -> Snapshot:
    """Give every margin account that may be called a row for each token that its owner could post there.

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
    times = count[owner]
    margin = np.repeat(callable_margins, times)
    shift = np.cumsum(times) - times
    asset = rows.asset[source[np.repeat(first[owner] - shift, times) + np.arange(times.sum())]]
    fine = accepts[rows.margin_protocol[margin], asset] > 0.0
    n_assets = accepts.shape[1]
    wanted = np.unique(margin[fine].astype(np.int64) * n_assets + asset[fine])
    held = rows.side == _COLLATERAL
    there = rows.margin[held].astype(np.int64) * n_assets + rows.asset[held]
    fresh = np.setdiff1d(wanted, there, assume_unique=True)
    side = np.full(len(fresh), _COLLATERAL)
    return with_rows(snap, fresh // n_assets, fresh % n_assets, side, "what calls may post")


def with_rows(snap: Snapshot, margin: Ints, asset: Ints, side: Ints, what: str) -> Snapshot:
    """Put in rows at amount 0 (each once; none that is there), in the order of margin account, asset and side."""
    if not len(margin):
        return snap
    rows, table = snap.rows, snap.table("positions")
    codes: dict[str, Any] = {
        "account": rows.margin_account[margin], "protocol": rows.margin_protocol[margin],
        "bucket": rows.margin_bucket[margin], "asset": asset, "side": side,
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
    place = _places(rows, margin, asset, side, n)
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


def _places(rows: Any, margin: Ints, asset: Ints, side: Ints, n: int) -> Ints:
    """Place of every old row and of every new one in the merged order."""
    width = (int(asset.max()) + 1 + int(rows.asset.max())) * len(SIDES)
    placed = np.flatnonzero(rows.margin >= 0)
    key = (rows.margin[placed].astype(np.int64) * width) + rows.asset[placed] * len(SIDES) + rows.side[placed]
    new = margin.astype(np.int64) * width + asset * len(SIDES) + side
    at = np.searchsorted(key, new)  # how many rows of margin accounts come before
    before = np.where(at > 0, placed[np.maximum(at - 1, 0)] + 1, 0)
    own_first = np.append(placed, n)[at]
    where = np.where(margin_of(rows, own_first, n) == margin, own_first, before)
    new_place = where + np.arange(len(new))
    shift = np.bincount(where, minlength=n + 1)[:n].cumsum()
    old_place = np.arange(n) + shift
    return np.concatenate([old_place, new_place])


def margin_of(rows: Any, row: Ints, n: int) -> Ints:
    """Margin account of rows; -1 past the last."""
    found: Ints = np.append(rows.margin, -1)[np.minimum(row, n)]
    return found
