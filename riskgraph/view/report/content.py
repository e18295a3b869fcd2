"""What a report says, before it is a page: sections with words, tables and pictures, figures, calls and papers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.errors import InputError
from riskgraph.view.report.formulas import Formula, formulas_of
from riskgraph.view.report.references import Reference, cited_by
from riskgraph.view.style import check_length, money, moves_told
from riskgraph.wording import counted

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from riskgraph.margin.cascade_results import Cascade
    from riskgraph.provenance import Provenance
    from riskgraph.snapshot.snapshot import Snapshot
    from riskgraph.view.network import NetworkMap

__all__ = ["PICTURES", "SIZE", "Content", "Picture", "Section", "Table", "checked_shocks", "content_of"]

PICTURES = ("network", "ranking", "chains", "prices", "losses", "isolation")  # those that a report may have
SIZE = (5.2, 3.4)  # of a picture, inches
FALLS = (-0.10, -0.20, -0.40)
Shock = dict[str, float]


@dataclass(frozen=True, eq=False)
class Table:
    """A table and what stands above it."""

    caption: str
    frame: pd.DataFrame
    rows: int = 12


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture: the name of its file, what stands below it, and how it is drawn on axes."""

    name: str
    caption: str
    draw: Callable[[Axes], Any]


@dataclass(frozen=True, eq=False)
class Section:
    """One part of a report; ``formulas`` are those of the calls that were made."""

    title: str
    words: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    items: tuple[str, ...] = ()
    formulas: tuple[Formula, ...] = ()


@dataclass(frozen=True, eq=False)
class Content:
    """The whole report.

    Attributes
    ----------
    title, author, as_of, digest : str
    shocks : tuple of dict
    figures : dict of str to float
        What ``rebuild`` compares, at full precision.
    headline : tuple of (str, str)
        The few that stand at the top, written for people.
    sections : tuple of Section
    calls : tuple of str
        Provenance of every result that went into it.
    sources : tuple of Reference
        What the docstrings of the calls cite.
    drawn : NetworkMap
        The interactive map.
    """

    title: str
    author: str
    as_of: str
    digest: str
    shocks: tuple[Shock, ...]
    figures: dict[str, float]
    headline: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    calls: tuple[str, ...]
    sources: tuple[Reference, ...]
    drawn: NetworkMap


@dataclass(eq=False)
class _Draft:
    """Sections and figures as they come together."""

    snap: Snapshot
    shocks: tuple[Shock, ...]
    figures: dict[str, float] = field(default_factory=dict)
    sections: list[Section] = field(default_factory=list)
    calls: list[Provenance] = field(default_factory=list)
    used: dict[str, Callable[..., Any]] = field(default_factory=dict)  # public calls that were made, by name

    def use(self, *functions: Callable[..., Any]) -> None:
        """Note calls whose formulas and sources the report gives."""
        self.used |= {one.__name__: one for one in functions}


def checked_shocks(
    snap: Snapshot, shocks: Mapping[str, float] | Sequence[Mapping[str, float]] | None
) -> tuple[Shock, ...]:
    """Shocks that were given, or falls of the asset that most collateral stands on."""
    if shocks is None:
        from riskgraph.view.what_if import fallen_assets

        asset = next(iter(fallen_assets(snap)), None)
        if asset is None:
            raise InputError("shocks: expected at least one, since no collateral stands on any asset of this book")
        return tuple({asset: fall} for fall in FALLS)
    given = [shocks] if isinstance(shocks, Mapping) else list(shocks)
    if not given or not all(isinstance(one, Mapping) and one for one in given):
        raise InputError(f"shocks: expected mappings of assets to moves such as {{'ETH': -0.3}}, got {shocks!r}")
    try:
        told = tuple({str(asset): float(move) for asset, move in one.items()} for one in given)
    except (TypeError, ValueError) as error:
        raise InputError(f"shocks: expected numbers such as -0.3 as moves, got {shocks!r}") from error
    names = [moves_told(shock) for shock in told]  # figures are kept by them
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"shocks: expected each once (moves told by six digits), got twice: {'; '.join(twice)}")
    return told


