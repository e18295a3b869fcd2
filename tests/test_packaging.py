"""The bundled datasets are found from a wheel, from a source archive, and in place."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

LOADS = "import riskgraph as rg; print(rg.__file__); print(rg.datasets.load('toy').digest, *rg.datasets.names())"


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """What git would hand to a stranger, without anything built."""
    copy = tmp_path_factory.mktemp("source") / "riskgraph"
    left_out = shutil.ignore_patterns(".git", ".venv", "dist", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis")
    shutil.copytree(ROOT, copy, ignore=left_out)
    return copy


def python(*arguments: str, folder: Path) -> str:
    done = subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def loaded_from(place: Path, folder: Path) -> list[str]:
    """Load a dataset in a fresh process that sees the package only at ``place``."""
    where, told = python("-c", f"import sys; sys.path.insert(0, {str(place)!r}); {LOADS}", folder=folder).splitlines()
    assert Path(where).is_relative_to(place)
    return told.split()


def test_wheel_source_archive_and_checkout_give_the_same_datasets(source, tmp_path):
    found = {"checkout": loaded_from(source, tmp_path)}
    python("-m", "build", "--no-isolation", "--outdir", str(tmp_path / "dist"), str(source), folder=tmp_path)
    for suffix in ("whl", "tar.gz"):
        (archive,) = (tmp_path / "dist").glob(f"*.{suffix}")
        target = tmp_path / suffix
        options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(target)]
        python("-m", "pip", "install", *options, str(archive), folder=tmp_path)
        found[suffix] = loaded_from(target, tmp_path)
        assert (target / "riskgraph" / "py.typed").is_file()
        assert (target / "riskgraph" / "view" / "map" / "page.jinja").is_file()
    assert found["whl"] == found["tar.gz"] == found["checkout"]
    assert {"toy", "curve_founder_202308", "synthetic"} <= set(found["whl"])
