"""Health solved by hand: lending, e-mode and own thresholds, perpetuals with tiers, statuses, and what is refused."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from riskgraph.errors import InputError
from riskgraph.margin.account_health import health
from riskgraph.margin.liquidation_calls import liquidation_quote
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
    assert any("entry_price: unknown in 1 row;" in line for line in snap.assumptions)


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


# -- exact at the edge ------------------------------------------------------------------------------------------------


def of_one(side_rows: list[tuple], rule: str = "lending", **columns) -> dict[str, str]:
    """Health and status of account a at p in one book."""
    snap = Snapshot(
        positions=positions(*(("a", "p", *row) for row in side_rows)),
        assets=pd.DataFrame({"asset": ["X", "Y", "Z"], "price": [0.1, 0.3, 1.0]}),
        protocols=pd.DataFrame({"protocol": ["p"], "rule": [rule]} | {k: [v] for k, v in columns.items()}),
        markets=pd.DataFrame({"protocol": "p", "asset": ["X", "Y", "Z"], "liquidation_threshold": [1.0, 0.7, 0.8]}),
    )
    return health(snap).iloc[0][["health", "status"]].to_dict()


@pytest.mark.parametrize(
    ("rows", "floats"),
    [
        ([("Z", "collateral", 100.0), ("Z", "debt", 80.0)], 1.0),
        ([("X", "collateral", 3.0), ("Z", "debt", 0.3)], 3 * 0.1 / 0.3),  # floats say a little more than 1
        ([("Y", "collateral", 10.0), ("Z", "debt", 2.1)], 10 * 0.3 * 0.7 / 2.1),
        ([("X", "collateral", 0.7), ("Y", "debt", 0.1), ("X", "debt", 0.4)], 0.7 * 0.1 / (0.1 * 0.3 + 0.4 * 0.1)),
    ],
)
def test_health_of_exactly_one_is_one(rows, floats):
    assert floats == pytest.approx(1.0, rel=1e-12)
    assert of_one(rows) == {"health": 1.0, "status": "healthy"}
    assert of_one(rows, rule="euler_v2")["status"] == "liquidatable"
    assert of_one(rows, call_level=1.0, target_health=1.1) == {"health": 1.0, "status": "healthy"}
    for side, _ in enumerate(rows):  # one unit in the last place of one amount more or less
        for direction, more_is_better in ((-math.inf, False), (math.inf, True)):
            moved = list(rows)
            asset, what, amount = moved[side]
            moved[side] = (asset, what, math.nextafter(amount, direction))
            found = of_one(moved)
            better = more_is_better == (what == "collateral")
            assert (found["health"] > 1.0) if better else (found["health"] < 1.0)
            assert (found["status"] == "healthy") == better


def test_the_edges_of_calls_and_of_insolvency_are_exact():
    """3 X of 0.1 against 0.25 at a call level of 1.2: 0.3 = 1.2 · 0.25. Worth 0.3 against a debt of 0.3 is enough."""
    rows = [("X", "collateral", 3.0), ("Z", "debt", 0.25)]
    assert 3 * 0.1 / 0.25 != 1.2
    assert of_one(rows, call_level=1.2, target_health=1.3) == {"health": 1.2, "status": "healthy"}
    more = [rows[0], ("Z", "debt", math.nextafter(0.25, 1.0))]
    assert of_one(more, call_level=1.2, target_health=1.3)["status"] == "called"
    even = [("Y", "collateral", 1.0), ("X", "debt", 3.0)]
    assert 3 * 0.1 > 0.3
    assert of_one(even)["status"] == "liquidatable"
    assert of_one([even[0], ("X", "debt", math.nextafter(3.0, 4.0))])["status"] == "insolvent"


def test_perpetuals_are_exact_at_the_edge():
    """0.32 of margin, long 1 at 1.1 from 1.3: equity 0.32 − 0.2 = 0.12; 10 % of 1 and 20 % of 0.1 above are 0.12."""
    snap = Snapshot(
        positions=positions(("a", "p", "X", "collateral", 3.2), ("a", "p", "Y", "long", 1.0), entry_price=[None, 1.3]),
        assets=pd.DataFrame({"asset": ["X", "Y"], "price": [0.1, 1.1]}),
        tiers=pd.DataFrame(
            {"protocol": "p", "asset": "Y", "notional_from_usd": [0.0, 1.0], "maintenance_margin": [0.1, 0.2]}
        ),
    )
    assert 3.2 * 0.1 + (1.1 - 1.3) != 0.1 + 0.2 * (1.1 - 1.0)
    assert health(snap)[["health", "status"]].values.tolist() == [[1.0, "healthy"]]
    less = snap.replace(positions=snap.positions.assign(amount=[math.nextafter(3.2, 0.0), 1.0]))
    assert health(less)["status"].tolist() == ["liquidatable"]
    assert health(less)["health"][0] < 1.0


def test_remainders_are_exact_at_the_edge():
    """(0.3 + 0.2) · 0.6 = 0.3 with a threshold of its own; 0.3 · 0.7 + 0.1 · 0.7 = 0.28 at the rows' average."""
    snap = Snapshot(
        positions=positions(
            ("own", "p", "X", "collateral", 3.0),
            ("own", "p", "Z", "debt", 0.3),
            ("rest", "p", "Y", "collateral", 1.0),
            ("rest", "p", "Z", "debt", 0.48),
        ),
        assets=pd.DataFrame({"asset": ["X", "Y", "Z"], "price": [0.1, 0.3, 1.0]}),
        markets=pd.DataFrame({"protocol": "p", "asset": ["Y"], "liquidation_threshold": [0.7]}),
        accounts=pd.DataFrame(
            {
                "account": ["own", "rest"],
                "protocol": "p",
                "liquidation_threshold": [0.6, None],
                "collateral_remainder_usd": [0.2, 0.1],
                "debt_remainder_usd": [None, -0.2],
            }
        ),
    )
    assert health(snap)[["health", "status"]].values.tolist() == [[1.0, "healthy"]] * 2


