"""Aave v3: ``Pool.liquidationCall``."""

from __future__ import annotations

import pandas as pd

import riskgraph as rg
from tests.reference.cases import near, unit

USD = unit(8)


def snapshot(given: dict) -> rg.Snapshot:
    """One borrower; the user's e-mode category, where there is one, holds the flagged collateral."""
    sides = [("collateral", row) for row in given["collaterals"]] + [("debt", row) for row in given["debts"]]
    positions = pd.DataFrame(
        {"account": "user", "protocol": "aave", "asset": row["asset"], "side": side, "amount": float(row["amount"])}
        for side, row in sides
    )
    tokens = {row["asset"]: row for _, row in sides}
    assets = pd.DataFrame(
        {"asset": name, "price": float(row["price_usd"]), "decimals": row["decimals"]} for name, row in tokens.items()
    )
    markets = pd.DataFrame(
        {
            "protocol": "aave",
            "asset": row["asset"],
            "liquidation_threshold": float(row["liquidation_threshold"]),
            "liquidation_bonus": round(float(row["liquidation_bonus_factor"]) - 1.0, 12),
            "protocol_fee": float(row["liquidation_protocol_fee"]),
        }
        for row in given["collaterals"]
    )
    mode = given["user_emode"]
    emodes = accounts = None
    if mode:
        flagged = [row["asset"] for row in given["collaterals"] if row["in_user_emode_category"]]
        terms = {
            "protocol": "aave",
            "category": "1",
            "liquidation_threshold": float(mode["liquidation_threshold"]),
            "liquidation_bonus": round(float(mode["liquidation_bonus_factor"]) - 1.0, 12),
        }
        emodes = pd.DataFrame([{**terms, "asset": name} for name in flagged]) if flagged else None
        accounts = pd.DataFrame({"account": ["user"], "protocol": ["aave"], "emode": ["1"]})
    protocols = pd.DataFrame({"protocol": ["aave"], "rule": ["aave_v3"]})
    return rg.Snapshot(positions, assets, protocols, markets, emodes, accounts)


def check(case: dict) -> None:
    given, wanted = case["inputs"], case["outputs"]
    snap = snapshot(given)
    health = rg.health(snap).iloc[0]
    near(health["collateral_usd"], wanted["total_collateral_usd"], USD * len(given["collaterals"]), "collateral")
    near(health["debt_usd"], wanted["total_debt_usd"], USD * len(given["debts"]), "debt")
    near_health(health["health"], wanted["health_factor"], wanted)
    assert (health["status"] in ("liquidatable", "insolvent")) == wanted["liquidatable"]
    call = given["liquidation_call"]
    asked = {} if call["debt_to_cover"] == "max" else {"repay": float(call["debt_to_cover"])}
    pair = {"debt_asset": call["debt_asset"], "collateral_asset": call["collateral_asset"], **asked}
    quote = rg.liquidation_quote(snap, "user", "aave", **pair)
    assert quote.liquidatable == wanted["liquidatable"]
    assert quote.refused == wanted.get("revert_reason", "")
    done = rg.liquidate(snap, "aave", ["user"], **pair)
    after = done.after.positions.set_index(["side", "asset"])["amount"]
    if wanted["reverted"]:
        assert (quote.repaid, quote.seized, len(done.movements)) == (0.0, 0.0, 0)
        return
    decimals = {row["asset"]: row["decimals"] for row in (*given["collaterals"], *given["debts"])}
    taken, owed = unit(decimals[call["collateral_asset"]]), unit(decimals[call["debt_asset"]])
    price = float(next(r["price_usd"] for r in given["collaterals"] if r["asset"] == call["collateral_asset"]))
    near(quote.repaid, wanted["repaid_debt"], owed, "repaid")
    near(quote.seized, wanted["seized_collateral_total"], taken, "seized")
    near(quote.fee, wanted["protocol_fee_collateral"], taken, "fee")
    near(quote.seized - quote.fee, wanted["collateral_to_liquidator"], taken, "to liquidator")
    room = float(taken) * price + quote.seized_usd * 1e-9  # a difference of two values as large as what is seized
    near(quote.bonus_usd - quote.fee_usd, wanted["liquidator_bonus_usd"], room, "bonus")
    deficit = {row["asset"]: row["amount"] for row in wanted["bad_debt_deficit"]}
    assert quote.written_off == bool(deficit)
    written = done.movements[done.movements["why"] == "written off"].set_index("asset")["amount"]
    assert set(written.index) == set(deficit)
    for name, amount in deficit.items():
        near(-written[name], amount, unit(decimals[name]), f"deficit in {name}")
    for side in ("collateral", "debt"):
        for row in wanted[f"{side}_after"]:
            near(after[side, row["asset"]], row["amount"], unit(decimals[row["asset"]]), f"{side} after")
    if wanted["health_factor_after"] is not None:
        near_health(quote.health_after, wanted["health_factor_after"], wanted)


def near_health(found: float, expected: str, wanted: dict) -> None:
    """Health of values that are each rounded to 1e-8 USD."""
    if expected == "infinite":
        assert found == float("inf")
        return
    near(found, expected, 0, "health")
