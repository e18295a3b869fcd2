"""The map in notebooks as people open them: JupyterLab with a real server, trusted and not, and nbconvert's HTML."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

import riskgraph as rg

nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
pytest.importorskip("jupyterlab", reason="jupyterlab is not installed")
TOKEN = "map"


@pytest.fixture(scope="module")
def shown():
    """A notebook whose one cell shows a map, with the output that running it gives."""
    graph = rg.exposure_graph(rg.datasets.load("toy"))
    drawn = rg.network_map(graph, ranking=rg.contagion_centrality(graph))
    notebook = nbformat.v4.new_notebook()
    cell = nbformat.v4.new_code_cell("drawn")
    data = {"text/plain": repr(drawn), "text/html": drawn._repr_html_()}
    cell.outputs = [nbformat.v4.new_output("execute_result", data=data, execution_count=1)]
    notebook.cells = [cell]
    return notebook


@pytest.fixture(scope="module")
def lab(tmp_path_factory, shown):
    """A JupyterLab of its own on a free port, with the notebook in its folder."""
    folder = tmp_path_factory.mktemp("lab")
    home = folder / "home"
    (folder / "work").mkdir()
    nbformat.write(shown, folder / "work" / "map.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    places = ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "HOME")
    environment = {**os.environ, **{name: str(home) for name in places}}
    command = [sys.executable, "-m", "jupyterlab", "--allow-root", "--no-browser", f"--port={port}", "--ip=127.0.0.1",
               f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={folder / 'work'}",
               "--LabApp.extension_manager=readonly"]  # fmt: skip
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"{address}/api?token={TOKEN}", timeout=2)
                break
            except OSError:
                time.sleep(0.5)
        yield address, environment, folder / "work" / "map.ipynb"
    finally:
        server.terminate()
        server.wait(timeout=20)


@pytest.fixture(scope="module")
def page(browser):
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    context.set_default_timeout(40_000)
    opened = context.new_page()
    yield opened
    context.close()


def output_of(page, address):
    page.goto(f"{address}/lab/tree/map.ipynb?token={TOKEN}&reset")
    output = page.locator(".jp-OutputArea-output.jp-RenderedHTMLCommon").first
    output.wait_for()
    return output


def test_untrusted_and_trusted(lab, page):
    """Untrusted, the table and the picture stand without the frame; trusted, the map itself runs in it."""
    address, environment, path = lab
    output = output_of(page, address)
    assert output.locator("table").is_visible() and output.locator("img").is_visible()
    assert output.locator("img").evaluate("(image) => image.naturalWidth") > 0
    assert output.locator("iframe").count() == 0
    trust = [sys.executable, "-m", "jupyter", "trust", str(path)]
    subprocess.run(trust, env=environment, check=True, capture_output=True, timeout=60)
    output = output_of(page, address)
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
