"""Calls of the rule ``lending`` on many accounts, in compiled code; numba is loaded with this module.

The arithmetic is that of ``rules/lending.py`` on unrounded amounts, call after call; a test holds both together. Two
cases are leapt over, in which the calls cannot end before all collateral is gone: their sum is known beforehand.
"""

from __future__ import annotations

import numba
import numpy as np

from riskgraph.margin.state_kernel import sinks

__all__ = ["call_lending", "room_for"]

NOTHING = 1e-12  # share of both sides below which a call is rounding
ROUNDING = 1e-15  # share of an amount below which what a call leaves of it is rounding


@numba.njit(cache=True, nogil=True)
def room_for(margins, starts, stops, side, collateral, debt, room):  # type: ignore[no-untyped-def]
    """Count pairs of collateral and debt of every account: so many sums it may need."""
    for at in range(len(margins)):
        pledged = owed = 0
        for row in range(starts[margins[at]], stops[margins[at]]):
            pledged += side[row] == collateral
            owed += side[row] == debt
        room[at] = pledged * owed


@numba.njit(cache=True, nogil=True)
def call_lending(  # type: ignore[no-untyped-def]
    margins, first, starts, stops, rows, pair_price, kept, worth, extras, terms, venue, fee_share, dust_usd,
    pledged, owed, seized, fee, repaid, closes, refused,
):  # fmt: skip
    """Call every account until it is healthy, nothing is left, or a call would leave dust.

    ``rows`` holds side codes, amounts, pairs, thresholds, bonuses and weights of debt by row; ``extras`` remainders by
    account (collateral, weighted, debt); ``terms`` the protocol's parameters; outputs start at ``first`` of an account.
    ``kept`` and ``worth`` are those of the book, by pair.
    """
    sides, amounts, pairs, thresholds, bonuses, weights, is_pledged, is_owed, _ = rows
    longest = 1
    for at in range(len(margins)):
        longest = max(longest, stops[margins[at]] - starts[margins[at]])
    left, place = np.empty(longest), np.empty(longest, dtype=np.int64)
    for at in range(len(margins)):
        margin = margins[at]
        start, stop, base = starts[margin], stops[margin], first[at]
        n_owed = 0
        n_pledged = 0
        for row in range(start, stop):
            left[row - start] = amounts[row] * kept[pairs[row]] if sides[row] == is_pledged else amounts[row]
            if sides[row] == is_owed:
                place[row - start] = n_owed
                n_owed += 1
            elif sides[row] == is_pledged:
                place[row - start] = n_pledged
                n_pledged += 1
        for row in range(start, stop):
            if sides[row] == is_pledged:
                for other in range(start, stop):
                    if sides[other] == is_owed:
                        slot = base + place[row - start] * n_owed + place[other - start]
                        pledged[slot], owed[slot] = row, other
        close_factor, close_health, small, least, target = terms[venue[margin]]
        plain = n_owed == 1 and n_pledged > 0 and extras[0][at] == 0.0 and extras[2][at] == 0.0
        if plain and sinks(start, stop, rows, worth, terms[venue[margin]]):
            for slot in range(base, base + n_pledged):
                row = pledged[slot]
                bonus = bonuses[row] if bonuses[row] == bonuses[row] else 0.0
                price, debt_price = pair_price[pairs[row]], pair_price[pairs[owed[slot]]]
                held = left[row - start]
                seized[slot] = held
                repaid[slot] = held * price / debt_price / (1.0 + bonus)
                fee[slot] = (held - held / (1.0 + bonus)) * fee_share[pairs[row]]
            closes[at] = True
            continue
        while True:
            whole = weighted = debt = burden = 0.0
            best_c, best_d, top_c, top_d = -1, -1, -1.0, -1.0
            for row in range(start, stop):
                value = left[row - start] * pair_price[pairs[row]]
                if sides[row] == is_pledged:
                    whole += value
                    if thresholds[row] == thresholds[row]:
                        weighted += value * thresholds[row]
                    if value > top_c and left[row - start] > 0.0:
                        best_c, top_c = row, value
                elif sides[row] == is_owed:
                    debt += value
                    burden += value * (weights[row] if len(weights) else 1.0)
                    if value > top_d and left[row - start] > 0.0:
                        best_d, top_d = row, value
            whole, weighted = whole + extras[0][at], weighted + extras[1][at]
            debt, burden = debt + extras[2][at], burden + extras[2][at]
            if best_c < 0 or best_d < 0 or not (weighted < burden) or not debt > 0.0:
                break
            held, owes = left[best_c - start], left[best_d - start]
            if held <= 0.0 or owes <= 0.0:
                break
            price, debt_price = pair_price[pairs[best_c]], pair_price[pairs[best_d]]
            bonus = bonuses[best_c] if bonuses[best_c] == bonuses[best_c] else 0.0
            threshold = thresholds[best_c] if thresholds[best_c] == thresholds[best_c] else 0.0
            factor = 1.0 + bonus
            limit = owes
            if not (weighted <= close_health * debt or top_c < small or top_d < small):
                limit = owes * close_factor
            if target == target:
                slope = target - threshold * factor
                if slope > 0.0 and slope * debt_price > 0.0:
                    limit = min(limit, (target * debt - weighted) / (slope * debt_price))
            wanted = np.inf
            if price > 0.0:
                wanted = limit * debt_price / price * factor
            elif limit * debt_price <= 0.0:
                wanted = limit * debt_price * factor
            paid, taken = limit, wanted
            if wanted > held:
                by_all = held * price / debt_price / factor if debt_price > 0.0 else 0.0
                paid, taken = min(by_all, limit), held
            leaves = min((owes - paid) * debt_price, (held - taken) * price)
            if paid < owes and taken < held and leaves < least:
                refused[at] = True
                break
            alone = whole - top_c <= 0.0
            if debt < dust_usd and paid > 0.0:
                more = owes / paid
                if taken > 0.0:
                    more = min(more, held / taken)
                more = max(more, 1.0)
                paid, taken = paid * more, taken * more
            if not (paid > NOTHING * owes or taken > NOTHING * held):
                break
            slot = base + place[best_c - start] * n_owed + place[best_d - start]
            seized[slot] += taken
            repaid[slot] += paid
            fee[slot] += (taken - taken / factor) * fee_share[pairs[best_c]]
            rest, rest_debt = held - taken, owes - paid
            left[best_c - start] = rest if rest > ROUNDING * held else 0.0
            left[best_d - start] = rest_debt if rest_debt > ROUNDING * owes else 0.0
            if alone and left[best_c - start] == 0.0:
                closes[at] = True
                break
