"""The linear system behind one set of defaulters: the share that each pays of its debts, solved to rounding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from riskgraph.arrays import Bools, Floats, Ints
from riskgraph.errors import ConvergenceError

if TYPE_CHECKING:
    from scipy.sparse.linalg import SuperLU

__all__ = ["Solved", "solved"]

EPS = float(np.finfo(np.float64).eps)
DENSE = 150  # up to so many unknowns are solved directly, in a dense block of at most 150 x 150 numbers
WIDTHS = (8, 6, 6, 6, 8, 16, 32, 64, 64, 64)  # Krylov directions a cycle: few at first, more where few did not do
REFINED = 3  # how often a solve by LU is refined
NARROW = 0.5  # above this part of all rows, the whole matrix costs less than cutting out the block
FLOOR = 1e-20  # shares below it are not told from 0: a bank that no cash reaches pays exactly nothing
ACCEPTED = 1e3  # what a direct solve of a nearly singular block may leave, in units of the rounding level


@dataclass(frozen=True, eq=False)
class Solved:
    r"""Shares paid, what comes in at them, and how far both can be from the exact solution.

    ``error`` is :math:`\kappa` with :math:`|z - z^*| \le \kappa z` for the unknowns and therefore
    :math:`|a - a^*| \le \kappa a` for what comes in; 0 where the residual is at the level of rounding.
    """

    share: Floats  # (n,)
    incoming: Floats  # (n,)
    error: float


def solved(
    claims: sparse.csr_array,
    gain: Floats,
    offset: Floats,
    unknown: Bools,
    share: Floats,
    enough: Callable[[Floats, float], bool] | None = None,
) -> Solved:
    r"""Solve :math:`z_i = o_i + g_i \sum_j W_{ij} z_j` for the unknown i, the other shares held as they come.

    Restarted GMRES from the shares given (the last round's), each cycle ending in the true residual r; the unknowns
    are shares of what is owed, so that small banks count like large ones. With M the block of the unknowns and b what
    does not depend on them, :math:`z - Mz = b - r > 0` bounds the inverse: :math:`|r| \le \kappa (b - r)` gives
    :math:`|z - z^*| \le \kappa z`, which lets a round end as soon as it is certain who defaults. Few unknowns, and
    systems on which the cycles do not get ahead (long rings), are solved by LU.

    Parameters
    ----------
    claims : csr_array, shape (n, n)
        W in USD, creditor rows, debtor columns.
    gain, offset : ndarray, shape (n,)
        g per USD that comes in, o as a share.
    unknown : ndarray of bool, shape (n,)
        No set of unknowns may pay all that it pays to itself, and all that comes in: the system would be singular.
    share : ndarray, shape (n,)
        Shares of the others, and where the unknowns start from.
    enough : callable of incoming and error, optional
        Whether that accuracy is enough; by default nothing but the level of rounding is.

    Raises
    ------
    ConvergenceError
        The residual stayed above 1,000 times the level of rounding.
    """
    system = _system(claims, gain, offset, unknown, share)
    z = system.started(share)
    for cycle in range(len(WIDTHS) + 1 + REFINED):
        incoming = claims @ z
        residual, left = system.residual(incoming, z)
        if left <= (1.0 if cycle < len(WIDTHS) + 2 else ACCEPTED):
            if (z < 0.0).any():  # by rounding
                z = np.maximum(z, 0.0)
                incoming = claims @ z
            return Solved(z, incoming, 0.0)
        if enough is not None and cycle:
            error = system.error(residual)
            if error < 1.0 and enough(incoming, error):
                return Solved(z, incoming, error)
        z[system.at] += system.correction(residual, cycle)
    raise ConvergenceError(
        f"shares paid by {unknown.sum():,} defaulters: the residual stood at {left:.1e} times the level of rounding "
        f"after {len(WIDTHS)} Krylov cycles and a direct solve"
    )


@dataclass(frozen=True, eq=False)
class _System:
    """x = b + M x for the rows ``at``: the unknowns, or all rows (those held have gain 0 and stay) where most are."""

    at: Ints | slice
    block: sparse.csr_array  # W among the rows
    gain: Floats
    offset: Floats
    fixed: Floats  # b: the own cash and what the held shares bring in
    level: Floats  # of rounding, in units of a row's terms: a sum of k terms rounds by about √k

    def started(self, share: Floats) -> Floats:
        """Give shares to begin with: the solution itself where the unknowns are few."""
        z = share.copy()
        if len(self.fixed) <= DENSE:
            z[self.at] = self.direct(self.fixed)
        return z

    def residual(self, incoming: Floats, z: Floats) -> tuple[Floats, float]:
        """Give b + Mx − x, and its largest ratio to the level of rounding."""
        passed = self.gain * incoming[self.at]
        residual = self.offset + passed - z[self.at]
        scale = self.level * (np.abs(self.offset) + np.abs(passed)) + FLOOR
        return residual, float(np.max(np.abs(residual) / scale, initial=0.0))

    def error(self, residual: Floats) -> float:
        """κ of ``Solved``, one step of payments ahead where a bank without cash needs it; infinite where none bounds.

        With v = b − r = z − Mz, the same holds for M²: z − M²z = v + Mv, and the residual of two steps is r + Mr.
        """
        rest = self.fixed - residual
        if ((rest <= 0.0) & (residual != 0.0)).any():
            rest, residual = (part + self.gain * (self.block @ part) for part in (rest, residual))
            if ((rest <= 0.0) & (residual != 0.0)).any():
                return np.inf
        return float(np.max(np.abs(residual) / np.where(rest > 0.0, rest, 1.0), initial=0.0))

    def correction(self, residual: Floats, cycle: int) -> Floats:
        """Solve (I − M) y = residual, as far as the cycle's road carries."""
        if len(self.fixed) > DENSE and cycle < len(WIDTHS):
            return _krylov(self.block, self.gain, residual, WIDTHS[cycle])
        return self.direct(residual)

    def direct(self, right: Floats) -> Floats:
        """Solve (I − M) y = right by LU."""
        try:
            solve = partial(np.linalg.solve, self.dense) if len(self.fixed) <= DENSE else self.factors.solve
            return np.asarray(solve(right), dtype=np.float64)
        except (np.linalg.LinAlgError, RuntimeError) as error:
            raise ConvergenceError(f"shares paid by {len(right):,} defaulters: singular system, {error}") from error

    @cached_property
    def dense(self) -> Floats:
        """I − M, where the unknowns are few."""
        full: Floats = np.eye(len(self.fixed)) - self.gain[:, None] * self.block.toarray()
        return full

    @cached_property
    def factors(self) -> SuperLU:
        from scipy.sparse.linalg import splu

        return splu(sparse.csc_array(sparse.eye_array(len(self.fixed)) - sparse.diags_array(self.gain) @ self.block))


def _system(claims: sparse.csr_array, gain: Floats, offset: Floats, unknown: Bools, share: Floats) -> _System:
    fixed = offset + gain * (claims @ np.where(unknown, 0.0, share))
    level = 4.0 * EPS * (2.0 + np.sqrt(np.diff(claims.indptr)))
    at = np.flatnonzero(unknown)
    if len(at) <= max(DENSE, NARROW * len(unknown)):
        block = sparse.csr_array(sparse.csr_array(claims[at])[:, at])
        return _System(at, block, gain[at], offset[at], fixed[at], level[at])
    own, gain = np.where(unknown, offset, share), np.where(unknown, gain, 0.0)
    return _System(slice(None), claims, gain, own, np.where(unknown, fixed, 0.0), level)


def _krylov(block: sparse.csr_array, gain: Floats, residual: Floats, width: int) -> Floats:
    """Give the best y for (I − M) y = residual among ``width`` Krylov directions (a GMRES cycle from 0)."""
    size = float(np.linalg.norm(residual))
    basis = np.empty((width + 1, len(residual)))
    upper = np.zeros((width + 1, width))
    basis[0] = residual / size
    for j in range(width):
        new = basis[j] - gain * (block @ basis[j])
        for _ in range(1 if width <= 8 else 2):  # once more, or many directions lose their right angles to rounding
            part = basis[: j + 1] @ new
            new -= part @ basis[: j + 1]
            upper[: j + 1, j] += part
        upper[j + 1, j] = np.linalg.norm(new)
        if upper[j + 1, j] <= EPS * np.abs(upper[: j + 1, j]).max():
            width = j + 1
            break
        basis[j + 1] = new / upper[j + 1, j]
    target = np.zeros(width + 1)
    target[0] = size
    weight = np.linalg.lstsq(upper[: width + 1, :width], target)[0]
    y: Floats = weight @ basis[:width]
    return y
