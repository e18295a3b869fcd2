"""Morpho Blue: a bonus from the threshold, no close factor, debt in shares, and lenders who lose at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from riskgraph.arrays import Bools
from riskgraph.margin.ledger import DEBT
from riskgraph.margin.pair_calls import settle_pairs
from riskgraph.margin.rounding import Amounts, filled, missing, places, quotient, rounded_down, rounded_up
from riskgraph.margin.rules.morpho_shares import BorrowShares, check_shares
from riskgraph.margin.rules.rule import Pair, PairCall, PairRule, above, first_reason, where_made

if TYPE_CHECKING:
    from riskgraph.margin.ledger import Ledger, Request

__all__ = ["MorphoBlue"]


class MorphoBlue(PairRule):
    r"""``Morpho.liquidate`` of Morpho Blue; a protocol is one market: one loan token, one collateral.

    .. math:: LIF = \min\Bigl(1.15, \frac{1}{1 - 0.3 (1 - LLTV)}\Bigr), \qquad
              \text{repaid shares} = \text{to shares}\Bigl(\Bigl\lceil \frac{\lceil \text{seized} \cdot p \rceil}{LIF}
              \Bigr\rceil\Bigr), \qquad
              \text{seized} = \Bigl\lfloor \frac{\lfloor \text{to assets}(\text{shares}) \cdot LIF \rfloor}{p}
              \Bigr\rfloor

    with ``p`` the collateral's price in loan tokens; rounding favours the pool. A call fixes ``seize`` or
    ``repay_shares``; ``repay`` is turned into shares, rounded down. Where nothing is asked, all of the debt is repaid,
    or as much as all of the collateral pays for. More than the position has is refused. Only where not one unit of
    collateral is left is the rest of the debt written off, and every lender loses at once.

    References
    ----------
    .. [1] morpho-org/morpho-blue, ``Morpho.liquidate``, ``SharesMathLib``.
    """

    name: ClassVar[str] = "morpho_blue"
    healthy_reason: ClassVar[str] = "healthy position"
    bearer: ClassVar[str] = "lenders"
    asks: ClassVar[tuple[str, ...]] = ("repay", "seize", "repay_shares")

    def weighted(self, ledger: Ledger, values: Amounts) -> Amounts:
        """Value in whole units of the loan token, and of that LLTV, both rounded down; USD."""
        everyone = np.arange(len(ledger.margins))
        loan = ledger.row_of(everyone, np.full(len(everyone), -1), DEBT)[ledger.margin]
        price, scale = ledger.price[loan], ledger.scale[loan]
        quoted = rounded_down(quotient(values, price), scale)
        counted = (price > 0) & (scale > 0)
        return np.where(counted, rounded_down(quoted * ledger.threshold, scale) * price, values * ledger.threshold)

    def carry_out(self, ledger: Ledger, request: Request) -> None:
        """Carry out calls one by one where the market's totals are known: each changes what a share is worth."""
        counted = check_shares(ledger, request)
        for wave in request.waves(together=not counted):
            settle_pairs(ledger, self, wave)

    def call(self, at: Pair) -> PairCall:
        """Repay the shares asked for or for the collateral asked for, and write off where none is left."""
        market = BorrowShares.of(at.term("total_borrow_assets"), at.term("total_borrow_shares"), at.debt_scale)
        shares = market.of_account(at.term("borrow_shares"), at.debt)
        factor = self._factor(at)
        repaid_shares, seized, asked = self._exchanged(at, market, shares, factor)
        refused = first_reason(
            ((asked <= 0) & (at.repay != np.inf), "inconsistent input"),
            (~at.liquidatable, self.healthy_reason),
            (asked <= 0, "inconsistent input"),
            (
                above(repaid_shares, shares) | above(seized, at.collateral),
                "arithmetic underflow (asked for more than the position has)",
            ),
        )
        repaid_shares, seized = np.minimum(repaid_shares, shares), np.minimum(seized, at.collateral)
        closes = seized >= at.collateral
        repaid = market.assets_up(repaid_shares)
        left = market.less(repaid, repaid_shares).owed(shares - repaid_shares, closes)
        return PairCall(
            refused,
            repaid=repaid,
            seized=seized,
            fee=seized * 0,
            closes=closes,
            more={
                "liquidation_incentive_factor": factor,
                "repaid_shares": where_made(refused, repaid_shares),
                "bad_debt_shares": where_made(refused, np.where(closes, shares - repaid_shares, 0)),
            },
            cleared=np.maximum(at.debt - left, 0),
        )

    def settled(self, ledger: Ledger, request: Request, at: Pair, made: PairCall, done: Bools) -> None:
        """Take shares off accounts and totals that are given."""
        gone = made.more["repaid_shares"] + made.more["bad_debt_shares"]
        stands = ledger.of_accounts("borrow_shares", request.margin)
        whose = ledger.place(request.margin)["account"]
        for one in np.flatnonzero(done & ~missing(stands)):
            ledger.change("accounts", "borrow_shares", max(stands[one] - gone[one], 0), of=whose[one])
        if missing(at.term("total_borrow_assets")).any() or not done.all():
            return
        bad = np.where(made.closes, at.debt - (at.debt if made.cleared is None else made.cleared), 0)
        for name, less in (("total_borrow_assets", made.repaid + bad), ("total_borrow_shares", gone)):
            ledger.change("protocols", name, max(ledger.now("protocols", name) - sum(less.tolist()), 0))

    def _factor(self, at: Pair) -> Amounts:
        """1 + the market's bonus, by default from LLTV."""
        wad = places(at.debt_scale, 18)
        slack = rounded_down(3 * (1 - at.threshold) / 10, wad)
        largest = (slack * 0 + 115) / 100
        return 1 + filled(at.term("liquidation_bonus"), np.minimum(largest, rounded_down(1 / (1 - slack), wad)) - 1)

    def _exchanged(
        self, at: Pair, market: BorrowShares, shares: Amounts, factor: Amounts
    ) -> tuple[Amounts, Amounts, Amounts]:
        """Shares repaid, collateral seized, and which of both was asked for."""
        by_shares = market.asked(at.term("repay_shares"), at.repay, at.debt, shares)
        seizable = self._for_shares(at, market, by_shares, factor)
        by_seizing = ~missing(at.seize) | ((at.repay == np.inf) & (seizable > at.collateral))
        wanted = filled(at.seize, at.collateral)
        value = rounded_up(quotient(wanted * at.collateral_price, at.debt_price), at.debt_scale)
        needed = market.shares_up(rounded_up(value / factor, at.debt_scale))
        return (
            np.where(by_seizing, needed, by_shares),
            np.where(by_seizing, wanted, seizable),
            np.where(by_seizing, wanted, by_shares),
        )

    def _for_shares(self, at: Pair, market: BorrowShares, shares: Amounts, factor: Amounts) -> Amounts:
        paid = rounded_down(market.assets_down(shares) * factor, at.debt_scale)
        return rounded_down(at.in_collateral(paid), at.collateral_scale)
