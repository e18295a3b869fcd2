"""Who reaches what explodes in a book, and the state T to which that and what starts defaulted drive it.

The core road answers every source above such a state; why that gives the end of linear DebtRank is said there. The
kernels that are used load numba: nothing imports this module before many sources are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from riskgraph.arrays import Bools, Floats, Ints
from riskgraph.contagion.compiled import plain
from riskgraph.contagion.core_kernel import slopes
from riskgraph.contagion.perron import cyclic_classes
from riskgraph.contagion.spreading import System
from riskgraph.contagion.wave_arrays import Csr

__all__ = ["CoreBook", "Floor", "Reached", "first_wave", "floor_of", "kinds_of", "reached_of"]

CRITICAL = 1e-6  # a component whose λ₁ is this near to 1 is left to the waves
STEPS = 200  # Newton steps in which a floor must be found


@dataclass(frozen=True, eq=False)
class CoreBook:
    """The book as the core road needs it: damping folded in, what starts defaulted pulled no further."""

    chain: Floats  # (m, m) D
    pull: sparse.csr_array  # accounts × core: B
    push: sparse.csr_array  # accounts × core: C transposed
    pull_rows: Csr
    push_rows: Csr
    started: Bools  # accounts
    started_core: Bools

    @classmethod
    def of(cls, parts: System, damping: float, started: Bools) -> CoreBook:
        """Lay a system out, ``started`` (n,) marking the nodes that start at h = 1."""
        accounts = started[parts.rest]
        pull = sparse.csr_array(sparse.diags_array(np.where(accounts, 0.0, damping)) @ parts.rest_core)
        pull.eliminate_zeros()
        push = sparse.csr_array((parts.core_rest * damping).T)
        chain = (parts.core_core * damping).toarray()
        return cls(chain, pull, push, plain(pull), plain(push), accounts, started[parts.core])


@dataclass(frozen=True, eq=False)
class Floor:
    """A state that stands still: core distress, and whom it caps."""

    core: Floats
    held: Bools  # core nodes at 1
    capped: Bools  # accounts at 1
    system: Floats  # I − K at T, identity in the rows of capped core nodes


# -- who reaches what explodes ----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Reached:
    """Core nodes of the components with λ₁ ≥ 1, and which of them each core node reaches (a bit each)."""

    gain: Floats  # (m, m) D + C B
    members: tuple[Ints, ...]
    bits: Ints  # (m,)


def reached_of(book: CoreBook) -> Reached | str:
    """Find the components with λ₁ ≥ 1 and who reaches them; or say why the book cannot be solved on its core."""
    if len(book.chain) and np.abs(np.linalg.eigvals(book.chain)).max() > 1.0 - CRITICAL:
        return "the chain among assets and protocols alone has λ₁ of at least 1"
    gain = book.chain + (book.push.T @ book.pull).toarray()
    links = sparse.csr_array(gain)
    members = []
    for nodes in cyclic_classes(links).nodes:
        root = np.abs(np.linalg.eigvals(gain[np.ix_(nodes, nodes)])).max()
        if abs(root - 1.0) < CRITICAL:
            return f"a component has λ₁ = {root:.9g}, too near to 1"
        if root > 1.0:
            members.append(nodes)
    if len(members) > 62:  # a bit each of an int64, sign and one to spare
        return f"{len(members)} components have λ₁ of at least 1"
    bits = np.zeros(len(gain), dtype=np.int64)
    for place, nodes in enumerate(members):
        seen = np.zeros(len(gain), dtype=bool)
        seen[nodes] = True
        bits[_spread(links, seen, forward=False)] |= 1 << place
    return Reached(gain, tuple(members), bits)


def _spread(links: sparse.csr_array, seen: Bools, *, forward: bool) -> Bools:
    """Add every core node that the seen ones drive (or, backward, that drives them); ``links[a, b]``: b drives a."""
    step = links if forward else links.T.tocsr()
    while True:
        more: Bools = seen | ((step @ seen.astype(np.float64)) > 0.0)
        if (more == seen).all():
            return seen
        seen = more


def kinds_of(book: CoreBook, reached: Reached, number: Ints, in_core: Bools) -> Ints:
    """Give the explosive components that each source reaches, a bit each: accounts by the core nodes that they push."""
    by_account = np.zeros(book.push.shape[0], dtype=np.int64)
    for place in range(len(reached.members)):
        touched = (book.push @ ((reached.bits >> place) & 1).astype(np.float64)) > 0.0
        by_account |= touched.astype(np.int64) << place
    kinds = np.zeros(len(number), dtype=np.int64)
    kinds[in_core] = reached.bits[number[in_core]]
    kinds[~in_core] = by_account[number[~in_core]]
    return kinds


# -- the floor --------------------------------------------------------------------------------------------------------


def floor_of(book: CoreBook, reached: Reached, kind: int) -> Floor | None:
    """Find T of a kind from above: cap what asks for more than 1, solve the rest, until the same nodes are capped.

    None where that takes more than ``STEPS`` steps.
    """
    m = len(book.chain)
    seen = book.started_core | ((book.push.T @ book.started.astype(np.float64)) > 0.0)
    for place, nodes in enumerate(reached.members):
        if kind >> place & 1:
            seen[nodes] = True
    seen = _spread(sparse.csr_array(reached.gain), seen, forward=True)
    away = np.zeros(m, dtype=bool)  # explosive but out of reach: taken out, since they can make the system singular
    for place, nodes in enumerate(reached.members):
        away[nodes] = not kind >> place & 1
    core, before = seen.astype(np.float64), (-1, -1)
    capped = np.zeros(len(book.started), dtype=bool)
    for _ in range(STEPS):
        matrix, constant = book.chain.copy(), book.started_core.astype(np.float64)
        count = slopes(book.pull_rows, book.push_rows, book.started, core, matrix, constant, capped)
        held = seen & (constant + matrix @ core >= 1.0)
        system = _held(np.eye(m) - matrix, held | (away & ~seen))
        if (count, int(held.sum())) == before:
            return Floor(core, held, capped, system)
        before = (count, int(held.sum()))
        core = np.where(held, 1.0, np.linalg.solve(system, np.where(held, 1.0, np.where(seen, constant, 0.0))))
        core[~seen] = 0.0
    return None


def _held(system: Floats, held: Bools) -> Floats:
    """Replace the equations of held nodes: they move no more."""
    system[held] = 0.0
    system[held, held] = 1.0
    return system


def first_wave(book: CoreBook) -> Floor:
    """Give the state after one wave of what starts defaulted: the core to the end of its chain, then accounts."""
    push = book.started_core + book.push.T @ book.started.astype(np.float64)
    core = _spread(sparse.csr_array(book.chain), push > 0.0, forward=True).astype(np.float64)
    before = -1
    while True:
        held: Bools = (core > 0.0) & (push + book.chain @ core >= 1.0)
        system = _held(np.eye(len(push)) - book.chain, held)
        if int(held.sum()) == before:
            return Floor(core, held, book.started | (book.pull @ core >= 1.0), system)
        before = int(held.sum())
        core = np.where(held, 1.0, np.linalg.solve(system, np.where(held, 1.0, push)))
