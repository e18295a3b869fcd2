"""Words for how a margin account of the rule ``lending`` stands.

FINE, NEAR and EDGE are far from, near and next to where it would be called or liquidated; GONE owes nothing that counts
or has nothing, BARE owes and has nothing; of CLOSE floats cannot tell. DUE is liquidatable; SUNK as well, and far from
where calls could end before all is gone, BRINK is not far from it.
"""

from __future__ import annotations

__all__ = [
    "BARE", "BRINK", "CALLED", "CLOSE", "DUE", "EDGE", "FAR", "FINE", "GONE", "NEAR", "NEARBY", "QUIET", "STATES",
    "SUNK", "SURE",
]  # fmt: skip

FINE, NEAR, EDGE, GONE, BARE, CALLED, CLOSE, DUE, SUNK, BRINK = range(10)
STATES = 10
FAR, NEARBY = 0.02, 0.001  # by how much prices may move before those who are FINE, and NEAR, are looked at
QUIET = 1e-12  # and before the others are: less is rounding
SURE = 1e-9  # share of a sum by which it has to be on one side of an edge, or the account is looked at every time
