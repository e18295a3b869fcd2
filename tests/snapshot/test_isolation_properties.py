"""Isolated margin: equity and health are kept in random books, and in a real one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riskgraph as rg
from riskgraph.margin.account_health import margin_accounts
from riskgraph.snapshot.isolation import isolation_of
from tests import option_books, perpetual_books
from tests.isolated_books import ANN, equities, whales


def scale_of(snap):
    """What is added up in equity, for rounding."""
    return 1e-9 * (
        1.0 + np.abs(snap.book.usd).sum() + (snap.book.amount * snap.positions["entry_price"].fillna(0)).sum()
    )


@given(perpetual_books.venues())
@settings(max_examples=80)
def test_equity_margin_and_health_of_perpetuals_are_kept(venue):
    snap = perpetual_books.snapshot_of(venue)
    try:
        isolation = isolation_of(snap)
    except rg.InputError as error:
        assert "isolated: expected" in str(error)
        return
    before, after = equities(snap), equities(isolation.after)
    near, parts = scale_of(snap), isolation.positions
    left = set(isolation.accounts_left_out["account"])
    for (account, bucket), equity in before[0].items():
        positions = [key for key in after[0] if key[0] == account and key[1] in set(parts["bucket"])]
        if bucket or account == "hl" or not len(parts[parts["account"] == account]):
            assert (account, bucket) not in after[0] or after[0][account, bucket] == pytest.approx(equity, abs=near)
            continue
        assert account not in left
        assert sum(after[0][key] for key in positions) == pytest.approx(equity, rel=1e-9, abs=near)
        need = before[1][account, bucket]
        assert sum(after[1][key] for key in positions) == pytest.approx(need, rel=1e-9)
        for key in positions if need > 1e-6 else ():
            assert after[0][key] * need == pytest.approx(after[1][key] * equity, rel=1e-9, abs=near * need)


@given(option_books.ROWS, st.floats(0.0, 1e6))
@settings(max_examples=60)
def test_equity_of_options_is_kept(rows, cash):
    posted = [(account, place, "USDC", "collateral", cash) for account in "ab" for place in ("house", "pit")]
    snap = option_books.book(*rows, *posted, ("c", "house", "USDC", "collateral", 1.0))
    isolation = isolation_of(snap)
    before = margin_accounts(snap).derivatives
    split = before.positions > 0
    split[isolation.left_out] = False
    assert isolation.equity.sum() == pytest.approx(before.equity[split].sum(), rel=1e-9, abs=1e-6)
    found = margin_accounts(isolation.after)
    after = found.derivatives.equity if found.derivatives else found.collateral
    untouched = before.equity[before.positions == 0].sum()
    assert after.sum() == pytest.approx(before.equity[split].sum() + untouched, rel=1e-9, abs=1e-6)


@given(perpetual_books.venues(), st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_row_order_changes_nothing(venue, random):
    def shuffled(n):
        order = list(range(n))
        random.shuffle(order)
        return order

    try:
        found = perpetual_books.snapshot_of(venue).isolated()
    except rg.InputError:
        return
    assert perpetual_books.snapshot_of(venue, order=shuffled).isolated().digest == found.digest


def test_written_and_read_it_is_the_same(tmp_path):
    found = perpetual_books.book(
        *ANN, ("bob", "ETH", "short", 1.0, 900.0), ("bob", "USDC", "collateral", 0.1)
    ).isolated()
    found.write(tmp_path / "isolated")
    assert rg.read_snapshot(tmp_path / "isolated").digest == found.digest


# -- a real venue ---------------------------------------------------------------------------------------------------


def test_whales_of_february_2026(shared_data):
    """50 of 411 post nothing (their cash is below what they have lost): by equity every one can be split."""
    snap = whales(shared_data, "2026-02-12 03:07")
    isolation = isolation_of(snap)
    before, after = rg.health(snap), rg.health(isolation.after)
    assert len(before) == 411
    assert not len(isolation.left_out)
    assert "margin of 50 accounts that post nothing of value" in isolation.after.notes[-1]
    assert len(after) == len(isolation.rows) == len(snap.positions) - 411
    own = after["account"].map(before.set_index("account")["health"]).astype(float)
    np.testing.assert_allclose(after["health"], own, rtol=1e-9)
    total = margin_accounts(snap).derivatives.equity.sum()
    assert isolation.equity.sum() == pytest.approx(total, rel=1e-12)
