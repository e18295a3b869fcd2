"""Frames of a SPAN margin, by portfolio and by product family, and what it says in a few lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Floats, Ints

if TYPE_CHECKING:
    import pandas as pd

    from riskgraph.margin.span import SpanMargin
    from riskgraph.margin.span_charges import ChargeRates
    from riskgraph.snapshot.scanning import Commodities
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["families_frame", "notes_on", "portfolio_index", "portfolios_frame", "scenario_numbers", "summary_lines"]


def portfolio_index(snap: Snapshot, margins: Ints) -> pd.MultiIndex:
    """Account, protocol and bucket of margin accounts."""
    import pandas as pd

    book = snap.book
    codes = {"account": book.margin_account, "protocol": book.margin_protocol, "bucket": book.margin_bucket}
    levels: list[list[str]] = []
    places: list[Any] = []
    for domain, code in codes.items():
        used, place = np.unique(code[margins], return_inverse=True)
        labels = [*snap.labels(domain).to_pylist(), ""]  # code -1: no bucket
        levels.append([labels[at] for at in used])
        places.append(place)
    return pd.MultiIndex(levels=levels, codes=places, names=list(codes))


def scenario_numbers(profit: Floats) -> pd.arrays.IntegerArray:
    """Give the number of the scenario with the largest loss (first of equals), from 1; <NA> where none has a loss."""
    import pandas as pd

    at = profit.argmin(axis=1)
    return pd.arrays.IntegerArray(at + 1, profit[np.arange(len(at)), at] >= 0.0)


def portfolios_frame(span: SpanMargin) -> pd.DataFrame:
    """Frame by portfolio: scan risk and what sets it, charges, credit, net option value, requirement."""
    import pandas as pd

    parts = {f"{name}_usd": span.by_portfolio(values) for name, values in span.parts.items()}
    scan = {"scan_risk_usd": parts.pop("scan_risk_usd"), "scenario": span.scenario.array}
    return pd.DataFrame({**scan, **parts}, index=span.index).reset_index()


def families_frame(span: SpanMargin) -> pd.DataFrame:
    """Frame by portfolio and product family, with the same columns."""
    import pandas as pd

    parts = {f"{name}_usd": values for name, values in span.parts.items()}
    scan = {"scan_risk_usd": parts.pop("scan_risk_usd"), "scenario": scenario_numbers(span.profit)}
    return pd.DataFrame({**scan, **parts}, index=span.family_index).reset_index()


def summary_lines(span: SpanMargin) -> list[str]:
    """Size, what is required and of what it is made, the largest requirement, and every note."""
    total = {name: float(values.sum()) for name, values in span.parts.items()}
    most = int(span.requirement_usd.to_numpy().argmax())
    account, protocol, bucket = span.index[most]
    where = f"{account} at {protocol}" + (f" ({bucket})" if bucket else "")
    lost = span.scan_risk_usd.iloc[most] > 0.0
    why = f"set by scenario {span.scenario.iloc[most]}" if lost else "no scenario brings a loss"
    return [
        f"SPAN margin, {span.size}, {len(span.table)} scenarios",
        f"required: ${total['requirement']:,.0f} = ${total['risk']:,.0f} of risk less a net option value of "
        f"${total['net_option_value']:,.0f}",
        f"scan risk: ${total['scan_risk']:,.0f}; between months ${total['inter_month']:,.0f}, between families "
        f"-${total['inter_commodity']:,.0f}, least for short options ${total['short_option_minimum']:,.0f}",
        f"largest: ${span.requirement_usd.iloc[most]:,.0f} of {where}, {why}",
        *(f"note: {note}" for note in span.notes),
    ]


def notes_on(snap: Snapshot, book: Commodities, rates: ChargeRates, rate: float) -> list[str]:
    """Say what was taken as nothing, how options are valued, and which families were looked up."""
    free = [name for name in ("inter_month", "short_option_minimum") if not getattr(rates, name).any()]
    free += [] if rates.inter_commodity else ["inter_commodity"]
    notes = [f"{', '.join(free)}: 0, no rates given"] if free else []
    if len(book.contracts.options):
        words = "option value counts in full, whatever entry_price says"
        notes.append(f"options: Black-76 on the asset's price at its protocol, rate {rate:g}; {words}")
    return [*notes, *(line for line in snap.assumptions if line.startswith("assets.kind and assets.family"))]
