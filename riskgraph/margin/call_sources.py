"""Which money could pay which margin call: wallets first, then what else the owner has free (METHODS 5.3)."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints, rising, stretches
from riskgraph.margin.cascade_book import COLLATERAL, DEBT

if TYPE_CHECKING:
    from riskgraph.margin.cascade_book import CascadeBook

__all__ = ["Donors", "OpenCalls", "Paid", "has_money", "paid_by_owners"]


@dataclass(frozen=True, eq=False)
class OpenCalls:
    """Calls that ask for money; arrays of shape (n,), in the order of margin accounts.

    ``shortfall`` is weighted USD, ``target`` the health that is asked for (T), ``rank`` the order in which protocols
    are served where there is one, ``traded`` whether longs or shorts stand there: what is paid then becomes collateral.
    """

    margin: Ints
    shortfall: Floats
    target: Floats
    rank: Ints
    traded: Bools

    def __len__(self) -> int:
        return len(self.margin)

    def part(self, which: Ints) -> OpenCalls:
        """Give some of them."""
        return OpenCalls(**{one.name: getattr(self, one.name)[which] for one in fields(self)})

    @property
    def cured_by_a_dollar(self) -> Floats:
        """Weighted USD that a dollar of repayment cures."""
        return np.where(self.traded, 1.0, self.target)


@dataclass(frozen=True, eq=False)
class Donors:
    """Margin accounts that may give, arrays of shape (n,): ``excess`` is weighted USD, +inf where nothing is owed.

    ``usd`` is what they hold; it orders those that owe nothing.
    """

    margin: Ints
    excess: Floats
    usd: Floats


@dataclass(frozen=True, eq=False)
class Paid:
    """What was paid, arrays of shape (n,): ``call`` (place among the calls), rows that gave and got, units.

    ``repays`` says of each payment whether it repays debt; else it is posted. ``unmet`` is what every call still lacks,
    weighted USD.
    """

    call: Ints
    giver: Ints
    taker: Ints
    units: Floats
    repays: Bools
    unmet: Floats

    @property
    def movements(self) -> tuple[Ints, Floats]:
        """Rows whose amounts change, and by how much: who gives, then who gets."""
        got = np.where(self.repays, -self.units, self.units)
        return np.append(self.giver, self.taker), np.append(-self.units, got)


@dataclass(frozen=True, eq=False)
class _Sources:
    """Tokens on offer in the order in which they are asked: row, owner's place, donor (-1: wallet)."""

    row: Ints
    owner: Ints
    donor: Ints


def paid_by_owners(
    book: CascadeBook, calls: OpenCalls, donors: Donors, cures: Floats, weighs: Floats, in_order: bool
) -> Paid:
    """Let owners pay their calls.

    Parameters
    ----------
    cures : ndarray, shape (n_rows,)
        Weighted USD that a dollar cures where it is posted in a row of collateral; 0: not accepted.
    weighs : ndarray, shape (n_rows,)
        Weighted USD that a dollar counts for where it stands; 0 where its owner needs none of it.
    in_order : bool
        Whether calls are served in the order of ``rank`` instead of in proportion.
    """
    able = np.flatnonzero(has_money(book, calls.margin, donors))
    paid = _paid(book, calls.part(able), donors, (cures, weighs), in_order)
    unmet = calls.shortfall.copy()
    unmet[able] = paid.unmet
    return replace(paid, call=able[paid.call], unmet=unmet)


def has_money(book: CascadeBook, called: Ints, donors: Donors) -> Bools:
    """Say of which called margin accounts the owner has something in a wallet, or in one that may give."""
    owner = book.rows.margin_account
    able = book.owners.moneyed.copy()
    able[owner[donors.margin]] = True
    return np.asarray(able[owner[called]])


def _paid(book: CascadeBook, calls: OpenCalls, donors: Donors, counts: tuple[Floats, Floats], in_order: bool) -> Paid:
    """Let owners pay who have something; ``counts`` are cures and weighs."""
    owner = book.rows.margin_account[calls.margin]
    order = np.lexsort((calls.margin, calls.rank, owner)) if in_order else np.arange(len(calls))
    owners, first_call = np.unique(owner[order], return_index=True)
    n_calls = np.diff(np.append(first_call, len(order)))
    taking = _Taking.of(book, calls)
    sources = _sources(book, owners, donors, taking, owner)
    times = n_calls[sources.owner]
    first = np.cumsum(times) - times
    at, source = stretches(first_call[sources.owner], times)
    call = order[at]
    asset = book.rows.asset[sources.row][source]
    debt, debt_row = taking.debt(call, asset)
    slot_row = taking.slot(call, asset)
    weight = taking.weight(debt)
    debt = np.where(calls.traded[call], -1, debt)  # at a venue of positions all that is paid becomes collateral
    repay_cures = calls.target[call] * weight * _price(book, debt_row)
    post_cures = np.where(slot_row >= 0, counts[0][slot_row], 0.0) * _price(book, slot_row)
    donor_cures = np.where(sources.donor >= 0, counts[1][sources.row], 0.0) * _price(book, sources.row)
    shortfall, owed = calls.shortfall.copy(), taking.owed.copy()
    repaid, posted = np.zeros(len(call)), np.zeros(len(call))
    from riskgraph.margin.call_payments import pay  # numba: loaded only where calls are paid

    pay(
        np.append(first, len(call)), call, np.array(book.units_of(sources.row)), sources.donor, donors.excess.copy(),
        donor_cures, debt, owed, repay_cures, post_cures, shortfall, in_order, repaid, posted,
    )  # fmt: skip
    return _joined(calls, sources.row[source], call, (debt_row, repaid), (slot_row, posted), shortfall)


