"""Make the pictures of the gallery: results that draw themselves, a report, a result in JupyterLab, this site's start.

Needs what the tests need (Chromium, JupyterLab), and the site in build/docs.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from lab import notebook_showing, running
from make_images import IMAGES, small
from matplotlib.axes import Axes
from playwright.sync_api import Browser, sync_playwright

import riskgraph as rg
from riskgraph.view.figures.saving import picture_bytes

SITE = Path(__file__).resolve().parents[1] / "build" / "docs" / "index.html"
SIZE = (5.2, 3.4)  # inches
CODE = """import riskgraph as rg

snap = rg.datasets.load("toy")
ranking = rg.contagion_centrality(rg.exposure_graph(snap))
ranking"""


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
    """Write a small PNG among the others."""
    (IMAGES / f"{name}.png").write_bytes(small(picture))


def shot(browser: Browser, address: str, name: str, *, ready: str = "body", **stands: Any) -> None:
    """Take what a window shows of a page once something on it is there."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **stands})
    page = context.new_page()
    page.goto(address)
    page.locator(ready).first.wait_for(timeout=60_000)
    page.wait_for_timeout(1_500)
    if page.locator(".jp-toast-button").count():  # news that JupyterLab offers
        page.locator(".jp-toast-button", has_text="No").first.click()
        page.wait_for_timeout(500)
    write(name, page.screenshot())
    context.close()


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
        ranking = rg.contagion_centrality(rg.exposure_graph(rg.datasets.load("toy")))
        notebook = notebook_showing(ranking, CODE, "# Who matters on the toy book?")
        with running(folder, notebook, "ranking") as lab:
            shot(browser, lab.address, "lab", ready=".jp-OutputArea-output.jp-RenderedHTMLCommon table")
        browser.close()


if __name__ == "__main__":
    main()
