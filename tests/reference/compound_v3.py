"""Compound v3 (Comet): ``absorb``, then one ``buyCollateral``."""

from __future__ import annotations

from fractions import Fraction

import pandas as pd

import riskgraph as rg
from tests.reference.cases import near, unit

USD = unit(8)
FLOAT = Fraction(1, 2**50)  # amounts reach the snapshot as float64, and what is left of them is a difference


def snapshot(given: dict) -> rg.Snapshot:
    """One borrower of the base asset."""
    held = given["collaterals"]
    rows = [("collateral", row["asset"], row["amount"]) for row in held]
    rows.append(("debt", "BASE", given["borrower_base_debt"]))
    positions = pd.DataFrame(rows, columns=["side", "asset", "amount"])
    positions = positions.assign(account="user", protocol="comet", amount=positions["amount"].astype(float))
    tokens = [(row["asset"], row["price_usd"], row["decimals"]) for row in held]
    tokens.append(("BASE", given["base_price_usd"], given["base_decimals"]))
    assets = pd.DataFrame(tokens, columns=["asset", "price", "decimals"])
    markets = pd.DataFrame(
        {
            "protocol": "comet",
            "asset": row["asset"],
            "ltv": float(row["borrow_collateral_factor"]),
            "liquidation_threshold": float(row["liquidate_collateral_factor"]),
            "liquidation_factor": float(row["liquidation_factor"]),
        }
        for row in held
    )
    terms = {
        "storefront_price_factor": "storefront_price_factor", "target_reserves": "target_reserves",
        "base_supply_index": "base_supply_index", "reserves": "protocol_reserves_before",
    }  # fmt: skip
    numbers = {name: float(given[theirs]) for name, theirs in terms.items()}
    protocols = pd.DataFrame([{"protocol": "comet", "rule": "compound_v3", "base_asset": "BASE", **numbers}])
    return rg.Snapshot(positions, assets.astype({"price": float}), protocols, markets)


def check(case: dict) -> None:
    given, wanted = case["inputs"], case["outputs"]
    snap = snapshot(given)
    health = rg.health(snap).iloc[0]
    several = USD * (1 + len(given["collaterals"]))  # every value is rounded on its own
    near(health["health"], wanted["health_ratio_liquidation"], unit(12), "health")
    assert (health["status"] in ("liquidatable", "insolvent")) == wanted["liquidatable"]
    quote = rg.liquidation_quote(snap, "user", "comet")
    near(quote.health_before, wanted["health_ratio_liquidation"], several / Fraction(quote.repaid_usd or 1), "health")
    assert quote.liquidatable == wanted["liquidatable"]
    assert quote.refused == wanted.get("revert_reason", "")
    done = rg.liquidate(snap, "comet", ["user"])
    if wanted["reverted"]:
        assert (quote.repaid, quote.seized, len(done.movements)) == (0.0, 0.0, 0)
        return
    smallest = unit(given["base_decimals"])
    near(quote.repaid, given["borrower_base_debt"], smallest, "repaid")
    near(quote.more["base_paid_out"], wanted["base_paid_out"], smallest, "paid out")
    price = Fraction(given["base_price_usd"])
    near(quote.more["base_paid_out_usd"], wanted["base_paid_out_usd"], USD + smallest * price, "paid out, USD")
    near(
        quote.more["uncovered_usd"],
        wanted["uncovered_debt_at_liquidation_factor_usd"],
        room(quote, several),
        "uncovered",
    )
    near(quote.bad_debt_usd, wanted["true_shortfall_usd_at_oracle_price"], room(quote, several), "shortfall")
    near(quote.seized_usd, sum(Fraction(row["value_usd"]) for row in wanted["absorbed_collateral"]), several, "seized")
    near_state(done, given, wanted)
    sale_of(done.after, given, wanted["buy_collateral"])


def room(quote: rg.Quote, several: Fraction) -> Fraction:
    """Differences of values."""
    return several + Fraction(quote.repaid_usd) * FLOAT


def near_state(done: rg.Liquidated, given: dict, wanted: dict) -> None:
    """What the account is left with, and what the protocol holds and owns."""
    left = done.after.positions.set_index(["account", "side", "asset"])["amount"]
    smallest = unit(given["base_decimals"])
    assert left["user", "debt", "BASE"] == float(wanted["borrower_debt_after"]) == 0.0
    near(left.get(("user", "deposit", "BASE"), 0.0), wanted["borrower_base_surplus_after"], smallest, "surplus")
    taken = {row["asset"]: row for row in wanted["absorbed_collateral"]}
    assert set(taken) == {row["asset"] for row in given["collaterals"]}
    for row in given["collaterals"]:
        name = row["asset"]
        assert left["user", "collateral", name] == 0.0
        near(left["comet", "deposit", name], taken[name]["amount"], unit(row["decimals"]), f"held {name}")
        value = left["comet", "deposit", name] * float(row["price_usd"])
        near(value, taken[name]["value_usd"], USD, f"value of {name}")
    after = done.after.protocols["reserves"].iloc[0]
    paid = Fraction(wanted["base_paid_out"])
    near(after, wanted["protocol_reserves_after"], smallest + paid * FLOAT, "reserves")
    change = after - done.before.protocols["reserves"].iloc[0]
    near(change, wanted["reserves_change"], smallest + (paid + Fraction(given["protocol_reserves_before"])) * FLOAT)


def sale_of(snap: rg.Snapshot, given: dict, wanted: dict) -> None:
    name = wanted["asset"]
    token = next(row for row in given["collaterals"] if row["asset"] == name)
    sale = rg.buy_collateral(snap, "comet", name, base=float(wanted["base_amount_in"]))
    near(sale.quoted, wanted["quote_collateral_out"], unit(token["decimals"]), "quoted")
    assert sale.refused == ("" if wanted["result"] == "ok" else wanted["result"].removeprefix("reverted: "))
    if sale.refused:
        assert (sale.bought, sale.paid, len(sale.movements)) == (0.0, 0.0, 0)
        return
    near(sale.bought, wanted["collateral_out"], unit(token["decimals"]), "bought")
    room = unit(given["base_decimals"]) + Fraction(abs(sale.reserves_before)) * FLOAT
    near(sale.reserves_after, wanted["protocol_reserves_after_sale"], room, "reserves after the sale")
    assert sale.after.protocols["reserves"].iloc[0] == sale.reserves_after
    held = [one.positions.set_index(["account", "asset"])["amount"]["comet", name] for one in (snap, sale.after)]
    near(held[0] - held[1], wanted["collateral_out"], unit(token["decimals"]) + Fraction(held[0]) * FLOAT, "left")
