"""How accounts of the rule ``lending`` stand, in compiled code; numba is loaded with this module."""

from __future__ import annotations

import numba

from riskgraph.margin.account_states import (
    BARE,
    BRINK,
    CALLED,
    CLOSE,
    DUE,
    EDGE,
    FAR,
    FINE,
    GONE,
    NEAR,
    NEARBY,
    SUNK,
    SURE,
)

__all__ = [
    "count_rows",
    "list_rows",
    "look_at",
    "mark_stirred",
    "plain_accounts",
    "sinks",
    "weigh_accounts",
    "weigh_rows",
]

_BAND = 1e-12  # of health about 1 in which floats do not decide (close_calls.BAND)


@numba.njit(cache=True, nogil=True, inline="always")
def sinks(start, stop, rows, pair_price, terms):  # type: ignore[no-untyped-def]
    """Whether every call leaves an account as unhealthy: what its collateral pays at most is less than its debt.

    Each call takes the same off both, so that this stays so until the collateral is gone. With several collaterals none
    may count for more than it pays (LT (1 + b) ≤ 1), or health could pass 1 on the way. No term may end the calls
    before: a target, or dust that must not be left.
    """
    sides, amounts, pairs, thresholds, bonuses, weights, is_pledged, is_owed = rows
    close_factor, _, small, least, target = terms
    if not (close_factor > 0.0 and least <= 0.0 and small <= 0.0 and target != target):
        return False
    pays = debt = weighted = 0.0
    counted = 0
    modest = True
    for row in range(start, stop):
        value = amounts[row] * pair_price[pairs[row]]
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
    sides, _, _, thresholds, bonuses, weights, is_pledged, is_owed = rows
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
    margins, starts, stops, rows, weighed, pair_price, all_worth, terms, venue, levels, state, unsure
):  # fmt: skip
    """Say of every account how it stands.

    ``weighed`` is what the two functions above give; ``all_worth`` says that no price is 0; ``levels`` are healths by
    protocol: below which an account is called, and from which on it is none of anybody's business. ``unsure`` are those
    next to where they would be called or liquidated, but for rounding.
    """
    pays, counts, plain = weighed
    sides, amounts, pairs, _, _, _, is_pledged, is_owed = rows
    far, near = ((1.0 + FAR) / (1.0 - FAR)) ** 2, ((1.0 + NEARBY) / (1.0 - NEARBY)) ** 2  # either side moves, both ways
    for at in range(len(margins)):
        margin = margins[at]
        start, stop = starts[margin], stops[margin]
        weighted = burden = 0.0
        for row in range(start, stop):
            value = amounts[row] * pair_price[pairs[row]] * counts[row]
            if value > 0.0:
                weighted += value
            else:
                burden -= value
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
                continue
        if abs(net) < _BAND * gross:
            state[margin] = CLOSE
        elif net >= 0.0:
            fine = levels[1, venue[margin]] * burden
            if burden > 0.0 and weighted / burden < called:
                state[margin] = CALLED
            else:
                state[margin] = FINE if weighted >= fine * far else NEAR if weighted >= fine * near else EDGE
        elif plain[margin] and all_worth:
            short = debt = 0.0
            for row in range(start, stop):
                value = amounts[row] * pair_price[pairs[row]] * pays[row]
                short -= value
                debt += max(-value, 0.0)
            if not short > debt * 1e-9:
                state[margin] = DUE
            else:
                state[margin] = SUNK if (debt - short) * far <= debt else BRINK
        else:
            state[margin] = BRINK if sinks(start, stop, rows, pair_price, terms[venue[margin]]) else DUE


@numba.njit(cache=True, nogil=True)
def weigh_accounts(margins, starts, stops, rows, pair_price, venue, levels, found, called):  # type: ignore[no-untyped-def]
    """Put collateral, weighted collateral, debt and weighted debt of accounts, USD, at their places: as ``sums_of``.

    ``called`` says who for sure is below the level at which he is called, and not liquidatable.
    """
    sides, amounts, pairs, thresholds, _, weights, is_pledged, is_owed = rows
    for at in range(len(margins)):
        margin = margins[at]
        collateral = weighted = debt = burden = 0.0
        for row in range(starts[margin], stops[margin]):
            usd = amounts[row] * pair_price[pairs[row]]
            if sides[row] == is_pledged:
                collateral += usd
                weighted += usd * thresholds[row]
            elif sides[row] == is_owed:
                debt += usd
                burden += usd * (weights[row] if len(weights) else 1.0)
        level = levels[0, venue[margin]]
        called[at] = burden * (1.0 + SURE) < weighted < level * burden * (1.0 - SURE)
        found[margin, 0], found[margin, 1], found[margin, 2], found[margin, 3] = collateral, weighted, debt, burden


@numba.njit(cache=True, nogil=True)
def mark_stirred(pairs, first, margins, rows, amounts, wanted, state, stirred):  # type: ignore[no-untyped-def]
    """Mark the accounts of some pairs whose state is ``wanted`` in a pair, those that hold or owe something there.

    ``margins`` and ``rows`` stand pair by pair, ``first`` says where each begins.
    """
    for pair in pairs:
        for at in range(first[pair], first[pair + 1]):
            if wanted[pair, state[margins[at]]] and amounts[rows[at]] > 0.0:
                stirred[margins[at]] = True


@numba.njit(cache=True, nogil=True)
def count_rows(sides, pairs, margins, side, awake, state, first):  # type: ignore[no-untyped-def]
    """Add to ``first``, one place on, how many rows of a side there are in every pair, of accounts that are awake."""
    for row in range(len(sides)):
        if sides[row] == side and awake[state[margins[row]]]:
            first[pairs[row] + 1] += 1


@numba.njit(cache=True, nogil=True)
def list_rows(sides, pairs, margins, side, awake, state, place, listed_margins, listed_rows):  # type: ignore[no-untyped-def]
    """Write the same rows down pair by pair, from ``place`` of a pair on."""
    for row in range(len(sides)):
        if sides[row] == side and awake[state[margins[row]]]:
            at = place[pairs[row]]
            listed_margins[at], listed_rows[at] = margins[row], row
            place[pairs[row]] = at + 1
