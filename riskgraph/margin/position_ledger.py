"""The books of a venue of longs and shorts while calls are carried out: margin cash, positions, what they require."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints, Labels, summed
from riskgraph.errors import InputError
from riskgraph.margin.contracts import by_asset, contracts_of
from riskgraph.margin.ladders import margin_of
from riskgraph.margin.ledger import COLLATERAL, DEBT, Ledger
from riskgraph.margin.options import option_rows
from riskgraph.margin.rounding import Amounts, plain, quotient
from riskgraph.snapshot.book import term_grid
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
    sign : Amounts
        1 for longs, −1 for shorts, 0 for other rows.
    gain : Amounts
        USD that closing a unit at the mark brings into margin cash: ± (price − entry price), 0 where no entry price is
        known; of options the value to their holder.
    """

    sides: ClassVar[tuple[str, ...]] = ("collateral", "debt", "long", "short")
    rule: PositionRule

    def __init__(self, snap: Snapshot, protocol: int, rule: PositionRule, margins: Ints, *, exact: bool = True) -> None:
        super().__init__(snap, protocol, rule, margins, exact=exact)
        self.traded: Bools = np.isin(self.side, (LONG, SHORT))
        self.price = self.numbers(np.append(self.marks, 0.0)[self.asset])
        self.sign = self.numbers((self.side == LONG).astype(np.float64) - (self.side == SHORT))
        self.gain = self._gains()
        self.haircut = self._haircuts()
        self.entered = np.zeros(len(self.row), dtype=np.bool_)  # positions whose entry price calls have changed
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
        book, label = self.snap.book, self.terms.label("settlement_asset")
        pledged = book.rows("collateral") & (book.protocol == self.terms.protocol)
        if label:
            code = int(self.snap.labels("asset").index(label).as_py())
        elif pledged.any():
            code = int(np.argmax(summed(book.asset[pledged], book.usd[pledged], len(self.marks))))
        else:
            code = -1
        if code < 0 or not self.marks[code] > 0.0:
            came = f"{self.snap.labels('asset')[code]}, which is worth nothing" if code >= 0 else "no collateral there"
            raise InputError(
                "protocols.settlement_asset: expected the asset in which PnL is settled (by default the collateral "
                f"worth most there), got {came}, at {self.terms.protocol_label}"
            )
        return code

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
        known = self._keys(self.margin[:-1], self.asset[:-1], self.side[:-1])
        return np.searchsorted(known, self._keys(margin, asset, side))

    def _remainders(self) -> tuple[Amounts, Amounts, Amounts]:
        """Give published collateral and debt that no row explains, by account; no threshold weighs them here."""
        book, new = self.snap.book, np.zeros(self.size - len(self.margins))
        parts = (book.collateral_remainder, book.debt_remainder)
        collateral, debt = (self.numbers(np.append(part[self.margins], new)) for part in parts)
        return collateral, collateral, debt

    def _gains(self) -> Amounts:
        entry = np.append(self.snap.table("positions").number("entry_price"), np.nan)[self.row]
        options = np.append(option_rows(self.snap), False)[self.row]
        known = ~np.isnan(entry) & ~options
        gain = self.numbers(np.zeros(len(self.row)))
        gain[known] = self.sign[known] * (self.price[known] - self.numbers(entry[known]))
        if options.any():
            contracts = contracts_of(self.snap, self.row[options])
            gain[options] = self.sign[options] * self.numbers(contracts.value(0.0)[contracts.of_row])
        return gain

    def _haircuts(self) -> Amounts:
        shape = (len(self.snap.labels("protocol")), len(self.marks))
        given = np.nan_to_num(term_grid(self.snap.table("markets"), "haircut", shape)[self.terms.protocol])
        return self.numbers(np.where(self.side == COLLATERAL, np.append(given, 0.0)[self.asset], 0.0))

    def value(self) -> Amounts:
        """USD that every account is worth at the mark: collateral + PnL + option value − debt."""
        usd = self.amount * self.price
        cash = np.where(self.side == COLLATERAL, usd, np.where(self.side == DEBT, -usd, 0))
        everything = np.append(np.ones(len(self.row) - 1, dtype=np.bool_), False)
        return self.summed(cash + self.amount * self.gain, everything) + self.extra_collateral - self.extra_debt

    def equity(self) -> Amounts:
        """Value less haircuts on collateral: what stands against the maintenance margin."""
        cut = self.summed(self.amount * self.price * self.haircut, self.side == COLLATERAL)
        return self.value() - cut

    def required(self) -> Amounts:
        """Maintenance margin of every row, USD."""
        return margin_of(self.amount * self.price, self.rates, self.deductions)

    def maintenance(self) -> Amounts:
        """Maintenance margin of every account."""
        return self.summed(self.required(), self.traded)

    def health(self) -> Amounts:
        """Equity ÷ maintenance margin; where nothing is required +inf, or −inf with equity below 0."""
        equity = self.equity()
        return quotient(equity, self.maintenance(), np.where(equity < 0, -np.inf, np.inf))

    def position_of(self, margin: Ints, asset: Ints) -> Ints:
        """Open position of each account in an asset, or its largest (asset -1; ties by label, then long); -1: none."""
        named = np.full(self.size + 1, -1)
        named[margin] = asset
        some = self.traded & np.asarray(self.amount > 0, dtype=np.bool_)
        some &= (named[self.margin] < 0) | (named[self.margin] == self.asset)
        rows = np.flatnonzero(some)
        rows = rows[np.argsort(-self.amount[rows] * self.price[rows], kind="stable")]
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
        wanted = self.numbers(np.zeros(self.size))
        wanted[margin] = usd
        came = wanted - self._drawn(DEBT, np.maximum(wanted, 0), why)
        left = came + self._drawn(COLLATERAL, np.maximum(-wanted, 0), why)
        asset = np.full(len(margin), self.settlement)
        for side, units in ((COLLATERAL, np.maximum(left, 0)), (DEBT, np.maximum(-left, 0))):
            rows = self._row_at(margin, asset, np.full(len(margin), side))
            self.move(rows, units[margin] / self.price[rows], why)

    def _drawn(self, side: int, need: Amounts, why: str) -> Amounts:
        """Take USD of every account out of its rows on a side; give what was taken, all of it or what there was."""
        usd = self.amount * self.price
        some = (self.side == side) & np.asarray((usd > 0) & (need[self.margin] > 0), dtype=np.bool_)
        rows = np.flatnonzero(some)
        rows = rows[np.argsort(-usd[rows], kind="stable")]
        rows = rows[np.lexsort((self.asset[rows] != self.settlement, self.margin[rows]))]
        turn = np.arange(len(rows)) - np.searchsorted(self.margin[rows], self.margin[rows])
        taken = self.numbers(np.zeros(self.size))
        for at in range(int(turn.max(initial=-1)) + 1):  # every account's first token, then its second
            mine = rows[turn == at]
            owner = self.margin[mine]
            part = np.minimum(usd[mine], need[owner] - taken[owner])
            self.move(mine, -np.where(part < usd[mine], part / self.price[mine], self.amount[mine]), why)
            taken[owner] = taken[owner] + part
        return taken

    def hand_over(self, rows: Ints, why: str) -> None:
        """Give rows whole to the backstop, positions at the mark: who had them has been paid their PnL."""
        target = self._row_at(np.full(len(rows), self.backstop), self.asset[rows], self.side[rows])
        more = self.numbers(np.zeros(len(self.row)))
        np.add.at(more, target, self.amount[rows])
        self.move(rows, -self.amount[rows], why)
        target = np.unique(target)
        gained = self.gain[target] * self.amount[target]
        self.move(target, more[target], why)
        self.gain[target] = quotient(gained, self.amount[target])
        self.entered[target] = self.traded[target]

    def entry_prices(self) -> tuple[Ints, Floats]:
        """Rows whose entry price calls have changed, and it: the average over what stood and what came at the mark."""
        rows = np.flatnonzero(self.entered)
        entry = plain(self.price[rows] - self.sign[rows] * self.gain[rows]) if len(rows) else np.zeros(0)
        return rows, np.where(entry > 0.0, entry, np.nan)  # a mark of 0 cannot be an entry price
