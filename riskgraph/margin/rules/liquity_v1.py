"""Liquity v1: the stability pool first, then the other borrowers by stake; more can be liquidated in recovery mode."""

from __future__ import annotations

from typing import ClassVar

from riskgraph.margin.rules.troves import Branch, Trove, TroveCall, TroveRule

__all__ = ["LiquityV1"]


class LiquityV1(TroveRule):
    r"""``TroveManager.batchLiquidateTroves`` of Liquity v1.

    With collateral C, debt D (its 200 LUSD gas reserve included), price p, P what the pool may offset (all but 1 LUSD),
    and :math:`g = C/200` for the caller:

    .. math:: \text{offset} = \min(D, P), \quad \text{to pool} = (C - g) \cdot \text{offset} / D, \quad
              \text{the rest to other troves by stake}

    for ``ICR = C p / D < MCR``. Below a ratio of 150 % of the whole system (recovery mode) the pool takes nothing of
    troves at ``ICR ≤ 100 %``, and troves at ``MCR ≤ ICR < TCR`` are liquidated too where the pool covers all their
    debt, for ``MCR · D / p`` of collateral; the owner may claim what is above. TCR is formed anew after every trove,
    and the mode can end within a batch. What a batch hands on reaches the other troves at its end.

    References
    ----------
    .. [1] liquity/dev, ``TroveManager.sol``, ``_liquidateNormalMode`` and ``_liquidateRecoveryMode``.
    """

    name: ClassVar[str] = "liquity_v1"
    healthy_reason: ClassVar[str] = "nothing to liquidate"
    has_recovery: ClassVar[bool] = True
    gas_column: ClassVar[str] = "gas_debt"
    gas_in_debt: ClassVar[bool] = True

    def call(self, trove: Trove, at: Branch) -> TroveCall | None:
        """Share a trove between pool and borrowers, or in recovery mode the one or the other."""
        if at.recovery and trove.ratio <= 1:
            return self._shared(trove, at, pool=0)
        if trove.ratio < trove.least:
            return self._shared(trove, at, pool=at.pool)
        if at.recovery and trove.ratio < at.total_ratio and trove.debt <= at.pool:
            return self._capped(trove, at)
        return None

    @staticmethod
    def _shared(trove: Trove, at: Branch, pool: object) -> TroveCall:
        gas = at.rounded(trove.collateral * at.terms["gas_collateral_share"])
        rest, offset = trove.collateral - gas, min(trove.debt, pool)
        to_pool = rest if offset == trove.debt else at.rounded(rest * offset / trove.debt)
        mode = "offset" if offset == trove.debt else "redistribution" if offset == 0 else "offset and redistribution"
        handed = trove.debt - offset, rest - to_pool
        return TroveCall(mode, offset, to_pool, *handed, gas_collateral=gas, gas_pay=at.terms["gas_reserve"])

    @staticmethod
    def _capped(trove: Trove, at: Branch) -> TroveCall:
        part = min(trove.collateral, at.worth(trove.debt, trove.least))
        gas = at.rounded(part * at.terms["gas_collateral_share"])
        pay, surplus = at.terms["gas_reserve"], trove.collateral - part
        return TroveCall(
            "capped offset", trove.debt, part - gas, 0, 0, gas_collateral=gas, gas_pay=pay, surplus=surplus
        )
