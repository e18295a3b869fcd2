"""Liquity v1: ``TroveManager.liquidateTroves``, which goes from the riskiest trove upwards."""

from __future__ import annotations

import pandas as pd

import riskgraph as rg
from tests.reference.cases import near, unit

WEI = unit(18)
MCR, CCR = 1.1, 1.5


def snapshot(given: dict) -> rg.Snapshot:
    """All troves of the system, and the one depositor of the stability pool."""
    rows = [
        row
        for trove in given["troves"]
        for row in (
            (trove["id"], "ETH", "collateral", trove["collateral_eth"]),
            (trove["id"], "LUSD", "debt", trove["debt_lusd_including_200_reserve"]),
        )
    ]
    rows.append((given["stability_pool_depositor"], "LUSD", "deposit", given["stability_pool_deposits_lusd"]))
    positions = pd.DataFrame(rows, columns=["account", "asset", "side", "amount"])
    return rg.Snapshot(
        positions=positions.assign(protocol="liquity", amount=positions["amount"].astype(float)),
        assets=pd.DataFrame({"asset": ["ETH", "LUSD"], "price": [float(given["price_usd"]), 1.0], "decimals": 18}),
        protocols=pd.DataFrame({"protocol": ["liquity"], "rule": ["liquity_v1"]}),
        markets=pd.DataFrame({"protocol": ["liquity"], "asset": ["ETH"], "liquidation_ratio": [MCR]}),
    )


def check(case: dict) -> None:
    given, wanted = case["inputs"], case["outputs"]
    snap = snapshot(given)
    every = [trove["id"] for trove in given["troves"]]
    before = rg.health(snap).set_index("account")
    for name, icr, below in zip(every, wanted["icr"], wanted["liquidatable_normal_mode"], strict=True):
        near(before.loc[name, "health"] * MCR, icr, WEI, f"ICR of {name}")
        assert (before.loc[name, "status"] in ("liquidatable", "insolvent")) == below or wanted["recovery_mode"]
        assert (before.loc[name, "health"] < 1.0) == below
    done = rg.liquidate(snap, "liquity", given["riskiest_first_order"][: given["max_troves"]])
    first = done.steps.iloc[0]
    near(first["tcr"], wanted["tcr"], WEI, "TCR")
    near(first["pool"], wanted["stability_pool_max_offset_lusd"], WEI, "what the pool may offset")
    assert first["recovery_mode"] == wanted["recovery_mode"]
    if wanted["reverted"]:
        assert set(done.steps["refused"]) == {wanted["revert_reason"]}
        assert len(done.movements) == 0 and not done.steps["liquidatable"].any()
        return
    steps = done.steps[done.steps["refused"] == ""]
    assert steps["account"].tolist() == wanted["liquidated_in_order"]
    assert (steps["health_after"] == float("inf")).all() and (steps["liquidatable"]).all()
    check_totals(steps, wanted)
    check_pool(done, given["stability_pool_depositor"], wanted)
    check_troves(done, wanted)


def check_totals(steps: pd.DataFrame, wanted: dict) -> None:
    total = steps.sum(numeric_only=True)
    net = total["to_pool"] + total["redistributed_collateral"]
    near(total["repaid"], wanted["liquidated_debt_lusd"], WEI, "liquidated debt")
    near(net, wanted["liquidated_collateral_eth_net_of_gas_comp_and_surplus"], WEI, "liquidated collateral")
    near(total["seized"] - net, wanted["gas_compensation_eth"], float(WEI) + 1e-12 * total["seized"], "seized for gas")
    near(total["gas_collateral"], wanted["gas_compensation_eth"], WEI, "gas compensation")
    near(total["gas_debt"], wanted["gas_compensation_lusd"], WEI, "gas reserve")
    near(total["offset"], wanted["debt_offset_by_stability_pool_lusd"], WEI, "offset")
    near(total["to_pool"], wanted["eth_to_stability_pool"], WEI, "to the pool")
    near(total["redistributed_debt"], wanted["debt_redistributed_lusd"], WEI, "redistributed debt")
    near(total["redistributed_collateral"], wanted["collateral_redistributed_eth"], WEI, "redistributed collateral")


def amounts(snap: rg.Snapshot) -> dict[tuple[str, str, str], float]:
    rows = snap.positions.astype({"account": str, "side": str, "asset": str})
    return rows.set_index(["account", "side", "asset"])["amount"].to_dict()


def check_pool(done: rg.Liquidated, depositor: str, wanted: dict) -> None:
    after = amounts(done.after)
    near(after[depositor, "deposit", "LUSD"], wanted["stability_pool_lusd_after"], WEI, "pool after")
    near(after[depositor, "deposit", "LUSD"], wanted["depositor_compounded_lusd"], WEI, "compounded deposit")
    near(after.get((depositor, "deposit", "ETH"), 0.0), wanted["depositor_eth_gain"], WEI, "gain of the depositor")


def check_troves(done: rg.Liquidated, wanted: dict) -> None:
    after, health = amounts(done.after), rg.health(done.after).set_index("account")
    for trove in wanted["troves_after"]:
        name = trove["id"]
        near(after[name, "collateral", "ETH"], trove["collateral_eth"], WEI, f"collateral of {name}")
        near(after[name, "debt", "LUSD"], trove["debt_lusd"], WEI, f"debt of {name}")
        near(after.get((name, "deposit", "ETH"), 0.0), trove["claimable_surplus_eth"], WEI, f"surplus of {name}")
        if trove["icr"] is None:
            assert health.loc[name, "health"] == float("inf") and trove["status"] == "closed_by_liquidation"
        else:
            near(health.loc[name, "health"] * MCR, trove["icr"], WEI, f"ICR of {name} after")
    tcr = health["collateral_usd"].sum() / health["debt_usd"].sum()
    near(tcr, wanted["tcr_after"], WEI, "TCR after")
    again = rg.liquidation_quote(done.after, wanted["troves_after"][0]["id"], "liquity").more
    near(again["tcr"], wanted["tcr_after"], WEI, "TCR that the next call meets")
    assert again["recovery_mode"] == wanted["recovery_mode_after"]
