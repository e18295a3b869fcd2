"""Risk arrays as exchanges publish them: read, checked, and laid on the contracts that portfolios hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Floats, Ints
from riskgraph.errors import Faults, InputError

if TYPE_CHECKING:
    import pandas as pd

    from riskgraph.snapshot.contracts import Contracts
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["published_profit"]

_KEY = ("asset", "option_type", "strike", "expiry")
_KINDS = ("call", "put")


def published_profit(frame: pd.DataFrame, snap: Snapshot, contracts: Contracts, count: int) -> tuple[Ints, Floats]:
    """Which contracts have a published array, and it for each of them, shape (n_found, count).

    A contract is found by asset and, for options, option type, strike and expiry, all as the snapshot has them.
    """
    given = _read(frame, count)
    wanted = _keys(
        snap.labels("asset").to_numpy(zero_copy_only=False)[contracts.asset],
        np.array([*_KINDS, ""], dtype=object)[contracts.kind],
        contracts.strike,
        contracts.expiry,
    )
    place = wanted.merge(given[list(_KEY)].assign(place=np.arange(len(given))), how="left", on=list(_KEY))["place"]
    found = np.flatnonzero(place.notna())
    arrays = given.drop(columns=list(_KEY)).to_numpy(dtype=np.float64)
    return found, arrays[place.to_numpy()[found].astype(np.int64)]


def _keys(asset: Any, kind: Any, strike: Any, expiry: Any) -> pd.DataFrame:
    """Frame of contract keys that can be compared: -1 where there is no strike or expiry."""
    import pandas as pd

    columns = dict(
        zip(_KEY, (asset, kind, np.nan_to_num(strike, nan=-1.0), np.nan_to_num(expiry, nan=-1.0)), strict=True)
    )
    return pd.DataFrame(columns).astype({"asset": object, "option_type": object})


def _read(frame: Any, count: int) -> pd.DataFrame:
    """Check a frame of arrays and lay it out: the key columns, then scenarios 1 to ``count``."""
    import pandas as pd

    if not hasattr(frame, "columns"):
        raise InputError(f"risk_arrays: expected a DataFrame, got {type(frame).__name__}")
    names = [str(name) for name in frame.columns]
    table = frame.set_axis(names, axis=1).reset_index(drop=True)
    scenarios = [str(number) for number in range(1, count + 1)]
    faults = Faults()
    if len(set(names)) < len(names) or set(names) - {*_KEY, *scenarios} or {"asset", *scenarios} - set(names):
        what = f"expected the columns asset, 1 to {count} and, for options, option_type, strike, expiry, each once"
        faults.add("risk_arrays", what, ", ".join(names[:24]))
    faults.raise_if_any()
    kind = table["option_type"] if "option_type" in names else pd.Series("", index=table.index)
    kind = kind.astype(object).where(kind.notna(), "")
    numbers = {name: _numbers(table, name, faults) for name in ("strike", "expiry", *scenarios)}
    option = kind.isin(_KINDS).to_numpy()
    label = table["asset"].astype(object)
    _note(faults, "risk_arrays.asset", "expected a label", label, label.isna())
    _note(faults, "risk_arrays.option_type", "expected call, put or nothing (a future)", kind, ~option & (kind != ""))
    for name in ("strike", "expiry"):
        wrong = np.isnan(numbers[name]) == option
        _note(faults, f"risk_arrays.{name}", "expected it for options and for no future", numbers[name], wrong)
    for name in scenarios:
        _note(faults, f"risk_arrays.{name}", "expected finite USD a unit", numbers[name], ~np.isfinite(numbers[name]))
    faults.raise_if_any()
    keys = _keys(label.astype(str), kind, numbers["strike"], numbers["expiry"])
    twice = keys.duplicated().to_numpy()
    _note(faults, "risk_arrays", "expected every contract once", label, twice)
    faults.raise_if_any()
    return keys.assign(**{name: numbers[name] for name in scenarios})


def _numbers(table: pd.DataFrame, name: str, faults: Faults) -> Floats:
    """Read one column as floats; NaN where it is not there or empty."""
    import pandas as pd

    if name not in table:
        return np.full(len(table), np.nan)
    try:
        return np.asarray(pd.to_numeric(table[name]), dtype=np.float64)
    except (TypeError, ValueError) as error:
        faults.add(f"risk_arrays.{name}", "expected numbers", str(error))
        return np.zeros(len(table))


def _note(faults: Faults, where: str, expected: str, values: Any, wrong: Any) -> None:
    """Note the rows in which a column holds something wrong, with the first such value."""
    rows = np.flatnonzero(np.asarray(wrong, dtype=bool))
    if len(rows):
        came = np.asarray(values, dtype=object)[rows[0]]
        faults.add(where, expected, "nothing" if came is None or came != came or came == "" else repr(came), rows + 1)
