"""Centralities by walks: Katz, PageRank, HITS and SinkRank, on bare sparse matrices."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph
from scipy.sparse import linalg as sparse_linalg

from riskgraph.arrays import Floats, Ints
from riskgraph.errors import ConvergenceError

__all__ = ["hits", "katz", "pagerank", "sinkrank"]

SINKRANK_NODES = 3_000  # dense n × n up to here: 72 MB and some seconds
DENSE_SVD = 400
ROUNDS = 1_000_000


def katz(matrix: sparse.csr_array, alpha: float) -> Floats:
    r"""Katz: everything that a unit of distress at each node sets off, :math:`x = 1 + \alpha \Lambda^\top x`.

    Parameters
    ----------
    matrix : csr_array, shape (n, n)
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
    transposed = sparse.csr_array(matrix.T)
    x = np.ones(matrix.shape[0])
    for _ in range(ROUNDS):
        new: Floats = 1.0 + alpha * (transposed @ x)
        if (np.abs(new - x) <= 1e-14 * new).all():
            return new
        x = new
    raise ConvergenceError(f"katz: not settled to 1e-14 after {ROUNDS:,} rounds; take an alpha further below 1/λ₁")


def pagerank(matrix: sparse.csr_array, damping: float = 0.85) -> Floats:
    r"""PageRank of a walk from each node to what it depends on, in proportion to its row; sum 1.

    .. math:: x = \frac{1-d}{n} 1 + d\,(P^\top x + \tfrac{1}{n} \textstyle\sum_{i\ \text{without row}} x_i 1),
        \qquad P_{ij} = \Lambda_{ij} / \textstyle\sum_j \Lambda_{ij}

    High where many lean on a node, or those on which many lean do.

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
    total = np.asarray(matrix.sum(axis=1), dtype=np.float64).ravel()
    lost = total == 0.0
    share = np.where(lost, 0.0, 1.0 / np.where(lost, 1.0, total))
    transposed = sparse.csr_array((sparse.diags_array(share) @ matrix).T) if n else matrix
    x = np.full(n, 1.0 / max(n, 1))
    for _ in range(1_000):  # the error falls by the damping each round: 200 rounds are enough
        new: Floats = (1.0 - damping) / n + damping * (transposed @ x + x[lost].sum() / n) if n else x
        if np.abs(new - x).sum() <= 1e-15 * n or not n:
            return new
        x = new
    raise ConvergenceError("pagerank: not settled after 1,000 rounds")


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
        left, _, right = np.linalg.svd(block.toarray(), full_matrices=False)
        return np.abs(left[:, 0]), np.abs(right[0])
    left, _, right = sparse_linalg.svds(block, k=1, v0=np.ones(min(block.shape)), tol=0.0)
    return np.abs(left[:, 0]), np.abs(right[0])


def sinkrank(matrix: sparse.csr_array) -> Floats:
    r"""SinkRank: how soon a walk from debtors to their creditors ends up in each node.

    .. math:: SR(s) = \frac{n - 1}{\sum_{j \ne s} E[\text{steps } j \to s]}, \qquad
        P(j \to i) = A_{ij} / \textstyle\sum_i A_{ij}

    and 0 if some node cannot reach s. From one inverse, :math:`Z = (I - P + 1\pi^\top)^{-1}` with π the stationary
    distribution: :math:`E[j \to s] = (Z_{ss} - Z_{js}) / \pi_s`.

    Returns
    -------
    ndarray, shape (n,)
        NaN for a single node (nothing to wait for) and, as too large, above 3,000 nodes.

    References
    ----------
    .. [1] Soramäki, Cook (2013), Economics: The Open-Access, Open-Assessment E-Journal 7, 2013-28.

    Examples
    --------
    A owes B, B owes A and C (2 : 1), C owes A. To A: from B 2/3 · 1 + 1/3 · 2 = 4/3 steps, from C 1; 2/(7/3) = 6/7.

    >>> A = sparse.csr_array([[0.0, 2.0, 5.0], [3.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    >>> round(float(sinkrank(A)[0]), 4)
    0.8571
    """
    n = matrix.shape[0]
    if n < 2 or n > SINKRANK_NODES:
        return np.full(n, np.nan)
    owed = np.asarray(matrix.sum(axis=0), dtype=np.float64).ravel()
    step = (matrix.T.toarray()) / np.where(owed > 0.0, owed, 1.0)[:, None]
    step[owed == 0.0, owed == 0.0] = 0.0
    ends = np.flatnonzero(owed == 0.0)
    step[ends, ends] = 1.0  # who owes nothing keeps the walk
    closed = _closed_class(step)
    rank = np.zeros(n)
    if closed is None:
        return rank
    within = step[np.ix_(closed, closed)]
    stationary = np.zeros(n)
    stationary[closed] = _stationary(within)
    waiting = np.linalg.inv(np.eye(n) - step + stationary[None, :])
    total = (n * np.diag(waiting) - waiting.sum(axis=0))[closed] / stationary[closed]
    rank[closed] = (n - 1) / total
    return rank


def _closed_class(step: Floats) -> Ints | None:
    """Nodes that every node can reach: the only class that no walk leaves, or None if there are two."""
    count, label = csgraph.connected_components(sparse.csr_array(step), directed=True, connection="strong")
    leaves = np.zeros(count, dtype=bool)
    source, target = np.nonzero(step)
    out = label[source] != label[target]
    leaves[label[source[out]]] = True
    stays = np.flatnonzero(~leaves)
    return np.flatnonzero(label == stays[0]) if len(stays) == 1 else None


def _stationary(step: Floats) -> Floats:
    """Stationary distribution of an irreducible chain by state reduction, which subtracts nothing.

    References
    ----------
    .. [1] Grassmann, Taksar, Heyman (1985), Operations Research 33(5).
    """
    P = step.copy()
    m = len(P)
    for last in range(m - 1, 0, -1):
        # an account reaches few others: only what is there is touched
        into, out = np.flatnonzero(P[:last, last]), np.flatnonzero(P[last, :last])
        P[into, last] /= P[last, out].sum()
        P[np.ix_(into, out)] += np.outer(P[into, last], P[last, out])
    weight = np.ones(m)
    for at in range(1, m):
        weight[at] = weight[:at] @ P[:at, at]
    total: Floats = weight / weight.sum()
    return total
