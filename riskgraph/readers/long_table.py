"""One long position table (a row a position, as exports give it) and, beside it, prices or published totals."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.errors import Faults, InputError
from riskgraph.readers.files import SUFFIXES, read_table
from riskgraph.snapshot.columns import first_rows
from riskgraph.snapshot.schema import TABLES
from riskgraph.snapshot.snapshot import Snapshot
from riskgraph.wording import counted

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["from_positions", "snapshot_from_long_table"]

_OF_ACCOUNT = ("account_liq_threshold", "account_liquidation_threshold")
_OF_ROW = ("liquidation_threshold", "liq_threshold")
_KEY = ["account", "protocol"]


def snapshot_from_long_table(path: Path, *, totals: Path | None, as_of: str | dt.date | None) -> Snapshot:
    """Read a long position table into a Snapshot (see :func:`riskgraph.read_snapshot`)."""
    table = read_table(path)
    _refuse_what_cannot_be_used(table, path)
    assets, notes = _assets_beside(path)
    notes += _left_beside(path, totals)
    table = _with_usd(table)
    markets, accounts, table, said = _thresholds(table)
    notes += said
    if totals is not None:
        accounts, said = _with_totals(table, accounts, totals)
        notes += said
    given = {name: frame for name, frame in (("markets", markets), ("accounts", accounts)) if frame is not None}
    return Snapshot(positions=table, assets=assets, **given, as_of=as_of, notes=tuple(notes))


def from_positions(tables: dict[str, Any]) -> list[str]:
    """Move prices and thresholds that stand in the position rows of a folder to where they belong, in place."""
    positions = _with_usd(tables["positions"])
    markets, accounts, tables["positions"], said = _thresholds(positions)
    for name, frame in (("markets", markets), ("accounts", accounts)):
        if frame is not None and name in tables:
            raise InputError(f"positions: expected thresholds in the table {name} alone, got them in the rows too")
        if frame is not None:
            tables[name] = frame
    return said


def _refuse_what_cannot_be_used(table: pa.Table, path: Path) -> None:
    """Name everything that stands between this table and a snapshot: sides, prices, sums, adjusted values."""
    import pyarrow as pa

    names = table.schema.names
    faults = Faults(str(path))
    adjusted = [name for name in names if name.startswith("risk_adj")]
    if adjusted:
        faults.add(
            f"positions.{', '.join(adjusted)}",
            "expected amounts or USD values",
            "risk-adjusted values, from which neither can be told",
        )
    missing = [name for name in ("account", "protocol", "asset", "side") if name not in names]
    if missing:
        what = "expected the columns account, protocol, asset, side, and amount or usd"
        faults.add("positions", what, f"no {', '.join(missing)}")
    elif "amount" not in names and "usd" not in names:
        faults.add("positions", "expected a column amount (units) or usd", "neither")
    for name in ("account", "protocol", "asset", "side"):
        kind = table.schema.field(name).type if name in names else pa.string()
        if pa.types.is_nested(kind):
            faults.add(f"positions.{name}", "expected text", f"values of type {kind}")
    faults.raise_if_any()
    if "asset" in names:
        labels = table.column("asset").unique().to_pylist()
        summed = sorted(str(label) for label in labels if "+" in str(label))
        if summed:
            faults.add("positions.asset", "expected one token a label", f"several summed in {', '.join(summed[:5])}")
        unpriced = "usd" not in names and "price" not in names
        if unpriced and not any((path.parent / f"assets{suffix}").is_file() for suffix in SUFFIXES):
            faults.add("assets.price", "expected a table assets beside it, or a column price or usd", "no prices")
    faults.raise_if_any()


def _assets_beside(path: Path) -> tuple[pa.Table | None, list[str]]:
    for suffix in SUFFIXES:
        beside = path.parent / f"assets{suffix}"
        if beside.is_file() and beside != path:
            return read_table(beside), [f"assets: read from {beside.name} beside {path.name}"]
    return None, []


def _left_beside(path: Path, totals: Path | None) -> list[str]:
    """Name the tables of a snapshot that stand beside a long table and are not read with it."""
    named = {f"{name}{suffix}" for name in TABLES if name != "assets" for suffix in SUFFIXES}
    used = {path.name, totals.name if totals is not None else ""}
    found = sorted(entry.name for entry in path.parent.iterdir() if entry.name in named - used)
    return [f"not read beside {path.name}: {', '.join(found)} (name the folder to read them all)"] if found else []


def _with_usd(table: pa.Table) -> pa.Table:
    """Turn a column of prices into the USD that it means."""
    import pyarrow.compute as pc

    if "price" not in table.schema.names:
        return table
    if "usd" in table.schema.names or "amount" not in table.schema.names:
        raise InputError("positions.price: expected together with amount and without usd")
    try:
        usd = pc.multiply(table.column("amount").cast("float64"), table.column("price").cast("float64"))
    except Exception as error:
        raise InputError(f"positions.price: expected numbers in price and amount, got text ({error})") from error
    return table.drop_columns(["price"]).append_column("usd", usd)


def _thresholds(table: pa.Table) -> tuple[pd.DataFrame | None, pd.DataFrame | None, pa.Table, list[str]]:
    """Move a threshold column to the table that it belongs to: the accounts' or the markets'."""
    found = [name for name in (*_OF_ACCOUNT, *_OF_ROW) if name in table.schema.names]
    if not found:
        return None, None, table, []
    if len(found) > 1:
        raise InputError(f"positions: expected one threshold column, got {', '.join(found)}")
    name = found[0]
    rows = table.select([*_KEY, "asset", name]).to_pandas()
    _check_thresholds(rows, name)
    rows = rows[rows[name].notna()].astype(dict.fromkeys((*_KEY, "asset"), object))
    rest = table.drop_columns([name])
    for where, key in ((("markets"), ["protocol", "asset"]), ("accounts", _KEY)):
        if where == "markets" and name in _OF_ACCOUNT:
            continue
        each = rows.groupby(key, sort=True)[name].agg(["min", "max"]).reset_index()
        if (each["min"] == each["max"]).all():
            frame = each[key].assign(liquidation_threshold=each["max"])
            note = f"{where}.liquidation_threshold: taken from the column {name} of the position rows"
            return (frame, None, rest, [note]) if where == "markets" else (None, frame, rest, [note])
    off = each[each["min"] != each["max"]].iloc[0]
    came = f"{off['min']:g} and {off['max']:g} for {', '.join(str(off[part]) for part in key)}"
    raise InputError(
        f"positions.{name}: expected one value {'an account at a protocol' if key == _KEY else ''}, got {came}"
    )


def _check_thresholds(rows: pd.DataFrame, name: str) -> None:
    """Say what is wrong with a threshold by the row that it stands in, before it moves to another table."""
    given = rows[name].notna().to_numpy()
    if given.any() and rows[name].dtype.kind not in "fiu":
        raise InputError(
            f"positions.{name}: expected numbers in [0, 1], got values such as {_first_text(rows[name])!r}"
        )
    faults = Faults()
    values = rows[name].to_numpy(dtype=np.float64)
    off = given & ~((values >= 0.0) & (values <= 1.0))
    if off.any():
        faults.add(f"positions.{name}", "expected a share from 0 to 1", f"{values[off][0]:g}", first_rows(off))
    lone = given & rows["protocol"].isin(["", None]).to_numpy()
    if lone.any():
        faults.add(f"positions.{name}", "expected it only for rows at a protocol", "it for a wallet", first_rows(lone))
    faults.raise_if_any()


def _first_text(values: pd.Series[Any]) -> str:
    """Give the first value that is no number."""
    for value in values:
        try:
            float(value)
        except (TypeError, ValueError):
            return str(value)
    return str(values.iloc[0])


def _with_totals(table: pa.Table, accounts: pd.DataFrame | None, path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Add what published totals know to the accounts: the remainder that the rows do not explain, and thresholds."""
    totals = _checked_totals(path)
    sums = _side_sums(table)
    merged = totals.merge(sums, how="outer", on=_KEY, indicator=True).sort_values(_KEY, ignore_index=True)
    # Totals are of collateral and debt: an account that has neither may stand in them, or not.
    merged = merged[(merged["_merge"] != "right_only") | ~merged["neither"].eq(True)].reset_index(drop=True)
    faults = Faults(str(path))
    for side, words in (("left_only", "positions"), ("right_only", "the totals")):
        alone = merged[merged["_merge"] == side]
        if len(alone):
            shown = ", ".join(f"{row.account} at {row.protocol}" for row in alone.head(5).itertuples())
            faults.add("totals", f"expected every account of both files, none in {words}", shown)
    faults.raise_if_any()
    frame = merged[_KEY].astype(object)
    for side in ("collateral", "debt"):
        frame[f"{side}_remainder_usd"] = merged[f"{side}_usd"] - merged[f"{side}_rows"]
    if "liquidation_threshold" in totals:
        frame["liquidation_threshold"] = merged["liquidation_threshold"]
        _check_agreement(frame, accounts, path)
    elif accounts is not None:
        frame = frame.merge(accounts, how="left", on=_KEY)
    off = {side: frame[f"{side}_remainder_usd"] for side in ("collateral", "debt")}
    notes = [
        f"accounts.{side}_remainder_usd: published {side} less the rows', from {path.name}: "
        f"{counted(int((gap != 0).sum()), 'account')}, {gap[gap > 0].sum():+,.2f} and {gap[gap < 0].sum():+,.2f} USD"
        for side, gap in off.items()
    ]
    unused = sorted(set(read_table(path).schema.names) - {*_KEY, "collateral_usd", "debt_usd", *_OF_ROW})
    if unused:
        notes.append(f"not read from {path.name}: {', '.join(unused)}")
    return frame, notes


