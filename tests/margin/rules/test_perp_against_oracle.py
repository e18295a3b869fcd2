"""Perpetuals against an oracle that takes one account and one position at a time, and what must always hold."""

from __future__ import annotations

import copy
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import riskgraph as rg
from riskgraph.margin.ledger import Request
from riskgraph.margin.rules.perp import Perp, adl_order
from tests.naive.perpetuals import ranked
from tests.perpetual_books import holdings, holdings_of, snapshot_of, venues

NUMBERS = ("seized_usd", "realised_pnl_usd", "fee_usd", "bonus_usd", "bad_debt_usd", "insurance_paid_usd", "adl_usd",
           "adl_closed_usd")  # fmt: skip


def check_step(step, told):
    assert (step["refused"], step["stage"]) == (told["refused"], told["stage"])
    assert step["health_before"] == pytest.approx(told["health_before"], rel=1e-12, abs=0.0)
    assert step["health_after"] == pytest.approx(told["health_after"], rel=1e-12, abs=0.0)
    for name in NUMBERS:
        assert step[name] == pytest.approx(float(told[name]), rel=1e-12, abs=0.0), name
    if "seized" in told:
        assert (step["collateral_asset"], step["side"]) == (told["asset"], told["side"])
        assert step["seized"] == pytest.approx(float(told["seized"]), rel=1e-12)


CALLS = st.lists(st.integers(0, 4), min_size=1, max_size=5)


def keys_of(venue, picks):
    keys = list(venue.accounts)
    return [keys[at % len(keys)] for at in picks]


@settings(max_examples=60, deadline=None)
@given(venues(), CALLS)
def test_every_call_does_what_the_oracle_does(venue, picks):
    snap, calls = snapshot_of(venue), keys_of(venue, picks)
    done = rg.liquidate(snap, "hl", [owner for owner, _ in calls], buckets=[bucket for _, bucket in calls])
    told = [venue.call(*key) for key in calls]
    for (_, step), one in zip(done.steps.iterrows(), told, strict=True):
        check_step(step, one)
    assert holdings_of(done.after) == pytest.approx(holdings(venue), rel=1e-12, abs=0.0)
    assert done.after.protocols["reserve_usd"].item() == pytest.approx(float(venue.fund), rel=1e-12)
    assert done.after.protocols["deficit_usd"].item() == pytest.approx(float(venue.deficit), rel=1e-12)


@settings(max_examples=40, deadline=None)
@given(venues(), st.sampled_from(["AAA", "BBB"]), st.sampled_from(["long", "short"]))
def test_the_order_of_deleveraging_is_the_oracles(venue, asset, side):
    expected = ranked(venue, asset, side)
    found = adl_order(snapshot_of(venue), "hl", asset, side)
    scores = [float(score) for _, _, score in expected]
    assert found["score"].tolist() == pytest.approx(scores, rel=1e-12)
    places = [(account.owner, account.bucket) for account, _, _ in expected]
    assert list(zip(found["account"], found["bucket"], strict=True)) == places


@settings(max_examples=20, deadline=None)
@given(venues(), st.sampled_from(["AAA", "BBB", "CCC"]))
def test_a_named_position_is_the_one_that_is_closed(venue, asset):
    snap, before = snapshot_of(venue), copy.deepcopy(venue)
    for (owner, bucket), account in before.accounts.items():
        if any(one.asset == asset for one in account.positions):
            done = rg.liquidate(snap, "hl", [owner, owner], buckets=[bucket] * 2, collateral_asset=asset)
            here = copy.deepcopy(before)
            for _, step in done.steps.iterrows():
                check_step(step, here.call(owner, bucket, asset))


def wealth(snap, marks):
    """Σ value of all accounts + fund − deficit, and the gross size of what is in it."""
    rows = snap.positions
    price = rows["asset"].astype(object).map({asset: float(mark) for asset, mark in marks.items()})
    side = rows["side"].astype(object)
    cash = side.map({"collateral": 1.0, "debt": -1.0}).fillna(0.0) * rows["amount"] * price
    turn = side.map({"long": 1.0, "short": -1.0}).fillna(0.0)
    pnl = (rows["amount"] * turn * (price - rows["entry_price"])).fillna(0.0)
    fund, deficit = snap.protocols[["reserve_usd", "deficit_usd"]].to_numpy()[0]
    gross = (rows["amount"] * (price + rows["entry_price"].fillna(0.0))).sum() + fund + deficit
    return cash.sum() + pnl.sum() + fund - deficit, gross


