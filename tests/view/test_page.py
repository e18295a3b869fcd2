"""The page as text: the same bytes for the same network, nothing in it but what was put there, and clear refusals."""

import base64
import hashlib
import json
import os
import random
import re
import subprocess
import sys
from importlib import resources

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import riskgraph as rg
from riskgraph.graph.exposure import KINDS, ExposureGraph
from riskgraph.view.page import SCRIPTS, joined_script, safe_json
from tests.view.maps import (
    MARKUP,
    data_of,
    elements,
    hostile_map,
    hostile_snapshot,
    random_matrix,
    synthetic,
    synthetic_map,
    unpacked,
)

PRINT_DIGEST = """
import hashlib, random
random.seed()
from tests.view.maps import hostile_map, synthetic_map
for drawn in (hostile_map(), synthetic_map()):
    print(hashlib.sha256((drawn.html + drawn._repr_html_()).encode()).hexdigest())
"""


def ranked(A, capital, labels):
    graph = ExposureGraph.from_matrix(A, capital, labels=labels)
    return rg.network_map(graph, ranking=rg.contagion_centrality(graph))


def test_the_same_book_gives_the_same_bytes_in_another_process():
    own = "".join(
        hashlib.sha256((drawn.html + drawn._repr_html_()).encode()).hexdigest() + "\n"
        for drawn in (hostile_map(), synthetic_map())
    )
    for seed in ("1", "77"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        run = subprocess.run(
            [sys.executable, "-c", PRINT_DIGEST], env=environment, capture_output=True, text=True, check=True
        )
        assert run.stdout == own


def test_the_order_of_rows_changes_no_byte():
    pages = set()
    for turn in (1, -1):
        graph = rg.exposure_graph(hostile_snapshot(turn))
        pages.add(rg.network_map(graph, ranking=rg.contagion_centrality(graph)).html)
    assert len(pages) == 1


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_order_of_a_matrix_changes_no_byte(seed):
    A, capital, labels = random_matrix(seed)
    order = np.random.default_rng(seed).permutation(len(A))
    random.seed(seed)
    first = ranked(A, capital, labels)
    other = ranked(A[order][:, order], capital[order], [labels[k] for k in order])
    assert first.html == other.html
    assert first._repr_html_() == other._repr_html_()


def test_markup_in_labels_adds_no_element():
    plain = elements(rg.network_map(rg.exposure_graph(renamed())).html)
    hostile = elements(rg.network_map(rg.exposure_graph(hostile_snapshot())).html)
    assert [tag for tag, _ in hostile] == [tag for tag, _ in plain]
    assert [tag for tag, _ in hostile].count("script") == 2
    assert "<img" not in hostile_map().html


def renamed():
    """The hostile book under harmless names."""
    snap = hostile_snapshot()
    positions = snap.positions[["account", "protocol", "asset", "side", "amount"]].astype({"amount": float})
    for name in ("account", "protocol", "asset"):
        names = {label: f"{name} {k}" for k, label in enumerate(sorted(set(positions[name])))}
        positions[name] = [names[label] for label in positions[name]]
    assets = sorted(set(positions["asset"]))
    prices = pd.DataFrame({"asset": assets, "price": [float(k + 1) for k in range(len(assets))]})
    return rg.Snapshot(positions=positions, assets=prices)


def test_labels_come_back_from_the_page_as_they_were():
    drawing = hostile_map().drawing
    assert data_of(hostile_map().html)["labels"] == [str(label) for label in drawing.labels]
    assert f"account:{MARKUP}" in data_of(hostile_map().html)["labels"]


@given(st.text() | st.text("<>&/!-\u2028\u2029\ufeff\ud800\\u\"'"))
def test_safe_json_says_the_same_and_holds_no_markup(text):
    written = safe_json([text, {text: 1}])
    assert json.loads(written) == [text, {text: 1}]
    assert not re.search("[<>&\u2028\u2029\ufeff\ud800-\udfff]", written)
    written.encode("utf-8")


def test_the_policy_names_exactly_what_is_in_the_page():
    page = synthetic_map().html
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert policy.startswith("default-src 'none'; ")
    for directive, body in (
        ("script-src", re.search(r"<script>(.*?)</script>", page, re.DOTALL)[1]),
        ("style-src", re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1]),
    ):
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}';" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_nothing_in_the_page_points_outside():
    for tag, attributes in elements(synthetic_map().html):
        for name in ("src", "href", "action", "srcset"):
            assert attributes.get(name, "data:").startswith("data:"), tag
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
    assert set(re.findall(r"https?://[\w./]+", synthetic_map().html)) == {"http://www.w3.org/2000/svg"}


