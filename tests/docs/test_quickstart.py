"""The quick start, walked word for word: a copy of the repository, a fresh environment, every block in its order."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
PACKAGE = ("riskgraph", "datasets", "pyproject.toml", "README.md", "LICENSE", "CITATION.cff")


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """What a stranger has: the files that the package is installed from, and nothing of this environment."""
    folder = tmp_path_factory.mktemp("stranger")
    for name in PACKAGE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


def walked(text: str, folder: Path, *, inside: bool) -> str:
    """Output of a block in the reader's shell, in the environment once the reader has gone into it."""
    clean = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    enter = ". .venv/bin/activate\n" if inside else ""
    command = ["bash", "-euo", "pipefail", "-c", enter + text]
    done = subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_every_block_of_the_quick_start(repository):
    (saved,) = re.findall(r"Save this as `([^`]+)`:\n\n```csv\n", PAGE)
    counts = {kind: [found for found, _ in BLOCKS].count(kind) for kind in ("bash", "text", "pycon", "csv")}
    assert counts == {"bash": 5, "text": 4, "pycon": 4, "csv": 1} and sum(counts.values()) == len(BLOCKS)
    session, before, inside = [], "", False
    for kind, text in BLOCKS:
        if kind == "bash":
            before = walked(text, repository, inside=inside)
            inside = inside or "activate" in text
        elif kind == "text":
            assert [line.rstrip() for line in before.splitlines()] == [line.rstrip() for line in text.splitlines()]
        elif kind == "csv":
            (repository / saved).write_text(text, encoding="utf-8")
        else:
            session.append(text)
    (repository / "session.txt").write_text("\n".join(session), encoding="utf-8")
    walked("python -m doctest -o NORMALIZE_WHITESPACE session.txt", repository, inside=True)
    made = {"toy.html", "report/report.html", "report/report_latex/report.tex"}
    assert all((repository / name).is_file() for name in made)
