"""The report as one offline HTML page: escaped, with a policy that lets nothing else run or load."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from riskgraph.provenance import VERSION
from riskgraph.showing import html_table
from riskgraph.view.figures.saving import picture_bytes
from riskgraph.view.page import safe_json
from riskgraph.view.report.content import SIZE, Content

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["html_page"]

ALIGNED = ' style="text-align: right;"'  # that pandas writes; the page's policy lets no style stand in an element
INLINE_BYTES = 2_000_000  # a larger map is not put into the page


@cache
def asset(name: str) -> str:
    """Text of a template or style that comes with the package."""
    return (resources.files("riskgraph.view.report") / name).read_text(encoding="utf-8").replace("\r\n", "\n")


def html_page(content: Content, snapshot: str) -> str:
    """Write the page; ``snapshot`` is where the data lie, seen from the page."""
    from jinja2 import Environment
    from markupsafe import Markup

    style, whole_map = asset("report.css"), content.drawn.html
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    # The map in its frame brings a policy of its own; this one must let it be written here and run there.
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'{_hashes(whole_map, 'style')}; script-src"
        f"{_hashes(whole_map, 'script')}; img-src data:; frame-src 'self'; base-uri 'none'; form-action 'none'"
    )
    tables = {t.caption: Markup(_table(t.frame.head(t.rows))) for s in content.sections for t in s.tables}
    pictures = {
        p.name: base64.b64encode(picture_bytes(p.draw, "svg", SIZE)).decode()
        for s in content.sections
        for p in s.pictures
    }
    told: dict[str, Any] = {
        "title": content.title, "author": content.author, "version": VERSION, "digest": content.digest,
        "snapshot": snapshot, "shocks": list(content.shocks), "figures": content.figures,
    }  # fmt: skip
    template = Environment(autoescape=True, keep_trailing_newline=True).from_string(asset("report.html.jinja"))
    return template.render(
        content=content, csp=policy, style=Markup(style), version=VERSION, tables=tables, pictures=pictures,
        data=Markup(safe_json(told)),
        map=Markup(html.escape(whole_map)) if len(whole_map) <= INLINE_BYTES else "",
    )  # fmt: skip


def _table(frame: pd.DataFrame) -> str:
    """Write a table whose words stand at the left of their column, head and all, and whose numbers at the right."""
    from pandas.api.types import is_numeric_dtype

    text = html_table(frame).replace(ALIGNED, "")
    beside = text.count("<th>", 0, text.index("</tr>")) - len(frame.columns)  # the index, where it is shown
    words = [at + beside for at, name in enumerate(frame.columns) if not is_numeric_dtype(frame[name].dtype)]

    def marked(row: re.Match[str]) -> str:
        cells = re.split(r"(?=<t[hd]>)", row[0])
        for at in words:
            if at + 1 < len(cells):
                cells[at + 1] = cells[at + 1].replace(">", ' class="words">', 1)
        return "".join(cells)

    return re.sub(r"<tr>.*?</tr>", marked, text, flags=re.DOTALL)


def _hashes(page: str, tag: str) -> str:
    """Hashes of what a page runs or styles itself with, as its own policy names them."""
    policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1])  # type: ignore[index]
    found = re.search(rf"{tag}-src ([^;]*)", policy)
    return f" {found[1]}" if found else " 'none'"
