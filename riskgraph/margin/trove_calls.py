"""A batch of trove calls: trove by trove on scalars, then pool, other troves and stakes change once for all of them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Bools, Ints, Labels
from riskgraph.margin.ledger import COLLATERAL, DEBT, Ledger, Request
from riskgraph.margin.rounding import Amounts, rounded_down
from riskgraph.margin.rules.troves import Branch, TroveCall
from riskgraph.margin.trove_books import TroveBooks, books_of
from riskgraph.snapshot.schema import SIDES

if TYPE_CHECKING:
    from riskgraph.margin.rules.troves import TroveRule

__all__ = ["Batch", "gone_through", "settle_troves"]

_NOTHING = TroveCall("", 0, 0, 0, 0, 0, 0)
# Where each part of a trove goes: field of the call, side of the row that it leaves, and why.
_PARTS = (
    ("offset", DEBT, "offset"),
    ("handed_debt", DEBT, "redistributed"),
    ("to_pool", COLLATERAL, "to the pool"),
    ("handed_collateral", COLLATERAL, "redistributed"),
    ("gas_collateral", COLLATERAL, "gas compensation"),
    ("surplus", COLLATERAL, "surplus"),
)


def settle_troves(ledger: Ledger, rule: TroveRule, request: Request) -> None:
    """Carry out one batch: holdings, pool and stakes change, and a step each says what happened."""
    books = books_of(ledger)
    branch = books.branch(ledger, rule)
    before = books.health(ledger, request.margin)
    batch = gone_through(rule, books, branch, request.margin)
    settlement = _Settlement(ledger, rule, books, branch, batch)
    if batch.done.any():
        settlement.close()
        settlement.pay(request.liquidator)
        settlement.offset()
        settlement.hand_on()
    ledger.steps.append(settlement.steps(before))


@dataclass(frozen=True, eq=False)
class Batch:
    """What a batch does, call by call: to whom, what, or why not; whether the rule's own test is met; what it met."""

    margin: Ints
    calls: list[TroveCall]
    refused: Labels
    allowed: Bools
    met: dict[str, list[Any]]

    @cached_property
    def done(self) -> Bools:
        """Which calls liquidate a trove."""
        return np.asarray(self.refused == "", dtype=np.bool_)


def gone_through(rule: TroveRule, books: TroveBooks, branch: Branch, margins: Ints) -> Batch:
    """Go through a batch in its order; every call meets what the ones before have left of pool and system."""
    closed: set[int] = set()
    holders = int(np.count_nonzero(books.stake > 0))  # somebody must be left who can take what is handed on
    calls: list[TroveCall | None] = []
    allowed: list[bool] = []
    met: dict[str, list[Any]] = {"icr": [], "tcr": [], "recovery_mode": [], "pool": []}
    reason = rule.healthy_reason
    for margin in margins.tolist():
        trove = books.trove(margin, branch, gone=margin in closed)
        for name, value in zip(met, (trove.ratio, branch.total_ratio, branch.recovery, branch.pool), strict=True):
            met[name].append(value)
        call = rule.call(trove, branch)
        allowed.append(call is not None)
        holds = bool(books.stake[margin] > 0)
        if call is not None and holders <= holds:
            call, reason = None, rule.last_reason or reason
        calls.append(call)
        if call is not None:
            closed.add(margin)
            holders -= holds
            branch.take(call)
    if reason != rule.healthy_reason:  # refused as a whole
        calls = [None] * len(calls)
    refused = np.array([reason if call is None else "" for call in calls], dtype=object)
    return Batch(margins, [call or _NOTHING for call in calls], refused, np.array(allowed, dtype=np.bool_), met)


