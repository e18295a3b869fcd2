"""What a SPAN margin is asked of: portfolios, scenarios and risk arrays, checked at the border."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints
from riskgraph.errors import Faults, InputError
from riskgraph.margin.published_arrays import published_profit
from riskgraph.snapshot.contracts import Contracts
from riskgraph.snapshot.frames import protocol_terms
from riskgraph.snapshot.scanning import RULE, scanned_rows
from riskgraph.snapshot.scenarios import EXTREME_COVER, EXTREME_MOVE, Scenario, classic_scenarios, given_scenarios

if TYPE_CHECKING:
    import pandas as pd

    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["check_rate", "portfolio_rows", "risk_arrays_of", "scenarios_of"]


def portfolio_rows(snap: Snapshot, protocol: str | None) -> Ints:
    """Long and short rows at the protocols whose rule is portfolio_margin, or at one of them."""
    names, rules = snap.labels("protocol").to_pylist(), protocol_terms(snap)[1]
    if protocol is not None and protocol not in names:
        raise InputError(f"protocol: expected one of {', '.join(names)}, got {protocol!r}")
    if protocol is not None and rules[names.index(protocol)] != RULE:
        rule = rules[names.index(protocol)]
        raise InputError(f"protocol: expected one with rule {RULE}, got {protocol!r} with rule {rule}")
    rows = np.flatnonzero(scanned_rows(snap))
    if protocol is not None:
        rows = rows[snap.book.protocol[rows] == names.index(protocol)]
    if not len(rows):
        where = f"at {protocol}" if protocol is not None else f"at a protocol with rule {RULE} (protocols.rule)"
        raise InputError(f"positions.side: expected portfolios of long or short rows {where}, got none")
    return rows


def scenarios_of(table: Any, extreme_move: float, extreme_cover: float) -> tuple[Scenario, ...]:
    """Give the table that somebody handed in, else the 16 scenarios of SPAN."""
    if table is None:
        return classic_scenarios(extreme_move, extreme_cover)
    if (extreme_move, extreme_cover) != (EXTREME_MOVE, EXTREME_COVER):
        raise InputError("extreme_move, extreme_cover: expected neither beside scenarios, whose table says all moves")
    return given_scenarios(table)


def check_rate(rate: Any) -> float:
    """Refuse an interest rate that is no finite number."""
    if isinstance(rate, bool) or not isinstance(rate, int | float | np.number) or not np.isfinite(rate):
        raise InputError(f"rate: expected a finite number (share a year), got {rate!r}")
    return float(rate)


def risk_arrays_of(
    snap: Snapshot,
    contracts: Contracts,
    scenarios: tuple[Scenario, ...],
    rate: float,
    volatility_term: Callable[[Floats], Any] | None,
    published: pd.DataFrame | None,
    *,
    crediting: bool,
) -> tuple[Floats, list[str]]:
    """Profit for each unit long of every contract in every scenario, published or by Black-76, and notes on it.

    ``crediting``: scan ranges are needed of all contracts, since inter-commodity credits are measured in them.
    """
    term = _term(contracts, volatility_term)
    profit = contracts.profit(scenarios, rate, term)
    modelled = np.ones(len(contracts), dtype=bool)
    notes = []
    if published is not None:
        found, arrays = published_profit(published, snap, contracts, len(scenarios))
        profit[found], modelled[found] = arrays, False
        notes.append(f"risk_arrays: given for {len(found):,} of {len(contracts):,} contracts, Black-76 for the others")
    price, volatility = contracts.lacking(scenarios)
    _check_scan_ranges(
        snap, contracts, (price & modelled) | (np.isnan(contracts.scan_range) & crediting), volatility & modelled
    )
    return profit, notes + _floor_notes(contracts, scenarios, term, modelled)


def _term(contracts: Contracts, volatility_term: Callable[[Floats], Any] | None) -> Floats:
    """Give the factor on volatility moves of every contract, by its years to expiry; 1 where nothing is asked."""
    term = np.ones(len(contracts))
    if volatility_term is not None:
        expiry = contracts.expiry[contracts.options]
        factor = np.asarray(volatility_term(expiry.copy()), dtype=np.float64)
        if factor.shape != expiry.shape or not (np.isfinite(factor) & (factor >= 0.0)).all():
            raise InputError("volatility_term: expected a finite factor of at least 0 for each expiry (years)")
        term[contracts.options] = factor
    return term


def _check_scan_ranges(snap: Snapshot, contracts: Contracts, price: Bools, volatility: Bools) -> None:
    """Raise one InputError that names the assets of contracts which lack a scan range that they need."""
    faults = Faults()
    for column, lacks, what in (
        ("scan_range", price, "every product that a scan range moves"),
        ("volatility_scan", volatility, "every option whose volatility a scan range moves"),
    ):
        assets = np.unique(contracts.asset[lacks])
        if len(assets):
            labels = [snap.labels("asset")[int(code)].as_py() for code in assets]
            more = f" and {len(labels) - 5} more" if len(labels) > 5 else ""
            faults.add(f"assets.{column}", f"expected a value for {what}", f"none for {', '.join(labels[:5])}{more}")
    faults.raise_if_any()


def _floor_notes(contracts: Contracts, scenarios: tuple[Scenario, ...], term: Floats, modelled: Bools) -> list[str]:
    words = ("fall by more than its whole price: taken as a price of 0", "fall below 0: taken as a volatility of 0")
    notes = []
    for name, floored, told in zip(("price", "volatility"), contracts.floored(scenarios, term), words, strict=True):
        count = int((floored & modelled).sum())
        if count:
            notes.append(f"scenarios: some would let the {name} of {count:,} contracts {told}")
    return notes
