"""Published examples of single liquidations, recognised by what they hold, not by their names."""

from __future__ import annotations

import pandas as pd
import pytest

import riskgraph as rg
from tests.test_reference_published import chosen, near

pytestmark = pytest.mark.reference

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
