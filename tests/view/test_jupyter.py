"""The map in notebooks as people open them: JupyterLab with a real server, trusted and not, and nbconvert's HTML."""

import shutil
import subprocess
import sys

import pytest

import riskgraph as rg

pytest.importorskip("nbformat", reason="nbformat is not installed")
pytest.importorskip("jupyterlab", reason="jupyterlab is not installed")

from docs.lab import notebook_showing, running


@pytest.fixture(scope="module")
def shown():
    """A notebook whose one cell shows a map, with the output that running it gives."""
    graph = rg.exposure_graph(rg.datasets.load("toy"))
    return notebook_showing(rg.network_map(graph, ranking=rg.contagion_centrality(graph)), "drawn")


@pytest.fixture(scope="module")
def lab(tmp_path_factory, shown):
    with running(tmp_path_factory.mktemp("lab"), shown, "map") as server:
        yield server


@pytest.fixture(scope="module")
def page(browser):
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    context.set_default_timeout(40_000)
    opened = context.new_page()
    yield opened
    context.close()


def output_of(page, address):
    page.goto(address)
    output = page.locator(".jp-OutputArea-output.jp-RenderedHTMLCommon").first
    output.wait_for()
    return output


def test_untrusted_and_trusted(lab, page):
    """Untrusted, the table and the picture stand without the frame; trusted, the map itself runs in it."""
    output = output_of(page, lab.address)
    assert output.locator("table").is_visible() and output.locator("img").is_visible()
    assert output.locator("img").evaluate("(image) => image.naturalWidth") > 0
    assert output.locator("iframe").count() == 0
    trust = [sys.executable, "-m", "jupyter", "trust", str(lab.path)]
    subprocess.run(trust, env=lab.environment, check=True, capture_output=True, timeout=60)
    output = output_of(page, lab.address)
    frame = output.locator("iframe")
    frame.wait_for()
    inside = output.frame_locator("iframe")
    inside.locator("#stage[data-renderer]").wait_for()
    assert "accounts" in inside.locator("header p").first.inner_text()
    assert inside.locator("#panel h2").inner_text() == "What matters most"


def test_nbconvert_shows_table_picture_and_map(shown, opened):
    nbconvert = pytest.importorskip("nbconvert", reason="nbconvert is not installed")
    text, _ = nbconvert.HTMLExporter().from_notebook_node(shown)
    with opened(text, quiet=False) as watched:  # its page asks for scripts of its own; the map does not
        assert watched.page.locator("table").first.is_visible()
        inside = watched.page.frame_locator("iframe")
        inside.locator("#stage[data-renderer]").wait_for()
        assert inside.locator("#panel h2").inner_text() == "What matters most"


@pytest.fixture(scope="module", autouse=True)
def _needs_chromium():
    if shutil.which("chromium") is None:
        pytest.skip("no program named chromium on this machine: no notebook is opened")
