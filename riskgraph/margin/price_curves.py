"""What sales do to prices: one permanent curve a market, for all assets of a snapshot at once (METHODS 5.5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints, read_only
from riskgraph.errors import InputError
from riskgraph.margin.impact import depth_sources, marginal_price, table_points
from riskgraph.margin.impact_models import MODELS, NO_IMPACT, Curve, TableCurve, table_curve

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["PriceCurves", "curves_of"]

_S = TypeVar("_S", float, Floats)
MODEL_NAMES = ("", *MODELS, "table")
FURTHEST = 1e300  # a width beyond this is no limit


@dataclass(frozen=True, eq=False)
class PriceCurves:
    r"""Price ÷ price before any sale of every market, at ``s = q p_0 / D`` sold in all.

    .. math:: p = p_\text{base}\, g(s), \qquad g(-s) = 2 - g(s), \qquad
              \frac{\bar p}{p_\text{base}} = \frac{1}{s_1 - s_0} \int_{s_0}^{s_1} g

    Attributes
    ----------
    market : ndarray of int, shape (n_assets,)
        Asset in whose market each token is sold: itself, or what it is redeemed into.
    depth : ndarray, shape (n_assets,)
        Depth D of that market, USD; +inf: no impact.
    unit_usd : ndarray, shape (n_assets,)
        Snapshot price p_0 of each asset, USD a unit: q units of it are ``q * unit_usd / depth`` of s.
    models : tuple of str
        Impact model of each asset's market, empty without one.
    tables : mapping of int to TableCurve
        Measured curve of every asset whose market has one.
    """

    market: Ints
    depth: Floats
    unit_usd: Floats
    models: tuple[str, ...]
    tables: Mapping[int, TableCurve]

    def curve(self, asset: int) -> Curve:
        """Curve of the asset's market for s >= 0."""
        return self.tables.get(asset) or MODELS.get(self.models[asset], NO_IMPACT)

    def price(self, s: Floats) -> Floats:
        """Give g(s) of every asset's market, shape (n_assets,); s below 0 where more was bought than sold."""
        return self._everywhere(_odd_price, s)

    def proceeds(self, s: Floats) -> Floats:
        """Give ∫ g from 0 to s of every asset's market, shape (n_assets,): what s earns, in s at the price before."""
        return self._everywhere(_odd_proceeds, s)

    def price_at(self, asset: int, s: _S) -> _S:
        """Give g of one asset's market, s a number or an array."""
        return _like(s, _odd_price(self.curve(asset), np.asarray(s, dtype=np.float64)))

    def proceeds_at(self, asset: int, s: _S) -> _S:
        """Give ∫ g from 0 to s in one asset's market, s a number or an array."""
        return _like(s, _odd_proceeds(self.curve(asset), np.asarray(s, dtype=np.float64)))

    def average(self, asset: int, start: float | Floats, end: _S) -> _S:
        """Average of g between two points of one asset's market, in either order; g where they are equal.

        The start may be an array where the end is one. Formed without a difference of proceeds: right to 1e-12 however
        near the points are.
        """
        a, b = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
        found = _odd_average(self.curve(asset), *np.broadcast_arrays(a, b))
        return _like(end, found)

    def prices(self, markets: Ints, s: Floats) -> Floats:
        """Give g(s) of markets, one a place."""
        return self._of_markets(markets, lambda curve, at: _odd_price(curve, s[at]))

    def averages(self, markets: Ints, start: Floats, end: Floats) -> Floats:
        """Average of g between two points of markets, one a place."""
        return self._of_markets(markets, lambda curve, at: _odd_average(curve, start[at], end[at]))

    def _of_markets(self, markets: Ints, kernel: Callable[[Curve, Ints], Floats]) -> Floats:
        found, model = np.empty(len(markets)), self._model_codes[markets]
        for code in np.unique(model).tolist():
            at = np.flatnonzero(model == code)
            if MODEL_NAMES[code] != "table":
                found[at] = kernel(MODELS.get(MODEL_NAMES[code], NO_IMPACT), at)
                continue
            for one in np.unique(markets[at]).tolist():
                here = at[markets[at] == one]
                found[here] = kernel(self.tables[one], here)
        return found

    @cached_property
    def _model_codes(self) -> Ints:
        return np.array([MODEL_NAMES.index(name) for name in self.models], dtype=np.int64)

    def widest(self, markets: Ints, start: Floats, least: Floats, upto: Floats) -> Floats:
        """Give :meth:`most` of markets, one a place."""
        plain = self._model_codes[markets] == MODEL_NAMES.index("linear")
        plain &= (start >= 0.0) & (start < 1.0) & (least > 0.0) & (least < 1.0) & (upto > 0.0)
        found = np.empty(len(markets))
        with np.errstate(divide="ignore"):
            room = 1.0 - start[plain]
            closed = np.where(least[plain] >= 0.5, 2.0 * room * (1.0 - least[plain]), room / (2.0 * least[plain]))
        found[plain] = np.minimum(closed, upto[plain])
        for at in np.flatnonzero(~plain).tolist():
            found[at] = self.most(int(markets[at]), float(start[at]), float(least[at]), float(upto[at]))
        return found

    def most(self, asset: int, start: float, least: float, upto: float) -> float:
        """Find the largest width w in [0, upto] at which the average from start to start + w is least · g(start).

        The average falls in w, so every smaller sale earns more. 0 where ``least`` is above 1, ``upto`` (also +inf)
        where it is never reached or the price is 0 already.
        """
        before = self.price_at(asset, start)
        if upto <= 0.0 or not least <= 1.0:
            return 0.0
        if least <= 0.0 or before == 0.0 or self.models[asset] == "":
            return upto
        if least == 1.0:
            return min(self._flat_from(asset, start, before), upto)
        closed = _closed(self.models[asset], start, least)
        return min(closed if closed is not None else self._searched(asset, start, least, upto), upto)

    def extrapolated(self, s: Floats) -> Bools:
        """Which assets' markets are beyond the last point that was measured, shape (n_assets,)."""
        last = np.full(len(self.market), np.inf)
        for asset, curve in self.tables.items():
            last[asset] = curve.knots[-1]
        found: Bools = np.abs(s) > last
        return found

    def _everywhere(self, kernel: Callable[[Curve, Floats], Floats], s: Floats) -> Floats:
        found = np.empty(len(self.market))
        names = np.array(self.models, dtype=object)
        for name in dict.fromkeys(self.models):
            rows = names == name
            if name != "table":
                found[rows] = kernel(MODELS.get(name, NO_IMPACT), s[rows])
        for asset, curve in self.tables.items():
            found[asset] = kernel(curve, s[asset : asset + 1])[0]
        return found

    def _flat_from(self, asset: int, start: float, price: float) -> float:
        """How far the price stays what it is at start."""
        turns = self.curve(asset).turns
        ahead = np.concatenate([-turns[::-1], turns])
        ahead = ahead[ahead > start]
        same = ahead[self.price_at(asset, ahead) == price]
        return float(same[-1]) - start if len(same) else 0.0

    def _searched(self, asset: int, start: float, least: float, upto: float) -> float:
        from scipy.optimize import brentq

        floor = least * self.price_at(asset, start)

        def spare(width: float) -> float:
            return self.average(asset, start, start + width) - floor

        beyond = 1.0
        while spare(min(beyond, upto)) >= 0.0:
            if beyond >= min(upto, FURTHEST):
                return upto
            beyond *= 2.0
        tiny, rounding = np.finfo(np.float64).tiny, 4.0 * np.finfo(np.float64).eps
        return float(brentq(spare, 0.0, min(beyond, upto), xtol=float(tiny), rtol=float(rounding), maxiter=1000))


