"""A network of banks as the library's calls want it: who owes whom, the rest of every balance sheet, common assets."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from riskgraph.arrays import Floats, Labels, read_only
from riskgraph.errors import Faults, InputError
from riskgraph.graph.exposure import ExposureGraph
from riskgraph.provenance import Provenance

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["INTERBANK_CLAIMS", "Interbank", "interbank_of_tables", "read_interbank"]

DENSE = 5_000  # banks up to which liabilities are given as a frame of n × n: 200 MB
INTERBANK_CLAIMS = "interbank claims"  # the column of holdings that nobody can sell
COLUMNS = {
    "banks": ("bank", "external_assets_usd", "external_liabilities_usd"),
    "liabilities": ("debtor", "creditor", "usd"),
    "holdings": ("bank", "asset", "usd"),
    "assets": ("asset", "depth_usd"),
}


@dataclass(frozen=True, eq=False, repr=False)
class Interbank:
    r"""Balance sheets of banks and what they owe one another.

    .. math:: E_i = A^e_i + \sum_j A_{ij} - L^e_i - \sum_j A_{ji}

    Attributes
    ----------
    name : str
    labels : ndarray of str, shape (n,)
    roles : ndarray of str, shape (n,)
        What the source says a bank is (``core``, ``periphery``); empty where it says nothing.
    exposures : csr_array, shape (n, n)
        A in USD, creditor rows, debtor columns: ``exposures[i, j]`` is what j owes i.
    external_assets_usd, external_liabilities_usd : ndarray, shape (n,)
        Aᵉ and Lᵉ: what a bank owns and owes outside the network.
    assets : ndarray of str, shape (m,)
        Kinds of external assets, where the dataset tells them apart; else none.
    portfolios : ndarray, shape (n, m)
        External assets by kind in USD; rows sum to ``external_assets_usd``.
    depth_usd : ndarray, shape (m,)
        Market depth of each kind: a sale of q USD lowers its price by q ÷ depth; infinite where sales move nothing.
    notes : tuple of str
        What a reader should know: made up or published, and by whom.
    provenance : Provenance
    unit : str
        What amounts are shown in: ``USD``, or empty where the source names no currency (names and docstrings say USD).
    """

    name: str
    labels: Labels
    roles: Labels
    exposures: sparse.csr_array
    external_assets_usd: Floats
    external_liabilities_usd: Floats
    assets: Labels
    portfolios: Floats
    depth_usd: Floats
    notes: tuple[str, ...]
    provenance: Provenance
    unit: str = "USD"

    def __post_init__(self) -> None:
        for array in vars(self).values():
            if isinstance(array, np.ndarray):
                read_only(array)
        for part in (self.exposures.data, self.exposures.indices, self.exposures.indptr):
            read_only(part)

    def __len__(self) -> int:
        return len(self.labels)

    def _series(self, values: Any, name: str) -> pd.Series[Any]:
        import pandas as pd

        return pd.Series(values, index=pd.Index(self.labels, name="bank"), name=name)

    @cached_property
    def external_assets(self) -> pd.Series[float]:
        """Aᵉ by bank, USD: for :func:`riskgraph.clearing` and :func:`riskgraph.network_valuation`."""
        return self._series(self.external_assets_usd, "external_assets")

    @cached_property
    def external_liabilities(self) -> pd.Series[float]:
        """Lᵉ by bank, USD."""
        return self._series(self.external_liabilities_usd, "external_liabilities")

    @cached_property
    def equity(self) -> pd.Series[float]:
        """E by bank, USD, all claims at face value; 0 or less is a bank that starts in default."""
        lent, owed = self.exposures.sum(axis=1), self.exposures.sum(axis=0)
        own = self.external_assets_usd + lent - self.external_liabilities_usd - owed
        return self._series(np.asarray(own, dtype=np.float64), "equity")

    @cached_property
    def total_assets(self) -> pd.Series[float]:
        """External assets and claims on the other banks by bank, USD."""
        return self._series(self.external_assets_usd + self.exposures.sum(axis=1), "total_assets")

    @cached_property
    def liabilities(self) -> pd.DataFrame:
        """Frame (n × n, USD) for :func:`riskgraph.clearing`: row owes column. Up to 5,000 banks; else exposures.T."""
        import pandas as pd

        if len(self) > DENSE:
            raise InputError(f"liabilities: expected at most {DENSE:,} banks, got {len(self):,}; use exposures.T")
        owed = self.exposures.T.toarray()
        return pd.DataFrame(
            owed, index=pd.Index(self.labels, name="debtor"), columns=pd.Index(self.labels, name="creditor")
        )

    @cached_property
    def graph(self) -> ExposureGraph:
        """The exposures over equity, economic value by total assets: for rankings, DebtRank and centralities."""
        return ExposureGraph.from_matrix(
            self.exposures,
            self.equity.to_numpy(),
            labels=[str(label) for label in self.labels],
            weights=self.total_assets.to_numpy() if self.total_assets.sum() > 0.0 else "uniform",
        )

    @cached_property
    def holdings(self) -> pd.DataFrame:
        """Frame (banks × kinds of assets, USD) for :func:`riskgraph.fire_sale`, claims on banks as the last column."""
        import pandas as pd

        if not len(self.assets):
            raise InputError(f"holdings: expected a dataset that tells kinds of assets apart, {self.name} has none")
        frame = pd.DataFrame(self.portfolios, index=pd.Index(self.labels, name="bank"), columns=list(self.assets))
        frame[INTERBANK_CLAIMS] = np.asarray(self.exposures.sum(axis=1), dtype=np.float64)
        return frame

    @cached_property
    def price_impact(self) -> pd.Series[float]:
        """ℓ = 1 ÷ depth for every column of ``holdings``; 0 for what nobody sells or what sales do not move."""
        import pandas as pd

        return pd.Series(np.append(1.0 / self.depth_usd, 0.0), index=self.holdings.columns, name="price_impact")

    def to_frame(self) -> pd.DataFrame:
        """Frame by bank: role, external and interbank assets and liabilities, total assets, equity (USD)."""
        return self._series(self.roles, "role").to_frame().assign(
            external_assets=self.external_assets,
            interbank_assets=np.asarray(self.exposures.sum(axis=1)),
            external_liabilities=self.external_liabilities,
            interbank_liabilities=np.asarray(self.exposures.sum(axis=0)),
            total_assets=self.total_assets,
            equity=self.equity,
        )  # fmt: skip

    def _said(self, amount: Any) -> str:
        # whole dollars suit balance sheets; an example of 2 and 2.2 without a currency would lose its digits
        return f"${amount:,.0f}" if self.unit == "USD" else f"{amount:.6g} {self.unit}".rstrip()

    def summary(self) -> str:
        """Say in a few lines what the network is."""
        total, own, lent = self.total_assets.sum(), self.equity.sum(), self.exposures.sum()
        lines = (
            f"{self.name}: {len(self):,} banks, {self.exposures.nnz:,} interbank claims",
            f"total assets {self._said(total)}, of which interbank {self._said(lent)}; equity {self._said(own)}",
            f"banks without equity: {int((self.equity <= 0.0).sum()):,}",
            *self.notes,
        )
        return "\n".join(lines if self.unit else (*lines, "amounts without a currency: the source names none"))

    def __repr__(self) -> str:
        return (
            f"<Interbank {self.name}: {len(self):,} banks, {self.exposures.nnz:,} claims, "
            f"{self._said(self.exposures.sum())} interbank of {self._said(self.total_assets.sum())} total assets>"
        )

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.summary())}</pre>{self.to_frame().head(10).to_html(escape=True)}"


def interbank_of_tables(
    name: str, tables: Mapping[str, pd.DataFrame], notes: tuple[str, ...], provenance: Provenance, unit: str = "USD"
) -> Interbank:
    """Make the record of tables ``banks``, ``liabilities`` and, where there are any, ``holdings`` and ``assets``.

    Banks and assets are put in the order of their labels, so that the order of rows changes nothing.

    Raises
    ------
    InputError
        A missing table or column, a label twice or unknown, an amount that is no finite USD of at least 0, a bank that
        owes itself, or portfolios that do not sum to a bank's external assets; all faults in one message.
    """
    faults = Faults(name)
    for table in ("banks", "liabilities", *(["holdings", "assets"] if {"holdings", "assets"} & set(tables) else [])):
        lacking = [c for c in COLUMNS[table] if table not in tables or c not in tables[table].columns]
        if lacking:
            faults.add(table, f"expected columns {', '.join(COLUMNS[table])}", f"none called {', '.join(lacking)}")
    faults.raise_if_any()
    banks = tables["banks"].sort_values("bank", kind="stable")
    n, labels = len(banks), banks["bank"].to_numpy(dtype=object)
    owed = tables["liabilities"]
    debtor, creditor = (_codes(owed[c], labels, f"liabilities.{c}", faults) for c in ("debtor", "creditor"))
    usd = _amounts(owed["usd"], "liabilities.usd", faults)
    own, owes = (_amounts(banks[column], f"banks.{column}", faults) for column in COLUMNS["banks"][1:])
    _say_twice(banks[["bank"]], "banks", faults)
    _say_twice(owed[["debtor", "creditor"]], "liabilities", faults)
    if (debtor == creditor).any():
        faults.add("liabilities", "expected debts to other banks", "one to itself", np.flatnonzero(debtor == creditor))
    kinds, parts, depth = _portfolios(tables, labels, own, faults)
    faults.raise_if_any()
    roles = banks["role"].fillna("").to_numpy(dtype=object) if "role" in banks else np.full(n, "", dtype=object)
    exposures = sparse.csr_array((usd, (creditor, debtor)), shape=(n, n))
    exposures.eliminate_zeros()
    return Interbank(name, labels, roles, exposures, own, owes, kinds, parts, depth, notes, provenance, unit)


def _portfolios(
    tables: Mapping[str, pd.DataFrame], labels: Labels, external: Floats, faults: Faults
) -> tuple[Labels, Floats, Floats]:
    if "holdings" not in tables:
        return np.array([], dtype=object), np.zeros((len(labels), 0)), np.zeros(0)
    assets = tables["assets"].sort_values("asset", kind="stable")
    kinds = assets["asset"].to_numpy(dtype=object)
    depth = assets["depth_usd"].fillna(np.inf).to_numpy(dtype=np.float64)  # an empty cell: sales move nothing
    if not (depth > 0.0).all():
        faults.add("assets.depth_usd", "expected USD above 0, or empty", str(depth.min()), np.flatnonzero(depth <= 0.0))
    held = tables["holdings"]
    _say_twice(assets[["asset"]], "assets", faults)
    _say_twice(held[["bank", "asset"]], "holdings", faults)
    bank = _codes(held["bank"], labels, "holdings.bank", faults)
    asset = _codes(held["asset"], kinds, "holdings.asset", faults)
    parts = np.zeros((len(labels), len(kinds)))
    np.add.at(parts, (bank, asset), _amounts(held["usd"], "holdings.usd", faults))
    off = np.flatnonzero(np.abs(parts.sum(axis=1) - external) > 1e-9 * np.maximum(external, 1.0))
    if len(off):
        got = f"{parts[off[0]].sum():,.0f} against {external[off[0]]:,.0f} at {labels[off[0]]}"
        faults.add("holdings.usd", "expected rows that sum to each bank's external assets", got)
    return kinds, parts, depth


def _codes(values: pd.Series[Any], labels: Labels, where: str, faults: Faults) -> Any:
    import pandas as pd

    codes = pd.Index(labels).drop_duplicates().get_indexer(pd.Index(values.to_numpy(dtype=object)))
    if (codes < 0).any():
        rows = np.flatnonzero(codes < 0)
        faults.add(where, "expected a label of its own table", repr(values.iloc[rows[0]]), rows)
    return np.maximum(codes, 0)


def _amounts(values: pd.Series[Any], where: str, faults: Faults) -> Floats:
    import pandas as pd

    usd = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, copy=True)
    rows = np.flatnonzero(~(np.isfinite(usd) & (usd >= 0.0)))
    if len(rows):
        faults.add(where, "expected finite USD of at least 0", repr(values.iloc[rows[0]]), rows)
    return usd


def _say_twice(keys: pd.DataFrame, where: str, faults: Faults) -> None:
    rows = np.flatnonzero(keys.duplicated())
    if len(rows):
        faults.add(where, "expected every key once", str(keys.iloc[rows[0]].tolist()), rows)


def read_interbank(name: str, folder: Path, example: str | None = None) -> Interbank:
    """Read the network of a folder; of several, the one named in ``networks.csv`` as the example, or the first.

    Raises
    ------
    InputError
        There is no example of that name, or a table is wrong.
    """
    import pandas as pd

    text = dict.fromkeys(("network", "bank", "role", "debtor", "creditor", "asset"), str)
    said = pd.read_csv(folder / "networks.csv", dtype=str, keep_default_na=False).set_index("network")
    chosen = said.index[0] if example is None else example
    if chosen not in said.index:
        raise InputError(f"example: expected one of {', '.join(said.index)}, got {example!r}")
    tables = {t: pd.read_csv(folder / f"{t}.csv", dtype=text) for t in COLUMNS if (folder / f"{t}.csv").is_file()}
    if len(said) > 1:
        tables = {table: rows[rows["network"] == chosen].reset_index(drop=True) for table, rows in tables.items()}
    called = name if len(said) == 1 else f"{name}/{chosen}"
    told = {"name": name, "example": chosen} if len(said) > 1 else {"name": name}
    row = said.loc[chosen].to_dict()
    notes = (f"{row['note']} ({row['source']})",)
    return interbank_of_tables(called, tables, notes, Provenance("datasets.load", None, told), row["unit"])
