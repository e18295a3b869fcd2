"""Compound v3 in a cascade: accounts absorbed at the cost of reserves, collateral sold while these are under target."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Floats, Ints, summed
from riskgraph.errors import InputError
from riskgraph.margin.cascade_book import COLLATERAL, DEBT, DEPOSIT
from riskgraph.margin.ledger import Ledger
from riskgraph.margin.rules.compound_v3 import base_asset_of, reserves_of
from riskgraph.margin.venue_desk import VenueDesk
from riskgraph.margin.venue_steps import Steps

if TYPE_CHECKING:
    from riskgraph.margin.cascade_run import CascadeRun
    from riskgraph.margin.market_clearing import Offers

__all__ = ["CometDesk"]

_ROUNDING = 1e-12  # share of all that reserves have been through below which what they lack is rounding


class CometDesk(VenueDesk):
    r"""A market of Compound v3.

    .. math:: \text{paid out} = \max\!\Big(D, \frac{1}{p_{base}} \sum_i V_i LF_i\Big), \qquad
              \text{price}_i = p_i (1 - f (1 - LF_i)), \qquad
              q_i = \min\!\Big(\text{held}_i, (\text{target} - \text{reserves}) \frac{p_{base}}{\text{price}_i}\Big)

    Accounts are absorbed at oracle prices, all at once; what they get beyond their debt is theirs (a deposit of the
    base asset). The storefront offers what is held in the order of labels, each asset as far as the ones before it
    leave reserves under target; reserves grow by what buyers pay. Deposits of the protocol's own account in the
    snapshot are for sale too.
    """

    def __init__(self, run: CascadeRun, protocol: int) -> None:
        super().__init__(run, protocol)
        self.stock = np.zeros(self.book.shape[1])  # units absorbed in the cascade and not yet sold, by asset
        self._reserves: float | None = None
        self._moved = 0.0  # base asset that came and went, units

    @cached_property
    def _ledger(self) -> Ledger:
        """Books without accounts, through which the rule tells its terms."""
        return Ledger(self.book.snap, self.protocol, self.rule, np.zeros(0, dtype=np.int64), exact=False)

    @cached_property
    def base(self) -> int:
        """Asset that is lent."""
        return base_asset_of(self._ledger)

    @property
    def reserves(self) -> float:
        """Units of the base asset that the protocol itself owns; may be below 0."""
        if self._reserves is None:
            pair = self._pair[self.base]
            price = self.book.start_pair_price[pair] if pair >= 0 else self.book.start_price[self.base]
            self._reserves = float(reserves_of(self._ledger, float(price)))
        return self._reserves

    @cached_property
    def own_rows(self) -> Ints:
        """Rows of collateral that the protocol itself held in the snapshot."""
        rows = self.book.rows
        mine = np.flatnonzero((rows.protocol == self.protocol) & self.book.treasury & (rows.side == DEPOSIT))
        if not len(mine) or not self._lends():
            return mine[:0]
        return np.asarray(mine[rows.asset[mine] != self.base])

    def _lends(self) -> bool:
        """Whether the base asset is known: it is given, or somebody owes it."""
        rows = self.book.rows
        owed = (rows.protocol == self.protocol) & (rows.side == DEBT)
        return bool(owed.any()) or self.terms.label("base_asset") != ""

    def act(self, number: int, due: Ints, shut: Ints) -> Offers:
        """Absorb accounts; offer what is held while reserves are under target."""
        self.acted = False
        self.refused.clear()
        if len(due):
            self._absorb(number, due)
        return self._storefront()

    # -- absorption ---------------------------------------------------------------------------------------------------

    def _absorb(self, number: int, due: Ints) -> None:
        book, base = self.book, self.base
        rows, place = book.rows_of(due)
        some = (book.amount[rows] > 0.0) & np.isin(book.rows.side[rows], (COLLATERAL, DEBT))
        rows, place = rows[some], place[some]
        asset, pledged = book.rows.asset[rows], book.rows.side[rows] == COLLATERAL
        self._check_debts(np.unique(asset[~pledged]))
        price = book.pair_price[book.rows.pair[rows]]
        cost = float(self.shown(np.array([base]))[0])
        owed = summed(place[~pledged], book.amount[rows[~pledged]], len(due))
        blank = np.bincount(place[pledged & (price <= 0.0)], minlength=len(due)) > 0
        done = (owed > 0.0) & ~blank & (cost > 0.0)
        self.refused["BadPrice"] += int(np.count_nonzero((owed > 0.0) & ~done))
        which = done[place]
        if which.any():
            self.acted = True
            self._settle(number, due, rows[which], place[which], owed, cost)

    def _check_debts(self, owed: Ints) -> None:
        other = owed[owed != self.base]
        if len(other):
            labels = self.book.snap.labels("asset")
            names = ", ".join(str(labels[int(one)]) for one in other[:5])
            raise InputError(
                f"positions.asset: expected debts at {self.terms.protocol_label} (rule compound_v3) in "
                f"{labels[self.base]} alone, its base asset, got {names}"
            )

    def _settle(self, number: int, due: Ints, rows: Ints, place: Ints, owed: Floats, cost: float) -> None:
        """Take all collateral and all debt of some accounts; ``rows`` are theirs, ``cost`` the price of the base."""
        book, n = self.book, len(due)
        mine = rows[book.rows.side[rows] == COLLATERAL]
        at, asset, units = place[book.rows.side[rows] == COLLATERAL], book.rows.asset[mine], book.amount[mine]
        value = units * book.pair_price[book.rows.pair[mine]]
        factor = self.terms.of_assets("liquidation_factor", asset)
        worth, credit, market = (summed(at, part, n) for part in (value, value * factor, units * book.price[asset]))
        hit = np.bincount(place, minlength=n) > 0
        paid = np.where(hit, np.maximum(owed, credit / cost), 0.0)
        seized = summed(asset, units, book.shape[1])
        book.put(rows, np.zeros(len(rows)))
        self.stock += seized
        book.venue[self.protocol] += seized
        book.venue[self.protocol, self.base] -= paid.sum()
        surplus = paid - np.where(hit, owed, 0.0)
        rich = np.flatnonzero(surplus > 0.0)
        base = np.full(len(rich), self.base)
        book.add(self.rows_at(due[rich], base, DEPOSIT), surplus[rich])
        self.run.flows.move("fee", "borrowers", "lenders", float(surplus.sum() * book.price[self.base]))
        self._change_reserves(-float(paid.sum()), cost)
        gain = market - paid * book.price[self.base]
        self._bear(due, np.maximum(paid * cost - worth, 0.0), gain)
        share = np.divide(value, worth[at], out=np.zeros(len(at)), where=worth[at] > 0.0)
        debt = np.full(len(at), self.base)
        self.steps.append(
            Steps.of(number, "absorbed", due[at], asset, debt, units, value, owed[at] * share, owed[at] * share * cost)
        )

    def _bear(self, due: Ints, short: Floats, gain: Floats) -> None:
        """Note who bears what: USD paid beyond collateral's worth, and what the protocol gained at market prices."""
        losses, flows = self.run.losses, self.run.flows
        losses.written_off[due] += short
        losses.borne[self.protocol, losses.COLUMNS.index("reserve")] += short.sum()
        flows.move("fee", "borrowers", "protocol", float(np.maximum(gain, 0.0).sum()))
        flows.move("bad_debt", "protocol", "borrowers", float(np.maximum(-gain, 0.0).sum()))

    def _change_reserves(self, units: float, price: float) -> None:
        """Change reserves; a ``reserve_usd`` that is given moves by the same money, as far as there is some."""
        before, after = self.reserves, self.reserves + units
        self._reserves = after
        self._moved += abs(units)
        at = self.protocol
        if np.isnan(self.terms.given("reserve_usd")):
            return
        self.book.reserve[at] = max(self.book.reserve[at] + (max(after, 0.0) - max(before, 0.0)) * price, 0.0)

    # -- the storefront -----------------------------------------------------------------------------------------------

    def _held(self) -> Floats:
        """Units for sale by asset: absorbed ones, and the protocol's own from before."""
        own = summed(self.book.rows.asset[self.own_rows], self.book.amount[self.own_rows], self.book.shape[1])
        return self.stock + own

    def _storefront(self) -> Offers:
        if not self.stock.any() and not len(self.own_rows):
            return self.nothing()
        target = self.terms.number("target_reserves")
        room = target - self.reserves
        held, base = self._held(), np.array([self.base])
        asset = np.flatnonzero(held > 0.0)
        cost, price = float(self.shown(base)[0]), self._prices(asset)
        asset, price = asset[price > 0.0], price[price > 0.0]
        if room <= _ROUNDING * (abs(target) + self._moved) or cost <= 0.0 or not len(asset):
            return self.nothing()
        through = np.cumsum(held[asset] * price / cost)
        left = np.maximum(room - (through - held[asset] * price / cost), 0.0)
        units = np.minimum(held[asset], left * cost / price)
        asset, price, units = asset[units > 0.0], price[units > 0.0], units[units > 0.0]
        self.cost = units * price / cost
        nobody, debt = np.full(len(asset), -1), np.full(len(asset), self.base)
        return self.offers(nobody, asset, debt, units, self.shown(asset), self.limit(price, asset))

    def _prices(self, asset: Ints) -> Floats:
        """Discounted prices, USD a unit."""
        factor = self.terms.of_assets("liquidation_factor", asset)
        discount = self.terms.number("storefront_price_factor") * (1.0 - factor)
        return self.shown(asset) * (1.0 - discount)

    def take(self, number: int, offers: Offers, share: Floats, average: Floats) -> None:
        """Sell what buyers take; reserves grow by what they pay."""
        some = np.flatnonzero(share > 0.0)
        if not len(some):
            return
        self.acted = True
        asset, debt, part = offers.collateral[some], offers.debt[some], share[some]
        units, paid = offers.units[some] * part, self.cost[some] * part
        self._hand_out(asset, units)
        proceeds = self.sell(asset, debt, units, paid, average)
        cost = float(self.shown(np.array([self.base]))[0])
        self._change_reserves(float(paid.sum()), cost)
        usd = units * self.shown(asset)
        self.steps.append(
            Steps.of(number, "sold", offers.margin[some], asset, debt, units, usd, paid, paid * cost, proceeds)
        )

    def _hand_out(self, asset: Ints, units: Floats) -> None:
        """Take units out of stock: what was absorbed first, then what the protocol held before."""
        out = np.zeros(len(self.stock))
        out[asset] = units
        first = np.minimum(self.stock, out)
        self.stock -= first
        rows = self.own_rows
        if len(rows):
            rest = (out - first)[self.book.rows.asset[rows]]
            self.book.add(rows, -rest)
            self.book.venue[self.protocol] += out - first  # sell() takes all of it from there
