"""Longs and shorts that were closed by force in a cascade, and what that cost their owners (METHODS 5.9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints, summed

if TYPE_CHECKING:
    import pandas as pd

    from riskgraph.margin.cascade_run import CascadeRun

__all__ = ["CLOSINGS", "ClosedPositions", "closed_frame"]

CLOSINGS = ("closed", "taken over", "auto-deleveraged")  # by order or with a ruined account; by the backstop; by ADL


@dataclass(frozen=True, eq=False)
class ClosedPositions:
    """Positions closed, wholly or in part; arrays of shape (n,).

    ``number`` is the round, ``row`` the row of the book, ``margin`` its margin account, ``action`` a place in
    ``CLOSINGS``, ``units`` what was closed, ``price`` the mark (USD a unit), ``sold`` the units that the market took
    over. ``lost_usd`` is what that cost beyond the move of the price: fees, margin that was taken over (shared by what
    the positions required), what counterparties paid for a ruined account, and what the market gave below the mark;
    ``proceeds_usd`` is what sales brought.
    """

    number: Ints
    row: Ints
    margin: Ints
    action: Ints
    units: Floats
    price: Floats
    sold: Floats
    lost_usd: Floats
    proceeds_usd: Floats

    def __len__(self) -> int:
        return len(self.row)

    @classmethod
    def joined(cls, parts: Sequence[ClosedPositions]) -> ClosedPositions:
        """Put several together, in their order."""
        none, nothing = np.zeros(0, dtype=np.int64), np.zeros(0)
        every = [cls(none, none, none, none, nothing, nothing, nothing, nothing, nothing), *parts]
        return cls(**{one.name: np.concatenate([getattr(part, one.name) for part in every]) for one in fields(cls)})

    def part(self, which: Bools) -> ClosedPositions:
        """Give some of them."""
        return ClosedPositions(**{one.name: getattr(self, one.name)[which] for one in fields(self)})

    def lost_by_margin(self, n_margins: int) -> Floats:
        """USD lost by each margin account of the book."""
        return summed(self.margin, self.lost_usd, n_margins)


def closed_frame(run: CascadeRun) -> pd.DataFrame:
    """Give a row for every position that was closed by force in a round.

    Columns: round, account, protocol, bucket, asset, side, option_type, strike, expiry, action, ``closed`` (units),
    price, closed_usd, sold (units), proceeds_usd, lost_usd.
    """
    import pandas as pd

    from riskgraph.margin.cascade_frames import labels_of, margins_named

    closed, book, positions = run.closed_positions, run.book, run.book.snap.table("positions")
    sides, kinds = np.array(["long", "short"], dtype=object), np.array(["call", "put", ""], dtype=object)
    short = (book.sign[closed.row] < 0.0).astype(np.int64)
    return pd.DataFrame(
        {
            "round": closed.number,
            **margins_named(run, closed.margin),
            "asset": labels_of(run, "asset", book.rows.asset[closed.row]),
            "side": sides[short],
            "option_type": kinds[positions.code("option_type")[closed.row]],
            "strike": positions.number("strike")[closed.row],
            "expiry": positions.number("expiry")[closed.row],
            "action": np.array(CLOSINGS, dtype=object)[closed.action],
            "closed": closed.units,
            "price": closed.price,
            "closed_usd": closed.units * closed.price,
            "sold": closed.sold,
            "proceeds_usd": closed.proceeds_usd,
            "lost_usd": closed.lost_usd,
        }
    )
