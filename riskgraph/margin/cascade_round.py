"""How a cascade is played, and what one round of it did, as bare arrays."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Floats
from riskgraph.margin.bundles import Bundles

if TYPE_CHECKING:
    from riskgraph.margin.call_desk import CallRound
    from riskgraph.margin.cascade_triggers import Tipped

__all__ = ["Round", "Terms"]


@dataclass(frozen=True, eq=False)
class Terms:
    """How a cascade is played; see :func:`riskgraph.liquidation_cascade`."""

    profitable: bool
    closeout: bool
    dust_usd: float
    tol: float
    round_seconds: float
    max_rounds: int


@dataclass(eq=False)
class Round:
    """What a round did, as bare arrays; frames are made of it when asked for."""

    number: int
    price: Floats  # market prices at its start
    shown: Floats  # what every pair's protocol shows
    after: Floats = field(default_factory=lambda: np.zeros(0))  # market prices after its sales
    calls: CallRound | None = None  # those to which something happened
    unmet_usd: float = 0.0  # what all open calls still lack, as repayments
    expired: bool = False  # whether the grace of an open call ended
    made: Bundles = field(default_factory=lambda: Bundles.joined([]))
    taken: Floats = field(default_factory=lambda: np.zeros(0))
    proceeds: Floats = field(default_factory=lambda: np.zeros(0))  # USD that each bundle's collateral brought
    offered: int = 0  # collaterals of accounts before clearing; ``made`` keeps what was taken
    acted: bool = False  # whether a rule that does not call pair by pair did something
    refused: Counter[str] = field(default_factory=Counter)
    gap: float = 0.0
    sold_usd: float = 0.0  # what the market took, at snapshot prices
    tipped: Tipped | None = None

    @property
    def active(self) -> bool:
        """Whether somebody was called anew, paid or was liquidated, or a grace period ended."""
        if self.acted or self.expired or len(self.taken):
            return True
        if self.calls is None:
            return False
        paid = self.calls.paid is not None and len(self.calls.paid.units) > 0
        return paid or bool((self.calls.issued == self.number).any()) or len(self.calls.cured) > 0
