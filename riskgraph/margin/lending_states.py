"""How the accounts of the rule ``lending`` stand from round to round: fine, called, liquidatable, or sunk.

Where this rule decides on every account of a large book, only those are looked at again about whom a price or a
movement may have changed something: each look says between which prices nothing changes (``price_triggers``).
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints, rising
from riskgraph.margin.account_health import check_told, formed
from riskgraph.margin.account_states import BARE, BRINK, CALLED, CLOSE, DUE, EDGE, RESTING, STATES, SUNK
from riskgraph.margin.close_calls import below_one
from riskgraph.margin.price_triggers import PriceTriggers
from riskgraph.margin.standings import MET, Standing
from riskgraph.margin.sunk_stock import SunkStock
from riskgraph.margin.threads import in_parts

if TYPE_CHECKING:
    from riskgraph.margin.call_desk import CallDesk
    from riskgraph.margin.lending_bundles import LendingCalls

__all__ = ["LendingStates"]

WORTH_COMPILING = 1_000  # margin accounts from which compiled code makes up for loading numba
_PARTS = 8  # pieces of work for threads
_WORTH_SHARING = 20_000  # accounts
_LOW = np.isin(np.arange(STATES), (CALLED, RESTING, BARE, DUE, SUNK, BRINK))  # those below their call level
_ALERT = np.isin(np.arange(STATES), (EDGE, CALLED, CLOSE, DUE, BRINK))  # whom any price may change something about


_NONE = (np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.float32), np.zeros(0, dtype=np.float32))


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
        self._triggers: PriceTriggers | None = None

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
        if self._triggers is None:
            self._triggers = self._begin()
            again, settled = np.arange(len(self.state)), np.zeros(0, dtype=np.int64)
        else:
            again, settled = self._unsettled(self._stirred(self._triggers))
        self.looked_at = again
        before = self.state[again]
        self._look(again)
        now = self.state[again]
        self._decide(again[now == CLOSE])
        if self.desk is not None:
            fresh = again[self.state[again] == CALLED]
            self._rest(again[before == RESTING], np.append(settled, fresh), self._triggers)
            self._weigh(fresh)
        self.stock.add(again[(before >= SUNK) & (now < SUNK)], -1.0)
        self.stock.add(again[(before < SUNK) & (now >= SUNK)], 1.0)
        self._watch(again[_ALERT[self.state[again]] | self._unsure[again]])
        book.stirred[:] = False
        due: Bools = self.state >= DUE
        return due if self.desk is None else due | (self.state == BARE), due

    def pull(self, margins: Ints) -> None:
        """Take accounts out of the stock: their amounts are about to change."""
        sunk = rising(margins[self.state[margins] >= SUNK])
        self.stock.add(sunk, -1.0)
        self.state[sunk] = DUE
        self._watch(sunk)

    def apart(self) -> tuple[SunkStock, Ints]:
        """Part those who are liquidatable: what the sunk ones have on sale, and the others."""
        return self.stock, self._alert_in(DUE)

    def below(self, level: Floats) -> Ints:
        """Margin accounts below their call level that are not liquidatable."""
        return self._alert_in(CALLED)

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
        worth = book.worth

        def step(_: int, at: slice) -> None:
            weigh_accounts(margins[at], book.starts, book.stops, self.calls.columns, worth,
                           book.rows.margin_protocol, self._levels, self._sums, called[at])  # fmt: skip

        in_parts(len(margins), _PARTS, step, worth_sharing=len(margins) > _WORTH_SHARING)
        return called

    def _unsettled(self, stirred: Ints) -> tuple[Ints, Ints]:
        """Part those who are called and, as their sums say, stay so from all others, who come first."""
        called = self.state[stirred] == CALLED
        if self.desk is not None:
            called[called] = self._weigh(stirred[called])
        return stirred[~called], stirred[called]

    def _rest(self, rested: Ints, called: Ints, triggers: PriceTriggers) -> None:
        """Let those who are called rest whose call is old, and who have no money and no other account.

        What they lack is carried on as a sum; ``rested`` are those who did and have been looked at again.
        """
        from riskgraph.margin.state_kernel import add_up_required
        from riskgraph.margin.trigger_kernel import rest_called

        book, desk = self.book, self.desk
        if desk is None or desk.closeout:
            return
        rich = book.owners.moneyed | book.owners.several
        poor = ~(rich[book.rows.margin_account[called]] | self._unsure[called]) & (desk.issued[called] >= 0)
        resting = called[poor]
        self.state[resting] = RESTING
        rows, counts = self.calls.columns, self._weighed[1]
        accounts = book.starts, book.stops, rows, counts
        for margins, sign in ((rested, -1.0), (resting, 1.0)):
            add_up_required(margins, *accounts, desk.target, sign, self._required)
        rest_called(resting, *accounts, book.worth, book.rows.margin_protocol, self._levels, triggers.columns)

    @cached_property
    def _required(self) -> Floats:
        """What those who rest lack at a worth of 1 of a unit, by group of rows."""
        return np.zeros(2 * len(self.book.rows.pair_asset))

    @property
    def resting_usd(self) -> float:
        """Least repayment that would cure those who rest."""
        return float(self._required @ self.book.worth)

    @cached_property
    def _sums(self) -> Floats:
        """Collateral, weighted collateral, debt and weighted debt of the margin accounts that somebody asked for."""
        return np.zeros((len(self.state), 4))

    def _begin(self) -> PriceTriggers:
        """Refuse a book in which health cannot be told; from then on only changes are looked at."""
        book = self.book
        if np.isnan(book.rows.pledged.weight).any():
            view = book.view()
            check_told(view, formed(view))
        self.stock = SunkStock(self.calls, self.state, lasts=True)
        self._alert = np.zeros(0, dtype=np.int64)  # accounts about whom any price may change something
        self._is_alert = np.zeros(len(self.state), dtype=np.bool_)
        triggers = PriceTriggers(book)
        triggers.mark(book.worth, np.zeros_like(book.stirred))
        return triggers

    def _decide(self, close: Ints) -> None:
        """Decide of those of whom floats cannot tell."""
        if len(close):
            called = self._levels[0][self.book.rows.margin_protocol[close]] > 1.0
            due = below_one(self.book.view(), close)
            self.state[close] = np.where(due, DUE, np.where(called, CALLED, EDGE))

    def _stirred(self, triggers: PriceTriggers) -> Ints:
        """Those whose amounts or triggers say so, and, where any price has moved, all who are next to an edge."""
        book = self.book
        stirred = book.stirred[:-1]
        if book.claims is not None:
            while book.claims.gone:
                pairs = book.claims.gone.pop()
                self.stock.empty(pairs)
                self._required[pairs[book.lent[pairs]]] = 0.0
        if triggers.mark(book.worth, stirred):
            stirred[self._alert] = True
        return np.flatnonzero(stirred)

    def _watch(self, margins: Ints) -> None:
        """Take accounts in among those whom any price may change something about; let go of who is not any more."""
        stays = _ALERT[self.state[self._alert]] | self._unsure[self._alert]
        self._is_alert[self._alert[~stays]] = False
        fresh = margins[~self._is_alert[margins]]
        self._is_alert[fresh] = True
        self._alert = np.concatenate([self._alert[stays], fresh])

    def _alert_in(self, state: int) -> Ints:
        """Those of them who are in a state, ascending."""
        return np.sort(self._alert[self.state[self._alert] == state])

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
        """Say how accounts stand; where somebody goes by triggers, put them down, too."""
        from riskgraph.margin.state_kernel import look_at

        book, calls = self.book, self.calls
        all_worth = bool((book.pair_price > 0.0).all())
        triggers = self._triggers.columns if self._triggers is not None else _NONE
        worth = book.worth

        def step(_: int, at: slice) -> None:
            look_at(margins[at], book.starts, book.stops, calls.columns, self._weighed, worth, all_worth,
                    calls.terms, book.rows.margin_protocol, self._levels, self.state, self._unsure,
                    triggers)  # fmt: skip

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
