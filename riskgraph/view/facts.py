"""What a map can say of its nodes beside the ranking: health factors, eigenvector scores, chains of reuse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Floats
from riskgraph.view.stories import Story
from riskgraph.view.style import digits

if TYPE_CHECKING:
    from riskgraph.graph.exposure import ExposureGraph
    from riskgraph.reuse_results import CollateralReuse
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["CHAINS", "Facts", "chains_on", "eigen_scores", "health_of_nodes", "reuse_of_nodes"]

CHAINS = 200  # that a page carries
EIGEN = ("impact", "vulnerability")


@dataclass(frozen=True, eq=False)
class Facts:
    """All that a map shows beside the ranking; what is not known is empty.

    ``scores`` are arrays by node (health, impact, vulnerability, reused), ``chains`` and ``stories`` as the page has
    them, ``as_of`` the moment of the data, ``notes`` what the page does not show, and why.
    """

    scores: Mapping[str, Floats]
    chains: tuple[dict[str, Any], ...]
    stories: tuple[Story, ...]
    as_of: str
    notes: tuple[str, ...] = ()


def health_of_nodes(snap: Snapshot, places: Mapping[str, int]) -> tuple[Floats, list[str]]:
    """Lowest health factor of each account on the map over its margin accounts; NaN where nothing is owed.

    Returns
    -------
    tuple of (ndarray, list of str)
        The scores, and why there are none where there are none.
    """
    from riskgraph.errors import InputError
    from riskgraph.margin.account_health import health

    found = np.full(len(places), np.nan)
    try:
        values = health(snap)["health"].to_numpy(dtype=np.float64)
    except InputError as error:  # thresholds are not told: a book can be drawn without them
        return found, [f"no health factors are shown: {error}"]
    lowest = np.full(len(snap.labels("account")), np.inf)
    np.minimum.at(lowest, snap.book.margin_account, values)
    for at in np.flatnonzero(np.isfinite(lowest)):
        place = places.get(f"account:{snap.labels('account')[int(at)].as_py()}", -1)
        if place >= 0:
            found[place] = lowest[at]
    return digits(found), []


def eigen_scores(graph: ExposureGraph, places: Mapping[str, int]) -> dict[str, Floats]:
    """Perron vectors by node on the map, NaN where there is none."""
    from riskgraph.eigen import centrality

    # By number, not by label: a frame holds no half of a surrogate pair, a map does.
    numbered = replace(graph, labels=np.array([str(at) for at in range(len(graph))], dtype=object))
    frame = centrality(numbered, list(EIGEN))
    at = np.array([places.get(str(label), -1) for label in graph.labels])
    found = {}
    for name in EIGEN:
        values = np.full(len(places), np.nan)
        values[at[at >= 0]] = frame[name].to_numpy(dtype=np.float64)[at >= 0]
        found[name] = digits(values)
    return found


def reuse_of_nodes(reuse: CollateralReuse, places: Mapping[str, int]) -> Floats:
    """Reused USD by node on the map; NaN where the reuse knows none of it."""
    values = np.full(len(places), np.nan)
    for label, usd in reuse.hotspots["reused_usd"].items():
        if label in places:
            values[places[str(label)]] = usd
    return digits(values)


def chains_on(
    reuse: CollateralReuse, places: Mapping[str, int], top: int = CHAINS
) -> tuple[list[dict[str, Any]], list[str]]:
    """Chains of reuse whose nodes are all on the map: nodes from the base to the protocol, in words, and USD.

    Returns
    -------
    tuple of (list of dict, list of str)
        The chains, and what of them is left out.
    """
    frame = reuse.chains(top)
    rows: list[dict[str, Any]] = []
    notes = [f"chains of reuse: {frame.attrs['cut']}"] if frame.attrs.get("cut") else []
    for labels, row in zip(frame.attrs["labels"], frame.itertuples(), strict=True):
        nodes = [places.get(f"asset:{name}", places.get(str(name), -1)) for name in labels[:-1]]
        nodes.append(places.get(f"protocol:{row.protocol}", -1))
        if min(nodes) >= 0:
            rows.append({"nodes": nodes, "usd": float(f"{row.usd:.12g}"), "side": row.side})
    if len(rows) < len(frame):
        notes.append(
            f"chains of reuse: {len(frame) - len(rows):,} pass nodes that are not on the map, and are not shown"
        )
    return rows, notes