@settings(max_examples=60, deadline=None)
@given(venues(), CALLS)
def test_no_call_makes_or_loses_money(venue, picks):
    snap, calls, before = snapshot_of(venue), keys_of(venue, picks), venue.wealth()
    done = rg.liquidate(snap, "hl", [owner for owner, _ in calls], buckets=[bucket for _, bucket in calls])
    total, gross = wealth(snap, venue.marks)
    assert wealth(done.after, venue.marks)[0] == pytest.approx(total, abs=1e-12 * gross)
    for key in calls:
        venue.call(*key)
    assert venue.wealth() == before


@settings(max_examples=20, deadline=None)
@given(venues(), CALLS, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_no_bit(venue, picks, random):
    calls = keys_of(venue, picks)
    words = {"accounts": [owner for owner, _ in calls], "buckets": [bucket for _, bucket in calls]}
    one = rg.liquidate(snapshot_of(venue), "hl", **words)
    other = rg.liquidate(snapshot_of(venue, order=lambda n: random.sample(range(n), n)), "hl", **words)
    pd.testing.assert_frame_equal(one.steps, other.steps, check_exact=True)
    pd.testing.assert_frame_equal(one.movements, other.movements, check_exact=True)
    assert one.after.digest == other.after.digest


def scaled(venue, factor):
    """Every amount and every USD threshold times a factor."""
    venue = copy.deepcopy(venue)
    for account in venue.accounts.values():
        for side in (account.cash, account.debt):
            side.update({token: units * factor for token, units in side.items()})
        for one in account.positions:
            one.amount *= factor
    venue.tiers = {asset: [(start * factor, rate) for start, rate in ladder] for asset, ladder in venue.tiers.items()}
    venue.fund, venue.partial_above = venue.fund * factor, venue.partial_above * factor
    return venue


@settings(max_examples=20, deadline=None)
@given(venues(), CALLS)
def test_scaling_all_amounts_and_thresholds_scales_all_usd(venue, picks):
    assume(venue.rank != "binance")  # max(1, wallet) has a dollar in it that nobody can set
    calls = keys_of(venue, picks)
    words = {"accounts": [owner for owner, _ in calls], "buckets": [bucket for _, bucket in calls]}
    one = rg.liquidate(snapshot_of(venue), "hl", **words).steps
    other = rg.liquidate(snapshot_of(scaled(venue, Fraction(10))), "hl", **words).steps
    for name in one:
        grows = name.endswith("_usd") or name in ("repaid", "seized", "bad_debt", "fee")
        if one[name].dtype.kind == "f":
            factor = 10.0 if grows else 1.0
            assert other[name].to_numpy() == pytest.approx(one[name].to_numpy() * factor, rel=1e-12, nan_ok=True), name
        else:
            assert other[name].tolist() == one[name].tolist(), name


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(venues(), CALLS)
def test_floats_for_whole_books_say_the_same_away_from_every_bound(venue, picks):
    calls = keys_of(venue, picks)
    assume(all(_apart(venue, key) for key in calls[:1]))
    snap, rule = snapshot_of(venue), Perp()
    book = snap.book
    owners, buckets = snap.labels("account").to_pylist(), [*snap.labels("bucket").to_pylist(), ""]
    place = {(owners[a], buckets[b]): at for at, (a, b) in enumerate(zip(book.margin_account, book.margin_bucket,
                                                                        strict=True))}  # fmt: skip
    wanted = np.array([place[calls[0]]])
    margins = rule.touched(snap, 0, wanted)
    ledger = rule.open_ledger(snap, 0, margins, exact=False)
    none = np.full(1, -1)
    rule.carry_out(
        ledger, Request(np.searchsorted(margins, wanted), none, none, np.full(1, np.inf), np.full(1, np.nan))
    )
    told = venue.call(*calls[0])
    (step,) = ledger.steps
    assert (step["refused"][0], step["stage"][0]) == (told["refused"], told["stage"])
    for name in NUMBERS:
        assert step[name][0] == pytest.approx(float(told[name]), rel=1e-6, abs=1e-6), name


def _apart(venue, key):
    account = venue.accounts[key]
    value, equity, required = venue.value(account), venue.equity(account), venue.maintenance(account)
    size = sum((abs(units * venue.marks[token]) for token, units in [*account.cash.items(), *account.debt.items()]), 0)
    size += sum((venue.notional(one) + abs(one.pnl(venue.marks[one.asset])) for one in account.positions), Fraction(0))
    bounds = (value, equity - required, equity - venue.backstop_share * required)
    notionals = [abs(venue.notional(one) - venue.partial_above) for one in account.positions]
    return 0 < size < 10**6 and all(abs(gap) > size / 10**6 for gap in (*bounds, *notionals))
