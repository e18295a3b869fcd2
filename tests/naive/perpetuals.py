"""Liquidation at a venue of perpetuals, one account and one position at a time, in fractions."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

__all__ = ["Account", "Position", "Venue", "ranked"]


@dataclass
class Position:
    asset: str
    side: str
    amount: Fraction
    entry: Fraction | None  # None: nobody knows, and PnL is 0

    def pnl(self, mark, amount=None):
        if self.entry is None:
            return Fraction(0)
        gain = mark - self.entry if self.side == "long" else self.entry - mark
        return gain * (self.amount if amount is None else amount)


@dataclass
class Account:
    owner: str
    bucket: str = ""
    cash: dict = field(default_factory=dict)  # token -> units
    debt: dict = field(default_factory=dict)
    positions: list = field(default_factory=list)


@dataclass
class Venue:
    """``tiers``: asset -> list of (lower bound, rate), ascending."""

    name: str
    marks: dict
    tiers: dict
    haircuts: dict
    settlement: str
    accounts: dict  # (owner, bucket) -> Account
    fund: Fraction = Fraction(0)
    deficit: Fraction = Fraction(0)
    fee: Fraction = Fraction(0)
    partial_share: Fraction = Fraction(1, 5)
    partial_above: Fraction = Fraction(100_000)
    backstop_share: Fraction = Fraction(2, 3)
    rank: str = "hyperliquid"
    cooling: set = field(default_factory=set)

    # -- what stands

    def notional(self, position):
        return position.amount * self.marks[position.asset]

    def margin_of(self, position):
        """Each slice of the notional at its own tier's rate."""
        ladder, notional, total = self.tiers[position.asset], self.notional(position), Fraction(0)
        for at, (start, rate) in enumerate(ladder):
            end = ladder[at + 1][0] if at + 1 < len(ladder) else None
            reach = notional if end is None else min(notional, end)
            if reach > start:
                total += (reach - start) * rate
        return total

    def maintenance(self, account):
        return sum((self.margin_of(one) for one in account.positions), Fraction(0))

    def value(self, account):
        total = sum((units * self.marks[token] for token, units in account.cash.items()), Fraction(0))
        total -= sum((units * self.marks[token] for token, units in account.debt.items()), Fraction(0))
        return total + sum((one.pnl(self.marks[one.asset]) for one in account.positions), Fraction(0))

    def equity(self, account):
        cut = [units * self.marks[token] * self.haircuts.get(token, 0) for token, units in account.cash.items()]
        return self.value(account) - sum(cut, Fraction(0))

    def health(self, account):
        equity, required = self.equity(account), self.maintenance(account)
        if required > 0:
            return float(equity / required)
        return float("-inf") if equity < 0 else float("inf")

    def wealth(self):
        """What all accounts and the fund own less the deficit: no call changes it."""
        return sum((self.value(one) for one in self.accounts.values()), Fraction(0)) + self.fund - self.deficit

    # -- one call

    def call(self, owner, bucket="", asset=None, least=1, slack=0):
        """One call; ``slack``: the share of what is needed and held by which rounding may make it lack something."""
        account = self.accounts[owner, bucket]
        told = {"refused": "", "stage": "", "health_before": self.health(account)}
        told |= dict.fromkeys(("seized_usd", "realised_pnl_usd", "fee_usd", "bonus_usd", "bad_debt_usd"), Fraction(0))
        told |= dict.fromkeys(("insurance_paid_usd", "adl_usd", "adl_closed_usd"), Fraction(0))
        live = [one for one in account.positions if one.amount > 0]
        value, equity, required = self.value(account), self.equity(account), self.maintenance(account)
        room = slack * (required + sum(units * self.marks[token] for token, units in account.cash.items()))
        if not live:
            told["refused"] = "no position"
        elif value < -room:
            self._ruin(account, live, told)
        elif equity >= least * required - room:
            told["refused"] = "healthy"
        elif equity < self.backstop_share * required and self.backstop_share > 0 and (owner, bucket) != (self.name, ""):
            self._backstop(account, live, told)
        else:
            self._order(account, [one for one in live if asset in (None, one.asset)], told)
        told["health_after"] = self.health(account)
        return told

    def _order(self, account, live, told):
        if not live:
            told["refused"] = "no position"
            return
        first = min(live, key=lambda one: (-self.notional(one), one.asset, one.side))
        partial = self.notional(first) > self.partial_above and account.owner not in self.cooling
        units = first.amount * self.partial_share if partial else first.amount
        if partial:
            self.cooling.add(account.owner)
        mark, equity = self.marks[first.asset], self.equity(account)
        pnl, fee = first.pnl(mark, units), min(self.fee * units * mark, max(equity, Fraction(0)))
        first.amount -= units
        self.settle(account, pnl)
        self.settle(account, -fee)
        self.fund += fee
        told |= {"stage": "partial" if partial else "full", "asset": first.asset, "side": first.side, "seized": units}
        told |= {"seized_usd": units * mark, "realised_pnl_usd": pnl, "fee_usd": fee, "bonus_usd": fee}

    def _backstop(self, account, live, told):
        told["stage"], told["bonus_usd"] = "backstop", self.value(account)
        vault = self.accounts.setdefault((self.name, ""), Account(self.name))
        for one in live:
            mark = self.marks[one.asset]
            told["seized_usd"] += one.amount * mark
            pnl = one.pnl(mark)
            told["realised_pnl_usd"] += pnl
        self.settle(account, told["realised_pnl_usd"])
        for one in live:
            self._take(vault, one)
            one.amount = Fraction(0)
        for mine, theirs in ((account.cash, vault.cash), (account.debt, vault.debt)):
            for token in mine:
                theirs[token] = theirs.get(token, Fraction(0)) + mine[token]
                mine[token] = Fraction(0)

    def _take(self, vault, one):
        """The vault buys at the mark; its entry price is then the average."""
        mark = self.marks[one.asset]
        for own in vault.positions:
            if (own.asset, own.side) == (one.asset, one.side):
                entry = mark if own.entry is None else own.entry
                own.entry = (own.amount * entry + one.amount * mark) / (own.amount + one.amount)
                own.amount += one.amount
                return
        vault.positions.append(Position(one.asset, one.side, one.amount, mark))

    def _ruin(self, account, live, told):
        shortfall = -self.value(account)
        insured = min(shortfall, self.fund)
        self.fund -= insured
        gap = shortfall - insured
        told["stage"] = "adl" if gap > 0 else "insurance"
        weights = [self.margin_of(one) for one in live]
        if sum(weights) == 0:
            weights = [self.notional(one) for one in live]
        if sum(weights) == 0:
            weights = [Fraction(1) for _ in live]
        paid = Fraction(0)
        for one, weight in sorted(zip(live, weights, strict=True), key=lambda pair: (pair[0].asset, pair[0].side)):
            if gap > 0:
                usd, closed = self._deleverage(one, gap * weight / sum(weights))
                paid += usd
                told["adl_closed_usd"] += closed
        for one in live:
            told["seized_usd"] += self.notional(one)
            told["realised_pnl_usd"] += one.pnl(self.marks[one.asset])
            one.amount = Fraction(0)
        for side in (account.cash, account.debt):
            for token in side:
                side[token] = Fraction(0)
        self.deficit += gap - paid
        told |= {"insurance_paid_usd": insured, "adl_usd": paid, "bad_debt_usd": gap - paid}

    def _deleverage(self, one, loss):
        mark, left, paid, closed = self.marks[one.asset], one.amount, Fraction(0), Fraction(0)
        for other, facing, _ in ranked(self, one.asset, "short" if one.side == "long" else "long"):
            units = min(left, facing.amount)
            if units == 0:
                break
            cost = min(loss * units / one.amount, self.value(other))
            pnl = facing.pnl(mark, units)
            facing.amount -= units
            self.settle(other, pnl)
            self.settle(other, -cost)
            left, paid, closed = left - units, paid + cost, closed + units * mark
        return paid, closed

    def settle(self, account, usd):
        """USD into margin cash, debt first; or out of it, the settlement token first, then the largest."""
        for side, sign in ((account.debt, 1), (account.cash, -1)):
            tokens = [token for token in side if side[token] * self.marks[token] > 0]
            tokens.sort(key=lambda token: (token != self.settlement, -side[token] * self.marks[token], token))
            for token in tokens:
                if usd * sign > 0:
                    part = min(usd * sign, side[token] * self.marks[token])
                    side[token] -= part / self.marks[token]
                    usd -= sign * part
        left = account.cash if usd > 0 else account.debt
        if usd:
            left[self.settlement] = left.get(self.settlement, Fraction(0)) + abs(usd) / self.marks[self.settlement]


