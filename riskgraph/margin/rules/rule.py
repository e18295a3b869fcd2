"""What every liquidation rule says, and the frame for rules of one collateral and one debt a call."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from riskgraph.arrays import Bools, Ints, Labels
from riskgraph.margin.rounding import Amounts, quotient, rounded_down, rounded_up

if TYPE_CHECKING:
    from riskgraph.margin.ledger import Ledger, Request
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = [
    "Pair",
    "PairCall",
    "PairRule",
    "Rule",
    "above",
    "first_reason",
    "leaves_dust",
    "seized_with_bonus",
    "where_made",
]


class Rule(ABC):
    """One family of liquidation rules.

    Attributes
    ----------
    name : str
        As in ``protocols.rule``.
    healthy_reason : str
        What the contract answers where a call meets a healthy account.
    at_equality : bool
        Whether a health of exactly 1 may be liquidated; most rules liquidate below 1 only.
    has_recovery : bool
        Whether more may be liquidated while the whole protocol is short of collateral (Liquity v1).
    usd_decimals : int or None
        Digits to which the contract rounds values (collateral down); None: it does not.
    debt_rounds_up : bool
        Whether it rounds values of debt up; down otherwise.
    reaches_market : {"at once", "auction", "storefront", "never"}
        When what is seized is sold (METHODS 5.4).
    bearer : {"none", "deficit", "reserve", "lenders", "system", "borrowers"}
        Who bears debt that no collateral is left for: nobody yet (it stays on the books), a deficit account, the
        protocol's reserve, the lenders of the debt asset at once, the system's surplus, or the other borrowers.
    weighs_collateral : bool
        Whether health is Σ value · threshold ÷ Σ debt, so that every collateral needs a threshold.
    needs_all : bool
        Whether a call touches accounts that it does not name, so that all of them must be at hand.
    asks : tuple of str
        In which terms its calls may be asked for: ``repay``, ``seize``, or names of the rule's own.
    repays, takes : tuple of str
        Sides of the holdings that ``debt_asset`` and ``collateral_asset`` may name; empty: a call names none.
    """

    name: ClassVar[str]
    healthy_reason: ClassVar[str] = "healthy"
    at_equality: ClassVar[bool] = False
    has_recovery: ClassVar[bool] = False
    usd_decimals: ClassVar[int | None] = None
    debt_rounds_up: ClassVar[bool] = True
    reaches_market: ClassVar[str] = "at once"
    bearer: ClassVar[str] = "none"
    weighs_collateral: ClassVar[bool] = True
    needs_all: ClassVar[bool] = False
    asks: ClassVar[tuple[str, ...]] = ("repay",)
    repays: ClassVar[tuple[str, ...]] = ("debt",)
    takes: ClassVar[tuple[str, ...]] = ("collateral",)

    def liquidatable(self, weighted_usd: Amounts, debt_usd: Amounts) -> Bools:
        """Decide by the rule's own test, Σ value · threshold against Σ debt, arrays of one shape."""
        below = weighted_usd <= debt_usd if self.at_equality else weighted_usd < debt_usd
        found: Bools = np.asarray(below, dtype=np.bool_) & np.asarray(debt_usd > 0, dtype=np.bool_)
        return found

    def weighted(self, ledger: Ledger, values: Amounts) -> Amounts:
        """Value · threshold of every row of a ledger, as the contract rounds it; arrays of shape (rows,)."""
        return values * ledger.threshold

    def touched(self, snap: Snapshot, protocol: int, wanted: Ints) -> Ints:
        """Margin accounts, ascending, that calls on the wanted ones may change."""
        return np.flatnonzero(snap.book.margin_protocol == protocol) if self.needs_all else np.unique(wanted)

    def open_ledger(self, snap: Snapshot, protocol: int, margins: Ints, *, exact: bool = True) -> Ledger:
        """Open the books of some margin accounts, as calls of this rule change them."""
        from riskgraph.margin.ledger import Ledger

        return Ledger(snap, protocol, self, margins, exact=exact)

    @abstractmethod
    def carry_out(self, ledger: Ledger, request: Request) -> None:
        """Carry out the calls of a request in its order, and write every movement and step into the ledger."""


@dataclass(frozen=True, eq=False)
class Pair:
    """What a call on one collateral and one debt of an account sees; arrays of shape (n,), a call each.

    ``collateral`` and ``debt`` are units, prices USD a unit as the protocol's oracle shows them, scales 10^decimals (0:
    no rounding), values USD as the contract rounds them (to ``usd_scale``). ``collateral_usd``, ``weighted_usd`` (Σ
    value · threshold), ``debt_usd`` and ``owed_usd`` (Σ debt ÷ borrow factor) are the whole account's,
    ``other_collateral_usd`` is without the pair's own; ``other_collateral`` says whether the account pledges anything
    else, whatever it is worth, ``other_counted`` whether anything else with a threshold above 0, ``unpriced`` whether
    anything it pledges or owes, or that is called, has no price, ``by_itself`` whether it is the liquidator. ``repay``
    and ``seize`` are what was asked for (+inf: as much as may be; NaN: not asked in these terms). ``term`` gives a
    parameter of the protocol, of the collateral's market or of the account by name, or what else was asked for, as it
    stands before the call; ``debt_term`` one of the debt's market.
    """

    collateral: Amounts
    collateral_price: Amounts
    collateral_scale: Amounts
    collateral_value: Amounts
    debt: Amounts
    debt_price: Amounts
    debt_scale: Amounts
    debt_value: Amounts
    usd_scale: Amounts
    threshold: Amounts
    collateral_usd: Amounts
    weighted_usd: Amounts
    debt_usd: Amounts
    owed_usd: Amounts
    other_collateral_usd: Amounts
    other_collateral: Bools
    other_counted: Bools
    unpriced: Bools
    by_itself: Bools
    liquidatable: Bools
    repay: Amounts
    seize: Amounts
    term: Callable[[str], Amounts]
    debt_term: Callable[[str], Amounts]

    def in_collateral(self, debt: Amounts) -> Amounts:
        """Units of collateral of the same value as units of debt; +inf where it is worth nothing."""
        price = np.where(self.collateral_price > 0, self.collateral_price, 1)
        units = debt * self.debt_price / price
        return np.where((self.collateral_price > 0) | (debt * self.debt_price <= 0), units, np.inf)

    def collateral_for(self, debt: Amounts) -> Amounts:
        """Units of collateral of the same value as units of debt, rounded down; +inf where it is worth nothing."""
        return rounded_down(self.in_collateral(debt), self.collateral_scale)

    def debt_for(self, collateral: Amounts) -> Amounts:
        """Units of debt of the same value as units of collateral, rounded down; 0 where the debt is worth nothing."""
        return rounded_down(quotient(collateral * self.collateral_price, self.debt_price), self.debt_scale)


