"""The book: position rows with prices, thresholds and margin accounts as arrays."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Bools, Floats, read_only
from riskgraph.snapshot.rows import Rows

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot
    from riskgraph.snapshot.tables import Table

__all__ = ["Book", "book_of", "moving_pairs", "term_grid"]


@dataclass(frozen=True, eq=False)
class Book(Rows):
    """Position rows and margin accounts of a snapshot: its ``Rows``, by reference, with prices.

    ``pair_price``, shape (n_pairs,), is what each protocol shows, USD a unit. The row arrays ``price`` and ``usd``
    follow from it and are made where they are asked for.
    """

    pair_price: Floats

    @cached_property
    def price(self) -> Floats:
        """Price of every row as its protocol shows it, USD a unit."""
        return read_only(self.pair_price[self.pair])

    @cached_property
    def usd(self) -> Floats:
        """Value of every row."""
        return read_only(self.amount * self.price)


def book_of(snap: Snapshot) -> Book:
    """Put prices to the rows of a snapshot."""
    rows, assets, markets = snap.rows, snap.table("assets"), snap.table("markets")
    price = np.empty(len(assets))
    price[assets.code("asset")] = assets.number("price")
    pair_price = np.where(rows.pair_at_par, 1.0, price[rows.pair_asset])
    if "price" in markets.numbers:
        shown = ~np.isnan(markets.number("price")) & (rows.market_pair >= 0)
        pair_price[rows.market_pair[shown]] = markets.number("price")[shown]
    return Book(**{field.name: getattr(rows, field.name) for field in fields(Rows)}, pair_price=read_only(pair_price))


def moving_pairs(snap: Snapshot, asset: int) -> Bools:
    """Which pairs have a price that moves with an asset's: all but those that a contract counts at par."""
    rows, markets = snap.rows, snap.table("markets")
    moves: Bools = (rows.pair_asset == asset) & ~rows.pair_at_par
    shown = (markets.code("asset") == asset) & ~np.isnan(markets.number("price")) & (rows.market_pair >= 0)
    moves[rows.market_pair[shown]] = True
    return moves


def term_grid(table: Table, column: str, shape: tuple[int, int]) -> Floats:
    """Spread a column of ``markets`` over protocols × assets; NaN where nothing is given."""
    grid = np.full(shape, np.nan)
    if column in table.numbers:
        grid[table.code("protocol"), table.code("asset")] = table.number(column)
    return grid
