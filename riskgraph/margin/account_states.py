"""Words for how a margin account of the rule ``lending`` stands.

FINE is not called and not liquidatable, EDGE is so by a hair; GONE owes nothing that counts or has nothing, BARE owes
and has nothing; RESTING is called, like CALLED, and has nobody who could pay; of CLOSE floats cannot tell. DUE is
liquidatable; SUNK as well, and no call could end before all is gone, nor will it at prices between its triggers; BRINK
is like it for now.
"""

from __future__ import annotations

__all__ = [
    "BARE", "BRINK", "CALLED", "CLOSE", "DUE", "EDGE", "FINE", "GONE", "QUIET", "RESTING", "STATES", "SUNK", "SURE",
]  # fmt: skip

FINE, EDGE, GONE, BARE, CALLED, RESTING, CLOSE, DUE, SUNK, BRINK = range(10)
STATES = 10
QUIET = 1e-12  # share by which a price moves through rounding
SURE = 1e-9  # share of a sum by which it has to be on one side of an edge, or the account is looked at every time
