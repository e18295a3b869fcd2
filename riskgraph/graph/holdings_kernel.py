"""What accounts have and owe, row by row, in compiled code; numba is loaded with this module."""

from __future__ import annotations

import numba
import numpy as np

__all__ = ["counted_twice", "sums_by_account"]


@numba.njit(cache=True, nogil=True)
def sums_by_account(account, side, usd, sign, n_accounts):  # type: ignore[no-untyped-def]
    """USD of the rows whose side has sign 1, and of those whose side has sign -1, by account."""
    owned, owed = np.zeros(n_accounts), np.zeros(n_accounts)
    for row in range(len(account)):
        if sign[side[row]] == 1:
            owned[account[row]] += usd[row]
        elif sign[side[row]] == -1:
            owed[account[row]] += usd[row]
    return owned, owed


@numba.njit(cache=True, nogil=True)
def counted_twice(rows, held, own_sides, claims, deposits, pools):  # type: ignore[no-untyped-def]
    """Smaller of what an account holds as receipts of a pool and what it has in that pool itself.

    ``rows`` are account, side, asset, protocol and USD, sorted by account. ``held`` and ``own_sides`` say of every side
    whether a receipt is held by it, and whether a row of it is a deposit. ``claims`` (start by asset, pool, share) are
    the pools behind each receipt, ``deposits`` (start by asset, protocol, pool) the pools that a row of the asset may
    be in. What is given is sorted by account and pool.
    """
    account, side, asset, protocol, usd = rows
    claim_start, claim_pool, claim_share = claims
    deposit_start, deposit_protocol, deposit_pool = deposits
    size = 0
    for row in range(len(account)):
        if own_sides[side[row]] and deposit_start[asset[row] + 1] > deposit_start[asset[row]]:
            size += 1
    at_account, at_pool, twice = np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size)
    own, received = np.zeros(pools), np.zeros(pools)
    touched = np.empty(pools, np.int64)
    found = start = 0
    while start < len(account):
        stop, count, receipts = start, 0, False
        while stop < len(account) and account[stop] == account[start]:
            receipts |= held[side[stop]] and claim_start[asset[stop] + 1] > claim_start[asset[stop]]
            stop += 1
        for row in range(start, stop if receipts else start):
            if own_sides[side[row]] and usd[row] > 0.0:
                for k in range(deposit_start[asset[row]], deposit_start[asset[row] + 1]):
                    if deposit_protocol[k] == protocol[row]:
                        if own[deposit_pool[k]] == 0.0:
                            touched[count] = deposit_pool[k]
                            count += 1
                        own[deposit_pool[k]] += usd[row]
        if count:
            for row in range(start, stop):
                if held[side[row]]:
                    for k in range(claim_start[asset[row]], claim_start[asset[row] + 1]):
                        received[claim_pool[k]] += usd[row] * claim_share[k]
            touched[:count].sort()
            for pool in touched[:count]:
                if received[pool] > 0.0:
                    at_account[found], at_pool[found] = account[start], pool
                    twice[found] = min(own[pool], received[pool])
                    found += 1
            for row in range(start, stop):
                for k in range(claim_start[asset[row]], claim_start[asset[row] + 1]):
                    received[claim_pool[k]] = 0.0
            own[touched[:count]] = 0.0
        start = stop
    return at_account[:found], at_pool[:found], twice[:found]
