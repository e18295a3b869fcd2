"""Frames of a comparison of cross and isolated margin: positions, what they lost, what they need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Bools, Floats
from riskgraph.margin.account_health import check_told, liquidatable, margin_accounts

if TYPE_CHECKING:
    import pandas as pd

    from riskgraph.snapshot.isolation import Isolation
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["held_frame", "requirements_frame", "with_losses"]

OWNER = ["account", "protocol"]
POSITION = ["asset", "side"]
OPTION = ["option_type", "strike", "expiry"]


def held_frame(isolation: Isolation, shocked: Snapshot) -> pd.DataFrame:
    """Give a row for every long and short in a bucket: its share, its health and whether that is healthy.

    ``shocked`` is the isolated book at the shocked price.
    """
    book = shocked.book
    health, healthy = _bucket_health(shocked)
    own = book.rows("long", "short") & (book.margin >= 0) & (shocked.table("positions").code("bucket") >= 0)
    rows, columns = np.flatnonzero(own), [*OWNER, "bucket", *POSITION, *OPTION, "amount"]
    frame = isolation.after.positions.iloc[rows][columns].reset_index(drop=True)
    frame = frame.astype(dict.fromkeys((*OWNER, "bucket", *POSITION, "option_type"), object))
    told = isolation.positions[[*OWNER, "bucket", "share", "equity_usd"]]
    frame = frame.merge(told.astype(dict.fromkeys([*OWNER, "bucket"], object)), how="left", on=[*OWNER, "bucket"])
    return frame.assign(health=health[book.margin[rows]], healthy=healthy[book.margin[rows]])


def _bucket_health(snap: Snapshot) -> tuple[Floats, Bools]:
    """Health of every margin account, and whether its rule leaves it alone."""
    margins = margin_accounts(snap)
    check_told(snap, margins)
    healthy = np.ones(len(margins.health), dtype=bool)
    healthy[margins.low] = ~liquidatable(snap, margins)
    return margins.health, healthy


def with_losses(
    positions: pd.DataFrame, cross: pd.DataFrame, isolated: pd.DataFrame
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Add what was closed of each position and lost by it, from the liquidations of both cascades.

    Under cross margin positions that had no bucket stand together: where a liquidation does not tell several contracts
    on one asset and side apart, they bear it by their share of the margin.
    """
    moved = positions["share"].notna()
    places = {"cross": positions["bucket"].where(~moved, ""), "isolated": positions["bucket"]}
    notes = []
    for way, liquidations in (("cross", cross), ("isolated", isolated)):
        found, shared = _losses(positions.assign(bucket=places[way]), liquidations)
        positions = positions.assign(**{f"closed_{way}": found["closed"], f"lost_{way}_usd": found["lost_usd"]})
        if shared:
            notes.append(f"{way}: {shared:,} contracts not told apart by liquidations bear losses by share of margin")
    return positions, tuple(notes)


def _losses(positions: pd.DataFrame, liquidations: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Units closed and USD lost by position, and how many positions were hit that liquidations do not tell apart."""
    import pandas as pd

    names = [*OWNER, "bucket", *POSITION, *(name for name in OPTION if name in liquidations)]
    if "side" not in liquidations:
        return pd.DataFrame(0.0, index=positions.index, columns=["closed", "lost_usd"]), 0
    closings = liquidations[liquidations["side"].isin(["long", "short"])]
    texts = [name for name in names if name not in ("strike", "expiry")]
    closings = closings.astype(dict.fromkeys(texts, object))
    total = closings.groupby(names, dropna=False, as_index=False)[["closed", "lost_usd"]].sum()
    found = positions[names].merge(total, how="left", on=names)[["closed", "lost_usd"]].fillna(0.0)
    weight = positions["share"].fillna(1.0)
    keys = [positions[name] for name in names]
    alike = weight.groupby(keys, dropna=False).transform("size")
    whole = weight.groupby(keys, dropna=False).transform("sum")
    part = (weight / whole).where(whole > 0.0, 1.0 / alike)
    shared = int(((alike > 1) & (found["lost_usd"] != 0.0)).sum())
    return found.mul(part, axis=0), shared


def requirements_frame(isolation: Isolation) -> pd.DataFrame:
    """Margin requirement of every account with positions in both books, before the shock."""
    import pandas as pd

    sums = []
    for name, snap in (("cross_usd", isolation.cross), ("isolated_usd", isolation.after)):
        derivatives, book = margin_accounts(snap).derivatives, snap.book
        if derivatives is None:
            continue
        held = np.flatnonzero(derivatives.positions > 0)
        labels = {
            "account": snap.labels("account").take(book.margin_account[held]).to_pylist(),
            "protocol": snap.labels("protocol").take(book.margin_protocol[held]).to_pylist(),
        }
        sums.append(pd.DataFrame({**labels, name: derivatives.maintenance[held]}).groupby(OWNER).sum())
    frame = pd.concat(sums, axis=1).fillna(0.0)
    return frame.assign(saved_usd=frame["isolated_usd"] - frame["cross_usd"]).reset_index()
