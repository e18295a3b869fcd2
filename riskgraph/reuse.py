"""Collateral reuse: how many dollars of collateral stand on one, and where that would hurt (METHODS 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from riskgraph.contagion.ranking import Ranking
from riskgraph.errors import InputError
from riskgraph.provenance import Provenance
from riskgraph.reuse_measures import measure
from riskgraph.reuse_notes import notes_of
from riskgraph.reuse_results import CollateralReuse
from riskgraph.snapshot.snapshot import check_snapshot

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["CollateralReuse", "collateral_reuse"]


def collateral_reuse(snap: Snapshot, *, ranking: Ranking | None = None) -> CollateralReuse:
    r"""Measure how often the same collateral is used: rehypothecated through receipts, looped through debt.

    .. math:: G = \sum_i c_i, \quad H = \sum_i \sum_t r_{it} \min(1, X_t/R_t), \quad
              B = \sum_i \min(c_i - h_i, d_i), \quad U = G - H - B, \quad \text{multiplier} = G / U

    per family, with c all collateral and deposit rows traced to it by S* = (I − S)⁻¹, r the receipts, LP and
    debt-backed tokens among them, R all rows (wallets too) of such a token, X the rows of its underlying at its issuer
    in this snapshot, d the family debt. Claims and deposits are compared for each underlying by itself; tokens that
    are claims on the same deposits share them. Accounts with equity E ≤ 0 enter none of it.

    Parameters
    ----------
    snap : Snapshot
        The book. Baskets (unknown tokens) and published remainders are left out, and said.
    ranking : Ranking, optional
        Contagion centrality for the hotspots; by default that of the snapshot's exposure graph, computed when
        ``hotspots`` is first asked for.

    Returns
    -------
    CollateralReuse

    Raises
    ------
    InputError
        The ranking is not of this snapshot, or the snapshot has option positions (they have no equity yet).

    References
    ----------
    .. [1] Singh (2011), Velocity of pledged collateral, IMF Working Paper 11/256.
    .. [2] Infante, Press, Saravay (2020), Understanding collateral re-use, AEA Papers and Proceedings 110.
    .. [3] Darlin, Palaiokrassas, Tassiulas (2022), Debt-financed collateral, arXiv:2204.11107.

    Examples
    --------
    A posts 150 wstETH against a debt of 50 ETH; B has 30 ETH on one protocol and posts the receipt of 30 on another.
    All at 1 USD: G = 150 + 30 + 30, H = 30 (the receipt), B = 50, so 210 stand on 130:

    >>> import pandas as pd, riskgraph as rg
    >>> snap = rg.Snapshot(
    ...     positions=pd.DataFrame({
    ...         "account": ["A", "A", "B", "B"], "protocol": ["lend", "lend", "lend", "other"],
    ...         "asset": ["wstETH", "ETH", "ETH", "aETH"], "side": ["collateral", "debt", "deposit", "collateral"],
    ...         "amount": [150.0, 50.0, 30.0, 30.0]}),
    ...     assets=pd.DataFrame({
    ...         "asset": ["ETH", "wstETH", "aETH"], "price": 1.0, "kind": ["base", "staked", "receipt"],
    ...         "family": "ETH"}),
    ...     backing=pd.DataFrame({
    ...         "token": ["wstETH", "aETH"], "backed_by": "ETH", "share": 1.0, "issuer": ["", "lend"]}))
    >>> collateral_reuse(snap).multipliers.round(4).loc["ETH", "gross":"multiplier"].to_dict()
    {'gross': 210.0, 'rehypothecated': 30.0, 'looped': 50.0, 'unique': 130.0, 'multiplier': 1.6154}
    """
    check_snapshot(snap)
    if ranking is not None and not isinstance(ranking, Ranking):
        raise InputError(f"ranking: expected what contagion_centrality gives, got {type(ranking).__name__}")
    if ranking is not None and ranking.groups:
        raise InputError("ranking: expected one whose sources are single nodes, got groups of nodes")
    if ranking is not None and ranking.provenance.digest != snap.digest:
        raise InputError(
            f"ranking: expected one of this snapshot (digest {snap.digest}), got one of {ranking.provenance.digest}"
        )
    measures = measure(snap)
    arguments = {"ranking": None if ranking is None else str(ranking.provenance)}
    provenance = Provenance("collateral_reuse", snap.digest, arguments)
    return CollateralReuse(snap, measures, notes_of(snap, measures), provenance, ranking)
