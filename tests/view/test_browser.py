"""The map in a real Chromium, offline: it draws, it finds, it filters, it opens groups, and no label ever runs."""

import numpy as np
import pytest

from riskgraph.graph.exposure import KINDS
from riskgraph.view.style import money, shown
from tests.view.maps import LABELS, bare_name, synthetic_map, unpacked
from tests.view.pixels import colour_at, far_from, fill_of


def drawn_hubs(watched, drawing):
    """Hubs large enough to look at in the middle."""
    scale = watched.map("discOf", 0) / drawing.layout.disc[0]
    return [i for i in np.flatnonzero(drawing.layout.hub) if drawing.layout.radius[i] * scale > 5]


def assert_hubs_are_coloured(watched, drawing):
    watched.page.evaluate("() => { document.getElementById('names').style.visibility = 'hidden'; }")
    hubs = drawn_hubs(watched, drawing)
    assert len(hubs) > 5
    for i in hubs[:12]:
        assert far_from(colour_at(watched.page, *watched.spot(int(i))), fill_of(drawing, i)) <= 3, drawing.labels[i]
    watched.page.evaluate("() => { document.getElementById('names').style.visibility = ''; }")


def test_draws_with_webgl_and_every_hub_has_its_colour(at, drawing):
    assert at.page.get_attribute("#stage", "data-renderer") == "webgl2"
    assert_hubs_are_coloured(at, drawing)


def test_draws_the_same_without_webgl(opened, drawing):
    with opened(synthetic_map().html, webgl=False) as watched:
        assert watched.page.get_attribute("#stage", "data-renderer") == "canvas2d"
        assert_hubs_are_coloured(watched, drawing)


def test_says_at_once_what_is_drawn(at, drawing):
    lines = drawing.lines()
    said = at.page.inner_text("#coverage")
    covered = int(lines.exposures[:1500].sum()) + lines.within
    assert said.startswith(f"{covered:,} of {drawing.total_exposures:,} exposures, ")
    share = (lines.usd[:1500].sum() + lines.within_usd) / drawing.total_usd
    assert f"{100 * share:.1f} % of value, shown" in said
    assert at.page.is_visible("#coverage")
    assert drawing.headline() in at.page.inner_text("header")


def test_the_legend_counts_every_node(at, drawing):
    legend = at.page.inner_text("#legend")
    for part in (drawing.scores.name, drawing.scores.basis, drawing.classes.rule):
        assert part in legend
    counted = at.page.locator("#legend li small").all_inner_texts()
    unranked = len(drawing.labels) - int(drawing.classes.counts.sum())
    wanted = [*drawing.classes.counts.tolist(), *([unranked] if unranked else [])]
    assert counted == [f"{count:,} node{'' if count == 1 else 's'}" for count in wanted]


def test_a_click_shows_the_numbers_of_a_node(at, drawing):
    i = int(np.flatnonzero(drawing.layout.hub & (drawing.kind == KINDS.index("account")))[0])
    at.page.mouse.click(*at.spot(i))
    assert at.page.inner_text("#panel h2") == bare_name(drawing, i)
    facts, score = at.panel(), drawing.scores.by_column
    row, column = drawing.exposures[[i]].sum(), drawing.exposures[:, [i]].sum()
    assert facts["Exposed to others"] == money(float(row))
    assert facts["Others exposed to it"] == money(float(column))
    assert facts["Equity"] == money(drawing.capital[i])
    assert facts["Debt"] == money(drawing.debt[i])
    assert facts["Shock"] == "wiped out"
    assert float(facts["Contagion centrality R"]) == pytest.approx(score["contagion"][i], rel=6e-3)
    assert facts["Rank among accounts"] == f"{score['rank'][i]:,.0f}"
    assert facts["Loss it causes"] == money(score["loss_usd"][i])
    assert facts["of it in the first wave"] == money(score["first_round_usd"][i])
    assert facts["Other defaults"] == f"{score['defaults'][i]:,.0f}"
    at.page.keyboard.press("Escape")
    assert at.map("state")["selected"] == -1
    assert at.page.inner_text("#panel h2") == "What matters most"


