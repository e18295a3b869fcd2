"""Collateral reuse account by account, in compiled code; numba is loaded with this module (METHODS 6)."""

from __future__ import annotations

import numba
import numpy as np

__all__ = ["OWED", "POSTED", "carried_by", "descending", "pairs_of", "reused_rows", "sort_rows_out"]

POSTED, OWED = 1, 2  # what a row is: collateral or a deposit that counts, debt that counts
_DIGIT = 11  # bits that are sorted by in one step


@numba.njit(cache=True, nogil=True)
def descending(values):  # type: ignore[no-untyped-def]
    """Order that puts the largest first and leaves equal ones as they come; no value is NaN.

    Sorted by the leading bits first, from the last of them to the first; what then stands next to one that it should
    come before differs in the others alone, and is moved. Where that is much work, the others are sorted by, too.
    """
    n = len(values)
    keys, order = np.empty(n, np.uint64), np.empty(n, np.uint32)
    bits = (values + 0.0).view(np.uint64)  # -0 is 0
    sign = np.uint64(1) << np.uint64(63)
    for at in range(n):  # as unsigned numbers these rise where values fall
        keys[at] = bits[at] if bits[at] & sign else ~(bits[at] | sign)
        order[at] = at
    keys, order = _sorted_by(keys, order, 64 - 4 * _DIGIT)
    moves = 0
    for at in range(1, n):
        key, one, place = keys[at], order[at], at
        while place and keys[place - 1] > key and moves <= n:
            keys[place], order[place] = keys[place - 1], order[place - 1]
            place -= 1
            moves += 1
        keys[place], order[place] = key, one
        if moves > n:
            break
    if moves > n:
        for at in range(n):
            keys[at] = bits[at] if bits[at] & sign else ~(bits[at] | sign)
            order[at] = at
        keys, order = _sorted_by(keys, order, 64 - 6 * _DIGIT)
    return order.astype(np.int64)


@numba.njit(cache=True, nogil=True)
def _sorted_by(keys, order, lowest):  # type: ignore[no-untyped-def]
    """Sort keys by their bits from ``lowest`` on (0, where that is below), equal ones as they come."""
    n = len(keys)
    next_keys, next_order = np.empty(n, np.uint64), np.empty(n, np.uint32)
    count = np.empty((1 << _DIGIT) + 1, np.int64)
    mask = np.uint64((1 << _DIGIT) - 1)
    for step in range(lowest, 64, _DIGIT):
        shift = np.uint64(max(step, 0))
        count[:] = 0
        for at in range(n):
            count[((keys[at] >> shift) & mask) + np.uint64(1)] += 1
        if count.max() == n:
            continue
        for digit in range(1, len(count)):
            count[digit] += count[digit - 1]
        for at in range(n):
            digit = (keys[at] >> shift) & mask
            place = count[digit]
            next_keys[place], next_order[place] = keys[at], order[at]
            count[digit] = place + 1
        keys, next_keys = next_keys, keys
        order, next_order = next_order, order
    return keys, order


@numba.njit(cache=True, nogil=True)
def sort_rows_out(rows, kinds, solvent, basket, n_pairs):  # type: ignore[no-untyped-def]
    """Tell what every row is (``POSTED``, ``OWED`` or 0), and sum USD.

    ``rows`` are account, side, asset, pair and USD, ``kinds`` says of every side 1 where its rows are posted, 2 debt, 3
    wallet. Sums: by pair of what is posted and counts; by asset of solvent wallets, and of what insolvent accounts
    post; by account of everything posted and owed; and all that is posted, and of it by solvent accounts in baskets.
    """
    account, side, asset, pair, usd = rows
    use = np.zeros(len(account), np.int8)
    of_pair, wallets, apart = np.zeros(n_pairs), np.zeros(len(basket)), np.zeros(len(basket))
    posted, owed = np.zeros(len(solvent)), np.zeros(len(solvent))
    whole = baskets = 0.0
    for row in range(len(account)):
        kind = kinds[side[row]]
        if kind == 1:
            posted[account[row]] += usd[row]
            whole += usd[row]
            if not solvent[account[row]]:
                apart[asset[row]] += usd[row]
            elif basket[asset[row]]:
                baskets += usd[row]
            else:
                use[row] = POSTED
                of_pair[pair[row]] += usd[row]
        elif kind == 2:
            owed[account[row]] += usd[row]
            if solvent[account[row]]:
                use[row] = OWED
        elif kind == 3 and solvent[account[row]]:
            wallets[asset[row]] += usd[row]
    return use, of_pair, wallets, apart, posted, owed, whole, baskets


