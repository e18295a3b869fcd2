"""The map in a notebook: a table, a picture that needs no script, and the page in a frame that may do nothing else."""

import base64
import re
from xml.etree import ElementTree as ET

import pytest

from riskgraph.view import network
from tests.view.maps import hostile_map, synthetic_map


def picture_in(text):
    """The picture of a notebook's output, parsed."""
    found = re.search(r'src="data:image/svg\+xml;base64,([^"]*)"', text)
    return ET.fromstring(base64.b64decode(found[1]).decode())


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


def test_the_picture_is_well_formed_and_has_every_drawn_mark():
    drawing = synthetic_map().drawing
    svg = picture_in(synthetic_map()._repr_html_())
    tags = [part.tag.partition("}")[2] for part in svg]
    shapes = {"account": "circle", "protocol": "rect", "asset": "path"}
    visible = drawing.kind[~drawing.layout.grouped]
    assert tags.count("rect") == int((visible == 1).sum())
    assert tags.count("path") == int((visible == 2).sum())
    discs = len(set(drawing.layout.home[drawing.layout.grouped].tolist()))
    assert tags.count(shapes["account"]) == int((visible == 0).sum()) + discs
    assert tags.count("line") == min(len(drawing.lines().usd), 1500)
    assert tags.count("text") > 5


def test_hostile_labels_are_text_in_the_picture():
    text = hostile_map()._repr_html_()
    svg = picture_in(text)
    assert {part.tag.partition("}")[2] for part in svg} <= {"circle", "rect", "path", "line", "text"}
    assert text.count("<img") == 1  # the picture itself


def test_names_in_the_picture_do_not_touch():
    svg = picture_in(synthetic_map()._repr_html_())
    boxes = []
    for part in svg:
        if part.tag.endswith("text"):
            x, y, size = (float(part.get(name)) for name in ("x", "y", "font-size"))
            half = 0.3 * size * (len(part.text) - 2)
            boxes.append((x - half, x + half, y - size, y))
    for k, (left, right, top, bottom) in enumerate(boxes):
        for a, b, c, d in boxes[:k]:
            assert right <= a or b <= left or bottom <= c or d <= top


def test_too_large_a_page_is_named_instead(monkeypatch):
    drawn = synthetic_map()
    assert "<iframe" in drawn._repr_html_()
    monkeypatch.setattr(network, "INLINE_BYTES", len(drawn.html) - 1)
    assert "<iframe" not in drawn._repr_html_()
    assert ".save(path)" in drawn._repr_html_()
    assert picture_in(drawn._repr_html_()) is not None
