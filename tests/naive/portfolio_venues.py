"""Venues under ``portfolio_margin`` in a naive cascade (``tests.naive.portfolios`` holds the rule's calls).

As in ``perp_venues``; what is closed of options is settled at their value at the venue's marks and goes to no market.
"""

from __future__ import annotations

from fractions import Fraction

from tests.naive.perp_venues import Perpetuals
from tests.naive.portfolios import House, Option

__all__ = ["Portfolios"]


class Portfolios(Perpetuals):
    def is_open(self, margin):
        return super().is_open(margin) or bool(self.book.options_of(margin))

    def venue(self):
        house = House(**vars(super().venue()), book=self.book)
        for margin in self.margins():
            account = house.accounts[margin[0], margin[2]]
            for key, units in self.book.options_of(margin):
                account.positions.append(Option(key[3], key[4], Fraction(units), None, key[5]))
        return house

    def write(self, venue):
        """Options apart: of one asset and side there may be several."""
        for (owner, bucket), account in venue.accounts.items():
            for one in account.positions:
                if isinstance(one, Option):
                    key = owner, self.protocol, bucket, one.asset, one.side, one.contract
                    self.book.options[key] = float(one.amount)
            account.positions = [one for one in account.positions if not isinstance(one, Option)]
        super().write(venue)
