"""Intervals and seeds around a mean: what is drawn where, and how far an axis reaches for them."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from vdu_bench.measured import Estimate, MetricResult
from vdu_bench.reports.method_style import MethodStyle, method_styles
from vdu_bench.reports.plots import bars, sweep, tradeoff
from vdu_bench.reports.plots.grid import sample_grid
from vdu_bench.reports.plots.style import LARGEST, fit_axis, fit_forgetting
from vdu_bench.reports.plots.whiskers import Window, draw_interval, draw_seeds, seeds_of, window
from vdu_bench.reports.tables.leaderboard import Leaderboard, leaderboards


def styles(board: Leaderboard) -> dict[str, MethodStyle]:
    return method_styles(row.method for row in board.rows)


@pytest.fixture
def axes() -> Axes:
    return Figure().add_subplot()


def markers(axes: Axes, kinds: str = "o<>v^") -> list[tuple[str, float, float]]:
    """Small marks, one by one."""
    return [
        (line.get_marker(), float(x), float(y))
        for line in axes.lines
        if line.get_marker() in tuple(kinds) and line.get_markersize() <= 4
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    ]


def test_seeds_are_dots_under_the_mean_and_arrows_where_they_are_far_away(axes: Axes) -> None:
    draw_seeds(axes, [1.0, 2.0, 900.0, 3.0], [5.0, math.nan, 6.0, -800.0], "red", Window(0, 10), Window(-20, 100))
    assert markers(axes) == [("o", 1.0, 5.0), (">", 10.0, 6.0), ("v", 3.0, -20.0)]
    assert all(line.get_zorder() < 3 and line.get_alpha() < 1 for line in axes.lines)


@pytest.mark.parametrize("which", ["x", "y"])
def test_an_interval_is_cut_with_an_arrow(axes: Axes, which: str) -> None:
    draw_interval(axes, which, Estimate(value=5.0, low=-90.0, high=7.0), 1.0, Window(0, 10), color="red", capsize=2)
    arrow = {"x": ("<", 0.0, 1.0), "y": ("v", 1.0, 0.0)}[which]
    assert markers(axes, "<>v^") == [arrow]
    (bar,) = axes.containers
    (segment,) = bar.lines[2][0].get_segments()
    along = segment[:, 0 if which == "x" else 1]
    assert list(along) == [0.0, 7.0]
    draw_interval(axes, which, Estimate(value=5.0), 1.0, Window(0, 10), color="red")
    assert len(axes.containers) == 1


def test_one_collapsed_seed_does_not_set_the_axis() -> None:
    means = [10.0, 20.0, 60.0]
    assert window(means, [9.0, 70.0]) == Window(9.0, 70.0)
    wide = window(means, [9.0, 5000.0, -300.0])
    assert wide == Window(-40.0, 110.0)
    assert window(means, [9.0, 5000.0], logarithmic=True) == Window(9.0, 180.0)
    # Where all agree, and where all are nothing.
    assert window([50.0, 50.0], [40.0, 500.0]) == Window(40.0, 75.0)
    assert window([0.0], [-1.0, 2.0]) == Window(-1.0, 2.0)


def test_axes_hold_the_means_and_say_what_is_beyond(axes: Axes) -> None:
    estimates = [Estimate(value=2.0), Estimate(value=30.0, low=0.001, high=4000.0)]
    drawn = fit_axis(axes, "x", estimates, [(), (25.0, 35.0, 900.0)])
    assert axes.get_xscale() == "log"
    assert (drawn.low, drawn.high) == pytest.approx((2.0 / 3, 90.0))
    low, high = axes.get_xlim()
    assert low < drawn.low < drawn.high < high
    drawn = fit_forgetting(axes, [Estimate(value=40.0, low=-800.0, high=90.0), Estimate(value=-300.0)], [])
    assert drawn == Window(-100.0, 100.0)
    assert fit_forgetting(axes, [Estimate(value=40.0, low=20.0, high=90.0)], [(10.0, 70.0)]) == Window(0.0, 100.0)


@pytest.mark.parametrize("highest", [15.0, 40.0, 300.0, 1e4, 1e5, 1e7])
def test_labels_of_a_logarithmic_axis_do_not_meet(highest: float) -> None:
    figure = Figure(figsize=(6.6, 3.9), layout="constrained")
    axes = figure.add_subplot()
    fit_axis(axes, "x", [Estimate(value=1.0), Estimate(value=highest)], [])
    figure.draw_without_rendering()
    low, high = axes.get_xlim()
    shown = [tick.label1 for tick in axes.xaxis.get_major_ticks() if low <= tick.get_loc() <= high]
    boxes = [label.get_window_extent() for label in shown]
    assert len(boxes) >= 3
    assert all(left.x1 + 4 < right.x0 for left, right in pairwise(boxes))


def test_a_single_seed_and_a_lost_one_have_no_dots(make_records, make_record) -> None:
    lost = make_records(("digits_1",), (0, 1))
    next(record for record in lost if record.method == "esd").status = "diverged"
    (board,) = leaderboards([*lost, make_record("alone")])
    dots = {row.method: seeds_of(row, "pul") for row in board.rows}
    assert len(dots["vdu"]) == 2
    assert dots["esd"] == dots["alone"] == ()
    assert seeds_of(board.rows[0], "nothing") == ()


@pytest.fixture
def painted(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are drawn from here on, instead of their files."""
    figures: list[Figure] = []

    def keep(file, paint, **_):  # noqa: ARG001
        figures.append(paint())
        return []

    for module in (bars, tradeoff, sweep):
        monkeypatch.setattr(module, "draw", keep)
    return figures


