"""Scenarios of a portfolio margin: the sixteen of SPAN, or a table that somebody else publishes (METHODS 5.10)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.errors import Faults, InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EXTREME_COVER", "EXTREME_MOVE", "Scenario", "classic_scenarios", "given_scenarios", "scenario_frame"]

EXTREME_MOVE = 2.0  # price scan ranges
EXTREME_COVER = 0.35  # share of an extreme loss that counts


@dataclass(frozen=True)
class Scenario:
    """A move of prices and of implied volatilities, and the share of its profit or loss that counts.

    ``price_move`` is a share of the price and ``volatility_move`` a share of the implied volatility; ``price_scans``
    and ``volatility_scans`` are in scan ranges of the asset. Both kinds add up.
    """

    price_move: float = 0.0
    price_scans: float = 0.0
    volatility_move: float = 0.0
    volatility_scans: float = 0.0
    weight: float = 1.0


COLUMNS = tuple(field.name for field in fields(Scenario))


def classic_scenarios(extreme_move: float = EXTREME_MOVE, extreme_cover: float = EXTREME_COVER) -> tuple[Scenario, ...]:
    """Give the 16 scenarios of SPAN in the exchanges' order.

    No move, then thirds of the scan range up and down, each with volatility up and down; last the extreme moves.

    Examples
    --------
    >>> [round(3 * scenario.price_scans) for scenario in classic_scenarios()]
    [0, 0, 1, 1, -1, -1, 2, 2, -2, -2, 3, 3, -3, -3, 6, -6]
    """
    _check_extremes(extreme_move, extreme_cover)
    moves = [third / 3.0 for third in (0, 1, -1, 2, -2, 3, -3)]
    inner = [Scenario(price_scans=move, volatility_scans=scans) for move in moves for scans in (1.0, -1.0)]
    outer = [Scenario(price_scans=sign * extreme_move, weight=extreme_cover) for sign in (1.0, -1.0)]
    return (*inner, *outer)


def _check_extremes(extreme_move: Any, extreme_cover: Any) -> None:
    for name, value, high, words in (
        ("extreme_move", extreme_move, np.inf, "price scan ranges, at least 0"),
        ("extreme_cover", extreme_cover, 1.0, "a share in [0, 1]"),
    ):
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not (number and np.isfinite(value) and 0.0 <= value <= high):
            raise InputError(f"{name}: expected {words}, got {value!r}")


def given_scenarios(table: pd.DataFrame) -> tuple[Scenario, ...]:
    """Read a table of scenarios: a row each, any of the columns of :class:`Scenario`, weight 1 where none is given."""
    if not hasattr(table, "columns"):
        raise InputError(f"scenarios: expected a DataFrame, got {type(table).__name__}")
    names = [str(name) for name in table.columns]
    faults = Faults()
    known = ("scenario", *COLUMNS)
    if set(names) - set(known) or len(set(names)) < len(names):
        faults.add("scenarios", f"expected only the columns {', '.join(known)}, each once", ", ".join(names))
    if not {"price_move", "price_scans"} & set(names) or not len(table):
        faults.add("scenarios", "expected rows with a column price_move (share) or price_scans (scan ranges)")
    faults.raise_if_any()
    columns = {name: _numbers(table, name, faults) for name in COLUMNS if name in names}
    if "scenario" in names and list(table["scenario"]) != list(range(1, len(table) + 1)):
        faults.add("scenarios.scenario", f"expected 1 to {len(table)} in order", str(list(table["scenario"])[:5]))
    faults.raise_if_any()
    rows = zip(*columns.values(), strict=True)
    return tuple(Scenario(**dict(zip(columns, row, strict=True))) for row in rows)


def _numbers(table: pd.DataFrame, name: str, faults: Faults) -> list[float]:
    """Read one column; note where it holds no number in range."""
    low, high = {"price_move": (-1.0, np.inf), "weight": (0.0, 1.0)}.get(name, (-np.inf, np.inf))
    try:
        values = np.asarray(table[name], dtype=np.float64)
    except (TypeError, ValueError) as error:
        faults.add(f"scenarios.{name}", "expected numbers", str(error))
        return []
    wrong = np.flatnonzero(~(np.isfinite(values) & (values >= low) & (values <= high)))
    if len(wrong):
        within = f" in [{low:g}, {high:g}]" if low > -np.inf else ""
        faults.add(f"scenarios.{name}", f"expected finite numbers{within}", f"{values[wrong[0]]:g}", wrong + 1)
    return [float(value) for value in values]


def scenario_frame(scenarios: tuple[Scenario, ...]) -> pd.DataFrame:
    """Give scenarios as a table, numbered from 1; :func:`given_scenarios` reads it back."""
    import pandas as pd

    frame = pd.DataFrame([asdict(scenario) for scenario in scenarios])
    frame.insert(0, "scenario", np.arange(1, len(frame) + 1))
    return frame
