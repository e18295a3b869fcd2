"""The border of outside graphs: checked columns of nodes and edges, and the graph they make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import sparse

from riskgraph.arrays import Bools, Floats, Ints, Labels
from riskgraph.errors import Faults
from riskgraph.graph.exposure import ACCOUNT, ASSET, KINDS, NODE, PROTOCOL, ExposureGraph
from riskgraph.graph.matrices import leverage_of

__all__ = ["EDGE_COLUMNS", "NODE_COLUMNS", "graph_of_tables"]

NODE_COLUMNS = (
    "node", "kind", "capital_usd", "weight", "loss_weight_usd", "assumed", "onset", "debt_usd", "size_usd", "lgd",
)  # fmt: skip
EDGE_COLUMNS = ("creditor", "debtor", "usd", "leverage")
ORDER = {ASSET: 0, PROTOCOL: 1, ACCOUNT: 2, NODE: 3}

Columns = Mapping[str, np.ndarray]


def graph_of_tables(nodes: Columns, edges: Columns, said: Mapping[str, Any]) -> ExposureGraph:
    """Check both tables and make the graph; every fault stands in one InputError."""
    faults = Faults("graph from tables")
    for what, table, needed, known in (
        ("nodes", nodes, ("node", "capital_usd"), NODE_COLUMNS),
        ("exposures", edges, ("creditor", "debtor", "usd"), EDGE_COLUMNS),
    ):
        for name in needed:
            if name not in table:
                faults.add(f"{what}.{name}", "expected this column", f"{', '.join(table) or 'none'}")
        unknown = [name for name in table if name not in known]
        if unknown:
            faults.add(what, f"expected only the columns {', '.join(known)}", ", ".join(unknown))
    faults.raise_if_any()
    checked = _Nodes(nodes, faults)
    row, column, usd, leverage = _edges(edges, checked, "lgd" in nodes, faults)
    faults.raise_if_any()
    return _graph(checked, nodes, row, column, usd, leverage, said)


class _Nodes:
    """Node columns, checked and in the order of a graph."""

    def __init__(self, table: Columns, faults: Faults) -> None:
        raw = table["node"]
        n = len(raw)
        empty = [at for at, label in enumerate(raw) if label is None or label != label or str(label) == ""]
        if empty:
            faults.add("nodes.node", "expected a label", str(raw[empty[0]]), empty)
        labels: Labels = np.array([str(label) for label in raw], dtype=object)
        _, first, count = np.unique(labels.astype(str), return_index=True, return_counts=True)
        twice = np.sort(first[count > 1])
        if len(twice):
            faults.add("nodes.node", "expected every label once", repr(labels[twice[0]]), twice)
        kind = _kinds(table, n, faults)
        # sorted by kind and label, so that the order of rows makes no difference
        by_label = np.argsort(labels, kind="stable")
        place = np.array([ORDER[int(code)] for code in kind], dtype=np.int64)
        self.order: Ints = by_label[np.argsort(place[by_label], kind="stable")]
        self.labels, self.kind = labels[self.order], kind[self.order].astype(np.int8)
        is_asset: Bools = kind == ASSET
        self.capital = _numbers(table, "nodes", "capital_usd", n, faults, blank=is_asset)[self.order]
        self.given = {
            name: _numbers(table, "nodes", name, n, faults, low=0.0, high=high)[self.order]
            for name, high in (
                ("weight", np.inf), ("loss_weight_usd", np.inf), ("onset", 1.0),
                ("debt_usd", np.inf), ("size_usd", np.inf), ("lgd", 1.0),
            )
            if name in table
        }  # fmt: skip
        onset = self.given.get("onset", np.zeros(0))
        if (onset >= 1.0).any():
            faults.add("nodes.onset", "expected a share below 1", "1.0", self.order[np.flatnonzero(onset >= 1.0)])
        if "weight" in self.given and n and not self.given["weight"].sum() > 0.0:
            faults.add("nodes.weight", "expected a sum above 0", "0")
        self.assumed = _flags(table, n, faults)[self.order]


def _edges(table: Columns, nodes: _Nodes, has_lgd: bool, faults: Faults) -> tuple[Ints, Ints, Floats, Floats | None]:
    place = {label: at for at, label in enumerate(nodes.labels)}
    ends = []
    for name in ("creditor", "debtor"):
        at = np.array([place.get(str(label), -1) for label in table[name]], dtype=np.int64)
        lost = np.flatnonzero(at < 0)
        if len(lost):
            faults.add(f"exposures.{name}", "expected a label of the nodes", repr(table[name][lost[0]]), lost)
        ends.append(at)
    row, column = ends
    usd = _numbers(table, "exposures", "usd", len(row), faults, low=0.0)
    leverage = _numbers(table, "exposures", "leverage", len(row), faults, low=0.0) if "leverage" in table else None
    known = (row >= 0) & (column >= 0)
    own = np.flatnonzero(known & (row == column))
    if len(own):
        faults.add("exposures", "expected no exposure of a node to itself", repr(table["creditor"][own[0]]), own)
    key = row * max(len(nodes.labels), 1) + column
    _, back, count = np.unique(key, return_inverse=True, return_counts=True)
    again = np.flatnonzero(known & (count[back] > 1))
    if len(again):
        pair = f"{table['creditor'][again[0]]!r} to {table['debtor'][again[0]]!r}"
        faults.add("exposures", "expected every pair of creditor and debtor once", pair, again)
    if leverage is not None and has_lgd:
        faults.add("nodes.lgd", "expected no lgd beside a leverage column, which holds it already")
    if leverage is None:
        holding = np.flatnonzero(known & (usd > 0.0) & (nodes.kind[row] == ASSET) & np.isnan(nodes.capital[row]))
        if len(holding):
            what = "expected a leverage column where an asset without capital holds something"
            faults.add("exposures", what, repr(table["creditor"][holding[0]]), holding)
    return row, column, usd, leverage


def _graph(
    nodes: _Nodes,
    table: Columns,
    row: Ints,
    column: Ints,
    usd: Floats,
    leverage: Floats | None,
    said: Mapping[str, Any],
) -> ExposureGraph:
    n = len(nodes.labels)
    exposures = _matrix(usd, row, column, n)
    owed: Floats = np.asarray(exposures.sum(axis=0), dtype=np.float64).ravel()
    held: Floats = np.asarray(exposures.sum(axis=1), dtype=np.float64).ravel()
    given = nodes.given
    nothing: Floats = np.zeros(n)
    raw: Floats = given.get("weight", held if held.sum() > 0.0 else nothing + 1.0)
    # weights that sum to 1 but for rounding stay as they are, so that a round trip gives the same bits
    total = raw.sum()
    if leverage is None:
        equity = np.where(np.isnan(nodes.capital), 0.0, nodes.capital)
        matrix = leverage_of(exposures, equity, given.get("lgd", 1.0))
    else:
        matrix = _matrix(leverage, row, column, n)
    own_loss = np.where(nodes.kind == ASSET, 0.0, np.maximum(np.nan_to_num(nodes.capital), 0.0))
    three = bool(n) and not (nodes.kind == NODE).any()
    return ExposureGraph(
        labels=nodes.labels,
        kind=nodes.kind,
        capital_usd=nodes.capital,
        weight=raw if n == 0 or abs(total - 1.0) <= 1e-12 else raw / total,
        loss_weight_usd=given.get("loss_weight_usd", own_loss),
        assumed=nodes.assumed,
        onset=given.get("onset", nothing.copy()),
        debt_usd=given.get("debt_usd", owed),
        size_usd=given.get("size_usd", held),
        exposures=exposures,
        leverage=matrix,
        default_model=str(said.get("default_model", "liquidation" if three else "linear")),
        notes=tuple(said.get("notes", ())),
        digest=said.get("digest"),
    )


def _matrix(values: Floats, row: Ints, column: Ints, n: int) -> sparse.csr_array:
    matrix = sparse.coo_array((values, (row, column)), shape=(n, n)).tocsr()
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return matrix


def _kinds(table: Columns, n: int, faults: Faults) -> Ints:
    codes = np.full(n, NODE, dtype=np.int64)
    if "kind" not in table:
        return codes
    names = {name: code for code, name in enumerate(KINDS)}
    bad = [at for at, name in enumerate(table["kind"]) if str(name) not in names]
    if bad:
        faults.add("nodes.kind", f"expected one of {', '.join(KINDS)}", repr(table["kind"][bad[0]]), bad)
    return np.array([names.get(str(name), NODE) for name in table["kind"]], dtype=np.int64)


def _flags(table: Columns, n: int, faults: Faults) -> Bools:
    if "assumed" not in table:
        return np.zeros(n, dtype=bool)
    bad = [at for at, flag in enumerate(table["assumed"]) if not isinstance(flag, bool | np.bool_)]
    if bad:
        faults.add("nodes.assumed", "expected True or False", repr(table["assumed"][bad[0]]), bad)
    return np.array(
        [bool(flag) if isinstance(flag, bool | np.bool_) else False for flag in table["assumed"]], dtype=bool
    )


def _numbers(
    table: Columns, what: str, name: str, n: int, faults: Faults,
    *, low: float = -np.inf, high: float = np.inf, blank: Bools | None = None,
) -> Floats:  # fmt: skip
    """Read a column as numbers; ``blank`` marks rows that may be missing (NaN)."""
    values, wrong = np.full(n, np.nan), []
    for at, value in enumerate(table[name]):
        try:
            values[at] = np.nan if value is None else float(value)
        except (TypeError, ValueError):
            wrong.append(at)
    missing = np.isnan(values) & (blank if blank is not None else np.zeros(n, dtype=bool))
    bad = np.flatnonzero(~missing & ~(np.isfinite(values) & (values >= low) & (values <= high)))
    bad = np.union1d(bad, np.array(wrong, dtype=np.int64))
    if len(bad):
        span = "" if low == -np.inf else f" of at least {low:g}" + (f" and at most {high:g}" if high < np.inf else "")
        faults.add(f"{what}.{name}", f"expected a finite number{span}", repr(table[name][bad[0]]), bad)
    return values
