"""The eigenvector family: Perron vectors, Katz, PageRank, HITS, SinkRank, and walks of contagion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from riskgraph.arrays import Floats
from riskgraph.communicability import LOOPED_NODES, Walks, diffusion, susceptibility, walks
from riskgraph.contagion.perron import Classes, cyclic_classes, perron_pair, perron_root
from riskgraph.errors import InputError
from riskgraph.graph.exposure import ExposureGraph
from riskgraph.graph.projection import Projection
from riskgraph.walks import SINKRANK_NODES, hits, katz, pagerank, sinkrank

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MEASURES", "centrality", "fluidity", "spectral_radius"]


def spectral_radius(graph: ExposureGraph | Projection) -> float:
    r"""Give λ₁, the spectral radius of Λ: by what factor distress grows from round to round in the long run.

    The largest Perron root over the strongly connected components, each to 1e-10 or better; 0 without a cycle.

    Raises
    ------
    ConvergenceError
        A root could not be found to 1e-10.

    Examples
    --------
    >>> g = ExposureGraph.from_matrix([[0, 5], [2, 0]], [10, 25], labels=["A", "B"])
    >>> spectral_radius(g)  # the square root of 0.5 · 0.08
    0.2
    """
    if isinstance(graph, Projection) and not graph.direct.nnz:
        # Λ_ko Λ_ok and Λ_ok Λ_ko have the same roots but 0; the smaller of the two is formed
        first, second = graph.out, graph.back
        inner = first @ second if first.shape[0] <= first.shape[1] else second @ first
        return perron_root(inner.tocsr())
    return perron_root(graph.leverage)


def fluidity(graph: ExposureGraph | Projection) -> float:
    """Give the impact fluidity of a network: the mean of its nodes' impact susceptibility.

    References
    ----------
    .. [1] Silva, Souza, Tabak (2015), Network structure analysis of the Brazilian interbank market, Central Bank of
       Brazil Working Paper 391.

    Examples
    --------
    A's wipe-out takes B with it, nobody's takes A: the mean of 0 and 1.

    >>> fluidity(ExposureGraph.from_matrix([[0, 5], [9, 0]], [10, 8], labels=["A", "B"]))
    0.5
    """
    return float(susceptibility(walks(graph.leverage)).mean()) if len(graph) else float("nan")


def centrality(
    graph: ExposureGraph | Projection,
    measures: Sequence[str] | str | None = None,
    *,
    katz_alpha: float | None = None,
) -> pd.DataFrame:
    r"""Give eigenvector and walk centralities, a row a node.

    ==================  =====================================================================================
    impact              left Perron vector of Λ: what the node's distress does to the rest in the long run
    vulnerability       right Perron vector of Λ: what the rest's distress does to the node
    katz                :math:`1 + \alpha\Lambda^\top x`, all that a unit of distress sets off
    pagerank            walk from each node to what it depends on (rows of Λ), damping 0.85
    hub, authority      leading singular vectors of the exposures A (USD): leaning, and leant upon
    sinkrank            n − 1 over the summed steps that walks from debtor to creditor need to the node; 0 if some
                        node cannot reach it
    sinkrank_component  the same walk kept inside the node's strongly connected component
    in_exposure         what others have at stake with the node, USD (column sum of A)
    out_exposure        what the node has at stake with others, USD (row sum of A)
    susceptibility      ways of contagion to the node, for each direct one
    diffusion           what the node adds to all susceptibility
    ==================  =====================================================================================

    Perron vectors belong to a strongly connected component: where the network is no single one, each component with
    a cycle has its own (sum = its share of the nodes that lie on cycles, so that means agree), a node on no cycle
    has NaN, and ``frame.attrs["notes"]`` says so. Notes also name the α of Katz and every score that is left out.

    Parameters
    ----------
    graph : ExposureGraph or Projection
    measures : sequence of str, optional
        Names from the table; default all.
    katz_alpha : float, optional
        0 < α < 1/λ₁. Default 0.5/λ₁; without a cycle, where any α is valid, 1.

    Returns
    -------
    DataFrame
        Index ``node``; ``attrs["notes"]`` a list of str, ``attrs["spectral_radius"]`` λ₁ where it was needed.

    Raises
    ------
    InputError
        An unknown measure, an α at which Katz has no value, a projection too large to form.
    ConvergenceError
        A vector could not be found.

    References
    ----------
    .. [1] Katz (1953), Psychometrika 18(1); Brin, Page (1998), Computer Networks 30; Kleinberg (1999), Journal of
       the ACM 46(5); Soramäki, Cook (2013), Economics E-Journal 7; Silva, Souza, Tabak (2015), Central Bank of Brazil
       Working Papers 391 and 392.

    Examples
    --------
    Λ = [[0, 0.5], [0.08, 0]], λ₁ = 0.2: the right vector solves x_A = 0.5 x_B / 0.2, the left one the mirror of it.

    >>> g = ExposureGraph.from_matrix([[0, 5], [2, 0]], [10, 25], labels=["A", "B"])
    >>> centrality(g, ["impact", "vulnerability"]).round(4).values.tolist()
    [[0.2857, 0.7143], [0.7143, 0.2857]]
    """
    import pandas as pd

    names = [measures] if isinstance(measures, str) else list(MEASURES) if measures is None else list(measures)
    unknown = [name for name in names if name not in MEASURES]
    if unknown or len(set(names)) != len(names):
        raise InputError(f"measures: expected names from {', '.join(MEASURES)}, each once, got {', '.join(names)}")
    study = _Study(graph, katz_alpha)
    if katz_alpha is not None:
        study.checked_alpha()
    columns = {name: MEASURES[name](study) for name in names}
    frame = pd.DataFrame(columns, index=pd.Index(graph.labels, name="node"))
    frame.attrs["notes"] = list(dict.fromkeys(study.notes))
    if "radius" in study.__dict__:
        frame.attrs["spectral_radius"] = study.radius
    return frame


@dataclass
class _Study:
    """One network under study: what several measures share, computed once, and the notes they leave."""

    network: ExposureGraph | Projection
    alpha: float | None

    def __post_init__(self) -> None:
        self.notes: list[str] = []

    @cached_property
    def leverage(self) -> sparse.csr_array:
        return self.network.leverage

    @cached_property
    def exposures(self) -> sparse.csr_array:
        return self.network.exposures

    @cached_property
    def classes(self) -> Classes:
        return cyclic_classes(self.leverage)

    @cached_property
    def radius(self) -> float:
        return perron_root(self.leverage)

    @cached_property
    def walks(self) -> Walks:
        counted = walks(self.leverage)
        missing = int(np.isnan(counted.closed).sum())
        if missing:
            self.notes.append(
                f"susceptibility and diffusion are NaN for {missing:,} nodes: their component of contagious links has "
                f"more than {LOOPED_NODES:,} nodes, and its closed walks are not counted"
            )
        return counted

    @cached_property
    def hits(self) -> tuple[Floats, Floats]:
        hub, authority, blocks = hits(self.exposures)
        if blocks > 1:
            self.notes.append(
                f"hub and authority: exposures fall into {blocks:,} blocks without a common row or column; each has "
                "its own vectors, scaled to its share of the nodes, and values compare within a block"
            )
        empty = int(np.isnan(hub).sum()), int(np.isnan(authority).sum())
        if any(empty):
            self.notes.append(
                f"hub is NaN for {empty[0]:,} nodes that hold nothing, authority for {empty[1]:,} that owe nothing"
            )
        return hub, authority

    def perron(self, matrix: sparse.csr_array) -> Floats:
        """Right Perron vectors of a matrix with the cycles of Λ, by component."""
        n, groups = matrix.shape[0], self.classes.nodes
        vector = np.full(n, np.nan)
        on_cycle = sum(len(nodes) for nodes in groups)
        for nodes in groups:
            _, part = perron_pair(sparse.csr_array(matrix[nodes][:, nodes]))
            vector[nodes] = part * (len(nodes) / on_cycle)
        if not groups:
            self.notes.append("impact and vulnerability are NaN: no cycle, so λ₁ = 0 (katz still tells nodes apart)")
        elif len(groups) > 1 or on_cycle < n:
            many = "s with a cycle hold" if len(groups) > 1 else " with a cycle holds"
            self.notes.append(
                f"impact and vulnerability: the network is reducible; {len(groups):,} strongly connected component"
                f"{many} {on_cycle:,} of {n:,} nodes, each has its own vectors (sum = its share of these "
                f"nodes), and values compare within a component; NaN for the {n - on_cycle:,} nodes on no cycle"
            )
        return vector

    def checked_alpha(self) -> float:
        """Give Katz's α, after a check against λ₁."""
        if self.alpha is not None:
            if not (self.alpha > 0.0 and self.alpha * self.radius < 1.0):
                limit = f"{1.0 / self.radius:.6g}" if self.radius > 0.0 else "infinity"
                raise InputError(f"katz_alpha: expected a number above 0 and below 1/λ₁ = {limit}, got {self.alpha!r}")
            return float(self.alpha)
        if self.radius > 0.0:
            return 0.5 / self.radius
        return 1.0  # without a cycle every α is valid, and 1 is the undamped sum of all that is set off

    def katz(self) -> Floats:
        alpha = self.checked_alpha()
        self.notes.append(f"katz: α = {alpha:.6g}, λ₁ = {self.radius:.6g}")
        return katz(self.leverage, alpha)

    def sinkrank(self) -> Floats:
        rank = sinkrank(self.exposures)
        n, zeros = len(rank), int((rank == 0.0).sum())
        if n > SINKRANK_NODES:
            self.notes.append(
                f"sinkrank is NaN: {n:,} nodes, and the full matrix that it takes ends at {SINKRANK_NODES:,}"
            )
        elif n < 2:
            self.notes.append("sinkrank is NaN: a single node has nothing to wait for")
        elif zeros:
            self.notes.append(
                f"sinkrank is 0 for {zeros:,} of {n:,} nodes that some node cannot reach; sinkrank_component stays "
                "within each strongly connected component"
            )
        return rank

    def sinkrank_component(self) -> Floats:
        rank = np.full(self.exposures.shape[0], np.nan)
        for nodes in cyclic_classes(self.exposures).nodes:
            rank[nodes] = sinkrank(sparse.csr_array(self.exposures[nodes][:, nodes]))
        missing = int(np.isnan(rank).sum())
        if missing:
            self.notes.append(
                f"sinkrank_component is NaN for {missing:,} nodes: alone in their component, or in one of more than "
                f"{SINKRANK_NODES:,}"
            )
        return rank


def _total(matrix: sparse.csr_array, axis: int) -> Floats:
    return np.asarray(matrix.sum(axis=axis), dtype=np.float64).ravel()


MEASURES: dict[str, Callable[[_Study], Floats]] = {
    "impact": lambda study: study.perron(sparse.csr_array(study.leverage.T)),
    "vulnerability": lambda study: study.perron(study.leverage),
    "katz": _Study.katz,
    "pagerank": lambda study: pagerank(study.leverage),
    "hub": lambda study: study.hits[0],
    "authority": lambda study: study.hits[1],
    "sinkrank": _Study.sinkrank,
    "sinkrank_component": _Study.sinkrank_component,
    "in_exposure": lambda study: _total(study.exposures, 0),
    "out_exposure": lambda study: _total(study.exposures, 1),
    "susceptibility": lambda study: susceptibility(study.walks),
    "diffusion": lambda study: diffusion(study.walks),
}
