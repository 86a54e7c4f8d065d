"""What comes back with effort: the ways that records hold, and the figure of them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from cells import cells
from matplotlib.figure import Figure

from vdu_bench.errors import UserError
from vdu_bench.measured import Estimate, Matrix, MetricResult
from vdu_bench.records import Record
from vdu_bench.reports.courses import all_courses
from vdu_bench.reports.layouts import render_table, robustness_metrics
from vdu_bench.reports.method_style import method_styles
from vdu_bench.reports.page.sweeps import matrix_curves
from vdu_bench.reports.plots.bars import draw_bars
from vdu_bench.reports.report import write_courses
from vdu_bench.reports.tables.leaderboard import leaderboards

NAN = math.nan


def attacked(after: dict[str, list[list[float]]], rows: list[str], columns: list[str]) -> list[Record]:
    """Cells of two seeds whose matrix holds `after`, one point more for the second seed."""
    found = [record for record in cells(dict.fromkeys(after, 0.5), (0, 1)) if record.method in after]
    for record in found:
        ways = [[value + record.seeds.sample for value in row] for row in after[record.method]]
        record.metrics["relearn_rate"] = MetricResult(
            label="relearn_rate", unit="%", better="lower", group="robustness", gate="scatter", rank=10,
            title="relearn", estimate=Estimate(value=50, low=40, high=60, n=300),
        )  # fmt: skip
        record.matrices["relearn_rate"] = Matrix(rows=rows, columns=columns, unit="%", before=ways, after=ways)
    return found


RECORDS = {"original": [[10, 60, 90], [10, 50, 80]], "vdu": [[0, 20, NAN], [0, 10, 40]]}


@pytest.fixture
def records() -> list[Record]:
    return attacked(RECORDS, ["5 images", "25 images"], ["0", "10", "40"])


def test_a_way_is_the_mean_over_seeds(records: list[Record]) -> None:
    (courses,) = all_courses(records)
    assert (courses.metric, courses.title, courses.unit) == ("relearn_rate", "relearn", "%")
    assert courses.efforts == (0, 10, 40)
    assert list(courses.series) == ["5 images", "25 images"]
    first, second = courses.series["5 images"]
    assert (first.row, second.row) == ("original", "vdu"), "references come first"
    assert first.means == (10.5, 60.5, 90.5)
    assert first.seeds == ((10, 60, 90), (11, 61, 91))
    assert second.means[:2] == (0.5, 20.5)
    assert math.isnan(second.means[2])


def test_a_seed_that_lacks_its_way_is_left_out_of_no_mean(
    records: list[Record], tmp_path: Path, figures: list[Figure]
) -> None:
    """A mean over survivors would flatter."""
    (one,) = [record for record in records if (record.row, record.seeds.sample) == ("vdu", 1)]
    del one.matrices["relearn_rate"]
    one.metrics["relearn_rate"].estimate = Estimate(reason="relearn diverged")
    (courses,) = all_courses(records)
    assert courses.missing == ("vdu",)
    assert [course.row for course in courses.series["5 images"]] == ["original"]
    write_courses(records, tmp_path)
    assert figures[0].get_supxlabel() == "not known with every seed: vdu"
    (page,) = {tuple(one["rows"]) for one in matrix_curves(records)}
    assert page == ("original",)


def test_a_destroyed_model_is_marked(records: list[Record], tmp_path: Path, figures: list[Figure]) -> None:
    for record in records:
        record.metrics["junk_rate"].estimate = Estimate(value=90.0 if record.row == "vdu" else 1.0)
        assert record.protocol is not None
        record.protocol = record.protocol.model_copy(update={"limits": {"ratio": 2.0, "points": 10.0}})
    write_courses(records, tmp_path)
    (legend,) = figures[0].legends
    assert {text.get_text() for text in legend.get_texts()} == {"original", "vdu ⊗"}
    assert figures[0].get_supxlabel() == "⊗ has destroyed the model"


def test_a_table_that_goes_over_no_effort_has_no_curve() -> None:
    looks = attacked({"vdu": [[5], [7]]}, ["stochastic", "50 steps"], ["rate"])
    assert all_courses(looks) == []


def test_a_panel_for_each_series_and_a_line_for_each_method(
    records: list[Record], tmp_path: Path, figures: list[Figure]
) -> None:
    written = write_courses(records, tmp_path)
    assert [file.name.partition("_relearn")[2] for file in written] == ["_rate_curve.png", "_rate_curve.pdf"]
    (figure,) = figures
    assert [axes.get_title() for axes in figure.axes] == ["5 images", "25 images"]
    lines = {line.get_label(): line for line in figure.axes[0].lines if not str(line.get_label()).startswith("_")}
    assert set(lines) == {"original", "vdu"}
    assert lines["original"].get_linestyle() == "--"
    assert list(lines["original"].get_ydata()) == [10.5, 60.5, 90.5]
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == ["0", "10", "40"]


def test_many_methods_are_all_named_from_the_highest_end_to_the_lowest(tmp_path: Path, figures: list[Figure]) -> None:
    ends = {f"m{number}": 7.0 * (number * 5 % 18) for number in range(18)}
    many = attacked({name: [[0, 1, end]] for name, end in ends.items()}, ["5 images"], ["0", "10", "40"])
    write_courses(many, tmp_path)
    (figure,) = figures
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == sorted(ends, key=lambda name: -ends[name])
    assert legend.get_window_extent().y0 >= 0, "it ends within the figure"


def test_the_axis_says_what_the_attack_counts(records: list[Record], tmp_path: Path, figures: list[Figure]) -> None:
    write_courses(records, tmp_path)
    for record in records:
        matrix = record.matrices["relearn_rate"]
        columns = [f"{column} queries" for column in matrix.columns]
        record.matrices["relearn_rate"] = matrix.model_copy(update={"columns": columns})
    (courses,) = all_courses(records)
    assert (courses.efforts, courses.counted) == ((0, 10, 40), "queries")
    write_courses(records, tmp_path)
    assert [axes.get_xlabel() for axes in figures[0].axes] == ["steps of the attacker"] * 2
    assert [axes.get_xlabel() for axes in figures[1].axes] == ["queries of the attacker"] * 2
    assert [text.get_text() for text in figures[1].axes[0].get_xticklabels()] == ["0", "10", "40"]


def test_the_table_of_robustness_has_what_attacks_measured(records: list[Record]) -> None:
    names = robustness_metrics(records)
    assert names[-1] == "relearn_rate"
    assert names[0].startswith("pul")
    assert len(names) == 2
    table = render_table(records, "robustness", "markdown")
    assert "relearn" in table
    assert "fd_judge" not in table.partition("|")[2].partition("\n")[0]
    with pytest.raises(UserError, match="no model of these records was put under attack"):
        robustness_metrics(cells({"vdu": 0.5}))


def test_what_attacks_measured_has_a_picture_of_its_own(
    records: list[Record], tmp_path: Path, figures: list[Figure]
) -> None:
    (board,) = leaderboards(records)
    looks = method_styles(row.method for row in board.rows)
    assert [file.name for file in draw_bars(board, looks, tmp_path / "a", of_attacks=True)] == ["a.png", "a.pdf"]
    draw_bars(board, looks, tmp_path / "m")
    attacks, others = ([axes.get_title() for axes in figure.axes] for figure in figures)
    assert attacks == ["relearn"]
    assert others
    assert "relearn" not in others
