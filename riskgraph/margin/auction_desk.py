"""Maker in a cascade: unsafe vaults go to auction within limits, and lots are sold once they are cheap enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints, summed
from riskgraph.errors import InputError
from riskgraph.margin.auction_limits import REFUSED, fitted
from riskgraph.margin.cascade_book import COLLATERAL, DEBT, DEPOSIT
from riskgraph.margin.rules.maker import all_dirt
from riskgraph.margin.running_auctions import Auctions, IlkTerms
from riskgraph.margin.venue_desk import VenueDesk
from riskgraph.margin.venue_steps import Steps
from riskgraph.snapshot.schema import SIDES

if TYPE_CHECKING:
    from riskgraph.margin.cascade_run import CascadeRun
    from riskgraph.margin.market_clearing import Offers

__all__ = ["AuctionDesk"]

_ROUNDING = 1e-12  # a price this close to the market's is the market's


class AuctionDesk(VenueDesk):
    r"""A Maker protocol: barks in the order of vaults, one auction a lot, each round ``round_seconds`` long.

    .. math:: \text{price}(t) = \text{top} \cdot cut^{\lfloor t / step \rfloor}, \qquad
              q = \min(\text{lot},\ \text{tab} / \text{price})

    by the collateral's curve. A lot is offered in rounds whose market price is at least its own; buyers are liquidators
    who sell it on. An auction that is too old, or whose price has fallen too far, starts anew at ``buf`` times what the
    oracle shows then. What is left of a lot once the tab is raised is its owner's (a deposit); where a lot is gone
    before, what it brought short of the debt is the system's loss. A purchase may leave any part of a tab (there is no
    ``chost``).
    """

    def __init__(self, run: CascadeRun, protocol: int) -> None:
        super().__init__(run, protocol)
        self.open = Auctions.none()
        self.ilks = IlkTerms.of(self.terms)
        every = np.arange(self.book.shape[1])
        self.hole, self.dirt = (np.array(self.terms.of_assets(name, every)) for name in ("hole", "dirt"))
        self.whole = np.array([self.terms.number("hole"), all_dirt(self.terms)])
        self._on = np.zeros(0, dtype=np.int64)  # auctions offered in this round
        self.worthless = 0  # auctions closed since their oracle showed no price any more

    def act(self, number: int, due: Ints, shut: Ints) -> Offers:
        """Put unsafe vaults up, start auctions anew that nobody could buy from, and offer what is cheap enough."""
        self.acted = False
        self.refused.clear()
        if len(due):
            self._bark(number, due)
        if not len(self.open):
            return self.nothing()
        self._restart(number)
        return self._offered(number)

    def pending(self, number: int) -> bool:
        """Whether prices of auctions fall, and somebody may take them."""
        return self.run.terms.round_seconds > 0.0 and bool((~self.open.stuck).any())

    def notes(self) -> list[str]:
        """Say which auctions nobody took."""
        label, found = self.terms.protocol_label, []
        if self.worthless:
            found.append(f"{label}: {self.worthless:,} auctions closed unsold, their oracle shows no price")
        if len(self.open):
            found.append(
                f"{label}: {len(self.open):,} auctions still open at the end, for {self.open.tab.sum():,.0f} of debt "
                "and penalty, since their price never falls to the market's; what they lose is not counted"
            )
        return found

    # -- bark ---------------------------------------------------------------------------------------------------------

    def _bark(self, number: int, due: Ints) -> None:
        """Put up what the limits let through, vault after vault."""
        book, ilks = self.book, self.ilks
        pledged, owed = self._only_rows(due, COLLATERAL), self._only_rows(due, DEBT)
        both = (pledged >= 0) & (owed >= 0)
        both[both] = self.shown(book.rows.asset[pledged[both]]) > 0.0  # what has no price is not called unsafe
        margin, pledged, owed = due[both], pledged[both], owed[both]
        asset = book.rows.asset[pledged]
        ilks.check(self.terms, asset)
        ink, art = book.amount[pledged], book.amount[owed] / ilks.rate[asset]
        terms = ilks.rate, ilks.chop, ilks.dust
        dart, why = fitted(asset.astype(np.int64), ink, art, terms, self.hole, self.dirt, self.whole)
        counts = np.bincount(why, minlength=len(REFUSED)).tolist()
        self.refused.update({reason: count for reason, count in zip(REFUSED, counts, strict=True) if reason and count})
        some = dart > 0.0
        if some.any():
            self.acted = True
            whole, share = dart == art, np.divide(dart, art, out=np.zeros(len(art)), where=art > 0.0)
            lot = np.where(whole, ink, ink * share)
            relieved = np.where(whole, book.amount[owed], dart * ilks.rate[asset])
            self._put_up(number, margin[some], pledged[some], owed[some], lot[some], relieved[some])

    def _only_rows(self, due: Ints, side: int) -> Ints:
        """Row of each vault on a side that holds something, -1 where none does."""
        book = self.book
        rows, place = book.rows_of(due)
        held = (book.rows.side[rows] == side) & (book.amount[rows] > 0.0)
        rows, place = rows[held], place[held]
        several = np.flatnonzero(np.bincount(place, minlength=len(due)) > 1)
        if len(several):
            labels = self.book.snap.labels("account")
            names = ", ".join(str(labels[int(book.rows.margin_account[due[one]])]) for one in several[:5])
            raise InputError(
                f"positions.bucket: expected vaults of one {SIDES[side]} each at {self.terms.protocol_label} (rule "
                f"maker; several vaults of one account stand in buckets), got several for {names}"
            )
        found = np.full(len(due), -1)
        found[place] = rows
        return found

    def _put_up(self, number: int, margin: Ints, pledged: Ints, owed: Ints, lot: Floats, due: Floats) -> None:
        """Take lots and debts out of vaults; the system holds the one and stands for the other."""
        book, ilks, n = self.book, self.ilks, self.book.shape[1]
        asset, debt = book.rows.asset[pledged], book.rows.asset[owed]
        oracle, par = self.shown(asset), self.shown(debt)
        tab = due * ilks.chop[asset]
        pay = ilks.tip[asset] + tab * ilks.chip[asset]
        book.add(np.append(pledged, owed), -np.append(lot, due))
        book.venue[self.protocol] += summed(asset, lot, n) - summed(debt, due + pay, n)
        book.liquidator += summed(debt, pay, n)
        self.to_system(-float(pay @ par))
        gain = float(lot @ book.price[asset] - due @ book.price[debt])  # a fee until it is known what the lots bring
        self.run.flows.move("fee", "borrowers", "protocol", gain)
        self.run.flows.move("bonus", "protocol", "liquidators", float(pay @ book.price[debt]))
        self.open = self.open.joined(
            Auctions.started(
                number, margin, asset, debt, self._top(asset, debt), lot, tab, due, book.price[asset].copy()
            )
        )
        self.steps.append(Steps.of(number, "auctioned", margin, asset, debt, lot, lot * oracle, due, due * par))

    def _top(self, asset: Ints, debt: Ints) -> Floats:
        """First price of auctions that start now, units of debt a unit of collateral."""
        par = self.shown(debt)
        oracle = np.divide(self.shown(asset), par, out=np.zeros(len(par)), where=par > 0.0)
        return np.asarray(oracle * self.ilks.buf[asset])

    # -- the price ----------------------------------------------------------------------------------------------------

    def _share(self, number: int) -> Floats:
        """Price ÷ first price of every auction in a round."""
        return self.ilks.share(self.open.asset, self._age(number))

    def _age(self, number: int) -> Floats:
        return np.asarray((number - self.open.start) * self.run.terms.round_seconds)

    def _restart(self, number: int) -> None:
        """Start auctions anew that are too old or too cheap; note those for which that changes nothing."""
        at, ilks, market = self.open, self.ilks, self.book.price[self.open.asset]
        top = self._top(at.asset, at.debt)
        alike = self._near(top, at.top) & self._near(market, at.seen)
        at.stuck &= alike
        over = (self._age(number) > ilks.tail[at.asset]) | (self._share(number) < ilks.cusp[at.asset])
        at.stuck |= over & alike & ~at.taken
        at.top, at.seen = np.where(over, top, at.top), np.where(over, market, at.seen)
        at.start = np.where(over, number, at.start)
        at.taken &= ~over
        unpriced = over & (top <= 0.0)
        if unpriced.any():
            self.acted = True
            self.worthless += int(unpriced.sum())
            at.lot = np.where(unpriced, 0.0, at.lot)  # the system keeps what nobody can be asked a price for
            self._close(number, unpriced)

    def _near(self, now: Floats, then: Floats) -> Bools:
        return np.asarray(np.abs(now - then) <= self.run.terms.tol * then)

    def _offered(self, number: int) -> Offers:
        """Offer lots whose price is at most the market's."""
        at = self.open
        price = at.top * self._share(number)
        usd = price * self.shown(at.debt)
        self._on = np.flatnonzero(usd <= self.book.price[at.asset] * (1.0 + _ROUNDING))
        asset, debt, price, usd = at.asset[self._on], at.debt[self._on], price[self._on], usd[self._on]
        raised = np.divide(at.tab[self._on], price, out=np.full(len(price), np.inf), where=price > 0.0)
        units = np.minimum(at.lot[self._on], raised)
        self.cost = np.where(raised <= at.lot[self._on], at.tab[self._on], units * price)
        return self.offers(at.margin[self._on], asset, debt, units, self.shown(asset), self.limit(usd, asset))

    # -- purchases ----------------------------------------------------------------------------------------------------

    def take(self, number: int, offers: Offers, share: Floats, average: Floats) -> None:
        """Sell what buyers take, and close auctions that have raised their tab or have nothing left."""
        some = np.flatnonzero(share > 0.0)
        if not len(some):
            return
        self.acted = True
        at, on, part = self.open, self._on[some], share[some]
        asset, debt, units, paid = (
            offers.collateral[some],
            offers.debt[some],
            offers.units[some] * part,
            self.cost[some] * part,
        )
        proceeds = self.sell(asset, debt, units, paid, average)
        lot, tab = at.lot[on], at.tab[on]
        at.lot[on] = np.where(units >= lot, 0.0, lot - units)
        at.tab[on] = np.where(paid >= tab, 0.0, tab - paid)
        at.paid[on] += paid
        at.taken[on] = True
        self._lower_dirt(asset, paid)
        usd, owed = units * self.shown(asset), paid * self.shown(debt)
        self.steps.append(Steps.of(number, "sold", at.margin[on], asset, debt, units, usd, paid, owed, proceeds))
        self._close(number, (at.lot <= 0.0) | (at.tab <= 0.0))

    def _lower_dirt(self, asset: Ints, units: Floats) -> None:
        """Count debt that is in auction no more."""
        self.dirt = np.maximum(self.dirt - summed(asset, units, len(self.dirt)), 0.0)
        self.whole[1] = max(self.whole[1] - units.sum(), 0.0)

    def _close(self, number: int, over: Bools) -> None:
        """Return what is left of lots; the system gains, or loses, what came in beyond the debt."""
        done = self.open.part(over)
        self.open = self.open.part(~over)
        self._lower_dirt(done.asset, done.tab)
        left = done.lot > 0.0
        margin, asset, debt, lot = done.margin[left], done.asset[left], done.debt[left], done.lot[left]
        self.book.venue[self.protocol] -= summed(asset, lot, self.book.shape[1])
        self.book.add(self.rows_at(margin, asset, DEPOSIT), lot)
        self.run.flows.move("fee", "protocol", "lenders", float(lot @ self.book.price[asset]))
        par = self.shown(done.debt)
        gain = (done.paid - done.due) * par
        self.to_system(float(np.maximum(gain, 0.0).sum()))
        self._lose(done, np.maximum(-gain, 0.0))
        nothing = np.zeros(len(lot))
        self.steps.append(
            Steps.of(number, "returned", margin, asset, debt, lot, lot * self.shown(asset), nothing, nothing)
        )

    def _lose(self, done: Auctions, short: Floats) -> None:
        """Let the system bear what auctions brought short of the debt: its surplus first, then a deficit."""
        book, losses, flows, at = self.book, self.run.losses, self.run.flows, self.protocol
        total = float(short.sum())
        if total <= 0.0:
            return
        losses.written_off += summed(done.margin, short, len(losses.written_off))
        surplus = max(float(book.reserve[at]) - float(book.deficit[at]), 0.0)
        insured = min(surplus, total)
        losses.borne[at, losses.COLUMNS.index("reserve")] += insured
        losses.borne[at, losses.COLUMNS.index("deficit")] += total - insured
        self.to_system(-total)
        units = np.divide(short, self.shown(done.debt), out=np.zeros(len(short)), where=short > 0.0)
        forgiven = float(units @ book.price[done.debt])
        flows.move("fee", "protocol", "borrowers", -forgiven)
        flows.move("bad_debt", "protocol", "borrowers", forgiven)
