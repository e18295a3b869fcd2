"""Bars and lines: few colours, names beside what they name, units and source on the picture; readable at 8 cm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from riskgraph.errors import InputError
from riskgraph.view.style import FLOW_COLOURS, money, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["bars", "lines", "stacked"]

WIDTH, ROW = 3.15, 0.19  # inches: 8 cm, and what one bar needs
TEXT = 7  # points
INK, QUIET, RULE = "#1b2430", "#5b6776", "#d8dde3"


def _axes(ax: Axes | None, height: float) -> Axes:
    if ax is not None:
        return ax
    from matplotlib import pyplot as plt

    return plt.subplots(figsize=(WIDTH, height), layout="constrained")[1]


def _finished(ax: Axes, title: str, source: str) -> Axes:
    ax.set_title(title, fontsize=TEXT + 1, loc="left", color=INK, parse_math=False)
    ax.tick_params(labelsize=TEXT, length=0, colors=INK)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    ax.spines["bottom"].set_color(RULE)
    if source:
        told = "\n".join(wrap(source, 66, max_lines=2, placeholder=" …"))
        ax.figure.text(0.0, -0.02, told, fontsize=TEXT - 2, color=QUIET, va="top", parse_math=False)
    return ax


def _rows(ax: Axes, names: Sequence[str], ends: Sequence[float], told: Sequence[str], low: float = 0.0) -> None:
    """Name the bars at their left, the first at the top, and write beside the end of each what it says."""
    ax.set_yticks(range(len(names)), [shown(str(name), "", 26) for name in names], parse_math=False)
    ax.invert_yaxis()
    widest = max((abs(end) for end in ends), default=1.0) or 1.0
    for place, (end, words) in enumerate(zip(ends, told, strict=True)):
        ax.text(max(end, 0.0) + 0.015 * widest, place, words, fontsize=TEXT, va="center", color=INK)
    ax.set_xlim(low, 1.25 * widest)
    ax.set_xticks([])


def _legend(ax: Axes, columns: int) -> None:
    """Write what colours mean under the bars, where no bar is."""
    ax.legend(
        fontsize=TEXT - 1, frameon=False, ncols=columns, loc="upper right", bbox_to_anchor=(1.0, 0.0),
        handlelength=1.0, columnspacing=1.0,
    )  # fmt: skip


def _spread(values: Sequence[float], room: float, low: float) -> list[float]:
    """Move places of names, the highest first, so far apart that each has room, and none below the axes.

    >>> [round(place, 1) for place in _spread([1.0, 0.05, 0.0], 0.1, 0.0)]
    [1.0, 0.1, 0.0]
    """
    places: list[float] = []
    for value in values:
        places.append(min(value, places[-1] - room) if places else value)
    for at in reversed(range(len(places))):
        places[at] = max(places[at], low if at == len(places) - 1 else places[at + 1] + room)
    return places


def bars(
    names: Sequence[str],
    values: Sequence[float],
    *,
    ax: Axes | None = None,
    title: str = "",
    unit: str = "USD",
    source: str = "",
    groups: Sequence[str] = (),
) -> Axes:
    """Draw one bar a name, the first at the top, its value beside it.

    Parameters
    ----------
    unit : str
        ``USD`` values are written as money, all others with three digits and the unit in the title.
    groups : sequence of str
        What each bar belongs to: a colour a group, in the order in which they come.

    Raises
    ------
    InputError
        Names and values (and groups) are not as many.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> [text.get_text() for text in bars(["ETH", "DAI"], [2e6, 1e6], title="Loss").texts]
    ['$2.00m', '$1.00m']
    """
    if len(names) != len(values) or (groups and len(groups) != len(names)):
        raise InputError(f"bars: expected as many names as values, got {len(names)} and {len(values)}")
    ax = _axes(ax, 0.55 + ROW * max(len(names), 1))
    order = list(dict.fromkeys(groups))
    colours = [FLOW_COLOURS[order.index(one) % len(FLOW_COLOURS)] for one in groups] or FLOW_COLOURS[0]
    ax.barh(range(len(names)), values, color=colours, height=0.72)
    told = [money(value) if unit == "USD" else f"{value:.3g}" for value in values]
    _rows(ax, names, values, told, min(0.0, *values, 0.0))
    for name in order:
        at = order.index(name)
        ax.plot([], [], "s", color=FLOW_COLOURS[at % len(FLOW_COLOURS)], label=name, markersize=4)
    if len(order) > 1:
        _legend(ax, len(order))
    return _finished(ax, f"{title} ({unit})" if title else "", source)


def stacked(
    names: Sequence[str],
    parts: Mapping[str, Sequence[float]],
    *,
    ax: Axes | None = None,
    title: str = "",
    source: str = "",
) -> Axes:
    """Draw one bar a name that is made of parts, in USD, with the sum beside it.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> drawn = stacked(["lend"], {"paid": [3.0], "unmet": [1.0]}, title="Calls")
    >>> len(drawn.patches), drawn.texts[0].get_text()
    (2, '$4.00')
    """
    ax = _axes(ax, 0.75 + ROW * max(len(names), 1))
    left = [0.0] * len(names)
    for at, (name, values) in enumerate(parts.items()):
        ax.barh(
            range(len(names)), values, left=left, height=0.72, color=FLOW_COLOURS[at % len(FLOW_COLOURS)], label=name
        )
        left = [start + value for start, value in zip(left, values, strict=True)]
    _rows(ax, names, left, [money(value) for value in left])
    _legend(ax, len(parts))
    return _finished(ax, f"{title} (USD)" if title else "", source)


def lines(
    at: Sequence[Any],
    series: Mapping[str, Sequence[float]],
    *,
    ax: Axes | None = None,
    title: str = "",
    across: str = "",
    unit: str = "",
    source: str = "",
) -> Axes:
    """Draw one line a name over the same places, each named at its end.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> drawn = lines([0, 1], {"ETH": [1.0, 0.6]}, title="Price", across="round")
    >>> drawn.get_xlabel(), drawn.texts[0].get_text()
    ('round', 'ETH')
    """
    ax = _axes(ax, 2.2)
    ends = []
    for number, (name, values) in enumerate(series.items()):
        colour = FLOW_COLOURS[number % len(FLOW_COLOURS)]
        ax.plot(at, values, color=colour, linewidth=1.3, marker="o" if len(at) < 15 else None, markersize=2.5)
        ends.append((float(values[-1]), str(name), colour))
    low, high = ax.get_ylim()
    ends.sort(reverse=True)
    room = 0.065 * (high - low)
    places = _spread([value for value, _, _ in ends], room, low + 0.8 * room)
    for place, (_, name, colour) in zip(places, ends, strict=True):  # names at the same end stand one under another
        words = shown(name, "", 16)
        beside: dict[str, Any] = {
            "textcoords": "offset points",
            "annotation_clip": False,
            "parse_math": False,
            "va": "center",
        }
        ax.annotate(words, (at[-1], place), (4, 0), fontsize=TEXT, color=colour, **beside)
    ax.set_xlabel(across, fontsize=TEXT, color=INK)
    if all(isinstance(place, int) for place in at):  # there is no half of a round
        from matplotlib.ticker import MaxNLocator

        ax.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True))
    ax.grid(axis="y", color=RULE, linewidth=0.5)
    ax.set_axisbelow(True)
    if unit == "USD":
        ax.yaxis.set_major_formatter(lambda value, _: money(value))
    return _finished(ax, f"{title} ({unit})" if unit else title, source)
