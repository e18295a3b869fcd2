"""Calls on longs and shorts: what is closed, what the backstop takes, and who pays for an account below zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Bools, Ints, Labels
from riskgraph.margin.ledger import COLLATERAL, DEBT, Request
from riskgraph.margin.position_ledger import PositionLedger
from riskgraph.margin.rounding import Amounts, quotient
from riskgraph.margin.rules.rule import first_reason
from riskgraph.snapshot.schema import SIDES

if TYPE_CHECKING:
    from riskgraph.margin.rules.position_rule import PositionRule

__all__ = ["settle_positions"]


def settle_positions(ledger: PositionLedger, rule: PositionRule, request: Request) -> None:
    """Carry out calls on different accounts in their order.

    Calls on accounts that are worth something change no account but their own and the backstop's, and so are made at
    once. A call on the backstop, or on an account below zero, which uses the fund and counterparties, is made alone.
    """
    while len(request):
        below_zero = _is_open(ledger)[request.margin] & _truth(ledger.value()[request.margin] < 0)
        alone = below_zero | (request.margin == ledger.backstop)
        count = max(int(np.argmax(alone)), 1) if alone.any() else len(request)
        if below_zero[0]:
            _make_good(ledger, rule, request.margin[:1])
        else:
            _fill_orders(ledger, rule, request.part(slice(count)))
        request = request.part(slice(count, None))


def _fill_orders(ledger: PositionLedger, rule: PositionRule, request: Request) -> None:
    """Close what the rule says, for a fee to the fund; or have the backstop take positions and margin."""
    margin = request.margin
    equity, value, is_open = ledger.equity()[margin], ledger.value()[margin], _is_open(ledger)[margin]
    liquidatable = is_open & _truth(equity < ledger.maintenance()[margin])
    order = rule.order(ledger, request, liquidatable)
    step = _Step.of(ledger, margin, order.closed)
    taken_over = order.stage == "backstop"
    to_market = ~np.append(np.isin(np.arange(ledger.size), margin[taken_over]), False)[ledger.margin]
    pnl = _realise(ledger, margin, order.closed, to_market)
    rate = ledger.numbers(np.array([ledger.terms.number("liquidation_fee")]))
    fee = np.where(taken_over, 0, np.minimum(rate * step.closed_usd, np.maximum(equity, 0)))  # never below zero
    ledger.settle(margin, -fee, "fee")
    _add(ledger, "reserve_usd", sum(fee.tolist()))
    ledger.hand_over(np.flatnonzero(~to_market), "taken over")
    step.note(
        ledger,
        liquidatable=liquidatable,
        refused=first_reason(
            (~is_open | (liquidatable & (order.stage == "")), "no position"), (~liquidatable, rule.healthy_reason)
        ),
        stage=order.stage,
        pnl_usd=pnl,
        fee_usd=fee,
        bonus_usd=np.where(taken_over, value, fee),
    )


def _make_good(ledger: PositionLedger, rule: PositionRule, margin: Ints) -> None:
    """Close all positions of one account below zero; the fund, counterparties and a deficit pay what it lacks."""
    rows = np.flatnonzero(ledger.traded & (ledger.margin == margin[0]) & _truth(ledger.amount > 0))
    closed = ledger.numbers(np.zeros(len(ledger.row)))
    closed[rows] = ledger.amount[rows]
    step = _Step.of(ledger, margin, closed)
    shortfall = -ledger.value()[margin]
    insured = np.minimum(shortfall, ledger.now("protocols", "reserve_usd"))
    _add(ledger, "reserve_usd", -insured[0])
    adl_usd, adl_closed_usd = rule.deleverage(ledger, rows, (shortfall - insured)[0])
    bad_debt = shortfall - insured - adl_usd
    _add(ledger, "deficit_usd", bad_debt[0])
    pnl = _realise(ledger, margin, closed, np.ones(len(ledger.row), dtype=np.bool_))
    cash = np.flatnonzero(np.isin(ledger.side, (COLLATERAL, DEBT)) & (ledger.margin == margin[0]))
    ledger.move(cash, -ledger.amount[cash], "made good")  # what collateral does not pay of the debt is the shortfall
    step.note(
        ledger,
        liquidatable=np.ones(1, dtype=np.bool_),
        refused=np.array([""], dtype=object),
        stage=np.where(_truth(shortfall > insured), "adl", "insurance").astype(object),
        pnl_usd=pnl,
        bad_debt_usd=bad_debt,
        insurance_usd=insured,
        adl_usd=adl_usd,
        adl_closed_usd=adl_closed_usd,
    )


def _is_open(ledger: PositionLedger) -> Bools:
    """Which accounts have a position that is not closed."""
    held = np.zeros(ledger.size, dtype=np.bool_)
    held[ledger.margin[ledger.traded & _truth(ledger.amount > 0)]] = True
    return held


def _realise(ledger: PositionLedger, margin: Ints, closed: Amounts, to_market: Bools) -> Amounts:
    """Pay the PnL of what is closed into margin cash, and take off the books what the market takes; give the PnL."""
    pnl = ledger.summed(closed * ledger.gain, ledger.traded)[margin]
    rows = np.flatnonzero(to_market & _truth(closed > 0))
    ledger.move(rows, -closed[rows], "closed")
    ledger.settle(margin, pnl, "realised PnL")
    return pnl


def _add(ledger: PositionLedger, name: str, usd: Any) -> None:
    """Change the fund or the deficit; one that nobody gave stays unknown while nothing moves."""
    if usd:
        ledger.change("protocols", name, ledger.now("protocols", name) + usd)


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
    def of(cls, ledger: PositionLedger, margin: Ints, closed: Amounts) -> _Step:
        rows = np.flatnonzero(_truth(closed > 0))
        count = np.bincount(ledger.margin[rows], minlength=ledger.size)[margin]
        last = np.full(ledger.size, -1)
        last[ledger.margin[rows]] = rows
        row = np.where(count == 1, last[margin], -1)
        units = np.where(count > 1, np.nan, closed[row])
        usd = ledger.summed(closed * ledger.price, ledger.traded)[margin]
        return cls(margin, ledger.health()[margin], row, units, usd)

    def note(
        self,
        ledger: PositionLedger,
        *,
        liquidatable: Bools,
        refused: Labels,
        stage: Labels,
        pnl_usd: Amounts,
        fee_usd: Any = 0,
        bonus_usd: Any = 0,
        bad_debt_usd: Any = 0,
        insurance_usd: Any = 0,
        adl_usd: Any = 0,
        adl_closed_usd: Any = 0,
    ) -> None:
        """Write the step of every call."""
        none = ledger.numbers(np.zeros(len(self.margin)))
        fee, bonus, bad = none + fee_usd, none + bonus_usd, none + bad_debt_usd
        cash = ledger.numbers(ledger.marks[[ledger.settlement]])
        ledger.steps.append(
            {
                **ledger.place(self.margin),
                "debt_asset": ledger.label("asset", np.full(len(self.margin), ledger.settlement)),
                "collateral_asset": ledger.label("asset", ledger.asset[self.row]),
                "liquidatable": liquidatable,
                "refused": refused,
                "health_before": self.health,
                "health_after": ledger.health()[self.margin],
                "repaid": (self.closed_usd - bonus) / cash,
                "repaid_usd": self.closed_usd - bonus,
                "seized": self.closed,
                "seized_usd": self.closed_usd,
                "bonus_usd": bonus,
                "fee": np.where(self.row >= 0, quotient(fee, ledger.price[self.row]), self.closed),
                "fee_usd": fee,
                "bad_debt": bad / cash,
                "bad_debt_usd": bad,
                "written_off": _truth(bad > 0),
                "stage": stage,
                "side": np.array([*SIDES, ""], dtype=object)[ledger.side[self.row]],
                "realised_pnl_usd": pnl_usd,
                "insurance_paid_usd": none + insurance_usd,
                "adl_usd": none + adl_usd,
                "adl_closed_usd": none + adl_closed_usd,
            }
        )