def ranked(venue, asset, side):
    """Accounts and positions on a side with their scores, the first to be closed out first."""
    found = []
    for key in sorted(venue.accounts):
        account = venue.accounts[key]
        value = venue.value(account)
        live = [one for one in account.positions if (one.asset, one.side) == (asset, side) and one.amount > 0]
        if value > 0:
            found += [(account, one, _score(venue, account, one, value)) for one in live]
    return sorted(found, key=lambda item: -item[2])


def _score(venue, account, one, value):
    mark = venue.marks[one.asset]
    entry = mark if one.entry is None else one.entry
    move = 0 if entry == 0 else (mark - entry) / entry * (1 if one.side == "long" else -1)
    notional, required = venue.notional(one), venue.maintenance(account)
    if venue.rank == "hyperliquid":
        if one.side == "long":
            return mark / entry * notional / value if entry else Fraction(0)
        return entry / mark * notional / value if mark else entry * one.amount / value
    if venue.rank == "binance":
        wallet = value - sum((other.pnl(venue.marks[other.asset]) for other in account.positions), Fraction(0))
        return max(Fraction(0), one.pnl(mark)) / max(Fraction(1), wallet) * (required / value)
    ratio = value / required if required else None  # okx: equity ÷ maintenance
    if venue.rank == "okx":
        if move < 0:
            return move * ratio if ratio is not None else -float("inf")
        return move / ratio if ratio is not None else Fraction(0)
    leverage = notional / value
    if move < 0:
        return move / leverage if leverage else -float("inf")
    return move * leverage
