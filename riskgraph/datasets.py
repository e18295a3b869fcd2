"""Books that travel with the package: names, loading, and the seeded generator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from riskgraph.errors import InputError
from riskgraph.synthetic.generator import LIMITS, synthetic

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["describe", "folder", "load", "names", "synthetic"]

_LINES: Final = {
    "curve_founder_202308": "one borrower of stablecoins against CRV on four protocols, 1 August 2023 (published)",
    "synthetic": "a lending book of any size with measured marginals (options: accounts, assets, protocols, seed)",
    "toy": "three protocols, five accounts, a wrapper chain: every number can be checked by hand (made up)",
}


def names() -> list[str]:
    """Names of all datasets, sorted.

    Examples
    --------
    >>> names()
    ['curve_founder_202308', 'synthetic', 'toy']
    """
    return sorted(_LINES)


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


def load(name: str, **options: Any) -> Snapshot:
    """Load a dataset as a Snapshot.

    Parameters
    ----------
    name : str
        One of :func:`names`; :func:`describe` says what it is.
    **options
        Only ``synthetic`` takes any: ``accounts``, ``assets``, ``protocols``, ``seed`` (see :func:`synthetic`).

    Raises
    ------
    InputError
        There is no dataset of that name, or it does not take such an option.

    Examples
    --------
    >>> len(load("toy").positions)
    14
    """
    describe(name)
    known = list(LIMITS) if name == "synthetic" else []
    unknown = sorted(set(options) - set(known))
    if unknown:
        takes = f"the options {', '.join(known)}" if known else "no options"
        raise InputError(f"datasets: expected {takes} for {name!r}, got {', '.join(unknown)}")
    if name == "synthetic":
        return synthetic(**options)
    from riskgraph.readers.reading import read_snapshot

    return read_snapshot(folder(name))
