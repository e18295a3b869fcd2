"""Times of ticks: numbers, dates, or texts that hold one of them."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import numpy as np

from riskgraph.errors import InputError

__all__ = ["moment_of"]

LARGEST = 1e300  # whole numbers beyond it are no float


def moment_of(time: Any, what: str) -> float | dt.datetime:
    """Read a time as a number or a datetime, which compare with their like.

    >>> moment_of("1e3", "time"), moment_of("2023-06-21", "time")
    (1000.0, datetime.datetime(2023, 6, 21, 0, 0))
    """
    found = _read(time)
    if found is None or (isinstance(found, float) and not math.isfinite(found)):
        raise InputError(f"{what}: expected a finite number, a date, or a text that holds one (ISO 8601), got {time!r}")
    return found


def _read(time: Any) -> float | dt.datetime | None:
    if isinstance(time, np.generic) and not isinstance(time, np.datetime64):
        time = time.item()
    if isinstance(time, np.datetime64):
        whole = time.astype("datetime64[us]").item()
        return whole if isinstance(whole, dt.datetime) else None
    if isinstance(time, dt.datetime):
        return time if time == time else None  # pandas' missing time equals nothing
    if isinstance(time, dt.date):
        return dt.datetime(time.year, time.month, time.day)
    if isinstance(time, int | float) and not isinstance(time, bool):
        return float(time) if -LARGEST < time < LARGEST else None
    return _read_text(time.strip()) if isinstance(time, str) else None


def _read_text(text: str) -> float | dt.datetime | None:
    for way in (float, dt.datetime.fromisoformat):
        try:
            return way(text)
        except ValueError:
            continue
    return None
