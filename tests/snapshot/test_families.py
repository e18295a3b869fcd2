"""Kinds, families, numeraires and backing: what is looked up, what is assumed, what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from riskgraph.errors import InputError
from riskgraph.margin.impact import depths, table_depth
from riskgraph.snapshot.backing import followed, loop_gains, traced
from riskgraph.snapshot.snapshot import Snapshot


def holding(*names: str, backing=None, **assets) -> Snapshot:
    return Snapshot(
        positions=pd.DataFrame(
            {"account": "a", "protocol": "p", "asset": list(names), "side": "collateral", "amount": 1.0}
        ),
        assets=pd.DataFrame({"asset": list(names), "price": 1.0, **assets}),
        backing=None if backing is None else pd.DataFrame(backing, columns=["token", "backed_by", "share"]),
    )


def backing_of(snap: Snapshot) -> dict:
    return {(row["token"], row["backed_by"]): row["share"] for row in snap.backing.to_dict("records")}


def numeraires(snap: Snapshot) -> dict:
    labels = snap.labels("asset").to_pylist()
    families = snap.families
    return {name: labels[at] for name, at in zip(families.names, families.numeraire, strict=True)}


def test_the_bundled_table_fills_chains():
    assert backing_of(holding("ETH", "stETH", "wstETH")) == {("stETH", "ETH"): 1.0, ("wstETH", "stETH"): 1.0}
    # The middle of a chain is not here: the next token behind it that is.
    assert backing_of(holding("ETH", "wstETH")) == {("wstETH", "ETH"): 1.0}
    # WETH takes the place of ETH where ETH itself is not here.
    snap = holding("WETH", "stETH", "wstETH")
    assert backing_of(snap) == {("stETH", "WETH"): 1.0, ("wstETH", "stETH"): 1.0}
    assert numeraires(snap) == {"ETH": "WETH"}
    # Two custodians' tokens with no BTC here: nothing stands behind either, and neither backs the other.
    snap = holding("WBTC", "cbBTC")
    assert backing_of(snap) == {} and numeraires(snap) == {"BTC": "WBTC"}


def test_given_tables_go_first():
    snap = holding("ETH", "stETH", kind=["base", "lp"], family=["ETH", "mine"], backing=[("stETH", "ETH", 0.4)])
    assert backing_of(snap) == {("stETH", "ETH"): 0.4}
    assert snap.assets.set_index("asset")["family"].to_dict() == {"ETH": "ETH", "stETH": "mine"}
    assert not any("backing" in line for line in snap.assumptions)


def test_an_unknown_family_member_is_backed_by_its_base():
    snap = holding("GOLD", "sGOLD", kind=["base", "staked"], family=["GOLD", "GOLD"])
    assert backing_of(snap) == {("sGOLD", "GOLD"): 1.0}
    assert "backing: sGOLD is backed 1 by GOLD (family base)" in snap.assumptions


def test_in_whose_market_a_token_is_sold():
    snap = holding("ETH", "WETH", "stETH", "wstETH")
    labels = snap.labels("asset").to_pylist()
    sold = {labels[token]: labels[into] for token, into in enumerate(snap.families.sold_as)}
    assert sold == {"ETH": "ETH", "WETH": "ETH", "stETH": "stETH", "wstETH": "stETH"}
    deep = snap.replace(liquidity=pd.DataFrame({"asset": ["wstETH"], "model": ["linear"], "depth_usd": [7.0]}))
    found = dict(zip(labels, depths(deep), strict=True))
    both = pd.DataFrame({"asset": ["stETH", "wstETH"], "model": "linear", "depth_usd": [5.0, 7.0]})
    assert (
        "liquidity: the row of wstETH is not used, it is redeemed into stETH"
        in snap.replace(liquidity=both).assumptions
    )
    assert found == {"ETH": np.inf, "WETH": np.inf, "stETH": 7.0, "wstETH": 7.0}


def test_loops():
    assert loop_gains(sparse.csr_array(np.array([[0.0, 0.6], [0.5, 0.0]]))) == [([0, 1], pytest.approx(np.sqrt(0.3)))]
    legal = holding("X", "Y", "C", backing=[("X", "Y", 0.5), ("X", "C", 0.5), ("Y", "X", 0.6)])
    # Of 100 X: 50 on C at once, 50 on Y, of which 30 on X again: 50 / (1 - .3) of C in the end.
    value = np.array([0.0, 100.0, 0.0])[[0, 1, 2]]  # labels sorted: C, X, Y
    assert traced(legal.families.asset_shares, value)[0] == pytest.approx(50.0 / 0.7)
    with pytest.raises(InputError, match=r"loops of backing with a gain below 1, got 1 \(X, Y\)"):
        _ = holding("X", "Y", backing=[("X", "Y", 1.0), ("Y", "X", 1.0)]).families


@st.composite
def shares(draw):
    n = draw(st.integers(1, 6))
    matrix = np.array(draw(st.lists(st.lists(st.floats(0, 1), min_size=n, max_size=n), min_size=n, max_size=n)))
    np.fill_diagonal(matrix, 0.0)
    return 0.9 * matrix / np.maximum(matrix.sum(axis=0), 1.0)


@given(shares(), st.integers(0, 5), st.floats(-0.9, 0.9))
@settings(max_examples=60, deadline=None)
def test_following_one_token_is_its_row_of_the_inverse(matrix, token, move):
    n = len(matrix)
    token %= n
    walked = np.zeros(n)
    walked[token] = move
    for _ in range(500):  # the moved token's own total move is given, so it is not driven again
        driven = matrix.T @ walked
        driven[token] = move
        walked = driven
    np.testing.assert_allclose(followed(sparse.csr_array(matrix), {token: move}), walked, rtol=1e-9, atol=1e-12)


def test_depth_of_measured_tables():
    sold = np.array([100.0, 200.0, 400.0])
    assert table_depth(sold, np.array([0.05, 0.10, 0.20]), "average") == pytest.approx(1000.0, rel=1e-12)
    assert table_depth(sold, np.array([0.05, 0.10, 0.20]), "marginal") == pytest.approx(2000.0)
    # Beyond the last point ln g goes on with its last slope: from 2 % at 100, 10 % at 100 ln(.9)/ln(.98).
    assert table_depth(np.array([100.0]), np.array([0.02]), "marginal") == pytest.approx(
        1000.0 * np.log(0.9) / np.log(0.98)
    )
    with pytest.raises(InputError, match="expected falls that grow"):
        table_depth(np.array([100.0, 200.0]), np.array([0.0, 0.0]), "average", "ETH")
