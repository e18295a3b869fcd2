"""SPAN: the margin of portfolios of futures and options, by scenarios of prices and volatilities (METHODS 5.10)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Floats, Ints, Labels, read_only, summed
from riskgraph.errors import InputError
from riskgraph.margin import span_charges as charges
from riskgraph.margin import span_tables as tables
from riskgraph.margin.span_inputs import check_rate, portfolio_rows, risk_arrays_of, scenarios_of
from riskgraph.provenance import Provenance
from riskgraph.showing import Showing
from riskgraph.snapshot.scanning import commodities_of, scan_risk
from riskgraph.snapshot.scenarios import EXTREME_COVER, EXTREME_MOVE, Scenario, scenario_frame
from riskgraph.snapshot.snapshot import check_snapshot

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["SpanMargin", "span_margin"]


@dataclass(frozen=True, eq=False, repr=False)
class SpanMargin(Showing):
    """What margin every portfolio needs, and which scenario sets it.

    Attributes
    ----------
    index : MultiIndex, shape (n_portfolios,)
        Account, protocol and bucket of each portfolio.
    portfolio : ndarray of int, shape (n_commodities,)
        Which portfolio each combined commodity (what a portfolio holds in one product family) is of.
    family : ndarray of str, shape (n_commodities,)
    profit : ndarray, shape (n_commodities, n_scenarios)
        USD gained in each scenario.
    parts : mapping of str to ndarray, shape (n_commodities,)
        USD: ``scan_risk``, ``inter_month``, ``inter_commodity``, ``short_option_minimum``, ``risk``,
        ``net_option_value``, ``requirement``.
    table : tuple of Scenario
    notes : tuple of str
    """

    index: pd.MultiIndex
    portfolio: Ints
    family: Labels
    profit: Floats
    parts: Mapping[str, Floats]
    table: tuple[Scenario, ...]
    notes: tuple[str, ...]
    provenance: Provenance

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", MappingProxyType(dict(self.parts)))
        for array in (self.portfolio, self.family, self.profit, *self.parts.values()):
            read_only(array)

    def __len__(self) -> int:
        return len(self.index)

    @cached_property
    def requirement_usd(self) -> pd.Series[float]:
        """Margin by portfolio, USD: risk less net option value. Below 0: options worth more than the risk needs."""
        return self._series("requirement")

    @cached_property
    def risk_usd(self) -> pd.Series[float]:
        """Margin before net option value is taken off, by portfolio: what equity, options included, must cover."""
        return self._series("risk")

    @cached_property
    def scan_risk_usd(self) -> pd.Series[float]:
        """Largest loss over the scenarios, added up over product families, by portfolio, USD, at least 0."""
        return self._series("scan_risk")

    @cached_property
    def net_option_value_usd(self) -> pd.Series[float]:
        """Value of options held less that of options sold, by portfolio, USD."""
        return self._series("net_option_value")

    @cached_property
    def scenario(self) -> pd.Series[Any]:
        """Number of the scenario that sets the scan risk, from 1, <NA> where nothing is lost in any.

        The first of equals; of several product families that with the largest scan risk (see ``families`` for all).
        """
        import pandas as pd

        scan = self.parts["scan_risk"]
        order = np.lexsort((-scan, self.portfolio))  # each portfolio's largest scan risk first
        first = order[np.searchsorted(self.portfolio, np.arange(len(self)))]
        return pd.Series(tables.scenario_numbers(self.profit[first]), index=self.index, name="scenario")

    @cached_property
    def scenarios(self) -> pd.DataFrame:
        """Profit of each portfolio (row) in each scenario (column), USD: its product families moved together.

        Scan risk takes each family at its own worst; ``family_scenarios`` has them apart.
        """
        return self._profit_frame(np.stack([self.by_portfolio(each) for each in self.profit.T], axis=1), self.index)

    @cached_property
    def family_scenarios(self) -> pd.DataFrame:
        """Profit of each portfolio's product family (row) in each scenario (column), USD."""
        return self._profit_frame(self.profit, self.family_index)

    @cached_property
    def families(self) -> pd.DataFrame:
        """Frame by portfolio and product family, with the columns of ``to_frame``."""
        return tables.families_frame(self)

    @property
    def definitions(self) -> pd.DataFrame:
        """Frame by scenario: its moves of price and volatility, and the share of profit or loss that counts."""
        return scenario_frame(self.table)

    def to_frame(self) -> pd.DataFrame:
        """Frame by portfolio: scan risk, its scenario, charges, credit, risk, net option value, requirement (USD).

        The parts of several product families add up.
        """
        return tables.portfolios_frame(self)

    def by_portfolio(self, values: Floats) -> Floats:
        """Add up values of combined commodities over each portfolio."""
        return summed(self.portfolio, values, len(self))

    @cached_property
    def family_index(self) -> pd.MultiIndex:
        """Account, protocol, bucket and product family of each combined commodity."""
        import pandas as pd

        of = self.index[self.portfolio]
        parts = [of.get_level_values(at) for at in range(of.nlevels)]
        return pd.MultiIndex.from_arrays([*parts, self.family], names=[*of.names, "family"])

    @property
    def size(self) -> str:
        """How many portfolios there are, and of how many product families."""
        several = "" if len(self) == 1 else "s"
        families = len(set(self.family))
        return f"{len(self):,} portfolio{several} in {families:,} product famil{'y' if families == 1 else 'ies'}"

    def summary(self) -> str:
        """Say in a few lines what is required, and why."""
        return "\n".join(tables.summary_lines(self))

    def shown_tables(self) -> list[pd.DataFrame]:
        """Give the portfolios that need most."""
        return [self.to_frame().sort_values("requirement_usd", ascending=False, kind="stable").head(10)]

    def plot(self, ax: Axes | None = None, *, portfolio: int = 0) -> Axes:
        """Draw profit and loss of one portfolio in every scenario, the largest requirement first (0).

        Raises
        ------
        InputError
            There is no such portfolio.
        """
        from riskgraph.view.figures.charts import bars

        if not 0 <= portfolio < len(self):
            raise InputError(f"portfolio: expected a number from 0 to {len(self) - 1}, got {portfolio!r}")
        order = self.requirement_usd.sort_values(ascending=False, kind="stable").index
        row = self.scenarios.loc[order[portfolio]]
        who = " ".join(str(part) for part in order[portfolio] if str(part))
        names, source = [f"scenario {number}" for number in row.index], str(self.provenance)
        return bars(names, (-row).tolist(), ax=ax, title=f"Loss of {who}", source=source)

    def __repr__(self) -> str:
        return f"<SpanMargin: {self.size}; ${self.parts['requirement'].sum():,.0f} required>"

    def _series(self, name: str) -> pd.Series[float]:
        import pandas as pd

        return pd.Series(self.by_portfolio(self.parts[name]), index=self.index, name=f"{name}_usd")

    def _profit_frame(self, profit: Floats, index: pd.MultiIndex) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame(profit, index=index, columns=pd.RangeIndex(1, len(self.table) + 1, name="scenario"))


