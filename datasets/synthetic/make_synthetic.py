"""Measure the generator against the facts and write the table of README.md, here or in the folder given."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from riskgraph.synthetic.generator import synthetic_tables

HERE = Path(__file__).resolve().parent
ACCOUNTS, SEED = 100_000, 1
START, END = "<!-- table: made by make_synthetic.py -->", "<!-- end of table -->"
STETH = "stETH book"
BTC = "BTC book"
BOTH = "both books"
LINKS = "links"

# What is measured: name -> (value in the real data, where). Percentages as shares.
FACTS: dict[str, tuple[float, str]] = {
    "collateral of a margin account, 10 % quantile, USD": (270.4, STETH),
    "collateral, 25 % quantile, USD": (4_465.0, STETH),
    "collateral, median, USD": (40_300.0, STETH),
    "collateral, 75 % quantile, USD": (229_100.0, STETH),
    "collateral, 90 % quantile, USD": (1_282_000.0, STETH),
    "collateral, 99 % quantile, USD": (28_090_000.0, STETH),
    "share of all collateral held by the top 1 %": (0.493, STETH),
    "share of all collateral held by the top 10 %": (0.919, STETH),
    "Hill exponent of the top 5 %": (0.875, STETH),
    "debt of a margin account, median, USD": (15_230.0, STETH),
    "total debt ÷ total collateral": (0.502, STETH),
    "health factor, 5 % quantile": (1.104, STETH),
    "health factor, 25 % quantile": (1.362, STETH),
    "health factor, median": (1.892, STETH),
    "health factor, 75 % quantile": (2.916, STETH),
    "health factor, 95 % quantile": (6.312, STETH),
    "share below health factor 1": (0.00222, STETH),
    "share below health factor 1.1": (0.0489, STETH),
    "share below health factor 1.5": (0.314, STETH),
    "Spearman of collateral and health factor": (-0.227, STETH),
    "median health factor, ETH most of the debt": (1.272, STETH),
    "median health factor, the others": (2.198, STETH),
    "margin accounts with one collateral token": (0.664, STETH),
    "margin accounts with two": (0.294, STETH),
    "collateral tokens a margin account, mean": (1.383, STETH),
    "margin accounts with one debt token": (0.737, BOTH),
    "debt tokens a margin account, mean": (1.365, BOTH),
    "distinct assets a borrower, mean": (2.521, STETH),
    "rows a margin account (collateral and debt), mean": (2.596, STETH),
    "stETH among stETH, wstETH, rETH rows": (0.707, STETH),
    "wstETH among them": (0.271, STETH),
    "owing ETH, of accounts with stETH or wstETH": (0.292, STETH),
    "USDC among debt rows of USDC, USDT, DAI": (0.489, BOTH),
    "USDT among them": (0.419, BOTH),
    "borrowers on one protocol": (0.882, LINKS),
    "borrowers on two": (0.101, LINKS),
    "borrowers on three or more": (0.0162, LINKS),
    "links at the largest protocol": (0.759, LINKS),
}


def measure(tables: dict[str, pd.DataFrame]) -> dict[str, float]:
    """Every fact's name -> what the tables show."""
    book, margin = _margin_accounts(tables)
    values = {**_sizes(margin), **_healths(margin), **_rows(book, margin), **_tokens(book, margin), **_links(margin)}
    assert list(values) == list(FACTS), "every fact is measured, in the order of the facts"
    return values


