"""The frame for rules that close longs and shorts: who is liquidatable, and what a call does with what is left over."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from riskgraph.arrays import Bools, Ints, Labels
from riskgraph.errors import Faults, InputError
from riskgraph.margin.rounding import Amounts
from riskgraph.margin.rules.rule import Rule
from riskgraph.snapshot.requirements import note_unmargined

if TYPE_CHECKING:
    from riskgraph.margin.ledger import Ledger, Request
    from riskgraph.margin.position_ledger import PositionLedger
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["Order", "PositionRule", "refuse_unmargined"]


@dataclass(frozen=True, eq=False)
class Order:
    """What calls close: ``closed`` units of each of some ``rows`` of the ledger, and ``stage`` of each call (n,).

    At stage ``backstop`` the backstop takes the positions, and the margin with them; at every other the market does. A
    call that closes nothing has no stage.
    """

    rows: Ints
    closed: Amounts
    stage: Labels

    def with_all_of(self, ledger: PositionLedger, margin: Ints) -> Order:
        """Close all positions of some accounts too."""
        rows = ledger.open_rows(margin)
        return Order(np.append(self.rows, rows), np.append(self.closed, ledger.amount[rows]), self.stage)


class PositionRule(Rule):
    r"""A rule under which an account is liquidatable while its equity is below its maintenance margin.

    Equity is collateral · (1 − haircut) + PnL + option value − debt. Positions are closed at the mark, the price that
    the protocol shows. PnL, less the fee, goes into margin cash. An account that is worth less than nothing (no haircut
    counts here) has all positions closed and all margin taken. The insurance fund, ``reserve_usd`` (empty where nobody
    gives it), pays the shortfall (stage ``insurance``); where it does not suffice (stage ``beyond_fund``),
    counterparties pay if the rule deleverages, and what remains is ``deficit_usd``, the protocol's bad debt.

    Steps have the columns of every rule, with these meanings: ``collateral_asset`` the asset of the position that is
    closed (empty where several are), ``debt_asset`` the settlement asset; ``seized`` and ``seized_usd`` what is closed,
    at the mark; ``bonus_usd`` what others gain by it: the fee, and at stage ``backstop`` the margin taken; ``repaid``
    and ``repaid_usd`` the rest, which the account gets for what is closed; ``bad_debt`` in the settlement asset. Of
    their own: ``stage``, ``side``, ``realised_pnl_usd``, ``insurance_paid_usd``, ``adl_usd`` (paid by counterparties)
    and ``adl_closed_usd`` (closed against them, at the mark).

    Attributes
    ----------
    beyond_fund : str
        Name of the stage at which the fund does not suffice.
    """

    beyond_fund: ClassVar[str] = "deficit"
    weighs_collateral: ClassVar[bool] = False
    bearer: ClassVar[str] = "deficit"
    asks: ClassVar[tuple[str, ...]] = ()
    repays: ClassVar[tuple[str, ...]] = ()
    takes: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def margin_rates(self, ledger: PositionLedger) -> tuple[Amounts, Amounts]:
        """Rates and deductions of the tiers of every row (n_rows, n_tiers), 0 for rows that are no positions.

        See :func:`riskgraph.margin.ladders.margin_of`.
        """

    @abstractmethod
    def order(self, ledger: PositionLedger, request: Request, liquidatable: Bools) -> Order:
        """Say what calls on accounts that are worth at least nothing close, nothing where not liquidatable."""

    def deleverage(self, ledger: PositionLedger, rows: Ints, usd: Any) -> tuple[Any, Any]:
        """Have counterparties of positions pay a shortfall; give USD paid, and USD closed against them at the mark."""
        return 0, 0

    def open_ledger(self, snap: Snapshot, protocol: int, margins: Ints, *, exact: bool = True) -> PositionLedger:
        """Open the books of some margin accounts, positions among them."""
        from riskgraph.margin.position_ledger import PositionLedger

        return PositionLedger(snap, protocol, self, margins, exact=exact)

    def carry_out(self, ledger: Ledger, request: Request) -> None:
        """Carry out calls in waves in which every account stands once."""
        from riskgraph.margin.position_calls import settle_positions
        from riskgraph.margin.position_ledger import PositionLedger

        assert isinstance(ledger, PositionLedger)
        _check(ledger, request)
        for wave in request.waves():
            settle_positions(ledger, self, wave)


def _check(ledger: PositionLedger, request: Request) -> None:
    """Refuse a liquidator, and accounts whose margin is partly known as a total only: calls move tokens."""
    if request.liquidator:
        raise InputError(
            f"liquidator: expected none, since orders under rule {ledger.rule.name} go to the market, got "
            f"{request.liquidator!r}"
        )
    at = np.unique(request.margin)
    untold = np.asarray((ledger.extra_collateral[at] != 0) | (ledger.extra_debt[at] != 0), dtype=np.bool_)
    if untold.any():
        names = ", ".join(ledger.place(at[untold][:5])["account"])
        raise InputError(
            "accounts.collateral_remainder_usd, debt_remainder_usd: expected none for accounts that are called under "
            f"rule {ledger.rule.name}, whose margin is in rows of positions, got one for {names}"
        )


def refuse_unmargined(ledger: PositionLedger, lacking: Bools) -> None:
    """Raise an InputError that names what rows of a ledger lack to have a maintenance margin."""
    rows = np.zeros(len(ledger.snap.book.asset), dtype=np.bool_)
    rows[ledger.row[lacking & (ledger.row >= 0)]] = True
    faults = Faults()
    note_unmargined(ledger.snap, rows, faults)
    faults.raise_if_any()
