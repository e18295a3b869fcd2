"""The map in a notebook: a table, a picture that needs no script, and the page in a frame that may do nothing else."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

import riskgraph as rg
from riskgraph.view import network
from tests.view.maps import hostile_map, synthetic_map


def picture_in(text):
    """The picture of a notebook's output."""
    found = re.search(r'<img alt="[^"<>]*" [^<>]*src="data:image/png;base64,([^"]*)">', text)
    return Image.open(io.BytesIO(base64.b64decode(found[1])))


SHELL = "<!doctype html><meta charset=utf-8><title>notebook</title><link rel=icon href='data:,'>"


@pytest.mark.parametrize("drawn", [hostile_map, synthetic_map])
def test_the_frame_shows_the_map(opened, drawn):
    drawn = drawn()
    with opened(SHELL + drawn._repr_html_()) as watched:
        frame = watched.page.frame_locator("iframe")
        assert watched.page.get_attribute("iframe", "sandbox") == "allow-scripts allow-downloads"
        assert frame.locator("#stage").get_attribute("data-renderer") == "webgl2"
        assert frame.locator("header p:not(#source)").inner_text() == drawn.drawing.headline()
        frame.locator("#query").fill(str(drawn.drawing.labels[0]))
        frame.locator("#query").press("Enter")
        inner = next(inner for inner in watched.page.frames if inner.parent_frame)
        assert inner.evaluate("() => window.networkMap.state().selected") == 0
        # sealed off: no origin of its own, nothing of the notebook within reach
        assert inner.evaluate("() => window.origin") == "null"
        reach = "() => { try { return parent.document.title; } catch (error) { return error.name; } }"
        assert inner.evaluate(reach) == "SecurityError"
        assert watched.page.evaluate("() => [typeof window.ran, document.images.length, document.scripts.length]") == [
            "undefined", 1, 0,
        ]  # fmt: skip


@pytest.mark.parametrize("drawn", [hostile_map, synthetic_map])
def test_the_picture_is_wide_enough_and_has_the_colours_of_the_marks(drawn):
    drawn = drawn()
    text = drawn._repr_html_()
    picture = picture_in(text).convert("RGB")
    assert max(picture.size) >= 900 and text.count("<img") == 1
    seen = {f"#{r:02x}{g:02x}{b:02x}" for _, (r, g, b) in picture.getcolors(picture.width * picture.height)}
    shown = ~drawn.drawing.layout.grouped
    assert {colour for colour in np.array(drawn.drawing.colours, dtype=object)[shown] if colour} <= seen


def test_the_picture_is_the_same_from_two_runs():
    graph = rg.exposure_graph(rg.datasets.load("toy"))
    assert rg.network_map(graph)._repr_html_() == rg.network_map(graph)._repr_html_()


def test_too_large_a_page_is_named_instead(monkeypatch):
    drawn = synthetic_map()
    assert "<iframe" in drawn._repr_html_()
    monkeypatch.setattr(network, "INLINE_BYTES", len(drawn.html) - 1)
    assert "<iframe" not in drawn._repr_html_()
    assert ".save(path)" in drawn._repr_html_()
    assert picture_in(drawn._repr_html_()) is not None
