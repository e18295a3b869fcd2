"""What Maker's limits on debt in auction let through, vault after vault: each takes room from the next."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from riskgraph.arrays import Floats, Ints

__all__ = ["REFUSED", "fitted"]

REFUSED = ("", "liquidation-limit-hit", "dusty-auction-from-partial-liquidation", "null-auction")
WORTH_COMPILING = 2_000  # vaults from which compiled code makes up for loading numba
_ROUNDING = 1e-12  # share of a limit below which what is left of it is rounding


def fitted(
    ilk: Ints, ink: Floats, art: Floats, terms: tuple[Floats, Floats, Floats], hole: Floats, dirt: Floats, whole: Floats
) -> tuple[Floats, Ints]:
    r"""Say how much of each vault's normalised debt goes to auction, in their order.

    .. math:: \text{room} = \min(Hole - Dirt,\ hole_i - dirt_i), \qquad
              dart = \min\!\Big(art,\ \frac{\text{room}}{rate \cdot chop}\Big)

    all of it where the rest would be below ``dust``, none where the auction itself would be.

    Parameters
    ----------
    ilk, ink, art : ndarray, shape (n,)
        Collateral asset of every vault, units of it, and normalised debt.
    terms : tuple of ndarray, shape (n_assets,)
        ``rate``, ``chop`` and ``dust`` by collateral asset.
    hole, dirt : ndarray, shape (n_assets,)
        Debt that may be, and is, in auction by collateral asset, units; ``dirt`` is changed in place.
    whole : ndarray, shape (2,)
        The same of all together; the second is changed in place.

    Returns
    -------
    tuple of ndarray, shape (n,)
        Normalised debt, and a place in ``REFUSED``.

    Examples
    --------
    Room for 16,500 with the penalty, so for 15,000: all of 9,000, then 6,000 of 20,000, then nothing.

    >>> dirt, whole = np.zeros(1), np.array([16_500.0, 0.0])
    >>> ilk, ink, art = np.zeros(3, dtype=np.int64), np.array([12.0, 25.0, 15.0]), np.array([9e3, 2e4, 1e4])
    >>> terms = np.ones(1), np.array([1.1]), np.array([1_000.0])
    >>> dart, why = fitted(ilk, ink, art, terms, np.array([1e9]), dirt, whole)
    >>> dart.round(6).tolist(), [REFUSED[one] for one in why]
    ([9000.0, 6000.0, 0.0], ['', '', 'liquidation-limit-hit'])
    """
    dart, why = np.zeros(len(art)), np.zeros(len(art), dtype=np.int64)
    kernel = _compiled() if len(art) >= WORTH_COMPILING else _fit
    kernel(ilk, ink, art, *terms, hole, dirt, whole, dart, why)
    return dart, why


@cache
def _compiled() -> Any:
    """Compile the loop; numba is loaded here."""
    import numba

    return numba.njit(cache=True)(_fit)


def _fit(
    ilk: Ints, ink: Floats, art: Floats, rate: Floats, chop: Floats, dust: Floats, hole: Floats, dirt: Floats,
    whole: Floats, dart: Floats, why: Ints,
) -> None:  # fmt: skip
    for at in range(len(art)):
        one = ilk[at]
        room, least = whole[0] - whole[1], _ROUNDING * whole[0]
        if hole[one] - dirt[one] < room:
            room, least = hole[one] - dirt[one], _ROUNDING * hole[one]
        if room <= least:
            why[at] = 1
            continue
        part = min(art[at], room / (rate[one] * chop[one]))
        if (art[at] - part) * rate[one] < dust[one]:
            part = art[at]
        elif part < art[at] and part * rate[one] < dust[one]:
            why[at] = 2
            continue
        if part <= 0.0 or ink[at] <= 0.0:
            why[at] = 3
            continue
        dart[at] = part
        tab = part * rate[one] * chop[one]
        dirt[one] += tab
        whole[1] += tab
