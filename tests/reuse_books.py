"""Books for the reuse tests: made from rows and backing at prices of 1, and drawn at random in every shape."""

import pandas as pd
from hypothesis import strategies as st

import riskgraph as rg

__all__ = ["KINDS", "METHODS_ROWS", "PROTOCOLS", "book", "books", "measures", "methods_book", "plain", "snapshot"]


def book(rows, kinds, backing, families=None, protocols=()):
    """A snapshot at prices of 1: (account, protocol, asset, side, usd) and (token, behind, share, issuer)."""
    families = families or {}
    tables = {}
    if backing:
        tables["backing"] = pd.DataFrame(backing, columns=["token", "backed_by", "share", "issuer"])
    if protocols:
        tables["protocols"] = pd.DataFrame({"protocol": protocols})
    return rg.Snapshot(
        positions=pd.DataFrame(rows, columns=["account", "protocol", "asset", "side", "amount"]),
        assets=pd.DataFrame(
            {
                "asset": list(kinds),
                "price": 1.0,
                "kind": list(kinds.values()),
                "family": [families.get(asset, asset) for asset in kinds],
            }
        ),
        **tables,
    )


def measures(reuse, base):
    return reuse.multipliers.loc[base, ["gross", "rehypothecated", "looped", "unique"]].tolist()


METHODS_KINDS = {"ETH": "base", "wstETH": "staked", "aETH": "receipt"}
METHODS_BACKING = [("wstETH", "ETH", 1.0, ""), ("aETH", "ETH", 1.0, "lend")]
METHODS_FAMILIES = dict.fromkeys(METHODS_KINDS, "ETH")
METHODS_ROWS = [
    ("A", "lend", "wstETH", "collateral", 150.0),
    ("A", "lend", "ETH", "debt", 50.0),
    ("B", "lend", "ETH", "collateral", 30.0),
    ("B", "other", "aETH", "collateral", 30.0),
]


def methods_book(rows=METHODS_ROWS):
    return book(rows, METHODS_KINDS, METHODS_BACKING, METHODS_FAMILIES)


KINDS = {
    "b1": "base", "b2": "base", "s": "staked", "r": "receipt", "rr": "receipt", "lp": "lp", "d": "debt_backed",
    "x": "staked", "y": "receipt", "REST": "basket",
}  # fmt: skip
PROTOCOLS = ("p1", "p2", "p3")
quarter = st.sampled_from([0.25, 0.5, 0.75, 1.0])
issuer = st.sampled_from(["", *PROTOCOLS])


@st.composite
def books(draw):
    """Rows, families and backing of every shape: chains, partial shares, LP tokens, a loop, a protocol behind."""
    backing = [("s", draw(st.sampled_from(["b1", "b2"])), draw(quarter), "")]
    backing.append(("r", draw(st.sampled_from(["b1", "s"])), draw(quarter), draw(issuer)))
    backing.append(("rr", draw(st.sampled_from(["b1", "s", "r"])), draw(quarter), draw(issuer)))
    pool = draw(issuer)
    backing += [
        ("lp", "b1", 0.5, pool),
        ("lp", draw(st.sampled_from(["b2", "s"])), draw(st.sampled_from([0.25, 0.5])), pool),
    ]
    backing.append(("d", draw(st.sampled_from(["b2", "p3"])), draw(quarter), draw(issuer)))
    turn = draw(issuer)
    backing += [("x", "b1", 0.5, ""), ("x", "y", 0.5, ""), ("y", "x", 0.5, turn), ("y", "b2", 0.25, turn)]
    cells = st.tuples(
        st.sampled_from(["A", "B", "C"]),
        st.sampled_from(PROTOCOLS),
        st.sampled_from(list(KINDS)),
        st.sampled_from(["collateral", "collateral", "deposit", "deposit", "debt", "wallet"]),
    )
    amounts = draw(st.dictionaries(cells, st.integers(1, 1000), min_size=3, max_size=24))
    rows = {}
    for (account, protocol, asset, side), amount in amounts.items():
        rows[account, "" if side == "wallet" else protocol, asset, side] = float(amount)
    families = {asset: draw(st.sampled_from(["F", asset])) for asset in ("b1", "b2")}
    return [(*key, usd) for key, usd in rows.items()], families, backing


def plain(families, backing):
    """The same, as the oracle takes it; an asset's family matters for its bases only."""
    links, issuers = {}, {}
    for token, behind, share, by in backing:
        links.setdefault(token, []).append((behind, share))
        issuers[token] = by or None
    return families, links, issuers


def snapshot(rows, families, backing):
    own = {asset: families.get(asset, asset) for asset in KINDS}
    links = list(backing)
    if own["b1"] == own["b2"] == "F":  # the second base would be backed by the first: say that nothing is
        links.append(("b2", "b1", 0.0, ""))
    return book(rows, KINDS, links, own, list(PROTOCOLS))
