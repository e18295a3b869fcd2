"""Where a result comes from: version, data, call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

__all__ = ["VERSION", "Provenance"]

VERSION = "0.1.0"


@dataclass(frozen=True)
class Provenance:
    """The version that computed a result, the digest of the data it stands on, and the call that made it."""

    call: str
    digest: str | None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    version: str = VERSION

    def __post_init__(self) -> None:
        object.__setattr__(self, "arguments", MappingProxyType(dict(self.arguments)))

    def __str__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        return f"riskgraph {self.version}, {self.call}({arguments}) on data {self.digest or 'without digest'}"
