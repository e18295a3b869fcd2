"""The page that explains a snapshot's tables names every table and column of the schema, with its unit and range."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from riskgraph.snapshot.parameters import PARAMETERS
from riskgraph.snapshot.schema import TABLES, Column, TableSchema

PAGE = (Path(__file__).parents[2] / "docs" / "your_data.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## `(\w+)`\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S))
OF_RULES = {(one.table, one.name) for one in PARAMETERS.values()}


def rows(table: str) -> dict[str, list[str]]:
    """Rows of the column table of a section by column: what it is, unit and range, whether it is required."""
    found = re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \| ?(.*?) ?\|$", SECTIONS[table], re.M)
    return {name: [meaning, told, required] for name, meaning, told, required in found}


def unit_and_range(column: Column) -> str:
    """Write unit and range as the page does."""
    if column.kind == "flag":
        return "true or false"
    if column.kind == "text":
        return "text"
    if column.kind == "party":
        return "label of an asset or a protocol"
    if column.kind != "number":
        return f"label of {'an' if column.kind in ('account', 'asset') else 'a'} {column.kind}"
    low = "" if column.low is None else f"{'>' if column.open_low else '≥'} {column.low:g}"
    high = "" if column.high is None else f"≤ {column.high:g}"
    return ", ".join(part for part in (column.unit, low, high) if part)


def test_every_table_has_its_section_and_stands_in_the_overview() -> None:
    assert set(SECTIONS) == set(TABLES)
    for name in TABLES:
        assert f"| [`{name}`](#{name}) |" in PAGE


@pytest.mark.parametrize("schema", TABLES.values(), ids=lambda schema: schema.name)
def test_every_column_is_named(schema: TableSchema) -> None:
    told = rows(schema.name)
    for column in schema.columns:
        if (schema.name, column.name) in OF_RULES and column.name not in told:
            assert f"`{column.name}`" in SECTIONS[schema.name], f"{schema.name}.{column.name} is not on the page"
            continue
        assert column.name in told, f"{schema.name}.{column.name} has no row on the page"
        _, unit, required = told[column.name]
        if column.kind == "choice":
            missing = [one for one in column.choices if f"`{one}`" not in SECTIONS[schema.name]]
            assert not missing, f"{schema.name}.{column.name}: {missing} not on the page"
        else:
            assert unit == unit_and_range(column), f"{schema.name}.{column.name}"
        assert (required == "yes") == column.required, f"{schema.name}.{column.name}"


@pytest.mark.parametrize("schema", TABLES.values(), ids=lambda schema: schema.name)
def test_no_column_is_named_that_is_none(schema: TableSchema) -> None:
    head = re.search(r"^\| column \|.*?(?=\n\n)", SECTIONS[schema.name], re.M | re.S)
    assert head
    for name in re.findall(r"^\| `(\w+)` \|", head[0], re.M):
        assert name in schema, f"{schema.name}.{name} is on the page alone"
    told = re.findall(
        r"^Parameters of rules that stand in this table: (.*?)(?=\. |\()", SECTIONS[schema.name], re.M | re.S
    )
    for name in re.findall(r"`(\w+)`", " ".join(told)):
        assert (schema.name, name) in OF_RULES, f"{schema.name}.{name} is no parameter"