def curves_of(snap: Snapshot) -> PriceCurves:
    """Price curves of all assets of a snapshot.

    Tokens redeemed one to one into another share its market; where only such a token has rows in ``liquidity``, its
    underlying takes them (:func:`riskgraph.margin.impact.depths`). Without rows in all of a market: no impact.

    Raises
    ------
    InputError
        A measured table says nothing of how the price falls, or has marginal falls that shrink as more is sold.

    Examples
    --------
    A linear market of depth 1,000: 45.5 units sold at 1 leave the price at 0.9545, on average at 0.97725.

    >>> import pandas as pd, riskgraph as rg
    >>> snap = rg.Snapshot(
    ...     positions=pd.DataFrame({
    ...         "account": ["ann"], "protocol": ["lend"], "asset": ["ETH"], "side": ["collateral"], "amount": [100.0]}),
    ...     assets=pd.DataFrame({"asset": ["ETH"], "price": [1.0]}),
    ...     liquidity=pd.DataFrame({"asset": ["ETH"], "model": ["linear"], "depth_usd": [1000.0]}))
    >>> curves = curves_of(snap)
    >>> s = 45.5 * curves.unit_usd / curves.depth
    >>> curves.price(s).round(6).tolist(), round(curves.average(0, 0.0, float(s[0])), 6)
    ([0.9545], 0.97725)
    """
    depth, source = depth_sources(snap)
    market = snap.families.sold_as
    depth, source = depth[market], source[market]
    liquidity = snap.table("liquidity")
    model = dict(zip(liquidity.code("asset").tolist(), liquidity.text("model"), strict=True))
    models = tuple(model.get(int(asset), "") for asset in source)
    measured = {
        int(asset): _measured(snap, int(asset), float(depth[np.argmax(source == asset)]))
        for asset in np.unique(source)
        if model.get(int(asset)) == "table"
    }
    tables = {asset: measured[int(source[asset])] for asset in range(len(source)) if models[asset] == "table"}
    return PriceCurves(market, read_only(depth), snap.table("assets").number("price"), models, tables)


