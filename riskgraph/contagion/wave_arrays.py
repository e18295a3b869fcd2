"""What the compiled waves of a book read, write and weigh: bare arrays under their names."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints

__all__ = ["Arrays", "Csr", "Near", "Weights", "Work", "workspace"]


class Csr(NamedTuple):
    """A sparse matrix by rows."""

    ptr: Ints
    idx: Ints
    val: Floats


class Near(NamedTuple):
    """Accounts that each core node pulls, by rising level: ``account[ptr[a]:ptr[a + 1]]`` and their ``level``."""

    ptr: Ints
    account: Ints
    level: Floats


class Arrays(NamedTuple):
    """A three-kind graph as the kernel reads it: core nodes (assets, protocols) a, accounts i.

    ``chain`` is Λ among core nodes, ``push`` what a wiped-out account does to core nodes (accounts × core), ``pull``
    what core nodes do to accounts (accounts × core), ``total`` its row sums. ``prompt`` lists the accounts that pass
    everything on from their first loss, ``late`` the others that push anything, by the least core distress at which
    they can begin; ``capped`` and ``prompt_capped`` all and the prompt ones by the least at which they can be wiped
    out (bounds from row sums). ``steepest`` is the largest pull of each core node. ``ahead`` is the transpose of
    (I − K)⁻¹ with K the chain and what prompt accounts hand back to the core, or empty where that is no contraction.
    """

    chain: Csr
    push: Csr
    pull: Csr
    onset: Floats
    total: Floats
    prompt: Ints
    late: Near
    capped: Near
    prompt_capped: Near
    steepest: Floats
    ahead: Floats


class Weights(NamedTuple):
    """What is summed: weights of core nodes and accounts, what both make of core distress, and who fell anyway."""

    linear: Floats
    inner: Floats
    outer: Floats
    fell_core: Bools
    fell: Bools
    level: float


class Work(NamedTuple):
    """Scratch of one lane; accounts carry the mark of the pass that last touched them, so nothing is cleared.

    Over its sources a lane adds up core distress (``moves``), that of sources themselves (``own``), and what accounts
    miss of what the core hands them: beyond their cap, or because they are the source (``missed``).
    """

    mark: Ints
    stamp: Ints
    seen: Ints
    sent: Floats
    wake: Floats
    listed: Ints
    place: Ints
    start: Floats
    fixed: Floats
    push: Floats
    core: Floats
    new: Floats
    scratch: Floats
    matrix: Floats
    moves: Floats
    own: Floats
    missed: Floats


def workspace(core: int, accounts: int) -> Work:
    """Make the scratch of one lane."""
    return Work(
        mark=np.zeros(1, dtype=np.int64),
        stamp=np.zeros(accounts, dtype=np.int64),
        seen=np.zeros(accounts, dtype=np.int64),
        sent=np.zeros(accounts),
        wake=np.zeros(accounts),
        listed=np.zeros(accounts, dtype=np.int64),
        place=np.zeros(core, dtype=np.int64),
        start=np.zeros(core),
        fixed=np.zeros(core),
        push=np.zeros(core),
        core=np.zeros(core),
        new=np.zeros(core),
        scratch=np.zeros(core),
        matrix=np.zeros((core, core)),
        moves=np.zeros(core),
        own=np.zeros(core),
        missed=np.zeros(accounts),
    )
