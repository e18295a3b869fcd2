"""Depth of each asset's market: the USD sold that price impact is scaled by (METHODS 5.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Floats, Ints
from riskgraph.errors import InputError

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["depth_sources", "depths", "marginal_price", "table_depth", "table_points"]


def depths(snap: Snapshot) -> Floats:
    """Depth in USD of every asset; +inf where no row of ``liquidity`` says one.

    Tokens that are redeemed one to one share one market: where the underlying has no row of its own it takes the depth
    of the token that is redeemed into it (the smaller, if several).
    """
    return depth_sources(snap)[0]


def depth_sources(snap: Snapshot) -> tuple[Floats, Ints]:
    """Depth in USD of every asset (see :func:`depths`), and the asset whose rows of ``liquidity`` say it."""
    liquidity = snap.table("liquidity")
    found = np.full(len(snap.labels("asset")), np.inf)
    asset = liquidity.code("asset")
    given = ~np.isnan(liquidity.number("depth_usd"))
    found[asset[given]] = liquidity.number("depth_usd")[given]
    for code in np.unique(asset[~given]):
        found[code] = table_depth(*table_points(snap, int(code)), snap.labels("asset")[int(code)].as_py())
    market, shared, source = snap.families.sold_as, np.array(found), np.arange(len(found))
    for token in np.flatnonzero(np.isfinite(found) & (market != source)):
        into = market[token]
        if not np.isfinite(found[into]) and found[token] < shared[into]:
            shared[into], source[into] = found[token], token
    return shared, source


def table_points(snap: Snapshot, asset: int) -> tuple[Floats, Floats, str]:
    """USD sold, price falls and what the falls are of, for an asset whose market is a measured table."""
    liquidity = snap.table("liquidity")
    rows = np.flatnonzero(liquidity.code("asset") == asset)
    kind = liquidity.text("price_kind")[rows[0]] or "average"
    return liquidity.number("sold_usd")[rows], liquidity.number("price_fall")[rows], kind


def table_depth(sold: Floats, fall: Floats, price_kind: str, name: str = "") -> float:
    """Depth of a measured table: 10 × the USD sold at which the marginal price is down 10 %.

    Examples
    --------
    Average falls of 5 % at 100 and 10 % at 200 are those of a linear market of depth 1000:

    >>> round(table_depth(np.array([100.0, 200.0]), np.array([0.05, 0.1]), "average"), 6)
    1000.0
    """
    if not (sold > 0.0).any():
        raise InputError(f"liquidity.sold_usd: expected a size above 0 in the table of {name or 'an asset'}, got none")
    at, log_price = marginal_price(sold, fall, price_kind)
    target = np.log(0.9)
    if log_price[-1] <= target:  # inside the table: interpolate the price itself
        price = np.exp(log_price)
        above = int(np.argmax(price <= 0.9))
        share = (price[above - 1] - 0.9) / (price[above - 1] - price[above])
        return float(10.0 * (at[above - 1] + share * (at[above] - at[above - 1])))
    slope = (log_price[-1] - log_price[-2]) / (at[-1] - at[-2])
    if slope >= 0.0:
        raise InputError(
            f"liquidity.price_fall: expected falls that grow with the size sold, got none for {name or 'table'}"
        )
    return float(10.0 * (at[-1] + (target - log_price[-1]) / slope))


def marginal_price(sold: Floats, fall: Floats, price_kind: str) -> tuple[Floats, Floats]:
    """Sizes and logarithms of the marginal price g of a measured table, from 0 sold at price 1.

    ``average``: proceeds ``R = x (1 - a)`` with (0, 0) added, their least concave majorant, g its slope, placed at the
    midpoints of the intervals. ``marginal``: the falls themselves.
    """
    order = np.argsort(sold, kind="stable")
    x, a = sold[order], fall[order]
    keep = x > 0.0
    x, a = x[keep], a[keep]
    if price_kind == "marginal":
        at, price = np.append(0.0, x), np.append(1.0, 1.0 - a)
    else:
        size, proceeds = _concave_majorant(np.append(0.0, x), np.append(0.0, x * (1.0 - a)))
        at = np.append(0.0, (size[1:] + size[:-1]) / 2.0)
        price = np.append(1.0, np.diff(proceeds) / np.diff(size))
    with np.errstate(divide="ignore"):
        return at, np.log(np.maximum(price, np.finfo(np.float64).tiny))


def _concave_majorant(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    hull: list[int] = []
    for point in range(len(x)):
        while len(hull) > 1 and (y[hull[-1]] - y[hull[-2]]) * (x[point] - x[hull[-2]]) <= (y[point] - y[hull[-2]]) * (
            x[hull[-1]] - x[hull[-2]]
        ):
            hull.pop()
        hull.append(point)
    return x[hull], y[hull]