def _measured(snap: Snapshot, asset: int, depth: float) -> TableCurve:
    sold, fall, kind = table_points(snap, asset)  # rows are sorted by size
    shrinks = np.diff(fall) < 0.0
    if kind == "marginal" and shrinks.any():
        raise InputError(
            "liquidity.price_fall: expected marginal falls that do not shrink as more is sold, got a smaller one at "
            f"sold_usd {sold[1:][shrinks][0]:g} for {snap.labels('asset')[asset]}"
        )
    return table_curve(*marginal_price(sold, fall, kind), depth)


def _closed(model: str, start: float, least: float) -> float | None:
    """Width at which the average is least · g(start), 0 < least < 1, where it can be written down."""
    if model == "linear" and start >= 0.0:
        room = 1.0 - start
        return 2.0 * room * (1.0 - least) if least >= 0.5 else room / (2.0 * least)
    if model == "constant_product" and start >= 0.0:
        return (2.0 + start) * (1.0 - least) / least
    return None


def _odd_price(curve: Curve, s: Floats) -> Floats:
    price = curve.price(np.abs(s))
    found: Floats = np.where(s < 0.0, 2.0 - price, price)
    return found


def _odd_proceeds(curve: Curve, s: Floats) -> Floats:
    found: Floats = s * _odd_average(curve, np.zeros_like(s), s)
    return found


def _odd_average(curve: Curve, start: Floats, end: Floats) -> Floats:
    low, high = np.minimum(start, end), np.maximum(start, end)
    sold, bought = np.maximum(low, 0.0), np.maximum(-high, 0.0)
    to_sold, to_bought = np.maximum(high, 0.0), np.maximum(-low, 0.0)
    above, below = curve.average(sold, to_sold), 2.0 - curve.average(bought, to_bought)
    across = (low < 0.0) & (high > 0.0)
    mixed = np.divide(to_sold * above + to_bought * below, high - low, out=np.array(above), where=across)
    found: Floats = np.where(low >= 0.0, above, np.where(across, mixed, below))
    return found


def _like(given: _S, found: Floats) -> _S:
    return found if isinstance(given, np.ndarray) else float(found)
