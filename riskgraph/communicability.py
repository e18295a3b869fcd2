r"""Impact susceptibility, diffusion and fluidity: how many ways of contagion pass a node.

With B the contagious links, :math:`B_{ij} = 1` where the wipe-out of i takes all capital of j
(:math:`\Lambda_{ji} \ge 1`), and :math:`C = e^B` counting the walks along them, a walk of length L with weight 1/L!.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.special import comb

from riskgraph.arrays import Floats, Ints
from riskgraph.contagion.perron import cyclic_classes

__all__ = ["Walks", "contagious_links", "diffusion", "susceptibility", "walks"]

LOOPED_NODES = 2_000  # largest component whose closed walks are counted (dense, component × component)
TERMS = 2_000  # 1/L! has long won by then, or the count has overflowed
WIDTH = 256  # columns at a time


def contagious_links(leverage: sparse.csr_array) -> sparse.csr_array:
    """B, shape (n, n): 1 at (i, j) where the wipe-out of i wipes out j by itself, the diagonal left out."""
    links = sparse.coo_array(leverage.T)
    # 1e-12: a loss of exactly the capital, computed as a quotient, may miss 1 by rounding
    hit = (links.data >= 1.0 - 1e-12) & (links.row != links.col)
    ones = np.ones(int(hit.sum()))
    return sparse.coo_array((ones, (links.row[hit], links.col[hit])), shape=leverage.shape).tocsr()


@dataclass(frozen=True)
class Walks:
    """Sums over walks of B, each walk of length L counted 1/L!.

    Attributes
    ----------
    links : csr_array
        B.
    closed : ndarray, shape (n,)
        Diagonal of e^B; NaN in a component too large for it.
    closed_through : ndarray, shape (n,)
        tr e^B − tr e^(B without q's row): closed walks that pass q.
    """

    links: sparse.csr_array
    closed: Floats
    closed_through: Floats


def walks(leverage: sparse.csr_array) -> Walks:
    r"""Count the closed walks of the contagious links, component by component.

    With :math:`c_L = (B^L)_{qq}` the closed walks through q follow from the generating function
    :math:`z\,G'(z) = G(z)\,T(z)`, G of the c and T of the t:  :math:`t_L = L c_L - \sum_{k<L} t_k c_{L-k}`.
    """
    links = contagious_links(leverage)
    n = leverage.shape[0]
    closed, through = np.ones(n), np.zeros(n)
    for nodes in cyclic_classes(links).nodes:
        if len(nodes) > LOOPED_NODES:
            closed[nodes] = through[nodes] = np.nan
            continue
        closed[nodes], through[nodes] = _closed_walks(sparse.csr_array(links[nodes][:, nodes]))
    return Walks(links, closed, through)


def _closed_walks(block: sparse.csr_array) -> tuple[Floats, Floats]:
    """Diagonal of e^B, and closed walks through each node, of one component; every term already divided by L!."""
    m = block.shape[0]
    term = np.eye(m)
    returns, passing = [np.ones(m)], [np.zeros(m)]
    for length in range(1, TERMS):
        term = (block @ term) / length
        returns.append(np.diag(term).copy())
        order = np.arange(1, length)
        # t_k c_(L−k) / L! = (t_k / k!) (c_(L−k) / (L−k)!) / binomial(L, k)
        binomial = comb(length, order)[:, None]
        earlier = (np.stack(passing[1:] + passing[:1])[:-1] * np.stack(returns[::-1])[1:-1] / binomial).sum(axis=0)
        passing.append(length * returns[length] - earlier)
        if term.sum(axis=1).max() * m <= 1e-17:
            break
    return np.sum(returns, axis=0), np.sum(passing, axis=0)


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
    >>> susceptibility(walks(L)).tolist(), diffusion(walks(L)).tolist()
    ([0.0, 1.0, 1.25], [1.25, 1.5, 0.0])
    """
    reached = _summed(counted.links.T.tocsr())
    direct = np.asarray(counted.links.sum(axis=0), dtype=np.float64).ravel()
    return np.where(direct > 0.0, (reached - counted.closed) / np.where(direct > 0.0, direct, 1.0), 0.0)


def diffusion(counted: Walks) -> Floats:
    r"""Total impact diffusion of q: what its contagious links add to all susceptibility, for each of them.

    .. math:: D_q = \sum_{i \ne j} (e^B - e^{B_q})_{ij} / \textstyle\sum_j B_{qj}

    with :math:`B_q` without row q; 0 for a node that wipes out nobody by itself.

    References
    ----------
    .. [1] Silva, Souza, Tabak (2015), Monitoring vulnerability and impact diffusion in financial networks, Central
       Bank of Brazil Working Paper 392.
    """
    links = counted.links
    spread = np.asarray(links.sum(axis=1), dtype=np.float64).ravel()
    total = np.zeros(links.shape[0])
    active = np.flatnonzero(spread > 0.0)
    for low in range(0, len(active), WIDTH):
        through = active[low : low + WIDTH]
        total[through] = (_passing(links, through) - counted.closed_through[through]) / spread[through]
    return total


def _summed(links: sparse.csr_array) -> Floats:
    """Row sums of e^B."""
    term, total = np.ones(links.shape[0]), np.ones(links.shape[0])
    for length in range(1, TERMS):
        term = (links @ term) / length
        total = total + term
        if (term <= 1e-18 * total).all():
            break
    return total


def _passing(links: sparse.csr_array, through: Ints) -> Floats:
    """Sum over all walks that leave each given node at least once: walks of B less walks of B without its row."""
    free = np.ones((links.shape[0], 1))
    barred = np.ones((links.shape[0], len(through)))
    total = np.zeros(len(through))
    at = (through, np.arange(len(through)))
    # the difference is followed itself (e^B − e^(B_q) would cancel): walks from i that have not yet met q stay apart
    met = np.zeros_like(barred)
    for length in range(1, TERMS):
        onward = (links @ barred) / length
        met = (links @ met) / length
        met[at] += onward[at]
        onward[at] = 0.0
        barred = onward
        total = total + met.sum(axis=0)
        free = (links @ free) / length
        if free.sum() <= 1e-17:  # all walks of this length together, and of every later one still less
            break
    return total
