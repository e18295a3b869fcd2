"""Derive the tables of this folder from sources/figures.csv; another folder to write to may be given as argument."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
AS_OF = "2023-08-01"
LOANS = {  # protocol: (prefix in figures.csv, what was borrowed)
    "aave_v2": ("aave", "USDT"),
    "fraxlend": ("fraxlend", "FRAX"),
    "abracadabra": ("abracadabra", "MIM"),
    "inverse": ("inverse", "DOLA"),
}
# Lenders' claims; every MIM is one on its issuer.
SUPPLY = {"aave_v2": "aave_supply", "fraxlend": "fraxlend_supply", "abracadabra": "mim_supply"}
# Kind and rule; whether collateral is lent out (only a pooled market such as Aave does; the other three keep it apart).
VENUES = {
    "aave_v2": ("lending", "aave_v2", "true"),
    "fraxlend": ("lending", "lending", "false"),
    "abracadabra": ("cdp", "lending", "false"),
    "inverse": ("cdp", "lending", "false"),
}


def read_figures(folder: Path) -> dict[str, str]:
    """Figure -> value, as written."""
    with (folder / "sources" / "figures.csv").open(newline="", encoding="utf-8") as file:
        return {row["figure"]: row["value"] for row in csv.DictReader(file)}


def assumed(folder: Path) -> str:
    """Name what has no source, as a note that travels with the snapshot."""
    with (folder / "sources" / "figures.csv").open(newline="", encoding="utf-8") as file:
        names = [f"{row['figure']} {row['value']}" for row in csv.DictReader(file) if row["basis"] == "assumed"]
    return f"curve_founder_202308: no source for {', '.join(names)}; the reasons stand in its README.md"


def check(figure: dict[str, str]) -> None:
    """Stop where a derived figure no longer follows from the published ones."""
    number = {name: float(value) for name, value in figure.items() if name != "account"}
    rest = number["total_collateral"] - number["aave_collateral"] - number["fraxlend_collateral"]
    assert number["abracadabra_collateral"] == rest, "Abracadabra's collateral is the rest of the total"
    crv_usd = round(number["aave_collateral"] * number["crv_price"])
    assert number["aave_supply"] == crv_usd + number["aave_debt"], "on Aave stand its CRV and the USDT it borrowed"
    assert number["fraxlend_supply"] == number["fraxlend_debt"], "all of Fraxlend's supply is lent"
    assert number["inverse_collateral"] == round(number["inverse_collateral_usd"] / number["crv_price"])
    price = number["aave_debt"] / (number["aave_collateral"] * number["aave_threshold"])
    assert abs(price - number["aave_liquidation_price"]) < 1e-4, "the published liquidation price follows from the loan"


def crv_depth(figure: dict[str, str]) -> float:
    """D of the constant-product curve: order book (USD that moves the price ÷ move) + pools (half of the USD side)."""
    book = float(figure["binance_depth"]) / float(figure["binance_depth_fall"])
    pools = float(figure["onchain_liquidity"]) * float(figure["pool_usd_share"]) / 2
    return book + pools


def tables(figure: dict[str, str]) -> dict[str, list[list[str]]]:
    """Every table as rows of text, head first."""
    account = figure["account"]
    positions = [["account", "protocol", "asset", "side", "amount"]]
    markets = [["protocol", "asset", "liquidation_threshold", "liquidation_bonus"]]
    protocols = [["protocol", "kind", "rule", "supply_usd", "call_level", "target_health", "topup", "lends_collateral"]]
    for protocol, (name, stable) in LOANS.items():
        positions.append([account, protocol, "CRV", "collateral", figure[f"{name}_collateral"]])
        positions.append([account, protocol, stable, "debt", figure[f"{name}_debt"]])
        markets.append([protocol, "CRV", figure[f"{name}_threshold"], figure[f"{name}_bonus"]])
        kind, rule, lends = VENUES[protocol]
        supply = figure[SUPPLY[protocol]] if protocol in SUPPLY else ""
        calls = [figure["call_level"], figure["target_health"], "first"]
        protocols.append([protocol, kind, rule, supply, *calls, lends])
    positions.append([account, "", "CRV", "wallet", figure["otc_sold"]])
    accounts = [["account", "protocol", "label"], *([account, protocol, "Curve founder"] for protocol in LOANS)]
    assets = [["asset", "price", "kind", "family"], ["CRV", figure["crv_price"], "base", "CRV"]]
    for _, stable in LOANS.values():
        kind = "debt_backed" if stable == "MIM" else "stable"
        assets.append([stable, figure["stable_price"], kind, stable])
    backing = [["token", "backed_by", "share", "issuer"], ["MIM", "abracadabra", "1", "abracadabra"]]
    liquidity = [["asset", "model", "depth_usd"], ["CRV", "constant_product", f"{crv_depth(figure):.0f}"]]
    return {
        "snapshot": [["as_of", "notes"], [AS_OF, json.dumps([assumed(HERE)])]],
        "positions": positions,
        "accounts": accounts,
        "assets": assets,
        "protocols": protocols,
        "markets": markets,
        "backing": backing,
        "liquidity": liquidity,
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
