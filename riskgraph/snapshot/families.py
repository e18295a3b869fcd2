"""Kind, family and numeraire of every asset, and who stands behind whom: given, looked up or assumed, and said."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from riskgraph.arrays import Bools, Ints, read_only
from riskgraph.snapshot.backing import check_loops
from riskgraph.snapshot.schema import KINDS
from riskgraph.snapshot.tokens import TOKENS

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["Families", "families_of"]

_KIND = {name: code for code, name in enumerate(KINDS)}


@dataclass(frozen=True, eq=False)
class Families:
    """What kind each asset is, which assets are held to one price, and what backs them.

    Attributes
    ----------
    kind : ndarray of int8, shape (n_assets,)
        Codes into ``schema.KINDS``.
    family : ndarray of int32, shape (n_assets,)
        Family number; baskets have one of their own each.
    names : tuple of str
        Family labels by number.
    numeraire : ndarray of int32, shape (n_families,)
        Asset that a family's other members are measured against: its base.
    shares : csr_array, shape (n_assets + n_protocols, n_assets)
        S of METHODS 6: ``S[u, t]`` = share of token t's value backed by u (assets first, then protocols).
    issuer : ndarray of int32, shape (n_assets,)
        Protocol that issued the token, -1 where none is named.
    assumed : tuple of (str, str, float)
        Backing that was looked up or assumed: token, backed by, share.
    notes : tuple of str
        The same, and kinds and families, in words.
    """

    kind: Ints
    family: Ints
    names: tuple[str, ...]
    numeraire: Ints
    shares: sparse.csr_array
    issuer: Ints
    assumed: tuple[tuple[str, str, float], ...]
    notes: tuple[str, ...]

    def is_kind(self, *kinds: str) -> Bools:
        """Which assets are of one of the kinds."""
        return np.isin(self.kind, [_KIND[kind] for kind in kinds])

    @cached_property
    def sold_as(self) -> Ints:
        """In whose market each token is sold.

        A token that one other stands behind in full is redeemed into it: a receipt or a wrapped base always, a staked
        token (a wrapper of a staked token) only while that other is not the family's numeraire, which it does not turn
        into at will. Followed to its end.
        """
        shares = sparse.csc_array(self.asset_shares)
        n = len(self.kind)
        into = np.arange(n)
        freely, staked = self.is_kind("receipt", "base"), self.is_kind("staked")
        for token in range(n):
            start, end = shares.indptr[token], shares.indptr[token + 1]
            if end - start == 1 and shares.data[start] >= 1.0 - 1e-12 and (freely[token] or staked[token]):
                behind = int(shares.indices[start])
                if freely[token] or behind != self.numeraire[self.family[token]]:
                    into[token] = behind
        for _ in range(n):  # paths have an end: a loop of full backing is refused at the border
            if (into[into] == into).all():
                break
            into = into[into]
        return read_only(into)

    @property
    def asset_shares(self) -> sparse.csr_array:
        """The square part of S: tokens backed by tokens."""
        n = self.shares.shape[1]
        return self.shares[:n, :]


def families_of(snap: Snapshot) -> Families:
    """Resolve kinds, families and backing of a snapshot's assets.

    The tables ``assets`` and ``backing`` are asked first, then the bundled token table, then METHODS 6: a family
    member that nothing is said of is backed 1 by its family's base. Every use of the last two is in ``notes``.
    """
    names: list[str] = snap.labels("asset").to_pylist()
    given_kind, given_family = _by_asset(snap, "kind"), _by_asset(snap, "family")
    kind = [
        given or (TOKENS[name].kind if name in TOKENS else "base")
        for name, given in zip(names, given_kind, strict=True)
    ]
    family = [
        (given or (TOKENS[name].family if name in TOKENS else name)) if kind[at] != "basket" else name
        for at, (name, given) in enumerate(zip(names, given_family, strict=True))
    ]
    notes = _notes_on_kinds(names, given_kind, given_family, kind, family)
    family_names, family_code = np.unique(np.array(family, dtype=object), return_inverse=True)
    given = _given_backing(snap, names)
    numeraire = _numeraires(names, kind, family_code, family_names, given)
    assumed = _assumed_backing(names, kind, family_code, numeraire, given)
    notes += [
        f"backing: {token} is backed {share:g} by {base} "
        f"({'bundled token table' if token in TOKENS else 'family base'})"
        for token, base, share in assumed
    ]
    shares, issuer = _matrix(snap, names, assumed)
    check_loops(shares[: len(names), :], names)
    return Families(
        kind=read_only(np.array([_KIND[one] for one in kind], dtype=np.int8)),
        family=read_only(family_code.astype(np.int32)),
        names=tuple(str(name) for name in family_names),
        numeraire=read_only(numeraire),
        shares=shares,
        issuer=read_only(issuer),
        assumed=tuple(assumed),
        notes=tuple(notes),
    )


def _by_asset(snap: Snapshot, column: str) -> list[str]:
    """Text column of ``assets`` in the order of asset codes (the table is sorted by them)."""
    return snap.table("assets").text(column)


def _notes_on_kinds(
    names: list[str], given_kind: list[str], given_family: list[str], kind: list[str], family: list[str]
) -> list[str]:
    looked_up = [
        f"{name} ({kind[at]}, family {family[at]})"
        for at, name in enumerate(names)
        if name in TOKENS and not (given_kind[at] and given_family[at])
    ]
    plain = [name for at, name in enumerate(names) if name not in TOKENS and not given_kind[at]]
    notes = []
    if looked_up:
        notes.append(f"assets.kind and assets.family: from the bundled token table for {', '.join(looked_up)}")
    if plain:
        shown = ", ".join(plain[:10]) + (f" and {len(plain) - 10} more" if len(plain) > 10 else "")
        notes.append(f"assets.kind: taken as base for {shown}")
    return notes


def _given_backing(snap: Snapshot, names: list[str]) -> dict[str, set[str]]:
    backing = snap.table("backing")
    given: dict[str, set[str]] = {}
    for token, base in zip(backing.text("token"), backing.text("backed_by"), strict=True):
        given.setdefault(token, set()).add(base)
    return given


def _numeraires(
    names: list[str], kind: list[str], family: Ints, family_names: object, given: dict[str, set[str]]
) -> Ints:
    """Choose each family's numeraire: its namesake, what stands for it, its bases, members that no member backs."""
    labels = [str(name) for name in family_names]  # type: ignore[attr-defined]
    members: list[list[int]] = [[] for _ in labels]
    for at, code in enumerate(family):
        members[int(code)].append(at)

    def preference(at: int) -> tuple[bool, bool, bool, bool, str]:
        name, own = names[at], labels[int(family[at])]
        known = TOKENS.get(name)
        backers = given.get(name, {known.backed_by} if known and known.backed_by else set())
        inside = any(names[other] in backers for other in members[int(family[at])])
        return (name != own, not (known and known.stands_for == own), kind[at] not in ("base", "stable"), inside, name)

    return np.array([min(group, key=preference) for group in members], dtype=np.int32)


