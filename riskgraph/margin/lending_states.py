"""How the accounts of the rule ``lending`` stand from round to round: fine, called, liquidatable, or sunk.

Where this rule decides on every account of a large book, only those are looked at again about whom a price or a
movement may have changed something. Who is fine stays so while collateral does not fall and debt does not rise; whose
collateral pays less than is owed, the other way.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints, rising
from riskgraph.margin.account_health import check_told, formed
from riskgraph.margin.account_states import (
    BARE,
    BRINK,
    CALLED,
    CLOSE,
    DUE,
    EDGE,
    FAR,
    FINE,
    GONE,
    NEAR,
    NEARBY,
    QUIET,
    STATES,
    SUNK,
)
from riskgraph.margin.close_calls import below_one
from riskgraph.margin.standings import MET, Standing
from riskgraph.margin.sunk_stock import SunkStock
from riskgraph.margin.threads import in_parts
from riskgraph.margin.watch_lists import WatchLists

if TYPE_CHECKING:
    from riskgraph.margin.call_desk import CallDesk
    from riskgraph.margin.lending_bundles import LendingCalls

__all__ = ["LendingStates"]

WORTH_COMPILING = 1_000  # margin accounts from which compiled code makes up for loading numba
_PARTS = 8  # pieces of work for threads
_MANY_PAIRS = 0.5  # share of pairs that have moved from which on nobody is asked whether he has something in one
_WORTH_SHARING = 20_000  # accounts
_LOW = np.isin(np.arange(STATES), (CALLED, BARE, DUE, SUNK, BRINK))  # states of those below their call level


class LendingStates:
    """States of margin accounts, and what the sunk ones have on sale.

    Attributes
    ----------
    state : ndarray of uint8, shape (n_margins,)
        In the words of the kernel.
    stock : SunkStock
        All collateral of accounts that are sunk.
    """

    derivatives = None

    def __init__(self, calls: LendingCalls, desk: CallDesk | None) -> None:
        self.calls, self.book, self.desk = calls, calls.book, desk
        self.state = np.zeros(len(self.book.rows.margin_account), dtype=np.uint8)
        self._unsure = np.zeros(len(self.state), dtype=np.bool_)  # next to an edge by rounding: looked at every time
        self.looked_at: Ints = np.zeros(0, dtype=np.int64)
        self._seen: Floats | None = None  # prices at the last look

    @cached_property
    def alone(self) -> bool:
        """Whether this rule decides on every account of a large book, by nothing but its rows, and asks nobody before.

        Margin calls may be made, to those who are not liquidatable.
        """
        book = self.book
        plain = not book.rows.named and book.entry is None and len(book.rows.margin_account) >= WORTH_COMPILING
        plain = plain and (self.desk is None or self.desk.at_once)
        return plain and bool(self.calls.mine[book.rows.margin_protocol].all())

    # -- where the rule is alone --------------------------------------------------------------------------------------

    def look(self) -> tuple[Bools, Bools]:
        """Who is liquidatable, and who of them has something to take."""
        book = self.book
        if self._seen is None:
            self._begin()
            again = np.arange(len(self.state))
        else:
            again = self._unsettled(self._stirred(self._seen))
        self.looked_at = again
        before = self.state[again]
        self._look(again)
        now = self.state[again]
        self._decide(again[now == CLOSE])
        if self.desk is not None:
            self._weigh(again[self.state[again] == CALLED])
        self.stock.add(again[(before >= SUNK) & (now < SUNK)], -1.0)
        self.stock.add(again[(before < SUNK) & (now >= SUNK)], 1.0)
        self._watched.woken(again[self._watched.asleep[before] & ~self._watched.asleep[now]])
        self._seen = book.pair_price
        book.stirred[:], book.claims_left[:] = False, 1.0
        due: Bools = self.state >= DUE
        return due if self.desk is None else due | (self.state == BARE), due

    def pull(self, margins: Ints) -> None:
        """Take accounts out of the stock: their amounts are about to change."""
        sunk = rising(margins[self.state[margins] >= SUNK])
        self.stock.add(sunk, -1.0)
        self.state[sunk] = DUE
        self._watched.woken(sunk)

    def apart(self) -> tuple[SunkStock, Ints]:
        """Part those who are liquidatable: what the sunk ones have on sale, and the others."""
        return self.stock, np.flatnonzero(self.state == DUE)

    def below(self, level: Floats) -> Ints:
        """Margin accounts below their call level that are not liquidatable."""
        return np.flatnonzero(self.state == CALLED)

    def still_below(self, margins: Ints, level: Floats) -> Bools:
        """Which of some are below, liquidatable or not."""
        return np.asarray(_LOW[self.state[margins]])

    def standing(self, margins: Ints) -> Standing:
        """Give sums and health of margin accounts as they stand."""
        self._weigh(margins[self.state[margins] != CALLED])
        return Standing.of_sums(*np.ascontiguousarray(self._sums[margins].T))

    def _weigh(self, margins: Ints) -> Bools:
        """Sum up margin accounts; of those who are called that stands until they are looked at again.

        Says who is called, beyond all rounding.
        """
        from riskgraph.margin.state_kernel import weigh_accounts

        book, called = self.book, np.zeros(len(margins), dtype=np.bool_)

        def step(_: int, at: slice) -> None:
            weigh_accounts(margins[at], book.starts, book.stops, self.calls.columns, book.pair_price,
                           book.rows.margin_protocol, self._levels, self._sums, called[at])  # fmt: skip

        in_parts(len(margins), _PARTS, step, worth_sharing=len(margins) > _WORTH_SHARING)
        return called

    def _unsettled(self, stirred: Ints) -> Ints:
        """Leave out those who are called and, as their sums say, stay so."""
        if self.desk is None:
            return stirred
        called = self.state[stirred] == CALLED
        called[called] = self._weigh(stirred[called])
        return np.asarray(stirred[~called])

    @cached_property
    def _sums(self) -> Floats:
        """Collateral, weighted collateral, debt and weighted debt of the margin accounts that somebody asked for."""
        return np.zeros((len(self.state), 4))

    def _begin(self) -> None:
        """Refuse a book in which health cannot be told; from then on only changes are looked at."""
        book = self.book
        if np.isnan(book.rows.pledged.weight).any():
            view = book.view()
            check_told(view, formed(view))
        self.stock = SunkStock(self.calls, self.state, lasts=True)
        self._left = np.ones(len(book.pair_price))  # of claims in every pair, since everybody was looked at
        self._last = self._now
        self._marked = np.tile(book.pair_price, (2, 2, 1))  # when lists were searched, both sides

    def _decide(self, close: Ints) -> None:
        """Decide of those of whom floats cannot tell."""
        if len(close):
            called = self._levels[0][self.book.rows.margin_protocol[close]] > 1.0
            due = below_one(self.book.view(), close)
            self.state[close] = np.where(due, DUE, np.where(called, CALLED, EDGE))

    def _stirred(self, seen: Floats) -> Ints:
        """Those next to an edge, and those far from it in a pair that has moved by more than a margin since marked."""
        book = self.book
        stirred = book.stirred[:-1]
        if seen is book.pair_price and (book.claims_left == 1.0).all():
            return np.flatnonzero(stirred)
        self.stock.scale(book.claims_left)
        self._left *= book.claims_left
        gone = (book.pair_price <= 0.0) & (seen > 0.0)  # worth nothing: no longer all on sale, whatever falls
        gone |= book.claims_left <= 0.0
        wanted = np.zeros((2, len(gone), STATES), dtype=np.bool_)
        stirred |= self._unsure
        changed = np.abs(self._now - self._last) > QUIET * self._last
        self._last = np.where(changed, self._now, self._last)
        if changed.mean() > _MANY_PAIRS:
            stirred |= (self.state == EDGE) | (self.state >= CALLED) & (self.state != SUNK)
        else:
            wanted[:, :, [EDGE, CALLED, CLOSE, DUE, BRINK]] = changed[:, :, None]
        falls, rises = self._moved(1, NEARBY)
        wanted[0, :, NEAR], wanted[1, :, NEAR] = falls[0], rises[1]
        falls, rises = self._moved(0, FAR)
        wanted[0, :, FINE], wanted[1, :, FINE] = falls[0], rises[1]
        self._watched.mark(wanted, stirred)
        wanted[:] = False
        wanted[0, :, SUNK], wanted[1, :, SUNK] = rises[0] | gone, falls[1]
        wanted[1, :, BARE] = gone
        self._watched.mark_sleepers(wanted, stirred)
        return np.flatnonzero(stirred)

    @property
    def _now(self) -> Floats:
        """What a unit of collateral, and of debt, of every pair has come to: claims are scaled, debts are not."""
        return np.stack([self.book.pair_price * self._left, self.book.pair_price])

    def _moved(self, which: int, margin: float) -> tuple[Bools, Bools]:
        """In which pairs a unit of collateral, and of debt, has fallen or risen by more than a margin; mark them."""
        now, marked = self._now, self._marked[which]
        falls, rises = now < marked * (1.0 - margin), now > marked * (1.0 + margin)
        self._marked[which] = np.where(falls | rises, now, marked)
        return falls, rises

    @cached_property
    def _watched(self) -> WatchLists:
        return WatchLists(self.book, self.state, np.isin(np.arange(STATES), (BARE, GONE, SUNK)))

    @cached_property
    def _levels(self) -> Floats:
        """Health below which each protocol calls (0: it does not), and the higher of that and 1."""
        n = self.book.shape[0]
        level = np.zeros(n) if self.desk is None else np.nan_to_num(self.desk.terms.level)
        return np.stack([level * (1.0 - MET), np.maximum(level, 1.0)])

    # -- anywhere -----------------------------------------------------------------------------------------------------

    def parted(self, margins: Ints) -> tuple[SunkStock, Ints]:
        """Part accounts that are due, ascending: what those have on sale who are sunk, and the others."""
        self.state[:] = 0
        sunk = np.zeros(len(margins), dtype=np.bool_)
        if not self.book.rows.named:
            self._look(margins)
            sunk = self.state[margins] >= SUNK
        stock = SunkStock(self.calls, self.state, lasts=False)
        stock.add(margins[sunk], 1.0)
        return stock, margins[~sunk]

    def _look(self, margins: Ints) -> None:
        from riskgraph.margin.state_kernel import look_at

        book, calls = self.book, self.calls
        all_worth = bool((book.pair_price > 0.0).all())

        def step(_: int, at: slice) -> None:
            look_at(margins[at], book.starts, book.stops, calls.columns, self._weighed, book.pair_price, all_worth,
                    calls.terms, book.rows.margin_protocol, self._levels, self.state, self._unsure)  # fmt: skip

        in_parts(len(margins), _PARTS, step)

    @cached_property
    def _weighed(self) -> tuple[Floats, Floats, Bools]:
        """What a dollar of rows pays and counts for, and which accounts only amounts and prices decide about."""
        from riskgraph.margin.state_kernel import plain_accounts, weigh_rows

        book, n = self.book, len(self.book.amount)
        pays, counts, modest = np.empty(n), np.empty(n), np.empty(n, dtype=np.bool_)
        weigh_rows(self.calls.columns, pays, counts, modest)
        plain = np.zeros(len(book.rows.margin_account), dtype=np.bool_)
        plain_accounts(book.starts, book.stops, modest, self.calls.terms, book.rows.margin_protocol, plain)
        return pays, counts, plain
