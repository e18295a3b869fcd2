"""What SPAN adds to scan risk and takes off: spreads of months and commodities, short options (METHODS 5.10)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from riskgraph.arrays import Floats
from riskgraph.errors import InputError
from riskgraph.snapshot.scanning import Commodities

__all__ = ["ChargeRates", "calendar_charge", "charge_rates", "commodity_credit", "margin_parts", "short_option_minimum"]


@dataclass(frozen=True, eq=False)
class ChargeRates:
    """Rates by product family (n_families,), and of pairs of families in the order in which spreads are formed."""

    inter_month: Floats
    short_option_minimum: Floats
    inter_commodity: tuple[tuple[int, int, float], ...]


def charge_rates(inter_month: Any, inter_commodity: Any, short_option_minimum: Any, names: Any) -> ChargeRates:
    """Read rates: one number for all families or numbers by family, credits by pair of families."""
    place = {name: at for at, name in enumerate(names)}
    month = _by_family(inter_month, place, "inter_month")
    minimum = _by_family(short_option_minimum, place, "short_option_minimum")
    if not (inter_commodity is None or isinstance(inter_commodity, Mapping)):
        raise InputError(f"inter_commodity: expected credit rates by pair of families, got {inter_commodity!r}")
    pairs = []
    for pair, rate in (inter_commodity or {}).items():
        legs = pair if isinstance(pair, tuple) and len(pair) == 2 and pair[0] != pair[1] else None
        if legs is None or any(leg not in place for leg in legs):
            raise InputError(f"inter_commodity: expected pairs of two families of {', '.join(names)}, got {pair!r}")
        pairs.append((place[legs[0]], place[legs[1]], _rate(rate, f"inter_commodity of {pair}")))
    return ChargeRates(month, minimum, tuple(pairs))


def _by_family(given: Any, place: Mapping[str, int], what: str) -> Floats:
    if not isinstance(given, Mapping):
        return np.full(len(place), _rate(given, what))
    rates = np.zeros(len(place))
    for name, rate in given.items():
        if name not in place:
            raise InputError(f"{what}: expected families among {', '.join(place)}, got {name!r}")
        rates[place[name]] = _rate(rate, f"{what} of {name}")
    return rates


def _rate(value: Any, what: str) -> float:
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not (number and 0.0 <= value <= 1.0):
        raise InputError(f"{what}: expected a share in [0, 1], got {value!r}")
    return float(value)


def margin_parts(book: Commodities, scan: Floats, rates: ChargeRates, rate: float) -> dict[str, Floats]:
    r"""Say what the margin of each combined commodity is made of, USD.

    .. math:: \text{risk} = \max(\text{scan} + \text{month} - \text{credit}, \text{minimum}), \qquad
              \text{requirement} = \text{risk} - \text{net option value}
    """
    contracts = book.contracts
    delta_usd = contracts.delta(rate) * contracts.price
    month = calendar_charge(book, rates.inter_month, delta_usd)
    credit = commodity_credit(book, rates.inter_commodity, delta_usd * contracts.scan_range)
    minimum = short_option_minimum(book, rates.short_option_minimum)
    risk = np.maximum(scan + month - credit, minimum)
    value = book.total(contracts.value(rate))
    return {
        "scan_risk": scan,
        "inter_month": month,
        "inter_commodity": credit,
        "short_option_minimum": minimum,
        "risk": risk,
        "net_option_value": value,
        "requirement": risk - value,
    }


def calendar_charge(book: Commodities, rate: Floats, delta_usd: Floats) -> Floats:
    r"""Charge for months that offset one another in the scan although their prices can come apart, USD.

    .. math:: \text{rate} \cdot \min\Big(\sum_m D_m^+, \sum_m D_m^-\Big)

    with the net delta D (USD of the underlying) of each month of expiry; all that has no expiry is one month.
    """
    if not rate[book.family].any():
        return np.zeros(len(book))
    months, month = np.unique(book.contracts.expiry, return_inverse=True)  # NaN, no expiry, is one of them
    shape = (len(month), len(months))
    by_month = sparse.csr_array(book.units @ sparse.csr_array((delta_usd, (np.arange(len(month)), month)), shape=shape))
    ahead, behind = (np.asarray(side.sum(axis=1)).ravel() for side in (by_month.maximum(0.0), by_month.minimum(0.0)))
    return rate[book.family] * np.minimum(ahead, -behind)


def commodity_credit(book: Commodities, pairs: tuple[tuple[int, int, float], ...], scan_usd: Floats) -> Floats:
    r"""Credit for product families that offset one another, USD, on each leg of a spread.

    .. math:: \text{rate} \cdot \min(|R_f|, |R_g|) \quad\text{where } R_f R_g < 0

    with R what a price move of one scan range changes (delta × scan range, signed). Pairs in order; what stands in a
    spread is not there for the next one.
    """
    credit = np.zeros(len(book))
    left = book.total(scan_usd) if pairs else credit
    for one, other, rate in pairs:
        first, second = np.flatnonzero(book.family == one), np.flatnonzero(book.family == other)
        _, at, to = np.intersect1d(book.margin[first], book.margin[second], assume_unique=True, return_indices=True)
        first, second = first[at], second[to]
        size = np.minimum(abs(left[first]), abs(left[second]))
        spread = np.where(left[first] * left[second] < 0.0, size, 0.0)
        for leg in (first, second):
            credit[leg] += rate * spread
            left[leg] -= np.sign(left[leg]) * spread
    return credit


def short_option_minimum(book: Commodities, rate: Floats) -> Floats:
    """Least requirement for options sold, USD: a share of the underlying's value for every unit net short."""
    underlying = np.zeros(len(book.contracts))
    underlying[book.contracts.options] = book.contracts.price[book.contracts.options]
    short = sparse.csr_array(book.units.minimum(0.0))
    minimum: Floats = rate[book.family] * -(short @ underlying)
    return minimum + 0.0  # no -0
