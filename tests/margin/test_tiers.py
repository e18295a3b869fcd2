"""Maintenance margin by notional tiers: solved by hand, against exact fractions, and tables that cannot be."""

from __future__ import annotations

from fractions import Fraction

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riskgraph as rg

CASH = 1e9
PLACES, COINS = ("deep", "thin"), ("BTC", "ETH", "SOL")
COLUMNS = ["protocol", "asset", "notional_from_usd", "maintenance_margin"]


def requirements(trades, tiers, rates=()):
    """Maintenance margin of each trade (protocol, asset, side, USD), each in an account of its own, from its health."""
    rows = [(f"{at:05}", *trade) for at, trade in enumerate(trades)]
    rows += [(f"{at:05}", trade[0], "USDC", "collateral", CASH) for at, trade in enumerate(trades)]
    snap = rg.Snapshot(
        positions=pd.DataFrame(rows, columns=["account", "protocol", "asset", "side", "amount"]),
        assets=pd.DataFrame({"asset": [*COINS, "USDC"], "price": 1.0}),
        protocols=pd.DataFrame({"protocol": PLACES, "rule": "perp"}),
        tiers=pd.DataFrame(tiers, columns=COLUMNS) if tiers else None,
        markets=pd.DataFrame(rates, columns=["protocol", "asset", "maintenance_margin"]) if rates else None,
    )
    return (CASH / rg.health(snap).set_index("account")["health"]).tolist()


def by_tier(notional, ladder):
    """Each part of the notional at the rate of its own tier, in exact fractions."""
    total = Fraction(0)
    for at, (start, rate) in enumerate(ladder):
        end = ladder[at + 1][0] if at + 1 < len(ladder) else max(notional, start)
        total += max(min(Fraction(notional), Fraction(end)) - Fraction(start), 0) * Fraction(rate)
    return float(total)


def test_by_hand():
    """1 % to 1,000, 2 % to 5,000, 10 % above: 10 + 80 = 90 at 5,000, 590 at 10,000; without tiers flat."""
    tiers = [("deep", "BTC", 5_000.0, 0.1), ("deep", "BTC", 0.0, 0.01), ("deep", "BTC", 1_000.0, 0.02)]
    tiers += [("thin", "BTC", 0.0, 0.5)]
    sizes = {500.0: 5.0, 1_000.0: 10.0, 3_000.0: 50.0, 5_000.0: 90.0, 10_000.0: 590.0}
    trades = [("deep", "BTC", side, size) for size in sizes for side in ("long", "short")]
    trades += [("thin", "BTC", "long", 8.0), ("deep", "ETH", "long", 100.0), ("thin", "SOL", "short", 100.0)]
    wanted = [margin for margin in sizes.values() for _ in range(2)] + [4.0, 5.0, 6.0]
    rates = [("deep", "ETH", 0.05), ("thin", "SOL", 0.06), ("deep", "BTC", 0.9)]  # tiers go before a flat rate
    assert requirements(trades, tiers, rates) == pytest.approx(wanted, rel=1e-12)


def test_positions_of_one_account_add_up_tier_by_tier():
    rows = [
        ("a", "deep", "BTC", "long", 1_500.0),
        ("a", "deep", "ETH", "short", 1_500.0),
        ("a", "deep", "USDC", "collateral", 70.0),
    ]
    tiers = [("deep", coin, start, rate) for coin in ("BTC", "ETH") for start, rate in ((0.0, 0.01), (1_000.0, 0.05))]
    snap = rg.Snapshot(
        positions=pd.DataFrame(rows, columns=["account", "protocol", "asset", "side", "amount"]),
        assets=pd.DataFrame({"asset": ["BTC", "ETH", "USDC"], "price": 1.0}),
        tiers=pd.DataFrame(tiers, columns=COLUMNS),
    )
    assert rg.health(snap)["health"].tolist() == pytest.approx([1.0])  # 2 · (10 + 25), each position its own notional


