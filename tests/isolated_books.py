"""Books for tests of cross against isolated margin: one by hand, a real venue, and what their accounts are worth."""

from __future__ import annotations

import numpy as np
import pandas as pd

import riskgraph as rg
from riskgraph.margin.account_health import margin_accounts

__all__ = ["ANN", "equities", "whales"]

ANN = [
    ("ann", "BTC", "long", 1.0, 19_000.0),
    ("ann", "ETH", "short", 10.0, 1_000.0),
    ("ann", "USDC", "collateral", 3_000.0),
]


def equities(snap):
    """Equity and requirement of every margin account by (account, bucket)."""
    margins, at = margin_accounts(snap).derivatives, snap.book
    names = [snap.labels("account")[int(code)].as_py() for code in at.margin_account]
    buckets = [snap.labels("bucket")[int(code)].as_py() if code >= 0 else "" for code in at.margin_bucket]
    keys = list(zip(names, buckets, strict=True))
    return dict(zip(keys, margins.equity, strict=True)), dict(zip(keys, margins.maintenance, strict=True))


def whales(folder, moment):
    """Accounts of a venue of perpetuals at one moment: cash is account value less unrealised PnL, of either sign."""
    rows = pd.read_parquet(folder / "hyperliquid_whales_202602" / "positions_panel.parquet")
    rows = rows[rows["snapshot_utc"].astype(str).str.startswith(moment)]
    owner = rows.groupby("account")
    cash = owner["account_value_usd"].first() - owner["unrealized_pnl_usd"].sum()
    held = pd.DataFrame(
        {
            "account": rows["account"],
            "asset": rows["coin"],
            "side": rows["direction"].str.lower(),
            "amount": rows["size"].abs(),
            "entry_price": rows["entry_px"],
        }
    )
    money = pd.DataFrame(
        {
            "account": cash.index,
            "asset": "USDC",
            "side": np.where(cash < 0.0, "debt", "collateral"),
            "amount": cash.abs().to_numpy(),
        }
    )
    coins = rows.groupby("coin").agg(price=("mark_px", "median"), leverage=("leverage", "max"))
    return rg.Snapshot(
        positions=pd.concat([held, money], ignore_index=True).assign(protocol="hyperliquid"),
        assets=pd.DataFrame({"asset": [*coins.index, "USDC"], "price": [*coins["price"], 1.0]}),
        protocols=pd.DataFrame({"protocol": ["hyperliquid"], "rule": "perp", "settlement_asset": "USDC"}),
        markets=pd.DataFrame(
            {"protocol": "hyperliquid", "asset": coins.index, "maintenance_margin": 0.5 / coins["leverage"].to_numpy()}
        ),
    )
