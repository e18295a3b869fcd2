"""Projections: by hand, against plain loops, and at sizes where accounts × accounts is never formed."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import sparse

from riskgraph.eigen import centrality, spectral_radius
from riskgraph.errors import InputError
from riskgraph.graph.exposure import KINDS, ExposureGraph
from tests.graphs import book, books, matrix_graph


def test_by_hand():
    # X ← k (0.1 of X's depth), k holds 1.5 X and 0.5 of protocol p, p holds 0.2 X and 0.3 of k's debt
    g = book(["asset", "protocol", "account"], [[0, 0, 0.1], [0.2, 0, 0.3], [1.5, 0.5, 0]], capital=[math.nan, 50, 20])
    assert g.project("asset").leverage.toarray() == pytest.approx(np.array([[0.1 * 1.5]]))
    assert g.project("protocol").leverage.toarray() == pytest.approx(np.array([[0.3 * 0.5]]))
    accounts = g.project("account")
    assert accounts.leverage.toarray() == pytest.approx(np.array([[1.5 * 0.1 + 0.5 * 0.3]]))
    assert accounts.labels.tolist() == ["account:1"]
    assert repr(accounts) == "<Projection: 1 accounts; 4 edges in its factors>"
    assert spectral_radius(accounts) == pytest.approx(0.3)


@given(books(), st.sampled_from(["asset", "protocol", "account"]))
@settings(max_examples=60, deadline=None)
def test_against_plain_loops(g, kind):
    code = KINDS.index(kind)
    assume((g.kind == code).any())
    part, L, n = g.project(kind), g.leverage.toarray(), len(g)
    mine = [i for i in range(n) if g.kind[i] == code]
    expected = [[L[i, j] + sum(L[i, m] * L[m, j] for m in range(n) if m not in mine) for j in mine] for i in mine]
    assert part.leverage.toarray() == pytest.approx(np.array(expected), abs=1e-12)
    x = np.arange(1.0, len(mine) + 1.0)
    assert part.matvec(x) == pytest.approx(np.array(expected) @ x)
    assert part.rmatvec(x) == pytest.approx(np.array(expected).T @ x)
    assert part.matvec(np.column_stack([x, 2 * x]))[:, 1] == pytest.approx(2 * part.matvec(x))
    roots = abs(np.linalg.eigvals(np.array(expected)))
    assert spectral_radius(part) == pytest.approx(roots.max(), rel=1e-6, abs=1e-3)
    frame = centrality(part)
    assert frame.index.tolist() == part.labels.tolist()
    assert frame["pagerank"].sum() == pytest.approx(1.0)


def test_many_accounts_stay_in_factors():
    n, rng = 50_000, np.random.default_rng(3)
    hold, sell = rng.integers(0, 3, n), rng.integers(0, 3, n)
    rows = np.concatenate([np.arange(n) + 3, sell])
    columns = np.concatenate([hold, np.arange(n) + 3])
    data = np.concatenate([rng.uniform(1, 3, n), rng.uniform(0, 2 / n, n)])
    L = sparse.coo_array((data, (rows, columns)), shape=(n + 3, n + 3)).tocsr()
    kind = np.array([2] * 3 + [0] * n, dtype=np.int8)
    zeros = np.zeros(n + 3)
    g = ExposureGraph(
        labels=np.array([f"x{i:06d}" for i in range(n + 3)], dtype=object), kind=kind,
        capital_usd=np.where(kind == 2, np.nan, 10.0), weight=np.full(n + 3, 1 / (n + 3)), loss_weight_usd=zeros.copy(),
        assumed=np.zeros(n + 3, dtype=bool), onset=zeros.copy(), debt_usd=zeros.copy(), size_usd=zeros.copy(),
        exposures=L.copy(), leverage=L, default_model="liquidation",
    )  # fmt: skip
    accounts, assets = g.project("account"), g.project("asset")
    with pytest.raises(InputError, match="leverage: expected at most 2,000 accounts, got 50,000"):
        accounts.leverage  # noqa: B018
    assert spectral_radius(accounts) == pytest.approx(spectral_radius(assets), rel=1e-10)
    # without edges inside the core λ₁ of the whole graph is the root of that of one step there and back
    assert spectral_radius(g) == pytest.approx(math.sqrt(spectral_radius(assets)), rel=1e-9)


def test_refused():
    with pytest.raises(InputError, match="project: expected one of account, protocol, asset, got 'bank'"):
        matrix_graph([[0]], [1.0]).project("bank")
    with pytest.raises(InputError, match="project: expected a graph with assets, got node"):
        matrix_graph([[0]], [1.0]).project("asset")
