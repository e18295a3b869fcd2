"""Kernels of collateral reuse: chains of backing, and common collateral (METHODS 6)."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from riskgraph.arrays import Floats, Ints
from riskgraph.reuse_matching import sums

__all__ = ["Chain", "Overlap", "chains_of", "leaning", "overlaps"]


@dataclass(frozen=True)
class Chain:
    """One path, from where value stands down to what it rests on: place (number of the start), nodes, USD carried."""

    place: int
    nodes: tuple[int, ...]
    usd: float


def chains_of(
    shares: sparse.csr_array, ends: set[int], token: Ints, usd: Floats, top: int, links: int, budget: int
) -> tuple[list[Chain], str]:
    """List the paths that carry most USD, largest first, and say in words what cut the list ("" if nothing did).

    Best first: a step along the backing never adds USD, so paths are complete in the order of what they carry. A loop
    of backing is walked as often as it carries enough to be listed.

    Parameters
    ----------
    shares : csr_array, shape (n_assets + n_protocols, n_assets)
        S; columns are tokens.
    ends : set of int
        Where paths end (bases and protocols); a path that rests on nothing known is no path.
    token, usd : ndarray, shape (n_places,)
        Where value stands: the token, and how much of it.
    top, links, budget : int
        Largest number of paths, least number of steps in each, largest number of paths looked into.

    Examples
    --------
    100 of token 2 stand somewhere; it rests on token 1 by 0.6 and on the base 0 by 0.4, and token 1 on the base:

    >>> S = sparse.csr_array(np.array([[0.0, 1.0, 0.4], [0.0, 0.0, 0.6], [0.0, 0.0, 0.0]]))
    >>> found, cut = chains_of(S, {0}, np.array([2]), np.array([100.0]), top=1, links=1, budget=10)
    >>> found[0].nodes, found[0].usd, cut
    ((2, 1, 0), 60.0, 'cut: the first 1 were asked for; every other chain carries at most $40.00')
    """
    columns = sparse.csc_array(shares)
    pointers, backers, parts = (part.tolist() for part in (columns.indptr, columns.indices, columns.data))
    waiting = [
        (-value, (start,), place)
        for place, (start, value) in enumerate(zip(token.tolist(), usd.tolist(), strict=True))
        if value > 0.0 and not (links and start in ends)
    ]
    heapq.heapify(waiting)
    found: list[Chain] = []
    looked = 0
    while waiting and len(found) < top and looked < budget:
        looked += 1
        value, nodes, place = heapq.heappop(waiting)
        last = nodes[-1]
        if last in ends:
            if len(nodes) > links:
                found.append(Chain(place, nodes, -value))
            continue
        for at in range(pointers[last], pointers[last + 1]):
            if parts[at] * value < 0.0:
                heapq.heappush(waiting, (value * parts[at], (*nodes, backers[at]), place))
    if not waiting:
        return found, ""
    reason = f"the first {top:,} were asked for" if len(found) >= top else f"{budget:,} paths were looked into"
    return found, f"cut: {reason}; every other chain carries at most ${-waiting[0][0]:,.2f}"


@dataclass(frozen=True, eq=False)
class Overlap:
    """Common collateral of two protocols in one asset, a row a pair; ``first`` < ``second``, USD."""

    asset: Ints
    first: Ints
    second: Ints
    overlap_usd: Floats
    wallets: Ints
    wallets_usd: Floats


def leaning(
    passing: sparse.csr_array, account: Ints, protocol: Ints, asset: Ints, usd: Floats
) -> tuple[Ints, Ints, Ints, Floats]:
    """USD by which each account's rows at each protocol rest on each asset, sorted by asset, account, protocol."""
    n = passing.shape[1]
    n_protocols = int(protocol.max(initial=0)) + 1
    keys, place = np.unique(account.astype(np.int64) * n_protocols + protocol, return_inverse=True)
    rows = sparse.csr_array((usd, (place, asset)), shape=(len(keys), n))
    rests = sparse.coo_array(rows @ passing)
    known = rests.data > 0.0
    at, on, value = rests.row[known], rests.col[known], rests.data[known]
    order = np.lexsort((at, on))
    return on[order].astype(np.int64), keys[at[order]] // n_protocols, keys[at[order]] % n_protocols, value[order]


def overlaps(on: Ints, account: Ints, protocol: Ints, usd: Floats) -> Overlap:
    r"""Compare, for every asset, what leans on it at every two protocols.

    .. math:: O_{pq}(x) = \min(\textstyle\sum_i y_{ipx}, \sum_i y_{iqx}), \qquad
              O^{wallets}_{pq}(x) = \sum_i \min(y_{ipx}, y_{iqx})

    Examples
    --------
    Account 0 has 5 of an asset at protocol 0 and 3 at protocol 1, account 1 has 4 at protocol 1: min(5, 7) in common,
    one wallet at both, which carries min(5, 3).

    >>> common = overlaps(np.array([0, 0, 0]), np.array([0, 0, 1]), np.array([0, 1, 1]), np.array([5.0, 3.0, 4.0]))
    >>> common.overlap_usd.tolist(), common.wallets.tolist(), common.wallets_usd.tolist()
    ([5.0], [1], [3.0])
    """
    n_protocols = int(protocol.max(initial=0)) + 1
    standing, place = np.unique(on * n_protocols + protocol, return_inverse=True)
    total = sums(place, usd, len(standing))
    x, p = standing // n_protocols, standing % n_protocols
    a, b = _pairs(x)
    keys = (x[a] * n_protocols + p[a]) * n_protocols + p[b]
    i, j = _pairs(on * (int(account.max(initial=0)) + 1) + account)
    carried = np.searchsorted(keys, (on[i] * n_protocols + protocol[i]) * n_protocols + protocol[j])
    return Overlap(
        asset=x[a],
        first=p[a],
        second=p[b],
        overlap_usd=np.minimum(total[a], total[b]),
        wallets=np.bincount(carried, minlength=len(keys)),
        wallets_usd=sums(carried, np.minimum(usd[i], usd[j]), len(keys)),
    )


def _pairs(group: Ints) -> tuple[Ints, Ints]:
    """Every two places of the same group (groups are sorted), ordered by the first place, then the second."""
    left, right = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for step in range(1, int(np.unique(group, return_counts=True)[1].max(initial=0))):
        same = np.flatnonzero(group[step:] == group[:-step])
        left.append(same)
        right.append(same + step)
    first, second = np.concatenate(left), np.concatenate(right)
    order = np.lexsort((second, first))
    return first[order], second[order]
