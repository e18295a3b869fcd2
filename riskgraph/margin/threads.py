"""Work on many accounts shared out to threads; compiled code lets go of the interpreter while it runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise

import numpy as np

from riskgraph.arrays import Ints

__all__ = ["by_owner", "in_parts"]

_WORTH_SHARING = 2_000
_MANY_ROWS = 100_000


def in_parts(n: int, parts: int, step: Callable[[int, slice], None], *, worth_sharing: bool | None = None) -> None:
    """Take a step for every one of ``parts`` stretches of n places: its number, and where it is.

    The stretches depend on n alone, so that what is added up by stretch is the same on every machine. Whether threads
    take them is told by n, or by the caller where a place is much work.
    """
    edges = np.linspace(0, n, parts + 1).astype(np.int64)
    work = [(number, slice(int(low), int(high))) for number, (low, high) in enumerate(pairwise(edges)) if high > low]
    alone = n < _WORTH_SHARING if worth_sharing is None else not worth_sharing
    if alone or (os.cpu_count() or 1) < 2:
        for number, at in work:
            step(number, at)
        return
    list(_pool().map(lambda one: step(*one), work))


def by_owner(owner: Ints, parts: int, step: Callable[[int, slice], None]) -> None:
    """Take a step for every one of ``parts`` stretches of rows that stand together by owner, none cut in two."""
    edges = np.linspace(0, len(owner), parts + 1).astype(np.int64)
    if len(owner):
        edges[1:-1] = np.searchsorted(owner, owner[edges[1:-1]])

    def rows(number: int, _: slice) -> None:
        step(number, slice(int(edges[number]), int(edges[number + 1])))

    in_parts(parts, parts, rows, worth_sharing=len(owner) >= _MANY_ROWS)


@cache
def _pool() -> ThreadPoolExecutor:
    """Threads that wait for work: a cascade has some of it many times a second."""
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="riskgraph")


os.register_at_fork(after_in_child=_pool.cache_clear)  # a forked process has none of its parent's threads
