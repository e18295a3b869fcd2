"""Drawing from measured marginals: stratified, without return, whole columns at a time."""

from __future__ import annotations

import numpy as np

from riskgraph.arrays import Floats, Ints

__all__ = ["capped", "distinct", "quantile", "ranks", "split", "stratified"]


def capped(shares: tuple[float, ...], most: int) -> Floats:
    """Shares of the counts 1, 2, …, made to sum to 1; what counts above ``most`` goes to ``most``.

    Examples
    --------
    >>> capped((2.0, 1.0, 1.0), most=2).tolist()
    [0.5, 0.5]
    """
    given = np.array(shares, dtype=np.float64) / sum(shares)
    return given if most >= len(given) else np.append(given[: most - 1], given[most - 1 :].sum())


def ranks(rng: np.random.Generator, score: Floats) -> Floats:
    """One number in [0, 1) a score, in the order of the scores, one to each of n equal strata; shape (n,)."""
    rank = np.empty(len(score))
    rank[np.argsort(score, kind="stable")] = np.arange(len(score))
    inside = (rank + rng.random(len(score))) / max(len(score), 1)
    return np.minimum(inside, np.nextafter(1.0, 0.0))  # the division may round up to 1, where -ln(1 - u) has no value


def stratified(rng: np.random.Generator, n: int, shares: Floats) -> Ints:
    """Draw 1, 2, … for each of n, in proportions as near to the shares as n allows; shape (n,).

    Examples
    --------
    >>> drawn = stratified(np.random.default_rng(0), 100, np.array([0.7, 0.3]))
    >>> np.bincount(drawn).tolist()
    [0, 70, 30]
    """
    return 1 + np.searchsorted(np.cumsum(shares)[:-1], ranks(rng, rng.random(n)), side="right")


def quantile(rng: np.random.Generator, score: Floats, knots: tuple[tuple[float, float], ...]) -> Floats:
    """Draw values with a measured marginal, in the order of the scores; shape (n,).

    Between two knots (share below, value) ln(value) is linear in -ln(1 - share): a Pareto piece in the upper tail.
    Beyond the last knot the value stays the last one's.
    """
    share, value = np.array(knots).T
    return np.asarray(np.exp(np.interp(-np.log1p(-ranks(rng, score)), -np.log1p(-share), np.log(value))))


def distinct(rng: np.random.Generator, weight: Ints, count: Ints, taken: Ints) -> Ints:
    """Draw without return by integer weight, exactly.

    Parameters
    ----------
    weight : ndarray of int, shape (A,)
        At least 0; what weighs 0 is never drawn.
    count : ndarray of int, shape (n,)
        How many each row draws; so many must weigh more than 0 beside what is taken.
    taken : ndarray of int, shape (n, t)
        What each row may not draw; -1 is nothing.

    Returns
    -------
    ndarray of int, shape (n, max count)
        -1 where a row draws no more.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> distinct(rng, np.array([5, 0, 1]), np.array([1, 1]), np.array([[0], [2]])).tolist()
    [[2], [0]]
    """
    end = np.cumsum(weight)
    start, padded = end - weight, np.append(weight, 0)  # index -1 weighs 0
    drawn = np.full((len(count), int(count.max(initial=0))), -1)
    for step in range(drawn.shape[1]):
        row = np.flatnonzero(count > step)
        gone = np.sort(np.column_stack([taken[row], drawn[row, :step]]), axis=1)
        at = rng.integers(0, end[-1] - padded[gone].sum(axis=1))
        for column in gone.T:  # ascending: step over every weight that is out
            at += np.where((column >= 0) & (at >= start[column]), padded[column], 0)
        drawn[row, step] = np.searchsorted(end, at, side="right")
    return drawn


def split(rng: np.random.Generator, total: Floats, held: Ints) -> Floats:
    """Split each total over the assets held (-1: none), evenly at random; shape (n, k), rows sum to the total.

    Of two parts the larger is ¾ on average; in the stETH book it is 0.77 of collateral and 0.75 of debt.
    """
    part: Floats = rng.standard_exponential(held.shape) * (held >= 0)
    return np.asarray(total[:, None] * part / part.sum(axis=1, keepdims=True))
