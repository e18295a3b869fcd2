"""Formulas as MathML, which browsers draw by themselves: no script, no font, nothing from the network."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util import logging

SPELT = {r"\{": r"\lbrace ", r"\}": r"\rbrace ", r"\_": "_"}  # which the converter knows by these names
LOG = logging.getLogger(__name__)


def _inline(writer: Any, node: nodes.math) -> None:
    writer.body.append(_converted(node.astext(), node, "inline"))
    raise nodes.SkipNode


def _block(writer: Any, node: nodes.math_block) -> None:
    writer.body.append(writer.starttag(node, "div", CLASS="math-block"))
    for formula in _lines(node.astext().strip()):
        writer.body.append(_converted(formula, node, "block"))
    writer.body.append("</div>\n")
    raise nodes.SkipNode


def _lines(told: str) -> list[str]:
    r"""Give the formulas of a block: a blank line begins another, and so does ``\\`` outside of a matrix."""
    blocks = re.split(r"\n\s*\n", told)
    rows = [row for one in blocks for row in ([one] if "\\begin" in one else re.split(r"\\\\", one.replace("&", "")))]
    return [row for row in rows if row.strip()]


def _converted(formula: str, node: nodes.Node, display: str) -> str:
    for latex, plain in SPELT.items():
        formula = formula.replace(latex, plain)
    told = convert(formula, display=display)
    if "\\" in told or "<mi>&</mi>" in told:
        LOG.warning("this formula cannot be written as MathML: %s", formula, location=node)
    return str(told)


def setup(app: Sphinx) -> dict[str, bool]:
    """Offer the renderer ``mathml``."""
    app.add_html_math_renderer("mathml", inline_renderers=(_inline, None), block_renderers=(_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
