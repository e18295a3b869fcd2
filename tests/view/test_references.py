"""Papers that docstrings cite: each is known in full, nothing else is, and a report names those that it used."""

import ast
from pathlib import Path

import riskgraph as rg
from riskgraph.view.report.references import bibtex, cited_by, cited_in, papers
from tests.conftest import ROOT


def docstrings():
    for path in sorted(Path(ROOT / "riskgraph").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                text = ast.get_docstring(node)
                if text and "References\n" in text:
                    yield f"{path.stem}.{getattr(node, 'name', '')}", text


def test_every_citation_of_the_code_is_known_and_no_other():
    found = {one.key for _, text in docstrings() for one in cited_in(text)}
    assert set(papers()) <= found, "papers that no docstring cites"
    assert {key for key in found if key not in papers()} == {
        one.key for _, text in docstrings() for one in cited_in(text) if not one.authors
    }


def test_several_papers_in_one_item_and_numbers_that_tell_two_apart():
    keys = [one.key for one in cited_in(rg.centrality.__doc__)]
    assert keys[:4] == ["katz1953", "brin1998", "kleinberg1999", "soramaki2013"]
    assert sorted(keys[4:]) == ["silva2015monitoring", "silva2015structure"]
    assert [one.key for one in cited_in(rg.fluidity.__doc__)] == ["silva2015structure"]


def test_what_is_no_paper_is_cited_as_it_stands():
    (one,) = cited_in(rg.health.__doc__)
    assert one.line == "Aave protocol, GenericLogic.calculateUserAccountData."
    assert "title = {{Aave protocol, GenericLogic.calculateUserAccountData}}" in bibtex([one])


def test_each_once_in_the_order_of_authors():
    found = cited_by([rg.debtrank, rg.contagion_centrality, rg.health])
    assert [one.key for one in found][:4] == ["bardoscia2015", "bardoscia2016", "battiston2012", "furfine2003"]
    assert not found[-1].authors and len(found) == 5
    assert papers()["bardoscia2015"].line == (
        "Bardoscia, Marco; Battiston, Stefano; Caccioli, Fabio; Caldarelli, Guido (2015). DebtRank: A microscopic "
        "foundation for shock propagation. PLoS ONE 10(6), e0130406. doi:10.1371/journal.pone.0130406."
    )
