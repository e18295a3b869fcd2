"""The score that colours a map: which column of a ranking, and how the legend names it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Floats, read_only
from riskgraph.errors import InputError
from riskgraph.graph.exposure import ExposureGraph
from riskgraph.view.style import digits

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS", "Scores", "scores_of"]

# Columns that a page carries, and how: twelve digits for scores, whole numbers as such, a shock in seven digits.
COLUMNS = {"contagion": "f8", "loss_usd": "f8", "first_round_usd": "f8", "shock": "f4", "defaults": "u4", "rank": "u4"}


@dataclass(frozen=True, eq=False)
class Scores:
    """A ranking by node of one graph.

    Attributes
    ----------
    by_column : dict of str to ndarray, shape (n,)
        ``COLUMNS`` in the graph's node order, NaN where a node was no source; twelve significant digits.
    colour : str
        Column that colours the map.
    name : str
        What the legend calls it.
    basis : str
        Model, shocks and λ₁ in words.
    """

    by_column: dict[str, Floats]
    colour: str
    name: str
    basis: str

    def __post_init__(self) -> None:
        for values in self.by_column.values():
            read_only(values)


def scores_of(graph: ExposureGraph, ranking: Any) -> Scores:
    """Take the scores of a ranking by node label.

    The colour is contagion centrality R. Where λ₁ ≥ 1 under the linear model every source ends in nearly the same
    state, and the loss of the first wave colours instead (METHODS 3.9); the legend says so.

    Raises
    ------
    InputError
        Something that is no ranking, or one of another graph.
    """
    missing = [name for name in ("to_frame", "model", "spectral_radius", "asset_shock") if not hasattr(ranking, name)]
    if missing:
        raise InputError(f"ranking: expected what contagion_centrality gives, got {type(ranking).__name__}")
    if getattr(ranking, "groups", ()):
        raise InputError("ranking: expected one whose sources are single nodes, got groups of nodes")
    _check_same(graph, getattr(ranking, "graph", graph))
    frame = ranking.to_frame()
    at = graph.index([str(label) for label in frame.index], what="ranking")
    by_column = {name: _column(frame, name, at, len(graph)) for name in COLUMNS}
    growing = ranking.model == "linear" and ranking.spectral_radius >= 1.0
    colour = "first_round_usd" if growing else "contagion"
    name = "First-wave loss (USD)" if growing else "Contagion centrality R"
    return Scores(by_column, colour, name, _basis(graph, ranking, growing))


def _check_same(graph: ExposureGraph, ranked: ExposureGraph) -> None:
    """Refuse a ranking of a graph with other nodes or another Λ (the same book with other options, say)."""
    if ranked is graph:
        return
    mine, other = graph.leverage, ranked.leverage
    same = np.array_equal(graph.labels, ranked.labels) and mine.nnz == other.nnz
    if not (same and np.array_equal(mine.indices, other.indices) and np.array_equal(mine.data, other.data)):
        raise InputError("ranking: expected one of the graph that is drawn, got one of another graph")


def _column(frame: pd.DataFrame, name: str, at: Any, n: int) -> Floats:
    if name not in frame.columns:
        raise InputError(f"ranking: expected a column {name!r}, got {', '.join(map(str, frame.columns))}")
    values = np.full(n, np.nan)
    values[at] = digits(frame[name].to_numpy(dtype=np.float64))
    return values


def _basis(graph: ExposureGraph, ranking: Any, growing: bool) -> str:
    fall = f"assets fall {ranking.asset_shock:.0%}, " if "asset" in graph.counts else ""
    others = " and ".join(f"{kind}s" for kind in ("account", "protocol", "node") if kind in graph.counts)
    wiped = f"{others} are wiped out" if others else ""
    text = f"{ranking.model} model; {fall}{wiped}; λ₁ = {ranking.spectral_radius:.4g}"
    if growing:
        text += " ≥ 1: end states hardly differ, so the first wave colours"
    return text
