"""Kernels of collateral reuse: what finally stands behind a token, and claims matched to deposits (METHODS 6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.sparse import linalg as sparse_linalg

from riskgraph.arrays import Floats, Ints, read_only

if TYPE_CHECKING:
    from riskgraph.snapshot.families import Families

__all__ = ["SECOND_USE", "Matching", "Tracing", "match", "sums", "trace"]

# Kinds whose rows may be a second use of a deposit; a staked token is one wrapping, not a second use.
SECOND_USE = ("receipt", "lp", "debt_backed")
_ROUNDING = 1e-12
_FULL = 2e9  # products in one step, about, from which solving is quicker


def sums(codes: Ints, usd: Floats, size: int) -> Floats:
    """Sum values by code."""
    return np.asarray(np.bincount(codes, weights=usd, minlength=size), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Tracing:
    """What finally stands behind every token.

    Attributes
    ----------
    ends : ndarray of int, shape (n_ends,)
        Assets without backing (the bases; baskets left out), then ``n_assets + p`` for protocols p behind tokens.
    group : ndarray of int, shape (n_ends,)
        Family of each end; a protocol is a family of its own.
    shares : csr_array, shape (n_assets, n_ends)
        Share of a dollar of the token that rests on the end in the last instance; what is missing to 1 is unbacked.
    passing : csr_array, shape (n_assets, n_assets)
        Share of a dollar of the row's token that rests on the column's asset on its way (1 on the diagonal).
    links : csr_array, shape (n_assets, n_assets)
        The square part of S, shares of 0 left out.
    returning : ndarray, shape (n_assets,)
        Share of a dollar of the token that rests on the token itself, 1 − 1 ÷ S*_tt: 0 but in loops.
    """

    ends: Ints
    group: Ints
    shares: sparse.csr_array
    passing: sparse.csr_array
    links: sparse.csr_array
    returning: Floats

    @property
    def to_groups(self) -> sparse.csr_array:
        """Ends × families, 1 where the end is of the family."""
        size = (len(self.ends), int(self.group.max(initial=-1)) + 1)
        return sparse.csr_array((np.ones(len(self.ends)), (np.arange(len(self.ends)), self.group)), shape=size)


def trace(families: Families) -> Tracing:
    r"""Trace every token to what finally stands behind it.

    .. math:: S^* = (I - S)^{-1}, \qquad W_{tb} = S^*_{bt}, \quad W_{tp} = \sum_x S_{px} S^*_{xt}, \qquad
              L_{tx} = S^*_{xt} / S^*_{xx}

    for base assets b, protocols p that tokens are claims on, and assets x on the way (in a loop of backing S* counts
    every turn, L only whether x is passed at all).

    Examples
    --------
    In the toy book aWstETH → wstETH → stETH → ETH, a dollar of the first rests on ETH in full, by way of the others:

    >>> import riskgraph as rg
    >>> snap = rg.datasets.load("toy")
    >>> snap.labels("asset").to_pylist()
    ['ETH', 'USDC', 'aWstETH', 'stETH', 'wstETH']
    >>> tracing = trace(snap.families)
    >>> tracing.ends.tolist(), tracing.shares[[2], :].toarray().tolist(), tracing.passing[[2], :].toarray().tolist()
    ([0, 1], [[1.0, 0.0]], [[1.0, 0.0, 1.0, 1.0, 1.0]])
    """
    n = len(families.kind)
    shares = sparse.csr_array(families.shares, copy=True)
    shares.eliminate_zeros()
    links = sparse.csr_array(shares[:n, :])
    reach = _closure(links)
    unbacked = np.diff(sparse.csc_array(shares).indptr) == 0
    bases = np.flatnonzero(unbacked & ~families.is_kind("basket"))
    behind = np.flatnonzero(np.diff(shares.indptr)[n:])
    claims = sparse.csr_array(shares[n:, :][behind, :] @ reach)
    ends = sparse.csr_array(sparse.vstack([reach[bases, :], claims]).T)
    turns = reach.diagonal()
    by_diagonal = sparse.diags_array(1.0 / turns)
    return Tracing(
        ends=read_only(np.concatenate([bases, n + behind])),
        group=read_only(np.concatenate([families.family[bases], len(families.names) + behind]).astype(np.int64)),
        shares=ends,
        passing=sparse.csr_array((by_diagonal @ reach).T),
        links=links,
        returning=1.0 - 1.0 / turns,
    )


def _closure(square: sparse.csr_array) -> sparse.csr_array:
    r"""S* = (I − S)⁻¹, found on the tokens that back or are backed; the others stand alone.

    .. math:: S^* = (I + S)(I + S^2)(I + S^4) \cdots

    up to where another factor changes no entry: as nothing is subtracted, each entry is exact to rounding, and where
    nothing passes there is none. Where powers fill up, an equation is solved for every token instead.
    """
    n = square.shape[0]
    row, column = square.nonzero()
    linked = np.union1d(row, column)  # none, or two and more: nothing backs itself
    alone = np.setdiff1d(np.arange(n), linked)
    here = sparse.csr_array((np.ones(len(alone)), (alone, alone)), shape=(n, n))
    if not len(linked):
        return here
    power = sparse.csr_array(square[linked, :][:, linked])
    unit = sparse.csr_array(sparse.eye_array(len(linked)))
    reach, before = sparse.csr_array(unit + power), unit
    while abs(reach - before).nnz:
        power = sparse.csr_array(power @ power)
        power.eliminate_zeros()
        if power.nnz * power.nnz > _FULL * len(linked):
            reach = sparse.csr_array(
                sparse_linalg.spsolve(sparse.csc_array(unit - square[linked, :][:, linked]), sparse.csc_array(unit))
            )
            break
        before, reach = reach, sparse.csr_array(reach + power @ reach)
    solved = sparse.coo_array(reach)
    placed = sparse.csr_array((solved.data, (linked[solved.row], linked[solved.col])), shape=(n, n))
    return sparse.csr_array(here + placed)


@dataclass(frozen=True, eq=False)
class Matching:
    """Tokens of second use against the deposits that they are claims on; a row a token and what stands behind it.

    ``token``, ``behind`` (asset, or n_assets + protocol; -1: nothing), ``issuer`` (-1: none named), ``claims_usd`` (of
    all tokens on the same deposits), ``deposits_usd``, ``matched`` (share of the claims whose deposit is here),
    ``unmatched_usd`` (collateral and deposit rows of the token beyond that). ``second`` (n_assets, n_ends): share of a
    dollar of the token that is a second use, by end.
    """

    token: Ints
    behind: Ints
    issuer: Ints
    claims_usd: Floats
    deposits_usd: Floats
    matched: Floats
    unmatched_usd: Floats
    second: sparse.csr_array


def match(families: Families, tracing: Tracing, held_usd: Floats, placed: sparse.csr_array) -> Matching:
    r"""Match claims with the deposits of this snapshot.

    .. math:: m_{tu} = \min(1, X_u / R_u), \qquad R_u = \sum_t S_{ut} R_t, \qquad
              \text{second}_{te} = \sum_u S_{ut} m_{tu} W_{ue}

    X is what stands in u at t's issuer (anywhere without one); a protocol p behind t counts all that stands there,
    tokens that p itself is behind left out. Tokens that are claims on the same deposits share them.

    Parameters
    ----------
    held_usd : ndarray, shape (n_assets,)
        R_t, all rows of each token, USD.
    placed : csr_array, shape (n_assets, n_protocols)
        Collateral and deposit rows, USD.
    """
    n, width = placed.shape[0], placed.shape[1] + 1
    shares = sparse.coo_array(families.shares)
    use = families.is_kind(*SECOND_USE)[shares.col] & (shares.data > 0.0)
    order = np.lexsort((shares.row[use], shares.col[use]))
    token, behind, share = (part[use][order] for part in (shares.col, shares.row, shares.data))
    issuer = np.where(behind < n, families.issuer[token], -1)
    pools, pool = np.unique(behind.astype(np.int64) * width + issuer + 1, return_inverse=True)
    claims = sums(pool, share * held_usd[token], len(pools))
    deposits = _deposits(families, placed, pools // width, pools % width - 1)
    part = np.divide(np.minimum(deposits, claims), claims, out=np.zeros(len(pools)), where=claims > 0.0)
    part[part > 1.0 - _ROUNDING] = 1.0  # a deposit and its receipt may differ by the rounding of amount · price
    rows = np.asarray(placed.sum(axis=1)).ravel()
    bare = np.setdiff1d(np.flatnonzero(families.is_kind(*SECOND_USE) & (rows > 0.0)), token)  # claims on nothing known
    none = np.zeros(len(bare))
    matched = sparse.csr_array((share * part[pool], (token, behind)), shape=(n, families.shares.shape[0]))
    return Matching(
        token=np.concatenate([token, bare]),
        behind=np.concatenate([behind, np.full(len(bare), -1)]),
        issuer=np.concatenate([issuer, families.issuer[bare]]),
        claims_usd=np.concatenate([claims[pool], held_usd[bare]]),
        deposits_usd=np.concatenate([deposits[pool], none]),
        matched=np.concatenate([part[pool], none]),
        unmatched_usd=np.concatenate([rows[token] * share * (1.0 - part[pool]), rows[bare]]),
        second=sparse.csr_array(matched @ _all_to_ends(tracing, families.shares.shape[0])),
    )


def _deposits(families: Families, placed: sparse.csr_array, behind: Ints, issuer: Ints) -> Floats:
    """X of every pool: rows of the asset at the issuer or anywhere, or all other tokens' rows at a protocol."""
    n = placed.shape[0]
    anywhere = np.asarray(placed.sum(axis=1)).ravel()
    own = sparse.csr_array((families.shares[n:, :] > 0.0).T)
    foreign = np.asarray((placed - placed.multiply(own)).sum(axis=0)).ravel()
    usd = np.zeros(len(behind))
    named, open_, protocol = (behind < n) & (issuer >= 0), (behind < n) & (issuer < 0), behind >= n
    usd[open_] = anywhere[behind[open_]]
    usd[protocol] = foreign[behind[protocol] - n]
    if named.any():
        usd[named] = np.asarray(sparse.coo_array(placed[behind[named], issuer[named]]).todense()).ravel()
    return usd


def _all_to_ends(tracing: Tracing, size: int) -> sparse.csr_array:
    """Share of a dollar of every asset and protocol that rests on each end: W, and 1 for the protocols themselves."""
    n, n_ends = tracing.shares.shape
    protocols = np.flatnonzero(tracing.ends >= n)
    itself = sparse.csr_array(
        (np.ones(len(protocols)), (tracing.ends[protocols] - n, protocols)), shape=(size - n, n_ends)
    )
    return sparse.csr_array(sparse.vstack([tracing.shares, itself]))
