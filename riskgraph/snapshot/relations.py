"""What must hold between the rows of stored tables, and which rows say nothing that is not said elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from riskgraph.arrays import Bools, read_only, summed
from riskgraph.errors import Faults
from riskgraph.snapshot.prices import own_prices
from riskgraph.snapshot.tables import Table
from riskgraph.snapshot.venues import check_parameters

__all__ = ["check_relations", "without_defaults"]


def check_relations(tables: Mapping[str, Table], labels: Mapping[str, Any], faults: Faults) -> None:
    """Check sums, loops of one, references by pair, and rows of one thing that contradict one another."""
    _check_backing(tables["backing"], labels, faults)
    _check_claims(tables["claims"], labels, faults)
    _check_emodes(tables, faults)
    _check_liquidity(tables["liquidity"], labels, faults)
    _check_tiers(tables["tiers"], labels, faults)
    if not faults.lines:
        check_parameters(tables, labels, faults)
        _check_remainders(tables, labels, faults)


def without_defaults(tables: Mapping[str, Table]) -> Table:
    """Leave out of ``markets`` prices that stand there by default, and rows in which nothing else is given.

    A frame of ``markets`` comes with every default filled in: handed back, it must not pin today's prices.
    """
    markets = tables["markets"]
    if "price" in markets.numbers:
        shown = markets.number("price")
        own = own_prices(tables, markets.code("protocol"), markets.code("asset"))
        shown = np.where(shown == own, np.nan, shown)
        markets = replace(markets, numbers={**markets.numbers, "price": read_only(shown)})
    numbers = {name: values for name, values in markets.numbers.items() if not np.isnan(values).all()}
    told = np.zeros(len(markets), dtype=bool)
    for values in numbers.values():
        told |= ~np.isnan(values)
    for flags in markets.flags.values():
        told |= flags >= 0
    return replace(
        markets,
        length=int(told.sum()),
        codes={name: read_only(codes[told]) for name, codes in markets.codes.items()},
        numbers={name: read_only(values[told]) for name, values in numbers.items()},
        flags={name: read_only(flags[told]) for name, flags in markets.flags.items()},
    )


def _check_liquidity(liquidity: Table, labels: Mapping[str, Any], faults: Faults) -> None:
    """One asset, one model: a depth, or the points of one table."""
    asset = liquidity.code("asset")
    if not len(liquidity) or (asset < 0).any():
        return
    for column in ("model", "price_kind", "against"):
        pairs = np.unique(np.stack([asset, liquidity.code(column)]), axis=1)
        twice = np.flatnonzero(np.bincount(pairs[0]) > 1)
        if len(twice):
            names = ", ".join(str(labels["asset"][int(at)]) for at in twice[:5])
            faults.add(f"liquidity.{column}", "expected one value for all rows of an asset", f"several for {names}")


def _check_tiers(tiers: Table, labels: Mapping[str, Any], faults: Faults) -> None:
    """Tiers begin at 0, below which there would be no margin at all, and ask no less for more."""
    start, rate = tiers.number("notional_from_usd"), tiers.number("maintenance_margin")
    pairs = np.stack([tiers.code("protocol"), tiers.code("asset")])
    if not len(tiers) or (pairs < 0).any():
        return

    def named(rows: Bools) -> str:
        found = np.unique(pairs[:, rows], axis=1).T[:5]
        return ", ".join(f"{labels['asset'][int(asset)]} at {labels['protocol'][int(place)]}" for place, asset in found)

    first = np.ones(len(tiers), dtype=bool)  # rows are sorted by protocol, asset, notional
    first[1:] = (np.diff(pairs, axis=1) != 0).any(axis=0)
    high = first & (start > 0.0)
    if high.any():
        faults.add("tiers.notional_from_usd", "expected a first tier from 0", f"{start[high][0]:g} for {named(high)}")
    twice = ~first & np.append(False, np.diff(start) == 0.0)
    if twice.any():
        faults.add(
            "tiers.notional_from_usd", "expected every tier once", f"two from {start[twice][0]:g} for {named(twice)}"
        )
    falls = ~first & ~twice & np.append(False, np.diff(rate) < 0.0)
    if falls.any():
        at = int(np.argmax(falls))
        came = f"{rate[at]:g} from {start[at]:g} after {rate[at - 1]:g} for {named(falls)} (tiers out of order)"
        faults.add("tiers.maintenance_margin", "expected rates that do not fall as the notional rises", came)


def _check_remainders(tables: Mapping[str, Table], labels: Mapping[str, Any], faults: Faults) -> None:
    """Check that every published remainder belongs to one margin account."""
    accounts, positions = tables["accounts"], tables["positions"]
    width = len(labels["protocol"]) + 1
    bucket = positions.code("bucket").astype(np.int64)
    placed = positions.code("protocol") >= 0
    pair = positions.code("account").astype(np.int64) * width + positions.code("protocol")
    margins = np.unique(np.stack([pair[placed], bucket[placed]]), axis=1)[0]
    known, count = np.unique(margins, return_counts=True)
    wanted = accounts.code("account").astype(np.int64) * width + accounts.code("protocol")
    found = np.zeros(len(wanted), dtype=np.int64)
    at = np.minimum(np.searchsorted(known, wanted), max(len(known) - 1, 0))
    if len(known):
        found = np.where(known[at] == wanted, count[at], 0)
    for column in ("collateral_remainder_usd", "debt_remainder_usd"):
        off = (np.nan_to_num(accounts.number(column)) != 0.0) & (found != 1)
        if off.any():
            names = ", ".join(str(labels["account"][int(code)]) for code in accounts.code("account")[off][:5])
            what = "expected one margin account of the positions that it belongs to (a row there, no several buckets)"
            faults.add(f"accounts.{column}", what, f"another number for {names}")


def _check_backing(backing: Table, labels: Mapping[str, Any], faults: Faults) -> None:
    if (
        not len(backing)
        or "share" not in backing.numbers
        or "token" not in backing.codes
        or "backed_by" not in backing.codes
    ):
        return
    token, share = backing.code("token"), backing.number("share")
    known = token >= 0
    total = summed(token[known], share[known], len(labels["asset"]))
    over = np.flatnonzero(total > 1.0 + 1e-12)
    if len(over):
        names = ", ".join(f"{labels['asset'][int(at)]} = {total[at]:g}" for at in over[:5])
        faults.add("backing.share", "expected shares of one token to sum to at most 1", names)
    issuer = backing.code("issuer")
    pairs = np.unique(np.stack([token, issuer])[:, issuer >= 0], axis=1)
    twice = np.flatnonzero(np.bincount(pairs[0], minlength=1) > 1)
    if len(twice):
        names = ", ".join(str(labels["asset"][int(at)]) for at in twice[:5])
        faults.add("backing.issuer", "expected one issuer a token", f"several for {names}")
    own = backing.code("backed_by") == token
    if own.any():
        names = ", ".join(str(labels["asset"][int(at)]) for at in token[own][:5])
        faults.add("backing.backed_by", "expected no token that backs itself", names)


def _check_claims(claims: Table, labels: Mapping[str, Any], faults: Faults) -> None:
    own = (claims.code("creditor") == claims.code("debtor")) & (claims.code("debtor") >= 0)
    if own.any():
        names = ", ".join(sorted({str(labels["protocol"][int(at)]) for at in claims.code("debtor")[own]})[:5])
        faults.add("claims.debtor", "expected another protocol than the creditor", names)


def _check_emodes(tables: Mapping[str, Table], faults: Faults) -> None:
    accounts, emodes = tables["accounts"], tables["emodes"]
    if "emode" not in accounts.codes:
        return
    known = set(zip(emodes.code("protocol").tolist(), emodes.text("category"), strict=True))
    categories = [*accounts.labels["emode"].to_pylist(), ""]
    pairs = np.stack([accounts.code("protocol"), accounts.code("emode")])
    used = {(int(p), categories[e]) for p, e in np.unique(pairs, axis=1).T if categories[e] not in ("", "0")}
    unknown = sorted(category for _, category in used - known)
    if unknown and len(emodes):
        faults.add("accounts.emode", "expected a category of that protocol in the table emodes", ", ".join(unknown[:5]))
