"""Frames of a fire sale, by institution, by asset, by sale and by round, and what it says in a few lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from riskgraph.contagion.sale_rules import in_words
from riskgraph.wording import counted

if TYPE_CHECKING:
    import pandas as pd

    from riskgraph.arrays import Floats, Labels
    from riskgraph.contagion.deleveraging import FireSale

__all__ = [
    "assets_frame",
    "decomposition_frame",
    "history_frame",
    "institutions_frame",
    "sales_frame",
    "status_of",
    "summary_lines",
]

STATUS = ("untouched", "deleveraged", "illiquid", "insolvent")


def summary_lines(sale: FireSale, size: str) -> list[str]:
    """Size and shock, the rule of the threshold model, losses, vulnerability, sales, and every note."""
    counts = [f"{int((sale.status == name).sum()):,} {name}" for name in STATUS[1:]]
    return [
        f"Fire sale, {size}; {counted(int((sale.shock > 0.0).sum()), 'asset')} shocked",
        *([] if sale.rule is None else [in_words(sale.rule)]),
        f"lost by the shock: ${sale.direct.sum():,.0f}; by the sales: ${sale.outcome.indirect.sum():,.0f}",
        f"aggregate vulnerability (lost by the sales ÷ equity): {sale.aggregate_vulnerability:.6g}",
        f"sold: ${sale.outcome.sales.sum():,.0f}; {', '.join(counts)}",
        *(f"note: {note}" for note in sale.notes),
    ]


def status_of(sale: FireSale) -> Labels:
    """Status of every institution at the end; insolvent before illiquid before deleveraged."""
    outcome = sale.outcome
    code = np.where(outcome.equity <= 0.0, 3, np.where(outcome.sold_out, 2, (_sold(sale) > 0.0).astype(np.int64)))
    return np.array(STATUS, dtype=object)[code]


def institutions_frame(sale: FireSale) -> pd.DataFrame:
    """Institution by row: USD held, lost, sold and left, vulnerability, systemicness, overlap indices, status."""
    import pandas as pd

    books = sale.portfolios
    columns = {
        "holdings_usd": books.total,
        "equity_usd": books.equity,
        "direct_loss_usd": sale.direct,
        "sold_usd": _sold(sale),
        "indirect_loss_usd": sale.outcome.indirect,
        "equity_after_usd": sale.outcome.equity,
        "indirect_vulnerability": sale.indirect_vulnerability.to_numpy(),
        "systemicness": sale.systemicness.to_numpy(),
        "eri": sale.eri.to_numpy(),
        "ici": sale.ici.to_numpy(),
        "status": sale.status.to_numpy(),
    }
    return pd.DataFrame(columns, index=sale.systemicness.index)


def sales_frame(sale: FireSale) -> pd.DataFrame:
    """Institution and asset by row, with the USD sold; only what was sold."""
    import pandas as pd

    coo = sale.outcome.sales.tocoo()
    use = coo.data > 0.0
    who, what = sale.portfolios.labels[coo.row[use]], sale.portfolios.assets[coo.col[use]]
    return pd.DataFrame({"institution": who, "asset": what, "sold_usd": coo.data[use]})


def assets_frame(sale: FireSale) -> pd.DataFrame:
    """Asset by row: held_usd, shock, price_impact, sold_usd, price_fall."""
    import pandas as pd

    books = sale.portfolios
    columns = {
        "held_usd": np.asarray(books.holdings.sum(axis=0)).ravel(),
        "shock": sale.shock,
        "price_impact": books.price_impact,
        "sold_usd": np.asarray(sale.outcome.sales.sum(axis=0)).ravel(),
        "price_fall": sale.outcome.price_fall,
    }
    return pd.DataFrame(columns, index=pd.Index(books.assets, name="asset"))


def history_frame(sale: FireSale) -> pd.DataFrame:
    """Round by row: sellers, sold_usd, loss_usd, insolvent."""
    import pandas as pd

    columns = ["sellers", "sold_usd", "loss_usd", "insolvent"]
    rows = [[getattr(one, name) for name in columns] for one in sale.outcome.rounds]
    return pd.DataFrame(rows, columns=columns, index=pd.RangeIndex(1, len(rows) + 1, name="round"))


def decomposition_frame(sale: FireSale) -> pd.DataFrame:
    """Institution by row: linkage × size × selling = systemicness; leverage and exposure beside it."""
    import pandas as pd

    books, sold = sale.portfolios, _sold(sale)
    total, nothing = books.total, np.zeros(len(books.labels))
    unknown = np.full(len(books.labels), np.nan)
    columns = {
        "linkage": np.divide(sale.outcome.caused, sold, out=unknown.copy(), where=sold > 0.0),
        "size": total / sale.equity_usd,
        "selling": np.divide(sold, total, out=nothing.copy(), where=total > 0.0),
        "leverage": np.divide(total - books.equity, books.equity, out=unknown.copy(), where=books.equity > 0.0),
        "exposure": np.divide(sale.direct, total, out=nothing.copy(), where=total > 0.0),
        "systemicness": sale.systemicness.to_numpy(),
    }
    return pd.DataFrame(columns, index=sale.systemicness.index)


def _sold(sale: FireSale) -> Floats:
    return np.asarray(sale.outcome.sales.sum(axis=1), dtype=np.float64).ravel()
