"""What all sources did, whatever the road that they were sent on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints

__all__ = ["Runs"]


@dataclass(frozen=True, eq=False)
class Runs:
    """Results by source, arrays of shape (k, …) in the order of the sources.

    Attributes
    ----------
    end, first : ndarray, shape (k, w)
        Σ weights · (h(T) − h(0)), and the same after one round.
    defaults : ndarray of int, shape (k,)
        Other nodes that end at h = 1 and had not fallen anyway.
    rounds : ndarray of int, shape (k,)
        Rounds, or on a faster road sweeps, that this source took; 0 where nothing had to be done.
    converged : ndarray of bool, shape (k,)
    suffered : ndarray, shape (n,)
        Σ over the sources s that do not hold the node of h(T) − h(0), h from the wipe-out of s; 0 under a cap for
        nodes that start at 1. A source that starts at 1 anyway counts as one more run of what the others start.
    road : str
        What was done, and why.
    """

    end: Floats
    first: Floats
    defaults: Ints
    rounds: Ints
    converged: Bools
    suffered: Floats
    road: str

    @classmethod
    def unmoved(cls, k: int, w: int, n: int) -> Runs:
        """Give the results of sources that do nothing, to be filled in."""
        whole, nothing = np.zeros(k, dtype=np.int64), np.zeros((k, w))
        return cls(nothing, nothing.copy(), whole, whole.copy(), np.ones(k, dtype=bool), np.zeros(n), "no sources")
