"""One network under study: what several centralities share, computed once, and the notes that they leave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.sparse import linalg as sparse_linalg

from riskgraph.arrays import Floats
from riskgraph.communicability import (
    Walks,
    diffusion,
    diffusion_intermediate,
    diffusion_start,
    susceptibility,
    walks,
)
from riskgraph.contagion.perron import Classes, class_blocks, cyclic_classes, perron_pair, perron_root
from riskgraph.contagion.roots import leverage_root
from riskgraph.errors import InputError
from riskgraph.graph.exposure import ExposureGraph
from riskgraph.graph.projection import FORMED, Projection
from riskgraph.walks import Matrix, hits, katz, pagerank
from riskgraph.walks_sinkrank import SINKRANK_LIMIT, sinkrank

__all__ = ["FACTORED_MEASURES", "MEASURES", "Study", "radius_of"]


def radius_of(network: ExposureGraph | Projection) -> float:
    """Give λ₁; a projection by the smaller of its factors' two products, which have the same roots but 0."""
    if isinstance(network, Projection) and not network.direct.nnz:
        first, second = network.out, network.back
        inner = first @ second if first.shape[0] <= first.shape[1] else second @ first
        return perron_root(inner.tocsr())
    return perron_root(network.leverage) if isinstance(network, Projection) else leverage_root(network)


