"""From raw columns to stored tables: labels shared between tables, references checked, rows sorted by key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from riskgraph.arrays import Ints, read_only
from riskgraph.errors import Faults
from riskgraph.snapshot.checks import check_duplicates, check_liquidity, check_positions, check_values
from riskgraph.snapshot.columns import RawColumn, RawTable, first_rows, plain_table
from riskgraph.snapshot.prices import fill_amounts, price_tables
from riskgraph.snapshot.relations import check_relations, without_defaults
from riskgraph.snapshot.schema import TABLES, TableSchema
from riskgraph.snapshot.tables import Table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Built", "build"]

# Which columns make a label space; every other column of that kind must use a label that stands there.
_SOURCES = {
    "account": (("positions", "account"),),
    "protocol": (("positions", "protocol"), ("protocols", "protocol")),
    "asset": (("assets", "asset"),),
    "bucket": (("positions", "bucket"),),
}


@dataclass(frozen=True, eq=False)
class Built:
    """Stored tables, shared labels, and what was derived on the way (in words)."""

    tables: Mapping[str, Table]
    labels: Mapping[str, Any]
    notes: tuple[str, ...]


def build(frames: Mapping[str, pd.DataFrame | pa.Table | None]) -> Built:
    """Validate all tables together and store them; one InputError says everything that is wrong.

    Raises
    ------
    InputError
        Lists every fault by table, column and rows (row 1 is the first row of data).
    """
    faults = Faults()
    raw: dict[str, RawTable] = {}
    lengths: dict[str, int] = {}
    for name, schema in TABLES.items():
        frame = frames.get(name)
        raw[name], lengths[name] = ({}, 0) if frame is None else plain_table(frame, schema, faults)
    _check_positions_present(raw["positions"], lengths["positions"], faults)
    for name, schema in TABLES.items():
        check_values(raw[name], schema, faults)
    check_positions(raw["positions"], faults)
    check_liquidity(raw["liquidity"], faults)
    notes: list[str] = []
    if frames.get("assets") is None and "asset" in raw["positions"]:
        derived = price_tables(raw["positions"], faults)
        raw["assets"], lengths["assets"] = derived.assets, len(derived.assets["price"])
        if derived.market_prices[0] and "price" not in raw["markets"] and not faults.lines:
            raw["markets"], lengths["markets"] = _with_prices(frames.get("markets"), derived.market_prices)
        notes += derived.notes
    labels = {domain: _union(raw, places) for domain, places in _SOURCES.items()}
    _check_parties(labels, faults)
    coded = {name: _coded(raw[name], TABLES[name], lengths[name], labels, faults) for name in TABLES}
    coded["positions"] = fill_amounts(coded, faults, notes)
    tables = {name: _sorted(coded[name], faults) for name in TABLES}
    check_relations(tables, labels, faults)
    faults.raise_if_any()
    tables["markets"] = without_defaults(tables)
    return Built(tables, labels, tuple(notes))


def _with_prices(
    markets: pd.DataFrame | pa.Table | None, prices: tuple[list[str], list[str], list[float]]
) -> tuple[RawTable, int]:
    """Add the prices that single protocols show to the given terms of their markets (already checked)."""
    import pandas as pd

    found = pd.DataFrame(dict(zip(("protocol", "asset", "price"), prices, strict=True)))
    if markets is not None:
        given = markets.to_pandas() if isinstance(markets, pa.Table) else markets
        key = {"protocol": str, "asset": str}  # numbers may be labels too
        found = given.astype(key).merge(found.astype(key), how="outer", on=["protocol", "asset"])
    return plain_table(found, TABLES["markets"], Faults())


def _check_positions_present(positions: RawTable, length: int, faults: Faults) -> None:
    if length == 0:
        faults.add("positions", "expected at least one row", "none")
    elif "amount" not in positions and "usd" not in positions:
        faults.add("positions", "expected a column amount (units) or usd", "neither")


def _union(raw: dict[str, RawTable], places: tuple[tuple[str, str], ...]) -> Any:
    found = [raw[table][column].labels for table, column in places if column in raw[table]]
    found = [labels for labels in found if labels is not None]
    joined = pc.unique(pa.concat_arrays([pa.array([], pa.large_string()), *found]))
    return joined.take(pc.sort_indices(joined))


def _check_parties(labels: Mapping[str, Any], faults: Faults) -> None:
    both = labels["asset"].filter(pc.is_in(labels["asset"], value_set=labels["protocol"])).to_pylist()
    if both:
        faults.add("assets.asset", "expected no label that is also a protocol's", ", ".join(both[:5]))


def _coded(raw: RawTable, schema: TableSchema, length: int, labels: Mapping[str, Any], faults: Faults) -> Table:
    codes: dict[str, Ints] = {}
    used: dict[str, Any] = {}
    for name, column in raw.items():
        if column.codes is None or not (column.is_given or schema[name].required):
            continue
        kind = schema[name].kind
        if kind == "party":
            space = pa.concat_arrays([labels["asset"], labels["protocol"]])
        elif kind == "choice":
            space = pa.array(schema[name].choices, pa.large_string())
        else:
            space = labels[kind] if kind in labels else column.labels.take(pc.sort_indices(column.labels))
        codes[name] = _recoded(column, space, f"{schema.name}.{name}", kind, faults)
        used[name] = space
    numbers = {name: column.numbers for name, column in raw.items() if column.numbers is not None and column.is_given}
    flags = {name: column.flags for name, column in raw.items() if column.flags is not None and column.is_given}
    return Table(schema, length, codes, used, numbers, flags)


def _recoded(column: RawColumn, space: Any, where: str, kind: str, faults: Faults) -> Ints:
    assert column.codes is not None
    place = pc.index_in(column.labels, value_set=space)
    unknown = pc.is_null(place).to_numpy(zero_copy_only=False)
    if unknown.any() and kind != "choice":  # a wrong choice is noted by its own check
        rows = first_rows(np.append(unknown, False)[column.codes])
        if rows:
            names = ", ".join(repr(name) for name in column.labels.filter(pa.array(unknown)).to_pylist()[:5])
            what = {"asset": "assets (where its price stands)", "account": "positions"}.get(
                kind, "positions or protocols"
            )
            faults.add(where, f"expected a label that stands in the table {what}", names, rows)
    shift = np.append(place.fill_null(-1).to_numpy(zero_copy_only=False), -1).astype(np.int32)
    recoded: Ints = shift[column.codes]
    return recoded


def _sorted(table: Table, faults: Faults) -> Table:
    schema = table.schema
    keys = [table.numbers[name] if name in table.numbers else table.codes[name]
            for name in schema.key if name in table.numbers or name in table.codes]  # fmt: skip
    names = [name for name in schema.key if name in table.numbers or name in table.codes]
    order = check_duplicates(keys, names, schema.name, faults)
    return Table(
        schema,
        table.length,
        {name: read_only(np.ascontiguousarray(codes[order])) for name, codes in table.codes.items()},
        table.labels,
        {name: read_only(values[order] + 0.0) for name, values in table.numbers.items()},  # + 0.0 turns -0 into 0
        {name: read_only(flags[order]) for name, flags in table.flags.items()},
    )
