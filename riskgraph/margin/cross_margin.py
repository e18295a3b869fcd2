"""What cross margin passes on from one position to another: the same book both ways (METHODS 5.9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from riskgraph.errors import InputError
from riskgraph.margin import cross_margin_tables as tables
from riskgraph.margin.cascading import liquidation_cascade
from riskgraph.provenance import Provenance
from riskgraph.showing import Showing
from riskgraph.snapshot.isolation import Isolation, isolation_of
from riskgraph.snapshot.snapshot import check_snapshot

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from riskgraph.margin.cascade_results import Cascade
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["CrossMargin", "cross_margin_contagion"]


@dataclass(frozen=True, eq=False, repr=False)
class CrossMargin(Showing):
    """A shock to the same book under cross and under isolated margin.

    Attributes
    ----------
    isolation : Isolation
        Both books, and the accounts that are in neither since they are worth nothing (``left_out``).
    cross, isolated : Cascade
        What the shock did to each.
    positions : DataFrame
        A row a position: account, protocol, bucket (its own, under isolated margin), asset, side, terms of an option,
        amount; share and equity_usd (of its account's; NaN where it had a bucket already); ``health`` of its bucket at
        the shocked price and whether that is ``healthy``; units closed (``closed_cross``, ``closed_isolated``) and USD
        lost by that, margin and costs, not mark-to-market (``lost_cross_usd``, ``lost_isolated_usd``).
    notes : tuple of str
    """

    isolation: Isolation
    cross: Cascade
    isolated: Cascade
    positions: pd.DataFrame
    notes: tuple[str, ...]
    provenance: Provenance

    @cached_property
    def index(self) -> float:
        """Share of what forced closing costs under cross margin that healthy positions lose because they are in it.

        (Lost by healthy positions under cross − under isolated margin) ÷ lost by all under cross; 0 where nothing is
        lost, below 0 where healthy positions lose more alone.
        """
        total = self.lost_usd["cross"]
        return (self._healthy("cross") - self._healthy("isolated")) / total if total else 0.0

    @cached_property
    def lost_usd(self) -> dict[str, float]:
        """Lost by forced closing of positions under ``cross`` and ``isolated`` margin, USD."""
        return {way: float(self.positions[f"lost_{way}_usd"].sum()) for way in ("cross", "isolated")}

    @cached_property
    def healthy_lost(self) -> pd.DataFrame:
        """Healthy positions that lose something under cross or isolated margin, those that lose most by it first.

        With the columns of ``positions``, and ``lost_by_cross_usd``: lost under cross less lost under isolated margin.
        """
        rows = self.positions[self.positions["healthy"]]
        rows = rows[(rows["lost_cross_usd"] != 0.0) | (rows["lost_isolated_usd"] != 0.0)]
        rows = rows.assign(lost_by_cross_usd=rows["lost_cross_usd"] - rows["lost_isolated_usd"])
        return rows.sort_values("lost_by_cross_usd", ascending=False, kind="stable", ignore_index=True)

    @cached_property
    def requirements(self) -> pd.DataFrame:
        """Margin that each account's positions need before the shock: cross_usd, isolated_usd, saved_usd."""
        return tables.requirements_frame(self.isolation)

    @cached_property
    def margin_saved_usd(self) -> float:
        """Margin that all positions need under isolated less that under cross margin, before the shock, USD."""
        return float(self.requirements["saved_usd"].sum())

    @property
    def left_out(self) -> pd.DataFrame:
        """Accounts with equity of 0 or less, in neither book: account, protocol, equity_usd, positions."""
        return self.isolation.accounts_left_out

    def to_frame(self) -> pd.DataFrame:
        """Give the positions."""
        return self.positions

    def summary(self) -> str:
        """Say in a few lines what cross margin cost healthy positions, and what it saved."""
        held, healthy, alone = self.positions, self._healthy("cross"), self._healthy("isolated")
        owners, sound = len(held.drop_duplicates(["account", "protocol"])), int(held["healthy"].sum())
        all_lost = f"all ${self.lost_usd['cross']:,.0f} and ${self.lost_usd['isolated']:,.0f}"
        lines = [
            f"cross against isolated margin: {len(held):,} positions of {owners:,} accounts, {sound:,} healthy at the "
            "shocked price",
            f"index {self.index:.4g}: forced closing costs healthy positions ${healthy:,.0f} under cross, "
            f"${alone:,.0f} under isolated margin, {all_lost}",
            f"margin saved by cross: ${self.margin_saved_usd:,.0f} of ${self.requirements['isolated_usd'].sum():,.0f}",
        ]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def shown_tables(self) -> list[pd.DataFrame]:
        """Give the healthy positions that lose most by it."""
        return [self.healthy_lost.head(10)]

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw both sides of the trade: what forced closing costs under cross and isolated margin, and margin."""
        from riskgraph.view.figures.charts import bars

        need = self.requirements
        names = ["lost, cross", "lost, isolated", "healthy lost, cross", "healthy lost, isolated"]
        values = [*self.lost_usd.values(), self._healthy("cross"), self._healthy("isolated")]
        names += ["margin, cross", "margin, isolated"]
        values += [float(need["cross_usd"].sum()), float(need["isolated_usd"].sum())]
        groups = ["loss", "loss", "loss", "loss", "margin", "margin"]
        title, source = "Cross against isolated margin", str(self.provenance)
        return bars(names, values, ax=ax, title=title, source=source, groups=groups)

    def __repr__(self) -> str:
        return f"<CrossMargin: index {self.index:.4g} over {len(self.positions):,} positions>"

    def _healthy(self, way: str) -> float:
        return float(self.positions.loc[self.positions["healthy"], f"lost_{way}_usd"].sum())


def cross_margin_contagion(snap: Snapshot, shock: Mapping[str, float], *, follow: str = "backing") -> CrossMargin:
    r"""Measure what healthy positions lose because others stand in the same margin account.

    .. math:: \text{index} = \frac{\sum_{k \in H} (L_k^\text{cross} - L_k^\text{isolated})}{\sum_k L_k^\text{cross}}

    over the longs and shorts k of the book. L is what forced closing costs: margin taken, fees and what sales bring
    less than the price before them, not the move of the price itself, which both books bear alike. H are the positions
    whose own bucket (:meth:`riskgraph.Snapshot.isolated`) is not liquidatable at the shocked price. Both books go
    through :func:`riskgraph.liquidation_cascade`.

    Parameters
    ----------
    snap : Snapshot
        With longs or shorts in margin accounts; accounts whose equity is 0 or less are in neither book, and reported.
    shock : mapping of asset to float
        Relative price moves, above -1.
    follow : {"backing", "family", "none"}
        Who else moves (:meth:`riskgraph.Snapshot.with_shock`).

    Returns
    -------
    CrossMargin

    Raises
    ------
    InputError
        No long or short is in a margin account with equity above 0; a margin is missing; the shock cannot be read.

    Notes
    -----
    Positions that have a bucket already are counted in both books; those of the venue's own account, which takes over
    what is liquidated, in neither sum. Margin is saved where requirements of positions offset one another
    (``portfolio_margin``); by tiers each position needs what it needs.

    Examples
    --------
    30 USD stand behind two longs of 100 USD each, 10 % of which must stay. BTC falls by a fifth: 10 are left against
    8 + 10, less than two thirds, so the backstop takes both positions and the 10. Of these 10/18 are ETH's, which would
    have stayed healthy with its own half: 15 against 10. Alone, BTC's 15 are gone by the price itself.

    >>> import pandas as pd, riskgraph as rg
    >>> snap = rg.Snapshot(
    ...     positions=pd.DataFrame({
    ...         "account": "ann", "protocol": "perps", "asset": ["USDC", "BTC", "ETH"],
    ...         "side": ["collateral", "long", "long"], "amount": [30.0, 10.0, 10.0],
    ...         "entry_price": [None, 10.0, 10.0]}),
    ...     assets=pd.DataFrame({"asset": ["USDC", "BTC", "ETH"], "price": [1.0, 10.0, 10.0]}),
    ...     markets=pd.DataFrame({"protocol": "perps", "asset": ["BTC", "ETH"], "maintenance_margin": [0.1, 0.1]}))
    >>> both = rg.cross_margin_contagion(snap, {"BTC": -0.2})
    >>> round(both.index, 6), both.healthy_lost["lost_cross_usd"].round(4).tolist(), both.lost_usd["isolated"]
    (0.555556, [5.5556], 0.0)
    """
    check_snapshot(snap)
    isolation = isolation_of(snap)
    positions = tables.held_frame(isolation, isolation.after.with_shock(shock, follow))
    if positions.empty:
        raise InputError("cross_margin_contagion: expected longs or shorts in margin accounts, got none")
    cross = liquidation_cascade(isolation.cross, shock, follow=follow)
    isolated = liquidation_cascade(isolation.after, shock, follow=follow)
    lost, notes = tables.with_losses(positions, cross.closed_positions, isolated.closed_positions)
    said = (isolation.after.notes[-1], *notes)
    provenance = Provenance("cross_margin_contagion", snap.digest, {"shock": dict(shock), "follow": follow})
    return CrossMargin(isolation, cross, isolated, lost, said, provenance)
