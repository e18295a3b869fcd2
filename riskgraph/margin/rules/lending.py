"""Generic lending: close factor, bonus, fee, dust, small positions and a target health, every one open."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from riskgraph.margin.rounding import Amounts, filled, quotient, rounded_down, rounded_up
from riskgraph.margin.rules.rule import Pair, PairCall, PairRule, first_reason, leaves_dust, seized_with_bonus

__all__ = ["Lending"]


class Lending(PairRule):
    r"""The rule that most lending protocols are cases of.

    .. math:: \text{limit} = \min(D \cdot \text{close factor or } 1,\ D_T), \qquad
              D_T = \frac{T D_{tot} - W}{(T - LT (1 + b)) p_D}

    with ``T`` the target health, where one is given; where ``LT (1 + b) ≥ T`` no repayment reaches it, and it sets no
    limit. The bearer of debt without collateral is the reserve, then the lenders of the debt asset.
    """

    name: ClassVar[str] = "lending"
    bearer: ClassVar[str] = "reserve"

    def call(self, at: Pair) -> PairCall:
        """Repay up to the limit and seize with bonus."""
        factor = 1 + at.term("liquidation_bonus")
        cover = np.minimum(at.repay, self._limit(at, factor))
        repaid, seized = seized_with_bonus(at, cover, factor)
        fee = rounded_up((seized - rounded_down(seized / factor, at.collateral_scale)) * at.term("protocol_fee"),
                         at.collateral_scale)  # fmt: skip
        refused = first_reason(
            (~at.liquidatable, self.healthy_reason),
            (leaves_dust(at, repaid, seized, at.term("min_leftover_base")), "dust left"),
        )
        gone = (at.other_collateral_usd <= 0) & (seized >= at.collateral)
        return PairCall(refused, repaid, seized, fee, gone)

    def _limit(self, at: Pair, factor: Amounts) -> Amounts:
        small = at.term("min_base_max_close_factor_threshold")
        whole = (
            (at.weighted_usd <= at.term("close_factor_hf_threshold") * at.debt_usd)
            | (at.collateral_value < small)
            | (at.debt_value < small)
        )
        limit = np.where(whole, at.debt, rounded_down(at.debt * at.term("close_factor"), at.debt_scale))
        target = filled(at.term("target_health_factor"), 0)  # 0: no target, which sets no limit
        slope = target - at.threshold * factor  # weighted debt cured by one USD repaid
        needed = rounded_up(
            quotient(target * at.debt_usd - at.weighted_usd, slope * at.debt_price, np.inf), at.debt_scale
        )
        return np.where(slope > 0, np.minimum(limit, needed), limit)
