"""Kernels of collateral reuse on their own: orders, closures, rows shared out to threads."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from riskgraph import reuse_matching
from riskgraph.margin.threads import by_owner
from riskgraph.reuse_matching import _closure
from riskgraph.reuse_tables import largest_first


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(st.sampled_from([0.0, -0.0, 1.0, -1.0, 1.0 + 2**-52, 5e-324]), st.floats(allow_nan=False)),
        max_size=50,
    )
)
def test_the_order_from_the_largest_is_a_stable_one(values):
    values = np.array(values, dtype=np.float64)
    expected = np.argsort(-values, kind="stable")
    assert largest_first(values).tolist() == expected.tolist()


def test_an_order_that_leading_bits_do_not_tell():
    """Values that differ in their last bits alone, rising: every one has to move past all before it."""
    values = 1.0 + np.arange(3_000) * 2.0**-52
    assert largest_first(np.append(values, 0.5)).tolist() == [*range(2_999, -1, -1), 3_000]


def test_closure_by_powers_and_by_equations_are_one(monkeypatch):
    """A dense loop of 40 tokens with gain ¾; each column sums to ¾."""
    rng = np.random.default_rng(5)
    square = rng.random((40, 40)) * (1.0 - np.eye(40))
    square = sparse.csr_array(0.75 * square / square.sum(axis=0))
    powers = _closure(square).toarray()
    np.testing.assert_allclose(powers, np.linalg.inv(np.eye(40) - square.toarray()), rtol=1e-13)
    monkeypatch.setattr(reuse_matching, "_FULL", 1.0)
    np.testing.assert_allclose(_closure(square).toarray(), powers, rtol=1e-13)


def test_threads_share_rows_and_cut_no_account_in_two():
    owner = np.repeat(np.arange(40_000), 3)
    seen = []
    by_owner(owner, 7, lambda number, rows: seen.append((number, rows)))
    seen.sort()
    assert seen[0][1].start == 0 and seen[-1][1].stop == len(owner)
    assert all(one.stop == other.start and one.stop % 3 == 0 for (_, one), (_, other) in itertools.pairwise(seen))
    one_account = []
    by_owner(np.zeros(10, dtype=np.int64), 4, lambda _, rows: one_account.append(rows.stop - rows.start))
    assert sum(one_account) == 10 and sorted(one_account)[:-1] == [0, 0, 0]