def test_a_ratio_is_one_over_it_exactly():
    """3 · 0.1 at a ratio of 1.2 bears 0.25; a borrow factor of 0.7 makes 0.21 of debt count as 0.3."""
    snap = Snapshot(
        positions=positions(
            ("cdp", "m", "X", "collateral", 3.0),
            ("cdp", "m", "Z", "debt", 0.25),
            ("owes", "p", "X", "collateral", 3.0),
            ("owes", "p", "Z", "debt", 0.21),
        ),
        assets=pd.DataFrame({"asset": ["X", "Z"], "price": [0.1, 1.0]}),
        protocols=pd.DataFrame({"protocol": ["m", "p"], "rule": ["maker", "euler_v1"]}),
        markets=pd.DataFrame(
            {
                "protocol": ["m", "p", "p"],
                "asset": ["X", "X", "Z"],
                "liquidation_threshold": [None, 1.0, None],
                "liquidation_ratio": [1.2, None, None],
                "borrow_factor": [None, None, 0.7],
            }
        ),
    )
    assert health(snap)[["health", "status"]].values.tolist() == [[1.0, "healthy"]] * 2


# -- prices that move -------------------------------------------------------------------------------------------------


def test_snapshots_that_differ_in_prices_share_the_rest():
    snap = Snapshot(
        positions=positions(("a", "p", "ETH", "collateral", 1.0), ("a", "p", "USDC", "debt", 800.0)),
        assets=ASSETS,
        markets=pd.DataFrame({"protocol": ["p"], "asset": ["ETH"], "liquidation_threshold": [0.8]}),
    )
    moved = snap.with_prices({"ETH": 1_000.0}).with_shock({"USDC": 0.25})
    assert moved.rows is snap.rows and moved.categories is snap.categories
    assert health(moved)["health"].tolist() == [0.8] and health(snap)["health"].tolist() == [2.0]
    assert not snap.book.amount.flags.writeable and moved.book.amount is snap.book.amount


def test_a_position_opened_at_an_unknown_price_makes_what_prices_do_from_here():
    snap = Snapshot(
        positions=positions(("a", "p", "USDC", "collateral", 500.0), ("a", "p", "ETH", "short", 1.0)),
        assets=ASSETS,
        markets=pd.DataFrame({"protocol": ["p"], "asset": ["ETH"], "maintenance_margin": [0.1]}),
    )
    assert health(snap)["health"].tolist() == [2.5]
    moved = snap.with_shock({"ETH": 0.1})
    assert health(moved)["health"].tolist() == pytest.approx([300 / 220])
    assert health(moved.with_prices({"ETH": 2_000.0}))["health"].tolist() == pytest.approx([2.5])


def test_frames_are_their_owners():
    """A frame may be written to; the snapshot and the next frame know nothing of it."""
    snap = Snapshot(positions=positions(("a", "p", "ETH", "collateral", 1.0)), assets=ASSETS)
    frame = health(snap)
    frame.loc[0, ["collateral_usd", "health"]] = 0.0
    frame.loc[0, ["account", "bucket"]] = ["a", ""]
    assert health(snap)[["account", "bucket", "collateral_usd", "health", "status"]].values.tolist() == [
        ["a", "", 2_000.0, math.inf, "healthy"]
    ]
    assert frame["account"].dtype == health(snap)["account"].dtype


def test_recovery_mode_makes_troves_above_one_liquidatable():
    """1,310 against 1,000 is 1.31, below 1.5: b at 1.25 is due where the pool covers its 200, a at 1.325 is not."""
    rows = [("a", "liq", "E", "collateral", 1_060.0), ("a", "liq", "L", "debt", 800.0)]  # 1.325
    rows += [("b", "liq", "E", "collateral", 250.0), ("b", "liq", "L", "debt", 200.0)]  # 1.25
    frame = {"positions": positions(*rows), "assets": pd.DataFrame({"asset": ["E", "L"], "price": [1.0, 0.9]})}
    terms = {"markets": pd.DataFrame({"protocol": ["liq"], "asset": ["E"], "liquidation_ratio": [1.1]})}
    for pool, expected in ((201.0, "liquidatable"), (200.5, "healthy"), (0.0, "healthy")):  # 1 always stays
        protocols = pd.DataFrame({"protocol": ["liq"], "rule": ["liquity_v1"], "stability_pool": [pool]})
        snap = Snapshot(**frame, **terms, protocols=protocols)
        assert by_account(snap)["status"].to_dict() == {"a": "healthy", "b": expected}
        assert liquidation_quote(snap, "b", "liq").liquidatable == (expected == "liquidatable")
