"""Who holds how much of what: institutions × assets with equity and price impact, given or read off a snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from riskgraph.arrays import Bools, Floats, Ints, Labels, read_only, summed
from riskgraph.errors import Faults, InputError
from riskgraph.graph.holdings import holdings_of, netted
from riskgraph.graph.matrices import listed
from riskgraph.margin.impact import depths
from riskgraph.snapshot.options import option_notes, option_usd, stands_for
from riskgraph.snapshot.requirements import unrealised_pnl
from riskgraph.snapshot.shocks import price_moves
from riskgraph.wording import counted

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = [
    "OTHER",
    "Portfolios",
    "by_name",
    "chosen",
    "given_portfolios",
    "snapshot_falls",
    "snapshot_portfolios",
    "with_given",
]

OTHER = "(other)"  # what an institution of a snapshot owns beyond the assets that are named
BY = ("account", "protocol")
NETTING = ("asset", "none")
FOLLOW = ("backing", "family", "none")
# Equity may pass the sum of holdings by rounding only: what is more would be a debt below 0.
ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class Portfolios:
    """Holdings of institutions, and the markets in which they are sold.

    ``holdings`` (institutions × assets, USD), ``equity`` (n,), ``price_impact`` (m,; ℓ, relative fall for one USD sold
    in the asset's market), ``market`` (m,; the asset in whose market each asset is sold, mostly itself).
    """

    labels: Labels
    assets: Labels
    holdings: sparse.csr_array
    equity: Floats
    price_impact: Floats
    market: Ints
    notes: tuple[str, ...] = ()
    digest: str | None = None

    def __post_init__(self) -> None:
        self.holdings.sum_duplicates()
        for part in (self.labels, self.assets, self.equity, self.price_impact, self.market):
            read_only(part)
        for part in (self.holdings.data, self.holdings.indices, self.holdings.indptr):
            read_only(part)

    @property
    def total(self) -> Floats:
        """Sum of each institution's holdings, USD, shape (n,)."""
        return np.asarray(self.holdings.sum(axis=1), dtype=np.float64).ravel()


def by_name(values: Any, names: Labels, what: str, *, absent: float | None = None) -> Floats:
    """Turn one number, a mapping or Series by label, or an array in order into one value for every name.

    A label that is not there is ``absent``, or an InputError where that is None.
    """
    if values is None or isinstance(values, str | bool):
        raise InputError(f"{what}: expected a number, numbers by label, or an array, got {values!r}")
    try:
        if not hasattr(values, "items"):
            array = np.array(values, dtype=np.float64)
            if array.shape not in ((), (len(names),)):
                raise InputError(f"{what}: expected one value or {len(names)} of them, got shape {array.shape}")
            return np.broadcast_to(array, len(names)).copy()
        given = {str(name): float(value) for name, value in values.items()}
    except (TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{what}: expected numbers, got {error}") from error
    unknown = sorted(given.keys() - set(names))
    missing = [name for name in names if name not in given] if absent is None else []
    if len(given) != len(values) or unknown or missing:
        wrong = f"unknown {listed(unknown)}" if unknown else f"none for {listed(missing)}" if missing else "one twice"
        raise InputError(f"{what}: expected labels among {listed(list(names))}, each once, got {wrong}")
    return np.array([given.get(name, absent) for name in names], dtype=np.float64)


def given_portfolios(holdings: Any, equity: Any, price_impact: Any) -> Portfolios:
    """Check and lay out what is given as a frame, an array or a sparse matrix of USD, at least 0."""
    framed = hasattr(holdings, "columns")
    if not (framed or sparse.issparse(holdings) or hasattr(holdings, "__array__") or isinstance(holdings, Sequence)):
        hint = "; an Interbank has it in .holdings" if hasattr(holdings, "holdings") else ""
        raise InputError(
            "holdings: expected a Snapshot, or USD as a frame, an array or a sparse matrix of institutions × assets"
            f"{hint}, got {type(holdings).__name__}"
        )
    try:
        matrix = sparse.csr_array(holdings.to_numpy() if framed else holdings, dtype=np.float64, copy=True)
    except (TypeError, ValueError) as error:
        raise InputError(f"holdings: expected numbers, institutions × assets, got {error}") from error
    if matrix.ndim != 2:
        raise InputError(f"holdings: expected institutions × assets, got shape {matrix.shape}")
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    labels = _names(holdings.index if framed else _index(equity), matrix.shape[0], "institutions")
    assets = _names(holdings.columns if framed else _index(price_impact), matrix.shape[1], "assets")
    own = by_name(equity, labels, "equity")
    impact = by_name(price_impact, assets, "price_impact")
    return _checked(Portfolios(labels, assets, matrix, own, impact, np.arange(len(assets))))


def with_given(books: Portfolios, equity: Any, price_impact: Any) -> Portfolios:
    """Exchange a snapshot's equity or price impact for what is given, by label and for all of them."""
    own = books.equity if equity is None else by_name(equity, books.labels, "equity")
    impact = books.price_impact
    if price_impact is not None:
        impact = by_name(price_impact, books.assets, "price_impact")[books.market]
    return _checked(replace(books, equity=own, price_impact=impact))


def _checked(books: Portfolios) -> Portfolios:
    """Return portfolios without stored zeros, or raise one InputError with every fault."""
    matrix, own, impact = books.holdings, books.equity, books.price_impact
    faults = Faults()
    bad = np.flatnonzero(~(np.isfinite(matrix.data) & (matrix.data >= 0.0)))
    if len(bad):
        rows = np.repeat(np.arange(len(own)), np.diff(matrix.indptr))[bad]
        faults.add("holdings", "expected finite USD of at least 0", str(matrix.data[bad[0]]), books.labels[rows])
    _check(faults, "equity", "expected finite USD", own, ~np.isfinite(own), books.labels)
    wrong = ~(np.isfinite(impact) & (impact >= 0.0))
    _check(faults, "price_impact", "expected finite values of at least 0 (1 ÷ USD)", impact, wrong, books.assets)
    faults.raise_if_any()
    words = "expected no more than the institution's holdings (add what else it owns as a column, impact 0)"
    _check(faults, "equity", words, own, own > books.total * (1.0 + ROUNDING), books.labels)
    faults.raise_if_any()
    return books


def _check(faults: Faults, what: str, expected: str, values: Floats, wrong: Bools, names: Labels) -> None:
    at = np.flatnonzero(wrong)
    if len(at):
        faults.add(what, expected, f"{values[at[0]]} for {listed([str(name) for name in names[at]])}")


def _index(values: Any) -> Any:
    return values.index if hasattr(values, "reindex") else None


def _names(index: Any, count: int, what: str) -> Labels:
    names = [str(name) for name in (index if index is not None else range(count))]
    if len(names) != count or len(set(names)) != count:
        raise InputError(f"{what}: expected {count} labels, each once, got {len(names)}, {len(set(names))} of them new")
    return np.array(names, dtype=object)


def snapshot_portfolios(snap: Snapshot, by: str, netting: str) -> Portfolios:
    r"""Read holdings, equity and depth of every account, or of every protocol's accounts together, off a snapshot.

    Holdings are long positions (collateral, deposits, wallet, longs; an option as delta times its notional); with
    netting ``asset`` less what is owed or short in the same asset by the same account (by protocol: by the same margin
    account), never below 0.

    .. math:: H_{ia} = \max(0, \text{long}_{ia} - \text{short}_{ia}), \qquad A_i - E_i = \text{what is owed besides}
    """
    if by not in BY:
        raise InputError(f"by: expected one of {', '.join(BY)}, got {by!r}")
    if netting not in NETTING:
        raise InputError(f"netting: expected one of {', '.join(NETTING)}, got {netting!r}")
    named, equity, remainder = (_of_accounts if by == "account" else _of_protocols)(snap, netting)
    owned = np.asarray(named.sum(axis=1), dtype=np.float64).ravel() + remainder
    # A short with a profit, or a claim of which only the total is known: equity that no named asset stands for.
    beyond = np.maximum(equity - owned, 0.0)
    beyond[beyond <= ROUNDING * owned] = 0.0
    rest = remainder + beyond
    assets, depth, market = snap.labels("asset").to_pylist(), depths(snap), snap.families.sold_as
    notes = [f"holdings: long positions of each {by}" + (", less debt in the same asset" if netting == "asset" else "")]
    if rest.any():
        named = sparse.csr_array(sparse.hstack([named, sparse.csr_array(rest[:, None])]))
        assets, depth, market = [*assets, OTHER], np.append(depth, np.inf), np.append(market, len(assets))
        notes.append(
            f"holdings: ${rest.sum():,.0f} of totals without rows and of profit on shorts and options stand as "
            f"{OTHER}, which nothing moves"
        )
    notes += option_notes(snap) + _market_notes(assets, market)
    notes.append("price_fall: a fall by sales moves only the market sold in, not tokens backed by it")
    return Portfolios(
        labels=np.array(snap.labels(by).to_pylist(), dtype=object),
        assets=np.array(assets, dtype=object),
        holdings=named,
        equity=equity,
        price_impact=(1.0 / depth)[market],
        market=market.astype(np.int64),
        notes=tuple(notes),
        digest=snap.digest,
    )


def _market_notes(assets: Sequence[str], market: Ints) -> list[str]:
    """Say what is sold in the market of another asset: a line for each of the first five markets, and how many more."""
    away = np.flatnonzero(market != np.arange(len(market)))
    places, lines = np.unique(market[away]), []
    for place in places[:5]:
        names = sorted(assets[at] for at in away[market[away] == place])
        who = f"{names[0]!r} and {names[1]!r}" if len(names) == 2 else listed(names)
        verbs = ("is", "falls") if len(names) == 1 else ("are", "fall")
        lines.append(f"markets: {who} {verbs[0]} sold in the market of {assets[place]!r} and {verbs[1]} with it")
    if len(places) > 5:
        lines.append(f"markets: the same holds in {counted(len(places) - 5, 'more market')}")
    return lines


def snapshot_falls(snap: Snapshot, shock: Any, follow: str, size: int) -> Floats:
    """Fall of every asset, 0 to 1: those that are named, and whatever follows them."""
    if follow not in FOLLOW:
        raise InputError(f"follow: expected one of {', '.join(FOLLOW)}, got {follow!r}")
    if shock is None:
        raise InputError("shock: expected falls by asset, got none; name it: shock={'ETH': 0.3}")
    if not isinstance(shock, Mapping) and not hasattr(shock, "items"):
        raise InputError(f"shock: expected a mapping of assets to falls beside a snapshot, got {shock!r}")
    names = np.array(snap.labels("asset").to_pylist(), dtype=object)
    falls = by_name(shock, names, "shock", absent=0.0)
    wrong = [name for name, fall in zip(names, falls, strict=True) if not 0.0 <= fall < 1.0]
    if wrong:
        raise InputError(
            f"shock: expected falls of at least 0 and below 1 (0.3 is a fall of 30 %), got {listed(wrong)}"
        )
    moves = price_moves(snap, {str(name): -float(fall) for name, fall in shock.items()}, follow)
    return np.append(np.maximum(-moves, 0.0), np.zeros(size - len(names)))


_Read = tuple[sparse.csr_array, Floats, Floats]  # named holdings, equity, collateral known by its total only


def _of_accounts(snap: Snapshot, netting: str) -> _Read:
    held, book = holdings_of(snap), snap.book
    n = len(held.equity)
    owned = book.rows("collateral", "deposit", "wallet")
    baskets = _summed(snap, book.usd, book.account, owned, n, basket=True)
    named = sparse.csr_array(netted(held, snap.families, netting) + baskets)
    return named, held.equity.copy(), summed(book.margin_account, book.collateral_remainder, n)


def _of_protocols(snap: Snapshot, netting: str) -> _Read:
    """All margin accounts of a protocol together: what stands there, less what is owed there."""
    book = snap.book
    n, n_margins = len(snap.labels("protocol")), len(book.margin_account)
    placed, owed = book.margin >= 0, book.rows("debt")
    owned = book.rows("collateral", "deposit") & placed
    ahead, behind = stands_for(snap)
    long = _summed(snap, ahead, book.margin, placed, n_margins)
    if netting == "asset":
        long = sparse.csr_array(long - _summed(snap, behind, book.margin, placed, n_margins))
        long.data = np.maximum(long.data, 0.0)
    long = sparse.csr_array(long + _summed(snap, book.usd, book.margin, owned, n_margins, basket=True))
    long.eliminate_zeros()
    gained = unrealised_pnl(snap) + option_usd(snap)
    own = book.by_margin(book.usd, owned) + book.collateral_remainder + book.by_margin(gained, placed)
    equity = own - book.by_margin(book.usd, owed & placed) - book.debt_remainder
    there = sparse.csr_array((np.ones(n_margins), (book.margin_protocol, np.arange(n_margins))), shape=(n, n_margins))
    remainder = summed(book.margin_protocol, book.collateral_remainder, n)
    return sparse.csr_array(there @ long), summed(book.margin_protocol, equity, n), remainder


def _summed(snap: Snapshot, usd: Floats, codes: Ints, rows: Bools, n: int, *, basket: bool = False) -> sparse.csr_array:
    """USD of rows by holder and asset: of baskets, or of all other assets."""
    book = snap.book
    use = np.flatnonzero(rows & (snap.families.is_kind("basket")[book.asset] == basket))
    shape = (n, len(snap.labels("asset")))
    matrix = sparse.csr_array((usd[use], (codes[use], book.asset[use])), shape=shape)
    matrix.sum_duplicates()
    return matrix


def chosen(labels: Sequence[str] | None, names: Labels, what: str) -> Bools:
    """Which of the names are in a list of labels; an InputError names every unknown one."""
    if isinstance(labels, str):
        raise InputError(f"{what}: expected a list of labels, got {labels!r}")
    wanted = {str(label) for label in labels or ()}
    unknown = sorted(wanted - set(names))
    if unknown:
        raise InputError(f"{what}: expected labels among {listed(list(names))}, got {listed(unknown)}")
    return np.isin(names.astype(str), sorted(wanted)) if len(names) else np.zeros(0, dtype=bool)
