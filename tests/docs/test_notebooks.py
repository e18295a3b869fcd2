"""One standard for all notebooks: one question, its answer first, pictures, prose, nothing left over from a run."""

import json
import re

import pytest

from tests.conftest import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return json.loads(request.param.read_text(encoding="utf-8"))


def texts(notebook, kind):
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == kind]


def test_it_opens_with_its_question_and_the_answer_in_short(notebook):
    first = texts(notebook, "markdown")[0]
    assert notebook["cells"][0]["cell_type"] == "markdown"
    assert re.match(r"# [^\n]+\n", first) and re.search(r"\*\*[^*]+\?\*\*", first), "a title, and the question in bold"
    assert "\n\n**The answer in short.** " in first


def test_it_ends_with_what_it_does_not_show_and_where_to_go_on(notebook):
    headings = [line for text in texts(notebook, "markdown") for line in text.splitlines() if line.startswith("## ")]
    assert headings[-2:] == ["## What this does not show", "## Go on"]


def test_it_has_pictures_and_checks_what_it_says(notebook):
    code = "\n".join(texts(notebook, "code"))
    assert len(re.findall(r"\.plot\(|network_map\(|\.bar\(|\.subplots\(", code)) >= 2
    assert "assert " in code, "numbers in the text are held by the cells"


def test_nothing_is_left_over_from_a_run(notebook):
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None


def test_prose_stands_before_code(notebook):
    kinds = [cell["cell_type"] for cell in notebook["cells"]]
    assert "code,code,code" not in ",".join(kinds), "three cells of code and no word between them"
    assert kinds.count("markdown") >= 6
