"""The monitor: what health says at every tick, and who crosses."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import riskgraph as rg
from riskgraph.margin.account_health import STATUSES
from tests.books import books

KEY = ["account", "protocol", "bucket"]


def one(level: float | None = 1.1) -> rg.Snapshot:
    """Ann owes 80 against 1 ETH at 0.8: called below 110, liquidatable below 100, insolvent below 80."""
    return rg.Snapshot(
        positions=pd.DataFrame(
            [("ann", "ETH", "collateral", 1.0), ("ann", "USD", "debt", 80.0), ("ben", "ETH", "collateral", 1.0)],
            columns=["account", "asset", "side", "amount"],
        ).assign(protocol="lend"),
        assets=pd.DataFrame({"asset": ["ETH", "stETH", "USD"], "price": [120.0, 120.0, 1.0]}),
        protocols=pd.DataFrame({"protocol": ["lend"], "kind": ["lending"], "call_level": [level or math.nan]}),
        markets=pd.DataFrame({"protocol": ["lend"], "asset": ["ETH"], "liquidation_threshold": [0.8]}),
        backing=pd.DataFrame({"token": ["stETH"], "backed_by": ["ETH"], "share": [1.0]}),
    )


def kinds(found: list[rg.Crossing]) -> list[tuple[Any, str, str]]:
    return [(crossing.time, crossing.kind, crossing.status) for crossing in found]


def test_an_account_goes_down_step_by_step_and_comes_back() -> None:
    prices = [115.0, 109.0, 99.0, 98.0, 79.0, 90.0, 105.0, 110.0]
    found = list(rg.monitor(one(), ((n, {"ETH": price}) for n, price in enumerate(prices))))
    assert kinds(found) == [
        (1, "called", "called"), (2, "liquidatable", "liquidatable"), (4, "insolvent", "insolvent"),
        (5, "recovered", "liquidatable"), (6, "recovered", "called"), (7, "recovered", "healthy"),
    ]  # fmt: skip
    first = found[0]
    assert (first.account, first.protocol, first.bucket, first.asset, first.tick) == ("ann", "lend", "", "ETH", 2)
    assert first.health_before == pytest.approx(1.15, rel=1e-15) and first.health == pytest.approx(1.09, rel=1e-15)


def test_a_tick_may_skip_levels_and_may_carry_several_prices() -> None:
    found = list(rg.monitor(one(), [(0, {"ETH": 119.0, "USD": 1.0}), (0, {"ETH": 100.0, "USD": 1.3})]))
    assert kinds(found) == [(0, "insolvent", "insolvent")]
    assert found[0].asset == "USD"  # 80 · .3 = 24 more debt, .8 · 19 = 15.2 less collateral


def test_mappings_are_ticks_too_and_the_asset_that_pushes_is_named() -> None:
    ticks = [{"time": "2023-06-21", "asset": "ETH", "price": 90}, {"time": "2023-06-22", "asset": "USD", "price": 0.5}]
    found = list(rg.monitor(one(), ticks))
    assert [(c.time, c.kind, c.asset) for c in found] == [
        ("2023-06-21", "liquidatable", "ETH"), ("2023-06-22", "recovered", "USD"),
    ]  # fmt: skip


def test_prices_are_taken_as_told() -> None:
    """StETH stands on ETH, and does not move with it; of what is held nothing moves with stETH."""
    assert list(rg.monitor(one(), [(0, {"stETH": 1.0})])) == []


def test_it_yields_while_ticks_come() -> None:
    asked: list[int] = []

    def ticks():
        for number, price in enumerate([90.0, 120.0, 90.0]):
            asked.append(number)
            yield number, {"ETH": price}

    stream = rg.monitor(one(), ticks())
    assert asked == []
    assert next(stream).kind == "liquidatable" and asked == [0]
    assert next(stream).kind == "recovered" and asked == [0, 1]


def test_the_venues_own_price_moves_by_the_same_factor() -> None:
    markets = one().markets.assign(price=[150.0, 1.0])  # ETH, USD
    found = list(rg.monitor(one().replace(markets=markets), [(0, {"ETH": 90.0}), (1, {"ETH": 79.0})]))
    assert kinds(found) == [(1, "liquidatable", "liquidatable")]  # 150 · 79/120 = 98.75
    assert found[0].health == pytest.approx(0.9875, rel=1e-15)


@given(books(), st.lists(st.dictionaries(st.sampled_from(["ETH", "stETH", "USD"]), st.floats(0.0, 4e3)), max_size=4))
def test_every_tick_is_what_health_says(snap: rg.Snapshot, moves: list[dict[str, float]]) -> None:
    told: dict[str, float] = {}
    before = rg.health(snap)
    expected = []
    for number, prices in enumerate(moves, start=1):
        told |= prices
        after = rg.health(snap.with_prices(told))
        for old, new in zip(before.to_dict("records"), after.to_dict("records"), strict=True):
            if old["status"] != new["status"]:
                worse = STATUSES.index(new["status"]) < STATUSES.index(old["status"])
                kind = new["status"] if worse else "recovered"
                expected.append((number, kind, *(new[name] for name in KEY), old["health"], new["health"]))
        before = after
    found = list(rg.monitor(snap, list(enumerate(moves, start=1))))
    assert [(c.tick, c.kind, c.account, c.protocol, c.bucket, c.health_before, c.health) for c in found] == expected
    assert all(crossing.asset in moves[crossing.tick - 1] for crossing in found)


def test_longs_and_shorts() -> None:
    snap = rg.Snapshot(
        positions=pd.DataFrame(
            [("ann", "GOLD", "short", 1.0), ("ann", "USD", "collateral", 30.0), ("ann", "OIL", "long", 1.0)],
            columns=["account", "asset", "side", "amount"],
        ).assign(protocol="perps"),
        assets=pd.DataFrame({"asset": ["GOLD", "OIL", "USD"], "price": [100.0, 50.0, 1.0]}),
        protocols=pd.DataFrame({"protocol": ["perps"], "kind": ["perp"], "rule": ["perp"]}),
        markets=pd.DataFrame({"protocol": "perps", "asset": ["GOLD", "OIL"], "maintenance_margin": 0.1}),
    )
    found = list(rg.monitor(snap, [(0, {"GOLD": 110.0}), (1, {"GOLD": 118.0, "OIL": 51.0}), (2, {"OIL": 60.0})]))
    assert [(c.kind, c.asset) for c in found] == [("liquidatable", "GOLD"), ("recovered", "OIL")]


@pytest.mark.parametrize(
    ("ticks", "words"),
    [
        ([(1, {"ETH": 1.0}), (0, {"ETH": 2.0})], "tick 2: time: expected none earlier than the tick before, got 0"),
        ([("2023-06-22", {}), ("2023-06-21T23:59", {})], "tick 2: time: expected none earlier"),
        ([(1, {}), ("2023-06-21", {})], "tick 2: time: expected a time like the one before"),
        ([("2023-06-21", {}), ("2023-06-21T00:00:00+00:00", {})], "tick 2: time: expected a time like the one before"),
        ([(math.nan, {})], "tick 1: time: expected a finite number, a date"),
        (
            [("soon", {})],
            "tick 1: time: expected a finite number, a date, or a text that holds one (ISO 8601), got 'soon'",
        ),
        ([(None, {})], "tick 1: time"),
        ([(pd.NaT, {})], "tick 1: time"),
        ([(10**400, {})], "tick 1: time"),
        ([(1, {"MOON": 1.0})], "tick 1: asset: expected assets of the snapshot, got 'MOON'"),
        ([(1, {}), (2, {"ETH": -1.0})], "tick 2: price of ETH: expected a number of at least 0 (USD a unit), got -1.0"),
        ([(1, {"ETH": math.nan})], "tick 1: price of ETH: expected a number of at least 0"),
        ([(1, {"ETH": math.inf})], "tick 1: price of ETH: expected a number of at least 0"),
        ([(1, {"ETH": "1"})], "tick 1: price of ETH: expected a number of at least 0 (USD a unit), got '1'"),
        ([(1, {"ETH": None, "MOON": 1.0})], "; asset: expected assets of the snapshot"),
        ([{"time": 1, "asset": ["ETH"], "price": 1.0}], "tick 1: expected a pair"),
        ([{"time": 1, "price": 1.0}], "tick 1: expected a pair (time, mapping of asset to price), or a mapping with"),
        ([(1, 2, 3)], "tick 1: expected a pair"),
        ([3], "tick 1: expected a pair"),
        (3, "ticks: expected an iterable of ticks, got int"),
    ],
)
def test_refused(ticks: Any, words: str) -> None:
    with pytest.raises(rg.InputError) as error:
        list(rg.monitor(one(), ticks))
    assert words in str(error.value)


def test_what_came_before_a_bad_tick_is_yielded() -> None:
    stream = rg.monitor(one(), [(1, {"ETH": 90.0}), (2, {"ETH": -1.0})])
    assert next(stream).kind == "liquidatable"
    with pytest.raises(rg.InputError, match="tick 2"):
        next(stream)


def test_a_book_whose_health_cannot_be_told_is_refused_at_once() -> None:
    with pytest.raises(rg.InputError, match="liquidation_threshold"):
        rg.monitor(one().replace(markets=None), [])
    with pytest.raises(rg.InputError, match="snap: expected a Snapshot"):
        rg.monitor({}, [])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "times",
    [
        [np.datetime64("2023-06-21"), np.datetime64("2023-06-22", "ns")],
        [dt.date(2023, 6, 21), dt.datetime(2023, 6, 21, 1)],
        [pd.Timestamp("2023-06-21"), "2023-06-21 00:00:01"],
        [np.int64(3), "3.5"],
        [1, 1],
    ],
)
def test_times_that_are_taken(times: list) -> None:
    found = list(rg.monitor(one(), zip(times, [{"ETH": 90.0}, {"ETH": 120.0}], strict=True)))
    assert [crossing.time for crossing in found] == times
