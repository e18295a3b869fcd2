"""The xUSD/deUSD dataset: made by its script, every figure with a source, and the arithmetic of its README."""

from __future__ import annotations

import csv
import importlib.util
import json
import re
from pathlib import Path

import pandas as pd
import pytest

import riskgraph as rg

NAME = "stream_xusd_deusd_202511"
ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "datasets" / NAME
EVENT = ROOT / ".." / "shared" / "events" / f"{NAME}.json"
M = 1e6


def figures() -> dict[str, dict[str, str]]:
    with (FOLDER / "sources" / "figures.csv").open(newline="", encoding="utf-8") as file:
        return {row["figure"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def snap() -> rg.Snapshot:
    return rg.datasets.load(NAME)


def following(snap: rg.Snapshot) -> rg.Snapshot:
    """The same book with oracles that show every price at once."""
    return snap.replace(protocols=snap.protocols.assign(oracle_deviation=0.0))


def test_tables_are_those_the_script_makes(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("make_stream", FOLDER / f"make_{NAME}.py")
    assert spec is not None and spec.loader is not None
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    make.main(tmp_path)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_bytes() for path in FOLDER.glob("*.csv")}


def test_every_figure_has_a_source_or_is_called_assumed(snap: rg.Snapshot) -> None:
    readme, rows = (FOLDER / "README.md").read_text(encoding="utf-8"), figures()
    for name, row in rows.items():
        assert row["basis"] in ("published", "derived", "assumed") and row["note"], name
        assert row["source"].startswith("https://") == (row["basis"] != "assumed"), name
        assert row["source"] in readme, name
        if row["basis"] == "assumed":
            assert re.search(rf"\b{name} ", snap.notes[0]), name


@pytest.mark.skipif(not EVENT.exists(), reason="the event file lies outside the project: ../shared/events")
def test_figures_are_those_of_the_event_file() -> None:
    event = {entry["figure"]: entry["value"] for entry in json.loads(EVENT.read_text(encoding="utf-8"))["figures"]}
    pairs = {
        "xusd_own_backing": "xUSD backing flagged 28 Oct",
        "xusd_borrowing": "... borrowing against it",
        "recursive_mint_in": "Recursive mint: USDC in",
        "recursive_mint_out": "Recursive mint: xUSD out",
        "elixir_loan": "Elixir loan to Stream",
        "elixir_share": "... share of deUSD backing",
        "announced_loss": "Stream loss announced",
        "mapped_debt": "Debt mapped by YAM",
        "telosc_debt": "... TelosC",
        "mev_capital_debt": "... MEV Capital",
        "xusd_price_4_november": "xUSD price 4 Nov low end",
        "xusd_price_8_november": "xUSD price 8 Nov",
        "deusd_price_6_november": "deUSD price 6 Nov",
        "morpho_bad_debt": "Morpho bad debt, 18 markets on 3 chains",
    }
    ours = figures()
    assert {name: float(ours[name]["value"]) for name in pairs} == {name: event[told] for name, told in pairs.items()}
    assert event["Morpho liquidations while the oracle stayed at 1"] == 0


def test_reuse_by_hand(snap: rg.Snapshot) -> None:
    """700 M posted on 530 M of debt: looping leverage 700 ÷ 170, as published (4.1)."""
    reuse = rg.collateral_reuse(snap)
    stream = reuse.looping.set_index("account").loc["Stream"]
    assert stream["looped_usd"] == pytest.approx(530 * M, rel=1e-12)
    assert stream["leverage"] == pytest.approx(700 / 170, rel=1e-12)
    assert round(stream["leverage"], 1) == 4.1
    assert reuse.totals["gross"] == pytest.approx((700 + 530 - 68) * M, rel=1e-12)  # Elixir's lenders are deUSD
    owed = snap.positions.query("side == 'debt'").astype({"protocol": object}).set_index("protocol")["amount"]
    assert owed.drop("not_mapped").sum() == pytest.approx(284.9 * M)


def test_fixed_oracles_hide_it_and_nothing_is_liquidated(snap: rg.Snapshot) -> None:
    assert (rg.health(snap)["health"].loc[lambda h: h < 10] - 700 / 530 * 0.915).abs().max() < 1e-9
    reuse = rg.collateral_reuse(snap)
    broken = reuse.break_("xUSD", 0.76)
    told = broken.beside(broken.cascade())
    assert told["liquidated"].tolist() == [0, 0]
    assert told["bad_debt_usd"].tolist() == pytest.approx([530 * M - 700 * M * 0.24] * 2, rel=1e-9)
    assert broken.cascade().bad_debt_usd == 0.0  # as the oracles show it


def test_oracles_that_follow_bring_it_to_elixir_and_back(snap: rg.Snapshot) -> None:
    cascade = rg.liquidation_cascade(following(snap), {"xUSD": -0.76})
    lost = cascade.losses.astype({"protocol": object}).set_index("protocol")["usd"]
    assert lost["telosc"] == pytest.approx(123.6 * M * (1 - 700 / 530 * 0.24 / 1.0262), rel=1e-9)
    at_elixir = 68 * M * (1 - 700 / 530 * 0.24 / 1.0262)
    assert lost["elixir"] == pytest.approx(at_elixir, rel=1e-9)
    deusd = 1 - at_elixir / 104_615_385
    prices = cascade.prices.iloc[-1]
    assert prices["deUSD"] == pytest.approx(deusd, rel=1e-9) and round(prices["deUSD"], 4) == 0.5508
    assert prices["xUSD"] == pytest.approx(0.24 * (1 - 0.018 * (1 - deusd)), rel=1e-9)
    assert cascade.conservation < 1e-9


def test_looked_through_xusd_and_deusd_are_a_loop(snap: rg.Snapshot) -> None:
    """deUSD on xUSD by 65 %, xUSD on deUSD by 1.8 %: 1.17 % of a dollar comes back; −76 % takes 49.4 % of deUSD."""
    backing = pd.DataFrame(
        {
            "token": ["xUSD", "xUSD", "deUSD", "deUSD"],
            "backed_by": ["USDC", "deUSD", "xUSD", "USDC"],
            "share": [0.982, 0.018, 0.65, 0.35],
        }
    )
    reuse = rg.collateral_reuse(snap.replace(backing=backing))
    assert reuse.loops["comes_back"].tolist() == pytest.approx([0.65 * 0.018])
    holders = reuse.break_("xUSD", 0.76).holders
    assert holders.loc["holders of deUSD", "loss_usd"] == pytest.approx(0.65 * 0.76 * 104_615_385, rel=1e-9)
