"""Which attacks a command puts models under: those it names, a task's own, and those that its results have already."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vdu_bench.errors import UserError
from vdu_bench.probes.catalog import PROBES, attacks_for, check_attack, probe_facts
from vdu_bench.records import read_record
from vdu_bench.tasks.task import Task
from vdu_bench.variants import variant_name

NONE, ALL = "none", "all"


def under_attack(tasks: Sequence[Task], named: Sequence[str] | None, out: Path | None) -> list[Task]:
    """The tasks, each with the attacks that its models are put under.

    Args:
        tasks: with what a command changed of them.
        named: attacks by name; ``all`` for every one that a task's models can be put under, ``none`` for none, and
            None for the task's own.
        out: the folder of the results. Unless ``none`` is asked for, the attacks in its records of a task come on top,
            so that a table has no holes. None where results are in no folder.

    Raises:
        UserError: an attack is unknown, or a task's models cannot be put under it; ``all`` or ``none`` beside others.
    """
    return [task.model_copy(update={"attacks": tuple(_of(task, named, out))}) for task in tasks]


def _of(task: Task, named: Sequence[str] | None, out: Path | None) -> list[str]:
    able = [name for name in attacks_for(task.model.kind) if not obstacle(task, name)]
    if named is not None and len(named) > 1 and (alone := {NONE, ALL} & set(named)):
        raise UserError(f"attacks {', '.join(named)}: {min(alone)} stands alone")
    if named == [NONE]:
        return []
    chosen = list(task.attacks) if named is None else able if named == [ALL] else list(named)
    for name in chosen:
        check_attack(name, task.model.kind, task.name)
        if why := obstacle(task, name):
            raise UserError(f"{task.name} cannot be put under {name}: {why}")
    there = _in_records(task, out)
    return [name for name in able if name in chosen or name in there]


def obstacle(task: Task, name: str) -> str:
    """Why a task's models cannot be put under an attack that takes their kind; empty where they can."""
    if "rephrased" in probe_facts(name).needs and (task.prompts is None or not task.prompts.rephrased):
        return "its prompts have no rephrased"
    return ""


def _in_records(task: Task, out: Path | None) -> set[str]:
    if out is None:
        return set()
    folder = out / "records" / variant_name(task.name, task.forget_images, task.changes)
    attacks, installed = set(attacks_for(task.model.kind)), PROBES.entries()
    there = {name: file for file in sorted(folder.glob("*/seed*.json")) for name in read_record(file).probes}
    for name, file in there.items():
        if name not in installed:
            # Written anew without it, records would lose its numbers.
            raise UserError(
                f"{file} has what {name} found, which is not installed: name its --plugin, or --attacks none"
            )
    return attacks & there.keys()