@dataclass(frozen=True, eq=False)
class PairCall:
    """What the calls do, arrays of shape (n,): nothing where ``refused`` gives a reason.

    ``repaid`` (units of debt), ``seized`` (units of collateral, the protocol's ``fee`` included), ``closes`` (what debt
    the account then has left is written off); ``more`` holds what else a rule tells of a call, by name. Where that is
    not ``repaid``, ``cleared`` is by how much the debt falls; ``surcharge`` is what the liquidator pays to the protocol
    on top, in units of debt; ``liquidatable`` stands where the rule decides it on the pair, not on totals.
    """

    refused: Labels
    repaid: Amounts
    seized: Amounts
    fee: Amounts
    closes: Bools
    more: Mapping[str, Any] = field(default_factory=dict)
    cleared: Amounts | None = None
    surcharge: Amounts | None = None
    liquidatable: Bools | None = None


class PairRule(Rule):
    """A rule whose call repays one debt for one collateral: subclasses say :meth:`call`, the rest is shared.

    Attributes
    ----------
    one_by_one : bool
        Whether a call changes what the next one meets on another account.
    takes_over : bool
        Whether the liquidator takes the debt over, and the collateral into its own position, instead of paying from its
        wallet. Where none is named, somebody outside the snapshot takes both.
    """

    one_by_one: ClassVar[bool] = False
    takes_over: ClassVar[bool] = False

    @abstractmethod
    def call(self, at: Pair) -> PairCall:
        """Say what calls do, all at once; arrays of shape (n,)."""

    def carry_out(self, ledger: Ledger, request: Request) -> None:
        """Carry out calls in waves in which every account stands once; the order among accounts changes nothing."""
        from riskgraph.margin.pair_calls import settle_pairs

        for wave in request.waves(together=not self.one_by_one):
            settle_pairs(ledger, self, wave)

    def settled(self, ledger: Ledger, request: Request, at: Pair, made: PairCall, done: Bools) -> None:
        """Change what else calls change (pools, shares, indices); most rules change nothing else."""


def first_reason(*cases: tuple[Bools, str]) -> Labels:
    """Give the first reason that holds, the empty text where none does; shape as the conditions.

    >>> first_reason((np.array([True, False]), "healthy"), (np.array([True, True]), "dust")).tolist()
    ['healthy', 'dust']
    """
    found = np.full(np.broadcast_shapes(*(np.shape(condition) for condition, _ in cases)), "", dtype=object)
    for condition, reason in reversed(cases):
        found[np.asarray(condition, dtype=np.bool_)] = reason
    return found


def where_made(refused: Labels, values: Amounts) -> Amounts:
    """Values of calls that are not refused, 0 elsewhere."""
    return np.where(np.asarray(refused == "", dtype=np.bool_), values, 0)


def seized_with_bonus(at: Pair, repaid: Amounts, factor: Amounts) -> tuple[Amounts, Amounts]:
    """Repay and seize ``repaid · p_D / p_C · factor``; where the collateral falls short, all of it for what it pays."""
    wanted = rounded_down(at.collateral_for(repaid) * factor, at.collateral_scale)
    short = wanted > at.collateral
    paid = rounded_up(at.debt_for(at.collateral) / factor, at.debt_scale)
    return np.where(short, np.minimum(paid, repaid), repaid), np.where(short, at.collateral, wanted)


def leaves_dust(at: Pair, repaid: Amounts, seized: Amounts, least: Amounts) -> Bools:
    """Whether a call that clears neither side leaves less than ``least`` USD on one of them, debt rounded up."""
    debt = rounded_up((at.debt - repaid) * at.debt_price, np.where(at.debt_scale > 0, at.usd_scale, 0))
    collateral = rounded_down((at.collateral - seized) * at.collateral_price, at.usd_scale)
    found: Bools = (repaid < at.debt) & (seized < at.collateral) & ((debt < least) | (collateral < least))
    return found


def above(asked: Amounts, limit: Amounts) -> Bools:
    """Whether more is asked than allowed, by more than the rounding of the float64 in which amounts come."""
    ulps = Fraction(1, 2**50) if limit.dtype == object else 2.0**-50
    slack: Amounts = np.abs(limit) * ulps
    found: Bools = np.asarray(asked > limit + slack, dtype=np.bool_)
    return found
