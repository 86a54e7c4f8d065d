"""Tasks by name, from the catalog, from installed packages, and from files of one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from vdu_bench.errors import UserError, did_you_mean, warn
from vdu_bench.registry import OURS, Registry
from vdu_bench.tasks.task import Task
from vdu_bench.tasks.yaml_text import load_yaml

FILES: Registry[Any] = Registry("task family", "vdu_bench.tasks")
"""Entry points ``family = "package:path/in/package.yaml"``."""


def catalog() -> dict[str, Task]:
    """All tasks that are installed, by name; a family that cannot be read is warned of and left out."""
    tasks: dict[str, Task] = {}
    for entry in sorted(FILES.entries().values(), key=lambda entry: not entry.target.startswith(OURS)):
        try:
            family = read_tasks(entry.source_file().parent / entry.attribute)
            for task in family:
                if task.name in tasks:
                    raise UserError(f"two tasks are called {task.name!r}; rename the one in {entry.target}")
        except UserError as error:
            warn(f"the {FILES.kind} {entry.name} is left out: {error}")
            continue
        tasks |= {task.name: task for task in family}
    return tasks


def find_task(name: str) -> Task:
    """A task of the catalog, or the one that a file describes. Raises UserError for either mistake."""
    if name.endswith((".yaml", ".yml")):
        tasks = read_tasks(Path(name))
        if len(tasks) != 1:
            raise UserError(f"{name} describes {len(tasks)} tasks; --task takes a file with one")
        return tasks[0]
    tasks_by_name = catalog()
    if name not in tasks_by_name:
        raise UserError(f"unknown task {name!r}{did_you_mean(name, tasks_by_name)}")
    return tasks_by_name[name]


def read_tasks(file: Path) -> list[Task]:
    """The tasks of a file: either one task, or ``common:`` keys and ``tasks:`` that add to them.

    Raises:
        UserError: the file cannot be read, is not YAML (the line is named) or is not a task (the key is named).
    """
    content = read_yaml_mapping(file, "task file")
    if "tasks" not in content:
        return [_validate(content, file, "")]
    unknown = set(content) - {"common", "tasks"}
    if unknown:
        raise UserError(f"{file}: unknown key {sorted(unknown)[0]!r}; a family file has 'common' and 'tasks'")
    common, tasks = content.get("common", {}), content["tasks"]
    if not isinstance(common, dict) or not isinstance(tasks, dict):
        raise UserError(f"{file}: 'common' and 'tasks' must be mappings")
    return [
        _validate(merged(merged(common, {"name": name}), own or {}), file, f"tasks.{name}.")
        for name, own in tasks.items()
    ]


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the values of `over` in it, mapping by mapping."""
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def with_overrides(task: Task, overrides: Mapping[str, Any]) -> Task:
    """The task with some keys changed (``{"sampler": {"steps": 50}}``). Raises UserError for a key it lacks."""
    if not overrides:
        return task
    own, posterior = task.model_dump(), overrides.get("posterior")
    if task.posterior is None and isinstance(posterior, Mapping) and "source" not in posterior:
        # What its absence stands for can be changed in part, too.
        own["posterior"] = task.posterior_source.model_dump()
    result = _validate(merged(own, overrides), None, "task.")
    if task.posterior is None and result.posterior == task.posterior_source:
        result = result.model_copy(update={"posterior": None})
    return result.changed_from(task, overrides.get("settings_from") or ())


def read_yaml_mapping(file: Path, what: str) -> dict[str, Any]:
    """A YAML file's top-level mapping. Raises UserError, naming the line, for anything else."""
    try:
        # With the mark that some editors begin a file by, or without.
        content = load_yaml(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UserError(f"cannot read the {what} {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"the {what} {file} is not UTF-8 (byte {error.start}): save it as UTF-8") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise UserError(f"the {what} {file} is malformed: {where}{problem}") from error
    if not isinstance(content, dict):
        raise UserError(f"the {what} {file} is malformed: it must be a mapping of keys to values")
    return content


def _validate(content: dict[str, Any], file: Path | None, prefix: str) -> Task:
    """The task; `file` is None for what a command says of one, by --set, a settings file or otherwise."""
    where = "" if file is None else f"{file}: "
    try:
        return Task.model_validate(content)
    except ValidationError as error:
        # A misspelt key is the cause of the missing one that it was meant to be.
        first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
        words = _path(first["loc"], content, first["type"])
        key = prefix + ".".join(words)
        if first["type"] == "extra_forbidden":
            known = Task.model_fields if len(words) == 1 else ()
            raise UserError(f"{where}unknown key {key}{did_you_mean(words[-1], known)}") from error
        # A check of the whole task names its keys itself.
        message = first["msg"].removeprefix("Value error, ")
        raise UserError(f"{where}{': '.join(filter(None, (key.rstrip('.'), message)))}") from error


def _path(place: Sequence[str | int], content: Any, kind: str) -> list[str]:
    """Where the mistake is in the file: pydantic also names the member of a union that it tried, and that goes."""
    words = []
    for position, word in enumerate(place):
        if word in content if isinstance(content, Mapping) else isinstance(word, int) and isinstance(content, list):
            content = content[word]
        elif kind != "missing" or position < len(place) - 1:
            continue
        words.append(str(word))
    return words