def _assumed_backing(
    names: list[str], kind: list[str], family: Ints, numeraire: Ints, given: dict[str, set[str]]
) -> list[tuple[str, str, float]]:
    """Backing of the tokens that the table ``backing`` is silent about."""
    here = set(names)
    stand_in = {TOKENS[name].stands_for: name for name in sorted(here) if name in TOKENS and TOKENS[name].stands_for}
    assumed = []
    for at, name in enumerate(names):
        base = names[int(numeraire[int(family[at])])]
        if name in given or name == base or kind[at] == "basket":
            continue
        if name not in TOKENS:
            assumed.append((name, base, 1.0))
            continue
        behind = TOKENS[name].backed_by
        while behind and behind not in here and stand_in.get(behind, name) == name:
            behind = TOKENS[behind].backed_by if behind in TOKENS else ""
        behind = behind if behind in here else stand_in.get(behind, "")
        if behind and behind != name:
            assumed.append((name, behind, 1.0))
    return assumed


def _matrix(snap: Snapshot, names: list[str], assumed: list[tuple[str, str, float]]) -> tuple[sparse.csr_array, Ints]:
    backing = snap.table("backing")
    place = {name: at for at, name in enumerate(names)}
    rows = np.concatenate([backing.code("backed_by"), [place[base] for _, base, _ in assumed]]).astype(np.int64)
    columns = np.concatenate([backing.code("token"), [place[token] for token, _, _ in assumed]]).astype(np.int64)
    shares = np.concatenate([backing.number("share"), [share for _, _, share in assumed]])
    shape = (len(names) + len(snap.labels("protocol")), len(names))
    issuer = np.full(len(names), -1, dtype=np.int32)
    named = backing.code("issuer") >= 0
    issuer[backing.code("token")[named]] = backing.code("issuer")[named]
    return sparse.csr_array((shares, (rows, columns)), shape=shape), issuer
