"""How accounts of the rule ``lending`` stand, in compiled code; numba is loaded with this module."""

from __future__ import annotations

import numba

from riskgraph.margin.account_states import (
    BARE,
    BRINK,
    CALLED,
    CLOSE,
    DUE,
    FINE,
    GONE,
    SUNK,
    SURE,
)
from riskgraph.margin.trigger_kernel import ROUNDED, watch, watch_nothing

__all__ = [
    "add_up_required",
    "look_at",
    "plain_accounts",
    "sinks",
    "weigh_accounts",
    "weigh_rows",
]

_BAND = 1e-12  # of health about 1 in which floats do not decide (close_calls.BAND)


@numba.njit(cache=True, nogil=True, inline="always")
def sinks(start, stop, rows, worth, terms):  # type: ignore[no-untyped-def]
    """Whether every call leaves an account as unhealthy: what its collateral pays at most is less than its debt.

    Each call takes the same off both, so that this stays so until the collateral is gone. With several collaterals none
    may count for more than it pays (LT (1 + b) ≤ 1), or health could pass 1 on the way. No term may end the calls
    before: a target, or dust that must not be left.
    """
    sides, amounts, _, thresholds, bonuses, weights, is_pledged, is_owed, groups = rows
    close_factor, _, small, least, target = terms
    if not (close_factor > 0.0 and least <= 0.0 and small <= 0.0 and target != target):
        return False
    pays = debt = weighted = 0.0
    counted = 0
    modest = True
    for row in range(start, stop):
        value = amounts[row] * worth[groups[row]]
        if sides[row] == is_pledged:
            bonus = bonuses[row] if bonuses[row] == bonuses[row] else 0.0
            threshold = thresholds[row] if thresholds[row] == thresholds[row] else 0.0
            if amounts[row] == 0.0:
                continue
            if value <= 0.0:
                return False
            pays += value / (1.0 + bonus)
            weighted += value * threshold
            counted += 1
            modest = modest and threshold * (1.0 + bonus) <= 1.0
        elif sides[row] == is_owed:
            debt += value
            if len(weights) and weights[row] != 1.0:
                return False
    return counted > 0 and weighted < debt and pays < debt * (1.0 - 1e-9) and (counted == 1 or modest)


@numba.njit(cache=True, nogil=True)
def weigh_rows(rows, pays, counts, modest):  # type: ignore[no-untyped-def]
    """Say what a dollar of each row counts for in health, and what it pays at most in a call; of debt with the sign -.

    ``modest`` says whether a row leaves :func:`sinks` no more to ask than whether it holds something.
    """
    sides, _, _, thresholds, bonuses, weights, is_pledged, is_owed, _ = rows
    for row in range(len(sides)):
        pays[row] = counts[row] = 0.0
        modest[row] = True
        if sides[row] == is_pledged:
            bonus = bonuses[row] if bonuses[row] == bonuses[row] else 0.0
            threshold = thresholds[row] if thresholds[row] == thresholds[row] else 0.0
            pays[row], counts[row] = 1.0 / (1.0 + bonus), threshold
            modest[row] = threshold * (1.0 + bonus) <= 1.0
        elif sides[row] == is_owed:
            weight = weights[row] if len(weights) else 1.0
            pays[row], counts[row], modest[row] = -1.0, -weight, weight == 1.0


@numba.njit(cache=True, nogil=True)
def plain_accounts(starts, stops, modest, terms, venue, plain):  # type: ignore[no-untyped-def]
    """Say of every account whether only amounts and prices decide if it sinks."""
    for margin in range(len(starts)):
        close_factor, _, small, least, target = terms[venue[margin]]
        fine = close_factor > 0.0 and least <= 0.0 and small <= 0.0 and target != target
        for row in range(starts[margin], stops[margin]):
            fine = fine and modest[row]
        plain[margin] = fine


