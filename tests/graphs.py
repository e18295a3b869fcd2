"""Small graphs for tests: matrices, and books of accounts, protocols and assets built without a snapshot."""

import numpy as np
from hypothesis import strategies as st
from scipy import sparse

from riskgraph.graph.exposure import KINDS, ExposureGraph

__all__ = ["book", "books", "matrices", "matrix_graph"]


def book(kinds, leverage, *, capital=None, onset=None, usd=None, weight=None, loss=None, debt=None, labels=None):
    """An ExposureGraph of three kinds, from Λ as lists; nodes must come as assets, protocols, accounts."""
    n = len(kinds)
    L = sparse.csr_array(np.array(leverage, dtype=float).reshape(n, n))
    L.eliminate_zeros()
    counts = dict.fromkeys(KINDS, 0)
    names = []
    for kind in kinds:
        counts[kind] += 1
        names.append(f"{kind}:{counts[kind]}")
    capital = np.array(
        capital if capital is not None else [np.nan if k == "asset" else 10.0 for k in kinds], dtype=float
    )
    base = np.where(np.isnan(capital), 0.0, np.maximum(capital, 0.0))
    v = np.array(weight, dtype=float) if weight is not None else base
    A = sparse.csr_array(np.array(usd, dtype=float)) if usd is not None else sparse.csr_array(L * 10.0)
    return ExposureGraph(
        labels=np.array(labels if labels is not None else names, dtype=object),
        kind=np.array([KINDS.index(kind) for kind in kinds], dtype=np.int8),
        capital_usd=capital,
        weight=v / v.sum() if v.sum() > 0 else np.full(n, 1.0 / n),
        loss_weight_usd=np.array(loss, dtype=float) if loss is not None else base.copy(),
        assumed=np.zeros(n, dtype=bool),
        onset=np.array(onset if onset is not None else np.zeros(n), dtype=float),
        debt_usd=np.array(debt if debt is not None else np.zeros(n), dtype=float),
        size_usd=base.copy(),
        exposures=A,
        leverage=L,
        default_model="liquidation",
    )


def matrix_graph(A, capital, **more):
    return ExposureGraph.from_matrix(np.array(A, dtype=float).reshape(len(capital), len(capital)), capital, **more)


money = st.sampled_from([0.0, 0.0, 0.0, 0.5, 1.0, 2.0, 3.7, 9.0, 20.0])
equity = st.sampled_from([-3.0, 0.0, 1.0, 2.5, 4.0, 10.0, 33.0, 100.0])


@st.composite
def matrices(draw, most=6, capital=equity):
    """A and E of 1 to ``most`` kindless nodes: sparse, some without capital, λ₁ on both sides of 1."""
    n = draw(st.integers(1, most))
    A = [[0.0 if i == j else draw(money) for j in range(n)] for i in range(n)]
    return A, [draw(capital) for _ in range(n)]


@st.composite
def books(draw):
    """A three-kind graph: backing chains, claims, sales, capital of 0, onsets; some of it near saturation."""
    counts = [draw(st.integers(1, 3)), draw(st.integers(0, 2)), draw(st.integers(1, 4))]
    kinds = [kind for kind, count in zip(("asset", "protocol", "account"), counts, strict=True) for _ in range(count)]
    n, core = len(kinds), counts[0] + counts[1]
    share = st.sampled_from([0.0, 0.0, 0.05, 0.2, 0.5, 1.0])
    lever = st.sampled_from([0.0, 0.0, 0.3, 1.0, 2.5, 8.0])
    capital = [float("nan") if k == "asset" else draw(st.sampled_from([-1.0, 0.0, 5.0, 20.0, 100.0])) for k in kinds]
    L = [[0.0] * n for _ in range(n)]
    for i in range(n):
        if capital[i] <= 0.0:
            continue
        for j in range(n):
            if i == j or kinds[i] == kinds[j] == "account":
                continue
            # against the direction of the chain only a little, so that the core alone has a gain below 1
            L[i][j] = draw(lever if kinds[i] == "account" else st.sampled_from([0.0, 0.04]) if i < j < core else share)
    onset = [draw(st.sampled_from([0.0, 0.1, 0.5, 0.84, 0.99])) if k == "account" else 0.0 for k in kinds]
    debt = [draw(st.sampled_from([0.0, 1.0, 7.0])) for _ in kinds]
    return book(kinds, L, capital=capital, onset=onset, debt=debt)
