"""Exposure graphs from frames, networkx and igraph, and back, with every attribute that makes sense there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.errors import InputError
from riskgraph.graph.exposure import KINDS, ExposureGraph
from riskgraph.graph.tables import EDGE_COLUMNS, NODE_COLUMNS, graph_of_tables

if TYPE_CHECKING:
    from collections.abc import Mapping

    import igraph
    import networkx as nx
    import pandas as pd

__all__ = ["from_frames", "from_igraph", "from_networkx", "to_frames", "to_igraph", "to_networkx"]

EITHER_NODE = {"capital": "capital_usd"}  # the second name under which other tools keep the same attribute
EITHER_EDGE = {"weight": "usd"}


def from_frames(nodes: pd.DataFrame, exposures: pd.DataFrame) -> ExposureGraph:
    r"""Make a graph from a node frame and an exposure frame.

    Nodes are put in order: assets, protocols, accounts, kindless nodes, each by label, so that the order of rows
    makes no difference.

    Parameters
    ----------
    nodes : DataFrame
        Columns ``node`` (label, each once; may be the index instead) and ``capital_usd`` (finite; of an asset it may
        be missing). Optional: ``kind`` (``account``, ``protocol``, ``asset``, ``node``; default ``node``), ``weight``
        (≥ 0, made to sum to 1; default: USD at stake with others), ``lgd`` (0 to 1, default 1), ``loss_weight_usd``
        (default max(capital, 0); of an asset 0), ``onset`` (0 ≤ h* < 1, default 0), ``assumed`` (default False),
        ``debt_usd`` (default: what others have at stake with it), ``size_usd`` (default: what it has at stake).
    exposures : DataFrame
        Columns ``creditor``, ``debtor`` (labels), ``usd`` (≥ 0); each pair once, none with itself. Optional
        ``leverage`` (Λ, ≥ 0); without it :math:`\Lambda_{ij} = \mathrm{LGD}_j A_{ij} / E_i`, and an asset, which has
        no capital, can hold no exposure. With it ``lgd`` has no place: Λ holds it already.

    Raises
    ------
    InputError
        Everything that is wrong with both frames, in one message.

    Examples
    --------
    >>> import pandas as pd
    >>> nodes = pd.DataFrame({"node": ["B", "A"], "capital_usd": [8.0, 10.0]})
    >>> exposures = pd.DataFrame({"creditor": ["A", "B"], "debtor": ["B", "A"], "usd": [5.0, 2.0]})
    >>> g = from_frames(nodes, exposures)
    >>> list(g.labels), g.leverage.toarray().tolist()
    (['A', 'B'], [[0.0, 0.5], [0.25, 0.0]])
    """
    if "node" not in nodes.columns and nodes.index.name == "node":
        nodes = nodes.reset_index()
    tables = []
    for what, frame in (("nodes", nodes), ("exposures", exposures)):
        twice = frame.columns[frame.columns.duplicated()]
        if len(twice):
            raise InputError(f"{what}: expected every column once, got {twice[0]!r} more than once")
        tables.append({str(name): _objects(frame[name]) for name in frame.columns})
    said = nodes.attrs.get("riskgraph", {})
    return graph_of_tables(tables[0], tables[1], said)


def to_frames(graph: ExposureGraph) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give a node frame and an exposure frame from which :func:`from_frames` makes the same graph.

    The graph's default model, notes and digest travel in ``nodes.attrs["riskgraph"]``.

    Examples
    --------
    >>> g = ExposureGraph.from_matrix([[0, 5], [2, 0]], [10, 8], labels=["A", "B"])
    >>> nodes, exposures = to_frames(g)
    >>> exposures.values.tolist()
    [['A', 'B', 5.0, 0.5], ['B', 'A', 2.0, 0.25]]
    """
    import pandas as pd

    nodes = pd.DataFrame({name: _node_values(graph, name) for name in NODE_COLUMNS if name != "lgd"})
    nodes.attrs["riskgraph"] = _said(graph)
    row, column, usd, leverage = _edges(graph)
    exposures = pd.DataFrame(
        {"creditor": graph.labels[row], "debtor": graph.labels[column], "usd": usd, "leverage": leverage}
    )
    return nodes, exposures


def from_networkx(g: nx.DiGraph[Any]) -> ExposureGraph:
    """Make a graph from a networkx DiGraph whose edges run from creditor to debtor.

    Nodes carry ``capital_usd`` (or ``capital``), edges ``usd`` (or ``weight``); further attributes as the columns of
    :func:`from_frames`. Labels become strings.

    Raises
    ------
    InputError
        An undirected graph, parallel edges, or anything that :func:`from_frames` refuses.

    Examples
    --------
    >>> import networkx as nx
    >>> g = nx.DiGraph()
    >>> g.add_node("A", capital=10.0)
    >>> g.add_node("B", capital=8.0)
    >>> g.add_edge("A", "B", weight=5.0)
    >>> from_networkx(g).leverage.toarray().tolist()
    [[0.0, 0.5], [0.0, 0.0]]
    """
    if not g.is_directed():
        raise InputError(
            "networkx graph: expected a directed graph (edges from creditor to debtor), got an undirected one"
        )
    nodes = [{**data, "node": str(label)} for label, data in g.nodes(data=True)]
    edges = [{**data, "creditor": str(i), "debtor": str(j)} for i, j, data in g.edges(data=True)]
    said = g.graph.get("riskgraph", {})
    return graph_of_tables(_columns(nodes, EITHER_NODE, "nodes"), _columns(edges, EITHER_EDGE, "edges"), said)


