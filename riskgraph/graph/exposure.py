"""ExposureGraph: one immutable labelled graph over cached sparse matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from riskgraph.arrays import Bools, Floats, Ints, Labels, read_only
from riskgraph.errors import InputError
from riskgraph.graph.matrices import by_label, checked_matrix, leverage_of, listed, weights_of
from riskgraph.provenance import Provenance
from riskgraph.wording import counted

if TYPE_CHECKING:
    import igraph
    import networkx as nx
    import pandas as pd
    from numpy.typing import ArrayLike

    from riskgraph.graph.projection import Projection

__all__ = ["KINDS", "ExposureGraph"]

KINDS = ("account", "protocol", "asset", "node")
ACCOUNT, PROTOCOL, ASSET, NODE = range(4)


@dataclass(frozen=True, eq=False, repr=False)
class ExposureGraph:
    r"""Who loses when whom is impaired: nodes, USD exposures and the leverage matrix.

    Rows lose, columns cause: ``exposures[i, j]`` is what node i has at stake with node j in USD, and
    ``leverage[i, j]`` the share of its capital that i loses when j is wiped out,

    .. math:: \Lambda_{ij} = \mathrm{LGD}_j A_{ij} / E_i \quad (E_i > 0), \qquad \Lambda_{ij} = 0 \quad (E_i \le 0).

    Rows of assets hold shares of the asset's price instead (backing, and price impact of sales); their exposures
    are the USD behind those shares. Make one with :func:`riskgraph.exposure_graph`, :meth:`from_matrix`,
    :meth:`from_frames`, :meth:`from_networkx` or :meth:`from_igraph`.

    Attributes
    ----------
    labels : ndarray of str, shape (n,)
        ``asset:ETH``, ``protocol:aave_v3``, ``account:0x…``; a matrix keeps its own labels.
    kind : ndarray of int8, shape (n,)
        Codes into ``KINDS`` (account, protocol, asset, node).
    capital_usd : ndarray, shape (n,)
        Loss-absorbing capital E in USD; NaN for assets, which have a price instead.
    weight : ndarray, shape (n,)
        Economic-value weight v, sum 1.
    loss_weight_usd : ndarray, shape (n,)
        USD that a node loses when its h goes from 0 to 1, as far as it counts in ``loss_usd``.
    assumed : ndarray of bool, shape (n,)
        Whether the capital was assumed and not given.
    onset : ndarray, shape (n,)
        h*: the distress at which an account reaches its liquidation point, and from which it passes
        anything on (0 elsewhere).
    debt_usd, size_usd : ndarray, shape (n,)
        Total debt, and the value that stands for the node's size on a map (USD).
    exposures, leverage : csr_array, shape (n, n)
        A in USD and Λ.
    default_model : str
        ``liquidation`` on a snapshot's graph, ``linear`` on a matrix, whose nodes have no liquidation point.
    notes : tuple of str
        What was assumed on the way, in words.
    digest : str or None
        Digest of the snapshot it came from.
    provenance : Provenance or None
        The call that made it of a snapshot.
    """

    labels: Labels
    kind: Ints
    capital_usd: Floats
    weight: Floats
    loss_weight_usd: Floats
    assumed: Bools
    onset: Floats
    debt_usd: Floats
    size_usd: Floats
    exposures: sparse.csr_array
    leverage: sparse.csr_array
    default_model: str
    notes: tuple[str, ...] = ()
    digest: str | None = None
    provenance: Provenance | None = None

    def __post_init__(self) -> None:
        n = len(self.labels)
        if len(set(self.labels)) != n:
            names, counts = np.unique(self.labels.astype(str), return_counts=True)
            twice = [str(name) for name in names[counts > 1]]
            raise InputError(f"nodes: expected every label once, got {listed(twice)} more than once")
        for name in ("labels", "kind", "capital_usd", "weight", "loss_weight_usd", "assumed", "onset"):
            read_only(getattr(self, name))
        for name in ("debt_usd", "size_usd"):
            read_only(getattr(self, name))
        for matrix in (self.exposures, self.leverage):
            matrix.sum_duplicates()
            for part in (matrix.data, matrix.indices, matrix.indptr):
                read_only(part)

    # -- what it is -------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        kinds = ", ".join(counted(count, name) for name, count in self.counts.items())
        return (
            f"<ExposureGraph: {kinds}; {counted(self.exposures.nnz, 'edge')}; "
            f"total exposure ${self.exposures.sum():,.0f}; "
            f"{counted(self.component_count, 'component')}>"
        )

    @cached_property
    def counts(self) -> dict[str, int]:
        """Nodes by kind, kinds without nodes left out."""
        counts = np.bincount(self.kind, minlength=len(KINDS))
        return {name: int(count) for name, count in zip(KINDS, counts, strict=True) if count}

    @cached_property
    def component_count(self) -> int:
        """Number of weakly connected components, isolated nodes included."""
        count, _ = sparse.csgraph.connected_components(self.leverage, directed=True, connection="weak")
        return int(count)

    @cached_property
    def nodes(self) -> pd.DataFrame:
        """Frame by label: kind, capital_usd, weight, assumed, onset, debt_usd, size_usd."""
        import pandas as pd

        return pd.DataFrame(
            {
                "kind": np.array(KINDS, dtype=object)[self.kind],
                "capital_usd": self.capital_usd,
                "weight": self.weight,
                "assumed": self.assumed,
                "onset": self.onset,
                "debt_usd": self.debt_usd,
                "size_usd": self.size_usd,
            },
            index=pd.Index(self.labels, name="node"),
        )

    @cached_property
    def _place(self) -> dict[str, int]:
        return {label: at for at, label in enumerate(self.labels)}

    def index(self, labels: Sequence[str], *, what: str = "labels") -> Ints:
        """Node numbers of the labels, in their order; an InputError names every unknown one."""
        place = self._place
        unknown = [label for label in labels if label not in place]
        if unknown:
            raise InputError(f"{what}: expected labels of this graph, got {listed(unknown)}")
        return np.array([place[label] for label in labels], dtype=np.int64)

    def vector(
        self, values: Mapping[str, float] | pd.Series[Any] | ArrayLike, *, low: float, high: float, what: str
    ) -> Floats:
        """Turn a mapping or Series by label, or an array in node order, into a checked vector (absent labels are 0)."""
        if isinstance(values, str) or values is None:
            raise InputError(f"{what}: expected a mapping of labels to numbers, or an array, got {values!r}")
        if hasattr(values, "items"):
            items = list(values.items())
            vector = np.zeros(len(self))
            try:
                given = np.array([float(value) for _, value in items])
            except (TypeError, ValueError) as error:
                raise InputError(f"{what}: expected numbers, got {error}") from error
            names = [str(label) for label, _ in items]
            if len(set(names)) != len(names):
                raise InputError(f"{what}: expected every label once")
            at = self.index(names, what=what)
            vector[at] = given
        else:
            vector = np.array(values, dtype=np.float64)
            names = [str(label) for label in self.labels]
            if vector.shape != (len(self),):
                raise InputError(f"{what}: expected {len(self)} values in node order, got shape {vector.shape}")
            given = vector
        bad = np.flatnonzero(~((given >= low) & (given <= high)))
        if len(bad):
            shown = ", ".join(f"{names[b]} = {given[b]}" for b in bad[:5])
            raise InputError(f"{what}: expected values in [{low:g}, {high:g}], got {shown}")
        return vector

    # -- constructors -----------------------------------------------------------------------------

    @classmethod
    def from_matrix(
        cls,
        exposures: ArrayLike | sparse.sparray | sparse.spmatrix,
        capital: ArrayLike,
        *,
        labels: Sequence[str] | None = None,
        weights: str | ArrayLike | None = None,
        lgd: float | ArrayLike = 1.0,
    ) -> ExposureGraph:
        """Make a graph from who is exposed to whom and everybody's capital.

        Parameters
        ----------
        exposures : array, sparse matrix or DataFrame, shape (n, n)
            ``A[i, j]`` in USD: i loses when j is impaired (creditor rows, debtor columns). Zero diagonal. A frame has
            the same labels as index and columns.
        capital : array or Series, shape (n,)
            Equity E in USD; a node with E ≤ 0 starts defaulted. Beside a frame, a Series goes by its labels.
        labels : sequence of str, optional
            Default the frame's, or ``0`` to ``n-1``.
        weights : {"assets", "equity", "uniform"} or array, optional
            Economic-value weight v, made to sum to 1. ``assets`` (default): row sums of ``exposures``
            (uniform where nobody is exposed to anybody); ``equity``: max(E, 0).
        lgd : float or array, shape (n,)
            Loss given default of each debtor, in [0, 1].

        Raises
        ------
        InputError
            Wrong lengths, NaN, negative exposures, an exposure of a node to itself, LGD outside [0, 1].

        References
        ----------
        .. [1] Battiston, Puliga, Kaushik, Tasca, Caldarelli (2012), Scientific Reports 2:541.

        Examples
        --------
        >>> g = ExposureGraph.from_matrix([[0, 5], [2, 0]], [10, 8], labels=["A", "B"])
        >>> g.leverage.toarray().tolist()
        [[0.0, 0.5], [0.25, 0.0]]
        >>> g
        <ExposureGraph: 2 nodes; 2 edges; total exposure $7; 1 component>
        """
        exposures, capital, labels = by_label(exposures, capital, labels)
        equity = np.array(capital, dtype=np.float64)
        n = len(equity) if equity.ndim == 1 else -1
        matrix = checked_matrix(exposures, equity, lgd, labels)
        names = np.array([str(label) for label in (labels if labels is not None else range(n))], dtype=object)
        loss_weight = np.maximum(equity, 0.0)
        assets = np.asarray(matrix.sum(axis=1), dtype=np.float64).ravel()
        return cls(
            labels=names,
            kind=np.full(n, NODE, dtype=np.int8),
            capital_usd=equity,
            weight=weights_of(weights, assets, loss_weight),
            loss_weight_usd=loss_weight,
            assumed=np.zeros(n, dtype=bool),
            onset=np.zeros(n),
            debt_usd=np.asarray(matrix.sum(axis=0), dtype=np.float64).ravel(),
            size_usd=assets,
            exposures=matrix,
            leverage=leverage_of(matrix, equity, lgd),
            default_model="linear",
        )

    @classmethod
    def from_frames(cls, nodes: pd.DataFrame, exposures: pd.DataFrame) -> ExposureGraph:
        """Make a graph from a node frame and an exposure frame (see :func:`riskgraph.graph.formats.from_frames`)."""
        from riskgraph.graph import formats

        return formats.from_frames(nodes, exposures)

    @classmethod
    def from_networkx(cls, g: nx.DiGraph[Any]) -> ExposureGraph:
        """Make a graph from a networkx DiGraph (see :func:`riskgraph.graph.formats.from_networkx`)."""
        from riskgraph.graph import formats

        return formats.from_networkx(g)

    @classmethod
    def from_igraph(cls, g: igraph.Graph) -> ExposureGraph:
        """Make a graph from a directed igraph Graph (see :func:`riskgraph.graph.formats.from_igraph`)."""
        from riskgraph.graph import formats

        return formats.from_igraph(g)

    # -- conversion -------------------------------------------------------------------------------

    def to_frames(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Node frame and exposure frame (creditor, debtor, usd, leverage)."""
        from riskgraph.graph import formats

        return formats.to_frames(self)

    def to_networkx(self) -> nx.DiGraph[Any]:
        """Give a networkx DiGraph, edges from creditor to debtor, with every node and edge attribute."""
        from riskgraph.graph import formats

        return formats.to_networkx(self)

    def to_igraph(self) -> igraph.Graph:
        """Give a directed igraph Graph, edges from creditor to debtor, with every node and edge attribute."""
        from riskgraph.graph import formats

        return formats.to_igraph(self)

    def project(self, kind: str) -> Projection:
        """Give the network among nodes of one kind, through one node of another kind or directly."""
        from riskgraph.graph.projection import project

        return project(self, kind)
