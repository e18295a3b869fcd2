"""Accounts that are looked at only when a price passes a trigger stand as if all were looked at in every round."""

import numpy as np
import pytest

import riskgraph as rg
from riskgraph.margin.account_states import BARE, BRINK, CALLED, DUE, EDGE, FINE, GONE, RESTING, SUNK
from riskgraph.margin.call_desk import CallDesk
from riskgraph.margin.calling_terms import call_terms
from riskgraph.margin.cascade_book import COLLATERAL, CascadeBook
from riskgraph.margin.claim_rows import ClaimRows
from riskgraph.margin.lending_bundles import LendingCalls
from riskgraph.margin.lending_states import LendingStates

SAME = {EDGE: FINE, RESTING: CALLED, BRINK: SUNK}  # words that say the same of an account


def states_of(snap, *, calls):
    """A book in which some have nothing, and how its accounts stand; nobody was looked at yet."""
    book = CascadeBook(snap)
    book.amount[(book.rows.side == COLLATERAL) & (book.rows.margin % 40 == 0)] = 0.0
    desk = CallDesk(book, call_terms(snap, "pro_rata", None)) if calls else None
    return book, LendingStates(LendingCalls(book, 1.0), desk)


def words(states):
    """State of every account, those that say the same put together."""
    found = states.state.astype(np.int64)
    for one, other in SAME.items():
        found[found == one] = other
    return found


def moved(rng, price, step):
    """Pair prices after a move: all by a little, some by a lot, some to nothing now and then, and up again."""
    factor = np.exp(rng.normal(0.0, 10.0 ** rng.uniform(-8, -1), len(price)))
    some = rng.uniform(size=len(price)) < 0.1
    factor[some] *= np.exp(rng.normal(-0.2, 0.5, some.sum()))
    fresh = price * factor
    fresh[fresh <= 0.0] = 1.0
    if step % 3 == 1:
        fresh[rng.choice(len(price), 6, replace=False)] = 0.0
    return fresh


@pytest.mark.parametrize("calls", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_triggers_wake_everybody_who_stands_otherwise(seed, calls):
    rng = np.random.default_rng(seed)
    snap = rg.datasets.synthetic(accounts=1_500, assets=12, protocols=4, seed=seed)
    snap = snap.replace(protocols=snap.protocols.assign(call_level=1.1, target_health=1.2))
    book, states = states_of(snap, calls=calls)
    assert states.alone
    states.look()
    looked = []
    for step in range(24):
        price = moved(rng, book.pair_price, step)
        book.pair_price = price
        states.look()
        looked.append(len(states.looked_at))
        everybody, anew = states_of(snap, calls=calls)
        everybody.pair_price = price
        anew.look()
        np.testing.assert_array_equal(words(states), words(anew), err_msg=f"step {step}")
        if states.desk is not None:
            states.desk.make(step, states, states.state >= DUE)  # calls grow old, and who cannot pay rests
    assert np.median(looked) < 0.7 * len(states.state)
    assert {FINE, GONE, BARE, DUE, SUNK} <= {int(word) for word in np.unique(words(states))}
    if calls:
        assert (states.state == RESTING).any()


def test_what_those_who_rest_lack_is_their_sum():
    """It is carried on by pair, and is at any price what account by account gives, also once lenders have lost all."""
    snap = rg.datasets.synthetic(accounts=1_500, assets=12, protocols=4, seed=9)
    snap = snap.replace(protocols=snap.protocols.assign(call_level=1.3, target_health=1.5))
    book, states = states_of(snap, calls=True)
    book.scale_claims_later(ClaimRows(book))
    assert book.claims is not None
    rng = np.random.default_rng(9)
    start = book.pair_price
    seen = 0
    for step in range(12):
        kept = np.where(rng.uniform(size=len(start)) < 0.1, rng.choice([0.0, 0.3, 0.9]), 1.0)
        book.claims.scale(kept if step else np.ones(len(start)))
        book.pair_price = start * np.exp(rng.normal(-0.02, 0.01, len(start)))
        states.look()
        assert states.desk is not None
        states.desk.make(step, states, states.state >= DUE)
        resting = np.flatnonzero(states.state == RESTING)
        shortfall, required, _ = states.desk.asked(states, resting)
        assert (shortfall > 0.0).all()
        assert states.resting_usd == pytest.approx(required.sum(), rel=1e-9)
        seen = max(seen, len(resting))
    assert seen > 20
