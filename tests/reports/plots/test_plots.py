"""Figures: written, right in what can be asked of pixels, the same bytes every time."""

from __future__ import annotations

import matplotlib.image
import numpy as np
import pytest

from vdu_bench.measured import Estimate
from vdu_bench.reports.method_style import method_styles
from vdu_bench.reports.plots.bars import draw_bars
from vdu_bench.reports.plots.grid import sample_grid
from vdu_bench.reports.plots.tradeoff import draw_tradeoff
from vdu_bench.reports.tables.leaderboard import leaderboards


def styles(board):
    return method_styles(row.method for row in board.rows)


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
    first = draw(board, styles(board), tmp_path / "first.x")
    second = draw(board, styles(board), tmp_path / "second.x")
    assert [file.name for file in first] == ["first.x.png", "first.x.pdf"]
    for one, other in zip(first, second, strict=True):
        assert one.stat().st_size > 5_000
        assert one.read_bytes() == other.read_bytes()
    pixels = matplotlib.image.imread(first[0])
    assert pixels.shape[1] > 1_200
    assert first[1].read_bytes()[:4] == b"%PDF"
    assert b"CreationDate" not in first[1].read_bytes()


def test_the_front_leaves_out_what_is_destroyed_and_labels_say_so(make_records, make_record, tmp_path, figures):
    records = [*make_records(("digits_1",)), *(make_record("real", seed, role="reference") for seed in range(3))]
    for record in records:
        limited(record)
        if record.method == "real":
            record.metrics["pul"].estimate = Estimate(reason="no model")
    board = leaderboards(records)[0]
    draw_tradeoff(board, styles(board), tmp_path / "x")
    (axes,) = figures[0].axes
    labels = {text.get_text() for text in axes.texts}
    # Real images have no place in the plane for a good reason.
    assert labels == {"original", "retrain", "vdu", "esd", "finetune", "gradient_ascent ⊗\n415 →", "better"}
    (front,) = [line for line in axes.lines if line.get_label() == "Pareto front"]
    places = {row.method: row.estimates["fd_judge"].value for row in board.rows}
    assert list(front.get_xdata()) == sorted(places[method] for method in board.front)
    assert places["gradient_ascent"] not in front.get_xdata()
    # A hundred times as far as others, and they still have most of the picture.
    assert axes.get_xscale() == "log"
    low, high = axes.get_xlim()
    assert high < 300 < places["gradient_ascent"]
    assert high / low > places["esd"] / places["retrain"]


def test_what_has_no_place_is_named_under_the_plane(board, tmp_path, figures):
    draw_tradeoff(board, styles(board), tmp_path / "x")
    assert "no place: boom (diverged)" in figures[0].get_supxlabel()
    names = {text.get_text() for text in figures[0].axes[0].texts}
    assert {"elsewhere (external)", "awful\n-660 % ↓"} <= names


def test_costs_are_logarithmic_and_nothing_is_drawn_twice(make_records, tmp_path, figures):
    records = make_records(("digits_1",))
    for record in records:
        limited(record)
    board = leaderboards(records)[0]
    draw_bars(board, styles(board), tmp_path / "x")
    panels = {axes.get_title(): axes for axes in figures[0].axes}
    # pul_range and concept_rate say what PUL says.
    assert set(panels) == {
        "PUL", "Fréchet distance (judge)", "junk rate", "class shift", "time", "NFE forward", "NFE backward",
        "peak memory", "throughput", "training images",
    }  # fmt: skip
    logarithmic = {title for title, axes in panels.items() if axes.get_xscale() == "log"}
    assert logarithmic == {"time", "NFE forward", "NFE backward", "training images"}
    distance = panels["Fréchet distance (judge)"]
    assert "fd_judge_2000" in distance.get_xlabel()
    assert distance.get_xlim()[1] < 100
    assert "415 →" in {text.get_text() for text in distance.texts}


