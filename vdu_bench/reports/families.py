"""Which scale and which family the records of a task belong to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from vdu_bench.errors import UserError, did_you_mean
from vdu_bench.records import Record
from vdu_bench.reports.comparable import by_variant
from vdu_bench.tasks.loading import catalog
from vdu_bench.tasks.task import Task


def scales(records: Iterable[Record]) -> dict[str, str]:
    """By variant, the scale that its cells were measured at; of one that never was, the installed task's, or empty."""
    return _facts(records, lambda record: record.protocol.scale if record.protocol else "", lambda task: task.scale)


def families(records: Iterable[Record]) -> dict[str, str]:
    """By variant, the family that its records name; of older records the installed task's, or the task's own name."""
    records = list(records)
    tasks = {record.variant: record.task for record in records}
    found = _facts(records, lambda record: record.family, lambda task: task.family)
    return {variant: family or tasks[variant] for variant, family in found.items()}


def of_scale(records: Iterable[Record], scale: str) -> list[Record]:
    """The records of one scale. Raises UserError, naming those there are, where it has none."""
    records = list(records)
    known = scales(records)
    kept = [record for record in records if known[record.variant] == scale]
    if not kept:
        there = ", ".join(sorted(set(known.values()) - {""})) or "none"
        raise UserError(f"--scale {scale}: there are no records of it; there are of: {there}")
    return kept


def of_tasks(records: Iterable[Record], names: Sequence[str]) -> list[Record]:
    """The records of some tasks, or of some variants of them. Raises UserError, naming those there are, for others."""
    records = list(records)
    for name in names:
        if not any(name in (record.task, record.variant) for record in records):
            known = sorted({one for record in records for one in (record.task, record.variant)})
            raise UserError(f"--task {name}: there are no records of it{did_you_mean(name, known)}")
    return [record for record in records if {record.task, record.variant} & set(names)]


def _facts(records: Iterable[Record], own: Callable[[Record], str], installed: Callable[[Task], str]) -> dict[str, str]:
    groups = dict(by_variant(records))
    found = {variant: next(filter(None, map(own, group)), "") for variant, group in groups.items()}
    unknown = [variant for variant, fact in found.items() if not fact]
    tasks = catalog() if unknown else {}
    for variant in unknown:
        if task := tasks.get(groups[variant][0].task):
            found[variant] = installed(task)
    return found