def span_margin(
    snap: Snapshot,
    *,
    protocol: str | None = None,
    extreme_move: float = EXTREME_MOVE,
    extreme_cover: float = EXTREME_COVER,
    rate: float = 0.0,
    risk_arrays: pd.DataFrame | None = None,
    scenarios: pd.DataFrame | None = None,
    volatility_term: Callable[[Floats], Any] | None = None,
    inter_month: float | Mapping[str, float] = 0.0,
    inter_commodity: Mapping[tuple[str, str], float] | None = None,
    short_option_minimum: float | Mapping[str, float] = 0.0,
) -> SpanMargin:
    r"""Give the SPAN margin of every portfolio: its loss in the worst of 16 scenarios less the value of its options.

    A portfolio is what a margin account holds long and short at a protocol whose rule is ``portfolio_margin``. All
    assets of one family (``assets.family``) are one combined commodity, whose products move together:

    .. math:: \text{scan}_f = \max\Big(0, \max_s - \sum_{k \in f} q_k \, \pi_{ks}\Big), \qquad
              \text{margin} = \sum_f \max(\text{scan}_f + \text{month}_f - \text{credit}_f, \text{minimum}_f)
              - \sum_k q_k V_k

    with signed units q, profit π of a unit of contract k in scenario s, and the value V of options (Black-76, forward =
    the asset's price as the protocol shows it). Scenarios 1 to 14 move the price by 0, ±1/3, ±2/3 and ±1 times
    ``assets.scan_range``, each with implied volatility up and down by ``assets.volatility_scan``; of 15 and 16, the
    extreme moves, a share counts. A price or volatility that a scenario would take below 0 is taken as 0, and said.

    Parameters
    ----------
    snap : Snapshot
        Long and short rows without option columns are futures; a contract size of 500 is an amount of 500.
    protocol : str, optional
        Portfolios at this protocol alone; default all protocols with rule ``portfolio_margin``.
    extreme_move, extreme_cover : float
        Extreme price move in scan ranges, and the share of its profit or loss that counts, 0 to 1.
    rate : float
        Interest for Black-76, share a year, continuously compounded.
    risk_arrays : DataFrame, optional
        Published arrays: asset, for options also option_type, strike and expiry, and a column for each scenario (1 to
        16) with the profit of one unit long, USD, as it counts. They take the place of the model for these contracts.
    scenarios : DataFrame, optional
        Another table than the 16, a row a scenario: ``price_move`` (share of the price) or ``price_scans`` (scan
        ranges), ``volatility_move`` (share of the implied volatility) or ``volatility_scans``, and ``weight`` (share of
        profit or loss that counts, default 1).
    volatility_term : callable, optional
        Factor on volatility moves for an array of years to expiry: ``lambda years: (30 / (365 * years)) ** 0.3``.
    inter_month : float or mapping of family to float
        Charge, as a share of the USD of delta by which months of expiry offset one another, 0 to 1.
    inter_commodity : mapping of (family, family) to float
        Credit rates, 0 to 1, in the order in which spreads are formed: the share of the price risk (delta × scan
        range) by which two families offset one another that is taken off on both sides.
    short_option_minimum : float or mapping of family to float
        Least requirement for a unit of option sold net, as a share of the price of the underlying, 0 to 1.

    Returns
    -------
    SpanMargin

    Raises
    ------
    InputError
        No portfolio, or a protocol that is unknown or has another rule; a scan range missing for an asset that needs it
        (named); arguments out of range, arrays or scenarios that cannot be read.

    Notes
    -----
    ``requirement_usd`` stands against cash and unrealised PnL. ``rg.health`` divides *equity*, which holds option
    values, by ``risk_usd``, the requirement before net option value is taken off: both tests are the same. It takes the
    16 scenarios as they are by default, rate 0, and no charges or credits.

    References
    ----------
    .. [1] CME Group, SPAN methodology.
    .. [2] McMillan (2012), Options as a Strategic Investment, ch. 34.

    Examples
    --------
    500 long at 400 with a scan range of 5 %: a fall by one scan range costs 500 · 20 = 10,000 (scenarios 13 and 14),
    an extreme one 35 % of 20,000.

    >>> import pandas as pd, riskgraph as rg
    >>> snap = rg.Snapshot(
    ...     positions=pd.DataFrame({
    ...         "account": ["ann"], "protocol": ["house"], "asset": ["SPX"], "side": ["long"], "amount": [500.0]}),
    ...     assets=pd.DataFrame({"asset": ["SPX"], "price": [400.0], "scan_range": [0.05]}),
    ...     protocols=pd.DataFrame({"protocol": ["house"], "rule": ["portfolio_margin"]}))
    >>> span = rg.span_margin(snap)
    >>> span.to_frame()[["account", "scan_risk_usd", "scenario", "requirement_usd"]].to_dict("records")
    [{'account': 'ann', 'scan_risk_usd': 10000.0, 'scenario': 13, 'requirement_usd': 10000.0}]
    >>> span.scenarios.loc[("ann", "house", ""), [13, 16]].tolist()
    [-10000.0, -7000.0]
    """
    check_snapshot(snap)
    rate = check_rate(rate)
    table = scenarios_of(scenarios, extreme_move, extreme_cover)
    rates = charges.charge_rates(inter_month, inter_commodity, short_option_minimum, snap.families.names)
    book = commodities_of(snap, portfolio_rows(snap, protocol))
    arrays, notes = risk_arrays_of(
        snap, book.contracts, table, rate, volatility_term, risk_arrays, crediting=bool(rates.inter_commodity)
    )
    profit = book.units @ arrays
    margins, portfolio = np.unique(book.margin, return_inverse=True)
    asked: dict[str, Any] = {"protocol": protocol, "rate": rate}
    asked |= {"extreme_move": extreme_move, "extreme_cover": extreme_cover, "inter_month": inter_month}
    asked |= {"inter_commodity": inter_commodity, "short_option_minimum": short_option_minimum}
    tabled = {"risk_arrays": risk_arrays, "scenarios": scenarios, "volatility_term": volatility_term}
    asked |= {name: "given" for name, given in tabled.items() if given is not None}
    return SpanMargin(
        index=tables.portfolio_index(snap, margins),
        portfolio=portfolio,
        family=np.array(snap.families.names, dtype=object)[book.family],
        profit=profit,
        parts=charges.margin_parts(book, scan_risk(profit), rates, rate),
        table=table,
        notes=(*notes, *tables.notes_on(snap, book, rates, rate)),
        provenance=Provenance("span_margin", snap.digest, asked),
    )
