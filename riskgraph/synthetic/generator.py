"""A seeded lending book whose marginals are those of real ones (facts: datasets/synthetic/README.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from riskgraph.arrays import Floats, Ints
from riskgraph.errors import Faults
from riskgraph.synthetic import calibration as fact
from riskgraph.synthetic.drawing import capped, distinct, quantile, split, stratified
from riskgraph.synthetic.market import Market, market_tables, synthetic_market

if TYPE_CHECKING:
    import pandas as pd

    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["synthetic", "synthetic_tables"]

SIDES: Final = ("collateral", "debt", "deposit", "wallet")
COLLATERAL, DEBT, DEPOSIT, WALLET = range(4)

LIMITS: Final = {"accounts": (1, 100_000_000), "assets": (2, 5_000), "protocols": (1, 100), "seed": (0, 2**63 - 1)}


def synthetic(*, accounts: int = 3_000, assets: int = 12, protocols: int = 5, seed: int = 0) -> Snapshot:
    """Make up a lending book that looks like a real one; the same arguments give the same bits.

    Three quarters of the accounts borrow, on one to four protocols, against collateral whose size, health factor and
    number of tokens follow measured books; one quarter lends; 30 % hold free money. Receipts held as collateral stand
    on deposits at their issuer, staked ETH is looped against ETH. Depths of ``liquidity`` scale with ``accounts``, so
    that fire sales weigh the same in a small book and in a large one. What is measured and what is assumed, fact
    against generator: ``datasets/synthetic/README.md``.

    Parameters
    ----------
    accounts : int
        Borrowers and lenders, at least 1. A million take about three million positions.
    assets : int
        2 to 5,000: the first twelve bear the names of real tokens, then A13, A14, …
    protocols : int
        1 to 100: ``lend_1``, ``lend_2``, … the first by far the largest.
    seed : int
        At least 0.

    Raises
    ------
    InputError
        An option is no whole number or lies outside its range.

    Examples
    --------
    >>> snap = synthetic(accounts=40, assets=3, protocols=1, seed=7)
    >>> sorted(snap.assets["asset"])
    ['ETH', 'USDC', 'stETH']
    """
    from riskgraph.snapshot.snapshot import Snapshot

    t = synthetic_tables(accounts=accounts, assets=assets, protocols=protocols, seed=seed)
    called = f"accounts={accounts}, assets={assets}, protocols={protocols}, seed={seed}"
    return Snapshot(
        positions=t["positions"],
        assets=t["assets"],
        protocols=t["protocols"],
        markets=t["markets"],
        backing=t["backing"],
        liquidity=t["liquidity"],
        notes=(f"made up: synthetic({called})",),
    )


def synthetic_tables(
    *, accounts: int = 3_000, assets: int = 12, protocols: int = 5, seed: int = 0
) -> dict[str, pd.DataFrame]:
    """Make the tables of :func:`synthetic` as frames, label columns as categories; the same arguments and errors.

    Examples
    --------
    >>> sorted(synthetic_tables(accounts=10))
    ['assets', 'backing', 'liquidity', 'markets', 'positions', 'protocols']
    """
    _check({"accounts": accounts, "assets": assets, "protocols": protocols, "seed": seed})
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(int(seed)).spawn(5)]
    market = synthetic_market(accounts, assets, protocols, streams[0])
    borrowers = accounts - round(fact.LENDERS * accounts)
    owner, venue = _margin_accounts(borrowers, market, streams[1])
    rows = [*_loans(owner, venue, market, streams[2]), _deposits(borrowers, accounts, market, streams[3])]
    rows.append(_wallets(np.concatenate(rows, axis=1), accounts, market, streams[4]))
    book = _merged(np.concatenate(rows, axis=1), len(market.assets), protocols)
    debt, supply = _totals(book, market)
    return {
        "positions": _positions(book, accounts, market, streams[1]),
        **market_tables(market, debt, supply, streams[0]),
    }


def _check(options: dict[str, Any]) -> None:
    faults = Faults("synthetic")
    for name, value in options.items():
        low, high = LIMITS[name]
        whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        if not whole or not low <= value <= high:
            faults.add(name, f"expected a whole number from {low:,} to {high:,}", repr(value))
    faults.raise_if_any()


def _margin_accounts(borrowers: int, market: Market, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Owner and protocol of every margin account."""
    shares = capped(fact.PROTOCOL_COUNTS, len(market.protocols))
    count = stratified(rng, borrowers, shares)
    picks = distinct(rng, market.protocol_weight, count, np.full((borrowers, 1), -1))
    owner, step = np.nonzero(picks >= 0)
    return owner, picks[owner, step]


