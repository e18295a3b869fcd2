"""The falling-price auction of Maker's liquidations 2.0: one lot, its price over time, and what a purchase takes."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from fractions import Fraction
from typing import Any

__all__ = ["AUCTION_COLUMNS", "RAD", "RAY", "WAD", "Auction", "AuctionTerms", "Taken"]

WAD, RAY, RAD = 10**18, 10**27, 10**45  # digits of amounts, of prices and rates, and of their products
_NOISE = Fraction(1, 2**50)  # amounts come as float64


@dataclass(frozen=True)
class Auction:
    """Collateral of one vault up for sale, and what it has brought; exact numbers.

    ``auction`` is its number, ``top`` the first price (units of debt a unit of collateral), ``lot`` (units of
    collateral) what is left, ``tab`` (units of debt, penalty included) what is still to be raised, ``due`` the debt
    without penalty that the vault was relieved of, ``seconds`` the age at the last purchase, ``paid``, ``bought`` and
    ``returned`` (to the owner) what has moved so far, ``loss`` (units of debt) what the system lost once it is over.
    ``rounded`` says whether amounts and prices are rounded as the contract does.
    """

    auction: int
    account: str
    protocol: str
    bucket: str
    debt_asset: str
    collateral_asset: str
    top: Fraction
    lot: Fraction
    tab: Fraction
    due: Fraction
    rounded: bool
    seconds: int = 0
    paid: Fraction = Fraction(0)
    bought: Fraction = Fraction(0)
    returned: Fraction = Fraction(0)
    loss: Fraction = Fraction(0)

    @property
    def open(self) -> bool:
        """Whether something is left to sell and something to raise."""
        return self.lot > 0 and self.tab > 0

    def row(self) -> dict[str, Any]:
        """Give it as a row of a frame, numbers as floats."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        floats = {name: float(value) for name, value in values.items() if isinstance(value, Fraction)}
        return {**values, **floats, "state": "open" if self.open else "closed"}


AUCTION_COLUMNS = (*(one.name for one in fields(Auction) if one.name != "rounded"), "state")


@dataclass(frozen=True)
class Taken:
    """What one purchase does: nothing where ``refused`` gives the contract's reason; ``auction`` as it is then.

    ``price`` is units of debt a unit of collateral, ``paid`` units of debt, ``bought`` and ``returned`` (to the owner)
    units of collateral.
    """

    refused: str
    price: Fraction
    paid: Fraction
    bought: Fraction
    returned: Fraction
    auction: Auction

    def columns(self) -> dict[str, Any]:
        """Give the columns of a step that only purchases have, numbers as floats."""
        auction = self.auction
        numbers = {
            "tab": auction.tab + self.paid,
            "top": auction.top,
            "price": self.price,
            "paid": self.paid,
            "bought": self.bought,
            "tab_left": auction.tab,
            "lot_left": auction.lot,
            "returned": self.returned,
        }
        whole = {"auction": auction.auction, "seconds": auction.seconds}
        return {**whole, **{name: float(value) for name, value in numbers.items()}}


@dataclass(frozen=True)
class AuctionTerms:
    """How the auctions of one collateral run: the contract's parameters by their names, times in seconds.

    ``shape`` is ``stairstep``, ``linear`` or ``exponential``; ``chost`` (units of debt) what a purchase must leave of
    the tab unless it takes all.
    """

    shape: str
    cut: Fraction
    step: Fraction
    tau: Fraction
    tail: Fraction
    cusp: Fraction
    chost: Fraction

    def share(self, seconds: int) -> Fraction:
        """Price ÷ first price after some seconds, in 27 digits, as the contract counts it."""
        if self.shape == "linear":
            return _down(max(1 - seconds / self.tau, Fraction(0)), RAY)
        return _power(self.cut, int(seconds // self.step) if self.shape == "stairstep" else seconds)

    def price(self, auction: Auction, seconds: int) -> Fraction:
        """Price after some seconds, units of debt a unit of collateral."""
        return _down(auction.top * self.share(seconds), RAY if auction.rounded else 0)

    def over(self, auction: Auction, seconds: int) -> bool:
        """Whether the auction is so old, or its price so low, that nobody can buy before it is started again."""
        left = _down(self.price(auction, seconds) / auction.top, RAY if auction.rounded else 0)
        return seconds > self.tail or left < self.cusp

    def take(self, auction: Auction, seconds: int, amount: Any) -> Taken:
        """Buy up to an amount of the lot: never for more than the tab, and never so that dust of it is left.

        Source: makerdao/dss, ``Clipper.take``.
        """
        price, zero = self.price(auction, seconds), Fraction(0)
        later = replace(auction, seconds=seconds)
        reason, bought, paid = self._bought(auction, seconds, price, amount)
        if reason:
            return Taken(reason, price, zero, zero, zero, later)
        tab, lot = auction.tab - paid, auction.lot - bought
        returned = lot if tab == 0 else zero
        after = replace(
            later, lot=lot - returned, tab=tab, paid=auction.paid + paid, bought=auction.bought + bought,
            returned=returned,
        )  # fmt: skip
        if not after.open:
            after = replace(after, loss=max(after.due - after.paid, zero))
        return Taken("", price, paid, bought, returned, after)

    def _bought(self, auction: Auction, seconds: int, price: Fraction, amount: Any) -> tuple[str, Fraction, Fraction]:
        """Give the reason for a refusal, what is bought, and what is paid for it."""
        lot, tab, wad = auction.lot, auction.tab, WAD if auction.rounded else 0
        if not auction.open:
            return "not-running-auction", lot, tab
        if self.over(auction, seconds):
            return "needs-reset", lot, tab
        bought = lot if amount >= lot * (1 - _NOISE) else _down(amount, wad)
        paid = bought * price
        if paid > tab:
            return "", _down(tab / price, wad), tab
        if paid < tab and bought < lot and tab - paid < self.chost:
            if tab <= self.chost:
                return "no-partial-purchase", lot, tab
            return "", _down((tab - self.chost) / price, wad), tab - self.chost
        return "", bought, paid


def _down(value: Fraction, scale: int) -> Fraction:
    return Fraction(int(value * scale), scale) if scale else value


def _power(share: Fraction, times: int) -> Fraction:
    """``share ^ times`` in 27 digits, every product rounded half up, squares first: ``rpow`` of makerdao/dss."""
    factor = int(share * RAY)
    found = factor if times % 2 else RAY
    while times := times // 2:
        factor = (factor * factor + RAY // 2) // RAY
        if times % 2:
            found = (found * factor + RAY // 2) // RAY
    return Fraction(found, RAY)
