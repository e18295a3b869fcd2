"""What must hold within a table and between tables; every fault is noted, none is mended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Bools, Ints
from riskgraph.errors import Faults
from riskgraph.snapshot.columns import RawColumn, RawTable, first_rows
from riskgraph.snapshot.schema import SIDES, Column, TableSchema

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["check_duplicates", "check_liquidity", "check_positions", "check_values"]

_OPTION_COLUMNS = ("option_type", "strike", "expiry", "implied_vol")


def check_values(table: RawTable, schema: TableSchema, faults: Faults) -> None:
    """Check ranges, choices and gaps of every column of one table (pandera finds the faults, we say them)."""
    if not table:
        return
    if not all(_is_fine(column, schema[name]) for name, column in table.items()):
        _note_faults(table, schema, faults)
    for name, column in table.items():
        declared = schema[name]
        if column.codes is not None and declared.kind != "choice":
            _check_spaces(column, f"{schema.name}.{name}", faults)
        if column.codes is not None and declared.kind != "choice" and declared.required:
            empty = column.codes < 0
            if empty.any() and not declared.may_be_empty:
                faults.add(f"{schema.name}.{name}", declared.expected, "nothing", first_rows(empty))


def _is_fine(column: RawColumn, declared: Column) -> bool:
    """Whether nothing in the column needs a closer look (most tables are fine, and the look costs milliseconds)."""
    if column.numbers is not None:
        given = column.numbers if declared.required else column.numbers[~np.isnan(column.numbers)]
        return bool(_in_range(given, declared).all())
    if declared.kind == "choice":
        known = set(column.labels.to_pylist()) <= set(declared.choices)
        return known and not (declared.required and bool((column.codes < 0).any()))
    return True


def _note_faults(table: RawTable, schema: TableSchema, faults: Faults) -> None:
    """Find which rows of which columns are wrong, and with what."""
    import pandera.pandas as pandera

    frame, columns = _frame(table, schema)
    try:
        pandera.DataFrameSchema(columns, strict=True).validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as error:
        cases = error.failure_cases
        for name in sorted(cases["column"].unique()):
            rows = cases[cases["column"] == name].sort_values("index")
            came = rows["failure_case"].iloc[0]
            shown = "nothing" if came is None or came != came else repr(came.item() if hasattr(came, "item") else came)
            faults.add(f"{schema.name}.{name}", schema[name].expected, shown, [int(row) + 1 for row in rows["index"]])


def _check_spaces(column: RawColumn, where: str, faults: Faults) -> None:
    """Refuse labels with spaces around them: they look like the label without and are another one."""
    import pyarrow.compute as pc

    spaced = pc.not_equal(pc.utf8_trim_whitespace(column.labels), column.labels).to_numpy(zero_copy_only=False)
    if spaced.any():
        rows = first_rows(np.append(spaced, False)[column.codes])
        faults.add(
            where,
            "expected labels without spaces around them",
            repr(column.labels[int(np.argmax(spaced))].as_py()),
            rows,
        )


def _frame(table: RawTable, schema: TableSchema) -> tuple[pd.DataFrame, dict[str, Any]]:
    import pandas as pd
    import pandera.pandas as pandera

    series: dict[str, Any] = {}
    columns: dict[str, Any] = {}
    for name, column in table.items():
        declared = schema[name]
        if column.numbers is not None:
            series[name] = column.numbers
            columns[name] = pandera.Column(checks=_range_check(declared), nullable=not declared.required)
        elif declared.kind == "choice":
            series[name] = pd.Categorical.from_codes(column.codes, column.labels.to_pylist())
            columns[name] = pandera.Column(checks=pandera.Check.isin(declared.choices), nullable=not declared.required)
    return pd.DataFrame(series), columns


def _range_check(declared: Column) -> Any:
    import pandera.pandas as pandera

    return pandera.Check(lambda values: _in_range(values, declared), name=declared.expected)


def _in_range(values: Any, declared: Column) -> Any:
    fine = np.isfinite(values)
    if declared.low is not None:
        fine &= values > declared.low if declared.open_low else values >= declared.low
    if declared.high is not None:
        fine &= values <= declared.high
    return fine


def check_duplicates(keys: list[Any], names: list[str], table: str, faults: Faults) -> Ints:
    """Sort rows by their key columns; note every row whose key came before. Returns the order.

    ``keys`` are arrays whose equality means the same key part (codes, or floats with NaN for none).
    """
    order = np.lexsort(keys[::-1]) if keys else np.zeros(0, dtype=np.int64)
    same = np.ones(max(len(order) - 1, 0), dtype=bool)
    for key in keys:
        left, right = key[order[:-1]], key[order[1:]]
        equal = left == right
        if key.dtype.kind == "f":
            equal |= np.isnan(left) & np.isnan(right)
        same &= equal
    if same.any():
        rows = np.sort(order[1:][same])
        faults.add(table, f"expected every {' × '.join(names)} once", "duplicates", [int(row) + 1 for row in rows])
    return order


def check_positions(table: RawTable, faults: Faults) -> None:
    """Check what columns of a position row mean together: wallet, entry price, option columns."""
    side, protocol = table.get("side"), table.get("protocol")
    if side is None or side.codes is None or protocol is None or protocol.codes is None:
        return
    is_side = {name: _is(side, name) for name in SIDES}
    wallet, placed = is_side["wallet"], protocol.codes >= 0
    trade = is_side["long"] | is_side["short"]
    known = np.logical_or.reduce(list(is_side.values()))
    if (wallet & placed).any():
        faults.add("positions.protocol", "expected nothing for side wallet", "a protocol", first_rows(wallet & placed))
    if (known & ~wallet & ~placed).any():
        rows = first_rows(known & ~wallet & ~placed)
        faults.add(
            "positions.protocol", "expected the label of a protocol (empty only for side wallet)", "nothing", rows
        )
    for name in ("entry_price", *_OPTION_COLUMNS):
        given = _given(table, name, len(trade))
        if (given & ~trade).any():
            faults.add(
                f"positions.{name}",
                "expected it only for sides long and short",
                "it for another",
                first_rows(given & ~trade),
            )
    option = np.logical_or.reduce([_given(table, name, len(trade)) for name in _OPTION_COLUMNS])
    for name in _OPTION_COLUMNS:
        gap = option & ~_given(table, name, len(trade))
        if gap.any():
            faults.add(
                f"positions.{name}",
                f"expected all of {', '.join(_OPTION_COLUMNS)} for an option",
                "nothing",
                first_rows(gap),
            )


def check_liquidity(table: RawTable, faults: Faults) -> None:
    """Check that a table model has its points and every other model its depth, once."""
    model = table.get("model")
    if model is None or model.codes is None:
        return
    points = _is(model, "table")
    length = len(points)
    for name, wanted in (("depth_usd", ~points), ("sold_usd", points), ("price_fall", points)):
        given = _given(table, name, length)
        words = "model table" if wanted is points else "every model but table"
        if (wanted & ~given).any():
            faults.add(f"liquidity.{name}", f"expected a value for {words}", "nothing", first_rows(wanted & ~given))
        if (given & ~wanted).any():
            faults.add(f"liquidity.{name}", f"expected it only for {words}", "a value", first_rows(given & ~wanted))


def _is(column: RawColumn, label: str) -> Bools:
    labels = column.labels.to_pylist()
    same: Bools = column.codes == (labels.index(label) if label in labels else -2)
    return same


def _given(table: RawTable, name: str, length: int) -> Bools:
    column = table.get(name)
    if column is None:
        return np.zeros(length, dtype=bool)
    given: Bools = ~np.isnan(column.numbers) if column.numbers is not None else column.codes >= 0
    return given
