"""Centralities by walks: Katz, PageRank and HITS, on bare sparse matrices."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph
from scipy.sparse import linalg as sparse_linalg

from riskgraph.arrays import Floats
from riskgraph.errors import ConvergenceError

Matrix: TypeAlias = "sparse.csr_array | sparse_linalg.LinearOperator"

__all__ = ["hits", "katz", "pagerank"]

DENSE_SVD = 400
POLISHED = 4  # rounds of hubs and authorities answering one another, after their singular vectors are found
ROUNDS = 1_000_000
PAGERANK_TOL = 1e-13  # the change of a round, summed over nodes; the error is at most d/(1 − d) times it


def katz(matrix: Matrix, alpha: float) -> Floats:
    r"""Katz: everything that a unit of distress at each node sets off, :math:`x = 1 + \alpha \Lambda^\top x`.

    Parameters
    ----------
    matrix : csr_array or LinearOperator, shape (n, n)
    alpha : float
        Below 1/λ₁.

    Raises
    ------
    ConvergenceError
        Not settled to 1e-14 relative within a million rounds.

    References
    ----------
    .. [1] Katz (1953), Psychometrika 18(1).

    Examples
    --------
    Row A holds 0.5 of column B: B sets off itself and half as much again in A.

    >>> katz(sparse.csr_array([[0.0, 0.5], [0.0, 0.0]]), 1.0).tolist()
    [1.0, 1.5]
    """
    transposed = _transposed(matrix)
    x = np.ones(matrix.shape[0])
    for _ in range(ROUNDS):
        new: Floats = 1.0 + alpha * (transposed @ x)
        if np.abs((new - x) / new).max(initial=0.0) <= 1e-14:
            return new
        x = new
    raise ConvergenceError(f"katz: not settled to 1e-14 after {ROUNDS:,} rounds; take an alpha further below 1/λ₁")


def pagerank(matrix: Matrix, damping: float = 0.85) -> Floats:
    r"""PageRank of a walk from each node to what it depends on, in proportion to its row; sum 1.

    .. math:: x = \frac{1-d}{n} 1 + d\,(P^\top x + \tfrac{1}{n} \textstyle\sum_{i\ \text{without row}} x_i 1),
        \qquad P_{ij} = \Lambda_{ij} / \textstyle\sum_j \Lambda_{ij}

    High where many lean on a node, or those on which many lean do. The equation holds to 1e-13, summed over nodes.

    Parameters
    ----------
    matrix : csr_array or LinearOperator, shape (n, n)
    damping : float
        d in (0, 1).

    References
    ----------
    .. [1] Brin, Page (1998), Computer Networks 30.

    Examples
    --------
    A leans on B, B on nothing: x_A = 0.075 + 0.85 x_B/2, x_B = 0.075 + 0.85 (x_A + x_B/2).

    >>> pagerank(sparse.csr_array([[0.0, 3.0], [0.0, 0.0]])).round(4).tolist()
    [0.3509, 0.6491]
    """
    n = matrix.shape[0]
    if n == 0:
        return np.zeros(0)
    total = matrix @ np.ones(n)
    lost = total == 0.0
    share = np.divide(1.0, total, out=np.zeros(n), where=~lost)
    transposed = _transposed(matrix)
    x = np.full(n, 1.0 / n)
    rounds = int(np.ceil(np.log(0.1 * PAGERANK_TOL) / np.log(damping))) + 10  # the error falls by d in each
    for _ in range(rounds):
        new: Floats = transposed @ (share * x)
        new += x[lost].sum() / n
        new *= damping
        new += (1.0 - damping) / n
        change = float(np.abs(new - x).sum())
        x = new
        if change <= PAGERANK_TOL:
            x /= x.sum()
            return x
    raise ConvergenceError(
        f"pagerank: still moved by {change:.1e} after {rounds:,} rounds, expected {PAGERANK_TOL:.0e}"
    )


def hits(matrix: sparse.csr_array) -> tuple[Floats, Floats, int]:
    r"""HITS: hubs lean on authorities, authorities are leant on by hubs.

    .. math:: \text{hub} \propto A\,\text{authority}, \qquad \text{authority} \propto A^\top \text{hub}

    the leading singular vectors of A. Where A falls apart into blocks that share neither row nor column, each block
    has its own, scaled to sum to the block's share of all rows (hub) or columns (authority) that hold anything.

    Returns
    -------
    hub, authority : ndarray, shape (n,)
        NaN for a row, or column, that holds nothing.
    blocks : int

    References
    ----------
    .. [1] Kleinberg (1999), Journal of the ACM 46(5).
    """
    n = matrix.shape[0]
    hub, authority = np.full(n, np.nan), np.full(n, np.nan)
    if not matrix.nnz:
        return hub, authority, 0
    entries = matrix.tocoo()
    both = sparse.coo_array((entries.data, (entries.row, n + entries.col)), shape=(2 * n, 2 * n))
    _, label = csgraph.connected_components(both, directed=False)
    rows, columns = np.flatnonzero(np.diff(matrix.indptr)), np.unique(matrix.indices)
    blocks = np.unique(label[rows])
    for block in blocks:
        mine, theirs = rows[label[rows] == block], columns[label[n + columns] == block]
        left, right = _leading(sparse.csr_array(matrix[mine][:, theirs]))
        hub[mine] = left / left.sum() * (len(mine) / len(rows))
        authority[theirs] = right / right.sum() * (len(theirs) / len(columns))
    return hub, authority, len(blocks)


def _leading(block: sparse.csr_array) -> tuple[Floats, Floats]:
    """Leading singular vectors of a block that does not fall apart: unique, and of one sign."""
    if min(block.shape) <= 2 or max(block.shape) <= DENSE_SVD:
        hub = np.abs(np.linalg.svd(block.toarray(), full_matrices=False)[0][:, 0])
    else:
        hub = np.abs(sparse_linalg.svds(block, k=1, v0=np.ones(min(block.shape)), tol=0.0)[0][:, 0])
    # small entries are right to 1e-16 of the largest only; as sums of positive terms they come right by themselves
    for _ in range(POLISHED):
        authority: Floats = block.T @ hub
        authority /= authority.sum()
        hub = block @ authority
        hub /= hub.sum()
    return hub, authority


def _transposed(matrix: Matrix) -> Matrix:
    """Give the transpose, laid out by rows where it is a matrix."""
    return matrix.tocsc().T if sparse.issparse(matrix) else matrix.T
