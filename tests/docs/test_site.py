"""The documentation site: built as strangers build it, warnings as errors; every page and notebook runs once for it."""

import html
import json
import re
import subprocess
import sys

import pytest

import riskgraph as rg
from tests.conftest import ROOT

NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
pytestmark = pytest.mark.xdist_group("site")  # one worker builds it, once
KERNEL_TALK = re.compile(r"\[IPKernelApp\].*")  # which the kernels say by themselves


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site; outputs of pages and notebooks are kept by content, so that nothing runs twice."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "docs", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1800, check=False)
    said = KERNEL_TALK.sub("", done.stderr).strip()
    assert done.returncode == 0, said[-6000:]
    return out


def words(page):
    """What a page says, without its markup."""
    return html.unescape(re.sub(r"<[^>]+>", " ", page.read_text(encoding="utf-8")))


def test_every_public_name_has_its_place(site):
    for name in rg.__all__:
        if name not in ("datasets", "__version__"):
            page = (site / "api" / "generated" / f"riskgraph.{name}.html").read_text(encoding="utf-8")
            assert f'id="riskgraph.{name}"' in page, name
    for name in rg.datasets.__all__:
        assert (site / "api" / "generated" / f"riskgraph.datasets.{name}.html").is_file(), name


def test_members_are_said_in_words(site):
    text = words(site / "api" / "generated" / "riskgraph.Cascade.html")
    assert "amplification" in text and "Loss at the end ÷ loss at the first price move" in text
    assert "critical_fall" in words(site / "api" / "index.html")


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebooks_stand_with_their_outputs(site, name):
    page = (site / "notebooks" / f"{name}.html").read_text(encoding="utf-8")
    assert "cell_output" in page and "<img" in page
    assert "Traceback" not in page


def test_formulas_are_drawn_by_the_browser_itself(site):
    pages = [path.read_text(encoding="utf-8") for path in site.rglob("*.html")]
    formulas = [found for page in pages for found in re.findall(r"<math .*?</math>", page, re.DOTALL)]
    assert len(formulas) > 100
    assert not any("\\" in re.sub(r"<[^>]+>", "", found) for found in formulas), "a command that was not understood"
    scripts = {found for page in pages for found in re.findall(r'<script[^>]* src="([^"]*)"', page)}
    assert scripts and not any(found.startswith(("http:", "https:", "//")) for found in scripts)


@pytest.mark.parametrize(
    "name", ["index", "quickstart", "gallery", "methods/contagion", "api/generated/riskgraph.debtrank"]
)
def test_pages_ask_the_network_for_nothing(site, name, browser):
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((site / f"{name}.html").as_uri())
    page.wait_for_timeout(300)
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:", "about:"))] == []
    assert page.locator("h1").count() == 1
    context.close()


def test_the_search_knows_the_terms(site):
    told = (site / "searchindex.js").read_text(encoding="utf-8")
    index = json.loads(told[told.index("(") + 1 : told.rindex(")")])
    assert {"rehypothec", "cascad", "multipli"} <= set(index["terms"])