def _margin_accounts(tables: dict[str, pd.DataFrame]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Collateral and debt rows with USD, and the margin accounts with debt above 1 USD (as in the stETH book)."""
    book = tables["positions"].merge(tables["assets"][["asset", "price"]], on="asset")
    book = book[book["side"].isin(["collateral", "debt"])].astype(dict.fromkeys(("asset", "side", "protocol"), "str"))
    terms = tables["markets"][["protocol", "asset", "liquidation_threshold"]].astype(
        {"protocol": "str", "asset": "str"}
    )
    book = book.merge(terms, on=["protocol", "asset"])
    book["account"] = book["account"].cat.codes
    book["usd"] = book["amount"] * book["price"]
    book["weighted"] = book["usd"] * book["liquidation_threshold"]
    key = ["account", "protocol"]
    of_side = {side: rows.groupby(key) for side, rows in book.groupby("side")}
    margin = pd.DataFrame(
        {
            "collateral": of_side["collateral"]["usd"].sum(),
            "weighted": of_side["collateral"]["weighted"].sum(),
            "held": of_side["collateral"]["asset"].nunique(),
            "debt": of_side["debt"]["usd"].sum(),
            "owed": of_side["debt"]["asset"].nunique(),
            "eth": book[(book["side"] == "debt") & (book["asset"] == "ETH")].groupby(key)["usd"].sum(),
        }
    ).fillna({"eth": 0.0})
    margin = margin[margin["debt"] > 1.0]
    margin["health"] = margin["weighted"] / margin["debt"]
    return book, margin


def _sizes(margin: pd.DataFrame) -> dict[str, float]:
    usd = np.sort(margin["collateral"].to_numpy())[::-1]
    names = list(FACTS)
    values = {
        name: float(np.quantile(usd, q)) for name, q in zip(names, (0.1, 0.25, 0.5, 0.75, 0.9, 0.99), strict=False)
    }
    values[names[6]] = usd[: len(usd) // 100].sum() / usd.sum()
    values[names[7]] = usd[: len(usd) // 10].sum() / usd.sum()
    top = usd[: len(usd) // 20 + 1]
    values[names[8]] = 1.0 / float(np.mean(np.log(top[:-1] / top[-1])))
    values[names[9]] = float(margin["debt"].median())
    values[names[10]] = margin["debt"].sum() / usd.sum()
    return values


def _healths(margin: pd.DataFrame) -> dict[str, float]:
    health, names = margin["health"], list(FACTS)[11:]
    values = {name: float(health.quantile(q)) for name, q in zip(names, (0.05, 0.25, 0.5, 0.75, 0.95), strict=False)}
    values |= {name: float((health < level).mean()) for name, level in zip(names[5:], (1.0, 1.1, 1.5), strict=False)}
    rank = margin[["collateral", "health"]].rank()
    values[names[8]] = float(np.corrcoef(rank["collateral"], rank["health"])[0, 1])
    most = margin["eth"] > 0.5 * margin["debt"]
    return values | {names[9]: float(health[most].median()), names[10]: float(health[~most].median())}


def _rows(book: pd.DataFrame, margin: pd.DataFrame) -> dict[str, float]:
    return {
        "margin accounts with one collateral token": float((margin["held"] == 1).mean()),
        "margin accounts with two": float((margin["held"] == 2).mean()),
        "collateral tokens a margin account, mean": float(margin["held"].mean()),
        "margin accounts with one debt token": float((margin["owed"] == 1).mean()),
        "debt tokens a margin account, mean": float(margin["owed"].mean()),
        "distinct assets a borrower, mean": float(book.groupby("account")["asset"].nunique().mean()),
        "rows a margin account (collateral and debt), mean": float((margin["held"] + margin["owed"]).mean()),
    }


def _tokens(book: pd.DataFrame, margin: pd.DataFrame) -> dict[str, float]:
    held, owed = (book[book["side"] == side].groupby("asset").size() for side in ("collateral", "debt"))
    wrapped, stable = held[["stETH", "wstETH", "rETH"]], owed[["USDC", "USDT", "DAI"]]
    staked = book[(book["side"] == "collateral") & book["asset"].isin(["stETH", "wstETH"])]
    owners = pd.MultiIndex.from_frame(staked[["account", "protocol"]].drop_duplicates())
    return {
        "stETH among stETH, wstETH, rETH rows": wrapped["stETH"] / wrapped.sum(),
        "wstETH among them": wrapped["wstETH"] / wrapped.sum(),
        "owing ETH, of accounts with stETH or wstETH": float((margin["eth"].reindex(owners) > 0.0).mean()),
        "USDC among debt rows of USDC, USDT, DAI": stable["USDC"] / stable.sum(),
        "USDT among them": stable["USDT"] / stable.sum(),
    }


def _links(margin: pd.DataFrame) -> dict[str, float]:
    links = margin.reset_index()[["account", "protocol"]]
    count = links.groupby("account").size()
    return {
        "borrowers on one protocol": float((count == 1).mean()),
        "borrowers on two": float((count == 2).mean()),
        "borrowers on three or more": float((count >= 3).mean()),
        "links at the largest protocol": float(links["protocol"].value_counts(normalize=True).max()),
    }


def shown(value: float) -> str:
    """Three significant digits, thousands apart."""
    return f"{float(f'{value:.3g}'):,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def table(values: dict[str, float]) -> str:
    """Return the table in Markdown."""
    rows = [f"| {name} | {shown(fact)} | {where} | {shown(values[name])} |" for name, (fact, where) in FACTS.items()]
    head = f"| what | fact | where | generator ({ACCOUNTS:,} accounts, seed {SEED}) |\n|---|---:|---|---:|\n"
    return head + "\n".join(rows) + "\n"


def main(target: Path, make: Callable[..., dict[str, pd.DataFrame]] = synthetic_tables) -> None:
    """Write README.md with a fresh table between its two marks."""
    text = (HERE / "README.md").read_text(encoding="utf-8")
    before, rest = text.split(START)
    _, after = rest.split(END)
    fresh = table(measure(make(accounts=ACCOUNTS, seed=SEED)))
    (target / "README.md").write_text(f"{before}{START}\n{fresh}{END}{after}", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
