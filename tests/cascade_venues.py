"""Venues beside those of pair rules, for random books of cascades: Compound v3, Maker, Liquity, derivatives."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

__all__ = ["VENUES", "Venue"]


@dataclass(frozen=True)
class Venue:
    """Rows of one protocol: its own, markets by (protocol, asset), positions (entry price last, where there is one)."""

    protocol: dict
    markets: dict
    positions: list
    tiers: list = field(default_factory=list)


def _who(rng, accounts, share=0.4):
    """Some of the accounts, at least three, and a size in USD for each."""
    count = max(3, int(share * accounts))
    names = [f"u{at:03d}" for at in rng.permutation(max(accounts, count))[:count]]
    return [(name, np.exp(rng.uniform(np.log(2e3), np.log(1e6)))) for name in names]


def comet(rng, accounts, prices):
    """One base asset; some absorbed accounts leave a surplus, some a loss."""
    goods = ("ETH", "wstETH", "BTC")
    markets = {
        ("comet", asset): {
            "liquidation_threshold": rng.uniform(0.75, 0.9),
            "liquidation_factor": rng.uniform(0.91, 0.97),
        }
        for asset in goods
    }
    positions = []
    for name, size in _who(rng, accounts):
        weighted = 0.0
        for asset in rng.choice(goods, size=rng.integers(1, 4), replace=False).tolist():
            usd = size * rng.uniform(0.2, 1.0)
            positions.append((name, "comet", "", asset, "collateral", usd / prices[asset]))
            weighted += usd * markets["comet", asset]["liquidation_threshold"]
        positions.append((name, "comet", "", "USDC", "debt", weighted / rng.uniform(1.0, 1.4) / prices["USDC"]))
    protocol = {"protocol": "comet", "rule": "compound_v3", "base_asset": "USDC"}
    protocol |= {"target_reserves": rng.uniform(1e4, 1e6), "storefront_price_factor": rng.uniform(0.3, 0.8)}
    if rng.uniform() < 0.5:
        protocol["reserves"] = rng.uniform(1e3, 5e5)
    else:
        protocol["reserve_usd"] = rng.uniform(1e3, 5e5)
    return Venue(protocol, markets, positions)


def maker(rng, accounts, prices):
    """One ilk; limits on what is in auction at once, dust, all three ways in which a price falls."""
    ratio = rng.uniform(1.3, 1.7)
    ilk = {"liquidation_ratio": ratio, "chop": rng.uniform(1.05, 1.15), "buf": rng.uniform(1.1, 1.3)}
    ilk |= {"tail": rng.uniform(3000, 9000), "cusp": rng.uniform(0.3, 0.5), "dust": rng.uniform(100, 2000)}
    ilk |= {"tip": rng.uniform(0, 200), "chip": rng.uniform(0, 0.002), "hole": rng.uniform(2e5, 3e6)}
    shape = str(rng.choice(["stairstep", "linear", "exponential"]))
    ilk |= {"auction_price": shape}
    if shape == "linear":
        ilk["tau"] = rng.uniform(5000, 15000)
    else:
        ilk["cut"] = rng.uniform(0.97, 0.995) if shape == "stairstep" else rng.uniform(0.9998, 0.99995)
    positions = []
    for name, size in _who(rng, accounts):
        positions.append((name, "maker", "", "ETH", "collateral", size / prices["ETH"]))
        positions.append((name, "maker", "", "DAI", "debt", size / ratio / rng.uniform(1.0, 1.4)))
    protocol = {"protocol": "maker", "rule": "maker", "hole": rng.uniform(5e5, 5e6)}
    protocol["reserve_usd"] = rng.choice([np.nan, rng.uniform(1e3, 1e5)])
    return Venue(protocol, {("maker", "ETH"): ilk}, positions)


def _troves(rng, accounts, prices, name, collateral, debt):
    ratio = rng.uniform(1.08, 1.2)
    positions, owed = [], 0.0
    for who, size in _who(rng, accounts):
        amount = size / ratio / rng.uniform(1.0, 1.8)
        owed += amount
        positions.append((who, name, "", collateral, "collateral", size / prices[collateral]))
        positions.append((who, name, "", debt, "debt", amount))
    pool = 0.0
    for who, _ in _who(rng, accounts, 0.2):
        deposit = owed * rng.uniform(0.0, 0.2)
        pool += deposit
        positions.append((who, name, "", debt, "deposit", deposit))
    protocol = {"protocol": name, "rule": name.replace("liquity", "liquity_v")}
    if rng.uniform() < 0.5:
        protocol["stability_pool"] = pool * rng.uniform(1.1, 2.0)
    return Venue(protocol, {(name, collateral): {"liquidation_ratio": ratio}}, positions)


def liquity1(rng, accounts, prices):
    """Recovery mode is near: the whole system's ratio lies about 1.5."""
    found = _troves(rng, accounts, prices, "liquity1", "ETH", "LUSD")
    found.markets["liquity1", "ETH"]["liquidation_ratio"] = 1.1
    return found


