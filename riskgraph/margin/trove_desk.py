"""Liquity in a cascade: whole troves go to the stability pool and to the other borrowers; nothing is ever sold."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Floats, Ints
from riskgraph.margin.cascade_book import COLLATERAL, DEPOSIT
from riskgraph.margin.ledger import Ledger
from riskgraph.margin.rules.troves import Branch, TroveCall, TroveRule
from riskgraph.margin.trove_books import TroveBooks, books_of
from riskgraph.margin.trove_calls import Batch, gone_through
from riskgraph.margin.venue_desk import VenueDesk
from riskgraph.margin.venue_steps import Steps
from riskgraph.snapshot.parameters import parameters_of

if TYPE_CHECKING:
    from riskgraph.margin.cascade_run import CascadeRun
    from riskgraph.margin.market_clearing import Offers

__all__ = ["TroveDesk"]


class TroveDesk(VenueDesk):
    """A branch of Liquity: one batch a round, troves in their order, recovery mode included.

    Debt that the pool offsets is taken off deposits in proportion, and depositors gain the collateral for it; what is
    handed on goes to the other troves by stake, who may be the next to fall. Whoever calls keeps what it is paid. In
    recovery mode the batch goes through all troves, since one call changes whom the next may be made on. Where it would
    close the last trove and the contract refuses it as a whole, the caller leaves the last one out.
    """

    rule: TroveRule

    def __init__(self, run: CascadeRun, protocol: int) -> None:
        super().__init__(run, protocol)
        self.margins = np.flatnonzero(self.book.rows.margin_protocol == protocol)
        self._stake: Floats | None = None  # None: stakes are collateral, as before any redistribution
        self._stood: tuple[Floats, Floats] = (np.zeros(0), np.zeros(0))  # collateral and debt since the last batch
        self._staked = 1.0  # what a unit of collateral stakes since then

    def act(self, number: int, due: Ints, shut: Ints) -> Offers:
        """Go through one batch."""
        self.acted = False
        self.refused.clear()
        if len(due):
            self._batch(number, self._batched(number, due))
        return self.nothing()

    def notes(self) -> list[str]:
        """Say what is left out."""
        said = "redemptions, which take debt off the troves nearest to liquidation, are not played"
        return [f"{self.terms.protocol_label}: {said}"]

    def untouchable(self) -> Ints:
        """Give the last trove, where only one is left: nobody could take what is handed on."""
        rows, book = self._placed[0], self.book
        held = rows[(book.rows.side[rows] == COLLATERAL) & (book.amount[rows] > 0.0)]
        return np.asarray(book.rows.margin[held] if len(held) == 1 else held[:0])

    def take(self, number: int, offers: Offers, share: Floats, average: Floats) -> None:
        """Sell nothing: no collateral ever reaches the market."""

    # -- what stands --------------------------------------------------------------------------------------------------

    @cached_property
    def start(self) -> TroveBooks:
        """Troves, stakes and pool as the first batch finds them; ``pledged``, ``owed``, ``deposits`` are rows here."""
        ledger = Ledger(self.book.view(), self.protocol, self.rule, self.margins, exact=False)
        found = books_of(ledger)
        if found.published:
            self.pool = float(found.pool)
        pledged, owed, deposits = (ledger.row[rows] for rows in (found.pledged, found.owed, found.deposits))
        found = replace(found, pledged=pledged, owed=owed, deposits=deposits)
        if found.staked:
            self._stake = np.asarray(found.stake, dtype=np.float64)
            self._keep_stakes(found)
        return found

    def _now(self) -> TroveBooks:
        """Troves, stakes and pool as they stand; who paid or was paid since the last batch has a stake anew."""
        start = self.start
        collateral, debt = self._troves(start)
        if self._stake is not None:
            touched = (collateral != self._stood[0]) | (debt != self._stood[1])
            self._stake = np.where(touched, collateral * self._staked, self._stake)
            self._stood = collateral, debt
        inside = float(self.book.amount[start.deposits].sum())
        return replace(
            start,
            collateral=collateral,
            debt=debt,
            stake=collateral if self._stake is None else self._stake,
            pool=inside if self.pool is None else self.pool,
        )

    def _troves(self, books: TroveBooks) -> tuple[Floats, Floats]:
        """Collateral and debt of every trove as they stand."""
        amount = np.append(self.book.amount, 0.0)
        return amount[books.pledged], amount[books.owed]

    def _keep_stakes(self, books: TroveBooks) -> None:
        """Note what a unit of collateral stakes from now on, and what every trove stood at."""
        assert self._stake is not None
        self._stood = self._troves(books)
        whole = float(self._stood[0].sum())
        self._staked = float(self._stake.sum()) / whole if whole > 0.0 else 1.0

    @cached_property
    def _terms(self) -> dict[str, float]:
        names = [one.name for one in parameters_of(self.rule.name, "protocols") if one.kind == "number"]
        return {name: float(np.nan_to_num(self.terms.number(name))) for name in names}

    def _branch(self, books: TroveBooks) -> Branch:
        """Give the system as a batch finds it, at what the oracle shows; nothing is rounded."""
        price, par = self.shown(np.array([books.collateral_asset, books.debt_asset])).tolist()
        return Branch(
            collateral=float(books.collateral.sum()),
            debt=float(books.debt.sum()),
            pool=books.pool - min(books.pool, self._terms["stability_pool_minimum"]),
            collateral_price=price,
            debt_price=par,
            collateral_scale=0,
            debt_scale=0,
            critical=self._terms["critical_collateral_ratio"] if self.rule.has_recovery else 0,
            terms=self._terms,
        )

    def _batched(self, number: int, due: Ints) -> Ints:
        """Places of the troves that are called: the due ones, in recovery mode all that no running call protects."""
        books = self._now()
        if not self._branch(books).recovery:
            return np.searchsorted(self.margins, due)
        fair = ~self.protected(number)[self.margins] & (books.collateral > 0.0) & (books.debt > 0.0)
        return np.flatnonzero(fair)

    # -- a batch ------------------------------------------------------------------------------------------------------

    def _batch(self, number: int, places: Ints) -> None:
        books = self._now()
        batch, branch = self._gone_through(books, places)
        if not batch.done.any():
            return
        self.acted = True
        which = batch.margin[batch.done]
        calls = [call for call, done in zip(batch.calls, batch.done.tolist(), strict=True) if done]
        part = {one.name: np.array([getattr(call, one.name) for call in calls], dtype=np.float64)
                for one in fields(TroveCall) if one.name != "mode"}  # fmt: skip
        self._note(number, books, branch, which, part)
        self._bear(books, branch, which, part)
        self._close(books, which, part)
        self._offset(books, float(part["offset"].sum()), float(part["to_pool"].sum()))
        self._hand_on(number, books, which, float(part["handed_debt"].sum()), float(part["handed_collateral"].sum()))
        if self._stake is not None:
            self._keep_stakes(books)

    def _gone_through(self, books: TroveBooks, places: Ints) -> tuple[Batch, Branch]:
        """Go through a batch; leave the last trove out where it is refused as a whole for closing that."""
        while True:
            branch = self._branch(books)
            batch = gone_through(self.rule, books, branch, places)
            if batch.done.any() or not self.rule.last_reason or not (batch.refused == self.rule.last_reason).any():
                return batch, branch
            places = np.delete(places, np.flatnonzero(batch.allowed)[-1])

    def _close(self, books: TroveBooks, which: Ints, part: dict[str, Floats]) -> None:
        """Take everything out of liquidated troves; owners get what is theirs, the caller its pay."""
        book, collateral, debt = self.book, books.collateral_asset, books.debt_asset
        rows = np.append(books.pledged[which], books.owed[which])
        book.put(rows[rows >= 0], np.zeros(int((rows >= 0).sum())))
        rich = np.flatnonzero(part["surplus"] > 0.0)
        margin = self.margins[which[rich]]
        book.add(self.rows_at(margin, np.full(len(rich), collateral), DEPOSIT), part["surplus"][rich])
        surplus = float(part["surplus"].sum()) * float(book.price[collateral])
        self.run.flows.move("fee", "borrowers", "lenders", surplus)
        book.liquidator[collateral] += part["gas_collateral"].sum()
        if self.rule.gas_in_debt:  # set aside when the trove was opened, and held by the protocol
            pay = float(part["gas_pay"].sum())
            book.liquidator[debt] += pay
            book.venue[self.protocol, debt] -= pay
            self.run.flows.move("bonus", "protocol", "liquidators", pay * float(book.price[debt]))

    def _offset(self, books: TroveBooks, offset: float, gain: float) -> None:
        """Take what was offset from deposits in proportion, and give them the collateral for it."""
        if offset <= 0.0:
            return
        book, rows, collateral, debt = self.book, books.deposits, books.collateral_asset, books.debt_asset
        deposit = book.amount[rows]
        inside = float(deposit.sum()) / books.pool
        book.put(rows, np.maximum(deposit - deposit * (offset / books.pool), 0.0))
        margin, good = book.rows.margin[rows], np.full(len(rows), collateral)
        book.add(self.rows_at(margin, good, DEPOSIT), deposit * (gain / books.pool))
        book.outside[self.protocol, collateral] += gain * (1.0 - inside)
        book.outside[self.protocol, debt] -= offset * (1.0 - inside)
        if self.pool is not None:
            self.pool = max(books.pool - offset, 0.0)

    def _hand_on(self, number: int, books: TroveBooks, which: Ints, debt: float, collateral: float) -> None:
        """Hand debt and collateral on to all other troves by stake, which from then on is not their collateral."""
        if debt <= 0.0 and self._stake is None:
            return
        stake = np.array(books.stake, dtype=np.float64)
        stake[which] = 0.0
        self._stake = stake
        if debt > 0.0:
            share, book = stake / stake.sum(), self.book
            for rows, units in ((books.owed, debt), (books.pledged, collateral)):
                takes = (rows >= 0) & (share > 0.0)
                book.add(rows[takes], share[takes] * units)
            self.run.handed[self.margins[share > 0.0]] = number

    # -- who bears what -----------------------------------------------------------------------------------------------

    def _bear(self, books: TroveBooks, branch: Branch, which: Ints, part: dict[str, Floats]) -> None:
        """Note what pool and caller gained, and what the pool paid beyond the worth of troves (oracle prices)."""
        book, flows, losses = self.book, self.run.flows, self.run.losses
        price, par = float(book.price[books.collateral_asset]), float(book.price[books.debt_asset])
        flows.move("bonus", "borrowers", "liquidators", float(part["gas_collateral"].sum()) * price)
        gain = part["to_pool"] * price - part["offset"] * par
        flows.move("bonus", "borrowers", "lenders", float(np.maximum(gain, 0.0).sum()))
        flows.move("bad_debt", "lenders", "borrowers", float(np.maximum(-gain, 0.0).sum()))
        debt = books.debt[which]  # above 0: an account without debt is never due
        short = np.maximum(debt * branch.debt_price - books.collateral[which] * branch.collateral_price, 0.0)
        borne = short * part["offset"] / debt
        losses.borne[self.protocol, losses.COLUMNS.index("lenders")] += borne.sum()

    def _note(self, number: int, books: TroveBooks, branch: Branch, which: Ints, part: dict[str, Floats]) -> None:
        margin, n = self.margins[which], len(which)
        assets = np.full(n, books.collateral_asset), np.full(n, books.debt_asset)
        price, par = branch.collateral_price, branch.debt_price
        for action, debt, taken in (
            ("offset", part["offset"], part["to_pool"] + part["gas_collateral"]),
            ("redistributed", part["handed_debt"], part["handed_collateral"]),
            ("returned", np.zeros(n), part["surplus"]),
        ):
            some = (debt > 0.0) | (taken > 0.0)
            amounts = (values[some] for values in (taken, taken * price, debt, debt * par))
            self.steps.append(Steps.of(number, action, margin[some], assets[0][some], assets[1][some], *amounts))
