"""The books of a venue of longs and shorts while calls are carried out: margin cash, positions, what they require."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints, Labels, stretches
from riskgraph.margin.ladders import margin_of
from riskgraph.margin.ledger import COLLATERAL, DEBT, Ledger
from riskgraph.margin.rounding import Amounts, plain, quotient
from riskgraph.snapshot.book import term_grid
from riskgraph.snapshot.contracts import by_asset, contracts_of
from riskgraph.snapshot.options import option_rows
from riskgraph.snapshot.requirements import settlement_of
from riskgraph.snapshot.schema import SIDES

if TYPE_CHECKING:
    from riskgraph.margin.rules.position_rule import PositionRule
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["LONG", "SHORT", "PositionLedger"]

LONG, SHORT = SIDES.index("long"), SIDES.index("short")


class PositionLedger(Ledger):
    """Margin cash and positions of some margin accounts of one venue, changed call by call.

    Rows that calls may need and the snapshot lacks stand at amount 0: cash and debt in the settlement asset for every
    account, and all that the backstop, the account with the protocol's own label, may take over. Nothing is rounded: no
    venue publishes how it rounds.

    Attributes
    ----------
    traded : Bools
        Which rows are longs or shorts.
    sign : Amounts
        1 for longs, −1 for shorts, 0 for other rows.
    worth : Amounts
        USD that a unit is worth to its owner: the price of collateral, that of debt below 0, and of a position what
        closing it at the mark brings into margin cash: ± (price − entry price), 0 where no entry price is known; an
        option's value to its holder.
    times : Amounts
        How many times its maintenance margin every account must have, by place: 1, or where it is closed out more.
    """

    sides: ClassVar[tuple[str, ...]] = ("collateral", "debt", "long", "short")
    rule: PositionRule

    def __init__(self, snap: Snapshot, protocol: int, rule: PositionRule, margins: Ints, *, exact: bool = True) -> None:
        super().__init__(snap, protocol, rule, margins, exact=exact)
        self.traded: Bools = np.isin(self.side, (LONG, SHORT))
        self.price = self.numbers(np.append(self.marks, 0.0)[self.asset])
        self.sign = self.numbers((self.side == LONG).astype(np.float64) - (self.side == SHORT))
        self.worth = self._worth()
        self.haircut = self._haircuts()
        self.entered = np.zeros(len(self.row), dtype=np.bool_)  # positions whose entry price calls have changed
        self.times = self.numbers(np.ones(self.size))
        self.rates, self.deductions = rule.margin_rates(self)

    # -- what stands --------------------------------------------------------------------------------------------------

    @cached_property
    def backstop(self) -> int:
        """Place of the account that takes over: that with the protocol's own label, in the snapshot or not."""
        book = self.snap.book
        code = self.snap.labels("account").index(self.terms.protocol_label).as_py()
        mine = (book.margin_account[self.margins] == code) & (book.margin_bucket[self.margins] < 0)
        return int(np.flatnonzero(mine)[0]) if mine.any() else len(self.margins)

    @property
    def size(self) -> int:
        """Number of margin accounts, the backstop's among them."""
        return max(len(self.margins), self.backstop + 1)

    @cached_property
    def settlement(self) -> int:
        """Asset in which PnL and fees are settled: the given one, else the collateral that is worth most there."""
        return settlement_of(self.snap, self.terms.protocol)

    @cached_property
    def marks(self) -> Floats:
        """Price of every asset as the venue shows it."""
        shape = (len(self.snap.labels("protocol")), len(self.snap.labels("asset")))
        shown = term_grid(self.snap.table("markets"), "price", shape)[self.terms.protocol]
        return np.where(np.isnan(shown), by_asset(self.snap, "price"), shown)

    def _rows(self) -> tuple[Ints, Ints, Ints, Ints]:
        parts = np.array([part[:-1] for part in super()._rows()])
        _, margin, asset, side = parts
        places = np.arange(self.size)
        cash = [self._keys(places, np.full(self.size, self.settlement), np.full(self.size, which)) for which in
                (COLLATERAL, DEBT)]  # fmt: skip
        taken = self._keys(np.full(len(side), self.backstop), asset, side)
        keys = self._keys(margin, asset, side)
        fresh = np.setdiff1d(np.concatenate([*cash, taken]), keys)
        width, sides = len(self.marks), len(SIDES)
        slots = np.array([np.full(len(fresh), -1), fresh // (width * sides), fresh // sides % width, fresh % sides])
        whole = np.concatenate([parts, slots], axis=1)[:, np.argsort(np.concatenate([keys, fresh]), kind="stable")]
        row, margin, asset, side = np.concatenate([whole, np.full((4, 1), -1)], axis=1)
        return row, margin, asset, side

    def _keys(self, margin: Ints, asset: Ints, side: Ints) -> Ints:
        keys: Ints = (margin.astype(np.int64) * len(self.marks) + asset) * len(SIDES) + side
        return keys

    def _row_at(self, margin: Ints, asset: Ints, side: Ints) -> Ints:
        """Rows that stand here for certain."""
        return np.searchsorted(self._known, self._keys(margin, asset, side))

    @cached_property
    def _known(self) -> Ints:
        return self._keys(self.margin[:-1], self.asset[:-1], self.side[:-1])

    def _remainders(self) -> tuple[Amounts, Amounts, Amounts]:
        """Give published collateral and debt that no row explains, by account; no threshold weighs them here."""
        book, new = self.snap.book, np.zeros(self.size - len(self.margins))
        parts = (book.collateral_remainder, book.debt_remainder)
        collateral, debt = (self.numbers(np.append(part[self.margins], new)) for part in parts)
        return collateral, collateral, debt

    def _worth(self) -> Amounts:
        entry = np.append(self.snap.table("positions").number("entry_price"), np.nan)[self.row]
        options = np.append(option_rows(self.snap), False)[self.row]
        worth = np.where(self.side == COLLATERAL, self.price, np.where(self.side == DEBT, -self.price, 0))
        known = ~np.isnan(entry) & ~options
        worth[known] = self.sign[known] * (self.price[known] - self.numbers(entry[known]))
        if options.any():
            contracts = contracts_of(self.snap, self.row[options])
            worth[options] = self.sign[options] * self.numbers(contracts.value(0.0)[contracts.of_row])
        return worth

    def _haircuts(self) -> Amounts:
        shape = (len(self.snap.labels("protocol")), len(self.marks))
        given = np.nan_to_num(term_grid(self.snap.table("markets"), "haircut", shape)[self.terms.protocol])
        return self.numbers(np.where(self.side == COLLATERAL, np.append(given, 0.0)[self.asset], 0.0))

    def zeros(self, length: int) -> Amounts:
        """Give an array of zeros of the kind that the ledger calculates with."""
        return np.full(length, self.numbers(np.zeros(1))[0])

    def rows_of(self, margin: Ints, *sides: int) -> Ints:
        """Rows of accounts (each once) on some sides."""
        first, count = self._starts[margin], np.diff(self._starts)[margin]
        rows, _ = stretches(first, count)  # an account's rows stand together
        wanted = np.zeros(len(SIDES) + 1, dtype=np.bool_)  # the last: the empty row's
        wanted[list(sides)] = True
        return np.asarray(rows[wanted[self.side[rows]]])

    @cached_property
    def _starts(self) -> Ints:
        return np.searchsorted(self.margin[:-1], np.arange(self.size + 1))

    def total(self, margin: Ints, rows: Ints, values: Amounts) -> Amounts:
        """Sum values of some rows over accounts."""
        total = self.zeros(self.size)
        np.add.at(total, self.margin[rows], values)
        mine: Amounts = total[margin]
        return mine

    def value(self, margin: Ints) -> Amounts:
        """USD that accounts are worth at the mark: collateral + PnL + option value − debt."""
        rows = self.rows_of(margin, COLLATERAL, DEBT, LONG, SHORT)
        published: Amounts = self.extra_collateral[margin] - self.extra_debt[margin]
        return published + self.total(margin, rows, self.amount[rows] * self.worth[rows])

    def pnl(self, margin: Ints) -> Amounts:
        """USD that closing all positions of accounts at the mark brings."""
        rows = self.rows_of(margin, LONG, SHORT)
        return self.total(margin, rows, self.amount[rows] * self.worth[rows])

    def equity(self, margin: Ints) -> Amounts:
        """Value less haircuts on collateral: what stands against the maintenance margin."""
        rows = self.rows_of(margin, COLLATERAL)
        return self.value(margin) - self.total(margin, rows, self.notional(rows) * self.haircut[rows])

    def notional(self, rows: Ints) -> Amounts:
        """USD of rows at the mark."""
        return self.amount[rows] * self.price[rows]

    def required(self, rows: Ints) -> Amounts:
        """Maintenance margin of positions, USD."""
        return margin_of(self.notional(rows), self.rates[rows], self.deductions[rows])

    def maintenance(self, margin: Ints) -> Amounts:
        """Maintenance margin of accounts."""
        rows = self.rows_of(margin, LONG, SHORT)
        return self.total(margin, rows, self.required(rows))

    def demanded(self, margin: Ints) -> Amounts:
        """Equity below which calls on accounts are made: maintenance margin, or more of those that are closed out."""
        least: Amounts = self.maintenance(margin) * self.times[margin]
        return least

    def margin_health(self, margin: Ints) -> Amounts:
        """Equity ÷ maintenance margin; where nothing is required +inf, or −inf with equity below 0."""
        equity = self.equity(margin)
        return quotient(equity, self.maintenance(margin), np.where(equity < 0, -np.inf, np.inf))

    def health(self) -> Amounts:
        """Health of every account."""
        return self.margin_health(np.arange(self.size))

    def open_rows(self, margin: Ints) -> Ints:
        """Positions of accounts that are not closed."""
        rows = self.rows_of(margin, LONG, SHORT)
        return rows[np.asarray(self.amount[rows] > 0, dtype=np.bool_)]

    def position_of(self, margin: Ints, asset: Ints) -> Ints:
        """Open position of each account in an asset, or its largest (asset -1; ties by label, then long); -1: none."""
        named = np.full(self.size, -1)
        named[margin] = asset
        rows = self.open_rows(margin)
        wanted = named[self.margin[rows]]
        rows = rows[(wanted < 0) | (wanted == self.asset[rows])]
        rows = rows[np.argsort(-self.notional(rows), kind="stable")]
        found = np.full(self.size, -1)
        found[self.margin[rows[::-1]]] = rows[::-1]  # the largest is written last
        return found[margin]

    def place(self, margin: Ints) -> dict[str, Labels]:
        """Columns of steps and movements that say whose margin account it is."""
        found = super().place(np.minimum(margin, len(self.margins) - 1))
        new = margin >= len(self.margins)
        found["account"][new], found["bucket"][new] = self.terms.protocol_label, ""
        return found

    # -- what moves ---------------------------------------------------------------------------------------------------

    def settle(self, margin: Ints, usd: Amounts, why: str) -> None:
        """Pay USD into margin cash of accounts (each once), or out of it where below 0.

        What comes in repays debt first. What goes out is taken from the settlement asset, then from the other tokens,
        largest USD first, at the mark; what none covers is cash below 0, a debt in the settlement asset.
        """
        owed = self._drawn(DEBT, margin, np.maximum(usd, 0), why)
        left = self.unsettled(usd, usd - owed + self._drawn(COLLATERAL, margin, np.maximum(-usd, 0), why))
        asset = np.full(len(margin), self.settlement)
        for side, units in ((COLLATERAL, np.maximum(left, 0)), (DEBT, np.maximum(-left, 0))):
            rows = self._row_at(margin, asset, np.full(len(margin), side))
            self.move(rows, units / self.price[rows], why)

    def unsettled(self, usd: Amounts, left: Amounts) -> Amounts:
        """Give what is left of USD to be settled; a ledger that rounds forgets here what is nothing else."""
        return left

    def _drawn(self, side: int, margin: Ints, need: Amounts, why: str) -> Amounts:
        """Take USD of accounts out of their rows on a side; give what was taken, all of it or what there was."""
        left = self.zeros(self.size)
        left[margin] = need
        rows = self.rows_of(margin, side)
        rows = rows[np.asarray((self.notional(rows) > 0) & (left[self.margin[rows]] > 0), dtype=np.bool_)]
        rows = rows[np.argsort(-self.notional(rows), kind="stable")]
        rows = rows[np.lexsort((self.asset[rows] != self.settlement, self.margin[rows]))]
        turn = np.arange(len(rows)) - np.searchsorted(self.margin[rows], self.margin[rows])
        for at in range(int(turn.max(initial=-1)) + 1):  # every account's first token, then its second
            mine = rows[turn == at]
            owner, usd = self.margin[mine], self.notional(mine)
            part = np.minimum(usd, left[owner])
            self.move(mine, -np.where(part < usd, part / self.price[mine], self.amount[mine]), why)
            left[owner] = left[owner] - part
        drawn: Amounts = need - left[margin]
        return drawn

    def hand_over(self, rows: Ints, why: str) -> None:
        """Give rows whole to the backstop, positions at the mark: who had them has been paid their PnL."""
        target = self._row_at(np.full(len(rows), self.backstop), self.asset[rows], self.side[rows])
        which, place = np.unique(target, return_inverse=True)
        more = self.zeros(len(which))
        np.add.at(more, place, self.amount[rows])
        self.move(rows, -self.amount[rows], why)
        gained = self.worth[which] * self.amount[which]
        self.move(which, more, why)
        bought = self.traded[which]
        self.worth[which[bought]] = quotient(gained, self.amount[which])[bought]
        self.entered[which[bought]] = True

    def entry_prices(self) -> tuple[Ints, Floats]:
        """Rows whose entry price calls have changed, and it: the average over what stood and what came at the mark."""
        rows = np.flatnonzero(self.entered)
        entry = plain(self.price[rows] - self.sign[rows] * self.worth[rows]) if len(rows) else np.zeros(0)
        return rows, np.where(entry > 0.0, entry, np.nan)  # a mark of 0 cannot be an entry price
