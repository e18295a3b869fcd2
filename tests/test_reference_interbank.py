"""Every system in the reference folder: DebtRank as computed by codes that this project did not write."""

import os
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
    nodes = pd.DataFrame({"node": banks.index, "capital_usd": banks["equity0"].to_numpy()})
    graph = rg.ExposureGraph.from_frames(nodes, owed[["creditor", "debtor", "usd"]])
    shock = (banks["equity_shock"] / banks["equity0"]).clip(0.0, 1.0)
    assert np.abs(shock - expected["h0"]).max() <= 1e-12
    return graph, shock, expected


def model_of(column):
    """The model behind a column, and α where it has one."""
    if column.startswith("h_nonlinear_alpha"):
        return {"model": "nonlinear", "alpha": float(column.removeprefix("h_nonlinear_alpha"))}
    return {"model": column.removeprefix("h_")}


def test_every_debtrank_column(system):
    graph, shock, expected = system
    columns = [name for name in expected.columns if name.startswith("h_")]
    assert "h_linear" in columns
    for column in columns:
        distress = rg.debtrank(graph, shock, **model_of(column)).distress.reindex(expected.index)
        worst = np.abs(distress - expected[column]).max()
        assert worst <= 1e-9, f"{column}: {worst:.1e}"
