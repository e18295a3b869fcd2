"""Every block of the README runs, in the order of the page, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"(?:<!-- command: (\w+) -->\n)?```(\w+)\n(.*?)```", re.DOTALL)
BLOCKS = [match.groups() for match in BLOCK.finditer(README)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("readme")


def test_the_page_has_its_parts():
    assert [name for name, _, _ in BLOCKS if name] == ["run", "test"]
    assert [kind for name, kind, _ in BLOCKS if not name] == ["python"] * 6 + ["bash", "csv", "bash"]
    for name, _, text in BLOCKS:
        if name:
            assert text.count("\n") == 1, "a command is one line"
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert link.startswith("http") or (ROOT / link).exists(), link


def test_every_block_runs(folder):
    for name, kind, text in BLOCKS:
        if name:
            continue  # continuous integration runs the two commands themselves, each from nothing
        if kind == "csv":
            (folder / "positions.csv").write_text(text, encoding="utf-8")
        elif kind == "python":
            run([sys.executable, "-W", "error", "-c", text], folder)
        else:
            path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
            run(["bash", "-euo", "pipefail", "-c", text], folder, PATH=path)
    made = {path.name for path in folder.iterdir()}
    assert {"founder.html", "toy.html", "toy.duckdb", "book", "positions.html", "fall", "chains.svg", "reuse"} <= made


def run(command: list[str], folder: Path, **environment: str) -> None:
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
