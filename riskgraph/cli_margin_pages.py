"""What the commands on margin calls and cascades say: for people, and for machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import riskgraph as rg
from riskgraph.cli_output import frame_table, listed, safe
from riskgraph.cli_pages import depth_notes

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

__all__ = ["CASCADE_FRAMES", "calls_data", "calls_page", "cascade_data", "cascade_page"]

Page = list["str | Table"]
CASCADE_FRAMES = (
    "prices", "rounds", "calls", "payments", "liquidations", "steps", "closed_positions", "accounts", "losses",
    "bearers", "triggers",
)  # fmt: skip


def _table(frame: pd.DataFrame, names: Sequence[str]) -> Table:
    """Table of some columns, those in USD as money; the bucket only where there is one."""
    shown = [name for name in names if name != "bucket" or bool((frame["bucket"] != "").any())]
    return frame_table(
        frame,
        {name: name.removesuffix("_usd").replace("_", " ") for name in shown},
        money=[name for name in shown if name.endswith("usd")],
    )


def _part(heading: str, frame: pd.DataFrame, names: Sequence[str], top: int) -> Page:
    """Heading and table of the first rows; nothing where there is none."""
    if not len(frame):
        return []
    more = f" (the first {top} of {len(frame):,})" if len(frame) > top else ""
    return ["", heading + more, _table(frame.head(top), names)]


def calls_data(found: rg.MarginCalls, top: int | None) -> dict[str, Any]:
    """Everything that is said of margin calls."""
    frames = {name: getattr(found, name) for name in ("calls", "payments", "wallets", "tokens", "donors")}
    cut = {name: frame if top is None else frame.head(top) for name, frame in frames.items()}
    source = {"provenance": str(found.provenance), "assumptions": found.assumptions}
    return {"summary": found.summary(), **cut, **source}


def calls_page(found: rg.MarginCalls, snap: rg.Snapshot, top: int, *, everything: bool) -> Page:
    """Show calls with the largest unmet first, payments, wallets, and what nobody takes."""
    page: Page = [safe(found.summary())]
    if not snap.protocols["call_level"].notna().any():
        page += ["no protocol has a call_level, so that none makes margin calls (--health says where accounts stand)"]
    order = ["unmet_usd", "required_usd", "account", "protocol", "bucket"]
    calls = found.calls.sort_values(order, ascending=[False, False, True, True, True])
    page += _part("calls", calls, ["account", "protocol", "bucket", "health", "target", "required_usd",
                  "from_wallet_usd", "from_excess_usd", "unmet_usd", "health_after", "outcome"], top)  # fmt: skip
    page += _part("payments", found.payments, ["account", "protocol", "bucket", "token", "source", "use", "units",
                  "usd"], top)  # fmt: skip
    page += _part("wallets", found.wallets, ["account", "wallet_usd", "calls", "required_usd", "paid_usd", "left_usd",
                  "not_accepted_usd"], top)  # fmt: skip
    refused = found.tokens[found.tokens["reason"] == "not accepted"]
    page += _part("in wallets, and taken by no protocol that calls", refused, ["account", "token", "units", "usd"], top)
    return [*page, "", *listed("assumed", found.assumptions, everything=everything)]


def cascade_data(cascade: rg.Cascade, snap: rg.Snapshot) -> dict[str, Any]:
    """Say how a cascade went, apart from its frames."""
    notes = tuple(dict.fromkeys((*depth_notes(snap), *cascade.assumptions, *snap.assumptions)))
    numbers = {name: getattr(cascade, name) for name in ("n_rounds", "bad_debt_usd", "loss_usd", "amplification",
               "conservation")}  # fmt: skip
    return {"summary": cascade.summary(), **numbers, "provenance": str(cascade.provenance), "notes": notes}


def cascade_page(cascade: rg.Cascade, snap: rg.Snapshot, top: int, *, everything: bool) -> Page:
    """Show rounds, prices that moved, who was hit, who bears it."""
    page: Page = [safe(cascade.summary())]
    page += _part("rounds", cascade.rounds, ["round", "calls", "paid_usd", "unmet_usd", "accounts", "repaid_usd",
                  "seized_usd", "sold_usd", "refused", "largest_fall"], top)  # fmt: skip
    page += _part("prices that moved", _moved(cascade.prices), ["asset", "snapshot", "shocked", "last", "fall"], top)
    accounts = cascade.accounts
    hit = accounts[accounts["outcome"] != "untouched"].sort_values(
        ["bad_debt_usd", "repaid_usd", "account", "protocol", "bucket"], ascending=[False, False, True, True, True]
    )
    page += _part("accounts, the largest bad debt first", hit, ["account", "protocol", "bucket", "health_before",
                  "health_after", "repaid_usd", "seized_usd", "bad_debt_usd", "outcome"], top)  # fmt: skip
    page += _part("who bears bad debt", cascade.losses, ["protocol", "bearer", "usd"], top)
    page += _part("change of wealth", cascade.bearers.reset_index(), ["bearer", "mark_to_market_usd", "bonus_usd",
                  "fee_usd", "bad_debt_usd", "change_usd"], top)  # fmt: skip
    return [*page, "", *listed("notes and assumptions", cascade_data(cascade, snap)["notes"], everything=everything)]


def _moved(prices: pd.DataFrame) -> pd.DataFrame:
    """Assets whose price is not the snapshot's at the end or after the shock: those prices, and the fall in all."""
    import pandas as pd

    start, shocked, last = prices.iloc[0], prices.iloc[min(1, len(prices) - 1)], prices.iloc[-1]
    frame = pd.DataFrame({"snapshot": start, "shocked": shocked, "last": last})
    frame["fall"] = (1.0 - last / start.where(start > 0.0)).fillna(0.0)
    return frame[(shocked != start) | (last != start)].rename_axis("asset").reset_index()
