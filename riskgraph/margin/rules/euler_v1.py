"""Euler v1: a discount of 2 % plus what health lacks, repayment to a health of 1.25, a fee on top for reserves."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from riskgraph.margin.rounding import Amounts, places, quotient, rounded_down
from riskgraph.margin.rules.rule import Pair, PairCall, PairRule, above, first_reason, where_made

__all__ = ["EulerV1"]


class EulerV1(PairRule):
    r"""``Liquidation.liquidate`` of Euler v1 (historical).

    .. math:: d = \min(d_0 + \min(\text{booster}, d_0),\ d_{max}), \quad d_0 = 0.02 + 1 - HF, \qquad
              D_T = \frac{1.25\, L - W}{(1.25 / BF - CF / (1 - d))\, p_D}

    with ``L`` = Σ debt ÷ borrow factor and ``W`` = Σ value · collateral factor; where the denominator is not above 0,
    all of the debt may be repaid. ``repaid`` is what the debt falls by: 2 % of it go to reserves on top, and a request
    is for both together. A request above the most is refused; a call on a healthy account does nothing, nor does one
    for collateral worth nothing. The liquidator takes over debt and collateral, as under :mod:`euler_v2`. Debt without
    collateral stays on the books. Every token is counted in whole 1e-18, whatever its own decimals.

    References
    ----------
    .. [1] euler-xyz/euler-contracts, ``Liquidation.computeLiqOpp``, ``executeLiquidation``.
    """

    name: ClassVar[str] = "euler_v1"
    healthy_reason: ClassVar[str] = ""
    takes_over: ClassVar[bool] = True

    def call(self, at: Pair) -> PairCall:
        """Repay what is asked, or all that the target health allows, and seize at the discount."""
        discount = self._discount(at)
        limit = self._limit(at, discount)
        fee = at.term("repay_reserve_fee")
        wad = places(at.debt_scale, 18)
        most = rounded_down(limit * (1 + fee), wad)
        asked = np.where(at.repay == np.inf, most, at.repay)
        repaid = np.where(asked == most, limit, rounded_down(asked / (1 + fee), wad))
        repaid = np.minimum(repaid, limit)
        worth = quotient(repaid * at.debt_price, at.collateral_price * (1 - discount))
        seized = np.minimum(rounded_down(worth, places(at.collateral_scale, 18)), at.collateral)
        refused = first_reason(
            (at.by_itself, "e/liq/self-liquidation"),
            (above(asked, most), "e/liq/excessive-repay-amount"),
        )
        extra = np.maximum(np.minimum(asked, most) - repaid, 0)
        return PairCall(
            refused,
            repaid,
            seized,
            fee=seized * 0,
            closes=np.zeros(len(refused), dtype=np.bool_),
            more={"discount": discount, "reserve_fee": where_made(refused, extra)},
            surcharge=extra,
        )

    def _discount(self, at: Pair) -> Amounts:
        """Share of its price at which collateral is handed over cheaper; 0 where the account is healthy."""
        plain = at.term("base_discount") + 1 - quotient(at.weighted_usd, at.owed_usd, 1)
        boosted = plain + np.minimum(at.term("discount_booster"), plain)
        return np.where(at.liquidatable, np.minimum(boosted, at.term("max_liquidation_discount")), 0)

    def _limit(self, at: Pair, discount: Amounts) -> Amounts:
        """Debt that a call may repay: to the target health, and no more than the collateral pays for."""
        target = at.term("target_health_factor")
        heavy = quotient(target, at.debt_term("borrow_factor"))
        cured = heavy - quotient(at.threshold, 1 - discount, np.inf)  # weighted debt, by one USD repaid
        short = target * at.owed_usd - at.weighted_usd
        wad = places(at.debt_scale, 18)
        needed = rounded_down(quotient(short, cured * at.debt_price, np.inf), wad)
        limit = np.where(cured > 0, np.minimum(at.debt, needed), at.debt)
        paid_for = at.collateral * at.collateral_price * (1 - discount)
        short_of = limit * at.debt_price > paid_for
        limit = np.where(short_of, rounded_down(quotient(paid_for, at.debt_price), wad), limit)
        return np.where(at.liquidatable, limit, 0)
