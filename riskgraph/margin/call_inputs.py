"""What callers of liquidations hand in, checked: labels, margin accounts, assets and amounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Floats, Ints
from riskgraph.errors import InputError
from riskgraph.margin.rounding import exact
from riskgraph.snapshot.schema import SIDES

if TYPE_CHECKING:
    from riskgraph.margin.ledger import Ledger
    from riskgraph.margin.rules.rule import Rule
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["amounts_of", "asked_of", "asset_of", "code_of", "liquidator_of", "margins_of"]


def code_of(snap: Snapshot, domain: str, label: str, what: str) -> int:
    """Code of a label that a caller gave, which must be one of the snapshot's."""
    at = int(snap.labels(domain).index(str(label)).as_py())
    if at < 0:
        raise InputError(
            f"{what}: expected {'an' if domain[0] in 'aeiou' else 'a'} {domain} of the snapshot, got {label!r}"
        )
    return at


def margins_of(snap: Snapshot, code: int, protocol: str, accounts: list[str], buckets: list[str]) -> Ints:
    """Margin accounts of labels, in the order given."""
    if len(buckets) != len(accounts):
        raise InputError(f"buckets: expected one for each of {len(accounts)} accounts, got {len(buckets)}")
    if not accounts:
        raise InputError("accounts: expected at least one account, got none")
    book = snap.book
    mine = np.flatnonzero(book.margin_protocol == code)
    owners = snap.labels("account").take(book.margin_account[mine]).to_pylist()
    groups = [*snap.labels("bucket").to_pylist(), ""]
    places = {(owner, groups[bucket]): at for owner, bucket, at in
              zip(owners, book.margin_bucket[mine].tolist(), mine.tolist(), strict=True)}  # fmt: skip
    unknown = [name for name in zip(accounts, buckets, strict=True) if name not in places]
    if unknown:
        said = ", ".join(f"{name!r}" + (f" (bucket {bucket!r})" if bucket else "") for name, bucket in unknown[:5])
        raise InputError(f"account: expected accounts with a position at {protocol}, got {said}")
    return np.array([places[name] for name in zip(accounts, buckets, strict=True)])


_VERBS = {"debt": ("owes", "owe"), "collateral": ("pledges", "pledge"), "long": ("trades", "trade")}


def asset_of(
    snap: Snapshot, ledger: Ledger, wanted: Ints, label: str | None, what: str, sides: tuple[str, ...]
) -> Ints:
    """Code of a named asset for every call, -1 where none is named; refuse one that an account does not hold so."""
    if label is None:
        return np.full(len(wanted), -1)
    if not sides:
        raise InputError(f"{what}: expected none, since a call under rule {ledger.rule.name} names none, got {label!r}")
    code = code_of(snap, "asset", label, what)
    held = np.zeros(ledger.size + 1, dtype=bool)
    held[ledger.margin[np.isin(ledger.side, [SIDES.index(side) for side in sides]) & (ledger.asset == code)]] = True
    place = np.searchsorted(ledger.margins, wanted)
    without = wanted[~held[place]]
    if len(without):
        names = ", ".join(ledger.place(np.searchsorted(ledger.margins, np.unique(without)[:5]))["account"])
        does, do = _VERBS[sides[0]]
        raise InputError(
            f"{what}: expected an asset that the account {does}, got {label!r}, which {names} does not {do}"
        )
    return np.full(len(wanted), code)


def asked_of(rule: Rule, asked: Mapping[str, Any], n: int) -> dict[str, Any]:
    """Amounts asked for, checked; where none is given, as much as may be."""
    given = {name: value for name, value in asked.items() if value is not None}
    for name in given:
        if name not in rule.asks:
            terms = " or ".join(rule.asks) or "nothing: it takes all"
            raise InputError(
                f"{name}: expected what a call under rule {rule.name} can be asked for ({terms}), got {name}"
            )
    if len(given) > 1:
        raise InputError(f"{', '.join(given)}: expected one of them, got both")
    amounts = {name: exact(amounts_of(name, value, n)) for name, value in given.items()}
    nothing = np.full(n, np.nan, dtype=object)
    most = np.full(n, np.inf, dtype=object)
    found: dict[str, Any] = {
        "repay": amounts.pop("repay", nothing if given else most),
        "seize": amounts.pop("seize", nothing),
        "more": {name: amounts.get(name, nothing) for name in rule.asks if name not in ("repay", "seize")},
    }
    return found


def amounts_of(name: str, value: Any, n: int = 1) -> Floats:
    """Amounts that a caller gave, one for all calls or one each, checked."""
    try:
        values = np.broadcast_to(np.asarray(value, dtype=np.float64), (n,))
    except (TypeError, ValueError) as error:
        raise InputError(f"{name}: expected a number of units, or one for each of {n} calls, got {value!r}") from error
    if not (values >= 0.0).all():
        raise InputError(f"{name}: expected amounts of at least 0, got {values[~(values >= 0.0)][0]}")
    return values


def liquidator_of(snap: Snapshot, label: str | None) -> str:
    """Label of who calls, empty for somebody outside the snapshot."""
    if label:
        code_of(snap, "account", label, "liquidator")
    return label or ""
