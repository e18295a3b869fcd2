"""How protocols call for margin, read off a snapshot (METHODS 5.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints
from riskgraph.errors import InputError
from riskgraph.margin.account_health import call_levels
from riskgraph.snapshot.book import term_grid

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["CallTerms", "call_terms"]


@dataclass(frozen=True, eq=False)
class CallTerms:
    """How protocols call, arrays of shape (n_protocols,): level (NaN: no calls), target, grace in rounds.

    An account without a call gives what its target does not need; where neither target nor level is given, only what
    stands against no debt.

    ``first`` says where calls are paid before liquidation although there is no grace; ``accepts`` (n_protocols,
    n_assets) is above 0 where an asset that is posted counts: it has a threshold there, or stands as collateral;
    ``rank`` orders protocols where they are served one after another.
    """

    level: Floats
    target: Floats
    grace: Ints
    first: Bools
    accepts: Floats
    rank: Ints
    in_order: bool


def call_terms(snap: Snapshot, call_sharing: str | Sequence[str], topup: str | None) -> CallTerms:
    """Read the terms of calls.

    Raises
    ------
    InputError
        A target is below its call level or stands without one, ``call_sharing`` names an unknown protocol, or
        ``topup`` is another word.
    """
    table, names = snap.table("protocols"), snap.labels("protocol").to_pylist()
    n = len(names)
    level, target = call_levels(snap), np.full(n, np.nan)
    target[table.code("protocol")] = table.number("target_health")
    wrong = [names[at] for at in range(n) if target[at] < level[at]]
    if wrong:
        raise InputError(
            f"protocols.target_health: expected at least the call_level, got less for {', '.join(wrong[:5])}"
        )
    grace = np.zeros(n)
    grace[table.code("protocol")] = np.nan_to_num(table.number("grace_rounds"))
    first = np.zeros(n, dtype=np.bool_)
    first[table.code("protocol")] = [word == "first" for word in table.text("topup")]
    if topup not in (None, "first", "never"):
        raise InputError(f"topup: expected 'first', 'never' or nothing, got {topup!r}")
    if topup:
        first[:] = topup == "first"
    rank = _ranks(names, call_sharing)
    return CallTerms(
        level, np.where(np.isnan(target), level, target), np.ceil(grace).astype(np.int64), first, _accepted(snap), rank,
        not isinstance(call_sharing, str),
    )  # fmt: skip


def _ranks(names: list[str], call_sharing: str | Sequence[str]) -> Ints:
    if isinstance(call_sharing, str):
        if call_sharing != "pro_rata":
            raise InputError(f"call_sharing: expected 'pro_rata' or a list of protocols, got {call_sharing!r}")
        return np.zeros(len(names), dtype=np.int64)
    if not isinstance(call_sharing, Sequence):
        raise InputError(f"call_sharing: expected 'pro_rata' or a list of protocols, got {call_sharing!r}")
    unknown = [str(name) for name in call_sharing if name not in names]
    if unknown:
        raise InputError(f"call_sharing: expected protocols of the snapshot, got {', '.join(unknown[:5])}")
    told = {name: at for at, name in reversed(list(enumerate(call_sharing)))}
    return np.array([told.get(name, len(told) + at) for at, name in enumerate(names)], dtype=np.int64)


def _accepted(snap: Snapshot) -> Floats:
    """Give what a dollar of an asset that is posted counts for at a protocol; 0 where it is not taken."""
    shape = (len(snap.labels("protocol")), len(snap.labels("asset")))
    markets, emodes = snap.table("markets"), snap.table("emodes")
    threshold = np.nan_to_num(term_grid(markets, "liquidation_threshold", shape))
    ratio = term_grid(markets, "liquidation_ratio", shape)
    threshold = np.where(ratio > 0.0, 1.0 / np.where(ratio > 0.0, ratio, 1.0), threshold)
    if "liquidation_threshold" in emodes.numbers:
        np.maximum.at(
            threshold,
            (emodes.code("protocol"), emodes.code("asset")),
            np.nan_to_num(emodes.number("liquidation_threshold")),
        )
    trades = snap.rows.trades
    if trades.any():  # a venue of longs and shorts takes what it lists or holds
        haircut = term_grid(markets, "haircut", shape)
        margin = np.zeros(shape, dtype=np.bool_)
        margin[markets.code("protocol"), markets.code("asset")] = True
        placed = snap.rows.pair_protocol >= 0
        margin[snap.rows.pair_protocol[placed], snap.rows.pair_asset[placed]] = True
        taken = np.where(np.isnan(haircut), np.where(margin, 1.0, 0.0), 1.0 - np.nan_to_num(haircut))
        threshold[trades] = taken[trades]
    pledged, rows = snap.rows.pledged, snap.rows
    venue, asset = rows.pair_protocol, rows.pair_asset
    untold = (venue >= 0) & ~trades[venue] & ~(threshold[venue, asset] > 0.0)
    if untold.any():  # a threshold of the account's own
        held = np.flatnonzero(untold[pledged.pair])
        pair = pledged.pair[held]
        threshold[venue[pair], asset[pair]] = np.where(np.nan_to_num(pledged.weight[held]) > 0.0, 1.0, 0.0)
    flag = markets.flag("usable_as_collateral")
    barred = flag == 0
    threshold[markets.code("protocol")[barred], markets.code("asset")[barred]] = 0.0
    return threshold
