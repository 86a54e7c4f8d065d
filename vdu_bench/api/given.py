"""The arguments of running, judging and sweeping from Python: one or several of something, as a list."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vdu_bench.api.named_methods import registered
from vdu_bench.api.place import expanded
from vdu_bench.engine.cells import ALL, check_all_alone
from vdu_bench.engine.plugins import load_plugin
from vdu_bench.errors import UserError, did_you_mean, flat
from vdu_bench.methods.regime import REGIMES, Regime
from vdu_bench.methods.settings import Configured
from vdu_bench.plain_json import shortened
from vdu_bench.tasks.loading import find_task, with_overrides
from vdu_bench.tasks.task import Task
from vdu_bench.wrong_values import SHOWN

if TYPE_CHECKING:
    from vdu_bench.methods.method import Method

    MethodLike = str | type[Method] | Method

TaskLike = str | Path | Task
"""A task's name, a task file, or a task."""
Settings = Mapping[str, Mapping[str, Any] | Sequence[Mapping[str, Any]]]
"""By method, its settings, or several of them, which are variants; under ``task``, those of the task."""
Variants = dict[str, list[dict[str, Any]]]


def shown(value: object) -> str:
    """A value in a message: on one line, and no longer than a line has room for."""
    return shortened(flat(repr(value)), SHOWN)


def several(given: Any, kinds: Any, called: str, what: str) -> list[Any]:
    """What is given, as a list; of a single one a list of one.

    Args:
        given: by a user.
        kinds: types of a single one.
        called: the argument's name, for messages.
        what: a single one in words, for messages.

    Raises:
        UserError: there is none, or something is of another type.
    """
    if isinstance(given, kinds):
        return [given]
    mend = f"give {what}, or a list of several"
    # A mapping's values would be lost without a word.
    if isinstance(given, str | Mapping) or not isinstance(given, Iterable):
        raise UserError(f"{called} is {shown(given)}: {mend}")
    found = list(given)
    if not found:
        raise UserError(f"{called}: the list is empty; {mend}")
    for one in found:
        if not isinstance(one, kinds):
            raise UserError(f"{called} has {shown(one)} in it: {mend}")
    return found


def load_plugins(given: str | Path | Sequence[str | Path]) -> list[Path]:
    """Register what plug-in files define; the files. Raises UserError for one that cannot be used."""
    named = [] if isinstance(given, list | tuple) and not given else several(given, (str, Path), "plugins", "a file")
    files = [Path(expanded(file)) for file in named]
    for file in files:
        load_plugin(file)
    return files


def check_jobs(jobs: int) -> None:
    """Raise UserError for what is no number of processes."""
    if not isinstance(jobs, int) or jobs < 1:
        raise UserError(f"jobs {shown(jobs)}: give a whole number from 1 up")


def the_tasks(given: TaskLike | Sequence[TaskLike], variants: Sequence[Mapping[str, Any]]) -> list[Task]:
    """The tasks, each changed in every way. Raises UserError for an unknown task or key, and where there is no task."""
    found = several(given, (str, Path, Task), "task", "a task, its name or its file")
    tasks = [one if isinstance(one, Task) else find_task(os.fspath(one)) for one in found]
    return [with_overrides(task, own) for task in tasks for own in variants]


def the_methods(given: MethodLike | Sequence[MethodLike]) -> tuple[list[str], Variants]:
    """Names, and the settings of those that came with some. Raises UserError for an unknown one, and where none is."""
    found = several(given, (str, type, Configured), "methods", "a method, its name or its class")
    if any(one == ALL for one in found):
        check_all_alone(
            [one if isinstance(one, str) else getattr(one, "__name__", type(one).__name__) for one in found]
        )
        return [ALL], {}
    own: Variants = {}
    for one in found:
        name, settings = registered(one)
        variants = own.setdefault(name, [])
        if settings in variants:
            raise UserError(f"methods name {name} twice" + f" with {settings}" * bool(settings))
        variants.append(settings)
    # A name alone takes what settings={...} says; beside settings of its own it is a variant without any.
    return list(own), {name: variants for name, variants in own.items() if any(variants)}


