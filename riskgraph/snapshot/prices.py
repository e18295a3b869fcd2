"""Prices that rows imply by usd ÷ amount, and amounts that usd implies by price. Nothing else makes a price."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from riskgraph.arrays import Floats, Ints
from riskgraph.errors import Faults
from riskgraph.snapshot.columns import RawColumn, RawTable, first_rows
from riskgraph.snapshot.parameters import RULES
from riskgraph.snapshot.schema import SIDES
from riskgraph.snapshot.tables import Table
from riskgraph.snapshot.tokens import TOKENS

__all__ = ["Derived", "fill_amounts", "market_price", "own_prices", "par_debts", "price_tables"]

# Rows of one asset at one protocol must agree on usd ÷ amount to this share; exports that multiply agree to 1e-15.
PRICE_TOLERANCE = 1e-9
USD_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class Derived:
    """Prices made from the position rows: the table ``assets``, what single protocols show, and in words how."""

    assets: RawTable
    market_prices: tuple[list[str], list[str], list[float]]  # protocol, asset, price, where it is another
    notes: tuple[str, ...]


def price_tables(positions: RawTable, faults: Faults) -> Derived:
    """Make the table ``assets``, and the prices that single protocols show, from ``usd ÷ amount`` of the rows.

    A basket (a remainder whose tokens are not known, METHODS 1) is valued in USD: price 1, amount = usd. An asset
    without any row that holds both values has no price, which is a fault: nobody guesses prices.
    """
    names: list[str] = positions["asset"].labels.to_pylist()
    asset = positions["asset"].codes
    protocol = positions["protocol"].codes if "protocol" in positions else np.full(len(asset), -1)
    length = len(asset)
    amount, usd = _numbers(positions, "amount", length), _numbers(positions, "usd", length)
    basket = np.array([name in TOKENS and TOKENS[name].kind == "basket" for name in names] or [False])
    n_protocols = 1 + int(protocol.max(initial=-1))
    group = (asset.astype(np.int64) + 1) * (n_protocols + 1) + protocol + 1
    priced = (amount > 0.0) & (usd >= 0.0) & (asset >= 0)
    found, price, value = _group_prices(group, amount, usd, priced, names, n_protocols, faults)
    found_asset, found_protocol = found // (n_protocols + 1) - 1, found % (n_protocols + 1) - 1
    by_label = np.argsort(np.argsort(positions["protocol"].labels.to_numpy(zero_copy_only=False)))
    place = np.append(by_label, -1)[found_protocol] if "protocol" in positions else found_protocol
    best = _asset_prices(found_asset, place, price, value, len(names))
    best[basket[: len(names)]] = 1.0
    unknown = [name for at, name in enumerate(names) if np.isnan(best[at])]
    if unknown:
        listed = ", ".join(sorted(unknown)[:5]) + (f" and {len(unknown) - 5} more" if len(unknown) > 5 else "")
        faults.add(
            "assets.price",
            "expected a table assets with prices, or both amount and usd in some row of every asset",
            f"no price for {listed}",
        )
    assets = {
        "asset": RawColumn(codes=np.arange(len(names), dtype=np.int32), labels=positions["asset"].labels),
        "price": RawColumn(numbers=np.where(np.isnan(best), 0.0, best)),
    }
    notes = [f"assets.price: {int((~np.isnan(best)).sum())} prices taken from usd ÷ amount of the position rows"]
    if basket[: len(names)].any():
        held = [name for at, name in enumerate(names) if basket[at]]
        notes.append(f"assets.kind: {', '.join(held)} taken as a basket, valued in USD (price 1, amount = usd)")
    apart = np.abs(price - best[found_asset]) > PRICE_TOLERANCE * best[found_asset]
    own = np.flatnonzero((found_protocol >= 0) & apart)
    labels = [positions["protocol"].labels[int(code)].as_py() for code in found_protocol[own]]
    held = [names[code] for code in found_asset[own]]
    if len(own):
        pairs = zip(labels, held, price[own], best[found_asset[own]], strict=True)
        shown = ", ".join(
            f"{where}: {what} {own_price:.6g} against {other:.6g}" for where, what, own_price, other in pairs
        )
        notes.append(f"markets.price: protocols show different prices for the same asset ({shown})")
    return Derived(assets, (labels, held, price[own].tolist()), tuple(notes))


def _group_prices(
    group: Ints, amount: Floats, usd: Floats, priced: Any, names: list[str], n_protocols: int, faults: Faults
) -> tuple[Ints, Floats, Floats]:
    """Median of usd ÷ amount and total usd of every (asset, protocol) that has a priced row."""
    rows = np.flatnonzero(priced)
    ratio = usd[rows] / amount[rows]
    order = np.lexsort((ratio, group[rows]))
    keys, start, count = np.unique(group[rows][order], return_index=True, return_counts=True)
    ratio = ratio[order]
    price = ratio[start + (count - 1) // 2]  # lower median: one of the rows' own prices, whatever the row order
    low, high = ratio[start], ratio[start + count - 1]
    spread = np.flatnonzero(high - low > PRICE_TOLERANCE * high)
    if len(spread):
        shown = ", ".join(
            f"{names[keys[s] // (n_protocols + 1) - 1]} from {low[s]:.9g} to {high[s]:.9g}" for s in spread[:5]
        )
        faults.add("positions.usd", "expected one price usd ÷ amount for an asset at a protocol", shown)
    value = np.add.reduceat(usd[rows][order], start) if len(rows) else np.zeros(0)
    return keys, price, value


def _asset_prices(asset: Ints, protocol: Ints, price: Floats, value: Floats, n_assets: int) -> Floats:
    """Price of each asset: the wallets' if they show one, else that of the protocol where most USD of it stands.

    ``protocol`` is a protocol's place among all labels (-1: wallets); of equals the last label counts.
    """
    best = np.full(n_assets, np.nan)
    order = np.lexsort((protocol, value, protocol == -1))  # wallets last, so that theirs is what remains
    for at in order:
        best[asset[at]] = price[at]
    return best


def par_debts(tables: Mapping[str, Table]) -> Ints:
    """Keys protocol · n_assets + asset of the debts that their protocol counts at par, whatever they trade at."""
    protocols, positions = tables["protocols"], tables["positions"]
    at_par = [rule in RULES and RULES[rule].debt_at_par for rule in protocols.text("rule")]
    if not any(at_par):
        return np.zeros(0, dtype=np.int64)
    mine = np.isin(positions.code("protocol"), protocols.code("protocol")[at_par])
    owed = mine & (positions.code("side") == SIDES.index("debt"))
    keys: Ints = np.unique(
        positions.code("protocol")[owed].astype(np.int64) * len(tables["assets"]) + positions.code("asset")[owed]
    )
    return keys


def own_prices(tables: Mapping[str, Table], protocol: Ints, asset: Ints) -> Floats:
    """Price of assets at protocols (-1: wallets) where ``markets.price`` gives none: par or the asset's own."""
    assets = tables["assets"]
    price = np.empty(len(assets))
    price[assets.code("asset")] = assets.number("price")
    at_par = np.isin(protocol.astype(np.int64) * len(assets) + asset, par_debts(tables))
    return np.where(at_par, 1.0, price[asset])