def content_of(snap: Snapshot, shocks: Any, title: str, author: str) -> Content:
    """Run everything that a report says."""
    for name, text in (("title", title), ("author", author)):
        check_length(name, text)
    draft = _Draft(snap, checked_shocks(snap, shocks))
    cascades = [_played(snap, shock) for shock in draft.shocks]
    _data(draft)
    drawn = _network(draft, cascades)
    _calls(draft)
    _cascades(draft, cascades)
    _isolation(draft)
    _methods(draft)
    figures = {name: float(value) for name, value in draft.figures.items()}
    return Content(
        title, author, str(snap.as_of or ""), snap.digest, draft.shocks, figures, _headline(draft),
        tuple(draft.sections), tuple(dict.fromkeys(map(str, draft.calls))), tuple(cited_by(draft.used.values())), drawn,
    )  # fmt: skip


def _played(snap: Snapshot, shock: Shock) -> Cascade:
    from riskgraph.margin.cascading import liquidation_cascade

    return liquidation_cascade(snap, shock)


def _data(draft: _Draft) -> None:
    from riskgraph.margin.account_health import health

    snap, book = draft.snap, draft.snap.book
    for side in ("collateral", "debt", "deposit", "wallet"):
        draft.figures[f"{side}_usd"] = float(book.usd[book.rows(side)].sum())
    for name in ("account", "protocol", "asset"):
        draft.figures[f"{name}s"] = len(snap.labels(name))
    draft.use(health)
    frame = health(snap)
    draft.figures["liquidatable"] = int(frame["status"].isin(["liquidatable", "insolvent"]).sum())
    owing = frame[np.isfinite(frame["health"])].sort_values("health", kind="stable")
    words = (
        f"{_counted(snap, 'account')} at {_counted(snap, 'protocol')}, {_counted(snap, 'asset')}: "
        f"{money(draft.figures['collateral_usd'])} of collateral against "
        f"{money(draft.figures['debt_usd'])} of debt.",
    )
    weakest = owing[["account", "protocol", "collateral_usd", "debt_usd", "health", "status"]]
    draft.sections.append(
        Section(
            "Data and assumptions",
            words,
            (Table("The weakest margin accounts", weakest),),
            items=tuple(snap.assumptions),
        )
    )


def _counted(snap: Snapshot, domain: str) -> str:
    count = len(snap.labels(domain))
    return counted(count, domain)


def _network(draft: _Draft, cascades: Sequence[Cascade]) -> NetworkMap:
    from riskgraph.contagion.ranking import contagion_centrality
    from riskgraph.graph.book import exposure_graph
    from riskgraph.reuse import collateral_reuse
    from riskgraph.view.figures.networks import network_picture
    from riskgraph.view.network import network_map

    draft.use(exposure_graph, contagion_centrality, collateral_reuse)
    graph = exposure_graph(draft.snap)
    ranking = contagion_centrality(graph)
    reuse = collateral_reuse(draft.snap, ranking=ranking)
    drawn = network_map(draft.snap, ranking=ranking, cascade=list(cascades), reuse=reuse)
    draft.figures["spectral_radius"] = ranking.spectral_radius
    kinds = list(dict.fromkeys(ranking.to_frame()["kind"]))
    columns = ["rank", "contagion", "loss_usd", "first_round_usd", "total_debt_usd"]
    for kind in kinds:
        first = ranking.top(kind, 1)
        draft.figures[f"contagion of {first.index[0]}"] = float(first["contagion"].iloc[0])
    tables = tuple(Table(f"Contagion centrality: {kind}s", ranking.top(kind, 8)[columns]) for kind in kinds)
    layout = drawn.drawing
    how = "Assets are diamonds, protocols squares, accounts circles; area is exposure, colour contagion."
    network = Picture("network", how, lambda ax: network_picture(layout, ax))
    shares = "Share of all value that each one's fall or wipe-out destroys elsewhere."
    draft.sections += [
        Section("The network", (layout.headline() + ".",), pictures=(network,)),
        Section("Who matters", tuple(ranking.notes), tables, (Picture("ranking", shares, ranking.plot),)),
    ]
    totals = dict(reuse.totals)
    draft.figures |= {f"reuse_{name}": totals[name] for name in ("gross", "rehypothecated", "looped", "unique")}
    hot = reuse.hotspots.groupby("kind", sort=False).head(4)[["reused_usd", "contagion", "hotspot", "rank"]]
    parts = [
        Table("Collateral by what stands behind it", reuse.multipliers.drop(columns=["insolvent", "reason"])),
        Table("Hotspots", hot),
    ]
    chains = reuse.chains(12)
    pictures = (
        Picture("chains", "Chains of reuse, from base assets to where they are posted.", lambda ax: reuse.plot(ax)),
    )
    draft.sections.append(
        Section("Collateral reuse", tuple(reuse.notes), tuple(parts), pictures if len(chains) else ())
    )
    draft.calls += [one.provenance for one in (graph, ranking, reuse) if one.provenance is not None]
    return drawn


