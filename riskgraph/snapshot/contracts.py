"""Contracts that portfolios hold: the different instruments among position rows, and what each gains by scenario."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints
from riskgraph.snapshot.black76 import option_delta, option_value
from riskgraph.snapshot.options import CALL
from riskgraph.snapshot.scenarios import Scenario

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["Contracts", "by_asset", "contracts_of"]


@dataclass(frozen=True, eq=False)
class Contracts:
    """Different futures and options among some position rows, arrays of shape (n_contracts,).

    ``of_row`` (n_rows,) says which contract each row is in. ``kind`` is the code in ``positions.option_type``, -1 for
    futures; ``strike``, ``expiry`` and ``volatility`` are NaN there. ``scan_range`` (share of the price) and
    ``volatility_scan`` (share a year) are NaN where ``assets`` gives none.
    """

    of_row: Ints
    asset: Ints
    price: Floats
    kind: Ints
    strike: Floats
    expiry: Floats
    volatility: Floats
    scan_range: Floats
    volatility_scan: Floats

    def __len__(self) -> int:
        return len(self.asset)

    @cached_property
    def options(self) -> Ints:
        """Which contracts are options."""
        return np.flatnonzero(self.kind >= 0)

    def value(self, rate: float) -> Floats:
        """USD a unit that an option is worth; 0 for futures, which are settled as they move."""
        value = np.zeros(len(self))
        value[self.options] = self._black76(option_value, self.price, self.volatility, rate)
        return value

    def delta(self, rate: float) -> Floats:
        """Change of value for each USD that the price moves: 1 for futures."""
        delta = np.ones(len(self))
        delta[self.options] = self._black76(option_delta, self.price, self.volatility, rate)
        return delta

    def profit(self, scenarios: Sequence[Scenario], rate: float = 0.0, term: Floats | float = 1.0) -> Floats:
        r"""Risk arrays: profit in each scenario for each unit long, USD, shape (n_contracts, n_scenarios).

        .. math:: w \, (\text{Black76}(F (1 + m), \sigma') - \text{Black76}(F, \sigma)),
                  \qquad w \, F m \text{ for futures}

        with the scenario's weight w, price move m and volatility σ'; ``term`` multiplies its move of volatility.
        A contract that lacks a scan range is not moved by it: who calls has looked (:meth:`lacking`).
        """
        profit = np.empty((len(self), len(scenarios)))
        now = self.value(rate)
        for at, scenario in enumerate(scenarios):
            move = np.maximum(self._move(scenario), -1.0)  # no price falls by more than all of it
            volatility = np.maximum(self._volatility(scenario, term), 0.0)
            gain = self.price * move
            moved = self._black76(option_value, self.price * (1.0 + move), volatility, rate)
            gain[self.options] = moved - now[self.options]
            profit[:, at] = scenario.weight * gain
        return profit

    def lacking(self, scenarios: Sequence[Scenario]) -> tuple[Bools, Bools]:
        """Contracts that some scenario moves by a price, or a volatility, scan range which nobody gave."""
        price = any(scenario.price_scans for scenario in scenarios)
        volatility = any(scenario.volatility_scans for scenario in scenarios)
        return np.isnan(self.scan_range) & price, np.isnan(self.volatility_scan) & (self.kind >= 0) & volatility

    def floored(self, scenarios: Sequence[Scenario], term: Floats | float = 1.0) -> tuple[Bools, Bools]:
        """Contracts that some scenario would move to a price, or a volatility, below 0."""
        price, volatility = np.zeros(len(self), dtype=bool), np.zeros(len(self), dtype=bool)
        for scenario in scenarios:
            price |= self._move(scenario) < -1.0
            volatility |= self._volatility(scenario, term) < 0.0  # NaN: futures have none
        return price, volatility

    def _move(self, scenario: Scenario) -> Floats:
        return scenario.price_move + scenario.price_scans * np.nan_to_num(self.scan_range)

    def _volatility(self, scenario: Scenario, term: Floats | float) -> Floats:
        by_scan = scenario.volatility_scans * np.nan_to_num(self.volatility_scan)
        return self.volatility + term * (scenario.volatility_move * self.volatility + by_scan)

    def _black76(self, formula: Callable[..., Floats], price: Floats, volatility: Floats, rate: float) -> Floats:
        terms = (part[self.options] for part in (price, self.strike, self.expiry, volatility))
        return formula(*terms, self.kind[self.options] == CALL, rate)


def contracts_of(snap: Snapshot, rows: Ints) -> Contracts:
    """Find the different contracts among position rows (long or short).

    Two rows are in one contract if asset, price, option type, strike, expiry and implied volatility are the same; the
    price is that which the row's protocol shows.
    """
    book, positions = snap.book, snap.table("positions")
    kind, asset, price = positions.code("option_type")[rows], book.asset[rows], book.price[rows]
    strike, expiry, volatility = (positions.number(name)[rows] for name in ("strike", "expiry", "implied_vol"))
    first, of_row = _distinct(asset, price, kind, strike, expiry, volatility)
    return Contracts(
        of_row=of_row,
        asset=asset[first],
        price=price[first],
        kind=kind[first],
        strike=strike[first],
        expiry=expiry[first],
        volatility=volatility[first],
        scan_range=by_asset(snap, "scan_range")[asset[first]],
        volatility_scan=by_asset(snap, "volatility_scan")[asset[first]],
    )


def _distinct(*columns: Ints | Floats) -> tuple[Ints, Ints]:
    """Give rows a number by their values in all columns: the first row of each number, and the number of each row."""
    import pandas as pd

    code = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        part, values = pd.factorize(column, use_na_sentinel=False)
        code = pd.factorize(code * len(values) + part)[0]
    first = np.empty(int(code.max(initial=-1)) + 1, dtype=np.int64)
    first[code[::-1]] = np.arange(len(code))[::-1]  # the earliest row is written last
    return first, code


def by_asset(snap: Snapshot, name: str) -> Floats:
    """Give a column of ``assets`` by asset code, NaN where nothing is given."""
    assets = snap.table("assets")
    values = np.full(len(assets), np.nan)
    values[assets.code("asset")] = assets.number(name)
    return values
