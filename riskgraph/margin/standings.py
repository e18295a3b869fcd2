"""How some margin accounts stand: what a desk that calls for margin asks of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints

if TYPE_CHECKING:
    from riskgraph.margin.derivatives import DerivativeMargins

__all__ = ["MET", "Standing", "Standings"]

MET = 1e-12  # share of a call level, and of a need, below which what is lacking is rounding


@dataclass(frozen=True, eq=False)
class Standing:
    """Sums of margin accounts, USD, and their health; arrays in the order in which they were asked for."""

    collateral: Floats
    weighted: Floats
    debt: Floats
    burden: Floats
    health: Floats

    @classmethod
    def of_sums(cls, collateral: Floats, weighted: Floats, debt: Floats, burden: Floats) -> Standing:
        """Form health where there are no longs and shorts."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            health = np.where(debt > 0.0, weighted / burden, np.inf)
        return cls(collateral, weighted, debt, burden, health)


class Standings(Protocol):
    """Margin accounts at the prices that are shown, formed all at once or when somebody asks."""

    @property
    def derivatives(self) -> DerivativeMargins | None:
        """Longs and shorts, None where there are none."""

    @property
    def looked_at(self) -> Ints | None:
        """Margin accounts that may stand otherwise than when somebody looked before; None: all."""

    @property
    def resting_usd(self) -> float:
        """Least repayment that would cure those below who have a call already and nobody who could pay, USD."""

    def below(self, level: Floats) -> Ints:
        """Margin accounts, ascending, whose health is below ``level`` (by margin account) by more than rounding.

        Those may be left out who are liquidatable where nobody asks them before, and those who count as resting.
        """

    def still_below(self, margins: Ints, level: Floats) -> Bools:
        """Which of some margin accounts are below, liquidatable or not."""

    def standing(self, margins: Ints) -> Standing:
        """How some of them stand."""
