"""Lines over rounds: only whole rounds are marked."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pytest

from riskgraph.view.figures.charts import lines


@pytest.mark.parametrize("last", [1, 2, 3, 12, 115])
def test_rounds_are_marked_by_whole_numbers(last):
    rounds = list(range(-1, last + 1))
    drawn = lines(rounds, {"ETH": [1.0] * len(rounds)}, across="round")
    drawn.figure.canvas.draw()
    low, high = drawn.get_xlim()
    marks = [place for place in drawn.get_xticks() if low <= place <= high]
    assert len(marks) >= 2 and all(place == int(place) for place in marks)
    plt.close(drawn.figure)


def test_falls_may_be_marked_between_whole_numbers():
    drawn = lines([0.0, 0.5, 1.0], {"bad debt": [0.0, 1.0, 2.0]}, across="fall")
    drawn.figure.canvas.draw()
    assert any(place != int(place) for place in drawn.get_xticks())
    plt.close(drawn.figure)
