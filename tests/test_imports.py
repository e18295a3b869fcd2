"""What starting costs: nothing heavy is loaded before it is used (each in a process of its own)."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {
    "pandas",
    "scipy",
    "numba",
    "pandera",
    "matplotlib",
    "networkx",
    "igraph",
    "duckdb",
    "dask",
    "pyarrow",
    "pyvis",
}
TERMINAL = {"typer", "rich"}


def _loaded(statements: str) -> set[str]:
    """Top-level modules that are loaded after some statements."""
    program = f"{statements}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    names: list[str] = json.loads(done.stdout.splitlines()[-1])
    return {name.partition(".")[0] for name in names}


def test_the_reading_of_loaded_modules_sees_them() -> None:
    assert {"scipy", "numpy"} <= _loaded("import scipy.sparse")


def test_import_loads_nothing_heavy() -> None:
    loaded = _loaded("import riskgraph")
    assert loaded & (HEAVY | TERMINAL | {"numpy"}) == set()
    assert "riskgraph" in loaded


def test_public_names_can_be_listed_without_loading() -> None:
    assert _loaded("import riskgraph; assert 'exposure_graph' in dir(riskgraph)") & HEAVY == set()


@pytest.mark.parametrize("arguments", [["--help"], ["rank", "--help"], ["--version"], []])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    loaded = _loaded(f"from riskgraph.cli import main; assert main({arguments!r}) == 0")
    assert loaded & HEAVY == set()
    assert "typer" in loaded
