"""Holdings and prices while a cascade runs: a snapshot's rows, and what protocols, liquidators and the market gain."""

from __future__ import annotations

from dataclasses import fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints, read_only, stretches, summed
from riskgraph.margin.cascade_owners import Owners
from riskgraph.margin.position_worth import PositionWorth
from riskgraph.margin.rules.rule import PairRule
from riskgraph.margin.rules.shelf import rule_named
from riskgraph.snapshot.book import Book
from riskgraph.snapshot.frames import protocol_terms
from riskgraph.snapshot.rows import Leg
from riskgraph.snapshot.schema import SIDES

if TYPE_CHECKING:
    from riskgraph.margin.claim_rows import ClaimRows
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["COLLATERAL", "DEBT", "DEPOSIT", "LONG", "SHORT", "WALLET", "CascadeBook"]

COLLATERAL, DEBT, DEPOSIT, LONG, SHORT, WALLET = (
    SIDES.index(side) for side in ("collateral", "debt", "deposit", "long", "short", "wallet")
)
_ROUNDING = 1e-12  # share of a holding below which what several movements leave of it is rounding


class CascadeBook:
    """The book of a snapshot, changed round by round; every movement has two ends.

    Attributes
    ----------
    snap : Snapshot
        With a row for everything that a cascade may move; rows and labels stay as they are.
    amount : Floats
        Units of every row.
    price, start_price : Floats
        Market price of every asset (USD a unit) now and in the snapshot.
    pair_price : Floats
        What protocols show, by pair.
    liquidator, market : Floats
        Units gained by liquidators and by who buys what is sold, by asset.
    venue : Floats
        Units gained by protocols (fees, seized stock, less debt written off), shape (n_protocols, n_assets).
    outside : Floats
        Units gained (below 0: lost) by lenders outside the snapshot, shape (n_protocols, n_assets).
    settled : Floats
        Units of margin that the other side of longs and shorts, whoever that is, has gained, by asset.
    held : Floats
        Units that owners of accounts, lenders and protocols hold, net of what is owed, shape (3, n_assets).
    stirred : Bools
        Margin accounts some of whose amounts have been changed, one by one, since somebody last wiped it.
    left : Floats
        What is left of the claims in every pair where ``claims`` are scaled later: ``amount`` has them as they were.
    claims : ClaimRows or None
        Rows that are scaled when the cascade ends, if any are.
    cash : dict
        USD gained by bearers: what market buyers paid.
    reserve, deficit : Floats
        First-loss money and uncovered losses of protocols, USD; memo of what ``venue`` holds.
    """

    def __init__(self, snap: Snapshot) -> None:
        rows = snap.rows
        self.snap, self.rows = snap, rows
        self.amount = np.array(rows.amount)
        self.start_price = _market_prices(snap)
        self.price = self.start_price.copy()
        self.start_pair_price = snap.book.pair_price
        self.pair_price = np.array(self.start_pair_price)
        shape = (len(snap.labels("protocol")), len(snap.labels("asset")))
        self.shape = shape
        self.liquidator, self.market = np.zeros(shape[1]), np.zeros(shape[1])
        self.venue, self.outside = np.zeros(shape), np.zeros(shape)
        self.settled = np.zeros(shape[1])
        self.cash = dict.fromkeys(("borrowers", "lenders", "protocol", "liquidators", "market"), 0.0)
        self.reserve, self.deficit = (_of_protocols(snap, name) for name in ("reserve_usd", "deficit_usd"))
        self.had_reserve = self.reserve.copy()
        self.claim_factor = np.ones(shape)  # what is left of a lender's claim
        self.receipt_rate = np.ones(shape[1])  # the same for the price of receipts
        self.positions = PositionWorth(snap) if rows.trades.any() else None
        self.entry = self._entries()
        self.held = self.counted()
        self.stirred = np.zeros(len(rows.margin_account) + 1, dtype=np.bool_)  # the last: rows of no margin account
        self.left = np.ones(len(rows.pair_asset))
        self.claims: ClaimRows | None = None

    def _entries(self) -> Floats | None:
        """Entry price of every long and short: of those without one what they stand at in the snapshot."""
        if self.positions is None:
            return None
        given = self.snap.table("positions").number("entry_price")
        return self.positions.entries(given, self.start_pair_price[self.rows.pair])

    # -- what stands --------------------------------------------------------------------------------------------------

    def units_of(self, rows: Ints) -> Floats:
        """Units in rows."""
        return np.asarray(self.amount[rows] * self._scale_of(rows))

    def _scale_of(self, rows: Ints) -> Floats | float:
        """Give what ``amount`` of rows is times too large: lenders may have lost what rows do not say yet."""
        return 1.0 if self.claims is None else np.where(self.claims.mask[rows], self.left[self.rows.pair[rows]], 1.0)

    @property
    def kept(self) -> Floats:
        """The same for rows of collateral, by pair."""
        return self.left if self.claims is None else np.where(self.lent, self.left, 1.0)

    @cached_property
    def lent(self) -> Bools:
        """Pairs in which collateral is lent out."""
        return np.append(self.lends, False)[self.rows.pair_protocol]

    @property
    def worth(self) -> Floats:
        """Give what protocols show for a unit of ``amount``: in rows of collateral by pair, then of debt."""
        return np.append(self.pair_price * self.kept, self.pair_price)

    def scale_claims_later(self, claims: ClaimRows) -> None:
        """From now on note what lenders lose by pair, not by row; who reads ``amount`` then has to know."""
        claims.count()
        self.claims = claims

    def settle_claims(self) -> None:
        """Scale the rows of claims."""
        if self.claims is not None:
            self.amount[self.claims.rows] *= self.left[self.rows.pair[self.claims.rows]]
            self.left[:], self.claims = 1.0, None

    @cached_property
    def starts(self) -> Ints:
        """First row of every margin account, and one past the last of each (see ``stops``)."""
        placed = np.flatnonzero(self.rows.margin >= 0)
        first: Ints = placed[np.searchsorted(self.rows.margin[placed], np.arange(len(self.rows.margin_account)))]
        return first

    @cached_property
    def stops(self) -> Ints:
        """One past the last row of every margin account: its rows stand together."""
        placed = np.flatnonzero(self.rows.margin >= 0)
        n = len(self.rows.margin_account)
        last: Ints = placed[np.searchsorted(self.rows.margin[placed], np.arange(n), side="right") - 1] + 1
        return last

    def rows_of(self, margins: Ints) -> tuple[Ints, Ints]:
        """Rows of margin accounts, and for each row the place of its account among them."""
        first = self.starts[margins]
        return stretches(first, self.stops[margins] - first)

    @cached_property
    def owners(self) -> Owners:
        """Margin accounts and wallets by account."""
        return Owners(self.rows, self.amount, len(self.snap.labels("account")))

    @cached_property
    def sign(self) -> Floats:
        """1 for what is held, −1 for what is owed or short, by row."""
        return np.where((self.rows.side == DEBT) | (self.rows.side == SHORT), -1.0, 1.0)

    def debt_weight(self, rows: Ints) -> Floats:
        """Give what a dollar of debt in these rows counts for in health (1 ÷ borrow factor)."""
        weight = self.rows.owed.weight
        return weight[np.searchsorted(self._leg_rows[1], rows)] if len(weight) else np.ones(len(rows))

    @cached_property
    def lends(self) -> Bools:
        """Which protocols lend collateral out."""
        return np.array(protocol_terms(self.snap)[2], dtype=np.bool_)

    @cached_property
    def _leg_rows(self) -> tuple[Ints, Ints]:
        """Rows of collateral, and of debt."""
        return np.flatnonzero(self.rows.side == COLLATERAL), np.flatnonzero(self.rows.side == DEBT)

    def view(self) -> Snapshot:
        """Give the book as it stands now as a snapshot: the same tables, other amounts and prices."""
        rows, (pledged, owed) = self.rows, self._leg_rows
        changed: dict[str, Any] = {
            "amount": self.amount if self.claims is None else self.units_of(np.arange(len(self.amount))),
            "pledged": Leg(rows.pledged.margin, self.units_of(pledged), rows.pledged.pair, rows.pledged.weight),
            "owed": Leg(rows.owed.margin, self.amount[owed], rows.owed.pair, rows.owed.weight),
        }
        kept: dict[str, Any] = {one.name: getattr(rows, one.name) for one in fields(rows) if one.name not in changed}
        book = Book(**kept, **changed, pair_price=self.pair_price.copy())
        tables = {}
        if self.entry is not None:
            from dataclasses import replace

            positions = self.snap.table("positions")
            numbers = {**positions.numbers, "entry_price": read_only(self.entry.copy())}
            tables["positions"] = replace(positions, numbers=numbers)
        fresh = self.snap._at_prices(tables, "")
        fresh.__dict__.update(book=book)
        return fresh

    # -- what moves ---------------------------------------------------------------------------------------------------

    def add(self, rows: Ints, units: Floats) -> None:
        """Change the amounts of rows, each as often as it stands there, in order."""
        which, place = np.unique(rows, return_inverse=True)
        before = self.units_of(which)
        after = before + np.bincount(place, weights=units, minlength=len(which))
        self._set(which, np.where(np.abs(after) <= _ROUNDING * before, 0.0, after))

    def scale(self, rows: Ints, factor: float) -> None:
        """Multiply the amounts of rows, each once."""
        self._set(rows, self.units_of(rows) * factor)

    def put(self, rows: Ints, units: Floats) -> None:
        """Set the amounts of rows, each once."""
        self._set(rows, units)

    def _set(self, rows: Ints, units: Floats) -> None:
        self._move(rows, units)
        self.stirred[self.rows.margin[rows]] = True
        if "owners" in self.__dict__:
            self.owners.note(rows)

    def _move(self, rows: Ints, units: Floats) -> None:
        scale = self._scale_of(rows)
        change = units - self.amount[rows] * scale
        self.held += summed(self._holder_key[rows], change * self._unit_sign[rows], self.held.size).reshape(-1, 3).T
        self.amount[rows] = units / scale
        if self.claims is not None:
            self.claims.moved(rows, change)

    # -- sums ---------------------------------------------------------------------------------------------------------

    @cached_property
    def _holder_key(self) -> Ints:
        """Asset · 3, + 1 for deposits, + 2 for what a protocol's own account holds: whose units a row counts among."""
        holder = np.where(self.treasury, 2, self.rows.side == DEPOSIT)
        key: Ints = self.rows.asset.astype(np.int64) * 3 + holder
        return key

    @cached_property
    def treasury(self) -> Bools:
        """Rows of protocols' own accounts (those with the protocol's label) where no pair rule is called."""
        import pyarrow.compute as pc

        pairs = np.array([isinstance(rule_named(name), PairRule) for name in self.snap.venues.rule], dtype=np.bool_)
        if pairs.all():
            return np.zeros(len(self.amount), dtype=np.bool_)
        known = pc.index_in(self.snap.labels("protocol"), value_set=self.snap.labels("account"))
        own = known.fill_null(-2).to_numpy(zero_copy_only=False)
        found: Bools = np.append(np.where(pairs, -2, own), -2)[self.rows.protocol] == self.rows.account
        return found

    @cached_property
    def _unit_sign(self) -> Floats:
        """As ``sign``; 0 for longs and shorts, which are no units of anything: they count by what they are worth."""
        if self.entry is None:
            return self.sign
        return np.where((self.rows.side == LONG) | (self.rows.side == SHORT), 0.0, self.sign)

    def counted(self) -> Floats:
        """Count the units that owners of accounts, lenders and protocols hold, net of what is owed; (3, n_assets).

        ``held`` is the same, carried on from movement to movement.
        """
        by_holder = summed(self._holder_key, self.amount * self._unit_sign, 3 * self.shape[1])
        return np.ascontiguousarray(by_holder.reshape(-1, 3).T)

    def units(self, holdings: Floats) -> Floats:
        """Units of every asset over all bearers: what no round may change."""
        everybody = (holdings, self.venue, self.outside)
        gained: Floats = self.liquidator + self.market + self.settled
        every: Floats = gained + np.concatenate(everybody).sum(axis=0, dtype=np.float64)
        return every

    def by_bearer(self, holdings: Floats) -> dict[str, Floats]:
        """Units of every asset by who bears what happens to them; of liquidators and market what they gained."""
        return {
            "borrowers": holdings[0].copy(),
            "lenders": holdings[1] + self.outside.sum(axis=0),
            "protocol": holdings[2] + self.venue.sum(axis=0),
            "liquidators": self.liquidator.copy(),
            "market": self.market + self.settled,
        }

    def wealth(self, units: dict[str, Floats], price: Floats) -> dict[str, float]:
        """USD of every bearer at market prices; of protocols, liquidators and market what they gained.

        Longs and shorts are their owners' and, with the other sign, the market's.
        """
        found = {bearer: float(held @ price) + self.cash[bearer] for bearer, held in units.items()}
        for bearer, gained in zip(("borrowers", "protocol"), self.positions_usd(price), strict=True):
            found[bearer] += gained
            found["market"] -= gained
        return found

    def positions_usd(self, price: Floats) -> tuple[float, float]:
        """USD that longs and shorts are worth at market prices: those of borrowers, and of protocols themselves."""
        if self.positions is None or self.entry is None:
            return 0.0, 0.0
        return self.positions.usd(self.amount, self.entry, price, self.treasury)


def _market_prices(snap: Snapshot) -> Floats:
    table = snap.table("assets")
    price = np.empty(len(table))
    price[table.code("asset")] = table.number("price")
    return price


def _of_protocols(snap: Snapshot, name: str) -> Floats:
    """Give a column of ``protocols`` in the order of labels, 0 where nothing is given."""
    table, found = snap.table("protocols"), np.zeros(len(snap.labels("protocol")))
    if name in table.numbers:
        found[table.code("protocol")] = np.nan_to_num(table.number(name))
    return found
