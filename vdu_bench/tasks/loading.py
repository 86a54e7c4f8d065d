"""Tasks by name, from the catalog, from installed packages, and from files of one's own."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeGuard

from pydantic import ValidationError

from vdu_bench.errors import UserError, did_you_mean, warn
from vdu_bench.nested import merged
from vdu_bench.registry import OURS, Entry, Registry
from vdu_bench.spelling import spelled
from vdu_bench.tasks.extending import extended
from vdu_bench.tasks.task import Task
from vdu_bench.tasks.task_files import Draft, located, read_drafts
from vdu_bench.wrong_values import in_words

FILES: Registry[Any] = Registry("task family", "vdu_bench.tasks")
"""Entry points ``family = "package.with:the_file.yaml"``: a package, and a task file in its folder."""


def catalog() -> dict[str, Task]:
    """All tasks that are installed, by name; a family that cannot be read is warned of and left out."""
    tasks: dict[str, Task] = {}
    for entry in _families():
        try:
            family = read_tasks(_file_of(entry))
            for task in family:
                if task.name in tasks:
                    raise UserError(f"two tasks are called {task.name!r}; rename the one in {entry.target}")
        except UserError as error:
            warn(f"the {FILES.kind} {entry.name} is left out: {error}")
            continue
        tasks |= {task.name: task for task in family}
    return tasks


def find_task(name: str) -> Task:
    """A task of the catalog, or the one that a file describes.

    Raises:
        UserError: there is no such task or file; or the file's goes by the name of one of the catalog, and is another.
    """
    tasks_by_name = catalog()
    if name.endswith((".yaml", ".yml")):
        # No shell made it one in --task=~/pets.yaml. Path's own method raises where there is no such user.
        tasks = read_tasks(Path(os.path.expanduser(name)))
        if len(tasks) != 1:
            raise UserError(f"{name} describes {len(tasks)} tasks; --task takes a file with one")
        (task,) = tasks
        if tasks_by_name.get(task.name, task) != task:
            raise UserError(
                f"{name}: name: {task.name} is the name of an installed task, and this is another one; give it a name "
                "of its own, which is what its records go by"
            )
        return task
    if name not in tasks_by_name:
        raise UserError(f"unknown task {name!r}{did_you_mean(name, tasks_by_name, 'vdu-bench list tasks')}")
    return tasks_by_name[name]


def read_tasks(file: Path) -> list[Task]:
    """The tasks of a file: either one task, or ``common:`` keys and ``tasks:`` that add to them.

    A task may extend another (`extended`). Paths that begin with ./ or ../ are seen from the file.

    Raises:
        UserError: the file cannot be read, is not YAML (the line is named), is not a task (the key is named), or
            extends what is no task.
    """
    return [_task(draft) for draft in read_drafts(file)]


def with_overrides(task: Task, overrides: Mapping[str, Any]) -> Task:
    """The task with some keys changed (``{"sampler": {"steps": 50}}``). Raises UserError for a key it lacks.

    Paths that begin with ./ or ../ are seen from the current folder.
    """
    if not overrides:
        return task
    overrides = spelled(located(overrides, Path.cwd()))
    own = task.model_dump()
    if task.posterior is None and _in_part(overrides.get("posterior")):
        # What its absence stands for can be changed in part, too.
        own["posterior"] = task.posterior_source.model_dump()
    result = _validate(merged(own, overrides), None, "task.")
    if task.posterior is None and result.posterior == task.posterior_source:
        result = result.model_copy(update={"posterior": None})
    return result.changed_from(task, overrides.get("settings_from") or ())


def _families() -> list[Entry]:
    """Ours first: a third party's task that takes one of their names is the one that is left out."""
    return sorted(FILES.entries().values(), key=lambda entry: not entry.target.startswith(OURS))


def _file_of(entry: Entry) -> Path:
    return entry.source_file().parent / entry.attribute


