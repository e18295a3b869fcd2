"""Overlaps: by hand, against Ω written out, by component, and by products where Ω's factor is large."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from scipy import sparse

from riskgraph.contagion import overlaps
from riskgraph.contagion.deleveraging import fire_sale
from riskgraph.contagion.overlaps import overlap_of
from tests import naive
from tests.portfolios import portfolios


def of(H, impact, market=None):
    own = np.arange(len(impact)) if market is None else np.array(market)
    return overlap_of(sparse.csr_array(np.array(H, dtype=float)), np.array(impact, dtype=float), own)


def test_two_portfolios_by_hand():
    # Ω = [[4 + 9, 8 + 0], [8, 16]] · 0.01 on (2, 3) and (4, 0), D = 100: root 0.145 + √(0.015² + 0.08²)
    found = of([[2, 3], [4, 0]], [0.01, 0.01])
    root = 0.145 + np.hypot(0.015, 0.08)
    assert found.roots == pytest.approx([root], rel=1e-14)
    assert found.own == pytest.approx([0.13, 0.16]) and found.caused == pytest.approx([0.08, 0.08])
    vector = np.array([0.08, root - 0.13])
    assert found.perron == pytest.approx(vector / vector.sum(), rel=1e-13)
    assert found.notes == ()


def test_components_have_vectors_of_their_own():
    # 0 and 2 share the first asset, 1 is alone with the second, 3 holds what nothing moves
    found = of([[3, 0, 0], [0, 5, 0], [1, 0, 0], [0, 0, 7]], [0.1, 0.1, 0.0])
    assert found.component.tolist() == [0, 1, 0, -1]
    assert found.perron.tolist() == pytest.approx([0.5, 1 / 3, 1 / 6, np.nan], nan_ok=True)
    assert found.roots == pytest.approx([1.0, 2.5]) and found.caused == pytest.approx([0.3, 0, 0.3, 0])
    assert "2 components" in found.notes[0] and "NaN for 1 institution without" in found.notes[1]


def test_wrappers_overlap_in_the_market_that_they_are_sold_in():
    apart, together = of([[2, 0], [0, 3]], [0.1, 0.1]), of([[2, 0], [0, 3]], [0.1, 0.1], market=[0, 0])
    assert apart.caused.tolist() == [0, 0] and together.caused == pytest.approx([0.6, 0.6])


@given(portfolios(most=5))
@settings(max_examples=80, deadline=None)
def test_against_overlaps_written_out(books):
    H, E, impact = books
    full = naive.overlaps(H, impact, range(len(impact)))
    n = len(H)
    found = of(H, impact)
    assert found.own == pytest.approx([full[i][i] for i in range(n)], abs=1e-12)
    assert found.caused == pytest.approx([sum(full[i]) - full[i][i] for i in range(n)], abs=1e-12)
    groups = naive.strong_components(full)
    in_any = sum(len(nodes) for nodes in groups)
    assert np.isnan(found.perron).sum() == n - in_any and len(found.roots) == len(groups)
    for number, nodes in enumerate(groups):
        assert (found.component[nodes] == number).all()
        roots = np.linalg.eigvalsh(np.array(full)[np.ix_(nodes, nodes)])
        assume(len(nodes) == 1 or roots[-2] < 0.95 * roots[-1])  # plain power iteration has to get there
        root, vector = naive.perron(full, nodes)
        assert found.roots[number] == pytest.approx(root, rel=1e-9)
        assert found.perron[nodes] == pytest.approx([vector[i] * len(nodes) / in_any for i in nodes], abs=1e-9)
    sale = fire_sale(H, E, impact, 0.0)
    assert sale.eri.to_numpy() == pytest.approx(found.perron, nan_ok=True)
    assert sale.ici.to_numpy() == pytest.approx(found.caused)


def test_products_alone_give_the_same(monkeypatch):
    rng = np.random.default_rng(7)
    H = np.where(rng.random((60, 40)) < 0.2, rng.lognormal(3.0, 2.0, (60, 40)), 0.0)
    H[:, 0] += 1.0
    impact = rng.uniform(1e-6, 1e-3, 40)
    formed, tall = of(H, impact), of(H.T, np.full(60, 1e-4))
    monkeypatch.setattr(overlaps, "FORMED", 5)
    for one, other in ((formed, of(H, impact)), (tall, of(H.T, np.full(60, 1e-4)))):
        assert other.roots == pytest.approx(one.roots, rel=1e-12)
        assert other.perron == pytest.approx(one.perron, abs=1e-10)
