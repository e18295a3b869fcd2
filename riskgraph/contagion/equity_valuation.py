"""Network valuation (NEVA): what equities and claims are worth when each depends on the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from scipy import sparse

from riskgraph.arrays import Floats, Labels, read_only
from riskgraph.contagion.amounts import usd
from riskgraph.contagion.propagation import checked_rules
from riskgraph.contagion.spreading import Rules, round_budget
from riskgraph.contagion.valuation_functions import BalanceSheets, ValuationFunction, accounts_of, settle
from riskgraph.contagion.valuation_inputs import (
    as_told,
    chosen_valuation,
    network_of,
    notes_on,
    terms_of,
    told_network,
    vector_of,
)
from riskgraph.provenance import Provenance
from riskgraph.showing import Showing
from riskgraph.wording import counted

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

__all__ = ["Valuation", "network_valuation"]

PerNode = Any  # array in node order, or Series or mapping by label


@dataclass(frozen=True, eq=False, repr=False)
class Valuation(Showing):
    """Equities and claims valued together; arrays in node order, Series and frames by label.

    Attributes
    ----------
    labels : ndarray of str, shape (n,)
    valuation : str
        Name of the valuation function.
    before, shocked, after : ndarray, shape (n,)
        Equity in USD: E⁰ at face value, with the shock alone, and with what the network adds to it.
    worth : ndarray, shape (n,)
        V(after), what one USD of claims on each node is worth.
    sheets : BalanceSheets
        What the valuation function was given.
    rounds : int
        Rounds of revaluation from V = 1.
    converged : bool
        False where an explicit horizon cut them short.
    residual : float
        Largest change of an equity that one more round would bring, as a share of the node's balance sheet.
    notes : tuple of str
        What was given and has no effect in this valuation, and who starts insolvent.
    """

    labels: Labels
    valuation: str
    before: Floats
    shocked: Floats
    after: Floats
    worth: Floats
    sheets: BalanceSheets
    rounds: int
    converged: bool
    residual: float
    notes: tuple[str, ...]
    provenance: Provenance

    def _by_label(self, values: Floats, name: str) -> pd.Series[float]:
        import pandas as pd

        return pd.Series(values, index=pd.Index(self.labels, name="node"), name=name)

    @cached_property
    def equity(self) -> pd.Series[float]:
        """Series by label: equity in USD after shock and contagion; below 0 where creditors lose."""
        return self._by_label(self.after, "equity")

    @cached_property
    def value(self) -> pd.Series[float]:
        """Series by label: V, what one USD of claims on the node is worth, 0 to 1."""
        return self._by_label(self.worth, "value")

    @cached_property
    def initial_equity(self) -> pd.Series[float]:
        """Series by label: equity in USD before the shock, all claims at face value."""
        return self._by_label(self.before, "initial_equity")

    @cached_property
    def shocked_equity(self) -> pd.Series[float]:
        """Series by label: equity in USD after the shock, all claims still at face value."""
        return self._by_label(self.shocked, "shocked_equity")

    @cached_property
    def loss_usd(self) -> float:
        """USD of equity lost beyond the shock itself, over all nodes: what claims have lost in value."""
        return float((self.shocked - self.after).sum())

    @cached_property
    def defaults(self) -> int:
        """Number of nodes whose equity ends below 0 and did not start there."""
        slack = self.sheets.rounding
        return int(((self.after < -slack) & (self.before >= -slack)).sum())

    def to_frame(self) -> pd.DataFrame:
        """Frame by label: initial_equity, shocked_equity, equity, value, loss_usd (beyond the shock)."""
        import pandas as pd

        series = (self.initial_equity, self.shocked_equity, self.equity, self.value)
        return pd.DataFrame({one.name: one for one in series}).assign(loss_usd=self.shocked - self.after)

    def summary(self) -> str:
        """Say in a few lines what the valuation found."""
        ended = "stood still" if self.converged else f"cut off by the horizon, residual {self.residual:.1e}"
        terms = terms_of(self.valuation, self.sheets, self.provenance.arguments["pbar"])
        return "\n".join(
            (
                f"network valuation, {terms}, {counted(len(self.labels), 'node')}",
                self._shock_in_words,
                f"equity: {self._usd(self.before.sum())} before, {self._usd(self.shocked.sum())} with the shock, "
                f"{self._usd(self.after.sum())} with contagion",
                f"loss beyond the shock: {self._usd(self.loss_usd)}{self._borne}",
                f"nodes that fell below 0: {self.defaults:,}",
                f"rounds: {self.rounds:,} ({ended})",
                *self.notes,
            )
        )

    def _usd(self, value: float) -> str:
        return usd(float(value), beside=float(abs(self.before).sum()))

    @property
    def _shock_in_words(self) -> str:
        lost = self.before - self.shocked
        hit = int((lost > 0.0).sum())
        if not hit:
            return "shock: none"
        assets = float(self.sheets.external_assets.sum() + lost.sum())
        return f"shock: {self._usd(lost.sum())} of {usd(assets)} external assets, at {counted(hit, 'node')}"

    @property
    def _borne(self) -> str:
        """Whose loss it is where equities go below 0."""
        borne = float((self.shocked.clip(min=0.0) - self.after.clip(min=0.0)).sum())
        below = self._usd(self.loss_usd - borne)
        if below == "$0":
            return ""
        return f", of which borne by equity {self._usd(borne)}, below zero {below} (counted again at every creditor)"

    def shown_tables(self) -> list[pd.DataFrame]:
        """Give the banks whose claims are worth least."""
        return [self.to_frame().sort_values("value", kind="stable").head(10)]

    def plot(self, ax: Axes | None = None, *, top: int = 12) -> Axes:
        """Draw what a claim on each bank is worth, those that are worth least first."""
        from riskgraph.view.figures.charts import bars

        told = self.to_frame().sort_values("value", kind="stable").head(top)
        names, values = [str(name) for name in told.index], told["value"].tolist()
        return bars(names, values, ax=ax, title="Value of claims", unit="share of par", source=str(self.provenance))

    def __repr__(self) -> str:
        ended = "" if self.converged else ", cut off by the horizon"
        return (
            f"<Valuation: {self.valuation}, {counted(len(self.labels), 'node')}; loss {self._usd(self.loss_usd)} "
            f"beyond the shock, {counted(self.defaults, 'default')}, {counted(self.rounds, 'round')}{ended}>"
        )


def network_valuation(
    exposures: ArrayLike | sparse.sparray | sparse.spmatrix | pd.DataFrame,
    external_assets: PerNode,
    external_liabilities: PerNode,
    *,
    valuation: str | ValuationFunction,
    shock: float | PerNode | None = None,
    volatility: float | PerNode | None = None,
    recovery: float | PerNode = 1.0,
    pbar: str = "total",
    labels: Sequence[str] | None = None,
    horizon: int | None = None,
    tol: float = 1e-14,
    max_rounds: int | None = None,
) -> Valuation:
    r"""Value all equities and all claims at once (NEVA [1]_): the greatest solution, found from face value down.

    .. math:: E_i = A^e_i - L^e_i + \sum_j A_{ij} V_j(E_j) - \sum_j A_{ji}

    With :math:`K = A^e - E` and Φ the normal distribution function, V is by name

    - ``furfine`` [2]_: 1 if E ≥ 0 else R; ``linear``: clip(E/E⁰, 0, 1), which is linear DebtRank while equity lasts;
    - ``eisenberg_noe`` [3]_: clip((E + p̄)/p̄, 0, 1);
    - ``exante_furfine``: 1 − P + R·P with :math:`P(K) = \Phi((\ln(K/A^e) + \sigma^2/2)/\sigma)`, 0 where K ≤ 0;
    - ``merton`` (ex-ante Eisenberg–Noe): :math:`1 - P(K) + R\,[G(K) - G(K-\bar p) - (K-\bar p)(P(K) - P(K-\bar p))]
      / \bar p`, :math:`G(k) = A^e \Phi((\ln(k/A^e) - \sigma^2/2)/\sigma)`, 0 where k ≤ 0;
    - ``black_cox`` [4]_: 1 − P + R·P, default at first passage, :math:`m = \ln(K/A^e)`,
      :math:`P = \Phi((m + \sigma^2/2)/\sigma) + e^{-m} \Phi((m - \sigma^2/2)/\sigma)`, 1 where E ≤ 0.

    Parameters
    ----------
    exposures : array, sparse matrix or DataFrame, shape (n, n)
        ``A[i, j]`` in USD: what j owes i (creditor rows, debtor columns); an ExposureGraph has it as ``.exposures``.
        A frame whose index is named debtor, or its columns creditor, is refused.
    external_assets, external_liabilities : array, or Series or mapping by label, shape (n,)
        Aᵉ before the shock and Lᵉ, USD, at least 0; by label every node.
    valuation : str or callable
        A name above, or ``f(equity, sheets)``: from equity in USD, shape (n,), and the
        :class:`~riskgraph.contagion.valuation_functions.BalanceSheets` (Aᵉ after the shock, E⁰, p̄, R, σ) to n values
        in [0, 1] that do not rise where equity falls; where they jump, as at E = 0 in ``furfine``, the upper value.
    shock : float, array, or Series or mapping by label, optional
        Share of its external assets that each node loses at the start, 0 to 1 (USD lost ÷ Aᵉ); absent labels 0.
    volatility : float, array, or Series or mapping by label
        σ of the external assets to maturity (a year's σ · √years), at least 0, for the last three. Where σ or Aᵉ is 0
        nothing is left to chance: below E = 0 V is R (in ``merton`` R times that of ``eisenberg_noe``), else 1.
    recovery : float, array, or Series or mapping by label
        R of each debtor, 0 to 1: share of a claim that is left in default, in ``merton`` of what there is to share.
        ``linear`` and ``eisenberg_noe`` have no use for it. With R = 1 (the default) a default costs creditors nothing
        in ``furfine``, ``exante_furfine`` and ``black_cox``: V is 1 everywhere, and a note says so.
    pbar : {"total", "interbank"}
        p̄: all liabilities (claims rank equally with external ones), or those inside the network (external ones first).
    labels : sequence of str, optional
        Default the frame's, else those of a Series of external assets, else ``0`` to ``n-1``.
    horizon : int, optional
        Stop after so many rounds of revaluation; the result says in ``converged`` whether that cut anything off.
    tol : float
        Distance from the limit, estimated from how fast changes shrink, at which the rounds end: a share of each
        node's balance sheet (all assets and all liabilities).
    max_rounds : int, optional
        Budget of rounds; default 100,000 and ten a node.

    Returns
    -------
    Valuation

    Raises
    ------
    InputError
        Shapes or labels that do not fit, values outside their range, an unknown valuation, σ missing where it is
        needed, a callable whose values leave [0, 1] or rise where equity falls.
    ConvergenceError
        The budget of rounds ran out; the message carries rounds and the last change.

    Notes
    -----
    An equity within 64 roundings of its balance sheet counts as 0: no node defaults by the order of a sum.

    References
    ----------
    .. [1] Barucca, Bardoscia, Caccioli, D'Errico, Visentin, Caldarelli, Battiston (2020), Math. Finance 30(4).
    .. [2] Furfine (2003), Journal of Money, Credit and Banking 35(1).
    .. [3] Eisenberg, Noe (2001), Management Science 47(2).
    .. [4] Black, Cox (1976), Journal of Finance 31(2).

    Examples
    --------
    A holds 4 of B's debt and has 5 + 4 − 6 = 3; B has 8 − 3 − 4 = 1 and loses a quarter of its 8: E_B = −1. It still
    has 6 for the 7 that it owes, so claims on it are worth 6/7 and A loses 4/7:

    >>> found = network_valuation([[0, 4], [0, 0]], [5, 8], [6, 3], valuation="eisenberg_noe", shock={"1": 0.25})
    >>> found.equity.round(4).to_dict()
    {'0': 2.4286, '1': -1.0}
    >>> found.value.round(4).to_dict()
    {'0': 1.0, '1': 0.8571}
    """
    name, function = chosen_valuation(valuation, volatility, pbar)
    graph = network_of(exposures, external_assets, labels)
    checked_rules(Rules(horizon=horizon, tol=tol, max_rounds=max_rounds))
    assets = vector_of(graph, external_assets, "external_assets")
    liabilities = vector_of(graph, external_liabilities, "external_liabilities")
    lost = vector_of(graph, 0.0 if shock is None else shock, "shock", high=1.0, absent=True, single=True)
    left = vector_of(graph, recovery, "recovery", high=1.0, single=True)
    sigma = None if volatility is None else vector_of(graph, volatility, "volatility", single=True)
    network = told_network(graph, assets, liabilities)
    told = {"shock": as_told(graph, lost), "volatility": as_told(graph, sigma), "recovery": as_told(graph, left)}
    limits = {"pbar": pbar, "horizon": horizon, "tol": tol, "max_rounds": max_rounds}
    accounts = accounts_of(graph.labels, graph.exposures, assets, liabilities, lost, left, sigma, pbar)
    run = settle(accounts, function, horizon=horizon, tol=tol, max_rounds=max_rounds or round_budget(len(graph)))
    return Valuation(
        labels=graph.labels,
        valuation=name,
        before=read_only(accounts.before),
        shocked=read_only(accounts.shocked),
        after=read_only(run.equity),
        worth=read_only(run.value),
        sheets=accounts.sheets,
        rounds=run.rounds,
        converged=run.converged,
        residual=run.residual,
        notes=notes_on(valuation, accounts),
        provenance=Provenance("network_valuation", None, {**network, "valuation": name, **told, **limits}),
    )
