"""Making new records the reference."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vdu_bench.errors import UserError
from vdu_bench.files import write_atomically
from vdu_bench.measured import MetricFacts, MetricResult
from vdu_bench.packed import PACKED, pack, pack_of
from vdu_bench.record_files import record_files
from vdu_bench.records import Record, records_by_file
from vdu_bench.reports.comparable import check_comparable
from vdu_bench.reports.gate.pairing import differences, facts_of_measuring, left_out

SHOWN = 30
"""Characters of a value that is still shown where it changed."""


@dataclass(frozen=True)
class Blessing:
    """What is to be written, and what that changes."""

    writes: dict[Path, bytes]
    """Content by file; an equal file is not among them."""
    removals: list[Path]
    """Files of cells that the new records lack, where pruned, and those whose records are packed now."""
    lines: list[str]
    """What changes, for people: a line for each cell and metric, then counts."""


def plan_blessing(reference: Path, records: Path, prune: bool = False, packed: bool = False) -> Blessing:
    """What it takes to replace the reference's records by the new ones. Writes nothing.

    A cell is written where the reference has it, a new one to ``REFERENCE/records/VARIANT/METHOD/seedN.json`` (without
    ``records`` where the reference has no such folder). Cells that the new records lack are kept, unless `prune`. A
    packed reference stays packed.

    Args:
        reference: the folder of the reference; it need not exist yet.
        records: the folder of the new records; either may lie inside the other.
        prune: whether cells that the new records lack are removed.
        packed: whether all records are put into one compressed file, ``REFERENCE/records.jsonl.gz``.

    Raises:
        UserError: a file is not a record, a new cell failed, the folders are one, or the result would hold records that
            do not compare with each other.
    """
    without_new, without_old = left_out(reference, records)
    new = records_by_file(records, without_old)
    # The first blessing makes the reference.
    old = records_by_file(reference, without_new) if record_files(reference) else {}
    failed = [record.cell_name for record in new.values() if record.status == "failed"]
    if failed:
        raise UserError(f"{failed[0]} failed, and an error is no reference")
    check_comparable(new.values())
    check_comparable(old.values())
    files = {record.cell_name: file for file, record in old.items()}
    root = reference if old and not (reference / "records").is_dir() else reference / "records"
    kept = dict(old)
    lines: list[str] = []
    written = silent = 0
    for record in new.values():
        file = files.pop(record.cell_name, root / f"{record.cell_name}.json")
        if file not in old or old[file].to_json() != record.to_json():
            kept[file] = record
            changes = _changes(old.get(file), record)
            lines += [f"{record.cell_name}: {change}" for change in changes]
            written += 1
            silent += not changes
    # What is left in `files` the new records lack.
    if prune:
        lines += [f"{name}: removed" for name in files]
        kept = {file: record for file, record in kept.items() if file not in files.values()}
    else:
        _check_whole([*new.values(), *(old[file] for file in files.values())])
    lines.append(
        f"{written} of {len(new)} records written ({silent} differ in timings or environment alone), "
        f"{len(files)} others {'removed' if prune else 'kept'}"
    )
    return Blessing(*_files(reference, old, kept, packed), lines)


def _files(
    reference: Path, old: dict[Path, Record], kept: dict[Path, Record], packed: bool
) -> tuple[dict[Path, bytes], list[Path]]:
    """What to write and what to remove, so that the reference holds `kept`, by file, in place of `old`."""
    packs = {place for file in old if (place := pack_of(file))}
    loose = [file for file in old if not pack_of(file)]
    if not packed and not packs:
        writes = {file: record.to_json().encode() for file, record in kept.items() if record is not old.get(file)}
        return writes, [file for file in loose if file not in kept]
    place = reference / PACKED
    content = pack(record.to_json() for record in sorted(kept.values(), key=lambda record: record.order))
    same = place.is_file() and place.read_bytes() == content
    return {} if same else {place: content}, [*loose, *sorted(packs - {place})]


def apply_blessing(blessing: Blessing) -> None:
    """Write the records, each as a whole, then remove what is pruned. Raises UserError where that cannot be done."""
    file = Path()
    try:
        for file, content in blessing.writes.items():
            write_atomically(file, content)
        for file in blessing.removals:
            file.unlink()
    except OSError as error:
        # A full disk's error names no file.
        raise UserError(
            f"cannot write the reference: {error.filename or file}: {error.strerror}; once that is mended, the same "
            "command goes on from here"
        ) from error


def _check_whole(records: Sequence[Record]) -> None:
    try:
        check_comparable(records)
    except UserError as error:
        raise UserError(f"new records beside those that are kept: {error}; bless all cells, or --prune") from error


def _changes(old: Record | None, new: Record) -> list[str]:
    if old is None:
        return ["new"]
    changes = [] if old.status == new.status else [f"status {old.status} -> {new.status}"]
    changes += [] if old.settings == new.settings else ["settings changed"]
    changes += [
        _changed(field, before, now)
        for field, before, now in differences(facts_of_measuring(old), facts_of_measuring(new))
    ]
    for name in sorted(old.metrics.keys() | new.metrics.keys()):
        before, now = (record.metrics.get(name) for record in (old, new))
        changes += _rules(name, before, now)
        if any(result is not None and result.gate == "timed" for result in (before, now)):
            continue
        if _value(before) != _value(now):
            changes.append(f"{name} {_text(before)} -> {_text(now)}")
        elif before is not None and now is not None and before.estimate.model_dump() != now.estimate.model_dump():
            changes.append(f"{name}'s interval changed")
    changes += [f"{part} changed" for part in PARTS if _plain(old, part) != _plain(new, part)]
    return changes


PARTS = ("outcomes", "at_own_count", "matrices", "evaluations_vary", "warnings")
"""What else there is in a record that neither time nor place decides."""


def _plain(record: Record, part: str) -> str:
    return json.dumps(record.model_dump(mode="json", include={part}), sort_keys=True)


def _rules(name: str, before: MetricResult | None, now: MetricResult | None) -> list[str]:
    """How a metric is gated otherwise than before, and what it is said to be."""
    if before is None or now is None:
        return []
    return [
        f"{name}'s {field} {getattr(before, field)} -> {getattr(now, field)}"
        for field in MetricFacts.model_fields
        if getattr(before, field) != getattr(now, field)
    ]


def _changed(field: str, before: object, now: object) -> str:
    """Such as ``samples 20 -> 30``; of a digest or a matrix that it changed."""
    sides = [str(before), str(now)]
    return f"{field} {' -> '.join(sides)}" if max(map(len, sides)) <= SHOWN else f"{field} changed"


def _value(result: MetricResult | None) -> float | None:
    """None for what is not there and for NaN, since None equals itself."""
    return None if result is None or math.isnan(result.estimate.value) else result.estimate.value


def _text(result: MetricResult | None) -> str:
    value = _value(result)
    return "none" if value is None else f"{value:.6g}"
