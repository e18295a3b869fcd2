"""Array types, and arrays that nobody changes after they are made."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bools", "Floats", "Ints", "Labels", "Places", "distinct", "read_only", "rising", "stretches", "summed"]

Floats = NDArray[np.float64]
Ints = NDArray[np.signedinteger[Any]]
Places = NDArray[
    np.unsignedinteger[Any]
]  # where in another array; compiled code reads them twice as fast without a sign
Bools = NDArray[np.bool_]
Labels = NDArray[np.object_]

_A = TypeVar("_A", bound=NDArray[Any])


def read_only(array: _A) -> _A:
    """Return the array with writing switched off."""
    array.flags.writeable = False
    return array


def distinct(codes: Ints) -> int:
    """Count different codes; quick where they rise.

    >>> distinct(np.array([3, 3, 5])), distinct(np.array([5, 3, 5]))
    (2, 2)
    """
    step = np.diff(codes)
    return int(np.count_nonzero(step)) + 1 if len(codes) and (step >= 0).all() else len(np.unique(codes))


def rising(codes: Ints) -> Ints:
    """Give different codes, rising: many times as fast as ``np.unique``, which looks integers up one by one.

    >>> rising(np.array([5, 3, 5])).tolist()
    [3, 5]
    """
    if not len(codes):
        return codes
    ordered = codes if (codes[1:] >= codes[:-1]).all() else np.sort(codes)
    return np.asarray(ordered[np.append(True, ordered[1:] != ordered[:-1])])


def stretches(first: Ints, count: Ints) -> tuple[Ints, Ints]:
    """Give places of stretches, ``count`` places from ``first`` on each, and of every place which stretch it is in.

    >>> places, which = stretches(np.array([7, 2]), np.array([1, 2]))
    >>> places.tolist(), which.tolist()
    ([7, 2, 3], [0, 1, 1])
    """
    which = np.repeat(np.arange(len(count)), count)
    return (first - (np.cumsum(count) - count))[which] + np.arange(len(which)), which


def summed(codes: Ints | Places, values: Floats, length: int) -> Floats:
    """Sum values by code, shape (length,); floats also where there is nothing to sum."""
    return np.bincount(codes, weights=values, minlength=length).astype(np.float64, copy=False)
