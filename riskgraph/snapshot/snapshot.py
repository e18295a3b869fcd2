"""Snapshot: one moment of a market as tables, validated once and immutable after."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from riskgraph.arrays import summed
from riskgraph.errors import InputError
from riskgraph.snapshot.building import Built, build
from riskgraph.snapshot.digest import digest_of
from riskgraph.snapshot.schema import TABLES
from riskgraph.wording import counted

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from riskgraph.snapshot.book import Book
    from riskgraph.snapshot.families import Families
    from riskgraph.snapshot.rows import Rows
    from riskgraph.snapshot.tables import Table
    from riskgraph.snapshot.venues import Venues

__all__ = ["Snapshot", "check_snapshot"]


class Snapshot:
    """One moment of a market: positions, prices, protocols, and what else is known about them.

    Tables come in as pandas frames (or Arrow tables), are validated once with all faults in one message, and are held
    as codes and arrays. Only ``positions`` and prices are required; what was defaulted is said in ``assumptions``.

    Parameters
    ----------
    positions : DataFrame
        account, protocol (empty for a wallet), asset, side, amount (units) or usd; see ``riskgraph.snapshot.schema``
        for every column, unit and range of every table.
    assets : DataFrame, optional
        asset, price (USD a unit), kind, family, …. Without it every price is taken from usd ÷ amount of the rows.
    protocols, markets, emodes, accounts, tiers, backing, claims, liquidity : DataFrame, optional
        The other tables of a snapshot.
    as_of : str or datetime, optional
        The moment that the tables show (ISO 8601).

    Raises
    ------
    InputError
        Any table is not what is expected: table, column, rows (row 1 is the first row of data), expected and got.

    Examples
    --------
    >>> import pandas as pd
    >>> snap = Snapshot(
    ...     positions=pd.DataFrame({
    ...         "account": ["ann", "ann"], "protocol": ["lend", "lend"], "asset": ["ETH", "USDC"],
    ...         "side": ["collateral", "debt"], "amount": [10.0, 9000.0]}),
    ...     assets=pd.DataFrame({"asset": ["ETH", "USDC"], "price": [1500.0, 1.0]}))
    >>> snap
    <Snapshot: 2 positions of 1 account at 1 protocol in 2 assets; $15,000 long, $9,000 owed>
    """

    def __init__(
        self,
        positions: pd.DataFrame | pa.Table,
        assets: pd.DataFrame | pa.Table | None = None,
        protocols: pd.DataFrame | pa.Table | None = None,
        markets: pd.DataFrame | pa.Table | None = None,
        emodes: pd.DataFrame | pa.Table | None = None,
        accounts: pd.DataFrame | pa.Table | None = None,
        tiers: pd.DataFrame | pa.Table | None = None,
        backing: pd.DataFrame | pa.Table | None = None,
        claims: pd.DataFrame | pa.Table | None = None,
        liquidity: pd.DataFrame | pa.Table | None = None,
        as_of: str | dt.date | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        given = locals()
        built = build({name: given[name] for name in TABLES})
        self._hold(built, _moment(as_of), (*notes, *built.notes))
        if len(self.table("backing")):
            self.families  # noqa: B018 - refuses loops of backing with a gain of 1 or more here, not on first use

    def _hold(self, built: Built, as_of: str | None, notes: tuple[str, ...]) -> None:
        self._built = built
        self.as_of = as_of
        self.notes = notes
        self._frozen = True

    def __setattr__(self, name: str, value: object) -> None:
        if getattr(self, "_frozen", False) and name not in ("__dict__",):
            raise AttributeError(f"a Snapshot does not change; use replace({name}=…)")
        super().__setattr__(name, value)

    # -- the tables -------------------------------------------------------------------------------

    def table(self, name: str) -> Table:
        """Return the stored form of one table (codes, floats, flags; rows sorted by key)."""
        return self._built.tables[name]

    def labels(self, domain: str) -> Any:
        """Sorted labels of ``account``, ``protocol``, ``asset`` or ``bucket`` as an Arrow array."""
        return self._built.labels[domain]

    @cached_property
    def rows(self) -> Rows:
        """Rows, margin accounts and terms as arrays: what snapshots share that differ in prices only."""
        from riskgraph.snapshot.rows import rows_of

        self.categories  # noqa: B018 - made here, once: a million labels would cost each first frame 20 matvecs
        return rows_of(self)

    @cached_property
    def book(self) -> Book:
        """Rows with prices and margin accounts as arrays: what every computation starts from."""
        from riskgraph.snapshot.book import book_of

        return book_of(self)

    @cached_property
    def categories(self) -> Mapping[str, pd.CategoricalDtype]:
        """Labels of every shared label space as the categories of a frame, buckets with the empty one (cross) last."""
        from riskgraph.snapshot.frames import categories_of

        return categories_of(self)

    @cached_property
    def families(self) -> Families:
        """Kind, family, numeraire and backing of every asset, given or assumed."""
        from riskgraph.snapshot.families import families_of

        return families_of(self)

    @cached_property
    def venues(self) -> Venues:
        """Kind and rule of every protocol, given or by kind."""
        from riskgraph.snapshot.venues import venues_of

        return venues_of(self._built.tables, len(self.labels("protocol")))

    def _frame(self, name: str) -> pd.DataFrame:
        from riskgraph.snapshot.frames import filled_frame

        return filled_frame(self, name)

    @property
    def positions(self) -> pd.DataFrame:
        """Positions, a row each, every default filled in."""
        return self._frame("positions")

    @property
    def assets(self) -> pd.DataFrame:
        """Assets with price, kind and family, every default filled in."""
        return self._frame("assets")

    @property
    def protocols(self) -> pd.DataFrame:
        """Protocols with kind, rule and parameters, every default filled in."""
        return self._frame("protocols")

    @property
    def markets(self) -> pd.DataFrame:
        """Protocol × asset terms; a row for every pair that is given or used."""
        return self._frame("markets")

    @property
    def emodes(self) -> pd.DataFrame:
        """Terms of e-mode categories."""
        return self._frame("emodes")

    @property
    def accounts(self) -> pd.DataFrame:
        """What is known of single accounts."""
        return self._frame("accounts")

    @property
    def tiers(self) -> pd.DataFrame:
        """Maintenance margin by notional tier."""
        return self._frame("tiers")

    @property
    def backing(self) -> pd.DataFrame:
        """What stands behind each token: given rows, then assumed ones."""
        return self._frame("backing")

    @property
    def claims(self) -> pd.DataFrame:
        """Claims between protocols."""
        return self._frame("claims")

    @property
    def liquidity(self) -> pd.DataFrame:
        """Depth of each asset's market."""
        return self._frame("liquidity")

    # -- what it is -------------------------------------------------------------------------------

    @cached_property
    def digest(self) -> str:
        """Hash over every table, column and ``as_of``, independent of row order and machine."""
        return digest_of(self._built.tables, self.as_of)

    @cached_property
    def nbytes(self) -> int:
        """Bytes held: every array and label once."""
        arrays = {}
        labels = {id(space): space for space in self._built.labels.values()}
        for table in self._built.tables.values():
            for column in (*table.codes.values(), *table.numbers.values(), *table.flags.values()):
                arrays[id(column)] = column.nbytes
            labels |= {id(space): space for space in table.labels.values()}
        return sum(arrays.values()) + sum(int(space.nbytes) for space in labels.values())

    @cached_property
    def assumptions(self) -> tuple[str, ...]:
        """Everything that was defaulted, derived or looked up, a sentence each."""
        from riskgraph.snapshot.frames import assumptions_of

        return assumptions_of(self)

    @cached_property
    def totals_usd(self) -> Mapping[str, float]:
        """USD by side over all rows."""
        from riskgraph.snapshot.schema import SIDES

        usd = summed(self.book.side, self.book.usd, len(SIDES))
        return {side: float(value) for side, value in zip(SIDES, usd, strict=True) if value}

    def summary(self) -> str:
        """Say in a few lines what the snapshot holds and what was assumed."""
        lines = [
            repr(self).strip("<>"),
            *(f"  {side}: ${value:,.0f}" for side, value in self.totals_usd.items()),
            f"  as of {self.as_of or 'not said'}; digest {self.digest}; {self.nbytes:,} bytes",
            *(f"  assumed: {line}" for line in self.assumptions),
        ]
        return "\n".join(lines)

    def __repr__(self) -> str:
        counts = {d: len(self.labels(d)) for d in ("account", "protocol", "asset")}
        usd = self.totals_usd
        held = sum(value for side, value in usd.items() if side in ("collateral", "deposit", "wallet", "long"))

        return (
            f"<Snapshot: {counted(len(self.table('positions')), 'position')} of "
            f"{counted(counts['account'], 'account')} at "
            f"{counted(counts['protocol'], 'protocol')} in {counted(counts['asset'], 'asset')}; "
            f"${held:,.0f} long, ${usd.get('debt', 0.0) + usd.get('short', 0.0):,.0f} owed>"
        )

    def _repr_html_(self) -> str:
        import html

        return f"<pre>{html.escape(self.summary())}</pre>"

    # -- new snapshots ----------------------------------------------------------------------------

    def replace(
        self, *, as_of: str | dt.date | None = None, note: str = "", **tables: pd.DataFrame | pa.Table | None
    ) -> Snapshot:
        """Return a new Snapshot with some tables exchanged; the others stay as they are. ``note`` says what was done.

        Raises
        ------
        InputError
            A table name is unknown, or the new tables do not fit the others.
        """
        unknown = [name for name in tables if name not in TABLES]
        if unknown:
            raise InputError(f"replace: expected tables among {', '.join(TABLES)}, got {', '.join(unknown)}")
        kept = {name: table.arrow() for name, table in self._built.tables.items() if len(table)}
        notes = (*self.notes, note) if note else self.notes
        return Snapshot(**{**kept, **tables}, as_of=as_of or self.as_of, notes=notes)

    def _with_tables(self, tables: Mapping[str, Table], note: str) -> Snapshot:
        """Return the same book with some stored tables exchanged, already checked by who made them."""
        fresh = Snapshot.__new__(Snapshot)
        built = Built({**self._built.tables, **tables}, self._built.labels, self._built.notes)
        fresh._hold(built, self.as_of, (*self.notes, note))
        fresh.__dict__.update(categories=self.categories)  # of the same labels
        return fresh

    def _at_prices(self, tables: Mapping[str, Table], note: str) -> Snapshot:
        """Return the same book with tables that differ in prices only; what does not depend on prices is shared."""
        fresh = self._with_tables(tables, note)
        known = {"families": self.families} if "families" in self.__dict__ else {}
        fresh.__dict__.update(rows=self.rows, venues=self.venues, **known)
        return fresh

    def _at_book(self, book: Book) -> Snapshot:
        """Return the same snapshot with other prices put to its rows."""
        fresh = self._at_prices({}, "")
        fresh.__dict__.update(book=book)
        return fresh

    def with_prices(self, prices: Mapping[str, float]) -> Snapshot:
        """Return the same book at the given market prices (asset to USD a unit); nothing else follows.

        A price that a protocol shows of its own moves by the same factor (see
        :func:`riskgraph.snapshot.shocks.with_prices`).
        """
        from riskgraph.snapshot import shocks

        return shocks.with_prices(self, prices)

    def with_shock(
        self,
        shock: Mapping[str, float],
        follow: str = "backing",
        *,
        correlation: pd.DataFrame | None = None,
    ) -> Snapshot:
        """Return the same book after relative price moves (asset to move above -1; -0.3 is a fall of 30 %).

        ``follow`` says who else moves: ``backing`` (whatever the named tokens back), ``family``, ``none`` or
        ``correlation`` (see :func:`riskgraph.snapshot.shocks.with_shock`).
        """
        from riskgraph.snapshot import shocks

        return shocks.with_shock(self, shock, follow, correlation=correlation)

    def isolated(self) -> Snapshot:
        """Return the same book under isolated margin: every long and short of a cross account in a bucket of its own.

        A bucket holds its share of the account's equity, by initial (else maintenance) margin; accounts with equity of
        0 or less are left out, and said in ``notes`` (see :func:`riskgraph.snapshot.isolation.isolation_of`).
        """
        from riskgraph.snapshot.isolation import isolation_of

        return isolation_of(self).after

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write a folder of Parquet files, or one DuckDB file where ``path`` ends in ``.duckdb``; whole or not at all.

        Reading it with :func:`riskgraph.read_snapshot` gives a Snapshot with the same digest.
        """
        from riskgraph.snapshot.store import write_snapshot

        write_snapshot(self, path)


def check_snapshot(given: object) -> None:
    """Refuse anything that is no Snapshot, with words that say what is."""
    if not isinstance(given, Snapshot):
        raise InputError(f"snap: expected a Snapshot (read_snapshot gives one), got {type(given).__name__}")


def _moment(as_of: str | dt.date | None) -> str | None:
    if as_of is None:
        return None
    try:
        if isinstance(as_of, str):
            dt.datetime.fromisoformat(as_of)
            return as_of
        return as_of.isoformat()
    except (ValueError, AttributeError) as error:
        raise InputError(f"as_of: expected an ISO 8601 date or time, got {as_of!r}") from error