@numba.njit(cache=True, nogil=True, inline="always")
def _sort_few(values, count):  # type: ignore[no-untyped-def]
    if count > 16:
        values[:count].sort()
        return
    for at in range(1, count):
        value, place = values[at], at
        while place and values[place - 1] > value:
            values[place] = values[place - 1]
            place -= 1
        values[place] = value


@numba.njit(cache=True, nogil=True)
def reused_rows(account, asset, usd, use, traced, second, groups, reused):  # type: ignore[no-untyped-def]
    """Collateral, second use and debt of every account in every family it holds; into ``reused``, of every row.

    ``use`` says of every row what it is; rows are sorted by account. ``traced`` and ``second`` (start by asset, family,
    share) say how much of a dollar of the token rests on a family, and how much of that is a second use; families are
    sorted within an asset. Cells are sorted by account and family.
    """
    start_of, family_of, share_of = traced
    again_start, again_family, again_share = second
    size = 0
    for row in range(len(account)):
        if use[row] == POSTED:
            size += start_of[asset[row] + 1] - start_of[asset[row]]
    cell_account, cell_family = np.empty(size, np.int32), np.empty(size, np.int32)
    cell_gross, cell_again, cell_debt = np.empty(size), np.empty(size), np.empty(size)
    sums = np.zeros((groups, 3))  # gross, second use, debt of the account at hand
    part = np.zeros(groups)
    touched = np.empty(groups, np.int64)
    known = np.zeros(groups, np.bool_)
    found = start = 0
    while start < len(account):
        stop, count, owes = start, 0, False
        while stop < len(account) and account[stop] == account[start]:
            token, value = asset[stop], usd[stop]
            if use[stop] == POSTED:
                for k in range(start_of[token], start_of[token + 1]):
                    family = family_of[k]
                    if not known[family]:
                        known[family] = True
                        touched[count] = family
                        count += 1
                    sums[family, 0] += value * share_of[k]
                for k in range(again_start[token], again_start[token + 1]):
                    sums[again_family[k], 1] += value * again_share[k]
            elif use[stop] == OWED:
                owes = True
                for k in range(start_of[token], start_of[token + 1]):
                    sums[family_of[k], 2] += value * share_of[k]
            stop += 1
        _sort_few(touched, count)
        loops = False
        for at in range(count):
            family = touched[at]
            cell_account[found], cell_family[found] = account[start], family
            gross, again, debt = sums[family, 0], sums[family, 1], sums[family, 2]
            cell_gross[found], cell_again[found], cell_debt[found] = gross, again, debt
            found += 1
            if gross - again > 0.0 and debt > 0.0:
                part[family] = min(1.0, debt / (gross - again))
                loops = True
        for row in range(start, stop):
            if use[row] == POSTED:
                token, twice = asset[row], 0.0
                for k in range(again_start[token], again_start[token + 1]):
                    twice += again_share[k] * (1.0 - part[again_family[k]])
                if loops:
                    for k in range(start_of[token], start_of[token + 1]):
                        twice += share_of[k] * part[family_of[k]]
                reused[row] = twice * usd[row]
            elif owes and use[row] == OWED:
                for k in range(start_of[asset[row]], start_of[asset[row] + 1]):
                    sums[family_of[k], 2] = 0.0
        for at in range(count):
            family = touched[at]
            sums[family, 0] = sums[family, 1] = sums[family, 2] = part[family] = 0.0
            known[family] = False
        start = stop
    return cell_account[:found], cell_family[:found], cell_gross[:found], cell_again[:found], cell_debt[:found]


