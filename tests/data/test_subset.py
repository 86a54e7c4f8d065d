from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdu_bench.data.subset import drawn
from vdu_bench.errors import UserError


@given(st.integers(1, 500).flatmap(lambda total: st.tuples(st.just(total), st.integers(1, total))))
def test_a_draw_is_ascending_without_repeats_and_the_same_each_time(sizes: tuple[int, int]) -> None:
    total, count = sizes
    positions = drawn(count, total, "train_images", "here")
    assert len(positions) == count
    assert (np.diff(positions) > 0).all()
    assert positions[0] >= 0
    assert positions[-1] < total
    assert np.array_equal(positions, drawn(count, total, "train_images", "elsewhere"))
    assert set(drawn((count + 1) // 2, total, "train_images", "here")) <= set(positions)


def test_all_is_every_image_and_each_option_has_a_draw_of_its_own() -> None:
    assert drawn("all", 7, "train_images", "here").tolist() == list(range(7))
    assert drawn(20, 100, "train_images", "here").tolist() != drawn(20, 100, "held_out_images", "here").tolist()


def test_shares_are_kept() -> None:
    """CelebA's size, and its rarest attribute that a task forgets: hats, one in twenty."""
    shows = np.arange(162_770) % 20 == 0
    hats = int(shows[drawn(10_000, len(shows), "train_images", "here")].sum())
    assert abs(hats - 500) < 4 * np.sqrt(10_000 * 0.05 * 0.95)


@pytest.mark.parametrize(("count", "total"), [(5, 4), (1, 0), ("all", 0)])
def test_more_than_there_are_is_an_error(count: int | str, total: int) -> None:
    with pytest.raises(UserError, match=f"the folder has {total} images, and train_images asks for {count}"):
        drawn(count, total, "train_images", "the folder")
