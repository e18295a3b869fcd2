"""Marginal price g(s) of each impact model for s >= 0, and its average between two points, in arrays (METHODS 5.5)."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import numpy as np

from riskgraph.arrays import Bools, Floats, read_only

__all__ = ["MODELS", "NO_IMPACT", "Curve", "TableCurve", "table_curve"]

REACH = 10.0  # 1 / f0: where the price of the square-root model is gone
GONE = 1e-300  # a price of a table below this is none: 0 stands in it as the logarithm of the smallest float


class Curve(Protocol):
    """Price ÷ price before any sale after s = USD sold (at the snapshot price) ÷ depth, falling in s."""

    @property
    def turns(self) -> Floats:
        """Points at which the curve bends, rising; strictly falling or 0 between and beyond them, or flat."""

    def price(self, s: Floats) -> Floats:
        """G at s >= 0."""

    def average(self, start: Floats, end: Floats) -> Floats:
        """∫ g / (end - start) for 0 <= start <= end, g where they are equal."""


def _mean_decay(x: Floats) -> Floats:
    """(1 - e^-x) / x, 1 at 0."""
    return np.divide(-np.expm1(-x), x, out=np.ones_like(x), where=x > 0.0)


def _divided(area: Floats, width: Floats, where: Bools, otherwise: Floats) -> Floats:
    return np.divide(area, width, out=np.array(otherwise), where=where)


class _NoImpact:
    turns = read_only(np.zeros(0))

    def price(self, s: Floats) -> Floats:
        return np.ones_like(s)

    def average(self, start: Floats, end: Floats) -> Floats:
        return np.ones_like(end)


class _Linear:
    turns = read_only(np.ones(1))

    def price(self, s: Floats) -> Floats:
        return np.maximum(1.0 - s, 0.0)

    def average(self, start: Floats, end: Floats) -> Floats:
        high, low = self.price(start), self.price(end)
        inside: Floats = (high + low) / 2.0
        return _divided(high**2 / 2.0, end - start, (end > 1.0) & (end > start), inside)


class _Exponential:
    turns = read_only(np.zeros(0))

    def price(self, s: Floats) -> Floats:
        return np.exp(-s)

    def average(self, start: Floats, end: Floats) -> Floats:
        found: Floats = np.exp(-start) * _mean_decay(end - start)
        return found


class _ConstantProduct:
    turns = read_only(np.zeros(0))

    def price(self, s: Floats) -> Floats:
        return self.average(s, s)

    def average(self, start: Floats, end: Floats) -> Floats:
        found: Floats = 1.0 / ((1.0 + start / 2.0) * (1.0 + end / 2.0))
        return found


class _SquareRoot:
    turns = read_only(np.array([REACH]))

    def price(self, s: Floats) -> Floats:
        s = np.minimum(s, REACH)
        found: Floats = (REACH - s) / REACH / (1.0 + np.sqrt(s / REACH))  # 1 - √(s/10), exact where it is nearly gone
        return found

    def average(self, start: Floats, end: Floats) -> Floats:
        a, b = np.minimum(start, REACH), np.minimum(end, REACH)
        u, v, root_a, root_b = self.price(a), self.price(b), np.sqrt(a / REACH), np.sqrt(b / REACH)
        roots = root_a + root_b
        # ∫ over s = 10 (1 - g)²: in roots of s where little is sold, in prices where they are nearly gone.
        little = 1.0 - _divided(root_a**2 + root_a * root_b + root_b**2, roots, roots > 0.0, roots) / 1.5
        nearly = (u + v - (u**2 + u * v + v**2) / 1.5) / np.maximum(roots, 1.0)
        inside: Floats = np.where(roots < 1.0, little, nearly)
        inside = np.where(a == b, u, inside)
        return _divided(inside * (b - a), end - start, (end > REACH) & (end > start), inside)


NO_IMPACT: Curve = _NoImpact()
MODELS: MappingProxyType[str, Curve] = MappingProxyType(
    {
        "linear": _Linear(),
        "exponential": _Exponential(),
        "constant_product": _ConstantProduct(),
        "square_root": _SquareRoot(),
    }
)


@dataclass(frozen=True, eq=False)
class TableCurve:
    """A measured curve: straight between its knots, ln g with the last slope beyond them.

    Attributes
    ----------
    knots, prices : ndarray, shape (m,)
        s (0 first) and g there (1 first), g not rising.
    areas : ndarray, shape (m,)
        ∫ g from 0 to each knot.
    decay : float
        -d ln g / ds beyond the last knot, at least 0.
    """

    knots: Floats
    prices: Floats
    areas: Floats
    decay: float

    @property
    def turns(self) -> Floats:
        """Points at which the curve bends."""
        return self.knots[1:]

    def _piece(self, s: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.intp]]:
        return np.searchsorted(self.knots, s, side="right") - 1

    def price(self, s: Floats) -> Floats:
        """G at s >= 0."""
        beyond = np.maximum(s - self.knots[-1], 0.0)
        found: Floats = np.interp(s, self.knots, self.prices) * np.exp(-self.decay * beyond)
        return found

    def average(self, start: Floats, end: Floats) -> Floats:
        """∫ g / (end - start): trapezia between knots, an exponential beyond them; nothing cancels in one piece."""
        last = len(self.knots) - 1
        a, b = self._piece(start), self._piece(end)
        high, low, width = self.price(start), self.price(end), end - start
        one = np.where(a < last, (high + low) / 2.0, high * _mean_decay(self.decay * width))
        after, before = np.minimum(a + 1, last), np.minimum(b, last)
        first = (self.knots[after] - start) * (high + self.prices[after]) / 2.0
        rest = end - self.knots[before]
        tail = np.where(b < last, (self.prices[before] + low) / 2.0, self.prices[-1] * _mean_decay(self.decay * rest))
        several = first + (self.areas[before] - self.areas[after]) + rest * tail
        return _divided(several, width, a != b, one)


def table_curve(sold: Floats, log_price: Floats, depth: float) -> TableCurve:
    """Curve through sizes in USD (0 first) and logarithms of g, as ``impact.marginal_price`` gives them.

    Examples
    --------
    The price is down 10 % at 100 and 20 % at 200; beyond, each further 100 take ln(.9/.8) off its logarithm:

    >>> curve = table_curve(np.array([0.0, 100.0, 200.0]), np.log([1.0, 0.9, 0.8]), 1000.0)
    >>> curve.price(np.array([0.05, 0.1, 0.2, 0.3])).round(6).tolist()
    [0.95, 0.9, 0.8, 0.711111]
    >>> curve.average(np.array([0.0]), np.array([0.2])).round(6).tolist()
    [0.9]
    """
    knots = sold / depth
    price = np.minimum.accumulate(np.exp(log_price))  # slopes of a concave majorant rise by rounding at most
    decay = -(log_price[-1] - log_price[-2]) / (knots[-1] - knots[-2])
    price[price < GONE] = 0.0
    pieces = np.diff(knots) * (price[1:] + price[:-1]) / 2.0
    return TableCurve(
        read_only(knots), read_only(price), read_only(np.append(0.0, np.cumsum(pieces))), max(float(decay), 0.0)
    )
