"""The border of a network valuation: what a caller gave, checked, in node order, and what has no effect in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse

from riskgraph.arrays import Floats
from riskgraph.contagion.amounts import between, told_usd, usd
from riskgraph.contagion.sale_rules import told_matrix
from riskgraph.contagion.valuation_functions import (
    USES_PBAR,
    USES_RECOVERY,
    USES_VOLATILITY,
    VALUATIONS,
    Accounts,
    BalanceSheets,
    ValuationFunction,
)
from riskgraph.errors import InputError
from riskgraph.graph.exposure import ExposureGraph
from riskgraph.graph.matrices import listed
from riskgraph.wording import counted

__all__ = ["as_told", "chosen_valuation", "network_of", "notes_on", "terms_of", "told_network", "vector_of"]

LARGEST = float(np.finfo(np.float64).max)


def chosen_valuation(valuation: str | ValuationFunction, volatility: Any, pbar: str) -> tuple[str, ValuationFunction]:
    """Name and function of a valuation given by name or as a callable."""
    if pbar not in ("total", "interbank"):
        raise InputError(f"pbar: expected 'total' or 'interbank', got {pbar!r}")
    if not isinstance(valuation, str) and callable(valuation):
        return str(getattr(valuation, "__name__", type(valuation).__name__)), valuation
    if not isinstance(valuation, str) or valuation not in VALUATIONS:
        raise InputError(f"valuation: expected one of {', '.join(VALUATIONS)}, or a callable, got {valuation!r}")
    if valuation in USES_VOLATILITY and volatility is None:
        raise InputError(f"volatility: expected σ of the external assets to maturity for {valuation!r}, got None")
    return valuation, VALUATIONS[valuation]


def network_of(exposures: Any, assets: Any, labels: Sequence[str] | None) -> ExposureGraph:
    """Exposures and labels, checked, as a graph; capital comes out of the valuation."""
    if isinstance(exposures, ExposureGraph):
        raise InputError("exposures: expected a matrix, got an ExposureGraph (its matrix is .exposures)")
    try:
        n = exposures.shape[0] if getattr(exposures, "shape", ()) else len(exposures)
        if labels is None and not hasattr(exposures, "columns") and hasattr(assets, "reindex") and len(assets) == n:
            labels = list(assets.index)
        return ExposureGraph.from_matrix(exposures, np.zeros(n), labels=labels)
    except InputError:
        raise
    except (TypeError, ValueError) as error:
        raise InputError(f"exposures: expected a matrix of numbers, got {error}") from error


def vector_of(
    graph: ExposureGraph, values: Any, what: str, *, high: float = LARGEST, absent: bool = False, single: bool = False
) -> Floats:
    """Turn an array, numbers by label or (where single) one for all into a checked vector in node order."""
    if hasattr(values, "items"):
        given = {str(label) for label, _ in values.items()}
        missing = [] if absent else [str(label) for label in graph.labels if label not in given]
        if missing:
            raise InputError(f"{what}: expected a number for every node, got none for {listed(missing)}")
    elif single and np.ndim(values) == 0 and not isinstance(values, str):
        values = np.full(len(graph), values)
    try:
        return graph.vector(values, low=0.0, high=high, what=what)
    except InputError as error:  # "at least 0" says more than a range that ends at the largest float
        said = str(error).replace(f"values in [0, {LARGEST:g}]", "finite values of at least 0")
        raise InputError(said) from None
    except (TypeError, ValueError) as error:
        raise InputError(f"{what}: expected numbers, got {error}") from error


def notes_on(valuation: object, accounts: Accounts) -> tuple[str, ...]:
    """Say what has no effect in a valuation, and who starts insolvent."""
    gone = accounts.before < -accounts.sheets.rounding
    if not gone.any():
        return _unused(valuation, accounts.sheets.volatility, accounts.sheets.recovery)
    starts = f"{counted(int(gone.sum()), 'node')} {'starts' if gone.sum() == 1 else 'start'}"
    return (
        *_unused(valuation, accounts.sheets.volatility, accounts.sheets.recovery),
        f"{starts} with equity below 0 before any shock ({listed([str(name) for name in accounts.labels[gone]])}, "
        f"{usd(float(accounts.before[gone].sum()))}); what that costs creditors is part of the loss beyond the shock",
    )


def _unused(valuation: object, volatility: Floats | None, recovery: Floats) -> tuple[str, ...]:
    """Say what was given by name of a valuation that has no use for it, or takes all effect away."""
    if not isinstance(valuation, str):
        return ()
    idle = valuation in USES_RECOVERY and valuation != "merton" and bool((recovery == 1.0).all())
    said = {
        f"{valuation} has no use for volatility": volatility is not None and valuation not in USES_VOLATILITY,
        f"{valuation} has no use for recovery": (recovery != 1.0).any() and valuation not in USES_RECOVERY,
        f"recovery is 1: in {valuation} a default costs creditors nothing, so the network adds nothing": idle,
    }
    return tuple(words for words, so in said.items() if so)


def terms_of(valuation: str, sheets: BalanceSheets, pbar: str) -> str:
    """Name the valuation and what it has use for; a callable may use everything."""
    own = valuation not in VALUATIONS
    terms = []
    if sheets.volatility is not None and (own or valuation in USES_VOLATILITY):
        terms.append(f"σ = {between(sheets.volatility)}")
    if own or valuation in USES_RECOVERY:
        terms.append(f"R = {between(sheets.recovery)}")
    if own or valuation in USES_PBAR:
        terms.append(f"p̄ {pbar}")
    return valuation + (f" ({', '.join(terms)})" if terms else "")


def told_network(graph: ExposureGraph, assets: Floats, liabilities: Floats) -> dict[str, Any]:
    """Give what a provenance says of the network: sizes, sums, and a digest of exposures, Aᵉ and Lᵉ by label."""
    parts = ("\0external assets", "\0external liabilities")
    columns = np.append(graph.labels, np.array(parts, dtype=object))
    both = sparse.csr_array(np.column_stack((assets, liabilities)))
    whole = sparse.csr_array(sparse.hstack((graph.exposures, both)))
    size = f"{counted(len(graph), 'node')}, {counted(graph.exposures.nnz, 'exposure')}"
    return {
        "exposures": f"{size}, {usd(float(graph.exposures.sum()))}",
        "external_assets": told_usd(assets, graph.labels),
        "external_liabilities": told_usd(liabilities, graph.labels),
        "network": told_matrix(whole, graph.labels, columns),
    }


def as_told(graph: ExposureGraph, values: Floats | None) -> float | dict[str, float] | None:
    """One number where all are equal, else all of them by label."""
    if values is None or not len(values):
        return None
    if (values == values[0]).all():
        return float(values[0])
    return {str(name): float(value) for name, value in zip(graph.labels, values, strict=True)}
