"""Figures: written, right in what can be asked of pixels, the same bytes every time."""

from __future__ import annotations

import itertools

import matplotlib.image
import numpy as np
import pytest

from vdu_bench.measured import Estimate
from vdu_bench.reports.plots.bars import draw_bars
from vdu_bench.reports.plots.grid import sample_grid
from vdu_bench.reports.plots.style import looks
from vdu_bench.reports.plots.tradeoff import draw_tradeoff
from vdu_bench.reports.tables.leaderboard import leaderboards


@pytest.fixture
def board(make_records, make_record):
    """With a diverged cell, an external one, a number that is missing and a PUL far below the axis."""
    records = [*make_records(("digits_1",), (0, 1)), make_record("boom", status="diverged")]
    records += [make_record("elsewhere", role="external"), make_record("awful")]
    del records[-2].metrics["junk_rate"]
    awful = records[-1].metrics["pul"].estimate
    awful.value, awful.low, awful.high = -660.0, -700.0, -620.0
    return leaderboards(records)[0]


@pytest.mark.parametrize("draw", [draw_tradeoff, draw_bars])
def test_figures_are_written_and_deterministic(board, tmp_path, draw):
    first = draw(board, looks([board]), tmp_path / "first.x")
    second = draw(board, looks([board]), tmp_path / "second.x")
    assert [file.name for file in first] == ["first.x.png", "first.x.pdf"]
    for one, other in zip(first, second, strict=True):
        assert one.stat().st_size > 5_000
        assert one.read_bytes() == other.read_bytes()
    pixels = matplotlib.image.imread(first[0])
    assert pixels.shape[1] > 1_200
    assert first[1].read_bytes()[:4] == b"%PDF"
    assert b"CreationDate" not in first[1].read_bytes()


def test_the_front_leaves_out_what_is_destroyed_and_the_legend_says_so(
    make_records, make_record, tmp_path, monkeypatch
):
    records = [*make_records(("digits_1",)), *(make_record("real", seed, role="reference") for seed in range(3))]
    for record in records:
        record.protocol.limits = {"ratio": 3.0}
        record.metrics["fd_judge"] = record.metrics["fd_judge"].model_copy(update={"limit": "ratio"})
        if record.method == "real":
            record.metrics["pul"].estimate = Estimate(reason="no model")
    figures = []
    monkeypatch.setattr("vdu_bench.reports.plots.tradeoff.draw", lambda _, paint: figures.append(paint()) or [])
    board = leaderboards(records)[0]
    draw_tradeoff(board, looks([board]), tmp_path / "x")
    (legend,), (axes,) = figures[0].legends, figures[0].axes
    labels = {text.get_text() for text in legend.get_texts()}
    assert {"gradient_ascent (destroyed)", "vdu"} <= labels
    # Real images have no place in the plane for a good reason.
    assert not any(label.startswith("real") for label in labels)
    (front,) = [line for line in axes.lines if line.get_label() == "Pareto front"]
    places = {row.method: row.estimates["fd_judge"].value for row in board.rows}
    assert list(front.get_xdata()) == sorted(places[method] for method in board.front)
    assert places["gradient_ascent"] not in front.get_xdata()


def test_nothing_is_drawn_from_nothing(make_record, tmp_path):
    board = leaderboards([make_record(status="failed")])[0]
    assert draw_tradeoff(board, looks([board]), tmp_path / "a") == []
    assert draw_bars(board, looks([board]), tmp_path / "a") == []
    assert list(tmp_path.iterdir()) == []


def test_looks_are_stable_and_distinct(make_records, make_record):
    boards = leaderboards([*make_records(), make_record("another", task="digits_8")])
    found = looks(boards)
    assert found == looks(reversed(boards))
    assert set(found) == {row.method for board in boards for row in board.rows}
    for one, other in itertools.combinations(found.values(), 2):
        assert (one.color, one.marker) != (other.color, other.marker)
    assert found["original"].hatch
    assert not found["vdu"].hatch
    contestants = [look for look in found.values() if not look.hatch]
    # In grey print the marker alone has to do.
    assert len({look.marker for look in contestants}) == len(contestants)


@pytest.mark.parametrize("channels", [0, 3])
def test_sample_grid(make_images, tmp_path, channels):
    rows = {name: make_images(5, 8, channels) for name in ("original", "vdu")}
    first = sample_grid(rows, tmp_path / "first", "a title")
    second = sample_grid(rows, tmp_path / "second", "a title")
    assert [one.read_bytes() for one in first] == [other.read_bytes() for other in second]


def test_photographs_are_drawn_as_small_as_a_page_shows_them(make_images, tmp_path):
    large = {"original": make_images(3, 512, 3)}
    (file, *_), (small, *_) = (
        sample_grid(rows, tmp_path / name, "a title")
        for name, rows in (("large", large), ("small", {"original": make_images(3, 128, 3)}))
    )
    assert file.stat().st_size < 1.5 * small.stat().st_size
    # The mean of the pixels that are put together, so that brightness stays.
    shrunk = matplotlib.image.imread(file)[..., :3].mean()
    assert shrunk == pytest.approx(matplotlib.image.imread(small)[..., :3].mean(), abs=0.02)


def test_samples_keep_their_colours(tmp_path):
    plain = np.full((3, 4, 4, 3), (200, 30, 90), dtype=np.uint8)
    png, _ = sample_grid({"original": plain}, tmp_path / "plain", "")
    pixels = (matplotlib.image.imread(png)[..., :3] * 255).round().astype(int)
    exact = (pixels == (200, 30, 90)).all(axis=-1)
    near = (np.abs(pixels - (200, 30, 90)).sum(axis=-1) < 120) & ~exact
    side = round(0.4 * 200)
    assert exact.sum() > 3 * side * side * 0.8
    # Nothing was smoothed, but for the one line of pixels where an edge falls between two.
    assert near.sum() < 0.02 * exact.sum()


@pytest.mark.parametrize(
    "rows",
    [
        {},
        {"a": np.zeros((2, 8, 8), np.float32)},
        {"a": np.zeros((2, 8, 8), np.uint8), "b": np.zeros((3, 8, 8), np.uint8)},
        {"a": np.zeros((2, 3, 8, 8), np.uint8)},
        {"a": np.zeros((0, 8, 8), np.uint8)},
    ],
)
def test_what_is_not_samples_is_refused(rows, tmp_path):
    with pytest.raises(ValueError, match="samples"):
        sample_grid(rows, tmp_path / "x", "")
