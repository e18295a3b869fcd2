"""The map's JavaScript by itself: its own unit tests in node, its lint, and that its modules can be joined."""

import re
import shutil
import subprocess
from importlib import resources
from pathlib import Path

import pytest

from riskgraph.view.page import SCRIPTS

HERE = Path(__file__).resolve().parent / "js"
MAP = resources.files("riskgraph.view") / "map"
NODE, NPM = shutil.which("node"), shutil.which("npm")


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A folder with the modules beside their checks; nothing of it is part of the package."""
    folder = tmp_path_factory.mktemp("js")
    (folder / "map").mkdir()
    for name in SCRIPTS:
        (folder / "map" / name).write_text((MAP / name).read_text(encoding="utf-8"), encoding="utf-8")
    for path in HERE.iterdir():
        shutil.copy(path, folder)
    return folder


def test_every_module_is_joined():
    assert sorted(SCRIPTS) == sorted(path.name for path in MAP.iterdir() if path.name.endswith(".js"))


@pytest.mark.skipif(NODE is None, reason="no program named node on this machine")
def test_units(house):
    done = subprocess.run([NODE, "--test"], cwd=house, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert re.search(r"# pass (\d+)", done.stdout) is None or int(re.search(r"# pass (\d+)", done.stdout)[1]) >= 12


@pytest.mark.skipif(NPM is None, reason="no program named npm on this machine")
def test_lint(house):
    install = [NPM, "install", "--no-audit", "--no-fund", "--no-package-lock", "--omit=optional"]
    installed = subprocess.run(install, cwd=house, capture_output=True, text=True, timeout=300)
    if installed.returncode:
        pytest.skip(f"the linter cannot be installed here: {installed.stderr.strip().splitlines()[-1:]}")
    done = subprocess.run(
        [NODE, "node_modules/eslint/bin/eslint.js", "--max-warnings", "0", "map"],
        cwd=house,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
