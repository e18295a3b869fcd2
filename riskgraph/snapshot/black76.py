"""Black-76: value and delta of European options on a forward (METHODS 5.10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from riskgraph.arrays import Floats

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["option_delta", "option_value"]


def option_value(
    price: ArrayLike,
    strike: ArrayLike,
    expiry: ArrayLike,
    volatility: ArrayLike,
    is_call: ArrayLike,
    rate: ArrayLike = 0.0,
) -> Floats:
    r"""Value of calls and puts on a forward.

    .. math:: C = e^{-rT} (F N(d_1) - K N(d_2)), \quad P = e^{-rT} (K N(-d_2) - F N(-d_1)), \quad
              d_{1,2} = \frac{\ln(F/K)}{\sigma \sqrt T} \pm \frac{\sigma \sqrt T}{2}

    An option in the money is valued as its intrinsic value plus the opposite option (put-call parity), so that no
    value is below intrinsic, and the error stays within a few roundings of the larger of F and K.

    Parameters
    ----------
    price : array_like
        Forward price F, USD a unit, at least 0. At 0 a call is worth 0 and a put its discounted strike.
    strike : array_like
        K, USD a unit, at least 0.
    expiry : array_like
        T, years, at least 0. At 0 an option is worth its intrinsic value.
    volatility : array_like
        σ, share a year, at least 0. At 0 an option is worth its discounted intrinsic value; without bound a call tends
        to the discounted price and a put to the discounted strike.
    is_call : array_like of bool
        True for calls, False for puts.
    rate : array_like
        r, share a year, continuously compounded.

    Returns
    -------
    ndarray
        USD a unit, at least 0, of the shape to which all arguments broadcast. NaN where an argument is NaN.

    References
    ----------
    .. [1] Black (1976), The pricing of commodity contracts, Journal of Financial Economics 3(1-2).

    Examples
    --------
    At the money both are F (2 N(σ√T / 2) - 1), here with σ√T = 0.2:

    >>> option_value(100.0, 100.0, 0.25, 0.4, [True, False]).round(6).tolist()
    [7.965567, 7.965567]

    At expiry what is left is the intrinsic value:

    >>> option_value(100.0, [90.0, 110.0], 0.0, 0.4, True).tolist()
    [10.0, 0.0]
    """
    forward, struck = np.asarray(price, dtype=np.float64), np.asarray(strike, dtype=np.float64)
    d1, d2 = _distances(forward, struck, expiry, volatility)
    with np.errstate(over="ignore"):
        discount = np.exp(-np.asarray(rate, dtype=np.float64) * np.asarray(expiry, dtype=np.float64))
    side = np.where(forward < struck, 1.0, -1.0)  # the option out of the money: a call below the strike, else a put
    outside = np.maximum(side * (forward * ndtr(side * d1) - struck * ndtr(side * d2)), 0.0)
    intrinsic = np.maximum(np.where(is_call, forward - struck, struck - forward), 0.0)
    return np.asarray(discount * (intrinsic + outside), dtype=np.float64)


def option_delta(
    price: ArrayLike,
    strike: ArrayLike,
    expiry: ArrayLike,
    volatility: ArrayLike,
    is_call: ArrayLike,
    rate: ArrayLike = 0.0,
) -> Floats:
    r"""Delta of calls and puts on a forward: change of value for each USD that the price moves.

    .. math:: \Delta_C = e^{-rT} N(d_1), \qquad \Delta_P = -e^{-rT} N(-d_1)

    Parameters
    ----------
    price, strike, expiry, volatility, is_call, rate : array_like
        As for :func:`option_value`.

    Returns
    -------
    ndarray
        From 0 to :math:`e^{-rT}` for calls and from :math:`-e^{-rT}` to 0 for puts. Where nothing can happen any more
        (expiry or volatility 0) it is that of the intrinsic value: all or nothing, half of it at the strike.

    References
    ----------
    .. [1] Black (1976), The pricing of commodity contracts, Journal of Financial Economics 3(1-2).

    Examples
    --------
    At the money N(σ√T / 2), and that less 1:

    >>> option_delta(100.0, 100.0, 0.25, 0.4, [True, False]).round(6).tolist()
    [0.539828, -0.460172]
    """
    d1, _ = _distances(np.asarray(price, dtype=np.float64), np.asarray(strike, dtype=np.float64), expiry, volatility)
    with np.errstate(over="ignore"):
        discount = np.exp(-np.asarray(rate, dtype=np.float64) * np.asarray(expiry, dtype=np.float64))
    side = np.where(is_call, 1.0, -1.0)
    return np.asarray(discount * side * ndtr(side * d1), dtype=np.float64)


def _distances(price: Floats, strike: Floats, expiry: ArrayLike, volatility: ArrayLike) -> tuple[Floats, Floats]:
    """d1 and d2; ±inf where price, strike or deviation is 0, as the intrinsic value has it, and 0 at the strike."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        deviation = np.asarray(volatility, dtype=np.float64) * np.sqrt(np.asarray(expiry, dtype=np.float64))
        distance = (np.log(price) - np.log(strike)) / deviation
        settled = (deviation == 0.0) | (price == 0.0) | (strike == 0.0)
        certain = np.where(price == strike, 0.0, np.sign(price - strike) * np.inf)
        d1 = np.where(settled, certain, distance + deviation / 2.0)
        d2 = np.where(settled, certain, distance - deviation / 2.0)
    return d1, d2
