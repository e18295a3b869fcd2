"""Morpho's markets, borrowers, suppliers and vaults: a small folder by hand, the published one, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import riskgraph as rg

MARKET = {
    "market_id": "0xaaaa0001bbbb", "market_id_short": "0xaaaa...bbbb", "chain": "ethereum", "chain_id": 1,
    "collateral_symbol": "xUSD", "collateral_address": "0x1", "collateral_decimals": 6, "collateral_price_usd": 0.5,
    "loan_symbol": "USDC", "loan_address": "0x2", "loan_decimals": 6, "loan_price_usd": 1.0, "lltv": 0.8,
    "total_supply_usd": 100.0, "total_borrow_usd": 60.0, "oracle_price_raw": 10.0**36,
}  # fmt: skip
OTHER = {
    **MARKET,
    "market_id": "0xcccc0002dddd",
    "market_id_short": "0xcccc...dddd",
    "lltv": 0.915,
    "loan_price_usd": 1.002,
}
NOTHING = {**MARKET, "market_id": "0xeeee", "market_id_short": "0xeeee", "chain": "Plume", "collateral_price_usd": 0.0}
RAW = ("user_address", "market_unique_key", "collateral_raw", "borrow_assets_raw", "supply_assets_raw")
ROWS = [
    ("0xAB", MARKET["market_id"], 100e6, 60e6, 0),
    ("0xcd", MARKET["market_id"], 0, 0, 100e6),
    ("0xcd", OTHER["market_id"], 0, 0, 7e6),
    ("0xef", NOTHING["market_id"], 0, 0, 0),
]
POSITIONS = [dict(zip(RAW, row, strict=True)) for row in ROWS]


def folder_of(path: Path, markets=(MARKET, OTHER, NOTHING), positions=POSITIONS) -> Path:
    pd.DataFrame(markets).to_csv(path / "block1_markets_graphql.csv", index=False)
    pd.DataFrame(positions).to_csv(path / "block5_borrower_positions.csv", index=False)
    pd.DataFrame({"vault_address": ["0xCD"], "vault_name": ["Vault"], "blockchain": ["ethereum"]}).to_csv(
        path / "block1_vaults_graphql.csv", index=False
    )
    return path


def test_a_folder_by_hand(tmp_path: Path) -> None:
    """100 xUSD against 60 USDC at LLTV 0.8; the oracle shows 1 USDC: health 80 ÷ 60, whatever the market pays."""
    snap = rg.read_snapshot(folder_of(tmp_path), as_of="2026-02-08")
    health = rg.health(snap).set_index("account").loc["0xab"]
    assert health["health"] == pytest.approx(0.8 * 100 * 1.001 / (60 * 1.001))  # USDC: the median of 1 and 1.002
    prices = snap.assets.astype({"asset": object}).set_index("asset")["price"]
    assert prices.to_dict() == pytest.approx({"USDC": 1.001, "xUSD": 0.5})
    rows = snap.positions.astype({"account": object, "protocol": object, "asset": object, "side": object})
    assert rows.set_index(["account", "protocol", "side"])["amount"].to_dict() == {
        ("0xab", "morpho:0xaaaa...bbbb", "collateral"): 100.0,
        ("0xab", "morpho:0xaaaa...bbbb", "debt"): 60.0,
        ("0xcd", "morpho:0xaaaa...bbbb", "deposit"): 100.0,
        ("0xcd", "morpho:0xcccc...dddd", "deposit"): 7.0,
    }
    assert snap.protocols["parent"].eq("morpho_blue").all() and snap.protocols["rule"].eq("morpho_blue").all()
    assert set(snap.accounts["label"]) == {"Vault (ethereum)"}
    notes = "\n".join(snap.notes)
    assert "2 markets in which something stands of 3" in notes and "1 rows of block5" in notes
    assert "the median of prices less than 1 % apart for USDC" in notes


def test_tokens_of_one_symbol_far_apart_are_two(tmp_path: Path) -> None:
    far = {**OTHER, "chain": "Arbitrum", "loan_price_usd": 0.9}
    snap = rg.read_snapshot(folder_of(tmp_path, (MARKET, far, NOTHING)))
    assert set(snap.assets["asset"]) == {"USDC@ethereum", "USDC@arbitrum", "xUSD"}


def test_two_tokens_of_one_symbol_on_a_chain_are_two_in_any_order(tmp_path: Path) -> None:
    fake = {**OTHER, "loan_address": "0x9", "loan_price_usd": 0.5}
    digests = set()
    for number, markets in enumerate(((MARKET, fake, NOTHING), (fake, NOTHING, MARKET))):
        (tmp_path / str(number)).mkdir()
        snap = rg.read_snapshot(folder_of(tmp_path / str(number), markets))
        prices = snap.assets.astype({"asset": object}).set_index("asset")["price"]
        assert prices.to_dict() == {"USDC@ethereum:0x2": 1.0, "USDC@ethereum:0x9": 0.5, "xUSD": 0.5}
        digests.add(snap.digest)
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("markets", "positions", "says"),
    [
        ([MARKET, MARKET], [], "market_id: expected every market once, got '0xaaaa0001bbbb' \\(row 2\\)"),
        ([{**MARKET, "lltv": 7.0}], [], "lltv: expected a share, or one times 10\\^18, got 7"),
        ([{**MARKET, "loan_decimals": "six"}], [], "loan_decimals: expected a number, got 'six'"),
        ([MARKET], [{**POSITIONS[0], "market_unique_key": "0x9"}], "market_unique_key: expected a market of block1"),
        ([MARKET], [{**POSITIONS[0], "collateral_raw": ""}], "collateral_raw: expected a number, got ''"),
        (
            [MARKET],
            [{**POSITIONS[0], "supply_assets_raw": -5}],
            r"supply_assets_raw: expected at least 0, got -5 \(row 1\)",
        ),
        ([MARKET], [POSITIONS[0], POSITIONS[0]], r"user_address: expected an account once in a market.*\(row 2\)"),
        ([MARKET, NOTHING], [POSITIONS[3]], "rows: expected positions, got none with anything in them"),
        (
            [MARKET, {**OTHER, "loan_price_usd": 2.0}],
            POSITIONS[:3],
            "expected one price of a token, got 1 and 2 for 0x2",
        ),
        ([MARKET], [{"user_address": "0x1"}], "columns: expected user_address, .* got none named market_unique_key"),
    ],
)
def test_faults_are_said(tmp_path: Path, markets, positions, says) -> None:
    with pytest.raises(rg.InputError, match=says):
        rg.read_snapshot(folder_of(tmp_path, markets, positions or POSITIONS[:1]))


def allocations(folder: Path, **changes: object) -> Path:
    row = {
        "vault_address": "0xCD", "vault_name": "Vault", "vault_total_usd": 30.0, "chain_id": 1,
        "market_unique_key": "0xaaaa0001bbbb", "collateral_symbol": "xUSD", "loan_symbol": "USDC",
        "lltv": 8e17, "supply_assets": "", "supply_assets_usd": 10.0, "supply_cap": "", "is_toxic_market": True,
    }  # fmt: skip
    rows = [
        row,
        {**row, "market_unique_key": "0xcccc0002dddd", "supply_assets_usd": 20.0, **changes},
        {**row, "market_unique_key": "0xf", "supply_assets_usd": 0.0},
    ]
    path = folder / "allocations.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def test_allocations_by_hand(tmp_path: Path) -> None:
    with pytest.raises(rg.InputError, match=r"expected block1_markets_graphql\.csv beside it for prices of USDC"):
        rg.read_snapshot(allocations(tmp_path))
    folder_of(tmp_path)
    snap = rg.read_snapshot(allocations(tmp_path))
    assert snap.positions["side"].eq("deposit").all()
    usd = snap.book.usd
    assert usd.tolist() == pytest.approx([10.0, 20.0])
    assert set(snap.positions["protocol"]) == {"morpho:0xaaaa...bbbb", "morpho:0xcccc...dddd"}
    assert any("1 rows with nothing in them" in note for note in snap.notes)
    for changes, says in (
        ({"market_unique_key": "0xaaaa0001bbbb"}, "expected every market of a vault once"),
        ({"supply_assets_usd": -1.0}, "supply_assets_usd: expected at least 0, got -1"),
        ({"loan_symbol": "DAI"}, "loan_price_usd: expected a price of DAI"),
    ):
        with pytest.raises(rg.InputError, match=says):
            rg.read_snapshot(allocations(tmp_path, **changes))


@pytest.mark.reference
def test_the_book_of_february_2026(shared_data: Path) -> None:
    """Suppliers and borrowers add up to the markets' own totals; 60.4 M USD stand against xUSD, deUSD and sdeUSD."""
    folder = shared_data / "morpho_xusd_deusd_202511"
    snap = rg.read_snapshot(folder, as_of="2026-02-08")
    markets = pd.read_csv(folder / "block1_markets_graphql.csv")
    assert set(snap.assets["asset"]) == {"USDC", "deUSD", "sdeUSD", "xUSD"}
    supplied = snap.positions.query("side == 'deposit'")["amount"].sum()
    assert supplied == pytest.approx(markets["total_supply_usd"].sum(), rel=1e-3)
    assert supplied == pytest.approx(60.41e6, rel=1e-3)
    pledged = snap.markets.astype(object).query("liquidation_threshold == liquidation_threshold")
    collateral = pledged.set_index("protocol")["asset"]
    rows = snap.positions.astype(object).query("side == 'deposit'")
    by_token = rows["amount"].astype(float).groupby(rows["protocol"].map(collateral)).sum()
    assert by_token.to_dict() == pytest.approx({"sdeUSD": 55.43e6, "xUSD": 4.97e6, "deUSD": 8.75e3}, rel=1e-3)
    owed = snap.positions.query("side == 'debt'")["amount"].sum()
    assert owed == pytest.approx(markets["total_borrow_usd"].sum(), rel=1e-3)
    published = pd.read_csv(folder / "block5_borrower_positions.csv").set_index("user_address")["health_factor"]
    ours = rg.health(snap).astype({"account": object}).set_index("account")["health"]
    one = "0x0C9464a8e75fC4688b084623C1FBc2a70D93B6F6"
    assert ours[one.lower()] == pytest.approx(published[one], rel=1e-9)


