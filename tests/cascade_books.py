"""Random books for cascades: every pair rule, wrappers, receipts, shared wallets, reserves; health around 1.

``random_book(seed, accounts)`` gives a :class:`Case`: a public snapshot, a shock and the options of a cascade. All
numbers are drawn from continuous ranges, so that no comparison of the rules stands on an edge.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from hypothesis import strategies as st

import riskgraph as rg
from tests.cascade_venues import VENUES

__all__ = ["Case", "cases", "random_book"]

# label, kind, family, price about
ASSETS = (
    ("ETH", "base", "ETH", 2000.0),
    ("stETH", "staked", "ETH", 1990.0),
    ("wstETH", "staked", "ETH", 2300.0),
    ("BTC", "base", "BTC", 40_000.0),
    ("USDC", "stable", "USDC", 1.0),
    ("DAI", "stable", "DAI", 1.0),
    ("aETH", "receipt", "ETH", 2000.0),
    ("lUSDC", "receipt", "USDC", 1.0),
    ("GOV", "synthetic", "GOV", 30.0),
    ("LUSD", "stable", "LUSD", 1.0),
    ("BOLD", "stable", "BOLD", 1.0),
)
BACKING = (
    ("stETH", "ETH", 1.0, ""),
    ("wstETH", "stETH", 1.0, ""),
    ("aETH", "ETH", 1.0, "aave3"),
    ("lUSDC", "USDC", 1.0, "lend"),
    ("GOV", "ETH", 0.3, ""),
)
COLUMNS = ["account", "protocol", "bucket", "asset", "side", "amount", "entry_price", "option_type", "strike", "expiry",
           "implied_vol"]  # fmt: skip
SCANS = {"ETH": 0.15, "BTC": 0.1}
RULES = {
    "lend": "lending",
    "aave2": "aave_v2",
    "aave3": "aave_v3",
    "aave4": "aave_v4",
    "comp2": "compound_v2",
    "morpho": "morpho_blue",
    "euler1": "euler_v1",
    "euler2": "euler_v2",
}
PLEDGED = ("ETH", "stETH", "wstETH", "BTC", "USDC", "aETH", "lUSDC", "GOV")
OWED = ("USDC", "DAI", "ETH", "BTC")
FEES = ("lend", "aave3", "aave4")


@dataclass(frozen=True)
class Case:
    """A book, what happens to it, and how the cascade is to be played."""

    snap: rg.Snapshot
    shock: dict[str, float]
    options: dict[str, object] = field(default_factory=dict)


def random_book(
    seed: int,
    accounts: int = 12,
    *,
    calls: bool = False,
    others: tuple[str, ...] = (),
    models: tuple[str, ...] | None = None,
    depth: float = 1.0,
) -> Case:
    """Draw a book of so many accounts.

    ``others``: venues beside those of pair rules (of ``cascade_venues.VENUES``); ``depth`` scales all markets' depths
    (small: prices fall far).
    """
    rng = np.random.default_rng(seed)
    prices = {name: about * rng.uniform(0.9, 1.1) for name, _, _, about in ASSETS}
    venues = {name: _venue(rng, name, rule, calls) for name, rule in RULES.items()}
    pairs = [(venue, asset) for venue in RULES for asset in dict.fromkeys(PLEDGED + OWED)]
    terms = {pair: _market(rng, *pair) for pair in pairs if pair[0] != "morpho" or pair[1] in ("wstETH", "USDC")}
    tables = _accounts(rng, accounts, prices, terms)
    more = [VENUES[name](rng, accounts, prices) for name in others]
    for one in more:
        venues[one.protocol["protocol"]] = one.protocol | (_calls(rng) if calls else {})
        terms |= one.markets
        tables["positions"] += one.positions
    pledged = _pledged_usd(tables["positions"], prices)
    return Case(
        rg.Snapshot(
            positions=pd.DataFrame(
                [(*row, *(None,) * (len(COLUMNS) - len(row))) for row in tables["positions"]], columns=COLUMNS
            ),
            assets=pd.DataFrame(
                [(name, kind, family, prices[name], rng.uniform(0.2, 0.9)) for name, kind, family, _ in ASSETS],
                columns=["asset", "kind", "family", "price", "volatility"],
            ).assign(scan_range=[SCANS.get(name, np.nan) for name, *_ in ASSETS], volatility_scan=0.2),
            protocols=pd.DataFrame(list(venues.values())),
            markets=pd.DataFrame([{"protocol": p, "asset": a, **row} for (p, a), row in terms.items()]),
            emodes=pd.DataFrame(
                [("aave3", "1", name, rng.uniform(0.9, 0.94), rng.uniform(0.01, 0.03)) for name in PLEDGED[:3]],
                columns=["protocol", "category", "asset", "liquidation_threshold", "liquidation_bonus"],
            ),
            accounts=pd.DataFrame(tables["accounts"]) if tables["accounts"] else None,
            tiers=pd.DataFrame(
                [row for one in more for row in one.tiers],
                columns=["protocol", "asset", "notional_from_usd", "maintenance_margin"],
            )
            if "perps" in others
            else None,
            backing=pd.DataFrame(list(BACKING), columns=["token", "backed_by", "share", "issuer"]),
            liquidity=_liquidity(rng, models, pledged, depth),
        ),
        _shock(rng),
        _options(rng, calls),
    )


def _venue(rng, name, rule, calls):
    row = {"protocol": name, "rule": rule, "oracle_lag_rounds": float(rng.choice([0, 0, 0, 1, 2]))}
    row["oracle_deviation"] = rng.choice([np.nan, np.nan, rng.uniform(0.002, 0.02)])
    row["reserve_usd"] = rng.choice([np.nan, rng.uniform(1e2, 1e5)])
    row["supply_usd"] = rng.choice([np.nan, rng.uniform(1e6, 1e7)])
    if rule in ("lending", "compound_v2"):
        row["close_factor"] = rng.uniform(0.3, 1.0)
    if rule == "lending":
        row["lends_collateral"] = bool(rng.integers(2))
        row["close_factor_hf_threshold"] = rng.choice([np.nan, rng.uniform(0.8, 0.95)])
        row["min_base_max_close_factor_threshold"] = rng.choice([np.nan, rng.uniform(500, 3000)])
        row["min_leftover_base"] = rng.choice([np.nan, rng.uniform(10, 900)])
        row["target_health_factor"] = rng.choice([np.nan, rng.uniform(1.02, 1.3)])
    if rule == "aave_v4":
        row |= {"target_health_factor": rng.uniform(1.02, 1.2), "health_factor_for_max_bonus": rng.uniform(0.7, 0.95)}
        row["liquidation_bonus_factor"] = rng.uniform(0.3, 0.9)
    if rule == "euler_v2":
        row |= {"max_liquidation_discount": rng.uniform(0.05, 0.15), "socialise_debt": bool(rng.integers(2))}
    return row | (_calls(rng) if calls else {})


def _calls(rng):
    """Whether and how a venue calls for margin; some only have a target, so that their accounts can give."""
    if rng.uniform() < 0.2:
        return {"target_health": rng.uniform(1.05, 1.3)} if rng.uniform() < 0.5 else {}
    level = rng.uniform(1.02, 1.2)
    row = {"call_level": level, "target_health": level + rng.uniform(0.01, 0.15)}
    row |= {"grace_rounds": float(rng.choice([0, 0, 1, 2])), "topup": str(rng.choice(["first", ""]))}
    return row


def _market(rng, venue, asset):
    """Terms of an asset at a venue; some thresholds lie so high that calls lower health."""
    row = {}
    if asset in PLEDGED and (venue, asset) != ("morpho", "USDC"):
        row["liquidation_threshold"] = rng.uniform(0.65, 0.93) if venue != "euler1" else rng.uniform(0.7, 0.9)
        if venue not in ("euler1", "euler2"):
            row["liquidation_bonus"] = rng.uniform(0.02, 0.12)
        if venue == "morpho" and rng.uniform() < 0.5:
            del row["liquidation_bonus"]
        if venue in FEES:
            row["protocol_fee"] = rng.uniform(0.0, 0.3)
    if venue == "aave2" and asset == "DAI":  # an account's own threshold may let it in
        row |= {"liquidation_bonus": rng.uniform(0.02, 0.12), "usable_as_collateral": bool(rng.integers(2))}
    if venue == "euler1":
        row["borrow_factor"] = rng.uniform(0.8, 1.0)
    if rng.uniform() < 0.1 and asset not in ("USDC", "DAI"):
        row["usable_as_collateral"] = True
    return row


def _accounts(rng, count, prices, terms):
    """Rows of positions and of accounts."""
    positions, own = [], []
    for at in range(count):
        name, size = f"u{at:03d}", np.exp(rng.uniform(np.log(2e2), np.log(1e6)))
        venues = rng.choice(list(RULES), size=rng.choice([1, 1, 2, 3]), replace=False)
        for venue in venues.tolist():
            mode = "1" if venue == "aave3" and rng.uniform() < 0.3 else ""
            share = rng.uniform(0.6, 0.9) if venue == "aave2" and rng.uniform() < 0.3 else np.nan
            if mode or share == share:
                own.append({"account": name, "protocol": venue, "emode": mode, "liquidation_threshold": share})
            for bucket in ["", "iso"][: 2 if rng.uniform() < 0.1 else 1]:
                positions += _margin(rng, (name, venue, bucket), size, prices, terms, (mode, share))
        for asset in rng.choice(["USDC", "ETH", "DAI", "stETH", "lUSDC"], size=rng.integers(0, 3), replace=False):
            positions.append((name, "", "", asset, "wallet", size * rng.uniform(0.01, 0.3) / prices[asset]))
        if rng.uniform() < 0.4:
            venue, asset = rng.choice(["lend", "morpho", "euler2", "comp2"]), rng.choice(["USDC", "ETH"])
            positions.append((name, venue, "", asset, "deposit", size * rng.uniform(0.1, 2) / prices[asset]))
    return {"positions": positions, "accounts": own}


def _margin(rng, margin, size, prices, terms, own):
    """Collateral and debts of one margin account, with a health about 1.1 at snapshot prices (no e-mode in it)."""
    venue, (mode, share) = margin[1], own
    if venue == "morpho":
        pledged, owed = ["wstETH"], ["USDC"]
    else:
        pledged = rng.choice(PLEDGED, size=rng.choice([1, 1, 2, 3]), replace=False).tolist()
        owed = rng.choice(OWED, size=1 if venue == "euler2" else rng.choice([1, 1, 2]), replace=False).tolist()
    rows, weighted = [], 0.0
    for asset in pledged:
        usd = size * rng.uniform(0.2, 1.0)
        rows.append((*margin, asset, "collateral", usd / prices[asset]))
        known = terms[venue, asset]["liquidation_threshold"] if share != share else share
        weighted += usd * (0.92 if mode and asset in PLEDGED[:3] else known)
    if rng.uniform() < 0.1:
        return rows
    parts = rng.dirichlet(np.ones(len(owed)))
    health = rng.uniform(1.0, 1.45) if rng.uniform() < 0.9 else rng.uniform(0.8, 3.0)
    for asset, part in zip(owed, parts, strict=True):
        factor = terms[venue, asset].get("borrow_factor", 1.0)
        rows.append((*margin, asset, "debt", weighted / health * part * factor / prices[asset]))
    return rows


def _pledged_usd(positions, prices):
    """USD of collateral by asset."""
    found = dict.fromkeys(prices, 0.0)
    for _, _, _, asset, side, amount, *_ in positions:
        if side == "collateral":
            found[asset] += amount * prices[asset]
    return found


def _liquidity(rng, models, pledged, depth):
    """Markets of some assets, as deep as a few times what is pledged of them."""
    models = models or ("linear", "exponential", "square_root", "constant_product", "table")
    rows = []
    for asset in ("ETH", "stETH", "BTC", "GOV", *(["DAI"] if rng.uniform() < 0.3 else [])):
        if rng.uniform() < 0.2:
            continue
        model, size = str(rng.choice(models)), depth * rng.uniform(0.5, 6.0) * (pledged[asset] + 1e4)
        if model != "table":
            rows.append({"asset": asset, "model": model, "depth_usd": size})
            continue
        sold = np.cumsum(rng.uniform(0.02, 0.1, size=rng.integers(1, 5))) * size
        falls = np.sort(rng.uniform(0.01, 0.3, size=len(sold)))
        kind = str(rng.choice(["average", "marginal"]))
        rows += [
            {"asset": asset, "model": model, "sold_usd": x, "price_fall": fall, "price_kind": kind}
            for x, fall in zip(sold, falls, strict=True)
        ]
    return pd.DataFrame(rows) if rows else None


def _shock(rng):
    shock = {"ETH": -rng.uniform(0.05, 0.4)}
    if rng.uniform() < 0.3:
        shock["stETH"] = -rng.uniform(0.1, 0.5)
    if rng.uniform() < 0.3:
        shock["BTC"] = -rng.uniform(0.02, 0.4)
    return shock


def _options(rng, calls):
    options = {
        "calls": calls,
        "liquidators": str(rng.choice(["profitable", "profitable", "always"])),
        "recovery": float(rng.choice([0.0, 0.0, rng.uniform(0.3, 0.8)])),
        "dust_usd": float(rng.uniform(0.5, 20.0)),
    }
    if calls:
        options["closeout"] = bool(rng.integers(2))
        options["topup"] = [None, None, "first"][rng.integers(3)]
        if rng.uniform() < 0.3:
            options["call_sharing"] = list(rng.permutation(list(RULES))[:4])
    return options


@st.composite
def cases(draw: st.DrawFn, most: int = 8, *, calls: bool | None = None, others: bool = False) -> Case:
    """Small cases for hypothesis: a seed, a number of accounts, how deep markets are, and which venues beside."""
    return random_book(
        draw(st.integers(0, 2**32 - 1)),
        draw(st.integers(1, most)),
        others=tuple(draw(st.lists(st.sampled_from(list(VENUES)), unique=True))) if others else (),
        calls=draw(st.booleans()) if calls is None else calls,
        depth=draw(st.sampled_from([0.1, 1.0, 10.0])),
    )
