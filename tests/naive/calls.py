"""Margin calls again, one wallet at a time (METHODS 5.3).

``margin_calls(tables, shock)`` is one moment; a cascade plays ``play`` in every round. Choices where METHODS and the
conventions leave them:

- ``margin_calls`` calls every account below its protocol's level, also who is liquidatable; its prices are those after
  the shock at once, lag and deviation left aside;
- a health within 1e-12 of ``call_level`` is at it (a full payment restores exactly that where no target is given);
- borrow factors: D counts debt ÷ factor, and one USD that repays cures T ÷ factor;
- under ``grace 0`` and no ``topup`` an open call of an account that is liquidatable now asks for nothing in this round;
- an account without any collateral that owes is called like any other where a call comes before liquidation;
- with an order of protocols, calls of one protocol (buckets) are served in order of labels, each in full;
- payments are told in USD at the called protocol's oracle prices; a donor's tokens are ordered by USD at its own;
- at a venue of perpetuals every payment becomes collateral, also of a token that is owed there.
"""

from __future__ import annotations

from tests.naive import pair_turns
from tests.naive.cascade_book import TRADING, Book
from tests.naive.moving_prices import moves_of
from tests.naive.portfolios import option_usd, requirement

__all__ = ["margin_calls", "play", "standing"]

SMALL = 1e-15
MET = 1e-12  # share of a shortfall that is rounding
AT_LEVEL = 1 - 1e-12


def margin_calls(tables, shock=None, *, call_sharing="pro_rata", follow="backing"):
    """Called margin accounts -> health before and after, USD required, paid (wallet, elsewhere) and unmet."""
    book = Book(tables)
    moves = moves_of(book, shock or {}, follow)
    shown = {
        protocol: {
            asset: book.price_there0(protocol, asset) * (1 if (protocol, asset) in book.par else 1 + moves[asset])
            for asset in book.price0
        }
        for protocol in book.protocols
    }
    asking = [margin for margin in book.margins() if is_called(book, margin, shown[margin[1]])]
    market = {asset: price * (1 + moves[asset]) for asset, price in book.price0.items()}
    before = {margin: health(book, margin, shown[margin[1]]) for margin in asking}
    told = {}
    for account in sorted({margin[0] for margin in asking}):
        mine = [margin for margin in asking if margin[0] == account]
        told |= Collection(book, shown, market, account, mine, mine, call_sharing).collected()
    for margin in asking:
        told[margin] |= {"before": before[margin], "after": health(book, margin, shown[margin[1]])}
    return told


def play(run, when):
    """Issue, cure, pay and expire calls in a round of a cascade."""
    book, shown, calls = run.book, run.shown, run.open_calls
    for margin in book.margins():
        called = is_called(book, margin, shown[margin[1]])
        if margin in calls and not called:
            del calls[margin]
        if called and margin not in calls and not liquidated_first(run, margin):
            calls[margin] = {"issued": when, "expires": when + int(book.term(margin[1], "grace_rounds", 0))}
            run.round["issued"] += 1
            run.round["events"] += 1
    asking = [margin for margin in sorted(calls) if not liquidated_first(run, margin)]
    owners = {margin[0] for margin in asking}
    due = {margin for margin in book.margins() if margin[0] in owners and run.is_liquidatable(margin)}
    for account in sorted({margin[0] for margin in asking}):
        mine = [margin for margin in asking if margin[0] == account]
        told = Collection(
            book, shown, run.prices.now, account, mine, list(calls), run.sharing, due.__contains__
        ).collected()
        paid = sum(one["wallet_usd"] + one["elsewhere_usd"] for one in told.values())
        run.round["paid_usd"] += paid
        run.round["events"] += paid > 0
    for margin in list(calls):
        if not is_called(book, margin, shown[margin[1]]):
            del calls[margin]
        elif calls[margin]["expires"] == when:
            run.round["expired"] += 1
            run.round["events"] += 1


def liquidated_first(run, margin):
    """Whether the account is liquidated in this round without being asked."""
    first = (run.topup or run.book.term(margin[1], "topup")) == "first"
    if first or int(run.book.term(margin[1], "grace_rounds", 0)) > 0:
        return False
    return run.is_liquidatable(margin)


# -- where an account stands -------------------------------------------------------------------------------------------


def standing(book, margin, shown):
    """Weighted collateral and debt; of a venue of perpetuals equity and maintenance margin."""
    if trades(book, margin):
        return equity(book, margin, shown), maintenance(book, margin, shown)
    held = {side: book.rows(margin, side) for side in ("collateral", "debt")}
    return tuple(map(float, pair_turns.health_parts(book, margin, shown, held)[:2]))


