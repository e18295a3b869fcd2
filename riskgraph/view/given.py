"""What a caller gave a map beside its graph, held against the data that are drawn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.errors import InputError
from riskgraph.view.facts import Facts, chains_on, eigen_scores, health_of_nodes, reuse_of_nodes
from riskgraph.view.stories import Story, cascade_story, what_if_stories
from riskgraph.view.what_if import WhatIf, what_if_grid

if TYPE_CHECKING:
    from riskgraph.graph.exposure import ExposureGraph
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["Given"]


@dataclass(frozen=True, eq=False)
class Given:
    """Arguments of ``network_map`` beside the graph and its ranking."""

    snapshot: Snapshot | None
    cascade: Any
    reuse: Any
    what_if: Any

    @property
    def cascades(self) -> list[Any]:
        """Cascades, one or several."""
        if self.cascade is None:
            return []
        return list(self.cascade) if isinstance(self.cascade, Sequence) else [self.cascade]

    @property
    def snap(self) -> Snapshot | None:
        """The snapshot that stands behind the drawing, where one is known."""
        if self.snapshot is not None:
            return self.snapshot
        if self.reuse is not None:
            found: Snapshot = self.reuse.snap
            return found
        return self.cascades[0].run.book.snap if self.cascades else None

    def check(self, digest: str | None) -> None:
        """Refuse results of another kind, or of other data than are drawn."""
        from riskgraph.margin.cascade_results import Cascade
        from riskgraph.reuse_results import CollateralReuse

        for cascade in self.cascades:
            _same("cascade", cascade, Cascade, getattr(cascade, "provenance", None), digest)
        if self.reuse is not None:
            _same("reuse", self.reuse, CollateralReuse, getattr(self.reuse, "provenance", None), digest)
        if isinstance(self.what_if, WhatIf):
            _same("what_if", self.what_if, WhatIf, self.what_if, digest)
        elif self._plays and self.snap is None:
            raise InputError("what_if: expected a Snapshot to play falls on, or a grid of them, got only a graph")

    @property
    def _plays(self) -> bool:
        """Whether falls are asked for; an empty list of assets is, and is refused."""
        return self.what_if is not None and self.what_if is not False

    def told(self) -> dict[str, Any]:
        """Say what was given, for the provenance."""
        what_if = sorted(self.what_if.cascades) if isinstance(self.what_if, WhatIf) else self.what_if
        told = {
            "cascade": [str(cascade.provenance) for cascade in self.cascades] or None,
            "reuse": None if self.reuse is None else str(self.reuse.provenance),
            "what_if": list(what_if) if isinstance(what_if, Sequence) else what_if,
        }
        return {name: value for name, value in told.items() if value is not None}

    def facts(self, graph: ExposureGraph, labels: Iterable[Any]) -> Facts:
        """Everything about the nodes that are on the map."""
        places = {str(label): at for at, label in enumerate(labels)}
        snap = self.snap
        scores = dict(eigen_scores(graph, places)) if len(places) else {}
        notes: list[str] = []
        if snap is not None and graph.digest == snap.digest:
            scores["health"], notes = health_of_nodes(snap, places)
        if self.reuse is not None:
            scores["reused"] = reuse_of_nodes(self.reuse, places)
        chains, left_out = chains_on(self.reuse, places) if self.reuse is not None else ([], [])
        as_of = snap.as_of if snap is not None else None
        scores = {name: values for name, values in scores.items() if np.isfinite(values).any()}
        stories = tuple(self._stories(places))
        return Facts(scores, tuple(chains), stories, str(as_of or ""), (*notes, *left_out))

    def _stories(self, places: dict[str, int]) -> list[Story]:
        stories = [cascade_story(cascade, places) for cascade in self.cascades]
        if not self._plays:
            return stories
        grid = self.what_if
        if not isinstance(grid, WhatIf):
            assert self.snap is not None  # checked before anything was drawn
            grid = what_if_grid(self.snap, None if grid is True else [grid] if isinstance(grid, str) else list(grid))
        return [*stories, *what_if_stories(grid, places)]


def _same(name: str, given: Any, kind: type, source: Any, digest: str | None) -> None:
    if not isinstance(given, kind):
        raise InputError(f"{name}: expected a {kind.__name__}, got {type(given).__name__}")
    if source.digest != digest:
        raise InputError(
            f"{name}: expected one of the data that are drawn (digest {digest}), got one of {source.digest}"
        )
