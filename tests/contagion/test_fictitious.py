"""The fictitious-default algorithm on larger networks: every road to the shares ends in the same clearing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from riskgraph.contagion import shares
from riskgraph.contagion.settlement import clearing
from tests.contagion.test_settlement import SENIORITIES, WHICH


def cascade(banks, seed=3):
    """Debts at random, thin capital, a tenth of the external assets of every fifth bank lost."""
    rng = np.random.default_rng(seed)
    debtor = np.repeat(np.arange(banks), 6)
    creditor = (debtor + rng.integers(1, banks, len(debtor))) % banks
    usd = rng.exponential(1.0, len(debtor)) * np.exp(rng.normal(0.0, 1.0, banks))[debtor]
    owes = sparse.csr_array((usd, (debtor, creditor)), shape=(banks, banks))
    owed, claims = owes.sum(axis=1), owes.sum(axis=0)
    cash = np.maximum(1.5 * owed - claims, 0.0) + 0.05 * owed
    return owes, np.where(rng.random(banks) < 0.2, 0.9, 1.0) * cash, 0.5 * owed


def test_a_chain_falls_one_bank_a_round():
    # each owes 1 to the next and has nothing but what comes in; the first has 1/2
    n = 60
    owes = sparse.csr_array((np.ones(n - 1), (np.arange(n - 1), np.arange(1, n))), shape=(n, n))
    cash = np.zeros(n)
    cash[0] = 0.5
    run = clearing(owes, cash)
    assert run.rounds == n - 1
    assert run.levels.tolist()[:-1] == list(range(n - 1))
    assert run.interbank_payments.tolist() == [0.5] * (n - 1) + [0.0]
    saved = clearing(owes, 2 * cash, which="least", external_recovery=0.0, interbank_recovery=0.0)
    assert (saved.levels.tolist(), saved.fails.any()) == ([*range(n - 1), 0], False)


@pytest.mark.parametrize("seniority", SENIORITIES)
@pytest.mark.parametrize("which", WHICH)
@pytest.mark.parametrize("recovery", [1.0, 0.6])
def test_roads_agree(seniority, which, recovery, monkeypatch):
    owes, cash, outside = cascade(300)
    how = {"seniority": seniority, "which": which, "external_recovery": recovery, "interbank_recovery": recovery}
    runs = []
    for dense, narrow in ((1_000, 0.5), (0, 2.0), (0, -1.0), (60, 0.5)):
        monkeypatch.setattr(shares, "DENSE", dense)
        monkeypatch.setattr(shares, "NARROW", narrow)
        runs.append(clearing(owes, cash, external_liabilities=outside, **how))
    first = runs[0]
    assert first.fails.sum() > 10
    for run in runs[1:]:
        assert (run.rounds, run.levels.equals(first.levels)) == (first.rounds, True)
        assert run.payments.to_numpy() == pytest.approx(first.payments.to_numpy(), rel=1e-12, abs=1e-12)


@given(st.integers(0, 1_000), st.sampled_from(SENIORITIES), st.sampled_from(WHICH), st.sampled_from([1.0, 0.8, 0.5]))
@settings(max_examples=40, deadline=None)
def test_a_clearing_clears(seed, seniority, which, recovery):
    owes, cash, outside = cascade(80, seed)
    how = {"seniority": seniority, "which": which, "external_recovery": recovery, "interbank_recovery": recovery}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shares, "DENSE", 10)
        run = clearing(owes, cash, external_liabilities=outside, **how)
    share = run.paid_interbank / np.maximum(run.owed_interbank, 1e-300)
    assert run.incoming == pytest.approx(owes.T @ share, rel=1e-11)
    enough = cash + run.incoming >= (run.owed_interbank + outside) * (1 - 1e-11)
    assert enough.tolist() == (~run.fails).tolist()
    left = recovery * (cash + run.incoming)
    assert run.payments.to_numpy()[run.fails] == pytest.approx(left[run.fails], rel=1e-11)
