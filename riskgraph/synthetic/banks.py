"""A seeded network of banks with a core and a periphery (facts: datasets/interbank_core_periphery/README.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from riskgraph.arrays import Bools, Floats
from riskgraph.datasets_interbank import Interbank, interbank_of_tables
from riskgraph.errors import Faults
from riskgraph.provenance import Provenance
from riskgraph.synthetic.drawing import ranks

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["synthetic_interbank", "synthetic_interbank_tables"]

LIMITS: Final = {"banks": (4, 10_000), "seed": (0, 2**63 - 1)}
MILLION: Final = 1e6
LARGEST: Final = 1_000_000.0  # M USD: total assets of the first bank; the k-th has about 1/k of it
SIZE_NOISE: Final = 0.20  # standard deviation of ln(total assets) about that line
LEVERAGE: Final = (15.0, 30.0)  # total assets ÷ equity, least and most
INTERBANK: Final = (0.04, 0.20)  # claims on banks ÷ total assets, least and most
LENDERS: Final = 3  # a bank of the periphery lends to this many of the core at most, and borrows from as many
CORE_LINK: Final = 0.90  # chance that one core bank lends to another
AMOUNT_NOISE: Final = 1.0  # standard deviation of ln(claim) about its share by size
MOST_BORROWED: Final = (
    0.40  # of total assets; beyond, what creditors lend is cut and stays with them as external assets
)
# kind of external asset: (share of external assets, its spread, depth in M USD; nan: sales move nothing)
KINDS: Final = {
    "cash": (0.10, 0.03, np.nan),
    "government bonds": (0.15, 0.05, 25_000_000.0),
    "corporate bonds": (0.08, 0.04, 5_000_000.0),
    "equities": (0.04, 0.03, 10_000_000.0),
    "loans": (0.63, 0.0, 5_000_000.0),  # the rest
}


def synthetic_interbank(*, banks: int = 30, seed: int = 0) -> Interbank:
    """Make up a network of banks: a core of √banks that lend to one another, and a periphery that deals with it.

    Size falls like 1/rank, and the core are the largest; leverage lies between 15 and 30 and claims on banks between
    4 and 20 % of assets, both independent of size; amounts are whole millions. The same arguments give the same
    numbers. What is taken from where: ``datasets/interbank_core_periphery/README.md``.

    Parameters
    ----------
    banks : int
        4 to 10,000.
    seed : int
        At least 0.

    Raises
    ------
    InputError
        An option is no whole number or lies outside its range.

    Examples
    --------
    >>> net = synthetic_interbank(banks=9, seed=1)
    >>> (net.roles == "core").sum().item(), bool((net.equity > 0).all())
    (3, True)
    """
    tables = synthetic_interbank_tables(banks=banks, seed=seed)
    told = {"banks": banks, "seed": seed}
    note = f"made up: synthetic_interbank(banks={banks}, seed={seed})"
    return interbank_of_tables("synthetic", tables, (note,), Provenance("datasets.synthetic_interbank", None, told))


def synthetic_interbank_tables(*, banks: int = 30, seed: int = 0) -> dict[str, pd.DataFrame]:
    """Make the tables of :func:`synthetic_interbank` as frames; the same arguments and errors.

    Examples
    --------
    >>> list(synthetic_interbank_tables(banks=4))
    ['banks', 'liabilities', 'holdings', 'assets']
    """
    import pandas as pd

    _check({"banks": banks, "seed": seed})
    rng = np.random.default_rng(seed)
    names = np.array([f"B{number:0{len(str(banks))}d}" for number in range(1, banks + 1)], dtype=object)
    size = np.round(LARGEST / np.arange(1, banks + 1) * np.exp(SIZE_NOISE * rng.standard_normal(banks)))
    size = np.sort(size)[::-1]
    core = np.arange(banks) < round(banks**0.5)
    equity = np.round(size / _between(rng, LEVERAGE, banks))
    claims = _claims(rng, size, core, np.round(size * _between(rng, INTERBANK, banks)))
    external = size - claims.sum(axis=1)
    creditor, debtor = np.nonzero(claims)
    parts = _portfolios(rng, external)
    bank, kind = np.nonzero(parts)
    depth = np.array([row[2] for row in KINDS.values()])
    return {
        "banks": pd.DataFrame(
            {
                "bank": names,
                "role": np.where(core, "core", "periphery").astype(object),
                "external_assets_usd": external * MILLION,
                "external_liabilities_usd": (size - equity - claims.sum(axis=0)) * MILLION,
            }
        ),
        "liabilities": pd.DataFrame(
            {"debtor": names[debtor], "creditor": names[creditor], "usd": claims[creditor, debtor] * MILLION}
        ),
        "holdings": pd.DataFrame(
            {
                "bank": names[bank],
                "asset": np.array(list(KINDS), dtype=object)[kind],
                "usd": parts[bank, kind] * MILLION,
            }
        ),
        "assets": pd.DataFrame({"asset": list(KINDS), "depth_usd": depth * MILLION}),
    }


def _check(options: dict[str, Any]) -> None:
    faults = Faults("synthetic_interbank")
    for name, (least, most) in LIMITS.items():
        value = options[name]
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or not least <= value <= most:
            faults.add(name, f"expected a whole number from {least:,} to {most:,}", repr(value))
    faults.raise_if_any()


def _between(rng: np.random.Generator, ends: tuple[float, float], n: int) -> Floats:
    """Draw evenly between two ends, one to each of n equal parts of the way, in random order."""
    return ends[0] + (ends[1] - ends[0]) * ranks(rng, rng.random(n))


def _links(rng: np.random.Generator, core: Bools) -> Bools:
    """Who lends to whom: dense in the core; everybody else lends to and borrows from one to three of it."""
    n, size = len(core), int(core.sum())
    links = np.zeros((n, n), dtype=bool)
    links[:size, :size] = rng.random((size, size)) < CORE_LINK
    most = min(LENDERS, size)
    for way in (links, links.T):  # rows lend; the transposed view fills the other direction
        order = np.argsort(rng.random((n - size, size)), axis=1)
        count = rng.integers(1, most + 1, n - size)
        way[size:, :size] = order < count[:, None]
    np.fill_diagonal(links, False)
    return links


def _claims(rng: np.random.Generator, size: Floats, core: Bools, lent: Floats) -> Floats:
    """Claims in whole M USD, creditor rows, shape (n, n); dense, 10,000 banks at most take 0.8 GB for moments."""
    weight = np.where(
        _links(rng, core), size[None, :] * np.exp(AMOUNT_NOISE * rng.standard_normal((len(size),) * 2)), 0
    )
    total = weight.sum(axis=1)
    claims = weight * np.divide(lent, total, out=np.zeros(len(size)), where=total > 0.0)[:, None]
    cut = np.minimum(1.0, MOST_BORROWED * size / np.maximum(claims.sum(axis=0), 1.0))
    return np.asarray(np.floor(claims * cut[None, :]), dtype=np.float64)


def _portfolios(rng: np.random.Generator, external: Floats) -> Floats:
    """External assets by kind in whole M USD, shape (n, kinds); loans are the rest."""
    terms = list(KINDS.values())[:-1]
    shares = [mean + spread * (2.0 * ranks(rng, rng.random(len(external))) - 1.0) for mean, spread, _ in terms]
    parts = np.floor(np.array(shares).T * external[:, None])
    return np.column_stack([parts, external - parts.sum(axis=1)])
