"""Triggers of accounts of the rule ``lending``, in compiled code; numba is loaded with this module."""

from __future__ import annotations

import numba
import numpy as np

__all__ = ["ROUNDED", "count_rows", "list_rows", "mark_passed", "rest_called", "watch", "watch_nothing"]

ROUNDED = 1e-6  # share of what an account has to spare that is left for rounding
_SINGLE = 1e-6  # the same for triggers, which are single floats
_TINY = 1e-44  # the smallest single float, but for rounding


@numba.njit(cache=True, nogil=True, inline="always")
def watch(  # type: ignore[no-untyped-def]
    start, stop, amounts, groups, worth, counts, level, spare, sign, sides, is_owed, triggers
):  # fmt: skip
    """Put down between which prices each row of an account moves its sum by no more than ``spare``.

    ``sign`` 1: what it has may not fall, what it owes may not rise; -1: the other way round, and nothing may become
    worthless. What a row counts for is ``counts`` of its value, times ``level`` where it is owed.
    """
    places, low, high = triggers
    for row in range(start, stop):
        place = places[row]
        if place < 0:
            continue
        owed = 1 if sides[row] == is_owed else 0
        unit = worth[groups[row]]
        value = abs(amounts[row] * unit * counts[row]) * (level if owed else 1.0)
        below, above = -np.inf, np.inf
        if value > 0.0:
            share = spare / value
            if (sign > 0.0) != (owed == 1):
                if share < 1.0:
                    below = unit * (1.0 - share) * (1.0 + _SINGLE)
            else:
                above = unit * (1.0 + share) * (1.0 - _SINGLE)
            if sign < 0.0 and owed == 0:
                below = _TINY
        elif amounts[row] > 0.0 and unit <= 0.0:
            above = 0.0
        low[place], high[place] = below, above


@numba.njit(cache=True, nogil=True, inline="always")
def watch_nothing(start, stop, amounts, groups, worth, triggers):  # type: ignore[no-untyped-def]
    """Put down that only what becomes worthless, or is worth something again, changes anything about an account."""
    places, low, high = triggers
    for row in range(start, stop):
        place = places[row]
        if place < 0:
            continue
        low[place], high[place] = -np.inf, np.inf
        if amounts[row] > 0.0:
            if worth[groups[row]] > 0.0:
                low[place] = _TINY
            else:
                high[place] = 0.0


@numba.njit(cache=True, nogil=True)
def rest_called(  # type: ignore[no-untyped-def]
    margins, starts, stops, rows, counts, worth, venue, levels, triggers
):  # fmt: skip
    """Put down between which prices accounts that are called stay called, and no more than that."""
    sides, amounts, _, _, _, _, _, is_owed, groups = rows
    places, low, high = triggers
    for margin in margins:
        start, stop = starts[margin], stops[margin]
        weighted = burden = 0.0
        n = 0
        for row in range(start, stop):
            value = amounts[row] * worth[groups[row]] * counts[row]
            weighted += max(value, 0.0)
            burden -= min(value, 0.0)
            n += value != 0.0
        level = levels[0, venue[margin]]
        loses = (weighted - burden) * (1.0 - ROUNDED) / max(n, 1)
        gains = (level * burden - weighted) * (1.0 - ROUNDED) / max(n, 1)
        for row in range(start, stop):
            place = places[row]
            if place < 0:
                continue
            unit = worth[groups[row]]
            value = abs(amounts[row] * unit * counts[row])
            below, above = -np.inf, np.inf
            if value > 0.0:
                owed = sides[row] == is_owed
                falls = gains / (level * value) if owed else loses / value
                rises = loses / value if owed else gains / value
                if falls < 1.0:
                    below = unit * (1.0 - falls) * (1.0 + _SINGLE)
                above = unit * (1.0 + rises) * (1.0 - _SINGLE)
            elif amounts[row] > 0.0 and unit <= 0.0:
                above = 0.0
            low[place], high[place] = below, above


@numba.njit(cache=True, nogil=True)
def mark_passed(groups, first, margins, low, high, worth, stirred):  # type: ignore[no-untyped-def]
    """Mark the accounts of which a unit in one of some groups of rows is worth less or more than a trigger says."""
    for group in groups:
        now = worth[group]
        for at in range(first[group], first[group + 1]):
            if now < low[at] or now > high[at]:
                stirred[margins[at]] = True


@numba.njit(cache=True, nogil=True)
def count_rows(sides, pairs, margins, is_pledged, is_owed, n_pairs, first):  # type: ignore[no-untyped-def]
    """Add to ``first``, one place on, how many rows of margin accounts there are: of collateral by pair, then debt."""
    for row in range(len(sides)):
        if margins[row] >= 0 and (sides[row] == is_pledged or sides[row] == is_owed):
            first[pairs[row] + (n_pairs if sides[row] == is_owed else 0) + 1] += 1


@numba.njit(cache=True, nogil=True)
def list_rows(sides, pairs, margins, is_pledged, is_owed, n_pairs, next_place, listed, place):  # type: ignore[no-untyped-def]
    """Write the accounts of the same rows down group by group, and where each row is."""
    for row in range(len(sides)):
        if margins[row] >= 0 and (sides[row] == is_pledged or sides[row] == is_owed):
            group = pairs[row] + (n_pairs if sides[row] == is_owed else 0)
            at = next_place[group]
            listed[at], place[row] = margins[row], at
            next_place[group] = at + 1
