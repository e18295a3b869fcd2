"""Troves, stakes and stability pool of one protocol as they stand in a ledger: what a batch of calls starts from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Ints
from riskgraph.errors import InputError
from riskgraph.margin.ledger import COLLATERAL, DEBT, DEPOSIT, Ledger
from riskgraph.margin.rounding import Amounts, filled, quotient
from riskgraph.margin.rules.troves import Branch, Trove
from riskgraph.snapshot.parameters import parameters_of

if TYPE_CHECKING:
    from riskgraph.margin.rules.troves import TroveRule

__all__ = ["TroveBooks", "books_of"]

_SLACK = 1e-9  # deposits may exceed a published pool by this share of it: floats of numbers that were one once


@dataclass(frozen=True, eq=False)
class TroveBooks:
    """Troves by margin account of a ledger, and the pool.

    ``collateral_asset`` and ``debt_asset`` are codes (-1: nothing stands on that side). Arrays of shape (n_margins,):
    ``pledged`` and ``owed`` (rows of collateral and debt, -1: none), ``collateral`` and ``debt`` (units), ``stake``,
    ``least`` (MCR). ``staked`` says whether anybody gave stakes; ``deposits`` are rows of the pool, ``pool`` its units,
    with those of depositors outside the snapshot where ``published``.
    """

    collateral_asset: int
    debt_asset: int
    pledged: Ints
    owed: Ints
    collateral: Amounts
    debt: Amounts
    stake: Amounts
    least: Amounts
    staked: bool
    deposits: Ints
    pool: Any
    published: bool

    def trove(self, margin: int, branch: Branch, *, gone: bool) -> Trove:
        """Give a trove as a rule sees it; nothing is left of one that is gone."""
        collateral, debt = (0, 0) if gone else (self.collateral[margin], self.debt[margin])
        return Trove(collateral, debt, branch.ratio(collateral, debt), self.least[margin])

    def health(self, ledger: Ledger, margins: Ints) -> Amounts:
        """Health of some troves as they stand now; +inf without debt. Only they are looked at, not the whole system."""
        pledged, owed = self.pledged[margins], self.owed[margins]
        weighted = ledger.amount[pledged] * ledger.price[pledged] * ledger.threshold[pledged]
        return quotient(weighted, ledger.amount[owed] * ledger.price[owed], np.inf)

    def branch(self, ledger: Ledger, rule: TroveRule) -> Branch:
        """Give the system as a batch finds it."""
        names = [one.name for one in parameters_of(rule.name, "protocols") if one.kind == "number"]
        terms = {name: ledger.now("protocols", name) for name in names}
        pledged, owed = _first(ledger, COLLATERAL), _first(ledger, DEBT)
        return Branch(
            collateral=self.collateral.sum(),
            debt=self.debt.sum(),
            pool=self.pool - min(self.pool, terms["stability_pool_minimum"]),
            collateral_price=ledger.price[pledged],
            debt_price=ledger.price[owed],
            collateral_scale=ledger.scale[pledged],
            debt_scale=ledger.scale[owed],
            critical=terms["critical_collateral_ratio"] if rule.has_recovery else 0,
            terms=terms,
        )


def books_of(ledger: Ledger) -> TroveBooks:
    """Read troves, stakes and pool off a ledger.

    Raises
    ------
    InputError
        Several assets stand on one side, published totals stand beside the rows, only one of the two snapshots of
        stakes and collateral is given, or ``stability_pool`` is less than the deposits that are here.
    """
    if np.any(ledger.extra_collateral != 0) or np.any(ledger.extra_debt != 0):
        raise InputError(
            "accounts.collateral_remainder_usd, accounts.debt_remainder_usd: expected none under rule "
            f"{ledger.rule.name}, whose troves are units of one asset, got some at {ledger.terms.protocol_label}"
        )
    collateral_asset, debt_asset = (_only_asset(ledger, side) for side in (COLLATERAL, DEBT))
    every = np.arange(len(ledger.margins))
    pledged = ledger.row_of(every, np.full(len(every), collateral_asset), COLLATERAL)
    owed = ledger.row_of(every, np.full(len(every), debt_asset), DEBT)
    collateral = ledger.amount[pledged]
    deposits = np.flatnonzero((ledger.side == DEPOSIT) & (ledger.asset == debt_asset) & (ledger.row >= 0))
    published = ledger.now("protocols", "stability_pool", otherwise=None)
    stake, staked = _stakes(ledger, collateral)
    return TroveBooks(
        collateral_asset,
        debt_asset,
        pledged,
        owed,
        collateral,
        ledger.amount[owed],
        stake,
        quotient(ledger.numbers(np.ones(len(every))), ledger.threshold[pledged], np.inf),
        staked,
        deposits,
        _pool(ledger, deposits, published),
        published is not None,
    )


def _first(ledger: Ledger, side: int) -> int:
    """Return the first row on a side, -1 where there is none."""
    rows = np.flatnonzero(ledger.side == side)
    return int(rows[0]) if len(rows) else -1


def _only_asset(ledger: Ledger, side: int) -> int:
    found = np.unique(ledger.asset[ledger.side == side])
    if len(found) > 1:
        what = "collateral" if side == COLLATERAL else "debt"
        raise InputError(
            f"positions.asset: expected one {what} asset at {ledger.terms.protocol_label} (rule {ledger.rule.name}: "
            f"one branch a protocol), got {', '.join(ledger.label('asset', found[:5]))}"
        )
    return int(found[0]) if len(found) else -1


def _pool(ledger: Ledger, deposits: Ints, published: Any) -> Any:
    inside = sum(ledger.amount[deposits].tolist())
    if published is None:
        return inside
    if float(inside) > float(published) * (1.0 + _SLACK):
        raise InputError(
            f"protocols.stability_pool: expected at least the deposits of the debt asset at "
            f"{ledger.terms.protocol_label}, {float(inside):g}, got {float(published):g}"
        )
    return published


def _stakes(ledger: Ledger, collateral: Amounts) -> tuple[Amounts, bool]:
    """Stake of every trove: given, else its collateral at the ratio of the last snapshots; and whether any is given."""
    names = "total_stakes_snapshot", "total_collateral_snapshot"
    stakes, total = (ledger.now("protocols", name, otherwise=None) for name in names)
    if (stakes is None) != (total is None):
        raise InputError(
            f"protocols.{names[0]}, protocols.{names[1]}: expected both or neither, got one for "
            f"{ledger.terms.protocol_label}"
        )
    given = ledger.now_margins("stake")
    told = np.asarray(given == given, dtype=np.bool_)
    if "stake" not in ledger.changed_margins:  # there it stands by trove already
        given = given * _share_of_account(ledger, collateral)
    own = collateral * stakes / total if stakes and total else collateral
    return filled(given, own), bool(told.any()) or stakes is not None


def _share_of_account(ledger: Ledger, collateral: Amounts) -> Amounts:
    """Share of its account's stake that each trove has: all, or by collateral where there are several (buckets)."""
    owner = ledger.snap.book.margin_account[ledger.margins]
    total = ledger.numbers(np.zeros(len(ledger.snap.labels("account"))))
    np.add.at(total, owner, collateral)
    several = np.bincount(owner)[owner] > 1
    return np.where(several, quotient(collateral, total[owner]), 1)