def _joined(
    calls: OpenCalls, giver: Ints, call: Ints, repaid: tuple[Ints, Floats], posted: tuple[Ints, Floats], unmet: Floats
) -> Paid:
    parts = [(taker, units, np.flatnonzero(units > 0.0)) for taker, units in (repaid, posted)]
    (debts, paid, a), (slots, given, b) = parts
    return Paid(
        np.append(call[a], call[b]),
        np.append(giver[a], giver[b]),
        np.append(debts[a], slots[b]),
        np.append(paid[a], given[b]),
        np.append(np.ones(len(a), dtype=np.bool_), np.zeros(len(b), dtype=np.bool_)),
        unmet,
    )


def _price(book: CascadeBook, rows: Ints) -> Floats:
    """Price that the row's protocol shows; 0 for row -1."""
    return np.where(rows >= 0, book.pair_price[book.rows.pair[rows]], 0.0)


@dataclass(frozen=True, eq=False)
class _Taking:
    """Rows of called accounts that money could go into; keys are place of the call · n_assets + asset."""

    n_assets: int
    debts: Ints
    debt_rows: Ints
    owed: Floats
    debt_weight: Floats
    slots: Ints
    slot_rows: Ints

    @classmethod
    def of(cls, book: CascadeBook, calls: OpenCalls) -> _Taking:
        rows, place = book.rows_of(calls.margin)
        n_assets = book.shape[1]
        key = place.astype(np.int64) * n_assets + book.rows.asset[rows]
        owed = np.flatnonzero((book.rows.side[rows] == DEBT) & (book.amount[rows] > 0.0))
        held = np.flatnonzero(book.rows.side[rows] == COLLATERAL)
        return cls(
            n_assets,
            key[owed],
            rows[owed],
            book.amount[rows[owed]],
            book.debt_weight(rows[owed]),
            key[held],
            rows[held],
        )

    def debt(self, call: Ints, asset: Ints) -> tuple[Ints, Ints]:
        """Give the number of the debt in an asset of a call, and its row; -1: none."""
        at = _found(self.debts, call * np.int64(self.n_assets) + asset)
        return at, np.append(self.debt_rows, -1)[at]

    def slot(self, call: Ints, asset: Ints) -> Ints:
        """Row of collateral in an asset of a call; -1: none."""
        return np.append(self.slot_rows, -1)[_found(self.slots, call * np.int64(self.n_assets) + asset)]

    def weight(self, debt: Ints) -> Floats:
        """Give what a dollar of debt counts for in health."""
        return np.append(self.debt_weight, 0.0)[debt]


def _found(known: Ints, wanted: Ints) -> Ints:
    """Place of each key among sorted ones, -1 where it is not there."""
    at = np.searchsorted(known, wanted)
    hit = np.append(known, -1)[at] == wanted
    return np.where(hit, at, -1)


def _sources(book: CascadeBook, owners: Ints, donors: Donors, taking: _Taking, owner_of_call: Ints) -> _Sources:
    """Order what owners have: wallets, then donors by excess; debt tokens first, then largest USD, then label."""
    rows = book.rows
    wallet = book.owners.wallets_of(owners)
    wallet = wallet[book.amount[wallet] > 0.0]
    given, donor = book.rows_of(donors.margin)
    fine = (rows.side[given] == COLLATERAL) & (book.amount[given] > 0.0)
    given, donor = given[fine], donor[fine]
    rank = np.empty(len(donors.margin), dtype=np.int64)
    rank[np.lexsort((donors.margin, -donors.usd, -donors.excess))] = np.arange(len(rank))
    row = np.append(wallet, given)
    of_donor = np.append(np.full(len(wallet), -1), donor)
    turn = np.append(np.full(len(wallet), -1), rank[donor])
    owner, asset = np.searchsorted(owners, rows.account[row]), rows.asset[row]
    call_owner = np.searchsorted(owners, owner_of_call)
    owing = rising(
        call_owner[taking.debts // taking.n_assets] * np.int64(taking.n_assets) + taking.debts % taking.n_assets
    )
    is_debt = _found(owing, owner * np.int64(taking.n_assets) + asset) >= 0
    usd = book.units_of(row) * book.pair_price[rows.pair[row]]
    order = np.lexsort((asset, -usd, ~is_debt, turn, owner))
    return _Sources(row[order], owner[order], of_donor[order])
