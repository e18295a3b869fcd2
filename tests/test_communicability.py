"""Walks of contagious links: by hand, published, against plain loops, and what must hold."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

import riskgraph.communicability
from riskgraph.communicability import (
    contagious_links,
    diffusion,
    diffusion_intermediate,
    diffusion_start,
    susceptibility,
    walks,
)
from riskgraph.eigen import centrality, fluidity
from tests import naive
from tests.graphs import matrix_graph

REFERENCE = Path(os.environ.get("RISKGRAPH_REFERENCE", Path(__file__).resolve().parents[2] / "shared" / "reference"))
NAMES = ["susceptibility", "diffusion_start", "diffusion_intermediate", "diffusion"]


def measures(leverage):
    counted = walks(sparse.csr_array(np.array(leverage, dtype=float)))
    return [f(counted) for f in (susceptibility, diffusion_start, diffusion_intermediate, diffusion)]


@st.composite
def leverages(draw, most=6):
    n = draw(st.integers(1, most))
    share = st.sampled_from([0.0, 0.0, 0.4, 1.0, 1.0, 3.0])
    return [[0.0 if i == j else draw(share) for j in range(n)] for i in range(n)]


# -- by hand, and published ------------------------------------------------------------------------------------------


def test_a_chain_with_a_branch_on_paper():
    # a takes b, b takes c and d: walks from a: b; c, d over b at 1/2 each
    L = np.zeros((4, 4))
    L[1, 0], L[2, 1], L[3, 1] = 1.5, 1.0, 2.0
    reached, start, later, total = measures(L)
    assert reached.tolist() == [0, 1, 1.5, 1.5]
    assert start.tolist() == [2, 1, 0, 0]  # a: 1 + 1/2 + 1/2 for one link; b: 2 for 2
    assert later.tolist() == [0, 0.5, 0, 0]  # b passes a's on to c and d: 1/2 + 1/2 for 2 links
    assert total.tolist() == [2, 1.5, 0, 0]


def test_two_that_take_each_other_down():
    # walks from a to b have odd length: sinh 1; closed ones (even) do not count
    reached, start, later, total = measures([[0, 1.0], [1.0, 0]])
    assert reached == pytest.approx([math.sinh(1)] * 2, rel=1e-14)
    assert start == pytest.approx([math.sinh(1)] * 2, rel=1e-14)
    # from b to a through a, three steps and more: sinh 1 less the direct link, which meets a only at its end
    assert later == pytest.approx([math.sinh(1) - 1] * 2, rel=1e-14)
    assert total == pytest.approx([2 * math.sinh(1) - 1] * 2, rel=1e-14)


def test_three_banks_as_published():
    """Figures of the R package NetworkRiskMeasures (its own test of these measures)."""
    path = REFERENCE / "published_examples.json"
    if not path.exists():
        pytest.skip(f"reference data not found at {path}")
    examples = json.loads(path.read_text(encoding="utf-8"))["examples"]
    (case,) = [example for example in examples if example["id"] == "silva_3node_communicability"]
    g = matrix_graph(case["inputs"]["assets_matrix_rows_abc"], case["inputs"]["buffer"], labels=["a", "b", "c"])
    frame, expected = centrality(g, NAMES), case["outputs"]
    assert frame["susceptibility"].tolist() == pytest.approx(expected["impact_susceptibility"], abs=1e-12)
    assert frame["diffusion_start"].tolist() == pytest.approx(expected["impact_diffusion_start"], abs=1e-12)
    assert frame["diffusion_intermediate"].tolist() == pytest.approx(
        expected["impact_diffusion_intermediate"], abs=1e-12
    )
    assert frame["diffusion"].tolist() == pytest.approx(expected["impact_diffusion_total"], abs=1e-12)
    assert fluidity(g) == pytest.approx(expected["impact_fluidity"])
    assert frame.attrs["notes"] == [
        "susceptibility is 0 for 1 of 3 nodes that no other wipes out by itself, diffusion for 1 that wipe out nobody "
        "by themselves"
    ]


def test_everybody_takes_everybody_down():
    # B = ones − identity, e^B known in closed form
    n = 12
    reached, start, _, total = measures(2.0 * (np.ones((n, n)) - np.eye(n)))
    corner = (math.exp(n - 1) - math.exp(-1)) / n  # off the diagonal of e^B
    assert reached == pytest.approx(np.full(n, corner), rel=1e-13)
    assert start == pytest.approx(np.full(n, corner), rel=1e-13)
    expected = naive.diffusion((2.0 * (np.ones((n, n)) - np.eye(n))).tolist())
    assert total == pytest.approx(expected, rel=1e-10)


# -- against plain loops ---------------------------------------------------------------------------------------------


@given(leverages())
@settings(max_examples=80, deadline=None)
def test_against_plain_loops(L):
    reached, start, later, total = measures(L)
    expected_start, expected_later = naive.diffusion_parts(L)
    assert reached == pytest.approx(naive.susceptibility(L), rel=1e-9, abs=1e-9)
    assert start == pytest.approx(expected_start, rel=1e-9, abs=1e-9)
    assert later == pytest.approx(expected_later, rel=1e-9, abs=1e-9)
    assert total == pytest.approx(naive.diffusion(L), rel=1e-9, abs=1e-9)


# -- what must hold --------------------------------------------------------------------------------------------------


@given(leverages(), st.data())
@settings(max_examples=40, deadline=None)
def test_order_tiles_and_isolated_nodes(L, data):
    plain = np.stack(measures(L))
    order = np.array(data.draw(st.permutations(range(len(L)))), dtype=int)
    assert np.stack(measures(np.array(L)[np.ix_(order, order)])) == pytest.approx(plain[:, order], rel=1e-12, abs=1e-12)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(riskgraph.communicability, "TILE", 1)  # one node at a time
        assert np.stack(measures(L)).tolist() == plain.tolist()
    links = contagious_links(sparse.csr_array(np.array(L))).toarray()
    assert (plain[0][links.sum(axis=0) == 0] == 0.0).all() and (plain[1:, links.sum(axis=1) == 0] == 0.0).all()
    # a first link is a way by itself; sums over all nodes of ways to and ways from are the same ways
    assert (plain[:2] >= 0.0).all() and (plain[2] >= -1e-12).all()
    assert (plain[0] * links.sum(axis=0)).sum() == pytest.approx((plain[1] * links.sum(axis=1)).sum())


@given(leverages())
@settings(max_examples=40, deadline=None)
def test_one_more_link_never_takes_a_way_off(L):
    before = walks(sparse.csr_array(np.array(L, dtype=float)))
    more = np.array(L, dtype=float)
    if len(L) > 1:
        more[0, -1] = 2.0
    after = walks(sparse.csr_array(more))
    for name in ("reaching", "leaving", "closed"):
        assert (getattr(after, name) >= getattr(before, name) - 1e-12).all()


def test_more_walks_than_a_number_holds_are_said():
    # 800 nodes that all take one another down: e^799 walks
    n = 800
    frame = centrality(matrix_graph(np.ones((n, n)) - np.eye(n), np.full(n, 0.5)), ["susceptibility", "diffusion"])
    assert frame.isna().all(axis=None)
    assert frame.attrs["notes"] == ["susceptibility and diffusion are NaN: more walks of contagion than a number holds"]


def test_without_links_and_without_nodes():
    for n in (0, 1, 3):
        assert [part.tolist() for part in measures(np.zeros((n, n)))] == [[0.0] * n] * 4
