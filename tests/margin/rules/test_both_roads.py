"""One rule, two roads: whole books on floats give what single calls on exact fractions give."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import riskgraph as rg
from riskgraph.margin.ledger import Ledger, Request
from riskgraph.margin.rules.shelf import rule_named

SIZES = {"morpho_blue": 30}  # its calls are carried out one by one
VENUES = {
    "aave_v4": {"target_health_factor": 1.05, "health_factor_for_max_bonus": 0.8, "liquidation_bonus_factor": 0.5},
    "euler_v2": {"max_liquidation_discount": 0.15},
    "morpho_blue": {"total_borrow_assets": 3e8, "total_borrow_shares": 2.9e14},
}
TERMS = {
    "aave_v2": {"liquidation_bonus": 0.05},
    "aave_v3": {"liquidation_bonus": 0.05, "protocol_fee": 0.1},
    "aave_v4": {"liquidation_bonus": 0.06, "protocol_fee": 0.1},
    "compound_v2": {"liquidation_bonus": 0.08, "exchange_rate": 0.02},
    "lending": {"liquidation_bonus": 0.05, "protocol_fee": 0.1},
}
PRICES = {"ETH": 1_734.56, "BTC": 20_123.4, "USDC": 1.0003, "EUR": 1.0871}
TOLD = ("repaid", "seized", "fee_usd", "bonus_usd", "bad_debt", "bad_debt_usd", "health_before")


def market(rule: str) -> rg.Snapshot:
    """Accounts with two collaterals and two debts (one of each under morpho_blue), health from .5 to 1.15."""
    drawn, n = np.random.default_rng(5), SIZES.get(rule, 120)
    names = [f"a{at:03}" for at in range(n)]
    pledged, owed = (("ETH",), ("USDC",)) if rule == "morpho_blue" else (("ETH", "BTC"), ("USDC", "EUR"))
    usd = 10.0 ** drawn.uniform(2.0, 6.0, n)
    parts = [("bob", "deposit", "USDC", 1e8)]
    for side, assets, total in (("collateral", pledged, usd), ("debt", owed, usd * 0.8 / drawn.uniform(0.5, 1.15, n))):
        shares = drawn.dirichlet(np.ones(len(assets)), n)
        parts += [
            (name, side, asset, value * part / PRICES[asset])
            for asset, column in zip(assets, shares.T, strict=True)
            for name, value, part in zip(names, total, column, strict=True)
        ]
    terms = {"liquidation_threshold": 0.8, **TERMS.get(rule, {})}
    return rg.Snapshot(
        pd.DataFrame(parts, columns=["account", "side", "asset", "amount"]).assign(protocol="p"),
        pd.DataFrame({"asset": list(PRICES), "price": list(PRICES.values())}),
        pd.DataFrame([{"protocol": "p", "rule": rule, **VENUES.get(rule, {})}]),
        pd.DataFrame([{"protocol": "p", "asset": asset, **terms} for asset in pledged]),
    )


def called(snap: rg.Snapshot, rule: str, *, exact: bool, repay: np.ndarray) -> pd.DataFrame:
    ledger = Ledger(snap, 0, rule_named(rule), np.arange(len(snap.book.margin_account)), exact=exact)
    n = len(repay)
    everyone, largest, nothing = np.arange(n), np.full(n, -1), ledger.numbers(np.full(n, np.nan))
    more = {"repay_shares": nothing}
    ledger.rule.carry_out(ledger, Request(everyone, largest, largest, ledger.numbers(repay), nothing, more=more))
    return pd.concat([pd.DataFrame(part) for part in ledger.steps], ignore_index=True)


@pytest.mark.parametrize("asked", ["as much as may be", "a part"])
@pytest.mark.parametrize(
    "rule", ["aave_v2", "aave_v3", "aave_v4", "compound_v2", "euler_v1", "euler_v2", "lending", "morpho_blue"]
)
def test_whole_books_on_floats_are_single_calls_on_fractions(rule, asked):
    snap = market(rule)
    n = SIZES.get(rule, 120)
    repay = np.full(n, np.inf) if asked != "a part" else 10.0 ** np.random.default_rng(6).uniform(1.0, 5.0, n)
    floats, fractions = (called(snap, rule, exact=exact, repay=repay) for exact in (False, True))
    assert (floats["refused"] == fractions["refused"]).all()
    assert (floats["written_off"] == fractions["written_off"]).all()
    assert (floats["repaid"] > 0.0).sum() > n // 10
    for name in TOLD:
        found, wanted = floats[name].to_numpy(float), fractions[name].to_numpy(float)
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9 * np.nanmax(wanted[np.isfinite(wanted)]))
