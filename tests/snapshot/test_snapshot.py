"""A snapshot holds what it was given, says what it assumed, and does not change."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskgraph.errors import InputError
from riskgraph.readers.reading import read_snapshot
from riskgraph.snapshot.schema import TABLES
from riskgraph.snapshot.snapshot import Snapshot
from tests.books import books


def tables_of(snap: Snapshot) -> dict[str, pd.DataFrame]:
    return {name: snap.table(name).frame() for name in TABLES if len(snap.table(name))}


def same(left: Snapshot, right: Snapshot) -> bool:
    mine, theirs = tables_of(left), tables_of(right)
    if mine.keys() != theirs.keys() or left.digest != right.digest or left.as_of != right.as_of:
        return False
    for name, frame in mine.items():
        pd.testing.assert_frame_equal(frame, theirs[name], check_exact=True)
    return True


@given(books(), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_row_order_changes_nothing(snap, random):
    shuffled = {}
    for name, frame in tables_of(snap).items():
        order = list(range(len(frame)))
        random.shuffle(order)
        columns = list(frame.columns)
        random.shuffle(columns)
        shuffled[name] = frame.iloc[order][columns].astype({c: object for c in frame if frame[c].dtype == "category"})
    assert same(Snapshot(**shuffled), snap)


@given(snap=books())
@settings(max_examples=15, deadline=None)
def test_round_trips_are_exact(snap, tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    snap = snap.replace(as_of="2023-06-21T12:00:00")
    for path in (folder / "parquet", folder / "book.duckdb"):
        snap.write(path)
        again = read_snapshot(path)
        assert same(again, snap)
        assert again.assumptions == snap.assumptions


def test_writing_twice_gives_the_same_bytes(tmp_path):
    snap = Snapshot(**plain())
    for name in ("one", "two"):
        snap.write(tmp_path / name)
    for path in sorted((tmp_path / "one").iterdir()):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
    snap.write(tmp_path / "one")  # an earlier snapshot is replaced
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def plain() -> dict[str, pd.DataFrame]:
    return {
        "positions": pd.DataFrame(
            {
                "account": ["b", "a", "a"],
                "protocol": ["lend", "", "lend"],
                "asset": ["ETH", "ETH", "USDC"],
                "side": ["collateral", "wallet", "debt"],
                "amount": [-0.0, 2.0, 100.0],
            }
        ),
        "assets": pd.DataFrame({"asset": ["USDC", "ETH"], "price": [1.0, 1500.0]}),
    }


def test_digest_tells_content_apart():
    snap = Snapshot(**plain())
    assert snap.digest == Snapshot(**plain()).digest
    assert (
        len({snap.digest, snap.replace(as_of="2024-01-01").digest, snap.with_prices({"ETH": 1500.0000001}).digest}) == 3
    )
    renamed = plain()
    renamed["positions"]["account"] = ["b", "A", "A"]
    assert Snapshot(**renamed).digest != snap.digest
    positive = plain()
    positive["positions"].loc[0, "amount"] = 0.0  # -0 is 0
    assert Snapshot(**positive).digest == snap.digest


def test_digest_is_the_same_on_every_machine():
    assert Snapshot(**plain()).digest == "532801652d5702503d0287a52ee23253"


def test_strings_categories_and_integers_are_the_same_labels():
    tables = plain()
    tables["positions"]["account"] = [2, 1, 1]
    as_text = plain()
    as_text["positions"]["account"] = ["2", "1", "1"]
    as_categories = plain()
    as_categories["positions"]["account"] = pd.Categorical(["2", "1", "1"], categories=["2", "1", "unused"])
    digests = {Snapshot(**each).digest for each in (tables, as_text, as_categories)}
    assert len(digests) == 1


def test_whole_numbers_in_a_column_with_gaps_are_the_labels_they_were():
    tables = plain()
    tables["accounts"] = pd.DataFrame({"account": ["a", "b"], "protocol": ["lend", "lend"], "emode": [1.0, np.nan]})
    tables["emodes"] = pd.DataFrame({"protocol": ["lend"], "category": [1], "asset": ["ETH"], "ltv": [0.9]})
    snap = Snapshot(**tables)
    assert snap.accounts["emode"].tolist() == ["1", ""] and snap.emodes["category"].tolist() == ["1"]
    tables["accounts"]["emode"] = [1.5, np.nan]
    with pytest.raises(InputError, match=r"accounts.emode: expected text .* got values of type double"):
        Snapshot(**tables)


def test_it_does_not_change():
    snap = Snapshot(**plain())
    with pytest.raises(AttributeError, match="replace"):
        snap.as_of = "2020-01-01"
    with pytest.raises(ValueError, match="read-only"):
        snap.book.usd[0] = 1.0
    frame = snap.positions
    frame.loc[0, "amount"] = 99.0  # a frame is the caller's own
    assert snap.positions["amount"].tolist() == [2.0, 100.0, 0.0]


def test_every_default_is_filled_in_and_said():
    snap = Snapshot(**plain())
    for name, schema in TABLES.items():
        frame = getattr(snap, name)
        assert list(frame.columns) == [
            column.name for column in schema.columns if column.name != "usd" or name == "claims"
        ]
    assert snap.assets["kind"].tolist() == ["base", "stable"]
    assert snap.protocols[["kind", "rule", "lends_collateral"]].iloc[0].tolist() == ["lending", "lending", True]
    assert snap.markets[["asset", "price"]].to_dict("records") == [
        {"asset": "ETH", "price": 1500.0},
        {"asset": "USDC", "price": 1.0},
    ]
    said = "\n".join(snap.assumptions)
    for words in (
        "bundled token table for ETH",
        "protocols.kind",
        "protocols.rule",
        "lends_collateral",
        "infinite depth",
    ):
        assert words in said


def test_nothing_is_assumed_where_everything_is_given():
    tables = plain()
    tables["assets"] = tables["assets"].assign(kind=["stable", "base"], family=["USDC", "ETH"])
    tables["protocols"] = pd.DataFrame(
        {"protocol": ["lend"], "kind": ["lending"], "rule": ["aave_v3"], "reserve_usd": [1.0], "supply_usd": [9.0]}
    )
    tables["liquidity"] = pd.DataFrame({"asset": ["ETH"], "model": ["linear"], "depth_usd": [1e6]})
    assert Snapshot(**tables).assumptions == ()


def test_prices_come_from_the_rows_only_where_every_row_agrees():
    rows = pd.DataFrame(
        {
            "account": ["a", "b", "b", "c"],
            "protocol": ["v2", "v3", "v3", ""],
            "asset": ["ETH", "ETH", "OTHER", "USDC"],
            "side": ["collateral", "collateral", "debt", "wallet"],
            "amount": [2.0, 1.0, np.nan, 10.0],
            "usd": [3000.0, 1600.0, 70.0, 9.9],
        }
    )
    snap = Snapshot(positions=rows)
    assert snap.assets.set_index("asset")["price"].to_dict() == {"ETH": 1500.0, "OTHER": 1.0, "USDC": 0.99}
    assert snap.markets.set_index(["protocol", "asset"])["price"].to_dict() == {
        ("v2", "ETH"): 1500.0,
        ("v3", "ETH"): 1600.0,
        ("v3", "OTHER"): 1.0,
    }
    assert snap.totals_usd == {"collateral": 4600.0, "debt": 70.0, "wallet": 9.9}
    with pytest.raises(
        InputError, match=r"positions.usd: expected one price usd ÷ amount .* got ETH from 1500 to 1501"
    ):
        Snapshot(positions=pd.concat([rows, rows.iloc[[0]].assign(account="z", usd=3002.0)]))


def test_prices_of_single_protocols_join_the_terms_that_are_given():
    rows = pd.DataFrame(
        {
            "account": ["a", "b", "c"],
            "protocol": ["v2", "v3", "v4"],
            "asset": "ETH",
            "side": "collateral",
            "amount": [2.0, 1.0, 1.0],
            "usd": [3000.0, 1600.0, 1500.0 * (1 + 1e-15)],
        }
    )
    terms = pd.DataFrame({"protocol": ["v2", "v3"], "asset": "ETH", "liquidation_threshold": [0.8, 0.7]})
    frame = Snapshot(positions=rows, markets=terms).markets.set_index("protocol")
    assert frame["price"].to_dict() == {"v2": 1500.0, "v3": 1600.0, "v4": 1500.0}
    assert frame["liquidation_threshold"].fillna(0.0).to_dict() == {"v2": 0.8, "v3": 0.7, "v4": 0.0}


def test_usd_stands_in_for_amount_and_must_agree_with_it():
    tables = plain()
    tables["positions"] = tables["positions"].assign(amount=[np.nan, 2.0, np.nan], usd=[750.0, np.nan, 100.0])
    snap = Snapshot(**tables)
    assert snap.positions["amount"].tolist() == [2.0, 100.0, 0.5]
    tables["positions"]["usd"] = [750.0, 2999.0, 100.0]
    with pytest.raises(
        InputError, match=r"positions.usd: expected amount × price, got 2999 for 2 units at 1500 \(row 2\)"
    ):
        Snapshot(**tables)


def test_all_faults_come_in_one_message():
    tables = plain()
    tables["positions"] = tables["positions"].assign(
        side=["x", "wallet", "debt"], amount=[1.0, -2.0, np.inf], colour="red"
    )
    tables["assets"] = tables["assets"].assign(price=[np.nan, 1.0])
    with pytest.raises(InputError) as caught:
        Snapshot(**tables)
    for words in ("colour", "positions.side", "positions.amount", "(rows 2, 3)", "assets.price"):
        assert words in str(caught.value)


def test_summary_and_repr():
    snap = Snapshot(**plain())
    assert repr(snap) == "<Snapshot: 3 positions of 2 accounts at 1 protocol in 2 assets; $3,000 long, $100 owed>"
    assert "wallet: $3,000" in snap.summary() and snap.digest in snap.summary()
    hostile = plain()
    hostile["positions"]["protocol"] = ["<script>", "", "<script>"]
    assert "<script>" not in Snapshot(**hostile)._repr_html_()


def test_compact():
    """A position takes 25 bytes of codes and floats, and a label its own length once."""
    n = 20_000
    snap = Snapshot(
        positions=pd.DataFrame(
            {
                "account": [f"0x{at // 4:040x}" for at in range(n)],
                "protocol": "lend",
                "asset": [f"a{at % 4}" for at in range(n)],
                "side": "collateral",
                "amount": 1.0,
            }
        ),
        assets=pd.DataFrame({"asset": [f"a{at}" for at in range(4)], "price": 1.0}),
    )
    assert snap.nbytes < n * 26 + (n // 4) * (42 + 8) + 2_000


def test_e_modes_replace_terms_and_are_never_silently_left_aside():
    tables = plain()
    tables["positions"].loc[2, "account"] = "b"
    tables["markets"] = pd.DataFrame({"protocol": ["lend"], "asset": ["ETH"], "liquidation_threshold": [0.8]})
    tables["accounts"] = pd.DataFrame({"account": ["b"], "protocol": ["lend"], "emode": ["1"]})
    tables["emodes"] = pd.DataFrame(
        {"protocol": ["lend"], "category": ["1"], "asset": ["ETH"], "liquidation_threshold": [0.95]}
    )
    snap = Snapshot(**tables)
    collateral = snap.book.rows("collateral")
    assert snap.book.threshold[collateral].tolist() == [0.95]
    assert snap.replace(emodes=None).book.threshold[collateral].tolist() == [0.8]
    assert any("accounts.emode: 1 accounts are in a category" in line for line in snap.replace(emodes=None).assumptions)
    with pytest.raises(InputError, match=r"accounts.emode: expected a category of that protocol .* got 7"):
        snap.replace(accounts=tables["accounts"].assign(emode="7"))