@numba.njit(cache=True, nogil=True)
def look_at(  # type: ignore[no-untyped-def]
    margins, starts, stops, rows, weighed, worth, all_worth, terms, venue, levels, state, unsure, triggers
):  # fmt: skip
    """Say of every account how it stands, and between which prices it stays so.

    ``weighed`` is what the two functions above give; ``all_worth`` says that no price is 0; ``levels`` are healths by
    protocol: below which an account is called, and from which on it is none of anybody's business. ``worth`` is that of
    a unit in a group of rows. ``unsure`` are those next to where they would be called or liquidated, but for rounding.
    ``triggers`` are those of ``PriceTriggers``,
    empty where nobody asks for them.
    """
    pays, counts, plain = weighed
    sides, amounts, _, _, _, _, is_pledged, is_owed, groups = rows
    watched = len(triggers[0]) > 0
    for at in range(len(margins)):
        margin = margins[at]
        start, stop = starts[margin], stops[margin]
        weighted = burden = 0.0
        n = 0
        for row in range(start, stop):
            value = amounts[row] * worth[groups[row]] * counts[row]
            if value > 0.0:
                weighted += value
            else:
                burden -= value
            n += value != 0.0
        net, gross = weighted - burden, weighted + burden
        called = levels[0, venue[margin]]
        unsure[margin] = abs(net) < SURE * gross or abs(weighted - called * burden) < SURE * called * burden
        if gross - abs(net) <= _BAND * gross:  # nothing of one side, or next to nothing
            held = owes = False
            for row in range(start, stop):
                held = held or (sides[row] == is_pledged and amounts[row] > 0.0)
                owes = owes or (sides[row] == is_owed and amounts[row] > 0.0)
            if not (held and owes):
                state[margin] = BARE if owes and burden > 0.0 else GONE
                unsure[margin] = False
                if watched:
                    watch_nothing(start, stop, amounts, groups, worth, triggers)
                continue
        if abs(net) < _BAND * gross:
            state[margin] = CLOSE
        elif net >= 0.0:
            level = levels[1, venue[margin]]
            if burden > 0.0 and weighted / burden < called:
                state[margin] = CALLED
                continue
            state[margin] = FINE
            if watched:
                spare = (weighted - level * burden) * (1.0 - ROUNDED) / max(n, 1)
                watch(start, stop, amounts, groups, worth, counts, level, spare, 1.0, sides, is_owed, triggers)
        elif plain[margin] and all_worth:
            short = debt = 0.0
            for row in range(start, stop):
                value = amounts[row] * worth[groups[row]] * pays[row]
                short -= value
                debt += max(-value, 0.0)
            if not short > debt * 1e-9:
                state[margin] = DUE
                continue
            state[margin] = SUNK
            if watched:
                spare = (short - debt * 1e-9) * (1.0 - ROUNDED) / max(n, 1)
                watch(start, stop, amounts, groups, worth, pays, 1.0, spare, -1.0, sides, is_owed, triggers)
        else:
            state[margin] = BRINK if sinks(start, stop, rows, worth, terms[venue[margin]]) else DUE


@numba.njit(cache=True, nogil=True)
def add_up_required(margins, starts, stops, rows, counts, target, sign, total):  # type: ignore[no-untyped-def]
    """Add up by group of rows what a dollar of a unit's worth adds to the least repayment that cures accounts."""
    sides, amounts, _, _, _, _, _, is_owed, groups = rows
    for margin in margins:
        for row in range(starts[margin], stops[margin]):
            if counts[row] != 0.0:
                of = 1.0 if sides[row] == is_owed else target[margin]
                total[groups[row]] -= sign * amounts[row] * counts[row] / of


@numba.njit(cache=True, nogil=True)
def weigh_accounts(margins, starts, stops, rows, worth, venue, levels, found, called):  # type: ignore[no-untyped-def]
    """Put collateral, weighted collateral, debt and weighted debt of accounts, USD, at their places: as ``sums_of``.

    ``called`` says who for sure is below the level at which he is called, and not liquidatable.
    """
    sides, amounts, _, thresholds, _, weights, is_pledged, is_owed, groups = rows
    for at in range(len(margins)):
        margin = margins[at]
        collateral = weighted = debt = burden = 0.0
        for row in range(starts[margin], stops[margin]):
            usd = amounts[row] * worth[groups[row]]
            if sides[row] == is_pledged:
                collateral += usd
                weighted += usd * thresholds[row]
            elif sides[row] == is_owed:
                debt += usd
                burden += usd * (weights[row] if len(weights) else 1.0)
        level = levels[0, venue[margin]]
        called[at] = burden * (1.0 + SURE) < weighted < level * burden * (1.0 - SURE)
        found[margin, 0], found[margin, 1], found[margin, 2], found[margin, 3] = collateral, weighted, debt, burden
