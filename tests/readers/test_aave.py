"""Receipts and reserves of Aave: small files by hand, the published ones, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import riskgraph as rg

MAIN, OTHER = "0x87870Bca3F3fD6335C3F4ce8392D69350B4fA4E2", "0x4e033931ad43597d96D6bcc25c280717730B58B1"


def receipts(folder: Path, rows: list[tuple[str, ...]]) -> Path:
    columns = ["chain_id", "token", "token_address", "tags", "underlying_address", "underlying", "pool", "decimals"]
    path = folder / "receipts.csv"
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)
    return path


USDC = ("1", "aEthUSDC", "0xa", "aTokenV3|aaveV3", "0xc", "USDC", MAIN, "6")
ROWS = [
    USDC,
    ("1", "aEthWETH", "0xb", "aTokenV3|aaveV3", "0xe", "WETH", MAIN, "18"),
    ("1", "waEthUSDC", "0xd", "aaveV3|stataToken", "0xc", "USDC", MAIN, "6"),
    ("1", "aEthLidoUSDC", "0xf", "aTokenV3|aaveV3", "0xc", "USDC", OTHER, "6"),
    ("1", "aEthUSDC", "0x10", "aTokenV3|aaveV3", "0xc", "USDC", OTHER, "6"),
    ("1", "stkwaEthUSDC.v1", "0x11", "uStkToken", "0xd", "waEthUSDC", "", "6"),
    ("1", "aLp1", "0x12", "aTokenV2|aaveV2", "0x1111111111", "UNI-V2", "0x7d27", "18"),
    ("1", "aLp2", "0x13", "aTokenV2|aaveV2", "0x2222222222", "UNI-V2", "0x7d27", "18"),
    ("8453", "aBasUSDC", "0x14", "aTokenV3|aaveV3", "0x15", "USDC", "0x16", "6"),
]


def test_receipts_by_hand(tmp_path: Path) -> None:
    """Eight of nine are on Ethereum; the larger pool is aave_v3, the other is named by its address."""
    relations = rg.read_relations(receipts(tmp_path, ROWS))
    backing = relations.backing.set_index("token")
    assert len(backing) == 8
    assert backing["issuer"].to_dict() == {
        "aEthUSDC": "aave_v3",
        "aEthWETH": "aave_v3",
        "waEthUSDC": "aave_v3",
        "aEthLidoUSDC": "aave_v3:0x4e03…58B1",
        "aEthUSDC@0x4e03…58B1": "aave_v3:0x4e03…58B1",
        "stkwaEthUSDC.v1": "",
        "aLp1": "aave_v2",
        "aLp2": "aave_v2",
    }
    assert backing["backed_by"]["stkwaEthUSDC.v1"] == "waEthUSDC"
    assert backing["backed_by"]["aLp1"] != backing["backed_by"]["aLp2"]  # two pools' shares of one symbol
    kinds = relations.assets.set_index("asset")["kind"]
    assert kinds["stkwaEthUSDC.v1"] == "staked" and kinds.drop("stkwaEthUSDC.v1").eq("receipt").all()
    named = rg.read_relations(receipts(tmp_path, ROWS), issuers={OTHER.lower(): "lido"}, protocol="aave")
    assert set(named.backing["issuer"]) == {"aave", "lido", "", "aave_v2"}
    assert len(rg.read_relations(receipts(tmp_path, ROWS), network="base").backing) == 1
    assert len(rg.read_relations(receipts(tmp_path, ROWS), network=8453).backing) == 1
    assert "<script>" not in relations._repr_html_() and "8 backing rows" in repr(relations)


def test_a_book_takes_what_it_is_silent_about(tmp_path: Path) -> None:
    """A has 100 USDC at Aave and posts 60 of its receipts elsewhere: 160 gross, 60 rehypothecated."""
    book = rg.Snapshot(
        positions=pd.DataFrame(
            {
                "account": ["A", "A", "B"],
                "protocol": ["aave_v3", "morpho", "morpho"],
                "asset": ["USDC", "aEthUSDC", "USDC"],
                "side": ["deposit", "collateral", "debt"],
                "amount": [100.0, 60.0, 10.0],
            }
        ),
        assets=pd.DataFrame({"asset": ["USDC", "aEthUSDC"], "price": 1.0}),
        markets=pd.DataFrame({"protocol": ["aave_v3"], "asset": ["USDC"], "liquidation_threshold": [0.7]}),
        as_of="2025-10-10",
    )
    taken = rg.read_relations(receipts(tmp_path, ROWS)).onto(book)
    totals = rg.collateral_reuse(taken).totals
    assert (totals["gross"], totals["rehypothecated"], totals["unique"]) == (160.0, 60.0, 100.0)
    assert taken.as_of == "2025-10-10" and "backing: 1 rows taken of 8 published" in taken.notes
    terms = rg.read_relations(reserves(tmp_path)).onto(taken).markets.astype({"protocol": object, "asset": object})
    row = terms.set_index(["protocol", "asset"]).loc[("aave_v3", "USDC")]
    assert (row["liquidation_threshold"], row["ltv"]) == (0.7, 0.75)  # its own stays; what it was silent about is taken
    again = rg.read_relations(receipts(tmp_path, ROWS)).onto(taken)
    assert len(again.backing) == 1  # what stands there already is not taken again


def test_an_underlying_that_the_book_lacks_gets_the_price_of_its_receipt(tmp_path: Path) -> None:
    book = rg.Snapshot(
        positions=pd.DataFrame(
            {"account": ["A"], "protocol": ["x"], "asset": ["aEthWETH"], "side": ["collateral"], "amount": [2.0]}
        ),
        assets=pd.DataFrame({"asset": ["aEthWETH"], "price": [1_500.0]}),
    )
    taken = rg.read_relations(receipts(tmp_path, ROWS)).onto(book)
    assert taken.assets.astype({"asset": object}).set_index("asset")["price"].to_dict() == {
        "aEthWETH": 1500.0,
        "WETH": 1500.0,
    }
    assert any("WETH added at the price of their receipts" in note for note in taken.notes)
    assert rg.collateral_reuse(taken).unmatched["unmatched_usd"].tolist() == [3_000.0]  # nothing of aave_v3 is here


def book_of(asset: str, price: float) -> rg.Snapshot:
    row = {"account": ["A"], "protocol": ["x"], "asset": [asset], "side": ["collateral"], "amount": [2.0]}
    return rg.Snapshot(positions=pd.DataFrame(row), assets=pd.DataFrame({"asset": [asset], "price": [price]}))


def test_a_wrapper_that_is_not_at_par_tells_no_price(tmp_path: Path) -> None:
    """One waEthUSDC is 1.15 USDC: without USDC in the book its price cannot be told, and the row is left out."""
    taken = rg.read_relations(receipts(tmp_path, ROWS)).onto(book_of("waEthUSDC", 1.15))
    assert set(taken.assets["asset"]) == {"waEthUSDC"} and not len(taken.backing)
    assert any("waEthUSDC left out" in note for note in taken.notes)


def test_what_a_receipt_brings_along_is_traced_on(tmp_path: Path) -> None:
    """A receipt of a receipt: both stand on USDC."""
    double = ("1", "aAaUSDC", "0x99", "aTokenV3|aaveV3", "0xa", "aEthUSDC", MAIN, "6")
    taken = rg.read_relations(receipts(tmp_path, [*ROWS[:2], double])).onto(book_of("aAaUSDC", 1.0))
    backing = taken.backing.astype(object).set_index("token")["backed_by"]
    assert backing.to_dict() == {"aAaUSDC": "aEthUSDC", "aEthUSDC": "USDC"}
    kinds = taken.assets.astype(object).set_index("asset")["kind"]
    assert kinds["aEthUSDC"] == kinds["aAaUSDC"] == "receipt"


def test_what_the_book_says_otherwise_is_named(tmp_path: Path) -> None:
    book = book_of("USDC", 1.0)
    book = book.replace(markets=pd.DataFrame({"protocol": ["x"], "asset": ["USDC"], "liquidation_threshold": [0.5]}))
    taken = rg.read_relations(reserves(tmp_path), protocol="x").onto(book)
    told = next(note for note in taken.notes if "says otherwise" in note)
    assert "USDC of x: liquidation_threshold 0.5 (published: 0.78)" in told


def reserves(folder: Path, **changes: object) -> Path:
    row = {
        "network": "ethereum",
        "symbol": "USDC",
        "loan_to_value": 0.75,
        "liquidation_threshold": 0.78,
        "liquidation_bonus": 0.045,
        "borrowing_enabled": True,
        "active": True,
        "frozen": False,
        "paused": False,
        **changes,
    }
    path = folder / "reserves.csv"
    pd.DataFrame([row, {**row, "symbol": "GHO", "liquidation_threshold": 0.0, "frozen": True}]).to_csv(
        path, index=False
    )
    return path


def test_reserves_by_hand(tmp_path: Path) -> None:
    markets = rg.read_relations(reserves(tmp_path), protocol="aave").markets.set_index("asset")
    assert markets.loc["USDC", ["protocol", "ltv", "liquidation_threshold", "liquidation_bonus"]].tolist() == [
        "aave",
        0.75,
        0.78,
        0.045,
    ]
    assert markets["borrowable"].to_dict() == {"GHO": False, "USDC": True}
    assert markets["usable_as_collateral"].to_dict() == {"GHO": False, "USDC": True}
    fee = rg.read_relations(reserves(tmp_path, liquidation_protocol_fee=0.1)).markets
    assert fee["protocol_fee"].tolist() == [0.1, 0.1]
    wrong = rg.read_relations(reserves(tmp_path, liquidation_protocol_fee=3.5))
    assert "protocol_fee" not in wrong.markets and any("3.5 is no share" in note for note in wrong.notes)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"loan_to_value": "much"}, r"loan_to_value: expected a number, got 'much' \(rows 1, 2\)"),
        ({"active": "perhaps"}, r"active: expected true or false, got 'perhaps'"),
        ({"liquidation_bonus": 5.0}, r"liquidation_bonus: expected a share from 0 to 1, got 5"),
        ({"symbol": ""}, r"symbol: expected a text, got '' \(row 1\)"),
        ({"network": "base"}, r"expected a network of the file \(base\), got 'ethereum'"),
    ],
)
def test_faults_of_reserves_are_said(tmp_path: Path, changes: dict[str, object], says: str) -> None:
    with pytest.raises(rg.InputError, match=says):
        rg.read_relations(reserves(tmp_path, **changes))


def test_other_faults_are_said(tmp_path: Path) -> None:
    with pytest.raises(rg.InputError, match=r"expected a network of the file \(ethereum, base\), got 'nowhere'"):
        rg.read_relations(receipts(tmp_path, ROWS), network="nowhere")
    with pytest.raises(rg.InputError, match=r"token_address: expected every token once, got '0xa' \(row 2\)"):
        rg.read_relations(receipts(tmp_path, [USDC, USDC]))
    with pytest.raises(rg.InputError, match="issuers: expected addresses of pools in the file, got '0xbad'"):
        rg.read_relations(receipts(tmp_path, ROWS), issuers={"0xbad": "x"})
    with pytest.raises(rg.InputError, match="rows: expected receipts, got a header alone"):
        rg.read_relations(receipts(tmp_path, []))
    with pytest.raises(rg.InputError, match="symbol: expected every reserve once, got 'GHO'"):
        rg.read_relations(reserves(tmp_path, symbol="GHO"))
    with pytest.raises(rg.InputError, match="expected a file of receipts or reserves, got nothing there"):
        rg.read_relations(tmp_path / "none.csv")
    with pytest.raises(rg.InputError, match="expected a file of receipts or reserves, got a directory"):
        rg.read_relations(tmp_path)
    with pytest.raises(rg.InputError, match="format: expected one of auto, aave_receipts, aave_reserves, got 'csv'"):
        rg.read_relations(reserves(tmp_path), format="csv")
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    with pytest.raises(rg.InputError, match=r"expected the columns chain_id, token, .*\(receipts\).* got a, b"):
        rg.read_relations(other)
    with pytest.raises(rg.InputError, match=r"columns: expected chain_id, .* got none named chain_id, token"):
        rg.read_relations(other, format="aave_receipts")
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    with pytest.raises(rg.InputError, match="expected JSON as UTF-8 text"):
        rg.read_relations(broken)
    broken.write_text('{"networks": [1]}')
    with pytest.raises(rg.InputError, match="expected an object with 'networks', each a list of reserves"):
        rg.read_relations(broken)


def test_json_and_csv_of_the_same_reserves_are_one(tmp_path: Path) -> None:
    table = pd.read_csv(reserves(tmp_path))
    page = {"networks": {"ethereum": json.loads(table.drop(columns="network").to_json(orient="records"))}}
    (tmp_path / "reserves.json").write_text(json.dumps(page))
    one, other = (rg.read_relations(tmp_path / name).markets for name in ("reserves.csv", "reserves.json"))
    pd.testing.assert_frame_equal(one, other)


@pytest.mark.reference
def test_the_published_lists(shared_data: Path) -> None:
    folder = shared_data / "risk_params_and_wrappers"
    relations = rg.read_relations(folder / "aave_receipt_tokens.csv")
    frame = pd.read_csv(folder / "aave_receipt_tokens.csv")
    assert len(relations.backing) == (frame["chain_id"] == 1).sum() == 198
    assert relations.backing["token"].is_unique
    sizes = relations.backing["issuer"].value_counts()
    assert (sizes["aave_v3"], sizes["aave_v2"]) == (104, 37)
    for name in ("aave_v3_reserves_20251010.csv", "aave_v3_reserves_20260822.csv", "aave_v3_reserves_20260822.json"):
        markets = rg.read_relations(folder / name).markets.set_index("asset")
        table = pd.read_csv(folder / name.replace(".json", ".csv")).query("network == 'ethereum'").set_index("symbol")
        assert len(markets) == len(table)
        assert (markets["liquidation_threshold"] == table["liquidation_threshold"].reindex(markets.index)).all()


@pytest.mark.reference
def test_the_steth_book_takes_terms_of_its_third_version(shared_data: Path) -> None:
    book = rg.read_snapshot(shared_data / "aave_steth_20230621" / "positions_long.csv")
    path = shared_data / "risk_params_and_wrappers" / "aave_v3_reserves_20251010.csv"
    taken = rg.read_relations(path, protocol="aave-v3-ethereum").onto(book)
    terms = taken.markets.astype({"protocol": object, "asset": object}).set_index(["protocol", "asset"])
    assert terms.loc[("aave-v3-ethereum", "wstETH"), "liquidation_threshold"] == 0.81
    assert terms.loc[("aave-v2-ethereum", "WETH")].get("liquidation_threshold") != 0.83  # another protocol's
    assert rg.health(taken)["health"].equals(rg.health(book)["health"])  # accounts have thresholds of their own
