"""Where marks stand: nothing that matters overlaps, everything has its place, and no chance is in it."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from riskgraph.graph.exposure import KINDS
from riskgraph.view.hubs import anchors, homes, separate
from riskgraph.view.layout import LARGEST, SMALLEST, SMALLEST_CORE, arrange, radii, sunflower
from tests.view.maps import random_matrix, synthetic_map

ACCOUNT, PROTOCOL, ASSET, NODE = (KINDS.index(kind) for kind in ("account", "protocol", "asset", "node"))


def laid_out(seed):
    A, _, _ = random_matrix(seed)
    size = np.sort(A.sum(axis=0) + A.sum(axis=1))[::-1]
    return arrange(np.full(len(A), NODE), size, sparse.csr_array(A))


def distances(x, y):
    return np.hypot(x[:, None] - x, y[:, None] - y) + np.diag(np.full(len(x), np.inf))


def test_hand_solved_homes():
    # 0 asset, 1 protocol, 2 to 5 small: 2 has most at stake with 1, 3 with 2, 1 with 4, and 5 with nobody
    A = np.zeros((6, 6))
    A[2, 0], A[2, 1], A[3, 2], A[1, 4] = 3.0, 4.0, 9.0, 1.0
    hub = np.array([True, True, False, False, False, False])
    assert homes(sparse.csr_array(A), hub).tolist() == [-1, -1, 1, 1, 1, -1]


def test_equal_stakes_go_to_the_first_hub():
    A = np.array([[0.0, 0, 0], [0, 0, 0], [2, 2, 0]])
    assert homes(sparse.csr_array(A), np.array([True, True, False])).tolist() == [-1, -1, 0]


def test_every_part_of_the_network_has_a_hub():
    n = 400
    A = sparse.lil_array((n, n))
    A[np.arange(1, n - 1), 0] = 1.0  # a star of accounts round the asset, and a pair of accounts apart from it
    A[n - 1, 0] = 0.0
    A[n - 2, 0], A[n - 2, n - 1] = 0.0, 1.0
    kind = np.array([ASSET, *[ACCOUNT] * (n - 1)])
    hub = anchors(kind, sparse.csr_array(A))
    assert hub[0]
    assert hub[n - 2]
    assert not hub[n - 1]


def test_area_is_exposure():
    kind = np.array([ASSET, ACCOUNT, ACCOUNT, PROTOCOL, ACCOUNT])
    radius = radii(kind, np.array([400.0, 100.0, 25.0, 0.0, 0.0]))
    assert radius.tolist() == [LARGEST, LARGEST / 2, LARGEST / 4, SMALLEST_CORE, SMALLEST]


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_no_two_discs_of_hubs_overlap(seed):
    layout = laid_out(seed)
    hubs = np.flatnonzero(layout.hub)
    room = layout.disc[hubs][:, None] + layout.disc[hubs]
    assert (distances(layout.x[hubs], layout.y[hubs]) >= room - 1e-3).all()


@given(
    st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50), st.floats(0.5, 40)), min_size=1, max_size=40),
    st.booleans(),
)
def test_separated_circles_never_overlap(circles, together):
    points, room = np.array([c[:2] for c in circles]), np.array([c[2] for c in circles])
    if together:
        points[:] = 0.0
    apart = separate(points, room)
    assert (distances(*apart.T) >= room[:, None] + room - 1e-6).all()


@given(st.lists(st.floats(SMALLEST, LARGEST), min_size=1, max_size=300), st.floats(SMALLEST, LARGEST))
def test_marks_of_a_disc_keep_clear_of_its_hub_and_inside_it(radius, hub):
    radius = np.sort(np.array(radius))[::-1]
    x, y, disc = sunflower(radius, hub)
    away = np.hypot(x, y)
    assert (away - radius >= 1.25 * hub).all()
    assert (away + radius <= disc).all()


def test_marks_of_one_size_hardly_touch_in_a_disc():
    x, y, _ = sunflower(np.full(2000, SMALLEST), 10.0)
    assert distances(x, y).min() >= 1.95 * SMALLEST


def test_nodes_without_exposures_stand_below_all_others():
    layout = laid_out(3)
    apart = ~layout.hub & (layout.home < 0)
    assert apart.any()
    assert (layout.y[apart] - layout.radius[apart]).min() > (layout.y[layout.hub] + layout.disc[layout.hub]).max()
    assert distances(layout.x[apart], layout.y[apart]).min() >= 2 * layout.radius[apart].max()


def test_members_stand_in_the_disc_of_their_home():
    layout = synthetic_map().drawing.layout
    inside = np.flatnonzero(layout.home >= 0)
    home = layout.home[inside]
    away = np.hypot(layout.x[inside] - layout.x[home], layout.y[inside] - layout.y[home])
    assert (away + layout.radius[inside] <= layout.disc[home] + 1e-3).all()
    assert not (layout.grouped & layout.hub).any()
    assert layout.grouped.any()


@pytest.mark.parametrize("n", [0, 1, 2])
def test_the_smallest_networks(n):
    A = np.zeros((n, n))
    if n == 2:
        A[0, 1] = 1.0
    layout = arrange(np.full(n, NODE), np.ones(n), sparse.csr_array(A))
    assert len(layout.x) == n
    if n == 2:
        assert np.hypot(*(np.diff(layout.x), np.diff(layout.y))) >= 2 * LARGEST


def test_layout_leaves_python_s_random_numbers_alone_and_does_not_depend_on_them():
    random.seed(1)
    state = random.getstate()
    first = laid_out(5)
    assert random.getstate() == state
    random.seed(2)
    second = laid_out(5)
    for name in ("x", "y", "radius", "hub", "home", "grouped", "disc"):
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes()


def test_igraph_has_python_s_generator_again_afterwards():
    import igraph

    laid_out(5)
    random.seed(11)
    first = igraph.Graph.Erdos_Renyi(50, 0.1).get_edgelist()
    random.seed(11)
    assert igraph.Graph.Erdos_Renyi(50, 0.1).get_edgelist() == first
    assert igraph.Graph.Erdos_Renyi(50, 0.1).get_edgelist() != first
