"""Fire sales of a snapshot: what is read off it by hand, and against plain loops on random books."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskgraph.contagion.deleveraging import fire_sale
from riskgraph.contagion.portfolio_holdings import OTHER, _market_notes, snapshot_portfolios
from riskgraph.errors import InputError
from riskgraph.snapshot.snapshot import Snapshot
from tests import naive
from tests.books import books


def book(rows, accounts=None, **more):
    return Snapshot(
        positions=pd.DataFrame(rows, columns=["account", "protocol", "asset", "side", "amount"]),
        assets=pd.DataFrame(
            {"asset": ["ETH", "stETH", "wstETH", "USDC"], "price": 1.0, "kind": ["base", "staked", "staked", "stable"],
             "family": ["ETH", "ETH", "ETH", "USDC"]}
        ),
        backing=pd.DataFrame({"token": ["stETH", "wstETH"], "backed_by": ["ETH", "stETH"], "share": 1.0, "issuer": ""}),
        liquidity=pd.DataFrame({"asset": ["ETH", "stETH"], "model": "linear", "depth_usd": [1000.0, 400.0]}),
        accounts=accounts,
        **more,
    )  # fmt: skip


ROWS = [
    ("ann", "lend", "wstETH", "collateral", 100.0),
    ("ann", "lend", "USDC", "debt", 60.0),
    ("bob", "lend", "stETH", "collateral", 50.0),
    ("bob", "", "USDC", "wallet", 30.0),
    ("bob", "other", "USDC", "debt", 40.0),
    ("bob", "other", "ETH", "collateral", 20.0),
]


def held(sale):
    coo = sale.portfolios.holdings.tocoo()
    return {
        (sale.portfolios.labels[i], sale.portfolios.assets[j]): value
        for i, j, value in zip(coo.row, coo.col, coo.data, strict=True)
        if value
    }


def test_accounts_by_hand():
    # ann: 100, equity 40. bob: 70 of ETH kinds; of his 30 USDC nothing is left after a debt of 40: equity 60, debt 10.
    sale = fire_sale(book(ROWS), shock={"stETH": 0.2})
    assert held(sale) == {("ann", "wstETH"): 100, ("bob", "stETH"): 50, ("bob", "ETH"): 20}
    assert sale.portfolios.equity.tolist() == [40.0, 60.0]
    assert sale.assets["shock"].to_dict() == {
        "ETH": 0.0,
        "USDC": 0.0,
        "stETH": 0.2,
        "wstETH": 0.2,
    }  # follows its backing
    # ann loses 20 and sells 1.5·20 of wstETH, bob loses 10 and sells 10/6, 5/7 of it stETH: all in stETH's market
    fall = (30 + 10 / 6 * 5 / 7) / 400
    assert sale.assets["price_fall"].to_dict() == pytest.approx(
        {"ETH": 10 / 6 * 2 / 7 / 1000, "USDC": 0.0, "stETH": fall, "wstETH": fall}
    )
    assert "markets: 'wstETH' is sold in the market of 'stETH' and falls with it" in sale.notes
    assert "price_fall: a fall by sales moves only the market sold in, not tokens backed by it" in sale.notes
    assert sale.provenance.digest == book(ROWS).digest
    assert dict(sale.provenance.arguments) == {
        "holdings": "the snapshot's: 2 institutions, 4 assets, $170", "equity": "the snapshot's",
        "price_impact": "the snapshot's", "shock": {"stETH": 0.2, "wstETH": 0.2}, "by": "account", "netting": "asset",
        "follow": "backing", "model": "leverage_targeting", "insolvent": "sell",
    }  # fmt: skip
    alone = fire_sale(book(ROWS), shock={"stETH": 0.2}, follow="none")
    assert alone.direct.tolist() == [0.0, 10.0]


def test_gross_and_by_protocol_by_hand():
    gross = fire_sale(book(ROWS), shock={"ETH": 0.1}, netting="none")
    assert held(gross)["bob", "USDC"] == 30 and gross.direct.tolist() == pytest.approx([10.0, 7.0])
    places = fire_sale(book(ROWS), shock={"ETH": 0.1}, by="protocol", price_impact=0.001)
    # other: 20 of ETH against 40 of USDC: insolvent; what is in a wallet stands nowhere
    assert held(places) == {("lend", "wstETH"): 100, ("lend", "stETH"): 50, ("other", "ETH"): 20}
    assert places.portfolios.equity.tolist() == [90.0, -20.0]
    assert places.portfolios.price_impact.tolist() == [0.001] * 4
    mine = fire_sale(book(ROWS), {"ann": 50.0, "bob": 20.0}, shock={"ETH": 0.1})
    assert mine.portfolios.equity.tolist() == [50.0, 20.0]
    assert mine.provenance.arguments["equity"] == {"ann": 50.0, "bob": 20.0}
    told = places.provenance.arguments
    assert (told["by"], told["price_impact"], told["equity"]) == ("protocol", 0.001, "the snapshot's")


def test_markets_that_are_shared_are_named():
    said = _market_notes(["a", "b", "c", "d", "e"], np.array([0, 0, 2, 0, 2]))
    assert said == [
        "markets: 'b' and 'd' are sold in the market of 'a' and fall with it",
        "markets: 'e' is sold in the market of 'c' and falls with it",
    ]
    many = _market_notes([str(k) for k in range(20)], np.repeat(np.arange(0, 20, 2), 2))
    assert len(many) == 6 and many[-1] == "markets: the same holds in 5 more markets"
    assert _market_notes(["a"], np.array([0])) == []


def test_what_has_no_asset_stands_as_other():
    # a total of 130 where rows say 100, and a short sold at 3 that is now at 1: 20 of profit and no asset
    totals = pd.DataFrame({"account": ["ann"], "protocol": ["lend"], "collateral_remainder_usd": [30.0]})
    sale = fire_sale(book(ROWS, accounts=totals), shock={"ETH": 0.1})
    assert held(sale)["ann", OTHER] == 30 and sale.portfolios.equity[0] == 70.0
    assert any("$30 of totals without rows" in note for note in sale.notes)
    rows = pd.DataFrame([("cat", "perp", "ETH", "short", 10.0, 3.0)], columns=["account", "protocol", "asset", "side",
                        "amount", "entry_price"])  # fmt: skip
    short = Snapshot(positions=rows, assets=pd.DataFrame({"asset": ["ETH"], "price": [1.0]}))
    for by in ("account", "protocol"):
        read = snapshot_portfolios(short, by, "asset")
        assert (read.equity.tolist(), read.total.tolist(), read.assets.tolist()) == ([20.0], [20.0], ["ETH", OTHER])


def rows_of(snap):
    price = snap.assets.set_index("asset")["price"]
    frame = snap.positions.astype(dict.fromkeys(("account", "protocol", "bucket", "asset", "side"), object))
    return [{**row, "usd": row["amount"] * price[row["asset"]]} for row in frame.to_dict("records")]


@given(books(), st.sampled_from(["account", "protocol"]), st.sampled_from(["asset", "none"]))
@settings(max_examples=60, deadline=None)
def test_holdings_and_equity_against_plain_loops(snap, by, netting):
    read = snapshot_portfolios(snap, by, netting)
    sheets = naive.balance_sheets if by == "account" else naive.protocol_sheets
    wanted, equity = sheets(rows_of(snap), netting)
    found = {
        (read.labels[i], read.assets[j]): value
        for i, j, value in zip(*(getattr(read.holdings.tocoo(), part) for part in ("row", "col", "data")), strict=True)
    }
    assert set(found) <= {*wanted} | {(label, OTHER) for label in read.labels}
    for key, usd in wanted.items():
        assert found.get(key, 0.0) == pytest.approx(usd, rel=1e-12, abs=1e-6)
    for label, own in zip(read.labels, read.equity, strict=True):
        assert own == pytest.approx(equity.get(label, 0.0), rel=1e-9, abs=1e-6)
    assert (read.equity <= read.total * (1 + 1e-12)).all()


@given(books(), st.sampled_from([0.05, 0.4]))
@settings(max_examples=40, deadline=None)
def test_a_book_against_plain_loops(snap, fall):
    try:
        sale = fire_sale(snap, shock={"ETH": fall})
    except InputError as error:
        assert "expected at least one institution with equity above 0" in str(error)
        return
    read, names = sale.portfolios, sale.portfolios.assets.tolist()
    market = [
        names.index(naive.SOLD_AS.get(name, name)) if name in naive.SOLD_AS else at for at, name in enumerate(names)
    ]
    given_depth = {row["asset"]: row["depth_usd"] for row in snap.liquidity.to_dict("records")}
    depth = [given_depth.get(names[place], given_depth.get(_redeemed(names[place]), math.inf)) for place in market]
    falls = [fall if name in ("ETH", "stETH", "wstETH", "aETH") else 0.0 for name in names]
    assert read.price_impact.tolist() == [1.0 / one for one in depth]
    assert sale.shock.tolist() == pytest.approx(falls)
    told = naive.leverage_targeting(
        read.holdings.toarray().tolist(), read.equity.tolist(), [1.0 / one for one in depth], falls, market
    )
    assert sale.outcome.indirect == pytest.approx(told[2], rel=1e-9, abs=1e-6)
    assert sale.systemicness.tolist() == pytest.approx(told[3], rel=1e-9, abs=1e-12)


def _redeemed(name):
    return {"stETH": "wstETH", "ETH": "aETH"}.get(name, "")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"shock": {"BTC": 0.1}}, "shock: expected labels among .* got unknown 'BTC'"),
        ({"shock": {"ETH": 1.0}}, "shock: expected falls of at least 0 and below 1 .* got 'ETH'"),
        ({"shock": {"ETH": -0.3}}, "0.3 is a fall of 30 %"),
        ({"shock": [0.1] * 4}, "shock: expected a mapping of assets to falls beside a snapshot"),
        ({"equity": {"ETH": 0.1}}, "shock: expected falls by asset, got none; name it: shock="),
        ({"shock": {"ETH": 0.1}, "by": ""}, "by: expected one of account, protocol, got ''"),
        ({"shock": {"ETH": 0.1}, "by": "pool"}, "by: expected one of account, protocol, got 'pool'"),
        ({"shock": {"ETH": 0.1}, "netting": "family"}, "netting: expected one of asset, none, got 'family'"),
        ({"shock": {"ETH": 0.1}, "follow": "correlation"}, "follow: expected one of backing, family, none"),
        ({"shock": {"ETH": 0.1}, "equity": {"ann": 1.0}}, "equity: expected labels among .* got none for 'bob'"),
        ({"shock": {"ETH": 0.1}, "equity": 500.0}, "equity: expected no more than the institution's holdings"),
    ],
)
def test_refused(more, words):
    with pytest.raises(InputError, match=words):
        fire_sale(book(ROWS), **more)
