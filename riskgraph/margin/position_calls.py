"""Calls on longs and shorts: what is closed, what the backstop takes, and who pays for an account below zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Bools, Ints, Labels
from riskgraph.margin.ledger import COLLATERAL, DEBT, Request
from riskgraph.margin.position_ledger import LONG, SHORT, PositionLedger
from riskgraph.margin.rounding import Amounts, quotient
from riskgraph.margin.rules.rule import first_reason
from riskgraph.snapshot.schema import SIDES

if TYPE_CHECKING:
    from riskgraph.margin.rules.position_rule import Order, PositionRule

__all__ = ["settle_positions"]


def settle_positions(ledger: PositionLedger, rule: PositionRule, request: Request) -> None:
    """Carry out calls on different accounts in their order.

    Calls change no account but their own and the backstop's, and so are made at once, while the fund suffices. A call
    on the backstop, or one for which the fund may not suffice, so that counterparties pay, is made alone.
    """
    while len(request):
        shortfall = np.cumsum(np.maximum(-ledger.value(request.margin), 0))
        lacking = _truth(shortfall > ledger.now("protocols", "reserve_usd"))
        alone = (lacking & np.append(True, _truth(np.diff(shortfall) > 0))) | (request.margin == ledger.backstop)
        count = max(int(np.argmax(alone)), 1) if alone.any() else len(request)
        _make_calls(ledger, rule, request.part(slice(count)))
        request = request.part(slice(count, None))


def _make_calls(ledger: PositionLedger, rule: PositionRule, request: Request) -> None:
    """Close what the rule says, for a fee; have the backstop take over; close out accounts below zero."""
    margin = request.margin
    equity, value, is_open = ledger.equity(margin), ledger.value(margin), _is_open(ledger, margin)
    liquidatable = is_open & _truth(equity < ledger.demanded(margin))
    ruined = is_open & _truth(value < 0)
    order = rule.order(ledger, request, liquidatable & ~ruined).with_all_of(ledger, margin[ruined])
    taken_over = order.stage == "backstop"
    step = _Step.of(ledger, margin, order)
    borne = _bear(ledger, rule, margin, np.where(ruined, -value, 0))
    pnl = _realise(ledger, margin, order, but=margin[taken_over])
    fee = _charge(ledger, margin, step.closed_usd, np.where(taken_over, 0, np.maximum(equity, 0)))
    ledger.hand_over(ledger.rows_of(margin[taken_over], COLLATERAL, DEBT, LONG, SHORT), "taken over")
    cash = ledger.rows_of(margin[ruined], COLLATERAL, DEBT)
    ledger.move(cash, -ledger.amount[cash], "made good")  # what collateral does not pay of the debt is the shortfall
    beyond = _truth(borne["adl_usd"] + borne["bad_debt_usd"] > 0)
    step.note(
        ledger,
        liquidatable=liquidatable,
        refused=first_reason(
            (~liquidatable & is_open, rule.healthy_reason), (~ruined & (order.stage == ""), "no position")
        ),
        stage=np.select([beyond, ruined], [rule.beyond_fund, "insurance"], order.stage),
        pnl_usd=pnl,
        fee_usd=fee,
        bonus_usd=np.where(taken_over, value, fee),
        borne=borne,
    )


def _bear(ledger: PositionLedger, rule: PositionRule, margin: Ints, shortfall: Amounts) -> dict[str, Amounts]:
    """Have the fund pay shortfalls, then counterparties of a call that is made alone, then nobody."""
    insured = np.minimum(shortfall, ledger.now("protocols", "reserve_usd"))
    gap = shortfall - insured
    _add(ledger, "reserve_usd", -sum(insured.tolist()))
    paid, closed = rule.deleverage(ledger, ledger.open_rows(margin), gap[0]) if _truth(gap > 0).any() else (0, 0)
    _add(ledger, "deficit_usd", sum(gap.tolist()) - paid)
    nothing = ledger.zeros(len(margin))
    return {
        "bad_debt_usd": np.maximum(gap - paid, 0),
        "insurance_paid_usd": nothing + insured,
        "adl_usd": nothing + paid,
        "adl_closed_usd": nothing + closed,
    }


def _is_open(ledger: PositionLedger, margin: Ints) -> Bools:
    """Which accounts have a position that is not closed."""
    return np.isin(margin, ledger.margin[ledger.open_rows(margin)])


def _realise(ledger: PositionLedger, margin: Ints, order: Order, *, but: Ints) -> Amounts:
    """Pay the PnL of what is closed into margin cash, and take it off the books of all accounts but some."""
    rows, closed = order.rows, order.closed
    pnl = ledger.total(margin, rows, closed * ledger.worth[rows])
    ledger.move(rows, np.where(np.isin(ledger.margin[rows], but), 0, -closed), "closed")
    ledger.settle(margin, pnl, "realised PnL")
    return pnl


def _charge(ledger: PositionLedger, margin: Ints, closed_usd: Amounts, most: Amounts) -> Amounts:
    """Take the fee for what is closed out of margin cash, into the fund; give it."""
    rate = ledger.numbers(np.array([ledger.terms.number("liquidation_fee")]))
    fee: Amounts = np.minimum(rate * closed_usd, most)
    ledger.settle(margin, -fee, "fee")
    _add(ledger, "reserve_usd", sum(fee.tolist()))
    return fee


def _add(ledger: PositionLedger, name: str, usd: Any) -> None:
    """Change the fund or the deficit; one that nobody gave stays unknown while nothing moves."""
    if usd:
        ledger.change("protocols", name, max(ledger.now("protocols", name) + usd, 0))  # below 0 by rounding alone


def _truth(condition: Any) -> Bools:
    return np.asarray(condition, dtype=np.bool_)


@dataclass(frozen=True, eq=False)
class _Step:
    """What calls close, a call each: ``row`` is the position, -1 where there is none or several are closed."""

    margin: Ints
    health: Amounts
    row: Ints
    closed: Amounts  # units, NaN where several positions are closed
    closed_usd: Amounts

    @classmethod
    def of(cls, ledger: PositionLedger, margin: Ints, order: Order) -> _Step:
        some = _truth(order.closed > 0)
        rows, closed = order.rows[some], order.closed[some]
        count = np.bincount(ledger.margin[rows], minlength=ledger.size)[margin]
        last = np.full(ledger.size, -1)
        last[ledger.margin[rows]] = np.arange(len(rows))
        at = np.where(count == 1, last[margin], -1)
        units = np.where(count > 1, np.nan, np.append(closed, 0)[at])
        usd = ledger.total(margin, rows, closed * ledger.price[rows])
        return cls(margin, ledger.margin_health(margin), np.append(rows, -1)[at], units, usd)

    def note(
        self,
        ledger: PositionLedger,
        *,
        liquidatable: Bools,
        refused: Labels,
        stage: Labels,
        pnl_usd: Amounts,
        fee_usd: Amounts,
        bonus_usd: Amounts,
        borne: dict[str, Amounts],
    ) -> None:
        """Write the step of every call."""
        bad = borne["bad_debt_usd"]
        cash = ledger.numbers(ledger.marks[[ledger.settlement]])
        ledger.steps.append(
            {
                **ledger.place(self.margin),
                "debt_asset": ledger.label("asset", np.full(len(self.margin), ledger.settlement)),
                "collateral_asset": ledger.label("asset", ledger.asset[self.row]),
                "liquidatable": liquidatable,
                "refused": refused,
                "health_before": self.health,
                "health_after": ledger.margin_health(self.margin),
                "repaid": (self.closed_usd - bonus_usd) / cash,
                "repaid_usd": self.closed_usd - bonus_usd,
                "seized": self.closed,
                "seized_usd": self.closed_usd,
                "bonus_usd": bonus_usd,
                "fee": np.where(self.row >= 0, quotient(fee_usd, ledger.price[self.row]), self.closed),
                "fee_usd": fee_usd,
                "bad_debt": bad / cash,
                "written_off": _truth(bad > 0),
                "stage": stage,
                "side": np.array([*SIDES, ""], dtype=object)[ledger.side[self.row]],
                "realised_pnl_usd": pnl_usd,
                **borne,
            }
        )
