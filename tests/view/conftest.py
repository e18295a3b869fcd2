"""One headless Chromium a module, every page cut off from the network and watched."""

import shutil
from contextlib import contextmanager

import numpy as np
import pytest

from tests.view.maps import synthetic_map

ARGUMENTS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
NO_WEBGL = """
const real = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
  return kind === "webgl2" ? null : real.call(this, kind, ...more);
};
"""


@pytest.fixture(scope="module")
def browser():
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no program named chromium on this machine: the map is not opened in a browser")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield started
        started.close()


class Watched:
    """A page, and all that it said and asked for."""

    def __init__(self, page, path):
        self.page, self.said, self.asked, self.failed = page, [], [], {}
        page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("requestfailed", lambda request: self.failed.update({request.url: request.failure}))
        page.goto(path.as_uri())
        self.own = path.as_uri()

    @property
    def outside(self):
        """Whatever was asked for beside the page itself and what is written in it."""
        return [url for url in self.asked if url != self.own and not url.startswith(("data:", "about:"))]

    def map(self, call, *arguments):
        """Call what the page offers to scripts beside it."""
        return self.page.evaluate(f"(given) => window.networkMap.{call}(...given)", list(arguments))

    def spot(self, node):
        """Where a node stands in the window, in CSS pixels."""
        box = self.page.locator("#stage").bounding_box()
        x, y = self.map("place", node)
        return box["x"] + x, box["y"] + y

    def spots(self, nodes):
        """Where many nodes stand, an array of shape (k, 2)."""
        box = self.page.locator("#stage").bounding_box()
        places = self.page.evaluate("(nodes) => nodes.map((i) => window.networkMap.place(i))", [int(i) for i in nodes])
        return np.array(places) + np.array([box["x"], box["y"]])

    def picture(self):
        """Wait until the picture is drawn."""
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def panel(self):
        """The facts of the detail panel by their names."""
        return self.page.evaluate(
            """() => Object.fromEntries(Array.from(document.querySelectorAll("#panel dt"),
            (name) => [name.textContent, name.nextElementSibling.textContent]))"""
        )


@pytest.fixture(scope="module")
def opened(browser, tmp_path_factory):
    """Open the text of a page as a file; at the end of the block nothing was said and nothing asked for."""
    folder = tmp_path_factory.mktemp("maps")

    @contextmanager
    def open_text(text, *, webgl=True, quiet=True, **context):
        path = folder / f"{len(list(folder.iterdir()))}.html"
        path.write_text(text, encoding="utf-8")
        context = browser.new_context(viewport=context.pop("viewport", {"width": 1280, "height": 800}), **context)
        context.set_offline(True)
        if not webgl:
            context.add_init_script(NO_WEBGL)
        context.set_default_timeout(5_000)
        watched = Watched(context.new_page(), path)
        watched.picture()
        yield watched
        if quiet:
            assert watched.outside == []
            assert watched.said == []
        context.close()

    return open_text


@pytest.fixture(scope="module")
def drawing():
    return synthetic_map().drawing


@pytest.fixture(scope="module")
def shared(opened):
    """One open page of the synthetic book for all tests of a module; each starts from its reset."""
    with opened(synthetic_map().html) as watched:
        yield watched


@pytest.fixture
def at(shared):
    shared.page.click("#reset")
    shared.page.mouse.move(0, 0)
    shared.picture()
    return shared
