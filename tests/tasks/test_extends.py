"""Tasks that begin as another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from vdu_bench.errors import UserError
from vdu_bench.tasks.loading import find_task, read_tasks


def write(folder: Path, file_name: str, **content: Any) -> Path:
    file = folder / f"{file_name}.yaml"
    file.write_text(yaml.safe_dump({"name": file_name, **content}))
    return file


def test_a_task_is_its_parent_with_its_own_keys_deeply_merged(tmp_path: Path) -> None:
    parent = find_task("digits_1")
    child = find_task(str(write(tmp_path, "mine", extends="digits_1", forget="8", sampler={"steps": 7})))
    assert (child.name, child.forget, child.sampler.steps) == ("mine", "8", 7)
    assert child.sampler.batch_size == parent.sampler.batch_size
    assert child.model == parent.model
    assert child.family == "digits", "what a family shares is as it was"


def test_a_chain_of_files_and_a_parent_s_own_paths(tmp_path: Path) -> None:
    (tmp_path / "above").mkdir()
    write(tmp_path / "above", "first", extends="digits_1", data={"source": "image_folder", "folder": "./images"})
    write(tmp_path, "second", extends="./above/first.yaml", samples=50)
    task = find_task(str(write(tmp_path, "third", extends="second.yaml", forget="cat")))
    assert task.data.options == {"folder": str(tmp_path / "above" / "images")}
    assert (task.samples, task.forget) == (50, "cat")


def test_what_changes_the_shared_part_is_a_family_of_its_own_unless_it_names_one(tmp_path: Path) -> None:
    assert find_task(str(write(tmp_path, "a", extends="digits_1", model={"training": {"steps": 9}}))).family == "a"
    assert find_task(str(write(tmp_path, "b", extends="digits_1", data="sklearn_digits"))).family == "digits"
    named = write(tmp_path, "c", extends="digits_1", judge={"width": 8}, family="small")
    assert find_task(str(named)).family == "small"
    assert find_task(str(write(tmp_path, "d", extends="./c.yaml", samples=9))).family == "small"


def test_a_mapping_of_another_kind_replaces_the_parent_s(tmp_path: Path) -> None:
    timm = {"network": "timm", "architecture": "resnet18", "training": {"steps": 5, "learning_rate": 0.1}}
    task = find_task(str(write(tmp_path, "a", extends="digits_1", judge=timm, second_judge={"images": 30})))
    assert task.judge.network == "timm", "small_cnn's width and features are gone, which timm has not"
    assert task.second_judge is not None
    assert task.second_judge.model_dump()["copies"] == 2, "of the same kind: merged"
    write(tmp_path, "padded", extends="digits_1", data={"source": "mnist", "pad_to": 28})
    task = find_task(str(write(tmp_path, "b", extends="./padded.yaml", data={"source": "image_folder", "folder": "x"})))
    assert task.data.options == {"folder": "x"}
    width = find_task(str(write(tmp_path, "c", extends="digits_1", judge={"network": "small_cnn", "width": 5})))
    assert width.judge.model_dump()["features"] == 64


def test_how_the_parent_was_tuned_is_not_inherited(tmp_path: Path) -> None:
    claims = {"vdu": "tuned", "esd": "published", "finetune": "task"}
    cost = {"vdu": {"trials": 3, "evaluations": 5}}
    write(tmp_path, "tuned", extends="digits_1", settings_from=claims, tuning_cost=cost)
    child = find_task(str(write(tmp_path, "child", extends="./tuned.yaml", forget="3")))
    assert child.settings_from == {"esd": "published", "finetune": "task"}
    assert child.tuning_cost == {}


def test_tasks_of_a_family_file_extend_too(tmp_path: Path) -> None:
    file = tmp_path / "family.yaml"
    file.write_text("common: {extends: digits_1, samples: 30}\ntasks:\n  a: {forget: '3'}\n  b: {forget: '4'}\n")
    a, b = read_tasks(file)
    assert (a.name, a.forget, b.name, b.forget, b.samples) == ("a", "3", "b", "4", 30)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"extends": "digit_1"}, r"mine\.yaml: extends: unknown task 'digit_1'; did you mean 'digits_1'"),
        ({"extends": "./gone.yaml"}, r"mine\.yaml: extends: cannot read the task file .*gone\.yaml"),
        ({"extends": "./two.yaml"}, "describes 2 tasks, and one is needed"),
        ({"extends": 3}, "it takes a task's name or a task file"),
        ({"extends": "./mine.yaml"}, r"a task cannot extend itself \(mine\.yaml > mine\.yaml\)"),
        ({"extends": "./round.yaml"}, r"a task cannot extend itself \(mine\.yaml > round\.yaml > mine\.yaml\)"),
        ({"extends": "digits_1", "name": "digits_1"}, "give the task a name of its own"),
        ({"extends": "digits_1", "forgett": "3"}, "unknown key forgett"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, content: dict[str, Any], message: str) -> None:
    (tmp_path / "two.yaml").write_text("common: {extends: digits_1}\ntasks: {a: {}, b: {}}\n")
    write(tmp_path, "round", extends="./mine.yaml")
    with pytest.raises(UserError, match=message) as caught:
        find_task(str(write(tmp_path, "mine", **{"forget": "2", **content})))
    assert "\n" not in str(caught.value)


def test_a_task_without_a_name_of_its_own_would_go_by_its_parent_s(tmp_path: Path) -> None:
    (tmp_path / "nameless.yaml").write_text("extends: digits_1\nforget: '2'\n")
    with pytest.raises(UserError, match="give the task a name"):
        find_task(str(tmp_path / "nameless.yaml"))


def test_a_task_that_forgets_something_else_has_no_title_of_its_parent_s(tmp_path: Path) -> None:
    other = find_task(str(write(tmp_path, "mine", extends="digits_1", forget="3")))
    assert other.title == "forget 3 (after digits_1)"
    own = find_task(str(write(tmp_path, "named", extends="digits_1", forget="3", title="no threes")))
    assert own.title == "no threes"
    same = find_task(str(write(tmp_path, "few", extends="digits_1", forget_images=5)))
    assert same.title == find_task("digits_1").title