@dataclass
class Study:
    """A network, the α asked for, and what measures of it have in common."""

    network: ExposureGraph | Projection
    alpha: float | None

    def __post_init__(self) -> None:
        self.notes: list[str] = []

    @cached_property
    def factored(self) -> bool:
        """Whether the network is a projection too large to be formed."""
        network = self.network
        return isinstance(network, Projection) and network.kind == "account" and len(network) > FORMED

    @cached_property
    def leverage(self) -> sparse.csr_array:
        """Λ."""
        return self.network.leverage

    @cached_property
    def exposures(self) -> sparse.csr_array:
        """A in USD."""
        return self.network.exposures

    @cached_property
    def products(self) -> Matrix:
        """Λ as far as products with it go."""
        network = self.network
        if not (self.factored and isinstance(network, Projection)):
            return self.leverage
        through = sparse_linalg.aslinearoperator(network.out) @ sparse_linalg.aslinearoperator(network.back)
        return sparse_linalg.aslinearoperator(network.direct) + through

    @cached_property
    def radius(self) -> float:
        """λ₁."""
        return radius_of(self.network)

    @cached_property
    def links(self) -> sparse.csr_array:
        """Λ; of a projection in factors, the two steps of every one of its links instead, other nodes last."""
        network = self.network
        if not (self.factored and isinstance(network, Projection)):
            return self.leverage
        if network.direct.nnz:
            raise InputError(
                f"measures: expected none of impact, vulnerability on more than {FORMED:,} accounts that are exposed "
                "to one another directly"
            )
        return sparse.csr_array(sparse.block_array([[None, network.out], [network.back, None]]))

    @cached_property
    def classes(self) -> Classes:
        """Strongly connected components of ``links`` that hold a cycle."""
        return cyclic_classes(self.links)

    @cached_property
    def walks(self) -> Walks:
        """Walks of contagious links, and where there are none."""
        counted = walks(self.leverage)
        reached, spreading = np.diff(counted.links.tocsc().indptr), np.diff(counted.links.indptr)
        still = int((reached == 0).sum()), int((spreading == 0).sum())
        if any(still):
            self.notes.append(
                f"susceptibility is 0 for {still[0]:,} of {len(reached):,} nodes that no other wipes out by itself, "
                f"diffusion for {still[1]:,} that wipe out nobody by themselves"
            )
        if np.isnan(counted.leaving).any():
            self.notes.append("susceptibility and diffusion are NaN: more walks of contagion than a number holds")
        return counted

    @cached_property
    def hits(self) -> tuple[Floats, Floats]:
        """Hubs and authorities."""
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

    def perron(self, *, left: bool) -> Floats:
        """Left or right Perron vectors of Λ, by component."""
        n, links = len(self.network), self.links
        own = [nodes[nodes < n] for nodes in self.classes.nodes]
        on_cycle = sum(len(nodes) for nodes in own)
        vector = np.full(n, np.nan)
        blocks = class_blocks(links.tocsc().T if left else links, self.classes)
        for nodes, block in zip(own, blocks, strict=True):
            part = _two_step_vector(block, len(nodes)) if self.factored else perron_pair(block)[1]
            vector[nodes] = part * (len(nodes) / on_cycle)
        if not own:
            self.notes.append("impact and vulnerability are NaN: no cycle, so λ₁ = 0 (katz still tells nodes apart)")
        elif len(own) > 1 or on_cycle < n:
            many = "s with a cycle hold" if len(own) > 1 else " with a cycle holds"
            self.notes.append(
                f"impact and vulnerability: the network is reducible; {len(own):,} strongly connected component"
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
        """Katz at the α asked for, or at half its limit."""
        alpha = self.checked_alpha()
        self.notes.append(f"katz: α = {alpha:.6g}, λ₁ = {self.radius:.6g}")
        return katz(self.products, alpha)

    @cached_property
    def sinkrank(self) -> Floats:
        """SinkRank of the whole network."""
        rank = sinkrank(self.exposures)
        n, zeros = len(rank), int((rank == 0.0).sum())
        if n == 1:
            self.notes.append("sinkrank is NaN: a single node has nothing to wait for")
        elif np.isnan(rank).any():
            self.notes.append(f"sinkrank is NaN: {SINKRANK_LIMIT}")
        elif zeros:
            self.notes.append(
                f"sinkrank is 0 for {zeros:,} of {n:,} nodes that some node cannot reach; sinkrank_component stays "
                "within each strongly connected component"
            )
        return rank

    def sinkrank_component(self) -> Floats:
        """SinkRank within each strongly connected component."""
        rank = np.full(self.exposures.shape[0], np.nan)
        classes = cyclic_classes(self.exposures)
        for nodes, block in zip(classes.nodes, class_blocks(self.exposures, classes), strict=True):
            rank[nodes] = self.sinkrank if len(nodes) == len(rank) else sinkrank(block)
        alone = int((classes.member < 0).sum()) + sum(len(nodes) == 1 for nodes in classes.nodes)
        beyond = int(np.isnan(rank).sum()) - alone
        if alone:
            self.notes.append(f"sinkrank_component is NaN for {alone:,} nodes that are alone in their component")
        if beyond:
            self.notes.append(f"sinkrank_component is NaN for {beyond:,} nodes: {SINKRANK_LIMIT}")
        return rank

    def exposure(self, axis: int) -> Floats:
        """Column sums (0) or row sums (1) of A."""
        network = self.network
        if not (self.factored and isinstance(network, Projection)):
            return _total(self.exposures, axis)
        others = np.setdiff1d(np.arange(len(network.graph)), network.nodes)
        rows = network.graph.exposures[network.nodes]
        outward = sparse.csr_array(rows[:, others])
        through = outward @ _total(network.back, 1) if axis else network.back.T @ _total(outward, 0)
        total: Floats = _total(sparse.csr_array(rows[:, network.nodes]), axis) + through
        return total


def _two_step_vector(block: sparse.csr_array, own: int) -> Floats:
    """Perron vector of out · back, one component: that of the smaller back · out, carried out again; sum 1."""
    out, back = sparse.csr_array(block[:own][:, own:]), sparse.csr_array(block[own:][:, :own])
    vector: Floats = out @ perron_pair(sparse.csr_array(back @ out))[1]
    vector /= vector.sum()
    return vector


def _total(matrix: sparse.csr_array, axis: int) -> Floats:
    return np.asarray(matrix.sum(axis=axis), dtype=np.float64).ravel()


MEASURES: dict[str, Callable[[Study], Floats]] = {
    "impact": lambda study: study.perron(left=True),
    "vulnerability": lambda study: study.perron(left=False),
    "katz": Study.katz,
    "pagerank": lambda study: pagerank(study.products),
    "hub": lambda study: study.hits[0],
    "authority": lambda study: study.hits[1],
    "sinkrank": lambda study: study.sinkrank,
    "sinkrank_component": Study.sinkrank_component,
    "in_exposure": lambda study: study.exposure(0),
    "out_exposure": lambda study: study.exposure(1),
    "susceptibility": lambda study: susceptibility(study.walks),
    "diffusion": lambda study: diffusion(study.walks),
    "diffusion_start": lambda study: diffusion_start(study.walks),
    "diffusion_intermediate": lambda study: diffusion_intermediate(study.walks),
}
FACTORED_MEASURES = ("impact", "vulnerability", "katz", "pagerank", "in_exposure", "out_exposure")
