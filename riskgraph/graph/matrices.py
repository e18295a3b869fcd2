"""Exposure matrices at the border: checked, weighted, turned into leverage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from riskgraph.arrays import Floats
from riskgraph.errors import Faults, InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["by_label", "check_orientation", "checked_matrix", "leverage_of", "listed", "weights_of"]


def by_label(exposures: Any, capital: Any, labels: Sequence[str] | None) -> tuple[Any, Any, Sequence[str] | None]:
    """Bring a frame of exposures, and capital by label, into one order; leave arrays as they are.

    Beside a matrix without labels, a Series of capital goes by position and gives the nodes its labels.
    """
    if not hasattr(exposures, "columns"):
        if hasattr(capital, "reindex"):
            if labels is None:
                return exposures, capital, [str(name) for name in capital.index]
            capital = _ordered(capital, labels)
        return exposures, capital, labels
    check_orientation(exposures, "exposures", rows="creditor", columns="debtor")
    names = list(exposures.index)
    if len(set(names)) != len(names) or set(names) != set(exposures.columns) or len(names) != exposures.shape[1]:
        raise InputError("exposures: expected a frame with the same labels, each once, as index and columns")
    if labels is not None and list(labels) != names:
        raise InputError("labels: expected none beside a frame, or the frame's own in its order")
    if hasattr(capital, "reindex"):
        capital = _ordered(capital, names)
    return exposures[names].to_numpy(), capital, [str(name) for name in names]


def check_orientation(frame: Any, what: str, *, rows: str, columns: str) -> None:
    """Refuse a frame whose index or columns are named as what the other one should hold."""
    for part, axis, wrong in (("rows", frame.index, columns), ("columns", frame.columns, rows)):
        if str(axis.name).casefold() in (wrong, f"{wrong}s"):
            raise InputError(
                f"{what}: expected {rows} rows and {columns} columns, got a frame with {part} {axis.name!r}; pass .T"
            )


def _ordered(capital: Any, names: Sequence[Any]) -> Any:
    if set(capital.index) != set(names) or len(capital.index) != len(names):
        raise InputError(f"capital: expected a Series with the labels of the exposures, got {list(capital.index)[:5]}")
    return capital.loc[list(names)].to_numpy()


def leverage_of(exposures: sparse.csr_array, equity: Floats, lgd: float | ArrayLike) -> sparse.csr_array:
    """Λ = LGD_j A_ij / E_i where E_i > 0, an empty row elsewhere."""
    with np.errstate(divide="ignore"):
        share = np.where(equity > 0.0, 1.0 / equity, 0.0)
    loss = np.broadcast_to(np.asarray(lgd, dtype=np.float64), equity.shape)
    leverage = sparse.csr_array(sparse.diags_array(share) @ exposures @ sparse.diags_array(loss))
    leverage.eliminate_zeros()
    return leverage


def checked_matrix(
    exposures: ArrayLike | sparse.sparray | sparse.spmatrix,
    equity: Floats,
    lgd: float | ArrayLike,
    labels: Sequence[str] | None,
) -> sparse.csr_array:
    """Give the exposures as a sparse matrix after checking them with everything that must fit them."""
    faults = Faults()
    given: Any = exposures
    matrix: Any = sparse.csr_array(given, dtype=np.float64, copy=True)
    n = matrix.shape[0]
    if matrix.shape != (n, n):
        faults.add("exposures", "expected a square matrix", f"shape {matrix.shape}")
    if equity.shape != (n,):
        faults.add("capital", f"expected one value a node ({n})", f"shape {equity.shape}")
    elif not np.isfinite(equity).all():
        rows = np.flatnonzero(~np.isfinite(equity))
        faults.add("capital", "expected finite USD", str(equity[rows[0]]), rows)
    if labels is not None and len(labels) != n:
        faults.add("labels", f"expected {n} labels", str(len(labels)))
    loss = np.asarray(lgd, dtype=np.float64)
    if loss.shape not in ((), (n,)):
        faults.add("lgd", f"expected one value or one a node ({n})", f"shape {loss.shape}")
    elif not ((loss >= 0.0) & (loss <= 1.0)).all():
        faults.add("lgd", "expected values in [0, 1]", str(loss))
    coo = matrix.tocoo()
    bad = np.flatnonzero(~(np.isfinite(coo.data) & (coo.data >= 0.0)))
    if len(bad):
        faults.add("exposures", "expected finite USD of at least 0", str(coo.data[bad[0]]), coo.row[bad])
    own = np.flatnonzero((coo.row == coo.col) & (coo.data != 0.0))
    if len(own):
        faults.add("exposures", "expected no exposure of a node to itself", str(coo.data[own[0]]), coo.row[own])
    faults.raise_if_any()
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    checked: sparse.csr_array = matrix
    return checked


def weights_of(given: str | ArrayLike | None, assets: Floats, equity: Floats) -> Floats:
    """Economic-value weights that sum to 1: by total assets (default), equity, evenly, or as given."""
    n = len(assets)
    named = {"assets": assets, "equity": equity, "uniform": np.ones(n)}
    if given is None:
        raw = assets if assets.sum() > 0.0 else np.ones(n)
    elif isinstance(given, str):
        if given not in named:
            raise InputError(f"weights: expected one of {', '.join(named)} or an array, got {given!r}")
        raw = named[given]
    else:
        raw = np.array(given, dtype=np.float64)
        if raw.shape != (n,):
            raise InputError(f"weights: expected {n} values, got shape {raw.shape}")
        if not (np.isfinite(raw) & (raw >= 0.0)).all():
            raise InputError(f"weights: expected finite values of at least 0, got {raw[~(raw >= 0.0)][:5]}")
    total = raw.sum()
    if n and not total > 0.0:
        raise InputError("weights: expected a sum above 0, got 0")
    return raw / total if n else raw


def listed(names: Sequence[str]) -> str:
    """Quote the first five names and say how many more there are."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(repr(name) for name in names[:5]) + more
