"""What a distressed node passes on: one transmission function a model, and the checks of its arguments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from riskgraph.arrays import Bools, Floats
from riskgraph.errors import InputError
from riskgraph.graph.exposure import ACCOUNT, ASSET, NODE, ExposureGraph

__all__ = ["DEFAULTED", "MODELS", "Transmission", "chosen_model", "transmission"]

MODELS = ("linear", "original", "nonlinear", "threshold", "liquidation")

# A sum of shares that ought to be 1 can miss it by rounding, and a slow approach to 1 stops a little short of it:
# from here on a node counts as defaulted (in ``defaults``, and as a transmitter in the threshold model).
DEFAULTED = 1.0 - 1e-9


@dataclass(frozen=True)
class Transmission:
    r"""What each of some nodes passes on at distress h, as a share of its wipe-out.

    .. math::
        p = h, \quad
        p = h\,e^{\alpha (h - 1)}, \quad
        p = [h = 1], \quad
        p = \mathrm{clip}\!\left(\frac{h - h^*}{1 - h^*}, 0, 1\right)

    in the models ``linear`` and ``original``, ``nonlinear``, ``threshold`` and ``liquidation``. Assets pass on h in
    every model (an asset that has fallen 10 % has fallen 10 % for its holders), protocols in ``liquidation`` too.

    Attributes
    ----------
    model : str
    alpha : float
        α of ``nonlinear``.
    onset : ndarray, shape (m,)
        h* of each node; 0 outside accounts.
    bends : ndarray of bool, shape (m,)
        Nodes on which the model's function acts; the others pass on h.
    """

    model: str
    alpha: float
    onset: Floats
    bends: Bools

    def __call__(self, distress: Floats) -> Floats:
        """Turn distress, shape (m, k), into what is passed on, same shape; the argument is left as it is."""
        if self.model in ("linear", "original") or not self.bends.any():
            return distress
        if self.bends.all():
            return self._bent(distress, self.onset)
        passed = distress.copy()
        passed[self.bends] = self._bent(distress[self.bends], self.onset[self.bends])
        return passed

    def _bent(self, h: Floats, onset: Floats) -> Floats:
        if self.model == "nonlinear":
            bent: Floats = h * np.exp(self.alpha * (h - 1.0))
        elif self.model == "threshold":
            bent = (h >= DEFAULTED).astype(np.float64)
        else:
            bent = (h - onset[:, None]) * (1.0 / (1.0 - onset))[:, None]
            np.clip(bent, 0.0, 1.0, out=bent)
        return bent

    def part(self, nodes: np.ndarray) -> Transmission:
        """Return the same function for some of the nodes."""
        return Transmission(self.model, self.alpha, self.onset[nodes], self.bends[nodes])


def chosen_model(graph: ExposureGraph, model: str | None, alpha: float | None) -> tuple[str, float]:
    """Return the model's name and α after checking that they belong together and to this graph."""
    given: object = graph
    if not isinstance(given, ExposureGraph):
        hint = "; its network is .graph" if isinstance(getattr(given, "graph", None), ExposureGraph) else ""
        raise InputError(
            f"graph: expected an ExposureGraph (exposure_graph makes one), got {type(given).__name__}{hint}"
        )
    name = graph.default_model if model is None else model
    if name not in MODELS:
        raise InputError(f"model: expected one of {', '.join(MODELS)}, got {name!r}")
    if name == "nonlinear":
        if alpha is None or not 0.0 <= float(alpha) < np.inf:
            raise InputError(f"alpha: expected a finite number of at least 0 for model 'nonlinear', got {alpha!r}")
        return name, float(alpha)
    if alpha is not None:
        raise InputError(f"alpha: expected none for model {name!r} (only 'nonlinear' has it), got {alpha!r}")
    if name == "liquidation" and (graph.kind == NODE).any():
        raise InputError(
            "model: 'liquidation' expected a graph of accounts, protocols and assets, made from a snapshot; "
            "this graph has nodes without a kind, whose thresholds are not known"
        )
    return name, 0.0


def transmission(graph: ExposureGraph, model: str, alpha: float) -> Transmission:
    """Return the transmission function of a graph's nodes."""
    bends = graph.kind == ACCOUNT if model == "liquidation" else graph.kind != ASSET
    onset = graph.onset
    bad = np.flatnonzero(~((onset >= 0.0) & (onset < 1.0)))
    if model == "liquidation" and len(bad):
        raise InputError(f"onset: expected values in [0, 1), got {onset[bad[0]]} at {graph.labels[bad[0]]!r}")
    return Transmission(model, alpha, np.asarray(onset), bends)