def test_scripts_never_read_markup():
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", joined_script())
    assert not re.search(r"^(import|export) ", joined_script(), re.MULTILINE)


def test_no_name_is_given_twice_in_the_joined_script():
    """Joined, all modules share one scope: the later of two functions would silently take the place of the first."""
    names = re.findall(r"^(?:async )?(?:function|const|let|class) (\w+)", joined_script(), re.MULTILINE)
    assert len(names) > 60
    assert sorted(name for name in set(names) if names.count(name) > 1) == []


def test_every_import_comes_from_a_module_joined_before():
    folder = resources.files("riskgraph.view") / "map"
    assert sorted(SCRIPTS) == sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".js"))
    for k, script in enumerate(SCRIPTS):
        text = (folder / script).read_text(encoding="utf-8")
        for names, source in re.findall(r'^import \{ ([^}]*) \} from "\./([^"]*)";$', text, re.MULTILINE):
            assert source in SCRIPTS[:k], script
            given = (folder / source).read_text(encoding="utf-8")
            for name in names.split(", "):
                assert re.search(rf"^export (?:async )?(?:function|const|let) {name}\b", given, re.MULTILINE), (
                    script,
                    name,
                )


def test_numbers_of_nodes_and_exposures_are_on_the_page():
    drawn, (graph, ranking) = synthetic_map(), synthetic()
    data, frame = data_of(drawn.html), ranking.to_frame()
    place = {label: k for k, label in enumerate(data["labels"])}
    edges = data["edges"]
    found = {
        (data["labels"][a], data["labels"][b]): usd
        for a, b, usd in zip(
            unpacked(edges["from"], "u2"), unpacked(edges["to"], "u2"), unpacked(edges["usd"], "f4"), strict=True
        )
    }
    coo = graph.exposures.tocoo()
    wanted = {(graph.labels[i], graph.labels[j]): usd for i, j, usd in zip(coo.row, coo.col, coo.data, strict=True)}
    assert found.keys() == wanted.keys()
    assert all(found[pair] == pytest.approx(wanted[pair], rel=1e-6) for pair in wanted)
    assert np.all(np.diff(unpacked(edges["usd"], "f4")) <= 0)
    size = unpacked(data["nodes"]["size"], "f8")
    assert [size[place[label]] for label in graph.labels] == pytest.approx(graph.size_usd.tolist(), rel=1e-11)
    nodes = unpacked(data["ranking"]["node"], "u2")
    scores = unpacked(data["ranking"]["contagion"], "f8")
    assert {data["labels"][i] for i in nodes} == set(frame.index)
    for i, value in zip(nodes, scores, strict=True):
        assert value == pytest.approx(frame.loc[data["labels"][i], "contagion"], rel=1e-11)


@pytest.mark.parametrize("seed", [0, 1])
def test_lines_are_the_sums_of_what_they_stand_for(seed):
    drawing = synthetic_map().drawing if seed else ranked(*random_matrix(7)).drawing
    lines, layout, coo = drawing.lines(), drawing.layout, drawing.exposures.tocoo()
    sums, within = {}, 0.0
    for i, j, usd in zip(coo.row.tolist(), coo.col.tolist(), coo.data.tolist(), strict=True):
        a, b = (k if layout.hub[k] else int(layout.home[k]) for k in (i, j))
        if a == b:
            within += usd
            continue
        key = (min(a, b), max(a, b), not (layout.hub[i] and layout.hub[j]))
        total, count = sums.get(key, (0.0, 0))
        sums[key] = (total + usd, count + 1)
    drawn = {
        (int(a), int(b), bool(folded)): (usd, count)
        for a, b, folded, usd, count in zip(
            lines.a, lines.b, lines.folded, lines.usd, lines.exposures.tolist(), strict=True
        )
    }
    assert drawn.keys() == sums.keys()
    for key, (usd, count) in drawn.items():
        assert usd == pytest.approx(sums[key][0])
        assert count == sums[key][1]
    assert lines.within_usd == pytest.approx(within)
    assert lines.exposures.sum() + lines.within == len(coo.data)
    assert lines.usd.sum() + lines.within_usd == pytest.approx(drawing.total_usd)


