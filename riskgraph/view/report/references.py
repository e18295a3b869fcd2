"""Papers that the methods of a report come from; only those that are used are printed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["REFERENCES", "Reference", "bibtex", "cited"]


@dataclass(frozen=True)
class Reference:
    """One paper: key, authors (as BibTeX has them), title, where, year."""

    key: str
    authors: str
    title: str
    where: str
    year: int

    @property
    def line(self) -> str:
        """The paper in one line for people."""
        return f"{self.authors.replace(' and ', '; ')} ({self.year}). {self.title}. {self.where}."


_PAPERS = (
    (
        "battiston2012",
        "Battiston, S. and Puliga, M. and Kaushik, R. and Tasca, P. and Caldarelli, G.",
        "DebtRank: too central to fail? Financial networks, the FED and systemic risk",
        "Scientific Reports 2, 541",
        2012,
    ),
    (
        "bardoscia2015",
        "Bardoscia, M. and Battiston, S. and Caccioli, F. and Caldarelli, G.",
        "DebtRank: a microscopic foundation for shock propagation",
        "PLoS ONE 10(6), e0130406",
        2015,
    ),
    (
        "singh2011",
        "Singh, M.",
        "Velocity of pledged collateral: analysis and implications",
        "IMF Working Paper 11/256",
        2011,
    ),
    (
        "infante2020",
        "Infante, S. and Press, C. and Saravay, Z.",
        "Understanding collateral re-use in the US financial system",
        "AEA Papers and Proceedings 110",
        2020,
    ),
    (
        "darlin2022",
        "Darlin, M. and Palaiokrassas, G. and Tassiulas, L.",
        "Debt-financed collateral and stability risks in the DeFi ecosystem",
        "arXiv:2204.11107",
        2022,
    ),
    (
        "greenwood2015",
        "Greenwood, R. and Landier, A. and Thesmar, D.",
        "Vulnerable banks",
        "Journal of Financial Economics 115(3)",
        2015,
    ),
    (
        "cont2017",
        "Cont, R. and Schaanning, E.",
        "Fire sales, indirect contagion and systemic stress testing",
        "Norges Bank Working Paper 2/2017",
        2017,
    ),
)
REFERENCES = {one[0]: Reference(*one) for one in _PAPERS}


def cited(keys: Iterable[str]) -> list[Reference]:
    """Give the papers of some keys in the order of their keys, each once."""
    return [REFERENCES[key] for key in sorted(set(keys))]


def bibtex(references: Iterable[Reference]) -> str:
    """Write papers as a BibTeX file.

    >>> print(bibtex(cited(["singh2011"])).splitlines()[0])
    @misc{singh2011,
    """
    entries = [
        f"@misc{{{one.key},\n  author = {{{one.authors}}},\n  title = {{{{{one.title}}}}},\n"
        f"  howpublished = {{{one.where}}},\n  year = {{{one.year}}},\n}}\n"
        for one in references
    ]
    return "\n".join(entries)
