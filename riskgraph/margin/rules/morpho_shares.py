"""Borrow shares of a Morpho market: what they are worth in assets, and whether what is given agrees."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Bools
from riskgraph.errors import InputError
from riskgraph.margin.ledger import DEBT
from riskgraph.margin.rounding import Amounts, filled, missing, places, plain, quotient, rounded_down, rounded_up
from riskgraph.margin.rules.rule import above

if TYPE_CHECKING:
    from riskgraph.margin.ledger import Ledger, Request

__all__ = ["BorrowShares", "check_shares"]

_VIRTUAL = 10**6  # shares that a market counts beside its own, against one smallest unit of assets


@dataclass(frozen=True, eq=False)
class BorrowShares:
    """Totals of a market, ``assets`` (units) and ``shares`` borrowed, where they are ``known``; arrays of shape (n,).

    Where they are not there are 1,000,000 shares a smallest unit, as in a new market. Where the token's decimals are
    not known (``scale`` 0) nothing is rounded and nothing virtual is counted, and there is one share a unit.
    """

    assets: Amounts
    shares: Amounts
    known: Bools
    scale: Amounts

    @classmethod
    def of(cls, assets: Amounts, shares: Amounts, scale: Amounts) -> BorrowShares:
        """Read totals, NaN where they are not known."""
        return cls(filled(assets, 0), filled(shares, 0), ~missing(assets) & ~missing(shares), scale)

    @property
    def _whole(self) -> Amounts:
        return places(self.scale, 0)

    @property
    def _sides(self) -> tuple[Amounts, Amounts]:
        """Assets and shares that are worth the same, virtual ones included."""
        unit = np.where(self.scale > 0, self.scale, 1)
        assets = (self.assets * unit + self._whole) / unit
        shares = self.shares + self._whole * _VIRTUAL
        fresh = np.where(self.scale > 0, unit * _VIRTUAL, 1)
        return np.where(self.known, assets, 1), np.where(self.known, shares, fresh)

    def assets_up(self, shares: Amounts) -> Amounts:
        """Units that shares are worth, rounded up."""
        assets, against = self._sides
        return rounded_up(quotient(shares * assets, against), self.scale)

    def assets_down(self, shares: Amounts) -> Amounts:
        """Units that shares are worth, rounded down."""
        assets, against = self._sides
        return rounded_down(quotient(shares * assets, against), self.scale)

    def shares_up(self, assets: Amounts) -> Amounts:
        """Shares that units are worth, rounded up."""
        against, shares = self._sides
        return rounded_up(quotient(assets * shares, against), self._whole)

    def shares_down(self, assets: Amounts) -> Amounts:
        """Shares that units are worth, rounded down."""
        against, shares = self._sides
        return rounded_down(quotient(assets * shares, against), self._whole)

    def of_account(self, given: Amounts, debt: Amounts) -> Amounts:
        """Shares of an account: as given, else the most that are worth its debt."""
        return np.where(missing(given), self.shares_down(debt), filled(given, 0))

    def asked(self, asked: Amounts, repay: Amounts, debt: Amounts, held: Amounts) -> Amounts:
        """Shares to be repaid: as asked for, or for units asked for (all of the debt are all of the shares)."""
        in_assets = ~missing(repay) & (repay != np.inf)
        units = np.where(in_assets, repay, 0)
        by_assets = self.shares_down(units)
        by_assets = np.where(above(units, debt), by_assets, np.minimum(by_assets, held))
        return np.where(in_assets, by_assets, filled(asked, held))

    def less(self, assets: Amounts, shares: Amounts) -> BorrowShares:
        """Give the market after a repayment."""
        left = np.maximum(filled(self.assets, 0) - assets, 0)
        return replace(self, assets=np.where(self.known, left, np.nan), shares=self.shares - shares)

    def owed(self, shares: Amounts, closes: Bools) -> Amounts:
        """Units that are owed for shares; where they are written off, at most what the market still has."""
        worth = self.assets_up(shares)
        return np.where(closes & self.known, np.minimum(worth, filled(self.assets, np.inf)), worth)


def check_shares(ledger: Ledger, request: Request) -> bool:
    """Refuse totals and shares that do not belong together; say whether the market's totals are known."""
    totals = [ledger.now("protocols", f"total_borrow_{name}", otherwise=np.nan) for name in ("assets", "shares")]
    known = [total == total for total in totals]
    if any(known) and not all(known):
        name = "assets" if known[0] else "shares"
        raise InputError(
            "protocols.total_borrow_assets, total_borrow_shares: expected both or neither, got only "
            f"total_borrow_{name} for {ledger.terms.protocol_label}"
        )
    if all(known):
        _check_totals(ledger, totals[0])
    owed = ledger.row_of(request.margin, request.debt_asset, DEBT)
    assets, shares = (np.full(len(request), total, dtype=ledger.amount.dtype) for total in totals)
    market = BorrowShares.of(assets, shares, ledger.scale[owed])
    given = ledger.of_accounts("borrow_shares", request.margin)
    debt, worth = ledger.amount[owed], market.assets_up(filled(given, 0))
    gap = np.abs(worth - debt) - 1 / np.where(market.scale > 0, market.scale, 10**12)
    wrong = ~missing(given) & np.asarray(gap * 10**9 > debt, dtype=np.bool_)
    if wrong.any():
        names = ", ".join(np.unique(ledger.place(request.margin[wrong])["account"])[:5])
        raise InputError(
            "accounts.borrow_shares: expected shares that are worth the account's debt at total_borrow_assets ÷ "
            f"total_borrow_shares, got others for {names}"
        )
    return all(known)


def _check_totals(ledger: Ledger, assets: Any) -> None:
    """Refuse totals of more than one loan token, or of less than what is owed here."""
    book, where = ledger.snap.book, ledger.terms.protocol_label
    rows = (book.protocol == ledger.terms.protocol) & book.rows("debt")
    lent = np.unique(book.asset[rows])
    if len(lent) > 1:
        raise InputError(
            "protocols.total_borrow_assets: expected one loan token where totals are given (a protocol is one market), "
            f"got {', '.join(ledger.label('asset', lent[:5]))} at {where}"
        )
    mine = ledger.side == DEBT
    owed = book.amount[rows].sum() - book.amount[ledger.row[mine]].sum() + plain(ledger.amount[mine]).sum()
    units = plain(1 / np.maximum(ledger.scale[mine], 1)).sum()  # every account's debt is rounded up
    if owed * (1.0 - 1e-9) - units > assets:
        raise InputError(
            f"protocols.total_borrow_assets: expected at least the {owed:,.6g} units that are owed in the snapshot, "
            f"got {float(assets):,.6g} at {where}"
        )
