"""Phase 1: the embedded digits, every method, one seed, on the device beside the CPU's records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import vdu_bench
from vdu_bench.records import Record, read_records

from .course import Course
from .sizes import Sizes

TASK = "digits_1"
SEED = 0
OF_CPU = Path(__file__).parents[2] / "results" / "reference"
"""The records of the CPU that the repository has."""


def run_smoke(course: Course, sizes: Sizes, device: str, store: Path, of_cpu: Sequence[Path]) -> None:
    """One run of all methods, then what differs from the CPU's records of the same settings.

    One after the other: beside others on the card their seconds would be of what these leave."""
    out = course.out / "smoke"

    def work() -> dict[str, Any]:
        results = vdu_bench.run(
            TASK,
            sizes.smoke,
            SEED,
            settings=sizes.smoke_settings,
            out=out,
            store=store,
            device=device,
            quiet=True,
        )
        return {"cells": beside(results, read_records(*(of_cpu or (OF_CPU,))))}

    found = course.part(TASK, 90.0, work, goes_on=True)
    for method, cell in ({} if found is None else found["cells"]).items():
        if cell["status"] == "failed":
            course.failed[f"smoke/{TASK}/{method}"] = cell["reason"]


def beside(here: Iterable[Record], there: Iterable[Record]) -> dict[str, Any]:
    """By method, what a record says beside the one of the same cell and settings; why not, where there is none."""
    known = {record.cell_name: record for record in there}
    return {record.method: _compared(record, known.get(record.cell_name)) for record in here}


def _compared(record: Record, other: Record | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "status": record.status,
        "reason": record.reason,
        "unlearn_seconds": record.timings.unlearn_seconds,
        "sample_seconds": record.timings.sample_seconds,
        "unlearn_peak_mib": record.timings.unlearn_peak_mib,
    }
    if other is None:
        return found | {"beside_cpu": "there is no record of the CPU"}
    if other.settings != record.settings or other.protocol is None or record.protocol is None:
        return found | {"beside_cpu": "the CPU's record has other settings"}
    if (other.protocol.samples, other.protocol.sampler) != (record.protocol.samples, record.protocol.sampler):
        return found | {"beside_cpu": "the CPU's record has other samples"}
    outcomes = {
        name: {"differ": int((record.outcomes[name].flags != theirs.flags).sum()), "of": theirs.n}
        for name, theirs in other.outcomes.items()
        if name in record.outcomes and record.outcomes[name].n == theirs.n
    }
    values = {
        name: [other.metrics[name].estimate.value, record.metrics[name].estimate.value]
        for name in ("pul_strict", "fd_judge", "junk_rate")
        if name in other.metrics and name in record.metrics
    }
    return found | {
        "outcomes_that_differ": outcomes,
        "cpu_and_here": values,
        "cpu_unlearn_seconds": other.timings.unlearn_seconds,
        "cpu_sample_seconds": other.timings.sample_seconds,
    }
