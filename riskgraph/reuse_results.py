"""What the measures of collateral reuse give (METHODS 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from riskgraph import reuse_tables as tables
from riskgraph.contagion.ranking import Ranking, contagion_centrality
from riskgraph.errors import InputError
from riskgraph.graph.book import exposure_graph
from riskgraph.provenance import Provenance
from riskgraph.reuse_breaks import Break, broken
from riskgraph.reuse_hotspots import hotspots_frame
from riskgraph.reuse_measures import Measures
from riskgraph.reuse_weights import orders_under
from riskgraph.showing import Showing

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["CollateralReuse"]


@dataclass(frozen=True, eq=False, repr=False)
class CollateralReuse(Showing):
    """Collateral and deposits of a snapshot, by what finally stands behind them and how often it is used.

    **Reused USD** of an account is its h + B: receipts, LP and debt-backed tokens whose deposit is also in the
    snapshot, and what borrowed funds of the same family can have bought. Of a row, it is the row's second use and, of
    its account's B, the part in proportion to value. Of a protocol, it is that of the rows that stand there. Of an
    asset, it is that of the rows that stand on it, directly or through wrappers, in proportion to value; a wrapper's
    is thus part of its base's. Accounts, protocols, and bases (with protocols that tokens are claims on) each add up
    to the same ``totals["reused"]`` = H + B. (In a family of several bases, and for an LP token whose deposits are
    here only in part, ``multipliers`` divides H + B over bases otherwise, in proportion to G − H; the sum is the same.)

    Attributes
    ----------
    snap : Snapshot
    measures : Measures
        The arrays behind the frames.
    notes : tuple of str
        What was left out, assumed or not told, in words.
    """

    snap: Snapshot
    measures: Measures
    notes: tuple[str, ...]
    provenance: Provenance
    given_ranking: Ranking | None = None

    @property
    def multipliers(self) -> pd.DataFrame:
        """Frame by base asset (``protocol:…`` for a protocol that tokens are claims on), largest gross first.

        Columns, USD: family, gross (G), rehypothecated (H), looped (B), unique (U = G − H − B), multiplier (G ÷ U),
        insolvent (gross of insolvent accounts, in none of the others), reason (why the multiplier is NaN, else "").
        """
        return tables.multipliers_frame(self.snap, self.measures)

    @cached_property
    def totals(self) -> Mapping[str, float]:
        """USD over all bases: gross = rehypothecated + looped + unique, rows = gross + untraced + baskets + insolvent.

        ``rows`` are all collateral and deposit rows; ``untraced`` is the part of tokens that nothing known stands
        behind; ``reused`` is rehypothecated + looped; ``multiplier`` is gross ÷ unique, NaN as in ``multipliers``.
        """
        m = self.measures
        gross, again, looped, unique, apart = (
            float(part.sum()) for part in (m.gross, m.rehypothecated, m.looped, m.unique, m.insolvent)
        )
        told = not tables.untold(*(np.array([value]) for value in (gross, unique, apart)))[0]
        return MappingProxyType(
            {
                "rows": m.posted_usd,
                "gross": gross,
                "rehypothecated": again,
                "looped": looped,
                "unique": unique,
                "reused": again + looped,
                "multiplier": gross / unique if told and unique > 0.0 else float("nan"),
                "untraced": m.untraced_usd,
                "baskets": m.basket_usd,
                "insolvent": m.insolvent_usd,
            }
        )

    @property
    def insolvent(self) -> pd.DataFrame:
        """Accounts with equity E ≤ 0 that post something: equity_usd, posted_usd, debt_usd; largest posted first."""
        return tables.insolvent_frame(self.snap, self.measures)

    @property
    def unmatched(self) -> pd.DataFrame:
        """Tokens of second use whose deposits are not all in the snapshot, a row a token and what stands behind it.

        Columns: token, behind, issuer, claims_usd (of all tokens on these deposits), deposits_usd, matched (share),
        unmatched_usd (collateral and deposit rows of the token that count once, as their deposit is not here).
        """
        return tables.unmatched_frame(self.snap, self.measures)

    @property
    def loops(self) -> pd.DataFrame:
        r"""Loops of backing, those with the largest gain first.

        Columns: tokens, gain (spectral radius of the loop's part of S: the share that is passed on with every link, in
        the long run; a loop is legal below 1), comes_back (share of a dollar of a token that rests on the token itself,
        :math:`1 - 1/S^*_{tt}`, largest of the loop's tokens: in a simple loop the product of its shares), posted_usd.
        """
        return tables.loops_frame(self.snap, self.measures)

    @property
    def looping(self) -> pd.DataFrame:
        """Solvent accounts with debt, a row an account and family that it holds; most looped first.

        Columns: account, family, posted_usd and debt_usd (whatever the family, baskets too), debt_financed_share =
        min(debt, posted) ÷ posted, family_usd, family_debt_usd, looped_usd (B), leverage = family collateral ÷
        (family collateral − family debt), NaN where the debt is not smaller.
        """
        return tables.looping_frame(self.snap, self.measures)

    def chains(self, top: int = 20, *, links: int = 1, budget: int = 200_000) -> pd.DataFrame:
        """Give paths base → wrapper → … → collateral or deposit row, those that carry most USD first.

        Parameters
        ----------
        top : int
            Largest number of paths.
        links : int
            Least number of wrappings on a path; 0 lists bases that are posted as they are, too.
        budget : int
            Largest number of paths looked into. What cut the list, and the most that any chain left out carries,
            stands in ``frame.attrs["cut"]`` ("" if the list is whole).

        Returns
        -------
        DataFrame
            path, usd (carried), links, base, token, protocol, side, issuers (of the path's tokens, in its order),
            accounts (that hold such rows).

        Raises
        ------
        InputError
            A number is out of its range.
        """
        for name, value, least in (("top", top, 1), ("links", links, 0), ("budget", budget, 1)):
            if value < least:
                raise InputError(f"chains: expected {name} of at least {least}, got {value!r}")
        return tables.chains_frame(self.snap, self.measures, top, links, budget)

    @property
    def overlap(self) -> pd.DataFrame:
        """Common collateral of every two protocols in every asset that rows at both rest on, largest first.

        Columns: asset, protocol_a, protocol_b, overlap_usd (the smaller of what rests on the asset at each, directly or
        through wrappers), wallets (accounts that have some at both: a call at one is felt at the other), wallets_usd
        (Σ over them of the smaller of the two).
        """
        return tables.overlap_frame(self.snap, self.measures)

    def break_(self, token: str, fall: float) -> Break:
        """Let a token fall, and whatever it backs with it: the loss that reaches every holder before any liquidation.

        Raises
        ------
        InputError
            The token is not an asset of the snapshot, is a basket, or the fall lies outside (0, 1).
        """
        return broken(self.snap, self.measures.worth, token, fall)

    @cached_property
    def ranking(self) -> Ranking:
        """The ranking given, else the default one of the snapshot's exposure graph, computed on first use."""
        if self.given_ranking is not None:
            return self.given_ranking
        return contagion_centrality(exposure_graph(self.snap))

    @cached_property
    def _hotspots(self) -> pd.DataFrame:
        return hotspots_frame(self.snap, self.measures, self.ranking)

    @property
    def hotspots(self) -> pd.DataFrame:
        """Frame by node: kind, label, reused_usd, contagion, hotspot (their product), and the ranks of the three.

        Assets, then protocols, then accounts, each by rank; ranks count within a kind, for assets fall and others are
        wiped out. A node that is no source of the ranking (see its notes) has no contagion, no hotspot and no rank.
        """
        return self._hotspots.copy()

    def hotspot_orders(self, weights: Sequence[float] = (0.0, 0.25, 0.75, 1.0), *, top: int = 10) -> pd.DataFrame:
        r"""Compare the order of ``hotspots`` with orders under other weights: the product is a choice, not nature.

        .. math:: \text{score}_w = \text{reused}^{w} \cdot \text{contagion}^{1 - w}

        w = ½ is the order of the product; beside the weights stands the sum of both ranks.

        Parameters
        ----------
        weights : sequence of float
            Each from 0 (contagion alone) to 1 (reused USD alone).
        top : int
            How many of the first are compared.

        Returns
        -------
        DataFrame
            A row a kind and order: nodes, spearman, kendall (rank correlation with the product's order; NaN where one
            of them only ties), top_shared (share of the first ``top`` that both have).

        Raises
        ------
        InputError
            A weight lies outside [0, 1], or ``top`` is below 1.
        """
        wrong = [weight for weight in weights if not 0.0 <= weight <= 1.0]
        if wrong or top < 1:
            raise InputError(
                f"hotspot_orders: expected weights from 0 to 1 and top of at least 1, got {wrong or top!r}"
            )
        return orders_under(self._hotspots, tuple(float(weight) for weight in weights), top)

    def plot(self, ax: Axes | None = None, *, top: int = 12) -> Axes:
        """Draw the chains that carry most: base assets on the left, where their value is posted on the right.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new figure without one.
        top : int
            How many chains.
        """
        from riskgraph.view.figures.flows import sankey

        chains = self.chains(top)
        source = f"{self.provenance.call}, snapshot {self.snap.digest[:12]}"
        return sankey(chains.attrs["labels"], chains["usd"].tolist(), ax=ax, title="Chains of reuse", source=source)

    def to_frame(self) -> pd.DataFrame:
        """Give the multipliers by base."""
        return self.multipliers

    def summary(self) -> str:
        """Say in a few lines how often collateral is used, on what, and what was left out."""
        lines = [repr(self).strip("<>")]
        lines += [
            f"  {row['asset']}: ${row['gross']:,.0f} stand on ${row['unique']:,.0f}, "
            + (f"multiplier not told: {row['reason']}" if row["reason"] else f"multiplier {row['multiplier']:.4g}")
            for row in self.multipliers.head(5).reset_index().to_dict("records")
        ]
        chains = self.chains(3)
        lines += [f"  chain: {path} (${usd:,.0f})" for path, usd in zip(chains["path"], chains["usd"], strict=True)]
        lines += [
            f"  loop of backing: {row.tokens}, gain {row.gain:.4g}, {row.comes_back:.2%} of a dollar comes back"
            for row in self.loops.itertuples()
        ]
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])

    def shown_tables(self) -> list[pd.DataFrame]:
        """Give the multipliers, and the hotspots of every kind."""
        hot = self.hotspots
        return [self.multipliers.head(10), hot.groupby("kind", sort=False).head(5)]

    def __repr__(self) -> str:
        t = self.totals
        return (
            f"<CollateralReuse: ${t['gross']:,.0f} of collateral on ${t['unique']:,.0f}, "
            f"multiplier {t['multiplier']:.4g}; ${t['rehypothecated']:,.0f} rehypothecated, ${t['looped']:,.0f} looped>"
        )
