"""How every result shows itself: a table in a notebook, a table in a paper; one form for all of them."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from riskgraph.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Showing", "html_table", "latex_table", "latex_text"]

MOST = 20  # rows of a table in a notebook
LATEX_ROWS = 50  # rows of a table in a paper where nothing else is asked for
# What LaTeX reads as commands, and signs that its fonts lack in text.
_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "→": r"$\rightarrow$", "−": r"$-$", "×": r"$\times$",
    "÷": r"$\div$", "≥": r"$\geq$", "≤": r"$\leq$", "∞": r"$\infty$", "λ": r"$\lambda$", "Λ": r"$\Lambda$",
    "δ": r"$\delta$", "Σ": r"$\Sigma$", "₁": r"$_1$", "…": r"\ldots{}", "\u2013": "--", "·": r"$\cdot$",
    "√": r"$\surd$", "½": r"$\frac{1}{2}$", "\xa0": "~", "\n": " ", "\r": " ", "\t": " ",
}  # fmt: skip


class Showing:
    """Forms that a result takes beside ``repr`` and ``summary()``; it gives ``to_frame()`` and may name its tables."""

    def summary(self) -> Any:
        """Say in a few lines what was found."""
        raise NotImplementedError

    def to_frame(self) -> pd.DataFrame:
        """Give the result as a frame."""
        raise NotImplementedError

    def shown_tables(self) -> Sequence[pd.DataFrame]:
        """Give the tables that a reader wants first, the most important rows of each."""
        return [self.to_frame()]

    def _repr_html_(self) -> str:
        notes: Sequence[str] = getattr(self, "assumptions", ())
        said = "".join(f"<li>{html.escape(line)}</li>" for line in notes)
        tables = "".join(html_table(frame) for frame in self.shown_tables())
        return f"<pre>{html.escape(str(self.summary()))}</pre>{tables}" + (f"<ul>{said}</ul>" if said else "")

    def to_latex(self, *, caption: str = "", label: str = "", rows: int = LATEX_ROWS) -> str:
        r"""Write the frame as a table for a paper (needs the package ``booktabs``), everything in it as text.

        Parameters
        ----------
        caption, label : str
            What stands above the table, and the name that it is referred to by; only the tabular without both.
        rows : int
            Largest number of rows; a last line says how many are left out.

        Raises
        ------
        InputError
            ``rows`` is below 1.
        """
        return latex_table(self.to_frame(), caption=caption, label=label, rows=rows)


def latex_table(frame: pd.DataFrame, *, caption: str = "", label: str = "", rows: int = LATEX_ROWS) -> str:
    r"""Write a frame as a LaTeX table with rules of booktabs; see :meth:`Showing.to_latex`.

    Examples
    --------
    >>> import pandas as pd
    >>> print(latex_table(pd.DataFrame({"asset": ["A_1"], "loss_usd": [1234567.8]})))
    \begin{tabular}{lr}
    \toprule
    asset & loss\_usd \\
    \midrule
    A\_1 & 1,234,568 \\
    \bottomrule
    \end{tabular}
    """
    if rows < 1:
        raise InputError(f"rows: expected at least 1, got {rows!r}")
    named = frame.index.names != [None] or frame.index.dtype.kind not in "iu"
    told = _plain(frame.reset_index() if named else frame).head(rows)
    columns = "".join("r" if told[name].dtype.kind in "iuf" else "l" for name in told)
    forms = [_form(str(name), told[name]) for name in told]
    lines = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule"]
    lines += [" & ".join(latex_text(str(name)) for name in told) + r" \\", r"\midrule"]
    for row in told.itertuples(index=False):
        lines.append(" & ".join(latex_text(form(value)) for form, value in zip(forms, row, strict=True)) + r" \\")
    if len(frame) > rows:
        lines.append(rf"\multicolumn{{{len(columns)}}}{{l}}{{{len(frame) - rows:,} more rows}} \\")
    lines += [r"\bottomrule", r"\end{tabular}"]
    if not caption and not label:
        return "\n".join(lines)
    head = [r"\begin{table}", r"\centering"]
    head += [rf"\caption{{{latex_text(caption)}}}"] if caption else []
    head += [rf"\label{{{re.sub(r'[^A-Za-z0-9:._-]', '-', label)}}}"] if label else []
    return "\n".join([*head, *lines, r"\end{table}"])


def latex_text(text: str) -> str:
    r"""Write any text so that LaTeX shows it and obeys nothing in it.

    >>> latex_text("50 % of $x_1$ \\input{/etc/passwd} → \u202e")
    '50 \\% of \\$x\\_1\\$ \\textbackslash{}input\\{/etc/passwd\\} $\\rightarrow$ \\texttt{U+202E}'
    """
    return "".join(_LATEX.get(sign) or (sign if _is_plain(sign) else rf"\texttt{{U+{ord(sign):04X}}}") for sign in text)


def _is_plain(sign: str) -> bool:
    """Whether the fonts of every installation have it: printable ASCII and letters of Latin-1."""
    return " " <= sign <= "~" or ("\xc0" <= sign <= "\xff")


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Leave out a column of empty buckets."""
    empty = "bucket" in frame and len(frame) and (frame["bucket"].astype(object) == "").all()
    return frame.drop(columns="bucket") if empty else frame


def html_table(frame: pd.DataFrame) -> str:
    """Write a frame as an HTML table as a report would have it, everything escaped."""
    told = _plain(frame)
    form: Any = {name: _form(str(name), told[name]) for name in told if told[name].dtype.kind == "f"}
    numbered = told.index.names == [None] and told.index.dtype.kind in "iu"
    return told.to_html(index=not numbered, escape=True, max_rows=MOST, formatters=form, border=0)


def _form(name: str, values: pd.Series[Any]) -> Callable[[Any], str]:
    """Whole dollars, other numbers with six digits, flags in words, what is missing as nothing."""
    import pandas as pd

    digits = "{}"
    if values.dtype.kind in "iuf":
        digits = "{:,.0f}" if name.endswith("_usd") else "{:,.6g}" if values.dtype.kind == "f" else "{:,}"
    return lambda value: "" if value is None or pd.isna(value) else digits.format(value)
