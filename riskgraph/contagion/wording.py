"""How results name the terms under which they ran."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from riskgraph.wording import counted

__all__ = ["in_force"]


def in_force(model: str, arguments: Mapping[str, Any]) -> str:
    """Say which model ran and under which terms, those that are no default."""
    terms = []
    if arguments.get("alpha") is not None:
        terms.append(f"α = {arguments['alpha']:g}")
    if arguments.get("damping", 1.0) != 1.0:
        terms.append(f"δ = {arguments['damping']:g}")
    if arguments.get("horizon") is not None:
        terms.append(f"at most {counted(int(arguments['horizon']), 'round')}")
    if not arguments.get("cap", True):
        terms.append("losses beyond capital counted")
    return f"model {model}" + (f" ({', '.join(terms)})" if terms else "")
