"""Small books for rules of one collateral and one debt a call: one protocol, ETH at 1,000 and dollars at 1."""

from __future__ import annotations

import pandas as pd

import riskgraph as rg

PRICES = {"BTC": 20_000.0, "ETH": 1_000.0, "USDC": 1.0, "DAI": 1.0}


def book(rule: str, *rows: tuple, prices=None, decimals=None, venue=None, markets=None, accounts=None) -> rg.Snapshot:
    """Rows are (asset, side, amount), of ann unless an account stands before them; terms are given by name."""
    full = [row if len(row) == 4 else ("ann", *row) for row in rows]
    positions = pd.DataFrame(full, columns=["account", "asset", "side", "amount"]).assign(protocol="p")
    at = {**PRICES, **(prices or {})}
    assets = pd.DataFrame({"asset": list(at), "price": list(at.values())})
    if decimals:
        assets["decimals"] = [decimals.get(name) for name in at]
    frames = {
        "protocols": pd.DataFrame([{"protocol": "p", "rule": rule, **(venue or {})}]),
        "markets": pd.DataFrame([{"protocol": "p", "asset": name, **terms} for name, terms in (markets or {}).items()]),
        "accounts": pd.DataFrame([{"account": who, "protocol": "p", **own} for who, own in (accounts or {}).items()]),
    }
    return rg.Snapshot(positions, assets, **{name: frame for name, frame in frames.items() if len(frame)})


def quote(snap: rg.Snapshot, account: str = "ann", **call) -> rg.Quote:
    return rg.liquidation_quote(snap, account, "p", **call)


def left(snap: rg.Snapshot) -> dict[tuple[str, str, str], float]:
    """Amounts by account, side and asset."""
    rows = snap.positions.astype({"account": str, "side": str, "asset": str})
    return rows.set_index(["account", "side", "asset"])["amount"].to_dict()
