"""Make the pictures of the README: maps of a synthetic book of 3,000 accounts in a real browser, offline."""

from __future__ import annotations

import io
import shutil
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

import riskgraph as rg
from riskgraph.view.what_if import what_if_grid

IMAGES = Path(__file__).resolve().parent / "images"
COLOURS = 96  # of the palette that a picture is reduced to
WAIT_MS = 900
ROUND_3 = 5  # its frame: before, after the shock, after rounds 0 to 3


def map_to_show() -> rg.NetworkMap:
    """Draw the book with everything that a map can show."""
    snap = rg.datasets.synthetic(accounts=3_000, seed=0)
    graph = rg.exposure_graph(snap)
    ranking = rg.contagion_centrality(graph)
    return rg.network_map(
        snap,
        ranking=ranking,
        cascade=rg.liquidation_cascade(snap, {"ETH": -0.25}),
        reuse=rg.collateral_reuse(snap, ranking=ranking),
        what_if=what_if_grid(snap, ["ETH"]),
    )


def shots(drawn: rg.NetworkMap) -> dict[str, tuple[dict[str, Any], list[str]]]:
    """Name of each picture, how the browser stands, and what is done before it is taken."""
    labels = list(drawn.drawing.labels)
    wrapped = labels.index("asset:wstETH")
    story = drawn.facts.stories[0]
    fallen = {int(node) for node, frame in zip(story.node, story.frame, strict=True) if frame <= ROUND_3}
    debtor = next(row[0] for row in story.why if row[0] in fallen)  # the largest
    return {
        "map": ({}, []),
        "map_account": ({}, [f"networkMap.select({debtor})"]),
        "map_cascade": ({}, [f"networkMap.play(0, {ROUND_3})", f"networkMap.select({debtor})"]),
        "map_what_if": ({}, ["networkMap.play(1, 4)"]),
        "map_chain": ({}, [f"networkMap.select({wrapped})"]),
        "map_table": (
            {},
            ["document.getElementById('as-table').click()", f"networkMap.select({labels.index('asset:ETH')})"],
        ),
        "map_phone": ({"viewport": {"width": 390, "height": 844}}, []),
        "map_dark": ({"color_scheme": "dark"}, [f"networkMap.play(0, {ROUND_3})"]),
    }


def small(picture: bytes) -> bytes:
    """Make a small PNG of one: as many colours as it needs, no more."""
    made = io.BytesIO()
    shot = Image.open(io.BytesIO(picture)).convert("RGB")
    shot.quantize(COLOURS, dither=Image.Dither.NONE).save(made, format="PNG", optimize=True)
    return made.getvalue()


def main() -> None:
    """Open the map as often as there are pictures, and take them."""
    drawn = map_to_show()
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        path = drawn.save(Path(folder) / "map.html")
        browser = play.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
        )
        for name, (stands, steps) in shots(drawn).items():
            context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, "offline": True, **stands})
            page = context.new_page()
            page.goto(path.as_uri())
            page.wait_for_timeout(WAIT_MS)
            for step in steps:
                page.evaluate(f"() => {{ {step}; }}")
            page.wait_for_timeout(WAIT_MS)
            (IMAGES / f"{name}.png").write_bytes(small(page.screenshot()))
            context.close()
        browser.close()


if __name__ == "__main__":
    main()
