"""Rows and variants whose names are long, as of several settings: a figure shows them whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from cells import cells
from matplotlib.figure import Figure
from matplotlib.transforms import TransformedBbox

from vdu_bench.measured import Matrix
from vdu_bench.records import Record
from vdu_bench.reports.frontier import frontiers
from vdu_bench.reports.plots.titles import folded
from vdu_bench.reports.report import write_courses, write_data, write_frontier, write_plots, write_sweeps
from vdu_bench.reports.tables.leaderboard import leaderboards

OF_METHOD = {"gamma": 0.3, "learning_rate": 0.02, "variance_floor": 0.001, "weights": "all_but_cross_attention"}
OF_TASK = {"method_settings.vdu.batch_size": 64, "probe_settings.relearn.samples": 100, "sampler.steps": 50}
ROW = "vdu[gamma=0.3, learning_rate=0.02, variance_floor=0.001, weights=all_but_cross_attention]"


def records() -> list[Record]:
    """All that figures are drawn of: two tasks, two numbers of forget images, an attack, and a sweep over steps."""
    made = []
    for task, limit in (("digits_1", None), ("digits_1", 5), ("digits_8", None)):
        for record in cells(seeds=(0, 1), task=task):
            record.forget_images, record.forget_set, record.task_changes = limit, 132, dict(OF_TASK)
            record.matrices["pul"] = Matrix(
                rows=["5 images", "25 images"], columns=["0", "10"], unit="%", before=[[1, 2]] * 2, after=[[1, 2]] * 2
            )
            for steps in (10, 40) if record.method == "vdu" else (0,):
                one = record.model_copy(deep=True)
                if steps:
                    one.method_changes = {**OF_METHOD, **({"steps": steps} if steps == 10 else {})}
                    one.settings = {"steps": steps}
                made.append(one)
    return made


def plots(found: Sequence[Record], out: Path) -> None:
    write_plots(leaderboards(list(found)), out)


def frontier(found: Sequence[Record], out: Path) -> None:
    own = [record for record in found if record.task == "digits_1" and record.forget_images is None]
    for one in frontiers(own, {"vdu": "steps"}):
        write_frontier(one, out)


def one_panel(found: Sequence[Record], out: Path) -> None:
    for record in found:
        matrix = record.matrices["pul"]
        record.matrices["pul"] = matrix.model_copy(
            update={"rows": matrix.rows[:1], "before": matrix.before[:1], "after": matrix.after[:1]}
        )
    write_courses(found, out)


@pytest.mark.parametrize(
    "write", [plots, write_courses, one_panel, write_sweeps, write_data, frontier], ids=lambda one: one.__name__
)
def test_nothing_is_cut_or_covered(
    write: Callable[[Sequence[Record], Path], object],
    tmp_path: Path,
    figures: list[Figure],
    recwarn: pytest.WarningsRecorder,
) -> None:
    found = records()
    assert {record.row for record in found} >= {ROW}
    write(found, tmp_path)
    assert figures
    for figure in figures:
        figure.draw_without_rendering()
        # Names beside points are no part of the layout.
        beside = [text.get_window_extent() for axes in figure.axes for text in axes.texts if text.get_text()]
        drawn = figure.get_tightbbox()
        assert drawn is not None
        for box in (*beside, TransformedBbox(drawn, figure.dpi_scale_trans)):
            assert box.x0 > -1
            assert box.y0 > -1
            assert box.x1 < figure.bbox.x1 + 1
            assert box.y1 < figure.bbox.y1 + 1
        for legend in figure.legends:
            own = legend.get_window_extent()
            covered = [axes for axes in figure.axes if axes.get_window_extent().overlaps(own)]
            title = figure._suptitle  # type: ignore[attr-defined]
            assert not covered
            assert title is None or not title.get_window_extent().overlaps(own), title.get_text()
    assert not [one for one in recwarn if "layout" in str(one.message)], "axes that names leave no room for"


def test_a_line_ends_where_a_setting_does() -> None:
    assert folded("vdu[gamma=0.3, steps=40]", 30) == "vdu[gamma=0.3, steps=40]"
    assert folded("vdu[gamma=0.3, steps=40]", 16) == "vdu[gamma=0.3,\nsteps=40]"
    assert folded("digits_1+samples=300+sampler.steps=50", 24) == "digits_1+samples=300\n+sampler.steps=50"
    assert folded("one\ntwo three", 8) == "one\ntwo\nthree"


@pytest.mark.parametrize("width", [1, 5, 12, 30])
def test_no_line_is_longer_and_no_character_is_lost(width: int) -> None:
    lines = folded(ROW, width).split("\n")
    assert max(map(len, lines)) <= width
    assert "".join(lines).replace(" ", "") == ROW.replace(" ", "")