def seeds_drawn(axes: Axes, coordinate: int) -> list[float]:
    return sorted(mark[coordinate] for mark in markers(axes, "o"))


def test_every_plot_has_a_dot_for_every_seed(make_records, tmp_path, painted: list[Figure]) -> None:
    records = make_records(("digits_1",), (0, 1, 2))
    (board,) = leaderboards(records)
    names = ("pul", "fd_judge", "junk_rate")
    found = {name: sorted(record.metrics[name].estimate.value for record in records) for name in names}
    bars.draw_bars(board, styles(board), tmp_path / "bars")
    tradeoff.draw_tradeoff(board, styles(board), tmp_path / "tradeoff")
    for record in records:
        record.forget_set = 142
    sweep.draw_sweep(leaderboards(records), styles(board), tmp_path / "sweep")
    panels, (plane,), lines = (figure.axes for figure in painted)
    moved = [panel for panel in panels if panel.get_title() == "junk rate"]
    assert seeds_drawn(moved[0], 1) == pytest.approx(found["junk_rate"])
    assert seeds_drawn(plane, 1) == pytest.approx(found["fd_judge"])
    assert seeds_drawn(plane, 2) == pytest.approx(found["pul"])
    assert [seeds_drawn(axes, 2) for axes in lines] == [pytest.approx(found["pul"]), pytest.approx(found["fd_judge"])]


def test_bitmaps_stay_small_whatever_is_in_the_table(make_records, make_record, make_grid, tmp_path) -> None:
    """16 methods by 27 metrics, and 12 rows of 12 samples of noise, which no compression helps."""
    records = make_records(("digits_1",), (0, 1)) + [make_record(f"m{i}", seed) for i in range(10) for seed in (0, 1)]
    for record in records:
        for index in range(15):
            fact = record.metrics["fd_judge"].model_dump() | {"label": f"another_{index}", "axis": ""}
            fact["estimate"]["value"] += index  # the same numbers again would have no panel
            record.metrics[f"another_{index}"] = MetricResult(**fact)
    (board,) = leaderboards(records)
    assert len(board.rows) * len(board.columns) > 400
    files = bars.draw_bars(board, styles(board), tmp_path / "bars")
    names = {f"m{i}": f"m{i}" for i in range(12)}
    noise = make_grid(names, 12, 32, 3)
    files += sample_grid(noise, names, method_styles(names), tmp_path / "grid", "noise", "1")
    for file in files:
        if file.suffix == ".png":
            assert file.stat().st_size <= LARGEST, file.name


def test_a_palette_keeps_white_white_and_methods_apart(make_records, tmp_path) -> None:
    (board,) = leaderboards(make_records(("digits_1",)))
    own = styles(board)
    (png, _) = bars.draw_bars(board, own, tmp_path / "bars")
    pixels = np.asarray(Image.open(png).convert("RGB")).reshape(-1, 3)
    colours = {tuple(int(part) for part in colour) for colour in np.unique(pixels, axis=0)}
    assert (255, 255, 255) in colours
    for row in board.rows:
        if row.role == "contestant":
            wanted = tuple(int(own[row.method].color[i : i + 2], 16) for i in (1, 3, 5))
            assert min(max(abs(a - b) for a, b in zip(wanted, colour, strict=True)) for colour in colours) <= 4


def test_a_marker_of_a_few_pixels_keeps_its_hue_beside_samples(make_grid, tmp_path) -> None:
    names = {f"m{i}": f"m{i}" for i in range(12)}
    own = method_styles(names)
    (png, _) = sample_grid(make_grid(names, 12, 8), names, own, tmp_path / "grid", "grey samples", "1")
    with Image.open(png) as picture:
        assert picture.mode == "P", "this is of a picture that has a palette"
        pixels = np.asarray(picture.convert("RGB"), dtype=np.int64) @ [1 << 16, 1 << 8, 1]
    for look in own.values():
        assert (pixels == int(look.color[1:], 16)).sum() > 50, look
