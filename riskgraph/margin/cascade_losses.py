"""Who bears debt that no collateral is left for: reserve, deficit, lenders (METHODS 5.6), on a whole book at once."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Floats, Ints, summed
from riskgraph.margin.cascade_book import DEBT
from riskgraph.margin.claim_rows import ClaimRows
from riskgraph.margin.rules.shelf import rule_named
from riskgraph.margin.supplies import published_supply

if TYPE_CHECKING:
    from riskgraph.margin.cascade_book import CascadeBook
    from riskgraph.margin.cascade_flows import Flows

__all__ = ["LossBook"]

_ROUNDING = 1e-12  # share of a loss below which what supply does not cover is rounding


class LossBook:
    """Losses of lenders and protocols, as they are met round by round.

    ``borne`` adds up USD by protocol, in the columns ``reserve``, ``deficit``, ``lenders``, ``adl`` (counterparties)
    and ``nobody`` (there was no supply left to take it from); ``written_off`` by margin account.
    """

    COLUMNS = ("reserve", "deficit", "lenders", "adl", "nobody")

    def __init__(self, book: CascadeBook, flows: Flows) -> None:
        self.book, self.flows = book, flows
        self.borne = np.zeros((book.shape[0], len(self.COLUMNS)))
        self.written_off = np.zeros(len(book.rows.margin_account))
        rules = [rule_named(name) for name in book.snap.venues.rule]
        self._written: list[Ints] = []  # pairs whose lenders were written down
        self.bearer = np.array([rule.bearer for rule in rules], dtype=object)

    def write_off(self, margins: Ints) -> None:
        """Take all debts of margin accounts off the books; each rule's bearer bears them."""
        book, held = self.book, self.book.rows
        margins = margins[(self.bearer != "none")[held.margin_protocol[margins]]]
        rows, place = book.rows_of(margins)
        owed = (held.side[rows] == DEBT) & (book.amount[rows] > 0.0)
        rows, place = rows[owed], place[owed]
        if not len(rows):
            return
        units, pair = book.amount[rows], held.pair[rows]
        usd = units * book.pair_price[pair]
        self.written_off[margins] += summed(place, usd, len(margins))
        book.put(rows, np.zeros(len(rows)))
        self.bear(summed(pair, units, len(held.pair_asset)))

    def bear(self, lost: Floats) -> None:
        """Spread units that protocols have lost, by pair; a reserve pays for one asset after another, by label."""
        book, rows = self.book, self.book.rows
        at = np.flatnonzero(lost > 0.0)
        protocol, asset, units = rows.pair_protocol[at], rows.pair_asset[at], lost[at]
        np.subtract.at(book.venue, (protocol, asset), units)
        self.flows.move("bad_debt", "protocol", "borrowers", float(units @ book.price[asset]))
        bearer, price = self.bearer[protocol], book.pair_price[at]
        insured = (bearer == "reserve") | (bearer == "system")
        paid = self._out_of_reserve(protocol, np.where(insured, units * price, 0.0))
        worthless = insured & (price <= 0.0)
        left = np.where(worthless, 0.0, units - np.divide(paid, price, out=np.zeros(len(at)), where=price > 0.0))
        short = (bearer == "deficit") | (bearer == "system")
        usd = summed(protocol[short], (left * price)[short], book.shape[0])
        book.deficit += usd
        self.borne[:, 1] += usd
        rest = ~short & (left > 0.0)
        self._socialise(at[rest], left[rest])

    def _out_of_reserve(self, protocol: Ints, usd: Floats) -> Floats:
        """Pay what the reserves hold, pair by pair in their order; give USD paid for each."""
        through = np.cumsum(usd)
        first = np.searchsorted(protocol, protocol)  # pairs stand in the order of protocols
        before = through - usd - (through - usd)[first]
        paid = np.clip(self.book.reserve[protocol] - before, 0.0, usd)
        total = summed(protocol, paid, self.book.shape[0])
        self.book.reserve = np.maximum(self.book.reserve - total, 0.0)
        self.borne[:, 0] += total
        return np.asarray(paid)

    def _socialise(self, pairs: Ints, units: Floats) -> None:
        """Write every claim on a reserve down in proportion: ``rate ×= 1 − min(1, L ÷ supply)``."""
        if not len(pairs):
            return
        book, rows = self.book, self.book.rows
        self._written.append(pairs)
        supply = self._supply[pairs]
        share = np.minimum(np.divide(units, supply, out=np.ones(len(pairs)), where=supply > 0.0), 1.0)
        whole = supply * share
        self._supply[pairs] = supply * (1.0 - share)
        inside, borrowed = self._scale_claims(pairs, 1.0 - share)
        protocol, asset = rows.pair_protocol[pairs], rows.pair_asset[pairs]
        np.subtract.at(book.outside, (protocol, asset), whole - inside)
        np.add.at(book.venue, (protocol, asset), whole)
        now, price = book.price[asset], book.pair_price[pairs]
        self.flows.move("bad_debt", "borrowers", "protocol", float(borrowed @ now))
        self.flows.move("bad_debt", "lenders", "protocol", float((whole - borrowed) @ now))
        np.add.at(self.borne[:, 2], protocol, whole * price)
        gone = np.where(units - whole > _ROUNDING * units, units - whole, 0.0)
        np.add.at(self.borne[:, 4], protocol, gone * price)
        self._write_down_receipts(pairs, 1.0 - share)

    def _scale_claims(self, pairs: Ints, factor: Floats) -> tuple[Floats, Floats]:
        """Scale the claims in pairs; give the units that they lose, and of that what is pledged, by pair."""
        by_pair = np.ones(len(self.book.rows.pair_asset))
        by_pair[pairs] = factor
        lost, pledged = self._claims.scale(by_pair)
        return lost[pairs], pledged[pairs]

    @cached_property
    def _claims(self) -> ClaimRows:
        return self.book.claims or ClaimRows(self.book)

    @cached_property
    def _told(self) -> Floats:
        """Published supply by pair, units; NaN where there is none."""
        return published_supply(self.book.snap)

    @cached_property
    def _supply(self) -> Floats:
        """Units that all lenders own, by pair: published, else the larger of claims and debts of the snapshot."""
        rows, start = self.book.rows, self.book.snap.rows.amount
        n = len(rows.pair_asset)
        lent = self._claims.rows
        claims = summed(rows.pair[lent], start[lent], n)
        at = np.flatnonzero(rows.side == DEBT)
        owed = summed(rows.pair[at], start[at], n)
        return np.fmax(np.where(np.isnan(self._told), np.maximum(claims, owed), self._told), claims)

    @property
    def assumed(self) -> Ints:
        """Pairs whose lenders were written down although no supply is published for them."""
        written = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *self._written]))
        return written[np.isnan(self._told[written])] if len(written) else written

    def _write_down_receipts(self, pairs: Ints, factor: Floats) -> None:
        """Lower what receipts of the protocols on the assets are worth, from the next round on."""
        tokens, first, behind = self._receipts
        if len(tokens):
            left = np.ones(len(self.book.rows.pair_asset) + 1)  # the last: nothing in the book stands behind
            left[pairs] = factor
            self.book.receipt_rate[tokens] *= np.multiply.reduceat(left[behind], first)

    @cached_property
    def _receipts(self) -> tuple[Ints, Ints, Ints]:
        """Receipt tokens, and the pairs that stand behind them, token by token, with the place where each begins."""
        families, rows = self.book.snap.families, self.book.rows
        tokens = np.flatnonzero(families.is_kind("receipt") & (families.issuer >= 0))
        shares, n = families.asset_shares.tocsc(), self.book.shape[1]
        pair_at = np.full(self.book.shape[0] * n, -1)
        placed = np.flatnonzero(rows.pair_protocol >= 0)
        pair_at[rows.pair_protocol[placed].astype(np.int64) * n + rows.pair_asset[placed]] = placed
        behind = [
            np.append(
                pair_at[families.issuer[token] * n + shares.indices[shares.indptr[token] : shares.indptr[token + 1]]],
                -1,
            )
            for token in tokens.tolist()
        ]
        count = np.array([len(part) for part in behind], dtype=np.int64)
        return tokens, np.cumsum(count) - count, np.concatenate([np.zeros(0, dtype=np.int64), *behind])