def the_variants(
    settings: Settings | None, own: Variants, samples: int | None
) -> tuple[Variants, list[dict[str, Any]]]:
    """The variants of methods, and those of the task.

    Args:
        settings: as they were given.
        own: of methods that came with some.
        samples: as they were given.

    Raises:
        UserError: they are no mapping of mappings, or say something twice or nothing.
    """
    if settings is not None and not isinstance(settings, Mapping):
        raise UserError(f"settings is {shown(settings)}: give them by method, such as {{'vdu': {{'gamma': 0.3}}}}")
    _check_keys(settings or {})
    given: Variants = {owner: _of_owner(owner, found) for owner, found in (settings or {}).items()}
    of_task = given.pop("task", [{}])
    if samples is not None and any("samples" in one for one in of_task):
        raise UserError("samples=... and the task's settings say how many samples; give one of them")
    if twice := sorted(set(given) & set(own)):
        raise UserError(f"{twice[0]} has settings in settings={{...}} and of its own: give one of them")
    return given | own, of_task if samples is None else [{**one, "samples": samples} for one in of_task]


def the_regimes(given: str | Sequence[str]) -> list[Regime]:
    """The data regimes. Raises UserError for an unknown or a doubled one, and where there is none."""
    found = several(given, str, "regime", "one of " + ", ".join(REGIMES))
    if len(set(found)) < len(found):
        raise UserError(f"regime names one twice: {', '.join(found)}")
    if wrong := [name for name in found if name not in REGIMES]:
        raise UserError(f"there is no regime {wrong[0]!r}{did_you_mean(wrong[0], REGIMES)}")
    return [regime for name in found for regime in REGIMES if regime == name]


def the_attacks(given: str | Sequence[str] | None) -> list[str] | None:
    """Names of attacks; None for a task's own. Raises UserError where there is none."""
    if given is None:
        return None
    if given in ("", [], ()):
        raise UserError("attacks: name one or several; 'none' is without any, and None with the task's own")
    return several(given, str, "attacks", "an attack's name")


def the_seeds(given: int | Sequence[int]) -> list[int]:
    """The seeds. Raises UserError for what is no seed, for a doubled one, and where there is none."""
    found = [given] if isinstance(given, int) else list(given) if isinstance(given, Iterable) else []
    if not found or any(not isinstance(seed, int) or seed < 0 for seed in found) or len(set(found)) < len(found):
        raise UserError(f"seeds {shown(given)}: give whole numbers from 0 up, each once")
    return found


def the_values(given: Sequence[Any] | None) -> list[Any] | None:
    """The values of a sweep; None for those around the task's own. Raises UserError where there is none."""
    if given is None:
        return None
    if isinstance(given, str | Mapping) or not isinstance(given, Iterable):
        raise UserError(f"values is {shown(given)}: give a list of the setting's values")
    if not (found := list(given)):
        raise UserError("values: the list is empty; give the setting's values, or None for some around the task's own")
    return found


def _of_owner(owner: str, given: Any) -> list[dict[str, Any]]:
    """The variants of a method or the task."""
    alone = isinstance(given, Mapping | str) or not isinstance(given, Iterable)
    found: list[Any] = [given] if alone else list(given)
    if not found:
        raise UserError(f"settings: {owner} has an empty list; give its settings, or leave it out")
    for one in found:
        if not isinstance(one, Mapping):
            raise UserError(
                f"settings: {owner} has {shown(one)}, and takes its settings by name, or a list of such, which are "
                "variants"
            )
    return [dict(one) for one in found]


def _check_keys(given: Any) -> None:
    """Raise UserError for a name of a setting that is no text, at any depth."""
    if isinstance(given, Mapping):
        for key, value in given.items():
            if not isinstance(key, str):
                raise UserError(f"settings: {key!r} is no name of a setting, which is text")
            _check_keys(value)
    elif isinstance(given, list | tuple):
        for value in given:
            _check_keys(value)
