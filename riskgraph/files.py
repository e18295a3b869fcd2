"""Files that are either whole or not there: written beside their place, then renamed into it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from riskgraph.errors import InputError

__all__ = ["making_folder", "writing", "writing_folder"]


@contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a path beside ``path`` to write to; rename it into place if all went well, remove it if not.

    Raises
    ------
    InputError
        ``path`` is a directory, its folder does not exist or cannot be written to, or the disk is full.
    """
    target = Path(path)
    if target.is_dir():
        raise InputError(f"{target}: expected the path of a file to write, got a directory")
    scratch = _scratch_beside(target)
    beside = scratch / target.name
    try:
        with _said(target):
            yield beside
            beside.replace(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def writing_folder(path: str | os.PathLike[str], ours: Collection[str]) -> Iterator[Path]:
    """Give a folder beside ``path`` to fill; rename it into place if all went well, remove it if not.

    An existing folder is replaced only if it is empty or holds nothing but files of the names ``ours``.
    """
    target = Path(path)
    if target.is_file():
        raise InputError(f"{target}: expected the path of a folder to write, got a file")
    if target.is_dir():
        foreign = sorted(entry.name for entry in target.iterdir() if entry.name not in ours)
        if foreign:
            raise InputError(
                f"{target}: expected a new folder or an earlier snapshot, got one with {', '.join(foreign[:5])}"
            )
    scratch = _scratch_beside(target)
    fresh = scratch / target.name
    old = scratch / "replaced"
    try:
        with _said(target):
            fresh.mkdir()
            yield fresh
            if target.is_dir():
                target.replace(old)
            fresh.replace(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def making_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a folder to write into, made where it is missing; what was made goes again if something goes wrong.

    Raises
    ------
    InputError
        ``path`` is a file, or the folder cannot be made.
    """
    target = Path(path)
    if target.is_file():
        raise InputError(f"{target}: expected the path of a folder to write, got a file")
    missing = [folder for folder in (target, *target.parents) if not folder.exists()]
    with _said(target):
        target.mkdir(parents=True, exist_ok=True)
    try:
        yield target
    except BaseException:
        for folder in missing:
            with suppress(OSError):  # somebody else has put something there
                folder.rmdir()
        raise


def _scratch_beside(target: Path) -> Path:
    folder = target.absolute().parent
    if not folder.is_dir():
        raise InputError(f"{target}: expected an existing folder to write into, got {folder}")
    with _said(target):
        return Path(tempfile.mkdtemp(prefix=".riskgraph-", dir=folder))


@contextmanager
def _said(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"{target}: cannot be written ({reason})") from error
