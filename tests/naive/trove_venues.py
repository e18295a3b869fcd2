"""Liquity in a naive cascade, one protocol (a branch of v2) each (``tests.naive.liquity`` holds the rule's batches).

Choices where METHODS and the conventions leave them: stakes are those of the first batch that closes a trove (a closed
trove's is 0); a trove that paid for a call, or was paid for, has its collateral's share of all stakes as the last batch
left them; a batch that is refused as a whole for closing the last trove is called without its last; gas
collateral is held by liquidators to the end; the flat gas pay set aside at opening is in nobody's books; depositors who
are not named are outside the snapshot.
"""

from __future__ import annotations

from fractions import Fraction

from tests.naive import liquity

__all__ = ["Troves"]

F = Fraction


class Troves:
    """Liquity v1 and v2: one batch a round."""

    def __init__(self, run, protocol):
        self.run, self.book, self.protocol = run, run.book, protocol
        self.rule = self.book.rule(protocol)
        self.pool, self.stakes = self.book.term(protocol, "stability_pool"), None
        mine = [key for key in self.book.hold if key[1] == protocol]
        (self.debt,) = {key[3] for key in mine if key[4] == "debt"}
        (self.coll,) = {key[3] for key in mine if key[4] == "collateral"}

    def pending(self):
        return False

    def worth(self, prices):
        return 0.0

    def margins(self):
        return [margin for margin in self.book.margins() if margin[1] == self.protocol]

    def state(self):
        """The system as the trove oracle takes it."""
        troves, deposits = {}, {}
        for margin in self.margins():
            held, owed = (self.book.rows(margin, side) for side in ("collateral", "debt"))
            if held or owed:
                troves[margin] = F(held.get(self.coll, 0.0)), F(owed.get(self.debt, 0.0))
            if self.debt in self.book.rows(margin, "deposit"):
                deposits[margin] = F(self.book.rows(margin, "deposit")[self.debt])
        parts = [self.book.term(self.protocol, f"total_{what}_snapshot") for what in ("stakes", "collateral")]
        snapshots = None if parts[0] is None else tuple(map(F, parts))
        stakes = self.stakes
        if stakes is None:
            given = {margin: self.book.account_term(margin, "stake") for margin in troves}
            stakes = {margin: F(stake) for margin, stake in given.items() if stake is not None}
        else:
            touched = [margin for margin, trove in troves.items() if trove != self.stood.get(margin)]
            stakes = stakes | {margin: troves[margin][0] * self.ratio for margin in touched}
        return liquity.system(troves, deposits, None if self.pool is None else F(self.pool), stakes, snapshots)

    def terms(self):
        least = 1 / F(self.book.threshold(("", self.protocol, ""), self.coll))
        if self.rule == "liquity_v1":
            return {**liquity.V1, "mcr": least}
        penalties = (("sp", "penalty_stability_pool", 0.05), ("red", "penalty_redistribution", 0.1))
        own = {short: F(self.book.term(self.protocol, name, plain)) for short, name, plain in penalties}
        return {**liquity.V2, "mcr": least, **own}

    def price(self):
        shown = self.run.shown[self.protocol]
        return F(shown[self.coll]) / F(shown[self.debt])

    def liquidatable(self, margin):
        """As the first trove of a batch."""
        state = self.state()
        if margin not in state["troves"]:
            return False
        told, _ = (liquity.v1 if self.rule == "liquity_v1" else liquity.v2)(state, [margin], self.price(), self.terms())
        return bool(told) and told[0]["pot"] is not None

    def play(self, when):
        order = [margin for margin in self.margins() if self.run.may_be_called_on(margin, when) is not None]
        order = [one for one in order if self.book.rows(one, "collateral") and self.book.rows(one, "debt")]
        reason = "OnlyOneTroveLeft"
        while reason == "OnlyOneTroveLeft":
            state = self.state()
            pool = liquity.pool_of(state)
            batch = liquity.v1 if self.rule == "liquity_v1" else liquity.v2
            told, reason = batch(state, order, self.price(), self.terms())
            order = order[:-1]
        made = [one for one in told if one["pot"] is not None]
        if made:
            self.write(state, made, pool)
        return []

    def write(self, state, made, pool):
        """Carry what a batch did over into the holdings."""
        shown, inside = self.run.shown[self.protocol], sum(state["gains"].values(), F(0))
        for one in made:
            pot = one["pot"]
            taken = pot["to_pool"] + pot["red_coll"] + pot["gas"]
            usd = float(pot["offset"] + pot["red_debt"]) * shown[self.debt], float(taken) * shown[self.coll]
            self.run.note(one["name"], *usd)
            self.run.round["events"] += 1
            self.run.held[self.coll] = self.run.held.get(self.coll, 0.0) + float(pot["gas"])
        for margin, trove in state["troves"].items():
            self.book.hold[*margin, self.coll, "collateral"] = float(trove["coll"])
            self.book.hold[*margin, self.debt, "debt"] = float(trove["debt"])
        for margin, deposit in state["deposits"].items():
            self.book.hold[*margin, self.debt, "deposit"] = float(deposit)
        for gains in (state["gains"], state["surplus"]):
            for margin, units in gains.items():
                if units > 0:
                    self.book.add(margin, self.coll, "deposit", float(units))
        to_pool = sum((one["pot"]["to_pool"] for one in made), F(0))
        share = sum((one["pot"]["offset"] for one in made), F(0)) / pool if pool else F(0)
        named = sum(state["deposits"].values(), F(0)) / (1 - share) if share < 1 else F(0)
        self.run.outside += float((pool - named) * share) * self.run.prices.now[self.debt]
        self.run.outside -= float(to_pool - inside) * self.run.prices.now[self.coll]
        self.pool = None if state["pool"] is None else float(state["pool"])
        self.stakes = {margin: trove["stake"] for margin, trove in state["troves"].items()}
        self.stood = {
            margin: (F(self.book.hold[*margin, self.coll, "collateral"]), F(self.book.hold[*margin, self.debt, "debt"]))
            for margin in state["troves"]
        }
        whole = sum(coll for coll, _ in self.stood.values())
        self.ratio = sum(self.stakes.values()) / whole if whole else F(1)
