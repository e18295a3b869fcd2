"""Liquity v2: ``TroveManager.batchLiquidateTroves`` on one branch."""

from __future__ import annotations

import pandas as pd

import riskgraph as rg
from tests.reference.cases import near, unit

WEI = unit(18)
INTEREST = 2.0 * 0.2 / 31_536_000  # survivors were read up to two seconds away from the call, at rates up to 20 %


def snapshot(given: dict) -> rg.Snapshot:
    """All troves of the branch; the pool is published, its depositors are not."""
    rows = [
        row
        for trove in given["troves"]
        for row in (
            (trove["id"], given["branch"], "collateral", trove["collateral"]),
            (trove["id"], "BOLD", "debt", trove["debt_bold"]),
        )
    ]
    positions = pd.DataFrame(rows, columns=["account", "asset", "side", "amount"])
    protocol = {
        "protocol": "branch",
        "rule": "liquity_v2",
        "stability_pool": float(given["stability_pool_deposits_bold"]),
        "critical_collateral_ratio": float(given["ccr"]),
        "penalty_stability_pool": float(given["penalty_stability_pool"]),
        "penalty_redistribution": float(given["penalty_redistribution"]),
    }
    market = {"protocol": "branch", "asset": given["branch"], "liquidation_ratio": float(given["mcr"])}
    prices = [float(given["price_usd"]), 1.0]
    return rg.Snapshot(
        positions=positions.assign(protocol="branch", amount=positions["amount"].astype(float)),
        assets=pd.DataFrame({"asset": [given["branch"], "BOLD"], "price": prices, "decimals": 18}),
        protocols=pd.DataFrame([protocol]),
        markets=pd.DataFrame([market]),
    )


def check(case: dict) -> None:
    given, wanted = case["inputs"], case["outputs"]
    snap = snapshot(given)
    before = rg.health(snap).set_index("account")["health"]
    for trove, icr in zip(given["troves"], wanted["icr_before_call"], strict=True):
        near(before[trove["id"]] * float(given["mcr"]), icr, INTEREST * float(icr), f"ICR of {trove['id']}")
    done = rg.liquidate(snap, "branch", given["batch_order"])
    if wanted["reverted"]:
        assert set(done.steps["refused"]) == {wanted["revert_reason"]}
        assert len(done.movements) == 0 and not done.steps["liquidatable"].any()
        return
    steps = done.steps[done.steps["refused"] == ""]
    assert steps["account"].tolist() == wanted["liquidated"]
    total = steps.sum(numeric_only=True)
    near(total["offset"], wanted["debt_offset_by_stability_pool"], WEI, "offset")
    near(total["redistributed_debt"], wanted["debt_redistributed"], WEI, "redistributed debt")
    near(total["gas_weth"], wanted["gas_compensation_weth"], WEI, "gas compensation in WETH")
    near(total["gas_collateral"], wanted["gas_compensation_collateral"], WEI, "gas compensation in collateral")
    near(total["to_pool"], wanted["collateral_to_stability_pool"], WEI, "to the pool")
    near(total["redistributed_collateral"], wanted["collateral_redistributed"], WEI, "redistributed collateral")
    check_surplus(steps, wanted)
    check_after(done, given["branch"], wanted)


def check_surplus(steps: pd.DataFrame, wanted: dict) -> None:
    near(steps["surplus"].sum(), wanted["collateral_surplus_to_owners"], WEI, "surplus")
    assert set(steps["account"]) == set(wanted["owner_surplus"])
    for found in steps.itertuples():
        near(found.surplus, wanted["owner_surplus"][found.account], WEI, f"surplus of {found.account}")


def check_after(done: rg.Liquidated, collateral: str, wanted: dict) -> None:
    rows = done.after.positions.astype({"account": str, "side": str, "asset": str})
    after = rows.set_index(["account", "side", "asset"])["amount"].to_dict()
    pool = done.after.protocols.loc[0, "stability_pool"]
    near(pool, wanted["stability_pool_deposits_after"], WEI, "pool after")
    for trove in wanted["troves_after"]:
        name, closed = trove["id"], trove["status"] == "closedByLiquidation"
        assert closed == (name in wanted["liquidated"])
        room = WEI if closed else INTEREST * float(trove["debt_bold"])
        near(after[name, "collateral", collateral], trove["collateral"], WEI, f"collateral of {name}")
        near(after[name, "debt", "BOLD"], trove["debt_bold"], room, f"debt of {name}")
        surplus = wanted["owner_surplus"].get(name, "0")
        near(after.get((name, "deposit", collateral), 0.0), surplus, WEI, f"claim of {name}")
