"""SinkRank: how soon walks from debtors to their creditors end up in each node, dense, factored or by products."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph
from scipy.sparse import linalg as sparse_linalg

from riskgraph.arrays import Floats, Ints

__all__ = ["SINKRANK_LIMIT", "sinkrank"]

DENSE = 300  # a full matrix is quickest up to here
DENSE_LATE = 3_000  # and up to here (72 MB) where nothing sparse will do
NODES = 20_000  # largest closed class
BOOK_NODES = 50_000  # the same where few hubs hold it together
HUBS = 2_000  # nodes without which the rest must fall into small pieces, for a factor that stays sparse
PIECE = 64
WORK = 2e11  # products of two numbers: two or three minutes on two cores
ROUNDS = 2_000  # steps to forget the start beyond which products are no longer tried
WIDTH = 16  # columns at a time: they stay near the processor
SLOW = 1e10  # steps to forget the start beyond which rounding has eaten the answer
SETTLED = 1e-13  # what is left of a walk's memory of its start
SINKRANK_LIMIT = (
    f"walks end up among more than {NODES:,} nodes ({BOOK_NODES:,} around few hubs), or forget their start too slowly: "
    f"among more than {DENSE_LATE:,} nodes for the time that it takes, or past {SLOW:.0e} steps for 16 digits"
)


def sinkrank(matrix: sparse.csr_array) -> Floats:
    r"""SinkRank: how soon a walk from debtors to their creditors ends up in each node.

    .. math:: SR(s) = \frac{n - 1}{\sum_{j \ne s} E[\text{steps } j \to s]}, \qquad
        P(j \to i) = A_{ij} / \textstyle\sum_i A_{ij}

    and 0 if some node cannot reach s. All sums at once: nodes that walks leave for good weigh in where their walks
    come to the closed class, and there :math:`E[j \to s] = (Z_{ss} - Z_{js}) / \pi_s` with
    :math:`Z = (I - P + 1\pi^\top)^{-1}` and π the stationary distribution, so that column sums of Z and its diagonal
    are enough.

    Parameters
    ----------
    matrix : csr_array, shape (n, n)
        Exposures A, creditor rows, debtor columns.

    Returns
    -------
    ndarray, shape (n,)
        NaN everywhere for a single node, and beyond ``SINKRANK_LIMIT``.

    References
    ----------
    .. [1] Soramäki, Cook (2013), Economics: The Open-Access, Open-Assessment E-Journal 7; Kemeny, Snell (1960), Finite
       Markov Chains; Hunter (1982), Linear Algebra and its Applications 45.

    Examples
    --------
    A owes B, B owes A and C alike, C owes A: to C it takes 4 steps from A and 3 from B; to B 1 from A, 2 from C.

    >>> sinkrank(sparse.csr_array([[0.0, 1.0, 2.0], [2.0, 0.0, 0.0], [0.0, 1.0, 0.0]])).round(4).tolist()
    [0.8, 0.6667, 0.2857]
    """
    n = matrix.shape[0]
    if n < 2:
        return np.full(n, np.nan)
    step = _steps(matrix)
    closed = _closed_class(step)
    if closed is None:
        return np.zeros(n)
    steps, weight = _arrivals(step, closed)
    total = _hitting(sparse.csr_array(step[closed][:, closed]), weight)
    if total is None:
        return np.full(n, np.nan)
    rank = np.zeros(n)
    rank[closed] = (n - 1) / (steps + total)
    return rank


def _steps(matrix: sparse.csr_array) -> sparse.csr_array:
    """Give the steps of the walk, rows debtors; who owes nothing keeps it."""
    owed = np.asarray(matrix.sum(axis=0), dtype=np.float64).ravel()
    share = np.divide(1.0, owed, out=np.zeros(len(owed)), where=owed > 0.0)
    stay = sparse.diags_array((owed == 0.0).astype(np.float64))
    step = sparse.csr_array(sparse.diags_array(share) @ matrix.T + stay)
    step.eliminate_zeros()
    return step


def _closed_class(step: sparse.csr_array) -> Ints | None:
    """Nodes that every node can reach: the only class that no walk leaves, or None if there are two."""
    count, label = csgraph.connected_components(step, directed=True, connection="strong")
    leaves = np.zeros(count, dtype=bool)
    source = np.repeat(np.arange(len(label)), np.diff(step.indptr))
    leaves[label[source[label[source] != label[step.indices]]]] = True
    stays = np.flatnonzero(~leaves)
    return np.flatnonzero(label == stays[0]) if len(stays) == 1 else None


def _arrivals(step: sparse.csr_array, closed: Ints) -> tuple[float, Floats]:
    """Give the steps of all other nodes to the closed class, and how many walks begin or come in at each node of it."""
    others = np.setdiff1d(np.arange(step.shape[0]), closed)
    if not len(others):
        return 0.0, np.ones(len(closed))
    rows = step[others]
    back = sparse.csr_array(rows[:, others].T)
    visits = np.ones(len(others))
    for _ in range(2_000):
        new = 1.0 + back @ visits
        if (new - visits <= 4e-16 * new).all():
            break
        visits = new
    else:
        visits = sparse_linalg.spsolve(sparse.csc_array(sparse.eye_array(len(others)) - back), np.ones(len(others)))
    return float(visits.sum()), 1.0 + rows[:, closed].T @ visits


def _hitting(step: sparse.csr_array, weight: Floats) -> Floats | None:
    """Sum of weight × expected steps to each node of an irreducible chain; None where no road is short enough."""
    m = step.shape[0]
    if m <= DENSE:
        return _by_inverse(step, weight)
    if m <= BOOK_NODES and _falls_apart(step):
        return _by_factors(step, weight)
    if m > NODES:
        return None
    for lazy in (False, True):  # a walk that now and then stays where it is has no period, and takes twice as long
        chain = sparse.csr_array(0.5 * (step + sparse.eye_array(m))) if lazy else step
        rounds = _rounds(chain, min(ROUNDS, int(WORK / (m * chain.nnz))))
        if rounds is not None:
            return _by_products(chain, weight, rounds) * (0.5 if lazy else 1.0)
    if step.nnz <= 2 * m:
        return _by_factors(step, weight)
    return _by_inverse(step, weight) if m <= DENSE_LATE else None


def _falls_apart(step: sparse.csr_array) -> bool:
    """Whether few hubs hold the network together, as assets and protocols do their accounts."""
    degree = np.diff(step.indptr) + np.bincount(step.indices, minlength=step.shape[0])
    rest = np.sort(np.argsort(-degree, kind="stable")[min(HUBS, step.shape[0] // 4) :])
    _, label = csgraph.connected_components(step[rest][:, rest], directed=True, connection="weak")
    return int(np.bincount(label).max()) <= PIECE


def _by_inverse(step: sparse.csr_array, weight: Floats) -> Floats | None:
    """From the full matrix Z."""
    full = step.toarray()
    stationary = _stationary(full)
    fundamental = np.linalg.inv(np.eye(len(full)) - full + stationary)
    if not np.abs(fundamental).max() <= SLOW:
        return None
    total: Floats = (weight.sum() * np.diag(fundamental) - weight @ fundamental) / stationary
    return total


def _by_factors(step: sparse.csr_array, weight: Floats) -> Floats | None:
    r"""From G, the visits before a walk comes to one hub r, by sparse LU: no matrix but G's factors.

    With :math:`h = G 1`: :math:`E[j \to s] = h_j - h_s + (G_{ss} - G_{js}) / \pi_s` (G = 0 in row and column r), and
    :math:`\pi_s / \pi_r = (p_r^\top G)_s`.
    """
    m = step.shape[0]
    hub = int(np.argmax(np.asarray(step.sum(axis=0)).ravel()))
    rest = np.delete(np.arange(m), hub)
    inner = sparse.csc_array(sparse.eye_array(m - 1) - step[rest][:, rest])
    # an M-matrix needs no pivoting
    solver = sparse_linalg.splu(
        inner, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
    )
    visits = solver.solve(step[[hub]].toarray().ravel()[rest], trans="T")  # type: ignore[call-overload]
    stationary = visits / (1.0 + visits.sum())
    to_hub = solver.solve(np.ones(m - 1))
    if not 0.0 < to_hub.max() <= SLOW:
        return None
    own = np.empty(m - 1)
    for low in range(0, m - 1, WIDTH):
        at = np.arange(min(WIDTH, m - 1 - low))
        unit = np.zeros((m - 1, len(at)))
        unit[low + at, at] = 1.0
        own[low + at] = solver.solve(unit)[low + at, at]
    count = weight.sum()
    columns = solver.solve(weight[rest], trans="T")  # type: ignore[call-overload]
    total = np.full(m, weight[rest] @ to_hub)
    total[rest] += (count * own - columns) / stationary - count * to_hub
    return total


def _rounds(step: sparse.csr_array, most: int) -> int | None:
    """Find the steps after which a walk has forgotten where it began, tried from some nodes; None above ``most``."""
    m = step.shape[0]
    walk = np.zeros((m, 8))
    walk[np.linspace(0, m - 1, 8).astype(np.int64), np.arange(8)] = 1.0
    for rounds in range(1, most + 1):
        walk = step @ walk
        if rounds % 4 == 0 and (walk.max(axis=0) - walk.min(axis=0)).max() <= SETTLED:
            return rounds
    return None


def _by_products(step: sparse.csr_array, weight: Floats, rounds: int) -> Floats:
    r"""From :math:`\sum_k (P^k_{ss} - \pi_s)` and :math:`\sum_k (\omega^\top P^k - n\pi)_s`, until walks forget."""
    m, count = step.shape[0], weight.sum()
    back = sparse.csr_array(step.T)
    stationary = np.full(m, 1.0 / m)
    for _ in range(2 * rounds):
        stationary = back @ stationary
    stationary /= stationary.sum()
    flow, columns = weight, np.zeros(m)
    for _ in range(2 * rounds):
        columns += flow - count * stationary
        flow = back @ flow
    own = np.empty(m)

    def tile(low: int) -> None:
        nodes = np.arange(low, min(low + WIDTH, m))
        at = (nodes, nodes - low)
        walk = np.zeros((m, len(nodes)))
        walk[at] = 1.0
        found, done, share = np.zeros(len(nodes)), 0, stationary[nodes]
        while done < rounds or np.abs(walk - share).max() > SETTLED:
            for _ in range(rounds if done == 0 else 4):
                found += walk[at] - share
                walk = step @ walk
            done += rounds if done == 0 else 4
            if done > 4 * rounds:
                break
        own[nodes] = found if done <= 4 * rounds else np.nan

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(tile, range(0, m, WIDTH)))
    total: Floats = (count * own - columns) / stationary
    return total


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
