"""What the command line puts out: tables for people, JSON and CSV for machines, progress and errors on stderr.

Labels come from data that nobody has vetted: they are never read as markup, and control characters (also those that
turn the writing direction) reach a terminal only in escaped form.
"""

from __future__ import annotations

import io
import json
import logging
import math
import os
import sys
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from riskgraph.errors import InputError
from riskgraph.files import writing_folder

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

__all__ = [
    "Closed",
    "as_csv",
    "as_json",
    "frame_table",
    "listed",
    "put",
    "render",
    "safe",
    "say",
    "table",
    "working",
    "write_tables",
    "written",
]

DELAY_S = 2.0  # work that takes longer says so
PIPED_COLUMNS = 100_000  # width where there is no terminal: nothing is cut or folded
_log = logging.getLogger(__name__)


class Closed(Exception):  # noqa: N818 - not an error: the reader had enough
    """Nobody reads standard output any more."""


def safe(text: object) -> str:
    r"""Write a text so that a terminal shows it and obeys nothing in it.

    >>> safe("\x1b[31mred\u202e"), safe("Größe 1")
    ('\\x1b[31mred\\u202e', 'Größe 1')
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def put(text: str) -> None:
    """Write to standard output.

    Raises
    ------
    Closed
        The reader has gone.
    InputError
        It cannot be written to (a full disk).
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        _abandon(sys.stdout)
        if isinstance(error, BrokenPipeError):
            raise Closed from error
        raise InputError(f"standard output: cannot be written ({error.strerror or error})") from error


def _abandon(stream: TextIO) -> None:
    """Point a stream that takes nothing more at the null device, so that closing it at exit says nothing."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


def say(message: str) -> None:
    """Write one line to standard error."""
    sys.stderr.write(f"riskgraph: {safe(' '.join(message.split()))}\n")
    sys.stderr.flush()


@contextmanager
def working(what: str) -> Iterator[None]:
    """Say on standard error what is being worked on if it takes longer than two seconds."""
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(what, done), daemon=True)
    started = time.perf_counter()
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
    _log.info("%s: %.2f s", safe(what), time.perf_counter() - started)


def _watch(what: str, done: threading.Event) -> None:
    if done.wait(DELAY_S):
        return
    if not sys.stderr.isatty():
        say(f"{what} …")
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    shown = Progress(
        *columns, console=Console(stderr=True), transient=True, redirect_stdout=False, redirect_stderr=False
    )
    with shown as progress:
        progress.add_task(safe(what), total=None)
        done.wait()


def render(*parts: str | Table) -> str:
    """Turn lines and tables into text: fitted to the terminal, or whole and plain where there is none."""
    from rich.console import Console

    page = io.StringIO()
    terminal = sys.stdout.isatty()
    console = Console(file=page, force_terminal=terminal, width=None if terminal else PIPED_COLUMNS, highlight=False)
    for part in parts:
        if isinstance(part, str):
            page.write(part + "\n")
        else:
            console.print(part)
    text = page.getvalue()
    return text if terminal else "".join(f"{line.rstrip()}\n" for line in text.split("\n")[:-1])


def table(headers: Mapping[str, bool], rows: Iterable[Sequence[object]]) -> Table:
    """Make a plain table; ``headers`` says of each column whether it holds numbers."""
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    for header, is_number in headers.items():
        made.add_column(Text(header), justify="right" if is_number else "left", overflow="fold", no_wrap=is_number)
    for row in rows:
        made.add_row(*(Text(safe(cell)) for cell in row))
    return made


def frame_table(frame: pd.DataFrame, headers: Mapping[str, str], money: Iterable[str] = ()) -> Table:
    """Make a table of some columns of a frame: ``headers`` maps columns to headers, ``money`` names columns in USD."""
    from pandas.api.types import is_numeric_dtype

    usd = set(money)
    numeric = {headers[name]: is_numeric_dtype(frame[name].dtype) for name in headers}
    cells = [[written(value, is_usd=name in usd) for value in frame[name]] for name in headers]
    return table(numeric, zip(*cells, strict=True))


def written(value: Any, *, is_usd: bool) -> str:
    """Write one value for people: USD in three digits, other numbers in four.

    >>> written(209_612_403.9, is_usd=True), written(0.162754, is_usd=False), written(1803, is_usd=False)
    ('$210m', '0.1628', '1,803')
    """
    import pandas as pd

    if pd.isna(value):
        return "n/a"
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        return str(value)
    if is_usd:
        from riskgraph.view.style import money

        return money(float(value))
    return f"{int(value):,}" if float(value).is_integer() and value != 0.0 else f"{value:.4g}"


def listed(heading: str, lines: Sequence[str], *, everything: bool, first: int = 4) -> list[str]:
    """Give the first few of some lines under a heading, and how many more there are.

    >>> listed("assumed", ["a", "b", "c"], everything=False, first=1)
    ['assumed (3):', '  a', '  and 2 more (--assumptions shows all)']
    """
    if not lines:
        return []
    shown = lines if everything else lines[:first]
    rest = len(lines) - len(shown)
    more = [f"  and {rest} more (--assumptions shows all)"] if rest else []
    return [f"{heading} ({len(lines)}):", *(f"  {safe(line)}" for line in shown), *more]


def as_json(data: Any) -> str:
    r"""Write JSON that every reader takes: NaN is null, an infinity the text "inf" or "-inf", everything ASCII.

    >>> as_json({"a": float("nan"), "b": [float("inf"), "λ"]})
    '{"a": null, "b": ["inf", "\\u03bb"]}\n'
    """
    return json.dumps(_plain(data), allow_nan=False) + "\n"


def _plain(data: Any) -> Any:
    """Turn numpy scalars, frames and missing values into what JSON has."""
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        rows = data.reset_index() if data.index.name else data
        return [_plain(row) for row in rows.to_dict("records")]
    if isinstance(data, Mapping):
        return {str(key): _plain(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_plain(value) for value in data]
    if data is None or data is pd.NA:
        return None
    value = data.item() if hasattr(data, "item") else data
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value if isinstance(value, (bool, int, float, str)) else str(value)


def write_tables(
    out: str, name: str, frames: Mapping[str, pd.DataFrame], told: Any, parquet: bool, *, ours: Collection[str]
) -> None:
    """Write tables, and ``name``.json with what is said beside them, into a folder: whole or not at all.

    ``ours`` are the names of all tables that the command may write: a folder with no others is replaced.
    """
    suffix = ".parquet" if parquet else ".csv"
    known = {f"{one}{end}" for one in ours for end in (".csv", ".parquet")} | {f"{name}.json"}
    with working(f"writing {out}"), writing_folder(out, known) as folder:
        for one, frame in frames.items():
            rows = frame.reset_index() if frame.index.name else frame
            if parquet:
                rows.to_parquet(folder / f"{one}{suffix}", index=False)
            else:
                rows.to_csv(folder / f"{one}{suffix}", index=False, lineterminator="\n")
        (folder / f"{name}.json").write_text(as_json(told), encoding="utf-8")


def as_csv(frame: pd.DataFrame) -> str:
    """Write CSV, numbers in full; what is missing is empty. On a terminal control characters are escaped."""
    text = frame.to_csv(index=bool(frame.index.name), lineterminator="\n")
    if sys.stdout.isatty():
        return "".join(f"{safe(line)}\n" for line in text.split("\n")[:-1])
    return text
