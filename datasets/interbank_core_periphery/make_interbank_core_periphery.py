"""Write the tables and the README's table of facts, here or in the folder given, from the generator and its seed."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from riskgraph.contagion.perron import perron_root
from riskgraph.datasets_interbank import Interbank
from riskgraph.synthetic.banks import synthetic_interbank, synthetic_interbank_tables

HERE = Path(__file__).resolve().parent
BANKS, SEED = 30, 1
START, END = "<!-- table: made by make_interbank_core_periphery.py -->", "<!-- end of table -->"
ECB = "ECB"
BALANCE = "4,548 balance sheets"
ASSUMED = "assumed"

# What is measured: name -> (fact or assumption, where it comes from). Shares and ratios.
FACTS: dict[str, tuple[str, str]] = {
    "total assets ÷ equity, all banks": ("15.3 (book equity), 19.8 (1 ÷ leverage ratio)", ECB),
    "total assets ÷ equity, 5 % quantile": ("5.27", BALANCE),
    "total assets ÷ equity, median": ("10.8", BALANCE),
    "total assets ÷ equity, 95 % quantile": ("20.5", BALANCE),
    "interbank share of assets, all banks": ("0.0683", BALANCE),
    "interbank share of assets, 25 % quantile": ("0.0136", BALANCE),
    "interbank share of assets, median": ("0.0452", BALANCE),
    "interbank share of assets, 95 % quantile": ("0.263", BALANCE),
    "share of banks in the core": ("√n of n", ASSUMED),
    "links ÷ possible links": ("", ""),
    "links ÷ possible links, inside the core": ("0.9", ASSUMED),
    "links ÷ possible links, inside the periphery": ("0", ASSUMED),
    "total assets of the five largest ÷ all": ("1/rank: 0.572", ASSUMED),
    "largest claim ÷ smallest": ("over 1,000", "Austria"),
    "spectral radius λ₁ of the leverage matrix": ("", ""),
}


def measure(net: Interbank) -> dict[str, float]:
    """Every fact's name -> what the network shows."""
    frame, core = net.to_frame(), net.roles == "core"
    links, n, k = net.exposures.toarray() > 0.0, len(net), int((net.roles == "core").sum())
    leverage = frame["total_assets"] / frame["equity"]
    share = frame["interbank_assets"] / frame["total_assets"]
    total = frame["total_assets"].sum()
    values = [
        total / frame["equity"].sum(),
        *(leverage.quantile(q) for q in (0.05, 0.5, 0.95)),
        frame["interbank_assets"].sum() / total,
        *(share.quantile(q) for q in (0.25, 0.5, 0.95)),
        k / n,
        links.sum() / (n * (n - 1)),
        links[np.ix_(core, core)].sum() / (k * (k - 1)),
        links[np.ix_(~core, ~core)].sum() / ((n - k) * (n - k - 1)),
        frame["total_assets"].nlargest(5).sum() / total,
        net.exposures.data.max() / net.exposures.data.min(),
        perron_root(net.graph.leverage),
    ]
    return dict(zip(FACTS, (float(value) for value in values), strict=True))


def table(values: dict[str, float]) -> str:
    """Return the table in Markdown."""
    head = f"| what | fact | where | this network ({BANKS} banks, seed {SEED}) |\n|---|---:|---|---:|\n"
    return head + "".join(
        f"| {name} | {fact} | {where} | {values[name]:.3g} |\n" for name, (fact, where) in FACTS.items()
    )


def main(target: Path) -> None:
    """Write banks, liabilities, holdings and assets as CSV, and README.md with a fresh table between its two marks."""
    tables: dict[str, pd.DataFrame] = synthetic_interbank_tables(banks=BANKS, seed=SEED)
    for name, rows in tables.items():
        rows.to_csv(target / f"{name}.csv", index=False, float_format="%.0f", lineterminator="\n")
    before, rest = (HERE / "README.md").read_text(encoding="utf-8").split(START)
    _, after = rest.split(END)
    fresh = table(measure(synthetic_interbank(banks=BANKS, seed=SEED)))
    (target / "README.md").write_text(f"{before}{START}\n{fresh}{END}{after}", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
