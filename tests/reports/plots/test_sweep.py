"""Forgetting and Frechet distance against the number of forget images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from cells import cells
from matplotlib.figure import Figure

from vdu_bench.errors import UserError
from vdu_bench.records import Record
from vdu_bench.reports.report import write_plots, write_sweeps
from vdu_bench.reports.tables.leaderboard import leaderboards

SIZE = 132


def sweep(limits: Sequence[int | None] = (5, 100, None), task: str = "digits_1") -> list[Record]:
    records = []
    for limit in limits:
        for record in cells({"vdu": 0.2 + 3 / (limit or SIZE)}, task=task):
            record.forget_images, record.forget_set = limit, SIZE
            records.append(record)
    return records


def test_variants_are_neither_averaged_nor_written_over_each_other(tmp_path: Path) -> None:
    records = sweep()
    boards = leaderboards(records)
    assert [board.variant for board in boards] == ["digits_1-forget5", "digits_1-forget100", "digits_1"]
    assert len({record.cell_name for record in records}) == len(records)
    names = {file.name for file in write_plots(boards, tmp_path)}
    assert {"digits_1_tradeoff.png", "digits_1-forget5_tradeoff.png"} <= names


def test_a_line_for_each_method_with_all_images_at_their_number(tmp_path: Path, figures: list[Figure]) -> None:
    written = write_sweeps([*sweep(), *sweep([None], "digits_8")], tmp_path)
    assert [file.name for file in written] == ["digits_1_forget_images.png", "digits_1_forget_images.pdf"]
    (figure,) = figures
    pul, distance = figure.axes
    assert pul.get_xscale() == distance.get_xscale() == "log"
    assert [label.get_text().strip() for label in pul.get_xticklabels()] == ["5", "100", "all (132)"]
    assert list(pul.get_xticks()) == [5, 100, SIZE]
    lines = {line.get_label(): line for line in pul.lines if not line.get_label().startswith("_")}
    assert set(lines) == {"original", "retrain", "vdu", "esd"}
    expected = [
        next(row for row in board.rows if row.method == "vdu").estimates["pul"].value for board in leaderboards(sweep())
    ]
    assert list(lines["vdu"].get_ydata()) == pytest.approx(expected)
    assert list(lines["vdu"].get_xdata()) == pytest.approx([5, 100, SIZE], rel=0.05)


def test_what_diverged_is_said(tmp_path: Path, figures: list[Figure]) -> None:
    records = sweep()
    (lost,) = [record for record in records if record.cell_name == "digits_1-forget100/vdu/seed0"]
    lost.status, lost.metrics = "diverged", {}
    write_sweeps(records, tmp_path)
    for axes in figures[0].axes:
        assert [text.get_text() for text in axes.texts] == ["diverged"]


def test_a_collapse_does_not_squeeze_the_others(tmp_path: Path, figures: list[Figure]) -> None:
    records = sweep()
    for record in records:
        if (record.method, record.forget_images) == ("esd", 5):
            record.metrics["pul"].estimate.value = -660.0
    write_sweeps(records, tmp_path)
    pul = figures[0].axes[0]
    assert pul.get_ylim()[0] > -150
    assert [text.get_text() for text in pul.texts] == ["-660"]


def test_the_same_figure_is_the_same_bytes(tmp_path: Path) -> None:
    files = [write_sweeps(sweep(), tmp_path / name) for name in ("first", "second")]
    assert all(one.read_bytes() == other.read_bytes() for one, other in zip(*files, strict=True))


def test_one_number_of_images_is_no_sweep(tmp_path: Path) -> None:
    assert write_sweeps([*sweep([25]), *sweep([None], "digits_8")], tmp_path) == []


@pytest.mark.parametrize("field", ["settings", "samples", "regime"])
def test_variants_that_differ_in_more_are_refused(tmp_path: Path, field: str) -> None:
    records = sweep()
    for record in records:
        if record.forget_images == 5:
            if field == "settings":
                record.settings = {"steps": 99}
            elif field == "regime":
                record.regime = "forget_only"
            else:
                record.protocol.samples = 500
    with pytest.raises(UserError, match=field):
        write_sweeps(records, tmp_path)


def test_all_of_an_unknown_number_have_no_place(tmp_path: Path) -> None:
    records = sweep()
    for record in records:
        record.forget_set = None
    with pytest.raises(UserError, match="no record says how many images show '1'"):
        write_sweeps(records, tmp_path)
