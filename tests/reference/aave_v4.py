"""Aave v4: ``LiquidationLogic._calculateLiquidationAmounts`` and ``calculateLiquidationBonus``.

The account pledges one collateral and owes the reserve's debt; other debts are one asset at a price of 1. The given
health factor is then the account's own: value · collateral factor ÷ all debt.
"""

from __future__ import annotations

from fractions import Fraction

import pandas as pd

import riskgraph as rg
from tests.reference.cases import near, unit


def snapshot(given: dict) -> rg.Snapshot:
    shares = Fraction(given["debt_drawn_shares_raw"]) * unit(given["debt_decimals"])
    debt = shares * Fraction(given["debt_drawn_index"]) + Fraction(given["debt_premium"])
    rows = [
        ("pledge", "collateral", float(given["collateral_amount"])),
        ("loan", "debt", float(debt)),
        ("other", "debt", float(given["other_debt_value_usd"])),
    ]
    positions = pd.DataFrame(
        {"account": "user", "protocol": "spoke", "asset": asset, "side": side, "amount": amount}
        for asset, side, amount in rows
        if amount > 0
    )
    assets = pd.DataFrame(
        {
            "asset": ["pledge", "loan", "other"],
            "price": [float(given["collateral_price_usd"]), float(given["debt_price_usd"]), 1.0],
            "decimals": [given["collateral_decimals"], given["debt_decimals"], None],
        }
    )
    protocols = pd.DataFrame(
        {
            "protocol": ["spoke"],
            "rule": ["aave_v4"],
            "target_health_factor": [float(given["target_health_factor"])],
            "health_factor_for_max_bonus": [float(given["health_factor_for_max_bonus"])],
            "liquidation_bonus_factor": [float(given["liquidation_bonus_factor_share"])],
        }
    )
    markets = pd.DataFrame(
        {
            "protocol": "spoke",
            "asset": ["pledge", "loan"],
            "liquidation_threshold": [float(given["collateral_factor"]), None],
            "liquidation_bonus": [round(float(given["max_liquidation_bonus_factor"]) - 1.0, 12), None],
            "protocol_fee": [float(given["liquidation_fee"]), None],
            "drawn_index": [None, float(given["debt_drawn_index"])],
        }
    )
    accounts = pd.DataFrame({"account": ["user"], "protocol": ["spoke"], "premium": [float(given["debt_premium"])]})
    return rg.Snapshot(positions, assets, protocols, markets, accounts=accounts)


def check(case: dict) -> None:
    given, wanted = case["inputs"], case["outputs"]
    snap = snapshot(given)
    health = rg.health(snap).iloc[0]
    near(health["health"], given["health_factor"], 0, "health")
    near(health["debt_usd"], given["total_debt_value_usd"], 0, "debt")
    pair = {"debt_asset": "loan", "collateral_asset": "pledge"}
    asked = {} if given["debt_to_cover"] == "max" else {"repay": float(given["debt_to_cover"])}
    quote = rg.liquidation_quote(snap, "user", "spoke", **pair, **asked)
    assert quote.liquidatable
    assert quote.refused == wanted.get("revert_reason", "")
    near(1.0 + quote.more["liquidation_bonus"], wanted["liquidation_bonus_factor_applied"], 0, "bonus factor")
    if wanted["reverted"]:
        assert (quote.repaid, quote.seized, len(quote.movements)) == (0.0, 0.0, 0)
        return
    owed, taken = unit(given["debt_decimals"]), unit(given["collateral_decimals"])
    near(quote.repaid, wanted["repaid_debt"], owed, "repaid")
    near(quote.more["drawn_shares_liquidated"], wanted["drawn_shares_liquidated_raw"], 1, "shares")
    near(quote.more["premium_liquidated"], wanted["premium_liquidated"], owed, "premium")
    near(quote.seized, wanted["seized_collateral_total"], taken, "seized")
    near(quote.fee, wanted["protocol_fee_collateral"], taken, "fee")
    near(quote.seized - quote.fee, wanted["collateral_to_liquidator"], taken, "to liquidator")
    check_after(given, wanted, rg.liquidate(snap, "spoke", ["user"], **pair, **asked), quote)


def check_after(given: dict, wanted: dict, done: rg.Liquidated, quote: rg.Quote) -> None:
    after = done.after.positions.query("account == 'user'").set_index("asset")["amount"]
    health = rg.health(done.after).query("account == 'user'")["health"].iloc[0]
    owed, taken = unit(given["debt_decimals"]), unit(given["collateral_decimals"])
    near(after["pledge"], wanted["collateral_left"], taken, "collateral left")
    near(after["loan"] + quote.bad_debt, wanted["debt_left"], owed, "debt left")
    near(done.steps["bad_debt"][0], wanted["deficit_if_only_collateral_and_only_debt"], owed, "deficit")
    other = Fraction(given["other_debt_value_usd"])
    if quote.written_off:  # the contract's number is from before the deficit is reported
        price = Fraction(given["debt_price_usd"])
        deficit = Fraction(wanted["debt_left"]) * price + other
        near(done.after.protocols["deficit_usd"][0], deficit, price * owed, "deficit in USD")
        assert (wanted["health_factor_after"], after["loan"]) == ("0.000000000000", 0.0)
    elif wanted["health_factor_after"] == "infinite":
        assert quote.health_after == health == float("inf")
    else:
        near(quote.health_after, wanted["health_factor_after"], 0, "health after")
        near(health, wanted["health_factor_after"], 0, "health after")
