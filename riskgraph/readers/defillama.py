"""What stands at a protocol by token, as DefiLlama publishes it: a protocol's page (JSON), or a table of several."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riskgraph.errors import Faults, InputError
from riskgraph.readers.outside import json_of, outside_table
from riskgraph.snapshot.columns import first_rows
from riskgraph.snapshot.snapshot import Snapshot

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SECTIONS", "snapshot_from_page", "snapshot_from_sections"]

SECTIONS = {"protocol": "text", "chain_section": "text", "date_unix": "number", "token": "text", "usd": "number"}
BORROWED = "borrowed"
DAY, LATEST = 86_400.0, 4_102_444_800.0  # seconds; the year 2100
# What a page lists beside what stands on chains; another protocol's token or the protocol's own money.
ELSEWHERE = (
    "staking",
    "pool2",
    "vesting",
    "treasury",
    "offers",
    "ownTokens",
    "doublecounted",
    "liquidstaking",
    "dcAndLsOverlap",
)


def snapshot_from_page(path: Path, as_of: str | dt.date | None) -> Snapshot:
    """Read the page of one protocol at its last date, or the last one by the end of ``as_of``."""
    import pandas as pd

    page = json_of(path)
    if not isinstance(page, dict) or not isinstance(page.get("chainTvls"), dict):
        raise InputError(f"{path}: expected an object with 'chainTvls', got {str(page)[:60]!r}")
    until = _end_of(as_of)
    rows, dates = [], {}
    for section, told in sorted(page["chainTvls"].items()):
        units, usd = (_last(path, section, told, name, until) for name in ("tokens", "tokensInUsd"))
        if units[0] and usd[0] and units[0] != usd[0]:
            raise InputError(
                f"{path}: chainTvls.{section}: expected tokens and tokensInUsd of one date, got {_day(units[0])} and "
                f"{_day(usd[0])}"
            )
        dates[section] = usd[0]
        for token, value in sorted(usd[1].items()):
            rows.append((str(page.get("name") or path.stem), section, token, value, units[1].get(token, math.nan)))
    if not rows:
        raise InputError(f"{path}: chainTvls: expected tokens in USD, got none by {as_of or 'any date'}")
    frame = pd.DataFrame(rows, columns=["protocol", "chain_section", "token", "usd", "units"])
    newest = max(dates.values())
    ended = sorted(name for name, date in dates.items() if 0.0 < date < newest - DAY)
    said = [
        f"sections that end before {_day(newest)} are not taken: "
        + ", ".join(f"{name} ({_day(dates[name])})" for name in ended)
    ]
    frame = frame[~frame["chain_section"].isin(ended)]
    return _snapshot(frame, path, as_of or _day(newest), said if ended else [])


def snapshot_from_sections(path: Path, as_of: str | dt.date | None) -> Snapshot:
    """Read a table of protocols, sections (chain, or chain-borrowed), tokens and USD; units are not in it."""
    frame = outside_table(path, SECTIONS)
    twice = frame.duplicated(["protocol", "chain_section", "token"])
    if twice.any():
        row, shown = frame[twice].iloc[0], ", ".join(map(str, first_rows(twice)[:5]))
        raise InputError(
            f"{path}: token: expected each once in a section, got {row['token']!r} twice in {row['chain_section']!r} "
            f"of {row['protocol']!r} (row {shown})"
        )
    faults = Faults(str(path))
    odd = ~frame["date_unix"].between(0.0, LATEST)
    if odd.any():
        came = f"{frame['date_unix'][odd].iloc[0]:g}"
        faults.add("date_unix", "expected seconds since 1970, before 2100", came, first_rows(odd))
    later = frame["date_unix"] >= _end_of(as_of)
    if later.any():
        came = _day(float(frame["date_unix"][later].min())) if not odd.any() else "later ones"
        faults.add("date_unix", f"expected rows up to {as_of}", came, first_rows(later))
    if frame.empty:
        faults.add("rows", "expected values", "a header alone")
    faults.raise_if_any()
    first, last = float(frame["date_unix"].min()), float(frame["date_unix"].max())
    said = [f"date_unix: rows from {_day(first)} to {_day(last)} are taken as one moment"] if last - first > DAY else []
    return _snapshot(frame.assign(units=math.nan), path, as_of or _day(last), said)


def _end_of(as_of: str | dt.date | None) -> float:
    if as_of is None:
        return math.inf
    try:
        day = dt.date.fromisoformat(str(as_of)[:10])
    except ValueError as error:
        raise InputError(f"as_of: expected a date such as 2025-11-02, got {as_of!r}") from error
    return dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC).timestamp() + 86_400.0


def _day(unix: float) -> str:
    return dt.datetime.fromtimestamp(unix, dt.UTC).date().isoformat()


def _last(path: Path, section: str, told: Any, name: str, until: float) -> tuple[float, dict[str, float]]:
    """Date and tokens of the last entry of a list of a section by a time; nothing where the list is not there."""
    entries = told.get(name) if isinstance(told, dict) else None
    where = f"{path}: chainTvls.{section}.{name}"
    if not entries:
        return 0.0, {}
    try:
        dated = [(float(entry["date"]), entry["tokens"]) for entry in entries]
        none: tuple[float, Any] = (0.0, {})
        if not all(0.0 <= date <= LATEST for date, _ in dated):
            raise ValueError("a date out of range")
        found = max((one for one in dated if one[0] < until), key=lambda one: one[0], default=none)
        values = {str(token): float(value) for token, value in found[1].items()}
        if not all(math.isfinite(value) for value in values.values()):
            raise ValueError("a value that is no number")
        return found[0], values
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise InputError(
            f"{where}: expected a list of date and tokens with numbers, got {str(entries)[:60]!r}"
        ) from error


def _snapshot(rows: pd.DataFrame, path: Path, as_of: str | dt.date, said_before: list[str]) -> Snapshot:
    """All users of a protocol on a chain as one account: supplied = what stands there + what is lent out of it."""
    import pandas as pd

    rows, notes = _on_chains(rows)
    notes = [*said_before, *notes]
    owed = rows["usd"] < 0.0
    wrong = owed & rows["is_borrowed"]
    if wrong.any():
        row = rows[wrong].iloc[0]
        raise InputError(
            f"{path}: usd: expected at least 0 for what is borrowed, got {row['usd']:g} for {row['token']!r} in "
            f"{row['chain_section']!r} of {row['protocol']!r}"
        )
    if owed.any():
        some = ", ".join(
            f"{one.token} at {one.protocol} ({one.usd:,.0f} USD)" for one in rows[owed].head(5).itertuples()
        )
        notes.append(f"positions: {int(owed.sum()):,} values below 0 are debts: {some}{' …' if owed.sum() > 5 else ''}")
    rows = rows.assign(usd=rows["usd"].abs(), units=rows["units"].abs())[rows["usd"] != 0.0]
    if rows.empty:
        raise InputError(f"{path}: usd: expected values, got none but 0")
    prices, said = _prices(rows)
    rows = rows.assign(account="users of " + rows["protocol"] + " (" + rows["chain"] + ")")
    owed = owed.reindex(rows.index)
    supplied = (
        rows[~owed].groupby(["account", "protocol", "token"], as_index=False)["usd"].sum()
    )  # both: it left as a loan
    # what is owed through another token's negative value and what is lent out of it are one debt
    due = rows[rows["is_borrowed"] | owed]
    lent = due.groupby(["account", "protocol", "token"], as_index=False)["usd"].sum()
    parts = [supplied.assign(side="deposit"), lent.assign(side="debt")]
    positions = pd.concat(parts, ignore_index=True).rename(columns={"token": "asset"})
    positions["amount"] = positions.pop("usd") / positions["asset"].map(prices)
    kinds = pd.DataFrame({"protocol": sorted(positions["protocol"].unique()), "kind": "lending"})
    one = (
        "all users of a protocol on a chain are one account: what they owe one another is netted in it, so that looped "
    )
    return Snapshot(
        positions=positions,
        assets=pd.DataFrame({"asset": list(prices.index), "price": prices.to_numpy()}),
        protocols=kinds,
        as_of=as_of,
        notes=(f"{path.name}: {len(rows):,} values", *notes, *said, f"{one}collateral is at most what is shown"),
    )


def _on_chains(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Take sections of chains, and what is borrowed of them; totals over chains and other sections are not taken."""
    section = rows["chain_section"]
    is_borrowed = section.str.endswith(f"-{BORROWED}") | section.eq(BORROWED)
    chain = section.str.removesuffix(f"-{BORROWED}")
    by_chain = rows["protocol"].isin(set(rows["protocol"][section.str.endswith(f"-{BORROWED}")]))
    # the total repeats the chains where they say it; else it is all that is known
    total = section.eq(BORROWED) & by_chain
    other = section.isin(ELSEWHERE) | section.str.contains("-").where(~is_borrowed, False)
    notes = []
    if other.any():
        notes.append(f"sections not taken: {', '.join(sorted(set(section[other])))}")
    if total.any():
        notes.append(f"{int(total.sum()):,} totals of what is borrowed are not taken: chains have it")
        _check_totals(rows, section, total, notes)
    chain = chain.where(section.ne(BORROWED), "all chains")
    keep = ~(total | other)
    return rows.assign(chain=chain, is_borrowed=is_borrowed)[keep], notes


