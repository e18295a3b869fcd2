"""The page: data as JSON with typed arrays in base64, scripts and styles joined, a policy that allows nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from riskgraph.arrays import Floats
from riskgraph.graph.exposure import KINDS
from riskgraph.provenance import VERSION
from riskgraph.view.drawing import BUDGET, Drawing
from riskgraph.view.facts import Facts
from riskgraph.view.scores import COLUMNS
from riskgraph.view.stories import STATES, Story
from riskgraph.view.style import KIND_COLOURS, SHAPES, STATE_COLOURS, UNRANKED_COLOUR, encodable, money, written

__all__ = ["SCRIPTS", "joined_script", "map_page", "safe_json"]

# In this order: each uses only names of those before it.
SCRIPTS = (
    "format.js", "data.js", "chains.js", "walk.js", "scene.js", "camera.js", "gl.js", "canvas.js", "paint.js",
    "labels.js", "legend.js", "story.js", "panel.js", "search.js", "controls.js", "rows.js", "table.js", "svg.js",
    "export.js", "pointer.js", "main.js",
)  # fmt: skip
TABLE_ROWS = 100  # nodes listed where scripts are switched off


def map_page(drawing: Drawing, title: str, facts: Facts) -> str:
    """Write the whole page: one file, no request, the same bytes for the same drawing."""
    from jinja2 import Environment
    from markupsafe import Markup

    style, script = _asset("style.css"), joined_script()
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    # Whatever is not our own markup here is escaped by the template.
    ours = {
        "csp": policy,
        "style": style,
        "script": script,
        "table": _table(drawing),
        "data": safe_json(_payload(drawing, facts)),
    }
    template = Environment(autoescape=True, keep_trailing_newline=True).from_string(_asset("page.jinja"))
    return template.render(
        title=encodable(title),
        headline=drawing.headline(),
        source=_source(drawing, facts),
        **{name: Markup(text) for name, text in ours.items()},
    )


def _source(drawing: Drawing, facts: Facts) -> str:
    """Say of what moment the data are, and which data."""
    moment = f"data of {facts.as_of}, " if facts.as_of else "data "
    return f"{moment}digest {drawing.digest[:16]}" if drawing.digest else "data without digest"


def safe_json(value: Any) -> str:
    r"""JSON that no HTML or script parser can mistake for anything else.

    >>> safe_json(["</script>", "a&b"])
    '["\\u003c/script\\u003e","a\\u0026b"]'
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # A lone surrogate cannot be written as UTF-8; it can only stand inside a string.
    return re.sub("[\ud800-\udfff<>&\u2028\u2029\ufeff]", lambda m: f"\\u{ord(m[0]):04x}", text)


@cache
def joined_script() -> str:
    """All scripts as one: the modules in order, without imports, export words and comments on lines of their own."""
    bodies = []
    for name in SCRIPTS:
        text = re.sub(r"^[ ]*(?:/\*\*(?:(?!\*/).)*\*/|//[^\n]*)\n", "", _asset(name), flags=re.MULTILINE | re.DOTALL)
        text = re.sub(r"\n{3,}", "\n\n", re.sub(r"^import [^;]*;\n", "", text, flags=re.MULTILINE))
        bodies.append(re.sub(r"^export ", "", text, flags=re.MULTILINE).strip())
    return '"use strict";\n(() => {\n' + "\n\n".join(bodies) + "\n})();\n"


@cache
def _asset(name: str) -> str:
    return (resources.files("riskgraph.view") / "map" / name).read_text(encoding="utf-8").replace("\r\n", "\n")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _packed(values: Any, dtype: str) -> str:
    """Little-endian bytes in base64."""
    return base64.b64encode(np.ascontiguousarray(values, dtype=np.dtype(dtype).newbyteorder("<")).tobytes()).decode()


