"""Auto-deleveraging: which counterparties are closed out first, and what they pay for an account below zero."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from riskgraph.arrays import Ints
from riskgraph.margin.position_ledger import LONG, SHORT, PositionLedger
from riskgraph.margin.rounding import Amounts, quotient

__all__ = ["ADL_RANKS", "Counterparties", "counterparties", "deleverage"]


@dataclass(frozen=True, eq=False)
class Counterparties:
    """Positions in one asset on one side, of accounts worth more than nothing; arrays of shape (n,).

    ``rows`` of the ledger; ``amount`` (units); ``mark`` and ``entry`` (USD a unit, the entry the mark where none is
    known); ``gain`` (USD of PnL a unit); and of the whole account ``value``, ``wallet`` (value less all PnL) and
    ``maintenance`` (USD).
    """

    side: int
    rows: Ints
    amount: Amounts
    mark: Amounts
    entry: Amounts
    gain: Amounts
    value: Amounts
    wallet: Amounts
    maintenance: Amounts

    def part(self, which: Ints) -> Counterparties:
        """Give some of them."""
        arrays = {field.name: getattr(self, field.name)[which] for field in fields(self) if field.name != "side"}
        return replace(self, **arrays)

    @property
    def notional(self) -> Amounts:
        """USD at the mark."""
        return self.amount * self.mark

    @property
    def profit(self) -> Amounts:
        """PnL as a share of the entry price."""
        return quotient(self.gain, self.entry)


def _hyperliquid(at: Counterparties) -> Amounts:
    """(mark ÷ entry) · (notional ÷ account value); of shorts entry ÷ mark, an inference: the text has longs alone."""
    moved = quotient(at.mark * at.mark, at.entry) if at.side == LONG else at.entry
    return np.asarray(moved * at.amount / at.value)


def _binance(at: Counterparties) -> Amounts:
    """max(0, PnL) ÷ max(1, wallet) · maintenance ÷ account value."""
    return np.asarray(np.maximum(at.gain * at.amount, 0) / np.maximum(at.wallet, 1) * at.maintenance / at.value)


def _okx(at: Counterparties) -> Amounts:
    """Profit ÷ margin ratio, or loss · margin ratio (inferred); margin ratio = account value ÷ maintenance."""
    loss = quotient(at.profit * at.value, at.maintenance, -np.inf)
    return np.where(at.gain < 0, loss, at.profit * at.maintenance / at.value)


def _bitmex(at: Counterparties) -> Amounts:
    """Profit · effective leverage, or loss ÷ it; leverage = notional ÷ account value."""
    loss = quotient(at.profit * at.value, at.notional, -np.inf)
    return np.where(at.gain < 0, loss, at.profit * at.notional / at.value)


ADL_RANKS = MappingProxyType[str, Callable[[Counterparties], Amounts]](
    {"hyperliquid": _hyperliquid, "binance": _binance, "okx": _okx, "bitmex": _bitmex}
)


def counterparties(ledger: PositionLedger, asset: int, side: int, form: str) -> tuple[Counterparties, Amounts]:
    """Give positions in an asset on a side, the first to be closed first (ties by account), and their scores."""
    rows = np.flatnonzero((ledger.asset == asset) & (ledger.side == side))
    rows = rows[np.asarray(ledger.amount[rows] > 0, dtype=np.bool_)]
    rows = rows[np.asarray(ledger.value(ledger.margin[rows]) > 0, dtype=np.bool_)]
    found = _seen(ledger, side, rows)
    score = ADL_RANKS[form](found)
    order = np.argsort(-score, kind="stable")
    return found.part(order), score[order]


def _seen(ledger: PositionLedger, side: int, rows: Ints) -> Counterparties:
    owner, mark, gain = ledger.margin[rows], ledger.price[rows], ledger.worth[rows]
    value = ledger.value(owner)
    return Counterparties(
        side=side,
        rows=rows,
        amount=ledger.amount[rows],
        mark=mark,
        entry=mark - ledger.sign[rows] * gain,
        gain=gain,
        value=value,
        wallet=value - ledger.pnl(owner),
        maintenance=ledger.maintenance(owner),
    )


def deleverage(ledger: PositionLedger, rows: Ints, usd: Any, form: str) -> tuple[Any, Any]:
    r"""Close positions of an account that is worth less than nothing against the opposite side.

    .. math:: p_k = \text{mark}_k \pm \frac{L_k}{q_k} \quad (+\text{ for longs}), \qquad
              L_k = L \frac{MM_k}{\sum_j MM_j}

    At these bankruptcy prices the account would end at 0, so that counterparties pay its shortfall L, each at most what
    its account is worth. What is not matched is closed at the mark. Where no margin is required L is shared by
    notional, and without notional equally.

    Returns
    -------
    tuple
        USD that counterparties paid, and USD that was closed against them, at the mark.
    """
    paid = closed_usd = usd * 0
    for row, loss in zip(rows.tolist(), _shares(ledger, rows) * usd, strict=True):
        at, _ = counterparties(ledger, int(ledger.asset[row]), SHORT if ledger.side[row] == LONG else LONG, form)
        size = ledger.amount[row]
        units = np.minimum(np.maximum(size - (np.cumsum(at.amount) - at.amount), 0), at.amount)
        hit = np.flatnonzero(np.asarray(units > 0, dtype=np.bool_))
        units, owner = units[hit], ledger.margin[at.rows[hit]]
        cost = np.minimum(units * loss / size, at.value[hit])
        ledger.move(at.rows[hit], -units, "auto-deleveraged")
        ledger.settle(owner, units * at.gain[hit], "realised PnL")
        ledger.settle(owner, -cost, "paid by auto-deleveraging")
        paid, closed_usd = paid + sum(cost.tolist()), closed_usd + sum((units * at.mark[hit]).tolist())
    return paid, closed_usd


def _shares(ledger: PositionLedger, rows: Ints) -> Amounts:
    """Share of the shortfall that each position of the account causes."""
    weights = (ledger.required(rows), ledger.notional(rows), ledger.numbers(np.ones(len(rows))))
    weight = next(one for one in weights if one.sum() > 0)
    shares: Amounts = weight / weight.sum()
    return shares
