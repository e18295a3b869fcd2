"""A Sankey picture: bands from left to right, as wide as the USD that they carry."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from riskgraph.errors import InputError
from riskgraph.view.style import FLOW_COLOURS, money, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["sankey"]

_GAP = 0.02  # between nodes of one column, as a share of the height
_LINE = 0.065  # what two lines of text need
_BAR = 0.012  # width of a node, as a share of the distance between columns
_Node = tuple[int, str]


def sankey(
    paths: Sequence[Sequence[str]],
    usd: Sequence[float],
    *,
    ax: Axes | None = None,
    title: str = "",
    source: str = "",
) -> Axes:
    r"""Draw paths of labels as bands from their first label to their last.

    The last label of every path stands in the last column, the others as near the left as they are to the start.

    Parameters
    ----------
    paths : sequence of sequences of str
        At least two labels each.
    usd : sequence of float
        What each path carries, above 0.
    ax : matplotlib Axes, optional
        Where to draw; a new figure of 8 by 4.5 inches without one.
    title, source : str
        What stands above, and the small line below.

    Raises
    ------
    InputError
        A path has fewer than two labels, or carries nothing.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> drawn = sankey([["ETH", "stETH", "collateral at lend"], ["ETH", "deposit at lend"]], [60.0, 40.0])
    >>> [text.get_text() for text in drawn.texts][:2]
    ['ETH\n$100', 'stETH\n$60.0']
    """
    from matplotlib import pyplot as plt

    short = [list(path) for path in paths if len(path) < 2]
    if short or any(not value > 0.0 for value in usd) or len(paths) != len(usd):
        raise InputError(f"sankey: expected paths of two labels or more that carry USD above 0, got {short or usd}")
    if ax is None:
        _, ax = plt.subplots(figsize=(8.0, 4.5), layout="constrained")
    columns = max((len(path) for path in paths), default=2)
    walks = [_placed(path, columns) for path in paths]
    flows, colour = _flows(walks, usd, {path[0]: at for at, path in enumerate(reversed(paths))})
    places = _stacked(walks, usd, columns)
    _draw_bands(ax, flows, places, colour)
    _draw_nodes(ax, places, columns)
    ax.set_xlim(-0.02, columns - 1 + 0.02)
    ax.set_ylim(1.02, -0.02)
    ax.axis("off")
    ax.set_title(f"{title} (USD)" if title else "", fontsize=10, loc="left", parse_math=False)
    if source:
        ax.text(0.0, -0.01, source, transform=ax.transAxes, fontsize=6, color="#666666", va="top", parse_math=False)
    return ax


def _placed(path: Sequence[str], columns: int) -> list[_Node]:
    """Give every label its column."""
    return [*enumerate(path[:-1]), (columns - 1, path[-1])]


def _flows(
    walks: list[list[_Node]], usd: Sequence[float], bases: dict[str, int]
) -> tuple[dict[tuple[_Node, _Node, str], float], dict[str, str]]:
    """Add up bands by both their ends and by the base that they come from; a colour a base, the largest first."""
    flows: dict[tuple[_Node, _Node, str], float] = defaultdict(float)
    carried: dict[str, float] = defaultdict(float)
    for walk, value in zip(walks, usd, strict=True):
        base = walk[0][1]
        carried[base] += value
        for one, other in pairwise(walk):
            flows[one, other, base] += value
    order = sorted(bases, key=lambda base: (-carried[base], base))
    return dict(flows), {base: FLOW_COLOURS[at % len(FLOW_COLOURS)] for at, base in enumerate(order)}


def _stacked(walks: list[list[_Node]], usd: Sequence[float], columns: int) -> dict[_Node, tuple[float, float, float]]:
    """Give top, height and USD of every node: the largest of a column at the top, all columns to one scale."""
    whole = sum(usd) or 1.0
    carried: dict[_Node, float] = defaultdict(float)
    for walk, value in zip(walks, usd, strict=True):
        for node in dict.fromkeys(walk):
            carried[node] += value
    shelves = [sorted((n for n in carried if n[0] == at), key=lambda n: (-carried[n], n[1])) for at in range(columns)]
    room = 1.0 / whole
    while any(_height(shelf, carried, room) > 1.0 + 1e-9 for shelf in shelves) and room * whole > 1e-3:
        room *= 0.98
    places = {}
    for shelf in shelves:
        top = (1.0 - _height(shelf, carried, room)) / 2.0
        for node in shelf:
            slot = max(carried[node] * room, _LINE)
            places[node] = (top + (slot - carried[node] * room) / 2.0, carried[node] * room, carried[node])
            top += slot + _GAP
    return places


def _height(shelf: list[_Node], carried: dict[_Node, float], room: float) -> float:
    """Height of a column: of nodes, of which none has less than its two lines of text need, and of what parts them."""
    return sum(max(carried[node] * room, _LINE) for node in shelf) + _GAP * (len(shelf) - 1)


def _draw_bands(
    ax: Axes,
    flows: dict[tuple[_Node, _Node, str], float],
    places: dict[_Node, tuple[float, float, float]],
    colour: dict[str, str],
) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    left = {node: top for node, (top, _, _) in places.items()}
    right = dict(left)
    codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
    by_place = sorted(flows, key=lambda key: (places[key[0]][0], places[key[1]][0], key[2]))
    for one, other, base in by_place:
        width = flows[one, other, base] * places[one][1] / places[one][2]
        x0, x1 = one[0] + _BAR, other[0] - _BAR
        y0, y1, middle = left[one], right[other], (x0 + x1) / 2.0
        left[one], right[other] = y0 + width, y1 + width
        corners = [
            (x0, y0), (middle, y0), (middle, y1), (x1, y1),
            (x1, y1 + width), (middle, y1 + width), (middle, y0 + width), (x0, y0 + width), (x0, y0),
        ]  # fmt: skip
        ax.add_patch(PathPatch(Path(corners, codes), facecolor=colour[base], alpha=0.45, linewidth=0))


def _draw_nodes(ax: Axes, places: dict[_Node, tuple[float, float, float]], columns: int) -> None:
    from matplotlib.patches import Rectangle

    for (column, label), (top, height, usd) in sorted(places.items()):
        ax.add_patch(Rectangle((column - _BAR, top), 2 * _BAR, max(height, 0.002), facecolor="#333333", linewidth=0))
        last = column == columns - 1
        ax.text(
            column + (-2 if last else 2) * _BAR, top + height / 2.0, f"{shown(label, '', 28)}\n{money(usd)}",
            fontsize=7, ha="right" if last else "left", va="center", parse_math=False,
        )  # fmt: skip
