"""How results count things."""

from __future__ import annotations

__all__ = ["counted"]


def counted(count: int, thing: str) -> str:
    """Write a number of things.

    >>> counted(1, "round"), counted(2_000, "margin account")
    ('1 round', '2,000 margin accounts')
    """
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
