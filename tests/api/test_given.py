"""What running, judging and sweeping are given: slips are refused before anything is made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import vdu_bench
from vdu_bench.errors import UserError
from vdu_bench.methods.vdu import VDU
from vdu_bench.tasks.task import Task


def refused(command: Callable[..., Any], tmp_path: Path, words: str, **given: Any) -> None:
    with pytest.raises(UserError, match=words) as error:
        command(store=tmp_path / "store", quiet=True, **given)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"task": []}, "task: the list is empty; give a task, its name or its file"),
        ({"task": 3}, "task is 3: give a task"),
        ({"task": ["digits_1", None]}, "task has None in it: give a task"),
        ({"methods": []}, "methods: the list is empty; give a method, its name or its class"),
        ({"methods": {"vdu": {"gamma": 0.3}}}, r"methods is \{'vdu': \{'gamma': 0.3\}\}: give a method"),
        ({"methods": ["vdu", 3]}, "methods has 3 in it"),
        ({"regime": []}, "regime: the list is empty; give one of forget_only"),
        ({"regime": None}, "regime is None: give one of"),
        ({"seeds": None}, "seeds None: give whole numbers"),
        ({"seeds": 1.5}, "seeds 1.5: give whole numbers"),
        ({"attacks": 3}, "attacks is 3: give an attack's name"),
        ({"attacks": ""}, "attacks: name one or several"),
        ({"settings": {"task": []}}, "settings: task has an empty list; give its settings, or leave it out"),
        ({"settings": {"vdu": []}}, "settings: vdu has an empty list"),
        ({"settings": {"vdu": 3}}, "settings: vdu has 3, and takes its settings by name"),
        ({"settings": {"vdu": "gamma=3"}}, "settings: vdu has 'gamma=3', and takes"),
        ({"settings": {"vdu": [{}, None]}}, "settings: vdu has None, and takes"),
        ({"settings": ["vdu.gamma=3"]}, r"settings is \['vdu.gamma=3'\]: give them by method"),
        ({"jobs": 0}, "jobs 0: give a whole number from 1 up"),
        ({"jobs": "2"}, "jobs '2': give a whole number"),
        ({"plugins": 3}, "plugins is 3: give a file"),
        ({"plugins": "nowhere.py"}, "no plug-in file nowhere.py"),
    ],
)
def test_slips_in_a_run(given: dict[str, Any], words: str, tmp_path: Path, tiny_task: Task) -> None:
    refused(vdu_bench.run, tmp_path, words, **{"task": tiny_task, "methods": "vdu", **given})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"values": []}, "values: the list is empty"),
        ({"values": 0.5}, "values is 0.5: give a list"),
        ({"values": "0.5"}, "values is '0.5': give a list"),
        ({"regime": ["full", "forget_only"]}, "regime names 2, and a sweep has one"),
        ({"methods": []}, "methods: the list is empty"),
        ({"task": []}, "task: the list is empty"),
        ({"jobs": -1}, "jobs -1: give a whole number"),
    ],
)
def test_slips_in_a_sweep(given: dict[str, Any], words: str, tmp_path: Path, tiny_task: Task) -> None:
    refused(vdu_bench.sweep, tmp_path, words, **{"task": tiny_task, "methods": "vdu", "over": "gamma", **given})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"task": ["digits_1", "digits_8"]}, "task: a checkpoint is judged by one task at a time"),
        ({"task": []}, "task: the list is empty"),
        ({"settings": 3}, "settings: task has 3"),
        ({"settings": []}, "settings: task has an empty list"),
        ({"settings": [{"samples": 5}, {"samples": 6}]}, "a checkpoint is judged by one task at a time"),
    ],
)
def test_slips_in_a_judging(given: dict[str, Any], words: str, tmp_path: Path, tiny_task: Task) -> None:
    refused(vdu_bench.evaluate, tmp_path, words, **{"task": tiny_task, "checkpoint": "somewhere", **given})


def test_what_is_one_or_several_may_be_any_collection(tiny_task: Task, asked: list[str]) -> None:
    with pytest.raises(UserError, match="that was all"):
        vdu_bench.run((tiny_task,), iter(["esd", VDU]), range(2), settings={"vdu": ({"gamma": 0.3},)}, quiet=True)
    assert [name for name in asked if "/esd" in name] == ["tiny/esd/seed0", "tiny/esd/seed1"]
    assert [name for name in asked if "/vdu" in name] == ["tiny/vdu+gamma=0.3/seed0", "tiny/vdu+gamma=0.3/seed1"]


def test_a_tilde_is_the_home_folder(tiny_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.yaml").write_text(tiny_file.read_text())
    seen: dict[str, Any] = {}

    def stop(cells: list[Any], place: Any, folder: Path, *_: object) -> None:
        del place
        seen.update(task=cells[0].task.name, out=folder, data=cells[0].data_dir)
        raise UserError("that was all")

    def attacked(tasks: list[Task], named: object, out: Path) -> list[Task]:
        del named
        seen["kept"] = out
        return tasks

    monkeypatch.setattr("vdu_bench.api.running.run_cells", stop)
    monkeypatch.setattr("vdu_bench.api.running.under_attack", attacked)
    for command in (vdu_bench.run, vdu_bench.sweep):
        seen.clear()
        with pytest.raises(UserError, match="that was all"):
            command("~/mine.yaml", "vdu", out="~/found", store="~/kept", data_dir="~/data", quiet=True)
        assert seen == {
            "task": "tiny",
            "out": tmp_path / "found",
            "kept": tmp_path / "found",
            "data": tmp_path / "data",
        }
    with pytest.raises(UserError, match=f"no plug-in file {tmp_path / 'nowhere.py'}"):
        vdu_bench.run("~/mine.yaml", "vdu", plugins="~/nowhere.py", quiet=True)

    def judged(task: Task, source: str, *more: Any) -> None:
        del task
        raise UserError(f"{source} and {more[2]}")

    monkeypatch.setattr("vdu_bench.api.running.evaluation_cells", judged)
    with pytest.raises(UserError, match=f"^{tmp_path / 'model'} and {tmp_path / 'found'}$"):
        vdu_bench.evaluate("~/mine.yaml", "~/model", out="~/found", quiet=True)
    with pytest.raises(UserError, match=r"^\./some/model and"):
        vdu_bench.evaluate("~/mine.yaml", "./some/model", out="~/found", quiet=True)
