"""Frames of a cascade, made from the bare arrays of its rounds when somebody asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Floats, Ints
from riskgraph.margin.cascade_flows import BEARERS, REASONS
from riskgraph.margin.closed_positions import CLOSINGS
from riskgraph.margin.venue_frames import taken_in_round
from riskgraph.margin.venue_steps import ACTIONS

if TYPE_CHECKING:
    import pandas as pd

    from riskgraph.margin.cascade_round import Round
    from riskgraph.margin.cascade_run import CascadeRun

__all__ = [
    "bearers_frame",
    "labels_of",
    "liquidations_frame",
    "margins_named",
    "paid_usd",
    "prices_frame",
    "rounds_frame",
    "triggers_frame",
]


def labels_of(run: CascadeRun, domain: str, codes: Ints) -> Any:
    """Labels of codes as a categorical; buckets have the empty label last."""
    import pandas as pd

    dtype = run.book.snap.categories[domain]
    if domain == "bucket":
        codes = np.where(codes < 0, len(dtype.categories) - 1, codes)
    return pd.Categorical.from_codes(codes, dtype=dtype)


def margins_named(run: CascadeRun, margin: Ints) -> dict[str, Any]:
    """Give account, protocol and bucket of margin accounts as columns."""
    rows = run.book.rows
    parts = {"account": rows.margin_account, "protocol": rows.margin_protocol, "bucket": rows.margin_bucket}
    return {name: labels_of(run, name, codes[margin]) for name, codes in parts.items()}


def prices_frame(run: CascadeRun) -> pd.DataFrame:
    """Give market prices: row -1 of the snapshot, 0 after the shock, t after the sales of round t − 1."""
    import pandas as pd

    rows = [run.book.start_price, run.rounds[0].price, *(done.after for done in run.rounds)]
    moved = [at for at in range(1, len(rows)) if not np.array_equal(rows[at], rows[at - 1])]
    rows = rows[: max([2 + run.played, *(at + 1 for at in moved[-1:])])]
    index = pd.RangeIndex(-1, len(rows) - 1, name="round")
    return pd.DataFrame(np.array(rows), index=index, columns=run.book.snap.labels("asset").to_pylist())


def rounds_frame(run: CascadeRun) -> pd.DataFrame:
    """Give a row a round, up to the last in which something happened."""
    import pandas as pd

    frame = pd.DataFrame([_round_row(run, done) for done in run.rounds[: run.played]], columns=_ROUND_COLUMNS)
    if run.desks:
        others = [taken_in_round(run, number) for number in range(len(frame))]
        frame["accounts"] += [len(margins) for margins, *_ in others]
        for at, name in enumerate(("repaid_usd", "seized_usd", "sold_usd"), start=1):
            frame[name] += [one[at] for one in others]
    return frame


_ROUND_COLUMNS = ("round", "calls", "paid_usd", "unmet_usd", "accounts", "repaid_usd", "seized_usd", "sold_usd",
                  "bonus_usd", "fee_usd", "refused", "largest_fall")  # fmt: skip


def _round_row(run: CascadeRun, done: Round) -> dict[str, Any]:
    made, rows = done.made, run.book.rows
    seized = made.seized * done.taken * done.shown[rows.pair[made.pledged]]
    repaid = made.repaid * done.taken * done.shown[rows.pair[made.owed]]
    fee = made.fee * done.taken * done.shown[rows.pair[made.pledged]]
    fall = 1.0 - np.divide(done.after, done.price, out=np.ones(len(done.price)), where=done.price > 0.0)
    calls = done.calls
    paid = calls.paid if calls is not None else None
    return {
        "round": done.number,
        "calls": int((calls.issued == done.number).sum()) if calls is not None else 0,
        "paid_usd": float(paid_usd(done, run).sum()) if paid is not None else 0.0,
        "unmet_usd": done.unmet_usd,
        "accounts": len(np.unique(made.margin)),
        "repaid_usd": float(repaid.sum()),
        "seized_usd": float(seized.sum()),
        "sold_usd": float(done.proceeds.sum()),
        "bonus_usd": float((seized - repaid).sum()),
        "fee_usd": float(fee.sum()),
        "refused": done.offered - len(np.unique(made.pledged)) + sum(done.refused.values()),
        "largest_fall": float(fall.max(initial=0.0)),
    }


def paid_usd(done: Round, run: CascadeRun) -> Floats:
    """Give USD of every payment of a round, at the called protocol's prices."""
    if done.calls is None or done.calls.paid is None:
        return np.zeros(0)
    paid = done.calls.paid
    return np.asarray(paid.units * done.shown[run.book.rows.pair[paid.taker]])


