"""Liquidity-weighted overlap of portfolios: who loses when whose assets are sold, without forming Ω."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph
from scipy.sparse import linalg as sparse_linalg

from riskgraph.arrays import Floats, Ints, read_only, summed
from riskgraph.contagion.perron import perron_pair
from riskgraph.errors import ConvergenceError
from riskgraph.wording import counted

__all__ = ["Overlap", "overlap_of"]

# Up to here the smaller of the two Gram matrices is formed and its root bracketed; above it could be dense and large,
# and ARPACK works with products only.
FORMED = 2_500
GOOD_PAIR = 1e-10  # residual, relative to the root, at which a pair from products counts as found


@dataclass(frozen=True, eq=False)
class Overlap:
    r"""Indices of Ω, :math:`\Omega_{ij} = \sum_a H_{ia} H_{ja} / D_a`, USD lost by i when j sells all that it holds.

    Attributes
    ----------
    perron : ndarray, shape (n,)
        Perron vector of Ω, by component of overlap: positive, its sum the component's share of the institutions that
        lie in any; NaN for one that holds nothing with a price impact.
    caused : ndarray, shape (n,)
        :math:`\sum_{j \ne i} \Omega_{ij}`, USD: what all others lose when i sells everything.
    own : ndarray, shape (n,)
        :math:`\Omega_{ii}`, USD.
    component : ndarray of int, shape (n,)
        Number of the component of overlap, by its first institution; -1 in none.
    roots : ndarray, shape (n_components,)
        Perron root of each component; the largest is Ω's spectral radius.
    """

    perron: Floats
    caused: Floats
    own: Floats
    component: Ints
    roots: Floats
    notes: tuple[str, ...]


def overlap_of(holdings: sparse.csr_array, price_impact: Floats, market: Ints) -> Overlap:
    r"""Give the indices of Ω = H D⁻¹ Hᵀ from its factors; Ω itself is never formed.

    Parameters
    ----------
    holdings : csr_array, shape (n, m)
        H in USD, at least 0.
    price_impact : ndarray, shape (m,)
        ℓ = 1/D of each asset's market.
    market : ndarray of int, shape (m,)
        In whose market each asset is sold.

    Notes
    -----
    With :math:`X = H D^{-1/2}`, the Perron vector of :math:`\Omega = X X^\top` is :math:`X v`, v that of
    :math:`X^\top X`; the smaller of the two is formed.
    """
    n, m = holdings.shape
    to_market = sparse.csr_array((np.ones(m), (np.arange(m), market)), shape=(m, m))
    merged = sparse.csr_array(holdings @ to_market)
    merged.sum_duplicates()
    rows, columns, held = np.repeat(np.arange(n), np.diff(merged.indptr)), merged.indices, merged.data
    lost = price_impact[columns] * held
    all_held = summed(columns, held, m)
    caused, own = summed(rows, lost * (all_held[columns] - held), n), summed(rows, lost * held, n)
    factor = sparse.csr_array(merged @ sparse.diags_array(np.sqrt(price_impact)))
    factor.eliminate_zeros()
    perron, component, roots = _by_component(factor)
    for part in (perron, caused, own, component, roots):
        read_only(part)
    return Overlap(perron, caused, own, component, roots, _notes(component, roots))


def _by_component(factor: sparse.csr_array) -> tuple[Floats, Ints, Floats]:
    """Perron vector and root of each connected block of X Xᵀ."""
    n = factor.shape[0]
    linked = np.diff(factor.indptr) > 0
    both = sparse.block_array([[None, factor], [sparse.csr_array(factor.T), None]], format="csr")
    _, label = csgraph.connected_components(both, directed=False)
    perron, component = np.full(n, np.nan), np.full(n, -1, dtype=np.int64)
    order = np.flatnonzero(linked)
    groups = np.split(order, _cuts(label, order)) if len(order) else []
    by_column = np.argsort(label[n:], kind="stable")
    roots = []
    for number, group in enumerate(sorted((np.sort(group) for group in groups), key=lambda nodes: int(nodes[0]))):
        at = label[group[0]]
        first, last = np.searchsorted(label[n:][by_column], [at, at + 1])
        block = sparse.csr_array(factor[group][:, np.sort(by_column[first:last])])
        root, vector = _pair(block)
        perron[group] = vector * (len(group) / len(order))
        component[group] = number
        roots.append(root)
    return perron, component, np.array(roots)


def _cuts(label: Ints, order: Ints) -> Ints:
    order[:] = order[np.argsort(label[order], kind="stable")]
    return np.flatnonzero(np.diff(label[order])) + 1


def _pair(block: sparse.csr_array) -> tuple[float, Floats]:
    """Largest eigenvalue of B Bᵀ and its positive eigenvector, sum 1."""
    wide = block.shape[0] <= block.shape[1]
    side = sparse.csr_array(block.T) if wide else block  # the Gram matrix of its columns is the smaller one
    if side.shape[1] <= FORMED:
        root, vector = perron_pair(sparse.csr_array(side.T @ side))
    else:
        root, vector = _from_products(side)
    whole = vector if wide else block @ vector
    return root, whole / whole.sum()


def _from_products(side: sparse.csr_array) -> tuple[float, Floats]:
    k = side.shape[1]
    gram = sparse_linalg.LinearOperator((k, k), matvec=lambda x: side.T @ (side @ x), dtype=np.float64)
    try:
        values, vectors = sparse_linalg.eigsh(gram, k=1, which="LA", v0=np.ones(k), tol=0.0, maxiter=20_000)
    except sparse_linalg.ArpackNoConvergence as error:
        raise ConvergenceError(f"overlap: ARPACK found no root of a component of {k:,} portfolios or assets") from error
    root, vector = float(values[0]), np.abs(vectors[:, 0])
    gap = float(np.linalg.norm(side.T @ (side @ vector) - root * vector) / root)
    if not gap <= GOOD_PAIR:
        raise ConvergenceError(f"overlap: residual {gap:.1e} on a component of {k:,}, expected {GOOD_PAIR:.0e}")
    return root, vector


def _notes(component: Ints, roots: Floats) -> tuple[str, ...]:
    lines = []
    if len(roots) > 1:
        lines.append(
            f"overlap: portfolios fall into {len(roots):,} components without a common market; each has its own Perron "
            "vector (sum = its share of the institutions in any), and values compare within a component"
        )
    outside = int((component < 0).sum())
    if outside:
        who = counted(outside, "institution")
        lines.append(f"overlap: the Perron vector is NaN for {who} without any holding that has a price impact")
    return tuple(lines)
