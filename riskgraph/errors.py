"""The errors that riskgraph raises, and the list in which faults of one input are gathered."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["ConvergenceError", "Faults", "InputError", "RiskGraphError"]


class RiskGraphError(Exception):
    """Root of every error that riskgraph raises on purpose."""


class InputError(RiskGraphError, ValueError):
    """What came in is not what was expected; the message names table, column and rows."""


class ConvergenceError(RiskGraphError, RuntimeError):
    """A round budget ran out before the result stood still; the message names rounds and residual."""


class Faults:
    """Everything that is wrong with one input, so that it can be said in one message.

    Examples
    --------
    >>> faults = Faults("a table of 3 rows")
    >>> faults.add("positions.amount", "expected a number of at least 0", "-1.0", rows=[2])
    >>> faults.raise_if_any()
    Traceback (most recent call last):
    ...
    riskgraph.errors.InputError: a table of 3 rows: positions.amount: expected a number of at least 0, got -1.0 (row 2)
    """

    shown_rows = 5

    def __init__(self, subject: str = "") -> None:
        self.subject = subject
        self.lines: list[str] = []

    def add(self, where: str, expected: str, came: str = "", rows: Iterable[int] = ()) -> None:
        """Note one fault: the place, what was expected, what came, and in which rows (the first five are shown)."""
        line = f"{where}: {expected}"
        if came:
            line += f", got {came}"
        listed = list(rows)
        if listed:
            shown = ", ".join(str(row) for row in listed[: self.shown_rows])
            more = f" and {len(listed) - self.shown_rows} more" if len(listed) > self.shown_rows else ""
            line += f" (row{'s' if len(listed) > 1 else ''} {shown}{more})"
        self.lines.append(line)

    def raise_if_any(self) -> None:
        """Raise one InputError with every fault noted so far; do nothing if there is none."""
        if self.lines:
            head = f"{self.subject}: " if self.subject else ""
            raise InputError(head + "; ".join(self.lines))
