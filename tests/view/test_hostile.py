"""No label ever runs or breaks the page, whatever stands in it, on any screen; and the page's policy holds."""

import html
from xml.etree import ElementTree as ET

import pytest

import riskgraph as rg
from tests.view.maps import MARKUP, bare_name, hostile_map, hostile_snapshot


def test_hostile_labels_are_text_everywhere(opened):
    drawn = hostile_map()
    with opened(drawn.html) as watched:
        page, drawing = watched.page, drawn.drawing
        for i in range(len(drawing.labels)):
            watched.map("select", i)
            assert page.evaluate("() => document.querySelector('#panel h2').textContent") == bare_name(drawing, i)
            page.fill("#query", bare_name(drawing, i))
            assert page.locator("#suggestions li bdi").count() >= 1, drawing.labels[i]
            page.press("#query", "Enter")
            chosen = watched.map("state")["selected"]
            assert bare_name(drawing, i) in bare_name(drawing, chosen)
            x, y = watched.spot(i)
            page.mouse.move(x, y)
            assert page.evaluate("() => document.querySelector('#tip bdi').textContent") == bare_name(drawing, i)
            page.mouse.click(x, y)
            page.click("#reset")
        assert page.evaluate("() => [typeof window.ran, document.images.length, document.scripts.length]") == [
            "undefined", 0, 2,
        ]  # fmt: skip
        assert page.evaluate("() => Object.prototype.hasOwnProperty('open')") is False
        assert page.title() == "Exposure network"


def test_the_policy_lets_nothing_else_run_or_load(opened):
    with opened(hostile_map().html, quiet=False) as watched:
        watched.page.evaluate(
            """() => { const script = document.createElement("script"); script.textContent = "window.ran = 1";
            const image = document.createElement("img"); image.src = "https://example.invalid/x.png";
            document.body.append(script, image); }"""
        )
        assert (
            watched.page.evaluate("() => fetch('https://example.invalid/').then(() => 'sent', () => 'refused')")
            == "refused"
        )
        assert watched.page.evaluate("() => typeof window.ran") == "undefined"
        assert len(watched.said) >= 3
        assert all("Content Security Policy" in text for text in watched.said)
        assert watched.outside == list(watched.failed)
        assert set(watched.failed.values()) == {"csp"}  # refused before anything was sent


def test_without_scripts_the_nodes_stand_in_a_table(browser, tmp_path):
    path = tmp_path / "map.html"
    hostile_map().save(path)
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(path.as_uri())
    names = page.locator("noscript table bdi").all_text_contents()
    assert names == [str(label) for label in hostile_map().drawing.labels]
    context.close()


@pytest.mark.parametrize("width", [390, 760, 1024])
def test_nothing_is_wider_than_a_small_screen(opened, width):
    with opened(hostile_map().html, viewport={"width": width, "height": 800}) as watched:
        for i in range(-1, len(hostile_map().drawing.labels)):
            watched.map("select", i)
            wide = watched.page.evaluate("() => document.documentElement.scrollWidth")
            assert wide <= width


TITLE = f"{MARKUP} </title></h1><script>window.ran=1</script> {chr(0x202E)}{chr(0xD800)} {{{{ script }}}}"


def test_a_hostile_title_is_text_everywhere(opened, tmp_path):
    snap = hostile_snapshot()
    drawn = rg.network_map(snap, title=TITLE)
    told = TITLE.replace(chr(0xD800), "\ufffd")
    with opened(drawn.html) as watched:
        page = watched.page
        assert page.title() == told and page.text_content("h1") == told
        svg = watched.map("svg")
        assert ET.fromstring(svg).find("{http://www.w3.org/2000/svg}title").text == told
        assert page.evaluate("() => typeof window.ran") == "undefined"
    with opened(f"<!doctype html><title>n</title><link rel=icon href='data:,'>{drawn._repr_html_()}") as watched:
        assert watched.page.get_attribute("iframe", "title") == told
        assert watched.page.evaluate("() => typeof window.ran") == "undefined"
    assert f"<title>{html.escape(told)}</title>" in rg.network_map(snap, title=TITLE, backend="pyvis").html


@pytest.mark.parametrize(
    ("title", "says"), [("x" * 10_000, "at most 300 characters, got 10,000"), (3, "a text, got int")]
)
def test_titles_that_no_page_has_room_for(title, says):
    with pytest.raises(rg.InputError, match=f"title: expected {says}"):
        rg.network_map(hostile_snapshot(), title=title)
