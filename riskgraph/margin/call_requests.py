"""Calls as they are asked for, and changes of holdings as they are noted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from riskgraph.arrays import Ints, Labels
from riskgraph.margin.rounding import Amounts

__all__ = ["Movements", "Request"]


@dataclass(frozen=True, eq=False)
class Request:
    """Calls in the order in which they are carried out, arrays of shape (n,).

    ``margin`` (place in the ledger), ``debt_asset`` and ``collateral_asset`` (codes, -1: the largest in USD), ``repay``
    and ``seize`` (units; +inf: as much as may be, NaN: not asked in these terms); ``more`` holds what only some rules
    take. ``liquidator`` is a label, empty for somebody outside the snapshot.
    """

    margin: Ints
    debt_asset: Ints
    collateral_asset: Ints
    repay: Amounts
    seize: Amounts
    liquidator: str = ""
    more: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.margin)

    def part(self, which: Any) -> Request:
        """Give some of the calls."""
        names = ("margin", "debt_asset", "collateral_asset", "repay", "seize")
        chosen = {name: getattr(self, name)[which] for name in names}
        return replace(self, **chosen, more={name: values[which] for name, values in self.more.items()})

    def waves(self, *, together: bool = True) -> Iterator[Request]:
        """Split into parts, in order, in which every account stands once (or that are one call each)."""
        seen: set[int] = set()
        start = 0
        for at, margin in enumerate(self.margin.tolist()):
            if margin in seen or (seen and not together):
                yield self.part(slice(start, at))
                seen, start = set(), at
            seen.add(margin)
        yield self.part(slice(start, None))


@dataclass(frozen=True, eq=False)
class Movements:
    """Changes of holdings, arrays of one length: whose, where, of what, by how much (exact), and why."""

    account: Labels
    protocol: Labels
    bucket: Labels
    side: Labels
    asset: Labels
    amount: Amounts
    why: str
