"""The Pareto front against its definition."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from vdu_bench.reports.pareto import pareto_front

# Few values, so that ties come up.
NUMBERS = st.one_of(st.integers(-3, 3).map(float), st.floats(-1e3, 1e3), st.just(math.nan), st.just(math.inf))


@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=12))
def test_against_brute_force(points):
    def beaten(point):
        x, y = point
        return any(math.isfinite(a) and math.isfinite(b) and a <= x and b >= y and (a < x or b > y) for a, b in points)

    expected = {index for index, point in enumerate(points) if all(map(math.isfinite, point)) and not beaten(point)}
    front = pareto_front(points)
    assert set(front) == expected
    assert len(front) == len(expected)
    assert [points[index][0] for index in front] == sorted(points[index][0] for index in front)


def test_an_example():
    assert pareto_front([(20.0, 70.0), (50.0, 80.0), (25.0, 60.0), (15.0, 10.0)]) == [3, 0, 1]
