"""Which cells of two sets of records belong together, and what else differs between the sets."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from vdu_bench.errors import UserError, flat
from vdu_bench.records import Protocol, Record, records_by_file
from vdu_bench.reports.comparable import by_variant, check_comparable, compared, protocol_of
from vdu_bench.reports.tables.text import seeds_text
from vdu_bench.unlike import both, unlike

Key = tuple[str, str, int]


@dataclass(frozen=True)
class Pair:
    """One cell (task and its variant, method, seed) of both sets."""

    old: Record
    """The reference's."""
    new: Record


@dataclass(frozen=True)
class Notice:
    """Something about cells that is no metric's loss or gain."""

    where: str
    """``variant``, ``variant/method`` or ``variant/method/seedN``."""
    kind: Literal["status", "metric", "missing", "extra", "seeds", "settings", "environment", "quality"]
    text: str
    worse: bool = False
    """Whether the gate fails for it."""


def read_both(reference: Path, records: Path) -> tuple[list[Record], list[Record]]:
    """The reference's records and the new ones; either folder may lie inside the other.

    Raises:
        UserError: a folder has no records or a file that is not one, or both are the same folder.
    """
    if not reference.is_dir():
        records_by_file(records)  # nobody is to be told to make a reference of what is not there
        command = ["vdu-bench", "bless", "--records", str(records), "--reference", str(reference)]
        raise UserError(
            f"there is no reference at {reference}: name one by --reference, or make these records one by "
            f"`{shlex.join(command)}`"
        )
    without = left_out(reference, records)
    old, new = (records_by_file(folder, skip) for folder, skip in zip((reference, records), without, strict=True))
    return list(old.values()), list(new.values())


def left_out(reference: Path, records: Path) -> tuple[Path | None, Path | None]:
    """The folder to leave out when the reference is read, and when the new records are: the other, if it lies inside.

    Raises:
        UserError: both are the same folder.
    """
    if reference.resolve() == records.resolve():
        raise UserError(f"--reference and --records are the same folder, {records}")
    inside = reference.resolve().is_relative_to(records.resolve())
    return (None, reference) if inside else (records, None)


def pair_cells(
    reference: Sequence[Record], records: Sequence[Record], allow_missing: bool = False
) -> tuple[list[Pair], list[Notice]]:
    """Cells that are in both sets, and what is to be said about the others.

    The new records may hold some of the reference's seeds: a cell is missing only where its task was run with its seed.

    Args:
        reference: the blessed records.
        records: the new ones.
        allow_missing: whether a missing cell is merely reported.

    Raises:
        UserError: records of one set do not compare with each other, the sets are of two protocols, a pair's records do
            not compare with one another (the field is named), or the sets have no cell in common.
    """
    for one_set in (reference, records):
        check_comparable(one_set)
    _check_protocols(protocol_of(reference), protocol_of(records))
    old, new = {_key(record): record for record in reference}, {_key(record): record for record in records}
    pairs = [Pair(old[key], new[key]) for key in sorted(old.keys() & new.keys())]
    if not pairs:
        why = _apart(old, new)
        raise UserError(f"the reference and the new records have no cell (task, method, seed) in common{why}")
    for pair in pairs:
        _check_pair(pair)
    notices = [*_missing(old, new, allow_missing), *_extra(old, new), *_statuses(pairs), *_settings(pairs)]
    return pairs, [*notices, *_environments(pairs)]


def seeds_words(seeds: Sequence[int]) -> str:
    """Such as ``seed 0`` or ``seeds 0-2``."""
    return f"seed{'s' * (len(seeds) > 1)} {seeds_text(seeds)}"


def _check_protocols(old: int | None, new: int | None) -> None:
    """One message for all cells: no single number of another protocol compares, whatever its name."""
    if None not in (old, new) and old != new:
        raise UserError(
            f"these records are of protocol {new}, the reference of protocol {old}, whose numbers mean something else: "
            f"make a reference of protocol {new} (`vdu-bench bless --prune`), or name one with --reference"
        )


def _apart(old: dict[Key, Record], new: dict[Key, Record]) -> str:
    """What was changed of a task or method that both sets have, where nothing but that keeps them apart."""
    for one in new.values():
        for other in old.values():
            if (one.task, one.method, one.seeds.sample) == (other.task, other.method, other.seeds.sample):
                return f": {one.cell_name} is not {other.cell_name}; run both alike"
    return ""


def _key(record: Record) -> Key:
    return record.variant, record.row, record.seeds.sample


