"""What is published of what all lenders own, in the snapshot or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Floats

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["published_supply"]


def published_supply(snap: Snapshot) -> Floats:
    """Units that are published as supplied, by pair; NaN where none are, or where a protocol lends several assets.

    ``protocols.total_supply_assets``, else ``supply_usd`` ÷ price.
    """
    rows, table, n_protocols = snap.rows, snap.table("protocols"), len(snap.labels("protocol"))
    owed = np.zeros(len(rows.pair_asset), dtype=np.bool_)
    owed[rows.pair[rows.rows("debt")]] = True
    lent = np.flatnonzero(owed & (rows.pair_protocol >= 0))
    kinds = np.bincount(rows.pair_protocol[lent], minlength=n_protocols)
    alone = lent[kinds[rows.pair_protocol[lent]] == 1]
    given = np.full((2, n_protocols), np.nan)
    for at, name in enumerate(("total_supply_assets", "supply_usd")):
        given[at, table.code("protocol")] = table.number(name)
    units, usd = given[:, rows.pair_protocol[alone]]
    price = snap.book.pair_price[alone]
    by_usd = np.divide(usd, price, out=np.full(len(alone), np.nan), where=price > 0.0)
    found = np.full(len(owed), np.nan)
    found[alone] = np.where(np.isnan(units), by_usd, units)
    return found
