"""Phase 5: every unconditional method on MNIST: a first look with few samples, then seed after seed of all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import vdu_bench
from vdu_bench.engine.prepare import import_prepared
from vdu_bench.engine.shipped import shipped_artifacts
from vdu_bench.engine.store import Store
from vdu_bench.tasks.loading import find_task, with_overrides

from .course import Course
from .inception import without_where_missing
from .sizes import Sizes


def run_cells(course: Course, sizes: Sizes, device: str, store: Path, data_dir: Path) -> None:
    """A round is a part; records of a round that was cut off are kept by the store, and its next turn goes on there."""
    if not (course.out / "models").exists():
        course.leave("there are no models: run the phase mnist before, or put its models into OUT/models")
        return
    # On another day, or another machine, they may be all that there is.
    import_prepared(course.out / "models", Store(store, shipped_artifacts()))
    changes = {**sizes.mnist_task, **without_where_missing()}
    tasks = [with_overrides(find_task(name), changes) for name in sizes.mnist]
    first: float | None = None
    for name, samples, seed in sizes.rounds:

        def work(samples: int = samples, seed: int = seed) -> dict[str, Any]:
            results = vdu_bench.run(
                tasks,
                sizes.cells,
                seed,
                settings=sizes.cells_settings,
                samples=samples,
                out=course.out / f"records_{samples}",
                store=store,
                data_dir=data_dir,
                device=device,
                jobs=sizes.at_once,
                quiet=True,
            )
            if results.failed:
                # Not done: another turn tries them again, and finds all the others in the store.
                why = next(record.reason for record in results if record.status == "failed")
                raise RuntimeError(f"{len(results.failed)} cells failed, such as {results.failed[0]}: {why}")
            return {
                "samples": samples,
                "seed": seed,
                "cells": len(results),
                "u_fid": tasks[0].inception is not None,
            }

        first = first or samples
        course.part(name, 240.0 * samples / first, work, goes_on=True)
