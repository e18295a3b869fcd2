"""DefiLlama's page of a protocol, and its table of several: by hand, the published ones, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import riskgraph as rg


def tokens(day: int, **values: float) -> dict[str, object]:
    return {"date": day * 86_400, "tokens": values}


def page(folder: Path, sections: dict[str, object], **rest: object) -> Path:
    path = folder / "page.json"
    path.write_text(json.dumps({"name": "Lend", "chainTvls": sections, **rest}))
    return path


SECTIONS = {
    "Chain": {
        "tokensInUsd": [tokens(1, ETH=999.0), tokens(2, ETH=60.0, DAI=10.0)],
        "tokens": [tokens(2, ETH=0.03, DAI=10.0)],
    },
    "Chain-borrowed": {"tokensInUsd": [tokens(2, ETH=40.0)], "tokens": [tokens(2, ETH=0.02)]},
    "borrowed": {"tokensInUsd": [tokens(2, ETH=40.0)], "tokens": [tokens(2, ETH=0.02)]},
    "staking": {"tokensInUsd": [tokens(2, LEND=5.0)], "tokens": [tokens(2, LEND=1.0)]},
}  # fmt: skip


def test_a_page_by_hand(tmp_path: Path) -> None:
    """60 USD of ETH stand there and 40 are lent out: 100 were supplied, 0.05 ETH at 2,000."""
    snap = rg.read_snapshot(page(tmp_path, SECTIONS))
    rows = snap.positions.astype({"asset": object, "side": object}).set_index(["asset", "side"])["amount"]
    assert rows.to_dict() == pytest.approx({("DAI", "deposit"): 10.0, ("ETH", "deposit"): 0.05, ("ETH", "debt"): 0.02})
    assert snap.assets.astype({"asset": object}).set_index("asset")["price"].to_dict() == {"DAI": 1.0, "ETH": 2000.0}
    assert set(snap.positions["account"]) == {"users of Lend (Chain)"} and snap.as_of == "1970-01-03"
    notes = "\n".join(snap.notes)
    assert "sections not taken: staking" in notes and "1 totals of what is borrowed are not taken" in notes
    earlier = rg.read_snapshot(page(tmp_path, SECTIONS), as_of="1970-01-02")
    assert earlier.book.usd.tolist() == [999.0] and earlier.as_of == "1970-01-02"


def table(folder: Path, rows: list[tuple[object, ...]]) -> Path:
    path = folder / "sections.csv"
    pd.DataFrame(rows, columns=["protocol", "chain_section", "date_unix", "token", "usd"]).to_csv(path, index=False)
    return path


def test_a_table_by_hand(tmp_path: Path) -> None:
    """Units are not told, so a unit is a dollar's worth; a value below 0 is a debt; totals that differ are said."""
    rows = [
        ("A", "Chain", 86_400, "ETH", 60.0),
        ("A", "Chain-borrowed", 86_400, "ETH", 40.0),
        ("A", "borrowed", 86_400, "ETH", 50.0),
        ("B", "borrowed", 86_400, "DAI", 7.0),
        ("C", "Chain", 86_400, "DEBT", -3.0),
        ("C", "Chain", 86_400, "NONE", 0.0),
        ("C", "Chain", 86_400, "USDC", 9.0),
    ]
    snap = rg.read_snapshot(table(tmp_path, rows))
    held = snap.positions.astype(dict.fromkeys(("account", "asset", "side"), object))
    assert held.set_index(["account", "asset", "side"])["amount"].to_dict() == {
        ("users of A (Chain)", "ETH", "deposit"): 100.0,
        ("users of A (Chain)", "ETH", "debt"): 40.0,
        ("users of B (all chains)", "DAI", "deposit"): 7.0,
        ("users of B (all chains)", "DAI", "debt"): 7.0,
        ("users of C (Chain)", "DEBT", "debt"): 3.0,
        ("users of C (Chain)", "USDC", "deposit"): 9.0,
    }
    notes = "\n".join(snap.notes)
    assert "of A they differ: 50 against 40 USD" in notes and "DEBT at C (-3 USD)" in notes
    assert "1 for 4 tokens whose units are not told" in notes


def test_a_section_that_ended_is_not_of_this_moment(tmp_path: Path) -> None:
    gone = {"tokensInUsd": [{"date": 3_600, "tokens": {"ETH": 5.0}}], "tokens": []}
    snap = rg.read_snapshot(page(tmp_path, {"New": SECTIONS["Chain"], "Old": gone}))
    assert set(snap.positions["account"]) == {"users of Lend (New)"}
    assert any("sections that end before 1970-01-03 are not taken: Old (1970-01-01)" in note for note in snap.notes)


