"""Work on many accounts shared out to threads; compiled code lets go of the interpreter while it runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

__all__ = ["in_parts"]

_WORTH_SHARING = 2_000


def in_parts(n: int, parts: int, step: Callable[[int, slice], None]) -> None:
    """Take a step for every one of ``parts`` stretches of n places: its number, and where it is.

    The stretches depend on n alone, so that what is added up by stretch is the same on every machine.
    """
    edges = np.linspace(0, n, parts + 1).astype(np.int64)
    work = [(number, slice(int(low), int(high))) for number, (low, high) in enumerate(pairwise(edges)) if high > low]
    threads = os.cpu_count() or 1
    if n < _WORTH_SHARING or threads < 2:
        for number, at in work:
            step(number, at)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda one: step(*one), work))
