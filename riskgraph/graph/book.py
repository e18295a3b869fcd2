"""Snapshot -> ExposureGraph: the one place where a position becomes an edge (METHODS 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from riskgraph.arrays import Bools, Floats, Ints, Labels, summed
from riskgraph.errors import InputError
from riskgraph.graph.exposure import ACCOUNT, ASSET, PROTOCOL, ExposureGraph
from riskgraph.graph.holdings import NETTING, Holdings, holdings_of, netted, treasuries
from riskgraph.graph.sales import Sales, sales_of
from riskgraph.margin.account_health import margin_accounts
from riskgraph.provenance import Provenance
from riskgraph.snapshot.options import option_notes
from riskgraph.snapshot.snapshot import check_snapshot

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["exposure_graph"]


def exposure_graph(
    snap: Snapshot, *, netting: str = "family", haircut: float | None = None, default_capital: float = 0.01
) -> ExposureGraph:
    r"""Make the exposure graph of a snapshot: assets, protocols and accounts as nodes, who loses when whom is impaired.

    Rows lose, columns cause. An account loses with its net holdings and its claims on protocols; a protocol with the
    debt that a wiped-out account's collateral does not cover after slippage, and with its claims; an asset falls with
    forced sales (÷ depth), with what backs it and with the protocols that it is a claim on.

    Parameters
    ----------
    snap : Snapshot
        The book.
    netting : {"family", "asset", "none"}
        What an account owes is netted against what it holds within a family (a staked token then carries only its fall
        against the family's base), within the same asset, or not at all.
    haircut : float, optional
        Share of collateral value lost in a liquidation, 0 to 1; by default half the largest price impact of the sale.
    default_capital : float
        First-loss capital of a protocol whose reserve is not known, as a share of its debt outstanding.

    Returns
    -------
    ExposureGraph
        Nodes ``asset:…``, ``protocol:…``, ``account:…``, each sorted by label; assumed capital is marked and ``notes``
        say what else was assumed. Baskets are no nodes.

    Raises
    ------
    InputError
        An argument out of range.

    Notes
    -----
    .. math:: \Lambda_{ia} = \text{net}_{ia} / E_i, \quad \Lambda_{ip} = \text{claims}_{ip} / E_i, \quad
              \Lambda_{qk} = (D_k - (1 - c_k) \min(V_k, D_k))^+ / K_q, \quad
              \Lambda_{bk} = \text{sale}_{kb} / \text{depth}_b, \quad \Lambda_{ba} = S_{ab}

    with account equity E, protocol capital K = reserve + supply, collateral V, debt D and slippage c. An option counts
    with its Black-76 value in E and with delta · amount · price in net holdings, which ``notes`` say.

    Examples
    --------
    10 ETH at 1,500 against 9,000 USDC: equity 6,000, so a total loss of ETH is worth 2.5 times the equity.

    >>> import pandas as pd, riskgraph as rg
    >>> snap = rg.Snapshot(
    ...     positions=pd.DataFrame({
    ...         "account": ["ann", "ann"], "protocol": ["lend", "lend"], "asset": ["ETH", "USDC"],
    ...         "side": ["collateral", "debt"], "amount": [10.0, 9000.0]}),
    ...     assets=pd.DataFrame({"asset": ["ETH", "USDC"], "price": [1500.0, 1.0]}))
    >>> graph = exposure_graph(snap)
    >>> graph
    <ExposureGraph: 1 account, 1 protocol, 2 assets; 2 edges; total exposure $30,000; 2 components>
    >>> account, ether = graph.index(["account:ann", "asset:ETH"])
    >>> float(graph.leverage[account, ether])
    2.5
    """
    check_snapshot(snap)
    _check_arguments(netting, haircut, default_capital)
    held = holdings_of(snap)
    sales = sales_of(snap, netting, haircut)
    capital = _protocol_capital(snap, held, default_capital)
    keep = np.flatnonzero(~snap.families.is_kind("basket"))
    own_money = treasuries(snap)
    people = np.asarray(own_money.sum(axis=0)).ravel() == 0.0  # accounts that are nodes: all but treasuries
    exposures, leverage = _matrices(snap, held, sales, capital, (keep, own_money, people), netting)
    labels = [_node_labels(snap, kind) for kind in ("asset", "protocol", "account")]
    labels[0], labels[2] = labels[0][keep], labels[2][people]
    equity = held.equity[people]
    sizes = [len(part) for part in labels]
    asset_long = np.asarray(held.long.sum(axis=0)).ravel()[keep]
    asset_owed = np.asarray(held.short.sum(axis=0)).ravel()[keep]
    own = np.maximum(capital.usd - capital.claims, 0.0)
    loss_weight = np.concatenate([np.zeros(sizes[0]), np.nan_to_num(own), np.maximum(equity, 0.0)])
    total = loss_weight.sum()
    return ExposureGraph(
        labels=np.concatenate(labels),
        kind=np.repeat(np.array([ASSET, PROTOCOL, ACCOUNT], dtype=np.int8), sizes),
        capital_usd=np.concatenate([np.full(sizes[0], np.nan), capital.usd, equity]),
        weight=loss_weight / total if total > 0.0 else np.full(len(loss_weight), 1.0 / len(loss_weight)),
        loss_weight_usd=loss_weight,
        assumed=np.concatenate([np.zeros(sizes[0], bool), capital.assumed, np.zeros(sizes[2], bool)]),
        onset=np.concatenate([np.zeros(sizes[0] + sizes[1]), _onset(snap, held)[people]]),
        debt_usd=np.concatenate([asset_owed, capital.debt, held.debt_usd[people]]),
        size_usd=np.concatenate([asset_long, capital.placed, (held.assets_usd + _notional(snap))[people]]),
        exposures=exposures,
        leverage=leverage,
        default_model="liquidation",
        notes=_notes(snap, capital, sales, equity, own_money),
        digest=snap.digest,
        provenance=Provenance(
            "exposure_graph",
            snap.digest,
            {"netting": netting, "haircut": haircut, "default_capital": default_capital},
        ),
    )


def _node_labels(snap: Snapshot, kind: str) -> Labels:
    import pyarrow as pa
    import pyarrow.compute as pc

    first, between = (pa.scalar(text, pa.large_string()) for text in (kind, ":"))
    joined = pc.binary_join_element_wise(first, snap.labels(kind), between)
    labels: Labels = joined.to_numpy(zero_copy_only=False).astype(object)
    return labels


def _check_arguments(netting: str, haircut: float | None, default_capital: float) -> None:
    if netting not in NETTING:
        raise InputError(f"netting: expected one of {', '.join(NETTING)}, got {netting!r}")
    if haircut is not None and not 0.0 <= haircut <= 1.0:
        raise InputError(f"haircut: expected a share in [0, 1], got {haircut}")
    if not (np.isfinite(default_capital) and default_capital >= 0.0):
        raise InputError(f"default_capital: expected a share of at least 0, got {default_capital}")


@dataclass(frozen=True, eq=False)
class _Capital:
    """Protocols: capital K (NaN where nothing is lent and nothing set aside), claims on them, debt, value placed."""

    usd: Floats
    claims: Floats
    debt: Floats
    placed: Floats
    assumed: Bools
    reserve_assumed: Bools
    supply_assumed: Bools
    supply_short: Bools


def _protocol_capital(snap: Snapshot, held: Holdings, default_capital: float) -> _Capital:
    """K = reserve + supply; an unknown reserve is a share of debt, an unknown supply the larger of debt and claims."""
    book, table = snap.book, snap.table("protocols")
    n = len(snap.labels("protocol"))
    given = {name: np.full(n, np.nan) for name in ("reserve_usd", "supply_usd")}
    for name, values in given.items():
        values[table.code("protocol")] = table.number(name)
    owed = book.rows("debt")
    debt = summed(book.protocol[owed], book.usd[owed], n)
    debt += summed(book.margin_protocol, book.debt_remainder, n)
    between = snap.table("claims")
    claims = np.asarray(held.claims.sum(axis=0)).ravel() + summed(between.code("debtor"), between.number("usd"), n)
    here = book.rows("collateral", "deposit")
    placed = summed(book.protocol[here], book.usd[here], n)
    no_reserve, no_supply = np.isnan(given["reserve_usd"]), np.isnan(given["supply_usd"])
    reserve = np.where(no_reserve, default_capital * debt, given["reserve_usd"])
    # A published supply below the claims that are in the snapshot would hand on more than is lost: the claims count.
    short = ~no_supply & (given["supply_usd"] < claims * (1.0 - 1e-12))
    supply = np.where(no_supply, np.maximum(debt, claims), np.fmax(given["supply_usd"], claims))
    capital = reserve + supply
    usd = np.where(capital > 0.0, capital, np.nan)
    return _Capital(usd, claims, debt, np.maximum(placed, debt), no_reserve | no_supply, no_reserve, no_supply, short)


def _matrices(
    snap: Snapshot,
    held: Holdings,
    sales: Sales,
    capital: _Capital,
    nodes: tuple[Ints, sparse.csr_array, Bools],
    netting: str,
) -> tuple[sparse.csr_array, sparse.csr_array]:
    """USD exposures A and leverage Λ, block by block: assets, protocols, accounts."""
    keep, own_money, people = nodes
    holdings = netted(held, snap.families, netting)[:, keep]
    n_protocols = len(capital.usd)
    between = snap.table("claims")
    claims = sparse.csr_array(
        (between.number("usd"), (between.code("creditor"), between.code("debtor"))), shape=(n_protocols, n_protocols)
    )
    claims = sparse.csr_array(claims + own_money @ held.claims)
    claims.setdiag(0.0)  # what a protocol's treasury keeps with the protocol itself is no claim on anybody
    backing, receipts = _asset_rows(snap, keep, netting)
    value = sparse.diags_array(np.asarray(held.long.sum(axis=0)).ravel()[keep])
    treasury, lost = own_money @ holdings, sales.lender_loss[:, people]
    exposures = sparse.block_array(
        [
            [value @ backing, value @ receipts, sales.usd[keep, :][:, people]],
            [treasury, claims, lost],
            [holdings[people], held.claims[people], None],
        ],
        format="csr",
    )
    by_capital = sparse.diags_array(np.divide(1.0, capital.usd, out=np.zeros(n_protocols), where=capital.usd > 0.0))
    equity = held.equity[people]
    # An equity so small that 1/E overflows has no leverage that a float can hold: its row stays empty.
    by_equity = sparse.diags_array(np.divide(1.0, equity, out=np.zeros(len(equity)), where=equity > 1e-300))
    leverage = sparse.block_array(
        [
            [backing, receipts, sales.share[keep, :][:, people]],
            [by_capital @ treasury, by_capital @ claims, by_capital @ lost],
            [by_equity @ holdings[people], by_equity @ held.claims[people], None],
        ],
        format="csr",
    )
    return _clean(exposures), _clean(leverage)


def _asset_rows(snap: Snapshot, keep: Ints, netting: str) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Backing of assets by assets, and shares of assets that are claims on protocols (issuers included)."""
    families = snap.families
    n = len(families.kind)
    shares = sparse.coo_array(families.shares.T)  # rows are tokens now
    token, behind, share = shares.row, shares.col, shares.data
    inner = behind < n
    if netting == "family":
        same = np.zeros(len(token), dtype=bool)
        same[inner] = behind[inner] == families.numeraire[families.family[token[inner]]]
    else:
        same = np.zeros(len(token), dtype=bool)
    use = inner & ~same
    backing = sparse.csr_array((share[use], (token[use], behind[use])), shape=(n, n))
    issued = inner & (families.issuer[token] >= 0) & families.is_kind("receipt", "debt_backed")[token]
    rows = np.concatenate([token[~inner], token[issued]])
    columns = np.concatenate([behind[~inner] - n, families.issuer[token[issued]]])
    values = np.concatenate([share[~inner], share[issued]])
    receipts = sparse.csr_array((values, (rows, columns)), shape=(n, len(snap.labels("protocol"))))
    return sparse.csr_array(backing[keep, :][:, keep]), sparse.csr_array(receipts[keep, :])


def _onset(snap: Snapshot, held: Holdings) -> Floats:
    """h* of every account: the distress at which its merged collateral reaches the liquidation point (METHODS 3.9)."""
    margins, book = margin_accounts(snap), snap.book
    n = len(held.equity)
    weighted, burden, collateral = (
        summed(book.margin_account, values, n) for values in (margins.weighted, margins.burden, margins.collateral)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        fall = np.clip(1.0 - burden / weighted, 0.0, 1.0)  # 1 - 1/HF; no debt: 1
        onset = np.clip(fall * collateral / held.equity, 0.0, 1.0 - 1e-6)
    known = np.isfinite(weighted) & (weighted > 0.0) & (held.equity > 0.0)
    return np.where(known, onset, 0.0)


def _notional(snap: Snapshot) -> Floats:
    return snap.book.by_account(snap.book.usd, snap.book.rows("long", "short"), len(snap.labels("account")))


def _notes(
    snap: Snapshot, capital: _Capital, sales: Sales, equity: Floats, own_money: sparse.csr_array
) -> tuple[str, ...]:
    names = snap.labels("protocol").to_pylist()
    lines = []
    for what, mask, words in (
        ("reserve_usd", capital.reserve_assumed, "a share of debt outstanding (default_capital)"),
        ("supply_usd", capital.supply_assumed, "the larger of debt outstanding and claims held in the snapshot"),
        ("supply_usd", capital.supply_short, "the claims held in the snapshot, which are more than it says"),
    ):
        assumed = [name for name, is_so in zip(names, mask, strict=True) if is_so]
        if assumed:
            more = f" and {len(assumed) - 8} more" if len(assumed) > 8 else ""
            lines.append(f"protocols.{what}: taken as {words} for {', '.join(assumed[:8])}{more}")
    if sales.no_bonus:
        lines.append(f"markets.liquidation_bonus: taken as 0 for {sales.no_bonus:,} collateral rows without one")
    blind = np.isnan(margin_accounts(snap).weighted)
    if blind.any():
        lines.append(f"onset: 0 for {int(blind.sum()):,} margin accounts whose collateral has no liquidation threshold")
    if sales.unpriced.sum() > 0.0:
        lines.append(
            f"sales: ${sales.unpriced.sum():,.0f} could be sold in assets without a depth, without price impact"
        )
    lines += option_notes(snap)
    if own_money.nnz:
        owners = ", ".join(names[at] for at in np.flatnonzero(np.diff(own_money.indptr))[:8])
        lines.append(f"positions.account: the accounts labelled {owners} are taken as those protocols' own holdings")
    if (equity <= 0.0).any():
        lines.append(
            f"equity: {int((equity <= 0.0).sum()):,} accounts owe at least what they hold; they start defaulted"
        )
    return (*lines, *(line for line in snap.assumptions if line.startswith(("assets:", "liquidity:"))))


def _clean(matrix: Any) -> sparse.csr_array:
    cleaned: sparse.csr_array = sparse.csr_array(matrix)
    cleaned.sum_duplicates()
    cleaned.eliminate_zeros()
    return cleaned
