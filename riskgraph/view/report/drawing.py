"""Pictures of a report as files: the same bytes for the same content."""

from __future__ import annotations

import io

from riskgraph.view.report.content import Picture

__all__ = ["drawn"]

WIDE, HIGH = 5.2, 3.4  # inches


def drawn(picture: Picture, form: str) -> bytes:
    """Draw a picture as ``svg`` or ``pdf``; no window is opened and no date stands in it."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"svg.hashsalt": "riskgraph", "svg.fonttype": "path", "pdf.fonttype": 42}):
        figure = Figure(figsize=(WIDE, HIGH), layout="constrained")
        picture.draw(figure.subplots())
        page = io.BytesIO()
        dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
        figure.savefig(page, format=form, metadata=dates[form], bbox_inches="tight")
    return page.getvalue()
