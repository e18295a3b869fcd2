"""Liquity v2: the stability pool first, then the other borrowers by stake, both with a capped penalty."""

from __future__ import annotations

from typing import ClassVar

from riskgraph.margin.rules.troves import Branch, Trove, TroveCall, TroveRule

__all__ = ["LiquityV2"]


class LiquityV2(TroveRule):
    r"""``TroveManager.batchLiquidateTroves`` of Liquity v2; one protocol is one branch.

    With collateral C, debt D, price p, P what the pool may offset (all but 1 BOLD):

    .. math:: \text{offset} = \min(D, P), \quad \text{part} = C \cdot \text{offset} / D, \quad
              \text{gas} = \min(\text{part} / 200, 2), \quad
              \text{to pool} = \min(\text{part} - \text{gas},\ 1.05 \cdot \text{offset} / p)

    for ``ICR = C p / D < MCR``. Other troves get the debt that is left, by stake, and of what is left of the collateral
    at most 1.10 times that debt's worth (1.20 on branches of staked ETH); the owner may claim what is above. The caller
    also gets 0.0375 WETH a trove that its owner set aside (column ``gas_weth``; it is in no trove and moves none of
    these books). There is no recovery mode, and a batch that would close the last trove is refused as a whole.

    References
    ----------
    .. [1] liquity/bold, ``TroveManager.sol``, ``_getOffsetAndRedistributionVals``.
    """

    name: ClassVar[str] = "liquity_v2"
    healthy_reason: ClassVar[str] = "NothingToLiquidate"
    last_reason: ClassVar[str] = "OnlyOneTroveLeft"
    gas_column: ClassVar[str] = "gas_weth"

    def call(self, trove: Trove, at: Branch) -> TroveCall | None:
        """Share a trove between pool, borrowers and, above the penalties, its owner."""
        if trove.ratio >= trove.least:
            return None
        offset = min(trove.debt, at.pool)
        part = trove.collateral if offset == trove.debt else at.rounded(trove.collateral * offset / trove.debt)
        gas = min(at.rounded(part * at.terms["gas_collateral_share"]), at.terms["gas_collateral_cap"])
        to_pool = min(part - gas, at.worth(offset, 1 + at.terms["penalty_stability_pool"]))
        surplus, handed_debt, handed, rest = part - gas - to_pool, trove.debt - offset, 0, trove.collateral - part
        if handed_debt > 0 and rest > 0:
            handed = min(rest + surplus, at.worth(handed_debt, 1 + at.terms["penalty_redistribution"]))
            surplus = rest + surplus - handed
        mode = "offset" if handed_debt == 0 else "redistribution" if offset == 0 else "offset and redistribution"
        pay = at.terms["gas_compensation"]
        return TroveCall(mode, offset, to_pool, handed_debt, handed, gas_collateral=gas, gas_pay=pay, surplus=surplus)
