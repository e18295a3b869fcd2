"""Kernels of collateral reuse: chains of backing, and common collateral (METHODS 6)."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from riskgraph.arrays import Floats, Ints
from riskgraph.reuse_measures import by_asset

__all__ = ["Chain", "Overlap", "chains_of", "overlaps"]


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


def overlaps(
    passing: sparse.csr_array,
    placed: sparse.csr_array,
    family: Ints,
    rows: tuple[Ints, Ints, Ints, Floats],
    use: Ints,
) -> Overlap:
    r"""Compare, for every asset, what leans on it at every two protocols.

    .. math:: O_{pq}(x) = \min(\textstyle\sum_i y_{ipx}, \sum_i y_{iqx}), \qquad
              O^{wallets}_{pq}(x) = \sum_i \min(y_{ipx}, y_{iqx}), \qquad y_{ipx} = \sum_t usd_{ipt} L_{tx}

    Parameters
    ----------
    passing : csr_array, shape (n_assets, n_assets)
        L: share of a dollar of the row's token that rests on the column's asset on its way.
    placed : csr_array, shape (n_assets, n_protocols)
        Rows that count, USD.
    family : ndarray, shape (n_assets,)
        Family of each asset.
    rows : tuple of ndarray, shape (n_rows,)
        Account, protocol, asset and USD of all rows, sorted by account and protocol.
    use : ndarray of int8, shape (n_rows,)
        1 where a row counts.

    Examples
    --------
    Account 0 has 5 of an asset at protocol 0 and 3 at protocol 1, account 1 has 4 at protocol 1: min(5, 7) in common,
    one wallet at both, which carries min(5, 3).

    >>> rows = np.array([0, 0, 1]), np.array([0, 1, 1]), np.array([0, 0, 0]), np.array([5.0, 3.0, 4.0])
    >>> one = sparse.csr_array(np.eye(1)), sparse.csr_array([[5.0, 7.0]]), np.array([0])
    >>> common = overlaps(*one, rows, np.ones(3, dtype=np.int8))
    >>> common.overlap_usd.tolist(), common.wallets.tolist(), common.wallets_usd.tolist()
    ([5.0], [1], [3.0])
    """
    from riskgraph.reuse_kernel import carried_by, pairs_of

    n = passing.shape[1]
    on = sparse.csr_array(sparse.csr_array(passing.T) @ placed)
    on.eliminate_zeros()
    starts, standing, usd = by_asset(on)
    pairs = pairs_of(starts, standing, usd)
    many = np.diff(starts)
    first_pair = np.cumsum(many * (many - 1) // 2) - many * (many - 1) // 2
    of_family = sparse.csr_array((np.ones(n), (np.arange(n), family)))
    inside = by_asset(passing @ of_family)
    carried = carried_by(
        rows,
        use,
        by_asset(passing),
        (starts, standing, first_pair),
        (inside[0], inside[1], family.astype(np.int64)),
        len(pairs[0]),
    )
    return Overlap(*pairs, *carried)
