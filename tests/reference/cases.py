"""Cases of liquidations in the reference folder, and how their numbers are compared."""

from __future__ import annotations

import json
import os
from fractions import Fraction
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("RISKGRAPH_REFERENCE", ROOT / ".." / "shared" / "reference")) / "liquidations"
DIGITS = Fraction(1, 10**9)


def _read() -> list[dict]:
    found = []
    for path in sorted(FOLDER.glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        found += [{**case, "file": path.stem} for case in content.get("cases", [])]
    return found


CASES = _read()


def near(found, expected: str, unit=0, what: str = "") -> None:
    """Agree within 1e-9 relative or one unit of the contract's rounding."""
    wanted = Fraction(expected)
    gap = abs(Fraction(float(found)) - wanted)
    room = max(DIGITS * abs(wanted), Fraction(unit))
    assert gap <= room, f"{what}: {float(found)!r} against {expected}, {float(gap):.3g} apart, room {float(room):.3g}"


def unit(decimals: int) -> Fraction:
    """The smallest amount of a token."""
    return Fraction(1, 10**decimals)
