"""Moving over the map by keys, mouse and wheel; everything is in sight at the start and within reach of the keys."""

import numpy as np
import pytest

from tests.view.pixels import colour_at, far_from, fill_of


def test_every_control_is_reached_by_tab(at):
    at.page.evaluate("() => { document.activeElement.blur(); window.getSelection().removeAllRanges(); }")
    at.page.evaluate("() => document.body.focus()")
    at.page.mouse.click(5, 5)
    reached = []
    for _ in range(12):
        at.page.keyboard.press("Tab")
        reached.append(at.page.evaluate("() => document.activeElement.id || document.activeElement.dataset.kind"))
    wanted = ["query", "asset", "protocol", "account", "least", "closer", "farther", "reset", "stage"]
    assert [name for name in reached if name in wanted] == wanted


def test_keys_move_and_zoom_the_picture(at):
    at.page.focus("#stage")
    x, y = at.spot(0)
    size = at.map("discOf", 0)
    at.page.keyboard.press("ArrowRight")
    assert at.spot(0) == pytest.approx((x - 60, y), abs=0.01)
    at.page.keyboard.press("ArrowDown")
    assert at.spot(0) == pytest.approx((x - 60, y - 60), abs=0.01)
    at.page.keyboard.press("+")
    assert at.map("discOf", 0) == pytest.approx(1.3 * size)
    at.page.keyboard.press("0")
    assert at.spot(0) == pytest.approx((x, y), abs=0.01)


def test_dragging_and_the_wheel_move_the_picture(at, drawing):
    box = at.page.locator("#stage").bounding_box()
    x, y = at.spot(0)
    start = (box["x"] + 12, box["y"] + box["height"] - 12)
    at.page.mouse.move(*start)
    at.page.mouse.down()
    at.page.mouse.move(start[0] + 50, start[1] - 40, steps=4)
    at.page.mouse.up()
    assert at.spot(0) == pytest.approx((x + 50, y - 40), abs=0.01)
    size = at.map("discOf", 0)
    at.page.mouse.move(x + 50, y - 40)
    at.page.mouse.wheel(0, -200)
    at.picture()
    assert at.map("discOf", 0) > 1.2 * size
    assert at.spot(0) == pytest.approx((x + 50, y - 40), abs=0.5)  # what is under the pointer stays there
    assert at.map("state")["selected"] == -1
    # the last picture may have been moved meanwhile; at rest it is drawn anew, in its place
    at.page.wait_for_function("() => document.getElementById('marks').style.transform === ''")
    at.picture()
    at.page.evaluate("() => { document.getElementById('names').style.visibility = 'hidden'; }")
    assert far_from(colour_at(at.page, *at.spot(0)), fill_of(drawing, 0)) <= 3
    at.page.evaluate("() => { document.getElementById('names').style.visibility = ''; }")


def test_every_mark_and_disc_is_inside_the_picture(at, drawing):
    box = at.page.locator("#stage").bounding_box()
    for i in np.flatnonzero(drawing.layout.hub):
        x, y = at.spot(int(i))
        reach = at.map("discOf", int(i))
        assert box["x"] <= x - reach and x + reach <= box["x"] + box["width"]
        assert box["y"] <= y - reach and y + reach <= box["y"] + box["height"]
