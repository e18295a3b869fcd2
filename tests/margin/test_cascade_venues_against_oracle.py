"""Compound v3, Maker, Liquity, perpetuals and portfolios beside all pair rules, against the naive oracle."""

from __future__ import annotations

import pytest

from tests.cascade_books import random_book
from tests.cascade_venues import VENUES
from tests.margin.test_cascade_against_oracle import check

ALL = tuple(VENUES)


@pytest.mark.parametrize("others", [*((name,) for name in ALL), ALL], ids=",".join)
@pytest.mark.parametrize("seed", range(4))
def test_a_venue_beside_pair_rules(seed, others):
    """Prices, repaid and seized USD by round, every holding, reserves, deficits and bad debt; all sums add up."""
    check(random_book(seed, 12, others=others))


@pytest.mark.parametrize("others", [("comet",), ("maker",), ("liquity2",), ("perps",), ("portfolios",)], ids=",".join)
@pytest.mark.parametrize("seed", range(2))
def test_a_venue_that_makes_calls(seed, others):
    check(random_book(seed, 12, calls=True, others=others))


@pytest.mark.parametrize(("seed", "accounts", "calls"), [(3, 60, False), (1, 200, False), (2, 200, True)])
def test_more_accounts_at_all_of_them(seed, accounts, calls):
    check(random_book(seed, accounts, calls=calls, others=ALL))


@pytest.mark.parametrize(
    ("seed", "accounts", "others"),
    [
        pytest.param(
            1, 12, ("portfolios",), id="idle margin cash is given; a call to the last digit is not made again"
        ),
        pytest.param(60, 12, ("perps",), id="a market at 0 takes what costs nothing"),
        pytest.param(214, 12, ALL, id="the stake of a trove follows what is posted"),
        pytest.param(219, 12, ALL, id="a stability pool is what calls have left of it"),
        pytest.param(292, 12, ALL, id="a venue takes over what was posted there, too"),
        pytest.param(804, 30, ("perps", "portfolios", "comet"), id="who was paid for in full is called no more"),
        pytest.param(896, 30, ("perps", "portfolios", "comet"), id="nor closed in a turn of others"),
        pytest.param(527, 40, ("perps", "portfolios"), id="rounding is nobody's debt"),
    ],
)
def test_books_that_were_played_wrongly(seed, accounts, others):
    """Faults that this oracle has found, each in the book that showed it."""
    check(random_book(seed, accounts, calls=True, others=others))