def _check_pair(pair: Pair) -> None:
    for found in differences(_facts(pair.old), _facts(pair.new)):
        one = unlike(*found)
        raise UserError(
            f"{pair.new.cell_name} does not compare with the reference: {one.name} is {one.now}, in the reference "
            f"{one.before}{one.more}; measure both alike, or bless a new reference"
        )


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """The facts that two records have otherwise: a name, dotted inside a mapping, and both values."""
    # What only one side has, such as a new metric, or a protocol where the other failed, contradicts nothing.
    for name in (name for name in old if name in new):
        sides = [value if isinstance(value, dict) else {"": value} for value in (old[name], new[name])]
        for key in sorted(sides[0].keys() | sides[1].keys()):
            if sides[0].get(key) != sides[1].get(key):
                yield f"{name}.{key}".rstrip("."), sides[0].get(key), sides[1].get(key)


def facts_of_measuring(record: Record) -> dict[str, Any]:
    """How a cell was measured and what it rests on, by name; a dict is compared key by key."""
    facts = {"forget": record.forget, "regime": record.regime, "seeds": record.seeds.model_dump()}
    # Of another base or retrained model all numbers are others, and no method's loss.
    facts |= {f"stages.{name}": record.stages[name] for name in ("base", "retrain") if name in record.stages}
    facts |= {f"digests.{name}": digest for name, digest in record.digests.items()}
    facts |= {f"probe_settings.{name}": settings for name, settings in record.probe_settings.items()}
    if record.protocol is not None:
        facts |= {field: compared(record.protocol, field) for field in Protocol.model_fields}
    return facts


def _facts(record: Record) -> dict[str, Any]:
    """All that must agree, the metrics' labels, units and directions too."""
    results = record.metrics.items()
    return facts_of_measuring(record) | {
        name: result.model_dump(include={"label", "unit", "better"}) for name, result in results
    }


def _missing(old: dict[Key, Record], new: dict[Key, Record], allowed: bool) -> list[Notice]:
    notices = []
    for task, records in by_variant(old.values()):
        have = {seed for name, _, seed in old if name == task}
        ran = {seed for name, _, seed in new if name == task} & have
        if not ran:
            notices.append(
                Notice(task, "missing", f"none of its {len(records)} cells is in the new records", not allowed)
            )
            continue
        if have - ran:
            text = f"compared over {seeds_words(sorted(ran))} of the reference's {seeds_text(sorted(have))}"
            notices.append(Notice(task, "seeds", text))
        lost = [record for record in records if record.seeds.sample in ran and _key(record) not in new]
        notices += [
            Notice(where, "missing", f"not in the new records: {seeds}", not allowed)
            for where, seeds in _by_method(lost)
        ]
    return notices


def _extra(old: dict[Key, Record], new: dict[Key, Record]) -> list[Notice]:
    added = [record for key, record in sorted(new.items()) if key not in old]
    return [Notice(where, "extra", f"not in the reference: {seeds}") for where, seeds in _by_method(added)]


def _statuses(pairs: Iterable[Pair]) -> list[Notice]:
    notices = []
    for pair in pairs:
        if pair.old.status != pair.new.status:
            reason = flat(pair.new.reason)
            text = f"{pair.old.status} before, {pair.new.status} now" + (f": {reason}" if reason else "")
            # A method may diverge; that its code breaks is never as it was.
            worse = pair.old.status == "ok" or pair.new.status == "failed"
            notices.append(Notice(pair.new.cell_name, "status", text, worse=worse))
    return notices


def _settings(pairs: Iterable[Pair]) -> list[Notice]:
    notices = []
    for where, group in groupby(pairs, key=lambda pair: f"{pair.new.variant}/{pair.new.row}"):
        # Settings are those of the method, the same in all its seeds.
        pair = next(group)
        names = sorted(pair.old.settings.keys() | pair.new.settings.keys())
        sides = [(name, pair.old.settings.get(name), pair.new.settings.get(name)) for name in names]
        changes = [f"{name} {' -> '.join(both(old, new))}" for name, old, new in sides if old != new]
        if changes:
            notices.append(Notice(where, "settings", f"settings changed: {', '.join(changes)}"))
    return notices


def _environments(pairs: Iterable[Pair]) -> list[Notice]:
    """What the numbers were made with, once for each variant, where it is not what the reference's were made with."""
    notices = []
    for variant, group in groupby(pairs, key=lambda pair: pair.new.variant):
        sides = list(dict.fromkeys((_made_with(pair.old), _made_with(pair.new)) for pair in group))
        changes = [f"{new}, the reference with {old}" for old, new in sides if old and new and old != new]
        if changes:
            notices.append(Notice(variant, "environment", f"made with {'; '.join(changes)}"))
    return notices


def _made_with(record: Record) -> str:
    """Such as ``torch 2.9.1 on cpu``; empty where a record does not say."""
    torch, device = record.environment.get("packages", {}).get("torch"), record.environment.get("device")
    name = record.environment.get("device_name")
    return f"torch {torch} on {device}" + (f" ({name})" if name else "") if torch and device else ""


def _by_method(records: Iterable[Record]) -> list[tuple[str, str]]:
    groups = groupby(records, key=lambda record: f"{record.variant}/{record.row}")
    return [(where, seeds_words([record.seeds.sample for record in group])) for where, group in groups]
