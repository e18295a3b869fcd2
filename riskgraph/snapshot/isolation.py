"""The same book under isolated margin: every position of a cross account in a bucket of its own (METHODS 5.9)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints, Labels
from riskgraph.errors import InputError
from riskgraph.snapshot.isolated_margin import Margin, margin_equity, margin_shares, split_margin
from riskgraph.snapshot.options import option_rows, option_usd

if TYPE_CHECKING:
    import pandas as pd

    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["Isolation", "isolation_of"]


@dataclass(frozen=True, eq=False)
class Isolation:
    """A book under isolated margin, and what became of each position and account.

    Attributes
    ----------
    before, after : Snapshot
        The book as it was, and with a bucket a position.
    rows : ndarray of int, shape (n_positions,)
        Rows of ``before`` that have a bucket of their own now.
    bucket : ndarray of str, shape (n_positions,)
    share, equity : ndarray, shape (n_positions,)
        Share of the account's margin requirement, and of its equity (USD).
    initial : ndarray of bool, shape (n_positions,)
        Whether shares are by initial margin (else by maintenance margin).
    left_out : ndarray of int, shape (n_left,)
        Margin accounts of ``before`` with equity of 0 or less: in ``after`` they hold nothing.
    left_equity : ndarray, shape (n_left,)
        USD.
    """

    before: Snapshot
    after: Snapshot
    rows: Ints
    bucket: Labels
    share: Floats
    equity: Floats
    initial: Bools
    left_out: Ints
    left_equity: Floats

    @cached_property
    def positions(self) -> pd.DataFrame:
        """Frame by position: its columns in ``before``, its bucket in ``after``, share, equity_usd, by_initial."""
        frame = self.before.positions.iloc[self.rows].reset_index(drop=True)
        told = {"share": self.share, "equity_usd": self.equity, "by_initial": self.initial}
        return frame.assign(bucket=self.bucket, **told)

    @cached_property
    def cross(self) -> Snapshot:
        """The book as it was, without the accounts that are left out of ``after``: the other side of a comparison."""
        if not len(self.left_out):
            return self.before
        emptied = np.zeros(len(self.before.book.margin_account), dtype=bool)
        emptied[self.left_out] = True
        gone = _margin_rows(self.before, emptied)
        note = f"cross: {_left_out(self.before, self.left_out)}"
        return _replaced(self.before, _stored(self.before)[~gone], gone, emptied, note)

    @cached_property
    def accounts_left_out(self) -> pd.DataFrame:
        """Frame by account that is left out: account, protocol, equity_usd and number of positions."""
        import pandas as pd

        book = self.before.book
        traded = book.rows("long", "short") & (book.margin >= 0)
        held = np.bincount(book.margin[traded], minlength=len(book.margin_account))
        named = {
            name: self.before.labels(name).take(codes[self.left_out]).to_pylist()
            for name, codes in (("account", book.margin_account), ("protocol", book.margin_protocol))
        }
        return pd.DataFrame({**named, "equity_usd": self.left_equity, "positions": held[self.left_out]})


def isolation_of(snap: Snapshot) -> Isolation:
    r"""Put every long and short of a cross account into a bucket of its own.

    .. math:: E_k = \frac{M_k}{\sum_j M_j} \, E, \qquad C_k = E_k - V_k

    with the account's equity E (as its health counts it), the margin M that position k needs alone (initial where
    ``markets.initial_margin`` gives it for all of the account's positions, else maintenance; under ``portfolio_margin``
    its scan risk), and the value V of options. C is what the bucket's margin counts for, after haircuts, split over the
    account's collateral in proportion to what that counts for; below 0 (an option that is worth more than its share)
    the bucket owes it. An account without collateral of any value gets the venue's settlement asset. Entry prices are
    today's, since PnL so far is in E. Buckets that there are, and the account of the venue itself (its backstop), stay.

    Raises
    ------
    InputError
        A maintenance margin is missing, or the equity of an account can be put into no token, or no account is left.

    Examples
    --------
    3,000 USDC and a gain of 1,000 are an equity of 4,000; BTC needs 400 (2 %) and ETH 500 (5 %): 4/9 and 5/9 of it.

    >>> import pandas as pd, riskgraph as rg
    >>> snap = rg.Snapshot(
    ...     positions=pd.DataFrame({
    ...         "account": "ann", "protocol": "perps", "asset": ["BTC", "ETH", "USDC"],
    ...         "side": ["long", "short", "collateral"], "amount": [1.0, 10.0, 3000.0],
    ...         "entry_price": [19000.0, 1000.0, None]}),
    ...     assets=pd.DataFrame({"asset": ["BTC", "ETH", "USDC"], "price": [20000.0, 1000.0, 1.0]}),
    ...     markets=pd.DataFrame({
    ...         "protocol": "perps", "asset": ["BTC", "ETH"], "maintenance_margin": [0.02, 0.05]}))
    >>> isolation_of(snap).positions.set_index("bucket")["equity_usd"].round(2).to_dict()
    {'BTC long': 1777.78, 'ETH short': 2222.22}
    >>> rg.health(snap.isolated())["health"].round(4).tolist() == rg.health(snap)["health"].round(4).tolist() * 2
    True
    """
    book = snap.book
    traded = book.rows("long", "short") & (book.margin >= 0)
    split = (np.bincount(book.margin[traded], minlength=len(book.margin_account)) > 0) & (book.margin_bucket < 0)
    split &= ~_venues_own(snap)
    equity = margin_equity(snap)
    solvent = split & (equity > 0.0)
    rows, left = np.flatnonzero(traded & np.append(solvent, False)[book.margin]), np.flatnonzero(split & ~solvent)
    share, initial = margin_shares(snap, rows)
    mine = share * equity[book.margin[rows]]
    margin = split_margin(snap, rows, mine - option_usd(snap)[rows])
    bucket = _labels(snap, rows)
    note = "; ".join(_notes(snap, rows, initial, margin, left))
    after = _isolated(snap, rows, bucket, margin, split, note)
    return Isolation(snap, after, rows, bucket, share, mine, initial, left, equity[left])


def _venues_own(snap: Snapshot) -> Bools:
    """Margin accounts that belong to the venue itself: they have its label."""
    import pyarrow.compute as pc

    book, protocols = snap.book, snap.labels("protocol")
    place = pc.index_in(protocols, value_set=snap.labels("account")).fill_null(-2).to_numpy(zero_copy_only=False)
    own: Bools = place[book.margin_protocol] == book.margin_account
    return own


def _labels(snap: Snapshot, rows: Ints) -> Labels:
    """Name a bucket for every position: asset and side, of options their terms too; none that is taken already."""
    positions, taken = snap.table("positions"), set(snap.labels("bucket").to_pylist())
    assets, sides = snap.labels("asset").take(snap.book.asset[rows]).to_pylist(), positions.text("side")
    options = option_rows(snap)[rows]
    kinds = positions.text("option_type")
    strike, expiry = positions.number("strike"), positions.number("expiry")
    labels = np.empty(len(rows), dtype=object)
    for at, (row, asset) in enumerate(zip(rows.tolist(), assets, strict=True)):
        label = f"{asset} {sides[row]}"
        if options[at]:
            terms = (np.format_float_positional(value, trim="-") for value in (strike[row], expiry[row]))
            label += f" {kinds[row]} {' '.join(terms)}"
        while label in taken:
            label += " (from cross)"
        labels[at] = label
    return labels


def _isolated(snap: Snapshot, rows: Ints, bucket: Labels, margin: Margin, split: Bools, note: str) -> Snapshot:
    """Build the book anew: positions in their buckets, their margin beside them, what was there before gone."""
    import pandas as pd

    book, frame = snap.book, _stored(snap)
    frame.loc[rows, "bucket"] = bucket
    frame.loc[rows, "entry_price"] = np.where((book.price > 0.0) & ~option_rows(snap), book.price, np.nan)[rows]
    of = rows[margin.position]
    cash = frame.loc[of, ["account", "protocol", "bucket"]].assign(
        asset=snap.labels("asset").take(margin.token).to_pylist(),
        side=np.where(margin.units < 0.0, "debt", "collateral").astype(object),
        amount=np.abs(margin.units),
    )
    gone = _margin_rows(snap, split)
    gone[rows] = False
    return _replaced(snap, pd.concat([frame[~gone], cash], ignore_index=True), gone, split, note)


def _stored(snap: Snapshot) -> pd.DataFrame:
    """Positions as they are stored, with every column that isolation writes."""
    positions = snap.table("positions")
    frame = positions.frame().astype(dict.fromkeys(positions.codes, object))
    for name, blank in (("bucket", ""), ("entry_price", np.nan)):
        if name not in frame:
            frame[name] = blank
    return frame


def _margin_rows(snap: Snapshot, margins: Bools) -> Bools:
    """Which rows are positions or margin of some margin accounts."""
    book = snap.book
    rows: Bools = book.rows("long", "short", "collateral", "debt") & np.append(margins, False)[book.margin]
    return rows


def _replaced(snap: Snapshot, positions: pd.DataFrame, gone: Bools, emptied: Bools, note: str) -> Snapshot:
    """Put other positions in the place of rows that are gone, with all the margin of some accounts."""
    if positions.empty:
        raise InputError(f"isolated: expected an account with equity above 0 or without positions, got none ({note})")
    tables: dict[str, Any] = {
        "positions": positions,
        **_accounts(snap, emptied, set(positions["account"])),
        **_protocols(snap, gone),
    }
    return snap.replace(note=note, **tables)


def _accounts(snap: Snapshot, split: Bools, known: set[str]) -> dict[str, pd.DataFrame]:
    """Take accounts that hold nothing any more out of ``accounts``, and remainders that are in equity now."""
    accounts, book = snap.table("accounts"), snap.book
    if not len(accounts):
        return {}
    frame, n_protocols = accounts.frame().astype(dict.fromkeys(accounts.codes, object)), len(snap.labels("protocol"))
    keys = book.margin_account[split].astype(np.int64) * n_protocols + book.margin_protocol[split]
    counted = np.isin(accounts.code("account").astype(np.int64) * n_protocols + accounts.code("protocol"), keys)
    for column in ("collateral_remainder_usd", "debt_remainder_usd"):
        if column in frame:
            frame.loc[counted, column] = np.nan
    return {"accounts": frame[frame["account"].isin(known)]}


def _protocols(snap: Snapshot, gone: Bools) -> dict[str, pd.DataFrame]:
    """Write down what venues were taken as by longs and shorts that may stand there no more."""
    import pandas as pd

    venues, protocols = snap.venues, snap.table("protocols")
    asked = np.unique([*venues.assumed_kind, *venues.assumed_rule]).astype(np.int64)
    asked = np.intersect1d(asked, snap.book.protocol[gone & snap.book.rows("long", "short")])
    if not len(asked):
        return {}
    names = snap.labels("protocol").take(asked).to_pylist()
    frame = protocols.frame().astype(dict.fromkeys(protocols.codes, object))
    frame = frame.set_index("protocol") if len(protocols) else pd.DataFrame(index=pd.Index([], name="protocol"))
    frame = frame.reindex(frame.index.union(names))
    for column, values in (("kind", venues.kind), ("rule", venues.rule)):
        frame.loc[names, column] = [values[code] for code in asked]
    return {"protocols": frame.rename_axis("protocol").reset_index()}


def _notes(snap: Snapshot, rows: Ints, initial: Bools, margin: Margin, left: Ints) -> list[str]:
    """Say what was done, who is left out, and where margin stands in something that the account did not post."""
    book = snap.book
    owners = len(np.unique(book.margin[rows]))
    owing = len(np.unique(margin.position[margin.units < 0.0]))
    settled = len(np.unique(book.margin[rows[margin.settled]]))
    notes = [
        f"isolated: {len(rows):,} positions of {owners:,} cross accounts in buckets of their own, with equity by share "
        f"of margin (initial margin for {len(np.unique(book.margin[rows[initial]])):,} accounts, else maintenance)"
    ]
    if len(left):
        notes.append(_left_out(snap, left))
    if settled:
        notes.append(f"margin of {settled:,} accounts that post nothing of value stands in the settlement asset")
    if owing:
        notes.append(f"the buckets of {owing:,} options owe what these are worth above their share")
    return notes


def _left_out(snap: Snapshot, left: Ints) -> str:
    book, accounts, protocols = snap.book, snap.labels("account"), snap.labels("protocol")
    names = [
        f"{accounts[int(book.margin_account[at])]} at {protocols[int(book.margin_protocol[at])]}" for at in left[:5]
    ]
    more = f" and {len(left) - 5:,} more" if len(left) > 5 else ""
    return f"{len(left):,} accounts with equity of 0 or less are left out: {', '.join(names)}{more}"