def _check_agreement(frame: pd.DataFrame, accounts: pd.DataFrame | None, path: Path) -> None:
    if accounts is not None:
        both = frame.merge(accounts, on=_KEY, suffixes=("", "_rows"))
        off = (both["liquidation_threshold"] - both["liquidation_threshold_rows"]).abs() > 1e-9
        if off.any():
            row = both[off].iloc[0]
            raise InputError(
                f"{path}: totals.liquidation_threshold: expected the rows' {row.liquidation_threshold_rows:g}, got "
                f"{row.liquidation_threshold:g} for {row.account} at {row.protocol}"
            )


def _checked_totals(path: Path) -> pd.DataFrame:
    table = read_table(path)
    names = table.schema.names
    needed = [*_KEY, "collateral_usd", "debt_usd"]
    missing = [name for name in needed if name not in names]
    if missing:
        raise InputError(f"{path}: totals: expected the columns {', '.join(needed)}, got no {', '.join(missing)}")
    threshold = [name for name in _OF_ROW if name in names]
    if len(threshold) > 1:
        raise InputError(f"{path}: totals: expected one threshold column, got {', '.join(threshold)}")
    frame = table.select([*needed, *threshold]).to_pandas().astype(dict.fromkeys(_KEY, object))
    frame = frame.rename(columns=dict.fromkeys(threshold, "liquidation_threshold"))
    faults = Faults(str(path))
    for name in frame.columns[2:]:
        values = np.asarray(frame[name], dtype=object)
        most = 1.0 if name == "liquidation_threshold" else np.inf
        try:
            numbers = values.astype(np.float64)
            bad = ~(np.isfinite(numbers) & (numbers >= 0.0) & (numbers <= most))
        except (TypeError, ValueError):
            bad = np.ones(len(values), dtype=bool)
        if bad.any():
            rows = [int(row) + 1 for row in np.flatnonzero(bad)]
            words = "expected a finite number of at least 0" + (" and at most 1" if most == 1.0 else "")
            faults.add(f"totals.{name}", words, str(values[bad][0]), rows)
    twice = frame.duplicated(_KEY)
    if twice.any():
        faults.add(
            "totals",
            "expected every account × protocol once",
            "duplicates",
            [int(r) + 1 for r in np.flatnonzero(twice)],
        )
    faults.raise_if_any()
    checked: pd.DataFrame = frame
    return checked


