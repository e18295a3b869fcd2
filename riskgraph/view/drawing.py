"""Everything a map shows, as arrays in one order that does not depend on the order of the input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from riskgraph.arrays import Bools, Floats, Ints, Labels, read_only
from riskgraph.errors import InputError
from riskgraph.graph.exposure import ACCOUNT, KINDS, NODE, ExposureGraph
from riskgraph.view.layout import Layout, arrange
from riskgraph.view.scores import Scores, scores_of
from riskgraph.view.style import KIND_COLOURS, UNRANKED, Classes, digits, money, rank_classes
from riskgraph.wording import counted

__all__ = ["BUDGET", "Drawing", "Lines", "draw"]

BUDGET = 1500  # lines drawn at once


@dataclass(frozen=True, eq=False)
class Lines:
    """Lines of the closed map: exposures of hubs one by one, those of other nodes as sums at their hub.

    Attributes
    ----------
    a, b : ndarray of int, shape (m,)
        Ends, a before b; largest USD first.
    usd : ndarray, shape (m,)
        USD that a line stands for, both directions together.
    exposures, folded : ndarray of int and bool, shape (m,)
        How many exposures it stands for, and whether it is a sum over nodes in discs.
    within, within_usd : int and float
        Exposures inside one disc, which no line shows. Exposures among nodes that stand apart are in neither.
    """

    a: Ints
    b: Ints
    usd: Floats
    exposures: Ints
    folded: Bools
    within: int
    within_usd: float


@dataclass(frozen=True, eq=False)
class Drawing:
    """What a map shows: nodes sorted by size and label, exposures sorted by USD."""

    labels: Labels
    kind: Ints
    size: Floats
    capital: Floats
    debt: Floats
    assumed: Bools
    exposures: sparse.csr_array
    layout: Layout
    scores: Scores | None
    classes: Classes | None
    total_exposures: int
    total_usd: float
    left_out: int
    notes: tuple[str, ...]
    digest: str | None

    def __post_init__(self) -> None:
        for name in ("labels", "kind", "size", "capital", "debt", "assumed"):
            read_only(getattr(self, name))

    @property
    def colours(self) -> list[str]:
        """Fill of every mark by class, or by kind where there is no ranking."""
        if self.classes is None:
            return [KIND_COLOURS[k] for k in self.kind]
        palette = self.classes.colours
        return [palette[c] if c != UNRANKED else "" for c in self.classes.codes]

    @property
    def counts(self) -> dict[str, int]:
        """Nodes on the map by kind."""
        counts = np.bincount(self.kind, minlength=len(KINDS))
        return {name: int(count) for name, count in zip(KINDS, counts, strict=True) if count}

    def lines(self) -> Lines:
        """Fold the exposures into the lines of the closed map."""
        coo = self.exposures.tocoo()
        end = np.where(self.layout.hub, np.arange(len(self.kind)), self.layout.home)
        a, b = end[coo.row], end[coo.col]
        apart = (a < 0) | (b < 0)
        within = (a == b) & ~apart
        keep = ~within & ~apart
        folded = ~(self.layout.hub[coo.row] & self.layout.hub[coo.col])
        n = np.int64(len(self.kind))
        key = (np.minimum(a, b) * n + np.maximum(a, b)) * 2 + folded
        order = np.lexsort((coo.data[keep], key[keep]))
        pair, start = np.unique(key[keep][order], return_index=True)
        usd = np.add.reduceat(coo.data[keep][order], start) if len(pair) else np.zeros(0)
        count = np.diff(np.append(start, len(order)))
        by = np.lexsort((pair, -digits(usd)))
        pair, usd, count = pair[by], usd[by], count[by]
        inside_usd = float(np.sort(coo.data[within]).sum())
        return Lines(pair // 2 // n, pair // 2 % n, usd, count, pair % 2 == 1, int(within.sum()), inside_usd)

    def headline(self) -> str:
        """Say what is on the map in one line."""
        counts = ", ".join(counted(count, kind) for kind, count in self.counts.items())
        return f"{counts or 'no nodes'}; {self.total_exposures:,} exposures of {money(self.total_usd)}"


def draw(graph: ExposureGraph, ranking: Any | None, top: int | None) -> Drawing:
    """Choose, order and lay out what a map shows.

    Parameters
    ----------
    top : int, optional
        Keep all assets and protocols, and only the ``top`` largest accounts (or nodes of a matrix).

    Raises
    ------
    InputError
        ``top`` is no whole number of at least 1, or the ranking is of another graph.
    """
    if top is not None and (isinstance(top, bool) or not isinstance(top, int | np.integer) or top < 1):
        raise InputError(f"top: expected a whole number of at least 1, got {top!r}")
    scores = None if ranking is None else scores_of(graph, ranking)
    size = digits(graph.size_usd)
    order = np.lexsort((np.array(graph.labels, dtype=str), -size)) if len(graph) else np.zeros(0, dtype=np.int64)
    many = np.isin(graph.kind[order], (ACCOUNT, NODE))
    if top is not None:
        order = order[~many | (np.cumsum(many) <= top)]
    if scores is not None:
        scores = Scores({k: v[order] for k, v in scores.by_column.items()}, scores.colour, scores.name, scores.basis)
    whole = _positive(graph.exposures)
    part = _sorted(sparse.csr_array(whole[order][:, order])) if len(order) else whole
    kind = np.array(graph.kind[order], dtype=np.int64)
    return Drawing(
        labels=graph.labels[order],
        kind=kind,
        size=size[order],
        capital=digits(graph.capital_usd[order]),
        debt=digits(graph.debt_usd[order]),
        assumed=graph.assumed[order],
        exposures=part,
        layout=arrange(kind, size[order], part),
        scores=scores,
        classes=None if scores is None else rank_classes(scores.by_column[scores.colour]),
        total_exposures=whole.nnz,
        total_usd=float(digits(np.array([np.sort(whole.data).sum()]))[0]),
        left_out=len(graph) - len(order),
        notes=graph.notes,
        digest=graph.digest,
    )


def _positive(matrix: sparse.csr_array) -> sparse.csr_array:
    """Keep the entries above zero: only they are exposures that a line can show."""
    kept = sparse.csr_array(matrix, copy=True)
    kept.data = np.where(kept.data > 0.0, kept.data, 0.0)
    kept.eliminate_zeros()
    return kept


def _sorted(matrix: sparse.csr_array) -> sparse.csr_array:
    matrix.sort_indices()
    return matrix
