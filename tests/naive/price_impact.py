"""Price impact again, one market at a time: g(s), its averages, and measured tables (METHODS 5.5).

A curve is a dictionary: ``model``, ``depth`` (USD) and of a table ``points`` (USD sold, g) and ``tail`` (slope of ln g
beyond the last point). ``s`` is USD sold at snapshot prices ÷ depth. No curve (None): infinite depth, g = 1.

Below 0 (more bought than sold) g goes on oddly: g(−s) = 2 − g(s).
"""

from __future__ import annotations

import math
from itertools import pairwise

__all__ = ["average", "curve_of", "furthest", "g"]

F0 = 0.1  # the fall at which square root and linear agree


def curve_of(rows):
    """The curve of one asset's rows of ``liquidity``."""
    model = rows[0]["model"]
    if model != "table":
        return {"model": model, "depth": rows[0]["depth_usd"]}
    sizes = sorted((row["sold_usd"], row["price_fall"]) for row in rows if row["sold_usd"] > 0)
    points = measured(sizes, rows[0].get("price_kind") or "average")
    (x0, g0), (x1, g1) = points[-2:]
    tail = (math.log(g1) - math.log(g0)) / (x1 - x0) if g1 > 0 else -math.inf  # nobody buys beyond
    curve = {"model": model, "depth": 1.0, "points": points, "tail": tail}
    low, high = 0.0, 1.0  # 10 times the USD sold at g = 0.9, by halving
    while g(curve, high) > 0.9:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if g(curve, middle) > 0.9 else (low, middle)
    return {**curve, "depth": 10 * high}


def measured(sizes, price_kind):
    """Points (USD sold, g) of a table, from (0, 1) on."""
    if price_kind == "marginal":
        return [(0.0, 1.0)] + [(x, 1 - fall) for x, fall in sizes]
    proceeds = majorant([(0.0, 0.0)] + [(x, x * (1 - fall)) for x, fall in sizes])
    found = [(0.0, 1.0)]
    for (x0, r0), (x1, r1) in pairwise(proceeds):
        found.append(((x0 + x1) / 2, max((r1 - r0) / (x1 - x0), 0.0)))  # no price is below 0
    return found


def majorant(points):
    """Least concave function above the points, by its corners: those that no chord of two others passes above."""
    corners = []
    for at, (x, y) in enumerate(points):
        covered = False
        for x0, y0 in points[:at]:
            for x1, y1 in points[at + 1 :]:
                covered = covered or y0 + (y1 - y0) * (x - x0) / (x1 - x0) >= y
        if not covered:
            corners.append((x, y))
    return corners


def g(curve, s):
    """Price after s is sold ÷ price before any sale."""
    if curve is None:
        return 1.0
    if s < 0:
        return 2 - g(curve, -s)
    model = curve["model"]
    if model == "linear":
        return max(0.0, 1 - s)
    if model == "exponential":
        return math.exp(-s)
    if model == "constant_product":
        return (1 + s / 2) ** -2
    if model == "square_root":
        return max(0.0, 1 - math.sqrt(F0 * s))
    return table_price(curve, s * curve["depth"])


def table_price(curve, usd):
    points = curve["points"]
    for (x0, g0), (x1, g1) in pairwise(points):
        if usd <= x1:
            return g0 + (g1 - g0) * (usd - x0) / (x1 - x0)
    last, price = points[-1]
    return price * math.exp(curve["tail"] * (usd - last)) if price > 0 else 0.0


def average(curve, start, end):
    """Average of g between two places: ∫g ds ÷ (end − start), g itself where both are one."""
    if curve is None:
        return 1.0
    if start == end:
        return g(curve, start)
    low, high = min(start, end), max(start, end)
    edges = [low, *(edge for edge in kinks(curve) if low < edge < high), high]
    parts = [(b - a) * smooth_average(curve, a, b) for a, b in pairwise(edges)]
    return sum(parts) / (high - low)


def kinks(curve):
    """Where g is not smooth, ascending: at 0, where it reaches 0, and at the points of a table, on both sides."""
    model = curve["model"]
    if model == "table":
        positive = [x / curve["depth"] for x, _ in curve["points"][1:]]
    else:
        positive = {"linear": [1.0], "square_root": [1 / F0]}.get(model, [])
    return sorted({0.0, *positive, *(-edge for edge in positive)})


def smooth_average(curve, a, b):
    """Average between two places with no kink between them, by the integral's own formula."""
    if b <= 0 and a < 0:
        return 2 - smooth_average(curve, -b, -a)
    model = curve["model"]
    if model == "exponential":
        return exponential_average(math.exp(-a), 1.0, b - a)
    if model == "constant_product":
        return 1 / ((1 + a / 2) * (1 + b / 2))
    if model == "square_root" and a < 1 / F0:
        u, v = math.sqrt(a), math.sqrt(b)
        return 1 - 2 / 3 * math.sqrt(F0) * (u * u + u * v + v * v) / (u + v)
    last, price = curve["points"][-1] if model == "table" else (0.0, 0.0)
    if price > 0 and a * curve["depth"] >= last * (1 - 1e-12):
        return exponential_average(g(curve, a), -curve["tail"] * curve["depth"], b - a)
    return (g(curve, a) + g(curve, b)) / 2  # straight lines


def exponential_average(first, slope, width):
    return first * -math.expm1(-slope * width) / (slope * width) if slope else first


def furthest(curve, start, floor, beyond):
    """Largest s up to which the average price from ``start`` is no less than ``floor`` · g(start), by halving."""
    low, high = start, beyond
    for _ in range(200):
        middle = (low + high) / 2
        if average(curve, start, middle) >= floor * g(curve, start):
            low = middle
        else:
            high = middle
    return low
