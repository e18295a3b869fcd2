"""Aave v2: half of the debt of one reserve, a bonus, no fee, no dust rule, and no word on bad debt."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from riskgraph.margin.rounding import rounded_down, rounded_half_up
from riskgraph.margin.rules.rule import Pair, PairCall, PairRule, first_reason

__all__ = ["AaveV2"]


class AaveV2(PairRule):
    r"""``LendingPool.liquidationCall`` of Aave v2.

    .. math:: \text{limit} = \tfrac12 D, \qquad \text{seized} = \lfloor \text{repaid} \cdot p_D \cdot LB / p_C \rfloor

    Where the collateral falls short, all of it is seized for what it pays. Percentages round half up. Debt without
    collateral stays on the books.

    References
    ----------
    .. [1] aave/protocol-v2, ``LendingPoolCollateralManager.liquidationCall``.
    """

    name: ClassVar[str] = "aave_v2"
    healthy_reason: ClassVar[str] = "LPCM_HEALTH_FACTOR_NOT_BELOW_THRESHOLD"
    usd_decimals: ClassVar[int | None] = 18
    debt_rounds_up: ClassVar[bool] = False

    def call(self, at: Pair) -> PairCall:
        """Repay up to half of the debt, and seize with bonus."""
        factor = 1 + at.term("liquidation_bonus")
        cover = np.minimum(at.repay, rounded_half_up(at.debt * at.term("close_factor"), at.debt_scale))
        wanted = rounded_down(at.in_collateral(cover) * factor, at.collateral_scale)
        short = wanted > at.collateral
        needed = rounded_half_up(at.debt_for(at.collateral) / factor, at.debt_scale)
        refused = first_reason(
            (~at.liquidatable, self.healthy_reason),
            ((at.threshold <= 0) | (at.collateral <= 0), "LPCM_COLLATERAL_CANNOT_BE_LIQUIDATED"),
            (at.debt <= 0, "LPCM_SPECIFIED_CURRENCY_NOT_BORROWED_BY_USER"),
        )
        return PairCall(
            refused,
            repaid=np.where(short, np.minimum(cover, needed), cover),
            seized=np.where(short, at.collateral, wanted),
            fee=at.collateral * 0,
            closes=np.zeros(len(refused), dtype=np.bool_),
        )
