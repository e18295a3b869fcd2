"""Make the picture of the README: the map of a synthetic book of 3,000 accounts in a real browser, offline."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

import riskgraph as rg

IMAGES = Path(__file__).resolve().parent / "images"


def main() -> None:
    """Open the map and take its picture."""
    graph = rg.exposure_graph(rg.datasets.synthetic(accounts=3_000, seed=0))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        page_path = Path(folder) / "map.html"
        rg.network_map(graph, ranking=rg.contagion_centrality(graph)).save(page_path)
        browser = play.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
        )
        context = browser.new_context(viewport={"width": 1280, "height": 800}, offline=True)
        page = context.new_page()
        page.goto(page_path.as_uri())
        page.wait_for_timeout(1_500)
        IMAGES.mkdir(exist_ok=True)
        page.screenshot(path=IMAGES / "map.png")
        browser.close()


if __name__ == "__main__":
    main()
