"""Books of futures and options for margin tests: two product families, two protocols, options solved by hand."""

from __future__ import annotations

import pandas as pd
from hypothesis import strategies as st

import riskgraph as rg

__all__ = ["ASSETS", "CHARGES", "COLUMNS", "PIT", "PRICES", "PROTOCOLS", "ROWS", "TERMS", "book", "dead"]

# ETH and stETH are one product family; USDC is what people post
ASSETS = pd.DataFrame(
    [
        ("BTC", 20_000.0, "", 0.10, 0.20),
        ("ETH", 2_000.0, "ETH", 0.15, 0.25),
        ("stETH", 1_900.0, "ETH", 0.18, 0.25),
        ("USDC", 1.0, "", None, None),
    ],
    columns=["asset", "price", "family", "scan_range", "volatility_scan"],
)
PROTOCOLS = pd.DataFrame({"protocol": ["house", "pit"], "rule": "portfolio_margin"})
COLUMNS = ["account", "protocol", "asset", "side", "amount", "option_type", "strike", "expiry", "implied_vol", "bucket"]


def book(*rows, assets=ASSETS, protocols=PROTOCOLS, **more):
    """Snapshot of rows: account, protocol, asset, side, amount, then an option's four terms, then a bucket."""
    filled = [(*row, *(None,) * (len(COLUMNS) - len(row))) for row in rows]
    frame = pd.DataFrame(filled, columns=COLUMNS)
    frame[["strike", "expiry", "implied_vol"]] = frame[["strike", "expiry", "implied_vol"]].astype(float)
    return rg.Snapshot(positions=frame, assets=assets, protocols=protocols, **more)


def dead(kind, strike):
    """Option columns at expiry: what is left is the intrinsic value, so that a person can work with it."""
    return kind, strike, 0.0, 0.5


TERMS = {
    name: {"family": family or name, "scan_range": scan, "volatility_scan": volatility}
    for name, _, family, scan, volatility in ASSETS.itertuples(index=False)
}
PRICES = {("house", name): price for name, price, *_ in ASSETS.itertuples(index=False)}
PRICES |= {("pit", name): price for name, price, *_ in ASSETS.itertuples(index=False)} | {("pit", "BTC"): 21_000.0}
OPTION = st.tuples(
    st.sampled_from(["call", "put"]),
    st.sampled_from([1_500.0, 2_000.0, 19_000.0, 25_000.0]),
    st.sampled_from([0.0, 0.02, 0.5]),
    st.sampled_from([0.1, 0.7]),
)
ROW = st.tuples(
    st.sampled_from(["a", "b"]),
    st.sampled_from(["house", "pit"]),
    st.sampled_from(["BTC", "ETH", "stETH"]),
    st.sampled_from(["long", "short"]),
    st.sampled_from([0.0, 0.5, 1.0, 3.0]),
    st.one_of(st.just((None,) * 4), OPTION),
).map(lambda row: (*row[:5], *row[5]))
ROWS = st.lists(ROW, min_size=1, max_size=7, unique_by=lambda row: (*row[:4], *row[5:8]))
CHARGES = st.fixed_dictionaries(
    {
        "rate": st.sampled_from([0.0, 0.04]),
        "inter_month": st.sampled_from([0.0, 0.02]),
        "short_option_minimum": st.sampled_from([0.0, 0.05]),
        "inter_commodity": st.sampled_from([None, {("ETH", "BTC"): 0.75}]),
        "extreme_move": st.sampled_from([2.0, 3.0]),
        "extreme_cover": st.sampled_from([0.35, 1.0]),
    }
)
PIT = pd.DataFrame({"protocol": ["pit"], "asset": ["BTC"], "price": [21_000.0]})
