"""Derive the tables of this folder from sources/figures.csv; another folder to write to may be given as argument."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
AS_OF = "2025-11-02"
BORROWER = "Stream"
LENDERS = {  # protocol: (figure of its loan, account that lends there; deUSD is its claim on Elixir)
    "telosc": ("telosc_debt", "TelosC"),
    "elixir": ("elixir_loan", ""),
    "mev_capital": ("mev_capital_debt", "MEV Capital"),
    "others_mapped": ("others_debt", "lenders mapped, not named here"),
    "not_mapped": ("not_mapped_debt", "lenders not mapped"),
}


def read_figures(folder: Path) -> dict[str, float]:
    """Figure -> value."""
    with (folder / "sources" / "figures.csv").open(newline="", encoding="utf-8") as file:
        return {row["figure"]: float(row["value"]) for row in csv.DictReader(file)}


def assumed(folder: Path) -> str:
    """Name what has no source, as a note that travels with the snapshot."""
    with (folder / "sources" / "figures.csv").open(newline="", encoding="utf-8") as file:
        names = [f"{row['figure']} {row['value']}" for row in csv.DictReader(file) if row["basis"] == "assumed"]
    return f"stream_xusd_deusd_202511: no source for {', '.join(names)}; the reasons stand in its README.md"


def check(figure: dict[str, float]) -> None:
    """Stop where a derived figure no longer follows from the published ones."""
    named = figure["telosc_debt"] + figure["elixir_loan"] + figure["mev_capital_debt"]
    assert figure["others_debt"] == figure["mapped_debt"] - named
    assert figure["not_mapped_debt"] == figure["xusd_borrowing"] - figure["mapped_debt"]
    assert figure["xusd_posted"] == figure["xusd_own_backing"] + figure["xusd_borrowing"]
    assert figure["deusd_supply"] == round(figure["elixir_loan"] / figure["elixir_share"])
    minted = figure["recursive_mint_out"] - figure["recursive_mint_in"]
    assert figure["xusd_on_deusd"] == round(minted / figure["xusd_posted"], 6)
    assert figure["bonus"] == round(1.0 / (1.0 - 0.3 * (1.0 - figure["threshold"])) - 1.0, 4)
    assert figure["even_posting"] == round(figure["xusd_posted"] / figure["xusd_borrowing"], 8)


def written(number: float) -> str:
    """Write a number without a tail of zeros."""
    return f"{number:.6f}".rstrip("0").rstrip(".")


def tables(figure: dict[str, float]) -> dict[str, list[list[str]]]:
    """Every table as rows of text, head first."""
    positions = [["account", "protocol", "asset", "side", "amount"]]
    protocols = [["protocol", "kind", "rule", "supply_usd", "lends_collateral", "oracle_deviation"]]
    markets = [["protocol", "asset", "liquidation_threshold", "liquidation_bonus"]]
    for protocol, (name, lender) in LENDERS.items():
        owed = figure[name]
        posted = owed * figure["xusd_posted"] / figure["xusd_borrowing"]
        positions.append([BORROWER, protocol, "xUSD", "collateral", written(posted)])
        positions.append([BORROWER, protocol, "USDC", "debt", written(owed)])
        if lender:
            positions.append([lender, protocol, "USDC", "deposit", written(owed)])
        supply = owed if lender else figure["deusd_supply"]
        protocols.append(
            [protocol, "lending", "lending", written(supply), "false", written(figure["oracle_deviation"])]
        )
        markets.append([protocol, "xUSD", written(figure["threshold"]), written(figure["bonus"])])
    positions.append(["holders of deUSD", "", "deUSD", "wallet", written(figure["deusd_supply"])])
    price, minted = written(figure["par_price"]), figure["xusd_on_deusd"]
    return {
        "snapshot": [["as_of", "notes"], [AS_OF, json.dumps([assumed(HERE)])]],
        "positions": positions,
        "assets": [
            ["asset", "price", "kind", "family"],
            ["USDC", price, "stable", "USDC"],
            ["xUSD", price, "synthetic", "USDC"],
            ["deUSD", price, "receipt", "USDC"],
        ],
        "protocols": protocols,
        "markets": markets,
        "backing": [
            ["token", "backed_by", "share", "issuer"],
            ["xUSD", "USDC", written(1.0 - minted), ""],
            ["xUSD", "deUSD", written(minted), ""],
            ["deUSD", "USDC", "1", "elixir"],
        ],
    }


def main(target: Path) -> None:
    """Write every table as CSV."""
    figure = read_figures(HERE)
    check(figure)
    for name, rows in tables(figure).items():
        with (target / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
