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


def _with_changes(ledger: Ledger, name: str, changed: dict[tuple[str, str], Any]) -> pd.DataFrame:
    """Give a table with new values of parameters, in rows of its own where there were none."""
    import pandas as pd

    frame = ledger.snap.table(name).frame()
    keys = ["protocol", *{"markets": ["asset"], "accounts": ["account"]}.get(name, [])]
    frame = frame.reindex(columns=[*keys, *(column for column in frame if column not in keys)])
    frame = frame.astype(dict.fromkeys(keys, object))
    for (column, of), value in changed.items():
        wanted = [ledger.terms.protocol_label, of][: len(keys)]
        if not (frame[keys] == wanted).all(axis=1).any():
            frame = pd.concat([frame, pd.DataFrame([dict(zip(keys, wanted, strict=True))])], ignore_index=True)
        here = (frame[keys] == wanted).all(axis=1)
        frame.loc[here, column] = float(value)
    return frame
