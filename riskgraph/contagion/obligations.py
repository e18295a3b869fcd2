"""Who owes what to whom, at the border of a clearing: labels, liabilities and external items, all checked at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from riskgraph.arrays import Floats, Labels
from riskgraph.contagion.amounts import told_usd, usd
from riskgraph.contagion.fictitious import TOLERANCE, Debts
from riskgraph.errors import Faults, InputError
from riskgraph.graph.matrices import check_orientation
from riskgraph.wording import counted

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike

__all__ = ["Obligations", "checked_recoveries", "read_obligations"]


@dataclass(frozen=True, eq=False)
class Obligations:
    """Checked input of a clearing, USD."""

    labels: Labels  # (n,)
    liabilities: sparse.csr_array  # (n, n), i owes j
    external_assets: Floats  # (n,)
    external_liabilities: Floats  # (n,)

    @cached_property
    def owed(self) -> Floats:
        """USD that each bank owes to the other banks."""
        return np.asarray(self.liabilities.sum(axis=1), dtype=np.float64).ravel()

    @cached_property
    def told(self) -> dict[str, Any]:
        """What a provenance says of the book; no digest, which would take longer than the clearing itself."""
        size = f"{counted(len(self.owed), 'bank')}, {counted(self.liabilities.nnz, 'debt')}"
        return {
            "liabilities": f"{size}, {usd(float(self.owed.sum()))}",
            "external_assets": told_usd(self.external_assets, self.labels),
            "external_liabilities": told_usd(self.external_liabilities, self.labels),
        }

    def debts(self, seniority: str, alpha: float, beta: float) -> Debts:
        """Lay the book out for the kernel (o and g of :mod:`riskgraph.contagion.fictitious`)."""
        claims = sparse.csr_array(self.liabilities.T)
        face = claims @ np.ones(len(self.owed))
        total = self.owed + self.external_liabilities
        per = total if seniority == "equal" else self.owed
        over = np.divide(1.0, per, out=np.zeros_like(per), where=self.owed > 0.0)
        ahead = self.external_liabilities if seniority == "senior" else 0.0
        return Debts(
            claims=claims,
            cash=self.external_assets,
            face=face,
            owed=total,
            gain=beta * over,
            offset=(alpha * self.external_assets - ahead) * over,
            slack=TOLERANCE * (total + self.external_assets + face),
            clipped=seniority != "equal",
        )

    def paid(self, cash: Floats, seniority: str) -> tuple[Floats, Floats]:
        """Divide a defaulter's cash (infinite for who pays in full) between banks and others."""
        banks, others = self.owed, self.external_liabilities
        if seniority == "equal":
            total = banks + others
            share = np.minimum(np.divide(cash, total, out=np.ones_like(total), where=total > 0.0), 1.0)
            return share * banks, share * others
        if seniority == "senior":
            return np.clip(cash - others, 0.0, banks), np.minimum(cash, others)
        return np.minimum(cash, banks), np.clip(cash - banks, 0.0, others)


def read_obligations(
    liabilities: ArrayLike | sparse.sparray | sparse.spmatrix | pd.DataFrame,
    external_assets: ArrayLike | pd.Series[Any] | Mapping[str, float],
    external_liabilities: ArrayLike | pd.Series[Any] | Mapping[str, float] | None,
    labels: Sequence[str] | None,
) -> Obligations:
    """Bring liabilities and vectors into one order of banks and check them.

    The banks are those of the frame's index, else of ``labels``, else of the first Series among the vectors, else 0 to
    n − 1. A Series or mapping goes by its labels, an array by position.

    Raises
    ------
    InputError
        With every fault found: shapes, labels, values that are not finite and at least 0, a bank that owes itself.
    """
    names = _names(liabilities, (external_assets, external_liabilities), labels)
    matrix = _matrix(liabilities)
    n = matrix.shape[0]
    faults = Faults()
    if matrix.shape != (n, n):
        faults.add("liabilities", "expected a square matrix", f"shape {matrix.shape}")
    if names is not None and len(names) != n:
        faults.add("labels", f"expected {n}, one a row of liabilities", str(len(names)))
    faults.raise_if_any()
    names = names if names is not None else list(map(str, range(n)))
    assets = _vector("external_assets", external_assets, names, faults)
    owed = np.zeros(n)
    if external_liabilities is not None:
        owed = _vector("external_liabilities", external_liabilities, names, faults)
    _check_entries(matrix, names, faults)
    faults.raise_if_any()
    if not np.isfinite(matrix.data.sum() + assets.sum() + owed.sum()):
        raise InputError("liabilities, external_assets, external_liabilities: expected finite totals, got an overflow")
    return Obligations(np.array(names, dtype=object), matrix, assets, owed)


