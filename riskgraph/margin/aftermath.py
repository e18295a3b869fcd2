"""The snapshot after calls: holdings as the ledger left them, what outsiders got, and parameters that calls changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Floats
from riskgraph.errors import InputError
from riskgraph.margin.ledger import Ledger
from riskgraph.margin.rounding import exact, plain
from riskgraph.snapshot.schema import SIDES

if TYPE_CHECKING:
    import pandas as pd

    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["movements_of", "snapshot_after"]

_KEY = ["account", "protocol", "bucket", "asset", "side"]


def movements_of(ledger: Ledger) -> pd.DataFrame:
    """Give every change of a holding, a row each, in the order in which it happened."""
    import pandas as pd

    parts = [
        pd.DataFrame({**{name: getattr(part, name) for name in _KEY}, "amount": plain(part.amount), "why": part.why})
        for part in ledger.movements
    ]
    empty = pd.DataFrame({name: pd.Series(dtype=object) for name in _KEY} | {"amount": np.zeros(0), "why": ""})
    return pd.concat(parts, ignore_index=True) if parts else empty


def snapshot_after(ledger: Ledger, note: str) -> Snapshot:
    """Make the snapshot that the calls leave.

    Raises
    ------
    InputError
        A named liquidator's wallet does not hold what the calls take from it.
    """
    snap = ledger.snap
    tables: dict[str, Any] = {"positions": _positions(ledger)}
    for name in ("protocols", "markets", "accounts"):
        changed = {key[1:]: value for key, value in ledger.changed.items() if key[0] == name}
        if name == "accounts":
            changed |= _by_account(ledger)
        if changed:
            tables[name] = _with_changes(ledger, name, changed)
    return snap.replace(note=note, **tables)


def _positions(ledger: Ledger) -> pd.DataFrame:
    import pandas as pd

    snap = ledger.snap
    frame = snap.table("positions").frame()
    frame["amount"] = _amounts(ledger)
    for name in _KEY:
        if name not in frame:
            frame[name] = ""
    credited = _credits(ledger)
    if not len(credited):
        return _with_entry_prices(ledger, frame)
    keys = frame[_KEY].astype(object)
    plain_rows = frame["option_type"] == "" if "option_type" in frame else pd.Series(True, index=frame.index)
    places = keys[plain_rows].reset_index().merge(credited, on=_KEY, how="inner")
    total = exact(frame.loc[places["index"], "amount"].to_numpy()) + places["change"].to_numpy()
    frame.loc[places["index"], "amount"] = plain(total)
    fresh = credited.merge(keys[plain_rows], on=_KEY, how="left", indicator=True)
    fresh = fresh[fresh["_merge"] == "left_only"]
    fresh = fresh.assign(amount=plain(fresh["change"].to_numpy()))[[*_KEY, "amount"]]
    whole = pd.concat([frame.astype(dict.fromkeys(_KEY, object)), fresh], ignore_index=True)
    _check_wallets(whole)
    return _with_entry_prices(ledger, whole)


def _with_entry_prices(ledger: Ledger, positions: pd.DataFrame) -> pd.DataFrame:
    """Put in the entry prices of positions that calls opened or added to."""
    import pandas as pd

    rows, prices = ledger.entry_prices()
    if not len(rows):
        return positions
    side, asset = np.array(SIDES, dtype=object)[ledger.side[rows]], ledger.label("asset", ledger.asset[rows])
    changed = pd.DataFrame({**ledger.place(ledger.margin[rows]), "side": side, "asset": asset, "changed": prices})
    found = positions[_KEY].astype(object).merge(changed, on=_KEY, how="left", indicator=True)
    fresh = (found["_merge"] == "both").to_numpy()
    return positions.assign(entry_price=np.where(fresh, found["changed"], positions.get("entry_price", np.nan)))


def _amounts(ledger: Ledger) -> Floats:
    """Amounts of all rows of the snapshot: as the ledger left its own, lenders' claims written down everywhere."""
    book = ledger.snap.book
    amount = np.array(book.amount)
    for asset, factor in ledger.written_down.items():
        claims = (book.protocol == ledger.terms.protocol) & (book.asset == asset)
        amount[claims & np.isin(book.side, ledger.claiming())] *= float(factor)
    here = ledger.row >= 0
    amount[ledger.row[here]] = plain(ledger.amount[here])
    return amount


def _credits(ledger: Ledger) -> pd.DataFrame:
    """Give changes of holdings that are no rows of the ledger, summed by holding."""
    import pandas as pd

    parts = [
        pd.DataFrame({**{name: getattr(part, name) for name in _KEY}, "change": part.amount})[~is_row]
        for part, is_row in zip(ledger.movements, ledger.is_row, strict=True)
        if not is_row.all()
    ]
    if not parts:
        return pd.DataFrame(columns=[*_KEY, "change"])
    frame = pd.concat(parts)
    return frame.groupby(_KEY, sort=True)["change"].agg("sum").reset_index()


def _check_wallets(positions: pd.DataFrame) -> None:
    short = positions[positions["amount"] < 0.0]
    if len(short):
        row = short.iloc[0]
        raise InputError(
            f"liquidator: expected a wallet of {row['account']} that holds what the calls take, got {-row['amount']:g} "
            f"{row['asset']} too little"
        )


def _by_account(ledger: Ledger) -> dict[tuple[str, str], Any]:
    """Sum parameters that stand by margin account over each account; NaN where none of its margin accounts has one."""
    found: dict[tuple[str, str], Any] = {}
    codes, place = np.unique(ledger.snap.book.margin_account[ledger.margins], return_inverse=True)
    names = ledger.label("account", codes).tolist()
    for column, values in ledger.changed_margins.items():
        told = np.asarray(values == values, dtype=np.bool_)
        total = ledger.numbers(np.zeros(len(codes)))
        np.add.at(total, place[told], values[told])
        total[np.bincount(place[told], minlength=len(codes)) == 0] = np.nan
        found |= {(column, name): value for name, value in zip(names, total.tolist(), strict=True)}
    return found


def _with_changes(ledger: Ledger, name: str, changed: dict[tuple[str, str], Any]) -> pd.DataFrame:
    """Give a table with new values of parameters, in rows of its own where there were none."""
    import pandas as pd

    frame = ledger.snap.table(name).frame()
    label, key = ledger.terms.protocol_label, {"markets": "asset", "accounts": "account"}.get(name)
    frame = frame.astype({column: object for column in ("protocol", key) if column and column in frame})
    row = _rows_of(frame, label, key)
    fresh = sorted({of for (_, of), value in changed.items() if value == value} - row.keys())
    if fresh:
        rows = pd.DataFrame({"protocol": [label] * len(fresh)} | ({key: fresh} if key else {}), dtype=object)
        frame = pd.concat([frame, rows], ignore_index=True)
        row = _rows_of(frame, label, key)
    for column in dict.fromkeys(column for column, _ in changed):
        new = {row[of]: float(value) for (what, of), value in changed.items() if what == column and of in row}
        values = frame[column].to_numpy(np.float64, copy=True) if column in frame else np.full(len(frame), np.nan)
        values[list(new)] = list(new.values())
        frame[column] = values
    return frame


def _rows_of(frame: pd.DataFrame, protocol: str, key: str | None) -> dict[str, int]:
    """Row of the protocol for each asset or account, or its one row."""
    if "protocol" not in frame:
        return {}
    rows = np.flatnonzero(frame["protocol"] == protocol).tolist()
    names = frame[key].iloc[rows].tolist() if key else [""] * len(rows)
    return dict(zip(names, rows, strict=True))