def trades(book, margin):
    """Whether an account is, or was before its positions were closed, one of longs and shorts."""
    mine, every = book.rule(margin[1]) in TRADING, [*book.hold, *book.options]
    return mine and any(key[:3] == margin and key[4] in ("long", "short") for key in every)


def equity(book, margin, shown):
    """What stands against the maintenance margin; 0 where rounding may be all of it."""
    parts = [option_usd(book, margin, shown)]
    for asset, units in book.rows(margin, "collateral").items():
        parts.append(units * shown[asset] * (1 - book.market_term(margin[1], asset, "haircut", 0.0)))
    parts += [-units * shown[asset] for asset, units in book.rows(margin, "debt").items()]
    for side, sign in (("long", 1), ("short", -1)):
        for asset, units in book.rows(margin, side).items():
            parts.append(sign * units * (shown[asset] - book.entry[*margin, asset, side]))
    total = sum(parts)
    return total if abs(total) > 1e-12 * sum(map(abs, parts)) else 0.0


def maintenance(book, margin, shown):
    if book.rule(margin[1]) == "portfolio_margin":
        return requirement(book, margin, shown)
    total = 0.0
    for side in ("long", "short"):
        for asset, units in book.rows(margin, side).items():
            steps = ladder(book, margin[1], asset)
            for at, (start, rate) in enumerate(steps):
                end = steps[at + 1][0] if at + 1 < len(steps) else float("inf")
                total += max(0.0, min(units * shown[asset], end) - start) * rate
    return total


def ladder(book, protocol, asset):
    """Lower bounds and rates of an asset's tiers at a venue."""
    rows = [row for row in book.tiers if (row["protocol"], row["asset"]) == (protocol, asset)]
    steps = sorted((row["notional_from_usd"], row["maintenance_margin"]) for row in rows)
    return steps or [(0.0, book.market_term(protocol, asset, "maintenance_margin"))]


def health(book, margin, shown):
    weighted, owed = standing(book, margin, shown)
    return weighted / owed if owed > 0 else float("-inf" if weighted < 0 else "inf")


def is_called(book, margin, shown):
    level = book.term(margin[1], "call_level")
    return level is not None and health(book, margin, shown) < level * AT_LEVEL


def target_of(book, protocol):
    return book.term(protocol, "target_health", book.term(protocol, "call_level"))


def takes(book, protocol, token):
    """Whether a protocol takes a token: it lists a threshold for it, or somebody pledged it at the start."""
    listed = book.market_term(protocol, token, "liquidation_threshold")
    ratio = book.market_term(protocol, token, "liquidation_ratio")
    special = any(venue == protocol and asset == token for venue, _, asset in book.emodes)
    return bool(listed) or bool(ratio) or special or (protocol, token) in book.pledged0


# -- who pays ----------------------------------------------------------------------------------------------------------


