"""Searches over planted cells: the best settings are found, and again after every kind of stop."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from filelock import FileLock
from planted_search import BEST_RATE, MOST_STEPS, PlantedExecutor, planted, record, search

from vdu_bench.engine.cells import Cell
from vdu_bench.errors import UserError
from vdu_bench.methods.catalog import METHODS
from vdu_bench.methods.search import Choice, Range
from vdu_bench.records import Record
from vdu_bench.tasks.task import Task
from vdu_bench.tuning.files import plain_found, trials_csv
from vdu_bench.tuning.space import search_space, tunable
from vdu_bench.tuning.trials import Broken
from vdu_bench.tuning.tune import Found

pytest.importorskip("optuna", reason="the extra 'tune' is not installed")

COUNT = 12


@pytest.fixture(scope="module")
def whole(tiny_task: Task, tmp_path_factory: pytest.TempPathFactory) -> tuple[Found, PlantedExecutor, Path]:
    """A search that nobody stopped."""
    root, executor = tmp_path_factory.mktemp("whole"), PlantedExecutor()
    return search(tiny_task, root, executor, COUNT), executor, root


def text(found: Found) -> str:
    return json.dumps(plain_found(found)) + trials_csv(found)


def test_the_planted_best_is_found_within_the_limit(tiny_task: Task, tmp_path: Path) -> None:
    found = search(tiny_task, tmp_path, PlantedExecutor(), 40)
    assert found.chosen is not None
    assert found.chosen.kept
    assert found.remark == ""
    settings = found.chosen.trial.settings
    assert settings["steps"] <= MOST_STEPS
    assert BEST_RATE / 2 < settings["learning_rate"] < BEST_RATE * 2
    # Learned from the trials at random: later ones are better, and more of them within the limits.
    worth = [trial.judged.score("higher") for trial in found.trials]
    assert sorted(worth[20:])[10] > sorted(worth[:20])[10]
    beyond = [trial for trial in found.trials if trial.judged.beyond > 0]
    assert beyond
    assert max(trial.judged.score("higher") for trial in beyond) < min(
        trial.judged.score("higher") for trial in found.trials if trial.judged.kept
    )


def test_trials_and_finals_are_on_seeds_of_their_own(whole: tuple[Found, PlantedExecutor, Path]) -> None:
    found, executor, _ = whole
    assert [cell.seed for cell in executor.cells] == [100] * COUNT + [101, 102, 103] * 5
    assert {cell.task.samples for cell in executor.cells} == {1000}
    assert {cell.variant for cell in executor.cells} == {"tiny+tuning=true"}
    assert len({json.dumps(one.trial.settings) for one in found.finalists}) == 5
    # What the task says of the method stands beside what is searched for.
    assert {cell.overrides["batch_size"] for cell in executor.cells} == {8}
    assert found.evaluations == sum((planted(cell).timings.nfe_forward or 0) for cell in executor.cells)


def test_the_same_search_finds_the_same(tiny_task: Task, tmp_path: Path, whole) -> None:
    assert text(search(tiny_task, tmp_path, PlantedExecutor(), COUNT)) == text(whole[0])


@pytest.mark.parametrize("stopped", [0, 1, 7, COUNT, COUNT + 4, COUNT + 15])
def test_a_search_that_was_stopped_goes_on_where_it_was(tiny_task: Task, tmp_path: Path, whole, stopped: int) -> None:
    first, second = PlantedExecutor(stop_after=stopped), PlantedExecutor()
    if stopped < COUNT + 15:
        with pytest.raises(KeyboardInterrupt):
            search(tiny_task, tmp_path, first, COUNT)
    else:
        search(tiny_task, tmp_path, first, COUNT)
    # The journal is enough: a machine may be lost with its store.
    shutil.rmtree(tmp_path / "store", ignore_errors=True)
    assert text(search(tiny_task, tmp_path, second, COUNT)) == text(whole[0])
    assert [cell.name for cell in first.cells + second.cells] == [cell.name for cell in whole[1].cells]


def test_half_a_line_of_a_killed_process_is_dropped(tiny_task: Task, tmp_path: Path, whole) -> None:
    with pytest.raises(KeyboardInterrupt):
        search(tiny_task, tmp_path, PlantedExecutor(stop_after=6), COUNT)
    journal = tmp_path / "finetune.journal"
    journal.write_bytes(journal.read_bytes()[:-30])
    executor = PlantedExecutor()
    assert text(search(tiny_task, tmp_path, executor, COUNT)) == text(whole[0])
    assert len(executor.cells) == COUNT + 15 - 5


def test_more_trials_go_on_from_fewer(tiny_task: Task, tmp_path: Path, whole) -> None:
    few = search(tiny_task, tmp_path, PlantedExecutor(), 6)
    assert few.trials == whole[0].trials[:6]
    assert text(search(tiny_task, tmp_path, PlantedExecutor(), COUNT)) == text(whole[0])
    journal = (tmp_path / "finetune.journal").read_bytes()
    assert text(search(tiny_task, tmp_path, PlantedExecutor(), 6)) == text(few)
    assert (tmp_path / "finetune.journal").read_bytes() == journal, "what is done leaves no line"


def test_a_journal_is_of_one_search_and_of_one_process(tiny_task: Task, tmp_path: Path, whole) -> None:
    journal = tmp_path / "finetune.journal"
    shutil.copyfile(whole[2] / "finetune.journal", journal)
    before = journal.read_bytes()
    with pytest.raises(UserError, match=r"another search: it differs in all that the task says; name another --out"):
        search(tiny_task, tmp_path, PlantedExecutor(), COUNT, samples=500)
    with pytest.raises(UserError, match="differs in tuning"):
        search(tiny_task, tmp_path, PlantedExecutor(), COUNT, most_evaluations=100)
    with FileLock(tmp_path / ".finetune.journal.lock"), pytest.raises(UserError, match="another process is tuning"):
        search(tiny_task, tmp_path, PlantedExecutor(), COUNT)
    assert journal.read_bytes() == before
    journal.write_text("not a journal\n")
    with pytest.raises(UserError, match="no journal of Optuna's"):
        search(tiny_task, tmp_path, PlantedExecutor(), COUNT)


def test_a_journal_is_of_the_images_that_it_was_begun_on(tiny_task: Task, tmp_path: Path, whole) -> None:
    """A file that is edited, or an image that is added, under a task that says the same."""

    def edited(cell: Cell) -> Record:
        found = planted(cell)
        if found.protocol is not None:
            found.protocol.data_fingerprint = "edited"
        return found

    shutil.copyfile(whole[2] / "finetune.journal", tmp_path / "finetune.journal")
    with pytest.raises(UserError, match="the journal of finetune rests on another set of images: name another --out"):
        search(tiny_task, tmp_path, PlantedExecutor(edited), COUNT + 1)


def test_a_journal_is_of_the_defaults_that_it_was_begun_with(
    tiny_task: Task, tmp_path: Path, whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setting that is not searched, and that no task file says."""
    method = METHODS.get("finetune")

    class Further(method.Settings):  # type: ignore[name-defined, misc]
        momentum: float = 0.5

    class Other(Further):
        momentum: float = 0.9

    shutil.copyfile(whole[2] / "finetune.journal", tmp_path / "finetune.journal")
    # Nothing is known of what was not there when the journal began; from here on it is.
    monkeypatch.setattr(method, "Settings", Further)
    assert text(search(tiny_task, tmp_path, PlantedExecutor(), COUNT)) == text(whole[0])
    monkeypatch.setattr(method, "Settings", Other)
    with pytest.raises(UserError, match="the journal of finetune rests on another default of momentum: name another"):
        search(tiny_task, tmp_path, PlantedExecutor(), COUNT + 1)


