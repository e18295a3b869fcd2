"""Options in health, in the exposure graph and in fire sales: their value in equity, their delta as exposure."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import given, settings

import riskgraph as rg
from tests.option_books import ROWS, book, dead


def test_health_divides_equity_with_option_value_by_the_risk_before_it():
    """5,000 USDC less a haircut of 10 %, a call sold worth −1,000: equity 3,500, risk 2,000, health 1.75. In cash:
    4,500 against a margin of 3,000. At 1 both are equal: with 3,000 of cash equity is 2,000.
    """
    option = ("short", 1.0, *dead("call", 19_000.0))
    rows = [("a", "house", "USDC", "collateral", 5_000.0), ("a", "house", "BTC", *option)]
    rows += [("b", "house", "USDC", "collateral", 3_000.0 / 0.9), ("b", "house", "BTC", *option)]
    rows += [("c", "house", "BTC", "long", 1.0, *dead("call", 19_000.0))]  # worth 1,000, can lose all of it
    snap = book(*rows, markets=pd.DataFrame({"protocol": ["house"], "asset": ["USDC"], "haircut": [0.1]}))
    health = rg.health(snap).set_index("account")["health"]
    assert health.to_dict() == pytest.approx({"a": 1.75, "b": 1.0, "c": 1.0})
    span = rg.span_margin(snap)
    assert span.requirement_usd.droplevel([1, 2]).to_dict() == {"a": 3_000.0, "b": 3_000.0, "c": 0.0}


@settings(max_examples=40)
@given(ROWS)
def test_health_is_equity_over_risk(rows):
    cash = [
        (account, protocol, "USDC", "collateral", 10_000.0) for account, protocol in sorted({row[:2] for row in rows})
    ]
    snap = book(*rows, *cash)
    span, found = rg.span_margin(snap), rg.health(snap).set_index(["account", "protocol", "bucket"])["health"]
    for key, risk in span.risk_usd.items():
        equity = 10_000.0 + span.net_option_value_usd.loc[key]
        wanted = equity / risk if risk > 0.0 else math.copysign(math.inf, equity)
        assert found.loc[key] == pytest.approx(wanted, rel=1e-9)
        assert (found.loc[key] < 1.0) == (span.requirement_usd.loc[key] > 10_000.0) or abs(found.loc[key] - 1) < 1e-9


def test_an_option_paid_for_counts_with_its_value_whatever_was_paid():
    snap = book(("a", "house", "BTC", "long", 1.0, *dead("call", 19_000.0)), ("a", "house", "BTC", "long", 1.0))
    positions = snap.positions.assign(entry_price=[20_500.0, 1.0])  # rows in order: the call, whose key comes later
    assert positions["option_type"].tolist() == ["", "call"]
    snap = snap.replace(positions=positions)
    # future −500, call +1,000, risk 4,000: both lose 2,000 · …; the call only its 1,000 down to 19,000
    assert rg.health(snap)["health"].tolist() == pytest.approx([500.0 / 3_000.0])
    assert "positions.entry_price: not used in 1 rows of options, which count with their value" in snap.assumptions


def test_exposure_of_an_option_is_its_delta():
    rows = [
        ("a", "house", "USDC", "collateral", 9_000.0),
        ("a", "house", "BTC", "long", 1.0, *dead("call", 19_000.0)),  # all of the underlying, worth 1,000
        ("b", "house", "USDC", "collateral", 9_000.0),
        ("b", "house", "BTC", "long", 1.0, *dead("put", 21_000.0)),  # short the underlying: no exposure to a fall
        ("c", "house", "USDC", "collateral", 9_000.0),
        ("c", "house", "BTC", "short", 1.0, *dead("put", 21_000.0)),
    ]
    graph = rg.exposure_graph(book(*rows))
    assert graph.nodes.loc[["account:a", "account:b", "account:c"], "capital_usd"].tolist() == [10_000, 10_000, 8_000]
    accounts, (bitcoin,) = graph.index(["account:a", "account:b", "account:c"]), graph.index(["asset:BTC"])
    assert [graph.exposures[at, bitcoin] for at in accounts] == [20_000.0, 0.0, 20_000.0]
    assert any(
        note.startswith("positions.option_type: 3 option rows count with their Black-76") for note in graph.notes
    )
    sale = rg.fire_sale(book(*rows), shock={"BTC": 0.1}, netting="asset")
    assert sale.direct.tolist() == [2_000.0, 0.0, 2_000.0]
    assert sale.portfolios.equity.tolist() == [10_000.0, 10_000.0, 8_000.0]
    desk = rg.fire_sale(book(*rows), shock={"BTC": 0.1}, by="protocol")
    assert desk.direct.sum() == 4_000.0
    assert desk.portfolios.equity.sum() == 28_000.0