def _loans(owner: Ints, venue: Ints, market: Market, rng: np.random.Generator) -> list[Floats]:
    """Collateral, debt, and the deposits behind receipts: blocks of rows (owner, venue, asset, side, USD)."""
    m = len(owner)
    most = max(1, int(market.borrowable.sum()) - 1)  # something to borrow is always left
    count = stratified(rng, m, capped(fact.COLLATERAL_ROWS, most))
    held = distinct(rng, market.collateral_weight, count, np.full((m, 1), -1))
    looped = _looped(held, market, rng)
    size, health = _size_and_health(owner, looped, rng)
    value = split(rng, size, held)
    row, step = np.nonzero(held >= 0)
    usd = value[row, step]
    asset = _no_own_receipt(held[row, step], venue[row], market)
    posted = _block(owner[row], venue[row], asset, COLLATERAL, usd)
    weighted = np.bincount(row, market.threshold[venue[row], asset] * usd, minlength=m)
    receipt = np.flatnonzero(market.issuer[asset] >= 0)  # posted elsewhere, so its deposit stands at the issuer
    stands, behind = market.issuer[asset[receipt]], market.under[asset[receipt]]
    deposit = _block(owner[row[receipt]], stands, behind, DEPOSIT, usd[receipt])
    owed = _owed(held, looped, market, rng)
    debt = split(rng, weighted / health, owed)  # health factor = Σ value · LT ÷ debt, as drawn
    row, step = np.nonzero(owed >= 0)
    return [posted, deposit, _block(owner[row], venue[row], owed[row, step], DEBT, debt[row, step])]


