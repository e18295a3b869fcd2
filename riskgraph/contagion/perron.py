"""Perron roots and vectors of sparse non-negative matrices, by strongly connected component."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph
from scipy.sparse import linalg as sparse_linalg

from riskgraph.arrays import Floats, Ints
from riskgraph.errors import ConvergenceError

__all__ = ["Classes", "cyclic_classes", "perron_pair", "perron_root"]

# Up to here a component is solved by sparse LU (certified bounds); above it fill-in could be anything, and ARPACK
# works with products only.
FACTORED = 2_500
ROOT_TOL = 1e-13  # relative width of the bracket at which a root counts as found
GOOD_ROOT = 1e-10  # relative width that is still accepted when rounding stops the bracket from closing


@dataclass(frozen=True)
class Classes:
    """Strongly connected components that hold a cycle; every other node lies on none."""

    member: Ints  # (n,) number of the node's component, -1 where the node lies on no cycle
    nodes: tuple[Ints, ...]  # nodes of each component, ascending


def cyclic_classes(matrix: sparse.csr_array) -> Classes:
    """Find the strongly connected components with a cycle, numbered by their first node."""
    n = matrix.shape[0]
    if n == 0:
        return Classes(np.zeros(0, dtype=np.int64), ())
    pattern = sparse.csr_array(matrix, copy=True)
    pattern.eliminate_zeros()
    _, label = csgraph.connected_components(pattern, directed=True, connection="strong")
    size = np.bincount(label)
    cyclic = (size[label] > 1) | (pattern.diagonal() != 0.0)
    order = np.flatnonzero(cyclic)
    by_label = order[np.argsort(label[order], kind="stable")]
    cuts = np.flatnonzero(np.diff(label[by_label])) + 1
    groups = sorted(np.split(by_label, cuts), key=lambda group: int(group[0])) if len(order) else []
    member = np.full(n, -1, dtype=np.int64)
    for number, group in enumerate(groups):
        member[group] = number
    return Classes(member, tuple(groups))


def perron_root(matrix: sparse.csr_array) -> float:
    r"""Give λ₁, the spectral radius of a non-negative matrix: the largest Perron root of its components.

    Parameters
    ----------
    matrix : csr_array, shape (n, n)
        Entries ≥ 0.

    Raises
    ------
    ConvergenceError
        A component's root could not be found to 1e-10.

    Examples
    --------
    The cycle A → B → A multiplies by 0.5 · 0.08 = 0.04, and its root is the square root of that:

    >>> perron_root(sparse.csr_array([[0.0, 0.5], [0.08, 0.0]]))
    0.2
    """
    best = 0.0
    for nodes in cyclic_classes(matrix).nodes:
        block = sparse.csr_array(matrix[nodes][:, nodes])
        # the root is no larger than the largest row sum or the largest column sum
        if min(_sums(block, 1).max(), _sums(block, 0).max()) > best:
            best = max(best, perron_pair(block)[0])
    return float(f"{best:.15g}")  # the last bit is noise, and 0.2 reads better than 0.19999999999999998


def perron_pair(block: sparse.csr_array) -> tuple[float, Floats]:
    """Give the Perron root and right Perron vector (positive, sum 1) of an irreducible non-negative matrix."""
    if block.shape[0] == 1:
        return float(block.diagonal()[0]), np.ones(1)
    # scaling rows and columns by the square root of their sums' ratio evens out capital of very different size
    scale = np.sqrt(_sums(block, 1) / _sums(block, 0))
    even = sparse.csr_array(sparse.diags_array(1.0 / scale) @ block @ sparse.diags_array(scale))
    root, vector = _noda(even) if block.shape[0] <= FACTORED else _arnoldi(even)
    vector = vector * scale
    return root, vector / vector.sum()


def _noda(block: sparse.csr_array) -> tuple[float, Floats]:
    r"""Noda iteration: inverse iteration with the upper Collatz–Wielandt bound as shift.

    :math:`x \leftarrow (\bar\rho I - A)^{-1} x` with :math:`\bar\rho = \max_i (Ax)_i / x_i` stays positive, converges
    quadratically from any positive start, and :math:`\min_i (Ax)_i/x_i \le \lambda_1 \le \bar\rho` all the way
    (Noda 1971, Numerische Mathematik 17).
    """
    m = block.shape[0]
    vector = np.full(m, 1.0 / m)
    low, high, best = 0.0, np.inf, vector
    for _ in range(200):
        ratio = (block @ vector) / vector
        if ratio.max() - ratio.min() >= high - low and high - low <= GOOD_ROOT * high:
            break  # rounding has the last word
        if ratio.max() - ratio.min() < high - low:
            low, high, best = float(ratio.min()), float(ratio.max()), vector
        if high - low <= ROOT_TOL * high:
            break
        shift = float(ratio.max()) * (1.0 + 1e-15)
        matrix = sparse.csc_array(shift * sparse.eye_array(m) - block)
        # an M-matrix needs no pivoting; minimum degree takes the accounts out before the few assets and protocols
        solver = sparse_linalg.splu(
            matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
        )
        solved = np.abs(solver.solve(vector))
        if not (np.isfinite(solved).all() and solved.min() > 0.0):
            break
        vector = solved / solved.sum()
    if not high - low <= GOOD_ROOT * high:
        raise ConvergenceError(f"spectral radius: found no closer than [{low:.12g}, {high:.12g}] on {m} nodes")
    return 0.5 * (low + high), best


def _arnoldi(block: sparse.csr_array) -> tuple[float, Floats]:
    """Largest real eigenvalue by ARPACK from a fixed start, checked by its residual."""
    m = block.shape[0]
    try:
        values, vectors = sparse_linalg.eigs(block, k=1, which="LR", v0=np.ones(m), tol=0.0, maxiter=20_000)
    except sparse_linalg.ArpackNoConvergence as error:
        raise ConvergenceError(f"spectral radius: ARPACK found no root of a component of {m} nodes") from error
    root, vector = float(values[0].real), np.abs(vectors[:, 0].real)
    gap = float(np.linalg.norm(block @ vector - root * vector) / (root * np.linalg.norm(vector)))
    if not gap <= GOOD_ROOT:
        raise ConvergenceError(f"spectral radius: residual {gap:.1e} on a component of {m} nodes, expected 1e-10")
    return root, vector


def _sums(block: sparse.csr_array, axis: int) -> Floats:
    return np.asarray(block.sum(axis=axis), dtype=np.float64).ravel()
