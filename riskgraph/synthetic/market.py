"""The market side of the synthetic book: tokens, wrappers, lending protocols, thresholds, depth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints, read_only
from riskgraph.synthetic.calibration import PROTOCOL_SHARES

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Market", "market_tables", "synthetic_market"]


class _Token(NamedTuple):
    asset: str
    price: float
    kind: str
    under: str  # what one unit redeems into; empty: nothing
    threshold: float
    bonus: float
    depth: float  # USD, linear model; NaN: shares its underlying's
    volatility: float
    collateral: float  # relative frequency among collateral rows
    debt: float  # relative frequency among debt rows; 0: not borrowable


# Thresholds and bonuses: Aave v3 on Ethereum, 2025-10-10 (stETH: Aave v2, June 2023). Prices: June 2023, rounded.
# Depth: average falls of 1inch quotes of 2023-11-20 read as linear (D = USD sold ÷ 2 · fall at the largest sizes with a
# fall under 15 %): WETH 1.0 bn, wstETH 0.68 bn, WBTC 0.38 bn; depths of stables and small tokens are assumed.
# Row frequencies are set so that the rows that come out show the measured proportions. Collateral: stETH : wstETH :
# rETH = 1,309 : 502 : 40 rows in the Aave stETH book of June 2023 (a receipt at its own issuer becomes wstETH, hence
# 400); the mix of families is assumed, since both measured books were selected by their collateral. Debt: rows of that
# book and of the Aave BTC book of February 2026 together, USDC 697 + 1,406, USDT 275 + 1,527, DAI 234 + 162 (draws
# without return level them out, hence 2,600 and 250), WBTC 8 + 146, LINK 29, wstETH 20, UNI 7; ETH counts the 203 of
# the BTC book only, since borrowing ETH against staked ETH is drawn apart (LOOP_SHARE).
_NONE: Final = float("nan")
CATALOGUE: Final = (
    _Token("ETH", 1720.0, "base", "", 0.83, 0.05, 1.0e9, 0.60, 1250, 203),
    _Token("USDC", 1.0, "stable", "", 0.78, 0.045, 5.0e9, 0.01, 300, 2600),
    _Token("stETH", 1719.0, "staked", "ETH", 0.83, 0.075, 0.68e9, 0.60, 1309, 0),
    _Token("WBTC", 28000.0, "base", "", 0.78, 0.05, 0.38e9, 0.45, 1000, 154),
    _Token("USDT", 1.0, "stable", "", 0.78, 0.045, 5.0e9, 0.01, 150, 1802),
    _Token("wstETH", 1940.0, "staked", "stETH", 0.81, 0.06, _NONE, 0.60, 400, 20),
    _Token("DAI", 1.0, "stable", "", 0.77, 0.05, 1.0e9, 0.01, 150, 250),
    _Token("rETH", 1850.0, "staked", "ETH", 0.79, 0.075, 0.15e9, 0.60, 40, 0),
    _Token("l1wstETH", 1940.0, "receipt", "wstETH", 0.79, 0.06, _NONE, 0.60, 150, 0),
    _Token("LINK", 6.0, "base", "", 0.71, 0.07, 40.0e6, 0.80, 200, 29),
    _Token("sDAI", 1.02, "staked", "DAI", 0.78, 0.045, 0.3e9, 0.01, 60, 0),
    _Token("UNI", 5.0, "base", "", 0.74, 0.10, 30.0e6, 0.85, 100, 7),
)
# Tokens beyond the catalogue repeat this pattern, together TAIL_SHARE of the catalogue's rows, Zipf among themselves.
_PATTERN: Final = ("base", "staked", "receipt", "base", "staked", "stable")
TAIL_SHARE: Final = 0.10
_LTV_GAP: Final = 0.05  # median LT - LTV of 181 Aave v3 reserves, 2025-10-10
_STEPS: Final = (0.0, 0.01, 0.02, 0.03)  # by how much a protocol's thresholds lie below the catalogue's (assumed)
_DEPTH_ACCOUNTS: Final = 3_000  # the depths above belong to a book of this many accounts
_SCALE: Final = 2**40  # weights are integers, so that drawing without return is exact


@dataclass(frozen=True, eq=False)
class Market:
    """What can be held, and where: A assets in catalogue order, P protocols.

    Attributes
    ----------
    assets, kind : tuple of str, length A
    price, bonus, depth, volatility : ndarray, shape (A,)
        USD a unit, share, USD (NaN: shares its underlying's depth), share a year.
    under, base, issuer : ndarray of int, shape (A,)
        Direct underlying (-1: none), base of the family, issuing protocol of a receipt (-1: none).
    collateral_weight, debt_weight : ndarray of int, shape (A,)
        Relative frequencies; debt weight 0 is not borrowable.
    protocols : tuple of str, length P
    protocol_weight : ndarray of int, shape (P,)
    threshold : ndarray, shape (P, A)
        Liquidation thresholds.
    lends_collateral : ndarray of bool, shape (P,)
    """

    assets: tuple[str, ...]
    kind: tuple[str, ...]
    price: Floats
    bonus: Floats
    depth: Floats
    volatility: Floats
    under: Ints
    base: Ints
    issuer: Ints
    collateral_weight: Ints
    debt_weight: Ints
    protocols: tuple[str, ...]
    protocol_weight: Ints
    threshold: Floats
    lends_collateral: Bools

    def __post_init__(self) -> None:
        for value in vars(self).values():
            if isinstance(value, np.ndarray):
                read_only(value)

    @property
    def borrowable(self) -> Bools:
        """Which assets can be debt."""
        return self.debt_weight > 0


def synthetic_market(accounts: int, assets: int, protocols: int, rng: np.random.Generator) -> Market:
    """Draw a market of ``assets`` tokens and ``protocols`` protocols, as deep as a book of ``accounts`` needs."""
    tokens = [*CATALOGUE[:assets], *_invented(assets - len(CATALOGUE), rng)]
    place = {token.asset: at for at, token in enumerate(tokens)}
    under = np.array([place[token.under] if token.under else -1 for token in tokens])
    base = np.arange(assets)
    for at in range(assets):  # an underlying always stands before what wraps it
        base[at] = base[under[at]] if under[at] >= 0 else at
    kind = tuple(token.kind for token in tokens)
    receipts = np.cumsum([name == "receipt" for name in kind]) - 1
    issuer = np.where([name == "receipt" for name in kind], receipts % protocols, -1)
    below = np.concatenate([[0.0], rng.choice(_STEPS, protocols - 1)])
    listed = np.array([token.threshold for token in tokens])
    return Market(
        assets=tuple(token.asset for token in tokens),
        kind=kind,
        price=np.array([token.price for token in tokens]),
        bonus=np.array([token.bonus for token in tokens]),
        depth=np.array([token.depth for token in tokens]) * (accounts / _DEPTH_ACCOUNTS),
        volatility=np.array([token.volatility for token in tokens]),
        under=under,
        base=base,
        issuer=issuer,
        collateral_weight=_weights([token.collateral for token in tokens]),
        debt_weight=_weights([token.debt for token in tokens]),
        protocols=tuple(f"lend_{q + 1}" for q in range(protocols)),
        protocol_weight=_weights([_protocol_share(q) for q in range(protocols)]),
        threshold=np.round(listed[None, :] - below[:, None], 4),
        lends_collateral=np.arange(protocols) % 2 == 0,  # every second one keeps collateral apart
    )


def _protocol_share(q: int) -> float:
    """Return the measured share, or a tail that falls like 1/rank beyond the six measured protocols."""
    known = len(PROTOCOL_SHARES)
    return PROTOCOL_SHARES[q] if q < known else PROTOCOL_SHARES[-1] * known / (q + 1)


def _weights(values: list[float]) -> Ints:
    """Integer weights in proportion; what is above 0 stays above 0."""
    raw = np.array(values, dtype=np.float64)
    whole = np.rint(raw / raw.sum() * _SCALE).astype(np.int64)
    return np.where(raw > 0.0, np.maximum(whole, 1), 0)


def _invented(count: int, rng: np.random.Generator) -> list[_Token]:
    """Tokens A13, A14, … beyond the catalogue: bases, their staked forms and receipts, stables."""
    if count <= 0:
        return []
    zipf = 1.0 / np.arange(1, count + 1)
    rows = TAIL_SHARE * zipf / zipf.sum()
    collateral, debt = (sum(getattr(t, side) for t in CATALOGUE) * rows for side in ("collateral", "debt"))
    price, grown = np.exp(rng.normal(1.5, 2.0, count)), rng.uniform(0.0, 0.3, count)
    threshold, bonus = rng.uniform(0.41, 0.77, count), rng.uniform(0.07, 0.10, count)  # CRV 0.41 … ETHx 0.77, ibid.
    depth, volatility = np.exp(rng.normal(np.log(20e6), 1.2, count)), rng.uniform(0.7, 1.3, count)
    tokens: list[_Token] = []
    first = len(CATALOGUE) + 1
    for k in range(count):
        kind = _PATTERN[k % len(_PATTERN)]
        name = f"A{first + k}"
        lt, usd = round(float(threshold[k]), 3), float(price[k])
        if kind in ("staked", "receipt"):
            base = tokens[k - (k % 3)]  # the base opens every group of three
            worth = base.price * (1.0 + float(grown[k])) if kind == "staked" else base.price
            own = float(depth[k]) if kind == "staked" else _NONE
            tokens.append(base._replace(asset=name, price=worth, kind=kind, under=base.asset, depth=own, debt=0.0))
        elif kind == "stable":
            tokens.append(_Token(name, 1.0, kind, "", 0.75, 0.05, float(depth[k]), 0.02, 0, 0))
        else:
            tokens.append(_Token(name, usd, kind, "", lt, float(bonus[k]), float(depth[k]), float(volatility[k]), 0, 0))
        borrowed = float(debt[k]) if kind in ("base", "stable") else 0.0
        tokens[k] = tokens[k]._replace(collateral=float(collateral[k]), debt=borrowed)
    return tokens


def market_tables(market: Market, debt: Floats, supply: Floats, rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    """Tables assets, protocols, markets, backing, liquidity, given debt and supply by protocol (USD, shape (P,)).

    Reserves are 0.5 to 2 % of debt (assumed).
    """
    return {**_token_tables(market), **_venue_tables(market, debt, supply, rng)}


def _token_tables(market: Market) -> dict[str, pd.DataFrame]:
    import pandas as pd

    names, venues = np.array(market.assets, dtype=object), np.array(market.protocols, dtype=object)
    wrapped, traded = np.flatnonzero(market.under >= 0), np.flatnonzero(~np.isnan(market.depth))
    assets = {
        "asset": names,
        "price": market.price,
        "kind": np.array(market.kind, dtype=object),
        "family": names[market.base],
        "volatility": market.volatility,
    }
    backing = {
        "token": names[wrapped],
        "backed_by": names[market.under[wrapped]],
        "share": np.ones(len(wrapped)),
        "issuer": np.where(market.issuer[wrapped] >= 0, venues[market.issuer[wrapped]], ""),
    }
    liquidity = {
        "asset": names[traded],
        "model": "linear",
        "depth_usd": market.depth[traded],
        "against": np.where(market.under[traded] >= 0, names[market.base[traded]], ""),
    }
    return {
        "assets": pd.DataFrame(assets),
        "backing": pd.DataFrame(backing),
        "liquidity": pd.DataFrame(liquidity),
    }


def _venue_tables(market: Market, debt: Floats, supply: Floats, rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    import pandas as pd

    calls = np.arange(len(market.protocols)) % 3 == 1  # lend_2, lend_5, … call margin before they liquidate
    protocols = {
        "protocol": np.array(market.protocols, dtype=object),
        "kind": "lending",
        "rule": "lending",
        "reserve_usd": np.round(debt * rng.uniform(0.005, 0.02, len(debt)), 2),
        "supply_usd": np.ceil(supply),
        "call_level": np.where(calls, 1.05, np.nan),
        "target_health": np.where(calls, 1.25, np.nan),
        "lends_collateral": market.lends_collateral,
    }
    q, a = (part.ravel() for part in np.indices(market.threshold.shape))
    keep = market.issuer[a] != q  # no protocol takes its own receipt
    q, a = q[keep], a[keep]
    markets = {
        "protocol": pd.Categorical.from_codes(q, pd.Index(market.protocols)),
        "asset": pd.Categorical.from_codes(a, pd.Index(market.assets)),
        "ltv": np.round(market.threshold[q, a] - _LTV_GAP, 4),
        "liquidation_threshold": market.threshold[q, a],
        "liquidation_bonus": np.round(market.bonus[a], 4),
        "borrowable": market.borrowable[a],
    }
    return {"protocols": pd.DataFrame(protocols), "markets": pd.DataFrame(markets)}
