"""What the measures of reuse left out, assumed or could not tell, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from riskgraph.reuse_measures import Measures
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["notes_of"]


def notes_of(snap: Snapshot, measures: Measures) -> tuple[str, ...]:
    """Give one line a thing that stands apart or was assumed."""
    lines = [note for note in snap.families.notes if note.startswith("backing:")]
    insolvent = int((measures.worth.equity <= 0.0).sum())
    remainder = float(np.abs(snap.book.collateral_remainder).sum() + np.abs(snap.book.debt_remainder).sum())
    for usd, words in (
        (measures.basket_usd, "stand in baskets, whose tokens are not known: in no base, never looped"),
        (measures.untraced_usd, "are the part of tokens that nothing known stands behind: in no base"),
        (measures.insolvent_usd, f"are posted by {insolvent:,} accounts with no equity left: apart, in no base"),
        (float(measures.matching.unmatched_usd.sum()), "of receipts, LP and debt-backed tokens count once, as their "
         "deposits are not in the snapshot (unmatched)"),
        (remainder, "by which published totals differ from the rows (either sign) are in no base"),
    ):  # fmt: skip
        if usd > 0.0:
            lines.append(f"reuse: ${usd:,.0f} {words}")
    return tuple(lines)
