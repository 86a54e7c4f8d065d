"""The quality limit by hand."""

from __future__ import annotations

import math

import pytest

from vdu_bench.reports.limits import Excess, excess

AMOUNTS = {"ratio": 2.0, "points": 10.0}


@pytest.mark.parametrize(
    ("limit", "better", "value", "original", "bound"),
    [
        ("ratio", "lower", 162.1, 81.0, 162.0),
        ("ratio", "lower", 162.0, 81.0, None),
        ("ratio", "higher", 40.0, 81.0, 40.5),
        ("ratio", "higher", 41.0, 81.0, None),
        ("points", "lower", 13.5, 3.4, 13.4),
        ("points", "lower", 13.3, 3.4, None),
        ("points", "higher", 80.0, 91.0, 81.0),
        ("points", "higher", 82.0, 91.0, None),
        ("", "lower", 1e6, 1.0, None),
        ("ratio", "lower", 1e6, math.nan, None),
    ],
)
def test_what_is_beyond(limit, better, value, original, bound):
    found = excess("m", limit, better, value, original, AMOUNTS)
    assert found == (None if bound is None else Excess("m", value, original, pytest.approx(bound)))


def test_a_number_that_is_missing_is_beyond():
    """Of a model of which nobody can say how far it is from real images, nobody can say that it is left."""
    found = excess("m", "ratio", "lower", math.nan, 1.0, AMOUNTS)
    assert found is not None
    assert math.isnan(found.value)
    assert (found.original, found.bound) == (1.0, 2.0)


def test_a_protocol_without_limits_judges_nothing():
    assert excess("m", "ratio", "lower", 1e6, 1.0, {}) is None
