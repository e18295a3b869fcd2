"""Portfolio margin: every position of an account is reduced alike, until its equity covers the SPAN requirement."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from riskgraph.arrays import Bools
from riskgraph.margin.rounding import Amounts, quotient
from riskgraph.margin.rules.position_rule import Order, PositionRule, refuse_unmargined
from riskgraph.snapshot.scanning import portfolio_requirement

if TYPE_CHECKING:
    from riskgraph.margin.ledger import Request
    from riskgraph.margin.position_ledger import PositionLedger

__all__ = ["PortfolioMargin"]


class PortfolioMargin(PositionRule):
    r"""Liquidation of portfolios of futures and options, margined by the 16 scenarios of SPAN.

    Liquidatable while equity E, options at their Black-76 value, is below the requirement R (``risk_usd`` of
    :func:`riskgraph.span_margin`). One call closes the same share of every position, the smallest after which equity,
    less the fee on what is closed, covers what is then required:

    .. math:: s = \min\Big(1, \frac{R - E}{R - f N}\Big), \qquad E - s f N \ge (1 - s) R

    with the fee rate f (``liquidation_fee``) and the notional N of all positions (of options that of their underlying).
    R is in proportion to the portfolio, so that this is exact. All is closed where :math:`f N \ge R`. Deribit sends
    small orders until the margin is covered, futures first, aiming at a delta of zero; by the same share nothing that
    hedges is taken from what it hedges, and no order can raise the requirement.

    An account that is worth less than nothing has everything closed. The fund pays; what it does not pay is
    ``deficit_usd``, since there is no auto-deleveraging (Deribit takes it off the winners of the settlement period,
    which no snapshot tells).

    References
    ----------
    .. [1] Deribit support, "Portfolio Margin", "Auto liquidation", "Insurance fund".
    """

    name: ClassVar[str] = "portfolio_margin"

    def margin_rates(self, ledger: PositionLedger) -> tuple[Amounts, Amounts]:
        """One rate an account, requirement ÷ notional: it stays as it is while all positions shrink alike."""
        rows = np.flatnonzero(ledger.traded & (ledger.row >= 0))
        required, lacking = portfolio_requirement(ledger.snap, ledger.row[rows])
        blind = np.zeros(len(ledger.row), dtype=np.bool_)
        blind[rows] = lacking
        refuse_unmargined(ledger, blind)
        new = np.zeros(ledger.size - len(ledger.margins))
        risk = ledger.numbers(np.append(required[ledger.margins], new))
        notional = ledger.total(np.arange(ledger.size), rows, ledger.notional(rows))
        rates = ledger.zeros(len(ledger.row))
        rates[rows] = quotient(risk, notional)[ledger.margin[rows]]
        return rates[:, None], 0 * rates[:, None]

    def order(self, ledger: PositionLedger, request: Request, liquidatable: Bools) -> Order:
        """Close the same share of all positions."""
        margin = request.margin
        rows = ledger.open_rows(margin)
        equity, required = ledger.equity(margin), ledger.demanded(margin)
        rate = ledger.numbers(np.array([ledger.terms.number("liquidation_fee")]))
        fee = rate * ledger.total(margin, rows, ledger.notional(rows))
        share = np.where(liquidatable, np.minimum(quotient(required - equity, required - fee, 1), 1), 0)
        shares = ledger.zeros(ledger.size)
        shares[margin] = share
        stage = np.select([liquidatable & np.asarray(share < 1, dtype=np.bool_), liquidatable], ["partial", "full"], "")
        return Order(rows, ledger.amount[rows] * shares[ledger.margin[rows]], stage.astype(object))