def checked_recoveries(external: float, interbank: float) -> tuple[float, float]:
    """Give α and β as floats, each a share."""
    for what, share in (("external_recovery", external), ("interbank_recovery", interbank)):
        if not isinstance(share, (int, float, np.number)) or not 0.0 <= share <= 1.0:
            raise InputError(f"{what}: expected one share in [0, 1], got {share!r}")
    return float(external), float(interbank)


def _names(liabilities: Any, vectors: Sequence[Any], labels: Sequence[str] | None) -> list[str] | None:
    """Labels of the banks, from wherever they are given; None where they are not."""
    given = None if labels is None else [str(label) for label in labels]
    found = next(([str(x) for x in vector.index] for vector in vectors if hasattr(vector, "reindex")), None)
    if hasattr(liabilities, "columns"):
        check_orientation(liabilities, "liabilities", rows="debtor", columns="creditor")
        found = [str(label) for label in liabilities.index]
        if sorted(found) != sorted(str(label) for label in liabilities.columns):
            raise InputError("liabilities: expected a frame with the same labels, each once, as index and columns")
        if given is not None and given != found:
            raise InputError("labels: expected none beside a frame, or the frame's own in its order")
    names = given if given is not None else found
    if names is not None and len(set(names)) != len(names):
        twice = [name for name, count in Counter(names).items() if count > 1]
        raise InputError(f"labels: expected every label once, got more than one of {twice[:5]}")
    return names


def _matrix(liabilities: Any) -> sparse.csr_array:
    """Give liabilities as a sparse matrix, a frame's columns in the order of its index."""
    if hasattr(liabilities, "columns"):
        place = {str(label): at for at, label in enumerate(liabilities.columns)}
        order = [place[str(label)] for label in liabilities.index]
        liabilities = liabilities.iloc[:, order].to_numpy()
    try:
        given: Any = liabilities if sparse.issparse(liabilities) else np.array(liabilities, dtype=np.float64)
        matrix: Any = sparse.csr_array(given, dtype=np.float64)  # may share the caller's arrays: nothing writes to it
    except (TypeError, ValueError) as error:
        raise InputError(f"liabilities: expected a square matrix of numbers, got {error}") from error
    if matrix.ndim != 2:
        raise InputError(f"liabilities: expected a square matrix, got shape {matrix.shape}")
    if matrix.indices.dtype != np.int32 and max(matrix.nnz, *matrix.shape) < 2**31:  # half the index traffic later
        index = (matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32))
        matrix = sparse.csr_array((matrix.data, *index), shape=matrix.shape)
    amounts: sparse.csr_array = matrix
    return amounts


def _vector(what: str, values: Any, names: list[str], faults: Faults) -> Floats:
    """One amount a bank, in the order of the banks; its faults are noted."""
    n = len(names)
    if hasattr(values, "reindex") or isinstance(values, Mapping):
        place = {str(label): at for at, label in enumerate(values.keys())}
        if len(place) != len(values) or set(place) != set(names):
            odd = [*(set(place) - set(names)), *(set(names) - set(place))]
            faults.add(what, "expected every bank's label once", f"{sorted(odd)[:5]} on one side only")
            return np.zeros(n)
        numbers = list(values.values()) if isinstance(values, Mapping) else values.to_numpy()
        values = [numbers[place[name]] for name in names]
    try:
        vector = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        faults.add(what, "expected numbers", str(error))
        return np.zeros(n)
    if vector.shape != (n,):
        faults.add(what, f"expected one amount a bank ({n})", f"shape {vector.shape}")
        return np.zeros(n)
    bad = np.flatnonzero(~(np.isfinite(vector) & (vector >= 0.0)))
    if len(bad):
        faults.add(what, "expected finite USD of at least 0", f"{vector[bad[0]]} for {names[bad[0]]}", bad)
        return np.zeros(n)
    return vector + 0.0  # no −0


def _check_entries(matrix: sparse.csr_array, names: list[str], faults: Faults) -> None:
    """Note entries that are no amounts, and debts of a bank to itself."""
    if matrix.nnz and not (matrix.data.min() >= 0.0 and matrix.data.max() < np.inf):
        bad = np.flatnonzero(~(np.isfinite(matrix.data) & (matrix.data >= 0.0)))
        rows = np.searchsorted(matrix.indptr, bad, side="right") - 1
        pair = f"{names[rows[0]]} owes {names[matrix.indices[bad[0]]]} {matrix.data[bad[0]]}"
        faults.add("liabilities", "expected finite USD of at least 0", pair, rows)
    own = np.flatnonzero(matrix.diagonal())
    if len(own):
        faults.add("liabilities", "expected no debt of a bank to itself", f"one of {names[own[0]]}", own)
