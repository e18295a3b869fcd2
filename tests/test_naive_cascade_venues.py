"""The oracle of cascades at Compound v3, Maker, Liquity and perpetuals, against numbers solved by hand."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, reject, settings

import riskgraph as rg
from tests.cascade_books import cases, random_book
from tests.naive.cascade import NoEndError, cascade
from tests.naive.cascade_book import Book, tables_of

COLUMNS = ["account", "asset", "side", "amount"]


def near(value, rel=1e-13):
    return pytest.approx(value, rel=rel, abs=1e-9)


def book(rule, rows, prices, venue=None, market=None, depth=None):
    """One protocol p; market terms are those of ETH."""
    return rg.Snapshot(
        positions=pd.DataFrame(rows, columns=COLUMNS).assign(protocol="p"),
        assets=pd.DataFrame({"asset": list(prices), "price": list(prices.values())}),
        protocols=pd.DataFrame([{"protocol": "p", "rule": rule, **(venue or {})}]),
        markets=pd.DataFrame([{"protocol": "p", "asset": "ETH", **(market or {})}]),
        liquidity=pd.DataFrame({"asset": ["ETH"], "model": ["linear"], "depth_usd": [depth]}) if depth else None,
    )


def test_comet_absorbs_and_its_storefront_sells():
    """800 of ETH against 750: credit 760, 10 of them surplus; sold at 80 · (1 − 0.5 · 0.05) = 78."""
    snap = book(
        "compound_v3", [("ann", "ETH", "collateral", 10.0), ("ann", "USDC", "debt", 750.0)],
        {"ETH": 100.0, "USDC": 1.0}, {"reserves": 1000.0},
        {"liquidation_threshold": 0.9, "liquidation_factor": 0.95},
    )  # fmt: skip
    done = cascade(tables_of(snap), {"ETH": -0.2})
    assert done["holdings"]["ann", "p", "", "USDC", "deposit"] == near(10)
    assert done["holdings"]["ann", "p", "", "USDC", "debt"] == 0
    assert done["reserves"]["p"] == near(1000 - 760 + 780)
    assert done["stock"]["p"]["ETH"] == 0
    assert done["wealth"]["end"]["liquidators"] == near(20)
    assert done["written_off_usd"] == 0
    deep = snap.replace(liquidity=pd.DataFrame({"asset": ["ETH"], "model": ["linear"], "depth_usd": [10_000.0]}))
    done = cascade(tables_of(deep), {"ETH": -0.2})
    assert done["rounds"][0]["sold_usd"]["ETH"] == near(5 * 78), "average 0.975 after 500 of 10,000"
    assert done["prices"][2]["ETH"] == near(76)


def test_maker_auction_of_the_documentation():
    """Price 1680, 1512, 1360.8 from round to round; at 1360.8 the tab of 11,300 is raised for 8.3039 ETH."""
    snap = book(
        "maker", [("ann", "ETH", "collateral", 10.0), ("ann", "DAI", "debt", 10_000.0)],
        {"ETH": 1400.0, "DAI": 1.0}, None, {"liquidation_ratio": 1.45, "cut": 0.9, "step": 100.0},
    )  # fmt: skip
    done = cascade(tables_of(snap), {}, round_seconds=100.0)
    assert [bool(one["sold_usd"]) for one in done["rounds"]] == [False, False, True, False]
    assert done["holdings"]["ann", "p", "", "ETH", "deposit"] == near(10 - 11_300 / 1360.8)
    assert done["reserve_usd"]["p"] == near(1300)
    assert done["wealth"]["end"]["liquidators"] == near(11_300 / 1360.8 * 1400 - 11_300)


def test_maker_lot_that_does_not_raise_its_due():
    """ETH falls to 700 at once: 10 of them bring 10 · 680.4 at the third price, 3,196 less than was due."""
    snap = book(
        "maker", [("ann", "ETH", "collateral", 10.0), ("ann", "DAI", "debt", 10_000.0)],
        {"ETH": 1400.0, "DAI": 1.0}, {"reserve_usd": 1000.0},
        {"liquidation_ratio": 1.2, "cut": 0.9, "step": 100.0},
    )  # fmt: skip
    done = cascade(tables_of(snap), {"ETH": -0.5}, round_seconds=100.0)
    assert done["written_off_usd"] == near(10_000 - 6804)
    assert done["reserve_usd"]["p"] == 0
    assert done["deficit_usd"]["p"] == near(10_000 - 6804 - 1000)


def test_liquity_pool_takes_one_trove_and_nothing_is_sold():
    """10 ETH at 108 against 1,000: gas 0.05, the pool (2,000, half of it bob's) gets 9.95 for 1,000."""
    rows = [("ann", "ETH", "collateral", 10.0), ("ann", "LUSD", "debt", 1000.0), ("bob", "LUSD", "deposit", 1000.0)]
    rows += [("cat", "ETH", "collateral", 100.0), ("cat", "LUSD", "debt", 5000.0)]
    snap = book("liquity_v1", rows, {"ETH": 120.0, "LUSD": 1.0}, {"stability_pool": 2000.0}, {"liquidation_ratio": 1.1})
    done = cascade(tables_of(snap), {"ETH": -0.1})
    assert done["holdings"]["bob", "p", "", "LUSD", "deposit"] == near(500)
    assert done["holdings"]["bob", "p", "", "ETH", "deposit"] == near(9.95 / 2)
    assert done["holdings"]["ann", "p", "", "ETH", "collateral"] == 0
    assert done["held"] == {"ETH": near(0.05)}
    assert done["outside_usd"] == near(500 - 9.95 / 2 * 108)
    assert done["prices"][-1]["ETH"] == near(108)
    assert not any(one["sold_usd"] for one in done["rounds"])


def test_a_long_is_closed_and_pays_for_its_slippage():
    """Mark 89: equity 400 under 445; all 100 sold, a tenth of the depth: 5 % of 8,900 are lost, 45 are owed."""
    snap = book(
        "perp", [("ann", "ETH", "long", 100.0), ("ann", "USDC", "collateral", 1500.0)],
        {"ETH": 100.0, "USDC": 1.0}, {"backstop_share": 0.5}, {"maintenance_margin": 0.05}, depth=100_000.0,
    )  # fmt: skip
    done = cascade(tables_of(snap), {"ETH": -0.11})
    assert done["holdings"]["ann", "p", "", "ETH", "long"] == 0
    assert done["holdings"]["ann", "p", "", "USDC", "debt"] == near(45)
    assert done["bad_debt_usd"] == near(45)
    assert done["prices"][-1]["ETH"] == near(89 * 0.9)
    assert done["amplification"] == near(1545 / 1100)


def test_longs_that_counterparties_take_over_are_not_sold():
    """Mark 80: ann is 500 short; bob's short of 30 takes 30 of her 100 over, 70 are sold."""
    rows = [("ann", "ETH", "long", 100.0), ("ann", "USDC", "collateral", 1500.0)]
    rows += [("bob", "ETH", "short", 30.0), ("bob", "USDC", "collateral", 5000.0)]
    snap = book("perp", rows, {"ETH": 100.0, "USDC": 1.0}, None, {"maintenance_margin": 0.05}, depth=100_000.0)
    done = cascade(tables_of(snap), {"ETH": -0.2})
    assert done["prices"][1]["ETH"] == near(80)
    assert done["prices"][2]["ETH"] == near(80 * 0.93)
    assert done["holdings"]["bob", "p", "", "ETH", "short"] == 0
    assert done["holdings"]["bob", "p", "", "USDC", "collateral"] == near(5000 + 600 - 150)
    assert done["deficit_usd"]["p"] == near(350)
    assert done["holdings"]["ann", "p", "", "USDC", "debt"] == near(70 * 80 * 0.035)


@pytest.mark.parametrize("seed", range(4))
def test_collateral_units_are_conserved(seed):
    case = random_book(seed, 20, calls=True, others=("comet", "maker", "liquity2"))
    tables = tables_of(case.snap)
    done = cascade(tables, case.shock, **case.options)
    sign = {"debt": -1}
    for asset in ("ETH", "BTC", "stETH"):
        start, end = (
            sum(units * sign.get(key[4], 1) for key, units in hold.items() if key[3] == asset)
            for hold in (Book(tables).hold, done["holdings"])
        )
        kept = sum(units for (_, name), units in done["treasury"].items() if name == asset)
        kept += sum(stock.get(asset, 0.0) for stock in done["stock"].values())
        after = end + kept + done["sold_units"].get(asset, 0.0) - done["forgiven"].get(asset, 0.0)
        assert after == pytest.approx(start, rel=1e-9, abs=1e-6)


@given(cases(5, others=True))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_random_cases_end_in_a_sound_state(case):
    try:
        done = cascade(tables_of(case.snap), case.shock, **case.options, max_rounds=400)
    except NoEndError:
        reject()
    assert all(units >= 0 for units in done["holdings"].values())
    assert all(price >= 0 for prices in done["prices"] for price in prices.values())
    assert done["bad_debt_usd"] >= done["written_off_usd"] >= 0


def test_everything_at_once_comes_to_an_end():
    for seed in range(3):
        case = random_book(seed, 60, calls=True, others=("comet", "maker", "liquity1", "liquity2", "perps"))
        done = cascade(tables_of(case.snap), case.shock, **case.options)
        assert done["rounds"][0]["liquidated"] or done["rounds"][0]["issued"]
