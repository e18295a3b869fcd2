"""How far the order of hotspots hangs on the weights of its two factors (METHODS 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["orders_under"]

KINDS = ("asset", "protocol", "account")


def orders_under(hotspots: pd.DataFrame, weights: tuple[float, ...], top: int) -> pd.DataFrame:
    r"""Compare the order of hotspots by reused USD × contagion with other orders of the same nodes.

    .. math:: \text{score}_w = \text{reused}^{w} \cdot \text{contagion}^{1 - w}, \qquad
              \text{sum of ranks} = \text{rank}_\text{reused} + \text{rank}_\text{contagion}

    w = ½ is the order of the product itself. Nodes with no contagion known are in none of the orders.

    Examples
    --------
    Two of three nodes change places when only contagion counts:

    >>> import pandas as pd
    >>> hot = pd.DataFrame({"kind": "asset", "reused_usd": [100.0, 50.0, 10.0], "contagion": [0.1, 0.4, 0.3]})
    >>> orders_under(hot, (0.0,), 1)[["nodes", "kendall", "top_shared"]].round(4).values.tolist()[0]
    [3.0, 0.3333, 1.0]
    """
    import pandas as pd

    rows = []
    for kind in KINDS:
        these = hotspots[(hotspots["kind"] == kind) & hotspots["contagion"].notna()]
        if len(these) < 2:
            continue
        reused, contagion = (these[name].to_numpy(dtype=np.float64) for name in ("reused_usd", "contagion"))
        product = reused * contagion
        orders = {f"reused^{w:g} × contagion^{1.0 - w:g}": _weighted(reused, contagion, w) for w in weights}
        ranks = [pd.Series(-values).rank().to_numpy() for values in (reused, contagion)]
        orders["sum of ranks"] = -(ranks[0] + ranks[1])
        rows += [(kind, name, len(these), *_agreement(product, other, top)) for name, other in orders.items()]
    return pd.DataFrame(rows, columns=["kind", "order", "nodes", "spearman", "kendall", "top_shared"])


def _weighted(reused: np.ndarray, contagion: np.ndarray, weight: float) -> np.ndarray:
    scaled = reused / max(float(reused.max()), np.finfo(np.float64).tiny)
    return np.asarray(scaled**weight * np.maximum(contagion, 0.0) ** (1.0 - weight))


def _agreement(one: np.ndarray, other: np.ndarray, top: int) -> tuple[float, float, float]:
    """Spearman's and Kendall's rank correlation, and the share of the first few that are the same; NaN if all tie."""
    from scipy import stats

    few = min(top, len(one))
    first = [set(np.argsort(-values, kind="stable")[:few].tolist()) for values in (one, other)]
    shared = len(first[0] & first[1]) / few
    if (one == one[0]).all() or (other == other[0]).all():
        return float("nan"), float("nan"), shared
    return float(stats.spearmanr(one, other).statistic), float(stats.kendalltau(one, other).statistic), shared