def test_counterparties_are_the_largest_and_each_a_link(at, drawing):
    i = int(np.flatnonzero(drawing.kind == KINDS.index("protocol"))[0])
    at.map("select", i)
    both = np.asarray((drawing.exposures[[i]] + drawing.exposures[:, [i]].T).todense()).ravel()
    most = np.argsort(-both, kind="stable")[:10]
    links = at.page.locator("#panel tbody button.link bdi")
    assert [node.get_attribute("title") for node in links.all()] == [str(drawing.labels[j]) for j in most]
    links.nth(3).click()
    assert at.map("state")["selected"] == int(most[3])
    assert at.page.inner_text("#panel h2") == bare_name(drawing, most[3])


def test_hover_tells_name_and_kind(at, drawing):
    at.page.mouse.move(*at.spot(0))
    assert at.page.is_visible("#tip")
    assert bare_name(drawing, 0) in at.page.inner_text("#tip")
    assert money(drawing.size[0]) in at.page.inner_text("#tip")
    at.page.mouse.move(0, 0)
    assert not at.page.is_visible("#tip")


def test_search_suggests_and_chooses_by_keyboard(at, drawing):
    i = int(np.flatnonzero(drawing.layout.grouped)[-1])  # hidden in a group until it is chosen
    assert not at.map("isDrawn", i)
    name = bare_name(drawing, i)
    at.page.fill("#query", name[:16])
    assert at.page.locator("#suggestions li bdi").all_inner_texts() == [shown(str(drawing.labels[i]), "account", 40)]
    assert at.page.get_attribute("#query", "aria-expanded") == "true"
    at.page.press("#query", "Enter")
    assert at.map("state")["selected"] == i
    assert at.map("isDrawn", i)
    assert at.page.inner_text("#panel h2") == name
    at.page.fill("#query", "nothing is called this")
    assert at.page.locator("#suggestions li").all_inner_texts() == ["no such node"]


def test_suggestions_are_walked_with_the_arrows(at, drawing):
    at.page.fill("#query", "lend")
    named = at.page.locator("#suggestions li bdi").all_inner_texts()
    assert len(named) == 3
    at.page.press("#query", "ArrowDown")
    assert at.page.locator('#suggestions li[aria-selected="true"] bdi').all_inner_texts() == [named[1]]
    at.page.press("#query", "Enter")
    assert at.page.inner_text("#panel h2") == named[1]


def test_kinds_are_filtered_and_the_lines_with_them(at, drawing):
    whole = at.map("state")
    at.page.uncheck('#kinds input[data-kind="account"]')
    state = at.map("state")
    assert state["drawn"] == int((drawing.kind != KINDS.index("account")).sum()) < whole["drawn"]
    assert state["lines"] < whole["lines"]
    coo, account = drawing.exposures.tocoo(), KINDS.index("account")
    left = int(((drawing.kind[coo.row] != account) & (drawing.kind[coo.col] != account)).sum())
    assert at.page.inner_text("#coverage").startswith(f"{left:,} of {drawing.total_exposures:,} exposures")
    at.page.click("#reset")
    assert at.map("state") == whole
    assert at.page.is_checked('#kinds input[data-kind="account"]')


def test_the_threshold_leaves_out_the_smaller(at, drawing):
    at.page.focus("#least")
    at.page.keyboard.press("End")
    assert at.map("state")["least"] == drawing.size.max()
    assert at.map("state")["drawn"] == int((drawing.size >= drawing.size.max()).sum())
    assert at.page.inner_text("#least-usd") == money(drawing.size.max())
    at.page.keyboard.press("Home")
    assert at.map("state")["least"] == 0
    for _ in range(60):
        at.page.keyboard.press("ArrowRight")
    state = at.map("state")
    stays = (drawing.size >= state["least"]) & ~drawing.layout.grouped
    assert state["drawn"] == int(stays.sum()) < int((~drawing.layout.grouped).sum())


