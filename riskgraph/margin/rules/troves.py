"""Frame for rules of troves (Liquity): whole troves of one collateral and one debt, a pool, and the other borrowers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from riskgraph.margin.rounding import whole_units
from riskgraph.margin.rules.rule import Rule

if TYPE_CHECKING:
    from riskgraph.margin.ledger import Ledger, Request

__all__ = ["Branch", "Trove", "TroveCall", "TroveRule"]

_WAD = 10**18  # contracts keep ratios to 18 decimals


@dataclass(frozen=True)
class Trove:
    """A trove at its turn, Fractions or floats.

    ``collateral`` and ``debt`` are units, ``ratio`` is its collateral ÷ debt (ICR; +inf without debt), ``least`` the
    ratio below which it is liquidated (MCR).
    """

    collateral: Any
    debt: Any
    ratio: Any
    least: Any


@dataclass(frozen=True)
class TroveCall:
    """Where a liquidated trove goes, units, Fractions or floats.

    Debt is ``offset`` against the pool or handed on with the collateral (``handed_debt``, ``handed_collateral``);
    collateral also goes ``to_pool``, back to the owner (``surplus``) and to the caller (``gas_collateral``), who gets
    ``gas_pay`` on top that no trove pays here. ``mode`` says in a word which way the rule took.
    """

    mode: str
    offset: Any
    to_pool: Any
    handed_debt: Any
    handed_collateral: Any
    gas_collateral: Any
    gas_pay: Any
    surplus: Any = 0


@dataclass
class Branch:
    """The system while a batch goes on, Fractions or floats: a call changes it before the next one looks at it.

    ``collateral`` and ``debt`` are units over all troves, ``pool`` the debt that the stability pool can still offset;
    prices are USD a unit, scales 10^decimals (0: no rounding); ``terms`` are the rule's parameters of the protocol by
    name. ``recovery`` holds while collateral ÷ debt is below ``critical`` and never comes back within a batch.
    """

    collateral: Any
    debt: Any
    pool: Any
    collateral_price: Any
    debt_price: Any
    collateral_scale: Any
    debt_scale: Any
    critical: Any
    terms: Mapping[str, Any]

    def __post_init__(self) -> None:
        self.recovery = bool(self.total_ratio < self.critical)

    @property
    def total_ratio(self) -> Any:
        """Collateral ÷ debt of the whole system (TCR)."""
        return self.ratio(self.collateral, self.debt)

    def ratio(self, collateral: Any, debt: Any) -> Any:
        """Collateral ÷ debt in USD, to the digits of the contract where it rounds at all; +inf without debt."""
        owed = debt * self.debt_price
        if owed <= 0:
            return float("inf")
        return whole_units(collateral * self.collateral_price / owed, _WAD if self.debt_scale else 0)

    def rounded(self, collateral: Any) -> Any:
        """Whole units of collateral at or below."""
        return whole_units(collateral, self.collateral_scale)

    def worth(self, debt: Any, factor: Any) -> Any:
        """Units of collateral worth ``factor`` times a debt; +inf where it is worth nothing."""
        if self.collateral_price <= 0:
            return float("inf")
        return self.rounded(debt * self.debt_price * factor / self.collateral_price)

    def take(self, call: TroveCall) -> None:
        """Take out what leaves the system; what is handed on stays in it, with other troves."""
        self.debt -= call.offset
        self.pool -= call.offset
        self.collateral -= call.to_pool + call.gas_collateral + call.surplus
        self.recovery = self.recovery and bool(self.total_ratio < self.critical)


class TroveRule(Rule):
    """A rule under which whole troves go to a stability pool and to the other borrowers.

    Subclasses say :meth:`call` for one trove; :mod:`riskgraph.margin.trove_calls` goes through a batch.

    Attributes
    ----------
    last_reason : str
        What the contract answers to a batch that would close the last trove; empty: it passes that trove over.
    gas_column, gas_in_debt
        Name of the step's column for what the caller gets on top of collateral, and whether that is units of debt.
    """

    needs_all: ClassVar[bool] = True
    reaches_market: ClassVar[str] = "never"
    bearer: ClassVar[str] = "borrowers"
    asks: ClassVar[tuple[str, ...]] = ()
    last_reason: ClassVar[str] = ""
    gas_column: ClassVar[str]
    gas_in_debt: ClassVar[bool] = False

    @abstractmethod
    def call(self, trove: Trove, at: Branch) -> TroveCall | None:
        """Say where a trove goes; None where the contract passes it over."""

    def carry_out(self, ledger: Ledger, request: Request) -> None:
        """Go through the named troves in order: one batch of the contract."""
        from riskgraph.margin.trove_calls import settle_troves

        settle_troves(ledger, self, request)
