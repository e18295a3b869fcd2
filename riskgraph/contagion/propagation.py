"""DebtRank of one shock: how far distress travels and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Bools, Floats, read_only
from riskgraph.contagion.models import DEFAULTED, chosen_model
from riskgraph.contagion.roots import leverage_root
from riskgraph.contagion.spreading import Rules, spread, system
from riskgraph.contagion.wording import in_force
from riskgraph.errors import InputError
from riskgraph.graph.exposure import ASSET, KINDS, ExposureGraph
from riskgraph.provenance import Provenance
from riskgraph.showing import Showing
from riskgraph.wording import counted

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

__all__ = ["Propagation", "checked_rules", "debtrank", "graph_call", "starts_defaulted", "whole"]


@dataclass(frozen=True, eq=False, repr=False)
class Propagation(Showing):
    """How far a shock travelled: relative loss of every node.

    Attributes
    ----------
    graph : ExposureGraph
    model : str
    shock, start, first, end : ndarray, shape (n,)
        The shock that was asked for; h(0) = the shock, and 1 where capital ≤ 0; h after the first wave; h(T).
    baseline_start, baseline_first, baseline_end : ndarray, shape (n,)
        The same without any shock: what nodes that start defaulted cause by themselves.
    rounds : int
        Waves (on a graph of accounts, protocols and assets) or rounds (otherwise, and in the model ``original``)
        until distress stood still.
    converged : bool
        False where an explicit horizon cut the spreading short.
    history : ndarray, shape (rounds + 1, n), or None
        h after 0, 1, 2, … rounds, where asked for.
    """

    graph: ExposureGraph
    model: str
    shock: Floats
    start: Floats
    first: Floats
    end: Floats
    baseline_start: Floats
    baseline_first: Floats
    baseline_end: Floats
    rounds: int
    converged: bool
    history: Floats | None
    provenance: Provenance

    @cached_property
    def distress(self) -> pd.Series[float]:
        """Series by label: h at the end, 0 to 1 (above 1 only with ``cap=False``)."""
        import pandas as pd

        return pd.Series(self.end, index=pd.Index(self.graph.labels, name="node"), name="distress")

    @cached_property
    def baseline(self) -> float:
        """R of the nodes that start defaulted, with no other shock; already taken off ``systemic_loss``."""
        return float(self.graph.weight @ (self.baseline_end - self.baseline_start))

    @cached_property
    def systemic_loss(self) -> float:
        r"""R = Σ v (h(T) − h(0)) less the baseline: share of economic value lost beyond the shock itself.

        Negative where the baseline alone had already taken most of what the shock takes: the loss of a shocked
        node counts as shock, not as contagion.
        """
        return float(self.graph.weight @ (self.end - self.start)) - self.baseline

    @cached_property
    def loss_usd(self) -> float:
        """USD lost beyond the shock itself and the baseline; assets apart, since their loss is their holders'."""
        usd = self.graph.loss_weight_usd
        return float(usd @ ((self.end - self.start) - (self.baseline_end - self.baseline_start)))

    @cached_property
    def first_round_usd(self) -> float:
        """USD lost in the first wave (on a matrix: one application of Λ), counted as in ``loss_usd``."""
        usd = self.graph.loss_weight_usd
        # node by node, so that what a shock adds nothing to is taken off to the last bit
        return float(usd @ ((self.first - self.start) - (self.baseline_first - self.baseline_start)))

    @cached_property
    def amplification(self) -> float:
        """Loss at the end ÷ loss of the first wave, both beyond the shock and the baseline.

        NaN where the first wave costs nothing, or less than the baseline's (then it is no multiple of anything).
        """
        return self.loss_usd / self.first_round_usd if self.first_round_usd > 0.0 else float("nan")

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What to know when reading it: the graph's own notes, who starts defaulted, what λ₁ ≥ 1 means here."""
        said = list(self.graph.notes)
        started = int(self.baseline_start.sum())
        if started:
            said.append(
                f"{counted(started, 'node')} without capital {'start' if started > 1 else 'starts'} defaulted; what "
                f"that causes by itself (R = {self.baseline:.6g}) is taken off"
            )
        arguments = self.provenance.arguments
        if self.model == "linear" and arguments["horizon"] is None:
            radius = float(arguments["damping"]) * leverage_root(self.graph)
            if radius >= 1.0:
                said.append(
                    f"δλ₁ = {radius:.4g} is not below 1: in the linear model any shock then grows until caps bind, "
                    "whatever its size; first_round_usd, a horizon, or another model still tell shocks apart"
                )
        return tuple(said)

    @cached_property
    def defaults(self) -> int:
        """Number of nodes without a shock of their own that end at h = 1 and do not in the baseline."""
        fell = (self.end >= DEFAULTED) & (self.baseline_end < DEFAULTED) & (self.shock == 0.0)
        return int(fell.sum())

    def to_frame(self) -> pd.DataFrame:
        """Frame by label: kind, shock, distress, baseline (h without the shock), loss_usd (beyond shock, baseline)."""
        import pandas as pd

        moved = (self.end - self.start) - (self.baseline_end - self.baseline_start)
        return pd.DataFrame(
            {
                "kind": np.array(KINDS, dtype=object)[self.graph.kind],
                "shock": self.shock,
                "distress": self.end,
                "baseline": self.baseline_end,
                "loss_usd": self.graph.loss_weight_usd * moved,
            },
            index=pd.Index(self.graph.labels, name="node"),
        )

    def summary(self) -> str:
        """Say in a few lines what the shock did."""
        ended = "stood still" if self.converged else "cut off by the horizon"
        return "\n".join(
            (
                f"DebtRank, {self._terms}, {counted(len(self.graph), 'node')}, {int((self.shock > 0).sum()):,} shocked",
                f"contagion (share of economic value, beyond the shock): {self.systemic_loss:.6g}",
                f"loss beyond the shock: ${self.loss_usd:,.0f}; in the first round ${self.first_round_usd:,.0f}, "
                f"amplification {self.amplification:.4g}",
                f"further nodes wiped out: {self.defaults:,}",
                f"baseline, taken off: {self.baseline:.6g}",
                f"rounds: {self.rounds:,} ({ended})",
                *(f"note: {note}" for note in self.notes),
            )
        )

    @property
    def _terms(self) -> str:
        return in_force(self.model, self.provenance.arguments)

    def shown_tables(self) -> list[pd.DataFrame]:
        """Give the nodes that are hit hardest."""
        return [self.to_frame().sort_values("distress", ascending=False, kind="stable").head(10)]

    def plot(self, ax: Axes | None = None, *, top: int = 12) -> Axes:
        """Draw the distress of the nodes that are hit hardest beyond the shock."""
        from riskgraph.view.figures.charts import bars

        told = self.to_frame()
        told = told[told["distress"] > told["shock"]].sort_values("loss_usd", ascending=False, kind="stable").head(top)
        names = [str(name).partition(":")[2] or str(name) for name in told.index]
        title, source = "Loss passed on", str(self.provenance)
        return bars(names, told["loss_usd"].tolist(), ax=ax, title=title, source=source)

    def __repr__(self) -> str:
        ended = "" if self.converged else ", cut off by the horizon"
        return (
            f"<Propagation: {self._terms}, {counted(len(self.graph), 'node')}; contagion {self.systemic_loss:.4g}, "
            f"loss ${self.loss_usd:,.0f}, {counted(self.defaults, 'default')}, {counted(self.rounds, 'round')}{ended}>"
        )


