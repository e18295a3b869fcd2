"""Measures of collateral reuse as frames, with labels: the border on the way out (METHODS 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from riskgraph.arrays import Floats, Ints, Labels
from riskgraph.reuse_matching import cells_of, sums
from riskgraph.reuse_measures import Measures, by_end
from riskgraph.reuse_paths import chains_of, leaning, overlaps
from riskgraph.snapshot.backing import loop_gains
from riskgraph.snapshot.schema import SIDES

if TYPE_CHECKING:
    import pandas as pd

    from riskgraph.contagion.ranking import Ranking
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = [
    "chains_frame",
    "hotspots_frame",
    "insolvent_frame",
    "looping_frame",
    "loops_frame",
    "multipliers_frame",
    "overlap_frame",
    "reused_usd",
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

    book, equity = snap.book, measures.equity
    posted = book.by_account(book.usd, book.rows("collateral", "deposit"), len(equity))
    debt = book.by_account(book.usd, book.rows("debt"), len(equity))
    at = np.flatnonzero((equity <= 0.0) & (posted > 0.0))
    at = at[np.argsort(-posted[at], kind="stable")]
    index = pd.Index(named(snap, "account")[at], name="account")
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

    names, rows = named(snap, "asset"), measures.rows
    posted = sums(snap.book.asset[rows], snap.book.usd[rows], len(names))
    found = [
        (", ".join(names[tokens]), gain, float(posted[tokens].sum()))
        for tokens, gain in loop_gains(measures.tracing.links)
    ]
    frame = pd.DataFrame(found, columns=["tokens", "gain", "posted_usd"])
    return frame.sort_values(["gain", "tokens"], ascending=[False, True], ignore_index=True)


def looping_frame(snap: Snapshot, measures: Measures) -> pd.DataFrame:
    """Debt-financed share of every solvent account with debt, and its leverage in every family it holds."""
    import pandas as pd

    book, n = snap.book, len(measures.equity)
    posted = book.by_account(book.usd, book.rows("collateral", "deposit"), n)
    debt = book.by_account(book.usd, book.rows("debt"), n)
    cells = sparse.coo_array(measures.account_gross)
    keep = (debt[cells.row] > 0.0) & (cells.data > 0.0)
    account, family, usd = cells.row[keep], cells.col[keep], cells.data[keep]
    owed, looped = (cells_of(part, account, family) for part in (measures.account_debt, measures.account_looped))
    order = np.lexsort((family, account, -looped))
    account, family = account[order], family[order]
    usd, owed, looped = usd[order], owed[order], looped[order]
    protocols = [f"protocol:{name}" for name in named(snap, "protocol")]
    return pd.DataFrame(
        {
            "account": named(snap, "account")[account],
            "family": np.array([*snap.families.names, *protocols], dtype=object)[family],
            "posted_usd": posted[account],
            "debt_usd": debt[account],
            "debt_financed_share": np.minimum(debt, posted)[account] / posted[account],
            "family_usd": usd,
            "family_debt_usd": owed,
            "looped_usd": looped,
            "leverage": np.divide(usd, usd - owed, out=np.full(len(usd), np.nan), where=usd > owed),
        }
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
    book, rows = snap.book, measures.rows
    n_protocols, n_sides, n_accounts = len(snap.labels("protocol")), len(SIDES), len(measures.equity)
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

    book, rows = snap.book, measures.rows
    columns = (book.account[rows], book.protocol[rows], book.asset[rows], book.usd[rows])
    common = overlaps(*leaning(measures.tracing.passing, *columns))
    order = np.lexsort((common.second, common.first, common.asset, -common.overlap_usd))
    protocols = named(snap, "protocol")
    return pd.DataFrame(
        {
            "asset": named(snap, "asset")[common.asset[order]],
            "protocol_a": protocols[common.first[order]],
            "protocol_b": protocols[common.second[order]],
            "overlap_usd": common.overlap_usd[order],
            "wallets": common.wallets[order],
            "wallets_usd": common.wallets_usd[order],
        }
    )


def reused_usd(snap: Snapshot, measures: Measures) -> dict[str, Floats]:
    """Reused USD in the order of labels: ``asset``, ``protocol``, ``account``; ``end``: of every end of tracing."""
    book = snap.book
    of_rows = {
        name: sums(codes[measures.rows], measures.reused_row, len(snap.labels(name)))
        for name, codes in (("asset", book.asset), ("protocol", book.protocol), ("account", book.account))
    }
    on_assets, on_ends = by_end(measures, of_rows["asset"])
    return {**of_rows, "asset": on_assets, "end": on_ends}


def hotspots_frame(snap: Snapshot, measures: Measures, ranking: Ranking) -> pd.DataFrame:
    """Reused USD × contagion of every asset, protocol and account, ranked within its kind."""
    import pandas as pd

    usd = reused_usd(snap, measures)
    known = ~snap.families.is_kind("basket")
    parts = [
        pd.DataFrame({"kind": kind, "label": named(snap, kind), "reused_usd": usd[kind]})[
            known if kind == "asset" else slice(None)
        ]
        for kind in ("asset", "protocol", "account")
    ]
    frame = pd.concat(parts, ignore_index=True)
    frame.index = pd.Index(frame["kind"] + ":" + frame["label"].astype(object), name="node", dtype=object)
    frame["contagion"] = ranking.to_frame()["contagion"].reindex(frame.index)
    frame["hotspot"] = frame["reused_usd"] * frame["contagion"]
    for name, column in (("rank_reused", "reused_usd"), ("rank_contagion", "contagion"), ("rank", "hotspot")):
        frame[name] = frame.groupby("kind", sort=False)[column].rank(method="min", ascending=False).astype("Int64")
    place = frame["kind"].map({"asset": 0, "protocol": 1, "account": 2}).to_numpy()
    rank = frame["rank"].to_numpy(dtype=np.float64, na_value=np.inf)
    return frame.iloc[np.lexsort((-frame["reused_usd"].to_numpy(), rank, place))]