class Collection:
    """One account's money for its calls: the wallet's, then what its other margin accounts can spare."""

    def __init__(self, book, shown, market, account, asking, open_calls, sharing, liquidatable=None):
        self.book, self.shown, self.market, self.account = book, shown, market, account
        self.asking, self.open, self.sharing = sorted(asking), set(open_calls), sharing
        self.liquidatable = liquidatable or (lambda margin: pair_turns.liquidatable(book, margin, shown[margin[1]]))
        self.short = {}  # weighted USD that each call still lacks
        for margin in self.asking:
            weighted, owed = standing(book, margin, shown[margin[1]])
            self.short[margin] = target_of(book, margin[1]) * owed - weighted
        self.start = dict(self.short)
        self.paid = {margin: {"wallet_usd": 0.0, "elsewhere_usd": 0.0} for margin in self.asking}

    def collected(self):
        """Collect, and tell what each call required, got and still lacks."""
        donors = self.donors()  # before any payment
        wallet = (self.account, "", "")
        for token in self.ordered(self.book.rows(wallet, "wallet"), self.market):
            self.share_out(wallet, "wallet", token, self.book.rows(wallet, "wallet")[token])
        for donor, excess in donors:
            self.give(donor, excess)
        told = {}
        for margin in self.asking:
            counts = 1.0 if self.trading(margin) else target_of(self.book, margin[1])
            required, unmet = self.start[margin] / counts, self.short[margin] / counts
            told[margin] = {**self.paid[margin], "required_usd": required, "unmet_usd": unmet}
        return told

    def trading(self, margin):
        return self.book.rule(margin[1]) in TRADING

    def ordered(self, tokens, prices):
        """What any call owes first, then the largest, then by label."""
        owed = {asset for margin in self.asking for asset in self.book.rows(margin, "debt")}
        return sorted(tokens, key=lambda token: (token not in owed, -tokens[token] * prices[token], token))

    def donors(self):
        """Margin accounts that can spare something, with their excess in weighted USD, the largest first."""
        found = []
        for margin in self.book.margins_of(self.account):
            if margin in self.open:
                continue
            shown = self.shown[margin[1]]
            if trades(self.book, margin):
                continue
            weighted, owed = standing(self.book, margin, shown)
            target, excess = target_of(self.book, margin[1]), float("inf")
            if owed > 0:
                excess = weighted - target * owed if target else 0.0
            if excess > 1e-12 * weighted and not self.liquidatable(margin):
                usd = sum(units * shown[asset] for asset, units in self.book.rows(margin, "collateral").items())
                found.append((-excess, -usd if owed <= 0 else 0.0, margin))
        return [(margin, -excess) for excess, _, margin in sorted(found)]

    def give(self, donor, excess):
        shown, least = self.shown[donor[1]], MET * excess if excess < float("inf") else 0.0
        for token in self.ordered(self.book.rows(donor, "collateral"), shown):
            if excess <= least:
                break
            most = self.book.rows(donor, "collateral")[token]
            weight = (self.book.threshold(donor, token) or 0.0) * shown[token]
            if excess < float("inf") and weight > 0:
                most = min(most, excess / weight)
            excess -= weight * self.share_out(donor, "collateral", token, most)

    def share_out(self, source, side, token, units):
        """Hand out units of a token until they are used or no call takes any; gives what was handed out."""
        left = units
        while left > SMALL * units:
            needs = {margin: self.need(margin, token) for margin in self.order()}
            needs = {margin: need for margin, need in needs.items() if need > 0}
            if not needs:
                break
            if self.sharing != "pro_rata":
                needs = dict([next(iter(needs.items()))])  # in full, also where it is posted once the debt is gone
            share = min(1.0, left / sum(needs.values()))
            for margin, need in needs.items():
                part = min(need * share, left)
                if part > 0:
                    self.pay(source, side, margin, token, part, whole=part == need)
                    left -= part
        return units - max(left, 0.0)

    def order(self):
        if self.sharing == "pro_rata":
            return self.asking
        rank = {protocol: at for at, protocol in enumerate(self.sharing)}
        return sorted(self.asking, key=lambda margin: (rank.get(margin[1], len(rank)), margin))

    def need(self, margin, token):
        """Units that a call would take; 0 where it lacks nothing or does not accept the token."""
        price = self.shown[margin[1]][token]
        if self.short[margin] <= MET * self.start[margin] or price <= 0:
            return 0.0
        cures, owed = self.cures(margin, token)
        units = self.short[margin] / (cures * price) if cures > 0 else 0.0
        return min(units, owed) if owed else units

    def cures(self, margin, token):
        """Weighted USD that one USD of a token cures, and units of it that are owed (0: it becomes collateral)."""
        book, protocol = self.book, margin[1]
        if self.trading(margin):
            known = (protocol, token) in book.markets or any(
                key[1] == protocol and key[3] == token for key in book.hold
            )
            return (1 - book.market_term(protocol, token, "haircut", 0.0) if known else 0.0), 0.0
        owed = book.rows(margin, "debt").get(token, 0.0)
        if owed > 0:
            return target_of(book, protocol) / book.market_term(protocol, token, "borrow_factor", 1.0), owed
        if book.market_term(protocol, token, "usable_as_collateral") is False or not takes(book, protocol, token):
            return 0.0, 0.0
        return book.threshold(margin, token) or 0.0, 0.0

    def pay(self, source, side, margin, token, units, *, whole):
        """Move units from where they are to a call; ``whole``: all that it asked for."""
        cures, owed = self.cures(margin, token)
        price = self.shown[margin[1]][token]
        cured = cures * price * units
        closed = whole and not (owed and units == owed)
        self.short[margin] = 0.0 if closed else max(self.short[margin] - cured, 0.0)
        self.book.add(source, token, side, -units)
        if owed > 0:
            self.book.add(margin, token, "debt", -units)
        else:
            self.book.add(margin, token, "collateral", units)
        self.paid[margin]["wallet_usd" if side == "wallet" else "elsewhere_usd"] += units * price
