"""Access: everything by keyboard, nothing serious in axe-core's eyes, in light and dark, closed and in use."""

import pytest

import riskgraph as rg

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")


@pytest.fixture(scope="module")
def full_map():
    snap = rg.datasets.load("toy")
    graph = rg.exposure_graph(snap)
    return rg.network_map(
        graph,
        ranking=rg.contagion_centrality(graph),
        cascade=rg.liquidation_cascade(snap, {"ETH": -0.4}),
        reuse=rg.collateral_reuse(snap),
        what_if=["ETH"],
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(opened, full_map, scheme):
    with opened(full_map.html, color_scheme=scheme, bypass_csp=True) as watched:
        page = watched.page
        steps = {
            "overview": lambda: None,
            "a node": lambda: watched.map("select", 0),
            "a cascade": lambda: watched.map("play", 0, 2),
            "the table": lambda: page.click("#as-table"),
            "exports": lambda: page.click("#exports summary"),
        }
        for name, step in steps.items():
            step()
            found = axe.Axe().run(page).response["violations"]
            serious = [
                (one["id"], one["help"], [node["html"][:120] for node in one["nodes"]][:3])
                for one in found
                if one["impact"] in ("serious", "critical")
            ]
            assert serious == [], (scheme, name)


def test_every_control_is_reached_and_named(opened, full_map):
    """Tab goes through every control that is seen, in order, and each has a name."""
    with opened(full_map.html) as watched:
        page = watched.page
        watched.map("play", 0, 1)
        watched.map("select", 0)
        wanted = page.evaluate(
            """() => Array.from(
            document.querySelectorAll("button, input, select, summary, [tabindex='0']"))
            .filter((one) => one.checkVisibility() && !one.closest("details:not([open]) > :not(summary)"))
            .length"""
        )
        page.evaluate("() => document.activeElement.blur()")
        seen = set()
        for _ in range(wanted + 5):
            page.keyboard.press("Tab")
            told = page.evaluate(
                """() => { const one = document.activeElement; if (one === document.body) return null;
                one.dataset.seen = one.dataset.seen || String(Math.random());
                const name = one.ariaLabel || one.labels?.[0]?.textContent || one.textContent || "";
                return [one.dataset.seen, name.trim()]; }"""
            )
            if told:
                seen.add(told[0])
                assert told[1], page.evaluate("() => document.activeElement.outerHTML")
        assert len(seen) == wanted
