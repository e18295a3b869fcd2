"""Accounts above a health of 1 that a rule may liquidate because the whole protocol is short of collateral."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Floats, Ints
from riskgraph.margin.rules.shelf import rule_named
from riskgraph.margin.terms import Terms

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["due_in_recovery"]


def due_in_recovery(snap: Snapshot, collateral: Floats, debt: Floats, pools: Mapping[int, float] | None = None) -> Ints:
    """Find the margin accounts that recovery mode makes liquidatable: ``ICR < TCR < CCR``, the pool covers the debt.

    Parameters
    ----------
    collateral, debt : ndarray, shape (n_margins,)
        USD of every margin account.
    pools : mapping of int to float, optional
        Units in the stability pool of protocols, where calls have taken something out of what the snapshot publishes.

    References
    ----------
    .. [1] liquity/dev, ``TroveManager.sol``, ``_liquidateRecoveryMode``.
    """
    rules = snap.venues.rule
    found = [
        _due(Terms(snap, protocol, rule), collateral, debt, (pools or {}).get(protocol))
        for protocol, rule in enumerate(rules)
        if rule_named(rule).has_recovery
    ]
    return np.concatenate([np.zeros(0, dtype=np.int64), *found])


def _due(terms: Terms, collateral: Floats, debt: Floats, pool: float | None) -> Ints:
    here = terms.snap.book.margin_protocol == terms.protocol
    mine = np.flatnonzero(here & (debt > 0.0))
    owed = debt[mine].sum()
    if owed <= 0.0:
        return np.zeros(0, dtype=np.int64)
    whole = collateral[here].sum() / owed
    if whole >= terms.number("critical_collateral_ratio"):
        return np.zeros(0, dtype=np.int64)
    below = collateral[mine] < whole * debt[mine]
    due: Ints = mine[below & (debt[mine] <= _pool_usd(terms, pool))]
    return due


def _pool_usd(terms: Terms, known: float | None) -> float:
    """Say what the pool may offset: its deposits, known or in the rows of the debt asset, less what always stays."""
    book = terms.snap.book
    here = book.protocol == terms.protocol
    owed = here & book.rows("debt")
    asset, price = book.asset[owed][0], float(book.price[owed][0])
    given = terms.number("stability_pool") if known is None else known
    inside = book.amount[here & book.rows("deposit") & (book.asset == asset)].sum()
    pool = float(inside) if np.isnan(given) else given
    return (pool - min(pool, terms.number("stability_pool_minimum"))) * price
