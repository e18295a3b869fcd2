"""Array types, and arrays that nobody changes after they are made."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bools", "Floats", "Ints", "Labels", "Places", "read_only", "summed"]

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


def summed(codes: Ints | Places, values: Floats, length: int) -> Floats:
    """Sum values by code, shape (length,); floats also where there is nothing to sum."""
    return np.bincount(codes, weights=values, minlength=length).astype(np.float64, copy=False)
