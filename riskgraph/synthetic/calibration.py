"""What the generator is calibrated to: one measured fact each, or the word assumed.

Books: "stETH" is every Aave account on Ethereum with stETH or wstETH collateral, June 2023 (1,811 margin accounts,
1,798 with debt above 1 USD); "BTC" is every Aave v3 account there that ever held a whole BTC, February 2026 (3,167 with
debt); "links" are 2,310 borrower-protocol pairs of 2,033 borrowers, February 2026. Sources of the books stand in
``datasets/synthetic/README.md``.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "COLLATERAL_ROWS",
    "DEBT_ROWS",
    "HEALTH",
    "LENDERS",
    "LOOP_HEALTH_SHIFT",
    "LOOP_SHARE",
    "LOOP_SIZE_SHIFT",
    "MULTI_SHIFT",
    "PROTOCOL_COUNTS",
    "PROTOCOL_SHARES",
    "SIZE",
    "SIZE_HEALTH",
    "UTILISATION",
    "WALLETS",
    "WALLET_DECADES",
]

Knots = tuple[tuple[float, float], ...]

# Share of margin accounts below, and their collateral in USD: stETH. The largest there is 373 M; in books larger than
# that one the tail goes on to 1 bn at one in ten million (assumed).
_SMALL: Final[Knots] = ((0.0, 30.0), (0.01, 178.0), (0.05, 181.0), (0.1, 270.0), (0.2, 2_145.0), (0.25, 4_465.0))
_MIDDLE: Final[Knots] = ((0.3, 7_542.0), (0.4, 19_450.0), (0.5, 40_300.0), (0.6, 79_700.0), (0.7, 152_900.0))
_LARGE: Final[Knots] = ((0.8, 360_800.0), (0.9, 1.282e6), (0.95, 4.37e6), (0.99, 28.09e6), (0.999, 98.18e6))
SIZE: Final[Knots] = (*_SMALL, *_MIDDLE, *_LARGE, (1 - 1 / 3600, 373e6), (1 - 1e-7, 1e9))

# Share of margin accounts below, and their health factor: stETH; four of 1,798 (0.22 %) stood below 1.
_POOR: Final[Knots] = ((0.0, 0.836), (0.001, 0.981), (0.0022, 1.0), (0.01, 1.037), (0.05, 1.104), (0.1, 1.175))
_USUAL: Final[Knots] = ((0.2, 1.281), (0.3, 1.468), (0.4, 1.67), (0.5, 1.892), (0.6, 2.185), (0.7, 2.626), (0.8, 3.195))
_SAFE: Final[Knots] = ((0.9, 4.541), (0.95, 6.312), (0.99, 24.51), (0.999, 641.7), (1 - 1 / 3600, 4254.0))
HEALTH: Final[Knots] = (*_POOR, *_USUAL, *_SAFE)

SIZE_HEALTH: Final = -0.23  # correlation of normal scores; stETH: Spearman of collateral and health factor -0.23

# Margin accounts with 1, 2, 3, … rows. Collateral: stETH (shares). Debt: stETH and BTC together (counts).
COLLATERAL_ROWS: Final = (0.6643, 0.2938, 0.0375, 0.0033, 0.0011)
DEBT_ROWS: Final = (3657.0, 975.0, 244.0, 52.0, 33.0)

# Borrowers with 1, 2, 3, 4 protocols: links. Those with two or more had borrowed five times as much (median), that is
# log10(5) = 0.7 decades more on two protocols, 0.35 on each, over a spread of 1.3 decades; of that half is kept, since
# lifetime borrowing is not size (assumed).
PROTOCOL_COUNTS: Final = (1794.0, 206.0, 28.0, 5.0)
MULTI_SHIFT: Final = 0.15
# Borrowers on one protocol only, by protocol, largest first: links. (Of all links the largest then has 76 %.)
PROTOCOL_SHARES: Final = (1517.0, 184.0, 73.0, 10.0, 5.0, 5.0)

# Owing ETH against staked ETH: 29 % (526 of 1,803 accounts of stETH); more here, since only accounts whose first token
# is staked can be drawn. Median health where ETH is most of the debt 1.27, else 2.20: 1.1 normal scores lower in the
# measured mix, more where fewer loop; upper quartile of collateral 487,000 USD, else 177,000.
LOOP_SHARE: Final = 0.37
LOOP_HEALTH_SHIFT: Final = -1.4
LOOP_SIZE_SHIFT: Final = 0.25

# Assumed, since no measured book shows lenders or wallets: shares of accounts, free money ÷ position in decades (mean,
# standard deviation), and what lenders outside the book leave unused.
LENDERS: Final = 0.25
WALLETS: Final = 0.30
WALLET_DECADES: Final = (-1.0, 0.5)
UTILISATION: Final = 0.8  # largest share of a token's supply that is lent out
