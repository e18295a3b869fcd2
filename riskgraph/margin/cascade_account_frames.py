"""Frames of what a cascade leaves: every margin account, and who bore what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Floats, summed
from riskgraph.margin.account_health import formed
from riskgraph.margin.cascade_frames import margins_named
from riskgraph.margin.venue_frames import open_debts, taken_by_margin

if TYPE_CHECKING:
    import pandas as pd

    from riskgraph.margin.cascade_run import CascadeRun

__all__ = ["accounts_frame", "losses_frame"]


def accounts_frame(run: CascadeRun) -> pd.DataFrame:
    """Give a row a margin account: health, what was repaid, seized and written off, and what became of it."""
    import pandas as pd

    rows = run.book.rows
    n = len(rows.margin_account)
    repaid, seized = np.zeros(n), np.zeros(n)
    for done in run.rounds[: run.played]:
        made = done.made
        if len(made):
            usd = made.repaid * done.taken * done.shown[rows.pair[made.owed]]
            repaid += summed(made.margin, usd, n)
            usd = made.seized * done.taken * done.shown[rows.pair[made.pledged]]
            seized += summed(made.margin, usd, n)
    more = taken_by_margin(run)
    repaid, seized = repaid + more[0], seized + more[1]
    before, after = formed(run.book.snap), run.end
    return pd.DataFrame(
        {
            **margins_named(run, np.arange(n)),
            "health_before": before.health,
            "health_after": after.health,
            "collateral_usd": after.collateral,
            "debt_usd": after.debt,
            "first_due": pd.arrays.IntegerArray(run.first_due.astype(np.int64), run.first_due < 0),
            "repaid_usd": repaid,
            "seized_usd": seized,
            "written_off_usd": run.losses.written_off,
            "lost_usd": run.closed_positions.lost_by_margin(n),
            "bad_debt_usd": run.losses.written_off + open_debts(run),
            "outcome": _fates(run, seized, after),
        }
    )


def _fates(run: CascadeRun, seized: Floats, after: Any) -> Any:
    due = np.zeros(len(seized), dtype=np.bool_)
    due[run.last_due] = True
    hit = seized > 0.0
    called = np.zeros(len(seized), dtype=np.bool_)
    paid = np.zeros(len(seized), dtype=np.bool_)
    for done in run.rounds[: run.played]:
        if done.calls is not None:
            called[done.calls.calls.margin] = True
            if done.calls.paid is not None:
                paid[done.calls.calls.margin[done.calls.paid.call]] = True
    open_now = run.desk.issued >= 0 if run.desk is not None else np.zeros(len(seized), dtype=np.bool_)
    gone = hit & (after.debt <= 0.0) | (run.losses.written_off > 0.0)
    words = np.select(
        [gone, due, hit, open_now & called, called & paid, called],
        ["closed", "stranded", "liquidated", "restricted", "cured", "called"],
        "untouched",
    )
    return words.astype(object)


def losses_frame(run: CascadeRun) -> pd.DataFrame:
    """Give the waterfall of losses by protocol and bearer, USD; ``open`` is bad debt that still stands."""
    import pandas as pd

    open_usd = summed(run.book.rows.margin_protocol, open_debts(run) - run.unpaid, run.book.shape[0])
    whole = np.column_stack([run.losses.borne, open_usd])
    bearers = [*run.losses.COLUMNS, "open"]
    names = run.book.snap.labels("protocol").to_pylist()
    at, which = np.nonzero(whole)
    return pd.DataFrame(
        {
            "protocol": [names[one] for one in at],
            "bearer": [bearers[one] for one in which],
            "usd": whole[at, which],
        }
    )