def test_nothing_is_drawn_from_nothing(make_record, tmp_path):
    board = leaderboards([make_record(status="failed")])[0]
    assert draw_tradeoff(board, styles(board), tmp_path / "a") == []
    assert draw_bars(board, styles(board), tmp_path / "a") == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("channels", [0, 3])
def test_sample_grid(make_grid, tmp_path, channels):
    rows = {"original": "original", "vdu": "vdu (external)"}
    grid = make_grid([*rows, "esd"], channels=channels)
    first, second = (
        sample_grid(grid, rows, method_styles(grid.rows), tmp_path / name, "a title", "1")
        for name in ("first", "second")
    )
    assert [one.read_bytes() for one in first] == [other.read_bytes() for other in second]


def test_samples_are_framed_and_have_the_judges_word(make_grid, tmp_path, figures):
    grid = make_grid(["original", "vdu"], prompt="a portrait with a very long prompt")
    sample_grid(grid, {"original": "original", "vdu": "vdu"}, method_styles(grid.rows), tmp_path / "x", "a title", "1")
    (axes,) = figures[0].axes
    words = [text.get_text() for text in axes.texts]
    assert words.count("1") == 3
    assert words.count("7") == 5
    assert words.count("junk") == 2
    assert words.count("a portrait\nwith a very\nlong prompt") == 5
    assert {"the original shows 1", "it does not"} <= set(words)
    # One of each kind is the legend's.
    frames = [round(patch.get_linewidth(), 1) for patch in axes.patches]
    assert sorted(frames) == [0.6] * (5 + 1) + [1.1] * (2 + 1) + [2.0] * (3 + 1)


def test_photographs_are_drawn_as_small_as_a_page_shows_them(make_grid, tmp_path):
    (file, *_), (small, *_) = (
        sample_grid(grid, {"original": "original"}, method_styles(["original"]), tmp_path / str(side), "a title", "1")
        for side in (512, 128)
        for grid in [make_grid(["original"], 3, side, 3)]
    )
    assert file.stat().st_size < 1.5 * small.stat().st_size


def test_samples_keep_their_colours(make_grid, tmp_path):
    grid = make_grid(["vdu"], 3, 4, 3)
    grid.rows["vdu"].images[:] = (200, 30, 90)
    png, _ = sample_grid(grid, {"vdu": "vdu"}, method_styles(["vdu"]), tmp_path / "plain", "", "1")
    pixels = (matplotlib.image.imread(png)[..., :3] * 255).round().astype(int)
    exact = (pixels == (200, 30, 90)).all(axis=-1)
    near = (np.abs(pixels - (200, 30, 90)).sum(axis=-1) < 60) & ~exact
    side = round(0.5 * 200)
    assert exact.sum() > 3 * side * side * 0.8
    # Nothing was smoothed, but for the one line of pixels where an edge falls between two.
    assert near.sum() < 0.03 * exact.sum()
    marker = tuple(int(method_styles(["vdu"])["vdu"].color[i : i + 2], 16) for i in (1, 3, 5))
    assert (pixels == marker).all(axis=-1).sum() > 100


def test_rows_without_a_label_are_no_grid(make_grid, tmp_path):
    with pytest.raises(ValueError, match="samples"):
        sample_grid(make_grid(["vdu"]), {"esd": "esd"}, {}, tmp_path / "x", "", "1")


def limited(record):
    """A quality limit, which gradient ascent is far beyond."""
    record.protocol.limits = {"ratio": 5.0}
    record.metrics["fd_judge"] = record.metrics["fd_judge"].model_copy(update={"limit": "ratio"})


def test_two_dollar_signs_in_a_name_are_no_formula(make_records, tmp_path):
    records = make_records(("digits_1",), (0,))
    for record in records:
        record.forget = "$_$"
        record.metrics["pul"].unit = r"$\foo$"
    board = leaderboards(records)[0]
    for draw in (draw_tradeoff, draw_bars):
        assert draw(board, styles(board), tmp_path / draw.__name__)
