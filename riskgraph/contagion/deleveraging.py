"""Fire sales: what a fall costs through the sales that it forces and the holdings that others share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Floats, read_only
from riskgraph.contagion import sale_rules
from riskgraph.contagion import sale_tables as tables
from riskgraph.contagion.forced_sales import Constraint, Outcome, leverage_targeting, threshold
from riskgraph.contagion.overlaps import Overlap, overlap_of
from riskgraph.contagion.portfolio_holdings import Portfolios
from riskgraph.provenance import Provenance
from riskgraph.showing import Showing
from riskgraph.wording import counted

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike
    from scipy import sparse

    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["MODELS", "FireSale", "fire_sale"]

MODELS = ("leverage_targeting", "threshold")
INSOLVENT = ("sell", "hold")


@dataclass(frozen=True, eq=False, repr=False)
class FireSale(Showing):
    r"""What a fall of prices made institutions sell, and what the sales cost everybody.

    Shares of equity are shares of ΣE over the institutions whose equity before the shock is above 0. Vulnerability is
    that to sales: :func:`~riskgraph.centrality` calls a Perron vector so, a ranking the mean distress of a node.

    Attributes
    ----------
    portfolios : Portfolios
        Holdings H, equity, price impact ℓ, labels of institutions and assets.
    shock : ndarray, shape (m,)
        Fall f of each asset, 0 to 1.
    outcome : Outcome
        Arrays: ``sales`` (csr, n × m, USD), ``price_fall`` (m,), ``indirect``, ``caused``, ``equity`` (n,), ``rounds``.
    rule : Constraint or None
        Threshold model: λmax, λb, impact, execution and the rest as they were in force.
    notes : tuple of str
    """

    portfolios: Portfolios
    model: str
    shock: Floats
    outcome: Outcome
    rule: Constraint | None
    notes: tuple[str, ...]
    provenance: Provenance

    @property
    def rounds(self) -> int:
        """Rounds in which anybody sold."""
        return len(self.outcome.rounds)

    @cached_property
    def direct(self) -> Floats:
        r"""Array (n,), USD: :math:`\sum_a H_{ia} f_a`, lost by the shock itself."""
        return read_only(self.portfolios.holdings @ self.shock)

    @cached_property
    def equity_usd(self) -> float:
        """ΣE over the institutions whose equity before the shock is above 0."""
        return float(np.maximum(self.portfolios.equity, 0.0).sum())

    @cached_property
    def aggregate_vulnerability(self) -> float:
        """AV: what the sales cost all institutions together, as a share of ΣE."""
        return float(self.outcome.indirect.sum()) / self.equity_usd

    @cached_property
    def systemicness(self) -> pd.Series[float]:
        """S by institution: what its sales cost all, as a share of ΣE (together AV).

        In the threshold model a round's fall in a market is laid to its sellers in proportion to what they sold.
        """
        return self._series(self.outcome.caused / self.equity_usd, "systemicness")

    @cached_property
    def indirect_vulnerability(self) -> pd.Series[float]:
        """IV by institution: what everybody's sales cost it, as a share of its equity; NaN where E ≤ 0."""
        equity = self.portfolios.equity
        share = np.divide(self.outcome.indirect, equity, out=np.full(len(equity), np.nan), where=equity > 0.0)
        return self._series(share, "indirect_vulnerability")

    @cached_property
    def overlap(self) -> Overlap:
        r"""Indices of the overlaps :math:`\Omega_{ij} = \sum_a H_{ia} H_{ja} / D_a`, before any fall."""
        books = self.portfolios
        return overlap_of(books.holdings, books.price_impact, books.market)

    @cached_property
    def eri(self) -> pd.Series[float]:
        """Endogenous Risk Index by institution: the Perron vector of Ω (a version presented in 2018 called it ICI).

        Above 0, without unit; all sum to 1, each component of overlap to its share of the institutions in any (values
        compare within one); NaN for one that holds nothing with a price impact. The scale of USD changes nothing.
        """
        return self._series(self.overlap.perron, "eri")

    @cached_property
    def ici(self) -> pd.Series[float]:
        r"""Indirect Contagion Index by institution, USD: :math:`\sum_{j \ne i} \Omega_{ij}`, lost by others."""
        return self._series(self.overlap.caused, "ici")

    @cached_property
    def sales(self) -> pd.DataFrame:
        """Frame of what was sold: institution, asset, sold_usd (at the prices at which each round began)."""
        return tables.sales_frame(self)

    @cached_property
    def assets(self) -> pd.DataFrame:
        """Frame by asset: held_usd, shock, price_impact, sold_usd, price_fall.

        ``held_usd`` USD before any fall; ``shock`` f, 0 to 1; ``price_impact`` ℓ, share of the price for each USD
        sold; ``sold_usd`` USD; ``price_fall`` by all sales in its market: threshold, a share of the price after the
        shock, 0 to 1; leverage targeting, of the price before it, and nothing holds it below 1.
        """
        return tables.assets_frame(self)

    @cached_property
    def history(self) -> pd.DataFrame:
        """Frame by round: sellers, sold_usd, loss_usd (through that round's falls), insolvent (after it)."""
        return tables.history_frame(self)

    @cached_property
    def decomposition(self) -> pd.DataFrame:
        r"""Systemicness taken apart, frame by institution: linkage × size × selling = systemicness.

        ``linkage`` :math:`\sum_a (\sum_i H_{ia}) \ell_a w_{na}` (what a dollar of its sales costs all; NaN where it
        sells nothing), ``size`` :math:`A_n / \Sigma E`, ``selling`` sales ÷ A; where leverage targeting does not take
        all, selling is ``leverage`` b times ``exposure`` (loss ÷ A).
        """
        return tables.decomposition_frame(self)

    @cached_property
    def status(self) -> pd.Series[Any]:
        """By institution: insolvent (E ≤ 0 at the end), illiquid (all sold that it can), deleveraged, untouched."""
        return self._series(tables.status_of(self), "status")

    def to_frame(self) -> pd.DataFrame:
        """Frame by institution: USD held, lost, sold and left, vulnerability, systemicness, overlap indices, status."""
        return tables.institutions_frame(self)

    def summary(self) -> str:
        """Say in a few lines what was sold and what it cost."""
        return "\n".join(tables.summary_lines(self, self._size))

    def shown_tables(self) -> list[pd.DataFrame]:
        """Give the institutions whose sales cost most."""
        return [self.to_frame().sort_values("systemicness", ascending=False, kind="stable").head(10)]

    def plot(self, ax: Axes | None = None, *, top: int = 12) -> Axes:
        """Draw the institutions whose sales cost most: their systemicness."""
        from riskgraph.view.figures.charts import bars

        told = self.to_frame().sort_values("systemicness", ascending=False, kind="stable").head(top)
        names, values = [str(name) for name in told.index], told["systemicness"].tolist()
        return bars(names, values, ax=ax, title="Systemicness", unit="share of equity", source=str(self.provenance))

    def __repr__(self) -> str:
        return (
            f"<FireSale: {self._size}; sold ${self.outcome.sales.sum():,.0f}, "
            f"aggregate vulnerability {self.aggregate_vulnerability:.4g}>"
        )

    @property
    def _size(self) -> str:
        n, m = self.portfolios.holdings.shape
        return f"{self.model}, {counted(n, 'institution')}, {counted(m, 'asset')}, {counted(self.rounds, 'round')}"

    def _series(self, values: Any, name: str) -> pd.Series[Any]:
        import pandas as pd

        return pd.Series(values, index=pd.Index(self.portfolios.labels, name="institution"), name=name)


