"""Euler v2: a discount that grows with what health lacks, debt taken over, and bad debt shared among lenders."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from riskgraph.margin.rounding import Amounts, quotient, rounded_down
from riskgraph.margin.rules.rule import Pair, PairCall, PairRule, above, first_reason

if TYPE_CHECKING:
    from riskgraph.margin.ledger import Ledger

__all__ = ["EulerV2"]


class EulerV2(PairRule):
    r"""``EVault.liquidate`` of the Euler Vault Kit.

    .. math:: f = \max(HF, 1 - d_{max}), \qquad
              \text{repaid} = \min(D, V_C f / p_D), \qquad
              \text{seized} = \text{repaid} \cdot p_D / (f\, p_C)

    Health at or below 1 is a violation. A smaller request seizes pro rata, a larger one is refused; a call on a healthy
    account does nothing. Collateral worth nothing is handed over for nothing. The liquidator takes over the debt and
    the collateral: a named one into its own position, whose health is not tested here (it may repay in the same
    transaction); one outside the snapshot takes both out of it. Where no collateral of any kind is left, lenders bear
    the rest at once, unless the vault says otherwise.

    References
    ----------
    .. [1] euler-xyz/euler-vault-kit, ``Liquidation.calculateLiquidation``, ``executeLiquidation``.
    """

    name: ClassVar[str] = "euler_v2"
    healthy_reason: ClassVar[str] = ""
    at_equality: ClassVar[bool] = True
    usd_decimals: ClassVar[int | None] = 18
    debt_rounds_up: ClassVar[bool] = False
    bearer: ClassVar[str] = "lenders"
    takes_over: ClassVar[bool] = True

    def weighted(self, ledger: Ledger, values: Amounts) -> Amounts:
        """Value · liquidation LTV, rounded down."""
        return rounded_down(values * ledger.threshold, ledger.usd_scale(ledger.scale))

    def call(self, at: Pair) -> PairCall:
        """Repay what is asked, or all that the discount allows, and seize in proportion."""
        most, gained = self._most(at)
        asked = np.where(at.repay == np.inf, most, at.repay)
        repaid = np.minimum(asked, most)
        part = rounded_down(quotient(repaid * gained, most), at.collateral_scale)
        seized = np.where(repaid >= most, gained, np.minimum(part, gained))
        shared = (at.term("socialise_debt") > 0) & (at.debt_usd >= at.term("min_socialisation_value"))
        refused = first_reason(
            (at.by_itself, "E_SelfLiquidation"),
            (above(asked, most), "E_ExcessiveRepayAmount"),
        )
        bare = (seized >= at.collateral) & ~at.other_collateral
        return PairCall(refused, repaid, seized, seized * 0, at.liquidatable & shared & bare)

    def _most(self, at: Pair) -> tuple[Amounts, Amounts]:
        """Give the largest repayment, and the collateral for it; nothing where the account is healthy."""
        wad = at.usd_scale
        factor = rounded_down(quotient(at.weighted_usd, at.debt_usd, 1), wad)
        factor = np.maximum(factor, 1 - at.term("max_liquidation_discount"))
        value = at.collateral_value
        wanted = rounded_down(quotient(at.debt_value, factor, np.inf), wad)
        paid = np.where(value < wanted, rounded_down(value * factor, wad), at.debt_value)
        most = rounded_down(quotient(paid * at.debt, at.debt_value), at.debt_scale)
        part = rounded_down(quotient(np.minimum(wanted, value) * at.collateral, value), at.collateral_scale)
        gained = np.where(wanted < value, part, at.collateral)
        return np.where(at.liquidatable, most, 0), np.where(at.liquidatable, gained, 0)
