"""The map's JavaScript by itself: its own unit tests in node, its lint, and that its modules can be joined."""

import re
import shutil
import subprocess
from importlib import resources
from pathlib import Path

import pytest

from riskgraph.view.page import SCRIPTS, joined_script

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
    done = subprocess.run(
        [NODE, "--test", "--test-reporter=tap"], cwd=house, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert int(re.search(r"# pass (\d+)", done.stdout)[1]) >= 37


@pytest.fixture(scope="module")
def installed(house):
    """The same folder with what npm installs for its checks."""
    if NPM is None:
        pytest.skip("no program named npm on this machine")
    install = [NPM, "install", "--no-audit", "--no-fund", "--no-package-lock", "--omit=optional"]
    done = subprocess.run(install, cwd=house, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        pytest.skip(f"the checks cannot be installed here: {done.stderr.strip().splitlines()[-1:]}")
    return house


def checked(folder, *command):
    done = subprocess.run([NODE, *command], cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    return done.returncode, done.stdout[-4000:] + done.stderr[-2000:]


LINT = ("node_modules/eslint/bin/eslint.js", "--max-warnings", "0", "map")
TYPES = ("node_modules/typescript/bin/tsc", "-p", ".")


@pytest.mark.parametrize("command", [LINT, TYPES], ids=["lint", "types"])
def test_lint_and_types(installed, command):
    code, said = checked(installed, *command)
    assert code == 0, said


@pytest.mark.parametrize(
    ("command", "faulty", "says"),
    [
        (LINT, "export function bare2(label) { return label; }\n", "jsdoc/require-jsdoc"),
        (
            LINT,
            "/** @param {string} text */\nexport function shout(text) { document.body.innerHTML = text; }\n",
            "names",
        ),
        (TYPES, 'import { money } from "./format.js";\nmoney("1");\n', "TS2345"),
    ],
)
def test_the_checks_can_fail(installed, tmp_path, command, faulty, says):
    for name in ("node_modules", "eslint.config.js", "tsconfig.json", "package.json"):
        (tmp_path / name).symlink_to(installed / name)
    shutil.copytree(installed / "map", tmp_path / "map")
    (tmp_path / "map" / "faulty.js").write_text(faulty, encoding="utf-8")
    code, said = checked(tmp_path, *command)
    assert code != 0 and says in said and "faulty.js" in said


def test_comments_stay_at_home_and_nothing_else_is_lost():
    joined = joined_script()
    assert "@param" not in joined and not re.search(r"^\s*(//|/\*\*.*\*/$)", joined, re.MULTILINE)
    whole = "\n".join((MAP / name).read_text(encoding="utf-8") for name in SCRIPTS)
    code = [line for line in whole.splitlines() if not re.match(r"\s*(/\*\*|\*|//|import |$)", line)]
    assert [re.sub(r"^export ", "", line) for line in code] == [
        line for line in joined.splitlines()[2:-1] if line.strip()
    ]