def _check_totals(rows: pd.DataFrame, section: pd.Series[str], total: pd.Series[bool], notes: list[str]) -> None:
    told = rows[total].groupby("protocol")["usd"].sum()
    summed = rows[section.str.endswith(f"-{BORROWED}")].groupby("protocol")["usd"].sum().reindex(told.index)
    off = (told - summed).abs() > 1e-6 * told.abs()
    notes += [f"of {name} they differ: {told[name]:,.0f} against {summed[name]:,.0f} USD" for name in told.index[off]]


def _prices(rows: pd.DataFrame) -> tuple[pd.Series[float], list[str]]:
    """USD a unit where units are told (the largest row's), else 1: one unit is then a dollar's worth."""
    import pandas as pd

    ordered = rows.sort_values(["token", "usd", "chain_section"], ascending=[True, False, True])
    unit = (ordered["usd"] / ordered["units"]).where(ordered["units"] > 0.0)
    first = unit.groupby(ordered["token"]).first()
    bare = sorted(first.index[first.isna()])
    notes = []
    if bare:
        some = f"{', '.join(bare[:5])}{' …' if len(bare) > 5 else ''}"
        notes.append(
            f"assets.price: 1 for {len(bare):,} tokens whose units are not told ({some}): a unit is a dollar's worth"
        )
    spread = unit.groupby(ordered["token"]).agg(lambda one: float(one.max() / one.min()) if one.notna().any() else 1.0)
    wide = spread.index[spread > 1.01]
    if len(wide):
        notes.append(
            f"assets.price: sections differ by more than 1 % for {', '.join(wide[:5])}; the largest's is taken"
        )
    return pd.Series(first.fillna(1.0)), notes
