"""Every system and every column in the reference folder, as computed by codes that this project did not write."""

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import riskgraph as rg

pytestmark = pytest.mark.reference
ROOT = Path(__file__).resolve().parents[1]
FOLDER = Path(os.environ.get("RISKGRAPH_REFERENCE", ROOT / ".." / "shared" / "reference")) / "interbank"
SYSTEMS = sorted(path for path in FOLDER.glob("*") if path.is_dir()) if FOLDER.is_dir() else []


def test_the_reference_folder_is_there():
    if not SYSTEMS:
        pytest.skip(f"no reference systems at {FOLDER} (set RISKGRAPH_REFERENCE)")
    assert all((path / "expected.csv").is_file() for path in SYSTEMS)


@pytest.fixture(params=SYSTEMS, ids=lambda path: path.name)
def system(request):
    banks = pd.read_csv(request.param / "banks.csv").set_index("bank")
    owed = pd.read_csv(request.param / "liabilities.csv")
    expected = pd.read_csv(request.param / "expected.csv").set_index("bank").reindex(banks.index)
    return banks, owed, expected


@pytest.fixture
def liabilities(system):
    """Frame of who owes whom, debtor rows."""
    banks, owed, _ = system
    wide = owed.pivot_table(index="debtor", columns="creditor", values="usd", aggfunc="sum", fill_value=0.0)
    return wide.reindex(index=banks.index, columns=banks.index, fill_value=0.0)


def test_every_column_is_of_a_kind_that_is_tested(system):
    _, _, expected = system
    assert all(name.startswith(("h0", "h_", "payment_", "equity_exante_")) for name in expected.columns)


def model_of(column):
    """The model behind a column, and α where it has one."""
    if column.startswith("h_nonlinear_alpha"):
        return {"model": "nonlinear", "alpha": float(column.removeprefix("h_nonlinear_alpha"))}
    return {"model": column.removeprefix("h_")}


def test_every_debtrank_column(system):
    banks, owed, expected = system
    nodes = pd.DataFrame({"node": banks.index, "capital_usd": banks["equity0"].to_numpy()})
    graph = rg.ExposureGraph.from_frames(nodes, owed[["creditor", "debtor", "usd"]])
    shock = (banks["equity_shock"] / banks["equity0"]).clip(0.0, 1.0)
    assert np.abs(shock - expected["h0"]).max() <= 1e-12
    columns = [name for name in expected.columns if name.startswith("h_")]
    assert "h_linear" in columns
    for column in columns:
        distress = rg.debtrank(graph, shock, **model_of(column)).distress.reindex(expected.index)
        worst = np.abs(distress - expected[column]).max()
        assert worst <= 1e-9, f"{column}: {worst:.1e}"


def test_every_clearing_column(system, liabilities):
    banks, _, expected = system
    columns = [name for name in expected.columns if name.startswith("payment_")]
    assert "payment_eisenberg_noe" in columns
    cash = banks["external_assets"] - banks["equity_shock"]
    for column in columns:
        shares = re.match(r"payment_rogers_veraart_a([\d.]+)_b([\d.]+)$", column)
        alpha, beta = (float(share) for share in shares.groups()) if shares else (1.0, 1.0)
        assert shares or column == "payment_eisenberg_noe"
        found = rg.clearing(
            liabilities, cash, external_liabilities=banks["external_liabilities"],
            external_recovery=alpha, interbank_recovery=beta,
        )  # fmt: skip
        worst = (found.payments.reindex(expected.index) / expected[column] - 1.0).abs().max()
        assert worst <= 1e-9, f"{column}: {worst:.1e}"


VALUATIONS = {"en_blackcox_gbm": "black_cox", "en_merton_gbm": "merton", "furfine_merton_gbm": "exante_furfine"}


def test_every_valuation_column(system, liabilities):
    banks, _, expected = system
    columns = [name for name in expected.columns if name.startswith("equity_exante_")]
    assert columns
    for column in columns:
        name, recovery, pbar = re.match(r"equity_exante_(\w+)_rho([\d.]+?)(_\w+)?$", column).groups()
        found = rg.network_valuation(
            liabilities.T, banks["external_assets"], banks["external_liabilities"], valuation=VALUATIONS[name],
            shock=banks["equity_shock"] / banks["external_assets"], volatility=banks["sigma_asset"],
            recovery=float(recovery), pbar="interbank" if pbar == "_interbank" else "total",
        )  # fmt: skip
        worst = (found.equity.reindex(expected.index) - expected[column]).abs().max()
        assert worst <= 1e-9, f"{column}: {worst:.1e}"
