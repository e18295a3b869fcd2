"""Contagion centrality: what the wipe-out (of an asset, the fall) of every node does to all others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Floats, Ints, read_only
from riskgraph.contagion.models import chosen_model
from riskgraph.contagion.propagation import checked_rules, graph_call
from riskgraph.contagion.ranking_notes import grows, growth_notes, left_out_notes, shock_notes, silent_notes
from riskgraph.contagion.roots import leverage_root
from riskgraph.contagion.sources import Effects, chosen_sources, effects_of, group_shocks, node_shocks, once
from riskgraph.contagion.spreading import Rules, system
from riskgraph.contagion.wording import in_force
from riskgraph.errors import InputError
from riskgraph.graph.exposure import ACCOUNT, ASSET, KINDS, NODE, PROTOCOL, ExposureGraph
from riskgraph.provenance import Provenance
from riskgraph.showing import Showing
from riskgraph.wording import counted

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["Ranking", "contagion_centrality"]

ORDER = (ASSET, PROTOCOL, ACCOUNT, NODE)  # kinds as they follow one another in a frame
GROUP = "group"


@dataclass(frozen=True, eq=False, repr=False)
class Ranking(Showing):
    """Contagion of every source, ranked within its kind.

    Attributes
    ----------
    graph : ExposureGraph
    model : str
    asset_shock : float
        The fall from which assets start; everything else is wiped out.
    sources : ndarray of int, shape (k,)
        Node numbers of the sources, ascending; empty where the sources are groups.
    groups : tuple of str
        Names of the groups, sorted, where groups of nodes were shocked together.
    group_debt_usd : ndarray, shape (number of groups,)
        Debt of the nodes of each group.
    effects : Effects
        Results of every source, arrays of shape (k,).
    spectral_radius : float
        λ₁ of Λ.
    baseline : float
        R of the nodes that start defaulted, already taken off.
    notes : tuple of str
        What to know when reading it: the graph's own notes, what was left out, what λ₁ means here.
    road : str
        How it was computed.
    """

    graph: ExposureGraph
    model: str
    asset_shock: float
    sources: Ints
    groups: tuple[str, ...]
    group_debt_usd: Floats
    effects: Effects
    spectral_radius: float
    baseline: float
    notes: tuple[str, ...]
    road: str
    provenance: Provenance

    @cached_property
    def scores(self) -> Floats:
        """Contagion in node order, shape (n,); NaN where a node is not a source."""
        scores = np.full(len(self.graph), np.nan)
        if not self.groups:
            scores[self.sources] = self.effects.contagion
        return read_only(scores)

    @cached_property
    def vulnerability(self) -> pd.Series[float]:
        """Of every node: its distress beyond the baseline, averaged over the sources that do not hold it."""
        import pandas as pd

        index = pd.Index(self.graph.labels, name="node")
        return pd.Series(self.effects.vulnerability, index=index, name="vulnerability")

    @property
    def ranked_by(self) -> str:
        """Column by which rows are ranked: ``contagion``, or ``first_round_usd`` where end states tell nothing apart.

        That is so in the linear model at δλ₁ ≥ 1, without a horizon: every source then ends in nearly the same state.
        """
        arguments = self.provenance.arguments
        return "first_round_usd" if grows(self.model, self.spectral_radius, arguments) else "contagion"

    @cached_property
    def _frame(self) -> pd.DataFrame:
        import pandas as pd

        graph, at, effects = self.graph, self.sources, self.effects
        kind = graph.kind[at] if not self.groups else np.zeros(0, dtype=np.int8)
        labels = graph.labels[at] if not self.groups else np.array(self.groups, dtype=object)
        debt = graph.debt_usd[at] if not self.groups else self.group_debt_usd
        frame = pd.DataFrame(
            {
                "kind": np.array(KINDS, dtype=object)[kind] if not self.groups else GROUP,
                "rank": 0,
                "shock": effects.shock,
                "contagion": effects.contagion,
                "loss_usd": effects.loss_usd,
                "first_round_usd": effects.first_round_usd,
                "amplification": _amplification(effects.loss_usd, effects.first_round_usd),
                "vulnerability": effects.vulnerability[at] if not self.groups else np.nan,
                "defaults": effects.defaults,
                "total_debt_usd": debt,
                "rounds": effects.rounds,
                "starts_defaulted": effects.starts_defaulted,
            },
            index=pd.Index(labels, name="node" if not self.groups else GROUP),
        )
        place = np.array([ORDER.index(int(code)) for code in kind], dtype=np.int64)
        place = place if not self.groups else np.zeros(len(labels), dtype=np.int64)
        by_label = np.argsort(labels, kind="stable")
        score = effects.contagion if self.ranked_by == "contagion" else effects.first_round_usd / self._largest_first
        # below 1e-10 a difference is what the stopping rule leaves: sources that both saturate the network are equal
        keys = (-debt, -score.round(10), place)
        order = by_label[np.lexsort(tuple(key[by_label] for key in keys))]
        frame = frame.iloc[order]
        frame["rank"] = frame.groupby("kind", sort=False).cumcount() + 1
        return frame

    @property
    def _largest_first(self) -> float:
        return max(float(np.abs(self.effects.first_round_usd).max(initial=0.0)), np.finfo(np.float64).tiny)

    def to_frame(self) -> pd.DataFrame:
        """Frame by label: assets, protocols, accounts, nodes, each by rank; equal to 1e-10 by debt, label.

        Ranked by the column that ``ranked_by`` names.

        Columns: kind, rank (within the kind), shock, contagion (R beyond shock and baseline), loss_usd,
        first_round_usd (loss of the first wave), amplification (loss_usd ÷ first_round_usd, NaN where nobody is hit
        in the first wave), vulnerability (the node's own distress beyond the baseline, averaged over all other
        sources; NaN for groups), defaults (other nodes that end at h = 1 and do not in the baseline), total_debt_usd,
        rounds (or sweeps, see ``Effects``), starts_defaulted (contagion is 0 because the baseline holds it).
        """
        return self._frame.copy()

    def top(self, kind: str, n: int = 10) -> pd.DataFrame:
        """Give the first n rows of one kind: ``asset``, ``protocol``, ``account``, ``node`` or ``group``."""
        if kind not in (*KINDS, GROUP):
            raise InputError(f"kind: expected one of {', '.join((*KINDS, GROUP))}, got {kind!r}")
        return self._frame[self._frame["kind"] == kind].head(n).copy()

    def summary(self) -> str:
        """Say in a few lines who matters most and how it was found."""
        lines = [
            f"Contagion centrality, {in_force(self.model, self.provenance.arguments)}, {self._said}",
            f"spectral radius λ₁ = {self.spectral_radius:.6g}; baseline, taken off: {self.baseline:.6g}",
        ]
        for kind in (*(KINDS[code] for code in ORDER), GROUP):
            best = self.top(kind, 3)
            if len(best):
                money = self.ranked_by == "first_round_usd"
                named = ", ".join(
                    f"{label} (${r:,.0f} in the first round)" if money else f"{label} ({r:.4g})"
                    for label, r in best[self.ranked_by].items()
                )
                lines.append(f"first among {kind}s: {named}")
        return "\n".join((*lines, f"road: {self.road}", *(f"note: {note}" for note in self.notes)))

    @property
    def _said(self) -> str:
        if self.groups:
            return f"{counted(len(self.groups), 'group')} of nodes as sources"
        return f"{len(self.sources):,} of {len(self.graph):,} nodes as sources"

    def shown_tables(self) -> list[pd.DataFrame]:
        """Give the first of every kind."""
        shown = [GROUP] if self.groups else [KINDS[code] for code in ORDER if (self.graph.kind == code).any()]
        return [self.top(kind) for kind in shown]

    def plot(self, ax: Axes | None = None, *, top: int = 12) -> Axes:
        """Draw the sources that rank first, the same number of every kind.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new figure of 8 cm without one.
        top : int
            How many bars.
        """
        from riskgraph.view.figures.charts import bars

        column, kinds = self.ranked_by, list(dict.fromkeys(self._frame["kind"]))
        each = max(top // max(len(kinds), 1), 1)
        told = self._frame.groupby("kind", sort=False).head(each)
        unit = "USD" if column.endswith("_usd") else "share of all value"
        names = [str(name).partition(":")[2] or str(name) for name in told.index]
        return bars(
            names, told[column].tolist(), ax=ax, title="Contagion", unit=unit, groups=told["kind"].tolist(),
            source=str(self.provenance),
        )  # fmt: skip

    def __repr__(self) -> str:
        return (
            f"<Ranking: {self.model}, {self._said}; "
            f"λ₁ {self.spectral_radius:.4g}, baseline {self.baseline:.4g}, {counted(len(self.notes), 'note')}>"
        )


def _amplification(loss: Floats, first: Floats) -> Floats:
    """Divide final by first-round loss; NaN where the first round costs nothing beyond the baseline."""
    ratio: Floats = np.divide(loss, first, out=np.full(len(loss), np.nan), where=first > 0.0)
    return ratio


def contagion_centrality(
    graph: ExposureGraph,
    *,
    model: str | None = None,
    alpha: float | None = None,
    sources: str | Sequence[str] | Mapping[str, Sequence[str]] | None = None,
    max_sources: int = 10_000,
    asset_shock: float = 0.10,
    horizon: int | None = None,
    damping: float = 1.0,
) -> Ranking:
    r"""Rank nodes by what their own wipe-out (of an asset: its fall by ``asset_shock``) does to all others.

    .. math:: R_s = \sum_i v_i (h_i(T) - h_i(0)) - \text{baseline}, \qquad h(0) = x_s e_s

    for every source s, h as in :func:`riskgraph.debtrank`. Assets are ranked apart from protocols, accounts and
    kindless nodes: their shock is another one. A source that starts defaulted scores 0 and is marked; one that the
    baseline alone had nearly taken can score below 0, since its own loss is then shock and no longer contagion.

    Parameters
    ----------
    graph : ExposureGraph
    model, alpha, horizon, damping
        As in :func:`riskgraph.debtrank`.
    sources : None, "all", labels, or a mapping of names to labels
        None: all assets and protocols, and accounts (or kindless nodes) in order of debt up to ``max_sources``;
        a note then bounds the contagion of those left out. A mapping shocks all nodes of a group together, a row a
        group.
    max_sources : int
        Largest number of accounts (or kindless nodes) taken by ``sources=None``.
    asset_shock : float
        The fall from which an asset starts, in (0, 1].

    Returns
    -------
    Ranking

    Raises
    ------
    InputError
        An unknown label or model, or an argument out of its range.
    ConvergenceError
        A source's distress did not stand still within 100,000 rounds and ten a node.

    References
    ----------
    .. [1] Bardoscia, Battiston, Caccioli, Caldarelli (2015), PLoS ONE 10(6) e0130406.

    Examples
    --------
    B's wipe-out takes half of A's capital, A's a quarter of B's; A holds 5 of the 7 USD of assets (v = 5/7, 2/7):

    >>> from riskgraph.graph.exposure import ExposureGraph
    >>> g = ExposureGraph.from_matrix([[0, 5], [2, 0]], [10, 8], labels=["A", "B"])
    >>> contagion_centrality(g).to_frame()["contagion"].round(4).to_dict()
    {'B': 0.3571, 'A': 0.0714}
    """
    name, power = chosen_model(graph, model, alpha)
    rules = checked_rules(Rules(damping=damping, horizon=horizon))
    if not isinstance(asset_shock, int | float | np.number) or not 0.0 < asset_shock <= 1.0:
        raise InputError(f"asset_shock: expected a fall above 0 and at most 1, got {asset_shock!r}")
    groups = tuple(sorted(str(key) for key in sources)) if isinstance(sources, Mapping) else ()
    if isinstance(sources, Mapping):
        named = {str(key): labels for key, labels in sources.items()}
        once([str(key) for key in sources], "sources, names of groups")
        shocks, left_out = group_shocks(graph, named, float(asset_shock)), np.zeros(0, dtype=np.int64)
        chosen = np.unique(shocks.start.indices).astype(np.int64)
    else:
        chosen, left_out = chosen_sources(graph, sources, max_sources)
        shocks = node_shocks(graph, chosen, float(asset_shock))
    parts = system(graph, name, power)
    effects, baseline = effects_of(graph, parts, shocks, rules)
    radius = leverage_root(graph)
    arguments = {"model": name, "alpha": alpha, "sources": sources, "max_sources": max_sources}
    arguments |= {"asset_shock": asset_shock, "horizon": horizon, "damping": damping}
    return Ranking(
        graph=graph,
        model=name,
        asset_shock=float(asset_shock),
        sources=read_only(chosen if not groups else np.zeros(0, dtype=np.int64)),
        groups=groups,
        group_debt_usd=read_only(shocks.held.T @ graph.debt_usd if groups else np.zeros(0)),
        effects=effects,
        spectral_radius=radius,
        baseline=baseline,
        notes=(
            *growth_notes(name, damping * radius, horizon),
            *graph.notes,
            *shock_notes(graph, chosen, asset_shock, baseline),
            *silent_notes(graph, parts, chosen),
            *left_out_notes(graph, parts, left_out, rules, name),
        ),
        road=effects.road,
        provenance=Provenance("contagion_centrality", graph.digest, {"graph": graph_call(graph), **arguments}),
    )
