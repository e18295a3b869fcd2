"""NEVA on arrays: what a dollar of claims on a node is worth given its equity, and equities that agree with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.special import log_ndtr, ndtr

from riskgraph.arrays import Bools, Floats, Labels, read_only
from riskgraph.errors import ConvergenceError, InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["VALUATIONS", "Accounts", "BalanceSheets", "Settled", "ValuationFunction", "accounts_of", "settle"]

USES_RECOVERY = ("furfine", "exante_furfine", "merton", "black_cox")
USES_PBAR = ("eisenberg_noe", "merton")
USES_VOLATILITY = ("exante_furfine", "merton", "black_cox")

# An equity is a sum of exposures, rounded at each step: within so many roundings of the balance sheet it is 0, and
# changes of a few roundings are no changes.
EXACT_TO = 64.0 * np.finfo(np.float64).eps
STILL = 16.0 * np.finfo(np.float64).eps


@dataclass(frozen=True, eq=False)
class BalanceSheets:
    """What a valuation function may know of the nodes besides their equity; read-only arrays of shape (n,).

    Attributes
    ----------
    external_assets : ndarray
        Aᵉ after the shock, USD.
    initial_equity : ndarray
        E⁰, equity before the shock, all claims at face value, USD.
    pbar : ndarray
        p̄, liabilities that share in what is recovered (total, or interbank only), USD.
    recovery : ndarray
        R, share of a claim that is left in default, 0 to 1.
    volatility : ndarray or None
        σ, volatility of the external assets to maturity (not a year's), at least 0.
    rounding : ndarray
        USD within which an equity cannot be told from 0: the sums behind it are not exact.
    """

    external_assets: Floats
    initial_equity: Floats
    pbar: Floats
    recovery: Floats
    volatility: Floats | None
    rounding: Floats

    def __post_init__(self) -> None:
        for array in vars(self).values():
            if array is not None:
                read_only(array)

    @property
    def sigma(self) -> Floats:
        """σ of a valuation that cannot do without."""
        if self.volatility is None:
            raise InputError("volatility: expected σ of the external assets to maturity for this valuation, got None")
        return self.volatility


ValuationFunction = Callable[[Floats, BalanceSheets], "ArrayLike"]


def furfine(equity: Floats, sheets: BalanceSheets) -> Floats:
    """V = 1 if E ≥ 0 else R."""
    return np.where(_gone(equity, sheets), sheets.recovery, 1.0)


def linear(equity: Floats, sheets: BalanceSheets) -> Floats:
    """V = clip(E/E⁰, 0, 1); 0 where E⁰ ≤ 0, as such a node starts defaulted in DebtRank."""
    stood = sheets.initial_equity > sheets.rounding
    share = np.divide(equity, sheets.initial_equity, out=np.zeros_like(equity), where=stood)
    return np.clip(share, 0.0, 1.0)


def eisenberg_noe(equity: Floats, sheets: BalanceSheets) -> Floats:
    """V = clip((E + p̄)/p̄, 0, 1); where p̄ = 0 its limit for small p̄, which is 1 if E ≥ 0 else 0."""
    owes = sheets.pbar > 0.0
    limit = np.where(_gone(equity, sheets), 0.0, 1.0)
    with np.errstate(over="ignore"):
        return np.clip(np.divide(equity + sheets.pbar, sheets.pbar, out=limit, where=owes), 0.0, 1.0)


def exante_furfine(equity: Floats, sheets: BalanceSheets) -> Floats:
    """V = 1 − (1 − R)·P, P the Merton probability that the assets end below K = Aᵉ − E."""
    random = _random(sheets)
    value = furfine(equity, sheets)  # σ = 0 or no assets: what will be is known today
    chance = ndtr(_distance(equity[random], sheets, random))
    value[random] = 1.0 - (1.0 - sheets.recovery[random]) * chance
    return value


def merton(equity: Floats, sheets: BalanceSheets) -> Floats:
    r"""V = 1 − P(K) + R·[G(K) − G(K−p̄) − (K−p̄)(P(K) − P(K−p̄))]/p̄: ex-ante Eisenberg–Noe.

    By parts the bracket is :math:`\bar p P(K) - \int_{K-\bar p}^{K} P`, so V = 1 − (1 − R)·P(K) − R·P̃ with P̃ the mean
    of P between K − p̄ and K: a form in which nothing large cancels, whatever p̄ is beside Aᵉ.
    """
    random = _random(sheets)
    certain = np.where(_gone(equity, sheets), sheets.recovery * eisenberg_noe(equity, sheets), 1.0)
    R = sheets.recovery[random]
    chance = ndtr(_distance(equity[random], sheets, random))
    certain[random] = 1.0 - (1.0 - R) * chance - R * _mean_chance(equity[random], sheets, random)
    return np.clip(certain, 0.0, 1.0)  # only rounding leaves the interval


def black_cox(equity: Floats, sheets: BalanceSheets) -> Floats:
    """V = 1 − (1 − R)·P, P the probability that the assets touch K = Aᵉ − E before maturity; 1 where E ≤ 0."""
    touched = equity <= sheets.rounding
    random = _random(sheets) & ~touched
    chance = touched.astype(np.float64)
    s = sheets.sigma[random]
    with np.errstate(over="ignore", invalid="ignore"):
        m = _log_barrier(equity[random], sheets.external_assets[random])
        back = np.exp(log_ndtr(m / s - s / 2.0) - m)  # e^(−m) alone overflows for a low barrier
    again = np.where(np.isneginf(m), 0.0, back)
    chance[random] = np.minimum(1.0, ndtr(m / s + s / 2.0) + again)
    return 1.0 - (1.0 - sheets.recovery) * chance


VALUATIONS = MappingProxyType(
    {
        "furfine": furfine,
        "linear": linear,
        "eisenberg_noe": eisenberg_noe,
        "exante_furfine": exante_furfine,
        "merton": merton,
        "black_cox": black_cox,
    }
)


def _worth(function: ValuationFunction, equity: Floats, accounts: Accounts) -> Floats:
    """V(E) as a checked array: one finite value in [0, 1] a node."""
    given = function(equity, accounts.sheets)
    try:
        value = np.array(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"valuation: expected {len(equity)} numbers in node order, got {error}") from error
    if value.shape != equity.shape:
        raise InputError(f"valuation: expected {len(equity)} values in node order, got shape {value.shape}")
    bad = np.flatnonzero(~((value >= 0.0) & (value <= 1.0)))
    if len(bad):
        shown = ", ".join(f"{value[at]} at equity {equity[at]:g} (node {str(accounts.labels[at])!r})" for at in bad[:5])
        raise InputError(f"valuation: expected values in [0, 1], got {shown}")
    return value


# -- equities that agree with the value of claims ---------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Accounts:
    """A network's balance sheets: E = own + A·V(E)."""

    labels: Labels
    exposures: sparse.csr_array
    own: Floats  # external assets after the shock less all liabilities
    before: Floats  # E⁰
    shocked: Floats  # E after the shock, all claims at face value
    size: Floats  # all assets and all liabilities before the shock
    sheets: BalanceSheets


def accounts_of(
    labels: Labels,
    exposures: sparse.csr_array,
    assets: Floats,
    liabilities: Floats,
    shock: Floats,
    recovery: Floats,
    volatility: Floats | None,
    pbar: str,
) -> Accounts:
    """Draw up the balance sheets from checked arrays; pbar is "total" or "interbank"."""
    claims, owed = exposures @ np.ones(len(assets)), exposures.T @ np.ones(len(assets))
    size = assets + claims + liabilities + owed
    before = (assets - liabilities - owed) + claims
    left = assets - assets * shock
    ranked = liabilities + owed if pbar == "total" else owed
    sheets = BalanceSheets(left, before, ranked, recovery, volatility, EXACT_TO * size)
    own = left - liabilities - owed
    return Accounts(labels, exposures, own, before, own + claims, size, sheets)


@dataclass(frozen=True, eq=False)
class Settled:
    """Where the rounds ended: E, V(E), and the change that one more round would bring, as a share of ``size``."""

    equity: Floats
    value: Floats
    rounds: int
    converged: bool
    residual: float


def settle(
    accounts: Accounts, function: ValuationFunction, *, horizon: int | None, tol: float, max_rounds: int
) -> Settled:
    """Revalue from V = 1 down, all nodes at once, until equities are within tol of their limit."""
    scale = np.where(accounts.size > 0.0, accounts.size, 1.0)
    equity, change, rate = accounts.shocked, np.inf, 1.0
    for rounds in range(max_rounds + 1):
        value = _worth(function, read_only(equity), accounts)
        renewed = accounts.own + accounts.exposures @ value
        fall = (equity - renewed) / scale
        _check_falling(fall, accounts.labels)
        # On a chain of strong and weak links one ratio says little: the slowest decay is forgotten only by and by.
        last, change = change, float(np.abs(fall).max(initial=0.0))
        rate = max(change / last if last > 0.0 else 0.0, 0.8 * rate)
        converged = bool(change <= STILL or (rate < 1.0 and change <= tol * (1.0 - rate)))
        if converged or rounds == horizon:
            return Settled(equity, value, rounds, converged, change)
        equity = renewed
    raise ConvergenceError(
        f"equity still moved by {change:.1e} of a balance sheet after {max_rounds} rounds (tol {tol:.0e})"
    )


def _check_falling(fall: Floats, labels: Labels) -> None:
    rising = np.flatnonzero(fall < -1e-9)
    if len(rising):
        raise InputError(
            f"valuation: expected values that do not rise where equity falls, got some that lift the equity of "
            f"node {str(labels[rising[0]])!r} by {-fall[rising[0]]:.1e} of its balance sheet"
        )


# -- the law of the external assets at maturity: lognormal around Aᵉ, zero drift ---------------------------------------


def _gone(equity: Floats, sheets: BalanceSheets) -> Bools:
    below: Bools = equity < -sheets.rounding
    return below


def _random(sheets: BalanceSheets) -> Bools:
    moving: Bools = (sheets.sigma > 0.0) & (sheets.external_assets > 0.0)
    return moving


def _log_barrier(equity: Floats, assets: Floats) -> Floats:
    """ln(K/Aᵉ), −inf where K = Aᵉ − E ≤ 0; where E is small beside Aᵉ from E/Aᵉ, whose digits K has lost."""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        plain = np.log(np.maximum(assets - equity, 0.0) / assets)
        return np.where(np.abs(equity) < assets / 2.0, np.log1p(-equity / assets), plain)


def _distance(equity: Floats, sheets: BalanceSheets, random: Bools) -> Floats:
    """Argument of Φ in the Merton probability P(K), K = Aᵉ − E."""
    s = sheets.sigma[random]
    with np.errstate(over="ignore"):
        return _log_barrier(equity, sheets.external_assets[random]) / s + s / 2.0


# Gauss–Legendre on [0, 1]
_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_POINTS, _WEIGHTS = (_POINTS + 1.0) / 2.0, _WEIGHTS / 2.0


def _mean_chance(equity: Floats, sheets: BalanceSheets, random: Bools) -> Floats:
    r"""Mean of P between K − p̄ and K; P(K) where p̄ = 0.

    :math:`\int_{K-\bar p}^{K} P` is what an expected shortfall gains from K − p̄ to K: what it gains if the assets stay
    as they are, clip(−E, 0, p̄), and what chance adds, which is small at both ends. Where p̄ is small beside σAᵉ the
    digits of that difference are lost; there P is smooth on the interval and 16 points give all of them.
    """
    assets, s, pbar = sheets.external_assets[random], sheets.sigma[random], sheets.pbar[random]
    top, bottom = _log_barrier(equity, assets), _log_barrier(equity + pbar, assets)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        narrow = ~(top - bottom > np.minimum(s, 0.5))  # also where both are −inf: K ≤ 0, P = 0 throughout
        chance = (_by_chance(top, s) - _by_chance(bottom, s)) * (assets / pbar)
        mean = np.clip(-equity, 0.0, pbar) / pbar + chance
    few = np.flatnonzero(narrow)
    inside = equity[few, None] + pbar[few, None] * _POINTS
    level = _log_barrier(inside, assets[few, None])
    with np.errstate(over="ignore"):
        mean[few] = ndtr(level / s[few, None] + s[few, None] / 2.0) @ _WEIGHTS
    return mean


def _by_chance(log_barrier: Floats, s: Floats) -> Floats:
    """Return the expected (k − a)⁺ of assets a with mean 1 less (k − 1)⁺, at k = exp(log_barrier)."""
    side = np.where(log_barrier < 0.0, 1.0, -1.0)  # above the mean by way of (a − k)⁺, which is small there
    with np.errstate(over="ignore", invalid="ignore"):
        near, far = ndtr(side * (log_barrier / s + s / 2.0)), ndtr(side * (log_barrier / s - s / 2.0))
        expected = side * (np.exp(log_barrier) * near - far)
    return np.where(np.isinf(log_barrier), 0.0, expected)
