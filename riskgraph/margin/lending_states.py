"""How the accounts of the rule ``lending`` stand from round to round: fine, liquidatable, or sunk.

Where this rule calls every account of a large book, only those are looked at again about whom a price or a movement may
have changed something. Who is fine stays so while collateral does not fall and debt does not rise; whose collateral
pays less than is owed, the other way.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from riskgraph.arrays import Bools, Floats, Ints, rising
from riskgraph.margin.cascade_book import COLLATERAL, DEBT
from riskgraph.margin.close_calls import below_one
from riskgraph.margin.sunk_stock import SunkStock
from riskgraph.margin.threads import in_parts

if TYPE_CHECKING:
    from riskgraph.margin.lending_bundles import LendingCalls

__all__ = ["LendingStates"]

WORTH_COMPILING = 50_000  # margin accounts from which compiled code makes up for loading numba
_PARTS = 8  # pieces of work for threads


class LendingStates:
    """States of margin accounts, and what the sunk ones have on sale.

    Attributes
    ----------
    state : ndarray of uint8, shape (n_margins,)
        In the words of the kernel.
    stock : SunkStock
        All collateral of accounts that are sunk.
    """

    def __init__(self, calls: LendingCalls, *, calls_off: bool) -> None:
        self.calls, self.book, self.calls_off = calls, calls.book, calls_off
        self.state = np.zeros(len(self.book.rows.margin_account), dtype=np.uint8)
        self._seen: Floats | None = None  # prices at the last look

    @cached_property
    def alone(self) -> bool:
        """Whether this rule, and no margin call, decides on every account of a large book, by nothing but its rows."""
        book = self.book
        plain = (
            self.calls_off
            and not book.rows.named
            and book.entry is None
            and len(book.rows.margin_account) >= WORTH_COMPILING
        )
        return plain and bool(self.calls.mine[book.rows.margin_protocol].all())

    # -- where the rule is alone --------------------------------------------------------------------------------------

    def due(self) -> Bools:
        """Which accounts are liquidatable and have something to take."""
        from riskgraph.margin.sunk_kernel import CLOSE, DUE, NEAR, SUNK

        book = self.book
        again = self._to_look_at()
        was_sunk = self.state[again] >= SUNK
        self._look(again)
        now = self.state[again]
        close = again[now == CLOSE]
        if len(close):
            self.state[close] = np.where(below_one(book.view(), close), DUE, NEAR)
        self.stock.add(again[was_sunk & (now < SUNK)], -1.0)
        self.stock.add(again[~was_sunk & (now >= SUNK)], 1.0)
        self._seen = book.pair_price
        book.stirred[:], book.claims_left[:] = False, 1.0
        found: Bools = self.state >= DUE
        return found

    def pull(self, margins: Ints) -> None:
        """Take accounts out of the stock: their amounts are about to change."""
        from riskgraph.margin.sunk_kernel import DUE, SUNK

        sunk = rising(margins[self.state[margins] >= SUNK])
        self.stock.add(sunk, -1.0)
        self.state[sunk] = DUE

    def _to_look_at(self) -> Ints:
        """Accounts, ascending, that may stand otherwise than at the last look."""
        book = self.book
        if self._seen is None:
            self.state[:] = 0
            self.stock = SunkStock(self.calls, self.state, lasts=True)
            self._left = np.ones(len(book.pair_price))  # of claims in every pair, since everybody was looked at
            self._marked = np.tile(
                book.pair_price, (2, 1)
            )  # what collateral, and debt, stood at when lists were searched
            return np.arange(len(self.state))
        self.stock.scale(book.claims_left)
        self._left *= book.claims_left
        return self._stirred(self._seen)

    def _stirred(self, seen: Floats) -> Ints:
        """Those near an edge, and those far from it in a pair that has moved by more than a margin since marked."""
        from riskgraph.margin.sunk_kernel import CLOSE, FAR, FINE, NEAR, SUNK, mark_stirred

        book, price = self.book, self.book.pair_price
        stirred = (self.state >= CLOSE) & (self.state != SUNK)
        stirred |= (self.state == NEAR) | book.stirred[:-1]
        now = np.stack([price * self._left, price])
        falls, rises = now < self._marked * (1.0 - FAR), now > self._marked * (1.0 + FAR)
        self._marked = np.where(falls | rises, now, self._marked)
        gone = (price <= 0.0) & (seen > 0.0)  # worth nothing: no longer all on sale, whatever falls
        gone |= book.claims_left <= 0.0
        pledging, owing = self._accounts_by_pair
        mark_stirred(*pledging, falls[0], FINE, rises[0] | gone, SUNK, self.state, stirred)
        mark_stirred(*owing, rises[1], FINE, falls[1], SUNK, self.state, stirred)
        return np.flatnonzero(stirred)

    @cached_property
    def _accounts_by_pair(self) -> tuple[tuple[Ints, Ints], tuple[Ints, Ints]]:
        """Where each pair's begin, and margin accounts: with collateral in every pair, and with debt."""
        rows, n = self.book.rows, len(self.book.rows.pair_asset)
        found = []
        for side in (COLLATERAL, DEBT):
            at = np.flatnonzero(rows.side == side)
            listed = sparse.csr_array((rows.margin[at], rows.pair[at], np.array([0, len(at)])), shape=(1, n)).tocsc()
            found.append((listed.indptr, listed.data))
        return found[0], found[1]

    # -- anywhere -----------------------------------------------------------------------------------------------------

    def parted(self, margins: Ints) -> tuple[SunkStock, Ints]:
        """Part accounts that are due, ascending: what those have on sale who are sunk, and the others."""
        from riskgraph.margin.sunk_kernel import DUE, SUNK

        if self.alone:
            return self.stock, np.flatnonzero(self.state == DUE)
        self.state[:] = 0
        sunk = np.zeros(len(margins), dtype=np.bool_)
        if not self.book.rows.named:
            self._look(margins)
            sunk = self.state[margins] >= SUNK
        stock = SunkStock(self.calls, self.state, lasts=False)
        stock.add(margins[sunk], 1.0)
        return stock, margins[~sunk]

    def _look(self, margins: Ints) -> None:
        from riskgraph.margin.sunk_kernel import look_at

        book, calls = self.book, self.calls
        all_worth = bool((book.pair_price > 0.0).all())

        def step(_: int, at: slice) -> None:
            look_at(margins[at], book.starts, book.stops, calls.columns, self._weighed, book.pair_price, all_worth,
                    calls.terms, book.rows.margin_protocol, self.state)  # fmt: skip

        in_parts(len(margins), _PARTS, step)

    @cached_property
    def _weighed(self) -> tuple[Floats, Floats, Bools]:
        """What a dollar of rows pays and counts for, and which accounts only amounts and prices decide about."""
        from riskgraph.margin.sunk_kernel import plain_accounts, weigh_rows

        book, n = self.book, len(self.book.amount)
        pays, counts, modest = np.empty(n), np.empty(n), np.empty(n, dtype=np.bool_)
        weigh_rows(self.calls.columns, pays, counts, modest)
        plain = np.zeros(len(book.rows.margin_account), dtype=np.bool_)
        plain_accounts(book.starts, book.stops, modest, self.calls.terms, book.rows.margin_protocol, plain)
        return pays, counts, plain
