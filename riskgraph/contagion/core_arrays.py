"""What the compiled answers of a book read, write and add up: bare arrays under their names."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints
from riskgraph.contagion.wave_arrays import Csr, Near

__all__ = ["Answers", "Desk", "desk"]


class Answers(NamedTuple):
    """How the core moves above a floor T, and what that does to everything that is summed.

    ``pull`` (accounts × core) and ``push`` (accounts × core, transposed in meaning: what an account's wipe-out does to
    core nodes) as in the wave kernel; ``system`` is I − K with the identity in the rows of capped core nodes, K what
    core distress hands back to the core; ``inverse`` the transpose of its inverse, 0 where a push goes to a capped core
    node. ``room`` and ``room_core`` are 1 − T, 0 where T caps; ``near`` lists the accounts that T leaves room by the
    least core move at which they may be capped. ``linear`` (core × weights) is what weights make of a core move,
    ``outer`` and ``inner`` the weights of accounts and core nodes, ``floor`` Σ w (T − h(0)) without any source,
    ``hears`` says whether accounts hand on what they hear (False in a first wave). ``gains`` is what a push to
    each core node does to the weights, and ``strain`` a bound of how near it brings anything to its cap: a source whose
    pushes times that stay below 1 caps nobody.
    """

    pull: Csr
    push: Csr
    system: Floats
    inverse: Floats
    room: Floats
    room_core: Floats
    near: Near
    linear: Floats
    outer: Floats
    inner: Floats
    floor: Floats
    fallen: int
    fell: Bools
    fell_core: Bools
    hears: bool
    gains: Floats
    strain: Floats


class Desk(NamedTuple):
    """Scratch of one lane, and what it adds up.

    ``moves`` are core moves and ``pushed`` pushes whose moves are left to be computed, ``own`` the moves of core
    sources themselves, ``missed`` what accounts miss of their share of all moves.
    """

    mark: Ints
    seen: Ints
    capped: Ints
    move: Floats
    push: Floats
    right: Floats
    matrix: Floats
    moves: Floats
    pushed: Floats
    own: Floats
    missed: Floats


def desk(core: int, accounts: int) -> Desk:
    """Make the scratch of one lane."""
    return Desk(
        mark=np.zeros(1, dtype=np.int64),
        seen=np.zeros(accounts, dtype=np.int64),
        capped=np.zeros(accounts, dtype=np.int64),
        move=np.zeros(core),
        push=np.zeros(core),
        right=np.zeros(core),
        matrix=np.zeros((core, core)),
        moves=np.zeros(core),
        pushed=np.zeros(core),
        own=np.zeros(core),
        missed=np.zeros(accounts),
    )
