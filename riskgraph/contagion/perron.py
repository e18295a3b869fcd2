"""Perron roots and vectors of sparse non-negative matrices, by strongly connected component."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph
from scipy.sparse import linalg as sparse_linalg

from riskgraph.arrays import Floats, Ints
from riskgraph.errors import ConvergenceError

__all__ = ["Classes", "class_blocks", "cyclic_classes", "perron_pair", "perron_root"]

# What plain products do not settle goes to sparse LU up to here (certified bounds); above it fill-in could be
# anything, and ARPACK works with products only.
FACTORED = 2_500
FACTORED_LATE = 20_000  # up to here LU has the last word where ARPACK fails
PRODUCTS = 400  # plain products that are worth while before ARPACK or LU
STRIDE = 10  # products between two looks at how fast the bracket closes
ROOT_TOL = 1e-13  # relative width of the bracket at which a root counts as found
SETTLED = 1e-12  # relative width at which plain products count as done; the last digits are rounding
TINY = 1e-290  # below it a quotient of two entries says nothing
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
    pattern = matrix
    if not matrix.data.all():
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
    if groups:
        sizes = [len(group) for group in groups]
        member[np.concatenate(groups)] = np.repeat(np.arange(len(groups)), sizes)
    return Classes(member, tuple(groups))


def class_blocks(matrix: sparse.csr_array, classes: Classes) -> Iterator[sparse.csr_array]:
    """Cut the square block of each component out of a matrix, all of them in one pass over its entries."""
    if len(classes.nodes) == 1 and len(classes.nodes[0]) == matrix.shape[0]:
        yield matrix
        return
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    inside = (classes.member[row] >= 0) & (classes.member[row] == classes.member[matrix.indices])
    place = np.zeros(matrix.shape[0], dtype=np.int64)
    sizes = [len(nodes) for nodes in classes.nodes]
    if classes.nodes:
        place[np.concatenate(classes.nodes)] = np.arange(sum(sizes))
    at = (place[row[inside]], place[matrix.indices[inside]])
    whole = sparse.coo_array((matrix.data[inside], at), shape=(sum(sizes), sum(sizes))).tocsr()
    low = 0
    for size in sizes:
        span = slice(whole.indptr[low], whole.indptr[low + size])
        pointers = whole.indptr[low : low + size + 1] - span.start
        yield sparse.csr_array((whole.data[span], whole.indices[span] - low, pointers), shape=(size, size))
        low += size


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
    for block in class_blocks(matrix, cyclic_classes(matrix)):
        # the root is no larger than the largest row sum or the largest column sum
        if min(_sums(block, 1).max(), _sums(block, 0).max()) > best:
            best = max(best, perron_pair(block)[0])
    return float(f"{best:.15g}")  # the last bit is noise, and 0.2 reads better than 0.19999999999999998


def perron_pair(block: sparse.csr_array) -> tuple[float, Floats]:
    """Give the Perron root and right Perron vector (positive, sum 1) of an irreducible non-negative matrix.

    Plain products while their bracket around the root closes fast; what they do not settle is solved by sparse LU,
    and a large component by ARPACK.
    """
    if block.shape[0] == 1:
        return float(block.diagonal()[0]), np.ones(1)
    root, vector, width = _power(block, np.full(block.shape[0], 1.0 / block.shape[0]), PRODUCTS)
    if width > SETTLED:
        # scaling rows and columns by the square root of their sums' ratio evens out capital of very different size
        scale = np.sqrt(_sums(block, 1) / _sums(block, 0))
        even = sparse.csr_array(sparse.diags_array(1.0 / scale) @ block @ sparse.diags_array(scale))
        root, vector = _noda(even) if block.shape[0] <= FACTORED else _arnoldi(even)
        vector = vector * scale
    return root, vector / vector.sum()


def _power(block: sparse.csr_array, vector: Floats, products: int) -> tuple[float, Floats, float]:
    r"""Power iteration between Collatz–Wielandt bounds: root, vector, and relative width of the bracket.

    :math:`\min_i (Ax)_i/x_i \le \lambda_1 \le \max_i (Ax)_i/x_i` for every positive x. Where the bracket closes too
    slowly (a cycle of even length swings for ever), half the root is added to the diagonal; where that is too slow
    as well, the width that is left says so.
    """
    shift, before, left = 0.0, np.inf, products
    best: tuple[float, Floats, float] = (0.0, vector, np.inf)
    while left > 0 and vector.min() > TINY:
        left -= 1
        product = block @ vector
        ratio = product / vector
        low, high = float(ratio.min()), float(ratio.max())
        width = (high - low) / high
        if width < best[2]:
            best = (0.5 * (low + high), vector, width)
        if width <= ROOT_TOL:
            break
        if left % STRIDE == 0:
            # the first look finds nothing to compare with
            pace = np.log(best[2] / before) / STRIDE if before < np.inf else -np.inf
            slow = pace >= 0.0 or np.log(ROOT_TOL / best[2]) < pace * max(left, 1)
            if slow and (shift > 0.0 or best[2] <= SETTLED):
                break
            before = np.inf if slow else best[2]
            shift = 0.25 * (low + high) if slow else shift
        product += shift * vector
        vector = product / product.sum()
    return best


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
    """Largest real eigenvalue by ARPACK from a fixed start, checked by its bracket or else by its residual."""
    m = block.shape[0]
    try:
        values, vectors = sparse_linalg.eigs(block, k=1, which="LR", v0=np.ones(m), tol=0.0, maxiter=2_000)
    except sparse_linalg.ArpackNoConvergence as error:
        if m <= FACTORED_LATE:  # what mixes too slowly for ARPACK, such as one long cycle, has few ways to fill in
            return _noda(block)
        raise ConvergenceError(f"spectral radius: ARPACK found no root of a component of {m} nodes") from error
    root, vector = float(values[0].real), np.abs(vectors[:, 0].real)
    bounded = _power(block, vector / vector.sum(), STRIDE)
    if bounded[2] <= GOOD_ROOT:
        return bounded[0], bounded[1]
    gap = float(np.linalg.norm(block @ vector - root * vector) / (root * np.linalg.norm(vector)))
    if not gap <= GOOD_ROOT:
        raise ConvergenceError(f"spectral radius: residual {gap:.1e} on a component of {m} nodes, expected 1e-10")
    return root, vector


def _sums(block: sparse.csr_array, axis: int) -> Floats:
    return np.asarray(block.sum(axis=axis), dtype=np.float64).ravel()
