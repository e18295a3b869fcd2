"""The books of one protocol while calls are carried out: holdings, everything that moves, and what each call did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints, Labels
from riskgraph.errors import InputError
from riskgraph.margin.call_requests import Movements, Request
from riskgraph.margin.rounding import Amounts, places, plain, quotient, rounded_down, rounded_up
from riskgraph.margin.rounding import exact as exact_numbers
from riskgraph.margin.supplies import published_supply
from riskgraph.margin.terms import Terms
from riskgraph.snapshot.schema import SIDES

if TYPE_CHECKING:
    from riskgraph.margin.dutch_auction import Auction
    from riskgraph.margin.rules.rule import Rule
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["COLLATERAL", "DEBT", "DEPOSIT", "Ledger", "Movements", "Request"]

COLLATERAL, DEBT, DEPOSIT = (SIDES.index(side) for side in ("collateral", "debt", "deposit"))


class Ledger:
    """Holdings of some margin accounts of one protocol, changed call by call.

    Row arrays end in an empty row, so that row -1 means none. Amounts, prices and thresholds are Fractions, so that a
    call is decided and rounded as the contract does it; with ``exact=False`` they are floats, for whole books at once.

    Attributes
    ----------
    sides : tuple of str
        What of the snapshot's rows stands here.
    margins : Ints
        Margin accounts of the snapshot's book that stand here; ``margin`` of a row is a place in it.
    movements, steps, changed, written_down
        What has happened: changes of holdings, columns of steps, new values of parameters, factors on lenders' claims.
    """

    sides: ClassVar[tuple[str, ...]] = ("collateral", "debt", "deposit")

    def __init__(self, snap: Snapshot, protocol: int, rule: Rule, margins: Ints, *, exact: bool = True) -> None:
        book = snap.book
        self.snap, self.rule, self.margins = snap, rule, margins
        self.terms = Terms(snap, protocol, rule.name)
        self.numbers = exact_numbers if exact else plain
        self.row, self.margin, self.asset, self.side = self._rows()
        self.amount = self.numbers(np.append(book.amount, 0.0)[self.row])
        self.price = self.numbers(np.append(book.price, 0.0)[self.row])
        self.scales = _scales(snap) if exact else plain(_scales(snap))  # by asset
        self.scale = self.scales[self.asset]
        self.threshold = self._thresholds(np.append(book.threshold, np.nan)[self.row])
        self.bonus = np.append(book.bonus, np.nan)[self.row]  # given ones, NaN elsewhere
        self.weight = self._debt_weights()
        self.extra_collateral, self.extra_weighted, self.extra_debt = self._remainders()
        self.movements: list[Movements] = []
        self.is_row: list[Bools] = []  # which of the holdings in each of the movements are rows of the snapshot here
        self.steps: list[dict[str, Any]] = []  # columns of the steps of a wave of calls
        self.changed: dict[tuple[str, str, str], Any] = {}  # (table, column, label of asset or account) -> new value
        self.changed_margins: dict[str, Amounts] = {}  # column of accounts -> new value of every margin account
        self.auctions: list[Auction] = []  # those that calls have started
        self.written_down: dict[int, Any] = {}  # asset -> factor on every lender's claim

    # -- what stands --------------------------------------------------------------------------------------------------

    def _rows(self) -> tuple[Ints, Ints, Ints, Ints]:
        """Row of the snapshot's book (-1: none), place of the margin account, asset and side of every row here."""
        book = self.snap.book
        place = np.full(len(book.margin_account) + 1, -1)
        place[self.margins] = np.arange(len(self.margins))
        rows = np.flatnonzero((place[book.margin] >= 0) & book.rows(*self.sides))
        parts = (rows, place[book.margin[rows]], book.asset[rows], book.side[rows])
        row, margin, asset, side = (np.append(part, -1) for part in parts)
        return row, margin, asset, side

    @property
    def size(self) -> int:
        """Number of margin accounts."""
        return len(self.margins)

    def _thresholds(self, given: Floats) -> Amounts:
        """Thresholds of collateral rows; exactly 1 ÷ liquidation_ratio where only that is given, 0 elsewhere."""
        pledged = self.side == COLLATERAL
        found = self.numbers(np.where(pledged, given, 0.0))
        if self.terms.has("markets", "liquidation_ratio"):
            ratio = self.terms.of_assets("liquidation_ratio", self.asset)
            by_ratio = pledged & (ratio > 0.0)
            found[by_ratio] = 1 / self.numbers(ratio[by_ratio])
            given = np.where(by_ratio, 1.0, given)
        blind = pledged & np.isnan(given)
        if blind.any() and self.rule.weighs_collateral:
            names = ", ".join(self.label("asset", np.unique(self.asset[blind])[:5]))
            raise InputError(
                "markets.liquidation_threshold: expected a value for all collateral (in markets, emodes or accounts), "
                f"got none for {names} at {self.terms.protocol_label}"
            )
        return found

    def _debt_weights(self) -> Amounts:
        weight = self.numbers(np.ones(len(self.row)))
        if self.terms.has("markets", "borrow_factor"):
            owed = self.side == DEBT
            weight[owed] = 1 / self.numbers(self.terms.of_assets("borrow_factor", self.asset[owed]))
        return weight

    def _remainders(self) -> tuple[Amounts, Amounts, Amounts]:
        """Give published collateral (plain and weighted) and debt that no row explains, by margin account."""
        book = self.snap.book
        collateral = self.numbers(book.collateral_remainder[self.margins])
        debt = self.numbers(book.debt_remainder[self.margins])
        if not collateral.any():
            return collateral, collateral, debt
        value = self.amount * self.price
        mine = self.side == COLLATERAL
        average = quotient(self.summed(value * self.threshold, mine), self.summed(value, mine))
        own = book.own_threshold[self.margins]
        share = np.where(np.isnan(own), average, self.numbers(np.nan_to_num(own)))
        return collateral, collateral * share, debt

    def summed(self, values: Amounts, rows: Bools) -> Amounts:
        """Sum row values by margin account."""
        total = self.numbers(np.zeros(self.size))
        np.add.at(total, self.margin[rows], values[rows])
        return total

    def counted(self, rows: Bools) -> Ints:
        """Count rows by margin account."""
        return np.bincount(self.margin[rows], minlength=len(self.margins))

    def values(self) -> Amounts:
        """USD of every row, rounded as the contract does where the token's decimals are known."""
        value = self.amount * self.price
        if self.rule.usd_decimals is None:
            return value
        scale = self.usd_scale(self.scale)
        up = (self.side == DEBT) & self.rule.debt_rounds_up
        return np.where(up, rounded_up(value, scale), rounded_down(value, scale))

    def usd_scale(self, scale: Amounts) -> Amounts:
        """Scale to which the contract rounds values of rows of that scale."""
        digits = self.rule.usd_decimals
        return scale * 0 if digits is None else places(scale, digits)

    def totals(self) -> tuple[Amounts, Amounts, Amounts, Amounts]:
        """Give collateral, weighted collateral, debt and weighted debt of every margin account, USD."""
        value = self.values()
        pledged, owed = self.side == COLLATERAL, self.side == DEBT
        return (
            self.summed(value, pledged) + self.extra_collateral,
            self.summed(self.rule.weighted(self, value), pledged) + self.extra_weighted,
            self.summed(value, owed) + self.extra_debt,
            self.summed(value * self.weight, owed) + self.extra_debt,
        )

    def health(self) -> Amounts:
        """Health of every margin account; +inf without debt."""
        _, weighted, _, owed = self.totals()
        return quotient(weighted, owed, np.inf)

    def row_of(self, margin: Ints, asset: Ints, side: int) -> Ints:
        """Row of each margin account in each asset on a side; asset -1: the one with the largest USD (ties by label).

        -1 where there is none.
        """
        rows = np.flatnonzero(self.side == side)
        named = asset >= 0
        if named.all():
            return self._named_row(rows, margin, asset)
        return np.where(named, self._named_row(rows, margin, asset), self._largest_row(rows)[margin])

    def _named_row(self, rows: Ints, margin: Ints, asset: Ints) -> Ints:
        width = len(self.snap.labels("asset")) + 1
        known = self.margin[rows].astype(np.int64) * width + self.asset[rows]  # ascending: the book's order of rows
        wanted = margin.astype(np.int64) * width + asset
        at = np.searchsorted(known, wanted)
        hit = np.append(known, -1)[at] == wanted
        return np.where(hit, np.append(rows, -1)[np.where(hit, at, -1)], -1)

    def _largest_row(self, rows: Ints) -> Ints:
        """Row with the largest USD of every margin account."""
        found = np.full(len(self.margins), -1)
        if len(rows):
            value, owner = (self.amount * self.price)[rows], self.margin[rows]
            start = np.flatnonzero(np.append(True, np.diff(owner) != 0))
            best = np.maximum.reduceat(value, start)
            top = rows[value == np.repeat(best, np.diff(np.append(start, len(rows))))]
            found[self.margin[top[::-1]]] = top[::-1]  # the first label of equals is written last
        return found

    # -- what moves -------------------------------------------------------------------------------------------------

    def move(self, rows: Ints, amount: Amounts, why: str) -> None:
        """Change holdings of rows (each once; row -1 and changes of 0 do nothing) and note it."""
        some = (rows >= 0) & np.asarray(amount != 0, dtype=np.bool_)
        rows, amount = rows[some], amount[some]
        if len(rows):
            self.amount[rows] = self.amount[rows] + amount
            side, asset = np.array(SIDES, dtype=object)[self.side[rows]], self.label("asset", self.asset[rows])
            self.is_row.append(self.row[rows] >= 0)
            self.movements.append(
                Movements(**self.place(self.margin[rows]), side=side, asset=asset, amount=amount, why=why)
            )

    def credit(
        self,
        account: str | Labels,
        protocol: str,
        side: str,
        asset: Ints,
        amount: Amounts,
        why: str,
        bucket: str | Labels = "",
    ) -> None:
        """Note changes of holdings that no margin account here has: treasuries, wallets, pools, surplus of owners."""
        some = np.asarray(amount != 0, dtype=np.bool_)
        n = int(some.sum())
        if n:
            whose, group = (self._repeated(one, n) if isinstance(one, str) else one[some] for one in (account, bucket))
            where = (self._repeated(protocol, n), group, self._repeated(side, n))
            self.is_row.append(np.zeros(n, dtype=np.bool_))
            self.movements.append(Movements(whose, *where, self.label("asset", asset[some]), amount[some], why))

    def label(self, domain: str, codes: Ints) -> Labels:
        """Labels of codes, empty for -1."""
        names = self.snap.labels(domain).take(np.maximum(codes, 0)) if len(self.snap.labels(domain)) else None
        if names is None:
            return self._repeated("", len(codes))
        found: Labels = np.where(codes >= 0, names.to_numpy(zero_copy_only=False), "").astype(object)
        return found

    @staticmethod
    def _repeated(text: str, times: int) -> Labels:
        return np.full(times, text, dtype=object)

    # -- parameters that calls change ---------------------------------------------------------------------------------

    def now(self, table: str, name: str, of: str = "", otherwise: Any = 0) -> Any:
        """Give what a parameter stands at: its changed value, else the given one, else ``otherwise``."""
        if (table, name, of) in self.changed:
            return self.changed[table, name, of]
        value = self._first(table, name, of)
        return otherwise if value != value else value

    def _first(self, table: str, name: str, of: str) -> Any:
        if table == "protocols":
            return self.numbers(self.terms.number(name))[0]
        if table == "markets":
            code = self.snap.labels("asset").index(of).as_py()
            return self.numbers(self.terms.of_assets(name, np.array([code])))[0]
        at = self.snap.labels("account").index(of).as_py()
        mine = np.flatnonzero(self.snap.book.margin_account[self.margins] == at)[:1]
        return self.numbers(self.terms.of_margins(name, self.margins[mine]))[0]

    def of_accounts(self, name: str, margin: Ints) -> Amounts:
        """Give what a parameter of margin accounts stands at; NaN where nothing is given."""
        found = self.numbers(self.terms.of_margins(name, self.margins[margin]))
        changed = {
            of: value for (table, column, of), value in self.changed.items() if (table, column) == ("accounts", name)
        }
        if changed:
            whose = self.place(margin)["account"]
            for at in np.flatnonzero(np.isin(whose, list(changed))):
                found[at] = changed[whose[at]]
        return found

    def change(self, table: str, name: str, value: Any, of: str = "") -> None:
        """Note a parameter's new value."""
        self.changed[table, name, of] = value

    def now_margins(self, name: str) -> Amounts:
        """Give what a parameter of accounts stands at, by margin account; NaN where nothing is given."""
        if name in self.changed_margins:
            return self.changed_margins[name]
        return self.numbers(self.terms.of_margins(name, self.margins))

    # -- who bears what no collateral is left for ---------------------------------------------------------------------

    def write_off(self, rows: Ints) -> None:
        """Take debts off the books; the rule's bearer bears them (METHODS 5.6)."""
        rows = rows[np.asarray(self.amount[rows] > 0, dtype=np.bool_)]
        if not len(rows):
            return
        lost = self.amount[rows]
        self.move(rows, -lost, "written off")
        bearer = self.rule.bearer
        if bearer == "deficit":
            more = sum((lost * self.price[rows]).tolist())
            self.change("protocols", "deficit_usd", self.now("protocols", "deficit_usd") + more)
            return
        for asset in np.unique(self.asset[rows]):
            mine = self.asset[rows] == asset
            units, price = sum(lost[mine].tolist()), self.price[rows[mine]][0]
            if bearer == "reserve":
                units -= self._out_of_reserve(units, price)
            self._socialise(int(asset), units)

    def to_system(self, usd: Any) -> None:
        """Let the protocol's surplus gain (or lose, below 0): what it does not cover is a deficit, made good first."""
        if not usd:
            return
        stands = self.now("protocols", "reserve_usd") - self.now("protocols", "deficit_usd") + usd
        self.change("protocols", "reserve_usd", max(stands, 0))
        self.change("protocols", "deficit_usd", max(-stands, 0))

    def _out_of_reserve(self, units: Any, price: Any) -> Any:
        """Pay what the reserve holds; give the units that it paid for."""
        reserve = self.now("protocols", "reserve_usd")
        paid = min(reserve, units * price)
        self.change("protocols", "reserve_usd", reserve - paid)
        return paid / price if price else units

    def _socialise(self, asset: int, units: Any) -> None:
        """Take a loss off every claim on a reserve in proportion: ``rate ×= 1 − min(1, L / supply)``."""
        supply = self.supply(asset)
        if units > 0 and supply > 0:
            factor = 1 - min(1, units / supply)
            self.written_down[asset] = self.written_down.get(asset, 1) * factor
            claims = np.isin(self.side, self.claiming()) & (self.asset == asset)
            self.amount[claims] = self.amount[claims] * factor
            self._lower_supply(asset, supply * (1 - factor))

    def _lower_supply(self, asset: int, lost: Any) -> None:
        """Take units off the protocol's published supply, where there is one."""
        price = self.price[self.asset == asset][0]
        for name, less in (("supply_usd", lost * price), ("total_supply_assets", lost)):
            stands = self.now("protocols", name, otherwise=None)
            if stands is not None:
                self.change("protocols", name, max(stands - less, 0))

    def claiming(self) -> Sequence[int]:
        """Sides whose rows are claims on the protocol."""
        return (COLLATERAL, DEPOSIT) if self.terms.lends_collateral else (DEPOSIT,)

    def supply(self, asset: int) -> Any:
        """Units of an asset that all lenders own here: published, or the larger of claims and debts in the snapshot."""
        book = self.snap.book
        mine = (book.protocol == self.terms.protocol) & (book.asset == asset)
        claims = book.amount[mine & np.isin(book.side, self.claiming())].sum()
        owed = book.amount[mine & (book.side == DEBT)].sum()
        pair = np.flatnonzero((book.pair_protocol == self.terms.protocol) & (book.pair_asset == asset))
        published = float(published_supply(self.snap)[pair[0]]) if len(pair) else np.nan
        whole = self.numbers(max(claims, owed) if np.isnan(published) else max(published, claims))[0]
        return whole * self.written_down.get(asset, 1)

    def entry_prices(self) -> tuple[Ints, Floats]:
        """Rows whose entry price calls have changed, and it; here nothing is bought."""
        return np.zeros(0, dtype=np.int64), np.zeros(0)

    def place(self, margin: Ints) -> dict[str, Labels]:
        """Columns of steps and movements that say whose margin account it is."""
        at, book = self.margins[margin], self.snap.book
        return {
            "account": self.label("account", book.margin_account[at]),
            "protocol": self._repeated(self.terms.protocol_label, len(at)),
            "bucket": self.label("bucket", book.margin_bucket[at]),
        }


def _scales(snap: Snapshot) -> Amounts:
    """10^decimals of every asset, 0 where none are given; the last entry, code -1, is 0 too."""
    assets = snap.table("assets")
    digits = np.full(len(snap.labels("asset")) + 1, np.nan)
    digits[assets.code("asset")] = assets.number("decimals")
    found = np.zeros(len(digits), dtype=object)
    known = ~np.isnan(digits)
    found[known] = [10 ** int(one) for one in digits[known]]
    return found