def market_price(positions: Table, assets: Table, markets: Table, n_protocols: int) -> Floats:
    """Price of every position row: what its protocol's oracle shows, else what the asset trades at."""
    n_assets = len(assets)
    price = np.empty(n_assets)
    price[assets.code("asset")] = assets.number("price")
    grid = np.tile(price, (n_protocols + 1, 1))  # the last row, protocol code -1, is wallets
    if "price" in markets.numbers:
        shown = ~np.isnan(markets.number("price"))
        grid[markets.code("protocol")[shown], markets.code("asset")[shown]] = markets.number("price")[shown]
    protocol = positions.code("protocol")
    result: Floats = grid[protocol, positions.code("asset")]
    return result


def fill_amounts(coded: dict[str, Table], faults: Faults, notes: list[str]) -> Table:
    """Turn usd into amounts where no amount is known; where both are given, check that they agree."""
    positions, assets, markets = coded["positions"], coded["assets"], coded["markets"]
    if faults.lines:
        return positions  # already refused: prices and places may not be there
    n_protocols = len(positions.labels["protocol"]) if "protocol" in positions.labels else 0
    price = market_price(positions, assets, markets, n_protocols)
    amount, usd = positions.number("amount"), positions.number("usd")
    _check_size(amount, usd, price, faults)
    if faults.lines:
        return positions
    only_usd = np.isnan(amount) & ~np.isnan(usd)
    worthless = only_usd & (price == 0.0) & (usd > 0.0)
    if worthless.any():
        faults.add(
            "positions.usd", "expected an amount where the asset's price is 0", "usd only", first_rows(worthless)
        )
    both = ~np.isnan(amount) & ~np.isnan(usd)
    off = both & (np.abs(amount * price - usd) > USD_TOLERANCE * np.maximum(usd, amount * price))
    if off.any():
        at = int(np.argmax(off))
        came = f"{usd[at]:.9g} for {amount[at]:.9g} units at {price[at]:.9g}"
        faults.add("positions.usd", "expected amount × price", came, first_rows(off))
    with np.errstate(divide="ignore", invalid="ignore"):
        filled = np.where(only_usd, np.where(price > 0.0, usd / price, 0.0), amount)
    gap = np.isnan(filled)
    if gap.any():
        faults.add("positions.amount", "expected an amount (units of the asset) or usd", "nothing", first_rows(gap))
    if only_usd.any():
        notes.append(f"positions.amount: taken as usd ÷ price in {int(only_usd.sum()):,} rows")
    numbers = {name: values for name, values in positions.numbers.items() if name != "usd"} | {"amount": filled}
    return replace(positions, numbers=numbers)


def _check_size(amount: Floats, usd: Floats, price: Floats, faults: Faults) -> None:
    """Refuse values whose product, quotient or sum no float can hold."""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        value = np.fmax(np.nan_to_num(amount * price, nan=0.0, posinf=np.inf), np.nan_to_num(usd, nan=0.0))
        units = np.where(np.isnan(amount) & (price > 0.0), usd / price, 0.0)
        total = value.sum()
    off = np.isinf(value) | np.isinf(units)
    if off.any() or np.isinf(total):
        off = off if off.any() else value == value.max()
        faults.add("positions.amount", "expected amount × price, summed, below 1e308 USD", "more", first_rows(off))


def _numbers(table: RawTable, name: str, length: int) -> Floats:
    column = table.get(name)
    return np.full(length, np.nan) if column is None or column.numbers is None else column.numbers
