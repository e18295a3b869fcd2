r"""Impact susceptibility, diffusion and fluidity: how many ways of contagion pass a node.

With B the contagious links, :math:`B_{ij} = 1` where the wipe-out of i takes all capital of j
(:math:`\Lambda_{ji} \ge 1`), and :math:`C = e^B` counting the walks along them, a walk of length L with weight 1/L!.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.special import comb

from riskgraph.arrays import Floats, Ints
from riskgraph.contagion.perron import class_blocks, cyclic_classes

__all__ = [
    "Walks",
    "contagious_links",
    "diffusion",
    "diffusion_intermediate",
    "diffusion_start",
    "susceptibility",
    "walks",
]

TERMS = 2_000  # 1/L! has long won by then, or the count has overflowed
TILE = 1 << 20  # entries of a tile (nodes × nodes asked about at a time), 8 MB: it stays near the processor


def contagious_links(leverage: sparse.csr_array) -> sparse.csr_array:
    """B, shape (n, n): 1 at (i, j) where the wipe-out of i wipes out j by itself, the diagonal left out."""
    links = sparse.coo_array(leverage.T)
    # 1e-12: a loss of exactly the capital, computed as a quotient, may miss 1 by rounding
    hit = (links.data >= 1.0 - 1e-12) & (links.row != links.col)
    ones = np.ones(int(hit.sum()))
    return sparse.coo_array((ones, (links.row[hit], links.col[hit])), shape=leverage.shape).tocsr()


@dataclass(frozen=True)
class Walks:
    """Sums over walks of B by node q, each walk of length L counted 1/L!.

    Attributes
    ----------
    links : csr_array
        B.
    reaching, leaving : ndarray, shape (n,)
        Walks of length ≥ 1 that end at q, column sums of e^B − 1, and those that begin there, row sums.
    closed : ndarray, shape (n,)
        Walks of length ≥ 1 from q back to q: the diagonal of e^B − 1.
    through : ndarray, shape (n,)
        Walks from another node than q that leave q on their way and end elsewhere than they began.

    All NaN where there are more walks than a number holds.
    """

    links: sparse.csr_array
    reaching: Floats
    leaving: Floats
    closed: Floats
    through: Floats


def walks(leverage: sparse.csr_array) -> Walks:
    r"""Count the walks of the contagious links by node; only sums of positive terms, but for closed walks taken off.

    A walk that leaves q comes there a first time (:math:`a_k` ways of k steps, from anywhere) and goes on (:math:`b_l`
    ways of l steps); it returns for the first time after k steps in :math:`f_k` ways, and after L steps at all in
    :math:`c_L = \sum_k f_k c_{L-k}`. Of closed walks of another node :math:`\sum_k (k-1) f_k c_{L-k}` pass q.

    Work grows as links × nodes that wipe out somebody × terms (about three times the largest eigenvalue of B, and 30).
    """
    links = contagious_links(leverage)
    n = links.shape[0]
    touched = np.flatnonzero((np.diff(links.indptr) > 0) | (np.bincount(links.indices, minlength=n) > 0))
    reaching, leaving, closed, through = (np.zeros(n) for _ in range(4))
    if len(touched):
        block = sparse.csr_array(links[touched][:, touched])
        with np.errstate(over="ignore"):  # a count beyond every float shows as NaN
            counted = _counted(block)
        for sums, part in zip((reaching, leaving, closed, through), counted, strict=True):
            sums[touched] = part
    return Walks(links, reaching, leaving, closed, through)


def _counted(links: sparse.csr_array) -> tuple[Floats, Floats, Floats, Floats]:
    """Reaching, leaving, closed and through of :class:`Walks`, on links that touch every node."""
    onward = _lengths(links)
    if not np.isfinite(onward[-1].sum()):
        return tuple(np.full(links.shape[0], np.nan) for _ in range(4))  # type: ignore[return-value]
    back = sparse.csr_array(links.T)
    active = np.flatnonzero(np.diff(links.indptr))
    arrivals = _first_visits(back, active, len(onward))
    terms = np.arange(len(onward))
    # two parts of k and l steps, divided by k! and l!, make walks of k + l steps, divided by (k + l)!
    joined = 1.0 / comb(terms[:, None] + terms, terms[:, None])
    joined[:, 0] = 0.0  # a walk that only comes to q has not left it
    through = np.zeros(links.shape[0])
    through[active] = (arrivals * (joined @ onward[:, active])).sum(axis=0)
    closed = np.zeros(links.shape[0])
    classes = cyclic_classes(links)
    for nodes, block in zip(classes.nodes, class_blocks(links, classes), strict=True):
        closed[nodes], others = _closed(block, len(onward))
        through[nodes] -= others
    return _lengths(back)[1:].sum(axis=0), onward[1:].sum(axis=0), closed, through


def _lengths(links: sparse.csr_array) -> Floats:
    """Count walks of every length from each node, divided by length!; shape (terms, n), until the terms vanish."""
    terms = [np.ones(links.shape[0])]
    for length in range(1, TERMS):
        terms.append((links @ terms[-1]) / length)
        if not 1e-17 < terms[-1].sum() < np.inf:
            break
    return np.stack(terms)


def _first_visits(back: sparse.csr_array, to: Ints, terms: int) -> Floats:
    """Count ways of k steps that come to each node for the first time, from any other, over k!, (terms, nodes)."""

    def start(nodes: Ints) -> Floats:
        begun = np.ones((back.shape[0], len(nodes)))
        begun[nodes, np.arange(len(nodes))] = 0.0
        return begun

    return _tiled(back, to, terms, start)


def _closed(block: sparse.csr_array, terms: int) -> tuple[Floats, Floats]:
    """Count closed walks of each node of a component, and those of all others that pass it."""

    def start(nodes: Ints) -> Floats:
        begun = np.zeros((back.shape[0], len(nodes)))
        begun[nodes, np.arange(len(nodes))] = 1.0
        return begun

    back = sparse.csr_array(block.T)
    first = _tiled(back, np.arange(block.shape[0]), terms, start)
    returns = np.zeros_like(first)
    returns[0] = 1.0
    for length in range(1, terms):
        order = np.arange(1, length + 1)
        returns[length] = (first[1 : length + 1] * returns[length - order] / comb(length, order)[:, None]).sum(axis=0)
    order = np.arange(terms)
    joined = 1.0 / comb(order[:, None] + order, order[:, None])
    others = (np.maximum(order - 1.0, 0.0)[:, None] * first * (joined @ returns)).sum(axis=0)
    return returns[1:].sum(axis=0), others


def _tiled(back: sparse.csr_array, nodes: Ints, terms: int, start: Callable[[Ints], Floats]) -> Floats:
    """Follow walks until they come to each node, some nodes at a time; walks that have come there go no further."""
    n = back.shape[0]
    width = max(1, min(TILE // n, 256))
    found = np.zeros((terms, len(nodes)))

    def tile(low: int) -> None:
        mine = nodes[low : low + width]
        at = (mine, np.arange(len(mine)))
        walk = start(mine)
        for length in range(1, terms):
            walk = (back @ walk) / length
            found[length, low : low + width] = walk[at]
            walk[at] = 0.0

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(tile, range(0, len(nodes), width)))
    return found


def susceptibility(counted: Walks) -> Floats:
    r"""Impact susceptibility, :math:`\sum_{i \ne j} C_{ij} / \sum_i B_{ij}`: ways to j for each direct one.

    0 for a node that no other can wipe out by itself; above 1 where contagion reaches it from afar.

    References
    ----------
    .. [1] Silva, Souza, Tabak (2015), Network structure analysis of the Brazilian interbank market, Central Bank of
       Brazil Working Paper 391. Convention (links at Λ ≥ 1, unweighted) as in the R package NetworkRiskMeasures.

    Examples
    --------
    a holds 5 of b; b 10 of a and 3 of c; c 3 of a and 2 of b; capital 2, 5, 2, so that b falls with a, and c with
    either. Ways to c: from a, from b, from a over b (1/2), for 2 direct ones.

    >>> L = sparse.csr_array([[0, 0.5, 0], [2.0, 0, 0.6], [1.5, 1.0, 0]])
    >>> susceptibility(walks(L)).tolist()
    [0.0, 1.0, 1.25]
    """
    direct = np.asarray(counted.links.sum(axis=0), dtype=np.float64).ravel()
    return _for_each(counted.reaching - counted.closed, direct)


def diffusion(counted: Walks) -> Floats:
    r"""Total impact diffusion of q: what its contagious links add to all susceptibility, for each of them.

    .. math:: D_q = \sum_{i \ne j} (e^B - e^{B_q})_{ij} / \textstyle\sum_j B_{qj}

    with :math:`B_q` without row q; 0 for a node that wipes out nobody by itself. The part of :func:`diffusion_start`
    and that of :func:`diffusion_intermediate` together.

    References
    ----------
    .. [1] Silva, Souza, Tabak (2015), Monitoring vulnerability and impact diffusion in financial networks, Central
       Bank of Brazil Working Paper 392.

    Examples
    --------
    The network of :func:`susceptibility`. a wipes out b, c, and c again over b (1/2), with 2 links; b wipes out c, and
    passes a's distress on to it.

    >>> counted = walks(sparse.csr_array([[0, 0.5, 0], [2.0, 0, 0.6], [1.5, 1.0, 0]]))
    >>> diffusion(counted).tolist()
    [1.25, 1.5, 0.0]
    >>> diffusion_start(counted).tolist(), diffusion_intermediate(counted).tolist()
    ([1.25, 1.0, 0.0], [0.0, 0.5, 0.0])
    """
    return diffusion_start(counted) + diffusion_intermediate(counted)


def diffusion_start(counted: Walks) -> Floats:
    r"""Impact diffusion of q as the node where distress begins: i = q in the sum of :func:`diffusion`.

    .. math:: \sum_{j \ne q} (e^B)_{qj} / \textstyle\sum_j B_{qj}
    """
    return _for_each(counted.leaving - counted.closed, _links_of(counted))


def diffusion_intermediate(counted: Walks) -> Floats:
    r"""Impact diffusion of q as a node that passes on the distress of others: i ≠ q in the sum of :func:`diffusion`.

    .. math:: \sum_{i \ne q, j \ne i} (e^B - e^{B_q})_{ij} / \textstyle\sum_j B_{qj}
    """
    return _for_each(counted.through, _links_of(counted))


def _links_of(counted: Walks) -> Floats:
    return np.asarray(counted.links.sum(axis=1), dtype=np.float64).ravel()


def _for_each(ways: Floats, links: Floats) -> Floats:
    """Ways for each direct link, 0 where there is none."""
    return np.divide(ways, links, out=np.zeros(len(ways)), where=links > 0.0)
