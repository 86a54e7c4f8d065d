"""A task written as a task file is the same task."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from vdu_bench.errors import UserError
from vdu_bench.reports.listings import description, task_file
from vdu_bench.spec import WHOLE
from vdu_bench.tasks.loading import catalog, find_task
from vdu_bench.tasks.writing import task_yaml


def test_every_task_of_the_catalog_comes_back_as_it_was(tmp_path: Path) -> None:
    for name, task in catalog().items():
        file = tmp_path / f"{name}.yaml"
        file.write_text(task_yaml(task))
        again = find_task(str(file))
        assert again == task, name
        assert again.digest() == task.digest(), name
        # By a reader of YAML 1.1 as well, for which 1e-06 is text.
        assert yaml.safe_load(file.read_text()) == task.model_dump(mode="json", context=WHOLE)


def test_a_file_with_paths_of_its_own_is_written_with_absolute_ones(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "name: mine\nextends: digits_1\ndata: {source: image_folder, folder: ./images}\nbase: ./model\n"
        "posterior: {source: checkpoints, checkpoints: [../a, owner/b]}\n"
    )
    task = find_task(str(mine))
    assert task.base == str(tmp_path / "model")
    assert task.elsewhere[1:] == [str(tmp_path.parent / "a"), "owner/b"]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "copy.yaml").write_text(task_file(str(mine)))
    assert find_task(str(tmp_path / "other" / "copy.yaml")) == task
    assert description(str(mine))["forget"] == "1"


def test_what_a_file_leaves_open_is_shown_as_it_is_in_force() -> None:
    shown = description("digits_1")
    assert shown["posterior"]["snapshots"] == 10
    assert shown["quality"] == {"ratio": 1.0, "points": 10.0}
    assert shown["tuning"]["trials"] == 20
    assert description("faces_hats")["quality"]["ratio"] == 2.0
    lines = task_file("digits_1").splitlines()
    assert "quality: null  # in force: {ratio: 1.0, points: 10.0}" in lines
    assert "posterior: null  # in force: {source: snapshots, snapshots: 10, snapshots_from: 0.5}" in lines


def test_what_is_no_task_has_no_file() -> None:
    with pytest.raises(UserError, match="vdu is no task"):
        task_file("vdu")
    with pytest.raises(UserError, match="did you mean 'digits_1'"):
        task_file("digits_11")
