"""What protocols whose rule does not call pair by pair did in a cascade, as bare arrays."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ACTIONS", "LIQUIDATES", "Steps"]

# Words for what is done; the first ones to the account that is called, the others to whom that befalls, or later.
LIQUIDATES = ("absorbed", "auctioned", "closed", "taken over", "offset", "redistributed")
ACTIONS = (*LIQUIDATES, "auto-deleveraged", "sold", "returned")


@dataclass(frozen=True, eq=False)
class Steps:
    """Things done, arrays of shape (n,).

    ``number`` is the round, ``margin`` whose margin account (-1: nobody's any more), ``action`` a place in ``ACTIONS``;
    ``seized`` units of ``collateral`` (or of a position) against ``repaid`` units of ``debt`` (-1: none), and both in
    USD at oracle prices; ``proceeds_usd`` is what a sale brought.
    """

    number: Ints
    margin: Ints
    action: Ints
    collateral: Ints
    debt: Ints
    seized: Floats
    seized_usd: Floats
    repaid: Floats
    repaid_usd: Floats
    proceeds_usd: Floats

    def __len__(self) -> int:
        return len(self.margin)

    @classmethod
    def of(
        cls, number: int, action: str, margin: Ints, collateral: Ints, debt: Ints, seized: Floats, seized_usd: Floats,
        repaid: Floats, repaid_usd: Floats, proceeds_usd: Floats | None = None,
    ) -> Steps:  # fmt: skip
        """Note what one action did in one round."""
        n = len(margin)
        told = np.zeros(n) if proceeds_usd is None else proceeds_usd
        whole = np.full(n, number), margin, np.full(n, ACTIONS.index(action)), collateral, debt
        return cls(*whole, seized, seized_usd, repaid, repaid_usd, told)

    @classmethod
    def joined(cls, parts: Sequence[Steps]) -> Steps:
        """Put several together, in their order."""
        none, nothing = np.zeros(0, dtype=np.int64), np.zeros(0)
        empty = cls(none, none, none, none, none, nothing, nothing, nothing, nothing, nothing)
        every = [empty, *parts]
        return cls(**{one.name: np.concatenate([getattr(part, one.name) for part in every]) for one in fields(cls)})

    def part(self, which: Bools) -> Steps:
        """Give some of them."""
        return Steps(**{one.name: getattr(self, one.name)[which] for one in fields(self)})

    def liquidating(self) -> Steps:
        """Give those that were done to accounts that were called."""
        return self.part(self.action < len(LIQUIDATES))
