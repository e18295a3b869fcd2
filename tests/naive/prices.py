"""Health and liquidation prices again, one margin account at a time, in fractions: nothing of the package is used.

An account is a dictionary: ``rows`` (side, asset, amount, entry price or None), ``own`` (threshold or None),
``collateral_remainder`` and ``debt_remainder``. ``terms`` holds what its protocol says of each asset: ``price``,
``threshold``, ``ratio``, ``factor``, ``haircut``, ``margin``, ``tiers``, whatever there is. All numbers are the floats
that the package gets; they are read as the decimals that were written.
"""

from __future__ import annotations

from fractions import Fraction

FACTOR = 2.0**0.25  # from one price that is tried to the next


def said(number):
    return Fraction(repr(float(number)))


def _price(terms, asset, moved, factor):
    price = said(terms[asset]["price"])
    return price * factor if asset == moved else price


def balance(account, terms, moved=None, factor=Fraction(1)):
    """Collateral, weighted collateral, debt and weighted debt, with one price multiplied by a factor."""
    plain = weighted = debt = burden = Fraction(0)
    for side, asset, amount, _ in account["rows"]:
        value = said(amount) * _price(terms, asset, moved, factor)
        if side == "collateral":
            plain += value
            if account.get("own") is not None:
                weighted += value * said(account["own"])
            elif terms[asset].get("threshold") is not None:
                weighted += value * said(terms[asset]["threshold"])
            elif terms[asset].get("ratio") is not None:
                weighted += value / said(terms[asset]["ratio"])
        if side == "debt":
            debt += value
            burden += value / said(terms[asset].get("factor") or 1.0)
    rest, more = said(account.get("collateral_remainder", 0.0)), said(account.get("debt_remainder", 0.0))
    if rest:
        weighted += rest * (said(account["own"]) if account.get("own") is not None else weighted / plain)
    return plain + rest, weighted, debt + more, burden + more


def equity_and_margin(account, terms, moved=None, factor=Fraction(1)):
    collateral, _, debt, _ = balance(account, terms, moved, factor)
    equity, margin = collateral - debt, Fraction(0)
    for side, asset, amount, entry in account["rows"]:
        price = _price(terms, asset, moved, factor)
        value = said(amount) * price
        if side == "collateral":
            equity -= value * said(terms[asset].get("haircut") or 0.0)
        if side in ("long", "short"):
            opened = said(entry) if entry is not None else said(terms[asset]["price"])
            equity += (value - said(amount) * opened) * (1 if side == "long" else -1)
            tiers = sorted(terms[asset].get("tiers") or [(0.0, terms[asset].get("margin"))])
            for at, (start, rate) in enumerate(tiers):
                end = said(tiers[at + 1][0]) if at + 1 < len(tiers) else None
                top = value if end is None else min(value, end)
                if top > said(start):
                    margin += (top - said(start)) * said(rate)
    return equity, margin


def is_traded(account):
    return any(side in ("long", "short") for side, *_ in account["rows"])


def health_against(account, terms, level, moved=None, factor=Fraction(1)):
    """-1, 0 or 1: below, at or above a level of health."""
    if is_traded(account):
        equity, margin = equity_and_margin(account, terms, moved, factor)
        if margin == 0:
            return -1 if equity < 0 else 1
        gap = equity - said(level) * margin
    else:
        _, weighted, debt, burden = balance(account, terms, moved, factor)
        if debt <= 0:
            return 1
        gap = weighted - said(level) * burden
    return (gap > 0) - (gap < 0)


def status(account, terms, call_level=None, at_equality=False):
    """Status in the words of ``rg.health``."""
    side = health_against(account, terms, 1.0)
    collateral, _, debt, _ = balance(account, terms)
    short = equity_and_margin(account, terms)[0] < 0 if is_traded(account) else collateral < debt
    if side < 0 and short:
        return "insolvent"
    if side < 0 or (side == 0 and at_equality):
        return "liquidatable"
    if call_level is not None and health_against(account, terms, call_level) < 0:
        return "called"
    return "healthy"


def caught(account, terms, moved, factor, at_equality=False):
    side = health_against(account, terms, 1.0, moved, Fraction(factor))
    return side < 0 or (side == 0 and at_equality)


def nearest_change(account, terms, moved, at_equality=False, octaves=29):
    """Factor of the price nearest to 1 at which the state changes, by trying one after another; None if there is none.

    Two changes between two neighbours that are tried go unseen.
    """
    now = caught(account, terms, moved, 1, at_equality)
    found = []
    for towards in (-1, 1):
        before = Fraction(1)
        for step in range(1, 4 * octaves + 1):
            at = Fraction(FACTOR ** (towards * step))
            if caught(account, terms, moved, at, at_equality) != now:
                found.append(_bisected(account, terms, moved, before, at, now, at_equality))
                break
            before = at
    return min(found, key=lambda factor: abs(factor - 1), default=None)


def _bisected(account, terms, moved, same, other, now, at_equality):
    for _ in range(50):
        middle = (same + other) / 2
        if caught(account, terms, moved, middle, at_equality) == now:
            same = middle
        else:
            other = middle
    return (same + other) / 2
