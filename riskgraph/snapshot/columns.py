"""From what people hand in (pandas, Arrow) to plain arrays: codes with labels, floats, flags."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from riskgraph.arrays import Floats
from riskgraph.errors import Faults
from riskgraph.snapshot.schema import Column, TableSchema

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RawColumn", "RawTable", "first_rows", "plain_table"]

UNKNOWN_FLAG = -1
_WORDS = {"true": 1, "false": 0, "1": 1, "0": 0, "yes": 1, "no": 0, "": UNKNOWN_FLAG}


@dataclass(frozen=True, eq=False)
class RawColumn:
    """One column as arrays: ``codes`` into ``labels``, or ``numbers``, or ``flags``.

    Not given is code -1, NaN, or flag -1.
    """

    codes: Any = None  # int32 array
    labels: Any = None  # pyarrow string array, every label once, none empty
    numbers: Any = None  # float64 array
    flags: Any = None  # int8 array

    def __len__(self) -> int:
        return len(next(part for part in (self.codes, self.numbers, self.flags) if part is not None))

    @property
    def is_given(self) -> bool:
        """Whether any row holds a value."""
        if self.numbers is not None:
            return bool((~np.isnan(self.numbers)).any())
        if self.flags is not None:
            return bool((self.flags != UNKNOWN_FLAG).any())
        return self.codes is not None and bool((self.codes >= 0).any())


RawTable = dict[str, RawColumn]


def first_rows(mask: Any) -> list[int]:
    """Row numbers for people (the first row of data is 1) where the mask holds."""
    return [int(row) + 1 for row in np.flatnonzero(mask)]


def plain_table(frame: pd.DataFrame | pa.Table, schema: TableSchema, faults: Faults) -> tuple[RawTable, int]:
    """Turn a frame into arrays by the table's schema; note every column that cannot be read.

    Returns the columns, and the number of rows.
    """
    if not (isinstance(frame, pa.Table) or hasattr(frame, "columns")):
        faults.add(schema.name, "expected a pandas DataFrame or an Arrow table", type(frame).__name__)
        return {}, 0
    names = [str(name) for name in (frame.schema.names if isinstance(frame, pa.Table) else frame.columns)]
    where = schema.name
    for name in sorted({name for name in names if names.count(name) > 1}):
        faults.add(f"{where}.{name}", "expected the column once", f"{names.count(name)} times")
    extra = [name for name in names if name not in schema]
    if extra:
        known = ", ".join(column.name for column in schema.columns)
        shown = [name if name.isidentifier() else repr(name) for name in sorted(set(extra))]
        faults.add(where, f"expected only the columns {known}", ", ".join(shown))
    missing = [name for name in schema.required if name not in names]
    if missing:
        faults.add(where, f"expected the columns {', '.join(schema.required)}", f"no {', '.join(missing)}")
    table: RawTable = {}
    for column in schema.columns:
        if names.count(column.name) == 1:
            array = _arrow(frame, column, f"{where}.{column.name}", faults)
            if array is not None:
                table[column.name] = _READERS.get(column.kind, _codes)(array, column, f"{where}.{column.name}", faults)
    return table, len(frame)


def _arrow(frame: pd.DataFrame | pa.Table, column: Column, where: str, faults: Faults) -> Any:
    try:
        if isinstance(frame, pa.Table):
            array = frame.column(column.name)
        else:
            array = pa.array(frame[column.name], from_pandas=True)
    except (pa.ArrowException, OverflowError, UnicodeError) as error:
        faults.add(where, column.expected, f"values that cannot be read ({str(error).splitlines()[0]})")
        return None
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks() if array.num_chunks != 1 else array.chunk(0)
    return array


def _decoded(array: Any) -> Any:
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _numbers(array: Any, column: Column, where: str, faults: Faults) -> RawColumn:
    array = _decoded(array)
    kind = array.type
    if pa.types.is_null(kind):
        return RawColumn(numbers=np.full(len(array), np.nan))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return RawColumn(numbers=_parsed(array, column, where, faults))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        values = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        return RawColumn(numbers=np.array(values, dtype=np.float64))
    faults.add(where, column.expected, f"values of type {kind}")
    return RawColumn(numbers=np.full(len(array), np.nan))


def _parsed(array: Any, column: Column, where: str, faults: Faults) -> Floats:
    import pandas as pd

    text = pd.Series(array.to_numpy(zero_copy_only=False), dtype=object)
    text = text.where(text != "", None)
    numbers = np.array(pd.to_numeric(text, errors="coerce"), dtype=np.float64)
    bad = np.isnan(numbers) & text.notna().to_numpy() & (text.astype("str").str.lower() != "nan").to_numpy()
    if bad.any():
        faults.add(where, column.expected, repr(text[int(np.argmax(bad))]), first_rows(bad))
        numbers[bad] = 0.0 if column.low is None or not column.open_low else 1.0  # said above: no second fault for it
    return numbers


def _codes(array: Any, column: Column, where: str, faults: Faults) -> RawColumn:
    kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    if pa.types.is_floating(kind) and _whole(_decoded(array)):
        array, kind = _decoded(array).cast(pa.int64(), safe=False), pa.int64()  # numbers in a column with gaps
    if pa.types.is_integer(kind) or pa.types.is_null(kind):
        array = _decoded(array).cast(pa.string())
    elif not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
        faults.add(where, f"expected text ({column.expected.removeprefix('expected ')})", f"values of type {kind}")
        return RawColumn(codes=np.full(len(array), -1, dtype=np.int32), labels=pa.array([], pa.large_string()))
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    labels = pc.fill_null(array.dictionary.cast(pa.large_string()), "")
    codes = array.indices.cast(pa.int32()).fill_null(-1).to_numpy(zero_copy_only=False)
    # A filtered frame keeps categories that no row has.
    used = np.bincount(codes[codes >= 0], minlength=len(labels)) > 0
    keep = used & ~pc.equal(labels, "").to_numpy(zero_copy_only=False)
    if not keep.all():
        shift = np.append(np.where(keep, np.cumsum(keep) - 1, -1), -1).astype(np.int32)  # code -1 stays -1
        labels, codes = labels.filter(pa.array(keep)), shift[codes]
    return RawColumn(codes=codes, labels=labels)


def _whole(array: Any) -> bool:
    values = array.fill_null(0.0).to_numpy(zero_copy_only=False)
    return bool((np.isfinite(values) & (values == np.trunc(values)) & (np.abs(values) < 2.0**53)).all())


def _flags(array: Any, column: Column, where: str, faults: Faults) -> RawColumn:
    encoded = _decoded(array).cast(pa.string()).fill_null("").dictionary_encode()
    words = [str(word).lower() for word in encoded.dictionary.to_pylist()]
    flags = np.array([_WORDS.get(word, 2) for word in words], dtype=np.int8)[encoded.indices.to_numpy()]
    if (flags == 2).any():
        came = words[int(encoded.indices[int(np.argmax(flags == 2))].as_py())]
        faults.add(where, column.expected, repr(came), first_rows(flags == 2))
        flags[flags == 2] = UNKNOWN_FLAG
    return RawColumn(flags=flags)


_READERS: dict[str, Callable[[Any, Column, str, Faults], RawColumn]] = {"number": _numbers, "flag": _flags}
