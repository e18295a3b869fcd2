"""Aave v4: repay to a target health, a bonus that grows as health falls, no dust on either side, a deficit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from riskgraph.arrays import Bools
from riskgraph.errors import InputError
from riskgraph.margin.ledger import DEBT
from riskgraph.margin.rounding import Amounts, filled, places, quotient, rounded_down, rounded_half_up, rounded_up
from riskgraph.margin.rules.rule import Pair, PairCall, PairRule, above, first_reason

if TYPE_CHECKING:
    from riskgraph.margin.ledger import Ledger, Request

__all__ = ["AaveV4"]

_BASIS_POINTS = np.array(10_000)


@dataclass(frozen=True, eq=False)
class _Owed:
    """Debt as the hub counts it: drawn shares · index and a premium, all units of debt; arrays of shape (n,)."""

    shares: Amounts
    index: Amounts
    premium: Amounts
    scale: Amounts

    @classmethod
    def of(cls, at: Pair) -> _Owed:
        index = at.debt_term("drawn_index")
        index = np.where(index > 0, index, 1)
        premium = np.minimum(filled(at.term("premium"), 0), at.debt)
        return cls(rounded_half_up((at.debt - premium) / index, at.debt_scale), index, premium, at.debt_scale)

    def part(self, shares: Amounts, premium: Amounts) -> _Owed:
        """Give the same debt with other parts."""
        return replace(self, shares=shares, premium=premium)

    @property
    def amount(self) -> Amounts:
        """What it is, before rounding."""
        return self.shares * self.index + self.premium

    @property
    def restored(self) -> Amounts:
        """What is paid for it: both parts are rounded up."""
        return rounded_up(self.shares * self.index, self.scale) + rounded_up(self.premium, self.scale)

    @property
    def fine(self) -> Amounts:
        """Scale of the contract's sums of debt, 27 digits finer than the token's."""
        return self.scale * 10**27


class AaveV4(PairRule):
    r"""``Spoke.liquidationCall`` of Aave v4.

    .. math:: D_T = \frac{D_{tot} (T - HF)}{(T - LB \cdot CF)\, p_D}, \qquad
              LB = 1 + b_{max} \Bigl(\phi + (1 - \phi) \frac{1 - HF}{1 - HF_{max}}\Bigr) \text{ in whole basis points}

    with ``T`` the target health, ``φ`` the share of the largest bonus at a health of 1. What is left of the reserve's
    debt, or of the collateral while debt remains, must be worth 1,000 USD, else all of it is taken. The debt is drawn
    shares · index and a premium; a call repays the premium first and whole shares after it.

    References
    ----------
    .. [1] aave/aave-v4, ``LiquidationLogic``.
    """

    name: ClassVar[str] = "aave_v4"
    healthy_reason: ClassVar[str] = "HealthFactorNotBelowThreshold"
    bearer: ClassVar[str] = "deficit"

    def carry_out(self, ledger: Ledger, request: Request) -> None:
        """Carry out calls; the premium cannot be more than what its account owes."""
        margin = np.unique(request.margin)
        premium = filled(ledger.of_accounts("premium", margin), 0)
        over = above(premium, ledger.summed(ledger.amount, ledger.side == DEBT)[margin])
        if over.any():
            who = ", ".join(ledger.place(margin[over][:5])["account"])
            raise InputError(f"accounts.premium: expected at most what the account owes, got more for {who}")
        super().carry_out(ledger, request)

    def call(self, at: Pair) -> PairCall:
        """Repay to the target, seize with the grown bonus, and leave no dust."""
        bonus = self._bonus(at)
        owed = _Owed.of(at)
        part = self._to_target(at, owed, bonus)
        seized = _seizable(at, part.amount, bonus)
        left = np.maximum(at.collateral - seized, 0)
        dusty = (left > 0) & (left * at.collateral_price < at.term("min_leftover_base"))
        whole = (seized > at.collateral) | (dusty & (part.shares < owed.shares))
        for_all, all_seized = _for_all_collateral(at, owed, bonus)
        part = owed.part(np.where(whole, for_all.shares, part.shares), np.where(whole, for_all.premium, part.premium))
        seized = np.where(whole, all_seized, seized)
        fee = rounded_up(seized * at.term("protocol_fee") * bonus / (1 + bonus), at.collateral_scale)
        cleared = np.where(part.shares >= owed.shares, at.debt, np.minimum(part.amount, at.debt))
        return PairCall(
            self._refused(at, part.restored),
            repaid=np.where(at.debt_scale > 0, part.restored, cleared),
            seized=seized,
            fee=fee,
            closes=(seized >= at.collateral) & ~at.other_counted,
            more={
                "liquidation_bonus": bonus,
                "drawn_shares_liquidated": part.shares * np.where(at.debt_scale > 0, at.debt_scale, 1),
                "premium_liquidated": part.premium,
            },
            cleared=cleared,
        )

    def settled(self, ledger: Ledger, request: Request, at: Pair, made: PairCall, done: Bools) -> None:
        """Take what is repaid of premiums off those that are given."""
        stands = ledger.of_accounts("premium", request.margin)
        whose = ledger.place(request.margin)["account"]
        for one in np.flatnonzero(done & np.asarray(filled(stands, 0) > 0, dtype=np.bool_)):
            ledger.change("accounts", "premium", stands[one] - made.more["premium_liquidated"][one], of=whose[one])

    def _bonus(self, at: Pair) -> Amounts:
        """Bonus at the account's health, in whole basis points."""
        largest, top = at.term("liquidation_bonus"), at.term("health_factor_for_max_bonus")
        health = _health(at)
        least = rounded_down(largest * at.term("liquidation_bonus_factor"), _BASIS_POINTS)
        share = quotient(1 - health, 1 - top, 1)
        return np.where(health <= top, largest, least + rounded_down((largest - least) * share, _BASIS_POINTS))

    def _to_target(self, at: Pair, owed: _Owed, bonus: Amounts) -> _Owed:
        """Part of the debt that restores the target health, or that was asked for; all where dust would be left."""
        target, cover = at.term("target_health_factor"), rounded_down(at.repay, at.debt_scale)
        cured = (target - (1 + bonus) * at.threshold) * at.debt_price  # weighted debt, by one unit repaid
        needed = rounded_up(quotient(at.debt_usd * (target - _health(at)), cured, np.inf), owed.fine)
        premium = np.minimum(rounded_up(needed, at.debt_scale), owed.premium)
        premium = np.minimum(premium, cover)
        room = np.minimum(
            rounded_up((needed - premium) / owed.index, at.debt_scale),
            rounded_down((cover - rounded_up(premium, at.debt_scale)) / owed.index, at.debt_scale),
        )
        drawn = np.where((premium >= owed.premium) & (premium < needed), np.minimum(room, owed.shares), 0)
        left = owed.amount - drawn * owed.index - premium
        dusty = (drawn < owed.shares) & (left * at.debt_price < at.term("min_leftover_base"))
        return owed.part(np.where(dusty, owed.shares, drawn), np.where(dusty, owed.premium, premium))

    def _refused(self, at: Pair, restored: Amounts) -> Amounts:
        return first_reason(
            (at.by_itself, "SelfLiquidation"),
            (at.repay <= 0, "InvalidDebtToCover"),
            (at.collateral <= 0, "ReserveNotSupplied"),
            (at.debt <= 0, "ReserveNotBorrowed"),
            (~at.liquidatable, self.healthy_reason),
            (at.threshold <= 0, "ReserveNotEnabledAsCollateral"),
            (above(restored, at.repay), "MustNotLeaveDust"),
        )


def _health(at: Pair) -> Amounts:
    return rounded_down(quotient(at.weighted_usd, at.debt_usd, 1), places(at.debt_scale, 18))


def _seizable(at: Pair, debt: Amounts, bonus: Amounts) -> Amounts:
    return rounded_down(at.in_collateral(debt) * (1 + bonus), at.collateral_scale)


def _for_all_collateral(at: Pair, owed: _Owed, bonus: Amounts) -> tuple[_Owed, Amounts]:
    """Part of the debt that all of the collateral pays for, and the collateral: less where that is all of the debt."""
    worth = at.collateral * at.collateral_price
    needed = rounded_up(quotient(worth, at.debt_price * (1 + bonus), np.inf), owed.fine)
    premium = np.minimum(rounded_up(needed, at.debt_scale), owed.premium)
    drawn = np.where(needed <= owed.premium, 0, rounded_up((needed - owed.premium) / owed.index, at.debt_scale))
    over = drawn > owed.shares
    part = owed.part(np.minimum(drawn, owed.shares), premium)
    return part, np.where(over, np.minimum(_seizable(at, part.amount, bonus), at.collateral), at.collateral)
