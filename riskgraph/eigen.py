"""The eigenvector family: Perron vectors, Katz, PageRank, HITS, SinkRank, and walks of contagion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from riskgraph.communicability import susceptibility, walks
from riskgraph.eigen_study import FACTORED_MEASURES, MEASURES, Study, radius_of
from riskgraph.errors import InputError
from riskgraph.graph.exposure import ExposureGraph
from riskgraph.graph.projection import FORMED, Projection

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MEASURES", "centrality", "fluidity", "spectral_radius"]


def spectral_radius(graph: ExposureGraph | Projection) -> float:
    r"""Give λ₁, the spectral radius of Λ: by what factor distress grows from round to round in the long run.

    The largest Perron root over the strongly connected components, each to 1e-10 or better; 0 without a cycle.

    Parameters
    ----------
    graph : ExposureGraph or Projection

    Returns
    -------
    float
        At least 0, no unit. Below 1 a small shock dies out in the linear model, above 1 it grows until capital ends it.

    Raises
    ------
    InputError
        It is no graph; an Interbank has its graph as ``.graph``.
    ConvergenceError
        A root could not be found to 1e-10.

    Examples
    --------
    >>> from riskgraph import ExposureGraph
    >>> g = ExposureGraph.from_matrix([[0, 5], [2, 0]], [10, 25], labels=["A", "B"])
    >>> spectral_radius(g)  # the square root of 0.5 · 0.08
    0.2
    """
    _check(graph)
    return radius_of(graph)


def fluidity(graph: ExposureGraph | Projection) -> float:
    r"""Give the impact fluidity of a network: the mean of its nodes' impact susceptibility.

    .. math::
        F = \frac{1}{n} \sum_j s_j, \qquad
        s_j = \frac{\sum_{i \ne j} (e^B)_{ij}}{\sum_i B_{ij}}, \qquad
        B_{ij} = [\Lambda_{ji} \ge 1], \; i \ne j

    B holds the contagious links: i's wipe-out takes all capital of j. :math:`s_j` counts the walks of such links that
    end at j, one of L links as 1/L!, for each direct link; it is 0 where nobody wipes j out directly, else at least 1.

    Parameters
    ----------
    graph : ExposureGraph or Projection

    Returns
    -------
    float
        At least 0, no unit and no upper bound: 0 where no node wipes out another by itself; the share of nodes that
        another wipes out, where every contagious walk is one link long; more, also above 1, where walks join up, so
        that a wipe-out has many ways on. NaN for a graph without nodes, or with more walks than a number holds.

    Raises
    ------
    InputError
        It is no graph; an Interbank has its graph as ``.graph``.

    References
    ----------
    .. [1] Silva, Souza, Tabak (2015), Network structure analysis of the Brazilian interbank market, Central Bank of
       Brazil Working Paper 391.

    Examples
    --------
    A's wipe-out takes B with it, nobody's takes A: the mean of 0 and 1.

    >>> from riskgraph import ExposureGraph
    >>> fluidity(ExposureGraph.from_matrix([[0, 5], [9, 0]], [10, 8], labels=["A", "B"]))
    0.5

    Each takes the other: walks of 1, 3, 5, … links to each, 1 + 1/3! + 1/5! + … = sinh 1.

    >>> round(fluidity(ExposureGraph.from_matrix([[0, 10], [9, 0]], [10, 8], labels=["A", "B"])), 6)
    1.175201
    """
    _check(graph)
    return float(susceptibility(walks(graph.leverage)).mean()) if len(graph) else float("nan")


def _check(graph: object) -> None:
    """Refuse what is no graph, and say where a network of banks has its own."""
    if not isinstance(graph, ExposureGraph | Projection):
        hint = "; its network is .graph" if isinstance(getattr(graph, "graph", None), ExposureGraph) else ""
        raise InputError(
            "graph: expected an ExposureGraph (exposure_graph makes one) or a Projection, "
            f"got {type(graph).__name__}{hint}"
        )


def centrality(
    graph: ExposureGraph | Projection,
    measures: Sequence[str] | str | None = None,
    *,
    katz_alpha: float | None = None,
) -> pd.DataFrame:
    r"""Give eigenvector and walk centralities, a row a node.

    ======================  ==================================================================  ==================
    measure                 what it says of a node                                              if nothing is on
                                                                                                a cycle; no links
    ======================  ==================================================================  ==================
    impact                  left Perron vector of Λ: what the node's distress does to the rest  NaN
                            in the long run
    vulnerability           right Perron vector of Λ: what the rest's distress does to it       NaN
    katz                    :math:`1 + \alpha\Lambda^\top x`, all that its distress sets off     exists, α = 1; 1
    pagerank                walk from each node to what it depends on (rows of Λ), damping      exists; 1/n
                            0.85, to 1e-13
    hub, authority          leading singular vectors of the exposures A (USD): leaning, and     exists; NaN
                            leant upon; NaN for a node that holds, or owes, nothing
    sinkrank                n − 1 over the summed steps that walks from debtor to creditor      0 but for one end
                            need to the node; 0 if some node cannot reach it                    of all walks; 0
    sinkrank_component      the same walk kept inside the node's strongly connected component   NaN
    in_exposure             what others have at stake with the node, USD (column sum of A)      exists; 0
    out_exposure            what the node has at stake with others, USD (row sum of A)          exists; 0
    susceptibility          ways of contagion to the node, for each direct one; 0 if no other   exists; 0
                            node wipes it out by itself
    diffusion               what the node adds to all susceptibility, for each of its direct    exists; 0
                            links; 0 if it wipes out nobody by itself
    diffusion_start         the part of diffusion where it is the first to fall                 exists; 0
    diffusion_intermediate  the part where it passes on what began elsewhere                    exists; 0
    ======================  ==================================================================  ==================

    ``vulnerability`` here is the Perron vector, long-run and without a shock; that of a
    :class:`~riskgraph.contagion.ranking.Ranking` is each node's mean distress over all others' wipe-outs.

    With :math:`P(j \to i) = A_{ij} / \sum_i A_{ij}` the walk from debtors to creditors, and :math:`B_{ij} = 1` where
    i's wipe-out takes all capital of j (:math:`\Lambda_{ji} \ge 1`, :math:`i \ne j`; :math:`B_q` is B without row q):

    .. math::
        \text{sinkrank}_s &= (n - 1) \Big/ \sum_{j \ne s} E[\text{steps } j \to s] \\
        \text{susceptibility}_j &= \sum_{i \ne j} (e^B)_{ij} \Big/ \sum_i B_{ij} \\
        \text{diffusion}_q &= \sum_{i \ne j} (e^B - e^{B_q})_{ij} \Big/ \sum_j B_{qj} \\
        \text{diffusion\_start}_q &= \sum_{j \ne q} (e^B)_{qj} \Big/ \sum_j B_{qj} \\
        \text{diffusion\_intermediate}_q &= \sum_{i \ne q,\; j \ne i} (e^B - e^{B_q})_{ij} \Big/ \sum_j B_{qj}

    SinkRank lies between 0 and 1, which is one step from every other node. The others are walks for each direct link,
    one of L links as 1/L!: susceptibility and diffusion_start are 0, or at least 1 (no walk but direct ones), without
    an upper bound; diffusion_intermediate is at least 0, and diffusion the sum of its two parts.

    Perron vectors belong to a strongly connected component: where the network is no single one, each component with
    a cycle has its own (sum = its share of the nodes that lie on cycles, so that means agree), a node on no cycle
    has NaN, and ``frame.attrs["notes"]`` says so. Notes also name the α of Katz and every score that is NaN or 0 for
    want of links. A single node has no sinkrank (NaN).

    Sinkrank takes seconds at 5,000 nodes and two minutes at its limit, 20,000 nodes that reach one another (50,000
    in a book, where few assets and protocols hold the accounts together); beyond, or where walks forget their start
    too slowly for that time, it is NaN and a note says so. Susceptibility and diffusion take seconds where 2,000 nodes
    wipe out ten others each, and grow as contagious links × such nodes. A projection of more than 2,000 accounts stays
    in factors, on which impact, vulnerability, katz, pagerank, in_exposure and out_exposure work.

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
        No graph (an Interbank has its own as ``.graph``), an unknown measure, an α at which Katz has no value, a
        measure for which a projection is too large.
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

    >>> from riskgraph import ExposureGraph
    >>> g = ExposureGraph.from_matrix([[0, 5], [2, 0]], [10, 25], labels=["A", "B"])
    >>> centrality(g, ["impact", "vulnerability"]).round(4).values.tolist()
    [[0.2857, 0.7143], [0.7143, 0.2857]]
    """
    import pandas as pd

    _check(graph)
    names = [measures] if isinstance(measures, str) else list(MEASURES) if measures is None else list(measures)
    unknown = [name for name in names if name not in MEASURES]
    if unknown or len(set(names)) != len(names):
        raise InputError(f"measures: expected names from {', '.join(MEASURES)}, each once, got {', '.join(names)}")
    study = Study(graph, katz_alpha)
    refused = [name for name in names if name not in FACTORED_MEASURES] if study.factored else []
    if refused:
        raise InputError(
            f"measures: expected some of {', '.join(FACTORED_MEASURES)} on a projection of more than {FORMED:,} "
            f"accounts, whose matrix is too full to form, got {', '.join(refused)}"
        )
    if katz_alpha is not None:
        study.checked_alpha()
    columns = {name: MEASURES[name](study) for name in names}
    frame = pd.DataFrame(columns, index=pd.Index(graph.labels, name="node"))
    frame.attrs["notes"] = list(dict.fromkeys(study.notes))
    if "radius" in study.__dict__:
        frame.attrs["spectral_radius"] = study.radius
    return frame
