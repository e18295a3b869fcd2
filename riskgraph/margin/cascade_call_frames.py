"""Frames of the margin calls of a cascade: what was asked, and who paid what from where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Floats, summed
from riskgraph.margin.cascade_frames import labels_of, margins_named, paid_usd

if TYPE_CHECKING:
    import pandas as pd

    from riskgraph.margin.cascade_round import Round
    from riskgraph.margin.cascade_run import CascadeRun

__all__ = ["calls_frame", "payments_frame"]


def calls_frame(run: CascadeRun) -> pd.DataFrame:
    """Give a row for every call and round in which it was made, paid, liquidated or ran out."""
    import pandas as pd

    frames = [_calls_of(run, done) for done in run.rounds[: run.played] if done.calls is not None]
    frames = [frame for frame in frames if len(frame)]
    return pd.concat(frames, ignore_index=True) if frames else _no_calls()


_CALL_COLUMNS = ("round", "account", "protocol", "bucket", "issued", "health", "target", "required_usd", "paid_usd",
                 "from_wallet_usd", "from_excess_usd", "unmet_usd", "outcome")  # fmt: skip


def _no_calls() -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({name: [] for name in _CALL_COLUMNS})


def _calls_of(run: CascadeRun, done: Round) -> pd.DataFrame:
    import pandas as pd

    asked = done.calls
    assert asked is not None
    calls, n = asked.calls, len(asked.calls)
    wallet, excess = np.zeros(n), np.zeros(n)
    if asked.paid is not None and len(asked.paid.units):
        usd = paid_usd(done, run)
        free = run.book.rows.margin[asked.paid.giver] < 0
        wallet = summed(asked.paid.call[free], usd[free], n)
        excess = summed(asked.paid.call[~free], usd[~free], n)
    unmet = asked.unmet_usd
    return pd.DataFrame(
        {
            "round": np.full(n, done.number),
            **margins_named(run, calls.margin),
            "issued": asked.issued,
            "health": asked.health,
            "target": calls.target,
            "required_usd": asked.required_usd,
            "paid_usd": wallet + excess,
            "from_wallet_usd": wallet,
            "from_excess_usd": excess,
            "unmet_usd": unmet,
            "outcome": _outcomes(run, done, unmet),
        }
    )


def _outcomes(run: CascadeRun, done: Round, unmet: Floats) -> Any:
    """Say of every open call of a round what became of it in that round."""
    asked = done.calls
    assert asked is not None and run.desk is not None
    at = asked.calls.margin
    steps = run.steps.liquidating()
    hit = np.isin(at, np.append(done.made.margin, steps.margin[steps.number == done.number]))
    grace = run.desk.terms.grace[run.book.rows.margin_protocol[at]]
    met = unmet <= 1e-9 * asked.required_usd
    words = np.select([hit, met, done.number < asked.issued + grace], ["liquidating", "cured", "called"], "restricted")
    return words.astype(object)


def payments_frame(run: CascadeRun) -> pd.DataFrame:
    """Give a row a payment: who paid what from where into which account, and whether it repaid debt or was posted."""
    import pandas as pd

    frames = [_payments_of(run, done) for done in run.rounds[: run.played] if done.calls is not None]
    frames = [frame for frame in frames if frame is not None]
    columns = ["round", "account", "protocol", "bucket", "token", "source", "use", "units", "usd"]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame({name: [] for name in columns})


def _payments_of(run: CascadeRun, done: Round) -> pd.DataFrame | None:
    import pandas as pd

    asked = done.calls
    if asked is None or asked.paid is None or not len(asked.paid.units):
        return None
    paid, rows = asked.paid, run.book.rows
    names = np.append(run.book.snap.labels("protocol").to_numpy(zero_copy_only=False), "wallet")
    return pd.DataFrame(
        {
            "round": np.full(len(paid.units), done.number),
            **margins_named(run, asked.calls.margin[paid.call]),
            "token": labels_of(run, "asset", rows.asset[paid.giver]),
            "source": names[rows.protocol[paid.giver]],
            "use": np.where(paid.repays, "repays debt", "posted"),
            "units": paid.units,
            "usd": paid_usd(done, run),
        }
    )
