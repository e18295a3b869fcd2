"""The map at size, in a real browser: how large the page, how soon it is built and drawn, how smoothly it moves.

Measured as the specification of the map says: headless Chromium with software rendering, 1280 × 800, pixel ratio 1,
network blocked; frames a second are counted by requestAnimationFrame over a scripted drag of three seconds, second run.
These are seconds of this machine, not ratios: they are printed, never tested.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd

import riskgraph as rg
from benchmarks.timing import Size

__all__ = ["run"]

FULL = ((20_000, 80_000), (50_000, 200_000))
SMALL = ((500, 2_000),)
DRAG = """async (seconds) => {
  const stage = document.getElementById("stage");
  const send = (type, x, y) => stage.dispatchEvent(new PointerEvent(type,
    { bubbles: true, clientX: x, clientY: y, pointerId: 1, button: 0, isPrimary: true }));
  stage.setPointerCapture = () => {};
  const box = stage.getBoundingClientRect();
  const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
  send("pointerdown", x, y);
  const start = performance.now();
  let frames = 0;
  for (let now = start; now - start < 1000 * seconds; frames++) {
    now = await new Promise((done) => requestAnimationFrame(done));
    const turn = 2 * Math.PI * (now - start) / 1500;
    send("pointermove", x + 150 * Math.sin(turn), y + 90 * Math.cos(turn));
  }
  send("pointerup", x, y);
  return frames / seconds;
}"""
DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now()))))"


def run(size: Size) -> Iterator[str]:
    """Give one line a size, coloured by a ranking that is there before; nothing where there is no browser."""
    program = shutil.which("chromium")
    if program is None:
        yield "map: no program named chromium on this machine"
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play, tempfile.TemporaryDirectory() as folder:
        arguments = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
        browser = play.chromium.launch(executable_path=program, args=arguments)
        for nodes, edges in FULL if size is Size.FULL else SMALL:
            graph = _graph(nodes, edges)
            ranking = rg.contagion_centrality(graph, model="linear")
            started = perf_counter()
            path = rg.network_map(graph, ranking=ranking).save(Path(folder) / f"{nodes}.html")
            built = perf_counter() - started
            context = browser.new_context(viewport={"width": 1280, "height": 800}, offline=True)
            page = context.new_page()
            page.goto(path.as_uri())
            first = page.evaluate(DRAWN) / 1000.0
            rates = [page.evaluate(DRAG, 3.0 if size is Size.FULL else 0.5) for _ in range(2)]
            yield (
                f"map: {nodes:,} nodes, {graph.exposures.nnz:,} edges: {path.stat().st_size / 1e6:.2f} MB, built in "
                f"{built:.2f} s, first picture after {first:.2f} s, {rates[-1]:.0f} frames a second while it is dragged"
            )
            context.close()
        browser.close()


def _graph(nodes: int, edges: int) -> rg.ExposureGraph:
    """Assets, protocols and accounts; exposures from accounts to a few of them, as popular as they are old."""
    rng = np.random.default_rng(1)
    core = max(nodes // 250, 10)
    kind = np.where(np.arange(nodes) < core // 4, "protocol", np.where(np.arange(nodes) < core, "asset", "account"))
    names = np.char.add(np.char.add(kind.astype(str), ":n"), np.arange(nodes).astype(str))
    draws = int(1.3 * edges)
    pairs = pd.DataFrame(
        {"creditor": rng.integers(core, nodes, draws), "debtor": (core * rng.random(draws) ** 2).astype(np.int64)}
    )
    pairs = pairs.drop_duplicates().head(edges)
    frame = pd.DataFrame(
        {
            "creditor": names[pairs["creditor"]],
            "debtor": names[pairs["debtor"]],
            "usd": rng.lognormal(9.0, 2.0, len(pairs)),
        }
    )
    capital = pd.DataFrame({"node": names, "kind": kind, "capital_usd": rng.lognormal(10.0, 1.0, nodes)})
    return rg.ExposureGraph.from_frames(capital, frame)
