"""How much of an account's equity goes with each of its positions, and in which tokens (METHODS 5.9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints, stretches, summed
from riskgraph.errors import Faults
from riskgraph.snapshot.book import term_grid
from riskgraph.snapshot.options import option_usd
from riskgraph.snapshot.requirements import (
    haircuts,
    note_unmargined,
    requirement_alone,
    settlement_of,
    unrealised_pnl,
)
from riskgraph.snapshot.scanning import scanned_rows

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["Margin", "margin_equity", "margin_shares", "split_margin"]


@dataclass(frozen=True, eq=False)
class Margin:
    """Tokens beside positions: ``units`` of ``token`` for ``position`` (its place among the rows), below 0: owed.

    ``settled`` says of each position whether its account posts nothing of value, so that its margin stands in what the
    venue settles in.
    """

    position: Ints
    token: Ints
    units: Floats
    settled: Bools


def margin_equity(snap: Snapshot) -> Floats:
    """Equity of every margin account as its health counts it, with the named remainders of published totals, USD."""
    book = snap.book
    pledged, owed, placed = book.rows("collateral"), book.rows("debt"), book.margin >= 0
    counted = book.by_margin(book.usd * (1.0 - haircuts(snap)), pledged) + book.collateral_remainder
    gained = book.by_margin(unrealised_pnl(snap) + option_usd(snap), placed)
    equity: Floats = counted + gained - book.by_margin(book.usd, owed) - book.debt_remainder
    return equity


def margin_shares(snap: Snapshot, rows: Ints) -> tuple[Floats, Bools]:
    """Share of each position in what its account's positions need each alone, and whether that is initial margin.

    Raises
    ------
    InputError
        Nothing says what a position needs.
    """
    book, shape = snap.book, (len(snap.labels("protocol")), len(snap.labels("asset")))
    n, of = len(book.margin_account), book.margin[rows]
    alone = requirement_alone(snap)[rows]
    unmargined = np.zeros(len(book.margin), dtype=bool)
    unmargined[rows] = np.isnan(alone)
    faults = Faults()
    note_unmargined(snap, unmargined, faults)
    faults.raise_if_any()
    rate = term_grid(snap.table("markets"), "initial_margin", shape)[book.protocol[rows], book.asset[rows]]
    given = ~np.isnan(rate) & ~scanned_rows(snap)[rows]  # a share of notional says nothing of a portfolio's risk
    initial = (np.bincount(of[~given], minlength=n) == 0)[of]
    need, notional = alone, book.usd[rows]
    need[initial] = (rate * notional)[initial]
    for otherwise in (notional, np.ones(len(rows))):  # where nothing is needed: by size; where there is no size, alike
        need = np.where(summed(of, need, n)[of] > 0.0, need, otherwise)
    return need / summed(of, need, n)[of], initial


def split_margin(snap: Snapshot, rows: Ints, usd: Floats) -> Margin:
    """Put USD of counted margin beside some positions, in the tokens that their account posts, in proportion.

    Margin counts after its haircut; where ``usd`` is below 0 the position's bucket owes it.

    Raises
    ------
    InputError
        An account posts nothing of value, and the venue has no settlement asset.
    """
    book = snap.book
    of, n = book.margin[rows], len(book.margin_account)
    posted = np.flatnonzero(book.rows("collateral") & np.isin(book.margin, of))
    counts = book.usd[posted] * (1.0 - haircuts(snap)[posted])
    total = summed(book.margin[posted], counts, n)
    worth = total[book.margin[posted]] > 0.0
    posted, counts = posted[worth], counts[worth]
    position, token_row = _pairs(of, book.margin[posted])
    part = book.amount[posted] / total[book.margin[posted]]  # units for a dollar of counted margin
    price, owed = book.price[posted], counts / total[book.margin[posted]]
    owed = np.divide(owed, price, out=np.zeros(len(price)), where=price > 0.0)
    mine = usd[position]
    units = mine * np.where(mine < 0.0, owed[token_row], part[token_row])
    settled = ~(total[of] > 0.0)
    places, tokens, more = _in_settlement(snap, rows, np.flatnonzero(settled), usd)
    joined = (
        np.concatenate([position, places]),
        np.concatenate([book.asset[posted][token_row], tokens]),
        np.concatenate([units, more]),
    )
    there = joined[2] != 0.0
    return Margin(joined[0][there], joined[1][there], joined[2][there], settled)


def _pairs(of: Ints, owner: Ints) -> tuple[Ints, Ints]:
    """Give every position (margin account ``of``) every token row (margin account ``owner``, sorted) of its account."""
    first, last = np.searchsorted(owner, of, side="left"), np.searchsorted(owner, of, side="right")
    tokens, position = stretches(first, last - first)
    return position, tokens


def _in_settlement(snap: Snapshot, rows: Ints, places: Ints, usd: Floats) -> tuple[Ints, Ints, Floats]:
    shape = (len(snap.labels("protocol")), len(snap.labels("asset")))
    markets, assets = snap.table("markets"), snap.table("assets")
    shown, cut = term_grid(markets, "price", shape), np.nan_to_num(term_grid(markets, "haircut", shape))
    protocol = snap.book.protocol[rows[places]]
    tokens, counts = np.zeros(len(places), dtype=np.int64), np.ones(len(places))
    for venue in np.unique(protocol):
        token = settlement_of(snap, int(venue))
        price = assets.number("price")[token] if np.isnan(shown[venue, token]) else shown[venue, token]
        mine = protocol == venue
        tokens[mine] = token
        counts[mine] = price * np.where(usd[places[mine]] < 0.0, 1.0, 1.0 - cut[venue, token])
    return places, tokens, usd[places] / counts