def to_networkx(graph: ExposureGraph) -> nx.DiGraph[Any]:
    """Give a networkx DiGraph, edges from creditor to debtor, with the attributes of :func:`to_frames`."""
    import networkx as nx

    result: nx.DiGraph[Any] = nx.DiGraph(riskgraph=_said(graph))
    columns = {name: _node_values(graph, name).tolist() for name in NODE_COLUMNS if name not in ("node", "lgd")}
    for at, label in enumerate(graph.labels):
        result.add_node(label, **{name: values[at] for name, values in columns.items()})
    row, column, usd, leverage = _edges(graph)
    for i, j, money, share in zip(row, column, usd.tolist(), leverage.tolist(), strict=True):
        result.add_edge(graph.labels[i], graph.labels[j], usd=money, leverage=share)
    return result


def from_igraph(g: igraph.Graph) -> ExposureGraph:
    """Make a graph from a directed igraph Graph whose edges run from creditor to debtor.

    Labels are the vertex attribute ``name``, else the vertex numbers; the other attributes as in
    :func:`from_networkx`.

    Raises
    ------
    InputError
        An undirected graph, parallel edges, or anything that :func:`from_frames` refuses.
    """
    if not g.is_directed():
        raise InputError(
            "igraph graph: expected a directed graph (edges from creditor to debtor), got an undirected one"
        )
    labels = [str(name) for name in (g.vs["name"] if "name" in g.vs.attributes() else range(g.vcount()))]
    nodes = [{**vertex.attributes(), "node": label} for vertex, label in zip(g.vs, labels, strict=True)]
    edges = [{**e.attributes(), "creditor": labels[e.source], "debtor": labels[e.target]} for e in g.es]
    said = g["riskgraph"] if "riskgraph" in g.attributes() else {}
    return graph_of_tables(_columns(nodes, EITHER_NODE, "nodes"), _columns(edges, EITHER_EDGE, "edges"), said)


def to_igraph(graph: ExposureGraph) -> igraph.Graph:
    """Give a directed igraph Graph, edges from creditor to debtor, with the attributes of :func:`to_frames`.

    Labels stand in the vertex attribute ``name``.

    Examples
    --------
    >>> g = ExposureGraph.from_matrix([[0, 5], [2, 0]], [10, 8], labels=["A", "B"])
    >>> h = to_igraph(g)
    >>> h.vs["name"], h.es["usd"]
    (['A', 'B'], [5.0, 2.0])
    """
    import igraph

    row, column, usd, leverage = _edges(graph)
    result = igraph.Graph(n=len(graph), edges=list(zip(row.tolist(), column.tolist(), strict=True)), directed=True)
    result["riskgraph"] = _said(graph)
    for name in NODE_COLUMNS:
        if name != "lgd":
            result.vs["name" if name == "node" else name] = _node_values(graph, name).tolist()
    result.es["usd"], result.es["leverage"] = usd.tolist(), leverage.tolist()
    return result


def _objects(column: pd.Series[Any]) -> np.ndarray:
    """Values of a frame's column as Python objects, None where one is missing."""
    values = np.empty(len(column), dtype=object)
    values[:] = [None if gone else value for value, gone in zip(column, column.isna(), strict=True)]
    return values


def _said(graph: ExposureGraph) -> dict[str, Any]:
    return {"default_model": graph.default_model, "notes": list(graph.notes), "digest": graph.digest}


def _node_values(graph: ExposureGraph, name: str) -> np.ndarray:
    if name == "node":
        return graph.labels
    if name == "kind":
        return np.array(KINDS, dtype=object)[graph.kind]
    values: np.ndarray = getattr(graph, name)
    return values


def _edges(graph: ExposureGraph) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Every pair that has USD or leverage, row by row: creditor, debtor, USD, Λ."""
    n = len(graph)
    keys, values = [], []
    for matrix in (graph.exposures, graph.leverage):
        entries = matrix.tocoo()
        keys.append(entries.row.astype(np.int64) * n + entries.col)
        values.append(entries.data)
    both = np.union1d(keys[0], keys[1])
    usd, leverage = np.zeros(len(both)), np.zeros(len(both))
    usd[np.searchsorted(both, keys[0])] = values[0]
    leverage[np.searchsorted(both, keys[1])] = values[1]
    return both // max(n, 1), both % max(n, 1), usd, leverage


def _columns(rows: list[dict[str, Any]], either: Mapping[str, str], what: str) -> dict[str, np.ndarray]:
    """Turn attribute dictionaries into columns; an attribute of some rows only is missing (None) in the others."""
    known = NODE_COLUMNS if what == "nodes" else EDGE_COLUMNS
    for old, new in either.items():
        # a node's own weight is v, so that only edges may call their USD so
        if any(new not in row and old in row for row in rows):
            rows = [row if new in row or old not in row else {**row, new: row[old]} for row in rows]
    columns: dict[str, np.ndarray] = {}
    for name in known:
        if any(name in row for row in rows) or not rows:
            values = np.empty(len(rows), dtype=object)
            values[:] = [row.get(name) for row in rows]
            columns[name] = values
    return columns
