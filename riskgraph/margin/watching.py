"""Health of a whole book as prices arrive: who crosses which level, tick by tick."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints
from riskgraph.errors import Faults, InputError
from riskgraph.margin.account_health import STATUSES, MarginAccounts, check_told, formed, status_codes
from riskgraph.margin.tick_times import moment_of
from riskgraph.snapshot.schema import SIDES
from riskgraph.snapshot.snapshot import check_snapshot

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["Crossing", "monitor"]

_OWED = [SIDES.index(side) for side in ("debt", "short")]
_COLLATERAL, _WALLET = SIDES.index("collateral"), SIDES.index("wallet")


@dataclass(frozen=True)
class Crossing:
    """One margin account whose status a tick changed.

    ``kind`` is the new status where it is worse (``called``, ``liquidatable``, ``insolvent``), else ``recovered``;
    ``status`` is the new status in any case. ``asset`` is the one whose move in this tick weighed most on the account,
    empty where it holds none that moved (a whole protocol in recovery mode). ``tick`` counts from 1.
    """

    time: Any
    kind: str
    account: str
    protocol: str
    bucket: str
    health_before: float
    health: float
    asset: str
    status: str
    tick: int


def monitor(snap: Snapshot, ticks: Iterable[Any]) -> Iterator[Crossing]:
    """Keep the health of every margin account current as prices arrive, and yield whoever crosses a level.

    Health and status are those of :func:`riskgraph.health` on ``snap.with_prices(...)``, to the bit: prices are taken
    as told. A tick of ETH moves ETH, not what stands on it: stETH moves when its own price arrives. What a protocol's
    oracle shows of its own (``markets.price``) moves by the same factor as the asset.

    Parameters
    ----------
    snap : Snapshot
        The book; its prices stand until a tick changes them. Who is below a level already is not yielded
        (:func:`riskgraph.health` shows them).
    ticks : iterable
        Of pairs (time, mapping of asset to price in USD a unit), or of mappings with the keys ``time``, ``asset`` and
        ``price``. Prices of one pair count as one moment. A time is a number, a date or datetime, or a text that holds
        one (ISO 8601); no tick may be earlier than the one before. :func:`riskgraph.read_ticks` reads files.

    Yields
    ------
    Crossing
        In the order of ticks; of one tick by account, protocol and bucket.

    Raises
    ------
    InputError
        At once, if health of the book cannot be told; later, naming the tick's number, if a tick is none, comes out of
        order, names an unknown asset, or has a price that is negative or not finite.

    Examples
    --------
    Bob owes 12,000 at beta against 10 ETH at a threshold of 0.8: he is liquidated below 1,500.

    >>> import riskgraph as rg
    >>> ticks = [(1, {"ETH": 1600.0}), (2, {"ETH": 1490.0}), (3, {"ETH": 1510.0})]
    >>> for crossing in rg.monitor(rg.datasets.load("toy"), ticks):
    ...     print(crossing.time, crossing.kind, crossing.account, round(crossing.health, 4))
    2 liquidatable bob 0.9933
    3 recovered bob 1.0067
    """
    check_snapshot(snap)
    watch = _Watch(snap)
    try:
        each = iter(ticks)
    except TypeError as error:
        raise InputError(f"ticks: expected an iterable of ticks, got {type(ticks).__name__}") from error
    return watch.crossings(each)


class _Watch:
    """The book as the last tick left it."""

    def __init__(self, snap: Snapshot) -> None:
        self.snap = snap
        self.place = {name: at for at, name in enumerate(snap.labels("asset").to_pylist())}
        self.assets = list(self.place)
        self.told: dict[str, float] = {}
        table = snap.table("assets")
        self.price = dict(zip(table.code("asset").tolist(), table.number("price").tolist(), strict=True))
        self.now = snap
        self.margins, self.codes = self._looked_at()

    def _looked_at(self) -> tuple[MarginAccounts, Ints]:
        margins = formed(self.now)
        check_told(self.now, margins)
        return margins, status_codes(self.now, margins)

    def crossings(self, ticks: Iterator[Any]) -> Iterator[Crossing]:
        """Take ticks one by one."""
        last = None
        for number, tick in enumerate(ticks, start=1):
            time, prices = _parts(tick, number)
            moment = moment_of(time, f"tick {number}: time")
            if last is not None:
                _in_order(last, moment, time, number)
            last = moment
            moved = self._moved(prices, number)
            if moved:
                yield from self._take(time, number, moved)

    def _moved(self, prices: Mapping[Any, Any], number: int) -> dict[str, float]:
        """Check the prices of a tick; give those that differ from what was told before."""
        faults, moved = Faults(f"tick {number}"), {}
        for name, price in prices.items():
            value = _number(price)
            if name not in self.place:
                faults.add("asset", "expected assets of the snapshot", repr(name))
            elif not (np.isfinite(value) and value >= 0.0):
                faults.add(f"price of {name}", "expected a number of at least 0 (USD a unit)", repr(price))
            elif value != self.price[self.place[name]]:
                moved[name] = value
        faults.raise_if_any()
        return moved

    def _take(self, time: Any, number: int, moved: dict[str, float]) -> Iterator[Crossing]:
        """Form health at the new prices, and compare."""
        told = {**self.told, **moved}
        before, old, earlier = self.margins, self.codes, self.now
        try:
            self.now = self.snap.with_prices(told)  # always from the first, so that no rounding adds up
            self.margins, self.codes = self._looked_at()
        except InputError as error:
            raise InputError(f"tick {number}: {error}") from error
        self.told = told
        self.price.update({self.place[name]: price for name, price in moved.items()})
        at = np.flatnonzero(self.codes != old)
        if not len(at):
            return
        worse = self.codes[at] < old[at]
        weighed = self._weighed_most(earlier.book.pair_price, at, worse)
        yield from self._told(time, number, at, worse, before.health[at], weighed)

    def _told(
        self, time: Any, number: int, at: Ints, worse: Bools, health: Floats, weighed: Ints
    ) -> Iterator[Crossing]:
        book = self.snap.book
        owner, venue = (
            self.snap.labels(domain).take(codes[at]).to_pylist()
            for domain, codes in (("account", book.margin_account), ("protocol", book.margin_protocol))
        )
        buckets = [*self.snap.labels("bucket").to_pylist(), ""]
        for n, margin in enumerate(at.tolist()):
            status = STATUSES[self.codes[margin]]
            yield Crossing(
                time=time,
                kind=status if worse[n] else "recovered",
                account=owner[n],
                protocol=venue[n],
                bucket=buckets[book.margin_bucket[margin]],
                health_before=float(health[n]),
                health=float(self.margins.health[margin]),
                asset=self.assets[weighed[n]] if weighed[n] >= 0 else "",
                status=status,
                tick=number,
            )

    def _weighed_most(self, pair_price: Floats, at: Ints, worse: Bools) -> Ints:
        """Which asset's move weighed most on each margin account, the way it went; -1: it holds none that moved."""
        book = self.now.book
        rows = np.flatnonzero(_among(book.margin, at, len(book.margin_account)))
        change = (book.pair_price - pair_price)[book.pair[rows]]
        rows, change = rows[change != 0.0], change[change != 0.0]
        place = np.searchsorted(at, book.margin[rows])
        weight = np.where(book.side[rows] == _COLLATERAL, np.nan_to_num(book.threshold[rows], nan=1.0), 1.0)
        sign = np.where(np.isin(book.side[rows], _OWED), -1.0, 1.0)
        n_assets = len(self.assets)
        key, same = np.unique(place * n_assets + book.asset[rows], return_inverse=True)
        usd = np.bincount(same, weights=sign * weight * book.amount[rows] * change, minlength=len(key))
        place, asset = key // n_assets, key % n_assets
        order = np.lexsort((asset, np.where(worse[place], usd, -usd), place))
        found = np.full(len(at), -1)
        which, first = np.unique(place[order], return_index=True)
        found[which] = asset[order][first]
        return found


