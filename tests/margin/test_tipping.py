"""The critical fall of a cascade, on chains solved by hand (METHODS 5.5)."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest

import riskgraph as rg


def chain(*debts: float, depth: float = 1000.0, eth: str = "ETH") -> rg.Snapshot:
    """Accounts of 100 ETH at 1 and a threshold of 0.85; each is liquidated below a price of debt/85."""
    rows = [
        row
        for at, debt in enumerate(debts)
        for row in ((f"u{at}", eth, "collateral", 100.0), (f"u{at}", "USD", "debt", debt))
    ]
    return rg.Snapshot(
        positions=pd.DataFrame(rows, columns=["account", "asset", "side", "amount"]).assign(protocol="lend"),
        assets=pd.DataFrame({"asset": [eth, "USD"], "price": 1.0}),
        protocols=pd.DataFrame({"protocol": ["lend"], "kind": ["lending"], "close_factor": [0.5]}),
        markets=pd.DataFrame(
            {"protocol": ["lend"], "asset": [eth], "liquidation_threshold": [0.85], "liquidation_bonus": [0.05]}
        ),
        liquidity=pd.DataFrame({"asset": [eth], "model": ["linear"], "depth_usd": [depth]}),
    )


def test_the_first_account_that_tips_takes_the_next_along() -> None:
    found = rg.critical_fall(chain(78.0, 76.0, 72.0), "ETH", tol=1e-9)
    low, high = found.bracket
    assert high == found.fall and high - low <= 1e-9
    assert low <= 1 - 78 / 85 <= high + 1e-15


def test_a_longer_chain_tips_where_the_first_sale_reaches_the_next() -> None:
    """u0 (78) sells 40.95/p of 1,000 from a fall of 7/85 on, which costs 0.04095 whatever p is.

    u1 (73) tips where 1 − f − .04095 < 73/85, and takes u2 (70.5) along; at a smaller fall u0 sells alone.
    """
    found = rg.critical_fall(chain(78.0, 73.0, 70.5), "ETH", tol=1e-9)
    critical = 1 - 0.04095 - 73 / 85
    assert found.bracket[0] <= critical <= found.fall and found.fall - found.bracket[0] <= 1e-9
    rows = found.evaluations.set_index("fall")
    assert rows.index.is_monotonic_increasing and rows.index.is_unique
    alone = rows.loc[found.bracket[0]]
    assert alone["sold_by_fall_usd"] == alone["sold_usd"] == pytest.approx(40.95 / (1 - found.bracket[0]), rel=1e-12)
    assert alone["lowest_price"] == pytest.approx(1 - found.bracket[0] - 0.04095, rel=1e-12)
    assert not alone["feeds_itself"] and rows.loc[found.fall, "feeds_itself"]
    assert rows.loc[0.05, "sold_usd"] == 0.0 and not rows.loc[0.05, "feeds_itself"]
    assert found.summary().startswith("ETH: from a fall of 10.0226% on the cascade feeds itself")
    assert repr(found) == f"<CriticalFall: {found.summary()}>"


def test_the_multiple_moves_the_cliff() -> None:
    """Two accounts have 200 ETH to sell, less than five times the first 45."""
    two = chain(78.0, 73.0)
    exact = 1 - 0.04095 - 73 / 85
    assert rg.critical_fall(two, "ETH", multiple=1.9, highest=0.2, tol=1e-9).fall == pytest.approx(exact, abs=1e-9)
    assert math.isnan(rg.critical_fall(two, "ETH", multiple=5.0, highest=0.2).fall)


def test_nothing_feeds_itself() -> None:
    found = rg.critical_fall(chain(78.0, depth=1e9), "ETH", steps=20)
    assert math.isnan(found.fall) and math.isnan(found.bracket[1]) and found.bracket[0] == 0.99
    assert len(found.to_frame()) == 21 and not found.evaluations["feeds_itself"].any()
    assert "no fall from 0.0000% to 99.0000% of 21 tried sells 2 times" in found.summary()
    endless = chain(78.0).replace(liquidity=None)
    assert "no depth is known" in rg.critical_fall(endless, "ETH", steps=2).notes[-1]


def test_it_may_feed_itself_already() -> None:
    found = rg.critical_fall(chain(86.0, 84.0, 80.0), "ETH")
    assert found.fall == 0.0 and found.bracket == (0.0, 0.0) and len(found.evaluations) == 1


def test_options_of_the_cascade_count() -> None:
    """With all of a sale's impact gone by the next round nobody is taken along by it."""
    assert math.isnan(rg.critical_fall(chain(78.0, 73.0, 70.5), "ETH", highest=0.12, recovery=1.0).fall)
    found = rg.critical_fall(chain(78.0, 73.0, 70.5), "ETH", liquidators="always")
    assert found.provenance.arguments["liquidators"] == "always"


