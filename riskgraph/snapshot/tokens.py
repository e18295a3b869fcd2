"""The small bundled table of well-known tokens: kind, family and what stands behind each.

General knowledge of the token's construction (its issuer's documentation says so), no prices. It is asked only for
tokens that a snapshot's own ``assets`` and ``backing`` tables are silent about, and every use of it is said in
``assumptions``. A token that is not in it and not described is its own family.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["TOKENS", "Token"]


@dataclass(frozen=True)
class Token:
    """One token: its kind, its family, and the token that stands behind it in full.

    ``stands_for`` names the base that this token takes the place of where the base itself is not in a snapshot
    (WETH for ETH: one contract wraps one for the other at any time).
    """

    kind: str
    family: str
    backed_by: str = ""
    stands_for: str = ""


def _staked(base: str, *names: str) -> dict[str, Token]:
    return {name: Token("staked", base, base) for name in names}


def _stable(*names: str) -> dict[str, Token]:
    return {name: Token("stable", name) for name in names}


TOKENS: Final[dict[str, Token]] = {
    "ETH": Token("base", "ETH"),
    "WETH": Token("base", "ETH", "ETH", stands_for="ETH"),
    **_staked("ETH", "stETH", "rETH", "cbETH", "eETH", "rsETH", "ezETH", "osETH", "ETHx", "swETH", "mETH", "frxETH"),
    "wstETH": Token("staked", "ETH", "stETH"),
    "weETH": Token("staked", "ETH", "eETH"),
    "sfrxETH": Token("staked", "ETH", "frxETH"),
    "BTC": Token("base", "BTC"),
    "WBTC": Token("base", "BTC", "BTC"),
    "cbBTC": Token("base", "BTC", "BTC"),
    "tBTC": Token("base", "BTC", "BTC"),
    **_stable("USDC", "USDT", "DAI", "USDS", "USDe", "FRAX", "LUSD", "BOLD", "TUSD", "BUSD", "GUSD", "USDP"),
    **_stable("SUSD", "sUSD", "FEI", "MIM", "GHO", "crvUSD", "PYUSD", "RLUSD", "FDUSD", "USR", "deUSD", "DOLA"),
    "sDAI": Token("staked", "DAI", "DAI"),
    "sUSDS": Token("staked", "USDS", "USDS"),
    "sUSDe": Token("staked", "USDe", "USDe"),
    "sdeUSD": Token("staked", "deUSD", "deUSD"),
    "wstUSR": Token("staked", "USR", "USR"),
    # A remainder whose tokens are not known, as exports call it.
    "OTHER": Token("basket", "OTHER"),
}
