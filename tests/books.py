"""Random books of a few accounts for hypothesis: every side, wrappers, receipts, several protocols, gaps."""

from __future__ import annotations

import pandas as pd
from hypothesis import strategies as st

from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["ASSETS", "BACKING", "PROTOCOLS", "books"]

# label, kind, family, price
ASSETS = pd.DataFrame(
    [
        ("ETH", "base", "ETH", 2000.0),
        ("stETH", "staked", "ETH", 1990.0),
        ("wstETH", "staked", "ETH", 2200.0),
        ("aETH", "receipt", "ETH", 2000.0),
        ("USD", "stable", "USD", 1.0),
        ("dUSD", "debt_backed", "dUSD", 0.99),
        ("REST", "basket", "", 1.0),
    ],
    columns=["asset", "kind", "family", "price"],
)
BACKING = pd.DataFrame(
    [
        ("stETH", "ETH", 1.0, ""),
        ("wstETH", "stETH", 1.0, ""),
        ("aETH", "ETH", 1.0, "lend"),
        ("dUSD", "USD", 0.25, ""),
        ("dUSD", "vault", 0.5, ""),
    ],
    columns=["token", "backed_by", "share", "issuer"],
)
PROTOCOLS = pd.DataFrame(
    {
        "protocol": ["lend", "vault", "closed"],
        "kind": ["lending"] * 3,
        "rule": ["aave_v3", "morpho_blue", "lending"],
        "lends_collateral": [None, None, False],
    }
)
_SIZES = st.floats(0.0, 1e6, allow_nan=False).map(lambda value: round(value, 3))


@st.composite
def books(draw: st.DrawFn, max_accounts: int = 6) -> Snapshot:
    accounts = [f"u{at}" for at in range(draw(st.integers(1, max_accounts)))]
    row = st.tuples(
        st.sampled_from(accounts),
        st.sampled_from(["lend", "vault", "closed", ""]),
        st.sampled_from(["", "b1"]),
        st.sampled_from(list(ASSETS["asset"])),
        st.sampled_from(["collateral", "collateral", "debt", "deposit"]),
    ).map(lambda r: (*r[:4], "wallet") if r[1] == "" else r)
    rows = draw(st.lists(row, min_size=1, max_size=25, unique=True))
    positions = pd.DataFrame(rows, columns=["account", "protocol", "bucket", "asset", "side"])
    positions["usd"] = draw(st.lists(_SIZES, min_size=len(rows), max_size=len(rows)))
    pairs = sorted({(protocol, asset) for _, protocol, _, asset, _ in rows if protocol})
    markets = pd.DataFrame(pairs, columns=["protocol", "asset"])
    markets["liquidation_threshold"] = draw(st.lists(st.floats(0.3, 0.95), min_size=len(pairs), max_size=len(pairs)))
    markets["liquidation_bonus"] = draw(
        st.lists(st.sampled_from([None, 0.0, 0.05, 0.2]), min_size=len(pairs), max_size=len(pairs))
    )
    markets["liquidation_bonus"] = markets["liquidation_bonus"].astype(float)
    deep = draw(st.lists(st.sampled_from(["ETH", "stETH", "wstETH", "dUSD"]), max_size=4, unique=True))
    liquidity = pd.DataFrame(
        {"asset": deep, "model": "linear", "depth_usd": [1e5 * (3 + at) for at in range(len(deep))]}
    )
    protocols = PROTOCOLS.assign(
        reserve_usd=draw(st.lists(st.sampled_from([None, 5e4]), min_size=3, max_size=3)),
        supply_usd=draw(st.lists(st.sampled_from([None, 2e5, 5e7]), min_size=3, max_size=3)),
    ).astype({"reserve_usd": float, "supply_usd": float})
    claims = pd.DataFrame({"creditor": ["vault"], "debtor": ["lend"], "usd": [draw(_SIZES)]})
    return Snapshot(
        positions=positions,
        assets=ASSETS,
        protocols=protocols,
        markets=markets if pairs else None,
        backing=BACKING,
        liquidity=liquidity if deep else None,
        claims=claims,
    )
