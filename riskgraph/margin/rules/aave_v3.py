"""Aave v3 since 3.3: half of all debt or the whole reserve, no dust left, the fee a share of the bonus, a deficit."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from riskgraph.margin.rounding import Amounts, places, quotient, rounded_down, rounded_half_up, rounded_up
from riskgraph.margin.rules.rule import Pair, PairCall, PairRule, first_reason, leaves_dust, seized_with_bonus

__all__ = ["AaveV3"]

USD = 8  # digits of values in the base currency


class AaveV3(PairRule):
    r"""``Pool.liquidationCall`` of Aave v3.

    .. math:: \text{limit} = D \text{ if } HF \le 0.95 \text{ or } V_C < 2000 \text{ or } V_D < 2000, \text{ else }
              \min(D, \tfrac12 D_{tot} / p_D), \qquad
              \text{seized} = \min(C, \lfloor \text{repaid} \cdot p_D / p_C \rfloor \cdot LB)

    References
    ----------
    .. [1] aave-dao/aave-v3-origin, ``LiquidationLogic.executeLiquidationCall``.
    """

    name: ClassVar[str] = "aave_v3"
    healthy_reason: ClassVar[str] = "HealthFactorNotBelowThreshold"
    usd_decimals: ClassVar[int | None] = USD
    bearer: ClassVar[str] = "deficit"

    def call(self, at: Pair) -> PairCall:
        """Repay up to the limit, seize with bonus, refuse dust, write off what no collateral is left for."""
        cover = np.minimum(at.repay, self._limit(at))
        repaid, seized = seized_with_bonus(at, cover, 1 + at.term("liquidation_bonus"))
        part = seized - rounded_down(seized / (1 + at.term("liquidation_bonus")), at.collateral_scale)
        fee = rounded_up(part * at.term("protocol_fee"), at.collateral_scale)
        refused = first_reason(
            (~at.liquidatable, self.healthy_reason),
            ((at.threshold <= 0) | (at.collateral <= 0), "CollateralCannotBeLiquidated"),
            (at.debt <= 0, "SpecifiedCurrencyNotBorrowedByUser"),
            (leaves_dust(at, repaid, seized, at.term("min_leftover_base")), "MustNotLeaveDust"),
        )
        left = at.collateral_value - rounded_down(seized * at.collateral_price, places(at.collateral_scale, USD))
        others = at.weighted_usd - at.collateral_value * at.threshold  # 0 also where others have a threshold of 0
        return PairCall(refused, repaid, seized, fee, others + left <= 0)

    def _limit(self, at: Pair) -> Amounts:
        """Debt that one call may repay: all of the reserve's where health or pair is small, else half of all debts."""
        small = at.term("min_base_max_close_factor_threshold")
        whole = (
            (at.weighted_usd <= at.term("close_factor_hf_threshold") * at.debt_usd)
            | (at.collateral_value < small)
            | (at.debt_value < small)
        )
        half = rounded_half_up(at.term("close_factor") * at.debt_usd, places(at.debt_scale, USD))
        part = rounded_down(quotient(half, at.debt_price), at.debt_scale)
        return np.where(whole | (at.debt_value <= half), at.debt, part)
