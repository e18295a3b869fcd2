"""At which price of one asset each margin account becomes liquidatable, all else held (METHODS 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints
from riskgraph.errors import InputError
from riskgraph.margin.account_health import MarginAccounts, check_told, liquidatable, margin_accounts, margin_names
from riskgraph.margin.close_calls import exact_line
from riskgraph.margin.price_search import searched
from riskgraph.margin.sums import split_by_asset
from riskgraph.snapshot.snapshot import check_snapshot

if TYPE_CHECKING:
    import pandas as pd

    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["DIRECTIONS", "liquidation_prices"]

DIRECTIONS = ("fall", "rise")
# Where terms of both signs leave less than this share of themselves, their sum is formed again in exact numbers.
CANCELLED = 1e-6


def liquidation_prices(snap: Snapshot, asset: str) -> pd.DataFrame:
    r"""Price of one asset at which each margin account becomes liquidatable, all other prices held.

    Health of lending and CDP is 1 where a straight line in the price is 0:

    .. math:: \sum_c V_c\,LT_c - \sum_d D_d\,w_d = a + b\,\frac{p}{p_0} = 0 \quad\Rightarrow\quad p = -p_0\,\frac{a}{b}

    with a the part of other assets, b the part of this one today, collateral and debt together, and w = 1 ÷ borrow
    factor. Longs and shorts with tiers of maintenance margin, and published remainders that count at the average
    threshold of the rows, are bracketed between the prices at which the line bends, from a billionth of today's price
    to a billion times it.

    "All else held" is meant literally: what the asset backs does not follow (``with_shock`` lets it), while a price
    that a protocol shows of its own (``markets.price``) moves by the same factor.

    Parameters
    ----------
    snap : Snapshot
        Needs what ``health`` needs.
    asset : str
        Label of the asset whose price moves.

    Returns
    -------
    DataFrame
        A row a margin account: account, protocol, bucket, health (today), price (USD a unit, NaN where no price above
        0 reaches the liquidation point), direction: ``fall`` (liquidatable below that price) or ``rise`` (above it),
        fall (relative move from today's price to that one). Of an account that is liquidatable today it is the price
        at which it stops being so. A book of longs and shorts may be caught on both sides: given is the nearer price,
        of equals the lower. From a price of 0 there is no relative move: fall is NaN, the price is given.

    Raises
    ------
    InputError
        The asset is unknown, something that ``health`` needs is missing, or the asset's price is 0 while a protocol
        shows one of its own, for which no factor exists.

    Examples
    --------
    10 ETH at 1,500 with a threshold of 0.8 against a debt of 9,000: liquidatable below 9,000 / (10 · 0.8) = 1,125.

    >>> import pandas as pd, riskgraph as rg
    >>> snap = rg.Snapshot(
    ...     positions=pd.DataFrame({
    ...         "account": ["ann", "ann"], "protocol": ["lend", "lend"], "asset": ["ETH", "USDC"],
    ...         "side": ["collateral", "debt"], "amount": [10.0, 9000.0]}),
    ...     assets=pd.DataFrame({"asset": ["ETH", "USDC"], "price": [1500.0, 1.0]}),
    ...     markets=pd.DataFrame({"protocol": ["lend"], "asset": ["ETH"], "liquidation_threshold": [0.8]}))
    >>> liquidation_prices(snap, "ETH")[["account", "price", "direction", "fall"]].round(4).to_dict("records")
    [{'account': 'ann', 'price': 1125.0, 'direction': 'fall', 'fall': -0.25}]
    >>> liquidation_prices(snap, "USDC")[["price", "direction", "fall"]].round(4).to_dict("records")
    [{'price': 1.3333, 'direction': 'rise', 'fall': 0.3333}]
    """
    import pandas as pd

    check_snapshot(snap)
    code, today = _asset(snap, asset)
    margins = margin_accounts(snap)
    unit = 1.0 if today > 0.0 else 0.0
    # who owes a token of price 0 owes nothing today, and something at another price
    check_told(snap, margins if unit else margin_accounts(snap.with_prices({asset: 1.0})))
    move, falls = _moves(snap, margins, code, unit)
    direction = np.where(np.isnan(move), -1, np.where(falls, 0, 1)).astype(np.int8)
    return pd.DataFrame(
        {
            **margin_names(snap),
            "health": np.array(margins.health),
            "price": move * today if unit else move,
            "direction": pd.Categorical.from_codes(
                direction, dtype=pd.CategoricalDtype(list(DIRECTIONS)), validate=False
            ),
            "fall": move - 1.0 if unit else np.full(len(move), np.nan),
        },
        copy=False,
    )


def _asset(snap: Snapshot, asset: str) -> tuple[int, float]:
    """Code and price of the asset."""
    place = {name: at for at, name in enumerate(snap.labels("asset").to_pylist())}
    if asset not in place:
        raise InputError(f"asset: expected an asset of the snapshot, got {asset!r}")
    assets, markets = snap.table("assets"), snap.table("markets")
    price = float(assets.number("price")[assets.code("asset") == place[asset]][0])
    own = (markets.code("asset") == place[asset]) & ~np.isnan(markets.number("price"))
    if price == 0.0 and own.any():
        raise InputError(f"markets.price: expected none for {asset}, whose price is 0, from which nothing scales")
    return place[asset], price


def _moves(snap: Snapshot, margins: MarginAccounts, asset: int, unit: float) -> tuple[Floats, Bools]:
    """Move (1: today's price) at which each account is caught or freed, NaN where none is; whether it is caught below.

    Where today's price is 0 (``unit`` 0) the move is the price itself.
    """
    due = np.zeros(len(margins.health), dtype=bool)
    due[liquidatable(snap, margins)] = True
    move, falls = np.full(len(due), np.nan), np.zeros(len(due), dtype=bool)
    bent = _bent(snap, margins)
    straight, crossing, slope = _straight(snap, asset, unit, bent)
    falling = slope > 0.0
    crossing[~((crossing > 0.0) & (crossing < np.inf))] = np.nan
    # Rounding never puts a price on the other side of today's than the state of the account says.
    below = due[straight] != falling
    crossing = np.where(below, np.minimum(crossing, unit), np.maximum(crossing, unit))
    move[straight], falls[straight] = crossing, falling
    if bent.any():
        rows = (snap.book.asset == asset) & snap.book.rows("collateral", "debt", "long", "short")
        held = np.zeros(len(due), dtype=bool)
        held[snap.book.margin[rows]] = True
        chosen = np.flatnonzero(bent & held)
        if len(chosen):
            move[chosen], falls[chosen] = searched(snap, asset, unit, chosen, due[chosen])
    return move, falls


def _bent(snap: Snapshot, margins: MarginAccounts) -> Bools:
    """Margin accounts whose distance from liquidation is no straight line in a price, or need not grow with debt."""
    book = snap.book
    bent = np.zeros(len(margins.health), dtype=bool)
    if book.named:
        bent |= (book.collateral_remainder != 0.0) & np.isnan(book.own_threshold)
        bent |= (book.collateral_remainder < 0.0) | (book.debt_remainder < 0.0)
    if margins.derivatives is not None:
        bent |= margins.derivatives.positions > 0
    return bent


def _straight(snap: Snapshot, asset: int, unit: float, bent: Bools) -> tuple[Ints, Floats, Floats]:
    """Give the other holders of the asset, where their line a + b x crosses 0, and b."""
    book = snap.book
    pair_price = np.where((book.pair_asset == asset) & (unit == 0.0), 1.0, book.pair_price)
    pledged, owed = split_by_asset(book, asset, pair_price)
    holders = np.flatnonzero(((pledged[1] != 0.0) | (owed[1] != 0.0)) & ~bent)
    plus, minus = [part[holders] for part in pledged], [part[holders] for part in owed]
    if book.named:
        own = book.own_threshold[holders]
        plus[0] += np.where(np.isnan(own), 0.0, own * book.collateral_remainder[holders])
        minus[0] += book.debt_remainder[holders]
    base, slope = plus[0] - minus[0], plus[1] - minus[1]
    doubtful = _cancelled(plus[0], minus[0], base) | _cancelled(plus[1], minus[1], slope)
    for at in np.flatnonzero(doubtful):
        base[at], slope[at] = exact_line(book, int(holders[at]), asset, pair_price)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return holders, -base / slope, slope


def _cancelled(plus: Floats, minus: Floats, rest: Floats) -> Bools:
    return (np.abs(rest) < CANCELLED * minus) & (plus > 0.0)
