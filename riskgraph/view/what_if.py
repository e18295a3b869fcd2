"""Falls of the assets that matter most, played out beforehand, so that a page can show them offline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import summed
from riskgraph.errors import InputError

if TYPE_CHECKING:
    from riskgraph.margin.cascade_results import Cascade
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["FALLS", "WhatIf", "fallen_assets", "what_if_grid"]

FALLS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
MOST = 3  # assets where none are named


@dataclass(frozen=True, eq=False)
class WhatIf:
    """Cascades by asset and fall.

    Attributes
    ----------
    falls : tuple of float
        Ascending, each at least 0 and below 1.
    cascades : mapping of str to tuple of Cascade or None
        By asset, one a fall; None for a fall of 0.
    digest : str
        Of the snapshot that fell.
    """

    falls: tuple[float, ...]
    cascades: Mapping[str, tuple[Cascade | None, ...]]
    digest: str


def fallen_assets(snap: Snapshot) -> list[str]:
    """Name the assets that most collateral stands on, wrappers counted with what stands behind them; three at most."""
    from riskgraph.snapshot.backing import traced

    book, families = snap.book, snap.families
    posted = book.rows("collateral", "long")
    usd = summed(book.asset[posted], book.usd[posted], len(families.kind))
    rests = np.where(families.is_kind("basket"), 0.0, traced(families.asset_shares, usd))
    order = np.argsort(-rests, kind="stable")[:MOST]
    return [snap.labels("asset")[int(at)].as_py() for at in order if rests[at] > 0.0]


def what_if_grid(snap: Snapshot, assets: Sequence[str] | None = None, falls: Sequence[float] = FALLS) -> WhatIf:
    """Play every fall of every asset to its end.

    Parameters
    ----------
    assets : sequence of str, optional
        By default the three that most collateral stands on.
    falls : sequence of float
        From 0 to below 1, in any order.

    Raises
    ------
    InputError
        An unknown asset, a fall out of range, or none.

    Examples
    --------
    >>> import riskgraph as rg
    >>> grid = what_if_grid(rg.datasets.load("toy"), ["ETH"], (0.0, 0.2, 0.4))
    >>> [cascade and round(cascade.bad_debt_usd) for cascade in grid.cascades["ETH"]]
    [None, 0, 28892]
    """
    from riskgraph.margin.cascading import liquidation_cascade

    wanted = fallen_assets(snap) if assets is None else list(assets)
    unknown = [asset for asset in wanted if asset not in set(snap.labels("asset").to_pylist())]
    if unknown or not wanted:
        raise InputError(f"what_if: expected assets of the snapshot, got {', '.join(map(repr, unknown)) or 'none'}")
    steps = tuple(sorted({float(fall) for fall in falls}))
    wrong = [fall for fall in steps if not 0.0 <= fall < 1.0]
    if wrong or not steps:
        raise InputError(f"what_if: expected falls of at least 0 and below 1, got {wrong or 'none'}")
    cascades = {
        asset: tuple(liquidation_cascade(snap, {asset: -fall}) if fall else None for fall in steps) for asset in wanted
    }
    return WhatIf(steps, MappingProxyType(cascades), snap.digest)
