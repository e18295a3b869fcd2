"""The stored form of a table: codes into shared labels, floats and flags; frames are made from it on demand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from riskgraph.arrays import Floats, Ints
from riskgraph.snapshot.schema import TableSchema

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Table"]


@dataclass(frozen=True, eq=False)
class Table:
    """One table, rows sorted by key. Only columns in which some row holds a value are stored.

    ``codes[c]`` points into ``labels[c]`` (-1: empty), ``numbers[c]`` is NaN and ``flags[c]`` -1 where not given.
    """

    schema: TableSchema
    length: int
    codes: Mapping[str, Ints]
    labels: Mapping[str, Any]  # pyarrow large_string arrays, sorted; shared between tables for shared label spaces
    numbers: Mapping[str, Floats]
    flags: Mapping[str, Ints]

    def __len__(self) -> int:
        return self.length

    @property
    def names(self) -> list[str]:
        """Stored columns in the schema's order."""
        stored = {*self.codes, *self.numbers, *self.flags}
        return [column.name for column in self.schema.columns if column.name in stored]

    def number(self, name: str, default: float = np.nan) -> Floats:
        """Give the column as floats, ``default`` where nothing is given."""
        stored = self.numbers.get(name)
        if stored is None:
            return np.full(self.length, default)
        return stored if np.isnan(default) else np.where(np.isnan(stored), default, stored)

    def code(self, name: str) -> Ints:
        """Give the column as codes, -1 where nothing is given."""
        stored = self.codes.get(name)
        return np.full(self.length, -1, dtype=np.int32) if stored is None else stored

    def flag(self, name: str) -> Ints:
        """Give the column as 1, 0 or -1 (not given)."""
        stored = self.flags.get(name)
        return np.full(self.length, -1, dtype=np.int8) if stored is None else stored

    def text(self, name: str) -> list[str]:
        """Give the column as strings, empty where nothing is given (small tables only)."""
        labels = [*self.labels[name].to_pylist(), ""] if name in self.labels else [""]
        return [labels[code] for code in self.code(name)]

    def arrow(self) -> pa.Table:
        """Arrow table of the stored columns, labels dictionary-encoded, nulls where nothing is given."""
        columns: dict[str, Any] = {}
        for name in self.names:
            if name in self.codes:
                codes = self.codes[name]
                columns[name] = pa.DictionaryArray.from_arrays(
                    pa.array(codes, pa.int32(), mask=codes < 0), self.labels[name]
                )
            elif name in self.numbers:
                values = self.numbers[name]
                columns[name] = pa.array(values, pa.float64(), mask=np.isnan(values))
            else:
                flags = self.flags[name]
                columns[name] = pa.array(flags == 1, pa.bool_(), mask=flags < 0)
        return pa.table(columns)

    def frame(self) -> pd.DataFrame:
        """Pandas frame of the stored columns: categoricals, floats, nullable booleans; empty labels are ''."""
        import pandas as pd

        columns: dict[str, Any] = {}
        for name in self.names:
            if name in self.codes:
                codes = self.codes[name]
                labels = self.labels[name].to_pylist()
                if (codes < 0).any():
                    codes, labels = np.where(codes < 0, len(labels), codes), [*labels, ""]
                columns[name] = pd.Categorical.from_codes(codes, labels)
            elif name in self.numbers:
                columns[name] = self.numbers[name]
            else:
                flags = self.flags[name]
                columns[name] = pd.arrays.BooleanArray(flags == 1, flags < 0)
        return pd.DataFrame(columns, index=pd.RangeIndex(self.length))
