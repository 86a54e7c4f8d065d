"""Methods against tasks: what stands where, and what has no colour."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from vdu_bench.measured import Estimate
from vdu_bench.reports.method_style import method_styles
from vdu_bench.reports.plots.heatmap import across_tasks, draw_heatmap
from vdu_bench.reports.tables.leaderboard import Leaderboard, leaderboards


def drawn(boards: list[Leaderboard], file: Path) -> list[Path]:
    column = across_tasks(boards)
    assert column is not None
    return draw_heatmap(boards, column, method_styles(row.method for board in boards for row in board.rows), file)


def test_each_number_stands_at_its_method_and_task(make_records, make_record, tmp_path, figures: list[Figure]) -> None:
    records = [*make_records(), make_record("real", role="reference"), make_record("boom", status="diverged")]
    for record in records:
        record.protocol.limits = {"ratio": 5.0}
        if "fd_judge" in record.metrics:
            record.metrics["fd_judge"] = record.metrics["fd_judge"].model_copy(update={"limit": "ratio"})
        if record.method == "real":
            record.metrics["pul"].estimate = Estimate(reason="no model")
    boards = leaderboards(records)
    files = drawn(boards, tmp_path / "tasks")
    assert [file.name for file in files] == ["tasks.png", "tasks.pdf"]
    (axes,) = figures[0].axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    # Real images have forgotten nothing; of the others who destroyed no model comes before who did.
    assert names == ["retrain", "original", "esd", "vdu", "finetune", "boom", "gradient_ascent"]
    found = {tuple(map(round, text.get_position())): text.get_text() for text in axes.texts}
    for x, board in enumerate(boards):
        values = {row.method: row.estimates["pul"].value for row in board.rows if "pul" in row.estimates}
        for y, name in enumerate(names[:5]):
            assert found[x, y] == f"{values[name]:.1f}"
        assert found[x, 6] == f"{values['gradient_ascent']:.1f} ⊗"
    assert (found[0, 5], found[1, 5]) == ("diverged", "-")
    grey = {patch.get_facecolor() for patch in axes.patches if patch.get_y() > 4}
    assert len(grey) == 1
    assert len({patch.get_facecolor() for patch in axes.patches}) > 6


def test_one_task_is_no_picture_of_tasks(make_records) -> None:
    assert across_tasks(leaderboards(make_records(("digits_1",)))) is None
