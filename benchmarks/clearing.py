"""Clearing with many defaults: each round of default in matvecs Πᵀp of the same network."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from benchmarks.timing import Size, best
from riskgraph.contagion.settlement import clearing

__all__ = ["run"]

Floats = NDArray[np.float64]


def run(size: Size) -> Iterator[str]:
    """Give one line a case: rounds of default, what a matvec takes, and the whole call a round in matvecs."""
    banks = 10_000 if size is Size.FULL else 1_000
    for recovery in (1.0, 0.6):
        owes, cash, outside = _network(banks)

        terms = {
            "external_liabilities": outside,
            "external_recovery": recovery,
            "interbank_recovery": recovery,
        }
        settle = partial(clearing, owes, cash, **terms)
        result = settle()
        relative = sparse.csr_array((sparse.diags_array(1.0 / result.owed_interbank) @ owes).T)
        matvec = best(partial(relative.__matmul__, result.paid_interbank), runs=100)
        a_round = best(settle, runs=10) / result.rounds
        yield (
            f"clearing of {banks:,} banks, recovery {recovery:g}: {int(result.fails.sum()):,} defaults in "
            f"{result.rounds} rounds; one matvec takes {matvec * 1e3:.3f} ms, a round {a_round / matvec:.1f} matvecs"
        )


def _network(banks: int) -> tuple[sparse.csr_array, Floats, Floats]:
    """20 debts a bank, sizes lognormal, half of all debts external, a capital of about 4 %, a tenth of assets lost."""
    rng = np.random.default_rng(1)
    debtor = np.repeat(np.arange(banks), 20)
    creditor = (debtor + rng.integers(1, banks, len(debtor))) % banks
    size = rng.lognormal(0.0, 1.0, banks)
    usd = rng.exponential(1e6, len(debtor)) * np.sqrt(size[debtor] * size[creditor])
    owes = sparse.csr_array((usd, (debtor, creditor)), shape=(banks, banks))
    owed, claims = np.asarray(owes.sum(axis=1)).ravel(), np.asarray(owes.sum(axis=0)).ravel()
    capital = 0.04 * rng.lognormal(0.0, 1.0, banks) * 2.0 * owed
    cash = np.maximum(2.0 * owed + capital - claims, 0.1 * owed)
    hit = rng.random(banks) < 0.2
    return owes, np.where(hit, 0.9, 1.0) * cash, owed
