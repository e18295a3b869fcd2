"""How results on margin show themselves in a notebook: what happened in a line, a table, what was assumed."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["result_page"]


def result_page(summary: str, frame: pd.DataFrame, notes: Sequence[str] = (), *, rows: int = 20) -> str:
    """Give a summary, the first and last rows of a frame, and notes as HTML, everything escaped.

    USD are shown in whole dollars, other numbers with six digits; a column of empty buckets is left out.

    >>> import pandas as pd
    >>> "<td>1,234,568</td>" in result_page("2 calls", pd.DataFrame({"paid_usd": [1234567.8]}))
    True
    """
    if "bucket" in frame and (frame["bucket"] == "").all():
        frame = frame.drop(columns="bucket")
    form: Any = {name: _written(str(name)) for name in frame if frame[name].dtype.kind == "f"}
    table = frame.to_html(index=False, escape=True, max_rows=rows, formatters=form, border=0)
    said = "".join(f"<li>{html.escape(line)}</li>" for line in notes)
    return f"<pre>{html.escape(summary)}</pre>{table}" + (f"<ul>{said}</ul>" if said else "")


def _written(name: str) -> Callable[[float], str]:
    form = "{:,.0f}" if name.endswith("_usd") else "{:,.6g}"
    return lambda number: "" if number != number else form.format(number)
