"""Hotspots: reused collateral where contagion starts (METHODS 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Floats, Ints
from riskgraph.graph.exposure import KINDS
from riskgraph.reuse_matching import sums
from riskgraph.reuse_measures import Measures, by_end
from riskgraph.reuse_tables import largest_first

if TYPE_CHECKING:
    import pandas as pd

    from riskgraph.contagion.ranking import Ranking
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["hotspots_frame", "reused_usd"]


def reused_usd(snap: Snapshot, measures: Measures) -> dict[str, Floats]:
    """Reused USD in the order of labels: ``asset``, ``protocol``, ``account``; ``end``: of every end of tracing."""
    book = snap.book
    of_pair = sums(book.pair, measures.reused_row, len(book.pair_asset))
    placed = book.pair_protocol >= 0
    of_rows = {
        "asset": sums(book.pair_asset, of_pair, len(snap.labels("asset"))),
        "protocol": sums(book.pair_protocol[placed], of_pair[placed], len(snap.labels("protocol"))),
        "account": sums(book.account, measures.reused_row, len(snap.labels("account"))),
    }
    on_assets, on_ends = by_end(measures, of_rows["asset"])
    return {**of_rows, "asset": on_assets, "end": on_ends}


def hotspots_frame(snap: Snapshot, measures: Measures, ranking: Ranking) -> pd.DataFrame:
    """Reused USD × contagion of every asset, protocol and account, ranked within its kind."""
    import pandas as pd

    usd, known = reused_usd(snap, measures), ~snap.families.is_kind("basket")
    parts = []
    for kind in ("asset", "protocol", "account"):
        at = np.flatnonzero(known) if kind == "asset" else np.arange(len(usd[kind]))
        parts.append(_ranked(snap, kind, at, usd[kind][at], ranking))
    frame = pd.concat(parts)
    frame["kind"] = frame["kind"].astype("str")
    return frame


def _ranked(snap: Snapshot, kind: str, at: Ints, reused: Floats, ranking: Ranking) -> pd.DataFrame:
    """Nodes of one kind by rank of the product, then by reused USD, then by label; unknown contagion last."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    labels = snap.labels(kind) if len(at) == len(snap.labels(kind)) else snap.labels(kind).take(pa.array(at))
    nodes = pc.binary_join_element_wise(pa.scalar(f"{kind}:", labels.type), labels, pa.scalar("", labels.type))
    graph = ranking.graph
    sources = np.flatnonzero(graph.kind[ranking.sources] == KINDS.index(kind))
    known = pa.array(graph.labels[ranking.sources[sources]], type=nodes.type)
    place = pc.index_in(nodes, value_set=known).fill_null(-1).to_numpy(zero_copy_only=False)
    contagion = np.append(ranking.effects.contagion[sources], np.nan)[place]
    hotspot = reused * contagion
    by_reused = largest_first(reused)
    order = by_reused[largest_first(np.where(np.isnan(hotspot), -np.inf, hotspot)[by_reused])]
    frame = pd.DataFrame(
        {
            "kind": pd.Categorical.from_codes(np.zeros(len(at), dtype=np.int8), pd.Index([kind])),
            "label": pd.array(labels, dtype="str"),
            "reused_usd": reused,
            "contagion": contagion,
            "hotspot": hotspot,
            "rank_reused": _ranks(reused, by_reused),
            "rank_contagion": _ranks(contagion, largest_first(np.where(np.isnan(contagion), -np.inf, contagion))),
            "rank": _ranks(hotspot, order),
        },
        index=pd.Index(pd.array(nodes, dtype="str"), name="node"),
        copy=False,
    )
    return frame.take(order)


def _ranks(values: Floats, order: Ints) -> Any:
    """Rank in an order from the largest (what is NaN last), equal values alike (the best of theirs); NaN has none."""
    import pandas as pd

    ranked = values[order]
    first = np.append(True, ranked[1:] != ranked[:-1])[: len(order)]
    ranks = np.empty(len(values), dtype=np.int64)
    ranks[order] = np.maximum.accumulate(np.where(first, np.arange(1, len(order) + 1), 0))
    return pd.arrays.IntegerArray(ranks, np.isnan(values))