def _payload(drawing: Drawing, facts: Facts) -> dict[str, Any]:
    layout = drawing.layout
    return {
        "version": VERSION,
        "digest": drawing.digest,
        "labels": [str(label) for label in drawing.labels],
        "kinds": list(KINDS),
        "shapes": list(SHAPES),
        "kindColours": list(KIND_COLOURS),
        "unrankedColour": UNRANKED_COLOUR,
        "budget": BUDGET,
        "numberType": _number_type(drawing),
        "notes": [*drawing.notes, *facts.notes],
        "total": {"exposures": drawing.total_exposures, "usd": drawing.total_usd, "leftOut": drawing.left_out},
        "nodes": {
            "kind": _packed(drawing.kind, "u1"),
            "x": _packed(layout.x, "f4"),
            "y": _packed(layout.y, "f4"),
            "radius": _packed(layout.radius, "f4"),
            "disc": _packed(layout.disc[layout.hub], "f4"),
            "home": _packed(layout.home, "i4"),
            "flags": _packed(layout.hub * 1 + layout.grouped * 2 + drawing.assumed * 4, "u1"),
            "size": _packed(drawing.size, "f8"),
            "capital": _packed(drawing.capital, "f8"),
            "debt": _packed(drawing.debt, "f8"),
        },
        "edges": _edges(drawing),
        "ranking": _ranking(drawing),
        "asOf": facts.as_of,
        "scores": {name: _known(values, _number_type(drawing)) for name, values in sorted(facts.scores.items())},
        "chains": list(facts.chains),
        "states": {"names": list(STATES), "colours": list(STATE_COLOURS)},
        "stories": [_story(story, _number_type(drawing)) for story in facts.stories],
    }


def _known(values: Floats, number: str) -> dict[str, str]:
    """Scores of the nodes that have one; the numbers of the nodes only where not every node has."""
    at = np.flatnonzero(np.isfinite(values))
    return {"node": "" if len(at) == len(values) else _packed(at, number), "value": _packed(values[at], "f4")}


def _story(story: Story, number: str) -> dict[str, Any]:
    return {
        "kind": story.kind,
        "name": story.name,
        "frames": [{"label": label, "figures": [list(pair) for pair in figures]} for label, figures in story.frames],
        "node": _packed(story.node, number),
        "frame": _packed(story.frame, "u2"),
        "state": _packed(story.state, "u1"),
        "why": [list(row) for row in story.why],
    }


def _number_type(drawing: Drawing) -> str:
    """Two bytes for the number of a node where they are enough: exposures are most of a large page."""
    return "u2" if len(drawing.labels) <= 2**16 else "u4"


def _edges(drawing: Drawing) -> dict[str, str]:
    """Exposures, the largest first."""
    coo = drawing.exposures.tocoo()
    order = np.lexsort((coo.col, coo.row, -coo.data))
    number = _number_type(drawing)
    return {
        "from": _packed(coo.row[order], number),
        "to": _packed(coo.col[order], number),
        "usd": _packed(coo.data[order], "f4"),
    }


def _ranking(drawing: Drawing) -> dict[str, Any] | None:
    scores, classes = drawing.scores, drawing.classes
    if scores is None or classes is None:
        return None
    ranked = np.flatnonzero(np.isfinite(scores.by_column["contagion"]))
    return {
        "name": scores.name,
        "column": scores.colour,
        "basis": scores.basis,
        "colours": list(classes.colours),
        "low": classes.low.tolist(),
        "high": classes.high.tolist(),
        "counts": classes.counts.tolist(),
        "rule": classes.rule,
        "types": dict(COLUMNS),
        "classes": _packed(classes.codes, "u1"),
        "node": _packed(ranked, _number_type(drawing)),
        **{name: _packed(scores.by_column[name][ranked], dtype) for name, dtype in COLUMNS.items()},
    }


def _table(drawing: Drawing) -> str:
    """List the largest nodes as a table, for readers without scripts."""
    rows = [
        f"<tr><td><bdi>{written(str(drawing.labels[i]))}</bdi></td><td>{KINDS[drawing.kind[i]]}</td>"
        f"<td>{money(drawing.size[i])}</td><td>{money(drawing.debt[i])}</td></tr>"
        for i in range(min(TABLE_ROWS, len(drawing.labels)))
    ]
    head = "<tr><th>node</th><th>kind</th><th>exposure</th><th>debt</th></tr>"
    return f"<table><caption>The {len(rows)} largest nodes</caption>{head}{''.join(rows)}</table>"
