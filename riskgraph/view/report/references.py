"""What the code cites, as references of a report: read from docstrings, so that a report names only what it used.

``papers.csv`` says in full what a docstring says in short; a source that is no paper (a contract, a venue's manual) is
cited as the docstring has it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from inspect import cleandoc
from typing import Any

from riskgraph.errors import RiskGraphError
from riskgraph.showing import latex_text

__all__ = ["Reference", "bibtex", "cited_by", "cited_in", "papers"]

SECTION = re.compile(r"^References\n-+\n(.*?)(?=^\S[^\n]*\n-{3,}$|\Z)", re.DOTALL | re.MULTILINE)
ITEM = re.compile(r"^\.\. \[\w+\] (.*?)(?=^\.\. \[|\Z)", re.DOTALL | re.MULTILINE)
NAME = r"[A-ZÀ-Ý][\w'’-]*"
SHORT = re.compile(rf"({NAME}(?:, {NAME})*) \((\d{{4}})\)")
CONTAINER = {"article": "journal", "inproceedings": "booktitle", "book": "publisher", "techreport": "institution"}


@dataclass(frozen=True)
class Reference:
    """One source; ``kind`` is BibTeX's, ``container`` the journal, series, publisher or proceedings."""

    key: str
    kind: str
    authors: str
    title: str
    container: str
    volume: str
    number: str
    pages: str
    year: str
    doi: str

    @property
    def surnames(self) -> tuple[str, ...]:
        """Family names of the authors, in their order."""
        return tuple(name.split(",")[0] for name in self.authors.split(" and ")) if self.authors else ()

    @property
    def line(self) -> str:
        """The source in one line for people."""
        who = f"{self.authors.replace(' and ', '; ')} ({self.year}). " if self.authors else ""
        issue = self.volume + (f"({self.number})" if self.number and self.volume else self.number)
        where = ", ".join(part for part in (" ".join(filter(None, (self.container, issue))), self.pages) if part)
        link = f" doi:{self.doi}." if self.doi else ""
        return f"{who}{self.title.rstrip('.')}.{f' {where}.' if where else ''}{link}".replace("--", "–")

    @property
    def entry(self) -> str:
        """The source as BibTeX."""
        told = {
            "author": latex_text(self.authors),
            "title": f"{{{latex_text(self.title)}}}",
            CONTAINER.get(self.kind, "howpublished"): latex_text(self.container),
            **{name: latex_text(getattr(self, name)) for name in ("volume", "number", "year", "doi")},
            "pages": self.pages,
        }
        fields = "".join(f"  {name} = {{{value}}},\n" for name, value in told.items() if value not in ("", "{}"))
        return f"@{self.kind}{{{self.key},\n{fields}}}\n"


@cache
def papers() -> dict[str, Reference]:
    """Give every paper that the code cites, by key."""
    text = (resources.files("riskgraph.view.report") / "papers.csv").read_text(encoding="utf-8")
    return {row["key"]: Reference(**row) for row in csv.DictReader(io.StringIO(text))}


def cited_in(text: str) -> list[Reference]:
    r"""Read the sources that a docstring cites.

    >>> [one.key for one in cited_in("Do.\n\nReferences\n----------\n.. [1] Eisenberg, Noe (2001), Management.")]
    ['eisenberg2001']
    """
    section = SECTION.search(cleandoc(text))
    found: list[Reference] = []
    for item in ITEM.findall(section[1]) if section else ():
        told = " ".join(item.split())
        short = [(match, told[match.end() :]) for match in SHORT.finditer(told)]
        found += [one for match, rest in short for one in _papers_of(match[1], match[2], rest)] or [_source(told)]
    return found


def cited_by(functions: Iterable[Callable[..., Any]]) -> list[Reference]:
    """Give what the docstrings of some functions cite, each source once, by author and year, other sources last."""
    found = {one.key: one for function in functions for one in cited_in(function.__doc__ or "")}
    return sorted(found.values(), key=lambda one: (not one.authors, one.key))


def bibtex(references: Iterable[Reference]) -> str:
    """Write sources as a BibTeX file.

    >>> print(bibtex([papers()["singh2011"]]).splitlines()[0])
    @techreport{singh2011,
    """
    return "\n".join(one.entry for one in references)


def _papers_of(names: str, year: str, rest: str) -> list[Reference]:
    """Find the papers meant by "Silva, Souza, Tabak (2015) … 391 and 392": by number where several fit."""
    wanted = tuple(names.split(", "))
    fits = [one for one in papers().values() if one.year == year and one.surnames == wanted]
    if not fits:
        raise RiskGraphError(f"papers.csv: expected {names} ({year}), which a docstring cites")
    numbered = [one for one in fits if one.number in re.findall(r"\d+", rest.partition(";")[0])]
    return fits if len(fits) == 1 else numbered or fits


def _source(told: str) -> Reference:
    plain = told.replace("``", "")
    key = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:40]
    return Reference(key, "misc", "", plain.rstrip("."), "", "", "", "", "", "")