RATES = st.one_of(st.just(0.0), st.floats(1e-9, 1.0))
LADDER = st.lists(
    st.tuples(st.sampled_from([0.1, 1.0, 50.0, 1e3, 7e4, 1e6, 1.5e8]), RATES),
    max_size=6,
    unique_by=lambda tier: tier[0],
).flatmap(
    lambda upper: RATES.map(
        lambda first: list(
            zip(
                [0.0, *sorted(start for start, _ in upper)],
                sorted([first, *(rate for _, rate in upper)]),
                strict=True,
            )
        )
    )
)


@settings(max_examples=60)
@given(
    st.dictionaries(st.sampled_from([(place, coin) for place in PLACES for coin in COINS]), LADDER, min_size=1),
    st.lists(st.one_of(st.sampled_from([1e-12, 0.1, 1e3, 7e4, 1.5e8]), st.floats(0.0, 1e9)), min_size=1, max_size=5),
    st.randoms(use_true_random=False),
)
def test_against_exact_fractions(ladders, sizes, random):
    tiers = [(*pair, *tier) for pair, ladder in ladders.items() for tier in ladder]
    random.shuffle(tiers)
    trades = [(*pair, "long", size) for pair in ladders for size in sizes]
    wanted = [by_tier(size, ladders[pair]) for pair in ladders for size in sizes]
    assert requirements(trades, tiers) == pytest.approx(wanted, rel=1e-12, abs=1e-300)


@settings(max_examples=30)
@given(LADDER)
def test_margin_never_falls_or_jumps_with_notional(ladder):
    starts = [start for start, _ in ladder[1:]]
    sizes = sorted({size * factor for size in [1.0, *starts] for factor in (0.5, 1.0 - 1e-12, 1.0, 1.0 + 1e-12, 3.0)})
    found = requirements(
        [("deep", "BTC", "short", size) for size in sizes], [("deep", "BTC", *tier) for tier in ladder]
    )
    steps = zip(zip(sizes, found, strict=True), zip(sizes[1:], found[1:], strict=True), strict=False)
    for (size, margin), (larger, more) in steps:
        assert margin * (1.0 - 1e-12) <= more <= margin + (larger - size) * ladder[-1][1] + 1e-11 * larger


def test_a_margin_next_to_nothing_leaves_health_without_bound():
    assert requirements([("deep", "BTC", "long", 1.0)], [("deep", "BTC", 0.0, 1e-308)]) == [0.0]


FALLS = "tiers.maintenance_margin: expected rates that do not fall as the notional rises, got "


@pytest.mark.parametrize(
    ("ladder", "message"),
    [
        ([(0.0, 0.05), (10.0, 0.01)], FALLS + r"0.01 from 10 after 0.05 for BTC at deep \(tiers out of order\)"),
        ([(10.0, 0.05), (0.0, 0.1)], FALLS + "0.05 from 10 after 0.1 for BTC at deep"),
        ([(0.0, 0.05), (10.0, 0.06), (10.0, 0.07)], "expected every tier once, got two from 10 for BTC at deep"),
        ([(0.0, 0.05), (0.0, 0.05)], "expected every protocol × asset × notional_from_usd once, got duplicates"),
        ([(600.0, 0.05)], "tiers.notional_from_usd: expected a first tier from 0, got 600 for BTC at deep"),
        ([(0.0, 1.05)], "tiers.maintenance_margin: expected a number of at least 0 and at most 1"),
        ([(-1.0, 0.05)], "tiers.notional_from_usd: expected a finite number of at least 0"),
        ([(0.0, None)], "tiers.maintenance_margin: .* got nothing"),
    ],
)
def test_tiers_that_cannot_be(ladder, message):
    good = [("thin", "ETH", 0.0, 0.1), ("thin", "ETH", 5.0, 0.2)]
    with pytest.raises(rg.InputError, match=message):
        requirements([("deep", "BTC", "long", 1.0)], [*(("deep", "BTC", *tier) for tier in ladder), *good])
