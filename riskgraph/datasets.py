"""Books and networks of banks that travel with the package: names, loading, and the seeded generators."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, overload

from riskgraph.datasets_interbank import Interbank, read_interbank
from riskgraph.errors import InputError
from riskgraph.synthetic.banks import synthetic_interbank
from riskgraph.synthetic.generator import LIMITS, synthetic

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["Interbank", "describe", "folder", "load", "names", "synthetic", "synthetic_interbank"]

_LINES: Final = {
    "curve_founder_202308": "one borrower of stablecoins against CRV on four protocols, 1 August 2023 (published)",
    "interbank_core_periphery": "thirty banks, a core and a periphery, with balance sheets and portfolios (made up)",
    "interbank_textbook": "networks of two to six banks from papers and manuals, with their results (option: example)",
    "stream_xusd_deusd_202511": "two stablecoins that stood on one another, and their lenders, November 2025 (facts)",
    "synthetic": "a lending book of any size with measured marginals (options: accounts, assets, protocols, seed)",
    "toy": "three protocols, five accounts, a wrapper chain: every number can be checked by hand (made up)",
}
# what a dataset that is no book is, and the options that each dataset takes
_INTERBANK: Final = ("interbank_core_periphery", "interbank_textbook")
_OPTIONS: Final = {"synthetic": list(LIMITS), "interbank_textbook": ["example"]}


def names(kind: Literal["book", "interbank"] | None = None) -> list[str]:
    """Names of all datasets, or of all of a kind, sorted.

    Raises
    ------
    InputError
        There is no such kind.

    Examples
    --------
    >>> names("book")
    ['curve_founder_202308', 'stream_xusd_deusd_202511', 'synthetic', 'toy']
    >>> names("interbank")
    ['interbank_core_periphery', 'interbank_textbook']
    """
    if kind not in (None, "book", "interbank"):
        raise InputError(f"kind: expected 'book', 'interbank' or none, got {kind!r}")
    return sorted(name for name in _LINES if kind is None or (name in _INTERBANK) == (kind == "interbank"))


def describe(name: str) -> str:
    """Say in one line what a dataset is; its folder's README.md says where each figure comes from.

    Raises
    ------
    InputError
        There is no dataset of that name.

    Examples
    --------
    >>> describe("toy")
    'three protocols, five accounts, a wrapper chain: every number can be checked by hand (made up)'
    """
    if name not in _LINES:
        raise InputError(f"datasets: expected one of {', '.join(names())}, got {name!r}")
    return _LINES[name]


def folder(name: str) -> Path:
    """Where the dataset's tables and README.md lie: inside the installed package, else in the checkout.

    Raises
    ------
    InputError
        There is no dataset of that name, or its folder did not come with this installation.

    Examples
    --------
    >>> (folder("toy") / "positions.csv").exists()
    True
    """
    describe(name)
    here = Path(__file__).resolve().parent
    places = [here / "_datasets", here.parent / "datasets"]
    for place in places:
        if (place / name / "README.md").is_file():
            return place / name
    tried = " or ".join(str(place) for place in places)
    raise InputError(f"datasets: expected a folder {name!r} with a README.md in {tried}; is the installation whole?")


@overload
def load(
    name: Literal["curve_founder_202308", "stream_xusd_deusd_202511", "synthetic", "toy"], **options: Any
) -> Snapshot: ...
@overload
def load(name: Literal["interbank_core_periphery", "interbank_textbook"], **options: Any) -> Interbank: ...
@overload
def load(name: str, **options: Any) -> Any: ...
def load(name: str, **options: Any) -> Any:
    """Load a dataset: a book as a Snapshot, a network of banks as an :class:`Interbank`.

    Parameters
    ----------
    name : str
        One of :func:`names`; :func:`describe` says what it is.
    **options
        ``synthetic`` takes ``accounts``, ``assets``, ``protocols``, ``seed`` (see :func:`synthetic`);
        ``interbank_textbook`` takes ``example``, one of its README's (default the first). The others take none.

    Raises
    ------
    InputError
        There is no dataset of that name, or it does not take such an option.

    Examples
    --------
    >>> len(load("toy").positions)
    14
    >>> load("interbank_textbook", example="rogers_veraart_3_3").liabilities.values.tolist()
    [[0.0, 2.0], [2.2, 0.0]]
    """
    describe(name)
    known = _OPTIONS.get(name, [])
    unknown = sorted(set(options) - set(known))
    if unknown:
        takes = f"the options {', '.join(known)}" if known else "no options"
        raise InputError(f"datasets: expected {takes} for {name!r}, got {', '.join(unknown)}")
    if name == "synthetic":
        return synthetic(**options)
    if name in _INTERBANK:
        return read_interbank(name, folder(name), options.get("example"))
    from riskgraph.readers.reading import read_snapshot

    return read_snapshot(folder(name))