def debtrank(
    graph: ExposureGraph,
    shock: Mapping[str, float] | pd.Series[Any] | ArrayLike,
    *,
    model: str | None = None,
    alpha: float | None = None,
    damping: float = 1.0,
    horizon: int | None = None,
    cap: bool = True,
    tol: float = 1e-12,
    max_rounds: int | None = None,
    history: bool = False,
) -> Propagation:
    r"""Let distress spread from a shock until it stands still.

    .. math:: h(t+1) = \min(1, h(t) + \delta \Lambda (p(t) - p(t-1))), \quad h(0) = \text{shock}, \; p(-1) = 0

    with p = h (``linear`` [1]_), :math:`p = h e^{\alpha(h-1)}` (``nonlinear`` [3]_), p = 1 at h = 1 and 0 before
    (``threshold`` [4]_), or :math:`p = \mathrm{clip}((h - h^*)/(1 - h^*), 0, 1)` for accounts and p = h for assets
    and protocols (``liquidation``). In ``original`` [2]_ the impact is :math:`\min(1, \Lambda)` and every node passes
    its distress on once, in the round after it first has any. Assets pass on h in every model.

    Parameters
    ----------
    graph : ExposureGraph
    shock : mapping or Series of label to share, or array of shape (n,) in node order
        Relative loss at the start, 0 to 1: of capital, of an asset its price fall. Nodes with capital ≤ 0 start at 1.
    model : {"linear", "original", "nonlinear", "threshold", "liquidation"}, optional
        Default: the graph's own, ``liquidation`` on a snapshot's graph and ``linear`` on a matrix.
    alpha : float, optional
        α ≥ 0 of ``nonlinear``; 0 is ``linear``, infinity would be ``threshold``.
    damping : float
        δ in [0, 1], a factor on every transmission.
    horizon : int, optional
        Stop after so many waves; the result says in ``converged`` whether that cut anything off. A wave is accounts →
        assets and protocols, to the end of their own backing chain → accounts. On a graph with kindless nodes, and
        in ``original``, it is one application of Λ.
    cap : bool
        False counts what a node suffers beyond its whole capital too, :math:`h = h(0) + \delta\Lambda p(\min(1, h))`:
        the excess falls on its own creditors no further. In ``original``, where nothing goes round twice, it leaves
        out every cap, also that of the impact (W = Λ).
    tol : float
        Largest change in a wave, of any h and of what any account passes on, at which spreading counts as over.
    max_rounds : int, optional
        Budget of waves; default 100,000 and ten a node.
    history : bool
        Keep h after every wave.

    Returns
    -------
    Propagation

    Raises
    ------
    InputError
        An unknown label, a share outside [0, 1], an unknown model, or a model that does not fit the graph.
    ConvergenceError
        The budget of waves ran out; the message carries waves and the last change.

    References
    ----------
    .. [1] Bardoscia, Battiston, Caccioli, Caldarelli (2015), PLoS ONE 10(6) e0130406.
    .. [2] Battiston, Puliga, Kaushik, Tasca, Caldarelli (2012), Scientific Reports 2:541.
    .. [3] Bardoscia, Caccioli, Perotti, Vivaldo, Caldarelli (2016), PLoS ONE 11(10) e0163825.
    .. [4] Furfine (2003), Journal of Money, Credit and Banking 35(1).

    Examples
    --------
    Half of A's capital of 10 rests on B, a quarter of B's 8 on A; B loses half. Then h(A) = h(B)/2 and
    h(B) = 1/2 + h(A)/4:

    >>> from riskgraph.graph.exposure import ExposureGraph
    >>> g = ExposureGraph.from_matrix([[0, 5], [2, 0]], [10, 8], labels=["A", "B"])
    >>> debtrank(g, {"B": 0.5}).distress.round(4).to_dict()
    {'A': 0.2857, 'B': 0.5714}
    """
    name, power = chosen_model(graph, model, alpha)
    rules = checked_rules(Rules(damping, cap, horizon, tol, max_rounds))
    asked = graph.vector(shock, low=0.0, high=1.0, what="shock")
    base = starts_defaulted(graph).astype(np.float64)
    start = np.maximum(asked, base)
    parts = system(graph, name, power, cap=cap)
    run = spread(parts, start[:, None], rules, history=history)
    rest = spread(parts, base[:, None], rules) if base.any() else None
    base_first, base_end = (rest.first[:, 0], rest.end[:, 0]) if rest else (base, base)
    arguments = {"model": name, "alpha": alpha, "damping": damping, "horizon": horizon, "cap": cap, "tol": tol}
    return Propagation(
        graph=graph,
        model=name,
        shock=read_only(asked),
        start=read_only(start),
        first=read_only(run.first[:, 0].copy()),
        end=read_only(run.end[:, 0].copy()),
        baseline_start=read_only(base),
        baseline_first=read_only(base_first.copy()),
        baseline_end=read_only(base_end.copy()),
        rounds=int(run.rounds[0]),
        converged=bool(run.converged[0]),
        history=read_only(np.stack([h[:, 0] for h in run.history])) if history else None,
        provenance=Provenance(
            "debtrank",
            graph.digest,
            {"graph": graph_call(graph), "shock": _told(graph, asked), **arguments, "max_rounds": max_rounds},
        ),
    )