class _Settlement:
    """Changes that a batch makes, once for all of it: O(troves), however long the batch is."""

    def __init__(self, ledger: Ledger, rule: TroveRule, books: TroveBooks, branch: Branch, batch: Batch) -> None:
        self.ledger, self.rule, self.books, self.branch, self.batch = ledger, rule, books, branch, batch
        self.part = {
            one.name: np.array([getattr(call, one.name) for call in batch.calls], dtype=ledger.amount.dtype)
            for one in fields(TroveCall)
            if one.name != "mode"
        }
        self.rows = {COLLATERAL: books.pledged, DEBT: books.owed}
        self.asset = {COLLATERAL: books.collateral_asset, DEBT: books.debt_asset}
        self.scale = {COLLATERAL: np.asarray(branch.collateral_scale), DEBT: np.asarray(branch.debt_scale)}

    def close(self) -> None:
        """Take everything out of liquidated troves."""
        for name, side, why in _PARTS:
            self.ledger.move(self.rows[side][self.batch.margin], -self.part[name], why)

    def pay(self, liquidator: str) -> None:
        """Give owners what they may claim, and a named liquidator its pay."""
        part = self.part
        owner = self.ledger.place(self.batch.margin)["account"]
        self._credit(owner, self.ledger.terms.protocol_label, COLLATERAL, part["surplus"], "surplus")
        if liquidator:
            whom = np.full(len(owner), liquidator, dtype=object)
            self._credit(whom, "", COLLATERAL, part["gas_collateral"], "gas compensation")
            if self.rule.gas_in_debt:
                self._credit(whom, "", DEBT, part["gas_pay"], "gas compensation")

    def offset(self) -> None:
        """Take what was offset from deposits in proportion, and give them the collateral for it."""
        offset, gain = self.part["offset"].sum(), self.part["to_pool"].sum()
        if not offset:
            return
        ledger, rows, pool = self.ledger, self.books.deposits, self.books.pool
        deposit, place = ledger.amount[rows], ledger.place(ledger.margin[rows])
        left = rounded_down(deposit - deposit * offset / pool, self.scale[DEBT])
        ledger.move(rows, left - deposit, "offset")
        gains = rounded_down(deposit * gain / pool, self.scale[COLLATERAL])
        where = ledger.terms.protocol_label
        self._credit(place["account"], where, COLLATERAL, gains, "to the pool", bucket=place["bucket"])
        if self.books.published:
            ledger.change("protocols", "stability_pool", pool - offset)

    def hand_on(self) -> None:
        """Hand debt and collateral on to all other troves by stake; note the stakes that the next batch starts from."""
        stake = self.books.stake.copy()
        stake[self.batch.margin[self.batch.done]] = 0
        total, debt = stake.sum(), self.part["handed_debt"].sum()
        if debt > 0:
            self._grow(DEBT, stake, debt / total)
            self._grow(COLLATERAL, stake, self.part["handed_collateral"].sum() / total)
        if debt > 0 or self.books.staked:
            self.ledger.changed_margins["stake"] = np.where(stake > 0, stake, np.nan)
            self.ledger.change("protocols", "total_stakes_snapshot", total)
            self.ledger.change("protocols", "total_collateral_snapshot", self.branch.collateral)

    def _grow(self, side: int, stake: Amounts, rate: Any) -> None:
        """Add ``rate`` a unit of stake to rows, and to accounts that have no such row yet."""
        gain, rows = rounded_down(stake * rate, self.scale[side]), self.rows[side]
        self.ledger.move(rows, gain, "redistributed")
        bare = np.flatnonzero(rows < 0)
        place = self.ledger.place(bare)
        self.ledger.credit(
            place["account"],
            self.ledger.terms.protocol_label,
            SIDES[side],
            np.full(len(bare), self.asset[side]),
            gain[bare],
            "redistributed",
            bucket=place["bucket"],
        )

    def _credit(
        self, whom: Labels, where: str, side: int, amount: Amounts, why: str, bucket: str | Labels = ""
    ) -> None:
        """Credit a deposit, or a wallet where there is no protocol, in the asset of a side."""
        asset = np.full(len(whom), self.asset[side])
        self.ledger.credit(whom, where, "deposit" if where else "wallet", asset, amount, why, bucket=bucket)

    def steps(self, before: Amounts) -> dict[str, Any]:
        """Columns of the steps of the batch."""
        ledger, batch, part, kind = self.ledger, self.batch, self.part, self.ledger.amount.dtype
        repaid = part["offset"] + part["handed_debt"]
        seized = part["to_pool"] + part["handed_collateral"] + part["gas_collateral"]
        repaid_usd, seized_usd = repaid * self.branch.debt_price, seized * self.branch.collateral_price
        short = np.maximum(repaid_usd - seized_usd, 0)
        nothing = np.zeros(len(batch.calls))
        names = {side: ledger.label("asset", np.full(len(nothing), code)) for side, code in self.asset.items()}
        return {
            **ledger.place(batch.margin),
            "debt_asset": names[DEBT],
            "collateral_asset": names[COLLATERAL],
            "liquidatable": batch.allowed,
            "refused": batch.refused,
            "health_before": before,
            "health_after": self.books.health(ledger, batch.margin),
            "repaid": repaid,
            "repaid_usd": repaid_usd,
            "seized": seized,
            "seized_usd": seized_usd,
            "bonus_usd": np.maximum(seized_usd - repaid_usd, 0),
            "fee": nothing,
            "fee_usd": nothing,
            "bad_debt": short / self.branch.debt_price if self.branch.debt_price else short,
            "bad_debt_usd": short,
            "written_off": np.asarray(short > 0, dtype=np.bool_),
            "mode": np.array([call.mode for call in batch.calls], dtype=object),
            **{
                name: np.array(values, dtype=None if name == "recovery_mode" else kind)
                for name, values in batch.met.items()
            },
            "offset": part["offset"],
            "to_pool": part["to_pool"],
            "redistributed_debt": part["handed_debt"],
            "redistributed_collateral": part["handed_collateral"],
            "surplus": part["surplus"],
            "gas_collateral": part["gas_collateral"],
            self.rule.gas_column: part["gas_pay"],
        }
