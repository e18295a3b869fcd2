"""The border of a clearing: every fault of its input is named."""

import numpy as np
import pandas as pd
import pytest

from riskgraph.contagion.obligations import read_obligations
from riskgraph.errors import InputError

NAMES = ["A", "B", "C"]
OWES = [[0, 6, 2], [0, 0, 5], [4, 0, 0]]
FRAME = pd.DataFrame(OWES, index=NAMES, columns=NAMES)


def series(values, names=NAMES):
    return pd.Series(values, index=names)


@pytest.mark.parametrize(
    ("owes", "cash", "outside", "labels", "words"),
    [
        ([[0, 1]], [1], None, None, r"liabilities: expected a square matrix, got shape \(1, 2\)"),
        ([0, 1], [1], None, None, "liabilities: expected a square matrix, got shape"),
        ([["x"]], [1], None, None, "liabilities: expected a square matrix of numbers, got could not convert"),
        ([[0, -1], [0, 0]], [1, 1], None, None, r"liabilities: .* at least 0, got 0 owes 1 -1.0 \(row 0\)"),
        ([[0, 1], [np.nan, 0]], [1, 1], None, ["A", "B"], r"liabilities: .* at least 0, got B owes A nan \(row 1\)"),
        ([[0, 1], [np.inf, 0]], [1, 1], None, None, "liabilities: expected finite USD of at least 0, got 1 owes 0 inf"),
        ([[0, 1], [0, 2]], [1, 1], None, None, r"no debt of a bank to itself, got one of 1 \(row 1\)"),
        (OWES, [1, 2], None, None, r"external_assets: expected one amount a bank \(3\), got shape \(2,\)"),
        (OWES, 1.0, None, None, r"external_assets: expected one amount a bank \(3\), got shape \(\)"),
        (OWES, [1, -2, np.nan], None, None, r"external_assets: .* at least 0, got -2.0 for 1 \(rows 1, 2\)"),
        (OWES, [1, 1, "x"], None, None, "external_assets: expected numbers, got"),
        (
            OWES,
            [1, 1, 1],
            [np.inf, 0, 0],
            None,
            "external_liabilities: expected finite USD of at least 0, got inf for 0",
        ),
        (OWES, [1, 1, 1], [1], None, "external_liabilities: expected one amount a bank"),
        (OWES, [1, 1, 1], None, ["A", "B"], "labels: expected 3, one a row of liabilities, got 2"),
        (OWES, [1, 1, 1], None, ["A", "B", "A"], r"labels: expected every label once, got more than one of \['A'\]"),
        (FRAME, [1, 1, 1], None, ["C", "B", "A"], "labels: expected none beside a frame"),
        (FRAME[["A", "B"]], [1, 1, 1], None, None, "expected a frame with the same labels"),
        (
            FRAME,
            series([1, 1, 1], ["A", "B", "Z"]),
            None,
            None,
            r"external_assets: .* got \['C', 'Z'\] on one side only",
        ),
        (
            FRAME,
            [1, 1, 1],
            series([1, 1, 1], ["A", "B", "B"]),
            None,
            "external_liabilities: expected every bank's label once",
        ),
        (
            OWES,
            series([1, 1, 1]),
            series([1, 1, 1], [0, 1, 2]),
            None,
            "external_liabilities: expected every bank's label once",
        ),
        (OWES, [1e308, 1e308, 1], None, None, "expected finite totals, got an overflow"),
    ],
)
def test_refused(owes, cash, outside, labels, words):
    with np.errstate(over="ignore"), pytest.raises(InputError, match=words):
        read_obligations(owes, cash, outside, labels)


def test_all_faults_in_one_message():
    with pytest.raises(InputError, match=r"external_assets: .*; external_liabilities: .*; liabilities: .* itself"):
        read_obligations([[1, 0], [0, 0]], [1], [1, -1], None)


def test_labels_come_from_where_they_are_given():
    assert read_obligations(OWES, [1, 1, 1], None, None).labels.tolist() == ["0", "1", "2"]
    assert read_obligations(OWES, [1, 1, 1], series([3, 1, 2]), None).labels.tolist() == NAMES
    turned = read_obligations(FRAME, series([3, 1, 2], ["C", "A", "B"]), None, None)
    assert turned.external_assets.tolist() == [1, 2, 3]
