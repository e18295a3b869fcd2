"""Which explosive loops a source reaches, and the state above which it then ends."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from scipy import sparse

from riskgraph.contagion.explosive import Floor, Plain, floors
from tests import naive
from tests.contagion.test_columns import networks


def grouped(L, started=()):
    matrix = sparse.csr_array(np.array(L, dtype=float))
    n = matrix.shape[0]
    return list(floors(matrix, np.isin(np.arange(n), list(started)), np.arange(n)))


def test_two_loops_and_who_reaches_which():
    # 0 ⇄ 1 explode; 2 ⇄ 3 explode less and lose with 0 too, so that whoever wakes 0 wakes both; 5 loses .4 with 3
    # and .3 with 4, who wakes only 2; 6 wakes nobody
    L = np.zeros((7, 7))
    L[0, 1] = L[1, 0] = 2.0
    L[2, 3], L[3, 2], L[2, 0] = 1.5, 1.0, 0.1
    L[2, 4], L[5, 3], L[5, 4] = 0.2, 0.4, 0.3
    found = {tuple(group.places.tolist()): group for group in grouped(L)}
    assert set(found) == {(0, 1), (2, 3, 4), (5, 6)}
    both, second, none = found[0, 1], found[2, 3, 4], found[5, 6]
    assert both.level.tolist() == [1, 1, 1, 1, 0, 0.4, 0]
    assert second.level.tolist() == [0, 0, 1, 1, 0, 0.4, 0]
    assert none.level.tolist() == [0] * 7
    assert [group.explosive for group in (both, second, none)] == [2, 1, 0]
    assert both.free.tolist() == [4, 5, 6]
    assert second.free.tolist() == [4, 5, 6]  # 0 and 1 stay asleep
    assert none.free.tolist() == [5, 6]


def test_a_started_node_wakes_a_loop_for_everyone():
    L = [[0, 2.0, 0.1, 0], [2.0, 0, 0, 0], [0, 0, 0, 0], [0, 0.3, 0, 0]]
    (group,) = grouped(L, started=[2])
    assert isinstance(group, Floor)
    assert group.level.tolist() == [1, 1, 1, 0.3]
    assert group.free.tolist() == [3]


def test_critical_loops_are_left_to_plain_rounds():
    L = [[0, 2.0, 0.0], [0.5, 0, 0.1], [0, 0, 0]]
    (plain,) = grouped(L)
    assert isinstance(plain, Plain)
    assert plain.places.tolist() == [0, 1, 2]
    lonely = np.zeros((4, 4))
    lonely[:3, :3] = L
    plain, rest = grouped(lonely)
    assert rest.places.tolist() == [3]
    assert rest.free.tolist() == [3]
    (plain,) = grouped(lonely, started=[2])
    assert plain.places.tolist() == [0, 1, 2, 3]


@given(network=networks())
@settings(max_examples=100)
def test_every_source_ends_above_its_floor_and_off_what_it_does_not_reach(network):
    L, started = network
    n = len(L)
    groups = grouped(L, np.flatnonzero(started))
    assert sorted(np.concatenate([group.places for group in groups]).tolist()) == list(range(n))
    for group in groups:
        for s in group.places if isinstance(group, Floor) else ():
            end = naive.debtrank(L, [1.0 if i == s or started[i] else 0.0 for i in range(n)])
            still = np.setdiff1d(np.arange(n), group.free)
            assert (np.array(end) >= group.level - 1e-9).all()
            np.testing.assert_allclose(np.array(end)[still], group.level[still], rtol=0, atol=1e-9)