def _size_and_health(owner: Ints, looped: Ints, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Collateral in USD and health factor of every margin account."""
    several = np.bincount(owner)[owner] > 1
    score = rng.standard_normal(len(owner)) + fact.MULTI_SHIFT * several + fact.LOOP_SIZE_SHIFT * looped
    size = quantile(rng, score, fact.SIZE)
    tied, free = fact.SIZE_HEALTH, np.sqrt(1.0 - fact.SIZE_HEALTH**2)
    score = tied * score + free * rng.standard_normal(len(owner)) + fact.LOOP_HEALTH_SHIFT * looped
    return size, quantile(rng, score, fact.HEALTH)


def _looped(held: Ints, market: Market, rng: np.random.Generator) -> Ints:
    """1 where the first collateral is staked and its base, which is no collateral there, is borrowed against it."""
    first = held[:, 0]
    base = market.base[first]
    staked = np.array([kind == "staked" for kind in market.kind])[first]
    free = ~(held == base[:, None]).any(axis=1) & market.borrowable[base]
    loops: Ints = (staked & free & (rng.random(len(held)) < fact.LOOP_SHARE)).astype(np.int64)
    return loops


def _owed(held: Ints, looped: Ints, market: Market, rng: np.random.Generator) -> Ints:
    """Assets owed by each margin account, shape (m, k), none of them its collateral; -1 where none."""
    m = len(held)
    room = market.borrowable.sum() - ((held >= 0) & market.borrowable[held]).sum(axis=1)
    count = np.minimum(stratified(rng, m, capped(fact.DEBT_ROWS, len(fact.DEBT_ROWS))), room)
    first = np.where(looped == 1, market.base[held[:, 0]], -1)
    others = distinct(rng, market.debt_weight, count - looped, np.column_stack([held, first]))
    return np.column_stack([first, others])


def _no_own_receipt(asset: Ints, venue: Ints, market: Market) -> Ints:
    """Put the underlying in place of a receipt that would stand at its own issuer."""
    return np.asarray(np.where(market.issuer[asset] == venue, market.under[asset], asset))


def _deposits(borrowers: int, accounts: int, market: Market, rng: np.random.Generator) -> Floats:
    """Lenders' deposits of what is borrowed, sized like collateral (assumed)."""
    owner, venue = _margin_accounts(accounts - borrowers, market, rng)
    count = stratified(rng, len(owner), capped(fact.COLLATERAL_ROWS, int(market.borrowable.sum())))
    held = distinct(rng, market.debt_weight, count, np.full((len(owner), 1), -1))
    size = quantile(rng, rng.standard_normal(len(owner)), fact.SIZE)
    usd = split(rng, size, held)
    row, step = np.nonzero(held >= 0)
    return _block(owner[row] + borrowers, venue[row], held[row, step], DEPOSIT, usd[row, step])


def _wallets(rows: Floats, accounts: int, market: Market, rng: np.random.Generator) -> Floats:
    """Free money of 30 % of the accounts, in proportion to what they hold (assumed)."""
    holds = np.bincount(rows[0].astype(np.int64), rows[4] * (rows[3] != DEBT), minlength=accounts)
    owner = np.flatnonzero(rng.random(accounts) < fact.WALLETS)
    mean, spread = fact.WALLET_DECADES
    asset = distinct(rng, market.debt_weight, np.ones(len(owner), dtype=np.int64), np.full((len(owner), 1), -1))
    usd = holds[owner] * 10.0 ** rng.normal(mean, spread, len(owner))
    return _block(owner, np.full(len(owner), -1), asset[:, 0] if asset.size else owner, WALLET, usd)


# -- rows -----------------------------------------------------------------------------------------


def _block(owner: Ints | Floats, venue: Ints, asset: Ints, side: int, usd: Floats) -> Floats:
    return np.stack([owner, venue, asset, np.full(len(usd), side), usd]).astype(np.float64)


def _merged(rows: Floats, assets: int, protocols: int) -> Floats:
    """One row a key (owner, venue, asset, side), sorted by it, USD summed; whole numbers are exact as float64."""
    key = ((rows[0] * (protocols + 1) + rows[1] + 1) * assets + rows[2]) * len(SIDES) + rows[3]
    order = np.argsort(key, kind="stable")
    first = np.flatnonzero(np.diff(key[order], prepend=-1.0))
    merged = rows[:, order[first]]
    merged[4] = np.add.reduceat(rows[4, order], first)
    return merged


def _totals(book: Floats, market: Market) -> tuple[Floats, Floats]:
    """Debt and supply by protocol in USD.

    Claims of lenders in the book (collateral too where it is lent out) count by token, and outside lenders fill each
    token up to a utilisation of 80 %: what is borrowed was supplied in the same token.
    """
    venue, side, usd = book[1].astype(np.int64), book[3], book[4]
    claim = (side == DEPOSIT) | ((side == COLLATERAL) & market.lends_collateral[venue])
    on, shape = venue >= 0, market.threshold.shape
    place = (venue * shape[1] + book[2].astype(np.int64))[on]
    debt, claims = (np.bincount(place, usd[on] * mask[on], shape[0] * shape[1]) for mask in (side == DEBT, claim))
    supply = np.maximum(claims, debt / fact.UTILISATION)
    return debt.reshape(shape).sum(axis=1), supply.reshape(shape).sum(axis=1)


def _positions(book: Floats, accounts: int, market: Market, rng: np.random.Generator) -> pd.DataFrame:
    import pandas as pd

    owner, venue, asset, side = book[:4].astype(np.int32)
    labels = pd.Index(_addresses(accounts, rng), dtype="str")
    return pd.DataFrame(
        {
            "account": pd.Categorical.from_codes(owner, labels),
            "protocol": pd.Categorical.from_codes(venue, pd.Index(market.protocols)),
            "asset": pd.Categorical.from_codes(asset, pd.Index(market.assets)),
            "side": pd.Categorical.from_codes(side, pd.Index(SIDES)),
            "amount": book[4] / market.price[asset],
        }
    )


def _addresses(count: int, rng: np.random.Generator) -> list[str]:
    """Sorted 20-byte addresses as hex (160 random bits: no two alike)."""
    words = rng.bytes(20 * count).hex()
    return sorted("0x" + words[at : at + 40] for at in range(0, 40 * count, 40))
