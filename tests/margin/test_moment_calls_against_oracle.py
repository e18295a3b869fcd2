"""Margin calls of one moment against their oracle, one wallet at a time; and what no payment may break."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

import riskgraph as rg
from tests.cascade_books import Case, cases
from tests.naive.calls import margin_calls as naive_calls
from tests.naive.cascade_book import tables_of

ORDERS = st.sampled_from(["pro_rata", "pro_rata", ["lend", "aave3", "comp2"], ["morpho", "euler1", "aave4", "aave2"]])
SAME = {"required_usd": "required_usd", "from_wallet_usd": "wallet_usd", "from_excess_usd": "elsewhere_usd",
        "unmet_usd": "unmet_usd"}  # fmt: skip


def check(snap: rg.Snapshot, shock: dict[str, float], sharing: str | list[str]) -> rg.MarginCalls:
    wanted = naive_calls(tables_of(snap), shock, call_sharing=sharing)
    found = rg.margin_calls(snap, shock, call_sharing=sharing)
    rows = {(row.account, row.protocol, row.bucket): row for row in found.to_frame().itertuples()}
    assert set(rows) == set(wanted)
    for margin, told in wanted.items():
        row = rows[margin]
        for ours, theirs in SAME.items():
            assert math.isclose(getattr(row, ours), told[theirs], rel_tol=1e-9, abs_tol=1e-9 * told["required_usd"]), (
                margin, ours, getattr(row, ours), told[theirs],
            )  # fmt: skip
        assert math.isclose(row.health, told["before"], rel_tol=1e-9)
        assert math.isclose(row.health_after, told["after"], rel_tol=1e-9)
    return found


@settings(max_examples=60)
@given(cases(calls=True), ORDERS)
def test_every_call_is_the_oracles(case: Case, sharing: str | list[str]) -> None:
    found = check(case.snap.replace(liquidity=None), case.shock, sharing)  # nothing is sold
    calls, wallets, tokens = found.to_frame(), found.wallets, found.tokens
    scale = max(float(wallets["wallet_usd"].sum()), 1.0)
    assert np.allclose(wallets["wallet_usd"], wallets["paid_usd"] + wallets["left_usd"], atol=1e-9 * scale, rtol=1e-9)
    assert (tokens["paid_units"] >= 0.0).all() and (tokens["left_usd"] >= 0.0).all()
    paid = found.payments["usd"].sum()
    assert math.isclose(paid, calls["paid_usd"].sum(), rel_tol=1e-9, abs_tol=1e-9)
    assert (found.donors["health_after"] > 1.0).all()
    cured = calls[calls["outcome"] == "cured"]
    assert np.allclose(cured["health_after"], cured["target"], rtol=1e-9) or (cured["health_after"] == np.inf).any()


@given(st.integers(0, 2**32 - 1))
def test_venues_of_positions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tokens = {"USDC": 1.0, "ETH": 2000.0, "GOLD": 100.0, "MEME": 0.5}
    rows = []
    for at in range(5):
        for venue in ("fast", "slow"):
            side = str(rng.choice(["long", "short"]))
            rows.append((f"u{at}", venue, "ETH", side, rng.uniform(0.5, 2.0)))
            rows += [
                (f"u{at}", venue, token, "collateral", rng.uniform(20, 150) / tokens[token])
                for token in rng.choice(list(tokens), size=2, replace=False)
            ]
        rows.append((f"u{at}", "bank", "GOLD", "collateral", rng.uniform(0.5, 5.0)))
        if rng.uniform() < 0.7:
            rows.append((f"u{at}", "bank", "USDC", "debt", rng.uniform(30.0, 200.0)))
        rows += [
            (f"u{at}", "", token, "wallet", rng.uniform(1, 80) / tokens[token])
            for token in rng.choice(list(tokens), size=2, replace=False)
        ]
    haircuts = [("USDC", np.nan), ("ETH", 0.1), ("GOLD", rng.uniform(0.0, 0.4))]
    markets = [
        {"protocol": venue, "asset": token, "haircut": cut, "maintenance_margin": 0.05 if token == "ETH" else np.nan}
        for venue in ("fast", "slow") for token, cut in haircuts
    ]  # fmt: skip
    snap = rg.Snapshot(
        positions=pd.DataFrame(rows, columns=["account", "protocol", "asset", "side", "amount"]),
        assets=pd.DataFrame({"asset": list(tokens), "price": list(tokens.values())}),
        protocols=pd.DataFrame(
            {"protocol": ["fast", "slow", "bank"], "kind": ["perp", "perp", "lending"],
             "rule": ["perp", "perp", "lending"], "call_level": [1.5, 1.2, 1.1], "target_health": [1.8, np.nan, 1.3]}
        ),
        markets=pd.DataFrame([*markets, {"protocol": "bank", "asset": "GOLD", "liquidation_threshold": 0.8}]),
    )  # fmt: skip
    check(snap, {}, "pro_rata")
    check(snap, {"ETH": float(rng.uniform(-0.04, 0.04))}, ["slow", "bank"])
