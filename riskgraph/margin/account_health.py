"""Health of every margin account: one number, with 1 the liquidation point (METHODS 5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints, read_only
from riskgraph.errors import Faults
from riskgraph.margin.derivatives import DerivativeMargins, derivative_margins, note_unmargined, pairs_named
from riskgraph.snapshot.book import Book
from riskgraph.snapshot.frames import protocol_terms
from riskgraph.snapshot.snapshot import check_snapshot

if TYPE_CHECKING:
    import pandas as pd

    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["STATUSES", "MarginAccounts", "health", "margin_accounts"]

STATUSES = ("insolvent", "liquidatable", "called", "healthy")
# Rules whose own test is "health at or below 1"; every other rule liquidates below 1.
_AT_EQUALITY = ("euler_v2",)


@dataclass(frozen=True, eq=False)
class MarginAccounts:
    """Collateral, weighted collateral, debt and health of every margin account, arrays of shape (n_margins,), USD.

    ``weighted`` is NaN where a threshold is missing on collateral that stands against debt.
    """

    collateral: Floats
    weighted: Floats
    debt: Floats
    health: Floats
    derivatives: DerivativeMargins | None


def margin_accounts(snap: Snapshot) -> MarginAccounts:
    """Sum rows over margin accounts and form health; nothing is refused here (NaN where it cannot be told)."""
    book = snap.book
    pledged, owed = book.rows("collateral"), book.rows("debt")
    collateral = book.by_margin(book.usd, pledged) + book.collateral_remainder
    debt = book.by_margin(book.usd, owed) + book.debt_remainder
    weighted = _weighted(book, pledged, collateral)
    derivatives = derivative_margins(snap, collateral, debt) if book.rows("long", "short").any() else None
    value = _health(weighted, debt, derivatives)
    return MarginAccounts(read_only(collateral), read_only(weighted), read_only(debt), read_only(value), derivatives)


def _weighted(book: Book, pledged: Bools, collateral: Floats) -> Floats:
    """Σ value · LT; an account's own threshold counts for its named remainder too, else the rows' average does."""
    rows = book.by_margin(book.usd * np.nan_to_num(book.threshold), pledged)
    plain = book.by_margin(book.usd, pledged)
    blind = np.bincount(book.margin[pledged], weights=np.isnan(book.threshold[pledged]), minlength=len(plain)) > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        average = np.where(plain > 0.0, rows / plain, np.nan)
    share = np.where(np.isnan(book.own_threshold), average, book.own_threshold)
    remainder = np.where(book.collateral_remainder == 0.0, 0.0, book.collateral_remainder * share)
    own = ~np.isnan(book.own_threshold)
    weighted = np.where(own, collateral * np.nan_to_num(book.own_threshold), rows + remainder)
    weighted[blind & ~own] = np.nan
    return weighted


def _health(weighted: Floats, debt: Floats, derivatives: DerivativeMargins | None) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        health = np.where(debt > 0.0, weighted / debt, np.inf)
        if derivatives is not None:
            traded = derivatives.positions > 0
            required = derivatives.maintenance
            nothing_required = np.where(derivatives.equity < 0.0, -np.inf, np.inf)
            ratio = np.where(required > 0.0, derivatives.equity / required, nothing_required)
            health = np.where(traded, ratio, health)
    result: Floats = health
    return result


def health(snap: Snapshot) -> pd.DataFrame:
    r"""Health of every margin account (account × protocol, or × bucket where isolated).

    .. math:: HF = \frac{\sum_c V_c \, LT_c}{\sum D} \quad\text{(lending, CDP)}, \qquad
              \frac{\text{equity}}{\text{maintenance margin}} \quad\text{(perpetuals)}

    Equity is collateral · (1 − haircut) + unrealised PnL + option value − debt. Where the rule is ``portfolio_margin``,
    the maintenance margin is ``risk_usd`` of :func:`riskgraph.span_margin` (its 16 scenarios, no charges or credits).
    An account's own threshold, where given, counts for all its collateral; an e-mode category goes before the market.
    No debt and no position: +inf. Collateral without value and debt above 0: 0.

    Parameters
    ----------
    snap : Snapshot
        Needs a liquidation threshold for all collateral that stands against debt.

    Returns
    -------
    DataFrame
        A row a margin account: account, protocol, bucket, collateral_usd, debt_usd, health, status: ``insolvent``
        (health below 1 and collateral worth less than the debt), ``liquidatable`` (by the rule's own test), ``called``
        (below the protocol's call level), ``healthy``.

    Raises
    ------
    InputError
        A threshold, a maintenance margin or a scan range is missing (names protocol and asset), or options stand where
        the rule is not ``portfolio_margin``; nobody guesses a margin.

    References
    ----------
    .. [1] Aave protocol, ``GenericLogic.calculateUserAccountData``.

    Examples
    --------
    10 ETH at 1,500 with a threshold of 0.8 against a debt of 9,000: 15,000 · 0.8 / 9,000 = 1.3333.

    >>> import pandas as pd, riskgraph as rg
    >>> snap = rg.Snapshot(
    ...     positions=pd.DataFrame({
    ...         "account": ["ann", "ann"], "protocol": ["lend", "lend"], "asset": ["ETH", "USDC"],
    ...         "side": ["collateral", "debt"], "amount": [10.0, 9000.0]}),
    ...     assets=pd.DataFrame({"asset": ["ETH", "USDC"], "price": [1500.0, 1.0]}),
    ...     markets=pd.DataFrame({"protocol": ["lend"], "asset": ["ETH"], "liquidation_threshold": [0.8]}))
    >>> health(snap)[["account", "health", "status"]].round(4).to_dict("records")
    [{'account': 'ann', 'health': 1.3333, 'status': 'healthy'}]
    """
    import pandas as pd

    check_snapshot(snap)
    book = snap.book
    margins = margin_accounts(snap)
    _check_told(snap, margins)
    return pd.DataFrame(
        {
            "account": _named(snap, "account", book.margin_account),
            "protocol": _named(snap, "protocol", book.margin_protocol),
            "bucket": _named(snap, "bucket", book.margin_bucket),
            "collateral_usd": margins.collateral,
            "debt_usd": margins.debt,
            "health": margins.health,
            "status": np.array(STATUSES, dtype=object)[_status(snap, margins)],
        }
    )


def _status(snap: Snapshot, margins: MarginAccounts) -> Ints:
    _, rule, _, _ = protocol_terms(snap)
    at_equality = np.array([name in _AT_EQUALITY for name in rule])[snap.book.margin_protocol]
    level = np.full(len(rule), np.nan)
    protocols = snap.table("protocols")
    level[protocols.code("protocol")] = protocols.number("call_level")
    level = level[snap.book.margin_protocol]
    value = margins.health
    short = margins.collateral < margins.debt
    if margins.derivatives is not None:
        short = np.where(margins.derivatives.positions > 0, margins.derivatives.equity < 0.0, short)
    liquidatable = np.where(at_equality, value <= 1.0, value < 1.0)
    called = value < level  # NaN: no calls
    return np.select([(value < 1.0) & short, liquidatable, called], [0, 1, 2], default=3)


def _check_told(snap: Snapshot, margins: MarginAccounts) -> None:
    book = snap.book
    faults = Faults()
    traded = margins.derivatives.positions > 0 if margins.derivatives is not None else np.zeros(len(margins.debt), bool)
    blind = np.isnan(margins.weighted) & (margins.debt > 0.0) & ~traded
    rows = book.rows("collateral") & np.isnan(book.threshold)
    rows[rows] = blind[book.margin[rows]]
    if rows.any():
        faults.add(
            "markets.liquidation_threshold",
            "expected a value for all collateral that stands against debt (in markets, emodes or accounts)",
            f"none for {pairs_named(snap, rows)}",
        )
    nameless = blind & (np.bincount(book.margin[rows], minlength=len(blind)) == 0)
    if nameless.any():
        labels = snap.labels("account")
        names = ", ".join(labels[int(code)].as_py() for code in book.margin_account[nameless][:5])
        faults.add(
            "accounts.liquidation_threshold",
            "expected a value for accounts whose collateral is a published remainder alone",
            f"none for {names}",
        )
    if margins.derivatives is not None:
        note_unmargined(snap, margins.derivatives.unmargined, faults)
    faults.raise_if_any()


def _named(snap: Snapshot, domain: str, codes: Ints) -> pd.Categorical:
    import pandas as pd

    labels = snap.labels(domain).to_pylist()
    if (codes < 0).any():
        codes, labels = np.where(codes < 0, len(labels), codes), [*labels, ""]
    return pd.Categorical.from_codes(codes, labels)