def _task(draft: Draft) -> Task:
    whole = extended(draft, _draft_of_catalog)
    content, posterior = whole.content, whole.content.get("posterior")
    if not _in_part(posterior):
        return _validate(content, whole.file, whole.prefix)
    # As a command's: what the absence of a posterior stands for is changed in part.
    without = _validate({**content, "posterior": None}, whole.file, whole.prefix)
    filled = merged(without.posterior_source.model_dump(), posterior)
    task = _validate({**content, "posterior": filled}, whole.file, whole.prefix)
    return without if task.posterior == without.posterior_source else task


def _in_part(posterior: Any) -> TypeGuard[Mapping[str, Any]]:
    """Whether something is said of a posterior, and not where it is from."""
    return isinstance(posterior, Mapping) and "source" not in posterior


def _draft_of_catalog(name: str) -> Draft:
    drafts: dict[Any, Draft] = {}
    # A family that cannot be read is warned of where the catalog is.
    for entry in _families():
        with suppress(UserError):
            found = read_drafts(_file_of(entry))
            drafts = {draft.content.get("name"): draft for draft in found} | drafts
    if name not in drafts:
        raise UserError(f"unknown task {name!r}{did_you_mean(name, map(str, drafts), 'vdu-bench list tasks')}")
    return drafts[name]


def _validate(content: dict[str, Any], file: Path | None, prefix: str) -> Task:
    """The task; `file` is None for what a command says of one, by --set, a settings file or otherwise."""
    where = "" if file is None else f"{file}: "
    try:
        return Task.model_validate(content)
    except ValidationError as error:
        mistakes = [_of_a_key(one) for one in error.errors()]
        # A misspelt key is the cause of the missing one that it was meant to be.
        first = min(mistakes, key=lambda one: one["type"] != "extra_forbidden")
        words = _path(first["loc"], content, first["type"])
        key = prefix + ".".join(words)
        if first["type"] == "extra_forbidden":
            known = Task.model_fields if len(words) == 1 else ()
            hint = did_you_mean(words[-1], known)
            if words[0] == "posterior":
                hint = f"; where its source is {content['posterior']['source']}, there is none"
            raise UserError(f"{where}unknown key {key}{hint}") from error
        # A check of the whole task names its keys itself. Of a value that may be of several kinds each has its say.
        of_key = [one for one in mistakes if _path(one["loc"], content, one["type"]) == words]
        raise UserError(f"{where}{': '.join(filter(None, (key.rstrip('.'), in_words(_either(of_key)))))}") from error


def _of_a_key(mistake: Mapping[str, Any]) -> Mapping[str, Any]:
    """The mistake itself. But where the word that names a kind is wrong, it becomes a mistake of that word's key."""
    if mistake["type"] != "union_tag_invalid":
        return mistake
    key, known = mistake["ctx"]["discriminator"].strip("'"), mistake["ctx"]["expected_tags"]
    at = {"loc": (*mistake["loc"], key), "input": mistake["input"][key]}
    return {**mistake, **at, "type": "either", "msg": f"Input should be one of {known}"}


def _either(mistakes: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The mistakes that pydantic sees in one value as one: ``Input should be 'all' or greater than 0``."""
    same = "Input should be "
    messages = list(dict.fromkeys(str(one["msg"]) for one in mistakes))
    if len(messages) == 1 or not all(message.startswith(same) for message in messages):
        return mistakes[0]
    either = same + " or ".join(message.removeprefix(same) for message in messages)
    return {**mistakes[0], "type": "either", "msg": either}


def _path(place: Sequence[str | int], content: Any, kind: str) -> list[str]:
    """Where the mistake is in the file, without the members of unions that pydantic tried and names as well."""
    words = []
    if place[:1] == ("posterior",) and len(place) > 2:
        # Here the name of a union's member is also the name of a key, and is left out by its place.
        place = [place[0], *place[2:]]
    for position, word in enumerate(place):
        if word in content if isinstance(content, Mapping) else isinstance(word, int) and isinstance(content, list):
            content = content[word]
        elif kind != "missing" or position < len(place) - 1:
            continue
        words.append(str(word))
    return words