def fire_sale(
    holdings: Snapshot | pd.DataFrame | ArrayLike | sparse.sparray,
    equity: pd.Series[Any] | ArrayLike | None = None,
    price_impact: pd.Series[Any] | ArrayLike | None = None,
    shock: Any = None,
    *,
    model: str = "leverage_targeting",
    insolvent: str = "sell",
    max_leverage: Any = None,
    target_leverage: Any = None,
    illiquid: Sequence[str] | None = None,
    impact: str | None = None,
    price_floor: float | None = None,
    execution: float | None = None,
    tol: float | None = None,
    max_rounds: int | None = None,
    by: str | None = None,
    netting: str | None = None,
    follow: str | None = None,
) -> FireSale:
    r"""Let institutions that a fall of prices has hit sell, and count what their sales cost everybody.

    ``leverage_targeting`` [1]_: one round in which everybody returns to the leverage it had,

    .. math:: \text{loss}_i = \sum_a H_{ia} f_a, \quad \text{sales}_i = \min(b_i \text{loss}_i, A_i - \text{loss}_i),
              \quad b_i = (A_i - E_i)/E_i, \quad g_a = \ell_a \sum_i (H_{ia}/A_i) \text{sales}_i

    with :math:`A_i = \sum_a H_{ia}`, so that AV = Σ H g / ΣE, :math:`IV_i = \sum_a H_{ia} g_a / E_i` and S of an
    institution is what its own sales add to AV. ``threshold`` [2]_: in every round, those whose leverage A/E has
    come above ``max_leverage`` sell the same share Γ of everything that they can sell to come back to
    ``target_leverage``; prices fall, portfolios are marked to market, until nobody has to sell:

    .. math:: \Gamma_i = \min(1, (A_i - \lambda^b_i E_i)/M_i), \quad
              S_a \leftarrow S_a (1 - \Psi_a), \quad
              \text{lost}_i = \sum_a P_{ia} \Psi_a (1 - (1 - \alpha) \Gamma_i)

    Parameters
    ----------
    holdings : Snapshot, or DataFrame, array or sparse matrix of shape (n, m)
        H in USD, at least 0: institutions × assets. Everything an institution owns is a column (cash with impact 0).
    equity : Series or array, shape (n,)
        E in USD, no more than the row sum of H. Beside a snapshot, by default the snapshot's.
    price_impact : Series, array or number, shape (m,)
        ℓ = 1/depth: relative fall for each USD sold. Beside a snapshot, by default 1 ÷ its depths (0 where none).
    shock : mapping or Series of asset to fall, or array of shape (m,)
        f in [0, 1] (0.3 is a fall of 30 %); assets that a mapping does not name do not fall.
    model : {"leverage_targeting", "threshold"}
    insolvent : {"sell", "hold"}
        What institutions do whose equity is gone when they would sell: everything goes (what both formulas give as
        E → 0), or nothing (resolution takes longer than a fire sale).
    max_leverage, target_leverage : number, mapping, Series or array, threshold model
        λmax (required) and λb in [1, λmax], assets ÷ equity. λb is 0.95 λmax unless given.
    illiquid : list of asset labels, threshold model
        Assets that nobody sells (loans, say). Default none.
    impact : {"linear", "level_dependent"}, threshold model
        Ψ by the q USD sold in a round: min(1, ℓq) (default), or (1 − B/S)(1 − exp(−ℓq/(1 − B))), S the price and B
        the ``price_floor`` in [0, 1) (default 0: exponential), both as shares of the price after the shock.
    execution : float, threshold model
        α in [0, 1]: share of a round's fall that what is sold in it bears; default 1/2, the average of first and last.
    tol, max_rounds : float, int, threshold model
        A sale of no more than this share of what the institution holds after the shock is not made (default 1e-12);
        budget of rounds (default 10,000).
    by, netting, follow : str, snapshot
        Institutions are accounts (``account``, default) or all accounts of a ``protocol`` together; debt in an asset
        comes off the holding of it (``asset``, default) or not (``none``); with the assets of the shock fall those
        that they back (``backing``, default), their ``family``, or ``none`` (see :meth:`Snapshot.with_shock`).

    Returns
    -------
    FireSale

    Raises
    ------
    InputError
        Values out of range, labels that do not fit, an argument of the other model, nobody with equity above 0.
    ConvergenceError
        Institutions still sold when the budget of rounds ran out; the message carries rounds and what they would sell.

    References
    ----------
    .. [1] Greenwood, Landier, Thesmar (2015), Vulnerable banks, Journal of Financial Economics 115(3).
    .. [2] Cont, Schaanning (2017), Fire sales, indirect contagion and systemic stress testing, Norges Bank Working
       Paper 2/2017; the overlap indices: Cont, Schaanning (2019), Journal of Banking & Finance 104.

    Examples
    --------
    A holds 100 with equity 20 (b = 4) and loses 10: it sells 40, the price falls by 40/1000, and B, which holds 50
    of the asset and has no debt, loses 2 of its 50.

    >>> sale = fire_sale([[100.0], [50.0]], [20.0, 50.0], 0.001, [0.1])
    >>> sale.assets[["sold_usd", "price_fall"]].values.tolist()
    [[40.0, 0.04]]
    >>> sale.indirect_vulnerability.tolist()
    [0.2, 0.04]
    """
    asked = {"max_leverage": max_leverage, "target_leverage": target_leverage, "illiquid": illiquid, "impact": impact}
    asked |= {"price_floor": price_floor, "execution": execution, "tol": tol, "max_rounds": max_rounds}
    sale_rules.one_of("model", model, MODELS)
    sale_rules.one_of("insolvent", insolvent, INSOLVENT)
    reading = {"by": by, "netting": netting, "follow": follow}
    books, falls, told = sale_rules.laid_out(holdings, equity, price_impact, shock, reading)
    told |= {"model": model, "insolvent": insolvent}
    rule = None
    if model == "threshold":
        rule = sale_rules.constraint(books, insolvent, asked)
        outcome = threshold(books, falls, rule)
        told |= sale_rules.told_rule(rule, books)
    else:
        sale_rules.refuse_given(asked, "model='threshold'")
        outcome = leverage_targeting(books, falls, insolvent_sell=insolvent == "sell")
    return FireSale(
        portfolios=books,
        model=model,
        shock=read_only(falls),
        outcome=outcome,
        rule=rule,
        notes=(*books.notes, *sale_rules.notes(books, falls, outcome, insolvent, rule)),
        provenance=Provenance("fire_sale", books.digest, told),
    )
