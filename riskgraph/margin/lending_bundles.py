"""Calls of the rule ``lending`` on whole books: the compiled road to what ``bundles.call_accounts`` gives."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints, summed
from riskgraph.margin.bundles import Bundles
from riskgraph.margin.cascade_book import COLLATERAL, DEBT
from riskgraph.margin.rules.lending import Lending
from riskgraph.margin.rules.shelf import rule_named
from riskgraph.margin.sunk_stock import RowClasses
from riskgraph.margin.terms import Terms
from riskgraph.margin.threads import in_parts

if TYPE_CHECKING:
    from riskgraph.margin.cascade_book import CascadeBook

__all__ = ["WORTH_COMPILING", "LendingCalls"]

WORTH_COMPILING = 2_000  # accounts due at once from which compiled code makes up for loading numba
_PARTS = 8  # pieces of work for threads
_TERMS = ("close_factor", "close_factor_hf_threshold", "min_base_max_close_factor_threshold", "min_leftover_base",
          "target_health_factor")  # fmt: skip


class LendingCalls:
    """The protocols of a book whose rule is ``lending`` itself, and their terms as arrays."""

    def __init__(self, book: CascadeBook, dust_usd: float) -> None:
        self.book, self.dust_usd = book, dust_usd
        rules = [rule_named(name) for name in book.snap.venues.rule]
        self.mine: Bools = np.array([type(rule) is Lending for rule in rules], dtype=np.bool_)

    @cached_property
    def terms(self) -> Floats:
        """Terms of every protocol, shape (n_protocols, 5)."""
        found = np.full((len(self.mine), len(_TERMS)), np.nan)
        for protocol in np.flatnonzero(self.mine).tolist():
            terms = Terms(self.book.snap, protocol, "lending")
            found[protocol] = [terms.number(name) for name in _TERMS]
        return found

    @cached_property
    def fee_share(self) -> Floats:
        """The protocol's share of the bonus, by pair."""
        rows = self.book.rows
        found = np.zeros(len(rows.pair_asset))
        for protocol in np.flatnonzero(self.mine).tolist():
            pairs = np.flatnonzero(rows.pair_protocol == protocol)
            terms = Terms(self.book.snap, protocol, "lending")
            found[pairs] = terms.of_assets("protocol_fee", rows.pair_asset[pairs])
        return found

    @cached_property
    def _weights(self) -> Floats:
        """What a dollar of debt counts for, by row; empty where every one counts for 1."""
        weight = self.book.rows.owed.weight
        if not len(weight):
            return np.zeros(0)
        found = np.ones(len(self.book.amount))
        found[self.book.rows.side == DEBT] = weight
        return found

    def call(self, margins: Ints) -> tuple[Bundles, int]:
        """Call accounts, ascending; give the calls added up, and how many turns ended since dust would be left."""
        from riskgraph.margin.lending_kernel import room_for

        book, held = self.book, self.book.rows
        room = np.zeros(len(margins), dtype=np.int64)
        room_for(margins, book.starts, book.stops, held.side, COLLATERAL, DEBT, room)
        first = np.cumsum(room) - room
        size = int(room.sum())
        rows = np.zeros((2, size), dtype=np.int64)
        amounts = np.zeros((3, size))
        flags = np.zeros((2, len(margins)), dtype=np.bool_)
        self._in_parts(margins, first, rows, amounts, flags)
        seized, fee, repaid = amounts
        some = np.flatnonzero((seized > 0.0) | (repaid > 0.0))
        margin = held.margin[rows[0, some]].astype(np.int64)
        closes = np.zeros(len(held.margin_account), dtype=np.bool_)
        closes[margins[flags[0]]] = True
        paid = repaid[some]
        made = Bundles(margin, rows[0, some], rows[1, some], seized[some], fee[some], paid, np.zeros(len(some)), paid,
                       closes[margin])  # fmt: skip
        return made, int(flags[1].sum())

    def _in_parts(self, margins: Ints, first: Ints, rows: Ints, amounts: Floats, flags: Bools) -> None:
        """Share the accounts out to threads; none touches what another one does."""
        from riskgraph.margin.lending_kernel import call_lending

        book, held = self.book, self.book.rows
        extras = self._extras(margins)
        columns, kept, worth = self.columns, book.kept, book.worth

        def step(_: int, at: slice) -> None:
            call_lending(
                margins[at], first[at], book.starts, book.stops, columns, book.pair_price, kept, worth,
                (extras[0][at], extras[1][at], extras[2][at]), self.terms, held.margin_protocol, self.fee_share,
                self.dust_usd, rows[0], rows[1], amounts[0], amounts[1], amounts[2], flags[0, at], flags[1, at],
            )  # fmt: skip

        in_parts(len(margins), _PARTS, step)

    @property
    def columns(self) -> tuple[Any, ...]:
        """Rows as compiled code reads them."""
        held = self.book.rows
        columns = self.book.amount, held.pair, held.threshold, held.bonus, self._weights
        return held.side, *columns, COLLATERAL, DEBT, self._group

    @cached_property
    def _group(self) -> Ints:
        """Where the worth of a unit of every row is: of collateral by pair, then of debt."""
        held = self.book.rows
        group: Ints = held.pair.astype(np.int32) + np.int32(len(held.pair_asset)) * (held.side == DEBT)
        return group

    @cached_property
    def classes(self) -> RowClasses:
        """Pairs and bonuses of rows of collateral."""
        return RowClasses(self)

    def _extras(self, margins: Ints) -> tuple[Floats, Floats, Floats]:
        """Remainders of published totals: collateral, what of it counts, and debt."""
        held = self.book.rows
        if not held.named:
            none = np.zeros(len(margins))
            return none, none, none
        collateral, debt = held.collateral_remainder[margins], held.debt_remainder[margins]
        rows, place = self.book.rows_of(margins)
        mine = held.side[rows] == COLLATERAL
        value = self.book.amount[rows[mine]] * self.book.pair_price[held.pair[rows[mine]]]
        weighted = summed(place[mine], value * np.nan_to_num(held.threshold[rows[mine]]), len(margins))
        whole = summed(place[mine], value, len(margins))
        average = np.divide(weighted, whole, out=np.zeros(len(whole)), where=whole > 0.0)
        own = held.own_threshold[margins]
        return collateral, collateral * np.where(np.isnan(own), average, own), debt
