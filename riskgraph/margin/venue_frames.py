"""What protocols without pair rules add to the frames of a cascade: sums by round and account, and their own steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Floats, Ints, summed
from riskgraph.margin.venue_steps import ACTIONS

if TYPE_CHECKING:
    import pandas as pd

    from riskgraph.margin.cascade_run import CascadeRun
    from riskgraph.snapshot.book import Book

__all__ = ["open_debts", "steps_frame", "taken_by_margin", "taken_in_round", "uncovered_at_market", "uncovered_usd"]


def open_debts(run: CascadeRun) -> Floats:
    """Give bad debt that stands at the end without being written off, USD by margin account.

    What is owed beyond collateral; of longs and shorts what an account is worth below nothing, and what nobody paid for
    it when it was ruined.
    """
    end, unpaid = run.end, run.unpaid
    left = np.where(end.debt > 0.0, np.maximum(end.debt - end.collateral, 0.0), 0.0)
    if end.derivatives is not None:
        traded = end.derivatives.positions > 0
        left = np.where(traded, np.maximum(-end.derivatives.equity, 0.0), left)
    return left + unpaid


def uncovered_usd(book: Book, usd: Floats) -> float:
    """Debt beyond collateral over all margin accounts, where the rows of a book are worth so much, USD."""
    collateral = book.by_margin(usd, book.rows("collateral")) + book.collateral_remainder
    debt = book.by_margin(usd, book.rows("debt")) + book.debt_remainder
    return float(np.maximum(debt - collateral, 0.0)[debt > 0.0].sum())


def uncovered_at_market(run: CascadeRun) -> float:
    """Debt beyond collateral at the end, at market prices where oracles may be late or fixed, USD."""
    start, book = run.book.start_price, run.book.snap.book  # with rows for what calls bring to where nothing stood
    move = np.divide(run.final_price, start, out=np.ones(len(start)), where=start > 0.0)
    return uncovered_usd(book, run.book.amount * book.price * move[book.asset])


def taken_in_round(run: CascadeRun, number: int) -> tuple[Ints, float, float, float]:
    """Give margin accounts called in a round where no pair rule is; USD repaid, seized, and brought by sales."""
    steps = run.steps
    now = steps.number == number
    called = now & (steps.action < ACTIONS.index("auto-deleveraged"))
    repaid, seized, brought = (
        float(part.sum()) for part in (steps.repaid_usd[called], steps.seized_usd[called], steps.proceeds_usd[now])
    )
    return np.unique(steps.margin[called]).astype(np.int64), repaid, seized, brought


def taken_by_margin(run: CascadeRun) -> tuple[Floats, Floats]:
    """Give USD repaid and seized (oracle prices) of every margin account where no pair rule is called."""
    steps, n = run.steps.liquidating(), len(run.book.rows.margin_account)
    return summed(steps.margin, steps.repaid_usd, n), summed(steps.margin, steps.seized_usd, n)


def steps_frame(run: CascadeRun) -> pd.DataFrame:
    """Give a row for everything done in a round where no pair rule is called.

    Columns: round, protocol, account and bucket (empty: the protocol's own stock), action, collateral_asset,
    debt_asset, seized, seized_usd, repaid, repaid_usd, proceeds_usd.
    """
    import pandas as pd

    from riskgraph.margin.cascade_frames import labels_of

    steps, rows = run.steps, run.book.rows
    known = steps.margin >= 0
    parts = {"account": rows.margin_account, "bucket": rows.margin_bucket}
    codes = {name: np.where(known, column[np.maximum(steps.margin, 0)], -1) for name, column in parts.items()}
    venue = np.concatenate(
        [np.full(len(part), protocol) for protocol, desk in run.desks.items() for part in desk.steps]
        or [np.zeros(0, dtype=np.int64)]
    )
    return pd.DataFrame(
        {
            "round": steps.number,
            "protocol": labels_of(run, "protocol", venue),
            "account": labels_of(run, "account", codes["account"]),
            "bucket": labels_of(run, "bucket", codes["bucket"]),
            "action": np.array(ACTIONS, dtype=object)[steps.action],
            "collateral_asset": labels_of(run, "asset", steps.collateral),
            "debt_asset": labels_of(run, "asset", steps.debt),
            **{name: getattr(steps, name) for name in ("seized", "seized_usd", "repaid", "repaid_usd", "proceeds_usd")},
        }
    )
