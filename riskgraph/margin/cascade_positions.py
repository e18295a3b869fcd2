"""Books of a venue of longs and shorts in a cascade: what moves by reason, and what closing each position costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Floats, Ints, summed
from riskgraph.margin.closed_positions import CLOSINGS, ClosedPositions
from riskgraph.margin.ledger import COLLATERAL, DEBT
from riskgraph.margin.position_ledger import LONG, SHORT, PositionLedger
from riskgraph.snapshot.options import option_rows

if TYPE_CHECKING:
    from riskgraph.margin.rules.position_rule import PositionRule
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["CascadePositions"]

_ROUNDING = 1e-12  # share of what an account holds


@dataclass(eq=False)
class _Closing:
    """Rows closed at once: units of each, what that cost, and what of it the market takes over."""

    action: str
    rows: Ints
    units: Floats
    lost: Floats
    sold: Floats


class CascadePositions(PositionLedger):
    """A ledger at the marks of a cascade; it notes sums, not movements.

    Attributes
    ----------
    cash : dict of str to ndarray, shape (2, n_assets)
        Units of margin that came to accounts (below 0: left them), less what they came to owe, by reason; the second
        line is the venue's own account.
    """

    def __init__(
        self, snap: Snapshot, protocol: int, rule: PositionRule, margins: Ints, settlement: int, marks: Floats
    ) -> None:
        self.settlement, self.marks = settlement, marks
        self.cash: dict[str, Floats] = {}
        self._closings: list[_Closing] = []
        self._matched: dict[tuple[int, int], float] = {}  # (asset, side) of a ruined account -> units closed against it
        super().__init__(snap, protocol, rule, margins, exact=False)
        self._is_option = np.append(option_rows(snap), False)[self.row]

    def value(self, margin: Ints) -> Floats:
        """USD that accounts are worth at the mark; 0 where rounding may be all of it: it shall ruin nobody."""
        rows = self.rows_of(margin, COLLATERAL, DEBT, LONG, SHORT)
        held = self.amount[rows] * (np.abs(self.worth[rows]) + self.price[rows])
        found = super().value(margin)
        return np.where(np.abs(found) <= _ROUNDING * self.total(margin, rows, held), 0.0, found)

    def equity(self, margin: Ints) -> Floats:
        """Equity; what is demanded where only rounding is lacking: a call or a payment left the account right there."""
        rows = self.rows_of(margin, COLLATERAL)
        found, least = super().equity(margin), self.demanded(margin)
        room = _ROUNDING * (least + self.total(margin, rows, self.notional(rows)))
        return np.where((found < least) & (found >= least - room), least, found)

    def move(self, rows: Ints, amount: Floats, why: str) -> None:
        """Change holdings of rows (each once), and add up by reason what cash moved."""
        some = (rows >= 0) & (amount != 0.0)
        rows, amount = rows[some], amount[some]
        if not len(rows):
            return
        self.amount[rows] = self.amount[rows] + amount
        side = self.side[rows]
        signed = np.where(side == COLLATERAL, amount, np.where(side == DEBT, -amount, 0.0))
        place = self.asset[rows] + len(self.marks) * (self.margin[rows] == self.backstop)
        self.cash[why] = self.cash.get(why, 0.0) + summed(place, signed, 2 * len(self.marks)).reshape(2, -1)
        if why in ("closed", "auto-deleveraged"):
            self._note(why, rows, -amount)

    def _note(self, action: str, rows: Ints, units: Floats) -> None:
        """Note positions that were closed; what counterparties were closed for goes to no market."""
        sold = np.where(self._is_option[rows], 0.0, units)
        if action == "auto-deleveraged":
            sold = np.zeros(len(rows))
            for asset, side, size in zip(
                self.asset[rows].tolist(), self.side[rows].tolist(), units.tolist(), strict=True
            ):
                facing = asset, SHORT if side == LONG else LONG
                self._matched[facing] = self._matched.get(facing, 0.0) + size
        elif self._matched:  # a call for which counterparties pay is made alone: its own positions follow theirs
            keys = zip(self.asset[rows].tolist(), self.side[rows].tolist(), strict=True)
            sold = sold - np.array([self._matched.get(key, 0.0) for key in keys])
            sold = np.where(sold > _ROUNDING * units, sold, 0.0)
            self._matched.clear()
        self._closings.append(_Closing(action, rows, units, np.zeros(len(rows)), sold))

    def settle(self, margin: Ints, usd: Floats, why: str) -> None:
        """Pay USD into margin cash, or out of it; fees and payments for others are costs of what was closed last."""
        if why == "fee" and np.any(usd != 0.0):
            last = self._closings[-1]
            last.lost += self._shared(last.rows, margin, -usd, self.price[last.rows] * last.units)
        elif why == "paid by auto-deleveraging" and len(margin):
            self._closings[-1].lost += -usd
        super().settle(margin, usd, why)

    def unsettled(self, usd: Floats, left: Floats) -> Floats:
        """Leave no debt, and no cash, that is rounding of what was settled: it would be called for."""
        return np.where(np.abs(left) <= _ROUNDING * np.abs(usd), 0.0, left)

    def hand_over(self, rows: Ints, why: str) -> None:
        """Give rows whole to the backstop; the margin that goes with positions is what they lose."""
        if len(rows):
            held = rows[self.traded[rows] & (self.amount[rows] > 0.0)]
            cash = rows[~self.traded[rows]]
            margin = np.unique(self.margin[rows])
            value = self.total(margin, cash, self.amount[cash] * self.worth[cash])
            lost = self._shared(held, margin, value, self.required(held))
            self._closings.append(_Closing("taken over", held, self.amount[held], lost, np.zeros(len(held))))
        super().hand_over(rows, why)

    def _shared(self, rows: Ints, margin: Ints, usd: Floats, weight: Floats) -> Floats:
        """Share USD of accounts among their rows by a weight; equally where it is 0."""
        owner, of = self.margin[rows], self.zeros(self.size)
        of[margin] = usd
        whole = summed(owner, weight, self.size)
        weight = np.where(whole[owner] > 0.0, weight, 1.0)
        whole = summed(owner, weight, self.size)
        return np.asarray(of[owner] * weight / whole[owner])

    @property
    def closings(self) -> int:
        """How often positions were closed so far."""
        return len(self._closings)

    def closed(self, number: int) -> ClosedPositions:
        """Give what was closed so far, in the order in which it was."""
        parts = [
            ClosedPositions(
                np.full(len(one.rows), number), self.row[one.rows], self.margins[self.margin[one.rows]],
                np.full(len(one.rows), CLOSINGS.index(one.action)), one.units, self.price[one.rows], one.sold, one.lost,
                np.zeros(len(one.rows)),
            )
            for one in self._closings
        ]  # fmt: skip
        return ClosedPositions.joined(parts)