def test_labels_are_escaped() -> None:
    page = rg.critical_fall(chain(78.0, eth="<i>"), "<i>", steps=3)._repr_html_()
    assert "&lt;i&gt;" in page and "<i>" not in page


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"asset": "MOON"}, "asset: expected an asset of the snapshot, got 'MOON'"),
        ({"multiple": 1.0}, "multiple: expected a finite number above 1, got 1.0"),
        ({"multiple": math.inf}, "multiple: expected a finite number above 1, got inf"),
        ({"lowest": -0.1}, "lowest: expected a fall of at least 0, below 1, got -0.1"),
        ({"lowest": 0.5, "highest": 0.4}, "lowest: expected a fall below highest (0.4), got 0.5"),
        ({"highest": 1.0}, "highest: expected a fall above 0, below 1, got 1.0"),
        ({"highest": "all"}, "highest: expected a fall above 0, below 1, got 'all'"),
        ({"steps": 0}, "steps: expected a whole number of at least 1, got 0"),
        ({"steps": 2.5}, "steps: expected a whole number of at least 1, got 2.5"),
        ({"tol": 0.0}, "tol: expected a finite number above 0, got 0.0"),
        ({"tol": math.nan}, "tol: expected a finite number above 0, got nan"),
        ({"speed": 3}, "options: expected options of liquidation_cascade"),
        ({"shock": {"ETH": -0.1}}, "options: expected options of liquidation_cascade"),
        ({"recovery": 2.0}, "recovery: expected a share from 0 to 1, got 2.0"),
    ],
)
def test_refused(given: dict, words: str) -> None:
    with pytest.raises(rg.InputError) as error:
        rg.critical_fall(chain(78.0), **{"asset": "ETH", **given})
    assert words in str(error.value)


def test_a_cascade_without_rest_is_an_error() -> None:
    with pytest.raises(rg.ConvergenceError):
        rg.critical_fall(chain(78.0, 73.0, 70.5), "ETH", max_rounds=1)


def test_the_cliff_of_a_real_book(shared_data: Path) -> None:
    folder = shared_data / "aave_steth_20230621"
    snap = rg.read_snapshot(folder / "positions_long.csv", totals=folder / "accounts.csv")
    markets = snap.markets
    markets["liquidation_bonus"] = markets["asset"].map({"stETH": 0.075, "wstETH": 0.07}).fillna(0.05)
    depth = pd.DataFrame({"asset": ["stETH"], "model": ["linear"], "depth_usd": [1e9]})
    found = rg.critical_fall(snap.replace(markets=markets, liquidity=depth), "stETH")
    assert 0.03 < found.bracket[0] < found.fall < 0.05
    below, above = (found.evaluations.set_index("fall").loc[at] for at in found.bracket)
    assert below["sold_usd"] < 1e5 and above["sold_usd"] > 1e9
    assert above["lowest_price"] < 1.0 < 1_600.0 < below["lowest_price"]
