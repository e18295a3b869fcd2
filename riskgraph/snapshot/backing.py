"""What stands behind a token in the end: S, its loops and S* (METHODS 6)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph
from scipy.sparse import linalg as sparse_linalg

from riskgraph.arrays import Floats
from riskgraph.errors import InputError

__all__ = ["check_loops", "followed", "loop_gains", "traced"]


def loop_gains(shares: sparse.csr_array) -> list[tuple[list[int], float]]:
    """Loops of backing: the tokens of each strongly connected group of two or more, and its gain.

    The gain of a group is the spectral radius of its block of S: by how much a dollar shrinks with every link that it
    is passed along, in the long run (in a loop of two with shares a and b, √(a·b)). S* exists where it is below 1.
    """
    count, group = csgraph.connected_components(shares, directed=True, connection="strong")
    sizes = np.bincount(group, minlength=count)
    loops = []
    for which in np.flatnonzero(sizes > 1):
        tokens = np.flatnonzero(group == which)
        block = shares[tokens, :][:, tokens].toarray()
        loops.append((tokens.tolist(), float(np.abs(np.linalg.eigvals(block)).max())))
    return loops


def check_loops(shares: sparse.csr_array, names: Sequence[str]) -> None:
    """Refuse a loop of backing whose gain is 1 or more: its tokens stand on nothing but one another."""
    for tokens, gain in loop_gains(shares):
        if gain >= 1.0 - 1e-12:
            listed = ", ".join(names[token] for token in tokens[:8])
            raise InputError(f"backing.share: expected loops of backing with a gain below 1, got {gain:g} ({listed})")


def traced(shares: sparse.csr_array, values: Floats) -> Floats:
    r"""Trace USD of tokens to everything that stands behind them.

    .. math:: y = S^* x, \qquad S^* = (I - S)^{-1}

    Parameters
    ----------
    shares : csr_array, shape (n, n)
        S, columns are tokens.
    values : ndarray, shape (n,) or (n, k)
        USD of each token.

    Returns
    -------
    ndarray
        USD that rests on each token directly or through others, its own included.

    Examples
    --------
    100 of a wrapper of a staked token of the base, fully backed each: 100 rests on all three.

    >>> S = sparse.csr_array(np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]))
    >>> traced(S, np.array([0.0, 0.0, 100.0])).tolist()
    [100.0, 100.0, 100.0]
    """
    system = sparse.csc_array(sparse.eye_array(shares.shape[0]) - shares)
    result: Floats = sparse_linalg.spsolve(system, values)
    return result


def followed(shares: sparse.csr_array, moves: dict[int, float]) -> Floats:
    r"""Relative price moves of all tokens when some are moved and whatever they back follows.

    .. math:: f_t = \sum_u S_{ut} f_u \quad (t\ \text{not named}), \qquad f_t\ \text{given} \quad (t\ \text{named})

    With one token named this is its row of S* times its move; a token that is named keeps its own total move.
    """
    n = shares.shape[0]
    named = np.zeros(n, dtype=bool)
    move = np.zeros(n)
    for token, size in moves.items():
        named[token], move[token] = True, size
    free = np.flatnonzero(~named)
    if len(free):
        transposed = sparse.csr_array(shares.T)
        driven = transposed[free, :] @ move
        system = sparse.csc_array(sparse.eye_array(len(free)) - transposed[free, :][:, free])
        move[free] = sparse_linalg.spsolve(system, driven)
    return move
