from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdu_bench.reports.tables.fitting import fitted


@pytest.mark.parametrize(
    ("lengths", "groups"),
    [
        ([], []),
        ([4, 6, 1], [[4, 6], [1]]),
        ([4, 7, 3], [[4], [7, 3]]),
        ([11, 1, 12], [[11], [1], [12]]),
        ([2.5, 7.5, 0.125], [[2.5, 7.5], [0.125]]),
    ],
)
def test_a_group_is_no_longer_than_the_room(lengths: list[float], groups: list[list[float]]) -> None:
    assert fitted(((length, length) for length in lengths), 10) == groups


@given(st.lists(st.integers(1, 30), max_size=30), st.integers(-5, 40))
def test_nothing_is_lost_and_no_group_begins_too_soon(lengths: list[int], room: int) -> None:
    groups = fitted(((length, length) for length in lengths), room)
    assert [length for group in groups for length in group] == lengths
    assert all(len(group) == 1 or sum(group) <= room for group in groups)
    assert all(sum(group) + following[0] > room for group, following in pairwise(groups))
