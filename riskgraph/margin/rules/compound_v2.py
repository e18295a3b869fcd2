"""Compound v2: a close factor on each market's debt, seizing in cTokens, a share of all of it for reserves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from riskgraph.margin.ledger import COLLATERAL
from riskgraph.margin.rounding import Amounts, filled, places, quotient, rounded_down, rounded_half_up, rounded_up
from riskgraph.margin.rules.rule import Pair, PairCall, PairRule, above, first_reason

if TYPE_CHECKING:
    from riskgraph.margin.ledger import Ledger

__all__ = ["CompoundV2"]

_DIGITS = 8  # of every cToken


@dataclass(frozen=True, eq=False)
class _CTokens:
    """Collateral counted in whole cTokens where exchange rate and decimals are known; arrays of shape (n,).

    Elsewhere ``rate`` is 1 and the scales are 0, so that a cToken is a unit of the underlying, not rounded.
    """

    rate: Amounts
    scale: Amounts  # of the underlying
    wholes: Amounts  # of the cToken

    @classmethod
    def of(cls, rate: Amounts, scale: Amounts, debt_scale: Amounts) -> _CTokens:
        counted = (filled(rate, 0) > 0) & (scale > 0) & (debt_scale > 0)
        scale = np.where(counted, scale, 0)
        return cls(np.where(counted, rate, 1), scale, places(scale, _DIGITS))

    def of_underlying(self, amount: Amounts) -> Amounts:
        """Give the nearest whole number of cTokens: amounts come as floats of what they are worth."""
        return rounded_half_up(amount / self.rate, self.wholes)


class CompoundV2(PairRule):
    r"""``CToken.liquidateBorrow`` of Compound v2.

    .. math:: \text{limit} = cf \cdot D, \qquad
              \text{seized cTokens} = \Bigl\lfloor \text{repaid} \cdot
              \frac{(1 + b)\, p_D}{p_C \cdot \text{exchange rate}} \Bigr\rfloor

    A call above the close factor, or for more than the account holds, is refused, never cut; where nothing is asked, it
    repays the most that is not. Products are cut to 18 digits where the contract does. A deprecated market is repaid in
    full without a shortfall. Debt without collateral stays on the books.

    References
    ----------
    .. [1] compound-finance/compound-protocol, ``Comptroller.liquidateBorrowAllowed``,
       ``liquidateCalculateSeizeTokens``, ``CToken.seizeInternal``.
    """

    name: ClassVar[str] = "compound_v2"
    healthy_reason: ClassVar[str] = "INSUFFICIENT_SHORTFALL"
    usd_decimals: ClassVar[int | None] = 18
    debt_rounds_up: ClassVar[bool] = False

    def weighted(self, ledger: Ledger, values: Amounts) -> Amounts:
        """Borrowing power: factor · exchange rate · price a cToken, cut on the way, times whole cTokens."""
        rate = ledger.numbers(np.zeros(len(ledger.asset)))
        pledged = ledger.side == COLLATERAL
        rate[pledged] = ledger.numbers(ledger.terms.of_assets("exchange_rate", ledger.asset[pledged]))
        each = _CTokens.of(rate, ledger.scale, ledger.scale)
        power = rounded_down(ledger.threshold * each.rate, each.scale * 10 ** (_DIGITS + 2))
        power = rounded_down(power * ledger.price, places(each.scale, 28))
        power = rounded_down(power * each.of_underlying(ledger.amount), places(each.scale, 18))
        return np.where(each.scale > 0, power, values * ledger.threshold)

    def call(self, at: Pair) -> PairCall:
        """Repay what is asked, or the most that may be, and seize whole cTokens."""
        each = _CTokens.of(at.term("exchange_rate"), at.collateral_scale, at.debt_scale)
        held = each.of_underlying(at.collateral)
        ratio = self._ratio(at, each)
        wound_up = np.asarray(at.debt_term("deprecated") > 0, dtype=np.bool_)
        limit = np.where(wound_up, at.debt, rounded_down(at.debt * at.term("close_factor"), at.debt_scale))
        repaid = np.where(at.repay == np.inf, np.minimum(limit, _most(at, each, held, ratio)), at.repay)
        seized = rounded_down(repaid * ratio, each.wholes)
        kept = rounded_down(seized * at.term("protocol_seize_share"), each.wholes)
        callable_now = (at.liquidatable | wound_up) & ~at.unpriced
        refused = first_reason(
            (at.unpriced, "PRICE_ERROR"),
            (~callable_now, self.healthy_reason),
            (above(repaid, limit) & wound_up, "Can not repay more than the total borrow"),
            (above(repaid, limit), "TOO_MUCH_REPAY"),
            (at.by_itself, "LiquidateLiquidatorIsBorrower"),
            (repaid <= 0, "LiquidateCloseAmountIsZero"),
            (above(seized, held) | (at.collateral_price <= 0), "LIQUIDATE_SEIZE_TOO_MUCH"),  # no price: none pledged
        )
        return PairCall(
            refused,
            repaid=np.minimum(repaid, at.debt),
            seized=np.where(seized < held, seized * each.rate, at.collateral),
            fee=kept * each.rate,
            closes=np.zeros(len(refused), dtype=np.bool_),
            more={
                "seized_ctokens": np.where(each.scale > 0, seized, np.nan),
                "reserve_ctokens": np.where(each.scale > 0, kept, np.nan),
            },
            liquidatable=callable_now,
        )

    def _ratio(self, at: Pair, each: _CTokens) -> Amounts:
        """Give cTokens seized for one unit repaid."""
        unit = np.where(each.scale > 0, at.debt_scale, 1)
        paid = rounded_down(at.debt_price * (1 + at.term("liquidation_bonus")), places(each.scale, 36) // unit)
        price = rounded_down(at.collateral_price * each.rate, places(each.scale, 28))
        return rounded_down(quotient(paid, price), places(each.scale, 26) // unit)


def _most(at: Pair, each: _CTokens, held: Amounts, ratio: Amounts) -> Amounts:
    """Largest repayment for which no more is seized than is held; +inf where nothing is seized."""
    plain = rounded_down(quotient(held, ratio, np.inf), at.debt_scale)
    beyond = rounded_up(quotient(held * each.wholes + 1, each.wholes * ratio, np.inf), at.debt_scale)
    unit = np.where(each.scale > 0, at.debt_scale, 1)
    return np.where(each.scale > 0, (beyond * unit - 1) / unit, plain)
