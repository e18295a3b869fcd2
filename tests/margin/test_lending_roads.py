"""Large books of the rule ``lending``: offers counted and health formed only where needed, against all of it formed.

Both roads share one front door; they differ by the size from which the quicker one is taken.
"""

import numpy as np
import pandas as pd
import pytest

import riskgraph as rg
from riskgraph.margin import claim_rows, lending_bundles, lending_states, market_clearing, round_sales

SLOW = 10**9
OPTIONS = (
    {"calls": False},
    {"calls": False, "liquidators": "always"},
    {"calls": False, "recovery": 0.3},
    {"calls": False, "buy_impact": True},
    {"calls": True},
    {"calls": True, "recovery": 0.3, "closeout": True},
    {"calls": True, "liquidators": "always"},
)


def roads(monkeypatch, least):
    """Take the compiled roads from books of so many accounts, or claims, on."""
    for module in (claim_rows, lending_bundles, lending_states, market_clearing, round_sales):
        monkeypatch.setattr(module, "WORTH_COMPILING", least)


def book(seed, **terms):
    """A synthetic book, with fees, two bonuses for one pair and a late oracle; its largest assets fall."""
    snap = rg.datasets.synthetic(accounts=1_500, assets=20, protocols=4, seed=seed)
    markets = snap.markets.assign(protocol_fee=np.where(snap.markets["asset"] == "ETH", 0.1, 0.0))
    protocols = snap.protocols.assign(**terms)
    depths = snap.liquidity.assign(depth_usd=snap.liquidity["depth_usd"] * 0.3)
    pledged = snap.book.rows("collateral")
    usd = pd.Series(snap.book.usd[pledged]).groupby(snap.book.asset[pledged]).sum()
    names = [snap.labels("asset")[int(code)].as_py() for code in usd.nlargest(3).index]
    return snap.replace(markets=markets, protocols=protocols, liquidity=depths), dict.fromkeys(names, -0.45)


def same(one, other):
    """Hold two cascades together: prices, rounds with what was refused, holdings and states."""
    pd.testing.assert_frame_equal(one.prices, other.prices, rtol=1e-10, atol=1e-12)
    pd.testing.assert_frame_equal(one.rounds, other.rounds, rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(one.run.book.amount, other.run.book.amount, rtol=1e-9, atol=1e-9)
    pd.testing.assert_frame_equal(one.accounts, other.accounts, rtol=1e-8, atol=1e-6)
    assert one.conservation < 1e-12


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize(("seed", "terms"), [(1, {}), (2, {"oracle_lag_rounds": 1.0, "oracle_deviation": 0.01})])
def test_both_roads_are_one(seed, terms, options, monkeypatch):
    snap, shock = book(seed, call_level=1.05, target_health=1.2, **terms)
    roads(monkeypatch, SLOW)
    slow = rg.liquidation_cascade(snap, shock, **options)
    assert slow.n_rounds >= 5
    roads(monkeypatch, 1)
    fast = rg.liquidation_cascade(snap, shock, **options)
    assert fast.run.alone
    same(fast, slow)


@pytest.mark.parametrize("closeout", [False, True])
@pytest.mark.parametrize(("terms", "options"), [({"grace_rounds": 2.0}, {}), ({}, {"topup": "first"})], ids=str)
def test_where_calls_come_before_liquidation_everybody_is_looked_at(terms, options, closeout, monkeypatch):
    """What is refused is the same, too: no speck that payments leave is offered on one road and not on the other."""
    snap, shock = book(1, call_level=1.05, target_health=1.2, **terms)
    roads(monkeypatch, SLOW)
    slow = rg.liquidation_cascade(snap, shock, **options, closeout=closeout)
    roads(monkeypatch, 1)
    fast = rg.liquidation_cascade(snap, shock, **options, closeout=closeout)
    assert not fast.run.alone
    same(fast, slow)


def test_a_claim_that_is_wiped_out_takes_its_account_off_the_shelf(monkeypatch):
    """Ann leaves more of her debt unpaid than all lenders own: bob, who had pledged such a claim, has nothing left."""
    snap = rg.Snapshot(
        positions=pd.DataFrame(
            [
                ("ann", "lend", "ETH", "collateral", 100.0),
                ("ann", "lend", "USDC", "debt", 160.0),
                ("bob", "lend", "USDC", "collateral", 60.0),
                ("bob", "lend", "USDC", "debt", 59.0),
            ],
            columns=["account", "protocol", "asset", "side", "amount"],
        ),
        assets=pd.DataFrame({"asset": ["ETH", "USDC"], "price": [2.0, 1.0]}),
        markets=pd.DataFrame(
            {"protocol": "lend", "asset": ["ETH", "USDC"], "liquidation_threshold": 0.9,
             "liquidation_bonus": [0.05, 0.08]}
        ),
        protocols=pd.DataFrame({"protocol": ["lend"], "kind": ["lending"], "rule": ["lending"], "supply_usd": [60.0]}),
        liquidity=pd.DataFrame({"asset": ["ETH", "USDC"], "model": "linear", "depth_usd": [1000.0, 40.0]}),
    )  # fmt: skip
    roads(monkeypatch, SLOW)
    slow = rg.liquidation_cascade(snap, {"ETH": -0.7}, calls=False)
    roads(monkeypatch, 1)
    fast = rg.liquidation_cascade(snap, {"ETH": -0.7}, calls=False)
    assert slow.accounts["collateral_usd"].iloc[1] == 0.0
    assert slow.accounts["written_off_usd"].iloc[0] > 60.0
    same(fast, slow)
