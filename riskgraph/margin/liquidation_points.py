"""At which price of one asset each margin account becomes liquidatable, all else held (METHODS 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints, read_only
from riskgraph.errors import InputError
from riskgraph.margin.account_health import MarginAccounts, check_told, formed, liquidatable, margin_names
from riskgraph.margin.close_calls import exact_line
from riskgraph.margin.price_search import searched
from riskgraph.margin.sums import Run, in_runs, is_large, split_by_asset
from riskgraph.snapshot.book import Book, moving_pairs
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
    to a billion times it; options and portfolio margin, which bend everywhere, between prices 9 % apart, from a
    thousandth to a thousand times.

    "All else held" is meant literally: what the asset backs does not follow (``with_shock`` lets it). A price that a
    protocol shows of its own (``markets.price``) moves by the same factor; a debt that a contract counts at par stays.

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
    margins = formed(snap)
    unit = 1.0 if today > 0.0 else 0.0
    # who owes a token of price 0 owes nothing today, and something at another price
    check_told(snap, margins if unit else formed(snap.with_prices({asset: 1.0})))
    move, direction = _moves(snap, margins, code, unit)
    fall = move - 1.0 if unit else np.full(len(move), np.nan)
    return pd.DataFrame(
        {
            **margin_names(snap),
            "health": margins.health,
            "price": np.multiply(move, today, out=move) if unit else move,
            "direction": pd.Categorical.from_codes(direction, dtype=pd.CategoricalDtype(list(DIRECTIONS))),
            "fall": fall,
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


def _moves(snap: Snapshot, margins: MarginAccounts, asset: int, unit: float) -> tuple[Floats, Ints]:
    """Give the move (1: today's price) at which each account is caught or freed (NaN: none) and its direction.

    Where today's price is 0 (``unit`` 0) the move is the price itself; directions are codes, -1 where there is no move.
    """
    book = snap.book
    due = np.zeros(len(margins.health), dtype=bool)
    due[margins.low] = liquidatable(snap, margins)
    move, direction = np.empty(len(due)), np.empty(len(due), dtype=np.int8)
    moves = moving_pairs(snap, asset)
    lines = _Lines(book, moves, unit)

    def step(run: Run) -> None:
        at = run.margins
        lines.cross(run, due[at], move[at], direction[at])

    in_runs(book, step)
    bent = _bent(snap, margins)
    if bent is not None:
        move[bent], direction[bent] = np.nan, -1
        rows = moves[book.pair] & book.rows("collateral", "debt", "long", "short")
        chosen = np.flatnonzero(bent & (np.bincount(book.margin[rows], minlength=len(due)) > 0))
        if len(chosen):
            found, rises = searched(snap, asset, unit, chosen, due[chosen])
            move[chosen], direction[chosen] = found, np.where(np.isnan(found), -1, rises)
    return move, direction


def _bent(snap: Snapshot, margins: MarginAccounts) -> Bools | None:
    """Margin accounts whose distance from liquidation is no straight line in a price, or need not grow with debt."""
    book = snap.book
    if not book.named and margins.derivatives is None:
        return None
    bent: Bools = (book.collateral_remainder != 0.0) & np.isnan(book.own_threshold)
    bent |= (book.collateral_remainder < 0.0) | (book.debt_remainder < 0.0)
    return bent if margins.derivatives is None else bent | (margins.derivatives.positions > 0)


class _Lines:
    """Weighted collateral less weighted debt as straight lines a + b x in the move x of one asset's price."""

    def __init__(self, book: Book, moves: Bools, unit: float) -> None:
        self.unit, self.moves = unit, read_only(moves.astype(np.uint8))
        self.pair_price = book.pair_price if unit else read_only(np.where(moves, 1.0, book.pair_price))

    def cross(self, run: Run, due: Bools, move: Floats, direction: Ints) -> None:
        """Write where the lines of a run are 0, and on which side of it they are below."""
        book = run.book
        pledged, owed = split_by_asset(run, self.moves, self.pair_price)
        if book.named:
            own = book.own_threshold[run.margins]
            pledged[0] += np.where(np.isnan(own), 0.0, own * book.collateral_remainder[run.margins])
            owed[0] += book.debt_remainder[run.margins]
        if is_large(book):
            from riskgraph.margin.margin_kernels import crossed  # numba: loaded only where it is used

            doubtful = np.zeros(len(run), dtype=bool)
            crossed(pledged, owed, due, self.unit, CANCELLED, move, direction, doubtful)
        else:
            line = pledged - owed
            move[:], direction[:] = _crossed(line[0], line[1], due, self.unit)
            near = (np.abs(line) < CANCELLED * owed) & (pledged > 0.0)
            doubtful = near[0] | near[1]
        for at in np.flatnonzero(doubtful & ((pledged[1] != 0.0) | (owed[1] != 0.0))):
            base, slope = exact_line(book, int(run.margins.start + at), self.moves, self.pair_price)
            one = slice(at, at + 1)
            move[one], direction[one] = _crossed(np.array([base]), np.array([slope]), due[one], self.unit)


def _crossed(base: Floats, slope: Floats, due: Bools, unit: float) -> tuple[Floats, Ints]:
    """Give the moves above 0 at which base + slope · move is 0 (NaN: none), and the code of the direction."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        move = -base / slope
    move = np.where((move > 0.0) & (move < np.inf), move, np.nan)
    rises = slope < 0.0
    # Rounding never puts a price on the other side of today's than the state of the account says.
    move = np.where(due == rises, np.minimum(move, unit), np.maximum(move, unit))
    return move, np.where(np.isnan(move), np.int8(-1), rises.astype(np.int8))
