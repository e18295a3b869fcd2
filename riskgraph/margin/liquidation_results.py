"""What liquidation calls give: the quote of one call, and what calls carried out leave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from riskgraph.margin.dutch_auction import AUCTION_COLUMNS, Auction
from riskgraph.provenance import Provenance
from riskgraph.showing import Showing
from riskgraph.wording import counted

if TYPE_CHECKING:
    import pandas as pd

    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["QUOTED", "Liquidated", "Quote"]


@dataclass(frozen=True, eq=False)
class Quote(Showing):
    """What one liquidation call does, to the contract's own rounding.

    ``refused`` is empty, or the contract's reason: then nothing moves. ``repaid``, ``bad_debt`` are units of
    ``debt_asset``; ``seized``, ``fee`` units of ``collateral_asset`` (NaN where several are seized: see ``movements``);
    ``bonus_usd`` is what is seized beyond what is repaid, the protocol's fee included. ``more`` holds what else the
    rule tells, by name.
    """

    account: str
    protocol: str
    bucket: str
    rule: str
    debt_asset: str
    collateral_asset: str
    liquidatable: bool
    refused: str
    health_before: float
    health_after: float
    repaid: float
    repaid_usd: float
    seized: float
    seized_usd: float
    bonus_usd: float
    fee: float
    fee_usd: float
    bad_debt: float
    bad_debt_usd: float
    written_off: bool
    more: Mapping[str, Any]
    movements: pd.DataFrame
    provenance: Provenance

    @property
    def bonus(self) -> float:
        """What is seized beyond what is repaid, in units of the collateral; NaN where that has no single price."""
        return self.bonus_usd * self.seized / self.seized_usd if self.seized_usd > 0.0 else 0.0 * self.seized

    def to_frame(self) -> pd.DataFrame:
        """Give one row with every field."""
        import pandas as pd

        fields = {name: getattr(self, name) for name in QUOTED}
        return pd.DataFrame([{**fields, "bonus": self.bonus, **self.more}])

    def summary(self) -> str:
        """Say in a line what the call does, or why it is refused."""
        who = f"{self.account} at {self.protocol} ({self.rule}), health {self.health_before:.6g}"
        if self.refused:
            return f"{who}: refused, {self.refused}"
        return (
            f"{who}: repays {self.repaid:,.6g} {self.debt_asset} (${self.repaid_usd:,.0f}), seizes {self.seized:,.6g} "
            f"{self.collateral_asset} (${self.seized_usd:,.0f}), bonus ${self.bonus_usd:,.0f}, of it fee "
            f"${self.fee_usd:,.0f}; health then {self.health_after:.6g}, bad debt ${self.bad_debt_usd:,.0f}"
        )

    def shown_tables(self) -> list[pd.DataFrame]:
        """Give what it is made of, one under another."""
        return [self.to_frame().T.rename(columns={0: "quote"})]

    def __repr__(self) -> str:
        return f"<Quote: {self.summary()}>"


QUOTED = tuple(name for name in Quote.__annotations__ if name not in ("more", "movements", "provenance"))


@dataclass(frozen=True, eq=False)
class Liquidated(Showing):
    """Calls carried out one after another, and what they leave.

    ``steps`` holds a row a call in order, ``movements`` every change of a holding, ``auctions`` a row an auction that
    the calls have started (Maker), ``started`` the same in exact numbers, ``after`` the snapshot with every account,
    pool and reserve as the calls left it.
    """

    before: Snapshot
    after: Snapshot
    steps: pd.DataFrame
    movements: pd.DataFrame
    provenance: Provenance
    started: tuple[Auction, ...] = ()

    @property
    def auctions(self) -> pd.DataFrame:
        """Auctions that the calls have started, open or closed, a row each; amounts as :class:`Auction` says them."""
        import pandas as pd

        return pd.DataFrame([one.row() for one in self.started], columns=AUCTION_COLUMNS)

    def to_frame(self) -> pd.DataFrame:
        """Give the steps."""
        return self.steps

    def summary(self) -> str:
        """Say in a line how many calls did what."""
        done = self.steps[self.steps["refused"] == ""]
        return (
            f"{counted(len(self.steps), 'call')}, {len(self.steps) - len(done)} refused: "
            f"${done['repaid_usd'].sum():,.0f} repaid, ${done['seized_usd'].sum():,.0f} seized, "
            f"${done['bad_debt_usd'].sum():,.0f} of bad debt"
        )

    def __repr__(self) -> str:
        return f"<Liquidated: {self.summary()}>"