def _side_sums(table: pa.Table) -> Any:
    """USD of collateral and debt rows by account and protocol, and whether there is ``neither``."""
    if "usd" not in table.schema.names:
        raise InputError("totals: expected a column usd in the position table, against which totals are held")
    rows = table.select([*_KEY, "side", "usd"]).to_pandas().astype(dict.fromkeys((*_KEY, "side"), object))
    if rows["usd"].notna().any() and rows["usd"].dtype.kind not in "fiu":
        raise InputError(f"positions.usd: expected numbers, got values such as {_first_text(rows['usd'])!r}")
    every = rows[rows["protocol"].notna() & (rows["protocol"] != "")][_KEY].drop_duplicates()
    rows = rows[rows["side"].isin(("collateral", "debt"))]
    blank = rows["usd"].isna()
    if blank.any():
        listed = [int(row) + 1 for row in rows.index[blank]]
        faults = Faults()
        faults.add(
            "positions.usd",
            "expected a value in every collateral and debt row that totals are held against",
            "",
            listed,
        )
        faults.raise_if_any()
    rows = rows.sort_values([*_KEY, "side", "usd"])  # sums must not depend on the order of rows
    wide = rows.pivot_table(index=_KEY, columns="side", values="usd", aggfunc="sum", fill_value=0.0).reset_index()
    for side in ("collateral", "debt"):
        if side not in wide:
            wide[side] = 0.0
    named = wide.rename(columns={"collateral": "collateral_rows", "debt": "debt_rows"})
    both = every.merge(named[[*_KEY, "collateral_rows", "debt_rows"]], how="left", on=_KEY)
    return both.assign(neither=both["debt_rows"].isna()).fillna({"collateral_rows": 0.0, "debt_rows": 0.0})
