"""Scan risk: what portfolios lose in the worst of several scenarios, by product family (METHODS 5.10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from riskgraph.arrays import Bools, Floats, Ints, summed
from riskgraph.snapshot.contracts import Contracts, contracts_of
from riskgraph.snapshot.frames import protocol_terms
from riskgraph.snapshot.scenarios import classic_scenarios

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = [
    "RULE",
    "Commodities",
    "commodities_of",
    "portfolio_requirement",
    "scan_risk",
    "scan_risk_alone",
    "scanned_rows",
]

RULE = "portfolio_margin"


@dataclass(frozen=True, eq=False)
class Commodities:
    """Combined commodities: what each portfolio holds in each product family, sorted by portfolio, then family.

    ``units`` (csr, n_commodities × n_contracts) is long less short; ``margin`` (n_commodities,) the margin account
    that is the portfolio, ``family`` the product family.
    """

    units: sparse.csr_array
    margin: Ints
    family: Ints
    contracts: Contracts

    def __len__(self) -> int:
        return len(self.margin)

    def total(self, each: Floats) -> Floats:
        """Sum something that each unit of a contract has over every combined commodity."""
        result: Floats = self.units @ each
        return result


def scanned_rows(snap: Snapshot) -> Bools:
    """Which position rows are long or short at a protocol whose rule is portfolio_margin."""
    asked = np.array([*(rule == RULE for rule in protocol_terms(snap)[1]), False])  # the last: wallets
    rows: Bools = asked[snap.book.protocol] & snap.book.rows("long", "short")
    return rows


def commodities_of(snap: Snapshot, rows: Ints) -> Commodities:
    """Put position rows (long or short, placed) together by margin account and product family."""
    book, contracts = snap.book, contracts_of(snap, rows)
    n_families = len(snap.families.names)
    key = book.margin[rows].astype(np.int64) * n_families + snap.families.family[book.asset[rows]]
    keys, commodity = np.unique(key, return_inverse=True)
    signed = np.where(book.rows("short")[rows], -book.amount[rows], book.amount[rows])
    shape = (len(keys), len(contracts))
    units = sparse.csr_array((signed, (commodity, contracts.of_row)), shape=shape)
    return Commodities(units, keys // n_families, keys % n_families, contracts)


def scan_risk(profit: Floats) -> Floats:
    """Largest loss over scenarios (second axis), 0 where every scenario has a profit."""
    worst: Floats = np.maximum(0.0 - profit.min(axis=1), 0.0)
    return worst


def portfolio_requirement(snap: Snapshot, rows: Ints) -> tuple[Floats, Bools]:
    r"""Give the SPAN requirement of every margin account before net option value is taken off, USD (n_margins,).

    .. math:: R = \sum_{\text{families}} \max\Big(0, \max_s - \sum_k q_k \, \pi_{ks}\Big)

    with signed units q, risk arrays π of the 16 scenarios and rate 0. This, and not the margin of
    :func:`riskgraph.span_margin`, is what stands against *equity* in the health of a margin account: equity holds the
    value of its options already, and

    .. math:: \text{cash and PnL} \ge R - \text{net option value} \iff \text{equity} \ge R.

    Taking net option value off here as well would count it twice.

    Returns
    -------
    tuple of ndarray
        The requirement; and which of ``rows`` lack a scan range of price or volatility (they are scanned as if that did
        not move, so that the requirement of their margin account says nothing).
    """
    book, scenarios = commodities_of(snap, rows), classic_scenarios()
    price, volatility = book.contracts.lacking(scenarios)
    risk = scan_risk(book.units @ book.contracts.profit(scenarios))
    of_row = book.contracts.of_row
    return summed(book.margin, risk, len(snap.book.margin_account)), (price | volatility)[of_row]


def scan_risk_alone(snap: Snapshot, rows: Ints) -> tuple[Floats, Bools]:
    """Scan risk of each of some position rows with nothing against it, USD, and which of them lack a scan range."""
    contracts, scenarios = contracts_of(snap, rows), classic_scenarios()
    price, volatility = contracts.lacking(scenarios)
    signed = np.where(snap.book.rows("short")[rows], -snap.book.amount[rows], snap.book.amount[rows])
    risk = scan_risk(signed[:, None] * contracts.profit(scenarios)[contracts.of_row])
    return risk, (price | volatility)[contracts.of_row]
