"""Frames with every default filled in, and the list of what was defaulted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.snapshot.parameters import RULES
from riskgraph.snapshot.prices import own_prices, par_debts
from riskgraph.snapshot.schema import DOMAINS, KINDS, TABLES
from riskgraph.snapshot.venues import defaults_taken
from riskgraph.wording import counted

if TYPE_CHECKING:
    import pandas as pd

    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["assumptions_of", "categories_of", "filled_frame", "protocol_terms"]


# Why a protocol whose kind is not told is taken for one.
SEEN = {"options": "options stand there", "perp": "longs or shorts stand there", "lending": "no long or short there"}


def protocol_terms(snap: Snapshot) -> tuple[list[str], list[str], list[bool], list[str]]:
    """Kind, rule and whether collateral is lent out of every protocol, and in words what of it was assumed."""
    table = snap.table("protocols")
    names = snap.labels("protocol").to_pylist()
    venues = snap.venues
    kind, rule = list(venues.kind), list(venues.rule)
    lends = np.full(len(names), -1)
    lends[table.code("protocol")] = table.flag("lends_collateral")
    notes = []
    for one, why in SEEN.items():
        taken = [names[at] for at in venues.assumed_kind if kind[at] == one]
        if taken:
            notes.append(f"protocols.kind: taken as {one} ({why}) for {_some(taken)}")
    for one in dict.fromkeys(rule[at] for at in venues.assumed_rule):
        taken = [names[at] for at in venues.assumed_rule if rule[at] == one]
        notes.append(f"protocols.rule: taken as {one} (by kind) for {_some(taken)}")
    open_rule = [names[p] for p in range(len(names)) if lends[p] < 0 and rule[p] == "lending"]
    if open_rule:
        notes.append(f"protocols.lends_collateral: taken as true (rule lending) for {_some(open_rule)}")
    lent = [bool(lends[p]) if lends[p] >= 0 else RULES[rule[p]].lends_collateral for p in range(len(names))]
    return kind, rule, lent, notes


def assumptions_of(snap: Snapshot) -> tuple[str, ...]:
    """Collect everything that was defaulted, derived or looked up, a sentence each."""
    lines = list(snap.notes)
    lines += snap.families.notes
    lines += protocol_terms(snap)[3]
    lines += defaults_taken(snap._built.tables, snap._built.labels)
    lines += _par_note(snap)
    lines += _basket_note(snap)
    lines += _depth_note(snap)
    lines += _entry_note(snap)
    lines += _emode_note(snap)
    lines += _spiral_note(snap)
    lines += _case_notes(snap)
    return tuple(dict.fromkeys(lines))


def _par_note(snap: Snapshot) -> list[str]:
    """Debts that a contract counts at par although they trade elsewhere."""
    n_assets, price = len(snap.labels("asset")), snap.table("assets").number("price")
    markets = snap.table("markets")
    shown = ~np.isnan(markets.number("price"))
    given = markets.code("protocol")[shown].astype(np.int64) * n_assets + markets.code("asset")[shown]
    keys = np.setdiff1d(par_debts(snap._built.tables), given)
    keys = keys[price[keys % n_assets] != 1.0]
    return [
        f"markets.price: {snap.labels('asset')[int(key % n_assets)]} counts at par (1 USD) at "
        f"{snap.labels('protocol')[int(key // n_assets)]}, as its contract has it, not at {price[key % n_assets]:g}"
        for key in keys
    ]


def _basket_note(snap: Snapshot) -> list[str]:
    book, baskets = snap.book, snap.families.is_kind("basket")
    in_basket = baskets[book.asset]
    if not in_basket.any():
        return []
    held, owed = book.rows("collateral", "deposit", "wallet"), book.rows("debt")
    shares = []
    for what, side in (("collateral, deposits and wallets", held), ("debt", owed)):
        total = book.usd[side].sum()
        if total > 0.0:
            shares.append(f"{book.usd[side & in_basket].sum() / total:.1%} of {what}")
    names = ", ".join(snap.labels("asset").filter(_mask(baskets)).to_pylist()[:5])
    return [
        f"assets: {names} stands for tokens that are not known ({'; '.join(shares)}); "
        "never netted, never shocked, no node"
    ]


def _depth_note(snap: Snapshot) -> list[str]:
    book = snap.book
    deep = np.zeros(len(snap.labels("asset")), dtype=bool)
    deep[snap.table("liquidity").code("asset")] = True
    market = snap.families.sold_as
    labels = snap.labels("asset")
    unused = [
        f"liquidity: the row of {labels[int(token)]} is not used, it is redeemed into {labels[int(market[token])]}"
        for token in np.flatnonzero(deep & (market != np.arange(len(deep))))
        if deep[market[token]]
    ]
    deep[market[deep]] = True  # a token and what it is redeemed into share one market
    deep = deep[market]
    lacking = book.rows("collateral") & ~deep[book.asset] & ~snap.families.is_kind("basket")[book.asset]
    if not lacking.any():
        return unused
    names = [labels[int(code)].as_py() for code in np.unique(book.asset[lacking])]
    usd = book.usd[lacking].sum()
    said = f"liquidity: infinite depth (no price impact) for {_some(names)}; ${usd:,.0f} of collateral stands in them"
    return [*unused, said]


def _entry_note(snap: Snapshot) -> list[str]:
    positions = snap.table("positions")
    option = positions.code("option_type") >= 0
    unknown = np.isnan(positions.number("entry_price"))
    blind = int((snap.book.rows("long", "short") & unknown & ~option).sum())
    paid = int((option & ~unknown).sum())
    notes = []
    if blind:
        notes.append(f"positions.entry_price: unknown in {counted(blind, 'row')}; unrealised PnL taken as 0 there")
    if paid:
        notes.append(f"positions.entry_price: not used in {paid:,} rows of options, which count with their value")
    return notes


def _emode_note(snap: Snapshot) -> list[str]:
    if len(snap.table("emodes")):
        return []
    accounts = snap.table("accounts")
    if "emode" not in accounts.codes:
        return []
    real = np.array([name != "0" for name in accounts.labels["emode"].to_pylist()] + [False])  # code -1: none
    named = int(real[accounts.code("emode")].sum())
    words = "there is no table emodes, so the markets' thresholds and bonuses are used"
    return [f"accounts.emode: {named:,} accounts are in a category, but {words}"] if named else []


def _spiral_note(snap: Snapshot) -> list[str]:
    """Terms under which a call lowers health however small it is: LT · (1 + bonus) of 1 or more."""
    names: list[str] = []
    for table in (snap.table("markets"), snap.table("emodes")):
        reach = table.number("liquidation_threshold") * (1.0 + table.number("liquidation_bonus"))
        over = np.flatnonzero(reach >= 1.0 - 4.0 * np.finfo(np.float64).eps)
        assets = snap.labels("asset").take(table.code("asset")[over]).to_pylist()
        protocols = snap.labels("protocol").take(table.code("protocol")[over]).to_pylist()
        names += [f"{asset} at {protocol}" for asset, protocol in zip(assets, protocols, strict=True)]
    if not names:
        return []
    return [
        f"markets.liquidation_threshold: at or over 1 ÷ (1 + liquidation_bonus) for {_some(names)}; "
        "a liquidation call there lowers health even from 1"
    ]


def _case_notes(snap: Snapshot) -> list[str]:
    """Labels that differ in upper and lower case only may be one thing written twice."""
    import pyarrow.compute as pc

    notes = []
    for domain in ("account", "protocol", "asset"):
        labels = snap.labels(domain)
        counts = pc.value_counts(pc.utf8_lower(labels))
        twice = counts.filter(pc.greater(counts.field("counts"), 1)).field("values").to_pylist()
        if twice:
            told = f"{_some(sorted(twice))} stand in more than one spelling (upper and lower case)"
            notes.append(f"positions.{domain}: {told} and are taken as different")
    return notes


def categories_of(snap: Snapshot) -> dict[str, pd.CategoricalDtype]:
    """Make the labels of every shared label space categories; buckets with the empty label (cross) last."""
    import pandas as pd
    import pyarrow as pa

    found = {}
    for domain in DOMAINS:
        labels = snap.labels(domain)
        if domain == "bucket":
            labels = pa.concat_arrays([labels, pa.array([""], pa.large_string())])
        index = pd.Index(pd.array(labels, dtype="str"), copy=False)
        index.is_monotonic_increasing  # noqa: B018 - sorted labels are told to be unique in half the time this way
        found[domain] = pd.CategoricalDtype(index)
    return found


def filled_frame(snap: Snapshot, name: str) -> pd.DataFrame:
    """Return one table with every column of its schema and every default that riskgraph works with."""
    import pandas as pd

    frame = snap.table(name).frame()
    if name == "assets":
        frame["kind"] = [KINDS[code] for code in snap.families.kind]
        frame["family"] = [snap.families.names[code] for code in snap.families.family]
    elif name == "protocols":
        kind, rule, lends, _ = protocol_terms(snap)
        index = snap.labels("protocol").to_pylist()
        frame = frame.set_index("protocol").reindex(index) if len(frame) else pd.DataFrame(index=index)
        frame = frame.rename_axis("protocol").assign(kind=kind, rule=rule, lends_collateral=lends).reset_index()
    elif name == "markets":
        frame = _filled_markets(snap, frame)
    elif name == "backing" and snap.families.assumed:
        more = pd.DataFrame(snap.families.assumed, columns=["token", "backed_by", "share"])
        frame = pd.concat([frame.astype({c: object for c in frame if c != "share"}), more], ignore_index=True)
    declared = [column.name for column in TABLES[name].columns]
    empty: dict[str, Any] = {"number": np.nan, "flag": pd.NA}
    for column in TABLES[name].columns:
        if column.name not in frame and (name, column.name) != ("positions", "usd"):
            frame[column.name] = empty.get(column.kind, "")
    return frame[[column for column in declared if column in frame]]


def _filled_markets(snap: Snapshot, frame: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    book = snap.book
    n_assets = len(snap.labels("asset"))
    placed = book.protocol >= 0
    used = np.unique(book.protocol[placed].astype(np.int64) * n_assets + book.asset[placed])
    given = snap.table("markets").code("protocol").astype(np.int64) * n_assets + snap.table("markets").code("asset")
    keys = np.union1d(used, given)
    pairs = pd.DataFrame(
        {
            "protocol": snap.labels("protocol").to_numpy(zero_copy_only=False)[keys // n_assets],
            "asset": snap.labels("asset").to_numpy(zero_copy_only=False)[keys % n_assets],
        }
    )
    prices = own_prices(snap._built.tables, keys // n_assets, keys % n_assets)
    if len(frame):
        frame = pairs.merge(frame.astype({"protocol": object, "asset": object}), how="left", on=["protocol", "asset"])
    else:
        frame = pairs
    shown = frame["price"].to_numpy(dtype=float) if "price" in frame else np.full(len(frame), np.nan)
    return frame.assign(price=np.where(np.isnan(shown), prices, shown))


def _some(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _mask(values: np.ndarray) -> object:
    import pyarrow as pa

    return pa.array(values)
