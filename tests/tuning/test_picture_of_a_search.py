"""The picture of a search: its legend explains what is drawn, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from planted_search import PlantedExecutor, search

from vdu_bench.tasks.task import Task
from vdu_bench.tuning import plot
from vdu_bench.tuning.tune import Found

pytest.importorskip("optuna", reason="the extra 'tune' is not installed")


@pytest.fixture(scope="module")
def found(tiny_task: Task, tmp_path_factory: pytest.TempPathFactory) -> Found:
    return search(tiny_task, tmp_path_factory.mktemp("search"), PlantedExecutor(), 8, finalists=2)


@pytest.mark.parametrize("beyond", [0.0, 0.5, None], ids=["all within", "all beyond", "some of each"])
def test_the_legend_names_only_trials_that_there_are(
    found: Found, beyond: float | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    figures: list[Figure] = []

    def caught(file: Path, make: Callable[[], Figure], formats: tuple[str, ...]) -> list[Path]:  # noqa: ARG001
        figures.append(make())
        return [file]

    monkeypatch.setattr(plot, "draw", caught)
    trials = found.trials
    if beyond is not None:
        trials = tuple(replace(trial, judged=replace(trial.judged, beyond=beyond)) for trial in trials)
    assert plot.draw_trials(replace(found, trials=trials), tmp_path / "finetune")
    (legend,) = figures[0].legends
    named = {text.get_text() for text in legend.get_texts()}
    assert ("trial within the limits" in named) == (beyond != 0.5)
    assert ("trial beyond a limit" in named) == (beyond != 0.0)