def _among(margin: Ints, wanted: Ints, n: int) -> Bools:
    """Which rows belong to the margin accounts wanted (a wallet's -1 to none)."""
    marked = np.zeros(n + 1, dtype=np.bool_)
    marked[wanted] = True
    return np.asarray(marked[margin])


def _parts(tick: Any, number: int) -> tuple[Any, Mapping[Any, Any]]:
    """Take a tick apart."""
    if isinstance(tick, Mapping):
        if set(tick) == {"time", "asset", "price"} and isinstance(tick["asset"], Hashable):
            return tick["time"], {tick["asset"]: tick["price"]}
    elif isinstance(tick, tuple | list) and len(tick) == 2 and isinstance(tick[1], Mapping):
        return tick[0], tick[1]
    raise InputError(
        f"tick {number}: expected a pair (time, mapping of asset to price), or a mapping with the keys time, asset and "
        f"price, got {_short(tick)}"
    )


def _short(value: Any, most: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= most else text[: most - 1] + "…"


def _number(price: Any) -> float:
    """Read a price; NaN where it is no number."""
    if isinstance(price, str | bytes | bool):
        return float("nan")
    try:
        return float(price)
    except (TypeError, ValueError, OverflowError):
        return float("nan")


def _in_order(last: Any, moment: Any, time: Any, number: int) -> None:
    try:
        fine = moment >= last
    except TypeError as error:
        raise InputError(
            f"tick {number}: time: expected a time like the one before (a number, or a date with or without a time "
            f"zone), got {time!r}"
        ) from error
    if not fine:
        raise InputError(f"tick {number}: time: expected none earlier than the tick before, got {time!r}")
