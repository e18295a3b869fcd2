"""Rounding as contracts do it: amounts are whole numbers of a token's smallest unit.

Arrays are either float64, for whole books, or hold :class:`fractions.Fraction`, for single calls: there nothing is lost
but what the contract itself rounds away. Rules are written once for both.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskgraph.arrays import Bools

__all__ = [
    "Amounts",
    "exact",
    "filled",
    "missing",
    "places",
    "plain",
    "quotient",
    "rounded_down",
    "rounded_half_up",
    "rounded_up",
    "whole_units",
]

Amounts = NDArray[Any]  # float64, or Fractions
_NEAR = 8.0 * np.finfo(np.float64).eps  # a float this close to a whole number of units is that number


def exact(values: Any) -> Amounts:
    """Fractions of the shortest decimals that the floats stand for, what people wrote; infinities and NaN stay floats.

    >>> exact(np.array([0.1, np.inf])).tolist()
    [Fraction(1, 10), inf]
    """
    # Books repeat prices, rates and zeros: each is read once.
    different, place = np.unique(np.atleast_1d(np.asarray(values, dtype=np.float64)), return_inverse=True)
    return np.array([_fraction(value) for value in different.tolist()], dtype=object)[place]


def _fraction(value: float) -> Fraction | float:
    return Fraction(repr(value)) if math.isfinite(value) else value


def missing(values: Amounts) -> Bools:
    """Where nothing is given (NaN).

    >>> missing(np.array([Fraction(1), np.nan], dtype=object)).tolist()
    [False, True]
    """
    if values.dtype != object:
        return np.isnan(values)
    found: Bools = np.array([value != value for value in values.ravel()], dtype=np.bool_).reshape(values.shape)
    return found


def filled(values: Amounts, otherwise: Any) -> Amounts:
    """Put a number where nothing is given (NaN).

    >>> filled(np.array([1.0, np.nan]), 0).tolist()
    [1.0, 0.0]
    """
    return np.where(missing(values), otherwise, values)


def plain(values: Any) -> Amounts:
    """Give the nearest floats."""
    return np.atleast_1d(np.asarray(values, dtype=np.float64))


def rounded_down(values: Amounts, scale: Amounts) -> Amounts:
    """Whole multiples of 1 ÷ scale (10^decimals) at or below the values; scale 0: as they are.

    >>> rounded_down(np.array([1.2345, 1.2345]), np.array([100.0, 0.0])).tolist()
    [1.23, 1.2345]
    """
    return _rounded(values, scale, math.floor, np.floor)


def rounded_up(values: Amounts, scale: Amounts) -> Amounts:
    """Whole multiples of 1 ÷ scale (10^decimals) at or above the values; scale 0: as they are.

    >>> rounded_up(np.array([Fraction(12345, 10000)]), np.array([Fraction(100)])).tolist()
    [Fraction(31, 25)]
    """
    return _rounded(values, scale, math.ceil, np.ceil)


def whole_units(value: Any, scale: Any) -> Any:
    """Round one number, a Fraction or a float, as :func:`rounded_down` does.

    >>> whole_units(Fraction(12345, 10000), 100), whole_units(1.2345, 0)
    (Fraction(123, 100), 1.2345)
    """
    if isinstance(value, float):
        return float(rounded_down(np.array([value]), np.array([scale], dtype=np.float64))[0]) if scale else value
    return _one(value, scale, math.floor)


def rounded_half_up(values: Amounts, scale: Amounts) -> Amounts:
    """Whole multiples of 1 ÷ scale (10^decimals) nearest to the values, halves up; scale 0: as they are.

    >>> rounded_half_up(np.array([0.125, 0.1249]), np.array([100.0, 100.0])).tolist()
    [0.13, 0.12]
    """
    return _rounded(
        values, scale, lambda units: math.floor(units + Fraction(1, 2)), lambda units: np.floor(units + 0.5)
    )


def places(scale: Amounts, digits: int) -> Amounts:
    """Scale of ``digits`` decimals where ``scale`` rounds at all, 0 (no rounding) where it does not.

    >>> places(np.array([1000000.0, 0.0]), 2).tolist()
    [100.0, 0.0]
    """
    return np.where(scale > 0, np.array(10**digits, dtype=scale.dtype), 0)


def _rounded(values: Amounts, scale: Amounts, whole: Any, wholes: Any) -> Amounts:
    values, scale = np.broadcast_arrays(values, scale)
    if values.dtype == object:
        pairs = zip(values.ravel(), scale.ravel(), strict=True)
        found = [_one(value, unit, whole) for value, unit in pairs]
        return _objects(found, values.shape)
    with np.errstate(invalid="ignore", divide="ignore"):
        units = values * scale
        nearest = np.rint(units)
        close = np.abs(units - nearest) <= _NEAR * np.abs(units)
        rounded = np.where(close, nearest, wholes(units)) / scale
    result: Amounts = np.where((scale > 0.0) & np.isfinite(values), rounded, values)
    return result


def _one(value: Any, scale: Any, whole: Any) -> Any:
    if not scale or isinstance(value, float):  # only infinities and NaN are floats here
        return value
    return Fraction(whole(value * int(scale)), int(scale))  # a NumPy integer would overflow inside a Fraction


def _objects(values: list[Any], shape: tuple[int, ...]) -> Amounts:
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found.reshape(shape)


def quotient(above: Amounts, below: Amounts, otherwise: Any = 0) -> Amounts:
    """Divide where the divisor is above 0; ``otherwise`` elsewhere.

    >>> quotient(np.array([1.0, 1.0]), np.array([4.0, 0.0]), np.inf).tolist()
    [0.25, inf]
    """
    above, below = np.broadcast_arrays(above, below)
    fine: Bools = below > 0
    divisor = np.where(fine, below, 1)
    result: Amounts = np.where(fine, above / divisor, otherwise)
    return result