def graph_call(graph: ExposureGraph) -> str:
    """Say how the graph was made, for the provenance of a result on it."""
    return str(graph.provenance) if graph.provenance is not None else repr(graph).strip("<>")


def _told(graph: ExposureGraph, start: Floats) -> dict[str, float]:
    """Give the shock as labels and numbers, all of it: a result can be rebuilt from its provenance."""
    return {str(graph.labels[at]): float(start[at]) for at in np.flatnonzero(start)}


def whole(value: object) -> bool:
    """Whether something is a whole number of at least 1."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return number and bool(np.isfinite(float(value))) and float(value) == int(float(value)) >= 1  # type: ignore[arg-type]


def starts_defaulted(graph: ExposureGraph) -> Bools:
    """Nodes whose capital is 0 or less; an asset has a price instead of capital and never is one."""
    started: Bools = (graph.kind != ASSET) & (graph.capital_usd <= 0.0)
    return started


def checked_rules(rules: Rules) -> Rules:
    """Return the rules, or raise one InputError that says what does not fit."""
    for what, given in (("damping", rules.damping), ("tol", rules.tol)):
        if isinstance(given, bool) or not isinstance(given, int | float | np.number):
            raise InputError(f"{what}: expected a number, got {given!r}")
    if not 0.0 <= rules.damping <= 1.0:
        raise InputError(f"damping: expected a share in [0, 1], got {rules.damping!r}")
    if not 0.0 < rules.tol < 1.0:
        raise InputError(f"tol: expected a number between 0 and 1, got {rules.tol!r}")
    for what, value in (("horizon", rules.horizon), ("max_rounds", rules.max_rounds)):
        if value is not None and not whole(value):
            raise InputError(f"{what}: expected a whole number of at least 1, got {value!r}")
    return rules