@numba.njit(cache=True, nogil=True)
def pairs_of(starts, standing, usd):  # type: ignore[no-untyped-def]
    """Every two protocols at which something rests on an asset: asset, both, and the smaller value; in that order.

    ``standing`` are the protocols of each asset (from ``starts``), ascending.
    """
    size = 0
    for x in range(len(starts) - 1):
        count = starts[x + 1] - starts[x]
        size += count * (count - 1) // 2
    asset, first, second = np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.int32)
    smaller = np.empty(size)
    at = 0
    for x in range(len(starts) - 1):
        for i in range(starts[x], starts[x + 1]):
            for j in range(i + 1, starts[x + 1]):
                asset[at], first[at], second[at] = x, standing[i], standing[j]
                smaller[at] = min(usd[i], usd[j])
                at += 1
    return asset, first, second, smaller


@numba.njit(cache=True, nogil=True)
def carried_by(rows, use, passing, standing, families, size):  # type: ignore[no-untyped-def]
    """Wallets that have something on an asset at both of two protocols, and the smaller of the two, by pair.

    ``rows`` (account, protocol, asset, usd) are sorted by account and protocol, of which those count that are
    ``POSTED``. ``passing`` (start by asset, on, share) is what a dollar of a token rests on on its way, ``standing``
    (start by asset, protocol, first pair of the asset) are the protocols as in :func:`pairs_of`, ``families`` (start by
    asset, family; family of each asset) those that a token has something in.
    """
    account, protocol, asset, usd = rows
    start_of, on_of, share_of = passing
    stand_start, stand_protocol, first_pair = standing
    family_start, family_in, family_of = families
    wallets, carried = np.zeros(size, np.int64), np.zeros(size)
    seen = np.full(len(family_of) + 1, -1, np.int64)  # of each family, a protocol; -2: two and more
    head = np.full(len(family_of), -1, np.int64)  # of each asset, the last entry on it
    value, rank, before = np.empty(64), np.empty(64, np.int64), np.empty(64, np.int64)
    touched = np.empty(len(family_of), np.int64)
    start = 0
    while start < len(account):
        stop, shared = start, False
        while stop < len(account) and account[stop] == account[start]:
            if use[stop] == POSTED:
                for k in range(family_start[asset[stop]], family_start[asset[stop] + 1]):
                    one = family_in[k]
                    if seen[one] == -1:
                        seen[one] = protocol[stop]
                    elif seen[one] >= 0 and seen[one] != protocol[stop]:
                        seen[one] = -2
                        shared = True
            stop += 1
        count = entries = 0
        for row in range(start, stop if shared else start):
            if use[row] != POSTED or usd[row] <= 0.0:
                continue
            for k in range(start_of[asset[row]], start_of[asset[row] + 1]):
                on = on_of[k]
                if seen[family_of[on]] != -2:
                    continue
                low, high = stand_start[on], stand_start[on + 1]
                while low < high:  # where among the asset's protocols this one stands
                    middle = (low + high) // 2
                    if stand_protocol[middle] < protocol[row]:
                        low = middle + 1
                    else:
                        high = middle
                place = low - stand_start[on]
                if head[on] >= 0 and rank[head[on]] == place:
                    value[head[on]] += usd[row] * share_of[k]
                    continue
                if entries == len(value):
                    value, rank = np.append(value, np.empty(entries)), np.append(rank, np.empty(entries, np.int64))
                    before = np.append(before, np.empty(entries, np.int64))
                if head[on] < 0:
                    touched[count] = on
                    count += 1
                value[entries], rank[entries], before[entries] = usd[row] * share_of[k], place, head[on]
                head[on] = entries
                entries += 1
        for at in range(count):
            on = touched[at]
            many = stand_start[on + 1] - stand_start[on]
            later = head[on]
            while later >= 0:
                earlier = before[later]
                while earlier >= 0:
                    i, j = rank[earlier], rank[later]
                    pair = first_pair[on] + i * (2 * many - i - 1) // 2 + j - i - 1
                    wallets[pair] += 1
                    carried[pair] += min(value[earlier], value[later])
                    earlier = before[earlier]
                later = before[later]
            head[on] = -1
        for row in range(start, stop):
            for k in range(family_start[asset[row]], family_start[asset[row] + 1]):
                seen[family_in[k]] = -1
        start = stop
    return wallets, carried
