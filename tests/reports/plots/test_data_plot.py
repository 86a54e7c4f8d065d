"""Forgetting and distance against how much data there were."""

from __future__ import annotations

from pathlib import Path

import pytest
from amounts import SIZE, by_amount
from matplotlib.figure import Figure

from vdu_bench.errors import UserError
from vdu_bench.reports.by_data.table import data_tables
from vdu_bench.reports.report import write_data


def test_a_panel_for_each_regime_and_one_for_snapshots(tmp_path: Path, figures: list[Figure]) -> None:
    records = by_amount(limits=(1, 25, None), snapshots=(2, 5))
    (lost,) = [one for one in records if one.cell_name == "digits_1-forget25/esd/seed0"]
    lost.status, lost.metrics = "diverged", {}
    written = write_data(records, tmp_path)
    assert [file.name for file in written] == ["digits_1_data.png", "digits_1_data.pdf"]
    assert all(file.stat().st_size > 10_000 for file in written)
    (figure,) = figures
    pul, distance = figure.axes[:3], figure.axes[3:]
    assert [axes.get_title() for axes in pul] == ["forget_only", "full", "full, all (132)"]
    assert [label.get_text() for label in distance[0].get_xticklabels()] == ["1", "25", "all (132)"]
    assert [label.get_text().strip() for label in distance[2].get_xticklabels()] == ["2", "5", "10"]
    (table,) = data_tables(records)
    for axes, regime in zip(pul[:2], ("forget_only", "full"), strict=True):
        lines = {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}
        assert ("finetune" in lines) is (regime == "full")
        found = {
            amount.forget_images or SIZE: place.estimate(table.metrics[0]).value
            for (row, amount), place in table.places.items()
            if row.name == "vdu" and amount.regime == regime
        }
        assert list(lines["vdu"].get_xdata()) == pytest.approx(sorted(found), rel=0.1)
        assert list(lines["vdu"].get_ydata()) == pytest.approx([found[images] for images in sorted(found)])
        # Gradient ascent with one image has destroyed the model.
        crosses = [line for line in axes.lines if line.get_marker() == "x" and line.get_markersize() == 10]
        assert [line.get_xdata()[0] for line in crosses] == pytest.approx([1], rel=0.1)
    few = {line.get_label(): line for line in pul[2].lines}["vdu"]
    assert list(few.get_xdata()) == pytest.approx([2, 5, 10], rel=0.1)
    assert list(few.get_ydata()) == sorted(few.get_ydata())
    assert [[text.get_text() for text in axes.texts] for axes in figure.axes] == [[], ["diverged"], []] * 2


def test_one_amount_of_data_is_no_plot(tmp_path: Path) -> None:
    assert write_data(by_amount((None,), ("full",), ()), tmp_path) == []


def test_all_of_an_unknown_number_have_no_place(tmp_path: Path) -> None:
    records = by_amount(snapshots=())
    for record in records:
        record.forget_set = None
    with pytest.raises(UserError, match="no record says how many images show '1'"):
        write_data(records, tmp_path)
