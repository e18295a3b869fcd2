"""Rows that calls may fill where no pair rule says so, and the snapshot lacks: put in beforehand, at amount 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Bools, Ints
from riskgraph.margin.cascade_book import COLLATERAL, DEBT, DEPOSIT
from riskgraph.margin.cascade_slots import with_rows
from riskgraph.margin.rules.compound_v3 import CompoundV3
from riskgraph.margin.rules.maker import Maker
from riskgraph.margin.rules.position_rule import PositionRule
from riskgraph.margin.rules.shelf import rule_named
from riskgraph.margin.rules.troves import TroveRule
from riskgraph.margin.terms import Terms
from riskgraph.snapshot.requirements import settlement_of
from riskgraph.snapshot.schema import SIDES

if TYPE_CHECKING:
    import pandas as pd

    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["with_claim_slots", "with_position_slots"]

_KEY = ["account", "protocol", "bucket", "asset", "side"]


def with_position_slots(snap: Snapshot) -> Snapshot:
    """Give accounts of longs and shorts margin cash, and the venue's own account all that it may take over.

    Every margin account at such a venue gets collateral and debt in the settlement asset. The account with the venue's
    label, which need not be in the snapshot, gets what others have there, where the rule has a backstop.
    """
    parts = [
        _slots(snap, protocol)
        for protocol, name in enumerate(snap.venues.rule)
        if isinstance(rule_named(name), PositionRule) and snap.rows.trades[protocol]
    ]
    if not parts:
        return snap
    import pandas as pd

    held = snap.table("positions").frame()
    held = held.assign(bucket=held.get("bucket", "")).astype(dict.fromkeys(_KEY, object))
    fresh = pd.concat(parts, ignore_index=True).drop_duplicates(_KEY)
    known = pd.MultiIndex.from_frame(held[_KEY])
    fresh = fresh[~pd.MultiIndex.from_frame(fresh[_KEY]).isin(known)]
    if fresh.empty:
        return snap
    note = f"{len(fresh):,} empty rows for what calls may move where longs and shorts stand"
    return snap.replace(positions=pd.concat([held, fresh], ignore_index=True), note=note)


def _slots(snap: Snapshot, protocol: int) -> pd.DataFrame:
    """Rows that calls at a venue may fill."""
    import pandas as pd

    rows, venue = snap.rows, str(snap.labels("protocol")[protocol])
    cash = str(snap.labels("asset")[settlement_of(snap, protocol)])
    margin = np.flatnonzero(rows.margin_protocol == protocol)
    whose = {
        "account": snap.labels("account").take(rows.margin_account[margin]).to_pylist(),
        "bucket": [*snap.labels("bucket").to_pylist(), ""],
    }
    names = [(account, whose["bucket"][code])
             for account, code in zip(whose["account"], rows.margin_bucket[margin].tolist(), strict=True)]  # fmt: skip
    found = [(*name, cash, side) for name in names for side in ("collateral", "debt")]
    if _has_backstop(snap, protocol):
        here = np.flatnonzero((rows.protocol == protocol) & rows.rows("collateral", "debt", "long", "short"))
        pairs = np.unique(rows.asset[here].astype(np.int64) * len(SIDES) + rows.side[here])
        assets = snap.labels("asset").take(pairs // len(SIDES)).to_pylist()
        taken = zip(assets, (pairs % len(SIDES)).tolist(), strict=True)
        found += [(venue, "", asset, SIDES[side]) for asset, side in taken]
        found += [(venue, "", cash, side) for side in ("collateral", "debt")]
    frame = pd.DataFrame(found, columns=["account", "bucket", "asset", "side"]).assign(protocol=venue, amount=0.0)
    return frame.astype(dict.fromkeys(_KEY, object))


def _has_backstop(snap: Snapshot, protocol: int) -> bool:
    terms = Terms(snap, protocol, snap.venues.rule[protocol])
    return terms.has("protocols", "backstop_share") and terms.number("backstop_share") > 0.0


def with_claim_slots(snap: Snapshot) -> Snapshot:
    """Give accounts rows for what they may be owed, or may owe, once they or others are liquidated.

    At Compound v3 a deposit of what is owed (a surplus), at Maker one of the collateral (what a lot leaves), at Liquity
    one of the collateral (a surplus, gains of the pool) and every trove both collateral and debt (redistribution).
    """
    rows, n_protocols = snap.rows, len(snap.labels("protocol"))
    rules = [rule_named(name) for name in snap.venues.rule]
    if not any(isinstance(rule, (TroveRule, Maker, CompoundV3)) for rule in rules):
        return snap
    troves, vaults, comets = (
        np.array([*(isinstance(rule, kind) for rule in rules), False])[rows.protocol]  # the last: wallets
        for kind in (TroveRule, Maker, CompoundV3)
    )
    pledged, owed, deposit = (rows.side == side for side in (COLLATERAL, DEBT, DEPOSIT))
    good, coin = (_asset_of(snap, troves & which, n_protocols) for which in (pledged, owed))
    parts = [
        (comets & owed, rows.asset, DEPOSIT),
        (vaults & pledged, rows.asset, DEPOSIT),
        (troves & (pledged | owed | deposit), good[rows.protocol], DEPOSIT),
        (troves & owed, good[rows.protocol], COLLATERAL),
        (troves & pledged, coin[rows.protocol], DEBT),
    ]
    found = [(rows.margin[which], asset[which], side) for which, asset, side in parts]
    return with_rows(snap, found, "what liquidations may leave")


def _asset_of(snap: Snapshot, which: Bools, n_protocols: int) -> Ints:
    """First asset in which some rows of each protocol stand, -1 where there is none."""
    found, at = np.full(n_protocols + 1, -1), np.flatnonzero(which)[::-1]
    found[snap.rows.protocol[at]] = snap.rows.asset[at]
    return found