def _calls(draft: _Draft) -> None:
    from riskgraph.margin.moment_calls import margin_calls

    draft.use(margin_calls)
    tables, words = [], []
    for shock in draft.shocks:
        calls = margin_calls(draft.snap, shock)
        draft.calls.append(calls.provenance)
        words.append(f"{moves_told(shock)}: {calls.summary()}")
        draft.figures[f"calls required, {moves_told(shock)}"] = float(calls.calls["required_usd"].sum())
        if len(calls.calls):
            columns = ["account", "protocol", "required_usd", "paid_usd", "unmet_usd"]
            tables.append(
                Table(
                    f"Margin calls, {moves_told(shock)}",
                    calls.calls[columns].sort_values("required_usd", ascending=False, kind="stable"),
                )
            )
    draft.sections.append(Section("Margin calls", tuple(words), tuple(tables)))


def _cascades(draft: _Draft, cascades: Sequence[Cascade]) -> None:
    import pandas as pd

    from riskgraph.margin.cascading import liquidation_cascade

    draft.use(liquidation_cascade)
    rows = []
    for shock, cascade in zip(draft.shocks, cascades, strict=True):
        row = {
            "loss_usd": cascade.loss_usd,
            "bad_debt_usd": cascade.bad_debt_usd,
            "uncovered_usd": cascade.uncovered_usd,
            "liquidated": int((cascade.accounts["seized_usd"] > 0.0).sum()),
            "rounds": cascade.n_rounds,
            "amplification": cascade.amplification,
        }
        draft.figures |= {f"{name}, {moves_told(shock)}": float(value) for name, value in row.items()}
        draft.calls.append(cascade.provenance)
        rows.append({"shock": moves_told(shock), **row})
    worst = max(range(len(cascades)), key=lambda at: cascades[at].loss_usd)
    cascade, name = cascades[worst], moves_told(draft.shocks[worst])
    pictures = [Picture("prices", f"Prices after {name}.", lambda ax: cascade.plot(ax))]
    if len(cascade.losses):
        pictures.append(
            Picture("losses", f"Who bears the losses after {name}.", lambda ax: cascade.plot(ax, what="losses"))
        )
    notes = tuple(note for note in cascade.assumptions if note not in draft.snap.assumptions)
    draft.sections.append(
        Section("Cascades", (), (Table("Cascades by shock", pd.DataFrame(rows)),), tuple(pictures), items=notes)
    )


def _isolation(draft: _Draft) -> None:
    """Cross against isolated margin, where longs and shorts stand in the book."""
    from riskgraph.margin.cross_margin import cross_margin_contagion

    if not draft.snap.book.rows("long", "short").any():
        return
    draft.use(cross_margin_contagion)
    found = cross_margin_contagion(draft.snap, draft.shocks[-1])
    draft.figures["cross margin index"] = found.index
    draft.figures["margin saved by cross_usd"] = found.margin_saved_usd
    draft.calls.append(found.provenance)
    picture = Picture("isolation", "What forced closing costs, and what margin is needed.", lambda ax: found.plot(ax))
    draft.sections.append(Section("Cross against isolated margin", tuple(found.summary().splitlines()), (), (picture,)))


def _methods(draft: _Draft) -> None:
    words = "Each formula with the call that computes it; symbols, conventions and sources stand in its documentation."
    draft.sections.append(Section("Methods", (words,), formulas=formulas_of(draft.used)))


def _headline(draft: _Draft) -> tuple[tuple[str, str], ...]:
    figures, last = draft.figures, moves_told(draft.shocks[-1])
    unique = figures["reuse_unique"]
    return (
        ("Collateral", money(figures["collateral_usd"])),
        ("Debt", money(figures["debt_usd"])),
        ("Dollars on one", f"{figures['reuse_gross'] / unique:.2f}" if unique > 0.0 else "n/a"),
        (f"Bad debt, {last}", money(figures[f"bad_debt_usd, {last}"])),
        (f"Loss, {last}", money(figures[f"loss_usd, {last}"])),
        (f"Liquidated, {last}", f"{figures[f'liquidated, {last}']:,.0f}"),
    )
