"""Make the pictures of the gallery: results that draw themselves, a report, a result in JupyterLab, this site's start.

Needs what the tests need (Chromium, JupyterLab), and the site in build/docs.
"""

from __future__ import annotations

import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
from matplotlib.axes import Axes
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

import riskgraph as rg
from riskgraph.view.figures.saving import picture_bytes

HERE = Path(__file__).resolve().parent
IMAGES, SITE = HERE / "images", HERE.parent / "build" / "docs" / "index.html"
COLOURS = 96  # of the palette that a picture is reduced to
SIZE = (5.2, 3.4)  # inches
TOKEN = "gallery"


def margin_book() -> rg.Snapshot:
    """Two accounts on a venue of perpetuals: ann's BTC takes her healthy ETH with it, bob holds one position."""
    rows = [
        ("ann", "USDC", "collateral", 9_000.0, None), ("ann", "BTC", "long", 5.0, 20_000.0),
        ("ann", "ETH", "short", 30.0, 1_000.0), ("bob", "USDC", "collateral", 20_000.0, None),
        ("bob", "BTC", "short", 5.0, 20_000.0), ("cat", "USDC", "collateral", 9_000.0, None),
        ("cat", "ETH", "long", 30.0, 1_000.0),
    ]  # fmt: skip
    positions = pd.DataFrame(rows, columns=["account", "asset", "side", "amount", "entry_price"]).assign(protocol="hl")
    return rg.Snapshot(
        positions=positions.astype({"entry_price": float}),
        assets=pd.DataFrame({"asset": ["BTC", "ETH", "USDC"], "price": [20_000.0, 1_000.0, 1.0]}),
        protocols=pd.DataFrame([{"protocol": "hl", "rule": "perp", "reserve_usd": 50_000.0}]),
        markets=pd.DataFrame({"protocol": "hl", "asset": ["BTC", "ETH"], "maintenance_margin": [0.02, 0.05]}),
    )


def span_book() -> rg.Snapshot:
    """Make a book of a long future and a short one of another family, under SPAN."""
    positions = pd.DataFrame(
        {"account": "ann", "protocol": "house", "asset": ["F", "G"], "side": ["long", "short"],
         "amount": [500.0, 200.0], "entry_price": 400.0}
    )  # fmt: skip
    assets = pd.DataFrame({"asset": ["F", "G"], "price": 400.0, "scan_range": [0.05, 0.08]})
    protocols = pd.DataFrame({"protocol": ["house"], "kind": ["options"], "rule": ["portfolio_margin"]})
    return rg.Snapshot(positions=positions, assets=assets, protocols=protocols)


def figures() -> dict[str, Callable[[Axes], Any]]:
    """Name of each picture of a result, and how it is drawn."""
    snap = rg.datasets.synthetic(accounts=3_000, seed=0)
    ranking = rg.contagion_centrality(rg.exposure_graph(snap))
    cascade = rg.liquidation_cascade(snap, {"ETH": -0.25})
    stream = rg.datasets.load("stream_xusd_deusd_202511")
    banks = rg.datasets.load("interbank_core_periphery")
    hit = rg.debtrank(banks.graph, {banks.graph.labels[0]: 1.0}, history=True)
    founder = rg.datasets.load("curve_founder_202308")
    calls = rg.margin_calls(founder, {"CRV": 0.48 / 0.6086 - 1.0})
    return {
        "figure_ranking": lambda ax: ranking.plot(ax),
        "figure_distress": lambda ax: hit.plot(ax),
        "figure_prices": lambda ax: cascade.plot(ax),
        "figure_losses": lambda ax: cascade.plot(ax, what="losses"),
        "figure_calls": lambda ax: calls.plot(ax),
        "figure_reuse": lambda ax: rg.collateral_reuse(stream).plot(ax, top=10),
        "figure_cross": lambda ax: rg.cross_margin_contagion(margin_book(), {"BTC": -0.07}).plot(ax),
        "figure_span": lambda ax: rg.span_margin(span_book()).plot(ax),
        "figure_critical": lambda ax: rg.critical_fall(rg.datasets.load("toy"), "stETH").plot(ax),
    }


def write(name: str, picture: bytes) -> None:
    """Write a small PNG: as many colours as it needs, no more."""
    small = Image.open(io.BytesIO(picture)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    small.save(IMAGES / f"{name}.png", format="PNG", optimize=True)


def shot(browser: Browser, address: str, name: str, *, ready: str = "body", **stands: Any) -> None:
    """Take what a window shows of a page once something on it is there."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **stands})
    page = context.new_page()
    page.goto(address)
    page.locator(ready).first.wait_for(timeout=60_000)
    page.wait_for_timeout(1_500)
    for _ in range(page.locator(".jp-toast-button").count()):  # news that JupyterLab offers
        page.locator(".jp-toast-button", has_text="No").first.click()
        page.wait_for_timeout(500)
        break
    write(name, page.screenshot())
    context.close()


@contextmanager
def lab(folder: Path) -> Iterator[str]:
    """Run a JupyterLab of its own on a free port, with one notebook that shows a result."""
    code = (
        "import riskgraph as rg\n\nsnap = rg.datasets.load(\"toy\")\n"
        "ranking = rg.contagion_centrality(rg.exposure_graph(snap))\nranking"
    )  # fmt: skip
    ranking = rg.contagion_centrality(rg.exposure_graph(rg.datasets.load("toy")))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook, cell = (
        nbformat.v4.new_notebook(metadata={"kernelspec": kernel}),
        nbformat.v4.new_code_cell(code, execution_count=1),
    )
    shown = {"text/plain": repr(ranking), "text/html": ranking._repr_html_()}
    cell.outputs = [nbformat.v4.new_output("execute_result", data=shown, execution_count=1)]
    notebook.cells = [nbformat.v4.new_markdown_cell("# Who matters on the toy book?"), cell]
    (folder / "work").mkdir()
    nbformat.write(notebook, folder / "work" / "ranking.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    places = ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "HOME")
    command = [sys.executable, "-m", "jupyterlab", "--allow-root", "--no-browser", f"--port={port}", "--ip=127.0.0.1",
               f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={folder / 'work'}"]  # fmt: skip
    environment = {**os.environ, **{name: str(folder / "home") for name in places}}
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=environment, **quiet) as server:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token={TOKEN}", timeout=2).close()
                break
            except OSError:
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/lab/tree/ranking.ipynb?token={TOKEN}&reset"
        server.terminate()


def main() -> None:
    """Draw, write and open everything, and take the pictures."""
    IMAGES.mkdir(exist_ok=True)
    for name, draw in figures().items():
        write(name, picture_bytes(draw, "png", SIZE))
    with tempfile.TemporaryDirectory() as place, sync_playwright() as play:
        folder = Path(place)
        report = rg.write_report(
            folder / "report.html",
            rg.datasets.load("curve_founder_202308"),
            shocks=[{"CRV": -0.2}, {"CRV": -0.4}, {"CRV": -0.6}],
            title="The Curve founder's loans, August 2023",
            author="The riskgraph founders",
        )
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        shot(browser, report.as_uri(), "report", viewport={"width": 1000, "height": 1300})
        shot(browser, SITE.as_uri(), "site")
        with lab(folder) as address:
            shot(browser, address, "lab", ready=".jp-OutputArea-output.jp-RenderedHTMLCommon table")
        browser.close()


if __name__ == "__main__":
    main()
