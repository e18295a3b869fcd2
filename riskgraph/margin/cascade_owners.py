"""Accounts as owners of margin accounts and wallets, which stand together in a book."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints, rising, stretches
from riskgraph.snapshot.schema import SIDES

if TYPE_CHECKING:
    from riskgraph.snapshot.rows import Rows

__all__ = ["Owners"]


class Owners:
    """What belongs to whom.

    Attributes
    ----------
    wallets : Ints
        Rows of wallets, ascending.
    """

    def __init__(self, rows: Rows, amount: Floats, n_accounts: int) -> None:
        self.rows, self.amount, self.n_accounts = rows, amount, n_accounts  # amounts change in place
        self.wallets: Ints = np.flatnonzero(rows.side == SIDES.index("wallet"))

    def margins_of(self, accounts: Ints) -> Ints:
        """Margin accounts of accounts, ascending as these are."""
        first = self._margin_bounds[accounts]
        return stretches(first, self._margin_bounds[accounts + 1] - first)[0]

    def wallets_of(self, accounts: Ints) -> Ints:
        """Rows of the wallets of accounts, in the order of these."""
        first = self._wallet_bounds[accounts]
        return np.asarray(self.wallets[stretches(first, self._wallet_bounds[accounts + 1] - first)[0]])

    @cached_property
    def _margin_bounds(self) -> Ints:
        return self._bounds(self.rows.margin_account)

    @cached_property
    def _wallet_bounds(self) -> Ints:
        return self._bounds(self.rows.account[self.wallets])

    def _bounds(self, account: Ints) -> Ints:
        count = np.bincount(account, minlength=self.n_accounts)
        return np.append(0, np.cumsum(count))

    @cached_property
    def several(self) -> Bools:
        """Which accounts have several margin accounts."""
        return np.asarray(np.diff(self._margin_bounds) > 1)

    @cached_property
    def moneyed(self) -> Bools:
        """Which accounts have something in a wallet; kept up as wallets change."""
        found = np.zeros(self.n_accounts, dtype=np.bool_)
        self._look_into(self.wallets, found)
        return found

    def note(self, rows: Ints) -> None:
        """See what is left in the wallets to which rows that changed belong."""
        changed = rows[self.rows.margin[rows] < 0]
        if len(changed):
            accounts = rising(self.rows.account[changed])
            self.moneyed[accounts] = False
            self._look_into(self.wallets_of(accounts), self.moneyed)

    def _look_into(self, wallets: Ints, found: Bools) -> None:
        found[self.rows.account[wallets[self.amount[wallets] > 0.0]]] = True
