"""The house stands in one order: a room imports only from its own and from rooms above it (read from the source)."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "riskgraph"
# From the roof down. A module belongs to the room of its first name: eigen, cli_output -> cli, snapshot.store.
# Figures and their colours know numbers and labels alone, so that results of every room can show themselves.
ROOMS = (
    ("errors", "arrays", "provenance", "files", "showing", "wording", "view.style", "view.figures"),
    ("snapshot",),
    ("readers",),
    ("margin",),
    ("graph",),
    ("contagion",),
    ("eigen", "walks", "communicability", "ownership", "reuse"),
    ("stress",),
    ("reconstruction",),
    ("view",),
    ("datasets", "synthetic"),
    ("cli", "__main__"),
)
FLOOR = {name: floor for floor, room in enumerate(ROOMS) for name in room}
FORBIDDEN_WORDS = {"manager", "engine", "base", "util", "utils", "helper", "helpers", "common"}
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    for path in PACKAGE.rglob("*.py")
    if path.name != "__init__.py" and "_datasets" not in path.parts
)


def _source(module: str) -> ast.Module:
    path = PACKAGE.joinpath(*module.split(".")).with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def _public() -> dict[str, str]:
    """Public names and the modules that they live in, as the stub says."""
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    return {alias.asname or alias.name: node.module or alias.name for node in imports for alias in node.names}


PUBLIC = _public()


def _room(module: str) -> str:
    first, inner = module.split(".")[0], ".".join(module.split(".")[:2])
    if inner in FLOOR:
        return inner
    return first if first in FLOOR else first.split("_")[0]


def _under_type_checking(tree: ast.Module) -> set[ast.AST]:
    """Everything in blocks that only a type checker runs."""
    blocks = [node for node in ast.walk(tree) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    return {node for block in blocks for part in block.body for node in ast.walk(part)}


def _imported(module: str) -> Iterator[tuple[str, int]]:
    """Give every module of the package that a module imports, also inside functions, and the line."""
    tree = _source(module)
    skipped = _under_type_checking(tree)
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "riskgraph":
                    yield alias.name.partition(".")[2], node.lineno
        elif isinstance(node, ast.ImportFrom):
            for target in _targets(node, module):
                yield target, node.lineno


def _targets(node: ast.ImportFrom, module: str) -> list[str]:
    package = ["riskgraph", *module.split(".")][: -node.level] if node.level else []
    parts = [*package, *(node.module or "").split(".")] if node.module else package
    if parts[:1] != ["riskgraph"]:
        return []
    inside = ".".join(parts[1:])
    if inside:
        return [inside]
    return [PUBLIC.get(alias.name, alias.name) for alias in node.names]  # from riskgraph import name


def test_the_rooms_are_those_that_there_are() -> None:
    homeless = [module for module in MODULES if _room(module) not in FLOOR]
    assert homeless == []
    assert len(MODULES) > 30


@pytest.mark.parametrize("module", MODULES)
def test_imports_only_from_above(module: str) -> None:
    own = FLOOR[_room(module)]
    wrong = []
    for target, line in _imported(module):
        # "" is the whole public face: only for the last room
        allowed = own == len(ROOMS) - 1 if target == "" else FLOOR[_room(target)] <= own
        if not allowed:
            wrong.append(f"riskgraph/{module.replace('.', '/')}.py:{line} imports {target or 'riskgraph'}")
    assert wrong == []


def test_the_reading_of_imports_sees_lazy_and_relative_ones() -> None:
    found = {target for target, _ in _imported("snapshot.snapshot")}
    assert {"snapshot.book", "snapshot.store", "errors"} <= found  # two of them inside functions
    assert _targets(ast.parse("from . import shocks").body[0], "snapshot.snapshot") == ["snapshot"]  # type: ignore[arg-type]
    assert _targets(ast.parse("from ..graph import book").body[0], "snapshot.snapshot") == ["graph"]  # type: ignore[arg-type]
    assert _targets(ast.parse("from riskgraph import health").body[0], "files") == ["margin.account_health"]  # type: ignore[arg-type]
    assert _targets(ast.parse("from numpy import array").body[0], "files") == []  # type: ignore[arg-type]


@pytest.mark.parametrize("module", MODULES)
def test_no_module_has_the_name_of_a_function_in_it(module: str) -> None:
    own = module.rsplit(".", 1)[-1]
    assert own not in {node.name for node in _source(module).body if isinstance(node, ast.FunctionDef)}


def test_no_module_hides_a_public_name() -> None:
    """``riskgraph.x`` the module would take the place of ``riskgraph.x`` the function once it is imported."""
    tops = {
        path.stem if path.suffix == ".py" else path.name for path in PACKAGE.iterdir() if not path.name.startswith("_")
    }
    assert sorted(name for name, home in PUBLIC.items() if name in tops and home != name) == []


def _words(name: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


@pytest.mark.parametrize("module", MODULES)
def test_nothing_has_a_name_that_says_nothing(module: str) -> None:
    classes = [node.name for node in ast.walk(_source(module)) if isinstance(node, ast.ClassDef)]
    named = [name for name in [*module.split("."), *classes] if _words(name) & FORBIDDEN_WORDS]
    assert named == []


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_loads(name: str) -> None:
    riskgraph = importlib.import_module("riskgraph")
    assert getattr(riskgraph, name) is not None
    assert name in dir(riskgraph)
