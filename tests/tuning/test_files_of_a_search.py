"""What a search leaves: files that say the same each time, and a settings file by which records say tuned."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import yaml
from PIL import Image
from planted_search import PlantedExecutor, search

from vdu_bench.cli.options import settings_in
from vdu_bench.engine.cells import Cell, expand
from vdu_bench.engine.recording import failed_record
from vdu_bench.errors import UserError
from vdu_bench.reports.plots.style import LARGEST
from vdu_bench.tasks.loading import with_overrides
from vdu_bench.tasks.task import Task
from vdu_bench.tuning.files import write_all, write_found
from vdu_bench.tuning.tune import Found

pytest.importorskip("optuna", reason="the extra 'tune' is not installed")


@pytest.fixture(scope="module")
def found(tiny_task: Task, tmp_path_factory: pytest.TempPathFactory) -> Found:
    return search(tiny_task, tmp_path_factory.mktemp("search"), PlantedExecutor(), 8, finalists=2)


@pytest.fixture(scope="module")
def out(found: Found, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tuned")
    write_found(found, folder)
    return folder


def cell_of(tasks: list[Task], settings: dict, method: str = "finetune") -> Cell:
    made, _ = expand(tasks, ["finetune", "esd"], [0], "full", settings, "cpu", None, "tuned" if settings else "")
    return next(cell for cell in made if cell.method == method)


def test_the_files(found: Found, out: Path) -> None:
    written = write_found(found, out)
    names = [f"finetune.{suffix}" for suffix in ("json", "csv", "png", "yaml")]
    assert [file.relative_to(out).as_posix() for file in written] == [
        f"tiny/{name}" for name in (*names, "settings.yaml")
    ]
    before = [file.read_bytes() for file in written]
    assert [file.read_bytes() for file in write_found(found, out)] == before
    picture = out / "tiny" / "finetune.png"
    assert picture.stat().st_size <= LARGEST
    with Image.open(picture) as drawn:
        assert drawn.size[0] > 400
    assert not list(out.rglob("*.pdf"))


def test_what_is_chosen_and_what_it_cost(found: Found, out: Path) -> None:
    plain = json.loads((out / "tiny" / "finetune.json").read_text())
    assert found.chosen is not None
    assert plain["chosen"]["settings"] == found.chosen.trial.settings
    assert plain["chosen"]["within_limits"] is True
    assert plain["cost"] == {"trials": 8, "evaluations": found.evaluations}
    assert plain["tuning"]["trials"] == 8
    rows = list(csv.DictReader(io.StringIO((out / "tiny" / "finetune.csv").read_text())))
    assert [(row["trial"], row["seed"], row["is"]) for row in rows[:8]] == [(str(n), "100", "trial") for n in range(8)]
    assert [row["seed"] for row in rows[8:]] == ["101", "102", "103"] * 2
    assert sum(int(row["evaluations"]) for row in rows) == found.evaluations
    chosen = [row for row in rows if row["is"] == "chosen"]
    assert {row["trial"] for row in chosen} == {str(found.chosen.trial.number)}
    mean = sum(float(row["pul_strict"]) for row in chosen) / 3
    assert mean == pytest.approx(plain["chosen"]["objective"])
    assert all((row["pul_strict"] == "") == (row["status"] == "diverged") for row in rows)


def test_records_of_a_run_with_the_settings_file_say_tuned(tiny_task: Task, found: Found, out: Path) -> None:
    methods, (task,) = settings_in(None, out / "tiny" / "settings.yaml")
    cell = cell_of([with_overrides(tiny_task, task)], methods)
    made = failed_record(cell, "cpu", RuntimeError("never run"))
    assert made.settings_from == "tuned"
    assert made.tuning_cost == {"trials": 8, "evaluations": found.evaluations}
    assert found.chosen is not None
    assert found.chosen.trial.settings.items() <= made.settings_changed.items()
    # Neither names of results nor their addresses know of it.
    assert (made.variant, made.task_changes, made.row) == ("tiny", {}, "finetune[tuned]")
    assert cell.task.digest() == tiny_task.digest()
    other = failed_record(cell_of([with_overrides(tiny_task, task)], methods, "esd"), "cpu", RuntimeError("never run"))
    assert (other.settings_from, other.tuning_cost) == ("task", {})


def test_they_say_tuned_on_another_task_and_by_another_regime(tiny_task: Task, out: Path) -> None:
    sister = tiny_task.model_copy(update={"name": "sister", "forget": "8"})
    methods, (task,) = settings_in(None, out / "tiny" / "finetune.yaml", samples=50)
    made, _ = expand([with_overrides(sister, task)], ["finetune"], [0], "forget_and_retain", methods, "cpu")
    assert made[-1].settings_from == "tuned"
    assert made[-1].variant == "sister+samples=50"


@pytest.mark.parametrize("also", ["finetune.steps=7", "task.method_settings.finetune.batch_size=9"])
def test_they_do_not_where_the_command_changes_something_of_the_method(tiny_task: Task, out: Path, also: str) -> None:
    methods, (task,) = settings_in([also], out / "tiny" / "settings.yaml")
    cell = cell_of([with_overrides(tiny_task, task)], methods)
    assert (cell.settings_from, cell.tuning_cost) == ("command", {})


def test_another_method_s_settings_take_nothing_from_it(tiny_task: Task, out: Path) -> None:
    methods, (task,) = settings_in(["esd.steps=3"], out / "tiny" / "settings.yaml")
    tasks = [with_overrides(tiny_task, task)]
    assert cell_of(tasks, methods).settings_from == "tuned"
    assert cell_of(tasks, methods, "esd").settings_from == "command"


def test_a_task_says_it_of_its_own_settings(tiny_task: Task) -> None:
    cost = {"finetune": {"trials": 20, "evaluations": 1000}}
    own = Task.model_validate(tiny_task.model_dump() | {"settings_from": {"finetune": "tuned"}, "tuning_cost": cost})
    assert own.digest() == tiny_task.digest()
    assert (cell_of([own], {}).settings_from, cell_of([own], {}).tuning_cost) == ("tuned", cost["finetune"])
    # A command's settings over them are the command's.
    given = cell_of([own], {"finetune": [{"steps": 3}]})
    assert (given.settings_from, given.tuning_cost) == ("command", {})


def test_all_methods_share_a_file_but_those_without_a_choice(out: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    folder.mkdir()
    plain = json.loads((out / "tiny" / "finetune.json").read_text())
    for method, chosen in (("finetune", plain["chosen"]), ("esd", None), ("vdu", {"settings": {"gamma": 0.5}})):
        (folder / f"{method}.json").write_text(json.dumps(plain | {"method": method, "chosen": chosen}))
    content = yaml.safe_load(write_all(folder).read_text())
    assert set(content) == {"finetune", "vdu", "task"}
    assert content["task"]["settings_from"] == {"finetune": "tuned", "vdu": "tuned"}
    (folder / "notes.json").write_text("[]")
    with pytest.raises(UserError, match="move it away"):
        write_all(folder)
