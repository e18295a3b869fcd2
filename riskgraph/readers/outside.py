"""Tables and JSON that others made, checked against what a reader needs of them; every fault names file and column."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riskgraph.errors import Faults, InputError
from riskgraph.snapshot.columns import first_rows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["checked", "columns_of", "json_of", "outside_table"]

FLAGS = {"true": True, "false": False, "1": True, "0": False}


def columns_of(path: Path) -> list[str]:
    """Names of the columns of a CSV file; none where it is no text."""
    import pandas as pd

    try:
        return [str(name) for name in pd.read_csv(path, nrows=0).columns]
    except (ValueError, OSError):
        return []


def outside_table(path: Path, columns: Mapping[str, str]) -> pd.DataFrame:
    """Read the named columns of a CSV file: ``text``, ``number`` and ``flag``; with a ``?`` cells may be empty.

    Raises
    ------
    InputError
        Not readable, a column is missing, or a cell is not of its kind; names the first five rows.
    """
    import pandas as pd

    if not path.is_file():
        raise InputError(f"{path}: expected a file, got {'a directory' if path.is_dir() else 'nothing there'}")
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, OSError) as error:
        reason = str(error).splitlines()[0][:200]
        raise InputError(
            f"{path}: expected a CSV table as UTF-8 text, got one that cannot be read ({reason})"
        ) from error
    return checked(frame, columns, str(path))


def checked(frame: pd.DataFrame, columns: Mapping[str, str], subject: str) -> pd.DataFrame:
    """Turn the named columns of a frame of texts into their kinds."""
    import pandas as pd

    faults = Faults(subject)
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        faults.add("columns", f"expected {', '.join(columns)}", f"none named {', '.join(missing)}")
        faults.raise_if_any()
    taken = {}
    for name, kind in columns.items():
        cells = frame[name].astype("str").str.strip()
        if kind in ("text", "text?"):
            values, wrong = cells, cells.eq("") & (kind == "text")
        elif kind == "flag":
            values, wrong = cells.str.lower().map(FLAGS), ~cells.str.lower().isin(list(FLAGS))
        else:
            blank = cells.str.lower().isin(["", "none", "nan", "null"]) & (kind == "number?")
            values = pd.to_numeric(cells.where(~blank, "nan"), errors="coerce")
            wrong = (values.isna() | values.abs().eq(float("inf"))) & ~blank
        if wrong.any():
            kinds = {"text": "a text", "flag": "true or false"}
            faults.add(name, f"expected {kinds.get(kind, 'a number')}", repr(cells[wrong].iloc[0]), first_rows(wrong))
        taken[name] = values
    faults.raise_if_any()
    return pd.DataFrame(taken)


def json_of(path: Path) -> Any:
    """Read a JSON file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        reason = str(error).splitlines()[0][:200]
        raise InputError(f"{path}: expected JSON as UTF-8 text, got what cannot be read ({reason})") from error