def test_without_a_ranking_the_kinds_colour():
    drawn = rg.network_map(rg.exposure_graph(hostile_snapshot()))
    assert data_of(drawn.html)["ranking"] is None
    assert drawn.summary()["colour"] == "kind"
    assert "class_" not in drawn.to_frame().columns


def test_the_legend_names_score_model_shocks_and_gain():
    ranking = synthetic()[1]
    said = data_of(synthetic_map().html)["ranking"]
    assert said["name"] == "Contagion centrality R"
    assert said["basis"] == (
        f"liquidation model; assets fall 10%, accounts and protocols are wiped out; λ₁ = {ranking.spectral_radius:.4g}"
    )


def test_where_everything_ends_alike_the_first_wave_colours():
    A = np.array([[0.0, 20.0, 3.0], [15.0, 0.0, 1.0], [2.0, 0.0, 0.0]])
    drawn = ranked(A, np.array([10.0, 10.0, 10.0]), ["a", "b", "c"])
    assert drawn.drawing.scores.colour == "first_round_usd"
    assert "≥ 1" in drawn.drawing.scores.basis
    assert data_of(drawn.html)["ranking"]["name"] == "First-wave loss (USD)"


def test_a_snapshot_is_drawn_as_its_graph():
    snap = hostile_snapshot()
    drawn, same = (data_of(rg.network_map(given).html) for given in (snap, rg.exposure_graph(snap)))
    (note,) = [note for note in drawn["notes"] if note not in same["notes"]]
    assert note.startswith("no health factors are shown: markets.liquidation_threshold")  # only a snapshot could have
    assert {**drawn, "notes": same["notes"]} == same


def test_top_keeps_the_largest_accounts_and_says_what_is_left_out():
    graph, ranking = synthetic()
    drawn = rg.network_map(graph, ranking=ranking, top=50)
    counts, whole = drawn.drawing.counts, synthetic_map().drawing.counts
    assert counts == {**whole, "account": 50}
    assert drawn.drawing.left_out == whole["account"] - 50
    assert data_of(drawn.html)["total"]["leftOut"] == whole["account"] - 50
    assert drawn.drawing.total_exposures == synthetic_map().drawing.total_exposures
    account = graph.kind == KINDS.index("account")
    least = drawn.drawing.size[drawn.drawing.kind == KINDS.index("account")].min()
    assert (graph.size_usd[account] > least * (1 + 1e-9)).sum() <= 50


def test_frame_and_summary_agree():
    drawn = synthetic_map()
    frame, summary = drawn.to_frame(), drawn.summary()
    assert frame["hub"].sum() == summary["hubs"]
    assert frame["grouped"].sum() == summary["grouped"] > 0
    assert set(frame["home"].dropna()) <= set(frame.index[frame["hub"]])
    assert (frame["kind"] == "account").sum() == summary["accounts"]
    assert repr(drawn) == f"<NetworkMap: {drawn.drawing.headline()}>"


def test_no_nodes_and_no_exposures_still_make_a_page(tmp_path):
    graph = ExposureGraph.from_matrix(np.zeros((2, 2)), [1.0, 2.0], labels=["a", "b"])
    drawn = rg.network_map(graph, ranking=rg.contagion_centrality(graph))
    assert data_of(drawn.html)["labels"] == ["a", "b"]
    assert "data:image/png" in drawn._repr_html_()
