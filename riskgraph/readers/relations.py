"""What stands behind tokens, and the terms of markets, as published apart from any book; and how a book takes them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from riskgraph.errors import InputError
from riskgraph.readers.aave import RECEIPTS, RESERVES, receipt_tokens, reserves
from riskgraph.readers.outside import columns_of
from riskgraph.showing import Showing
from riskgraph.snapshot.schema import TABLES
from riskgraph.snapshot.snapshot import Snapshot

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["RELATIONS", "Relations", "read_relations"]

_BACKING = ("token", "backed_by", "share", "issuer")
RELATIONS = ("auto", "aave_receipts", "aave_reserves")


@dataclass(frozen=True, eq=False, repr=False)
class Relations(Showing):
    """Tables that a Snapshot can take in, without positions.

    Attributes
    ----------
    assets : DataFrame
        asset, kind.
    backing : DataFrame
        token, backed_by, share, issuer.
    markets : DataFrame
        protocol, asset, ltv, liquidation_threshold, liquidation_bonus, borrowable, usable_as_collateral, …
    notes : tuple of str
        What was taken, left out or assumed.
    at_par : frozenset of str
        Tokens of which one is one of what stands behind it: they tell its price.
    """

    assets: pd.DataFrame
    backing: pd.DataFrame
    markets: pd.DataFrame
    notes: tuple[str, ...]
    at_par: frozenset[str] = frozenset()

    def onto(self, snap: Snapshot) -> Snapshot:
        """Take in what concerns a snapshot's own tokens and markets; what the snapshot says itself stays.

        A token that the snapshot holds and has no backing rows of gets its own, and its kind where the snapshot says
        none. Where what stands behind it is no asset of the snapshot, it is one afterwards, at the token's price, with
        what stands behind it in turn; only a token that is one unit of it tells its price, others (static and staked
        wrappers) are then left out, and named. A market (protocol × asset) where positions stand gets the terms about
        which the snapshot is silent. Where both say something, the snapshot's word stays, and the difference is named.

        Returns
        -------
        Snapshot
            A new one; ``notes`` say how many rows were taken and what was left out.
        """
        import pandas as pd

        given = {name: snap.table(name).arrow() for name in TABLES if len(snap.table(name))}
        assets, backing = (
            _plain(given[name]) if name in given else _nothing(*which)
            for name, which in (("assets", ("asset", "price")), ("backing", _BACKING))
        )
        new, added, left = self._reached(assets, set(backing["token"]))
        kinds = self.assets.set_index("asset")["kind"].to_dict()
        added["kind"] = added["asset"].map(kinds).fillna("")
        told = assets["kind"] if "kind" in assets else pd.Series("", index=assets.index)
        bare = assets["asset"].isin(new["token"]) & told.fillna("").eq("")
        assets["kind"] = told.astype(object).where(~bare, assets["asset"].map(kinds))
        held = _plain(given["positions"])[["protocol", "asset"]].drop_duplicates()
        own = _plain(given["markets"]) if "markets" in given else _no_markets()
        markets, terms = _with_terms(own, self.markets.merge(held, on=["protocol", "asset"]))
        notes = [
            *self.notes,
            *_contradictions(backing, self.backing, ["token"], ["backed_by", "share", "issuer"], "backing"),
            *_contradictions(own, self.markets, ["protocol", "asset"], list(self.markets.columns[2:]), "markets"),
            f"backing: {len(new):,} rows taken of {len(self.backing):,} published",
            f"markets: {terms:,} terms taken of {len(self.markets):,} published markets",
        ]
        if left:
            notes.append(f"backing: {', '.join(left)} left out: what stands behind them is not here, nor its price")
        if len(added):
            some = ", ".join(added["asset"].head(5))
            notes.append(f"assets: {some}{' …' if len(added) > 5 else ''} added at the price of their receipts")
        issuers = sorted(set(new["issuer"]) - {"", *snap.labels("protocol").to_pylist()})
        if issuers:
            there = [_plain(given["protocols"])] if "protocols" in given else []
            fresh = pd.DataFrame({"protocol": issuers, "kind": "lending"})
            given["protocols"] = pd.concat([*there, fresh], ignore_index=True)
            notes.append(f"protocols: {', '.join(issuers)} added: they issued receipts, nothing else of them is here")
        given["assets"] = pd.concat([assets, added], ignore_index=True)
        given |= {"backing": pd.concat([backing, new], ignore_index=True)} if len(new) else {}
        given |= {"markets": markets} if terms else {}
        return Snapshot(**given, as_of=snap.as_of, notes=(*snap.notes, *notes))

    def _reached(self, assets: pd.DataFrame, told: set[str]) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
        """Backing rows of the assets and of what they bring along, the assets brought, and tokens left out."""
        import pandas as pd

        price = dict(zip(assets["asset"], assets["price"].astype(float), strict=True))
        brought: dict[str, float] = {}
        taken, left = [], []
        waiting = list(price)
        rows = self.backing.set_index("token", drop=False)
        while waiting:
            token = waiting.pop(0)
            if token in told or token not in rows.index:
                continue
            row = rows.loc[token]
            behind = str(row["backed_by"])
            if behind not in price and token not in self.at_par:
                left.append(token)
                continue
            taken.append(token)
            if behind not in price:
                price[behind] = brought[behind] = price[token]
                waiting.append(behind)
        added = pd.DataFrame({"asset": list(brought), "price": list(brought.values())})
        return self.backing[self.backing["token"].isin(taken)], added, sorted(left)

    def summary(self) -> str:
        """Say in a few lines what there is."""
        return "\n".join([repr(self).strip("<>"), *(f"  note: {note}" for note in self.notes)])

    def to_frame(self) -> pd.DataFrame:
        """Give the backing where there is one, else the markets."""
        return (self.backing if len(self.backing) else self.markets).copy()

    def shown_tables(self) -> list[pd.DataFrame]:
        """Give the first rows."""
        return [self.to_frame().head(10)]

    def __repr__(self) -> str:
        return f"<Relations: {len(self.backing):,} backing rows, {len(self.markets):,} markets>"


def read_relations(
    path: str | os.PathLike[str],
    format: str = "auto",  # noqa: A002 - as read_snapshot has it
    *,
    network: str | int = "ethereum",
    protocol: str | None = None,
    issuers: Mapping[str, str] | None = None,
) -> Relations:
    """Read published relations between tokens, or published terms of markets.

    Parameters
    ----------
    path : path
        A file of receipt tokens of Aave (CSV with chain_id, token, tags, underlying, pool, …), or of reserves of Aave
        v3 (CSV with network, symbol, loan_to_value, liquidation_threshold, …, or JSON of the same by network).
    format : {"auto", "aave_receipts", "aave_reserves"}
        ``auto`` tells by the columns.
    network : str or int
        Name of the network, or its EIP-155 number.
    protocol : str, optional
        Label of Aave v3 in your book; ``aave_v3`` without one.
    issuers : mapping, optional
        For receipts: address of a pool to the label of the protocol, where the labels given by themselves (``aave_v2``,
        ``aave_v3`` for the pool of a version with most tokens, ``aave_v3:0x4e03…58B1`` for another) do not suit.

    Returns
    -------
    Relations
        ``.onto(snap)`` takes them into a book.

    Raises
    ------
    InputError
        Nothing there, not readable, no such network in it, or cells that are not what they should be; names file,
        column and rows.

    Examples
    --------
    >>> import pathlib, tempfile, pandas as pd, riskgraph as rg
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "reserves.csv"
    >>> terms = {"network": "ethereum", "symbol": "WETH", "loan_to_value": 0.805, "liquidation_threshold": 0.83}
    >>> flags = {"borrowing_enabled": True, "active": True, "frozen": False, "paused": False}
    >>> pd.DataFrame([{**terms, "liquidation_bonus": 0.05, **flags}]).to_csv(file, index=False)
    >>> read_relations(file).markets.iloc[0].to_dict()["liquidation_threshold"]
    0.83
    """
    source = Path(path)
    if format not in RELATIONS:
        raise InputError(f"format: expected one of {', '.join(RELATIONS)}, got {format!r}")
    if not source.is_file():
        came = "a directory" if source.is_dir() else "nothing there"
        raise InputError(f"{source}: expected a file of receipts or reserves, got {came}")
    if format == "auto":
        names = set(columns_of(source)) if source.suffix.lower() != ".json" else set(RESERVES)
        format = "aave_receipts" if set(RECEIPTS) <= names else "aave_reserves" if set(RESERVES) <= names else ""  # noqa: A001
        if not format:
            raise InputError(
                f"{source}: expected the columns {', '.join(RECEIPTS)} (receipts) or {', '.join(RESERVES)} (reserves), "
                f"got {', '.join(sorted(names)) or 'none'}"
            )
    v3 = protocol or "aave_v3"
    if format == "aave_receipts":
        assets, backing, notes, at_par = receipt_tokens(source, network, v3, issuers or {})
        return Relations(assets, backing, _no_markets(), notes, at_par)
    markets, notes = reserves(source, network, v3)
    return Relations(_nothing("asset", "kind"), _nothing(*_BACKING), markets, notes)


def _nothing(*columns: str) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({name: pd.Series([], dtype="float64" if name == "share" else "str") for name in columns})


def _no_markets() -> pd.DataFrame:
    return _nothing("protocol", "asset")


def _plain(table: pa.Table) -> pd.DataFrame:
    """Give a table with labels as texts, so that others can be added."""
    frame: pd.DataFrame = table.to_pandas()
    return frame.astype({name: object for name in frame.columns if frame[name].dtype == "category"})


def _with_terms(given: pd.DataFrame, published: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Add terms to rows of markets where they are empty, and rows where there are none; count what was added."""
    key = ["protocol", "asset"]
    one, other = given.set_index(key), published.set_index(key)
    both = one.reindex(one.index.union(other.index, sort=False))
    taken = 0
    for name in other.columns:
        if name not in both:
            both[name] = None
        new = other[name].reindex(both.index)
        use = both[name].isna() & new.notna()
        both[name] = both[name].astype(object).where(~use, new)
        taken += int(use.sum())
    return both.reset_index(), taken


def _contradictions(
    own: pd.DataFrame, published: pd.DataFrame, key: list[str], columns: list[str], table: str
) -> list[str]:
    """Name where a book says something else than what is published; the book's word stays."""
    both = own.merge(published, on=key, suffixes=("", "_published"))
    found = []
    for name in (name for name in columns if f"{name}_published" in both):
        ours, theirs = both[name], both[f"{name}_published"]
        told = ours.notna() & theirs.notna() & ours.astype(str).ne("")
        off = told & ours.astype(object).ne(theirs.astype(object))
        found += [
            f"{' of '.join(str(row[part]) for part in key[::-1])}: {name} {row[name]} "
            f"(published: {row[name + '_published']})"
            for row in both[off].to_dict("records")
        ]
    if not found:
        return []
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    return [f"{table}: the book says otherwise and is kept: {'; '.join(found[:5])}{more}"]
