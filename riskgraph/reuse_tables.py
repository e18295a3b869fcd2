"""Measures of collateral reuse as frames, with labels: the border on the way out (METHODS 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Floats, Ints, Labels
from riskgraph.reuse_matching import sums
from riskgraph.reuse_measures import Measures, placed_by
from riskgraph.reuse_paths import chains_of, overlaps
from riskgraph.snapshot.backing import loop_gains
from riskgraph.snapshot.schema import SIDES

if TYPE_CHECKING:
    import pandas as pd

    from riskgraph.snapshot.snapshot import Snapshot

__all__ = [
    "chains_frame",
    "insolvent_frame",
    "largest_first",
    "looping_frame",
    "loops_frame",
    "multipliers_frame",
    "overlap_frame",
    "unmatched_frame",
    "untold",
]

THIN = 0.01  # a multiplier on less unique collateral than this share of gross says nothing


def named(snap: Snapshot, domain: str) -> Labels:
    """Labels of one space as an array."""
    labels: Labels = np.asarray(snap.labels(domain).to_numpy(zero_copy_only=False), dtype=object)
    return labels


def behind(snap: Snapshot, nodes: Ints) -> Labels:
    """Labels of what stands behind tokens: assets as they are, protocols as ``protocol:…``, -1 as nothing."""
    protocols = np.array([f"protocol:{name}" for name in named(snap, "protocol")], dtype=object)
    return np.concatenate([named(snap, "asset"), protocols, np.array([""], dtype=object)])[nodes]


def untold(gross: Floats, unique: Floats, insolvent: Floats) -> Labels:
    """Why a multiplier is not told, "" where it is."""
    thin = np.where(gross > 0.0, unique < THIN * gross, False)
    words = [f"unique collateral is under {THIN:.0%} of gross", "insolvent accounts hold over half"]
    reasons: Labels = np.select([insolvent > gross, thin], [words[1], words[0]], default="").astype(object)
    return reasons


def largest_first(values: Floats) -> Ints:
    """Order that puts the largest value first and leaves equal ones as they come.

    >>> largest_first(np.array([0.0, 2.0, 1.0, 2.0, 0.0])).tolist()
    [1, 3, 2, 0, 4]
    """
    from riskgraph.reuse_kernel import descending

    if len(values) and values.min() < 0.0:
        return np.asarray(descending(values))
    above = np.flatnonzero(values)  # many are 0
    return np.concatenate([above[descending(values[above])], np.flatnonzero(values == 0.0)])


def multipliers_frame(snap: Snapshot, measures: Measures) -> pd.DataFrame:
    """G, H, B, U and G ÷ U by base; see :class:`riskgraph.reuse.CollateralReuse`."""
    import pandas as pd

    names, gross = snap.families.names, measures.gross
    unique = measures.unique
    reason = untold(gross, unique, measures.insolvent)
    frame = pd.DataFrame(
        {
            "family": [names[group] if group < len(names) else "" for group in measures.tracing.group],
            "gross": gross,
            "rehypothecated": measures.rehypothecated,
            "looped": measures.looped,
            "unique": unique,
            "multiplier": np.divide(
                gross, unique, out=np.full(len(gross), np.nan), where=(reason == "") & (unique > 0.0)
            ),
            "insolvent": measures.insolvent,
            "reason": reason,
        },
        index=pd.Index(behind(snap, measures.tracing.ends), name="asset"),
    )
    # Ends are in the order of labels, so that a stable sort leaves ties by label.
    frame = frame[(frame["gross"] > 0.0) | (frame["insolvent"] > 0.0)]
    return frame.iloc[np.argsort(-frame["gross"].to_numpy(), kind="stable")]


def insolvent_frame(snap: Snapshot, measures: Measures) -> pd.DataFrame:
    """Accounts with E ≤ 0 that post something."""
    import pandas as pd

    equity, posted, debt = measures.worth.equity, measures.account_posted, measures.account_debt
    at = np.flatnonzero((equity <= 0.0) & (posted > 0.0))
    at = at[np.argsort(-posted[at], kind="stable")]
    index = pd.Index(snap.labels("account").take(at).to_numpy(zero_copy_only=False), name="account", dtype=object)
    return pd.DataFrame({"equity_usd": equity[at], "posted_usd": posted[at], "debt_usd": debt[at]}, index=index)


def unmatched_frame(snap: Snapshot, measures: Measures) -> pd.DataFrame:
    """Tokens of second use whose deposits are not all here."""
    import pandas as pd

    m = measures.matching
    at = np.flatnonzero(m.unmatched_usd > 0.0)
    at = at[np.argsort(-m.unmatched_usd[at], kind="stable")]
    return pd.DataFrame(
        {
            "token": named(snap, "asset")[m.token[at]],
            "behind": behind(snap, m.behind[at]),
            "issuer": np.append(named(snap, "protocol"), "")[m.issuer[at]],
            "claims_usd": m.claims_usd[at],
            "deposits_usd": m.deposits_usd[at],
            "matched": m.matched[at],
            "unmatched_usd": m.unmatched_usd[at],
        }
    )


def loops_frame(snap: Snapshot, measures: Measures) -> pd.DataFrame:
    """Loops of backing with their gain."""
    import pandas as pd

    names = named(snap, "asset")
    posted, back = sums(snap.book.pair_asset, measures.of_pair, len(names)), measures.tracing.returning
    found = [
        (", ".join(names[tokens]), gain, float(back[tokens].max()), float(posted[tokens].sum()))
        for tokens, gain in loop_gains(measures.tracing.links)
    ]
    frame = pd.DataFrame(found, columns=["tokens", "gain", "comes_back", "posted_usd"])
    return frame.sort_values(["gain", "tokens"], ascending=[False, True], ignore_index=True)


def looping_frame(snap: Snapshot, measures: Measures) -> pd.DataFrame:
    """Debt-financed share of every solvent account with debt, and its leverage in every family it holds."""
    import pandas as pd

    cells, posted, debt = measures.cells, measures.account_posted, measures.account_debt
    keep = np.flatnonzero((debt[cells.account] > 0.0) & (cells.gross > 0.0))
    looped = cells.looped
    keep = keep[largest_first(looped[keep])]
    account, usd, owed = cells.account[keep], cells.gross[keep], cells.debt[keep]
    whole, due = posted[account], debt[account]
    families = pd.Index([*snap.families.names, *(f"protocol:{name}" for name in named(snap, "protocol"))], dtype="str")
    return pd.DataFrame(
        {
            "account": pd.Categorical.from_codes(account, dtype=snap.categories["account"]),
            "family": pd.Categorical.from_codes(cells.family[keep], categories=families),
            "posted_usd": whole,
            "debt_usd": due,
            "debt_financed_share": np.minimum(due, whole) / whole,
            "family_usd": usd,
            "family_debt_usd": owed,
            "looped_usd": looped[keep],
            "leverage": np.divide(usd, usd - owed, out=np.full(len(usd), np.nan), where=usd > owed),
        },
        copy=False,
    )


def chains_frame(snap: Snapshot, measures: Measures, top: int, links: int, budget: int) -> pd.DataFrame:
    """Paths base → wrapper → … → row by USD carried; ``attrs["cut"]`` says what cut the list."""
    import pandas as pd

    token, protocol, side, usd, accounts = _places(snap, measures)
    families, protocols, n = snap.families, named(snap, "protocol"), len(snap.families.kind)
    ends = set(measures.tracing.ends.tolist())
    found, cut = chains_of(families.shares, ends, token, usd, top, links, budget)
    rows, labels = [], []
    for chain in found:
        nodes, at = chain.nodes[::-1], chain.place
        names = behind(snap, np.array(nodes)).tolist()
        issuers = [protocols[families.issuer[node]] for node in nodes if node < n and families.issuer[node] >= 0]
        where = (names[-1], protocols[protocol[at]], SIDES[side[at]])
        labels.append((*names, f"{where[2]} at {where[1]}"))
        path = " → ".join(labels[-1])
        rows.append((path, chain.usd, len(nodes) - 1, names[0], *where, " → ".join(issuers), int(accounts[at])))
    columns = ["path", "usd", "links", "base", "token", "protocol", "side", "issuers", "accounts"]
    frame = pd.DataFrame(rows, columns=columns)
    frame.attrs["cut"] = cut
    frame.attrs["labels"] = tuple(labels)  # of each path: a label may itself hold an arrow
    return frame


def _places(snap: Snapshot, measures: Measures) -> tuple[Ints, Ints, Ints, Floats, Ints]:
    """Token × protocol × side of all rows that count: USD, and number of accounts."""
    book, rows = snap.book, np.flatnonzero(measures.use == 1)
    n_protocols, n_sides, n_accounts = len(snap.labels("protocol")), len(SIDES), len(measures.account_posted)
    keys = (book.asset[rows].astype(np.int64) * n_protocols + book.protocol[rows]) * n_sides + book.side[rows]
    unique, at = np.unique(keys, return_inverse=True)
    size = len(unique)
    usd = sums(at, book.usd[rows], size)
    holders = np.unique(at * n_accounts + book.account[rows]) // n_accounts  # an account once, whatever its buckets
    place = unique // n_sides
    return place // n_protocols, place % n_protocols, unique % n_sides, usd, np.bincount(holders, minlength=size)


def overlap_frame(snap: Snapshot, measures: Measures) -> pd.DataFrame:
    """Compare what rests on every asset at every two protocols."""
    import pandas as pd

    book = snap.book
    rows = (book.account, book.protocol, book.asset, book.usd)
    placed = placed_by(snap, measures.of_pair)
    common = overlaps(measures.tracing.passing, placed, snap.families.family, rows, measures.use)
    order = largest_first(common.overlap_usd)  # pairs come by asset and protocols
    labels = {"asset": (common.asset, "asset"), "protocol_a": (common.first, "protocol")}
    labels["protocol_b"] = (common.second, "protocol")
    return pd.DataFrame(
        {
            **{
                name: pd.Categorical.from_codes(codes[order], dtype=snap.categories[domain])
                for name, (codes, domain) in labels.items()
            },
            "overlap_usd": common.overlap_usd[order],
            "wallets": common.wallets[order],
            "wallets_usd": common.wallets_usd[order],
        },
        copy=False,
    )
