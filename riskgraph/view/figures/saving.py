"""Pictures as files: the same bytes for the same content."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["picture_bytes"]


def picture_bytes(draw: Callable[[Axes], Any], form: str, size: tuple[float, float]) -> bytes:
    """Draw on new axes and give them as ``png``, ``svg`` or ``pdf``; no window is opened and no date stands in it.

    Examples
    --------
    >>> from riskgraph.view.figures.charts import bars
    >>> draw = lambda ax: bars(["ETH"], [1e6], ax=ax)
    >>> picture_bytes(draw, "svg", (3.0, 2.0)) == picture_bytes(draw, "svg", (3.0, 2.0))
    True
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    # Without a salt the names within an SVG are new each time; fonts of type 42 keep the text of a PDF to be found.
    with (
        rc_context({"svg.hashsalt": "riskgraph", "svg.fonttype": "path", "pdf.fonttype": 42}),
        warnings.catch_warnings(),
    ):
        # A letter that the font has not is drawn as an empty box: it is seen where it stands.
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from font", category=UserWarning)
        figure = Figure(figsize=size, layout="constrained")
        draw(figure.subplots())
        page = io.BytesIO()
        dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
        figure.savefig(page, format=form, dpi=150, metadata=dates.get(form), bbox_inches="tight")
    return page.getvalue()
