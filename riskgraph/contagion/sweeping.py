r"""What sweeps over a non-negative matrix need to know beforehand: where to start, and when to stop.

With A = L + U (L left of the diagonal) a sweep multiplies the error of :math:`z = x + Az` by
:math:`G = (I - L)^{-1}U`. On networks that mix well, one eigenvalue μ of G stands far above all others. Its left vector
l gives :math:`c = l(I - L)^{-1}` with :math:`cU = \mu c(I - L)`, and the start :math:`z_0 = \beta r` with
:math:`\beta = cx / c(I - A)r` leaves an error e with le = 0: :math:`le = c(I - L)e`, so that
:math:`c(I - A)e = c(x - \beta(I - A)r) = 0` says just that, since :math:`c(I - A) = (1 - \mu)c(I - L)`. The part
that would die out slowest is gone, and no sweep brings it back. The vectors need no precision, since every sweep works
on the true equation: a poor start costs sweeps and nothing else.

For any positive vector ``size``, :math:`q = \max_i (G\,\mathrm{size})_i/\mathrm{size}_i` bounds G in the norm
:math:`\max_i |v_i|/\mathrm{size}_i`, and so the error after a sweep by q/(1 − q) times its change; caps only shrink
differences.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from riskgraph.arrays import Bools, Floats, Ints
from riskgraph.contagion import tiles

__all__ = ["Arrays", "Rows", "Sweeps", "arrays_of", "lowered", "settled_below", "squares_pay", "sweeps_over"]

Places = NDArray[np.unsignedinteger[Any]]  # unsigned: that spares the kernels a look at the sign
Rows = tuple[Places, Places, Floats]

LOOKS = 60  # sweeps that the search for the slowest part may take; it converges faster than what it saves
SPLIT = 1e-6  # how still its vectors must stand for the start to be worth anything
FLAT = 1e-3  # least quotient of entries at which the slowest part's vector serves as measure of size
SCATTERED = 4  # A² is worth its products while they are fewer than the entries of A over this, a source
SLOWEST = 0.99  # q above which rounding and patience run out


@dataclass(frozen=True, eq=False)
class Arrays:
    """A matrix by rows and by columns, as kernels read it: where each begins, numbers, values."""

    rows: Rows
    columns: Rows


def arrays_of(matrix: sparse.csr_array) -> Arrays:
    """Lay a matrix out for the kernels, numbers ascending."""
    return Arrays(_laid_out(matrix), _laid_out(sparse.csr_array(matrix.T)))


def _laid_out(matrix: sparse.csr_array) -> Rows:
    ordered = matrix.sorted_indices()
    kind = np.uint32 if max(ordered.nnz, *ordered.shape) < 2**32 else np.uint64
    return ordered.indptr.astype(kind), ordered.indices.astype(kind), ordered.data.astype(np.float64)


@dataclass(frozen=True, eq=False)
class Sweeps:
    r"""A matrix A of spectral radius below 1, and how sweeps over it start and stop.

    ``right`` is r (zeros where nothing is split off), ``share`` and ``late`` hold c A² and c A³ over c(I − A)r: the
    start for a right-hand side A e_s and A² e_s beside that itself; ``size`` and ``rate`` = q bound the error.
    """

    matrix: sparse.csr_array
    arrays: Arrays
    right: Floats
    share: Floats
    late: Floats
    size: Floats
    rate: float

    @property
    def gain(self) -> float:
        """Error after a sweep as a multiple of its change."""
        return self.rate / (1.0 - self.rate)

    @property
    def split(self) -> bool:
        """Whether the slowest part is left out from the start."""
        return bool(self.right.any())


def sweeps_over(matrix: sparse.csr_array, budget: int) -> Sweeps | None:
    """Look for the slowest part of sweeps over A and bound them; None where they are too slow."""
    n = matrix.shape[0]
    arrays = arrays_of(matrix)
    right, still = _slowest(arrays.rows, n, down=False)
    left, calm = _slowest(arrays.columns, n, down=True)
    moved = right - matrix @ right
    scale = float(left @ moved)
    if still and calm and scale > 0.0:
        once = matrix.T @ left
        twice = matrix.T @ once
        share, late = (matrix.T @ once) / scale, (matrix.T @ twice) / scale
    else:
        right, share, late = np.zeros(n), np.zeros(n), np.zeros(n)
    size = right
    if not right.any() or right.min() < FLAT * right.max():
        below = settled_below(arrays.rows, np.ones(n), budget, enough=1e-3)
        if below is None:
            return None
        size = below
    rate = _rate(arrays.rows, size)
    return Sweeps(matrix, arrays, right, share, late, size, rate) if rate <= SLOWEST else None


def squares_pay(matrix: sparse.csr_array, sources: Ints) -> bool:
    """Whether the columns and rows of A² that the sources need are cheap beside sweeps over A."""
    out, back = np.bincount(matrix.indices, minlength=matrix.shape[0]), np.diff(matrix.indptr)
    pattern = sparse.csr_array((np.ones(matrix.nnz), matrix.indices, matrix.indptr), shape=matrix.shape)
    products = pattern.T @ out.astype(np.float64) + pattern @ back.astype(np.float64)
    return bool(products[sources].mean() * SCATTERED <= matrix.nnz)


def _slowest(rows: Rows, n: int, *, down: bool) -> tuple[Floats, bool]:
    """Power iteration on sweeps from an even start: the vector (largest entry 1), and whether it stands still."""
    vector, nothing, gap = np.ones(n), np.zeros(n), np.inf
    for _ in range(LOOKS):
        before = vector.copy()
        tiles.sweep(*rows, nothing, vector, down)
        top = float(vector.max(initial=0.0))
        if not top > 0.0:
            return np.zeros(n), False
        vector /= top
        gap = float(np.abs(vector - before).max())
        if gap <= 1e-12:
            break
    return vector, gap <= SPLIT


def _rate(rows: Rows, size: Floats) -> float:
    swept = size.copy()
    tiles.sweep(*rows, np.zeros(len(size)), swept, False)
    # a little more than the largest quotient, so that rounding in it never makes the bound too small
    return float((swept / size).max(initial=0.0)) * (1.0 + 1e-12)


def settled_below(rows: Rows, add: Floats, budget: int, *, enough: float = 0.0) -> Floats | None:
    """Solve v = add + A v by sweeps from v = 0; None where the budget runs out.

    ``add`` ≥ 0: v only grows, in floating point too (each operation keeps the order), so that it comes to stand still.
    """
    v = np.zeros(len(add))
    for _ in range(budget):
        if tiles.sweep(*rows, add, v, False) <= enough * v.max(initial=0.0):
            return v
    return None


def lowered(rows: Rows, pinned: Bools, start: Floats, budget: int) -> Floats | None:
    """Give the greatest h ≤ start with h = min(1, A h) off the pinned nodes, by sweeps from above; None if too slow.

    h only falls, in floating point too, so that it comes to stand still.
    """
    h = start.copy()
    for _ in range(budget):
        if tiles.lower(*rows, pinned, h) == 0.0:
            return h
    return None