@pytest.mark.reference
def test_bad_debt_by_market_is_what_oracles_show(shared_data: Path) -> None:
    """Where bad debt is published, it is debt beyond collateral at the market's own oracle, to 0.2 % (interest)."""
    folder = shared_data / "morpho_xusd_deusd_202511"
    health = rg.health(rg.read_snapshot(folder)).astype({"protocol": object})
    ours = (health["debt_usd"] - health["collateral_usd"]).clip(lower=0.0).groupby(health["protocol"]).sum()
    table = pd.read_csv(folder / "block2_bad_debt_by_market.csv")
    published = table["L2_bad_debt_usd"].set_axis("morpho:" + table["market_id_short"])
    told = published[(published > 0.0) & published.index.isin(ours.index)]
    assert len(told) == 3 and told.sum() == pytest.approx(4_159_578, abs=1.0)
    assert ours[told.index].to_numpy() == pytest.approx(told.to_numpy(), rel=2e-3)


@pytest.mark.reference
def test_what_vaults_lent(shared_data: Path) -> None:
    snap = rg.read_snapshot(shared_data / "morpho_xusd_deusd_202511" / "block6_vault_full_allocations.csv")
    rows = snap.positions.astype({"account": object, "protocol": object})
    assert snap.book.usd.sum() == pytest.approx(876_109_412, rel=1e-6)
    mev = rows["account"] == "0xd63070114470f685b75b74d60eec7c1113d33a3d"
    assert snap.book.usd[mev.to_numpy()].sum() == pytest.approx(298_730_410, rel=1e-6)
    names = snap.accounts.astype(object).set_index(["account", "protocol"])["label"]
    loop = [
        names[pair].endswith(("→ sdeUSD", "→ deUSD", "→ xUSD"))
        for pair in zip(rows["account"], rows["protocol"], strict=True)
    ]
    assert snap.book.usd[mev.to_numpy() & loop].sum() == pytest.approx(2_817_620, rel=1e-6)