@pytest.mark.parametrize(
    ("sections", "says"),
    [
        (
            {"Chain": {"tokensInUsd": [{"date": 1, "tokens": {"ETH": "much"}}]}},
            r"chainTvls\.Chain\.tokensInUsd: expected a list",
        ),
        ({"Chain": {"tokensInUsd": [tokens(2, ETH=float("nan"))]}}, r"chainTvls\.Chain\.tokensInUsd: expected a list"),
        ({"Chain": {"tokensInUsd": [tokens(10**9, ETH=1.0)]}}, r"chainTvls\.Chain\.tokensInUsd: expected a list"),
        (
            {"Chain": {"tokensInUsd": [tokens(2, ETH=1.0)], "tokens": [tokens(1, ETH=1.0)]}},
            "expected tokens and tokensInUsd of one date, got 1970-01-02 and 1970-01-03",
        ),
        (
            {"Chain-borrowed": {"tokensInUsd": [tokens(2, ETH=-1.0)]}},
            "expected at least 0 for what is borrowed, got -1",
        ),
        ({"Chain": {"tokensInUsd": []}}, "chainTvls: expected tokens in USD, got none by any date"),
        ([], "expected an object with 'chainTvls'"),
    ],
)
def test_faults_of_pages_are_said(tmp_path: Path, sections, says: str) -> None:
    with pytest.raises(rg.InputError, match=says):
        rg.read_snapshot(page(tmp_path, sections))


def test_faults_of_tables_are_said(tmp_path: Path) -> None:
    with pytest.raises(
        rg.InputError, match="token: expected each once in a section, got 'ETH' twice in 'Chain' of 'A'"
    ):
        rg.read_snapshot(table(tmp_path, [("A", "Chain", 1, "ETH", 1.0)] * 2))
    with pytest.raises(rg.InputError, match=r"usd: expected a number, got 'much' \(row 1\)"):
        rg.read_snapshot(table(tmp_path, [("A", "Chain", 1, "ETH", "much")]))
    with pytest.raises(
        rg.InputError, match=r"date_unix: expected seconds since 1970, before 2100, got 1e\+20 \(row 1\)"
    ):
        rg.read_snapshot(table(tmp_path, [("A", "Chain", 1e20, "ETH", 1.0)]))
    with pytest.raises(rg.InputError, match=r"date_unix: expected rows up to 1970-01-02, got 1970-01-12 \(row 1\)"):
        rg.read_snapshot(table(tmp_path, [("A", "Chain", 1e6, "ETH", 1.0)]), as_of="1970-01-02")
    with pytest.raises(rg.InputError, match="rows: expected values, got a header alone"):
        rg.read_snapshot(table(tmp_path, []))
    with pytest.raises(rg.InputError, match="usd: expected values, got none but 0"):
        rg.read_snapshot(table(tmp_path, [("A", "Chain", 1, "ETH", 0.0)]))
    with pytest.raises(rg.InputError, match="as_of: expected a date such as 2025-11-02, got 'soon'"):
        rg.read_snapshot(page(tmp_path, SECTIONS), as_of="soon")


@pytest.mark.reference
def test_the_published_ones(shared_data: Path) -> None:
    path = shared_data / "protocols_tvl" / "hyperevm_protocol_token_tvl_202505.csv"
    snap, frame = rg.read_snapshot(path), pd.read_csv(path)
    assert len(snap.labels("protocol")) == 14
    lent = frame[frame["chain_section"].str.endswith("-borrowed") & frame["protocol"].eq("HyperLend")]["usd"].sum()
    here = frame[frame["chain_section"].eq("Hyperliquid") & frame["protocol"].eq("HyperLend")]["usd"].sum()
    rows = snap.positions.astype({"protocol": object})
    at = (rows["protocol"].eq("HyperLend") & rows["side"].eq("deposit")).to_numpy()
    assert snap.book.usd[at].sum() == pytest.approx(lent + here, rel=1e-12)
    overlap = rg.collateral_reuse(snap).overlap
    assert overlap.iloc[0][["asset", "protocol_a", "protocol_b"]].tolist() == ["WHYPE", "Felix", "HyperLend"]
    one = rg.read_snapshot(shared_data / "format_samples" / "defillama_protocol_slug.json")
    told = json.loads((shared_data / "format_samples" / "defillama_protocol_slug.json").read_text())
    current = told["currentChainTvls"]
    supplied = current["Hyperliquid L1"] + current["borrowed"]
    assert one.book.usd[one.book.rows("deposit")].sum() == pytest.approx(supplied, rel=1e-9)