def test_a_journal_is_of_the_code_of_one_s_own_method(
    tiny_task: Task, tmp_path: Path, whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copyfile(whole[2] / "finetune.journal", tmp_path / "finetune.journal")
    for code in ("before", "before"):
        monkeypatch.setattr("vdu_bench.tuning.tune.code_of_others", lambda _, code=code: code)
        search(tiny_task, tmp_path, PlantedExecutor(), COUNT)
    monkeypatch.setattr("vdu_bench.tuning.tune.code_of_others", lambda _: "edited")
    with pytest.raises(UserError, match="the journal of finetune rests on another code: name another --out"):
        search(tiny_task, tmp_path, PlantedExecutor(), COUNT + 1)


def test_what_is_known_to_take_too_much_is_not_run(tiny_task: Task, tmp_path: Path) -> None:
    executor = PlantedExecutor()
    found = search(tiny_task, tmp_path, executor, COUNT, most_evaluations=50 * 8)
    refused = [trial for trial in found.trials if trial.judged.status == "refused"]
    assert refused
    assert all(trial.settings["steps"] > 50 for trial in refused)
    assert all(cell.overrides["steps"] <= 50 for cell in executor.cells)
    assert "evaluations, and 400 are allowed" in refused[0].judged.reason
    assert found.chosen is not None
    assert found.chosen.trial.settings["steps"] <= 50


def test_a_cell_that_fails_stops_its_search_and_is_tried_again(tiny_task: Task, tmp_path: Path, whole) -> None:
    def fails(cell: Cell) -> Record:
        if cell.called == "trial3":
            return record(cell.task, cell.method, cell.seed, {}, "failed")
        return planted(cell)

    with pytest.raises(Broken, match=r"tiny\+tuning=true/finetune\+trial3/seed100 failed: the loss is not finite"):
        search(tiny_task, tmp_path, PlantedExecutor(fails), COUNT)
    assert text(search(tiny_task, tmp_path, PlantedExecutor(), COUNT)) == text(whole[0])


def test_where_no_finalist_keeps_the_limits_the_least_beyond_is_chosen_and_told(
    tiny_task: Task, tmp_path: Path
) -> None:
    def beyond(cell: Cell) -> Record:
        found = planted(cell)
        if cell.method != "original" and found.status == "ok":
            found.metrics["junk_rate"].estimate.value = 20 + 100 * cell.overrides["learning_rate"]
        return found

    found = search(tiny_task, tmp_path, PlantedExecutor(beyond), COUNT)
    assert found.chosen is not None
    assert not found.chosen.kept
    assert "no finalist keeps the limits" in found.remark
    assert found.chosen.beyond == min(one.beyond for one in found.finalists)

    def diverged(cell: Cell) -> Record:
        return planted(cell) if cell.method == "original" else record(cell.task, cell.method, cell.seed, {}, "diverged")

    nothing = search(tiny_task, tmp_path / "other", PlantedExecutor(diverged), 3)
    assert nothing.chosen is None
    assert nothing.finalists == ()
    assert "nothing is chosen" in nothing.remark


def test_finals_decide_and_not_the_trials(tiny_task: Task, tmp_path: Path, whole) -> None:
    best = max(whole[0].trials, key=lambda trial: trial.judged.score("higher")).number

    def turned(cell: Cell) -> Record:
        """The best trial is beyond the limit with one of the finalists' seeds."""
        found = planted(cell)
        if cell.called == f"trial{best}" and cell.seed == 102:
            found.metrics["fd_judge"].estimate.value = 20.1
        return found

    found = search(tiny_task, tmp_path, PlantedExecutor(turned), COUNT)
    assert best in [one.trial.number for one in found.finalists]
    assert found.chosen is not None
    assert found.chosen.trial.number != best
    assert whole[0].chosen is not None
    assert whole[0].chosen.trial.number == best


@pytest.mark.parametrize("method", ["vdu", "vdu_contrast", "esd", "finetune", "gradient_ascent"])
def test_methods_declare_a_search_over_their_settings(method: str) -> None:
    space = search_space(method)
    assert {"learning_rate", "steps"} <= space.keys()


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ({}, "declare no search"),
        ({"rate": Range(1, 2)}, "no setting 'rate'"),
        ({"steps": Range(0, 2, integer=True)}, r"finetune.steps=0"),
        ({"steps": Range(1, 2.5, integer=True)}, "whole"),
        ({"steps": Range(3, 2, integer=True)}, "low is not below high"),
        ({"learning_rate": Range(0, 1, log=True)}, "begins above 0"),
        ({"optimizer": Choice(("adam",))}, "two values or more"),
        ({"optimizer": Choice(("adam", "sgd"))}, "finetune.optimizer='sgd'"),
        ({"optimizer": ("adam", "adamw")}, "neither a Range nor a Choice"),
    ],
)
def test_a_search_that_is_none_is_told_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch, space: object, words: str
) -> None:
    monkeypatch.setattr(METHODS.get("finetune").Settings, "search", space)
    with pytest.raises(UserError, match=words):
        search_space("finetune")
    assert tunable(["finetune", "esd"]) == (["finetune", "esd"] if space else ["esd"])


def test_choices_of_any_plain_value_come_back(tiny_task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space = {
        "learning_rate": Range(1e-6, 1e-3, log=True),
        "steps": Range(20, 100, integer=True),
        "weights": Choice(("all", ("*attn*", "*conv*"))),
        "clip_norm": Choice((None, 1.0)),
    }
    monkeypatch.setattr(METHODS.get("finetune").Settings, "search", space)
    executor = PlantedExecutor()
    found = search(tiny_task, tmp_path, executor, 8)
    assert {json.dumps(trial.settings["weights"]) for trial in found.trials} == {'"all"', '["*attn*", "*conv*"]'}
    assert {trial.settings["clip_norm"] for trial in found.trials} == {None, 1.0}
    assert all(isinstance(cell.overrides["steps"], int) for cell in executor.cells)
