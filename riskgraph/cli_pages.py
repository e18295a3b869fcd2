"""What each command says: the same numbers once for people and once for machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import riskgraph as rg
from riskgraph.cli_output import as_csv, frame_table, listed, safe
from riskgraph.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

__all__ = [
    "depth_notes",
    "facts_of",
    "health_of",
    "info_page",
    "pairs_csv",
    "ranking_frame",
    "ranking_page",
]

CHAINS = 20  # paths that a machine is given where it does not say how many
KINDS = {"asset": "assets", "protocol": "protocols", "account": "accounts", "node": "nodes"}


def facts_of(snap: rg.Snapshot) -> dict[str, Any]:
    """Size, moment and digest of a snapshot."""
    counts = {KINDS[domain]: len(snap.labels(domain)) for domain in ("account", "protocol", "asset")}
    told = {"as_of": snap.as_of, "digest": snap.digest, "bytes": snap.nbytes}
    return {"positions": len(snap.table("positions")), **counts, **told}


def pairs_csv(facts: dict[str, Any]) -> str:
    """CSV of names and values."""
    import pandas as pd

    return as_csv(pd.DataFrame({"name": list(facts), "value": pd.Series(list(facts.values()), dtype=object)}))


def health_of(snap: rg.Snapshot) -> str:
    """How many margin accounts stand where, or why that cannot be told."""
    try:
        status = rg.health(snap)["status"].value_counts()
    except InputError as error:
        return f"cannot be told: {error}"
    counted = ", ".join(f"{count:,} {name}" for name, count in sorted(status.items()) if count)
    return f"{counted} (margin accounts)"


def depth_notes(snap: rg.Snapshot) -> list[str]:
    """Say what a book without any depth cannot show."""
    if len(snap.table("liquidity")):
        return []
    return [
        "liquidity: no depth is known, so that forced sales move no price; a table liquidity (--liquidity) gives it"
    ]


def info_page(snap: rg.Snapshot, *, everything: bool) -> list[str | Table]:
    """Say what a book holds, for people."""
    import pandas as pd

    rows = snap.positions["side"].value_counts()
    sides = pd.DataFrame([{"side": side, "rows": int(rows[side]), "usd": usd} for side, usd in snap.totals_usd.items()])
    told = f"as of {snap.as_of or 'not said'}; digest {snap.digest}; {snap.nbytes:,} bytes"
    shown = frame_table(sides, {"side": "side", "rows": "rows", "usd": "USD"}, money=["usd"])
    assumed = listed("assumed", snap.assumptions, everything=everything)
    return [safe(repr(snap).strip("<>")), safe(told), "", shown, "", *assumed]


def ranking_frame(ranking: rg.Ranking, top: int | None) -> pd.DataFrame:
    """Every ranked node, or the first few of each kind."""
    frame = ranking.to_frame()
    return frame if top is None else frame.groupby("kind", sort=False).head(top)


def ranking_page(ranking: rg.Ranking, notes: Sequence[str], top: int, *, everything: bool) -> list[str | Table]:
    """Assets, protocols, accounts and kindless nodes apart, each with loss, first wave and debt beside."""
    radius = ranking.spectral_radius
    words = (
        "below 1: a shock dies out" if radius < 1.0 else "1 or more: taken linearly, any shock grows until caps bind"
    )
    page: list[str | Table] = [
        f"model {ranking.model}; {len(ranking.sources):,} of {len(ranking.graph):,} nodes ranked",
        f"spectral radius λ₁ = {radius:.6g} ({words})",
        f"baseline, taken off every result: {ranking.baseline:.6g}",
    ]
    frame = ranking.to_frame()
    for kind, plural in KINDS.items():
        rows = frame[frame["kind"] == kind]
        if len(rows):
            shock = f"a fall of {100 * ranking.asset_shock:.4g}%" if kind == "asset" else "a wipe-out"
            page += ["", f"{plural}: {len(rows):,}, each by {shock}", *_kind_table(rows, kind, top)]
    return [*page, "", *listed("notes and assumptions", notes, everything=everything)]


def _kind_table(rows: pd.DataFrame, kind: str, top: int) -> list[str | Table]:
    """Table of one kind; where every score is the same there is no order to show, and that is said."""
    tied = len(rows) > 1 and rows["contagion"].nunique() == 1
    said: list[str | Table] = []
    if tied:
        rows = rows.sort_values("total_debt_usd", ascending=False, kind="stable")
        same = rows["contagion"].iloc[0]
        said = [f"every one scores {same:.4g}, so that there is no order among them; the largest debts are shown"]
    shown = rows.head(top).reset_index()
    shown["node"] = shown["node"].str.removeprefix(f"{kind}:")
    shown["place"] = "=" if tied else shown["rank"].astype(str)
    headers = {
        "place": "#", "node": kind, "contagion": "contagion", "loss_usd": "loss", "first_round_usd": "first\nwave",
        "total_debt_usd": "debt",
    }  # fmt: skip
    return [*said, frame_table(shown, headers, money=("loss_usd", "first_round_usd", "total_debt_usd"))]