def liquidations_frame(run: CascadeRun) -> pd.DataFrame:
    """Give a row for what was taken of one account, collateral and debt in a round."""
    import pandas as pd

    frames = [_made_frame(run, done) for done in run.rounds[: run.played]] or [_made_frame(run, run.rounds[0])]
    steps = _steps_frame(run)
    if not len(steps):
        return pd.concat(frames, ignore_index=True)
    whole = pd.concat([*frames, steps], ignore_index=True)
    return whole.sort_values("round", kind="stable", ignore_index=True)


def _made_frame(run: CascadeRun, done: Round) -> pd.DataFrame:
    import pandas as pd

    made, rows, share = done.made, run.book.rows, done.taken
    price, debt_price = done.shown[rows.pair[made.pledged]], done.shown[rows.pair[made.owed]]
    seized, repaid = made.seized * share, made.repaid * share
    paid = (made.repaid + made.surcharge) * share * debt_price
    return pd.DataFrame(
        {
            "round": np.full(len(made), done.number),
            **margins_named(run, made.margin),
            "action": np.full(len(made), "called", dtype=object),
            "collateral_asset": labels_of(run, "asset", rows.asset[made.pledged]),
            "debt_asset": labels_of(run, "asset", rows.asset[made.owed]),
            "seized": seized,
            "seized_usd": seized * price,
            "repaid": repaid,
            "repaid_usd": repaid * debt_price,
            "bonus_usd": seized * price - repaid * debt_price,
            "fee_usd": made.fee * share * price,
            "proceeds_usd": done.proceeds,
            "liquidator_usd": done.proceeds - paid,
            "share": share,
        }
    )


def _steps_frame(run: CascadeRun) -> pd.DataFrame:
    """Give a row for what was done to accounts whose rule does not call pair by pair."""
    import pandas as pd

    steps = run.steps.liquidating()
    # What is closed of a position is no collateral for a debt: nobody gets more than it is worth.
    of_positions = np.isin(steps.action, [ACTIONS.index(action) for action in CLOSINGS])
    bonus = np.where(of_positions, 0.0, steps.seized_usd - steps.repaid_usd)
    return pd.DataFrame(
        {
            "round": steps.number,
            **margins_named(run, steps.margin),
            "action": np.array(ACTIONS, dtype=object)[steps.action],
            "collateral_asset": labels_of(run, "asset", steps.collateral),
            "debt_asset": labels_of(run, "asset", steps.debt),
            "seized": steps.seized,
            "seized_usd": steps.seized_usd,
            "repaid": steps.repaid,
            "repaid_usd": steps.repaid_usd,
            "bonus_usd": bonus,
            "fee_usd": np.zeros(len(steps)),
            "proceeds_usd": steps.proceeds_usd,
            "liquidator_usd": np.zeros(len(steps)),
            "share": np.ones(len(steps)),
        }
    )


def bearers_frame(run: CascadeRun) -> pd.DataFrame:
    """Give the change of every bearer's wealth by reason, USD; bonus, fee and bad debt sum to 0."""
    import pandas as pd

    frame = pd.DataFrame({reason: run.flows.usd[reason] for reason in REASONS}).reindex(list(BEARERS))
    frame["change"] = [run.end_wealth[bearer] - run.start_wealth[bearer] for bearer in BEARERS]
    return frame.rename_axis("bearer").add_suffix("_usd")


_TRIGGER_COLUMNS = ("round", "account", "protocol", "bucket", "asset", "fall", "cause", "seller", "seller_protocol")


def triggers_frame(run: CascadeRun) -> pd.DataFrame:
    """Say which fall or sale tipped which account, in the round in which its rule first allowed a call."""
    import pandas as pd

    tipped = [(done.tipped, done.number) for done in run.rounds if done.tipped is not None]
    frames = [one.frame(run, number) for one, number in tipped]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame({name: [] for name in _TRIGGER_COLUMNS})
