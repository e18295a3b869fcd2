"""Venues of longs and shorts in a cascade: orders, takeovers, fund and deleveraging, and what reaches the market."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints, read_only, summed
from riskgraph.margin.call_requests import Request
from riskgraph.margin.cascade_positions import CascadePositions
from riskgraph.margin.closed_positions import CLOSINGS, ClosedPositions
from riskgraph.margin.rules.position_rule import PositionRule
from riskgraph.margin.venue_desk import VenueDesk
from riskgraph.margin.venue_steps import Steps
from riskgraph.snapshot.requirements import settlement_of

if TYPE_CHECKING:
    from riskgraph.margin.cascade_run import CascadeRun
    from riskgraph.margin.market_clearing import Offers
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["PositionDesk"]

_ROUNDING = 1e-12  # share of what is required by which equity may be short of it through rounding
_REASONS = ("realised PnL", "fee", "made good", "paid by auto-deleveraging", "taken over")


class PositionDesk(VenueDesk):
    r"""A venue under ``perp`` or ``portfolio_margin``.

    Each account that is liquidatable is called at the same marks until it is not, or has no position; one that is
    closed out, until its equity is call level times its maintenance margin. Accounts come in their order, and one whose
    loss the fund may not cover is called in its turn. PnL is paid by the market (who takes positions over), fees go to
    the venue, losses of ruined accounts come out of it. Longs that the market takes over are sold there in full,
    whatever that brings, and the account pays

    .. math:: q \cdot \text{mark} \cdot (1 - \bar p / p_{before})

    after its calls; shorts are bought where buying moves prices. Options are settled at their value and sold nowhere. A
    partial order is forgotten by the next round.
    """

    rule: PositionRule

    def __init__(self, run: CascadeRun, protocol: int) -> None:
        super().__init__(run, protocol)
        self.settlement = settlement_of(self.book.snap, protocol)
        self.closed: list[ClosedPositions] = []
        self._ledger: CascadePositions | None = None
        self._now = ClosedPositions.joined([])
        self._on = np.zeros(0, dtype=np.int64)  # closed positions that are offered
        self._short = 0.0  # USD that nobody paid for in the last round
        own = self.book.treasury & (self.book.rows.protocol == protocol)
        self._stands = bool((self.book.amount[own] > 0.0).any())  # whether there is an account of the venue itself

    def notes(self) -> list[str]:
        """Say what was closed and sold nowhere."""
        options = self.book.snap.table("positions").code("option_type") >= 0
        count = sum(int(options[part.row].sum()) for part in self.closed)
        said = f"{self.terms.protocol_label}: {count:,} closings of options at their value, which move no price"
        return [said] if count else []

    def act(self, number: int, due: Ints, shut: Ints) -> Offers:
        """Carry out calls; offer longs that the market takes over."""
        self.acted, self._ledger = False, None
        self._now, self._on, self._short = ClosedPositions.joined([]), np.zeros(0, dtype=np.int64), 0.0
        if not len(due) + len(shut):
            return self.nothing()
        ledger = self._opened(number, np.union1d(due, shut))
        if self.run.desk is not None:
            ledger.times[np.searchsorted(ledger.margins, shut)] = self.run.desk.terms.level[self.protocol]
        worth = self.book.positions_usd(self.book.price)
        self._call(ledger, self._turns(number, ledger))
        self._now, self._ledger = ledger.closed(number), ledger
        self.acted = len(self._now) > 0
        if not self.acted:
            return self.nothing()
        self._write_back(ledger)
        self._settle(ledger, worth)
        self._bear(ledger)
        self._stands |= bool((self._now.action == CLOSINGS.index("taken over")).any())
        return self._offered()

    # -- calls --------------------------------------------------------------------------------------------------------

    def _opened(self, number: int, due: Ints) -> CascadePositions:
        """Open the books of the accounts that calls may change, as they stand now."""
        view = self._view(number)
        margins = self.rule.touched(view, self.protocol, due)
        marks = self.shown(np.arange(self.book.shape[1]))
        ledger = CascadePositions(view, self.protocol, self.rule, margins, self.settlement, marks)
        ledger.change("protocols", "reserve_usd", float(self.book.reserve[self.protocol]))
        return ledger

    def _view(self, number: int) -> Snapshot:
        """Give the book as it stands, with the fund as the cascade left it, and earlier partial orders forgotten."""
        view = self.book.view()
        tables = {}
        for name, column, value in (
            ("protocols", "reserve_usd", float(self.book.reserve[self.protocol])),
            ("accounts", "partial_orders", np.nan),
        ):
            table = view.table(name)
            mine = table.code("protocol") == self.protocol
            if mine.any() and (name == "protocols" or number > 0):
                numbers = np.where(mine, value, table.number(column))
                tables[name] = replace(table, numbers={**table.numbers, column: read_only(numbers)})
        fresh = view._at_prices(tables, "")
        fresh.__dict__.update(book=view.book)
        return fresh

    def _turns(self, number: int, ledger: CascadePositions) -> Ints:
        """Accounts that are looked at, in their order: who pays for others may be called when his own turn comes."""
        fair = ~self.protected(number)[ledger.margins]
        if not self._stands:
            fair &= np.arange(len(fair)) != ledger.backstop  # it comes to be in this round at the earliest
        return np.flatnonzero(fair)

    def _call(self, ledger: CascadePositions, places: Ints) -> None:
        """Call accounts, each until it is content; parts in which order changes nothing go together."""
        for part in self._parts(ledger, places):
            while len(part):
                n, made, closings = len(part), len(ledger.steps), ledger.closings
                nothing, most = np.full(n, np.nan), np.full(n, np.inf)
                self.rule.carry_out(ledger, Request(part, np.full(n, -1), np.full(n, -1), most, nothing))
                self._called(ledger, part, made)
                if ledger.closings == closings:
                    break
                part = part[self._due(ledger, part)]

    def _parts(self, ledger: CascadePositions, places: Ints) -> list[Ints]:
        """Split calls where one changes what others meet: where the fund may run out, and at the backstop itself."""
        value = ledger.value(places)
        kind = np.zeros(len(places), dtype=np.int64)
        if np.maximum(-value, 0.0).sum() > self.book.reserve[self.protocol]:
            kind[value < 0.0] = 1
        kind[places == ledger.backstop] = 2
        return np.split(places, np.flatnonzero(np.diff(kind)) + 1)

    def _due(self, ledger: CascadePositions, places: Ints) -> Bools:
        """Which accounts would be called again."""
        equity, required = ledger.equity(places), ledger.demanded(places)
        is_open = np.isin(places, ledger.margin[ledger.open_rows(places)])
        return np.asarray(is_open & ((equity < required * (1.0 - _ROUNDING)) | (ledger.value(places) < 0.0)))

    def _called(self, ledger: CascadePositions, places: Ints, first: int) -> None:
        """Note what nobody paid for, by account; steps come in the order of calls."""
        bad, *paid = (
            np.concatenate([np.asarray(step[name], dtype=np.float64) for step in ledger.steps[first:]])
            for name in ("bad_debt_usd", "insurance_paid_usd", "adl_usd")
        )
        bad = np.where(bad > _ROUNDING * (paid[0] + paid[1]), bad, 0.0)
        self.unpaid[ledger.margins[places]] += bad
        self._short += float(bad.sum())

    # -- what calls leave ---------------------------------------------------------------------------------------------

    def _write_back(self, ledger: CascadePositions) -> None:
        """Put what calls left into the rows of the book."""
        book, here = self.book, np.flatnonzero(ledger.row >= 0)
        rows, amount = ledger.row[here], np.maximum(ledger.amount[here], 0.0)
        changed = amount != book.amount[rows]
        book.put(rows[changed], amount[changed])
        entered, price = ledger.entry_prices()
        assert book.entry is not None
        book.entry[ledger.row[entered]] = np.nan_to_num(price)
        book.reserve[self.protocol] = float(ledger.now("protocols", "reserve_usd"))

    def _settle(self, ledger: CascadePositions, worth: tuple[float, float]) -> None:
        """Book the other end of all cash that moved; ``worth`` is that of positions before, at market prices."""
        book, flows, nothing = self.book, self.run.flows, np.zeros((2, self.book.shape[1]))
        pnl, fee, made_good, paid, taken = (ledger.cash.get(why, nothing) for why in _REASONS)
        book.settled -= pnl.sum(axis=0)
        book.venue[self.protocol] -= (fee + made_good + paid).sum(axis=0)
        now = book.positions_usd(book.price)
        for bearer, cash, gained in zip(("borrowers", "protocol"), pnl, np.subtract(now, worth), strict=True):
            flows.move("mark_to_market", "market", bearer, float(cash @ book.price) + float(gained))
        flows.move("fee", "protocol", "borrowers", float(fee[0] @ book.price))
        flows.move("bad_debt", "protocol", "borrowers", float((made_good + paid)[0] @ book.price))
        flows.move("bonus", "protocol", "borrowers", float(taken[0] @ book.price))
        ledger.cash.clear()

    def _bear(self, ledger: CascadePositions) -> None:
        """Note who paid for accounts that were worth less than nothing, USD at the mark."""
        losses = self.run.losses
        for bearer, column in (("reserve", "insurance_paid_usd"), ("adl", "adl_usd")):
            usd = sum(float(step[column].sum()) for step in ledger.steps)
            losses.borne[self.protocol, losses.COLUMNS.index(bearer)] += usd
        losses.borne[self.protocol, losses.COLUMNS.index("deficit")] += self._short
        self.book.deficit[self.protocol] += self._short

    # -- the market ---------------------------------------------------------------------------------------------------

    def _offered(self) -> Offers:
        """Offer what the market takes over, at any price: longs as sales, shorts as purchases."""
        now, rows = self._now, self.book.rows
        self._on = np.flatnonzero(now.sold > 0.0)
        row, units = now.row[self._on], now.sold[self._on]
        asset, cash = rows.asset[row], np.full(len(row), self.settlement)
        short = self.book.sign[row] < 0.0
        self.cost = np.where(short, units, 0.0)
        sold = np.where(short, 0.0, units)
        sells, buys = np.where(short, cash, asset), np.where(short, asset, cash)
        return self.offers(now.margin[self._on], sells, buys, sold, self.shown(sells), np.zeros(len(row)))

    def take(self, number: int, offers: Offers, share: Floats, average: Floats) -> None:
        """Charge accounts for what the market gave below the mark; note what became of positions."""
        if self._ledger is None:
            return
        now, on, book = self._now, self._on, self.book
        if len(on):
            asset = book.rows.asset[now.row[on]]
            ratio = np.where(book.price[asset] > 0.0, average[asset], 0.0)
            worse = np.where(
                book.sign[now.row[on]] < 0.0, ratio - 1.0 if self.run.markets.buy_impact else 0.0, 1.0 - ratio
            )
            cost = now.sold[on] * now.price[on] * worse
            now.lost_usd[on] += cost
            now.proceeds_usd[on] = np.where(book.sign[now.row[on]] > 0.0, now.sold[on] * now.price[on] - cost, 0.0)
            self._charge(self._ledger, now.margin[on], cost)
        self.closed.append(now)
        self._note(number, now)

    def _charge(self, ledger: CascadePositions, margin: Ints, cost: Floats) -> None:
        """Take costs out of margin cash; the market gets them."""
        who, place = np.unique(margin, return_inverse=True)
        usd = summed(place, cost, len(who))
        some = usd != 0.0
        if not some.any():
            return
        ledger.settle(np.searchsorted(ledger.margins, who[some]), -usd[some], "sold below the mark")
        paid = ledger.cash.pop("sold below the mark")
        self._write_back(ledger)
        self.book.settled -= paid.sum(axis=0)
        for bearer, cash in zip(("borrowers", "protocol"), paid, strict=True):
            self.run.flows.move("mark_to_market", "market", bearer, float(cash @ self.book.price))

    def _note(self, number: int, now: ClosedPositions) -> None:
        debt = np.full(len(now), self.settlement)
        for at, action in enumerate(CLOSINGS):
            mine = now.part(now.action == at)
            usd, nothing, asset = mine.units * mine.price, np.zeros(len(mine)), self.book.rows.asset[mine.row]
            self.steps.append(
                Steps.of(
                    number,
                    action,
                    mine.margin,
                    asset,
                    debt[: len(mine)],
                    mine.units,
                    usd,
                    nothing,
                    nothing,
                    mine.proceeds_usd,
                )
            )
