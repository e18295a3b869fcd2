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


def test_more_accounts_at_all_of_them():
    check(random_book(3, 60, others=ALL))
