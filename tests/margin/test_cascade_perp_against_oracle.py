"""Perpetuals in a cascade against the oracle that calls one account and one position at a time; sums that add up."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import riskgraph as rg
from tests.perpetual_books import holdings, snapshot_of
from tests.venue_books import left, played, random_venue


@pytest.mark.parametrize("seed", range(60))
def test_a_cascade_without_impact_is_what_the_oracle_does(seed):
    venue = random_venue(seed)
    snap = snapshot_of(venue)
    cascade = rg.liquidation_cascade(snap, {}, calls=False)
    assert cascade.conservation <= 1e-9
    rounds = played(venue)
    assert cascade.n_rounds == rounds
    wanted = {key: value for key, value in holdings(venue).items() if value > 1e-9}
    found = {key: value for key, value in left(cascade).items() if value > 1e-9}
    assert found == pytest.approx(wanted, rel=1e-9, abs=1e-9)
    assert cascade.run.book.reserve[0] == pytest.approx(float(venue.fund), rel=1e-9, abs=1e-9)
    assert cascade.run.book.deficit[0] == pytest.approx(float(venue.deficit), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_all_sums_add_up_with_late_oracles_and_impact(seed):
    venue = random_venue(seed, accounts=20)
    snap = snapshot_of(venue)
    rng = np.random.default_rng(seed)
    frame = snap.table("protocols").frame().assign(oracle_lag_rounds=float(seed % 3))
    depth = pd.DataFrame(
        {"asset": ["AAA", "BBB"], "model": ["linear", "exponential"], "depth_usd": rng.uniform(2e3, 2e4, 2)}
    )
    snap = snap.replace(protocols=frame, liquidity=depth)
    cascade = rg.liquidation_cascade(
        snap, {"AAA": -0.1, "GOLD": -0.2}, buy_impact=bool(seed % 2), recovery=0.1 * (seed % 4)
    )
    assert len(cascade.run.closed_positions) > 0
    assert cascade.conservation <= 1e-9
    lost = cascade.run.closed_positions.lost_usd
    assert (lost >= -1e-9).all() or seed % 2