def liquity2(rng, accounts, prices):
    found = _troves(rng, accounts, prices, "liquity2", "wstETH", "BOLD")
    found.protocol["penalty_redistribution"] = rng.uniform(0.08, 0.2)
    return found


def perps(rng, accounts, prices):
    """Cross and isolated accounts, long and short, margin in dollars and ether."""
    marks, ladders, positions = ("BTC", "ETH"), {}, []
    for asset in marks:
        rate = rng.uniform(0.01, 0.03)
        ladders[asset] = [(0.0, rate), (rng.uniform(2e5, 1e6), rate * rng.uniform(1.5, 3.0))]
    for name, size in _who(rng, accounts, 0.6):
        for bucket in ["", "iso"][: 1 + (rng.uniform() < 0.3)]:
            margin = (name, "perps", bucket)
            positions.append((*margin, "USDC", "collateral", size * rng.uniform(0.05, 0.4) / prices["USDC"]))
            if rng.uniform() < 0.3:
                positions.append((*margin, "ETH", "collateral", size * rng.uniform(0.02, 0.1) / prices["ETH"]))
            for asset in marks[: 1 if bucket else rng.integers(1, 3)]:
                side = str(rng.choice(["long", "long", "short"]))
                entry = prices[asset] * rng.uniform(0.95, 1.05) if rng.uniform() < 0.8 else np.nan
                positions.append((*margin, asset, side, size * rng.uniform(0.3, 1.2) / prices[asset], entry))
    markets = {("perps", "ETH"): {"haircut": rng.uniform(0.0, 0.1)}, ("perps", "USDC"): {"haircut": 0.0}}
    protocol = {
        "protocol": "perps",
        "rule": "perp",
        "settlement_asset": "USDC",
        "liquidation_fee": rng.uniform(0, 0.02),
    }
    protocol |= {"reserve_usd": rng.uniform(0, 2e4), "partial_above_usd": rng.uniform(2e4, 2e5)}
    protocol |= {"partial_share": rng.uniform(0.1, 0.5), "backstop_share": float(rng.choice([0.0, 2 / 3]))}
    protocol["adl_rank"] = str(rng.choice(["hyperliquid", "binance", "okx", "bitmex"]))
    tiers = [("perps", asset, *step) for asset, steps in ladders.items() for step in steps]
    return Venue(protocol, markets, positions, tiers)


def portfolios(rng, accounts, prices):
    """Futures and options on two product families, also isolated; margin in dollars and ether."""
    contracts = [
        (kind, prices[asset] * rng.uniform(0.8, 1.2), expiry, rng.uniform(0.3, 1.2), asset)
        for asset in ("BTC", "ETH")
        for kind in ("call", "put")
        for expiry in (0.0, rng.uniform(0.05, 0.5))
    ]
    positions = []
    for name, size in _who(rng, accounts, 0.6):
        for bucket in ["", "iso"][: 1 + (rng.uniform() < 0.3)]:
            margin = (name, "house", bucket)
            positions.append((*margin, "USDC", "collateral", size * rng.uniform(0.05, 0.5) / prices["USDC"]))
            if rng.uniform() < 0.3:
                positions.append((*margin, "ETH", "collateral", size * rng.uniform(0.02, 0.1) / prices["ETH"]))
            for asset in ("BTC", "ETH")[: rng.integers(0, 3)]:
                entry = prices[asset] * rng.uniform(0.95, 1.05) if rng.uniform() < 0.8 else np.nan
                side = str(rng.choice(["long", "long", "short"]))
                positions.append((*margin, asset, side, size * rng.uniform(0.2, 1.0) / prices[asset], entry))
            for at in rng.choice(len(contracts), size=rng.integers(0, 4), replace=False).tolist():
                *terms, asset = contracts[at]
                side, units = str(rng.choice(["long", "short"])), size * rng.uniform(0.2, 1.0) / prices[asset]
                positions.append((*margin, asset, side, units, np.nan, *terms))
    markets = {("house", "ETH"): {"haircut": rng.uniform(0.0, 0.1)}}
    protocol = {"protocol": "house", "rule": "portfolio_margin", "settlement_asset": "USDC"}
    protocol |= {"liquidation_fee": rng.uniform(0, 0.02), "reserve_usd": rng.uniform(0, 2e4)}
    return Venue(protocol, markets, positions)


VENUES = {"comet": comet, "maker": maker, "liquity1": liquity1, "liquity2": liquity2, "perps": perps,
          "portfolios": portfolios}  # fmt: skip
