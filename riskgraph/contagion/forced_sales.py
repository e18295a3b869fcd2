"""What institutions sell after a loss and what that costs: the arrays behind fire sales."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from riskgraph.arrays import Bools, Floats, summed
from riskgraph.contagion.portfolio_holdings import Portfolios
from riskgraph.errors import ConvergenceError
from riskgraph.wording import counted

__all__ = ["LEVEL_DEPENDENT", "LINEAR", "Constraint", "Outcome", "Round", "leverage_targeting", "threshold"]

LINEAR, LEVEL_DEPENDENT = "linear", "level_dependent"


@dataclass(frozen=True)
class Round:
    """One round of sales: who sold, USD sold, USD lost through its price falls, who is insolvent after it."""

    sellers: int
    sold_usd: float
    loss_usd: float
    insolvent: int


@dataclass(frozen=True, eq=False)
class Outcome:
    """What was sold and lost.

    ``sales`` (institutions × assets, USD at the prices at which each round began), ``price_fall`` (m,; by sales),
    ``indirect`` (n,; USD lost through it), ``caused`` (n,; USD that everybody lost through the institution's sales),
    ``equity`` (n,; at the end), ``sold_out`` (n,; nothing is left that it could sell).
    """

    sales: sparse.csr_array
    price_fall: Floats
    indirect: Floats
    caused: Floats
    equity: Floats
    sold_out: Bools
    rounds: tuple[Round, ...]


@dataclass(frozen=True, eq=False)
class Constraint:
    """When institutions sell, and at what price: the arguments of the threshold model, checked."""

    max_leverage: Floats
    target_leverage: Floats
    sellable: Bools  # (m,)
    impact: str
    price_floor: float
    execution: float
    insolvent_sell: bool
    tol: float
    max_rounds: int


def leverage_targeting(books: Portfolios, falls: Floats, *, insolvent_sell: bool) -> Outcome:
    r"""Sell in one round in which everybody returns to the leverage it had.

    .. math:: \text{sales}_i = \min(b_i \text{loss}_i, A_i - \text{loss}_i), \quad
              g_a = \ell_a \sum_i w_{ia} \text{sales}_i, \quad \text{lost}_i = \sum_a H_{ia} g_a
    """
    total, loss = books.total, books.holdings @ falls
    alive, left = books.equity > 0.0, total - loss
    debt = np.maximum(total - books.equity, 0.0)  # below 0 by rounding only, which the border has seen to
    with np.errstate(over="ignore"):
        wanted = np.divide(debt, books.equity, out=np.full(len(total), np.inf), where=alive)
    # equity of 0 or less: b grows without bound as E goes to 0, so that any loss asks for everything
    wanted = np.multiply(wanted, loss, out=np.zeros(len(total)), where=loss > 0.0)
    sold_usd = np.minimum(wanted, left)
    if not insolvent_sell:
        sold_usd[books.equity - loss <= 0.0] = 0.0
    share = np.divide(sold_usd, total, out=np.zeros(len(total)), where=total > 0.0)
    sales = sparse.csr_array(sparse.diags_array(share) @ books.holdings)
    fall = (books.price_impact * summed(books.market, _columns(sales), len(books.market)))[books.market]
    indirect = books.holdings @ fall
    per_usd = (books.price_impact * summed(books.market, _columns(books.holdings), len(books.market)))[books.market]
    equity = books.equity - loss - indirect
    sold = Round(int((sold_usd > 0.0).sum()), float(sold_usd.sum()), float(indirect.sum()), int((equity <= 0.0).sum()))
    sold_out = (sold_usd >= left) & (sold_usd > 0.0)
    return Outcome(sales, fall, indirect, sales @ per_usd, equity, sold_out, (sold,) if sold.sellers else ())


def threshold(books: Portfolios, falls: Floats, rule: Constraint) -> Outcome:
    r"""Sell in rounds: those above their largest leverage sell down to their target, until nobody has to.

    .. math:: \Gamma_i = \min(1, (A_i - \lambda^b_i E_i)/M_i) \; [A_i > \lambda^{max}_i E_i], \quad
              q = \sum_i \Gamma_i P_i, \quad
              \text{lost}_i = \sum_a P_{ia} \Psi_a (1 - (1 - \alpha) \Gamma_i), \quad
              P_i \leftarrow (1 - \Gamma_i) P_i (1 - \Psi)

    with A all holdings, M those that can be sold, and Γ = 0 in the columns that cannot.
    """
    structure = books.holdings
    row = np.repeat(np.arange(structure.shape[0]), np.diff(structure.indptr))
    column = structure.indices
    can_sell = rule.sellable[column]
    held = structure.data * (1.0 - falls[column])
    n, m = structure.shape
    equity = books.equity - structure @ falls
    fall, sold = np.zeros(m), np.zeros(len(held))
    indirect, caused = np.zeros(n), np.zeros(n)
    rounds: list[Round] = []
    least = rule.tol * summed(row, held, n)
    while True:
        share = _shares(equity, (summed(row, held, n), summed(row, held * can_sell, n), least), rule)
        if not share.any():
            break
        sale = held * share[row] * can_sell
        if len(rounds) == rule.max_rounds:
            raise _unfinished(rule, sale, held)
        in_market = summed(books.market[column], sale, m)
        impact = _impact(in_market, fall, books.price_impact, rule)[books.market]
        lost = impact[column] * (held - (1.0 - rule.execution) * sale)
        per_usd = _per_usd(summed(books.market[column], lost, m), in_market)
        caused += summed(row, sale * per_usd[books.market[column]], n)
        indirect, equity = indirect + summed(row, lost, n), equity - summed(row, lost, n)
        held = (held - sale) * (1.0 - impact[column])
        fall, sold = fall + (1.0 - fall) * impact, sold + sale
        rounds.append(Round(int((share > 0.0).sum()), float(sale.sum()), float(lost.sum()), int((equity <= 0.0).sum())))
    sales = sparse.csr_array((sold, column.copy(), structure.indptr.copy()), shape=(n, m))
    sold_out = (summed(row, sold, n) > 0.0) & ~(summed(row, held * can_sell, n) > 0.0)
    return Outcome(sales, fall, indirect, caused, equity, sold_out, tuple(rounds))


def _unfinished(rule: Constraint, sale: Floats, held: Floats) -> ConvergenceError:
    return ConvergenceError(
        f"fire_sale: after {counted(rule.max_rounds, 'round')} institutions would still sell {sale.sum():.6g} USD of "
        f"{held.sum():.6g} (tol {rule.tol:.0e})"
    )


def _shares(equity: Floats, values: tuple[Floats, Floats, Floats], rule: Constraint) -> Floats:
    """Γ: the share of what it can sell that each institution sells in this round."""
    total, sellable, least = values
    over = np.where(equity > 0.0, total > rule.max_leverage * equity, rule.insolvent_sell)
    excess = total - rule.target_leverage * np.maximum(equity, 0.0)
    over &= (sellable > 0.0) & (np.minimum(excess, sellable) > least)
    with np.errstate(over="ignore"):  # next to nothing that it could sell: all of it, whatever the quotient
        return np.minimum(1.0, np.divide(excess, sellable, out=np.zeros(len(total)), where=over))


def _impact(sold: Floats, fall: Floats, per_usd: Floats, rule: Constraint) -> Floats:
    """Ψ: relative price fall in each market by what is sold in it in this round, at most 1."""
    if rule.impact == LINEAR:
        return np.minimum(1.0, per_usd * sold)
    room = 1.0 - rule.price_floor  # δ = (1 - B/S₀)·D gives the first dollar the same impact as in the linear form
    above = 1.0 - np.divide(rule.price_floor, 1.0 - fall, out=np.zeros(len(fall)), where=fall < 1.0)
    return above * -np.expm1(-per_usd * sold / room)


def _per_usd(lost: Floats, sold: Floats) -> Floats:
    return np.divide(lost, sold, out=np.zeros(len(lost)), where=sold > 0.0)


def _columns(matrix: sparse.csr_array) -> Floats:
    return summed(matrix.indices, matrix.data, matrix.shape[1])
