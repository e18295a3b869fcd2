"""The cascade against its oracle, which goes through accounts one at a time (METHODS 5.1 to 5.8)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings

import riskgraph as rg
from riskgraph.margin import lending_bundles, market_clearing
from riskgraph.snapshot.schema import SIDES
from tests.cascade_books import RULES, Case, cases, random_book
from tests.naive.cascade import cascade as naive_cascade
from tests.naive.cascade_book import tables_of


def check(case: Case, rel: float = 1e-9) -> None:
    """Everything equal to ``rel`` of itself, or of what it is a part of."""

    def near(found, wanted, scale=0.0, rel=rel):
        return math.isclose(found, wanted, rel_tol=rel, abs_tol=max(1e-6, rel * scale))

    wanted = naive_cascade(tables_of(case.snap), case.shock, **case.options)
    found = rg.liquidation_cascade(case.snap, case.shock, **case.options)
    prices = found.prices
    for at, row in enumerate(wanted["prices"][: len(prices)]):
        for asset, price in row.items():
            assert near(prices[asset].iloc[at], price), (at - 1, asset, prices[asset].iloc[at], price)
    last = wanted["prices"][-1]
    still = 1e-6 if case.options.get("recovery") else rel  # where both stop, prices still recover by less than tol
    assert all(near(prices[asset].iloc[-1], last[asset], rel=still) for asset in last), "prices at the end"
    usd = sum(abs(units) * last[key[3]] for key, units in wanted["holdings"].items())
    for frame, row in zip(found.rounds.itertuples(), wanted["rounds"], strict=False):
        for name in ("repaid_usd", "seized_usd", "paid_usd"):
            assert near(getattr(frame, name), row[name], usd), (frame.round, name, getattr(frame, name), row[name])
    positions = holdings(found)
    for key, units in {**wanted["holdings"], **wanted["options"]}.items():
        assert near(positions.get(key, 0.0), units, usd / max(last[key[3]], 1e-12)), (key, positions.get(key), units)
    assert near(found.bad_debt_usd, wanted["bad_debt_usd"], usd)
    assert near(found.run.losses.written_off.sum(), wanted["written_off_usd"], usd)
    for at, name in enumerate(case.snap.labels("protocol").to_pylist()):
        assert near(found.run.book.reserve[at], wanted["reserve_usd"][name], usd), name
        assert near(found.run.book.deficit[at], wanted["deficit_usd"][name], usd), name
    wealth, run = wanted["wealth"], found.run
    plain = wanted["written_off_usd"] == 0.0 and set(case.snap.venues.rule) <= set(RULES.values())
    for name in ("borrowers", "lenders") if plain else ():  # elsewhere the oracle counts outside lenders apart
        change = wealth["end"][name] - wealth["start"][name]
        assert near(run.end_wealth[name] - run.start_wealth[name], change, usd), name
    assert found.conservation < 1e-9


def holdings(found):
    """(account, protocol, bucket, asset, side) -> units, as the cascade leaves them; an option's key ends with it."""
    book = found.run.book
    names = [book.snap.labels(domain).to_pylist() for domain in ("account", "protocol", "bucket", "asset")]
    table = book.snap.table("positions")
    codes = [table.code(domain).tolist() for domain in ("account", "protocol", "bucket", "asset")]
    sides = [SIDES[code] for code in table.code("side")]
    keys = zip(
        *(
            [(labels[code] if code >= 0 else "") for code in column]
            for labels, column in zip(names, codes, strict=True)
        ),
        sides,
        strict=True,
    )
    frame = book.snap.positions
    option = frame["option_type"].notna() & (frame["option_type"] != "")
    contracts = frame[["option_type", "strike", "expiry", "implied_vol"]].itertuples(index=False, name=None)
    told = zip(keys, option, contracts, book.amount.tolist(), strict=True)
    return {(*key, contract) if is_option else key: units for key, is_option, contract, units in told}


@settings(max_examples=30)
@given(cases(calls=False))
def test_small_books(case):
    check(case, rel=1e-8)


@settings(max_examples=30)
@given(cases(calls=True))
def test_small_books_with_calls(case):
    check(case, rel=1e-8)


@pytest.mark.parametrize("seed", range(6))
def test_two_hundred_accounts(seed):
    check(random_book(seed, 200, calls=bool(seed % 2)))


@pytest.mark.parametrize("seed", range(3))
def test_compiled_roads_give_the_same(seed, monkeypatch):
    monkeypatch.setattr("riskgraph.margin.round_sales.WORTH_COMPILING", 1)
    monkeypatch.setattr(market_clearing, "WORTH_COMPILING", 1)
    monkeypatch.setattr(lending_bundles, "WORTH_COMPILING", 1)
    check(random_book(100 + seed, 120, calls=bool(seed % 2)))


def test_row_order_changes_no_bit():
    case = random_book(7, 80, calls=True)
    tables = {name: getattr(case.snap, name) for name in ("positions", "assets", "protocols", "markets")}
    rng = np.random.default_rng(1)
    shuffled = {name: frame.iloc[rng.permutation(len(frame))].reset_index(drop=True) for name, frame in tables.items()}
    one = rg.liquidation_cascade(case.snap.replace(**tables), case.shock, **case.options)
    other = rg.liquidation_cascade(case.snap.replace(**shuffled), case.shock, **case.options)
    assert one.run.book.amount.tobytes() == other.run.book.amount.tobytes()
    assert one.prices.equals(other.prices)
