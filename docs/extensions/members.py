"""Which members of a class its API page shows: those with words of their own, not the fields of a dataclass."""

from __future__ import annotations

import inspect
from functools import cached_property
from typing import Any

import riskgraph as rg

__all__ = ["members_told"]


def members_told() -> dict[str, dict[str, list[str]]]:
    """Give, for every public class, the names of its properties and methods that say what they are."""
    places = {"riskgraph": rg, "riskgraph.datasets": rg.datasets}
    public = {f"{place}.{name}": getattr(module, name) for place, module in places.items() for name in module.__all__}
    return {name: _told(found) for name, found in public.items() if inspect.isclass(found)}


def _told(found: type) -> dict[str, list[str]]:
    members = {key: value for base in reversed(found.__mro__[:-1]) for key, value in vars(base).items()}
    kinds = {key: _kind(value) for key, value in sorted(members.items()) if not key.startswith("_")}
    return {kind: [key for key, of in kinds.items() if of == kind] for kind in ("property", "method")}


def _kind(member: Any) -> str:
    if isinstance(member, property | cached_property):
        return "property" if inspect.getdoc(member) else ""
    called = isinstance(member, staticmethod | classmethod) or inspect.isfunction(member)
    return "method" if called and inspect.getdoc(member) else ""
