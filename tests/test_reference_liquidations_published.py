"""Published examples of single liquidations, recognised by what they hold, not by their names."""

from __future__ import annotations

import pandas as pd
import pytest

import riskgraph as rg
from tests.test_reference_published import chosen, near

pytestmark = pytest.mark.reference

POOLS = chosen(lambda i, o: {"deposits", "troves"} <= set(i))
BY_CLOSE_FACTOR = chosen(lambda i, o: "close_factor" in i and "collateral_taken_eth" in o)


@pytest.mark.parametrize("example", BY_CLOSE_FACTOR)
def test_a_close_factor_of_one_debt_and_a_bonus(example):
    """All values are in ETH, so that ETH is the unit of account; a threshold below debt ÷ collateral lets it happen."""
    given, wanted = example["inputs"], example["outputs"]
    pledged, owed = given["collateral_eth"], given["debt_eth_equivalent"]
    snap = rg.Snapshot(
        pd.DataFrame(
            {"account": "bob", "protocol": "aave", "asset": ["ETH", "DAI"], "side": ["collateral", "debt"],
             "amount": [pledged, owed]}
        ),
        pd.DataFrame({"asset": ["ETH", "DAI"], "price": [1.0, 1.0]}),
        pd.DataFrame({"protocol": ["aave"], "rule": ["aave_v2"], "close_factor": [given["close_factor"]]}),
        pd.DataFrame({"protocol": ["aave"], "asset": ["ETH"], "liquidation_threshold": [0.99 * owed / pledged],
                      "liquidation_bonus": [given["liquidation_bonus"]]}),
    )  # fmt: skip
    quote = rg.liquidation_quote(snap, "bob", "aave")
    near([quote.repaid, quote.seized], [wanted["repaid_eth_equivalent"], wanted["collateral_taken_eth"]])
    after = rg.liquidate(snap, "aave", ["bob"]).after.positions.set_index("side")["amount"]
    near([after["collateral"], after["debt"]], [wanted["collateral_left"], wanted["debt_left"]])


@pytest.mark.parametrize("example", POOLS)
def test_deposits_of_a_stability_pool_share_in_every_trove(example):
    """No pay for gas, as the example has it; a safe trove beside them, since the last one cannot be liquidated."""
    given, outputs = example["inputs"], example["outputs"]
    troves = [(trove["id"], trove["coll_eth"], trove["debt"]) for trove in given["troves"]] + [("safe", 1e6, 2e3)]
    rows = [(name, "ETH", "collateral", collateral) for name, collateral, _ in troves]
    rows += [(name, "LUSD", "debt", debt) for name, _, debt in troves]
    rows += [(name, "LUSD", "deposit", amount) for name, amount in given["deposits"].items()]
    snap = rg.Snapshot(
        pd.DataFrame(rows, columns=["account", "asset", "side", "amount"]).assign(protocol="liquity"),
        pd.DataFrame({"asset": ["ETH", "LUSD"], "price": [float(given["eth_usd"]), 1.0]}),
        pd.DataFrame({"protocol": ["liquity"], "rule": ["liquity_v1"], "gas_collateral_share": [0.0]}),
        pd.DataFrame({"protocol": ["liquity"], "asset": ["ETH"], "liquidation_ratio": [1.1]}),
    )
    for trove, icr in zip(given["troves"], outputs["icr"], strict=True):
        done = rg.liquidate(snap, "liquity", [trove["id"]])
        near(done.steps.loc[0, "icr"], icr)
        snap, wanted = done.after, outputs[f"after_{trove['id']}"]
        held = snap.positions[snap.positions["side"] == "deposit"].astype({"asset": str, "account": str})
        left, gain = (held[held["asset"] == asset].set_index("account")["amount"] for asset in ("LUSD", "ETH"))
        near(left[list(wanted["deposit"])], list(wanted["deposit"].values()))
        near(gain[list(wanted["eth"])], list(wanted["eth"].values()))
        total = left.sum() + given["eth_usd"] * gain.sum()
        near(total / sum(given["deposits"].values()) - 1.0, wanted["roi"])
        near(total, wanted.get("total_value", total))
