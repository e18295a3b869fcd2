"""What the marks of a map look like: colours, shapes, classes, and how numbers and names are written."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

import numpy as np

from riskgraph.arrays import Floats, Ints, read_only
from riskgraph.errors import InputError

__all__ = [
    "FLOW_COLOURS",
    "KIND_COLOURS",
    "PALETTE",
    "SHAPES",
    "STATE_COLOURS",
    "TITLE",
    "UNRANKED",
    "Classes",
    "check_length",
    "digits",
    "encodable",
    "money",
    "moved",
    "moves_told",
    "rank_classes",
    "shown",
    "written",
]

# CARTO SunsetDark: lightness falls evenly from class to class, in full colour and for the colour-blind.
PALETTE = ("#fcde9c", "#faa476", "#f0746e", "#e34f6f", "#dc3977", "#b9257a", "#7c1d6f")
UNRANKED_COLOUR = "#a9b0b8"
UNRANKED = 255
# Okabe and Ito (2008), told apart by the colour-blind too; by kind code: account, protocol, asset, node.
KIND_COLOURS = ("#56b4e9", "#e69f00", "#009e73", "#56b4e9")
FLOW_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c8c8c")  # the same palette
# Of states: unchanged, under strain, hit, ruined; each darker than the one before, also without colour.
STATE_COLOURS = ("#c9d1da", "#f2cf5b", "#e8743b", "#6b1d3a")
SHAPES = ("circle", "square", "diamond", "circle")
# What a browser calls space.
TITLE = "Exposure network"  # of a map that was given none
LIMIT = 300  # characters of a title or an author
SPACES = re.compile("[\\t-\\r \\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000\\ufeff]+")
# Classes thin out towards the top: classes of equal size would paint every node that matters in one colour.
CUTS = (0.5, 0.8, 0.95, 0.99, 0.997, 0.999)  # shares of the ranked nodes below each cut, for 100 nodes and more
FEW_CUTS = (0.4, 0.65, 0.85, 0.95)
FEW = 100


@dataclass(frozen=True, eq=False)
class Classes:
    """Scores cut into classes by rank, the higher the class the fewer its nodes.

    Attributes
    ----------
    codes : ndarray of int, shape (n,)
        Class of every node, 0 the lowest; ``UNRANKED`` where it has no score.
    low, high : ndarray, shape (classes,)
        Smallest and largest score in each class.
    counts : ndarray of int, shape (classes,)
        Nodes in each class.
    rule : str
        How the classes were cut, in words for the legend.
    """

    codes: Ints
    low: Floats
    high: Floats
    counts: Ints
    rule: str

    def __post_init__(self) -> None:
        for name in ("codes", "low", "high", "counts"):
            read_only(getattr(self, name))

    @property
    def colours(self) -> tuple[str, ...]:
        """One colour a class, the highest class the darkest; a single class of zeros the palest."""
        k = len(self.counts)
        if k == 1:
            return (PALETTE[0] if self.high[0] == 0.0 else PALETTE[-1],)
        return tuple(PALETTE[i] for i in np.round(np.linspace(0, len(PALETTE) - 1, k)).astype(int))


def rank_classes(scores: Floats) -> Classes:
    """Cut scores by rank into at most seven classes that thin out towards the top.

    Zeros, where they are the lowest score, are a class of their own, and so is every score where no more than seven
    differ. Else the scores above zero are cut where 50, 80, 95, 99, 99.7 and 99.9 % of them lie below (40, 65, 85
    and 95 % where they are under 100), without the cuts above which not one whole node would lie, and without the
    last where zeros take its colour. A cut is always one of the scores, the next larger one where a share falls
    between two: equal scores are never parted and no class is empty, so ties make fewer classes.

    Parameters
    ----------
    scores : ndarray, shape (n,)
        Any unit; NaN where a node has none.

    Examples
    --------
    >>> classes = rank_classes(np.array([0.0, 1.0, 2.0, 3.0, np.nan, 3.0, 0.0]))
    >>> classes.codes.tolist(), classes.low.tolist(), classes.high.tolist(), classes.counts.tolist()
    ([0, 1, 2, 3, 255, 3, 0], [0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 2.0, 3.0], [2, 1, 1, 2])
    """
    ranked = np.isfinite(scores)
    values = np.sort(scores[ranked])
    codes = np.full(len(scores), UNRANKED, dtype=np.int64)
    if not len(values):
        return Classes(codes, np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64), "no node is ranked")
    zeros = int((values == 0.0).sum()) if values[0] == 0.0 else 0
    cuts, rule = _cuts(values[zeros:], zeros > 0)
    codes[ranked] = np.searchsorted(cuts, scores[ranked], side="right")
    starts = np.concatenate([[0], np.searchsorted(values, cuts, side="left")])
    ends = np.append(starts[1:], len(values))
    return Classes(codes, values[starts], values[ends - 1], ends - starts, rule)


def _cuts(values: Floats, zeros: bool) -> tuple[Floats, str]:
    """Give the lowest score of every class but the first, and the rule in words; values sorted, zeros apart."""
    differing = np.unique(values)
    if len(differing) + zeros <= len(PALETTE):
        return differing[0 if zeros else 1 :], "one class a score"
    shares = np.array(FEW_CUTS if len(values) < FEW else CUTS)
    shares = shares[(len(values) * (1.0 - shares) > 1.0 - 1e-9) | (len(values) < FEW)]
    shares = shares[: len(PALETTE) - 1 - zeros]
    cuts = np.unique(np.quantile(values, shares, method="higher"))
    cuts = cuts[cuts > values[0]]
    if zeros:
        cuts = np.concatenate([values[:1], cuts])
    ladder = ", ".join(f"{100 * share:.3g}" for share in shares)
    above = " above 0" if zeros else ""
    return cuts, f"classes by rank, cut at {ladder} % of the nodes{above}: few in the darkest, equal scores together"


def digits(values: Floats, places: int = 12) -> Floats:
    """Round to significant digits, so that the last bit of a sum does not reach the page.

    >>> digits(np.array([0.1 + 0.2, 1234.5678, 0.0]), 6).tolist()
    [0.3, 1234.57, 0.0]
    """
    out = np.array(values, dtype=np.float64)
    finite = np.isfinite(out) & (out != 0.0)
    out[finite] = [float(f"{value:.{places - 1}e}") for value in out[finite].tolist()]
    return out


def money(usd: float) -> str:
    """USD in three significant digits, as a person would say it.

    >>> money(1_267_400_000), money(-31_500), money(999.6), money(0.25), money(0), money(float("nan"))
    ('$1.27bn', '−$31.5k', '$1.00k', '$0.25', '$0', 'n/a')
    """
    if not np.isfinite(usd):
        return "n/a" if np.isnan(usd) else ("∞" if usd > 0 else "−∞")
    sign, value = ("−" if usd < 0 else ""), abs(usd)
    if value == 0:
        return "$0"
    if value < 0.01:
        return f"{sign}<$0.01"
    for factor, unit in ((1.0, ""), (1e3, "k"), (1e6, "m"), (1e9, "bn"), (1e12, "tn")):
        short = value / factor
        if short < 999.45 or unit == "tn":
            places = 2 if short < 9.995 else (1 if short < 99.95 else 0)
            # half up on the shortest decimal, as a browser rounds
            return f"{sign}${Decimal(repr(float(short))).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):,}{unit}"
    raise AssertionError("unreachable")  # pragma: no cover


def moved(share: float, places: int | None = None) -> str:
    """Write a relative move with so many decimals, or with as many as it takes, six digits at most.

    >>> moved(-0.4), moved(0.125, 1), moved(-0.4004)
    ('−40 %', '+12.5 %', '−40.04 %')
    """
    return f"{100.0 * share:{'+.6g' if places is None else f'+.{places}f'}} %".replace("-", "−")


def moves_told(moves: Mapping[str, float]) -> str:
    """Write a shock for people.

    >>> moves_told({"ETH": -0.4, "DAI": 0.01})
    'ETH −40 %, DAI +1 %'
    """
    return ", ".join(f"{asset} {moved(move)}" for asset, move in moves.items())


def shown(label: str, kind: str, limit: int = 22) -> str:
    """Write a label short enough for the picture: no kind in front, addresses and long names with an ellipsis.

    >>> shown("account:0x1234567890abcdef1234567890abcdef12345678", "account"), shown("asset:ETH", "asset")
    ('0x1234…5678', 'ETH')
    >>> shown("a name much too long for any picture", "node")
    'a name muc…any picture'
    """
    name = label.removeprefix(f"{kind}:") or label
    name = SPACES.sub(" ", name).strip(" ")
    if re.fullmatch("0x[0-9a-fA-F]{18,}", name):
        return f"{name[:6]}…{name[-4:]}"
    if len(name) > limit:
        return f"{name[: (limit - 1) // 2]}…{name[-(limit - 1 - (limit - 1) // 2) :]}"
    return name


def check_length(name: str, text: str) -> None:
    """Refuse a title or a name that no page has room for.

    Raises
    ------
    InputError
        No text, or one of more than 300 characters.
    """
    if not isinstance(text, str):
        raise InputError(f"{name}: expected a text, got {type(text).__name__}")
    if len(text) > LIMIT:
        raise InputError(f"{name}: expected at most {LIMIT} characters, got {len(text):,}")


def written(label: str) -> str:
    """Escape a label for markup; half a surrogate pair, which no file in UTF-8 can hold, becomes U+FFFD.

    >>> written("<b>" + chr(0xD800))
    '&lt;b&gt;�'
    """
    return html.escape(encodable(label))


def encodable(text: str) -> str:
    """Put U+FFFD where half a surrogate pair stands, which no file in UTF-8 can hold.

    >>> encodable("a" + chr(0xDC00))
    'a�'
    """
    return re.sub("[\ud800-\udfff]", "\ufffd", text)