def largest_group(drawing):
    return int(np.bincount(drawing.layout.home[drawing.layout.grouped]).argmax())


def test_a_click_on_a_disc_opens_its_group(at, drawing):
    hub = largest_group(drawing)
    members = np.flatnonzero(drawing.layout.grouped & (drawing.layout.home == hub))
    before, radius = at.map("state")["drawn"], at.map("discOf", hub)
    x, y = at.spot(hub)
    others = at.spots(np.flatnonzero(~drawing.layout.grouped))
    for turn in np.arange(64) * 2.4:  # a place inside the disc and away from every mark that is drawn
        spot = (x + 0.9 * radius * np.cos(turn), y + 0.9 * radius * np.sin(turn))
        if np.hypot(*(others - spot).T).min() > 8:
            break
    at.page.mouse.click(*spot)
    state = at.map("state")
    assert state["open"] == [hub]
    assert state["drawn"] == before + len(members)
    assert f"{len(members):,} small accounts" in at.page.inner_text("#panel h2")
    assert shown(str(drawing.labels[hub]), KINDS[drawing.kind[hub]]) in at.page.inner_text("#panel h2")
    assert at.panel()["Exposure together"] == money(float(drawing.size[members].sum()))
    at.page.click("#open-group")
    assert at.map("state")["open"] == []
    assert at.map("state")["drawn"] == before


def test_a_group_opens_without_a_mouse(at, drawing):
    at.page.focus("#panel details summary")
    at.page.keyboard.press("Enter")
    at.page.keyboard.press("Tab")
    at.page.keyboard.press("Enter")
    assert at.map("state")["open"] == [largest_group(drawing)]


def test_a_chosen_node_shows_its_whole_neighbourhood(at, drawing):
    i = int(np.flatnonzero(drawing.layout.grouped)[0])
    at.map("select", i)
    at.picture()
    coo = drawing.exposures.tocoo()
    others = set(coo.col[coo.row == i].tolist()) | set(coo.row[coo.col == i].tolist())
    assert f"{len(others):,} of {len(others):,}" in at.page.inner_text("#panel")
    assert "Selected" in at.page.inner_text("#status")


def test_numbers_and_names_are_written_alike_on_both_sides(at):
    draw = np.random.default_rng(0)
    amounts = [0.0, 0.004, 0.125, 1.005, 9.995, 99.95, 999.44, 999.45, 999.5, 1e3, 1234.5, 999_450.0, 2.5e12, -31_500.0]
    amounts += (10 ** draw.uniform(-3, 15, 3000)).tolist() + draw.integers(0, 10**7, 500).astype(float).tolist()
    assert at.page.evaluate("(list) => list.map(window.networkMap.written.money)", amounts) == [
        money(v) for v in amounts
    ]
    names = [
        *LABELS["account"],
        *LABELS["asset"],
        "account:x",
        "account:",
        "a\tb\u2003 c\x1cd ",
        "\U0001f4b0" * 30,
        "0x12",
    ]
    script = "(list) => list.map((name) => window.networkMap.written.shown(name, 'account'))"
    assert at.page.evaluate(script, names) == [shown(name, "account") for name in names]


def test_the_data_arrive_as_they_were(at, drawing):
    assert at.page.evaluate("() => window.networkMap.labels") == [str(label) for label in drawing.labels]
    x = unpacked(at.page.evaluate("() => JSON.parse(document.getElementById('data').textContent).nodes.x"), "f4")
    assert x.tolist() == drawing.layout.x.astype("f4").tolist()


def test_dark_mode_has_a_dark_ground_and_the_same_classes(opened, drawing):
    with opened(synthetic_map().html, color_scheme="dark") as watched:
        box = watched.page.locator("#stage").bounding_box()
        assert max(colour_at(watched.page, box["x"] + 3, box["y"] + 3)) < 60
        assert_hubs_are_coloured(watched, drawing)
