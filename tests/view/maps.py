"""Books that maps are drawn of in these tests, and what a page holds, read back from its text."""

import base64
import json
import re
from functools import cache
from html.parser import HTMLParser

import numpy as np
import pandas as pd

import riskgraph as rg
from riskgraph.graph.exposure import KINDS

MARKUP = '</script><img src=x onerror="window.ran=1">\'&amp;<!--'
TURNED = '\u202eturned\u2069\u2066"'  # right-to-left override, a pop too many, an isolate left open
LABELS = {
    "account": [
        MARKUP,
        "__proto__",
        TURNED,
        "0x" + "ab" * 20,
        "<svg onload=window.ran=1>",
        "javascript:window.ran=1",
        "]]><script>window.ran=1</script><![CDATA[",
        '=HYPERLINK("http://example.invalid")',
        "${window.ran=1}",
    ],
    "protocol": [
        f"{MARKUP} p",
        "constructor",
        f"{TURNED}p",
        "%3Cscript%3Ewindow.ran=1%3C/script%3E",
        "</textarea></title>",
    ],
    "asset": [
        f"{MARKUP} a",
        "toString",
        f"{TURNED}a",
        "{{ script }}",
        "<style>*{display:none}</style>",
        "' onmouseover='window.ran=1",
        "<math><mi//xlink:href='data:x,1'>",
    ],
}


def hostile_snapshot(turn=1):
    """A book in which every name attacks the page; ``turn=-1`` gives its rows the other way round."""
    accounts, protocols, assets = LABELS["account"], LABELS["protocol"], LABELS["asset"]
    rows = [
        (
            account,
            protocols[k % len(protocols)],
            assets[(k + side) % len(assets)],
            ("collateral", "debt")[side],
            (10.0 + 3 * k) / (1 + side),
        )
        for k, account in enumerate(accounts)
        for side in (0, 1)
    ]
    positions = pd.DataFrame(rows[::turn], columns=["account", "protocol", "asset", "side", "amount"])
    prices = pd.DataFrame({"asset": assets, "price": [float(at) for at in range(1, len(assets) + 1)]})[::turn]
    return rg.Snapshot(positions=positions, assets=prices)


@cache
def hostile_map():
    graph = rg.exposure_graph(hostile_snapshot())
    return rg.network_map(graph, ranking=rg.contagion_centrality(graph))


@cache
def synthetic(accounts=600):
    """A book with groups: hubs, discs, and a ranking."""
    graph = rg.exposure_graph(rg.datasets.synthetic(accounts=accounts, assets=8, protocols=3, seed=3))
    return graph, rg.contagion_centrality(graph)


@cache
def synthetic_map(accounts=600):
    graph, ranking = synthetic(accounts)
    return rg.network_map(graph, ranking=ranking)


def random_matrix(seed, n=40, links=90):
    """Exposures, capital and labels of a matrix; some nodes stand alone."""
    draw = np.random.default_rng(seed)
    A = np.zeros((n, n))
    A[draw.integers(0, n - 4, links), draw.integers(0, n - 4, links)] = np.exp(draw.normal(0.0, 2.0, links)).round(3)
    np.fill_diagonal(A, 0.0)
    return A, np.round(5.0 + 10.0 * draw.random(n), 3), [f"bank {k}" for k in range(n)]


def bare_name(drawing, i):
    """The label of a node without its kind in front."""
    return str(drawing.labels[i]).removeprefix(KINDS[drawing.kind[i]] + ":")


def data_of(page):
    """The data block of a page, parsed."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


def unpacked(text, dtype):
    return np.frombuffer(base64.b64decode(text), dtype="<" + dtype)


class _Elements(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def elements(page):
    """Every element of a page in order with its attributes, as a parser of HTML sees it."""
    parser = _Elements()
    parser.feed(page)
    parser.close()
    return parser.found
