"""Euler v2: ``EVault.liquidate`` and ``checkLiquidation``; one lender holds three times the debt."""

from __future__ import annotations

from fractions import Fraction

import pandas as pd

import riskgraph as rg
from tests.reference.cases import near, unit


def snapshot(given: dict) -> rg.Snapshot:
    positions = pd.DataFrame(
        [
            ("user", "vault", "loan", "debt", float(given["debt"])),
            ("user", "vault", "pledge", "collateral", float(given["collateral"])),
            ("lender", "vault", "loan", "deposit", 3.0 * float(given["debt"])),
            ("liquidator", "", "loan", "wallet", 0.0),
        ],
        columns=["account", "protocol", "asset", "side", "amount"],
    )
    assets = pd.DataFrame(
        {
            "asset": ["loan", "pledge"],
            "price": [float(given["loan_price_usd"]), float(given["collateral_price_usd"])],
            "decimals": [given["loan_decimals"], given["collateral_decimals"]],
        }
    )
    protocols = pd.DataFrame(
        {
            "protocol": ["vault"],
            "rule": ["euler_v2"],
            "max_liquidation_discount": [float(given["max_liquidation_discount"])],
        }
    )
    markets = pd.DataFrame(
        {
            "protocol": ["vault"],
            "asset": ["pledge"],
            "ltv": [float(given["borrow_ltv"])],
            "liquidation_threshold": [float(given["liquidation_ltv"])],
        }
    )
    return rg.Snapshot(positions, assets, protocols, markets)


def check(case: dict) -> None:
    given, wanted = case["inputs"], case["outputs"]
    loan, pledge = unit(given["loan_decimals"]), unit(given["collateral_decimals"])
    snap = snapshot(given)
    account = rg.health(snap).query("account == 'user'").iloc[0]
    near(account["health"], wanted["health"], 0, "health")
    near(account["debt_usd"], wanted["liability_value_usd"], unit(18), "liability")
    adjusted = account["health"] * account["debt_usd"]
    near(adjusted, wanted["risk_adjusted_collateral_value_usd"], unit(18), "risk-adjusted collateral")
    assert (account["status"] in ("liquidatable", "insolvent")) == wanted["liquidatable"]
    most = rg.liquidation_quote(snap, "user", "vault")
    near(most.repaid, wanted["max_repay"], loan, "largest repayment")
    near(most.seized, wanted["max_yield_collateral"], pledge, "largest yield")
    asked = {} if given["repay_requested"] == "max" else {"repay": float(given["repay_requested"])}
    quote = rg.liquidation_quote(snap, "user", "vault", **asked, liquidator="liquidator")
    done = rg.liquidate(snap, "vault", ["user"], **asked, liquidator="liquidator")
    assert quote.liquidatable == wanted["liquidatable"]
    assert quote.refused == wanted.get("revert_reason", "")
    if wanted["reverted"]:
        assert (quote.repaid, quote.seized, len(done.movements)) == (0.0, 0.0, 0)
        return
    near(quote.repaid, wanted["repaid_debt_assumed_by_liquidator"], loan, "repaid")
    near(quote.seized, wanted["seized_collateral"], pledge, "seized")
    near(quote.bad_debt, wanted["bad_debt_socialised"], loan, "bad debt")
    assert quote.written_off == (Fraction(wanted["bad_debt_socialised"]) > 0)
    after = done.after.positions.set_index(["account", "side", "asset"])["amount"]
    near(after["user", "debt", "loan"], wanted["borrower_debt_after"], loan, "debt left")
    near(after["user", "collateral", "pledge"], wanted["borrower_collateral_after"], pledge, "collateral left")
    near(after.get(("liquidator", "debt", "loan"), 0.0), wanted["liquidator_debt_after"], loan, "liquidator's debt")
    taken = after.get(("liquidator", "collateral", "pledge"), 0.0)
    near(taken, wanted["seized_collateral"], pledge, "liquidator's collateral")
    change = Fraction(after["lender", "deposit", "loan"]) - Fraction(3.0 * float(given["debt"]))
    near(change, wanted["vault_total_assets_change"], loan, "the lender's claim")
