"""The same book at other prices (METHODS 5.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Floats, read_only
from riskgraph.errors import Faults, InputError
from riskgraph.snapshot.backing import followed
from riskgraph.snapshot.rows import FEW

if TYPE_CHECKING:
    import pandas as pd

    from riskgraph.snapshot.snapshot import Snapshot
    from riskgraph.snapshot.tables import Table

__all__ = ["FOLLOW", "opened_today", "price_moves", "with_prices", "with_shock"]

FOLLOW = ("backing", "family", "none", "correlation")


def with_prices(snap: Snapshot, prices: Mapping[str, float]) -> Snapshot:
    """Return the same book at the given prices; nothing else follows.

    Parameters
    ----------
    prices : mapping of asset to float
        New market prices, USD a unit, at least 0. What a protocol's own oracle shows (``markets.price``) moves by the
        same factor.

    Raises
    ------
    InputError
        An asset is unknown, a price is negative or not finite, or an asset whose price was 0 has a market price of its
        own, for which no factor exists.
    """
    codes = _codes(snap, prices, "prices")
    old = snap.table("assets").number("price")
    new = np.array(old)
    faults = Faults("prices")
    for name, price in _numbers(prices, "prices").items():
        if not (np.isfinite(price) and price >= 0.0):
            faults.add(name, "expected a price of at least 0 (USD a unit)", str(price))
        new[codes[name]] = price
    faults.raise_if_any()
    factor = np.divide(new, old, out=np.where(new == old, 1.0, np.nan), where=old > 0.0)
    return _moved(
        snap, new, factor, f"prices set: {', '.join(f'{name} = {prices[name]:g}' for name in sorted(prices))}"
    )


def with_shock(
    snap: Snapshot, shock: Mapping[str, float], follow: str = "backing", *, correlation: pd.DataFrame | None = None
) -> Snapshot:
    """Return the same book after relative price moves.

    Parameters
    ----------
    shock : mapping of asset to float
        Relative moves above -1, -0.3 is a fall of 30 %. An asset that is named keeps its named total move.
    follow : {"backing", "family", "none", "correlation"}
        Who else moves: whatever the named tokens back (never their underlying, never their siblings); every member of
        their families; nobody; or every asset by its regression on the named ones.
    correlation : DataFrame, optional
        Correlations by asset (rows and columns), for ``follow="correlation"``; needs ``assets.volatility``.

    Raises
    ------
    InputError
        An asset is unknown or a basket, a move is at or below -1 or not finite, or what ``follow`` needs is missing.

    Examples
    --------
    stETH stands behind wstETH, and ETH behind stETH: a depeg takes wstETH along and leaves ETH where it is.

    >>> import riskgraph as rg
    >>> shocked = rg.datasets.load("toy").with_shock({"stETH": -0.1})
    >>> prices = rg.datasets.load("toy").assets.set_index("asset").price
    >>> (shocked.assets.set_index("asset").price / prices).round(3)[["ETH", "stETH", "wstETH"]].tolist()
    [1.0, 0.9, 0.9]
    """
    moves = price_moves(snap, shock, follow, correlation=correlation)
    old = snap.table("assets").number("price")
    words = ", ".join(f"{name} {shock[name]:+.1%}" for name in sorted(shock))
    return _moved(snap, old * (1.0 + moves), 1.0 + moves, f"shock: {words}, followed by {follow}")


def price_moves(
    snap: Snapshot, shock: Mapping[str, float], follow: str = "backing", *, correlation: pd.DataFrame | None = None
) -> Floats:
    """Relative move of every asset, in the order of asset labels (see :func:`with_shock`)."""
    codes = _codes(snap, shock, "shock")
    faults = Faults("shock")
    baskets = snap.families.is_kind("basket")
    for name, move in _numbers(shock, "shock").items():
        if not (np.isfinite(move) and move > -1.0):
            faults.add(name, "expected a relative move above -1", str(move))
        if baskets[codes[name]]:
            faults.add(name, "expected an asset whose tokens are known", "a basket")
    faults.raise_if_any()
    named = {codes[name]: float(move) for name, move in shock.items()}
    if follow == "backing":
        return followed(snap.families.asset_shares, named)
    if follow == "none":
        return followed(snap.families.asset_shares * 0.0, named)
    if follow == "family":
        return _family_moves(snap, named)
    if follow == "correlation":
        return _correlated_moves(snap, named, correlation)
    raise InputError(f"follow: expected one of {', '.join(FOLLOW)}, got {follow!r}")


def _family_moves(snap: Snapshot, named: Mapping[int, float]) -> Floats:
    family = snap.families.family
    moves = np.zeros(len(family))
    for code, move in named.items():
        others = {named[other] for other in named if family[other] == family[code]}
        if len(others) > 1:
            raise InputError(
                f"shock: expected one move for the family {snap.families.names[family[code]]}, got {sorted(others)}"
            )
        moves[(family == family[code]) & ~snap.families.is_kind("basket")] = move
    return moves


def _correlated_moves(snap: Snapshot, named: Mapping[int, float], correlation: pd.DataFrame | None) -> Floats:
    names = snap.labels("asset").to_pylist()
    free = [at for at in range(len(names)) if not snap.families.is_kind("basket")[at]]
    wanted = [names[at] for at in free]
    if correlation is None:
        raise InputError("correlation: expected a frame of correlations by asset for follow='correlation', got none")
    missing = [name for name in wanted if name not in correlation.index or name not in correlation.columns]
    volatility = snap.table("assets").number("volatility")
    flat = [name for name, at in zip(wanted, free, strict=True) if np.isnan(volatility[at])]
    faults = Faults()
    if missing:
        faults.add("correlation", "expected a row and a column for every asset", f"none for {', '.join(missing[:5])}")
    if flat:
        faults.add("assets.volatility", "expected a value for every asset", f"none for {', '.join(flat[:5])}")
    faults.raise_if_any()
    rho = correlation.loc[wanted, wanted].to_numpy(dtype=np.float64)
    sigma = volatility[free]
    if not (
        np.isfinite(rho).all()
        and (np.abs(rho) <= 1.0).all()
        and np.allclose(rho, rho.T)
        and np.allclose(np.diag(rho), 1.0)
    ):
        raise InputError("correlation: expected a symmetric matrix of values in [-1, 1] with ones on the diagonal")
    place = [free.index(code) for code in named]
    covariance = rho * np.outer(sigma, sigma)
    given = np.array(list(named.values()))
    moves = np.zeros(len(names))
    moves[free] = covariance[:, place] @ np.linalg.lstsq(covariance[np.ix_(place, place)], given, rcond=None)[0]
    for code, move in named.items():
        moves[code] = move
    if (moves <= -1.0).any():
        low = [names[at] for at in np.flatnonzero(moves <= -1.0)]
        raise InputError(
            f"shock: expected moves above -1 for every asset, got one at or below -1 for {', '.join(low[:5])}"
        )
    return moves


def _numbers(given: Mapping[str, float], what: str) -> dict[str, float]:
    try:
        return {name: float(value) for name, value in given.items()}
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{what}: expected a mapping of assets to numbers, got {given!r}") from error


def _codes(snap: Snapshot, given: Mapping[str, float], what: str) -> dict[str, int]:
    _numbers(given, what)
    place = {name: at for at, name in enumerate(snap.labels("asset").to_pylist())}
    unknown = [name for name in given if name not in place]
    if unknown:
        raise InputError(f"{what}: expected assets of the snapshot, got {', '.join(map(repr, unknown[:5]))}")
    return {name: place[name] for name in given}


def _moved(snap: Snapshot, new: Floats, factor: Floats, note: str) -> Snapshot:
    assets, markets = snap.table("assets"), snap.table("markets")
    tables = {"assets": replace(assets, numbers={**assets.numbers, "price": read_only(new)})}
    if "price" in markets.numbers:
        scale = factor[markets.code("asset")]
        shown = ~np.isnan(markets.number("price"))
        if np.isnan(scale[shown]).any():
            raise InputError(
                "markets.price: expected a price above 0 before the move, got 0, from which nothing scales"
            )
        tables["markets"] = replace(
            markets,
            numbers={**markets.numbers, "price": read_only(markets.number("price") * np.where(shown, scale, 1.0))},
        )
    opened = opened_today(snap)
    if opened is not None:
        tables["positions"] = opened
    moved = snap._at_prices(tables, note)
    with np.errstate(over="ignore"):
        total = (moved.rows.pair_units * moved.book.pair_price).sum() / FEW
    if not np.isfinite(new).all() or np.isinf(total):
        raise InputError("prices: expected a book whose value a float can hold, got one beyond 1e308 USD")
    return moved


def opened_today(snap: Snapshot) -> Table | None:
    """Positions whose unknown entry prices are today's prices, None where all are known.

    A long or short whose entry price is unknown has made nothing yet; from here on it makes what prices do.
    """
    if not snap.rows.trades.any():
        return None
    positions, book = snap.table("positions"), snap.book
    unknown = book.rows("long", "short") & np.isnan(positions.number("entry_price"))
    unknown &= (positions.code("option_type") < 0) & (book.price > 0.0)  # no price, nothing to open at
    if not unknown.any():
        return None
    entry = np.where(unknown, book.price, positions.number("entry_price"))
    return replace(positions, numbers={**positions.numbers, "entry_price": read_only(entry)})
