"""Health solved by hand: lending, e-mode and own thresholds, perpetuals with tiers, statuses, and what is refused."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from riskgraph.errors import InputError
from riskgraph.margin.account_health import health
from riskgraph.snapshot.snapshot import Snapshot

ASSETS = pd.DataFrame({"asset": ["BTC", "ETH", "USDC", "DUST"], "price": [20_000.0, 2_000.0, 1.0, 0.0]})


def positions(*rows: tuple, **more) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["account", "protocol", "asset", "side", "amount"]).assign(**more)


def by_account(snap: Snapshot) -> pd.DataFrame:
    return health(snap).set_index("account")


def test_lending_statuses_by_hand():
    snap = Snapshot(
        positions=positions(
            ("fine", "lend", "ETH", "collateral", 10.0),  # 20,000 · .8 / 10,000 = 1.6
            ("fine", "lend", "USDC", "debt", 10_000.0),
            ("fine", "lend", "BTC", "deposit", 1.0),  # not enabled: no collateral
            ("called", "lend", "ETH", "collateral", 10.0),  # 16,000 / 14,000 = 1.142857
            ("called", "lend", "USDC", "debt", 14_000.0),
            ("low", "lend", "ETH", "collateral", 10.0),  # 16,000 / 19,000 = .842105, worth more than the debt
            ("low", "lend", "USDC", "debt", 19_000.0),
            ("gone", "lend", "ETH", "collateral", 10.0),  # .64, worth less than the debt
            ("gone", "lend", "USDC", "debt", 25_000.0),
            ("idle", "lend", "ETH", "collateral", 1.0),
            ("dust", "lend", "DUST", "collateral", 5.0),
            ("dust", "lend", "USDC", "debt", 1.0),
        ),
        assets=ASSETS,
        protocols=pd.DataFrame({"protocol": ["lend"], "call_level": [1.2], "target_health": [1.3]}),
        markets=pd.DataFrame({"protocol": ["lend"] * 2, "asset": ["ETH", "DUST"], "liquidation_threshold": [0.8, 0.5]}),
    )
    frame = by_account(snap)
    assert frame["health"].astype(float).to_dict() == pytest.approx(
        {"fine": 1.6, "called": 8 / 7, "low": 16 / 19, "gone": 0.64, "idle": math.inf, "dust": 0.0}
    )
    assert frame["status"].to_dict() == {
        "fine": "healthy",
        "called": "called",
        "low": "liquidatable",
        "gone": "insolvent",
        "idle": "healthy",
        "dust": "insolvent",
    }


def test_health_at_one_is_liquidatable_only_by_a_rule_that_says_so():
    rows = [("a", "p", "ETH", "collateral", 1.0), ("a", "p", "USDC", "debt", 1_000.0)]
    rows += [(account, "q", *rest) for account, _, *rest in rows]
    snap = Snapshot(
        positions=positions(*rows),
        assets=ASSETS,
        protocols=pd.DataFrame({"protocol": ["p", "q"], "rule": ["aave_v3", "euler_v2"]}),
        markets=pd.DataFrame({"protocol": ["p", "q"], "asset": "ETH", "liquidation_threshold": 0.5}),
    )
    frame = health(snap).set_index("protocol")
    assert frame["health"].tolist() == [1.0, 1.0]
    assert frame["status"].to_dict() == {"p": "healthy", "q": "liquidatable"}


def test_buckets_are_margin_accounts_of_their_own():
    rows = positions(
        ("a", "p", "ETH", "collateral", 1.0),
        ("a", "p", "USDC", "debt", 800.0),
        ("a", "p", "ETH", "collateral", 2.0),
        ("a", "p", "USDC", "debt", 800.0),
        bucket=["", "", "iso", "iso"],
    )
    markets = pd.DataFrame({"protocol": ["p"], "asset": ["ETH"], "liquidation_threshold": [0.8]})
    frame = health(Snapshot(positions=rows, assets=ASSETS, markets=markets)).set_index("bucket")
    assert frame["health"].to_dict() == {"": 2.0, "iso": 4.0}


def test_perpetuals_by_hand():
    """Margin 1,000 USDC less a tenth, long 1 BTC from 19,500 (+500): equity 1,400.

    Tiers: 1 % to 10,000, 5 % above: 100 + 500 = 600 of maintenance margin for a notional of 20,000. Short 1 ETH at an
    unknown entry price: no PnL, 2 % of 2,000 = 40. Health 1,400 / 640 = 2.1875.
    """
    snap = Snapshot(
        positions=positions(
            ("a", "perp", "USDC", "collateral", 1_000.0),
            ("a", "perp", "BTC", "long", 1.0),
            ("a", "perp", "ETH", "short", 1.0),
            ("b", "perp", "USDC", "collateral", 100.0),
            ("b", "perp", "BTC", "long", 1.0),
            ("c", "perp", "USDC", "collateral", 1.0),
            entry_price=[None, 19_500.0, None, None, 20_500.0, None],
        ),
        assets=ASSETS,
        tiers=pd.DataFrame(
            {
                "protocol": "perp",
                "asset": "BTC",
                "notional_from_usd": [10_000.0, 0.0],
                "maintenance_margin": [0.05, 0.01],
            }
        ),
        markets=pd.DataFrame(
            {
                "protocol": ["perp", "perp"],
                "asset": ["ETH", "USDC"],
                "maintenance_margin": [0.02, None],
                "haircut": [None, 0.1],
            }
        ),
    )
    frame = by_account(snap)
    assert frame["health"].astype(float).to_dict() == pytest.approx({"a": 2.1875, "b": -410 / 600, "c": math.inf})
    assert frame["status"].to_dict() == {"a": "healthy", "b": "insolvent", "c": "healthy"}
    assert any("entry_price: unknown in 1 rows" in line for line in snap.assumptions)


def test_what_is_missing_is_refused_by_name():
    lending = Snapshot(
        positions=positions(("a", "p", "ETH", "collateral", 1.0), ("a", "p", "USDC", "debt", 1.0)), assets=ASSETS
    )
    with pytest.raises(InputError, match=r"markets.liquidation_threshold: expected a value .* none for ETH at p"):
        health(lending)
    idle = Snapshot(positions=positions(("a", "p", "ETH", "collateral", 1.0)), assets=ASSETS)
    assert health(idle)["health"].tolist() == [math.inf]  # no debt, so no threshold is asked for
    perp = Snapshot(
        positions=positions(("a", "p", "USDC", "collateral", 1.0), ("a", "p", "BTC", "long", 1.0)), assets=ASSETS
    )
    with pytest.raises(InputError, match=r"markets.maintenance_margin: expected a value .* none for BTC at p"):
        health(perp)
    option = Snapshot(
        positions=positions(
            ("a", "p", "BTC", "long", 1.0), option_type="call", strike=20_000.0, expiry=0.5, implied_vol=0.6
        ),
        assets=ASSETS,
    )
    with pytest.raises(
        InputError, match=r"assets.scan_range: .* none for BTC at p; assets.volatility_scan: .* BTC at p"
    ):
        health(option)  # options stand at p, so that its rule is taken as portfolio_margin
    ruled = option.replace(protocols=pd.DataFrame({"protocol": ["p"], "rule": ["perp"]}))
    with pytest.raises(InputError, match=r"option_type: expected options only .* portfolio_margin, got BTC at p"):
        health(ruled)
