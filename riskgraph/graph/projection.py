"""The network among nodes of one kind, kept as the factors it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from riskgraph.arrays import Floats, Ints, Labels
from riskgraph.errors import InputError
from riskgraph.graph.exposure import KINDS, NODE, ExposureGraph

__all__ = ["Projection", "project"]

FORMED = 2_000  # accounts up to which their own matrix is formed; above it stays in factors


@dataclass(frozen=True, eq=False, repr=False)
class Projection:
    r"""Nodes of one kind k, joined directly and through exactly one node of another kind.

    .. math:: P = \Lambda_{kk} + \Lambda_{ko} \Lambda_{ok}

    with o all nodes of the other kinds. A path from a node to another kind and back to itself is its feedback, and
    stands on the diagonal.

    Attributes
    ----------
    graph : ExposureGraph
    kind : str
    nodes : ndarray of int, shape (m,)
        Node numbers in the graph.
    direct, out, back : csr_array, shapes (m, m), (m, o), (o, m)
        Λ_kk, Λ_ko and Λ_ok.
    """

    graph: ExposureGraph
    kind: str
    nodes: Ints
    direct: sparse.csr_array
    out: sparse.csr_array
    back: sparse.csr_array

    def __len__(self) -> int:
        return len(self.nodes)

    def __repr__(self) -> str:
        ways = self.direct.nnz + self.out.nnz + self.back.nnz
        return f"<Projection: {len(self):,} {self.kind}s; {ways:,} edges in its factors>"

    @cached_property
    def labels(self) -> Labels:
        """Labels of the nodes, in graph order."""
        labels: Labels = self.graph.labels[self.nodes]
        return labels

    def matvec(self, x: Floats) -> Floats:
        """P x, for x of shape (m,) or (m, c)."""
        product: Floats = self.direct @ x + self.out @ (self.back @ x)
        return product

    def rmatvec(self, x: Floats) -> Floats:
        """Pᵀ x, for x of shape (m,) or (m, c)."""
        product: Floats = self.direct.T @ x + self.back.T @ (self.out.T @ x)
        return product

    @cached_property
    def leverage(self) -> sparse.csr_array:
        """P as one sparse matrix, shape (m, m).

        Raises
        ------
        InputError
            More than 2,000 accounts: their matrix is nearly full. ``matvec`` and ``rmatvec`` work at any size.
        """
        self._check_size("leverage")
        return _tidy(self.direct + self.out @ self.back)

    @cached_property
    def exposures(self) -> sparse.csr_array:
        """USD at stake with one another, shape (m, m): A_kk + A_ko Λ_ok; same limit as ``leverage``."""
        self._check_size("exposures")
        others = np.setdiff1d(np.arange(len(self.graph)), self.nodes)
        rows = self.graph.exposures[self.nodes]
        return _tidy(rows[:, self.nodes] + rows[:, others] @ self.back)

    def _check_size(self, what: str) -> None:
        if self.kind == "account" and len(self) > FORMED:
            raise InputError(
                f"{what}: expected at most {FORMED:,} accounts, got {len(self):,}: accounts × accounts is nearly full; "
                "use matvec and rmatvec, or project on assets or protocols"
            )


def project(graph: ExposureGraph, kind: str) -> Projection:
    """Project a graph on one kind of node.

    Parameters
    ----------
    graph : ExposureGraph
    kind : {"asset", "protocol", "account"}

    Raises
    ------
    InputError
        Another kind, or a graph without nodes of this kind.

    Examples
    --------
    An account with 20 USD of capital and 30 USD of asset X, whose sale moves X by 10 %: X falls through its holder.

    >>> from riskgraph.graph.formats import from_frames
    >>> import pandas as pd
    >>> nodes = pd.DataFrame({"node": ["X", "k"], "kind": ["asset", "account"], "capital_usd": [float("nan"), 20.0]})
    >>> edges = pd.DataFrame(
    ...     {"creditor": ["k", "X"], "debtor": ["X", "k"], "usd": [30.0, 3.0], "leverage": [1.5, 0.1]}
    ... )
    >>> project(from_frames(nodes, edges), "asset").leverage.toarray().round(4).tolist()
    [[0.15]]
    """
    kinds = [name for name in KINDS if name != KINDS[NODE]]
    if kind not in kinds:
        raise InputError(f"project: expected one of {', '.join(kinds)}, got {kind!r}")
    mine = graph.kind == KINDS.index(kind)
    if not mine.any():
        raise InputError(f"project: expected a graph with {kind}s, got {', '.join(graph.counts) or 'no nodes'}")
    nodes, others = np.flatnonzero(mine), np.flatnonzero(~mine)
    rows = graph.leverage[nodes]
    return Projection(
        graph=graph,
        kind=kind,
        nodes=nodes,
        direct=sparse.csr_array(rows[:, nodes]),
        out=sparse.csr_array(rows[:, others]),
        back=sparse.csr_array(graph.leverage[others][:, nodes]),
    )


def _tidy(matrix: sparse.csr_array) -> sparse.csr_array:
    tidy = matrix.tocsr()
    tidy.sum_duplicates()
    tidy.eliminate_zeros()
    return tidy
