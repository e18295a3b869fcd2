"""The border of cross-holdings: shares, primitive assets and thresholds, checked and laid out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from riskgraph.arrays import Floats, Ints, Labels
from riskgraph.contagion.portfolio_holdings import by_name
from riskgraph.contagion.sale_rules import told_matrix, told_values
from riskgraph.errors import Faults, InputError
from riskgraph.graph.matrices import listed

__all__ = ["ROUNDING", "checked_limits", "checked_shares", "held_outside", "primitive_values"]

# Shares may add up to 1, and values may pass thresholds, by rounding; what is more is meant.
ROUNDING = 1e-12


def held_outside(shares: sparse.csr_array) -> Floats:
    """Ĉ: what nobody in the network holds of each; a sum above 1 by rounding leaves 0."""
    held = np.asarray(shares.sum(axis=0), dtype=np.float64).ravel()
    return np.where(held >= 1.0 - ROUNDING, 0.0, 1.0 - held)


def checked_shares(given: Any, labels: Sequence[str] | None) -> tuple[sparse.csr_array, Labels]:
    """C as a sparse matrix and the labels of its organisations, or one InputError with what is wrong."""
    framed = hasattr(given, "columns")
    if framed and (labels is not None or set(given.index) != set(given.columns) or len(given.index) != given.shape[1]):
        raise InputError("C: expected a frame with the same labels as index and columns, and no labels beside it")
    try:
        whole = given.loc[:, list(given.index)].to_numpy() if framed else given
        matrix = sparse.csr_array(whole, dtype=np.float64, copy=True)
    except (TypeError, ValueError) as error:
        raise InputError(f"C: expected a square matrix of shares, got {error}") from error
    n = matrix.shape[0]
    names = np.array(
        [str(name) for name in (given.index if framed else range(n) if labels is None else labels)], object
    )
    if matrix.shape != (n, n) or len(names) != n or len(set(names)) != n:
        raise InputError(f"C: expected n × n shares and n labels, each once, got {matrix.shape} and {len(set(names))}")
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    coo, held = matrix.tocoo(), np.asarray(matrix.sum(axis=0), dtype=np.float64).ravel()
    faults = Faults("C")
    wrong = ~((coo.data >= 0.0) & (coo.data <= 1.0))
    itself, over = coo.row == coo.col, np.flatnonzero(held > 1.0 + ROUNDING)
    _fault(faults, "expected shares in [0, 1]", coo.row[wrong], names, coo.data[wrong])
    _fault(faults, "expected nobody to hold itself", coo.row[itself], names, coo.data[itself])
    _fault(faults, "expected columns that sum to at most 1", over, names, held[over])
    faults.raise_if_any()
    _fault(faults, "expected somebody outside to own everyone in the end", _unowned(matrix), names)
    faults.raise_if_any()
    return matrix, names


def _unowned(shares: sparse.csr_array) -> Ints:
    """Organisations from which no chain of holders leads to one that is held from outside: I − C is singular there."""
    n = shares.shape[0]
    opened = sparse.csr_array((held_outside(shares) > 0.0).astype(np.float64)[None, :])
    # from outside to those that are held there, and from holder to held
    edges: Any = sparse.block_array(
        [[sparse.csr_array((1, 1)), opened], [sparse.csr_array((n, 1)), shares]], format="csr"
    )
    reached = csgraph.breadth_first_order(edges, 0, return_predecessors=False)
    return np.setdiff1d(np.arange(n), reached - 1)


def _fault(faults: Faults, expected: str, at: Ints, names: Labels, values: Floats | None = None) -> None:
    """Note organisations that do not fit, each once, and the value of the first."""
    if len(at):
        places, first = np.unique(at, return_index=True)
        came = "" if values is None else f"{values[first[0]]:.15g} for "
        faults.add("shares", expected, came + listed([str(name) for name in names[places]]))


def primitive_values(given: Any, prices: Any, names: Labels) -> tuple[Floats | None, dict[str, Any]]:
    """D p, USD (D alone where no prices are given), and D and p as the provenance has them."""
    if given is None:
        if prices is not None:
            raise InputError("prices: expected primitive_assets beside them, got none")
        return None, {"primitive_assets": None, "prices": None}
    if prices is None:
        if hasattr(given, "columns") or sparse.issparse(given) or getattr(np.array(given, object), "ndim", 0) > 1:
            raise InputError(
                f"primitive_assets: expected one value in USD for each of {len(names)} organisations, or units of each "
                "asset beside prices, got a matrix and no prices"
            )
        value = by_name(given, names, "primitive_assets")
    else:
        if hasattr(given, "columns"):
            if len(given.index) != len(names) or set(map(str, given.index)) != set(names):
                raise InputError("primitive_assets: expected a frame with a row for every organisation")
            given = given.set_axis([str(name) for name in given.index]).loc[list(names)]
        units = sparse.csr_array(given.to_numpy() if hasattr(given, "columns") else given, dtype=np.float64)
        if units.ndim != 2 or units.shape[0] != len(names):
            raise InputError(f"primitive_assets: expected {len(names)} rows, got shape {units.shape}")
        owned = np.array([str(name) for name in getattr(given, "columns", range(units.shape[1]))], dtype=object)
        price = by_name(prices, owned, "prices")
        value = units @ price
    if not np.isfinite(value).all():
        raise InputError(f"primitive_assets: expected finite USD, got {value[~np.isfinite(value)][0]}")
    if prices is None:
        return value, {"primitive_assets": told_values(value, names), "prices": None}
    shape = f"{units.shape[0]} × {units.shape[1]} units, {told_matrix(units, names, owned)}"
    return value, {"primitive_assets": shape, "prices": told_values(price, owned)}


def checked_limits(thresholds: Any, failure_costs: Any, names: Labels) -> tuple[Floats, Floats]:
    """Thresholds and failure costs of all organisations, USD."""
    limit, cost = by_name(thresholds, names, "thresholds"), by_name(failure_costs, names, "failure_costs")
    faults = Faults()
    for what, expected, values, wrong in (
        ("thresholds", "expected finite USD", limit, ~np.isfinite(limit)),
        ("failure_costs", "expected finite USD of at least 0", cost, ~(np.isfinite(cost) & (cost >= 0.0))),
    ):
        at = np.flatnonzero(wrong)
        if len(at):
            faults.add(what, expected, f"{values[at[0]]} for {listed([str(name) for name in names[at]])}")
    faults.raise_if_any()
    return limit, cost
