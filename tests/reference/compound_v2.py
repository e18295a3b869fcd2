"""Compound v2: ``CErc20.liquidateBorrow`` and ``Comptroller.getAccountLiquidity``."""

from __future__ import annotations

from fractions import Fraction

import pandas as pd

import riskgraph as rg
from tests.reference.cases import near, unit

CTOKEN = unit(8)


def rate(row: dict) -> Fraction:
    """Units of the underlying that one cToken is worth."""
    return Fraction(row["ctoken_exchange_rate_mantissa"]) / 10**18 * unit(row["decimals"]) / CTOKEN


def snapshot(given: dict) -> rg.Snapshot:
    held = [
        ("collateral", row, Fraction(row["ctoken_balance_raw"]) * CTOKEN * rate(row)) for row in given["collaterals"]
    ]
    owed = [("debt", row, Fraction(row["amount"])) for row in given["debts"]]
    positions = pd.DataFrame(
        {"account": "user", "protocol": "compound", "asset": row["asset"], "side": side, "amount": float(amount)}
        for side, row, amount in (*held, *owed)
    )
    tokens = {row["asset"]: row for _, row, _ in (*held, *owed)}
    assets = pd.DataFrame(
        {"asset": name, "price": float(row["price_usd"]), "decimals": row["decimals"]} for name, row in tokens.items()
    )
    markets = pd.DataFrame(
        {
            "protocol": "compound",
            "asset": row["asset"],
            "liquidation_threshold": float(row["collateral_factor"]),
            "liquidation_bonus": round(float(given["liquidation_incentive"]) - 1.0, 12),
            "protocol_seize_share": float(given["protocol_seize_share"]),
            "exchange_rate": float(rate(row)),
        }
        for row in given["collaterals"]
    )
    protocols = pd.DataFrame(
        {"protocol": ["compound"], "rule": ["compound_v2"], "close_factor": [float(given["close_factor"])]}
    )
    return rg.Snapshot(positions, assets, protocols, markets)


def check(case: dict) -> None:
    given, wanted = case["inputs"], case["outputs"]
    snap, call = snapshot(given), given["call"]
    assert (rg.health(snap)["status"][0] in ("liquidatable", "insolvent")) == wanted["liquidatable"]
    pair = {"debt_asset": call["repay_asset"], "collateral_asset": call["collateral_asset"]}
    quote = rg.liquidation_quote(snap, "user", "compound", **pair, repay=float(call["repay_amount"]))
    assert quote.liquidatable == wanted["liquidatable"]
    assert quote.refused == wanted.get("revert_reason", "")
    near_liquidity(snap, quote.health_before, wanted["account_shortfall_usd"], wanted["account_liquidity_usd"], 0)
    done = rg.liquidate(snap, "compound", ["user"], **pair, repay=float(call["repay_amount"]))
    if wanted["reverted"]:
        assert (quote.repaid, quote.seized, len(done.movements)) == (0.0, 0.0, 0)
        return
    seized = next(row for row in given["collaterals"] if row["asset"] == call["collateral_asset"])
    repaid = next(row for row in given["debts"] if row["asset"] == call["repay_asset"])
    raw = rate(seized) * CTOKEN  # units of the underlying that the smallest part of a cToken is worth
    near(quote.repaid, wanted["repaid"], unit(repaid["decimals"]), "repaid")
    near(quote.more["seized_ctokens"] / float(CTOKEN), wanted["seized_ctokens_raw"], 1, "cTokens")
    near(quote.more["reserve_ctokens"] / float(CTOKEN), wanted["ctokens_to_reserves_raw"], 1, "cTokens to reserves")
    near(quote.seized / float(raw), wanted["seized_ctokens_raw"], 1, "seized")
    near((quote.seized - quote.fee) / float(raw), wanted["ctokens_to_liquidator_raw"], 1, "to liquidator")
    near(quote.fee, wanted["reserves_increase_underlying"], unit(seized["decimals"]), "to reserves")
    after = done.after.positions.set_index(["account", "side", "asset"])["amount"]
    left = after["user", "collateral", seized["asset"]]
    near(left / float(raw), wanted["borrower_ctokens_after_raw"], 1, "cTokens left")
    near(after["user", "debt", repaid["asset"]], wanted["borrower_debt_after"], unit(repaid["decimals"]), "debt left")
    shortfall, liquidity = wanted["account_shortfall_after_usd"], wanted["account_liquidity_after_usd"]
    # reserves count whole units of the underlying, so that all cTokens are worth up to a unit more than before
    near_liquidity(done.after, quote.health_after, shortfall, liquidity,
                   unit(seized["decimals"]) * Fraction(seized["price_usd"]))  # fmt: skip
    assert not quote.written_off


def near_liquidity(snap: rg.Snapshot, health: float, shortfall: str, liquidity: str, unit_usd: Fraction | int) -> None:
    """Compare debt · (health − 1), the borrowing power left: a difference of numbers as exact as floats are."""
    account = rg.health(snap).query("account == 'user'").iloc[0]
    debt = Fraction(account["debt_usd"])
    over = Fraction(liquidity) - Fraction(shortfall)
    near((Fraction(health) - 1) * debt, over, max(debt / 10**15, unit_usd), "liquidity")
    near(account["health"], str(health), 0, "health")
