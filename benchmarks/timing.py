"""How a step is timed: best of a few runs, in one process, threads pinned and printed."""

from __future__ import annotations

import enum
import os
import platform
import time
from collections.abc import Callable

import numpy as np
import scipy

__all__ = ["Size", "best", "machine"]


class Size(enum.Enum):
    """How large the inputs are; fixed, and never changed to reach a number."""

    SMALL = "small"
    FULL = "full"


def best(step: Callable[[], object], runs: int = 3) -> float:
    """Give the shortest of a few runs in seconds."""
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        step()
        taken.append(time.perf_counter() - start)
    return min(taken)


def machine() -> str:
    """Say what the ratios were taken on."""
    threads = ", ".join(f"{name}={os.environ.get(name)}" for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"))
    return (
        f"Python {platform.python_version()}, numpy {np.__version__}, scipy {scipy.__version__}, "
        f"{os.cpu_count()} cores, {threads}"
    )
