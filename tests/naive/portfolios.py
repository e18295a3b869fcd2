"""Portfolios of futures and options at one venue, margined by what the worst scenario loses, one account at a time.

Scenarios and option values are those of ``tests.naive.span``. The requirement is formed anew after every call.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from tests.naive import perpetuals, span

__all__ = ["House", "Option", "option_usd", "requirement"]

F = Fraction
SCENARIOS = span.scenarios()


@cache
def value(price, contract):
    """USD of one option; ``contract``: type, strike, expiry, volatility."""
    kind, strike, expiry, volatility = contract
    return float(span.black76(price, strike, expiry, volatility, kind == "call")[0])


@cache
def gains(price, contract, scan_range, volatility_scan):
    """What one unit long gains in each scenario; ``contract`` None: a future."""
    row = dict(zip(("option_type", "strike", "expiry", "implied_vol"), contract or (None,) * 4, strict=True))
    term = {"scan_range": scan_range, "volatility_scan": volatility_scan}
    return span.risk_array({"price": price, **row}, term, SCENARIOS, 0.0)


def scanned(book, rows, shown):
    """Largest loss over scenarios, added up over product families; ``rows``: asset, signed units, contract."""
    families = {}
    for asset, units, contract in rows:
        term = book.scans[asset]
        mine = families.setdefault(book.family[asset], [0.0] * len(SCENARIOS))
        for at, gain in enumerate(gains(float(shown[asset]), contract, *term)):
            mine[at] += units * gain
    return sum(max(0.0, -min(profit)) for profit in families.values())


def requirement(book, margin, shown):
    rows = [(asset, units, None) for asset, units in book.rows(margin, "long").items()]
    rows += [(asset, -units, None) for asset, units in book.rows(margin, "short").items()]
    rows += [(key[3], units if key[4] == "long" else -units, key[5]) for key, units in book.options_of(margin)]
    return scanned(book, rows, shown)


def option_usd(book, margin, shown):
    """What an account's options are worth to it."""
    signs = {"long": 1, "short": -1}
    return sum(signs[key[4]] * units * value(float(shown[key[3]]), key[5]) for key, units in book.options_of(margin))


@dataclass
class Option(perpetuals.Position):
    contract: tuple | None = None

    def pnl(self, mark, amount=None):
        """Closing it brings what it is worth, whatever it once cost."""
        usd = F(value(float(mark), self.contract)) * (self.amount if amount is None else amount)
        return usd if self.side == "long" else -usd


@dataclass
class House(perpetuals.Venue):
    book: object = None

    def margin_of(self, position):
        return F(0)  # no position has one of its own

    def maintenance(self, account):
        rows = [(one.asset, float(one.amount if one.side == "long" else -one.amount), getattr(one, "contract", None))
                for one in account.positions]  # fmt: skip
        return F(scanned(self.book, rows, self.marks))

    def call(self, owner, bucket="", asset=None, least=1, slack=0):
        """Close all that a ruined account has, or of every position the share after which equity covers what is
        required, ``least`` times."""
        account = self.accounts[owner, bucket]
        told = dict.fromkeys(("seized_usd", "realised_pnl_usd"), F(0)) | {"refused": "", "stage": ""}
        live = [one for one in account.positions if one.amount > 0]
        equity, required = self.equity(account), least * self.maintenance(account)
        room = slack * (required + sum(units * self.marks[token] for token, units in account.cash.items()))
        if self.value(account) < -room:
            told["adl_closed_usd"] = F(0)
            self._ruin(account, live, told)
        elif equity >= required - room:
            told["refused"] = "healthy"
        else:
            notional = sum(self.notional(one) for one in live)
            left = required - self.fee * notional
            share = min(F(1), (required - equity) / left) if left > 0 else F(1)
            self._reduce(account, live, share, told)
        return told

    def _reduce(self, account, live, share, told):
        most, pnl = max(self.equity(account), F(0)), F(0)
        for one in live:
            pnl += one.pnl(self.marks[one.asset], one.amount * share)
            told["seized_usd"] += self.notional(one) * share
            one.amount -= one.amount * share
        fee = min(self.fee * told["seized_usd"], most)
        self.settle(account, pnl)
        self.settle(account, -fee)
        self.fund += fee
        told["stage"] = "partial" if share < 1 else "full"

    def _deleverage(self, one, loss):
        return F(0), F(0)  # nobody on the other side pays
